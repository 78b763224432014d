//! One task of each kind.

use std::borrow::Cow;

use serde_json::{Map, Value};
use toolrl_grammar::{Call, Turn};

use super::ask::{Asked, ask};
use super::gold;
use super::listing::{self, Listed};
use super::render::Earlier;
use super::slot::{Draw, Drawn, Slot};
use super::tool::{Domain, FollowUp, Tool};
use super::{phrases, python_json, tools};
use crate::TaskKind;

/// The parts of a task before its prompt is rendered.
#[derive(Debug)]
pub(crate) struct Task {
    /// The tools that the prompt lists.
    pub(crate) tools: Vec<Listed>,
    /// Earlier turns.
    pub(crate) history: Vec<Earlier>,
    /// What the user asks now.
    pub(crate) request: String,
    /// The gold reply.
    pub(crate) gold: Turn<'static>,
}

/// What tasks are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stock<'a> {
    /// The domains whose tools are used and listed.
    pub(crate) domains: &'a [&'static Domain],
    /// The least and the greatest number of listed tools.
    pub(crate) listed: (usize, usize),
}

impl Stock<'_> {
    /// Draws a task of that kind.
    pub(crate) fn task(self, kind: TaskKind, draw: &mut Draw<'_>) -> Option<Task> {
        match kind {
            TaskKind::SeveralCalls => self.several_calls(draw),
            TaskKind::NoCall if draw.rng.chance(0.2) => Some(self.small_talk(draw)),
            TaskKind::NoCall => Some(self.no_tool(draw)),
            TaskKind::History => self.history(draw),
            TaskKind::Masked => self.one_call(true, draw),
            _ => self.one_call(false, draw),
        }
    }

    fn tool(self, draw: &mut Draw<'_>) -> &'static Tool {
        let domain = draw.rng.pick(self.domains);
        draw.rng.pick(domain.tools)
    }

    fn list(
        self,
        needed: &[&'static Tool],
        absent: Option<&'static Tool>,
        draw: &mut Draw<'_>,
    ) -> Vec<Listed> {
        let (least, greatest) = self.listed;
        let count = least + draw.rng.below(greatest - least + 1);
        listing::list(self.domains, needed, absent, count, draw.rng)
    }

    fn one_call(self, masked: bool, draw: &mut Draw<'_>) -> Option<Task> {
        let asked = ask(self.tool(draw), None, draw);
        let mut tools = self.list(&[asked.tool], None, draw);
        if masked {
            listing::mask(&mut tools, draw.rng);
        }
        let call = asked.call(&tools)?;
        let thought = format!("I need to {}, so I call {}.", asked.tool.task, name(&call));
        let request = phrases::sentence(&asked.phrase, draw.rng);
        Some(Task { tools, history: Vec::new(), request, gold: gold::calls(thought, vec![call]) })
    }

    fn several_calls(self, draw: &mut Draw<'_>) -> Option<Task> {
        let count = if draw.rng.chance(0.8) { 2 } else { 3 };
        let asked: Vec<Asked> = (0..count).map(|_| ask(self.tool(draw), None, draw)).collect();
        let needed: Vec<_> = asked.iter().map(|asked| asked.tool).collect();
        let tools = self.list(&needed, None, draw);
        let calls: Vec<_> = asked.iter().map(|asked| asked.call(&tools)).collect::<Option<_>>()?;
        let names: Vec<_> = calls.iter().map(name).collect();
        let thought = format!("This takes {count} calls: {}.", names.join(", then "));
        let phrases: Vec<_> = asked.iter().map(|asked| asked.phrase.as_str()).collect();
        let request = phrases::sentences(&phrases, draw.rng);
        Some(Task { tools, history: Vec::new(), request, gold: gold::calls(thought, calls) })
    }

    /// A request for a tool that the prompt does not list.
    fn no_tool(self, draw: &mut Draw<'_>) -> Task {
        let asked = ask(self.tool(draw), None, draw);
        let tools = self.list(&[], Some(asked.tool), draw);
        let task = asked.tool.task;
        let gold = gold::response(
            format!("None of the tools can {task}, so I answer in words."),
            format!("I am sorry, I have no tool to {task}."),
        );
        Task { tools, history: Vec::new(), request: phrases::sentence(&asked.phrase, draw.rng), gold }
    }

    fn small_talk(self, draw: &mut Draw<'_>) -> Task {
        let (request, answer) = phrases::small_talk(draw);
        let tools = self.list(&[], None, draw);
        let gold = gold::response("No tool is needed here, so I answer in words.".to_owned(), answer);
        Task { tools, history: Vec::new(), request, gold }
    }

    /// A turn that goes on from rows which an earlier call returned.
    fn history(self, draw: &mut Draw<'_>) -> Option<Task> {
        let follow_ups: Vec<&FollowUp> = self.domains.iter().flat_map(|domain| domain.follow_ups).collect();
        let follow_up = *draw.rng.pick(&follow_ups);
        let first = ask(tools::find(self.domains, follow_up.first)?, None, draw);
        let then = tools::find(self.domains, follow_up.then)?;
        let slot = &then.params.iter().find(|param| param.name == follow_up.param)?.slot;
        let rows = rows(follow_up, slot, draw);
        let picked = pick(follow_up, slot, &rows, draw)?;
        let value = python_json::text(&picked.value);
        let asked = ask(then, Some((follow_up.param, picked)), draw);
        let tools = self.list(&[first.tool, then], None, draw);
        let turn = Earlier {
            request: phrases::sentence(&first.phrase, draw.rng),
            calls: gold::lines(&[first.call(&tools)?]),
            observation: python_json::text(&Value::Array(rows)),
        };
        let call = asked.call(&tools)?;
        let thought = format!("The records give {value}, so I call {}.", name(&call));
        let request = phrases::sentence(&asked.phrase, draw.rng);
        Some(Task { tools, history: vec![turn], request, gold: gold::calls(thought, vec![call]) })
    }
}

/// The name in a call.
fn name<'c>(call: &'c Call<'static>) -> Cow<'c, str> {
    call.name.lossy()
}

/// Two or three rows with different values and different numbers.
fn rows(follow_up: &FollowUp, slot: &Slot, draw: &mut Draw<'_>) -> Vec<Value> {
    let count = 2 + draw.rng.below(2);
    let mut plain = Draw { rng: &mut *draw.rng, hard: 0.0, held_out: draw.held_out };
    let mut values: Vec<Value> = Vec::new();
    let mut numbers: Vec<i64> = Vec::new();
    while values.len() < count {
        let (value, number) = (slot.draw(&mut plain).value, plain.rng.between(11, 99));
        if !values.contains(&value) && !numbers.contains(&number) {
            values.push(value);
            numbers.push(number);
        }
    }
    let row = |(value, number): (Value, i64)| {
        let fields = [(follow_up.field, value), (follow_up.measure, number.into())];
        Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
    };
    values.into_iter().zip(numbers).map(row).collect()
}

/// Picks a row, by its place or by its number.
fn pick(follow_up: &FollowUp, slot: &Slot, rows: &[Value], draw: &mut Draw<'_>) -> Option<Drawn> {
    const PLACES: [&str; 3] = ["first", "second", "third"];
    let by_number = draw.rng.chance(0.6);
    let index = draw.rng.below(rows.len());
    let number = |row: &Value| row.get(follow_up.measure).and_then(Value::as_i64);
    let (row, phrase) = if by_number {
        let greatest = draw.rng.chance(0.5);
        let [least, most] = follow_up.extremes;
        if greatest {
            (rows.iter().max_by_key(|row| number(row))?, most.to_owned())
        } else {
            (rows.iter().min_by_key(|row| number(row))?, least.to_owned())
        }
    } else {
        let place = PLACES.get(index)?;
        let is_code = matches!(slot, Slot::Code);
        (rows.get(index)?, if is_code { format!("listed {place}") } else { format!("the {place} one") })
    };
    Some(Drawn { phrase, value: row.get(follow_up.field)?.clone() })
}
