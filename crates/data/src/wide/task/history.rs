//! Tasks that go on from earlier turns.

use serde_json::{Map, Value};
use toolrl_chat::Message;

use super::{Maker, Task, made};
use crate::wide::asked::Asked;
use crate::wide::deed::Deed;
use crate::wide::english::{capital, fill};
use crate::wide::naming::Style;
use crate::wide::request;
use crate::wide::tool::{Key, Tool};
use crate::wide::values::{Draw, Said};

/// A tool that returned rows, one that takes a value of a row, and what asks for the row.
struct Rows {
    first: Asked,
    then: Asked,
    rows: Value,
    count: usize,
    pick: String,
}

impl Maker<'_> {
    pub(super) fn history(&self, draw: &mut Draw<'_>) -> Option<Task> {
        match draw.rng.below(10) {
            0..5 => self.follow_up(draw),
            5..8 => self.answered(draw),
            _ => self.next_topic(draw),
        }
    }

    /// A request about a row of an earlier result.
    fn follow_up(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let (style, phrases) = (Style::draw(draw), &self.shelf.words.phrases);
        let Rows { first, then, rows, count, pick } = self.rows(style, draw)?;
        let mut messages = vec![Message::new("user", request::one(&first, phrases, draw)?)];
        messages.extend(made(&first, &rows));
        let told = first.tool.deed.worded(&fill(draw.text(&phrases.rows), "n", &count.to_string()));
        messages.push(Message::new("assistant", told));
        let request = request::about_row(&then, &pick, phrases, draw)?;
        messages.push(Message::new("user", capital(&request)));
        Some(self.after(messages, &[first], then, style, draw))
    }

    /// One request for two calls, of which the first was made.
    pub(super) fn multi_hop(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let (style, phrases) = (Style::draw(draw), &self.shelf.words.phrases);
        let Rows { first, then, rows, pick, .. } = self.rows(style, draw)?;
        let mut messages = vec![Message::new("user", request::hop(&first, &then, &pick, phrases, draw)?)];
        messages.extend(made(&first, &rows));
        Some(self.after(messages, &[first], then, style, draw))
    }

    /// The answer to a question for a value that was missing.
    fn answered(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let (style, phrases) = (Style::draw(draw), &self.shelf.words.phrases);
        let mut asked = self.lacking(style, draw)?;
        let request = request::one(&asked, phrases, draw)?;
        let question = self.question(&asked, draw)?;
        let missing = asked.unsaid.take()?;
        let (_, said) = asked.values.iter().find(|(index, _)| *index == missing)?;
        let answer = capital(&fill(draw.text(&phrases.answering), "value", &said.bare));
        let messages = [("user", request), ("assistant", question), ("user", answer)];
        let messages = messages.map(|(role, content)| Message::new(role, content)).to_vec();
        Some(self.after(messages, &[], asked, style, draw))
    }

    /// A request that has nothing to do with the turns before it.
    fn next_topic(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let (style, phrases) = (Style::draw(draw), &self.shelf.words.phrases);
        let first = self.asked(style, draw, |deed| !deed.frame.looks)?;
        let then = self.asked(style, draw, |deed| !deed.is_like(&first.tool.deed))?;
        if first.tool.name == then.tool.name {
            return None;
        }
        let mut messages = vec![Message::new("user", request::one(&first, phrases, draw)?)];
        messages.extend(made(&first, &phrases.result));
        messages.push(Message::new("assistant", draw.text(&phrases.done)));
        messages.push(Message::new("user", request::one(&then, phrases, draw)?));
        Some(self.after(messages, &[first], then, style, draw))
    }

    fn after(
        &self,
        messages: Vec<Message>,
        earlier: &[Asked],
        asked: Asked,
        style: Style,
        draw: &mut Draw<'_>,
    ) -> Task {
        let all: Vec<&Asked> = std::iter::once(&asked).chain(earlier).collect();
        let tools = self.list(&all, false, style, draw);
        let relative = all.iter().any(|asked| asked.is_relative());
        let gold = self.calling(&[&asked]);
        Task { tools, messages, gold, asked: vec![asked], absent: None, relative }
    }

    /// Two tools of one thing, rows that the first returned, and one of them for the second.
    fn rows(&self, style: Style, draw: &mut Draw<'_>) -> Option<Rows> {
        let lists = |deed: &Deed| !deed.frame.rows.is_empty();
        let first = self.asked(style, draw, lists)?;
        let about = first.tool.deed;
        let then = self.shelf.deed(draw, |deed| {
            deed.is_of_thing(&about) && !deed.frame.hop.is_empty() && !deed.is_like(&about)
        })?;
        let mut then = Asked::draw(Tool::draw(then, Key::First, style, draw)?, draw);
        let key = then.tool.params.first()?.clone();
        let measures = &self.shelf.words.phrases.least_and_most;
        let measured = about.frame.rows.iter().map(|field| measures.iter().find(|m| m.field == *field));
        let measured: Vec<_> = measured.collect::<Option<_>>()?;
        let count = 2 + draw.rng.below(2);
        let mut rows: Vec<(Said, Vec<i64>)> = Vec::new();
        for _ in 0..60 {
            let said = key.value(draw);
            let numbers: Vec<_> = measured.iter().map(|m| draw.rng.between(m.range[0], m.range[1])).collect();
            let is_new = rows.iter().all(|(other, others)| {
                other.value != said.value && others.iter().zip(&numbers).all(|(a, b)| a != b)
            });
            if rows.len() < count && is_new {
                rows.push((said, numbers));
            }
        }
        let (place, pick) = self.pick(&measured, &rows, draw)?;
        then.values.first_mut()?.1 = rows.get(place)?.0.clone();
        then.unsaid = Some(0);
        let row = |(said, numbers): &(Said, Vec<i64>)| {
            let measured =
                measured.iter().map(|m| m.field.clone()).zip(numbers.iter().map(|n| Value::from(*n)));
            Value::Object(
                std::iter::once((key.name.clone(), said.value.clone()))
                    .chain(measured)
                    .collect::<Map<_, _>>(),
            )
        };
        Some(Rows { first, then, count: rows.len(), rows: rows.iter().map(row).collect(), pick })
    }

    /// A row, by its place or by its number.
    fn pick(
        &self,
        measured: &[&super::super::phrases::Measure],
        rows: &[(Said, Vec<i64>)],
        draw: &mut Draw<'_>,
    ) -> Option<(usize, String)> {
        let phrases = &self.shelf.words.phrases;
        if draw.rng.chance(0.4) {
            let place = draw.rng.below(rows.len());
            let is_last = place + 1 == rows.len() && draw.rng.chance(0.5);
            let pick = if is_last { &phrases.last } else { phrases.ordinals.get(place)? };
            return Some((place, pick.clone()));
        }
        let column = draw.rng.below(measured.len());
        let number = |place: &usize| rows.get(*place).and_then(|(_, numbers)| numbers.get(column));
        let measure = measured.get(column)?;
        if draw.rng.chance(0.5) {
            Some(((0..rows.len()).max_by_key(number)?, measure.most.clone()))
        } else {
            Some(((0..rows.len()).min_by_key(number)?, measure.least.clone()))
        }
    }
}
