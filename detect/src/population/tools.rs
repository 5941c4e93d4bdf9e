//! How many agents use a tool: counts in buckets, never too few.

use serde::{Deserialize, Serialize};

/// Buckets that tools are counted in.
const TOOLS: usize = 1_024;
/// Hours with a new tool that are supposed before any were seen, and how many of those had one with a known
/// name: it is not rare.
const SHADOW_PRIOR: (f64, f64) = (4.0, 1.0);

/// The users of tools.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct ToolUsers {
    agents: i64,
    users: Vec<i32>,
    /// Hours that brought an agent a new tool, and those with a name that it knew from another server.
    novel: f64,
    shadows: f64,
}

impl ToolUsers {
    pub(crate) fn add_agent(&mut self, change: i64) {
        self.agents += change;
    }

    pub(crate) fn add(&mut self, key: u32, change: i32) {
        super::grow(&mut self.users, TOOLS);
        if let Some(count) = self.users.get_mut(key as usize % TOOLS) {
            *count = count.saturating_add(change);
        }
    }

    /// Notes an hour with a new tool.
    pub(crate) fn add_novel(&mut self, is_shadow: bool) {
        self.novel += 1.0;
        self.shadows += f64::from(u8::from(is_shadow));
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.novel *= factor;
        self.shadows *= factor;
    }

    /// How often a new tool has a name that the agent knows from another server.
    pub(crate) fn shadow_share(&self) -> f64 {
        let (hours, supposed) = SHADOW_PRIOR;
        (self.shadows + supposed) / (self.novel + hours)
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.agents += other.agents;
        self.novel += other.novel;
        self.shadows += other.shadows;
        super::grow(&mut self.users, other.users.len());
        self.users.iter_mut().zip(&other.users).for_each(|(own, theirs)| *own += theirs);
    }

    /// Agents of which any tool was learned.
    pub(crate) fn agents(&self) -> u32 {
        self.agents.clamp(0, i64::from(u32::MAX)) as u32
    }

    /// How many of them use a tool, at most.
    pub(crate) fn users(&self, key: u32) -> u32 {
        let users = self.users.get(key as usize % TOOLS).copied().unwrap_or(0);
        u32::try_from(users).unwrap_or(0).min(self.agents())
    }

    /// The share of agents that use a tool, above 0.
    pub(crate) fn share(&self, key: u32) -> f64 {
        (f64::from(self.users(key)) + 1.0) / (f64::from(self.agents()) + 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_as_rare_as_few_use_it() {
        let (mut all, mut part) = (ToolUsers::default(), ToolUsers::default());
        (0..18).for_each(|_| {
            part.add_agent(1);
            part.add(7, 1);
        });
        all.absorb(&part);
        assert_eq!((all.agents(), all.users(7), all.users(8)), (18, 18, 0));
        assert!(all.share(7) > 0.9 && all.share(8) < 0.06);
        assert!((all.shadow_share() - 0.25).abs() < 1e-9);
        (0..16).for_each(|_| all.add_novel(false));
        assert!((all.shadow_share() - 0.05).abs() < 1e-9);
    }
}
