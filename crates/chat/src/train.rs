//! Training a small byte-level BPE tokenizer.

use std::path::Path;

use serde_json::json;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::{ChatError, files};

/// Ends a document, begins a text and fills a batch.
const END_OF_TEXT: &str = "<|endoftext|>";
/// Opens a turn.
const TURN_START: &str = "<|im_start|>";
/// Ends a turn.
const TURN_END: &str = "<|im_end|>";
/// Distinct bytes: the smallest alphabet in which every text can be written.
const BYTES: usize = 256;

/// Turns in the ChatML form, without a system prompt of its own.
const CHAT_TEMPLATE: &str = "\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}";

/// The files of a tokenizer that was trained, not yet written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainedTokenizer {
    /// The text of `tokenizer.json`.
    pub tokenizer: String,
    /// The text of `tokenizer_config.json`, with the chat template.
    pub config: String,
}

impl TrainedTokenizer {
    /// Writes both files into `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// [`ChatError::Write`] with the path that could not be written.
    pub fn save(&self, dir: &Path) -> Result<(), ChatError> {
        let write = |path: &Path, source| ChatError::Write { path: path.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(|source| write(dir, source))?;
        for (name, text) in [(files::TOKENIZER, &self.tokenizer), (files::TOKENIZER_CONFIG, &self.config)] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(|source| write(&path, source))?;
        }
        Ok(())
    }
}

/// Trains a byte-level BPE (Sennrich et al. 2016, arXiv 1508.07909, on bytes as in GPT-2) of
/// `vocab_size` tokens on the texts of `corpus`; a word has the same tokens with and without a space
/// before it, and every digit is a token of its own. The first ids are
/// `<|endoftext|>` (beginning and padding), `<|im_start|>`, `<|im_end|>` (end of a turn), and then
/// `special_tokens`. The chat template puts each message between the last two. The same corpus gives
/// the same bytes, whatever the number of threads; a corpus too small for so many tokens gives fewer.
///
/// # Errors
/// [`ChatError::Train`] when the vocabulary cannot hold the special tokens and every byte, or the
/// trainer fails.
pub fn train_bpe(
    corpus: impl Iterator<Item = String> + Send,
    vocab_size: usize,
    special_tokens: &[&str],
) -> Result<TrainedTokenizer, ChatError> {
    let failed = |reason: String| ChatError::Train { vocab_size, reason };
    let special = [END_OF_TEXT, TURN_START, TURN_END].iter().chain(special_tokens);
    let special: Vec<AddedToken> = special.map(|token| AddedToken::from(*token, true)).collect();
    let least = special.len() + BYTES;
    if vocab_size < least {
        return Err(failed(format!("the special tokens and the bytes alone are {least}")));
    }
    let mut trainer = TrainerWrapper::from(
        BpeTrainer::builder()
            .vocab_size(vocab_size)
            .min_frequency(2)
            .show_progress(false)
            .special_tokens(special)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build(),
    );
    let mut tokenizer = untrained().map_err(|cause| failed(cause.to_string()))?;
    tokenizer.train(&mut trainer, corpus).map_err(|cause| failed(cause.to_string()))?;
    let tokenizer = tokenizer.to_string(true).map_err(|cause| failed(cause.to_string()))?;
    Ok(TrainedTokenizer { tokenizer, config: config() })
}

/// Words without the space before them, digits one by one, marks with the spaces around them, and
/// white space by itself. A word so has one token wherever it stands, in a sentence or between
/// quotation marks: copying it is copying a token. GPT-2's words carry their space along.
const WORDS: &str = r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+ ?|\s+";

/// A BPE without a vocabulary, over [`WORDS`] as bytes.
fn untrained() -> Result<Tokenizer, tokenizers::Error> {
    let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Isolated, false)?;
    let bytes = ByteLevel::new(false, false, false);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![words.into(), bytes.into()])));
    tokenizer.with_decoder(Some(bytes));
    Ok(tokenizer)
}

/// The text of `tokenizer_config.json`.
fn config() -> String {
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": false,
        "chat_template": CHAT_TEMPLATE,
    });
    format!("{config:#}\n")
}
