//! A case of the benchmark, whole.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use toolrl_grammar::json::{PyStr, Value};

use crate::{Category, Declared};

/// A case: what is asked, with which functions, and what is right.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id, such as `live_simple_19-3-15`.
    pub id: String,
    /// Its category.
    pub category: Category,
    /// The messages of each turn. A single-turn case has one turn.
    pub turns: Vec<Vec<Message>>,
    /// The functions on offer from the first turn.
    pub functions: Vec<FunctionDoc>,
    /// What is right.
    pub target: Target,
}

/// A message of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// A function as its documentation describes it.
#[derive(Clone, Debug)]
pub struct FunctionDoc {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its parameters in the benchmark's form of JSON schema: `type`, `properties`, `required`.
    pub parameters: Value<'static>,
    /// What it gives back, where its documentation says so: that of the services of several turns does.
    pub response: Option<Value<'static>>,
}

impl FunctionDoc {
    /// The object that the benchmark's file has.
    pub fn to_value(&self) -> Value<'static> {
        let entries = [
            ("name", Value::str(self.name.clone())),
            ("description", Value::str(self.description.clone())),
            ("parameters", self.parameters.clone()),
        ];
        let response = self.response.clone().map(|response| ("response", response));
        Value::Object(entries.into_iter().chain(response).map(|(key, value)| (key.into(), value)).collect())
    }
}

/// What is right for a case.
#[derive(Clone, Debug)]
pub enum Target {
    /// These calls.
    Calls(Vec<Answer>),
    /// No call.
    NoCall,
    /// Any call.
    AnyCall,
    /// What services do over several turns.
    MultiTurn(Box<MultiTurn>),
    /// Unknown without the network.
    NotRun,
}

/// A call that is right.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The function that must be called.
    pub signature: Signature,
    /// For each parameter the values that are right; `""` among them means that it may be left out.
    pub options: IndexMap<PyStr<'static>, Vec<Value<'static>>>,
}

/// What the checker needs to know of a function.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Its name.
    pub name: String,
    /// The types of its parameters.
    pub parameters: IndexMap<PyStr<'static>, Parameter>,
    /// The parameters that must be given.
    pub required: Vec<PyStr<'static>>,
}

/// The declared type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its type.
    pub declared: Declared,
    /// The type of its items, where that is looked at.
    pub items: Option<Declared>,
}

/// What a case of several turns brings.
#[derive(Clone, Debug)]
pub struct MultiTurn {
    /// The services that take part, by class name.
    pub involved_classes: Vec<String>,
    /// The state of each service at the start, by class name.
    pub initial_config: Value<'static>,
    /// The functions that are on offer only from a turn on, by that turn.
    pub withheld: BTreeMap<usize, Vec<FunctionDoc>>,
    /// The calls of each turn that are right, as Python expressions.
    pub ground_truth: Vec<Vec<String>>,
}
