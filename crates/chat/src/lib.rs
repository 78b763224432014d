//! Tokenizers and chat templates of a model directory.
//!
//! A model directory in Hugging Face form says how a conversation becomes text (`chat_template`) and
//! how text becomes token ids (`tokenizer.json`). [`Chat`] reads both, so that a policy sees the very
//! ids it was trained on:
//!
//! ```no_run
//! # fn main() -> Result<(), toolrl_chat::ChatError> {
//! use toolrl_chat::{Chat, Message};
//! let chat = Chat::load("models/SmolLM2-135M-Instruct".as_ref())?;
//! let text = chat.render(&[Message::new("user", "What time is it in Oslo?")], true)?;
//! let ids = chat.encode(&text)?;
//! assert_eq!(chat.decode(&ids, false)?, text);
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: nothing here knows a model's name. What is rendered and which ids come out is decided by
//! the files of the directory alone, and equals what transformers makes of the same files
//! (`apply_chat_template`); there is no built-in template to fall back on.

mod chat;
mod detect;
mod error;
mod files;
mod fuel;
mod message;
mod python_json;
mod settings;
mod spans;
mod template;
mod tokens;
mod tool_prompt;
mod train;
mod turn_end;
mod variables;

pub use chat::Chat;
pub use error::ChatError;
pub use message::{ContentForm, Message};
pub use tool_prompt::ToolPrompt;
pub use train::{TrainedTokenizer, train_bpe};
pub use turn_end::TurnEnd;
pub use variables::{TemplateDate, TemplateVariables};
