//! What an identity took on its days: so far today, and by what reference that is measured.

use super::drift::{Drifted, Grown, Growth, News, Trend, Volume};
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

/// Days for which bytes are measured anew; whoever is active on fewer than it takes is known by its hours.
const ANEW_DAYS: i32 = 14;
/// Times the most that a day had while it was told, up to which a day is believed then.
const ANEW_MOST: f64 = 2.0;
/// Endpoints whose calls of a day are counted, each by itself.
const CALLS_AT_MAX: usize = 8;
/// Calls in an hour from which on an endpoint's are counted, and in a day for them to be kept.
const CALLS_HOUR_MIN: u32 = 8;
const CALLS_DAY_MIN: u32 = 100;
/// Days without a call after which an endpoint makes room.
const CALLS_IDLE_DAYS: i32 = 30;

/// Calls at one endpoint that were not refused.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CallsAt {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) today: u32,
    last_day: i32,
    days: Volume,
}

impl CallsAt {
    /// How far the days with this one have drifted.
    pub(crate) fn read(&self, day: i32, trend: &Trend) -> Option<Drifted> {
        let calls = Some(f64::from(self.today)).filter(|calls| *calls > 0.0)?;
        self.days.read(day, calls, &trend.calls)
    }

    /// Whether the day's calls are above what is usual for it.
    fn is_above(&self, day: i32, trend: &Trend) -> bool {
        self.today > 0 && self.days.is_above(day, f64::from(self.today), &trend.calls)
    }

    /// The calls that are usual for a day, everyone's growth in them.
    pub(crate) fn usual(&self, day: i32, trend: &Trend) -> Option<f64> {
        self.days.usual(day, &trend.calls)
    }
}

/// Objects of today that were never read before, at one endpoint.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct NewsAt {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) news: u32,
}

/// On how many occasions a drip was told, and the day of the last of them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Told {
    times: u8,
    day: i32,
}

impl Told {
    /// Whether a drip on a day was told a few days ago.
    const fn goes_on(self, day: i32) -> bool {
        self.times > 0 && day.saturating_sub(self.day) < SILENT_DAYS
    }

    /// Takes note that one was told; whether that often that it is how it is now, and it begins anew.
    fn tell(&mut self, day: i32) -> bool {
        if !self.goes_on(day) {
            (self.times, self.day) = (self.times.saturating_add(1), day);
        }
        let is_so = self.times >= TOLD_MIN;
        if is_so {
            self.times = 0;
        }
        is_so
    }
}

/// Bytes are measured anew, because they were told that often.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Anew {
    /// The last day of it.
    until: i32,
    /// The most bytes of a day while it was told.
    most: f32,
}

/// Bytes and new objects of an identity's days, from its second one on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Drip {
    /// Bytes out so far today; none while no answer had a size.
    pub(crate) bytes_today: Option<f64>,
    /// Objects of today that it never read before; none while it read no object.
    pub(crate) news_today: Option<u32>,
    pub(crate) news_at: Vec<NewsAt>,
    pub(crate) bytes: Volume,
    pub(crate) news: News,
    /// By endpoint, where there are many calls.
    pub(crate) calls: Vec<CallsAt>,
    pub(crate) seen: Seen,
    /// When a drip of bytes or objects was told, and one of calls.
    told: Told,
    told_calls: Told,
    /// The oddest reading since days began to add up.
    oddest: f32,
    /// The most bytes of a day since bytes began to add up.
    most: f32,
    anew: Option<Anew>,
}

impl Drip {
    /// Takes note of an hour that closes; how many objects of it were never read before.
    pub(super) fn note(&mut self, open: &OpenWindow) -> u32 {
        if open.sized > 0 {
            self.bytes_today = Some(self.bytes_today.unwrap_or(0.0) + open.bytes_out);
        }
        self.note_calls(open);
        let before = self.news_today.unwrap_or(0);
        for set in &open.objects {
            let news = set.objects.iter().map(|object| self.seen.add(object)).sum();
            self.news_today = Some(self.news_today.unwrap_or(0).saturating_add(news));
            self.add_news(set.endpoint, news);
        }
        self.news_today.unwrap_or(0).saturating_sub(before)
    }

    fn note_calls(&mut self, open: &OpenWindow) {
        for seen in open.endpoints.iter().filter(|seen| seen.is_accepted) {
            let calls = seen.calls.saturating_sub(seen.refused);
            if let Some(at) = self.calls.iter_mut().find(|at| at.endpoint == seen.endpoint) {
                at.today = at.today.saturating_add(calls);
            } else if calls >= CALLS_HOUR_MIN && self.calls.len() < CALLS_AT_MAX {
                let days = Volume::default();
                let last_day = open.start.day_number();
                self.calls.push(CallsAt { endpoint: seen.endpoint, today: calls, last_day, days });
            }
        }
    }

