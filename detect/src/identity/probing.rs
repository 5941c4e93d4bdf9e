//! How often an identity's calls have signs of injection, by endpoint: nearly always never.

use crate::snapshot::plain;
use crate::statistics::Moments;
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Endpoints of one identity whose calls with signs of injection are counted.
const ENDPOINTS_MAX: usize = 16;

/// The endpoints at which it is ordinary.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Probing(Vec<Habit>);

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Habit {
    #[serde(with = "plain")]
    endpoint: EndpointId,
    /// Per active hour; hours without any are counted elsewhere.
    sum: f32,
    squares: f32,
    most: u32,
}

impl Probing {
    /// Per active hour at an endpoint, of `hours` learned ones, and the most of one.
    pub(crate) fn at(&self, endpoint: EndpointId, hours: f32) -> (Moments, u32) {
        let habit = self.0.iter().find(|habit| habit.endpoint == endpoint);
        let (sum, squares, most) = habit.map_or((0.0, 0.0, 0), |it| (it.sum, it.squares, it.most));
        (Moments { n: hours, sum, squares }, most)
    }

    /// Learns an hour with `count` of them.
    pub(crate) fn learn(&mut self, endpoint: EndpointId, count: u32, weight: f64) {
        let (sum, squares) = (weight * f64::from(count), weight * f64::from(count).powi(2));
        let more = Habit { endpoint, sum: sum as f32, squares: squares as f32, most: count };
        if let Some(habit) = self.0.iter_mut().find(|habit| habit.endpoint == endpoint) {
            habit.absorb(&more);
        } else if self.0.len() < ENDPOINTS_MAX {
            self.0.push(more);
        }
    }

    /// Forgets a part: all sums times `factor` (0 to 1).
    pub(crate) fn decay(&mut self, factor: f32) {
        for habit in &mut self.0 {
            habit.sum *= factor;
            habit.squares *= factor;
        }
    }

    /// Follows the folds of the learned templates.
    pub(crate) fn follow(&mut self, endpoints: &Endpoints) {
        let mut kept: Vec<Habit> = Vec::with_capacity(self.0.len());
        for habit in &self.0 {
            let habit = Habit { endpoint: endpoints.resolve(habit.endpoint), ..*habit };
            match kept.iter_mut().find(|it| it.endpoint == habit.endpoint) {
                Some(same) => same.absorb(&habit),
                None => kept.push(habit),
            }
        }
        self.0 = kept;
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.len() * size_of::<Habit>()
    }
}

impl Habit {
    fn absorb(&mut self, other: &Self) {
        self.sum += other.sum;
        self.squares += other.squares;
        self.most = self.most.max(other.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_without_any_count_too() {
        let mut probing = Probing::default();
        for endpoint in 0..20 {
            probing.learn(EndpointId(endpoint), 6, 0.5);
        }
        let (moments, most) = probing.at(EndpointId(3), 30.0);
        assert!((moments.mean() - 0.1).abs() < 1e-6 && most == 6, "{moments:?}");
        assert_eq!(probing.at(EndpointId(19), 30.0).1, 0, "the list is full");
        assert_eq!(probing.0.len(), ENDPOINTS_MAX);
    }
}
