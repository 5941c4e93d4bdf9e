//! The signatures: what the automaton looks for, of which class it is, and what must stand around it.

use super::around::{
    after, before, constant, first_word, has, is_end, is_quote, is_word, last_word,
};
use InjectionClass::{Command, PathTraversal, Sql, Ssrf, Template, Xss};
use model::InjectionClass;
use std::net::{IpAddr, Ipv4Addr};

/// Bytes around a place that are looked at.
const NEAR_BYTES: usize = 96;

/// A folded request target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) text: &'a [u8],
    /// Where the query begins.
    pub(super) query_at: usize,
    /// The host that was called, empty if that is not known.
    pub(super) own: &'a str,
}

/// Something to look for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    pub(super) text: &'static str,
    pub(super) class: InjectionClass,
    pub(super) check: Check,
}

/// What must stand around a signature.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Nothing: it is structure enough.
    Is,
    /// Before it a value or an expression ends.
    Broken,
    /// The same, and after it stands a constant.
    Called,
    /// After it two constants are compared.
    Compared,
    /// After it stands what a query selects.
    Columns,
    /// After it stands an expression, not a column's name alone.
    Subquery,
    /// Before it a text ends, after it the value.
    CommentedOut,
    /// Before it a statement ends.
    Stacked,
    /// It is read by a query.
    FromTable,
    /// A number of a column, and the rest is commented out.
    Ordered,
    /// Codes of characters, joined to something.
    CharCodes,
    /// A tag with something in it.
    Tag,
    /// A tag with an attribute.
    TagWithAttribute,
    /// An event's handler inside of a tag or a text.
    Handler,
    /// A URL that is a script, and does something.
    ScriptUrl,
    /// A file that a value names from the root, or after going up.
    File,
    /// Before it one command of a shell ends.
    Shell,
    /// The same, and after it the value or another command.
    ShellEnd,
    /// A template's expression that is computed.
    Expression,
    /// A URL of the inside.
    InnerUrl,
    /// A host of the inside without a scheme.
    InnerHost,
}

const fn of(class: InjectionClass, text: &'static str, check: Check) -> Signature {
    Signature { text, class, check }
}

