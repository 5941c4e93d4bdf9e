//! What MCP's headers claim about a call, held against what its body asks for.
//!
//! Since its revision of July 2026 the protocol wants `Mcp-Method` and `Mcp-Name` on each request, so that
//! a gateway which reads no bodies knows the tool. The caller writes them: where the log has the body's
//! word too, that counts, and a difference is a flag.

use super::field::{Field, Raw, Slot};
use super::record::Record;
use crate::base64;
use model::Text;

/// What stands before a header's value that is not plain text; one that cannot be read is not compared.
const ENCODED: &str = "=?base64?";
/// What stands behind it.
const ENCODED_END: &str = "?=";
/// Bytes of such a value that are read.
const ENCODED_BYTES_MAX: usize = 8_192;

static METHOD: Field = Field::raw("Mcp-Method", Raw::McpMethodHeader);
static NAME: Field = Field::raw("Mcp-Name", Raw::McpNameHeader);

/// Takes method and name from the headers where the body's are not known; whether the two differ.
pub(super) fn settle(record: &mut Record<'_>) -> bool {
    for field in [&METHOD, &NAME] {
        let plain = record.text(field.slot).and_then(decoded);
        if let Some(plain) = plain {
            record.put_copied(field, 0, &plain);
        }
    }
    let method = Slot::Text(Text::McpMethodName);
    let differs = one(record, Raw::McpMethodHeader, method);
    let name = match record.text(method) {
        Some(method) if method.starts_with("resources/") => Text::ResourceUri,
        _ => Text::ToolName,
    };
    one(record, Raw::McpNameHeader, Slot::Text(name)) || differs
}

/// What an encoded value says.
fn decoded(value: &str) -> Option<String> {
    let packed = value.trim().strip_prefix(ENCODED)?.strip_suffix(ENCODED_END)?;
    if packed.len() > ENCODED_BYTES_MAX {
        return None;
    }
    String::from_utf8(base64::decode(packed)?).ok()
}

fn one(record: &mut Record<'_>, header: Raw, body: Slot) -> bool {
    let header = Slot::Raw(header);
    let Some(claim) = record.text(header).map(str::trim) else { return false };
    if let Some(said) = record.text(body) {
        return said != claim && !claim.starts_with(ENCODED);
    }
    record.copy(header, body);
    false
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[track_caller]
    fn of(headers: &str, rpc: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"started_at":1773113819123,"client_ip":"1.2.3.4","latencies":{{"request":1}},"request":{{"method":"POST","uri":"/mcp","headers":{{{headers}}}}},"response":{{"status":200}},"ai":{{"mcp":{{"rpc":[{rpc}]}}}}}}"#
        );
        check(FormatId::Kong, &line, expected);
    }

    #[test]
    fn headers_stand_in_for_a_body_that_was_not_logged() {
        of(
            r#""mcp-method":"tools/call","mcp-name":"send""#,
            "",
            &["mcp_method_name=tools/call", "tool_name=send", "parse_flags=0"],
        );
        of(
            r#""Mcp-Method":"resources/read","Mcp-Name":"file:///a""#,
            "",
            &["resource_uri=file:///a", "tool_name="],
        );
    }

    #[test]
    fn the_body_counts_and_a_difference_is_flagged() {
        of(
            r#""mcp-method":"tools/list","mcp-name":"harmless""#,
            r#"{"method":"tools/call","tool_name":"drop_table"}"#,
            &["mcp_method_name=tools/call", "tool_name=drop_table", "parse_flags=512"],
        );
        of(
            r#""mcp-method":"tools/call","mcp-name":"send""#,
            r#"{"method":"tools/call","tool_name":"send"}"#,
            &["tool_name=send", "parse_flags=0"],
        );
    }

    #[test]
    fn a_name_may_be_encoded() {
        // `drop_table`, `büro`, and what is no text.
        let call = r#"{"method":"tools/call","tool_name":"send"}"#;
        let header = |value: &str| format!(r#""mcp-method":"tools/call","mcp-name":"{value}""#);
        of(&header("=?base64?ZHJvcF90YWJsZQ==?="), "", &["tool_name=drop_table", "parse_flags=0"]);
        of(&header("=?base64?YsO8cm8=?="), "", &["tool_name=büro"]);
        of(&header("=?base64?ZHJvcF90YWJsZQ==?="), call, &["tool_name=send", "parse_flags=512"]);
        of(&header("=?base64?c2VuZA==?="), call, &["tool_name=send", "parse_flags=0"]);
        of(&header("=?base64?/w==?="), call, &["tool_name=send", "parse_flags=0"]);
    }
}
