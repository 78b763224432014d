//! One call against one answer.

use std::borrow::Cow;

use toolrl_grammar::json::{Object, PyInt, PyStr, Value, identical_or_equal};

use super::{java, javascript, types, values};
use crate::types::Kind;
use crate::{Answer, Declared, ErrorType, Language, Parameter, Verdict};

/// How the model under test writes the names of functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Names {
    /// As the functions are named.
    #[default]
    Dotted,
    /// With an underscore for each dot, as models write them whose API knows no dots.
    Underscored,
}

/// A call of a reply.
pub(super) struct Call<'v, 'a> {
    name: &'v PyStr<'a>,
    arguments: &'v Object<'a>,
}

impl<'v, 'a> Call<'v, 'a> {
    /// The call of an object with one key, whose value is an object.
    pub fn of(value: &'v Value<'a>) -> Option<Self> {
        let entries = value.as_object().filter(|entries| entries.len() == 1)?;
        let (name, arguments) = entries.first()?;
        Some(Self { name, arguments: arguments.as_object()? })
    }
}

/// What a check depends on beside call and answer.
pub(super) struct Checker {
    pub language: Language,
    pub names: Names,
}

impl Checker {
    /// Holds a call against an answer: the name, what is missing, each argument in the call's
    /// order, what the answer needs beyond that. The first failure is the verdict.
    pub fn check(&self, call: &Call<'_, '_>, answer: &Answer) -> Verdict {
        let signature = &answer.signature;
        if !self.is_name(call.name.as_bytes(), signature.name.as_bytes()) {
            return Err(ErrorType::WrongFunctionName);
        }
        let given = |name: &PyStr<'_>| call.arguments.contains_key(name.as_bytes());
        if !signature.required.iter().all(given) {
            return Err(ErrorType::MissingRequired);
        }
        for (name, value) in call.arguments {
            let parameter = signature.parameters.get(name.as_bytes());
            let options = answer.options.get(name.as_bytes());
            let (Some(parameter), Some(options)) = (parameter, options) else {
                return Err(ErrorType::UnexpectedParameter);
            };
            check_value(self.converted(value, parameter)?.as_ref(), parameter, options)?;
        }
        let optional = |options: &[Value<'_>]| options.iter().any(is_empty_text);
        let mut others = answer.options.iter();
        if others.any(|(name, options)| !given(name) && !optional(options)) {
            return Err(ErrorType::MissingOptional);
        }
        Ok(())
    }

    fn is_name(&self, found: &[u8], expected: &[u8]) -> bool {
        match self.names {
            Names::Dotted => found == expected,
            Names::Underscored => {
                let underscored = expected.iter().map(|&byte| if byte == b'.' { b'_' } else { byte });
                found.iter().copied().eq(underscored)
            }
        }
    }

    /// The argument as the language's value: in Python an integer becomes a float where one is
    /// declared; Java and JavaScript give source text.
    fn converted<'v, 'a>(
        &self,
        value: &'v Value<'a>,
        parameter: &Parameter,
    ) -> Result<Cow<'v, Value<'a>>, ErrorType> {
        match (self.language, value) {
            (Language::Python, Value::Int(number)) if parameter.declared == Declared::Float => {
                Ok(Cow::Owned(Value::Float(as_float(number))))
            }
            (Language::Python, value) => Ok(Cow::Borrowed(value)),
            (Language::Java, Value::Str(text)) => {
                Ok(converted(value, java::convert(&text.lossy(), parameter)))
            }
            (Language::Java, _) => Err(ErrorType::JavaType),
            (Language::JavaScript, Value::Str(text)) => {
                Ok(converted(value, javascript::convert(&text.lossy(), parameter)))
            }
            (Language::JavaScript, _) => Err(ErrorType::JavaScriptType),
        }
    }
}

/// A conversion's result; the text itself where there is none.
fn converted<'v, 'a>(text: &'v Value<'a>, result: Option<Value<'static>>) -> Cow<'v, Value<'a>> {
    match result {
        Some(value) => Cow::Owned(value),
        None => Cow::Borrowed(text),
    }
}

fn as_float(number: &PyInt<'_>) -> f64 {
    match number {
        PyInt::Small(number) => *number as f64,
        PyInt::Big(digits) => digits.parse().unwrap_or(f64::NAN),
    }
}

/// Type, then value. Where the answer's options are of another type than the declared one, they
/// name a variable, and the value must be one of them as it stands.
fn check_value(value: &Value<'_>, parameter: &Parameter, options: &[Value<'static>]) -> Verdict {
    let declared = parameter.declared.kind();
    let items = parameter.items.map(Declared::kind);
    let among = || options.iter().any(|option| identical_or_equal(value, option));
    let exact = |found: bool| if found { Ok(()) } else { Err(ErrorType::OtherValue) };
    if types::check(value, declared, items, options)? == types::Reading::Variable {
        return exact(among());
    }
    match (declared, items, value) {
        (Kind::Dict, _, Value::Object(entries)) => values::dict(entries, options),
        (Kind::List, Some(Kind::Dict), Value::List(found)) => values::list_of_dicts(found, options),
        (Kind::Str, _, Value::Str(text)) => values::string(text, options),
        (Kind::List, _, Value::List(found)) => values::list(found, options),
        _ => exact(among()),
    }
}

/// Whether an option is `""`, which marks what may be left out.
pub(super) fn is_empty_text(option: &Value<'_>) -> bool {
    option.as_bytes().is_some_and(<[u8]>::is_empty)
}
