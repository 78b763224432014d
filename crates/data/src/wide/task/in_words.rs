//! Tasks whose right answer is in words: no tool fits, a value is missing, or the work is done.

use toolrl_chat::Message;

use super::{Maker, Task, made};
use crate::wide::asked::Asked;
use crate::wide::english::{capital, fill};
use crate::wide::naming::Style;
use crate::wide::request::{self, small};
use crate::wide::shelf::Wanted;
use crate::wide::values::Draw;

impl Maker<'_> {
    pub(super) fn no_call(&self, draw: &mut Draw<'_>) -> Option<Task> {
        match draw.rng.below(10) {
            0 => self.talk(draw),
            1 | 2 => self.done(draw),
            _ => self.no_tool(draw),
        }
    }

    /// A request for what no listed tool does, though some do something near.
    fn no_tool(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let (style, phrases) = (Style::draw(draw), &self.shelf.words.phrases);
        let asked = self.asked(style, draw, |_| true)?;
        let (relative, deed) = (asked.is_relative(), asked.tool.deed);
        let request = request::one(&asked, phrases, draw)?;
        let wanted = Wanted { absent: Some(deed), no_looks: true, ..Wanted::default() };
        let tools = self.shelf.list(wanted, style, draw);
        let words = fill(draw.text(&phrases.cannot), "vp", &deed.tell());
        let gold = self.answering("None of the tools does this, so I answer in words.", words);
        let messages = vec![Message::new("user", request)];
        Some(Task { tools, messages, gold, asked: Vec::new(), absent: Some(deed), relative })
    }

    fn talk(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let style = Style::draw(draw);
        let [request, answer] = draw.rng.pick(&self.shelf.words.phrases.talk);
        let deed = self.shelf.deed(draw, |_| true);
        let tools = self.shelf.list(Wanted { absent: deed, ..Wanted::default() }, style, draw);
        let gold = self.answering("No tool is needed here.", answer.clone());
        let messages = vec![Message::new("user", request.clone())];
        Some(Task { tools, messages, gold, asked: Vec::new(), absent: None, relative: false })
    }

    /// The call was made, and its result says that all is well.
    fn done(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let (style, phrases) = (Style::draw(draw), &self.shelf.words.phrases);
        let asked = self.asked(style, draw, |deed| !deed.frame.looks)?;
        let mut messages = vec![Message::new("user", request::one(&asked, phrases, draw)?)];
        let tools = self.list(&[&asked], false, style, draw);
        messages.extend(made(&asked, &phrases.result));
        let gold = self.answering("The call went well, so I say so.", draw.text(&phrases.done).to_owned());
        Some(Task { tools, messages, gold, asked: Vec::new(), absent: None, relative: asked.is_relative() })
    }

    /// A request that lacks a value which the call must have.
    pub(super) fn ask_back(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let style = Style::draw(draw);
        let asked = self.lacking(style, draw)?;
        let request = request::one(&asked, &self.shelf.words.phrases, draw)?;
        let tools = self.list(&[&asked], true, style, draw);
        let gold = self.answering("A value is missing, so I ask for it.", self.question(&asked, draw)?);
        let messages = vec![Message::new("user", request)];
        let relative = asked.is_relative();
        Some(Task { tools, messages, gold, asked: vec![asked], absent: None, relative })
    }

    /// A call of which one needed value is not stated.
    pub(super) fn lacking(&self, style: Style, draw: &mut Draw<'_>) -> Option<Asked> {
        let mut asked = self.asked(style, draw, |deed| !deed.frame.must.is_empty())?;
        let needed = asked.tool.params.iter().enumerate();
        let needed: Vec<_> = needed
            .filter(|(_, param)| param.required && !param.slot.ask.is_empty())
            .map(|(at, _)| at)
            .collect();
        if needed.is_empty() {
            return None;
        }
        asked.unsaid = Some(*draw.rng.pick(&needed));
        Some(asked)
    }

    /// What asks for the value that is not stated.
    pub(super) fn question(&self, asked: &Asked, draw: &mut Draw<'_>) -> Option<String> {
        let param = asked.tool.params.get(asked.unsaid?)?;
        let ask = asked.tool.deed.worded(&param.slot.ask);
        let pattern = draw.text(&self.shelf.words.phrases.asking);
        Some(fill(&fill(pattern, "ask", &capital(&ask)), "question", &small(&ask)))
    }
}
