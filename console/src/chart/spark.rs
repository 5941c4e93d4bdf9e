//! A small line without axes, for a row of a table.

use super::scale::{self, Scale};
use super::svg::{self, Area, Drawn, OBSERVED, SERIES};
use super::timeline::thinned;
use maud::Markup;
use plotters::chart::ChartBuilder;
use plotters::element::Circle;
use plotters::series::{AreaSeries, LineSeries};
use plotters::style::Color as _;

/// Units that the line is wide and high.
const SIZE: (u32, u32) = (120, 28);
/// Points that are drawn at most.
const POINTS_MAX: usize = 60;
/// Units around the line, half of the dot at its end.
const MARGIN: u32 = 3;

/// Values from the first to the last; what is no number is left out.
pub(crate) fn spark(points: &[f64], label: &str) -> Markup {
    let known: Vec<_> = (0..).zip(points.iter().copied()).filter(|it| it.1.is_finite()).collect();
    let kept = thinned(&known, POINTS_MAX);
    let label = svg::plain(label, svg::LABEL_CHARS_MAX);
    let most = kept.iter().map(|it| it.1).fold(f64::NEG_INFINITY, f64::max);
    let words = match kept.last() {
        None => format!("{label}: no values"),
        Some(last) => format!(
            "{label}: {}, at most {}, at last {}",
            model::figures::counted(known.len() as u64, "value", "values"),
            scale::value(most, ""),
            scale::value(last.1, ""),
        ),
    };
    svg::chart("spark", SIZE, &words, |area| draw(area, &kept))
}

fn draw(area: &Area<'_>, points: &[(i64, f64)]) -> Drawn {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
    let scale = Scale::of(points.iter().map(|it| it.1));
    let (x0, x1) = (first.0 as f64, last.0.max(first.0 + 1) as f64);
    let place = |it: &(i64, f64)| (it.0 as f64, scale.at(it.1));
    let mut chart =
        ChartBuilder::on(area).margin(MARGIN).build_cartesian_2d(x0..x1, scale.range())?;
    let ground = scale.at(0.0);
    let under = AreaSeries::new(points.iter().map(place), ground, SERIES.mix(0.15).filled());
    chart.draw_series(under)?;
    chart.draw_series(LineSeries::new(points.iter().map(place), SERIES.stroke_width(2)))?;
    chart.plotting_area().draw(&Circle::new(place(last), 2_i32, OBSERVED.filled()))
}