pub(super) const SIGNATURES: &[Signature] = &[
    of(Sql, "union select", Check::Columns),
    of(Sql, "union all select", Check::Columns),
    of(Sql, "union distinct select", Check::Columns),
    of(Sql, "union(select", Check::Is),
    of(Sql, "or ", Check::Compared),
    of(Sql, "or'", Check::Compared),
    of(Sql, "or\"", Check::Compared),
    of(Sql, "or(", Check::Compared),
    of(Sql, "and ", Check::Compared),
    of(Sql, "and'", Check::Compared),
    of(Sql, "and\"", Check::Compared),
    of(Sql, "and(", Check::Compared),
    of(Sql, "having ", Check::Compared),
    of(Sql, "|| ", Check::Compared),
    of(Sql, "||'", Check::Compared),
    of(Sql, "--", Check::CommentedOut),
    of(Sql, "#", Check::CommentedOut),
    of(Sql, "/*", Check::CommentedOut),
    of(Sql, "drop table ", Check::Stacked),
    of(Sql, "drop database ", Check::Stacked),
    of(Sql, "truncate table ", Check::Stacked),
    of(Sql, "create table ", Check::Stacked),
    of(Sql, "alter table ", Check::Stacked),
    of(Sql, "insert into ", Check::Stacked),
    of(Sql, "delete from ", Check::Stacked),
    of(Sql, "declare @", Check::Stacked),
    of(Sql, "exec master", Check::Stacked),
    of(Sql, "shutdown", Check::Stacked),
    of(Sql, "waitfor delay '", Check::Is),
    of(Sql, "sleep(", Check::Called),
    of(Sql, "pg_sleep(", Check::Called),
    of(Sql, "benchmark(", Check::Called),
    of(Sql, "extractvalue(", Check::Called),
    of(Sql, "updatexml(", Check::Called),
    of(Sql, "load_file(", Check::Called),
    of(Sql, "concat(0x", Check::Broken),
    of(Sql, "concat(char(", Check::Broken),
    of(Sql, "dbms_pipe.receive_message(", Check::Is),
    of(Sql, "utl_http.request(", Check::Is),
    of(Sql, "utl_inaddr.get_host_address(", Check::Is),
    of(Sql, "utl_inaddr.get_host_name(", Check::Is),
    of(Sql, "if(now()=sysdate()", Check::Is),
    of(Sql, "procedure analyse(", Check::Is),
    of(Sql, "into outfile '", Check::Is),
    of(Sql, "into dumpfile '", Check::Is),
    of(Sql, "xp_cmdshell", Check::Broken),
    of(Sql, "xp_dirtree", Check::Broken),
    of(Sql, "@@version", Check::Broken),
    of(Sql, "information_schema.", Check::FromTable),
    of(Sql, "sysobjects", Check::FromTable),
    of(Sql, "sqlite_master", Check::FromTable),
    of(Sql, "pg_catalog.", Check::FromTable),
    of(Sql, "(select ", Check::Subquery),
    of(Sql, "(select(", Check::Is),
    of(Sql, "(case when ", Check::Is),
    of(Sql, "order by ", Check::Ordered),
    of(Sql, "char(", Check::CharCodes),
    of(Sql, "chr(", Check::CharCodes),
    of(Xss, "<script", Check::Tag),
    of(Xss, "</script", Check::Is),
    of(Xss, "<iframe", Check::TagWithAttribute),
    of(Xss, "<svg", Check::TagWithAttribute),
    of(Xss, "<img", Check::TagWithAttribute),
    of(Xss, "<body", Check::TagWithAttribute),
    of(Xss, "<object", Check::TagWithAttribute),
    of(Xss, "<embed", Check::TagWithAttribute),
    of(Xss, "<video", Check::TagWithAttribute),
    of(Xss, "<audio", Check::TagWithAttribute),
    of(Xss, "<input", Check::TagWithAttribute),
    of(Xss, "<details", Check::TagWithAttribute),
    of(Xss, "<marquee", Check::TagWithAttribute),
    of(Xss, "<meta", Check::TagWithAttribute),
    of(Xss, "<a ", Check::TagWithAttribute),
    of(Xss, "onerror=", Check::Handler),
    of(Xss, "onload=", Check::Handler),
    of(Xss, "onclick=", Check::Handler),
    of(Xss, "onfocus=", Check::Handler),
    of(Xss, "ontoggle=", Check::Handler),
    of(Xss, "onmouse", Check::Handler),
    of(Xss, "javascript:", Check::ScriptUrl),
    of(Xss, "alert(", Check::Called),
    of(Xss, "prompt(", Check::Called),
    of(Xss, "confirm(", Check::Called),
    of(Xss, "document.cookie", Check::Broken),
    of(Xss, "document.domain", Check::Broken),
    of(Xss, "string.fromcharcode(", Check::Is),
    of(PathTraversal, "../../", Check::File),
    of(PathTraversal, "..\\..\\", Check::Is),
    of(PathTraversal, "..//..//", Check::Is),
    of(PathTraversal, "....//", Check::Is),
    of(PathTraversal, "..;/", Check::Is),
    of(PathTraversal, "../wp-config", Check::Is),
    of(PathTraversal, "/etc/passwd", Check::File),
    of(PathTraversal, "/etc/shadow", Check::File),
    of(PathTraversal, "/etc/hosts", Check::File),
    of(PathTraversal, "/proc/self/", Check::File),
    of(PathTraversal, "/win.ini", Check::File),
    of(PathTraversal, "\\win.ini", Check::File),
    of(PathTraversal, "/boot.ini", Check::File),
    of(PathTraversal, "\\boot.ini", Check::File),
    of(PathTraversal, "c:\\windows", Check::Is),
    of(PathTraversal, "web-inf/web.xml", Check::Is),
    of(Command, "cat /", Check::Shell),
    of(Command, "ls /", Check::Shell),
    of(Command, "ls -", Check::Shell),
    of(Command, "uname -", Check::Shell),
    of(Command, "wget http", Check::Shell),
    of(Command, "curl http", Check::Shell),
    of(Command, "curl -", Check::Shell),
    of(Command, "ping -", Check::Shell),
    of(Command, "nslookup ", Check::Shell),
    of(Command, "nc -", Check::Shell),
    of(Command, "bash -", Check::Shell),
    of(Command, "sh -c", Check::Shell),
    of(Command, "python -c", Check::Shell),
    of(Command, "perl -e", Check::Shell),
    of(Command, "powershell ", Check::Shell),
    of(Command, "cmd /c", Check::Shell),
    of(Command, "type c:", Check::Shell),
    of(Command, "echo ", Check::ShellEnd),
    of(Command, "sleep ", Check::ShellEnd),
    of(Command, "whoami", Check::ShellEnd),
    of(Command, "ifconfig", Check::ShellEnd),
    of(Command, "ipconfig", Check::ShellEnd),
    of(Command, "$(id", Check::Is),
    of(Command, "$(cat ", Check::Is),
    of(Command, "$(curl ", Check::Is),
    of(Command, "$(wget ", Check::Is),
    of(Command, "$(whoami", Check::Is),
    of(Command, "$(sleep ", Check::Is),
    of(Command, "$(nslookup ", Check::Is),
    of(Command, "`id`", Check::Is),
    of(Command, "${ifs}", Check::Is),
    of(Command, "cmd.exe /c", Check::Is),
    of(Command, "/bin/sh -", Check::Is),
    of(Command, "/bin/bash -", Check::Is),
    of(Command, "/bin/cat /", Check::Is),
    of(Command, "<?php", Check::Is),
    of(Command, "print(md5(", Check::Is),
    of(Command, "response.write(", Check::Broken),
    of(Command, "phpinfo()", Check::Broken),
    of(Command, "passthru(", Check::Broken),
    of(Command, "shell_exec(", Check::Broken),
    of(Command, "system('", Check::Broken),
    of(Command, "runtime.getruntime()", Check::Is),
    of(Command, "-d allow_url_include", Check::Is),
    of(Command, "auto_prepend_file", Check::Broken),
    of(Command, "__import__(", Check::Is),
    of(Template, "{{", Check::Expression),
    of(Template, "${", Check::Expression),
    of(Template, "#{", Check::Expression),
    of(Template, "%{", Check::Expression),
    of(Template, "<%=", Check::Expression),
    of(Template, "${jndi:", Check::Is),
    of(Template, "${lower:", Check::Is),
    of(Template, "${::-", Check::Is),
    of(Ssrf, "://", Check::InnerUrl),
    of(Ssrf, "169.254.169.254/", Check::InnerHost),
    of(Ssrf, "metadata.google.internal/", Check::InnerHost),
];

