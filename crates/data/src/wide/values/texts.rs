//! Codes and addresses.

use crate::random::Rng;

/// A code of that pattern: `#` is a digit, `@` a capital letter that no digit looks like.
pub(super) fn code(rng: &mut Rng, pattern: &str) -> String {
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let drawn = |symbol| match symbol {
        '#' => char::from(b'1' + rng.below(9) as u8),
        '@' => char::from(*rng.pick(letters)),
        other => other,
    };
    pattern.chars().map(drawn).collect()
}

/// The address of a person at a host.
pub(super) fn email(person: &str, host: &str) -> String {
    format!("{}@{host}", person.to_lowercase().replace(' ', "."))
}
