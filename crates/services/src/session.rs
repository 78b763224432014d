//! A session: the services that a case involves, and the calls run on them.

use toolrl_grammar::json;

use crate::ServicesError;
use crate::python::{Outcome, Raised, parse_call, rewrite};
use crate::service::{Class, Context, Scenario, Service, result_text};
use crate::services::{
    files::Files, math::Math, message::Messages, posting::Posts, ticket::Tickets, trading::Trading,
    travel::Travel, vehicle::Vehicle,
};
use crate::value::{Dict, Value};

/// Names that are refused before they are looked up.
const REFUSED: [&str; 8] = ["kill", "exit", "quit", "remove", "unlink", "popen", "Popen", "run"];

/// Whose calls a session runs. The released evaluator names its instances after it, and a text that
/// contains a function's name before a `(` shows the instance's name in its place. So such a text never
/// agrees between the two sides, here as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The model's.
    Model,
    /// The ground truth's.
    GroundTruth,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::GroundTruth => "model_ground_truth",
        }
    }
}

/// One of a session's services under its instance's name.
struct Instance {
    name: String,
    class: Class,
    service: Box<dyn Service>,
}

/// The services of a case in the state that the calls so far have left.
pub struct Session {
    instances: Vec<Instance>,
}

impl Session {
    /// Services of these classes, each loaded from its entry of `initial_config`, or from the defaults.
    ///
    /// # Errors
    /// [`ServicesError::Scenario`] for a setting that a service cannot start from.
    pub fn new(
        case: &str,
        classes: &[Class],
        initial_config: &json::Value<'_>,
        context: Context,
        side: Side,
    ) -> Result<Self, ServicesError> {
        let mut instances = Vec::with_capacity(classes.len());
        for &class in classes {
            let name = format!("{}_eval_{case}_{}_instance", side.name(), class.name().to_lowercase());
            let config = match initial_config.get(class.name()).map(Value::from_json) {
                Some(Value::Dict(config)) => config,
                _ => Dict::default(),
            };
            let service = load(class, &Scenario::new(class, &config), &context)?;
            instances.push(Instance { name, class, service });
        }
        Ok(Self { instances })
    }

    /// Runs the text of a call, `name(key=literal, …)`, and returns its result's text. A call that fails
    /// is a result too: `Error during execution: …`.
    pub fn execute(&mut self, call: &str) -> String {
        let result = self.evaluate(call).and_then(|value| result_text(&value));
        result.unwrap_or_else(|raised| format!("Error during execution: {}", raised.text))
    }

    fn evaluate(&mut self, text: &str) -> Outcome {
        let text = rewrite(text, |word| self.qualified(word));
        let call_name = text.split('(').next().unwrap_or_default();
        let bare = call_name.split('.').nth(1).unwrap_or(call_name);
        if REFUSED.contains(&bare) {
            return Err(Raised::other(format!("Function call {bare} is not allowed.")));
        }
        let call = parse_call(&text)?;
        let (instance, function) = self.target(&call.name)?;
        if let Some(name) = call.unknown {
            return Err(Raised::name(&name));
        }
        let slots = function.bind(instance.class.name(), &call.positional, &call.keywords)?;
        instance.service.call(function.name, &slots)
    }

    /// The full name of a function that one of the instances has; of several, that of the last.
    fn qualified(&self, function: &str) -> Option<String> {
        let instance = self.instances.iter().rev().find(|own| own.class.function(function).is_some())?;
        Some(format!("{}.{function}", instance.name))
    }

    /// The instance and the function that a full name means.
    fn target(&mut self, name: &str) -> Outcome<(&mut Instance, &'static crate::python::Function)> {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let instance = self.instances.iter_mut().find(|instance| instance.name == first);
        let instance = instance.ok_or_else(|| Raised::name(first))?;
        match instance.class.function(rest) {
            Some(function) => Ok((instance, function)),
            None => Err(Raised::attribute(instance.class.name(), rest)),
        }
    }

    /// The public state of every service, an object by class and attribute, as `json.dumps` writes it.
    pub fn state(&self) -> json::Value<'static> {
        let classes = self.instances.iter().map(|instance| {
            let attributes = instance.service.attributes().into_iter();
            let attributes = attributes.map(|(name, value)| (name.into(), value.to_json_or_text()));
            (instance.class.name().into(), json::Value::Object(attributes.collect()))
        });
        json::Value::Object(classes.collect())
    }

    /// Whether every public attribute is equal to that of another session of the same classes.
    pub fn same_state(&self, other: &Self) -> bool {
        let pairs = self.instances.iter().zip(&other.instances);
        self.instances.len() == other.instances.len()
            && pairs
                .into_iter()
                .all(|(a, b)| a.class == b.class && a.service.attributes() == b.service.attributes())
    }
}

fn load(class: Class, scenario: &Scenario<'_>, context: &Context) -> Result<Box<dyn Service>, ServicesError> {
    Ok(match class {
        Class::GorillaFileSystem => Box::new(Files::load(scenario, context)?),
        Class::MathAPI => Box::new(Math),
        Class::MessageAPI => Box::new(Messages::load(scenario)?),
        Class::TwitterAPI => Box::new(Posts::load(scenario)?),
        Class::TicketAPI => Box::new(Tickets::load(scenario)?),
        Class::TradingBot => Box::new(Trading::load(scenario, context)?),
        Class::TravelAPI => Box::new(Travel::load(scenario, context)?),
        Class::VehicleControlAPI => Box::new(Vehicle::load(scenario, context)?),
    })
}
