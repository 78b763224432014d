//! A text with places to fill in, as prompt files write them: `{name}`, or `{content, stripped}`,
//! where all after the first word is a remark.

use crate::BfclError;

/// A text with places to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The index of the place's name among the known ones.
    Place(usize),
}

impl Template {
    /// Reads a text whose places have one of the `known` names, each at least once. Braces around
    /// anything else are text.
    pub fn parse(field: &str, text: &str, known: &[&str]) -> Result<Self, BfclError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            let inside = &rest[open + 1..];
            match place(inside, known) {
                Some((place, len)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Place(place));
                    rest = &inside[len..];
                }
                None => {
                    plain.push('{');
                    rest = inside;
                }
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        match (0..known.len()).find(|place| !pieces.contains(&Piece::Place(*place))) {
            Some(missing) => {
                let name = known[missing];
                Err(BfclError::Prompt { problem: format!("field `{field}`: expected a place {{{name}}}") })
            }
            None => Ok(Self(pieces)),
        }
    }

    /// The text with its places filled, by the order of the known names.
    pub fn fill(&self, values: &[&str]) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Place(index) => values.get(*index).copied().unwrap_or_default(),
        });
        pieces.collect()
    }
}

/// The place that begins after an opening brace, and how long it is with its closing one.
fn place(inside: &str, known: &[&str]) -> Option<(usize, usize)> {
    let len = inside.find('}')?;
    let word = inside[..len].split([',', ' ']).next()?;
    let index = known.iter().position(|name| *name == word)?;
    Some((index, len + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let template = Template::parse("t", "{\"a\": {b}} {a, stripped}{a}{", &["a", "b"]).unwrap();
        assert_eq!(template.fill(&["{b}", "x"]), "{\"a\": x} {b}{b}{");
        let error = Template::parse("t", "{c} {", &["a"]).unwrap_err();
        assert_eq!(error.to_string(), "prompt file: field `t`: expected a place {a}");
    }
}