    fn add_news(&mut self, endpoint: EndpointId, news: u32) {
        if let Some(at) = self.news_at.iter_mut().find(|at| at.endpoint == endpoint) {
            at.news = at.news.saturating_add(news);
        } else if self.news_at.len() < NEWS_AT_MAX && news > 0 {
            self.news_at.push(NewsAt { endpoint, news });
        }
    }

    /// Whether anything of the day so far is above what is usual for it; what is not is no drip by now.
    pub(crate) fn is_above(&self, day: i32, trend: &Trend) -> bool {
        let is_above = |bytes: f64| self.bytes.is_above(day, bytes, &trend.bytes);
        let is_news =
            |news: u32| self.news.is_above((f64::from(news), self.seen.step()), &trend.objects);
        self.bytes_today.is_some_and(is_above)
            || self.news_today.is_some_and(is_news)
            || self.calls.iter().any(|at| at.is_above(day, trend))
    }

    /// The oddest reading of the days that added up, once they do no more: days that belong together are
    /// one observation, and whoever is at it is no measure of itself.
    pub(crate) fn end_run(&mut self, surprise: f64) -> Option<f64> {
        self.oddest = self.oddest.max(surprise as f32);
        // Of calls only days are read that are enough for a finding.
        let is_over = !self.bytes.runs()
            && !self.news.runs()
            && !self.calls.iter().any(|at| at.days.runs_long());
        is_over.then(|| f64::from(std::mem::take(&mut self.oddest)))
    }

    /// Whether the days add up to so much, in bytes and in objects, that they are no measure of what is
    /// usual. Whoever was told often enough is believed in the bytes of a day first: while that begins anew
    /// it may still grow, and would bring along what a large hour is measured by.
    pub(crate) fn suspects(&self, day: i32, trend: &Trend) -> (bool, bool) {
        let bytes = self.begins_anew(day).is_some()
            || self.bytes.is_suspect(self.bytes.scale(&trend.bytes));
        (bytes, self.news.is_suspect(self.seen.step(), &trend.objects))
    }

    /// Whether a drip on a day, of calls or of bytes and objects, was told a few days ago.
    pub(crate) const fn goes_on(&self, day: i32, is_of_calls: bool) -> bool {
        let told = if is_of_calls { self.told_calls } else { self.told };
        told.goes_on(day)
    }

    /// The most bytes that a day is believed, while they are measured anew.
    fn begins_anew(&self, day: i32) -> Option<f64> {
        let anew = self.anew.filter(|it| day <= it.until && !self.bytes.is_measured())?;
        Some(ANEW_MOST * f64::from(anew.most))
    }

    /// Learns what the day had; `told` says whether a drip of bytes or objects was told on it, and one of
    /// calls. With `is_odd` as `None` nothing is withheld.
    pub(crate) fn learn(
        &mut self,
        day: i32,
        (is_odd, (is_told, is_told_of_calls)): (Option<bool>, (bool, bool)),
        trend: &Trend,
        growth: &mut Growth,
    ) {
        let is_withheld = is_odd.map(|it| it || is_told || is_told_of_calls);
        if let Some(bytes) = self.bytes_today {
            // Its large hours are what was told; of what is larger than that only so much is believed.
            let believed = self.begins_anew(day);
            let is_withheld = is_withheld.map(|it| it && believed.is_none());
            let held = believed.map_or(bytes, |most| bytes.min(most));
            self.bytes.learn(day, held, is_withheld, (&trend.bytes, &mut growth.bytes));
            self.most = if self.bytes.runs() { self.most.max(bytes as f32) } else { 0.0 };
        }
        if let Some(news) = self.news_today {
            let step = self.seen.step();
            let objects = (&trend.objects, &mut growth.objects);
            self.news.learn(day, (f64::from(news), step), is_withheld, objects);
        }
        let mut calls = Grown::default();
        for at in self.calls.iter_mut().filter(|at| at.today > 0) {
            at.last_day = day;
            at.days.learn(day, f64::from(at.today), is_withheld, (&trend.calls, &mut calls));
        }
        growth.calls.add_mean(&calls);
        self.calls.retain_mut(|at| {
            let is_idle = day.saturating_sub(at.last_day) > CALLS_IDLE_DAYS;
            let today = std::mem::take(&mut at.today);
            !is_idle && (today >= CALLS_DAY_MIN || at.days.is_known())
        });
        // What was told that often is how it is now, and what it is measured by from here on.
        if is_told && self.told.tell(day) {
            self.news = News::anew();
            // It may have been of objects alone.
            if self.bytes.runs() {
                self.anew = Some(Anew {
                    until: day.saturating_add(ANEW_DAYS),
                    most: std::mem::take(&mut self.most),
                });
                self.bytes = Volume::default();
            }
        }
        if is_told_of_calls && self.told_calls.tell(day) {
            self.calls = Vec::new();
        }
        (self.bytes_today, self.news_today) = (None, None);
        self.news_at = Vec::new();
    }

