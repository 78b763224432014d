//! The files of a model directory that say how text becomes tokens, read within limits.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::ChatError;
use crate::template::DEFAULT;

/// The tokenizer proper.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Special tokens, the chat template and further settings.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Special tokens again, in older directories.
pub(crate) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
/// Tokens with their ids, in older directories.
pub(crate) const ADDED_TOKENS: &str = "added_tokens.json";
/// A template in a file of its own; where it is there, it wins.
pub(crate) const CHAT_TEMPLATE: &str = "chat_template.jinja";
/// A folder of further templates, each named by its file's name.
pub(crate) const CHAT_TEMPLATES: &str = "additional_chat_templates";
/// Tokenizers in forms that are not read.
const OTHERS: [&str; 4] = ["tokenizer.model", "vocab.json", "tekken.json", "tiktoken.model"];

/// The most bytes of a tokenizer: some ten times the largest in use.
const LARGEST_TOKENIZER: u64 = 512 << 20;
/// The most bytes of any other file.
const LARGEST_SETTINGS: u64 = 32 << 20;
/// The most bytes of a chat template: some fifty times the longest in use.
pub(crate) const LARGEST_TEMPLATE: u64 = 1 << 20;

/// How Git LFS begins what it leaves in a file's place.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// Every file that tells how text becomes tokens; a saved model directory gets copies of them, and of the folder of
/// templates.
pub(crate) const ALL: [&str; 8] = [
    TOKENIZER,
    TOKENIZER_CONFIG,
    SPECIAL_TOKENS_MAP,
    CHAT_TEMPLATE,
    ADDED_TOKENS,
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// Whether a directory has a tokenizer, in whatever form.
pub(crate) fn has_tokenizer(dir: &Path) -> bool {
    OTHERS.into_iter().chain([TOKENIZER]).any(|name| dir.join(name).exists())
}

/// The place in a directory of the template of a name.
pub(crate) fn template_file(name: &str) -> PathBuf {
    match name {
        DEFAULT => CHAT_TEMPLATE.into(),
        // A name is that of a file: none leads to another folder.
        name => Path::new(CHAT_TEMPLATES).join(format!("{}.jinja", name.replace(['/', '\\'], "-"))),
    }
}

/// Whether a place in a directory is that of a template.
pub(crate) fn is_template(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "jinja")
}

/// Writes a file and the folder that it is in, unless it is there already.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ChatError> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made.and_then(|()| std::fs::write(path, bytes));
    written.map_err(|source| ChatError::Write { path: path.to_owned(), source })
}

/// A tokenizer's configuration without the template that it may hold.
pub(crate) fn without_template(bytes: Vec<u8>) -> Vec<u8> {
    let settings = serde_json::from_slice::<Map<String, Value>>(&bytes);
    match settings.map(|mut settings| settings.shift_remove("chat_template").map(|_| settings)) {
        Ok(Some(settings)) => serde_json::to_vec_pretty(&settings).unwrap_or(bytes),
        _ => bytes,
    }
}

/// The files of the folder of templates, by their places in the directory.
pub(crate) fn template_files(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(dir.join(CHAT_TEMPLATES)).into_iter().flatten().flatten();
    let names = entries.map(|entry| Path::new(CHAT_TEMPLATES).join(entry.file_name()));
    names.filter(|name| is_template(name))
}

/// The bytes of a directory's tokenizer.
pub(crate) fn read_tokenizer(dir: &Path) -> Result<Vec<u8>, ChatError> {
    let path = dir.join(TOKENIZER);
    match OTHERS.into_iter().find(|name| dir.join(name).is_file()) {
        Some(found) if !path.exists() => Err(ChatError::OtherTokenizer { dir: dir.to_owned(), found }),
        _ => read_within(&path, LARGEST_TOKENIZER),
    }
}

/// The bytes of a file that is no larger than a limit, and is itself there.
fn read_within(path: &Path, limit: u64) -> Result<Vec<u8>, ChatError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    let read = read.map_err(|source| ChatError::Read { path: path.to_owned(), source })?;
    if read as u64 > limit {
        return Err(ChatError::TooLarge { path: path.to_owned(), limit });
    }
    if bytes.starts_with(LFS_POINTER) {
        return Err(ChatError::LfsPointer { path: path.to_owned() });
    }
    Ok(bytes)
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

/// The source of a template, or nothing where no file stands.
pub(crate) fn read_template(path: &Path) -> Result<Option<String>, ChatError> {
    read_optional(path, LARGEST_TEMPLATE)
}

/// The JSON object of a file, or nothing where no file stands.
pub(crate) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>, ChatError> {
    let Some(text) = read_optional(path, LARGEST_SETTINGS)? else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|source| ChatError::Json { path: path.to_owned(), source })
}
