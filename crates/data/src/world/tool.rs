//! What a tool of the world is: a row of the tables in `tools/`.

use super::slot::Slot;

/// Tools that belong together.
#[derive(Debug)]
pub(crate) struct Domain {
    /// The domain's name.
    pub(crate) name: &'static str,
    /// Its tools; each does something that no other tool of the world does.
    pub(crate) tools: &'static [Tool],
    /// Turns that go on from what an earlier call returned.
    pub(crate) follow_ups: &'static [FollowUp],
}

/// A tool, and how people ask for it.
#[derive(Debug)]
pub(crate) struct Tool {
    /// The function's name.
    pub(crate) name: &'static str,
    /// What it does, as a verb phrase: "book a table". Its description is this with a capital and a full stop.
    pub(crate) task: &'static str,
    /// Ways to ask for it, each a verb phrase. A parameter may stand in it as `{name}`; the others follow as
    /// their own [`Param::fragment`]s in random order.
    pub(crate) leads: &'static [&'static str],
    /// Its parameters, in the schema's order.
    pub(crate) params: &'static [Param],
}

impl Tool {
    /// The description that prompts list.
    pub(crate) fn description(&self) -> String {
        let mut letters = self.task.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).chain(['.']).collect()
    }
}

/// A parameter of a tool.
#[derive(Debug)]
pub(crate) struct Param {
    /// The parameter's name.
    pub(crate) name: &'static str,
    /// Its description in the schema.
    pub(crate) about: &'static str,
    /// Where its values come from.
    pub(crate) slot: Slot,
    /// How a request gives it, `{}` standing for the value's phrase.
    pub(crate) fragment: &'static str,
    /// Whether a request may leave it out.
    pub(crate) optional: bool,
}

/// A parameter that every request gives.
pub(crate) const fn param(
    name: &'static str,
    about: &'static str,
    slot: Slot,
    fragment: &'static str,
) -> Param {
    Param { name, about, slot, fragment, optional: false }
}

/// A parameter that requests may leave out; a call then leaves it out too.
pub(crate) const fn optional(
    name: &'static str,
    about: &'static str,
    slot: Slot,
    fragment: &'static str,
) -> Param {
    Param { name, about, slot, fragment, optional: true }
}

/// A tool of the tables.
pub(crate) const fn tool(
    name: &'static str,
    task: &'static str,
    leads: &'static [&'static str],
    params: &'static [Param],
) -> Tool {
    Tool { name, task, leads, params }
}

/// A second turn: the first call returned rows, and the request picks one of them.
#[derive(Debug)]
pub(crate) struct FollowUp {
    /// The tool called in the first turn.
    pub(crate) first: &'static str,
    /// The tool to call now.
    pub(crate) then: &'static str,
    /// The parameter of `then` that takes its value from the rows.
    pub(crate) param: &'static str,
    /// The field of the rows that holds the value.
    pub(crate) field: &'static str,
    /// A number that every row holds, by which one can be picked.
    pub(crate) measure: &'static str,
    /// What the row with the least and the row with the greatest number are called.
    pub(crate) extremes: [&'static str; 2],
}
