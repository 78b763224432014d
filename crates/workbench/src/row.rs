//! Rows of replies with their references, in either form.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use toolrl_grammar::ScoredText;
use toolrl_grammar::json::{self, Object, PyInt, Unicode, Value};
use toolrl_reward::released::Variant;
use toolrl_reward::rows::Row as ReleasedRow;
use toolrl_reward::{Asked, RewardError, released};

use crate::WorkbenchError;

/// A reply, the reference that it is scored against, and what it is compared with.
#[derive(Debug)]
pub struct Row {
    /// Its line, or its place among the rows, from 1.
    pub number: usize,
    /// Its `id` as JSON, where it has one.
    pub id: Option<String>,
    /// The reply; or why it cannot be told from its prompt.
    pub reply: Result<Vec<u8>, RewardError>,
    /// The reference reply.
    pub gold: Vec<u8>,
    /// The training step it was sampled in, where it says so.
    pub step: Option<u64>,
    /// Which of the released rewards it names.
    pub variant: Variant,
    /// What it shares with the other replies to its prompt.
    pub key: GroupKey,
    /// The tools that its task lists, where it has them, as [`toolrl_reward::Tools::of`] reads them.
    pub tools: Vec<serde_json::Value>,
    /// The messages that its task asks by, where it has them, as one line of JSON.
    pub messages: Option<String>,
}

/// What rows of one group share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey {
    /// The value of a field that names groups.
    pub named: Option<String>,
    /// A hash of prompt and reference.
    pub prompt: u64,
}

impl Row {
    /// Reads a line of JSON: `solution_str` and `ground_truth` ([`toolrl_reward::rows`]), or `completion` and
    /// `gold`, as a training run records them.
    ///
    /// # Errors
    /// [`WorkbenchError`] for a line that is no row, or that lacks the field `group_by`.
    pub fn parse(line: &[u8], number: usize, group_by: Option<&str>) -> Result<Self, WorkbenchError> {
        let value = json::parse(line).map_err(RewardError::RowSyntax)?;
        let Value::Object(fields) = &value else {
            return Err(WorkbenchError::RowForm { found: value.type_name().to_owned() });
        };
        let mut row = if fields.contains_key(&b"solution_str"[..]) {
            Self::released(line, number)?
        } else if fields.contains_key(&b"completion"[..]) {
            Self::completion(fields, number)?
        } else {
            let keys: Vec<_> = fields.keys().take(12).map(|key| key.lossy()).collect();
            return Err(WorkbenchError::RowForm { found: format!("the keys {}", keys.join(", ")) });
        };
        row.step = row.step.filter(|_| fields.contains_key(&b"step"[..]));
        row.tools = tools(fields)?;
        row.messages = fields.get(&b"messages"[..]).map(|messages| Unicode(messages).to_string());
        row.id = fields.get(&b"id"[..]).or(fields.get(&b"sample_id"[..])).map(ToString::to_string);
        row.key.named = match group_by {
            Some(field) => match fields.get(field.as_bytes()) {
                Some(value) => Some(value.to_string()),
                None => return Err(WorkbenchError::NoGroupField { field: field.to_owned() }),
            },
            None => named_group(fields),
        };
        Ok(row)
    }

    /// A row of a training run's record.
    pub fn sampled(number: usize, step: u64, prompt_index: u64, id: &str, reply: &str, gold: &str) -> Self {
        let key = GroupKey { named: Some(format!("{step}/{prompt_index}")), prompt: 0 };
        Self {
            number,
            id: Some(Value::str(id).to_string()),
            reply: Ok(reply.into()),
            gold: gold.into(),
            step: Some(step),
            variant: Variant::default(),
            key,
            tools: Vec::new(),
            messages: None,
        }
    }

