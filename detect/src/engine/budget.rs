//! How the one budget of findings is divided: the score from which on each detector raises.
//!
//! A score says among how many windows of ordinary traffic something is seen once. One cut for all would
//! give each detector as much of the budget as it judges windows: those that look at an endpoint, a day or
//! the whole site judge few, and would raise nothing in years. So half of the budget goes by windows, and
//! half by what a detector's findings mean, its danger; the sum stays the budget (a weighted Bonferroni
//! correction: Genovese, Roeder and Wasserman, Biometrika 93, 2006).

use crate::detectors;
use crate::settings::Plan;
use model::Detector;

/// A number for each detector.
pub(crate) type PerDetector = [f64; Detector::ALL.len()];

/// The part of the budget that is divided by windows.
const BY_WINDOWS: f64 = 0.5;
/// What is seen once in fewer windows than this is never a finding, however few a detector judges.
const FLOOR_MIN: f64 = 100.0;

/// The cut of each detector, in windows of ordinary traffic; never below its floor. `per_day` is how
/// many windows each judges in a day; what is not used up is `lent` to them, times so much.
///
/// The floor keeps a quiet tenant quiet: once in 10 000 windows, of which a busy one has many in a day. A
/// detector that judges the whole site has one window an hour, and would need more than a year for as many,
/// and slow drip has one for days that belong together: their floor is the time in which the detector that
/// judges most sees so many.
pub(super) fn cuts(plan: &Plan, per_day: &PerDetector, lent: f64) -> PerDetector {
    let weights = Detector::ALL.iter().zip(per_day);
    let judging = weights.filter(|(_, windows)| **windows > 0.0);
    let (windows, danger) = judging.fold((0.0, 0.0), |(windows, danger), (detector, judged)| {
        (windows + judged, danger + detectors::about(*detector).danger)
    });
    let most = per_day.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut cuts = *per_day;
    for (detector, cut) in Detector::ALL.iter().zip(&mut cuts) {
        let by_windows = BY_WINDOWS * *cut / windows.max(f64::MIN_POSITIVE);
        let own = detectors::about(*detector).danger;
        let by_danger = (1.0 - BY_WINDOWS) * own / danger.max(f64::MIN_POSITIVE);
        let findings =
            lent * plan.findings_per_day * (by_windows + by_danger) * plan.share(*detector);
        let least = plan.windows_per_finding_min;
        let is_seldom = detector.is_beside_identities() || *detector == Detector::SlowDrip;
        let part = if is_seldom && *cut > 0.0 { *cut / most } else { 1.0 };
        let floor = (least * part).max(FLOOR_MIN.min(least));
        *cut = (*cut / findings.max(f64::MIN_POSITIVE)).max(floor);
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn plan(text: &str) -> Plan {
        toml::from_str::<Settings>(text).unwrap().check().unwrap()
    }

    #[test]
    fn the_parts_add_up_to_the_budget_and_few_windows_get_more_than_theirs() {
        let plan = plan("windows_per_finding_min = 1.0");
        let mut per_day = [10_000.0; Detector::ALL.len()];
        per_day[Detector::ExposureChange as usize] = 500.0;
        let cuts = cuts(&plan, &per_day, 1.0);
        let raised: f64 = per_day.iter().zip(&cuts).map(|(windows, cut)| windows / cut).sum();
        assert!((raised - plan.findings_per_day).abs() < 1e-9, "{raised}");
        let of = |detector: Detector| cuts[detector as usize];
        assert!(of(Detector::ExposureChange) < of(Detector::EgressSpike) / 5.0);
    }

    #[test]
    fn who_judges_the_whole_site_has_the_floor_of_the_time_that_others_take() {
        let mut per_day = [1.0; Detector::ALL.len()];
        per_day[Detector::EgressSpike as usize] = 1_000.0;
        per_day[Detector::Inventory as usize] = 24.0;
        let cuts = cuts(&plan("findings_per_day = 1000"), &per_day, 1.0);
        let of = |detector: Detector| cuts[detector as usize];
        assert!((of(Detector::Inventory) - 240.0).abs() < 1e-9, "10 000 of the others in 10 days");
        assert!((of(Detector::KeyFanout) - FLOOR_MIN).abs() < 1e-9, "never more common than that");
        let floor = plan("").windows_per_finding_min;
        assert!((of(Detector::ToxicFlow) - floor).abs() < 1e-9, "sessions of identities are many");
    }

    #[test]
    fn nobody_raises_below_the_floor_and_a_share_moves_its_cut() {
        let idle = cuts(&plan(""), &[0.0; Detector::ALL.len()], 1.0);
        let floor = plan("").windows_per_finding_min;
        assert!(idle.iter().all(|cut| (*cut - floor).abs() < 1e-9));
        let per_day = [1e6; Detector::ALL.len()];
        let twice = cuts(&plan("[detectors.cadence]\nshare = 2.0"), &per_day, 1.0);
        let (cadence, drip) = (Detector::Cadence, Detector::SlowDrip);
        let ratio = twice[drip as usize] / twice[cadence as usize];
        let plain = cuts(&plan(""), &per_day, 1.0);
        let before = plain[drip as usize] / plain[cadence as usize];
        assert!((ratio / before - 2.0).abs() < 1e-9, "{ratio} against {before}");
    }
}
