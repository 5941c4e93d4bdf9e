//! A headless Chromium, driven by `browser.py`: pages as people see them, and what they did meanwhile.

use super::watchdog::Watched;
use super::{chosen, install, is_offline};
use crate::habitus::root;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What drives the browser, the accessibility checker axe-core 4.12 in the package that ships it, and
/// what makes pictures small.
const PACKAGES: [&str; 4] =
    ["playwright==1.65.*", "greenlet==3.5.*", "axe-playwright-python==0.1.8", "pillow==13.*"];
/// The names under which Chromium may be on the path.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How long a package manager waits for another.
const LOCK: &str = "DPkg::Lock::Timeout=300";
/// Looks at a starting browser, and the time between two.
const LOOKS_MAX: usize = 1200;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one command may take; the browser itself gives up after half a minute.
const PATIENCE: Duration = Duration::from_mins(2);

/// A browser that runs.
#[derive(Debug)]
pub(crate) struct Chromium {
    port: u16,
    pub(super) version: String,
    _process: Watched,
}

/// A page of its own, which shares nothing with others.
#[derive(Debug)]
pub(crate) struct Tab {
    stream: BufReader<TcpStream>,
}

/// Whether a page's own policy against scripts is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Policy {
    /// As people's browsers keep it.
    Kept,
    /// It is not: what would run without it does run.
    Ignored,
}

/// How a page is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// The answer to a page's request.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// 0 where the page is a file.
    pub(crate) status: u16,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
}

/// What the pages of a tab did, since it was opened.
#[derive(Debug, Deserialize)]
pub(crate) struct Log {
    pub(crate) console: Vec<Message>,
    /// Exceptions that no script caught.
    pub(crate) errors: Vec<String>,
    /// What `alert`, `confirm` and `prompt` asked.
    pub(crate) dialogs: Vec<String>,
    /// The address of every request.
    pub(crate) requests: Vec<String>,
    /// Windows that were opened.
    pub(crate) popups: Vec<String>,
}

/// One message of a console.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// What the accessibility checker says of a page.
#[derive(Debug, Deserialize)]
pub(crate) struct Accessibility {
    /// Rules that the page was found to follow.
    pub(crate) passes: usize,
    pub(crate) violations: Vec<Violation>,
}

/// A rule that a page breaks.
#[derive(Debug, Deserialize)]
pub(crate) struct Violation {
    pub(crate) rule: String,
    /// `minor`, `moderate`, `serious`, `critical`.
    pub(crate) impact: String,
    pub(crate) places: Vec<String>,
}

impl Log {
    /// Whatever a page that is well does not do.
    pub(crate) fn problems(&self) -> Vec<String> {
        let is_bad = |it: &&Message| matches!(it.kind.as_str(), "error" | "warning" | "assert");
        let console = self.console.iter().filter(is_bad).map(|it| format!("console: {}", it.text));
        let errors = self.errors.iter().map(|it| format!("exception: {it}"));
        let dialogs = self.dialogs.iter().map(|it| format!("dialog: {it}"));
        let popups = self.popups.iter().map(|it| format!("window: {it}"));
        console.chain(errors).chain(dialogs).chain(popups).collect()
    }

    /// Requests that did not go to `origin`.
    pub(crate) fn elsewhere(&self, origin: &str) -> Vec<&str> {
        let all = self.requests.iter().map(String::as_str);
        all.filter(|it| !it.strip_prefix(origin).is_some_and(|it| it.starts_with('/'))).collect()
    }
}

impl Accessibility {
    /// The violations that keep people out, each with where it is.
    pub(crate) fn severe(&self) -> Vec<String> {
        let is_severe = |it: &&Violation| matches!(it.impact.as_str(), "serious" | "critical");
        let said = |it: &Violation| format!("{} ({}): {:?}", it.rule, it.impact, it.places);
        self.violations.iter().filter(is_severe).map(said).collect()
    }
}

impl Chromium {
    /// Installs what is missing, and starts it.
    pub(super) fn start() -> Result<Self, String> {
        let program = program()?;
        let home = install::installed("browser-playwright-1.65", |home| {
            let home = home.to_str().unwrap();
            install::run(&["python3", "-m", "venv", home])?;
            let python = format!("{home}/bin/python");
            let pip = [&python, "-m", "pip", "install", "--quiet", "--no-deps"];
            install::run(&[&pip[..], &PACKAGES].concat())
        })?;
        let dir = tempfile::Builder::new().prefix("habitus-browser-").tempdir();
        // From here on the watchdog removes the directory.
        let dir = dir.map_err(|err| format!("no temporary directory: {err}"))?.keep();
        let said = dir.join("port");
        let mut command = Command::new(home.join("bin/python"));
        // The browser keeps its profiles there, which go with the directory.
        command.env("TMPDIR", &dir).arg(root().join("tests/services/browser.py"));
        command.arg("--chromium").arg(&program).arg("--port-file").arg(&said);
        if is_root() {
            command.arg("--no-sandbox");
        }
        let process = Watched::start(&dir, &mut command)?;
        for _ in 0..LOOKS_MAX {
            if let Ok(text) = std::fs::read_to_string(&said) {
                let (port, version) = text.split_once(' ').ok_or("the browser says no version")?;
                let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
                return Ok(Self { port, version: version.to_owned(), _process: process });
            }
            if process.has_ended() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let (program, log) = (program.display(), process.log());
        Err(format!("{program} does not start; it says\n{log}"))
    }

    /// A new tab, 1280 by 900 and light.
    #[track_caller]
    pub(crate) fn open(&self, policy: Policy) -> Tab {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut tab = Tab { stream: BufReader::new(stream) };
        let is_ignored = policy == Policy::Ignored;
        tab.order(&json!({"op": "open", "bypass_csp": is_ignored}));
        tab
    }
}

impl Tab {
    /// Asks for a page and waits until it is loaded.
    #[track_caller]
    pub(crate) fn goto(&mut self, url: &str) -> Answer {
        self.ask(&json!({"op": "goto", "url": url}))
    }

