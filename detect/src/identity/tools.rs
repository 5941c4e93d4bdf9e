//! Which tools an agent uses, how often, and how large their requests are.

use crate::snapshot::plain::{self, Plain};
use crate::statistics::Moments;
use model::mention::Mentions;
use serde::{Deserialize, Serialize};

/// Tools that are kept of one agent; of those that were only noted, else of all, the one goes that was not
/// used for longest.
const TOOLS_MAX: usize = 64;

/// A tool of a server, by the hashes of their names.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ToolKey {
    pub(crate) server: u32,
    pub(crate) tool: u32,
}

impl ToolKey {
    /// Both in one.
    pub(crate) const fn both(self) -> u32 {
        self.server.rotate_left(13) ^ self.tool
    }
}

/// A tool that an agent used.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct KnownTool {
    pub(crate) key: ToolKey,
    /// `server/tool`.
    pub(crate) name: Box<str>,
    /// When it was used last, in days since 1970.
    day: u16,
    /// Learned hours with it and calls in them, decayed; 0 for what was only noted.
    pub(crate) hours: f32,
    pub(crate) calls: f32,
    /// The mean of ln(1 + bytes) over the requests of a learned hour.
    pub(crate) sizes: Moments,
    /// The mean of the hour farthest off of those in which a tool was said to be odd; 0 for none.
    pub(crate) said: f32,
}

/// The tools of one agent.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct KnownTools {
    #[serde(with = "plain")]
    known: Known,
    /// Learned hours with any tool, decayed; those that brought a new one; and calls of tools in them.
    pub(crate) hours: f32,
    novel: f32,
    pub(crate) calls: f32,
}

#[derive(Clone, Debug, Default)]
struct Known(Vec<KnownTool>);

/// What an hour had of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used<'a> {
    pub(crate) key: ToolKey,
    pub(crate) name: &'a str,
    pub(crate) calls: u32,
    /// The mean of ln(1 + bytes), where any request had a size.
    pub(crate) size: Option<f64>,
    /// Any call was answered other than with an error: what never was may not exist.
    pub(crate) is_answered: bool,
}

impl KnownTools {
    pub(crate) fn known(&self) -> &[KnownTool] {
        &self.known.0
    }

    pub(crate) fn get(&self, key: ToolKey) -> Option<&KnownTool> {
        self.known.0.iter().find(|it| it.key == key)
    }

    /// The same name on another server, where that is a habit.
    pub(crate) fn elsewhere(&self, key: ToolKey) -> Option<&KnownTool> {
        let same = |it: &&KnownTool| it.key.tool == key.tool && it.key.server != key.server;
        self.known.0.iter().find(|it| same(it) && it.hours > 0.0)
    }

    /// The chance that an hour with tools brings a new one.
    pub(crate) fn p_new(&self) -> f64 {
        ((f64::from(self.novel) + 0.5) / (f64::from(self.hours) + 1.0)).min(1.0)
    }

