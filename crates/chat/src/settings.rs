//! What the files beside a tokenizer say: special tokens, tokens to add, templates. Where two of them differ, the one
//! holds that holds for transformers' `AutoTokenizer`, and one warning names both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::ChatError;
use crate::files::{self, ADDED_TOKENS, CHAT_TEMPLATE, SPECIAL_TOKENS_MAP, TOKENIZER_CONFIG};
use crate::template::DEFAULT;
use crate::tokens::{Additions, DECODER, EXTRA, OLD_EXTRA, token};

/// The roles that a special token can have, in transformers' order; templates see them as variables.
pub(crate) const SPECIAL_ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Template name (`default`, `tool_use`) -> the file that holds it and its source.
pub(crate) type Sources = BTreeMap<String, (PathBuf, String)>;

/// A directory's special tokens and templates, as read.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Role (`eos_token`) -> the token's text.
    pub(crate) special_tokens: BTreeMap<&'static str, String>,
    /// What the tokenizer is given beside its own file.
    pub(crate) additions: Additions,
    /// The chat templates.
    pub(crate) templates: Sources,
}

impl Settings {
    /// Reads the settings of `dir`. A file that is not there sets nothing.
    pub(crate) fn read(dir: &Path) -> Result<Self, ChatError> {
        let path = dir.join(TOKENIZER_CONFIG);
        let mut config = files::read_object(&path)?.unwrap_or_default();
        let templates = templates(dir, config.remove("chat_template").as_ref())?;
        // Files that list their tokens are newer than the two older files, which are then not read.
        let is_whole = config.contains_key(DECODER);
        merge_special_tokens(&mut config, (&path, &dir.join(SPECIAL_TOKENS_MAP)), is_whole)?;
        let older = if is_whole { None } else { files::read_object(&dir.join(ADDED_TOKENS))? };
        let mut special_tokens = BTreeMap::new();
        for role in SPECIAL_ROLES {
            if let Some(token) = token(&path, role, config.get(role))? {
                special_tokens.insert(role, token.content);
            }
        }
        let additions = Additions::of(&path, &config, older)?;
        Ok(Self { special_tokens, additions, templates })
    }
}

/// Puts the tokens of `special_tokens_map.json` into the configuration, over those that are there; or, where the
/// configuration is whole, leaves them out.
fn merge_special_tokens(
    config: &mut Map<String, Value>,
    (path, map_path): (&Path, &Path),
    is_whole: bool,
) -> Result<(), ChatError> {
    if let Some(old) = config.remove(OLD_EXTRA) {
        config.entry(EXTRA).or_insert(old);
    }
    let Some(map) = files::read_object(map_path)? else { return Ok(()) };
    let mut differ = Vec::new();
    for role in SPECIAL_ROLES {
        let own = token(path, role, config.get(role))?;
        if let (Some(AddedToken { content: own, .. }), Some(other)) =
            (own, token(map_path, role, map.get(role))?)
            && own != other.content
        {
            differ.push(format!("{role} is {own:?} and {:?}", other.content));
        }
    }
    if !differ.is_empty() {
        let holds = if is_whole { path } else { map_path };
        let (path, map_path, holds) = (path.display(), map_path.display(), holds.display());
        tracing::warn!(
            "{path} and {map_path} differ: {}; as for transformers, {holds} holds",
            differ.join(", ")
        );
    }
    if is_whole {
        return Ok(());
    }
    for (key, value) in map {
        match (key.as_str(), config.get_mut(EXTRA), value) {
            ("chat_template", ..) => {}
            (OLD_EXTRA, Some(_), _) => {}
            (OLD_EXTRA, None, value) => _ = config.insert(EXTRA.to_owned(), value),
            (EXTRA, Some(Value::Array(own)), Value::Array(others)) => {
                let new: Vec<_> = others.into_iter().filter(|token| !own.contains(token)).collect();
                own.extend(new);
            }
            (_, _, value) => _ = config.insert(key, value),
        }
    }
    Ok(())
}

/// The templates of a directory: files where there are any, else those of the configuration.
fn templates(dir: &Path, configured: Option<&Value>) -> Result<Sources, ChatError> {
    let configured = configured_templates(&dir.join(TOKENIZER_CONFIG), configured)?;
    let mut files = Sources::new();
    let path = dir.join(CHAT_TEMPLATE);
    if let Some(source) = files::read_template(&path)? {
        files.insert(DEFAULT.to_owned(), (path, source));
    }
    for file in files::template_files(dir) {
        let path = dir.join(&file);
        if let Some(source) = files::read_template(&path)? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, (path, source));
        }
    }
    if files.is_empty() {
        return Ok(configured);
    }
    let differs = |(name, (_, source)): (&String, &(PathBuf, String))| {
        files.get(name).is_none_or(|(_, of_file)| of_file.trim_end() != source.trim_end())
    };
    if configured.iter().any(differs) {
        let names: Vec<_> = files.values().map(|(path, _)| path.display().to_string()).collect();
        let (dir, names) = (dir.join(TOKENIZER_CONFIG), names.join(", "));
        tracing::warn!(
            "{} has another chat_template than {names}: as for transformers, files hold",
            dir.display()
        );
    }
    Ok(files)
}

/// Templates written as a string, as a list of `{"name": …, "template": …}`, or as an object of both.
fn configured_templates(path: &Path, value: Option<&Value>) -> Result<Sources, ChatError> {
    let refused = || ChatError::Setting {
        path: path.to_owned(),
        key: "chat_template".to_owned(),
        expected: "a string or a list of objects with the strings `name` and `template`",
    };
    let named: Option<Vec<(&str, &str)>> = match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(source)) => Some(vec![(DEFAULT, source.as_str())]),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| Some((item.get("name")?.as_str()?, item.get("template")?.as_str()?)))
            .collect(),
        Some(Value::Object(map)) => {
            map.iter().map(|(name, source)| Some((name.as_str(), source.as_str()?))).collect()
        }
        Some(_) => None,
    };
    let mut templates = Sources::new();
    for (name, source) in named.ok_or_else(refused)? {
        if source.len() as u64 > files::LARGEST_TEMPLATE {
            return Err(ChatError::TooLarge { path: path.to_owned(), limit: files::LARGEST_TEMPLATE });
        }
        templates.insert(name.to_owned(), (path.to_owned(), source.to_owned()));
    }
    Ok(templates)
}
