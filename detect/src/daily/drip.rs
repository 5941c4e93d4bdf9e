//! What an identity took on its days: so far today, and by what reference that is measured.

use super::drift::{Bytes, Growth, News, Trend};
use super::seen::Seen;
use crate::open_window::OpenWindow;
use crate::snapshot::plain;
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Endpoints whose new objects are told apart in a day.
const NEWS_AT_MAX: usize = 16;
/// Days for which a drip that was told is not told again.
const SILENT_DAYS: i32 = 7;
/// Occasions on which it was told after which it is how things are now.
const TOLD_MIN: u8 = 3;

/// Objects of today that were never read before, at one endpoint.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct NewsAt {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) news: u32,
}

/// Bytes and new objects of an identity's days, from its second one on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Drip {
    /// Bytes out so far today; none while no answer had a size.
    pub(crate) bytes_today: Option<f64>,
    /// Objects of today that it never read before; none while it read no object.
    pub(crate) news_today: Option<u32>,
    pub(crate) news_at: Vec<NewsAt>,
    pub(crate) bytes: Bytes,
    pub(crate) news: News,
    pub(crate) seen: Seen,
    /// On how many occasions a drip was told, and the last of them.
    told: u8,
    told_day: i32,
    /// The oddest reading since days began to add up.
    oddest: f32,
}

impl Drip {
    /// Takes note of an hour that closes; how many objects of it were never read before.
    pub(super) fn note(&mut self, open: &OpenWindow) -> u32 {
        if open.sized > 0 {
            self.bytes_today = Some(self.bytes_today.unwrap_or(0.0) + open.bytes_out);
        }
        let before = self.news_today.unwrap_or(0);
        for set in &open.objects {
            let news = set.objects.iter().map(|object| self.seen.add(object)).sum();
            self.news_today = Some(self.news_today.unwrap_or(0).saturating_add(news));
            self.add_news(set.endpoint, news);
        }
        self.news_today.unwrap_or(0).saturating_sub(before)
    }

    fn add_news(&mut self, endpoint: EndpointId, news: u32) {
        if let Some(at) = self.news_at.iter_mut().find(|at| at.endpoint == endpoint) {
            at.news = at.news.saturating_add(news);
        } else if self.news_at.len() < NEWS_AT_MAX && news > 0 {
            self.news_at.push(NewsAt { endpoint, news });
        }
    }

    /// The oddest reading of the days that added up, once they do no more: days that belong together are
    /// one observation, and whoever is at it is no measure of itself.
    pub(crate) fn end_run(&mut self, surprise: f64) -> Option<f64> {
        self.oddest = self.oddest.max(surprise as f32);
        let is_over = !self.bytes.runs() && !self.news.runs();
        is_over.then(|| f64::from(std::mem::take(&mut self.oddest)))
    }

    /// Whether the days add up to so much, in bytes and in objects, that they are no measure of what is
    /// usual.
    pub(crate) fn suspects(&self, trend: &Trend) -> (bool, bool) {
        let bytes = self.bytes.is_suspect(self.bytes.scale(trend));
        (bytes, self.news.is_suspect(self.seen.step(), trend))
    }

    /// Whether a drip on a day was told a few days ago.
    pub(crate) const fn goes_on(&self, day: i32) -> bool {
        self.told > 0 && day.saturating_sub(self.told_day) < SILENT_DAYS
    }

    /// Learns what the day had; `is_told` says that a drip was told on it. With `is_odd` as `None` nothing
    /// is withheld.
    pub(crate) fn learn(
        &mut self,
        day: i32,
        (is_odd, is_told): (Option<bool>, bool),
        trend: &Trend,
        growth: &mut Growth,
    ) {
        let is_withheld = is_odd.map(|it| it || is_told);
        if let Some(bytes) = self.bytes_today {
            self.bytes.learn(day, bytes, is_withheld, (trend, growth));
        }
        if let Some(news) = self.news_today {
            let step = self.seen.step();
            self.news.learn(day, (f64::from(news), step), is_withheld, (trend, growth));
        }
        if is_told && !self.goes_on(day) {
            (self.told, self.told_day) = (self.told.saturating_add(1), day);
        }
        // What was told that often is how it is now, and what it is measured by from here on.
        if self.told >= TOLD_MIN {
            (self.bytes, self.news) = (Bytes::default(), News::anew());
            self.told = 0;
        }
        (self.bytes_today, self.news_today) = (None, None);
        self.news_at = Vec::new();
    }

    /// Follows the folds of the learned templates.
    pub(super) fn follow(&mut self, endpoints: &Endpoints) {
        for at in &mut self.news_at {
            at.endpoint = endpoints.resolve(at.endpoint);
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.news_at.len() <= NEWS_AT_MAX && self.seen.is_sound()
    }

    pub(super) fn state_bytes(&self) -> usize {
        size_of::<Self>() + self.seen.heap_bytes() + self.news_at.len() * size_of::<NewsAt>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_days_takes_little_memory() {
        assert!(size_of::<Drip>() <= 320, "{}", size_of::<Drip>());
        let mut drip = Drip::default();
        (0..100_000).for_each(|object| _ = drip.seen.add(object));
        assert!(drip.state_bytes() <= 320 + 2_048, "{}", drip.state_bytes());
    }

    #[test]
    fn a_drip_is_told_once_a_week_and_the_third_time_is_how_it_is() {
        let (mut drip, trend) = (Drip::default(), Trend::default());
        let mut told = Vec::new();
        for day in 0..20 {
            drip.bytes_today = Some(1e6);
            if !drip.goes_on(20_000 + day) {
                told.push(day);
            }
            drip.learn(20_000 + day, (Some(false), true), &trend, &mut Growth::default());
        }
        assert_eq!(told, [0, 7, 14, 15], "then it begins anew");
    }
}
