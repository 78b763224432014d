//! A call as a model makes it: a name and JSON parameters.

use std::fmt::{self, Display};

use toolrl_grammar::json;

use crate::ServicesError;
use crate::python::call_text;
use crate::value::Value;

/// A call by name with keyword parameters.
///
/// It displays as the text that a [`Session`](crate::Session) executes: `name(key=repr, …)` with each
/// parameter as Python's `repr` writes it.
#[derive(Clone, Debug)]
pub struct Call {
    name: String,
    parameters: Vec<(String, Value)>,
}

impl Call {
    /// A call of `name` with the parameters of a JSON object.
    ///
    /// # Errors
    /// [`ServicesError::Field`] when `parameters` is no object.
    pub fn new(name: &str, parameters: &json::Value<'_>) -> Result<Self, ServicesError> {
        let entries = parameters.as_object().ok_or_else(|| {
            let found = parameters.type_name().to_owned();
            ServicesError::Field { field: "parameters", expected: "an object", found }
        })?;
        let parameters =
            entries.iter().map(|(key, value)| (key.lossy().into_owned(), Value::from_json(value)));
        Ok(Self { name: name.to_owned(), parameters: parameters.collect() })
    }

    /// A call from an object with `name` and `parameters`.
    ///
    /// # Errors
    /// [`ServicesError::Field`] when one of the two is missing or of another type.
    pub fn from_json(value: &json::Value<'_>) -> Result<Self, ServicesError> {
        let name = match value.get("name") {
            Some(json::Value::Str(name)) => name.lossy(),
            other => {
                let found = other.map_or("nothing", json::Value::type_name).to_owned();
                return Err(ServicesError::Field { field: "name", expected: "a string", found });
            }
        };
        Self::new(&name, value.get("parameters").unwrap_or(&json::Value::Null))
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters.iter().map(|(key, value)| (key.as_str(), value.clone()));
        f.write_str(&call_text(&self.name, parameters))
    }
}