impl Check {
    /// Whether the signature at a place has around it what makes it one.
    pub(super) fn holds(self, target: &Target<'_>, start: usize, end: usize) -> bool {
        let text = target.text;
        let (left, right) = (before(text, start), after(text, end));
        match self {
            Self::Is => true,
            Self::Broken => is_broken(text, start, end),
            Self::Called => is_broken(text, start, end) && is_value(right),
            Self::Compared => {
                let from = usize::from(text.get(end - 1).is_some_and(|it| is_quote(*it)));
                !is_word(byte_before(text, start)) && compares(after(text, end - from))
            }
            Self::Columns => selects(left, right),
            Self::Subquery => computes(right),
            Self::CommentedOut => {
                let open = left.iter().rev().take_while(|it| matches!(it, b')' | b';' | b' '));
                let last = left.iter().rev().nth(open.count());
                last.is_some_and(|it| is_quote(*it)) && is_end(right)
            }
            Self::Stacked => left.ends_with(b";") && first_word(right).len() > 1,
            Self::FromTable => {
                is_apart(text, start)
                    && matches!(last_word(left), b"from" | b"join")
                    && has(left, "select", left.len())
            }
            Self::Ordered => {
                let digits = right.iter().take_while(|it| it.is_ascii_digit()).count();
                let rest = after(right, digits);
                digits > 0 && (rest.starts_with(b"--") || rest.starts_with(b"#"))
            }
            Self::CharCodes => is_codes(byte_before(text, start), right),
            Self::Tag => is_filled_tag(text.get(end..).unwrap_or_default()),
            Self::TagWithAttribute => has_attribute(text, end),
            Self::Handler => is_handler(text, start, end),
            Self::ScriptUrl => {
                start > target.query_at
                    && matches!(byte_before(text, start), b'=' | b'\'' | b'"' | b' ')
                    && !right.starts_with(b"void(")
                    && !right.starts_with(b"history")
                    && has(right, "(", NEAR_BYTES)
            }
            Self::File => target.is_file(start),
            Self::Shell => ends_command(left),
            Self::ShellEnd => {
                let word = first_word(right).len();
                ends_command(left)
                    && matches!(
                        after(right, word).first(),
                        None | Some(b'&' | b';' | b'|' | b'`' | b')' | b'#')
                    )
            }
            Self::Expression => is_expression(right),
            Self::InnerUrl => target.is_inner_url(start, end),
            Self::InnerHost => {
                start > target.query_at && matches!(byte_before(text, start), b'=' | b'/' | b'@')
            }
        }
    }
}

