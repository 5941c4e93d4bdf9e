//! Who acts for whom: the actor of a call that is made on somebody else's behalf.

use model::{Event, EventBatch, PrincipalTrust, Text};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// An actor of a longer name is none.
const ACTOR_BYTES_MAX: usize = 256;
/// Actors of one chain that are counted.
pub(crate) const DEPTH_MAX: u8 = 16;

/// The actor of a call on behalf of its principal; `None` where the principal acts itself, is only
/// where the call came from, or was only claimed: nobody's agent is blamed for a refused name.
pub(crate) fn actor_of<'a>(batch: &'a EventBatch, event: &Event) -> Option<&'a str> {
    if !event.has_text(Text::AgentId) && !event.has_text(Text::ActorChain) {
        return None;
    }
    if event.principal_trust == PrincipalTrust::Claimed || !event.principal_type.is_given() {
        return None;
    }
    let text = |column| batch.text(event, column);
    let agent = text(Text::AgentId).or_else(|| actors(text(Text::ActorChain)?).next())?;
    let is_itself = [Text::PrincipalId, Text::PrincipalName].map(text).contains(&Some(agent));
    (!is_itself && agent.len() <= ACTOR_BYTES_MAX).then_some(agent)
}

/// How many actors stand between a call and its principal: at least the one.
pub(crate) fn depth_of(batch: &EventBatch, event: &Event) -> u8 {
    let chain = batch.text(event, Text::ActorChain).unwrap_or_default();
    let depth = actors(chain).take(usize::from(DEPTH_MAX)).count();
    u8::try_from(depth).unwrap_or(DEPTH_MAX).max(1)
}

/// The actors of a chain, the one that called first: `planner, buyer` or `planner > buyer`.
pub(crate) fn actors(chain: &str) -> impl Iterator<Item = &str> {
    let parts = chain.split([',', '>']).map(|part| part.trim_matches(['-', ' ']));
    parts.filter(|part| !part.is_empty())
}

/// The hash of a principal of that id, as an event of its own would have it.
pub(crate) fn hash_of(tenant: &str, id: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(tenant.as_bytes());
    hasher.write(&[0xff]);
    hasher.write(id.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::PrincipalType;
    use model::Time;

    #[track_caller]
    fn check(texts: &[(Text, &str)], expected: (Option<&str>, u8)) {
        let (mut batch, mut event) = (EventBatch::default(), Event::at(Time::from_ns(0)));
        event.principal_type = PrincipalType::User;
        for (column, text) in texts {
            batch.set_text(&mut event, *column, text);
        }
        assert_eq!((actor_of(&batch, &event), depth_of(&batch, &event)), expected, "{texts:?}");
        event.principal_trust = PrincipalTrust::Claimed;
        assert_eq!(actor_of(&batch, &event), None);
    }

    #[test]
    fn the_actor_is_the_agent_or_the_head_of_the_chain() {
        let user = (Text::PrincipalId, "u-1");
        check(&[user, (Text::AgentId, "helper")], (Some("helper"), 1));
        check(&[user, (Text::ActorChain, "planner, buyer")], (Some("planner"), 2));
        check(&[user, (Text::ActorChain, "planner -> buyer > payer")], (Some("planner"), 3));
        check(&[user, (Text::AgentId, "u-1")], (None, 1));
        check(&[user], (None, 1));
        check(&[user, (Text::AgentId, &"x".repeat(300))], (None, 1));
    }
}
