//! Tokens that the files beside `tokenizer.json` give to the tokenizer.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::{AddedToken, Tokenizer};

use crate::ChatError;
use crate::error::TokenizerCause;
use crate::settings::SPECIAL_ROLES;

/// Every added token by its id, with its flags.
pub(crate) const DECODER: &str = "added_tokens_decoder";
/// Special tokens without a role, or with one of the model's own.
pub(crate) const EXTRA: &str = "extra_special_tokens";
/// The same in older files.
pub(crate) const OLD_EXTRA: &str = "additional_special_tokens";

/// The most tokens that a warning names.
const NAMED: usize = 3;

/// What a tokenizer gets beside its own file.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    /// The file that lists tokens.
    path: PathBuf,
    /// Tokens and the ids that the file gives them. Their flags hold over those of `tokenizer.json`.
    listed: Vec<(u32, AddedToken)>,
    /// Tokens of older files, which hold where `tokenizer.json` has none of their text.
    older: Vec<(u32, AddedToken)>,
    /// Special tokens, which are added where no other is of their text.
    special: Vec<AddedToken>,
    /// Whether special tokens in a text are read as text.
    split_special: bool,
}

impl Additions {
    /// The additions of a `tokenizer_config.json`, into which older files have been merged, and of an
    /// `added_tokens.json`.
    pub(crate) fn of(
        path: &Path,
        config: &Map<String, Value>,
        older: Option<Map<String, Value>>,
    ) -> Result<Self, ChatError> {
        let special = special(path, config)?;
        let mut additions = Self { path: path.to_owned(), ..Self::default() };
        additions.split_special =
            config.get("split_special_tokens").and_then(Value::as_bool).unwrap_or(false);
        for (id, value) in config.get(DECODER).and_then(Value::as_object).into_iter().flatten() {
            let place = || refused(path, DECODER, "an object of tokens by their ids");
            let id = id.parse().map_err(|_| place())?;
            let mut token = token(path, DECODER, Some(value))?.ok_or_else(place)?;
            token.special |= special.iter().any(|(named, other)| *named && other.content == token.content);
            additions.listed.push((id, token));
        }
        for (text, id) in older.into_iter().flatten() {
            let place = || refused(&path.with_file_name(super::files::ADDED_TOKENS), &text, "a token's id");
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(place)?;
            let is_special = special.iter().any(|(_, other)| other.content == text);
            additions.older.push((id, AddedToken::from(text, is_special)));
        }
        additions.special = special.into_iter().map(|(_, token)| token).collect();
        for list in [&mut additions.listed, &mut additions.older] {
            list.sort_by_key(|(id, _)| *id);
        }
        Ok(additions)
    }

    /// Gives the tokens to a tokenizer, in transformers' order. A token whose text is in the vocabulary keeps that id,
    /// a new one gets the next that is free, whatever id the file gives it.
    pub(crate) fn add_to(mut self, tokenizer: &mut Tokenizer) -> Result<(), TokenizerCause> {
        let own = tokenizer.get_added_tokens_decoder();
        let mut known: HashSet<&str> = own.values().map(|token| token.content.as_str()).collect();
        self.older.retain(|(_, token)| !known.contains(token.content.as_str()));
        let listed: Vec<_> = self.listed.iter().chain(&self.older).cloned().collect();
        known.extend(listed.iter().map(|(_, token)| token.content.as_str()));
        let mut tokens: Vec<_> = listed.iter().map(|(_, token)| token.clone()).collect();
        for token in &self.special {
            if known.insert(&token.content) {
                tokens.push(token.clone());
            }
        }
        tokenizer.add_tokens(tokens)?;
        tokenizer.set_encode_special_tokens(self.split_special);
        let moved = |(id, token): &&(u32, AddedToken)| {
            let other_flags = own.values().any(|own| own.content == token.content && own != token);
            other_flags || tokenizer.token_to_id(&token.content) != Some(*id)
        };
        let moved: Vec<_> = listed.iter().filter(moved).map(|(_, token)| token.content.as_str()).collect();
        if !moved.is_empty() {
            let others = if moved.len() > NAMED { " and others" } else { "" };
            tracing::warn!(
                "{} and tokenizer.json differ in the id or the flags of {}{others}: as for transformers, ids are those of \
                 tokenizer.json and flags those of the former",
                self.path.display(),
                moved[..moved.len().min(NAMED)].join(", ")
            );
        }
        Ok(())
    }
}

/// The special tokens of a configuration in transformers' order, and whether each has a role.
fn special(path: &Path, config: &Map<String, Value>) -> Result<Vec<(bool, AddedToken)>, ChatError> {
    let mut tokens = Vec::new();
    let own = config.iter().filter(|(key, value)| {
        let is_own = key.ends_with("_token") && !SPECIAL_ROLES.contains(&key.as_str());
        is_own && (value.is_string() || value.get("content").is_some_and(Value::is_string))
    });
    let own = own.map(|(key, value)| (key.as_str(), Some(value)));
    let extra = config.get(EXTRA);
    let named = extra.and_then(Value::as_object).into_iter().flatten();
    let named = named.map(|(key, value)| (key.as_str(), Some(value)));
    for (key, value) in SPECIAL_ROLES.into_iter().map(|role| (role, config.get(role))).chain(own).chain(named)
    {
        if let Some(token) = token(path, key, value)? {
            tokens.push((true, token.special(true)));
        }
    }
    for value in extra.and_then(Value::as_array).into_iter().flatten() {
        tokens.extend(token(path, EXTRA, Some(value))?.map(|token| (false, token)));
    }
    Ok(tokens)
}

/// A token written as a string, as an object with its text and its flags, or not at all. A string's is special.
pub(crate) fn token(path: &Path, key: &str, value: Option<&Value>) -> Result<Option<AddedToken>, ChatError> {
    let value = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let content = value.get("content").unwrap_or(value).as_str();
    let content =
        content.ok_or_else(|| refused(path, key, "a string, an object with a string `content`, or null"))?;
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let mut token = AddedToken::from(content, flag("special").unwrap_or(value.is_string() || key != DECODER))
        .lstrip(flag("lstrip").unwrap_or(false))
        .rstrip(flag("rstrip").unwrap_or(false))
        .single_word(flag("single_word").unwrap_or(false));
    if let Some(normalized) = flag("normalized") {
        token = token.normalized(normalized);
    }
    Ok(Some(token))
}

fn refused(path: &Path, key: &str, expected: &'static str) -> ChatError {
    ChatError::Setting { path: path.to_owned(), key: key.to_owned(), expected }
}
