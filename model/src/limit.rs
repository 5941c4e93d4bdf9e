//! Limits that two stages share: every string and every identity has one.

/// Bytes of one input line that are read; the rest of a longer line is skipped and counted.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one input line that is a JSON list or object: shippers and clouds put many records in one
/// line, each of which may have [`LINE_BYTES_MAX`].
pub const CONTAINER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes kept of a path or query.
pub const PATH_BYTES_MAX: usize = 8 * 1024;
/// Path segments kept; a longer path is cut and flagged.
pub const PATH_SEGMENTS_MAX: usize = 32;
/// Bytes kept of a user agent.
pub const USER_AGENT_BYTES_MAX: usize = 512;
/// Bytes kept of any other text of an event.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Bytes kept of a principal, credential or session id.
pub const IDENTITY_BYTES_MAX: usize = 256;
/// Endpoints (method and template) that are told apart; further ones share one overflow endpoint.
pub const ENDPOINTS_MAX: usize = 65_536;
/// Virtual partitions that identities hash to; all state belongs to one of them.
pub const PARTITIONS: usize = 16;
