//! [`Chat`]: the tokenizer and the chat template of one model directory.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tokenizers::Tokenizer;
use toolrl_grammar::{Dialect, ToolRl};

use crate::error::TokenizerCause;
use crate::files;
use crate::settings::{Settings, Sources};
use crate::template::{DEFAULT, Templates};
use crate::{ChatError, Message, TemplateVariables, ToolPrompt, spans};

/// Our own template.
const CHATML: &str = include_str!("chatml.jinja");

/// A model directory's way from a conversation to text, to token ids, and back.
#[derive(Clone, Debug)]
pub struct Chat {
    dir: PathBuf,
    tokenizer: Tokenizer,
    templates: Templates,
    dialect: &'static dyn Dialect,
    tool_prompt: Option<ToolPrompt>,
    /// The templates that are not of the directory.
    borrowed: Sources,
    /// Whether these stand in the place of the directory's own.
    is_replaced: bool,
    vocab_size: usize,
    /// The same of `tokenizer.json` alone.
    own_size: usize,
    /// Rows of the model's embedding table, where they are known.
    embeddings: Option<usize>,
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
}

impl Chat {
    /// Reads `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`,
    /// `chat_template.jinja` and `additional_chat_templates/*.jinja` of `dir`, as `AutoTokenizer` does. Only the first
    /// has to be there; without a template [`render`](Self::render) fails and everything else works. Files that
    /// contradict each other are settled as there, with a warning that names both.
    ///
    /// # Errors
    /// A file that is missing, unreadable or malformed, or a template that does not compile, each with
    /// the file's path.
    pub fn load(dir: &Path) -> Result<Self, ChatError> {
        Self::load_on(dir, None)
    }

