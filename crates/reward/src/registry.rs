//! Terms by name, so that a recipe can choose them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::{Correctness, Format, Length, RewardError, Term};

/// Builds a term from its settings in a recipe.
type Factory = Box<dyn Fn(&toml::Table) -> Result<Box<dyn Term>, RewardError> + Send + Sync>;

/// The terms that recipes can name.
pub struct Registry {
    factories: BTreeMap<String, Factory>,
}

impl Registry {
    /// A registry without a term.
    pub fn empty() -> Self {
        Self { factories: BTreeMap::new() }
    }

    /// The terms of this crate: `format`, `correctness` and `length`.
    pub fn builtin() -> Self {
        let mut registry = Self::empty();
        registry.register(Format::ID, |table| Ok(Box::new(Format::new(settings(Format::ID, table)?))));
        registry.register(Correctness::ID, |table| {
            Ok(Box::new(Correctness::new(settings(Correctness::ID, table)?)))
        });
        registry.register(Length::ID, |table| Ok(Box::new(Length::new(settings(Length::ID, table)?))));
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
        self.factories.insert(id.into(), Box::new(factory));
        self
    }

    /// Every registered id, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    /// Builds a term.
    ///
    /// # Errors
    /// [`RewardError::UnknownTerm`], or what the factory says of the settings.
    pub fn build(&self, id: &str, settings: &toml::Table) -> Result<Box<dyn Term>, RewardError> {
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
