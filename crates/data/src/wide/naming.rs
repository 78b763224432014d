//! How names are written.

use crate::random::Rng;
use crate::wide::english::capital;

/// A convention for names of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `book_haircut`
    Snake,
    /// `bookHaircut`
    Camel,
    /// `salon.book_haircut`
    Dotted,
    /// `salon_book_haircut`
    Prefixed,
}

impl Style {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        *rng.pick(&[Self::Snake, Self::Snake, Self::Camel, Self::Dotted, Self::Prefixed])
    }

    /// The name of a tool of a domain.
    pub(crate) fn tool(self, domain: &str, words: &str) -> String {
        match self {
            Self::Snake => snake(words),
            Self::Camel => camel(words),
            Self::Dotted => format!("{domain}.{}", snake(words)),
            Self::Prefixed => format!("{domain}_{}", snake(words)),
        }
    }

    /// The name of a parameter.
    pub(crate) fn parameter(self, words: &str) -> String {
        if self == Self::Camel { camel(words) } else { snake(words) }
    }
}

fn parts(words: &str) -> impl Iterator<Item = String> {
    let is_end = |letter: char| !letter.is_alphanumeric();
    let plain = words.replace('\'', "");
    plain.split(is_end).filter(|part| !part.is_empty()).map(str::to_lowercase).collect::<Vec<_>>().into_iter()
}

fn snake(words: &str) -> String {
    parts(words).collect::<Vec<_>>().join("_")
}

fn camel(words: &str) -> String {
    let word = |(index, part): (usize, String)| if index == 0 { part } else { capital(&part) };
    parts(words).enumerate().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_convention() {
        let name = |style: Style| style.tool("vet", "move parents' pet check-up");
        assert_eq!(name(Style::Snake), "move_parents_pet_check_up");
        assert_eq!(name(Style::Camel), "moveParentsPetCheckUp");
        assert_eq!(name(Style::Dotted), "vet.move_parents_pet_check_up");
        assert_eq!(name(Style::Prefixed), "vet_move_parents_pet_check_up");
        assert_eq!(Style::Camel.parameter("start date"), "startDate");
    }
}