    /// As [`load`](Self::load), for adapters on the base model of a directory: their tokenizer is the base's where they
    /// have none, and so are their templates.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_on(dir: &Path, base: Option<&Path>) -> Result<Self, ChatError> {
        let dir = base.filter(|_| !files::has_tokenizer(dir)).unwrap_or(dir);
        let path = dir.join(files::TOKENIZER);
        let mut tokenizer = load_tokenizer(&path, files::read_tokenizer(dir)?)?;
        let own_size = size(&tokenizer);
        let mut settings = Settings::read(dir)?;
        let borrowed = match base {
            Some(base) if settings.templates.is_empty() => Settings::read(base)?.templates,
            _ => Sources::new(),
        };
        settings.templates.extend(borrowed.clone());
        let additions = std::mem::take(&mut settings.additions);
        guarded(|| additions.add_to(&mut tokenizer))
            .map_err(|source| ChatError::Tokenizer { path, source })?;
        let id_of = |role| settings.special_tokens.get(role).and_then(|token| tokenizer.token_to_id(token));
        Ok(Self {
            dir: dir.to_owned(),
            borrowed,
            is_replaced: false,
            bos: id_of("bos_token"),
            eos: id_of("eos_token"),
            pad: id_of("pad_token"),
            vocab_size: size(&tokenizer),
            own_size,
            embeddings: None,
            templates: Templates::compile(dir, settings)?,
            dialect: &ToolRl,
            tool_prompt: None,
            tokenizer,
        })
    }

    /// The same chat for a model of `rows` embeddings. Fewer ids than embeddings are common: models pad their tables.
    /// Tokens that other files than `tokenizer.json` add beyond them, such as one for padding, are refused where a text
    /// has them.
    ///
    /// # Errors
    /// [`ChatError::Vocabulary`] for a tokenizer that is another model's.
    pub fn with_embeddings(mut self, rows: usize) -> Result<Self, ChatError> {
        self.embeddings = Some(rows);
        if self.own_size <= rows { Ok(self) } else { Err(self.too_many(self.own_size)) }
    }

    /// Rows of the model's embedding table, where they are known: what a model draws is below them.
    pub fn embeddings(&self) -> Option<usize> {
        self.embeddings
    }

    fn too_many(&self, ids: usize) -> ChatError {
        ChatError::Vocabulary { dir: self.dir.clone(), ids, rows: self.embeddings.unwrap_or_default() }
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

    /// The same chat with another template for every conversation. It is saved with the tokenizer's files in the place of
    /// the directory's own, so that other programs render as it does.
    ///
    /// # Errors
    /// [`ChatError::Template`] where it does not compile.
    pub fn with_template(mut self, path: &Path, source: String) -> Result<Self, ChatError> {
        self.templates.replace(path, &source)?;
        self.borrowed = Sources::from([(DEFAULT.to_owned(), (path.to_owned(), source))]);
        self.is_replaced = true;
        Ok(self)
    }

    /// The same chat with our own template for models that know ChatML's tokens: tools in the system's text, calls in
    /// `<tool_call>` blocks.
    ///
    /// # Errors
    /// [`ChatError::NoChatMl`] for a tokenizer without these tokens.
    pub fn with_chatml(self) -> Result<Self, ChatError> {
        match ["<|im_start|>", "<|im_end|>"].into_iter().find(|token| self.token_id(token).is_none()) {
            Some(token) => Err(ChatError::NoChatMl { dir: self.dir, token }),
            None => self.with_template(Path::new("chatml.jinja"), CHATML.to_owned()),
        }
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
    /// [`ChatError::Encode`] when the tokenizer's model has no token for a part of the text, and
    /// [`ChatError::Vocabulary`] when the model has no embedding for one.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let encoding = guarded(|| self.tokenizer.encode_fast(text, false))
            .map_err(|source| ChatError::Encode { bytes: text.len(), source })?;
        let ids = encoding.get_ids();
        match ids.iter().find(|&&id| self.embeddings.is_some_and(|rows| id as usize >= rows)) {
            Some(&id) => Err(self.too_many(id as usize + 1)),
            None => Ok(ids.to_vec()),
        }
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

    /// Whether an id is a token's: others give no text.
    pub fn has_token(&self, id: u32) -> bool {
        self.tokenizer.id_to_token(id).is_some()
    }

    /// The id of the token that begins a text.
    pub fn bos_token_id(&self) -> Option<u32> {
        self.bos
    }

    /// The id of the tokenizer's `eos_token`. What ends a reply is [`TurnEnd`](crate::TurnEnd)'s to say.
    pub fn eos_token_id(&self) -> Option<u32> {
        self.eos
    }

    /// The id of the token that fills a batch.
    pub fn pad_token_id(&self) -> Option<u32> {
        self.pad
    }

    /// Whether an id is that of a token beside the model's vocabulary, as special tokens are.
    pub(crate) fn is_added(&self, id: u32) -> bool {
        self.tokenizer.get_added_vocabulary().get_added_tokens_decoder().contains_key(&id)
    }

    /// The directory this was read from.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The text of the template for every conversation, as its file has it; none where there is none.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn template_source(&self) -> Result<Option<String>, ChatError> {
        if let Some((_, source)) = self.borrowed.get(DEFAULT) {
            return Ok(Some(source.clone()));
        }
        Ok(Settings::read(&self.dir)?.templates.remove(DEFAULT).map(|(_, source)| source))
    }

    /// Copies the files of the tokenizer and the templates, unchanged, into `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// [`ChatError::Read`] or [`ChatError::Write`] with the file's path.
    pub fn save_files(&self, dir: &Path) -> Result<(), ChatError> {
        let own = files::ALL.map(PathBuf::from).into_iter().chain(files::template_files(&self.dir));
        for name in own.filter(|name| !(self.is_replaced && files::is_template(name))) {
            let (from, to) = (self.dir.join(&name), dir.join(&name));
            if !from.is_file() {
                continue;
            }
            let bytes = std::fs::read(&from).map_err(|source| ChatError::Read { path: from, source })?;
            let has_template = self.is_replaced && name == Path::new(files::TOKENIZER_CONFIG);
            files::write(&to, &if has_template { files::without_template(bytes) } else { bytes })?;
        }
        for (name, (_, source)) in &self.borrowed {
            files::write(&dir.join(files::template_file(name)), source.as_bytes())?;
        }
        Ok(())
    }
}

/// Reads a tokenizer, without the truncation and padding that its file may carry over from training.
fn load_tokenizer(path: &Path, bytes: Vec<u8>) -> Result<Tokenizer, ChatError> {
    let refused = |source| ChatError::Tokenizer { path: path.to_owned(), source };
    let mut tokenizer = guarded(|| Tokenizer::from_bytes(bytes)).map_err(refused)?;
    tokenizer.with_truncation(None).map_err(refused)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// One more than the highest token id.
fn size(tokenizer: &Tokenizer) -> usize {
    tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
}

/// Runs a call of the tokenizers library, which panics on some files that it does not refuse.
fn guarded<T>(call: impl FnOnce() -> Result<T, TokenizerCause>) -> Result<T, TokenizerCause> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err("the tokenizer panicked".into()))
}
