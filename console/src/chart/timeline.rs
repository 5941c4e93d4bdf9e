//! Values of hours in the course of time, with where most of them lie shaded, and findings marked.

use super::scale::{self, Scale};
use super::svg::{self, Area, BAND, Drawn, EXPECTED, GRID, MUTED, SERIES, WIDTH};
use maud::{Markup, html};
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::series::LineSeries;
use plotters::style::Color as _;
use plotters::style::text_anchor::HPos;

/// Units that the chart is high.
const HEIGHT: u32 = 190;
/// Units to the left of the plot, for the names of values.
const LEFT: u32 = 62;
/// Units to the right of it, for half of a date.
const RIGHT: u32 = 42;
/// Units above it, where marks stand.
const TOP: u32 = 16;
/// Units below it, for the names of times.
const BOTTOM: u32 = 22;
/// Points that are drawn at most; of more, the least and the greatest of each stretch are kept.
pub(super) const POINTS_MAX: usize = 480;
/// Lines that the points are broken into at most; of more, all are one line.
const LINES_MAX: usize = 60;
/// Marks that are drawn at most: the most severe, the latest first.
pub(super) const MARKS_MAX: usize = 100;
/// Marks that are links below the chart, the most severe, the latest first.
const LINKS_MAX: usize = 8;
/// A line is broken where nothing was for so many times the usual gap.
const GAPS: i64 = 4;
/// Seconds that a chart shows at least.
const SPAN_S_MIN: i64 = 3_600;

/// Values of one thing in the course of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline<'a> {
    /// What they are of.
    pub(crate) title: &'a str,
    /// Their unit.
    pub(crate) unit: &'a str,
    /// Seconds since 1970 and values, in any order; what is no number is left out.
    pub(crate) points: &'a [(i64, f64)],
    /// What 5 %, 50 % and 95 % of the values of all active hours stay under.
    pub(crate) band: Option<(f64, f64, f64)>,
    /// Seconds since 1970, the severity, and the page of each finding.
    pub(crate) marks: &'a [(i64, &'a str, &'a str)],
}

/// The chart, a legend, and links to the gravest of the findings that are marked.
pub(crate) fn timeline(line: &Timeline<'_>) -> Markup {
    let points = sorted(line.points);
    let lines = lines(&points);
    let marks = gravest(line.marks);
    let unit = svg::plain(line.unit, svg::LABEL_CHARS_MAX);
    let band = line.band.filter(|(a, b, c)| a.is_finite() && b.is_finite() && c.is_finite());
    let ends = band.map_or([f64::NAN; 3], |(low, mid, high)| [low, mid, high]);
    let scale = Scale::of(points.iter().map(|(_, value)| *value).chain(ends));
    let plot = Plot { points: &points, lines: &lines, marks: &marks, band, scale, unit: &unit };
    html! {
        figure class="figure" {
            (svg::chart("timeline", (WIDTH, HEIGHT), &plot.words(line), |area| plot.draw(area)))
            figcaption class="legend" {
                span class="key key-series" { (svg::plain(line.title, svg::LABEL_CHARS_MAX)) }
                @if !line.title.to_lowercase().contains(&unit) { " " span class="key" { "in " (unit) } }
                @if let Some((low, mid, high)) = band {
                    " " span class="key key-band" {
                        "90 % of its active hours: " (scale::value(low, &unit)) " to "
                        (scale::value(high, &unit))
                    }
                    " " span class="key key-expected" { "median " (scale::value(mid, &unit)) }
                }
                @if scale.is_logarithmic { " " span class="key" { "logarithmic scale" } }
            }
            (links(&marks, line.marks.len()))
        }
    }
}

/// Links to pages of this site, or to places of this page.
fn links(marks: &[(i64, &str, &str)], all: usize) -> Markup {
    // A browser takes // and /\ for the beginning of another host.
    let is_here = |href: &str| {
        let other = href.starts_with("//") || href.starts_with("/\\");
        href.starts_with('#') || (href.starts_with('/') && !other)
    };
    let linked: Vec<_> = marks.iter().filter(|it| is_here(it.2)).take(LINKS_MAX).collect();
    html! {
        @if !linked.is_empty() {
            ul class="marks" {
                @for (at, severity, href) in &linked {
                    li {
                        a href=(href) {
                            span class={ "severity severity-" (svg::severity(severity)) } {
                                (svg::severity(severity))
                            }
                            " " (scale::time(*at))
                        }
                    }
                }
                @if all > linked.len() { li class="muted" { "and " (all - linked.len()) " more" } }
            }
        }
    }
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
struct Plot<'a> {
    points: &'a [(i64, f64)],
    lines: &'a [Vec<(i64, f64)>],
    marks: &'a [(i64, &'a str, &'a str)],
    band: Option<(f64, f64, f64)>,
    scale: Scale,
    unit: &'a str,
}