    /// Learns an hour; tells of each tool that is used now and was not, and of each that made room. Whether
    /// it brought a new one, and one with a name that is known from another server.
    pub(crate) fn learn<'a>(
        &mut self,
        used: impl Iterator<Item = Used<'a>>,
        day: u16,
        mut tell: impl FnMut(ToolKey, i32),
    ) -> (bool, bool) {
        let is_first = self.hours <= 0.0;
        let (mut is_novel, mut is_shadow) = (false, false);
        for used in used {
            if !used.is_answered {
                self.note(used, day, false, &mut tell);
                continue;
            }
            self.calls += used.calls as f32;
            let is_known = self.get(used.key).is_some();
            is_shadow |= !is_known && self.elsewhere(used.key).is_some();
            let Some(known) = self.note(used, day, true, &mut tell) else { continue };
            is_novel |= known.hours <= 0.0;
            if known.hours <= 0.0 {
                tell(known.key, 1);
            }
            known.hours += 1.0;
            known.calls += used.calls as f32;
            if let Some(size) = used.size {
                known.sizes.add(size, 1.0);
            }
        }
        self.hours += 1.0;
        is_novel &= !is_first;
        self.novel += f32::from(u8::from(is_novel));
        (is_novel, is_novel && is_shadow)
    }

    /// Notes a tool of an hour that may not be learned: it is new no more, if there is room for it.
    ///
    /// What is only noted takes no learned one's place: nobody can make a habit forgotten so.
    pub(crate) fn note(
        &mut self,
        used: Used<'_>,
        day: u16,
        is_learned: bool,
        mut tell: impl FnMut(ToolKey, i32),
    ) -> Option<&mut KnownTool> {
        let all = &mut self.known.0;
        let found = all.iter().position(|it| it.key == used.key);
        let index = if let Some(index) = found {
            index
        } else {
            if all.len() >= TOOLS_MAX {
                let may_go = |it: &KnownTool| is_learned || it.hours <= 0.0;
                let oldest = all.iter().enumerate().filter(|(_, it)| may_go(it));
                let oldest = oldest.min_by_key(|(index, it)| (it.hours > 0.0, it.day, *index));
                let (index, _) = oldest?;
                let gone = all.remove(index);
                if gone.hours > 0.0 {
                    tell(gone.key, -1);
                }
            }
            all.push(KnownTool {
                key: used.key,
                name: used.name.into(),
                day,
                hours: 0.0,
                calls: 0.0,
                sizes: Moments::default(),
                said: 0.0,
            });
            all.len() - 1
        };
        let known = all.get_mut(index)?;
        known.day = known.day.max(day);
        Some(known)
    }

    /// Forgets a part of how often; the tools stay.
    pub(crate) fn decay(&mut self, factor: f32) {
        self.hours *= factor;
        self.novel *= factor;
        self.calls *= factor;
        for known in &mut self.known.0 {
            known.hours *= factor;
            known.calls *= factor;
            known.sizes.decay(factor);
        }
    }

    /// Forgets somebody who is named in a tool's name.
    pub(crate) fn forget(&mut self, mentions: &Mentions) {
        for known in &mut self.known.0 {
            if let Some(without) = mentions.replaced(&known.name) {
                known.name = without.into();
            }
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let names: usize = self.known.0.iter().map(|known| known.name.len()).sum();
        size_of::<Self>() + self.known.0.len() * size_of::<KnownTool>() + names
    }
}

impl Plain for Known {
    type As = Vec<KnownTool>;

    fn to_plain(&self) -> Self::As {
        self.0.clone()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        (plain.len() <= TOOLS_MAX).then_some(Self(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(server: u32, tool: u32) -> Used<'static> {
        let key = ToolKey { server, tool };
        Used { key, name: "a/b", calls: 4, size: Some(5.0), is_answered: true }
    }

    #[test]
    fn a_routine_expects_no_new_tool_and_users_are_counted_once() {
        let (mut tools, mut users) = (KnownTools::default(), 0);
        for day in 0..50 {
            let told = tools.learn([used(1, 1), used(1, 2)].into_iter(), day, |_, it| users += it);
            assert_eq!(told, (false, false), "the first hour is no novelty");
        }
        assert!(tools.p_new() < 0.02, "{}", tools.p_new());
        assert_eq!((users, tools.known().len()), (2, 2));
        assert!(tools.elsewhere(ToolKey { server: 9, tool: 2 }).is_some());
        assert!(tools.elsewhere(ToolKey { server: 1, tool: 2 }).is_none());
        assert_eq!(tools.learn([used(1, 3)].into_iter(), 51, |_, _| {}), (true, false));
        assert_eq!(tools.learn([used(9, 2)].into_iter(), 52, |_, _| {}), (true, true));
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let (mut tools, mut users) = (KnownTools::default(), 0);
        for tool in 0..TOOLS_MAX as u32 + 5 {
            tools.learn([used(1, tool)].into_iter(), tool as u16, |_, change| users += change);
        }
        assert_eq!((tools.known().len(), users), (TOOLS_MAX, TOOLS_MAX as i32));
        assert!(tools.get(ToolKey { server: 1, tool: 0 }).is_none());
    }

    #[test]
    fn invented_tools_take_no_learned_ones_place() {
        let (mut tools, mut users) = (KnownTools::default(), 0);
        tools.learn([used(1, 1)].into_iter(), 1, |_, change| users += change);
        for tool in 100..200 {
            tools.note(used(1, tool), 2, false, |_, change| users += change);
        }
        let refused = (200..300).map(|tool| Used { is_answered: false, ..used(1, tool) });
        tools.learn(refused, 3, |_, change| users += change);
        let habit = tools.get(ToolKey { server: 1, tool: 1 });
        assert!(habit.is_some_and(|it| it.hours > 0.0), "however many come");
        assert_eq!((tools.known().len(), users), (TOOLS_MAX, 1));
        tools.learn([used(1, 2)].into_iter(), 4, |_, change| users += change);
        assert!(
            tools.get(ToolKey { server: 1, tool: 1 }).is_some(),
            "those that were noted go first"
        );
        assert_eq!(users, 2);
    }
}
