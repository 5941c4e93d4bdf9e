//! *Detector quality*: is it real.

use crate::column::column;
use crate::dashboard::{Dashboard, detector, tenant};
use crate::link;
use crate::panel::Panel;
use crate::query::query;
use crate::target::Format::{Table, TimeSeries};
use crate::variable;

/// Findings a day that detection is set to, unless `detect.findings_per_day` says otherwise.
const BUDGET: &str = "10";

pub(crate) fn quality() -> Dashboard {
    Dashboard {
        uid: "habitus-quality",
        description: "Is it real: findings against the budget, what people said of them, and whether odd windows are as rare as they should be. The variable budget stands for detect.findings_per_day.",
        from: "now-30d",
        variables: vec![
            tenant(),
            detector(),
            variable::constant("budget", "Findings a day at most", BUDGET),
        ],
        annotations: Vec::new(),
        panels: [budget(), detectors(), identities()].into_iter().flatten().collect(),
    }
}

fn budget() -> Vec<Panel> {
    vec![
        Panel::stat(
            1,
            "Findings a day",
            "Findings of the time range by its length in days, of at least one. The budget is what ordinary traffic may raise on average; attacks may exceed it.",
        )
        .unit("short")
        .size(4, 8)
        .setting("decimals", serde_json::json!(1))
        .query(Table, query!("quality_rate")),
        Panel::stat(
            3,
            "Judged",
            "The share of findings that somebody called benign or malicious: of the UTC days that the time range touches, by their window. What is said below of verdicts rests on these.",
        )
        .unit("percentunit")
        .size(4, 8)
        .query(Table, query!("quality_judged")),
        Panel::bars(
            2,
            "Findings a day against the budget",
            "Findings of each UTC day, how many of them were high or critical, and the budget for all detectors together.",
        )
        .unit("short")
        .interval("1d")
        .size(16, 8)
        .custom(serde_json::json!({"stacking": {"group": "A", "mode": "none"}, "fillOpacity": 40}))
        .columns([
            column("findings").color("blue"),
            column("severe").color("red"),
            column("budget").color("green").line(),
        ])
        .query(TimeSeries, query!("quality_budget")),
    ]
}

fn detectors() -> Vec<Panel> {
    vec![
        Panel::table(
            4,
            "Detectors",
            "Of each detector: findings of the UTC days that the time range touches, by the day of their window, what people said of them, and the share of the judged ones that are malicious. Empty while nobody judged any.",
        )
        .size(14, 12)
        .columns([
            column("detector").width(180),
            column("findings").gauge(),
            column("malicious_share").unit("percentunit"),
            column("score_max").unit("sci"),
        ])
        .query(Table, query!("quality_detectors")),
        Panel::bars(
            5,
            "Verdicts",
            "Findings by the UTC day of their window and what people say of them now.",
        )
        .unit("short")
        .interval("1d")
        .size(10, 12)
        .columns([
            column("malicious").color("red"),
            column("benign").color("green"),
            column("unjudged").color("gray"),
        ])
        .query(TimeSeries, query!("quality_verdicts")),
        Panel::table(
            6,
            "Calibration",
            "Hours with a surprise of at least 2, 3 and 4, and how many there would be if the detector's law were right and it could judge every hour: 1 in 100, 1 000 and 10 000. Attacks are among those seen, and of a detector that looks at each endpoint an hour counts once for each that is odd. Hours that a replay wrote again count again, seen and expected alike, until the server has merged them. Scores are corrected for what is left; surprises are not.",
        )
        .size(14, 10)
        .columns([column("detector").width(180)])
        .query(Table, query!("quality_calibration")),
        Panel::lines(
            7,
            "Drift of scores",
            "The median score of each detector's findings, by the UTC day of their window: how many windows of ordinary traffic one must look at to see one such.",
        )
        .unit("short")
        .interval("1d")
        .size(10, 10)
        .custom(serde_json::json!({"scaleDistribution": {"log": 10, "type": "log"}}))
        .query(TimeSeries, query!("quality_scores")),
        Panel::lines(
            8,
            "Drift of surprises",
            "The surprise (−log10 p) that 99 % of each detector's signals stay under, by UTC day. A law that drifts away from the traffic rises here before it raises findings.",
        )
        .unit("short")
        .interval("1d")
        .size(24, 8)
        .query(TimeSeries, query!("quality_surprises")),
    ]
}

fn identities() -> Vec<Panel> {
    vec![
        Panel::table(
            9,
            "Noisiest identities",
            "The 50 identities with the most findings of the time range, and what people say of them. Many findings that people call benign are a reason to say so once for all of them.",
        )
        .size(12, 10)
        .columns([
            column("principal_id").width(260).link("The identity", link::IDENTITY),
            column("findings").gauge(),
            column("severity_max").severity(),
        ])
        .query(Table, query!("quality_noisy")),
        Panel::table(
            10,
            "What people said",
            "Feedback that was given in the time range, taken back or not, the latest first.",
        )
        .size(12, 10)
        .columns([
            column("given_at").unit("dateTimeAsIso").width(170),
            column("detector").width(150),
            column("principal_id").width(240).link("The identity", link::IDENTITY),
            column("entity").width(200),
            column("reason").text(),
            column("until").unit("dateTimeAsIso").width(170),
            column("finding_id").hidden(),
        ])
        .query(Table, query!("quality_feedback")),
    ]
}