impl Plot<'_> {
    /// The times at its ends.
    fn span(&self) -> (i64, i64) {
        let times = self.points.iter().map(|it| it.0).chain(self.marks.iter().map(|it| it.0));
        let times: Vec<i64> = times.map(scale::clamped).collect();
        let first = times.iter().copied().min().unwrap_or(0);
        let last = times.iter().copied().max().unwrap_or(0);
        (first, last.max(first + SPAN_S_MIN))
    }

    fn words(&self, line: &Timeline<'_>) -> String {
        let title = svg::plain(line.title, svg::LABEL_CHARS_MAX);
        let said = |value: f64| scale::value(value, self.unit);
        let greatest = self.points.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let least = self.points.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let (Some(greatest), Some(least), Some(first), Some(last)) =
            (greatest, least, self.points.first(), self.points.last())
        else {
            return format!("{title}: no values{}", self.marked(line));
        };
        let band = self.band.map_or_else(String::new, |(low, mid, high)| {
            format!(
                "; 90 % of its active hours {} to {}, median {}",
                said(low),
                said(high),
                said(mid)
            )
        });
        format!(
            "{title} from {} to {}: at least {}, at most {} at {}, at last {}{band}{}",
            scale::time(first.0),
            scale::time(last.0),
            said(least.1),
            said(greatest.1),
            scale::time(greatest.0),
            said(last.1),
            self.marked(line),
        )
    }

    fn marked(&self, line: &Timeline<'_>) -> String {
        match self.marks.first() {
            None => String::new(),
            Some((_, severity, _)) => format!(
                "; {} marked, the gravest {}",
                model::figures::counted(line.marks.len() as u64, "finding", "findings"),
                svg::severity(severity),
            ),
        }
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        let (from, to) = self.span();
        let (x0, x1) = (from as f64, to as f64);
        let mut chart = ChartBuilder::on(area)
            .margin_top(TOP)
            .margin_bottom(BOTTOM)
            .margin_left(LEFT)
            .margin_right(RIGHT)
            .build_cartesian_2d(x0..x1, self.scale.range())?;
        let (_, bottom) = chart.backend_coord(&(x0, self.scale.range().start));
        if let Some((low, mid, high)) = self.band {
            let plot = chart.plotting_area();
            let usual = [(x0, self.scale.at(high)), (x1, self.scale.at(low))];
            plot.draw(&Rectangle::new(usual, BAND.mix(0.45).filled()))?;
            let mid = self.scale.at(mid);
            plot.draw(&PathElement::new(vec![(x0, mid), (x1, mid)], EXPECTED.stroke_width(1)))?;
        }
        for tick in self.scale.ticks() {
            let at = self.scale.at(tick);
            let line = PathElement::new(vec![(x0, at), (x1, at)], GRID.stroke_width(1));
            chart.plotting_area().draw(&line)?;
            let (x, y) = chart.backend_coord(&(x0, at));
            svg::write(area, &scale::tick(tick, self.unit), (x - 6, y), HPos::Right, MUTED)?;
        }
        for (at, name) in scale::times(from, to) {
            let (x, _) = chart.backend_coord(&(at as f64, self.scale.range().start));
            svg::write(area, &name, (x, bottom + 12), HPos::Center, MUTED)?;
        }
        for stretch in self.lines {
            let place = |it: &(i64, f64)| (scale::clamped(it.0) as f64, self.scale.at(it.1));
            if let [alone] = stretch.as_slice() {
                chart.plotting_area().draw(&Circle::new(place(alone), 2_i32, SERIES.filled()))?;
            } else {
                chart.draw_series(LineSeries::new(
                    stretch.iter().map(place),
                    SERIES.stroke_width(2),
                ))?;
            }
        }
        for (at, severity, _) in self.marks.iter().rev() {
            let colour = svg::colour(severity);
            let (x, _) = chart.backend_coord(&(scale::clamped(*at) as f64, 0.0));
            let line = vec![(x, 8), (x, bottom)];
            area.draw(&PathElement::new(line, colour.mix(0.4).stroke_width(1)))?;
            area.draw(&Circle::new((x, 8), 4_i32, colour.filled()))?;
        }
        Ok(())
    }
}

/// The points that are numbers, in the order of time.
fn sorted(points: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let mut points: Vec<_> = points.iter().copied().filter(|it| it.1.is_finite()).collect();
    points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points
}

/// At most so many points: the least and the greatest of each of as many stretches.
pub(super) fn thinned(points: &[(i64, f64)], points_max: usize) -> Vec<(i64, f64)> {
    if points.len() <= points_max {
        return points.to_vec();
    }
    let stretches = (points_max / 2).max(1);
    let mut kept = Vec::with_capacity(points_max);
    for stretch in points.chunks(points.len().div_ceil(stretches)) {
        let least = stretch.iter().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let greatest = stretch.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let (Some(least), Some(greatest)) = (least, greatest) else { continue };
        let (first, second) =
            if least.0 <= greatest.0 { (least, greatest) } else { (greatest, least) };
        kept.push(*first.1);
        if first.0 != second.0 {
            kept.push(*second.1);
        }
    }
    kept
}

/// The marks that are drawn: the most severe, of these the latest, first.
fn gravest<'a>(marks: &[(i64, &'a str, &'a str)]) -> Vec<(i64, &'a str, &'a str)> {
    let mut marks = marks.to_vec();
    marks.sort_by_key(|(at, severity, _)| std::cmp::Reverse((svg::place(severity), *at)));
    marks.truncate(MARKS_MAX);
    marks
}

/// The lines that are drawn: one for each stretch without a long gap, thinned to its part of all.
fn lines(points: &[(i64, f64)]) -> Vec<Vec<(i64, f64)>> {
    let parts = stretches(points);
    if parts.len() > LINES_MAX {
        return vec![thinned(points, POINTS_MAX)];
    }
    let share = |part: &[(i64, f64)]| (POINTS_MAX * part.len()).div_ceil(points.len().max(1));
    parts.into_iter().map(|part| thinned(part, share(part).max(2))).collect()
}

/// The points without a long gap between them.
fn stretches(points: &[(i64, f64)]) -> Vec<&[(i64, f64)]> {
    let gap = |pair: &[(i64, f64)]| match pair {
        [a, b] => b.0.saturating_sub(a.0),
        _ => 0,
    };
    let mut gaps: Vec<i64> = points.windows(2).map(gap).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    let longest = usual.saturating_mul(GAPS).max(1);
    points.chunk_by(|a, b| b.0.saturating_sub(a.0) <= longest).collect()
}