    /// Clicks the first element that `selector` finds, and waits for the page that comes of it.
    #[track_caller]
    pub(crate) fn follow(&mut self, selector: &str) {
        self.order(&json!({"op": "follow", "selector": selector}));
    }

    /// Writes into a field, in place of what it had.
    #[track_caller]
    pub(crate) fn fill(&mut self, selector: &str, text: &str) {
        self.order(&json!({"op": "fill", "selector": selector, "text": text}));
    }

    /// Chooses one of a list.
    #[track_caller]
    pub(crate) fn choose(&mut self, selector: &str, value: &str) {
        self.order(&json!({"op": "choose", "selector": selector, "text": value}));
    }

    /// Presses a key, such as `Tab` or `j`, on whatever has the focus.
    #[track_caller]
    pub(crate) fn press(&mut self, key: &str) {
        self.order(&json!({"op": "press", "key": key}));
    }

    /// Presses a key, and waits for the page that comes of it.
    #[track_caller]
    pub(crate) fn press_and_follow(&mut self, key: &str) {
        self.order(&json!({"op": "press_and_follow", "key": key}));
    }

    /// The text that people see of the first element found.
    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        self.ask(&json!({"op": "text", "selector": selector}))
    }

    /// The same of all.
    #[track_caller]
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        self.ask(&json!({"op": "texts", "selector": selector}))
    }

    /// How many elements there are.
    #[track_caller]
    pub(crate) fn count(&mut self, selector: &str) -> usize {
        self.ask(&json!({"op": "count", "selector": selector}))
    }

    /// An attribute of the first element found.
    #[track_caller]
    pub(crate) fn attribute(&mut self, selector: &str, name: &str) -> Option<String> {
        self.ask(&json!({"op": "attribute", "selector": selector, "name": name}))
    }

    /// What a function of JavaScript yields on the page.
    #[track_caller]
    pub(crate) fn evaluate<T: DeserializeOwned>(&mut self, script: &str) -> T {
        self.ask(&json!({"op": "evaluate", "script": script}))
    }

    /// Waits until the first element found is seen.
    #[track_caller]
    pub(crate) fn wait(&mut self, selector: &str) {
        self.order(&json!({"op": "wait", "selector": selector}));
    }

    /// The page's address.
    #[track_caller]
    pub(crate) fn url(&mut self) -> String {
        self.ask(&json!({"op": "url"}))
    }

    /// Makes the tab so large, in CSS pixels.
    #[track_caller]
    pub(crate) fn viewport(&mut self, width: u32, height: u32) {
        self.order(&json!({"op": "viewport", "width": width, "height": height}));
    }

    /// Asks for light or dark pages.
    #[track_caller]
    pub(crate) fn colour_scheme(&mut self, scheme: Scheme) {
        let name = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        self.order(&json!({"op": "colour_scheme", "scheme": name}));
    }

    /// Writes what is seen as a PNG.
    #[track_caller]
    pub(crate) fn screenshot(&mut self, path: &Path) {
        self.order(&json!({"op": "screenshot", "path": path}));
    }

    /// What keeps people out of the page.
    #[track_caller]
    pub(crate) fn accessibility(&mut self) -> Accessibility {
        self.ask(&json!({"op": "axe"}))
    }

    /// What the tab did.
    #[track_caller]
    pub(crate) fn log(&mut self) -> Log {
        self.ask(&json!({"op": "log"}))
    }

    /// Does what has no answer.
    #[track_caller]
    fn order(&mut self, command: &Value) {
        let _said: Value = self.ask(command);
    }

    #[track_caller]
    fn ask<T: DeserializeOwned>(&mut self, command: &Value) -> T {
        writeln!(self.stream.get_mut(), "{command}").unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let mut said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|err| panic!("{command}: the browser says {line:?} ({err})"));
        assert!(said.get("error").is_none(), "{command}: {}", said["error"]);
        serde_json::from_value(said["answer"].take())
            .unwrap_or_else(|err| panic!("{command}: {err}: {line}"))
    }
}

/// Chromium on the path, else Debian's package.
fn program() -> Result<PathBuf, String> {
    if let Some(found) = on_path() {
        return Ok(found);
    }
    let cure = "install Chromium, so that `chromium`, `chromium-browser` or `google-chrome` is on \
                the path (Debian: apt-get install --no-install-recommends chromium)";
    if is_offline() || !is_root() {
        return Err(format!("there is no Chromium: {cure}"));
    }
    let without = |why: String| format!("there is no Chromium: {cure}\n{why}");
    install::run(&["apt-get", "-o", LOCK, "update"]).map_err(without)?;
    let install = ["apt-get", "-o", LOCK, "install", "--no-install-recommends", "--yes"];
    install::run(&[&install[..], &["chromium"]].concat()).map_err(without)?;
    on_path().ok_or_else(|| without("Debian's package has none of these programs".to_owned()))
}

fn on_path() -> Option<PathBuf> {
    let path = chosen("PATH")?;
    let places = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut all = PROGRAMS.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    all.find(|it| it.is_file())
}

/// Whether this process may install packages, and may not have a sandbox.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}
