//! Cases of several turns.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use toolrl_grammar::json::Value;

use super::row::{Row, rows};
use super::{functions, turns};
use crate::{BfclError, Case, Category, FunctionDoc, MultiTurn, Target};

/// The functions of the services, each file read once.
pub(super) struct Docs {
    folder: PathBuf,
    read: HashMap<&'static str, Vec<FunctionDoc>>,
}

impl Docs {
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("multi_turn_func_doc"), read: HashMap::new() }
    }

    /// The functions of a service.
    fn of(&mut self, file: &'static str) -> Result<&[FunctionDoc], BfclError> {
        if !self.read.contains_key(file) {
            let path = self.folder.join(file);
            let lines = rows(&path)?;
            let docs = lines.iter().map(|(line, value)| {
                let row = Row { path: &path, line: *line, value };
                functions::doc(&row, value)
            });
            self.read.insert(file, docs.collect::<Result<_, _>>()?);
        }
        Ok(self.read.get(file).map_or(&[], Vec::as_slice))
    }
}

/// The file that documents a service's functions, by the service's class.
fn file_of(class: &str) -> Option<&'static str> {
    Some(match class {
        "GorillaFileSystem" => "gorilla_file_system.json",
        "MathAPI" => "math_api.json",
        "MessageAPI" => "message_api.json",
        "TwitterAPI" => "posting_api.json",
        "TicketAPI" => "ticket_api.json",
        "TradingBot" => "trading_bot.json",
        "TravelAPI" => "travel_booking.json",
        "VehicleControlAPI" => "vehicle_control.json",
        _ => return None,
    })
}

/// Reads a case of several turns.
pub(super) fn case(
    question: &Row<'_>,
    answer: &Row<'_>,
    category: Category,
    docs: &mut Docs,
) -> Result<Case, BfclError> {
    let involved_classes = texts(question, "involved_classes", question.list("involved_classes")?)?;
    let mut functions = Vec::new();
    for class in &involved_classes {
        let unknown = || {
            let class = Value::str(class.clone());
            question.unexpected("involved_classes", "a service of the benchmark", Some(&class))
        };
        functions.extend_from_slice(docs.of(file_of(class).ok_or_else(unknown)?)?);
    }
    let withheld = withheld(question, &mut functions)?;
    let turns_of_answer = answer.list("ground_truth")?.iter();
    let ground_truth = turns_of_answer
        .map(|turn| texts(answer, "ground_truth", answer.items("ground_truth", turn)?))
        .collect::<Result<_, _>>()?;
    let initial_config = question.object("initial_config", question.value.get("initial_config"))?;
    let initial_config = Value::Object(initial_config.clone());
    let target = MultiTurn { involved_classes, initial_config, withheld, ground_truth };
    Ok(Case {
        id: question.text("id")?,
        category,
        turns: turns(question)?,
        functions,
        target: Target::MultiTurn(Box::new(target)),
    })
}

/// Takes the functions that come later out of those on offer from the start.
fn withheld(
    question: &Row<'_>,
    functions: &mut Vec<FunctionDoc>,
) -> Result<BTreeMap<usize, Vec<FunctionDoc>>, BfclError> {
    let field = "missed_function";
    let Some(value) = question.value.get(field) else {
        return Ok(BTreeMap::new());
    };
    let mut withheld = BTreeMap::new();
    for (turn, names) in question.object(field, Some(value))? {
        let index = turn.lossy().parse();
        let index = index.map_err(|_| question.unexpected(field, "turns by number", Some(value)))?;
        let mut docs = Vec::new();
        for name in texts(question, field, question.items(field, names)?)? {
            if let Some(at) = functions.iter().position(|doc| doc.name == name) {
                docs.push(functions.remove(at));
            }
        }
        withheld.insert(index, docs);
    }
    Ok(withheld)
}

fn texts(row: &Row<'_>, field: &str, items: &[Value<'static>]) -> Result<Vec<String>, BfclError> {
    items.iter().map(|item| row.as_text(field, Some(item))).collect()
}