    fn released(line: &[u8], number: usize) -> Result<Self, WorkbenchError> {
        let row = ReleasedRow::parse(line)?;
        let whole = row.solution.as_bytes();
        let cut = released::extract_reply(whole, row.template);
        // The reply is a part of the whole; what stands before it is its prompt.
        let start = |reply: &[u8]| (reply.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        let prompt = cut.as_ref().ok().map_or(whole, |reply| whole[..start(reply)].trim_ascii_end());
        let reply = cut.map(<[u8]>::to_vec);
        let key = GroupKey { named: None, prompt: hash(&[prompt, row.ground_truth.as_bytes()]) };
        Ok(Self {
            number,
            id: None,
            reply,
            gold: row.ground_truth.as_bytes().to_vec(),
            step: Some(row.step),
            variant: row.variant,
            key,
            tools: Vec::new(),
            messages: None,
        })
    }

    fn completion(fields: &Object<'_>, number: usize) -> Result<Self, WorkbenchError> {
        let (reply, gold) = (text_of(fields, "completion")?, text_of(fields, "gold")?);
        let prompt = fields.get(&b"prompt"[..]).map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            number,
            id: None,
            reply: Ok(ScoredText::of("", reply).text.into_owned()),
            gold: gold.to_vec(),
            step: whole_number(fields, "step"),
            variant: Variant::default(),
            key: GroupKey { named: None, prompt: hash(&[prompt.as_bytes(), gold]) },
            tools: Vec::new(),
            messages: None,
        })
    }

    /// What its task asks, as far as it says so.
    pub(crate) fn asked(&self) -> Asked {
        let id = self.id.as_deref().unwrap_or_default();
        let id = match json::parse(id) {
            Ok(Value::Str(text)) => text.lossy().into_owned(),
            _ => id.to_owned(),
        };
        Asked { id, messages: self.messages.clone().unwrap_or_else(|| "null".to_owned()) }
    }

    /// What to call it.
    pub fn label(&self) -> String {
        match &self.id {
            Some(id) => format!("row {} ({id})", self.number),
            None => format!("row {}", self.number),
        }
    }
}

/// The group that a row's fields name: `group`; `prompt_index`, with `step`; or `prompt`.
fn named_group(fields: &Object<'_>) -> Option<String> {
    let field = |name: &str| fields.get(name.as_bytes()).map(ToString::to_string);
    let step = field("step").unwrap_or_default();
    let numbered = || field("prompt_index").map(|index| format!("{step}/{index}"));
    field("group").or_else(numbered).or_else(|| field("prompt").map(|p| hash(&[p.as_bytes()]).to_string()))
}

fn text_of<'f>(fields: &'f Object<'_>, field: &'static str) -> Result<&'f [u8], WorkbenchError> {
    let value = fields.get(field.as_bytes());
    value.and_then(Value::as_bytes).ok_or_else(|| {
        let found = value.map_or("nothing", Value::type_name).to_owned();
        RewardError::RowField { field, expected: "a string", found }.into()
    })
}

/// The tools of a row: a list, or a text that holds one.
fn tools(fields: &Object<'_>) -> Result<Vec<serde_json::Value>, WorkbenchError> {
    let read = match fields.get(&b"tools"[..]) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Str(text)) => serde_json::from_slice(text.as_bytes()),
        Some(other) => serde_json::from_str(&other.to_string()),
    };
    read.map_err(|error| {
        RewardError::RowField { field: "tools", expected: "a list of tools", found: error.to_string() }.into()
    })
}

fn whole_number(fields: &Object<'_>, field: &str) -> Option<u64> {
    match fields.get(field.as_bytes()) {
        Some(Value::Int(PyInt::Small(n))) => u64::try_from(*n).ok(),
        _ => None,
    }
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Puts rows into groups by what they share, each group's members in the rows' order and the groups in that of
/// their first rows: by the named field where every row has it; by `id` where some ids repeat; else by prompt
/// and reference.
pub fn groups(rows: &[(GroupKey, Option<String>)]) -> Vec<Vec<usize>> {
    let all_named = rows.iter().all(|(key, _)| key.named.is_some());
    let ids: Vec<_> = rows.iter().filter_map(|(_, id)| id.as_ref()).collect();
    let ids_repeat = ids.len() == rows.len() && ids.iter().collect::<HashSet<_>>().len() < ids.len();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, (key, id)) in rows.iter().enumerate() {
        let name = match (&key.named, id) {
            (Some(name), _) if all_named => name.clone(),
            (_, Some(id)) if ids_repeat => id.clone(),
            _ => key.prompt.to_string(),
        };
        let group = *places.entry(name).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(place);
    }
    groups
}
