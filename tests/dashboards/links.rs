//! Where the links of dashboards go, and what they carry with them.

use super::lint::definitions;
use super::variables::{Reference, references};
use super::{Committed, text, texts};
use serde_json::Value;

/// Pages of the console, by the first part of their path.
const CONSOLE: [&str; 6] = ["", "coverage", "findings", "identities", "identity", "incidents"];
/// Whom dashboards may lead to besides: those who number what is found.
const OTHERS: [&str; 3] =
    ["https://attack.mitre.org/", "https://genai.owasp.org/", "https://owasp.org/"];
/// What Grafana makes of these is a part of a URL already.
const READY: [&str; 4] = ["__all_variables", "__from", "__to", "__url_time_range"];
/// Formats after which a value is one part of a URL, whatever is in it.
const FORMATS: [&str; 3] = ["customqueryparam", "percentencode", "queryparam"];
/// Where a text panel keeps what it shows; links in it are Markdown's.
const CONTENT: &str = "content";

/// What is wrong with the links of one dashboard, among all.
pub(super) fn complaints(board: &Value, all: &[Committed]) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["links", "panels"] {
        texts(&board[part], part, &mut found);
    }
    let mut said = Vec::new();
    for (key, it) in found {
        match key {
            "url" => said.extend(of_url(it, board, all)),
            CONTENT => {
                for rest in it.split("](").skip(1) {
                    let (url, _) = rest.split_once(')').unwrap_or((rest, ""));
                    said.extend(of_url(url, board, all));
                }
            }
            _ => {}
        }
    }
    for link in board["links"].as_array().into_iter().flatten() {
        if link["keepTime"].as_bool() != Some(true) || !carries(link, board, all) {
            let title = text(link, "title");
            said.push(format!("the link {title:?} loses the time range or the variables"));
        }
    }
    said
}

/// Whether a link hands on what both dashboards are asked about: all variables, or in its address
/// each of those that both take from the store. A choice of words, such as a severity, may stay behind.
fn carries(link: &Value, board: &Value, all: &[Committed]) -> bool {
    if link["includeVars"].as_bool() == Some(true) {
        return true;
    }
    let url = text(link, "url");
    let uid = url.strip_prefix("/d/").and_then(|it| it.split(['/', '?']).next());
    let Some(target) = all.iter().find(|it| Some(text(&it.json, "uid")) == uid) else {
        return false;
    };
    let theirs = definitions(&target.json);
    let is_shared = |it: &&Value| {
        matches!(text(it, "type"), "datasource" | "query")
            && theirs.iter().any(|other| text(other, "name") == text(it, "name"))
    };
    let is_carried = |it: &Value| url.contains(&format!("${{{}:queryparam}}", text(it, "name")));
    definitions(board).iter().filter(|it| is_shared(it)).all(|it| is_carried(it))
}

/// What is wrong with one address.
fn of_url(url: &str, board: &Value, all: &[Committed]) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(path) = url.strip_prefix("/d/") {
        let end = path.find(['/', '?']).unwrap_or(path.len());
        let (uid, _) = path.split_at(end);
        match all.iter().find(|it| text(&it.json, "uid") == uid) {
            None => said.push(format!("{url} leads to no dashboard")),
            Some(target) => said.extend(of_parameters(url, board, &target.json)),
        }
    } else if let Some(path) = after_base(url, board) {
        let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        if !CONSOLE.contains(&first) {
            said.push(format!("{url} leads to no page of the console"));
        }
    } else if !OTHERS.iter().any(|it| url.starts_with(it)) {
        said.push(format!("{url} leads to nobody known"));
    }
    let is_safe = |it: &Reference<'_>| {
        let format = it.format.and_then(|it| it.split(':').next()).unwrap_or_default();
        it.at == 0 || READY.contains(&it.name) || FORMATS.contains(&format)
    };
    let open = references(url).into_iter().filter(|it| !is_safe(it));
    said.extend(open.map(|it| format!("{} in {url} may be more than one part of it", it.whole)));
    said
}

/// What stands behind the variable with which an address begins: where the console is.
fn after_base<'a>(url: &'a str, board: &Value) -> Option<&'a str> {
    let first = references(url).into_iter().next().filter(|it| it.at == 0)?;
    let is_there = definitions(board).iter().any(|it| text(it, "name") == first.name);
    is_there.then(|| url.get(first.whole.len()..)).flatten()
}

/// Parameters that the other dashboard does not know, and a time range that is lost.
fn of_parameters(url: &str, board: &Value, target: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let (_, query) = url.split_once('?').unwrap_or((url, ""));
    let is_top = board["links"].as_array().into_iter().flatten().any(|it| text(it, "url") == url);
    if !is_top && !query.contains("${__url_time_range}") {
        said.push(format!("{url} loses the time range"));
    }
    let names = definitions(target);
    let is_there = |name: &str| names.iter().any(|it| text(it, "name") == name);
    for part in query.split('&').filter(|it| !it.is_empty()) {
        let name = match part.strip_prefix("var-") {
            Some(rest) => rest.split('=').next(),
            // `${tenant:queryparam}` becomes `var-tenant=…`.
            None => references(part)
                .iter()
                .find(|it| it.at == 0 && it.format == Some("queryparam"))
                .map(|it| it.name),
        };
        if let Some(name) = name.filter(|it| !is_there(it)) {
            said.push(format!("{url} gives {name}, which the other dashboard has not"));
        }
    }
    said
}

/// The columns that the links in a part of a panel take values from: `${__data.fields.name}` and
/// `${__data.fields["name"]}`.
pub(super) fn columns(part: &Value) -> Vec<String> {
    let mut found = Vec::new();
    texts(part, "", &mut found);
    let places = found.iter().flat_map(|(_, it)| references(it));
    let fields = places.filter(|it| it.name == "__data").filter_map(|it| it.field);
    let names = fields.filter_map(|it| {
        let plain = it.strip_prefix("fields.");
        let quoted = || it.strip_prefix("fields[")?.strip_suffix(']');
        plain.or_else(quoted).map(|it| it.trim_matches(['"', '\'']))
    });
    names.map(str::to_owned).collect()
}

#[test]
fn columns_in_links_are_found() {
    let links = serde_json::json!({"links": [{
        "url": "/d/a?x=${__data.fields.one:percentencode}&y=${__data.fields[\"two 2\"]:percentencode}"
    }]});
    assert_eq!(columns(&links), ["one", "two 2"]);
}
