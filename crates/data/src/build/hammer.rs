//! Hammer's augmentation (arXiv 2410.04587): opaque names, and requests whose right tools are gone.

use std::collections::{HashMap, HashSet};

use super::step::{Call, Step, Tool, Turn};
use super::xlam::NO_TOOL;
use crate::random::Rng;

/// Whether a step stays a task when the tools that its gold reply calls are taken away.
pub(super) fn can_lose_its_tools(step: &Step) -> bool {
    match step.gold() {
        Turn::Calls(calls) => step.tools.iter().any(|tool| !is_called(tool, calls)),
        _ => true,
    }
}

/// The step without the tools that its gold reply calls: no tool fits, and the gold reply says so.
pub(super) fn without_its_tools(mut step: Step) -> Step {
    if let Turn::Calls(calls) = step.gold() {
        step.tools = step.tools.iter().filter(|tool| !is_called(tool, calls)).cloned().collect();
        let gold = Turn::Response(NO_TOOL.to_owned());
        step.dialogue = step.history().iter().cloned().chain([gold]).collect();
    }
    step
}

fn is_called(tool: &Tool, calls: &[Call]) -> bool {
    calls.iter().any(|call| call.name == tool.name)
}

/// The step with a random string for the name of each function and parameter, in the list of tools and in
/// the calls alike. Requests, descriptions and values stay as they are.
pub(super) fn masked(mut step: Step, rng: &mut Rng) -> Step {
    let mut used = HashSet::new();
    let mut functions = HashMap::new();
    let mut tools = step.tools.to_vec();
    for tool in &mut tools {
        let mut params = HashMap::new();
        for (name, _) in &mut tool.params {
            let mask = fresh(rng, &mut used);
            params.insert(std::mem::replace(name, mask.clone()), mask);
        }
        for name in &mut tool.required {
            rename(name, &params);
        }
        let mask = fresh(rng, &mut used);
        functions.insert(std::mem::replace(&mut tool.name, mask.clone()), (mask, params));
    }
    let mut dialogue = step.dialogue.to_vec();
    for turn in &mut dialogue {
        let Turn::Calls(calls) = turn else { continue };
        for call in calls {
            if let Some((mask, params)) = functions.get(&call.name) {
                call.name.clone_from(mask);
                call.arguments.iter_mut().for_each(|(name, _)| rename(name, params));
            }
        }
    }
    step.tools = tools.into();
    step.dialogue = dialogue.into();
    step.masked = true;
    step
}

fn rename(name: &mut String, names: &HashMap<String, String>) {
    if let Some(mask) = names.get(name) {
        name.clone_from(mask);
    }
}

/// A random name of 4 to 12 letters, digits and `_` that begins with a letter and was not used before.
fn fresh(rng: &mut Rng, used: &mut HashSet<String>) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const LETTERS: usize = 52;
    loop {
        let first = ALPHABET[rng.below(LETTERS)];
        let more = rng.between(3, 11);
        let rest: Vec<u8> = (0..more).map(|_| *rng.pick(ALPHABET)).collect();
        let name: String = [first].iter().chain(&rest).map(|&byte| char::from(byte)).collect();
        if used.insert(name.clone()) {
            return name;
        }
    }
}
