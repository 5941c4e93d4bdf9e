//! Orders for baselines, and announced changes, carried out between tasks.

use super::Engine;
use crate::control::{CHANGE_WINDOWS_MAX, ChangeWindow, Order};
use crate::identity::Identity;

impl Engine {
    /// Announces changes, instead of those that were announced before; the plan's own hold beside them.
    pub fn announce(&mut self, mut windows: Vec<ChangeWindow>) {
        windows.truncate(CHANGE_WINDOWS_MAX);
        self.announced = windows;
    }

    /// Carries out an order for the identity of that id, in every tenant; how many there were.
    ///
    /// To be called between hours' tasks. The open hour stays, and is judged against what is left.
    pub fn order(&mut self, principal: &str, order: Order) -> usize {
        self.each_of(principal, |identity| match order {
            Order::Freeze => identity.is_frozen = true,
            Order::Thaw => identity.is_frozen = false,
            Order::Reset => identity.restore(None),
        })
    }

    /// Takes the baseline of an identity back to what another engine knew of it; how many there were.
    ///
    /// One that the other did not know begins anew.
    pub fn roll_back(&mut self, principal: &str, other: &Self) -> usize {
        let all = || other.partitions.iter().flat_map(|partition| &partition.identities);
        let known = |hash: u64| all().find(|it| it.hash == hash && &*it.name == principal);
        self.each_of(principal, |identity| identity.restore(known(identity.hash)))
    }

    fn each_of(&mut self, principal: &str, mut change: impl FnMut(&mut Identity)) -> usize {
        // What is shared, and changes at an exchange alone otherwise, is written again.
        self.is_exchanged = true;
        let mut count = 0;
        for partition in &mut self.partitions {
            let (mut before, mut after) = (0, 0);
            for identity in partition.identities.iter_mut().filter(|it| &*it.name == principal) {
                before += identity.state_bytes();
                self.population.count(identity, false);
                change(identity);
                self.population.count(identity, true);
                after += identity.state_bytes();
                count += 1;
            }
            if before > 0 {
                partition.note_order();
                partition.state_bytes = (partition.state_bytes + after).saturating_sub(before);
            }
        }
        count
    }
}
