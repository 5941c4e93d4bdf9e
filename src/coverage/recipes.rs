//! The settings of gateways that make their logs say more: one table for all formats.
//!
//! Each setting stands in the format's page in `docs/gateways/` as well, with where it belongs and the
//! version that it was checked for; `tests/gateways.rs` compares the two.

mod proxies;
mod services;

use super::Fact;

/// What a format's gateway can be told.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// The formats, by name.
    pub(crate) formats: &'static [&'static str],
    /// The page in `docs/gateways/`, without its ending.
    pub(crate) page: &'static str,
    /// What a fact needs to be logged.
    pub(crate) settings: &'static [(Fact, &'static str)],
}

/// Where nothing is known of a format: what its log should have.
const UNKNOWN: &str =
    "log it as JSON with the names of docs/events.md, or declare the field in [format.NAME]";

/// The recipe of a format, if there is one.
pub(crate) fn of(format: &str) -> Option<&'static Recipe> {
    all().find(|it| it.formats.contains(&format))
}

/// What makes a format's log say a fact; `None` where its gateway has nothing to say about it.
pub(crate) fn setting(format: &str, fact: Fact) -> Option<&'static str> {
    match of(format) {
        Some(recipe) => {
            recipe.settings.iter().find(|(of, _)| *of == fact).map(|(_, setting)| *setting)
        }
        None => Some(UNKNOWN),
    }
}

/// The page of a format.
pub(crate) fn page(format: &str) -> String {
    format!("docs/gateways/{}.md", of(format).map_or("mapping", |it| it.page))
}

/// Every recipe.
pub(crate) fn all() -> impl Iterator<Item = &'static Recipe> {
    proxies::PROXIES.iter().chain(services::SERVICES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::FormatId;

    #[test]
    fn every_format_has_one_recipe() {
        for format in FormatId::ALL {
            let count = all().filter(|it| it.formats.contains(&format.as_str())).count();
            assert_eq!(count, 1, "{format}");
        }
    }

    #[test]
    fn a_setting_is_one_line_and_says_one_thing_once() {
        for recipe in all() {
            for (index, (fact, setting)) in recipe.settings.iter().enumerate() {
                assert!(!setting.is_empty() && !setting.contains('\n'), "{setting}");
                let before = recipe.settings.iter().take(index);
                assert!(before.clone().all(|(it, _)| it != fact), "{}: {fact:?}", recipe.page);
            }
        }
    }
}
