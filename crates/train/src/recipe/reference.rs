//! Which policy divergences are measured from.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::TrainError;

/// Which policy divergences are measured from: in a recipe `"start"`, or a table of when and how it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum KlReference {
    /// The policy that the run begins with, with the adapters that it has.
    #[default]
    Start,
    /// At first that one, then one that follows the policy.
    Renewed(Renewal),
}

/// When and how a reference follows the policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// Steps between its changes: it changes at the end of each step whose number this divides (TRL's
    /// `ref_model_sync_steps`).
    pub every: u64,
    /// `alpha` of [`toolrl_grpo::moving_average`] (TRL's `ref_model_mixup_alpha`), above 0; 1, the default, puts the
    /// policy in the reference's place.
    #[serde(default = "whole")]
    pub moving_average: f64,
}

fn whole() -> f64 {
    1.0
}

impl KlReference {
    pub(crate) fn check(self) -> Result<(), TrainError> {
        let wrong = |message: String| Err(TrainError::Recipe(message));
        match self {
            Self::Renewed(Renewal { every: 0, .. }) => {
                wrong("train.reference.every should be at least 1".to_owned())
            }
            Self::Renewed(Renewal { moving_average, .. })
                if !(moving_average > 0.0 && moving_average <= 1.0) =>
            {
                wrong(format!(
                    "train.reference.moving_average = {moving_average} should be above 0 and at most 1"
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for KlReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Start => serializer.serialize_str(START),
            Self::Renewed(renewal) => renewal.serialize(serializer),
        }
    }
}

const START: &str = "start";

impl<'de> Deserialize<'de> for KlReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = KlReference;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "train.reference as {START:?} or {{ every = N, moving_average = A }}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<KlReference, E> {
                match text {
                    START => Ok(KlReference::Start),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KlReference, A::Error> {
                let renewal = Renewal::deserialize(MapAccessDeserializer::new(map));
                renewal
                    .map(KlReference::Renewed)
                    .map_err(|e| A::Error::custom(format!("train.reference: {e}")))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    #[test]
    fn what_is_no_reference_is_refused_by_its_key() {
        let with = |reference: &str| {
            let text = format!(
                "name = \"a\"\n[train]\nmethod = \"ppo\"\nkl_penalty = {{}}\nreference = {reference}\n"
            );
            Recipe::parse(&text, &[])
        };
        for (reference, expected) in [
            ("{ every = 0 }", "train.reference.every should be at least 1"),
            ("{ every = 2, moving_average = 0 }", "train.reference.moving_average = 0 should be above 0"),
            ("{ every = 2, moving_average = 1.5 }", "train.reference.moving_average = 1.5"),
            ("{ moving_average = 0.5 }", "train.reference: missing field `every`"),
            ("{ every = 2, alpha = 0.5 }", "train.reference: unknown field `alpha`"),
            ("\"base\"", "train.reference as \"start\" or {"),
            ("3", "train.reference as \"start\" or {"),
        ] {
            let message = with(reference).unwrap_err().to_string();
            assert!(message.contains(expected), "{reference}: {message}");
        }
        for reference in ["\"start\"", "{ every = 2 }", "{ every = 2, moving_average = 0.5 }"] {
            let recipe = with(reference).unwrap();
            assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), &[]).unwrap(), recipe, "{reference}");
        }
        let without = "name = \"a\"\n[train]\nmethod = \"grpo\"\nreference = { every = 2 }\n";
        let message = Recipe::parse(without, &[]).unwrap_err().to_string();
        assert!(message.contains("train.reference does nothing without"), "{message}");
    }
}
