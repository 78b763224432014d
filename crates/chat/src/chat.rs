//! [`Chat`]: the tokenizer and the chat template of one model directory.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;
use toolrl_grammar::{Dialect, ToolRl};

use crate::error::TokenizerCause;
use crate::files::{self, Settings};
use crate::template::Templates;
use crate::{ChatError, Message, TemplateVariables, ToolPrompt, spans};

/// A model directory's way from a conversation to text, to token ids, and back.
#[derive(Clone, Debug)]
pub struct Chat {
    dir: PathBuf,
    tokenizer: Tokenizer,
    templates: Templates,
    dialect: &'static dyn Dialect,
    tool_prompt: Option<ToolPrompt>,
    vocab_size: usize,
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
}

impl Chat {
    /// Reads `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json` and
    /// `chat_template.jinja` of `dir`. Only the first has to be there; without a template
    /// [`render`](Self::render) fails and everything else works.
    ///
    /// # Errors
    /// A file that is missing, unreadable or malformed, or a template that does not compile, each with
    /// the file's path.
    pub fn load(dir: &Path) -> Result<Self, ChatError> {
        let tokenizer = load_tokenizer(&dir.join(files::TOKENIZER))?;
        let settings = Settings::read(dir)?;
        let id_of = |role| settings.special_tokens.get(role).and_then(|token| tokenizer.token_to_id(token));
        Ok(Self {
            dir: dir.to_owned(),
            bos: id_of("bos_token"),
            eos: id_of("eos_token"),
            pad: id_of("pad_token"),
            vocab_size: tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1),
            templates: Templates::compile(dir, settings)?,
            dialect: &ToolRl,
            tool_prompt: None,
            tokenizer,
        })
    }

    /// Refuses a tokenizer that makes ids which a model of `rows` embeddings does not have. Fewer ids than
    /// embeddings are common: models pad their tables.
    ///
    /// # Errors
    /// [`ChatError::Vocabulary`].
    pub fn check_vocabulary(&self, rows: usize) -> Result<(), ChatError> {
        if self.vocab_size <= rows {
            return Ok(());
        }
        Err(ChatError::Vocabulary { dir: self.dir.clone(), ids: self.vocab_size, rows })
    }

    /// The same chat with these variables for its templates, and the time that they tell as now.
    ///
    /// # Errors
    /// [`ChatError::Variable`].
    pub fn with_variables(mut self, variables: TemplateVariables) -> Result<Self, ChatError> {
        variables.check()?;
        self.templates.set_variables(variables);
        Ok(self)
    }

    /// Whether a template of the directory tells the time, so that its prompts are of the day that they are made on.
    pub fn tells_date(&self) -> bool {
        self.templates.tell_date()
    }

    /// The same chat with the dialect that the policy's turns are written in; ToolRL's is the one without a choice.
    /// [`detect_dialect`](Self::detect_dialect) finds a model's own.
    #[must_use]
    pub fn with_dialect(self, dialect: &'static dyn Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// The same chat with tools told in the system's text, for a template that shows none.
    #[must_use]
    pub fn with_tool_prompt(self, prompt: ToolPrompt) -> Self {
        Self { tool_prompt: Some(prompt), ..self }
    }

    /// The dialect that the policy's turns are written in.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// The text of a conversation; with `add_generation_prompt`, it ends in the opening of the
    /// assistant's turn.
    ///
    /// # Errors
    /// [`ChatError::NoTemplate`], or [`ChatError::Render`] when the template refuses the messages.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, ChatError> {
        self.render_with_tools(messages, &[], add_generation_prompt)
    }

    /// As [`render`](Self::render), with tools that the template describes in its own way. Each is a
    /// JSON schema, `{"type": "function", "function": {"name": …, "parameters": {…}}}`.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_with_tools(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        match &self.tool_prompt {
            Some(prompt) if !tools.is_empty() => {
                let told = prompt.tell(messages, tools, self.dialect)?;
                self.templates.render(&told, &[], add_generation_prompt)
            }
            _ => self.templates.render(messages, tools, add_generation_prompt),
        }
    }

    /// The token ids of a rendered text. Special tokens written in it are recognised; none is added.
    ///
    /// # Errors
    /// [`ChatError::Encode`] when the tokenizer's model has no token for a part of the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let encoding = guarded(|| self.tokenizer.encode_fast(text, false))
            .map_err(|source| ChatError::Encode { bytes: text.len(), source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of token ids; bytes that are not UTF-8 become U+FFFD. Ids outside the vocabulary give
    /// no text. With `skip_special`, special tokens give none either.
    ///
    /// # Errors
    /// [`ChatError::Decode`] when the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, ChatError> {
        guarded(|| self.tokenizer.decode(ids, skip_special))
            .map_err(|source| ChatError::Decode { tokens: ids.len(), source })
    }

    /// For every token, the bytes of `decode(ids, false)` that it made, in order. Where one character
    /// was made by several tokens, each of them has the whole character; a token that made nothing has
    /// an empty range, and so has every token where [`decode`](Self::decode) fails.
    pub fn spans(&self, ids: &[u32]) -> Vec<Range<usize>> {
        guarded(|| Ok(spans::spans(&self.tokenizer, ids))).unwrap_or_else(|_| vec![0..0; ids.len()])
    }

    /// One more than the highest token id: the rows an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id of a token, given as it stands in the vocabulary; special tokens stand there as written.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The id of the token that begins a text.
    pub fn bos_token_id(&self) -> Option<u32> {
        self.bos
    }

    /// The id of the token that ends an assistant's turn. A model's generation config may name more.
    pub fn eos_token_id(&self) -> Option<u32> {
        self.eos
    }

    /// The id of the token that fills a batch.
    pub fn pad_token_id(&self) -> Option<u32> {
        self.pad
    }

    /// The directory this was read from.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Copies the files of the tokenizer, unchanged, into `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// [`ChatError::Read`] or [`ChatError::Write`] with the file's path.
    pub fn save_files(&self, dir: &Path) -> Result<(), ChatError> {
        std::fs::create_dir_all(dir).map_err(|source| ChatError::Write { path: dir.to_owned(), source })?;
        for name in files::ALL {
            let from = self.dir.join(name);
            if !from.is_file() {
                continue;
            }
            let bytes = std::fs::read(&from).map_err(|source| ChatError::Read { path: from, source })?;
            let to = dir.join(name);
            if std::fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            std::fs::write(&to, bytes).map_err(|source| ChatError::Write { path: to, source })?;
        }
        Ok(())
    }
}

/// Reads a tokenizer, without the truncation and padding that its file may carry over from training.
fn load_tokenizer(path: &Path) -> Result<Tokenizer, ChatError> {
    let bytes = files::read_tokenizer(path)?;
    let refused = |source| ChatError::Tokenizer { path: path.to_owned(), source };
    let mut tokenizer = guarded(|| Tokenizer::from_bytes(bytes)).map_err(refused)?;
    tokenizer.with_truncation(None).map_err(refused)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// Runs a call of the tokenizers library, which panics on some files that it does not refuse.
fn guarded<T>(call: impl FnOnce() -> Result<T, TokenizerCause>) -> Result<T, TokenizerCause> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("the tokenizer panicked".into()))
}