fn byte_before(text: &[u8], start: usize) -> u8 {
    start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(0)
}

/// Whether the text before a signature ends where a value or an expression does, so that something else
/// may begin. A word does that only if it stands apart: `or sleep(`, not `floor.xp_cmdshell`.
fn is_broken(text: &[u8], start: usize, end: usize) -> bool {
    let left = before(text, start);
    match left.last().copied().unwrap_or(b' ') {
        b'\'' | b'"' | b')' | b'(' | b',' | b';' | b'|' | b'*' | b'^' | b'>' | b'{' | b'`'
        | b'\0' | b'}' => true,
        // PHP's sign that a call's errors are not to be said.
        b'@' => text.get(start..end).is_some_and(|it| it.ends_with(b"(")),
        _ => is_apart(text, start) && is_joint(last_word(left)),
    }
}

/// Words of SQL behind which an expression begins.
fn is_joint(word: &[u8]) -> bool {
    matches!(word, b"or" | b"and" | b"xor" | b"select" | b"exec" | b"when" | b"then" | b"else")
}

/// Whether a space parts a signature from the word before it, or that word from what is before it where
/// the signature begins with a sign (`1 or@@version`).
fn is_apart(text: &[u8], start: usize) -> bool {
    let left = text.get(..start).unwrap_or_default();
    let is_sign = text.get(start).is_some_and(|it| !is_word(*it));
    let outside = left.len() - if is_sign { last_word(left).len() } else { 0 };
    byte_before(text, outside) == b' '
}

fn is_value(right: &[u8]) -> bool {
    right
        .first()
        .is_some_and(|it| it.is_ascii_digit() || is_quote(*it) || matches!(it, b'(' | b'`'))
        || [&b"document"[..], b"string.", b"char(", b"rand(", b"this", b"window", b"md5("]
            .iter()
            .any(|it| right.starts_with(it))
}

/// Whether a text begins with a comparison of constants: `1=1`, `'a'='a`, `5383 < 6`.
fn compares(text: &[u8]) -> bool {
    let Some(rest) = constant(text) else { return false };
    let is_cut = rest.starts_with(b"--") || rest.starts_with(b"#") || rest.starts_with(b"/*");
    if is_cut {
        return true;
    }
    let operator = ["<>", "!=", "<=", ">=", "=", "<", ">", "like ", "rlike ", "between "];
    let other = operator.iter().find_map(|it| rest.strip_prefix(it.as_bytes()));
    let other = other.map(|it| after(it, 0));
    other.and_then(<[u8]>::first).is_some_and(|it| it.is_ascii_digit() || is_quote(*it))
}

