//! How names are written.

use super::values::Draw;
use crate::random::{Rng, hash};
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
    /// `tovim_haru`: made up from a task's own number, so that names say nothing and none comes twice.
    MadeUp(u64),
}

impl Style {
    pub(crate) fn draw(draw: &mut Draw<'_>) -> Self {
        // No number is drawn where nothing is made up.
        if draw.made_up > 0.0 && draw.rng.chance(draw.made_up) {
            return Self::MadeUp(draw.rng.below(1 << 31) as u64);
        }
        *draw.rng.pick(&[Self::Snake, Self::Snake, Self::Camel, Self::Dotted, Self::Prefixed])
    }

    /// The name of a tool of a domain.
    pub(crate) fn tool(self, domain: &str, words: &str) -> String {
        match self {
            Self::Snake => snake(words),
            Self::Camel => camel(words),
            Self::Dotted => format!("{domain}.{}", snake(words)),
            Self::Prefixed => format!("{domain}_{}", snake(words)),
            Self::MadeUp(task) => made_up(task, words, &[1, 2, 2, 3]),
        }
    }

    /// The name of a parameter.
    pub(crate) fn parameter(self, words: &str) -> String {
        match self {
            Self::Camel => camel(words),
            Self::MadeUp(task) => made_up(task, words, &[1, 1, 2]),
            _ => snake(words),
        }
    }
}

/// A name that a task has for `words`, of as many made-up words as one of `counts` says.
fn made_up(task: u64, words: &str, counts: &[usize]) -> String {
    let mut rng = Rng::new(task, &[hash(&[words])]);
    let count = *rng.pick(counts);
    (0..count).map(|_| made_up_word(&mut rng)).collect::<Vec<_>>().join("_")
}

/// A word of two or three syllables that means nothing.
pub(crate) fn made_up_word(rng: &mut Rng) -> String {
    const FIRST: &[&str] = &[
        "b", "br", "c", "ch", "d", "dr", "f", "g", "gl", "h", "j", "k", "l", "m", "n", "p", "pl", "r", "s",
        "st", "t", "tr", "v", "z",
    ];
    const MIDDLE: &[&str] = &["a", "e", "i", "o", "u", "a", "e", "o", "ai", "oo"];
    const LAST: &[&str] = &["", "", "", "n", "r", "l", "m", "sk"];
    let syllables = 2 + rng.below(2);
    let mut word = String::new();
    for _ in 0..syllables {
        word.push_str(rng.pick::<&str>(FIRST));
        word.push_str(rng.pick::<&str>(MIDDLE));
    }
    word + rng.pick::<&str>(LAST)
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

    #[test]
    fn a_made_up_name_is_a_tasks_own() {
        let name = |task| Style::MadeUp(task).tool("vet", "move pet check-up");
        assert_eq!(name(1), name(1));
        assert_ne!(name(1), name(2));
        assert_ne!(name(1), Style::MadeUp(1).tool("vet", "cancel pet check-up"));
        let is_plain = |name: String| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        assert!((0..200).map(name).all(is_plain));
        assert!((0..200).map(|task| Style::MadeUp(task).parameter("start date")).all(is_plain));
    }
}
