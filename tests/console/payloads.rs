//! What people write where a name belongs, so that it becomes markup or a script somewhere.

/// Each sets `window.__xss`, asks another host or leaves the page where it is taken for anything but text.
pub(super) const PAYLOADS: [&str; 42] = [
    "<script>window.__xss=1</script>",
    "\"><script>window.__xss=2</script>",
    "'><img src=x onerror=window.__xss=3>",
    "<svg onload=window.__xss=4>",
    "<svg><script>window.__xss=5</script></svg>",
    "<iframe src=javascript:parent.__xss=6>",
    "<iframe srcdoc='<script>parent.__xss=7</script>'>",
    "javascript:window.__xss=8",
    "JaVaScRiPt:window.__xss=9//",
    "<a href=javascript:window.__xss=10>x</a>",
    "data:text/html,<script>window.__xss=11</script>",
    "{{constructor.constructor('window.__xss=12')()}}",
    "${window.__xss=13}",
    "<%= window.__xss=14 %>",
    "#{window.__xss=15}",
    "' onmouseover=window.__xss=16 x='",
    "\" autofocus onfocus=window.__xss=17 x=\"",
    "x onanimationstart=window.__xss=18 style=animation-name:x",
    "</title><script>window.__xss=19</script>",
    "</style><script>window.__xss=20</script>",
    "</textarea><script>window.__xss=21</script>",
    "</script><script>window.__xss=22</script>",
    "--><script>window.__xss=23</script><!--",
    "]]><script>window.__xss=24</script>",
    "&lt;script&gt;window.__xss=25&lt;/script&gt;",
    "&#60;script&#62;window.__xss=26&#60;/script&#62;",
    "%3Cscript%3Ewindow.__xss=27%3C/script%3E",
    "\\x3cscript\\x3ewindow.__xss=28\\x3c/script\\x3e",
    "+ADw-script+AD4-window.__xss=29+ADw-/script+AD4-",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.__xss=30>",
    "<details open ontoggle=window.__xss=31>",
    "<video><source onerror=window.__xss=32></video>",
    "<meta http-equiv=refresh content=\"0;url=http://elsewhere.example/33\">",
    "<base href=http://elsewhere.example/34/>",
    "<form action=http://elsewhere.example/35><button>x</button></form>",
    "<style>@import 'http://elsewhere.example/36.css';</style>",
    "<link rel=stylesheet href=http://elsewhere.example/37.css>",
    "\u{202e}<script>window.__xss=38</script>\u{2066}",
    "\u{0}<script>window.__xss=39</script>",
    "a\u{8}\u{1b}[31m<img src=x onerror=window.__xss=40>",
    "\u{feff}\u{1f600}<b onclick=window.__xss=41>x</b>",
    "../..//elsewhere.example/42?x=1&id=y#<script>",
];

/// What everybody must be able to read of a text: control characters and marks of direction are
/// shown as something else, and lines and spaces are as HTML has them.
pub(super) fn seen(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).collect()
}
