//! What was observed beside what is ordinary: a finding's three numbers on one scale.

use super::scale::{self, Scale};
use super::svg::{self, Area, BAND, Drawn, EXPECTED, GRID, INK, MUTED, OBSERVED, WIDTH};
use maud::{Markup, html};
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::Color as _;
use plotters::style::text_anchor::HPos;

/// Units that the chart is high.
const HEIGHT: u32 = 92;
/// Units on either side of the plot, for the halves of the outermost labels.
const SIDE: u32 = 32;
/// Units above the plot, for the label of what was observed.
const TOP: u32 = 20;
/// Units below the plot, for the labels of the axis.
const BOTTOM: u32 = 20;

/// A finding's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band<'a> {
    /// What was seen.
    pub(crate) observed: f64,
    /// What was expected.
    pub(crate) expected: f64,
    /// What 99.9 % of ordinary windows stay under.
    pub(crate) upper: f64,
    /// The unit of the three, as a finding has it.
    pub(crate) unit: &'a str,
}

impl Band<'_> {
    /// Whether it is not the number that is odd, but what it is of.
    fn is_ordinary(&self) -> bool {
        self.upper.is_finite() && self.observed <= self.upper
    }
}

/// The observed value against the ordinary range, with a legend in words below.
pub(crate) fn band(band: &Band<'_>) -> Markup {
    let unit = svg::plain(band.unit, svg::LABEL_CHARS_MAX);
    let said = |value: f64| scale::value(value, &unit);
    let (observed, expected, upper) = (said(band.observed), said(band.expected), said(band.upper));
    let scale = Scale::of([band.observed, band.expected, band.upper].into_iter());
    let note = if scale.is_logarithmic { ", on a logarithmic scale" } else { "" };
    let alone = if band.is_ordinary() { "the number alone is ordinary: " } else { "" };
    let words = format!(
        "Observed {observed}; expected {expected}; {alone}99.9 % of ordinary windows stay under \
         {upper}{note}"
    );
    html! {
        figure class="figure" {
            (svg::chart("band", (WIDTH, HEIGHT), &words, |area| draw(area, band, &unit, scale)))
            figcaption class="legend" {
                span class="key key-observed" { "observed " b { (observed) } } " "
                span class="key key-expected" { "expected " b { (expected) } } " "
                @if !band.is_ordinary() {
                    span class="key key-band" { "99.9 % of ordinary windows stay under " b { (upper) } }
                }
                @if scale.is_logarithmic { " " span class="key" { "logarithmic scale" } }
            }
            @if band.is_ordinary() {
                p {
                    "The number alone is ordinary: 99.9 % of ordinary windows stay under " (upper)
                    ". What is odd stands in the sentence."
                }
            }
        }
    }
}

fn draw(area: &Area<'_>, band: &Band<'_>, unit: &str, scale: Scale) -> Drawn {
    let range = scale.range();
    let (least, most) = (range.start, range.end);
    let chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_bottom(BOTTOM)
        .margin_left(SIDE)
        .margin_right(SIDE)
        .build_cartesian_2d(range, 0.0..1.0)?;
    let plot = chart.plotting_area();
    if band.upper.is_finite() && !band.is_ordinary() {
        let ordinary = [(least, 0.75), (scale.at(band.upper), 0.25)];
        plot.draw(&Rectangle::new(ordinary, BAND.mix(0.55).filled()))?;
    }
    plot.draw(&PathElement::new(vec![(least, 0.0), (most, 0.0)], MUTED.stroke_width(1)))?;
    for tick in scale.ticks() {
        let at = scale.at(tick);
        plot.draw(&PathElement::new(vec![(at, 0.0), (at, 1.0)], GRID.stroke_width(1)))?;
        let (x, y) = chart.backend_coord(&(at, 0.0));
        svg::write(area, &scale::tick(tick, unit), (x, y + 11), HPos::Center, MUTED)?;
    }
    if band.expected.is_finite() {
        let at = scale.at(band.expected);
        plot.draw(&PathElement::new(vec![(at, 0.1), (at, 0.9)], EXPECTED.stroke_width(3)))?;
    }
    if band.observed.is_finite() {
        let at = scale.at(band.observed);
        plot.draw(&PathElement::new(vec![(least, 0.5), (at, 0.5)], OBSERVED.stroke_width(2)))?;
        plot.draw(&Circle::new((at, 0.5), 6_i32, OBSERVED.filled()))?;
        let (x, _) = chart.backend_coord(&(at, 1.0));
        // The label stands on the side where there is room.
        let side = if at > f64::midpoint(least, most) { HPos::Right } else { HPos::Left };
        let text = format!("observed {}", scale::value(band.observed, unit));
        svg::write(area, &text, (x, 9), side, INK)?;
    }
    Ok(())
}
