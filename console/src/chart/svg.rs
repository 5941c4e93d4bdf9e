//! What every chart is drawn on: plotters' SVG in a frame of ours, colours that the stylesheet maps.

use maud::{Markup, PreEscaped, html};
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, RGBColor, TextStyle};

/// What a chart is drawn on, in units of its view box.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// How drawing ends.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Units that a chart is wide: what its text is sized for; the stylesheet fits it to the page.
pub(super) const WIDTH: u32 = 480;
/// Characters of a label that are drawn: as many as fit beside each other on a telephone.
pub(super) const LABEL_CHARS_MAX: usize = 54;
/// Characters in which a chart is said in words.
const WORDS_CHARS_MAX: usize = 1_000;
/// Height of a text in units.
const TEXT_UNITS: f64 = 11.0;
/// plotters divides the size of a font by this.
const FONT_FACTOR: f64 = 1.24;

/// Texts of a chart.
pub(super) const INK: RGBColor = RGBColor(0x1C, 0x27, 0x33);
/// What stands at its axes.
pub(super) const MUTED: RGBColor = RGBColor(0x4F, 0x5B, 0x68);
/// Lines that lead the eye.
pub(super) const GRID: RGBColor = RGBColor(0xD5, 0xDB, 0xE1);
/// What is ordinary.
pub(super) const BAND: RGBColor = RGBColor(0x9F, 0xBC, 0xDD);
/// What was expected.
pub(super) const EXPECTED: RGBColor = RGBColor(0x0B, 0x6E, 0x6E);
/// What was observed in the course of time.
pub(super) const SERIES: RGBColor = RGBColor(0x1F, 0x4F, 0xA3);
/// What was observed, where it stands out.
pub(super) const OBSERVED: RGBColor = RGBColor(0xB0, 0x1E, 0x3C);
/// Severities, the least first; the stylesheet knows the same.
pub(super) const SEVERITIES: [(&str, RGBColor); 5] = [
    ("info", RGBColor(0x5B, 0x67, 0x74)),
    ("low", RGBColor(0x2E, 0x6B, 0x3A)),
    ("medium", RGBColor(0x85, 0x60, 0x01)),
    ("high", RGBColor(0xB8, 0x47, 0x08)),
    ("critical", RGBColor(0xA1, 0x12, 0x3B)),
];

/// The place of a severity, the least first; of what is none, the least.
pub(super) fn place(severity: &str) -> usize {
    SEVERITIES.iter().position(|(name, _)| *name == severity).unwrap_or(0)
}

/// The name of a severity; of what is none, the least.
pub(super) fn severity(severity: &str) -> &'static str {
    SEVERITIES.get(place(severity)).map_or("info", |(name, _)| *name)
}

/// The colour of a severity.
pub(super) fn colour(severity: &str) -> RGBColor {
    SEVERITIES.get(place(severity)).map_or(MUTED, |(_, colour)| *colour)
}

/// A text in one line of at most so many characters, without anything that a reader would obey
/// unseen, or that XML has no place for.
pub(super) fn plain(text: &str, chars_max: usize) -> String {
    let known = |c: char| if matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c };
    let text: String = text.chars().take(chars_max.saturating_add(1)).map(known).collect();
    model::plain::cut(&model::plain::plain(&text), chars_max)
}

/// A chart of a kind and a size, said in words: what a screen reader reads, and a pointer shows.
pub(super) fn chart(
    kind: &str,
    size: (u32, u32),
    words: &str,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Markup {
    let words = plain(words, WORDS_CHARS_MAX);
    let Some(inside) = drawn(size, draw) else {
        return html! { p class="chart-words" { (words) } };
    };
    html! {
        svg class={ "chart chart-" (kind) } role="img" aria-label=(words)
            viewBox=(format!("0 0 {} {}", size.0, size.1)) {
            title { (words) }
            (PreEscaped(inside))
        }
    }
}

/// What plotters draws, without the tag around it, which would fix the width.
fn drawn(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Drawn) -> Option<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area).ok()?;
        area.present().ok()?;
    }
    let (_, inside) = text.split_once('\n')?;
    inside.strip_suffix("</svg>\n").map(str::to_owned)
}

/// Draws a text at a point, its middle at the point's height.
pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    side: HPos,
    colour: RGBColor,
) -> Drawn {
    let mut style = TextStyle::from(("sans-serif", TEXT_UNITS * FONT_FACTOR));
    style.color = colour.to_backend_color();
    style.pos = Pos::new(side, VPos::Center);
    area.draw_text(&plain(text, LABEL_CHARS_MAX), &style, at)
}
