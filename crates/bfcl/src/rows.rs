//! Rows that ask for a verdict, a line of JSON each, and the lines that answer them.

use sha2::{Digest, Sha256};
use toolrl_grammar::json::{self, Object, PyStr, Value};

use crate::{Benchmark, BfclError, Names};
use crate::{check, decode_ast, decode_execute, has_call, is_call_list};

/// A row that asks for a verdict.
#[derive(Clone, Debug)]
pub enum Row<'a> {
    /// Decoded calls against a case: `id` and `output`, and perhaps `u2d`, whether the model writes
    /// an underscore for a dot in names.
    Ast {
        /// The case.
        id: String,
        /// The decoded calls, of whatever form.
        output: Value<'a>,
        /// How the model writes names.
        names: Names,
    },
    /// A reply to decode: `raw`.
    Decode {
        /// The reply.
        raw: PyStr<'a>,
    },
    /// Calls over several turns: `turns`. They are for the simulated services, whole as they are.
    MultiTurn(Value<'a>),
}

impl<'a> Row<'a> {
    /// Reads a row and tells its kind by its fields.
    ///
    /// # Errors
    /// [`BfclError::RowSyntax`] for what is no JSON, [`BfclError::RowField`] for a field that is
    /// missing or of another type.
    pub fn parse<T: AsRef<[u8]> + ?Sized>(line: &'a T) -> Result<Self, BfclError> {
        let mut row = match json::parse(line).map_err(BfclError::RowSyntax)? {
            Value::Object(entries) => entries,
            other => return Err(unexpected("row", "an object", Some(&other))),
        };
        if row.contains_key(&b"turns"[..]) {
            return Ok(Self::MultiTurn(Value::Object(row)));
        }
        match row.swap_remove(&b"raw"[..]) {
            Some(Value::Str(raw)) => return Ok(Self::Decode { raw }),
            Some(other) => return Err(unexpected("raw", "a string", Some(&other))),
            None => {}
        }
        let output = row.swap_remove(&b"output"[..]);
        let output = output.ok_or_else(|| unexpected("output", "`output`, `raw` or `turns`", None))?;
        let names = match row.get(&b"u2d"[..]) {
            None | Some(Value::Null | Value::Bool(false)) => Names::Dotted,
            Some(Value::Bool(true)) => Names::Underscored,
            other => return Err(unexpected("u2d", "true or false", other)),
        };
        match row.get(&b"id"[..]) {
            Some(Value::Str(id)) => Ok(Self::Ast { id: id.lossy().into_owned(), output, names }),
            other => Err(unexpected("id", "a string", other)),
        }
    }

    /// The line that answers a row of one turn: `id`, `valid` and `error_type`, or what
    /// [`decoded`] gives.
    ///
    /// # Errors
    /// [`BfclError::UnknownCase`] and [`BfclError::NotSingleTurn`]; [`BfclError::RowField`] for
    /// calls over several turns.
    pub fn verdict(&self, benchmark: &Benchmark) -> Result<Value<'static>, BfclError> {
        match self {
            Self::Ast { id, output, names } => {
                let verdict = check(benchmark.case(id)?, Some(output), *names)?;
                let error_type = verdict.err().map_or(Value::Null, |error| Value::str(error.name()));
                Ok(object([
                    ("id", Value::str(id.clone())),
                    ("valid", Value::Bool(verdict.is_ok())),
                    ("error_type", error_type),
                ]))
            }
            Self::Decode { raw } => Ok(decoded(raw.as_bytes())),
            Self::MultiTurn(row) => Err(unexpected("turns", "a row of one turn", row.get("turns"))),
        }
    }
}

/// What the handler decodes from a reply: `decode_ast`, whether that is a list of calls
/// (`format_ok`) and whether it calls nothing (`empty`), `decode_execute`, and `execute_error`
/// where the latter is none.
pub fn decoded(reply: &[u8]) -> Value<'static> {
    let calls = decode_ast(reply).into_owned();
    let (format_ok, empty) = (is_call_list(&calls), !has_call(Some(&calls)));
    let (sources, error) = match decode_execute(reply) {
        Ok(sources) => (Value::List(sources.into_iter().map(Value::Str).collect()), Value::Null),
        Err(error) => (Value::Null, Value::str(error.to_string())),
    };
    object([
        ("decode_ast", calls),
        ("format_ok", Value::Bool(format_ok)),
        ("empty", Value::Bool(empty)),
        ("decode_execute", sources),
        ("execute_error", error),
    ])
}

/// A case's prompt by its hash: `category`, `id` and `sha256` of the text.
pub fn prompt_hash(case: (&str, &str), text: &str) -> Value<'static> {
    let (category, id) = case;
    let digest = Sha256::digest(text);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    object([
        ("category", Value::str(category.to_owned())),
        ("id", Value::str(id.to_owned())),
        ("sha256", Value::str(digits)),
    ])
}

fn object<const N: usize>(entries: [(&'static str, Value<'static>); N]) -> Value<'static> {
    Value::Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect::<Object<'_>>())
}

fn unexpected(field: &'static str, expected: &'static str, found: Option<&Value<'_>>) -> BfclError {
    BfclError::RowField { field, expected, found: Value::described(found) }
}
