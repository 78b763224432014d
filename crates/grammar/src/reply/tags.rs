//! The tags of a reply.

pub(super) const THINK: &str = "<think>";
pub(super) const THINK_END: &str = "</think>";
pub(super) const TOOL_CALL: &str = "<tool_call>";
pub(super) const TOOL_CALL_END: &str = "</tool_call>";
pub(super) const RESPONSE: &str = "<response>";
pub(super) const RESPONSE_END: &str = "</response>";

/// Where a tag, or any literal, stands in `text`. Its first byte is rare in replies, so that looking
/// for that is faster than to prepare a search for the whole.
pub(super) fn find_all<'t>(text: &'t [u8], tag: &'t str) -> impl Iterator<Item = usize> + 't {
    let first = tag.as_bytes().first().copied().unwrap_or_default();
    let tag = tag.as_bytes();
    memchr::memchr_iter(first, text).filter(move |&at| text[at..].starts_with(tag))
}

/// Where a tag first stands in `text`.
pub(super) fn find(text: &[u8], tag: &str) -> Option<usize> {
    find_all(text, tag).next()
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
