//! One identity's days: the UTC day that is open, and what is kept of the days before.

pub(crate) mod drift;
mod drip;
pub(crate) mod rhythm;
mod seen;

pub(crate) use drip::{CallsAt, Drip};

use crate::open_window::{OpenWindow, Raised, forget_in};
use model::mention::Mentions;
use model::time::NS_PER_D;
use model::{EndpointId, Endpoints, Event, EventBatch, Time};
use rhythm::Rhythm;
use serde::{Deserialize, Serialize};

/// Calls in an hour from which on the first day of an identity is looked at as a day.
const CALLS_MIN: u32 = 8;
/// Days that count as one for an hour of the day: more of them say nothing more.
const HOUR_DAYS_MAX: u8 = u8::MAX;

/// What is kept of an identity's days. Most identities are seen on one day with a few calls, and have none.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Daily {
    /// The number of the UTC day that is open, or was last.
    pub(crate) day: i32,
    pub(crate) is_open: bool,
    /// An hour of the day raised a finding: the day is no measure of others.
    pub(crate) is_odd: bool,
    pub(crate) rhythm: Rhythm,
    /// Bytes of the rhythm when an hour closed last: memory is counted between hours only.
    rhythm_bytes: u32,
    /// What was raised of the day.
    pub(crate) raised: Vec<Raised>,
    /// Days that were learned.
    pub(crate) learned: u16,
    /// In how many of them each hour of the day had calls.
    pub(crate) hours: [u8; 24],
    pub(crate) beat: Beat,
    /// What it took on its days; none on its first one, and where no answer has a size or an object.
    pub(crate) drip: Option<Box<Drip>>,
}

/// What was learned of an identity's rhythm.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Beat {
    /// Days with enough gaps to tell a beat.
    pub(crate) days: u16,
    /// The least jitter of any of them; 1 before there is one.
    pub(crate) steadiest: f32,
    /// Days on which a beat was a finding, and the last of them.
    told: u8,
    told_day: i32,
}

/// Days on which a beat was odd after which it is a habit, and learned.
const TOLD_MIN: u8 = 3;
/// A beat of so few days later goes on with the one before: a weekend and a holiday may be between.
const GOES_ON_DAYS: i32 = 4;

impl Beat {
    /// Learns a day's beat, unless the day is withheld; `is_told` says that the beat was odd. Whether it has
    /// become a habit.
    pub(crate) fn learn(
        &mut self,
        day: i32,
        rhythm: &Rhythm,
        is_withheld: bool,
        is_told: bool,
    ) -> bool {
        if is_told {
            self.told = self.told.saturating_add(1);
            self.told_day = day;
        }
        let is_habit = is_told && self.told >= TOLD_MIN;
        if let Some(beat) = rhythm.steadiest().filter(|_| !is_withheld && (!is_told || is_habit)) {
            self.days = self.days.saturating_add(1);
            self.steadiest = self.steadiest.min(beat.jitter as f32);
        }
        is_habit
    }

    /// Whether a beat on a day only goes on with the one that was told.
    pub(crate) const fn goes_on(&self, day: i32) -> bool {
        self.told > 0 && day.saturating_sub(self.told_day) <= GOES_ON_DAYS
    }
}

impl Daily {
    fn new() -> Self {
        Self {
            day: i32::MIN,
            is_open: false,
            is_odd: false,
            rhythm: Rhythm::default(),
            rhythm_bytes: 0,
            raised: Vec::new(),
            learned: 0,
            hours: [0; 24],
            beat: Beat { days: 0, steadiest: 1.0, told: 0, told_day: 0 },
            drip: None,
        }
    }

    /// The days of an identity that had none so far, if this hour is a reason to keep them: it is not
    /// of its first day, or it is busy.
    pub(crate) fn of(days: u16, open: &OpenWindow) -> Option<Box<Self>> {
        (days > 1 || open.calls >= CALLS_MIN).then(|| {
            let mut daily = Box::new(Self::new());
            daily.begin(open.start.day_number());
            daily
        })
    }

    /// Opens a day, unless it is open.
    pub(crate) fn begin(&mut self, day: i32) {
        if self.day != day || !self.is_open {
            (self.day, self.is_open, self.is_odd) = (day, true, false);
        }
    }

    /// Adds one call.
    pub(crate) fn add(
        &mut self,
        batch: &EventBatch,
        event: &Event,
        endpoint: EndpointId,
        now: Time,
    ) {
        self.rhythm.add(batch, event, endpoint, now);
    }

    /// Takes note of an hour that closes, on the first day of the identity or a later one; how many objects
    /// of it were never read before.
    pub(crate) fn note(&mut self, open: &OpenWindow, is_first: bool) -> u32 {
        self.is_odd |= !open.raised.is_empty();
        self.rhythm.close_hour(u32::from(open.start.hour_of_day()));
        self.rhythm_bytes = self.rhythm.heap_bytes() as u32;
        if is_first || (open.sized == 0 && open.objects.is_empty() && self.drip.is_none()) {
            return 0;
        }
        self.drip.get_or_insert_default().note(open)
    }

    /// Ends the day that is open, and learns what hours of it had calls.
    pub(crate) fn end(&mut self, is_learned: bool) {
        if is_learned {
            self.learned = self.learned.saturating_add(1);
            for (hour, days) in self.hours.iter_mut().enumerate() {
                if self.rhythm.hours & (1 << hour) != 0 && *days < HOUR_DAYS_MAX {
                    *days += 1;
                }
            }
        }
        self.is_open = false;
        self.rhythm = Rhythm::default();
        self.rhythm_bytes = 0;
        self.raised = Vec::new();
    }

    /// The start of the day.
    pub(crate) const fn start(&self) -> Time {
        Time::from_ns(self.day as i64 * NS_PER_D)
    }

    /// The end of the day (exclusive).
    pub(crate) const fn close(&self) -> Time {
        self.start().plus(NS_PER_D)
    }

    /// Follows the folds of the learned templates.
    pub(crate) fn follow(&mut self, endpoints: &Endpoints) {
        self.rhythm.follow(endpoints);
        if let Some(drip) = &mut self.drip {
            drip.follow(endpoints);
        }
    }

    /// Forgets somebody else in what was seen of the day.
    pub(crate) fn forget(&mut self, mentions: &Mentions) {
        forget_in(&mut self.raised, mentions);
        self.rhythm.forget(mentions);
    }

    /// Whether what is added to is within its limits; what was read back may not be.
    pub(crate) fn is_sound(&self) -> bool {
        let days = Time::END_EVENT.day_number();
        (-days..=days).contains(&self.day)
            && self.rhythm.is_sound()
            && self.drip.as_ref().is_none_or(|drip| drip.is_sound())
    }

    /// Bytes of memory that the days take.
    pub(crate) fn state_bytes(&self) -> usize {
        size_of::<Self>()
            + self.rhythm_bytes as usize
            + self.raised.len() * size_of::<Raised>()
            + self.drip.as_ref().map_or(0, |drip| drip.state_bytes())
    }
}