/// Whether what follows a `union select` are columns, behind the end of a value or by their looks.
fn selects(left: &[u8], right: &[u8]) -> bool {
    let word = first_word(right);
    let rest = after(right, word.len());
    let is_constant = right
        .first()
        .is_some_and(|it| is_quote(*it) || matches!(it, b'(' | b'@' | b'*' | b'-' | b'`'))
        || word.first().is_some_and(u8::is_ascii_digit)
        || matches!(word, b"null" | b"char" | b"concat" | b"group_concat");
    let is_behind = left.last().is_some_and(|it| is_quote(*it) || matches!(it, b')' | b'0'..=b'9'));
    let is_from = rest.starts_with(b"from ");
    is_constant
        || rest.first().is_some_and(|it| matches!(it, b',' | b'('))
        || (is_behind && is_from)
}

/// Whether what is selected is computed.
fn computes(right: &[u8]) -> bool {
    let word = first_word(right);
    right
        .first()
        .is_some_and(|it| it.is_ascii_digit() || is_quote(*it) || matches!(it, b'*' | b'@' | b'('))
        || (!word.is_empty() && right.get(word.len()).is_some_and(|it| *it == b'('))
        || (matches!(word, b"case" | b"null" | b"top" | b"distinct")
            && has(right, " from ", NEAR_BYTES))
}

/// Whether codes of characters are joined: `char(60,115)`, `char(65)+char(66)`.
fn is_codes(before: u8, right: &[u8]) -> bool {
    let codes = right.iter().take_while(|it| it.is_ascii_digit() || **it == b',').count();
    let code = right.get(..codes).unwrap_or_default();
    let next = right.get(codes + 1).copied().unwrap_or(0);
    !is_word(before)
        && code.first().is_some_and(u8::is_ascii_digit)
        && right.get(codes).is_some_and(|it| *it == b')')
        && (code.contains(&b',')
            || matches!(next, b'+' | b'|' | b',')
            || matches!(before, b'+' | b'|' | b','))
}

/// `<script>x`, `<script src=…`; not `<script> tags`.
fn is_filled_tag(right: &[u8]) -> bool {
    match right {
        [b'>', b' ', ..] => false,
        [b'>', _, ..] => true,
        [b' ' | b'/', ..] => has(right, "=", NEAR_BYTES),
        _ => false,
    }
}

fn has_attribute(text: &[u8], end: usize) -> bool {
    let right = text.get(end..).unwrap_or_default();
    let is_open = matches!(right.first(), Some(b' ' | b'/')) || byte_before(text, end) == b' ';
    let inside = right.iter().take(NEAR_BYTES).take_while(|it| **it != b'>').count();
    is_open && has(right.get(..inside).unwrap_or_default(), "=", inside)
}

/// A handler inside of a tag, or behind the quote that ends an attribute.
fn is_handler(text: &[u8], start: usize, end: usize) -> bool {
    let from = start.saturating_sub(NEAR_BYTES);
    let near = text.get(from..start).unwrap_or_default();
    let right = text.get(end..).unwrap_or_default();
    let has_sign = text.get(end - 1).is_some_and(|it| *it == b'=')
        || right.get(..8).is_some_and(|it| it.contains(&b'='));
    has_sign
        && matches!(near.last(), Some(b' ' | b'/' | b'\'' | b'"'))
        && near.iter().any(|it| is_quote(*it) || *it == b'<')
}

/// Whether one command of a shell ends here, so that another may begin.
fn ends_command(left: &[u8]) -> bool {
    left.ends_with(b"$(")
        || matches!(left.last(), Some(b';' | b'|' | b'`'))
        || left.ends_with(b"&&")
}

/// Whether a template's brackets hold what is computed: `7*7`, `''.__class__`, `jndi:`.
fn is_expression(right: &[u8]) -> bool {
    const CALLS: [&str; 11] = [
        "__",
        "getclass",
        "java.lang",
        "t(java",
        "constructor",
        "#context",
        "#_memberaccess",
        "request.application",
        "exec(",
        "system(",
        "@print(",
    ];
    let end = right.iter().take(NEAR_BYTES).position(|it| *it == b'}' || *it == b'%');
    let inside = right.get(..end.unwrap_or(0)).unwrap_or_default();
    let is_sum = inside.windows(3).any(|it| {
        matches!(it, [a, b'*' | b'+' | b'-' | b'/', b] if a.is_ascii_digit() && (b.is_ascii_digit() || *b == b'\''))
    });
    is_sum || CALLS.iter().any(|it| has(inside, it, inside.len()))
}

