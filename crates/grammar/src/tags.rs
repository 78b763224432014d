//! Tags in a text, and what stands between them.

/// An opening and a closing tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tags {
    /// The opening one.
    pub open: &'static str,
    /// The closing one.
    pub close: &'static str,
}

/// Around thoughts.
pub const THINK: Tags = Tags { open: "<think>", close: "</think>" };
/// Around calls.
pub const TOOL_CALL: Tags = Tags { open: "<tool_call>", close: "</tool_call>" };
/// Around an answer in words.
pub const RESPONSE: Tags = Tags { open: "<response>", close: "</response>" };

impl Tags {
    /// What follows the first opening tag, up to the next closing one or the end.
    pub fn first(self, text: &[u8]) -> Option<&[u8]> {
        after(text, self.open).map(|opened| before(opened, self.close))
    }

    /// What follows the last opening tag, up to the next closing one or the end.
    pub fn last(self, text: &[u8]) -> Option<&[u8]> {
        after_last(text, self.open).map(|opened| before(opened, self.close))
    }

    /// What stands between each opening tag and the next closing one, or the end.
    pub fn each(self, text: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = text;
        std::iter::from_fn(move || {
            let opened = after(rest, self.open)?;
            rest = after(opened, self.close).unwrap_or_default();
            Some(before(opened, self.close))
        })
    }

    /// What follows the first pair: the closing tag that comes after the first opening one.
    pub fn after_first(self, text: &[u8]) -> Option<&[u8]> {
        after(after(text, self.open)?, self.close)
    }
}

/// Where a tag, or any literal, stands in `text`. Its first byte is rare in replies, so that looking
/// for that is faster than to prepare a search for the whole.
pub fn find_all<'t>(text: &'t [u8], tag: &'t str) -> impl DoubleEndedIterator<Item = usize> + 't {
    let first = tag.as_bytes().first().copied().unwrap_or_default();
    let tag = tag.as_bytes();
    memchr::memchr_iter(first, text).filter(move |&at| text[at..].starts_with(tag))
}

/// Where a tag first stands in `text`.
pub fn find(text: &[u8], tag: &str) -> Option<usize> {
    find_all(text, tag).next()
}

/// Whether a tag stands anywhere in `text`.
pub fn has(text: &[u8], tag: &str) -> bool {
    find(text, tag).is_some()
}

/// What stands before the first `tag`; all of `text` when there is none.
pub fn before<'a>(text: &'a [u8], tag: &str) -> &'a [u8] {
    find(text, tag).map_or(text, |at| &text[..at])
}

/// What stands after the first `tag`.
pub fn after<'a>(text: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    find(text, tag).map(|at| &text[at + tag.len()..])
}

/// What stands after the last `tag`.
pub fn after_last<'a>(text: &'a [u8], tag: &str) -> Option<&'a [u8]> {
    find_all(text, tag).next_back().map(|at| &text[at + tag.len()..])
}
