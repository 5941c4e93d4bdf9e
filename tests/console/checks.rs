//! What is looked for on every page, and a page on which each of it is found.

use super::{HEIGHT, OVERFLOW, STICKS_OUT};
use crate::habitus::Place;
use crate::services::{Policy, Scheme, Tab, chromium};
use std::collections::BTreeMap;

/// What the policy of the console's pages says, each part of it.
const POLICY: [&str; 7] = [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
];
/// Names everything on a page that only a text which became markup can have made: handlers of events,
/// addresses that lead elsewhere or run something, elements that no page of ours has.
const FOREIGN: &str = r"() => {
    const found = [];
    if (window.__xss !== undefined) found.push(`ran: ${window.__xss}`);
    const addresses = ['action', 'background', 'data', 'formaction', 'href', 'ping', 'poster',
        'src', 'srcset', 'xlink:href'];
    const elements = ['APPLET', 'AUDIO', 'BASE', 'EMBED', 'FRAME', 'IFRAME', 'MARQUEE', 'MATH',
        'OBJECT', 'PORTAL', 'SOURCE', 'TEMPLATE', 'VIDEO'];
    for (const it of document.querySelectorAll('*')) {
        const tag = it.tagName.toUpperCase();
        if (elements.includes(tag)) found.push(`an element ${tag}`);
        if (tag === 'SCRIPT' && (it.textContent || it.getAttribute('src') !== '/static/console.js')) {
            found.push(`a script ${it.outerHTML}`);
        }
        if (tag === 'META' && !['', 'content-security-policy']
            .includes((it.getAttribute('http-equiv') ?? '').toLowerCase())) {
            found.push(`a meta ${it.outerHTML}`);
        }
        for (const { name, value } of it.attributes) {
            if (/^on/i.test(name)) found.push(`${tag} has ${name}`);
            if (!addresses.includes(name.toLowerCase()) || value.startsWith('#')) continue;
            if (tag === 'LINK' && it.rel === 'icon' && value.startsWith('data:')) continue;
            let url;
            try { url = new URL(value, document.baseURI); } catch { url = { protocol: 'none' }; }
            if (url.protocol !== location.protocol || url.host !== location.host) {
                found.push(`${tag} has ${name}=${value}`);
            }
        }
    }
    return found.slice(0, 20);
}";

/// Fails where the headers of a page let in what is not the console's own.
#[track_caller]
pub(super) fn policy(headers: &BTreeMap<String, String>) {
    let header = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
    let policy = header("content-security-policy");
    let parts: Vec<_> = policy.split(';').map(str::trim).collect();
    for part in POLICY {
        assert!(parts.contains(&part), "{part} is missing: {policy:?}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-type").starts_with("text/html; charset=utf-8"), "{headers:?}");
    assert!(["no-referrer", "same-origin"].contains(&header("referrer-policy")), "{headers:?}");
}

/// What on the tab's page is not of our making.
#[track_caller]
pub(super) fn foreign(tab: &mut Tab) -> Vec<String> {
    tab.evaluate(FOREIGN)
}

/// A page with everything wrong that a page can have.
const WRONG: &str = r#"<!doctype html>
<html lang="en"><head><title>wrong</title><base href="/"></head><body><main><h1>Wrong</h1>
<p style="color:#bbb;background:#fff">hardly to be read</p>
<p id="wide" style="width:700px">wide</p>
<img src="http://elsewhere.example/a.png" onerror="window.__xss=1">
<a href="javascript:window.__xss=2">link</a>
<form action="http://elsewhere.example/"><input name="unnamed"></form>
<iframe title="in" srcdoc="x"></iframe>
<script>window.__xss = 3; console.error("complains"); alert("asks"); nothing.at.all;</script>
</main></body></html>"#;

#[test]
fn what_is_looked_for_on_pages_is_found_where_it_is() {
    const TEST: &str = "what_is_looked_for_on_pages_is_found_where_it_is";
    let Some(browser) = chromium(TEST) else { return };
    let place = Place::new();
    let address = format!("file://{}", place.write("wrong.html", WRONG));
    let mut tab = browser.open(Policy::Ignored);
    assert_eq!(tab.goto(&address).headers.get("content-security-policy"), None);
    let found = foreign(&mut tab).join("\n");
    for wanted in
        ["ran: ", "IFRAME", "BASE", "onerror", "href=javascript:", "a script", "FORM has action"]
    {
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
    let log = tab.log();
    let problems = log.problems().join("\n");
    for wanted in ["console: complains", "exception: nothing", "dialog: asks"] {
        assert!(problems.contains(wanted), "{wanted}: {problems}");
    }
    let elsewhere = log.elsewhere("file://");
    assert_eq!(elsewhere, ["http://elsewhere.example/a.png"]);
    let severe = tab.accessibility().severe().join("\n");
    for rule in ["color-contrast", "image-alt", "label"] {
        assert!(severe.contains(rule), "{rule}: {severe}");
    }
    tab.viewport(390, HEIGHT);
    assert!(tab.evaluate::<i64>(OVERFLOW) > 300);
    assert!(tab.evaluate::<Vec<String>>(STICKS_OUT).join("").contains("wide"));
    tab.colour_scheme(Scheme::Dark);
    assert!(tab.evaluate::<bool>("() => matchMedia('(prefers-color-scheme: dark)').matches"));
}
