//! Why a tokenizer or a chat template failed.

use std::path::PathBuf;

use toolrl_grammar::DIALECTS;

/// The cause a `tokenizers` call gives.
pub(crate) type TokenizerCause = Box<dyn std::error::Error + Send + Sync>;

/// Why a model directory could not be read, or a conversation not be rendered or tokenized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// A file of the model directory could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file, or a chat template in it, is larger than any that belongs to a model.
    #[error("{path}, or a template in it, is larger than {limit} bytes, the most that is read", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        limit: u64,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file is what Git writes in the place of one that Git LFS keeps.
    #[error("{path} is a pointer of Git LFS, not the file itself: fetch it with `git lfs pull`", path = path.display())]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// The directory has a tokenizer, but not as `tokenizer.json`.
    #[error(
        "{dir} has {found} and no tokenizer.json, the form that is read; \
         AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of transformers writes it",
        dir = dir.display()
    )]
    OtherTokenizer {
        /// The model directory.
        dir: PathBuf,
        /// The file of the other form.
        found: &'static str,
    },
    /// Nothing says where a reply ends.
    #[error(
        "{dir}: nothing says which token ends a reply: no eos_token_id in generation_config.json or config.json, no \
         eos_token of the tokenizer, no special token after an assistant's turn in the chat template",
        dir = dir.display()
    )]
    NoTurnEnd {
        /// The model directory.
        dir: PathBuf,
    },
    /// A configuration file is not JSON.
    #[error("{path} is not JSON: {source}", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where the JSON breaks off.
        source: serde_json::Error,
    },
    /// A setting of a configuration file has a type that it cannot have.
    #[error("{path}: {key} must be {expected}", path = path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The setting's key.
        key: String,
        /// What is allowed there.
        expected: &'static str,
    },
    /// `tokenizer.json` holds no tokenizer that can be built.
    #[error("cannot build the tokenizer of {path}: {source}", path = path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What the tokenizer refused.
        source: TokenizerCause,
    },
    /// The tokenizer belongs to another model.
    #[error("{dir}: the tokenizer has ids up to {last}, the model only {rows} embeddings", dir = dir.display(), last = ids.saturating_sub(1))]
    Vocabulary {
        /// The model directory.
        dir: PathBuf,
        /// One more than the tokenizer's largest id.
        ids: usize,
        /// Rows of the model's embedding table.
        rows: usize,
    },
    /// A chat template does not compile.
    #[error("the chat template of {path} does not compile: {source}", path = path.display())]
    Template {
        /// The file that holds the template.
        path: PathBuf,
        /// The syntax error.
        source: minijinja::Error,
    },
    /// The model directory has no chat template, so no conversation can be rendered.
    #[error(
        "{dir} has no default chat template, in chat_template.jinja or as chat_template in tokenizer_config.json{others}",
        dir = dir.display(),
        others = if others.is_empty() { String::new() } else { format!("; it has {others}") }
    )]
    NoTemplate {
        /// The model directory.
        dir: PathBuf,
        /// The names of templates that it has for other uses, with commas between.
        others: String,
    },
    /// A variable for templates has a name that is the conversation's.
    #[error("no variable of a template can be named {name}: the conversation gives it")]
    Variable {
        /// The name.
        name: String,
    },
    /// A text is no date of templates.
    #[error("{text:?} is no date: write it as 2024-07-26 or 2024-07-26T18:30:00")]
    Date {
        /// The text.
        text: String,
    },
    /// A directory's template writes calls in no dialect that is known, or as several do.
    #[error(
        "{dir}: {}; its template writes {rendered:?} for a call of weather(city=\"Rome\", days=3). Name the dialect: {}",
        no_dialect(.found), DIALECTS.map(|dialect| dialect.name()).join(", ")
    )]
    NoDialect {
        /// The model directory.
        dir: PathBuf,
        /// What the template makes of an assistant's call.
        rendered: String,
        /// The dialects that write so, where there are several.
        found: Vec<&'static str>,
    },
    /// A tokenizer without the tokens of ChatML.
    #[error("{dir}: the tokenizer has no {token}: this model does not know ChatML")]
    NoChatMl {
        /// The model directory.
        dir: PathBuf,
        /// What it lacks.
        token: &'static str,
    },
    /// A template that tells tools in the system's text does not compile, or failed.
    #[error("the prompt's template: {0}")]
    ToolPrompt(#[source] minijinja::Error),
    /// A call that the dialect cannot say, in a conversation whose calls are told as text.
    #[error("a call cannot be written in the dialect {dialect}: {source}")]
    ToldCalls {
        /// The dialect.
        dialect: &'static str,
        /// Why.
        source: toolrl_grammar::WriteError,
    },
    /// The template refused the conversation, or failed on it.
    #[error("cannot render {messages} messages: {source}")]
    Render {
        /// How many messages the conversation has.
        messages: usize,
        /// What the template said.
        source: minijinja::Error,
    },
    /// The tokenizer failed on a text.
    #[error("cannot encode a text of {bytes} bytes: {source}")]
    Encode {
        /// The text's length in bytes.
        bytes: usize,
        /// What the tokenizer said.
        source: TokenizerCause,
    },
    /// The tokenizer failed on token ids.
    #[error("cannot decode {tokens} tokens: {source}")]
    Decode {
        /// How many ids there were.
        tokens: usize,
        /// What the tokenizer said.
        source: TokenizerCause,
    },
    /// No tokenizer can be trained with these settings.
    #[error("cannot train a tokenizer of {vocab_size} tokens: {reason}")]
    Train {
        /// The vocabulary asked for.
        vocab_size: usize,
        /// Why it cannot be.
        reason: String,
    },
}

fn no_dialect(found: &[&str]) -> String {
    match found {
        [] => "its calls are of no dialect that is known".to_owned(),
        several => format!("its calls could be of {}", several.join(" or ")),
    }
}
