//! Models and services over HTTP: OpenAI-compatible chat completions, and files of the Hugging Face Hub, with time-outs
//! and retries.
//!
//! Invariant: a request ends, in a bounded time, with an answer or with an error that names the address;
//! a request that the server refuses for what it says is not sent twice. No key reaches a log or an error.
//!
//! ```no_run
//! # fn main() -> Result<(), toolrl_remote::RemoteError> {
//! use serde_json::json;
//! use toolrl_remote::{ChatRequest, Client, Settings};
//!
//! let client = Client::new(Settings::new("http://localhost:8000/v1"))?;
//! let messages = vec![json!({"role": "user", "content": "What time is it in Oslo?"})];
//! let reply = client.chat(&ChatRequest::greedy("my-model", messages, 256))?;
//! println!("{}", reply.content);
//! # Ok(())
//! # }
//! ```

mod chat;
mod client;
mod error;
mod hub;
mod retry;
mod settings;
mod threads;

pub use chat::{ChatReply, ChatRequest, FunctionCall, decimal};
pub use client::Client;
pub use error::RemoteError;
pub use hub::{Hub, Listing};
pub use settings::{Key, Retries, Settings};
pub use threads::on_threads;
