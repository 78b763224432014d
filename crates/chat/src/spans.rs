//! From tokens back to the bytes of the decoded text.

use std::ops::Range;

use tokenizers::{DecoderWrapper, Tokenizer};

/// For every token, the bytes of the decoded text that it made.
pub(crate) fn spans(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<Range<usize>> {
    match tokenizer.get_decoder() {
        Some(DecoderWrapper::ByteLevel(_)) => byte_level(tokenizer, ids),
        _ => streamed(tokenizer, ids),
    }
}

/// Exact spans where every token stands for bytes: the text is their sequence, read as UTF-8.
fn byte_level(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<Range<usize>> {
    let mut bytes = Vec::new();
    let ends: Vec<usize> = ids
        .iter()
        .map(|&id| {
            if let Some(token) = tokenizer.id_to_token(id) {
                append_bytes(&token, &mut bytes);
            }
            bytes.len()
        })
        .collect();
    let characters = characters(&bytes);
    let mut start = 0;
    let mut at = 0;
    ends.into_iter()
        .map(|end| {
            let made = start..end;
            start = end;
            if made.is_empty() {
                return at..at;
            }
            let span = characters[made.start].start..characters[made.end - 1].end;
            at = span.end;
            span
        })
        .collect()
}

/// For every raw byte, where the character it belongs to stands in the text. What is not UTF-8 becomes
/// U+FFFD there, one for each broken piece, as `String::from_utf8_lossy` has it.
fn characters(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::with_capacity(bytes.len());
    let mut at = 0;
    let mut push = |raw: usize, written: usize| {
        ranges.extend(std::iter::repeat_n(at..at + written, raw));
        at += written;
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(character.len_utf8(), character.len_utf8());
        }
        if !chunk.invalid().is_empty() {
            push(chunk.invalid().len(), char::REPLACEMENT_CHARACTER.len_utf8());
        }
    }
    ranges
}

/// The bytes that a token of a byte-level vocabulary stands for. A token with a character outside the
/// byte alphabet, as an added one may have, stands for its own text.
fn append_bytes(token: &str, bytes: &mut Vec<u8>) {
    match token.chars().map(byte_of).collect::<Option<Vec<u8>>>() {
        Some(raw) => bytes.extend(raw),
        None => bytes.extend(token.bytes()),
    }
}

/// The byte that a character of GPT-2's byte alphabet stands for: printable Latin-1 for itself, and the
/// characters from U+0100 on for the 68 other bytes in order.
fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    let byte = match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// Spans for every other decoder: tokens are fed one by one, and those that completed a piece of text
/// together share it.
fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<Range<usize>> {
    let mut stream = tokenizer.decode_stream(false);
    let mut spans = Vec::with_capacity(ids.len());
    let mut at = 0;
    for (position, &id) in ids.iter().enumerate() {
        if let Ok(Some(text)) = stream.step(id) {
            spans.resize(position + 1, at..at + text.len());
            at += text.len();
        }
    }
    let whole = tokenizer.decode(ids, false).map_or(at, |text| text.len().max(at));
    spans.resize(ids.len(), at..whole);
    spans
}

#[cfg(test)]
mod tests {
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    use super::*;

    #[test]
    fn the_byte_alphabet_is_a_bijection() {
        let mut bytes: Vec<u8> = ByteLevel::alphabet().into_iter().filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        let mut space = Vec::new();
        append_bytes("\u{120}Oslo\u{10a}", &mut space);
        assert_eq!(space, b" Oslo\n");
    }

    #[test]
    fn broken_bytes_become_one_replacement_a_piece() {
        let cases: [&[u8]; 6] =
            [b"", b"ab", "é€😀".as_bytes(), b"\xf0\x9f\x98", b"a\xffb\xe2\x82", b"\xe2\x82\xe2\x82\xac"];
        for bytes in cases {
            let ranges = characters(bytes);
            assert_eq!(ranges.len(), bytes.len());
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(ranges.last().map_or(0, |range| range.end), text.len(), "{bytes:?}");
            assert!(ranges.iter().all(|range| text[range.clone()].chars().count() == 1), "{bytes:?}");
        }
    }
}
