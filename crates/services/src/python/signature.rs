//! Functions, and how a call's arguments come to their parameters.

use super::{Outcome, Raised};
use crate::value::Value;

/// A function that calls can name: its parameters in order, those without a default first.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

/// A function of these parameters without and with a default.
pub(crate) const fn function(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> Function {
    Function { name, required, optional }
}

impl Function {
    /// The arguments by parameter; `None` where the default stands. `class` goes into the errors' texts.
    ///
    /// # Errors
    /// Python's `TypeError`, in its order: a keyword that is unknown or given twice, too many positional
    /// arguments, parameters without an argument.
    pub(crate) fn bind<'a>(
        &self,
        class: &str,
        positional: &'a [Value],
        keywords: &'a [(String, Value)],
    ) -> Outcome<Vec<Option<&'a Value>>> {
        let fail = |message: String| Err(Raised::type_error(format!("{class}.{}() {message}", self.name)));
        let parameters = || self.required.iter().chain(self.optional);
        let count = parameters().count();
        let mut slots: Vec<Option<&Value>> = positional.iter().map(Some).take(count).collect();
        slots.resize(count, None);
        for (keyword, value) in keywords {
            match parameters().position(|parameter| parameter == keyword) {
                Some(i) if slots[i].is_none() => slots[i] = Some(value),
                None if keyword != "self" => {
                    return fail(format!("got an unexpected keyword argument '{keyword}'"));
                }
                _ => return fail(format!("got multiple values for argument '{keyword}'")),
            }
        }
        if positional.len() > count {
            return fail(self.too_many(positional.len()));
        }
        let missing: Vec<String> = (self.required.iter().zip(&slots))
            .filter(|(_, slot)| slot.is_none())
            .map(|(name, _)| format!("'{name}'"))
            .collect();
        if !missing.is_empty() {
            let plural = if missing.len() == 1 { "" } else { "s" };
            let count = missing.len();
            let names = listed(&missing);
            return fail(format!("missing {count} required positional argument{plural}: {names}"));
        }
        Ok(slots)
    }

    /// Python counts the instance too.
    fn too_many(&self, given: usize) -> String {
        let (least, most) = (self.required.len() + 1, self.required.len() + self.optional.len() + 1);
        let takes = if least == most { most.to_string() } else { format!("from {least} to {most}") };
        let plural = if most == 1 { "" } else { "s" };
        format!("takes {takes} positional argument{plural} but {} were given", given + 1)
    }
}

/// `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`.
fn listed(names: &[String]) -> String {
    match names {
        [rest @ .., before, last] if !rest.is_empty() => format!("{}, {before}, and {last}", rest.join(", ")),
        [first, last] => format!("{first} and {last}"),
        _ => names.concat(),
    }
}
