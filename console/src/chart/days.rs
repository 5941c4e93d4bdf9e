//! Findings by day and severity, as stacked columns.

use super::scale::{self, Scale};
use super::svg::{self, Area, Drawn, GRID, MUTED, SEVERITIES, WIDTH};
use maud::{Markup, html};
use model::figures;
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::style::Color as _;
use plotters::style::text_anchor::HPos;

/// Units that the chart is high.
const HEIGHT: u32 = 150;
/// Units to the left of the plot, for the names of counts.
const LEFT: u32 = 44;
/// Units to the right of it, for half of a date.
const RIGHT: u32 = 42;
/// Units above it.
const TOP: u32 = 8;
/// Units below it, for dates.
const BOTTOM: u32 = 22;
/// Columns that are drawn at most: of more days, several share one.
pub(super) const COLUMNS_MAX: i64 = 92;
/// Seconds of a day.
const D_S: i64 = 86_400;

/// What was found on one UTC day.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Day {
    /// The number of the day, from 1970-01-01 as 0.
    pub(crate) number: i64,
    /// Findings by severity, the least severe first.
    pub(crate) counts: [u64; 5],
}

/// A column for each day, in any order; days that are not given have none.
pub(crate) fn days(days: &[Day]) -> Markup {
    let (columns, width) = columns(days);
    let total = |place: usize| -> u64 {
        days.iter().filter_map(|it| it.counts.get(place)).fold(0, |a, b| a.saturating_add(*b))
    };
    let present = || SEVERITIES.iter().enumerate().rev().filter(move |(at, _)| total(*at) > 0);
    let words = words(&columns, width, total);
    html! {
        figure class="figure" {
            (svg::chart("days", (WIDTH, HEIGHT), &words, |area| draw(area, &columns, width)))
            figcaption class="legend" {
                @for (at, (name, _)) in present() {
                    span class={ "key key-" (name) } { (name) " " b { (total(at)) } } " "
                }
                @if width > 1 { span class="key" { (width) " days in each column" } }
            }
        }
    }
}

/// The columns in the order of time, and how many days each stands for.
fn columns(days: &[Day]) -> (Vec<Day>, i64) {
    let numbers = || days.iter().map(|it| scale::clamped(it.number.saturating_mul(D_S)) / D_S);
    let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else {
        return (Vec::new(), 1);
    };
    let width = (last - first + COLUMNS_MAX) / COLUMNS_MAX;
    let count = (last - first) / width + 1;
    let mut columns: Vec<Day> =
        (0..count).map(|it| Day { number: first + it * width, counts: [0; 5] }).collect();
    for (day, number) in days.iter().zip(numbers()) {
        let Some(column) = columns.get_mut(((number - first) / width) as usize) else { continue };
        for (sum, count) in column.counts.iter_mut().zip(day.counts) {
            *sum = sum.saturating_add(count);
        }
    }
    (columns, width)
}

fn words(columns: &[Day], width: i64, total: impl Fn(usize) -> u64) -> String {
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
        return "Findings by day: none".to_owned();
    };
    let severities = SEVERITIES.iter().enumerate().rev().filter(|(at, _)| total(*at) > 0);
    let severities = severities.map(|(at, (name, _))| format!("{} {name}", total(at)));
    let fullest = columns.iter().max_by_key(|it| (sum(it), std::cmp::Reverse(it.number)));
    let fullest = fullest.map_or_else(String::new, |it| {
        format!("; most on {}: {}", scale::date(it.number * D_S), sum(it))
    });
    format!(
        "Findings by day from {} to {}: {}{fullest}",
        scale::date(first.number * D_S),
        scale::date((last.number + width - 1) * D_S),
        severities.collect::<Vec<_>>().join(", "),
    )
}

fn sum(day: &Day) -> u64 {
    day.counts.iter().fold(0, |sum, it| sum.saturating_add(*it))
}

fn draw(area: &Area<'_>, columns: &[Day], width: i64) -> Drawn {
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return Ok(()) };
    let most = columns.iter().map(sum).max().unwrap_or(0) as f64;
    // Counts are compared by eye, so the scale is linear whatever they are.
    let step = Scale::of([most].into_iter());
    let (x0, x1) = (first.number as f64, (last.number + width) as f64);
    let chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_bottom(BOTTOM)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .build_cartesian_2d(x0..x1, step.range())?;
    let plot = chart.plotting_area();
    for tick in step.ticks() {
        plot.draw(&PathElement::new(vec![(x0, tick), (x1, tick)], GRID.stroke_width(1)))?;
        let (x, y) = chart.backend_coord(&(x0, tick));
        let is_whole = tick.fract().abs() < 1e-9;
        let name = if is_whole { figures::grouped(&format!("{tick:.0}")) } else { String::new() };
        svg::write(area, &name, (x - 6, y), HPos::Right, MUTED)?;
    }
    for day in columns {
        let from = day.number as f64 + 0.1 * width as f64;
        let to = day.number as f64 + 0.9 * width as f64;
        let mut below = 0.0;
        for (count, (_, colour)) in day.counts.into_iter().zip(SEVERITIES) {
            if count > 0 {
                let above = below + count as f64;
                plot.draw(&Rectangle::new([(from, above), (to, below)], colour.filled()))?;
                below = above;
            }
        }
    }
    let (_, bottom) = chart.backend_coord(&(x0, 0.0));
    for (at, _) in scale::times(first.number * D_S, last.number * D_S) {
        if at.rem_euclid(D_S) == 0 {
            let middle = at.div_euclid(D_S) as f64 + 0.5 * width as f64;
            let (x, _) = chart.backend_coord(&(middle, 0.0));
            svg::write(area, &scale::date(at), (x, bottom + 12), HPos::Center, MUTED)?;
        }
    }
    Ok(())
}
