//! Tasks that one reply of calls answers.

use toolrl_chat::Message;

use super::{Maker, Task};
use crate::wide::asked::{Asked, Detail};
use crate::wide::english::holes;
use crate::wide::naming::Style;
use crate::wide::request;
use crate::wide::values::Draw;

impl Maker<'_> {
    pub(super) fn one_call(&self, masked: bool, draw: &mut Draw<'_>) -> Option<Task> {
        let style = Style::draw(draw);
        let mut asked = self.asked(style, draw, |_| true)?;
        let request = request::one(&asked, &self.shelf.words.phrases, draw)?;
        let mut tools = self.list(&[&asked], false, style, draw);
        if masked {
            let first = draw.rng.below(80);
            let needed = tools.iter().position(|tool| tool.name == asked.tool.name)?;
            for (index, tool) in tools.iter_mut().enumerate() {
                tool.mask(first + index, draw);
            }
            asked.tool = tools.get(needed)?.clone();
        }
        let gold = self.calling(&[&asked]);
        let relative = asked.is_relative();
        Some(Task {
            tools,
            messages: vec![Message::new("user", request)],
            gold,
            asked: vec![asked],
            absent: None,
            relative,
        })
    }

    pub(super) fn several_calls(&self, draw: &mut Draw<'_>) -> Option<Task> {
        let style = Style::draw(draw);
        let phrases = &self.shelf.words.phrases;
        let (asked, request) = if draw.rng.chance(0.5) {
            self.repeated(style, draw)?
        } else {
            let count = if draw.rng.chance(0.75) { 2 } else { 3 };
            let asked: Vec<_> =
                (0..count).map(|_| self.asked(style, draw, |_| true)).collect::<Option<_>>()?;
            let clash =
                |a: &Asked, b: &Asked| a.tool.deed.is_like(&b.tool.deed) || a.tool.name == b.tool.name;
            if (1..count).any(|b| (0..b).any(|a| clash(&asked[a], &asked[b]))) {
                return None;
            }
            let request = request::several(&asked, phrases, draw)?;
            (asked, request)
        };
        let calls: Vec<&Asked> = asked.iter().collect();
        let tools = self.list(&calls, false, style, draw);
        let gold = self.calling(&calls);
        let relative = asked.iter().any(Asked::is_relative);
        Some(Task {
            tools,
            messages: vec![Message::new("user", request)],
            gold,
            asked,
            absent: None,
            relative,
        })
    }

    /// The same call twice, with one value changed: that which the call is about, where it has such a one.
    fn repeated(&self, style: Style, draw: &mut Draw<'_>) -> Option<(Vec<Asked>, String)> {
        let asked = self.asked(style, draw, |deed| !deed.frame.must.is_empty())?;
        let frame = asked.tool.deed.frame;
        let inline = |id: &str| frame.orders.iter().any(|order| holes(order).any(|hole| hole == id));
        let (index, param) = asked
            .tool
            .params
            .iter()
            .enumerate()
            .find(|(_, param)| param.required && !param.slot.say.is_empty() && !inline(param.id))?;
        let mut second = asked.clone();
        let (_, said) = second.values.iter_mut().find(|(place, _)| *place == index)?;
        let changed = param.value(draw);
        if changed.value == said.value {
            return None;
        }
        *said = changed;
        let detail = Detail::of(param, said, draw.rng);
        let request = request::again(&asked, &detail, &self.shelf.words.phrases, draw)?;
        Some((vec![asked, second], request))
    }
}
