//! As much of protobuf's encoding as event files and trackers need.
//!
//! A message is its fields one after another, each a key (`field << 3 | wire type`, as a varint) and a value
//! (<https://protobuf.dev/programming-guides/encoding>).

pub(crate) const WIRE_VARINT: u64 = 0;
pub(crate) const WIRE_FIXED64: u64 = 1;
pub(crate) const WIRE_BYTES: u64 = 2;
pub(crate) const WIRE_FIXED32: u64 = 5;

/// Adds a field's key.
pub(crate) fn put_key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(out, field << 3 | wire_type);
}

/// Adds an integer that is not below 0.
pub fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_key(out, field, WIRE_VARINT);
    put_varint(out, value);
}

/// Adds a double.
pub fn put_double(out: &mut Vec<u8>, field: u64, value: f64) {
    put_key(out, field, WIRE_FIXED64);
    out.extend(value.to_le_bytes());
}

/// Adds a text, or a message in a message.
pub fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, WIRE_BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_little_endian_groups_of_seven_bits() {
        for (value, expected) in [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xac, 2])]
        {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, expected);
        }
    }
}
