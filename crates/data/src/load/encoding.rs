//! Which encoding a text is in.

use std::fmt;

/// An encoding of Unicode, told by a text's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark, or no encoding that its beginning tells.
    Utf8,
    /// UTF-16, either order of bytes.
    Utf16,
    /// UTF-32, either order of bytes.
    Utf32,
}

impl Encoding {
    /// The byte-order mark of UTF-8.
    pub const UTF8_MARK: &'static [u8] = b"\xef\xbb\xbf";

    /// The encoding that a byte-order mark names; without one, that in which the text would begin with an ASCII
    /// character, as JSON does.
    ///
    /// ```
    /// use toolrl_data::Encoding;
    ///
    /// assert_eq!(Encoding::of(b"\xff\xfe{\0"), Encoding::Utf16);
    /// assert_eq!(Encoding::of(b"\0\0\0["), Encoding::Utf32);
    /// assert_eq!(Encoding::of(b"\xef\xbb\xbf{"), Encoding::Utf8);
    /// ```
    pub fn of(start: &[u8]) -> Self {
        match *start {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Self::Utf32,
            [0, 0, 0, first, ..] | [first, 0, 0, 0, ..] if first != 0 => Self::Utf32,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Utf16,
            [0, first, ..] | [first, 0, ..] if first != 0 => Self::Utf16,
            _ => Self::Utf8,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16 => "UTF-16",
            Self::Utf32 => "UTF-32",
        })
    }
}