impl Target<'_> {
    /// Whether the path goes up further than it went down.
    pub(super) fn leaves_root(&self) -> bool {
        let path = self.text.get(..self.query_at).unwrap_or_default();
        let mut depth = 0_i32;
        path.split(|it| matches!(it, b'/' | b'\\')).any(|part| {
            depth += match part {
                b"" | b"." => 0,
                b".." => -1,
                _ => 1,
            };
            depth < 0
        })
    }

    /// A file's name from the root or behind a step up; two steps up in a query are one too.
    fn is_file(&self, start: usize) -> bool {
        let left = self.text.get(..start).unwrap_or_default();
        let is_up = self.text.get(start..).is_some_and(|it| it.starts_with(b".."));
        if is_up {
            return start > self.query_at;
        }
        let is_value =
            start > self.query_at && matches!(left.last(), Some(b'=' | b'\'' | b'"' | b'<' | b':'));
        is_value
            || left.ends_with(b"..")
            || left.ends_with(b"../")
            || left.ends_with(b"..\\")
            || left.ends_with(b"file://")
    }

    /// A URL with a scheme that no browser follows, or with a host of the inside that was not called.
    fn is_inner_url(&self, start: usize, end: usize) -> bool {
        let left = self.text.get(..start).unwrap_or_default();
        let scheme = last_word(left);
        match scheme {
            b"gopher" | b"dict" | b"file" | b"ldap" | b"ldaps" | b"rmi" | b"netdoc" | b"phar"
            | b"expect" | b"php" | b"tftp" => return true,
            b"http" | b"https" | b"ftp" | b"ws" | b"wss" => {}
            _ => return false,
        }
        let rest = self.text.get(end..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|it| !matches!(it, b'/' | b'?' | b'#' | b'&' | b'\\' | b' ' | b'\'' | b'"'))
            .count();
        let authority = rest.get(..length).unwrap_or_default();
        let host = authority.rsplit(|it| *it == b'@').next().unwrap_or_default();
        let is_v6 = host.first() == Some(&b'[');
        let host = host
            .split(|it| if is_v6 { *it == b']' } else { *it == b':' })
            .next()
            .unwrap_or_default();
        let Ok(host) = std::str::from_utf8(host.strip_prefix(b"[").unwrap_or(host)) else {
            return false;
        };
        is_inner(host)
            && !host.eq_ignore_ascii_case(self.own)
            && !self.is_redirect(start - scheme.len())
    }

    /// Whether the value at a place is where the caller itself is to be sent: a native application's own
    /// address is an ordinary one there (RFC 8252, §7.3).
    fn is_redirect(&self, start: usize) -> bool {
        let left = self.text.get(..start).unwrap_or_default();
        let Some(name) = left.strip_suffix(b"=") else { return false };
        let from = name.iter().rposition(|it| matches!(it, b'&' | b'?')).map_or(0, |at| at + 1);
        let name = name.get(from..).unwrap_or_default();
        ["redirect", "return", "next", "continue", "goto", "back", "origin", "ref"]
            .iter()
            .any(|it| has(name, it, name.len()))
    }
}

/// Whether a host is of the inside: loopback, private, link-local, or a name that only exists there.
fn is_inner(host: &str) -> bool {
    let address = match host.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => host.parse().ok(),
    };
    let address = address.map(|bits: u32| IpAddr::V4(Ipv4Addr::from_bits(bits)));
    let address = address.or_else(|| host.parse().ok()).map(|it: IpAddr| it.to_canonical());
    match address {
        Some(IpAddr::V4(it)) => {
            it.is_loopback() || it.is_private() || it.is_link_local() || it.is_unspecified()
        }
        Some(IpAddr::V6(it)) => {
            it.is_loopback()
                || it.is_unspecified()
                || it.is_unique_local()
                || it.is_unicast_link_local()
        }
        None => {
            matches!(host, "localhost" | "metadata" | "instance-data")
                || [".localhost", ".internal", ".svc.cluster.local"]
                    .iter()
                    .any(|it| host.ends_with(it))
        }
    }
}
