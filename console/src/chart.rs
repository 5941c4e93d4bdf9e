//! Charts as inline SVG: each is one image that says its numbers in words too, whoever wrote its labels.
//!
//! plotters draws them on the server; colours are markers that `assets/style.css` maps for dark and
//! light, because the pages' policy forbids styles in them. What an attacker may have written is
//! cut and cleaned in `svg.rs`, the only place where a text enters a drawing.

mod band;
mod bars;
mod days;
mod scale;
mod spark;
mod svg;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use band::{Band, band};
pub(crate) use bars::bars;
pub(crate) use days::{Day, days};
pub(crate) use spark::spark;
pub(crate) use timeline::{Timeline, timeline};
