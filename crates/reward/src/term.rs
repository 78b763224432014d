//! One term of a reward.

use std::borrow::Cow;

use toolrl_grammar::Parsed;

use crate::{Breakdown, Context, Reference, RewardError};

/// One named part of a reward. Implement it for a reward of your own and register it under an id
/// ([`crate::Registry::register`]), so that a recipe can name it.
pub trait Term: Send + Sync {
    /// Names the term in scores and metrics. No two terms of a rubric share it.
    fn id(&self) -> &str;

    /// The least and the greatest value that [`Term::score`] can give in this context.
    fn range(&self, context: &Context) -> (f64, f64);

    /// Scores a reply against the reference.
    ///
    /// # Errors
    /// Whatever keeps the reply from having a score; [`crate::OnFailure`] says what comes of it. A bad reply
    /// is no error: it scores low.
    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError>;
}

/// What a term says of one reply.
#[derive(Clone, Debug)]
pub struct TermScore {
    /// The term's value, before its weight.
    pub value: f64,
    /// Further numbers worth a metric; they add nothing to the reward.
    pub components: Vec<Component>,
    /// How the value came about.
    pub breakdown: Breakdown,
}

impl TermScore {
    /// A value that needs no explanation.
    pub fn new(value: f64) -> Self {
        Self { value, components: Vec::new(), breakdown: Breakdown::None }
    }

    /// The same with a sentence that explains it.
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { breakdown: Breakdown::Note(note.into()), ..self }
    }

    /// The same with one more component.
    pub fn with_component(mut self, name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        self.components.push(Component { name: name.into(), value });
        self
    }
}

impl From<f64> for TermScore {
    fn from(value: f64) -> Self {
        Self::new(value)
    }
}

/// A number that a term reports beside its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Its name within the term.
    pub name: Cow<'static, str>,
    /// Its value; the built-in terms report fractions from 0 to 1.
    pub value: f64,
}
