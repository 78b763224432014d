//! What the JSON files beside a tokenizer say: special tokens and chat templates.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::ChatError;

/// The tokenizer proper.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Special tokens, the chat template and further settings.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Special tokens again, in older directories.
const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
/// A template in a file of its own; where it is there, it wins.
const CHAT_TEMPLATE: &str = "chat_template.jinja";

/// The most bytes of a tokenizer: some ten times the largest in use.
const LARGEST_TOKENIZER: u64 = 512 << 20;
/// The most bytes of any other file.
const LARGEST_SETTINGS: u64 = 32 << 20;
/// The most bytes of a chat template: some fifty times the longest in use.
const LARGEST_TEMPLATE: u64 = 1 << 20;

/// Every file that tells how text becomes tokens; a saved model directory gets copies of them.
pub(crate) const ALL: [&str; 8] = [
    TOKENIZER,
    TOKENIZER_CONFIG,
    SPECIAL_TOKENS_MAP,
    CHAT_TEMPLATE,
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// The roles that a special token can have.
const SPECIAL_ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A directory's special tokens and templates, as read.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Role (`eos_token`) -> the token's text.
    pub(crate) special_tokens: BTreeMap<&'static str, String>,
    /// Template name (`default`, `tool_use`) -> the file that holds it and its source.
    pub(crate) templates: BTreeMap<String, (PathBuf, String)>,
}

impl Settings {
    /// Reads the settings of `dir`. A file that is not there sets nothing.
    pub(crate) fn read(dir: &Path) -> Result<Self, ChatError> {
        let mut settings = Self::default();
        for name in [TOKENIZER_CONFIG, SPECIAL_TOKENS_MAP] {
            let path = dir.join(name);
            if let Some(config) = read_json(&path)? {
                settings.add_special_tokens(&path, &config)?;
                settings.add_templates(&path, config.get("chat_template"))?;
            }
        }
        let path = dir.join(CHAT_TEMPLATE);
        if let Some(source) = read_optional(&path, LARGEST_TEMPLATE)? {
            settings.templates = BTreeMap::from([("default".to_owned(), (path, source))]);
        }
        Ok(settings)
    }

    /// Adds tokens written as a string or as `{"content": …}`. The first file that names one wins.
    fn add_special_tokens(&mut self, path: &Path, config: &Value) -> Result<(), ChatError> {
        for role in SPECIAL_ROLES {
            let value = match config.get(role) {
                None | Some(Value::Null) => continue,
                Some(value) => value.get("content").unwrap_or(value),
            };
            let token = value.as_str().ok_or_else(|| ChatError::Setting {
                path: path.to_owned(),
                key: role.to_owned(),
                expected: "a string, an object with a string `content`, or null",
            })?;
            self.special_tokens.entry(role).or_insert_with(|| token.to_owned());
        }
        Ok(())
    }

    /// Adds a template written as a string, or a list of `{"name": …, "template": …}`.
    fn add_templates(&mut self, path: &Path, value: Option<&Value>) -> Result<(), ChatError> {
        let refused = || ChatError::Setting {
            path: path.to_owned(),
            key: "chat_template".to_owned(),
            expected: "a string or a list of objects with the strings `name` and `template`",
        };
        let named = match value {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::String(source)) => vec![("default", source.as_str())],
            Some(Value::Array(list)) => list
                .iter()
                .map(|item| Some((item.get("name")?.as_str()?, item.get("template")?.as_str()?)))
                .collect::<Option<_>>()
                .ok_or_else(refused)?,
            Some(_) => return Err(refused()),
        };
        for (name, source) in named {
            if source.len() as u64 > LARGEST_TEMPLATE {
                return Err(ChatError::TooLarge { path: path.to_owned(), limit: LARGEST_TEMPLATE });
            }
            self.templates.insert(name.to_owned(), (path.to_owned(), source.to_owned()));
        }
        Ok(())
    }
}

/// The bytes of the tokenizer.
pub(crate) fn read_tokenizer(path: &Path) -> Result<Vec<u8>, ChatError> {
    read_within(path, LARGEST_TOKENIZER)
}

/// The bytes of a file that is no larger than a limit.
fn read_within(path: &Path, limit: u64) -> Result<Vec<u8>, ChatError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    match read.map_err(|source| ChatError::Read { path: path.to_owned(), source })? {
        read if read as u64 > limit => Err(ChatError::TooLarge { path: path.to_owned(), limit }),
        _ => Ok(bytes),
    }
}

/// The text of a file, or nothing where no file stands.
fn read_optional(path: &Path, limit: u64) -> Result<Option<String>, ChatError> {
    let bytes = match read_within(path, limit) {
        Err(ChatError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let text = String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
    text.map(Some).map_err(|source| ChatError::Read { path: path.to_owned(), source })
}

/// The JSON of a file, or nothing where no file stands.
fn read_json(path: &Path) -> Result<Option<Value>, ChatError> {
    let Some(text) = read_optional(path, LARGEST_SETTINGS)? else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|source| ChatError::Json { path: path.to_owned(), source })
}
