//! What is told of a file beside its samples.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Form;
use crate::RefusedRow;

/// How a file was read: nothing that was left unread or changed is missing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The rows of each form.
    pub forms: BTreeMap<Form, usize>,
    /// Fields of the rows' forms, each with the number of rows that fill it.
    pub read: BTreeMap<String, usize>,
    /// Fields that no sample has anything of, each with the number of rows that fill it.
    pub passed_over: BTreeMap<String, usize>,
    /// Rows that were left out.
    pub refused: Vec<RefusedRow>,
    /// Texts that held lone surrogates, which are U+FFFD now.
    pub surrogates: usize,
    /// Replies that are no samples, since nothing that they answer stands before them.
    pub unprompted: usize,
    /// System texts that listed the tools, and that the chat template's list replaces.
    pub system_lists: usize,
    /// Ids that an earlier sample had, and that were changed to be unique.
    pub repeated_ids: usize,
}

impl Reading {
    /// Tells once what was read, passed over or changed.
    pub(crate) fn tell(&self, path: &Path) {
        let path = path.display();
        let list = |fields: &BTreeMap<String, usize>| {
            let fields = fields.iter().map(|(field, rows)| format!("{field} ({rows} rows)"));
            fields.collect::<Vec<_>>().join(", ")
        };
        let forms = self.forms.keys().map(|form| form.as_str()).collect::<Vec<_>>().join(", ");
        tracing::info!(%path, "rows of the form {forms}, of which are read: {}", list(&self.read));
        if !self.passed_over.is_empty() {
            tracing::warn!(%path, "fields that are not read: {}", list(&self.passed_over));
        }
        if let Some(first) = self.refused.first() {
            let (rows, at, reason) = (self.refused.len(), first.at, &first.reason);
            tracing::warn!(%path, rows, "rows are left out, the first at {at}: {reason}");
        }
        if self.surrogates > 0 {
            tracing::warn!(%path, texts = self.surrogates, "lone surrogates were replaced by U+FFFD");
        }
        if self.unprompted > 0 {
            tracing::warn!(%path, replies = self.unprompted, "replies that answer nothing are no samples");
        }
        if self.system_lists > 0 {
            let texts = self.system_lists;
            tracing::info!(%path, texts, "lists of tools went from the system text to the chat template");
        }
        if self.repeated_ids > 0 {
            tracing::warn!(%path, count = self.repeated_ids, "ids that repeat got a number to be unique");
        }
    }
}

/// What is noted while rows are read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(super) read: RefCell<BTreeMap<String, usize>>,
    pub(super) passed_over: RefCell<BTreeMap<String, usize>>,
    pub(super) surrogates: Cell<usize>,
    pub(super) unprompted: Cell<usize>,
    pub(super) system_lists: Cell<usize>,
}

/// A row fills a field.
pub(super) fn count(fields: &RefCell<BTreeMap<String, usize>>, field: &str) {
    *fields.borrow_mut().entry(field.to_owned()).or_insert(0) += 1;
}

/// One more.
pub(super) fn increase(count: &Cell<usize>) {
    count.set(count.get() + 1);
}

impl Notes {
    /// The notes as a part of a [`Reading`].
    pub(crate) fn into_reading(self, forms: BTreeMap<Form, usize>, repeated_ids: usize) -> Reading {
        Reading {
            forms,
            refused: Vec::new(),
            read: self.read.into_inner(),
            passed_over: self.passed_over.into_inner(),
            surrogates: self.surrogates.get(),
            unprompted: self.unprompted.get(),
            system_lists: self.system_lists.get(),
            repeated_ids,
        }
    }
}
