//! The tags of a reply.

pub(super) const THINK: &str = "<think>";
pub(super) const THINK_END: &str = "</think>";
pub(super) const TOOL_CALL: &str = "<tool_call>";
pub(super) const TOOL_CALL_END: &str = "</tool_call>";
pub(super) const RESPONSE: &str = "<response>";
pub(super) const RESPONSE_END: &str = "</response>";

/// Where a tag first stands in `text`.
pub(super) fn find(text: &[u8], tag: &str) -> Option<usize> {
    memchr::memmem::find(text, tag.as_bytes())
}

/// Whether a tag stands anywhere in `text`.
pub(super) fn has(text: &[u8], tag: &str) -> bool {
    find(text, tag).is_some()
}

/// What stands before the first `tag`; all of `text` when there is none.
pub(super) fn before<'a>(text: &'a [u8], tag: &str) -> &'a [u8] {
    find(text, tag).map_or(text, |at| &text[..at])
}

/// What stands after the first `tag`.
pub(super) fn after<'a>(text: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    find(text, tag).map(|at| &text[at + tag.len()..])
}
