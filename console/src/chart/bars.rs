//! Named values as horizontal bars, the greatest first as the caller orders them.

use super::scale::{self, Scale};
use super::svg::{self, Area, Drawn, INK, MUTED, SERIES, WIDTH};
use maud::Markup;
use plotters::chart::ChartBuilder;
use plotters::element::Rectangle;
use plotters::style::Color as _;
use plotters::style::text_anchor::HPos;

/// Bars that are drawn at most.
pub(super) const BARS_MAX: usize = 12;
/// Units that a bar with its name above it is high.
const ROW: u32 = 32;
/// Units to the right of the longest bar, for its value.
const RIGHT: u32 = 96;
/// Units below the last bar.
const BOTTOM: u32 = 4;

/// Bars of values in a unit: `share` for parts of one, from 0 to 1, as contributors have them.
pub(crate) fn bars(bars: &[(String, f64)], unit: &str) -> Markup {
    let unit = svg::plain(unit, svg::LABEL_CHARS_MAX);
    let shown = bars.get(..BARS_MAX).unwrap_or(bars);
    let said = shown.iter().map(|(name, value)| {
        format!("{}: {}", svg::plain(name, svg::LABEL_CHARS_MAX), scale::value(*value, &unit))
    });
    let mut words = said.collect::<Vec<_>>().join("; ");
    if shown.is_empty() {
        words.push_str("no values");
    }
    if shown.len() < bars.len() {
        words = format!("{words}; and {} more", bars.len() - shown.len());
    }
    let height = ROW * shown.len().max(1) as u32 + BOTTOM;
    svg::chart("bars", (WIDTH, height), &words, |area| draw(area, shown, &unit))
}

fn draw(area: &Area<'_>, bars: &[(String, f64)], unit: &str) -> Drawn {
    let is_share = unit == "share";
    let scale = if is_share { Scale::of_shares() } else { Scale::of(bars.iter().map(|it| it.1)) };
    let rows = bars.len().max(1) as f64;
    // From the first bar at the top down to the last.
    let chart = ChartBuilder::on(area)
        .margin_right(RIGHT)
        .margin_bottom(BOTTOM)
        .build_cartesian_2d(scale.range(), rows..0.0)?;
    let least = scale.range().start;
    for (row, (name, value)) in (0..).zip(bars) {
        let top = f64::from(row);
        let (x, y) = chart.backend_coord(&(least, top));
        svg::write(area, name, (x + 1, y + 9), HPos::Left, INK)?;
        let end = if value.is_finite() { scale.at(*value) } else { least };
        let bar = [(least, top + 0.55), (end, top + 0.9)];
        chart.plotting_area().draw(&Rectangle::new(bar, SERIES.filled()))?;
        let (x, y) = chart.backend_coord(&(end, top + 0.72));
        svg::write(area, &scale::value(*value, unit), (x + 6, y), HPos::Left, MUTED)?;
    }
    Ok(())
}
