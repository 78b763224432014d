//! What every service is: functions that calls can name, and a state.

use num_bigint::BigInt;
use toolrl_grammar::json::MAX_INTEGER_DIGITS;

use crate::long_context::{LongContext, Texts};
use crate::python::{Function, Outcome, Raised};
use crate::value::{Dict, Value};
use crate::{ServicesError, services};

/// One of the eight services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Files and directories, and commands such as `mv` and `grep` on them.
    GorillaFileSystem,
    /// Arithmetic, without a state.
    MathAPI,
    /// Messages between users of a workspace.
    MessageAPI,
    /// Posts, comments and followers.
    TwitterAPI,
    /// Support tickets.
    TicketAPI,
    /// Stocks, orders and an account.
    TradingBot,
    /// Flights, credit cards and bookings.
    TravelAPI,
    /// A car.
    VehicleControlAPI,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::GorillaFileSystem,
        Self::MathAPI,
        Self::MessageAPI,
        Self::TwitterAPI,
        Self::TicketAPI,
        Self::TradingBot,
        Self::TravelAPI,
        Self::VehicleControlAPI,
    ];

    /// Its name in the cases' `involved_classes` and `initial_config`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GorillaFileSystem => "GorillaFileSystem",
            Self::MathAPI => "MathAPI",
            Self::MessageAPI => "MessageAPI",
            Self::TwitterAPI => "TwitterAPI",
            Self::TicketAPI => "TicketAPI",
            Self::TradingBot => "TradingBot",
            Self::TravelAPI => "TravelAPI",
            Self::VehicleControlAPI => "VehicleControlAPI",
        }
    }

    /// The class of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// The file of `multi_turn_func_doc` that documents its functions, one a line.
    pub fn documentation(self) -> &'static str {
        match self {
            Self::GorillaFileSystem => "gorilla_file_system.json",
            Self::MathAPI => "math_api.json",
            Self::MessageAPI => "message_api.json",
            Self::TwitterAPI => "posting_api.json",
            Self::TicketAPI => "ticket_api.json",
            Self::TradingBot => "trading_bot.json",
            Self::TravelAPI => "travel_booking.json",
            Self::VehicleControlAPI => "vehicle_control.json",
        }
    }

    /// The names of the functions that calls can name.
    pub fn functions(self) -> impl Iterator<Item = &'static str> {
        self.table().iter().map(|function| function.name)
    }

    pub(crate) fn function(self, name: &str) -> Option<&'static Function> {
        self.table().iter().find(|function| function.name == name)
    }

    fn table(self) -> &'static [Function] {
        match self {
            Self::GorillaFileSystem => services::files::FUNCTIONS,
            Self::MathAPI => services::math::FUNCTIONS,
            Self::MessageAPI => services::message::FUNCTIONS,
            Self::TwitterAPI => services::posting::FUNCTIONS,
            Self::TicketAPI => services::ticket::FUNCTIONS,
            Self::TradingBot => services::trading::FUNCTIONS,
            Self::TravelAPI => services::travel::FUNCTIONS,
            Self::VehicleControlAPI => services::vehicle::FUNCTIONS,
        }
    }
}

/// Whether a case's scenario is enlarged by bulky texts and lists, in the state and in results.
#[derive(Clone, Debug, Default)]
pub enum Context {
    /// As the case says.
    #[default]
    Plain,
    /// The `long_context` category, with the texts and lists that it adds.
    Long(LongContext),
}

impl Context {
    pub(crate) fn is_long(&self) -> bool {
        self.texts().is_some()
    }

    /// What a long context adds.
    pub(crate) fn texts(&self) -> Option<&Texts> {
        match self {
            Self::Plain => None,
            Self::Long(long) => Some(long.texts()),
        }
    }
}

/// A service in a state.
pub(crate) trait Service: Send {
    /// Runs one of the class's functions. There is a slot for each parameter, `None` where the default
    /// stands.
    ///
    /// # Errors
    /// The exception that the function raises. What it changed before stays changed.
    fn call(&mut self, function: &str, slots: &[Option<&Value>]) -> Outcome;

    /// The public attributes in order: the state that is compared.
    fn attributes(&self) -> Vec<(&'static str, Value)>;
}

/// What a service without that function gives; binding keeps calls from getting there.
pub(crate) fn no_function(function: &str) -> Outcome {
    Err(Raised::name(function))
}

/// A case's settings of one class, and the defaults where it sets nothing.
pub(crate) struct Scenario<'a> {
    class: &'static str,
    entries: &'a Dict,
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(class: Class, entries: &'a Dict) -> Self {
        Self { class: class.name(), entries }
    }

    pub(crate) fn find(&self, key: &str) -> Option<&'a Value> {
        self.entries.get(key)
    }

    /// The setting, or this default.
    pub(crate) fn get(&self, key: &str, default: impl Into<Value>) -> Value {
        self.entries.get(key).cloned().unwrap_or_else(|| default.into())
    }

    /// A setting that must be a dict.
    pub(crate) fn dict(&self, key: &str, default: impl FnOnce() -> Dict) -> Result<Dict, ServicesError> {
        match self.entries.get(key) {
            None => Ok(default()),
            Some(Value::Dict(entries)) => Ok(entries.clone()),
            Some(other) => Err(self.error(key, "an object", other)),
        }
    }

    /// A setting that must be a list.
    pub(crate) fn list(&self, key: &str, default: Vec<Value>) -> Result<Vec<Value>, ServicesError> {
        match self.entries.get(key) {
            None => Ok(default),
            Some(Value::List(items)) => Ok(items.clone()),
            Some(other) => Err(self.error(key, "a list", other)),
        }
    }

    /// The seed of a service's random numbers.
    pub(crate) fn seed(&self, default: i64) -> Result<BigInt, ServicesError> {
        match self.entries.get("random_seed") {
            None => Ok(default.into()),
            Some(Value::Int(seed)) => Ok(seed.clone()),
            Some(other) => Err(self.error("random_seed", "an integer", other)),
        }
    }

    pub(crate) fn error(&self, key: &str, expected: &'static str, found: &Value) -> ServicesError {
        let found = found.repr().chars().take(80).collect();
        ServicesError::Scenario { class: self.class, key: key.to_owned(), expected, found }
    }
}

/// The text of a call's result: a string as it is, a dict as `json.dumps` writes it (`str` where that
/// raises), anything else as `str`.
///
/// # Errors
/// Python's, for an integer of too many digits.
pub(crate) fn result_text(value: &Value) -> Outcome<String> {
    if too_long_integer(value) {
        return Err(crate::python::too_many_digits());
    }
    Ok(match value {
        Value::Dict(_) => match value.to_json() {
            Some(json) => json.to_string(),
            None => value.to_string(),
        },
        _ => value.to_string(),
    })
}

fn too_long_integer(value: &Value) -> bool {
    match value {
        // A digit takes more than 3 bits.
        Value::Int(n) => {
            n.bits() > 3 * MAX_INTEGER_DIGITS as u64 && n.magnitude().to_string().len() > MAX_INTEGER_DIGITS
        }
        Value::List(items) => items.iter().any(too_long_integer),
        Value::Dict(entries) => entries.values().any(too_long_integer),
        _ => false,
    }
}