    /// Follows the folds of the learned templates.
    pub(super) fn follow(&mut self, endpoints: &Endpoints) {
        for at in &mut self.news_at {
            at.endpoint = endpoints.resolve(at.endpoint);
        }
        let all = std::mem::take(&mut self.calls);
        for at in all {
            let endpoint = endpoints.resolve(at.endpoint);
            // Of two that became one, the days of neither are the days of both.
            match self.calls.iter_mut().find(|it| it.endpoint == endpoint) {
                Some(it) => {
                    it.today = it.today.saturating_add(at.today);
                    it.last_day = it.last_day.max(at.last_day);
                    it.days = Volume::default();
                }
                None => self.calls.push(CallsAt { endpoint, ..at }),
            }
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.news_at.len() <= NEWS_AT_MAX
            && self.calls.len() <= CALLS_AT_MAX
            && self.seen.is_sound()
    }

    pub(super) fn state_bytes(&self) -> usize {
        size_of::<Self>()
            + self.seen.heap_bytes()
            + self.news_at.len() * size_of::<NewsAt>()
            + self.calls.len() * size_of::<CallsAt>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_days_takes_little_memory() {
        assert!(size_of::<Drip>() <= 360, "{}", size_of::<Drip>());
        let mut drip = Drip::default();
        (0..100_000).for_each(|object| _ = drip.seen.add(object));
        assert!(drip.state_bytes() <= 360 + 2_048, "{}", drip.state_bytes());
        assert!(size_of::<CallsAt>() <= 112, "{}", size_of::<CallsAt>());
    }

    #[test]
    fn a_drip_is_told_once_a_week_and_the_third_time_is_how_it_is() {
        let (mut drip, trend) = (Drip::default(), Trend::default());
        let mut told = Vec::new();
        for day in 0..20 {
            drip.bytes_today = Some(1e6);
            if !drip.goes_on(20_000 + day, false) {
                told.push(day);
            }
            assert!(!drip.goes_on(20_000 + day, true), "calls are another matter");
            drip.learn(20_000 + day, (Some(false), (true, false)), &trend, &mut Growth::default());
        }
        assert_eq!(told, [0, 7, 14, 15], "then it begins anew");
    }

    /// A day with so many bytes, on which a drip was told or not.
    fn bytes_of_a_day(drip: &mut Drip, day: i32, bytes: f64, (is_odd, is_told): (bool, bool)) {
        drip.bytes_today = Some(bytes);
        let told = (is_told, false);
        drip.learn(day, (Some(is_odd), told), &Trend::default(), &mut Growth::default());
    }

    /// Ten usual days, and fifteen of five times as much, told on each.
    fn believed() -> Drip {
        let mut drip = Drip::default();
        (0..10).for_each(|day| bytes_of_a_day(&mut drip, 20_000 + day, 1e6, (false, false)));
        (10..25).for_each(|day| bytes_of_a_day(&mut drip, 20_000 + day, 5e6, (true, true)));
        drip
    }

    #[test]
    fn while_bytes_begin_anew_they_are_suspect_and_believed_to_twice_what_was_told() {
        let (mut drip, trend) = (believed(), Trend::default());
        assert!(drip.suspects(20_024, &trend).0);
        for day in 25..29 {
            bytes_of_a_day(&mut drip, 20_000 + day, 5e9, (true, false));
            assert!(drip.suspects(20_000 + day, &trend).0);
        }
        bytes_of_a_day(&mut drip, 20_029, 5e9, (true, false));
        assert!(!drip.suspects(20_030, &trend).0, "five days are known anew");
        let usual = drip.bytes.usual(20_030, &trend.bytes).unwrap();
        assert!((usual / 1e7 - 1.0).abs() < 0.01, "a thousand times as much was not told: {usual}");
    }

    #[test]
    fn without_sizes_bytes_do_not_begin_anew_for_ever() {
        let (mut drip, trend) = (Drip::default(), Trend::default());
        for day in 0..30 {
            drip.news_today = Some(100);
            let told = (Some(true), (day >= 10, false));
            drip.learn(20_000 + day, told, &trend, &mut Growth::default());
            assert!(!drip.suspects(20_000 + day, &trend).0, "it was of objects");
        }
        let drip = believed();
        assert!(drip.suspects(20_024 + ANEW_DAYS, &trend).0);
        assert!(!drip.suspects(20_025 + ANEW_DAYS, &trend).0, "no size was seen since");
    }
}
