//! Terms by name, so that a recipe can choose them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toolrl_grammar::Parsed;

use crate::closure::AnyError;
use crate::{
    AnyTerm, AsyncFnTerm, AsyncTerm, BatchTerm, Binary, Context, Correctness, FnTerm, Format, Length, Limits,
    Random, Reference, RewardError, RougeValues, Schema, Term, TermScore,
};

/// Builds a term from its settings in a recipe.
type Factory = Box<dyn Fn(&toml::Table) -> Result<AnyTerm, RewardError> + Send + Sync>;

/// The terms that recipes can name.
pub struct Registry {
    factories: BTreeMap<String, Factory>,
}

impl Registry {
    /// A registry without a term.
    pub fn empty() -> Self {
        Self { factories: BTreeMap::new() }
    }

    /// The terms of this crate: `format`, `correctness`, `length`, `schema`, `binary`, `rouge_values` and `random`.
    pub fn builtin() -> Self {
        let mut registry = Self::empty();
        registry.register(Format::ID, |table| Ok(Box::new(Format::new(settings(Format::ID, table)?))));
        registry.register(Correctness::ID, |table| {
            Ok(Box::new(Correctness::new(settings(Correctness::ID, table)?)))
        });
        registry.register(Length::ID, |table| Ok(Box::new(Length::new(settings(Length::ID, table)?))));
        registry.register(Binary::ID, |table| Ok(Box::new(Binary::new(settings(Binary::ID, table)?))));
        registry.register(RougeValues::ID, |table| {
            Ok(Box::new(RougeValues::new(settings(RougeValues::ID, table)?)?))
        });
        registry.register(Schema::ID, |table| Ok(Box::new(Schema::new(settings(Schema::ID, table)?))));
        registry.register(Random::ID, |table| {
            settings::<NoSettings>(Random::ID, table)?;
            Ok(Box::new(Random))
        });
        registry
    }

    /// Registers a term of one's own. An id that is taken is replaced.
    ///
    /// The factory gets the term's settings: its table in the recipe without `id` and `weight`.
    /// [`settings`] turns them into a typed struct.
    pub fn register<F>(&mut self, id: impl Into<String>, factory: F) -> &mut Self
    where
        F: Fn(&toml::Table) -> Result<Box<dyn Term>, RewardError> + Send + Sync + 'static,
    {
        let factory = move |table: &toml::Table| factory(table).map(AnyTerm::Sync);
        self.factories.insert(id.into(), Box::new(factory));
        self
    }

    /// Registers a term that has to be waited for, in the same way.
    pub fn register_async<F>(&mut self, id: impl Into<String>, factory: F) -> &mut Self
    where
        F: Fn(&toml::Table) -> Result<Box<dyn AsyncTerm>, RewardError> + Send + Sync + 'static,
    {
        let factory = move |table: &toml::Table| Ok(AnyTerm::Async(factory(table)?, Limits::default()));
        self.factories.insert(id.into(), Box::new(factory));
        self
    }

    /// Registers a term that scores many replies at once, with the limits that hold where a recipe states none.
    pub fn register_batch<F>(&mut self, id: impl Into<String>, limits: Limits, factory: F) -> &mut Self
    where
        F: Fn(&toml::Table) -> Result<Box<dyn BatchTerm>, RewardError> + Send + Sync + 'static,
    {
        let factory = move |table: &toml::Table| Ok(AnyTerm::Batch(factory(table)?, limits));
        self.factories.insert(id.into(), Box::new(factory));
        self
    }

    /// Registers a closure as a term without settings: from a reply and its reference to a value, or to a
    /// [`TermScore`] that explains itself. `range` is the least and the greatest value that it gives.
    ///
    /// ```
    /// use toolrl_reward::Registry;
    ///
    /// let mut registry = Registry::builtin();
    /// registry.register_fn("calls", (0.0, f64::INFINITY), |reply, _gold, _context| {
    ///     reply.turn.calls.len() as f64
    /// });
    /// assert!(registry.ids().any(|id| id == "calls"));
    /// ```
    pub fn register_fn<F, S>(&mut self, id: &str, range: (f64, f64), score: F) -> &mut Self
    where
        F: Fn(&Parsed<'_>, &Reference, &Context) -> S + Send + Sync + 'static,
        S: Into<TermScore> + 'static,
    {
        let (term, name) = (Arc::new(FnTerm::new(id, range, score)), id.to_owned());
        self.register(id, move |table| {
            settings::<NoSettings>(&name, table)?;
            Ok(Box::new(term.clone()))
        })
    }

    /// Registers an asynchronous closure as a term without settings, such as a judge behind HTTP: from the
    /// reply's text and the reference's to a value or an error. Recipes set its `timeout_seconds`,
    /// `concurrency` and `on_failure`.
    ///
    /// ```
    /// use toolrl_reward::Registry;
    ///
    /// Registry::builtin().register_async_fn("judge", (0.0, 1.0), |reply, gold| async move {
    ///     // let answer = client.post(URL).json(&(reply, gold)).send().await?.text().await?;
    ///     let answer = if reply == gold { "1.0" } else { "0.2" };
    ///     answer.parse::<f64>()
    /// });
    /// ```
    pub fn register_async_fn<F, W, S, E>(&mut self, id: &str, range: (f64, f64), score: F) -> &mut Self
    where
        F: Fn(String, String) -> W + Send + Sync + 'static,
        W: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<TermScore> + 'static,
        E: Into<AnyError> + 'static,
    {
        let (term, name) = (Arc::new(AsyncFnTerm::new(id, range, score)), id.to_owned());
        self.register_async(id, move |table| {
            settings::<NoSettings>(&name, table)?;
            Ok(Box::new(term.clone()))
        })
    }

    /// Every registered id, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    /// Builds a term.
    ///
    /// # Errors
    /// [`RewardError::UnknownTerm`], or what the factory says of the settings.
    pub fn build(&self, id: &str, settings: &toml::Table) -> Result<AnyTerm, RewardError> {
        let Some(factory) = self.factories.get(id) else {
            let known = self.ids().map(str::to_string).collect();
            return Err(RewardError::UnknownTerm { id: id.to_string(), known });
        };
        factory(settings)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

/// The settings of a closure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Reads a term's settings into a struct, which says with `deny_unknown_fields` that it knows all.
///
/// # Errors
/// [`RewardError::Settings`] with the key and what is wrong with it.
pub fn settings<T: DeserializeOwned>(id: &str, table: &toml::Table) -> Result<T, RewardError> {
    table
        .clone()
        .try_into()
        .map_err(|error| RewardError::Settings { id: id.to_string(), source: Box::new(error) })
}
