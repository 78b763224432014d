//! Chat completions in OpenAI's form, which vLLM, SGLang, llama.cpp and most hosts serve.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::{Client, RemoteError, on_threads};

/// The path that base addresses of chat completions are followed by.
const PATH: &str = "chat/completions";

/// What a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// The model's name on the server.
    pub model: String,
    /// The conversation, each message with `role` and `content`.
    pub messages: Vec<Value>,
    /// The tools on offer, `{"type": "function", "function": {…}}` each; may be none.
    pub tools: Vec<Value>,
    /// Divides the logits; 0 takes the most probable token.
    pub temperature: f32,
    /// So many of the most probable tokens are kept; 0 keeps all. OpenAI's own servers do not know it.
    pub top_k: u32,
    /// The smallest set of tokens whose probability reaches this is kept; 1 keeps all.
    pub top_p: f32,
    /// Tokens of at least this share of the most probable one's probability are kept; 0 keeps all. OpenAI's own servers do
    /// not know it.
    pub min_p: f32,
    /// The reply ends where its text has one of these.
    pub stop: Vec<String>,
    /// Whether that one belongs to the text: vLLM's setting, which few others know.
    pub include_stop_str_in_output: bool,
    /// The limit on new tokens.
    pub max_tokens: usize,
    /// The seed of the server's random numbers, where it takes one.
    pub seed: Option<u64>,
}

/// What a model replied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatReply {
    /// Its text, thoughts included where the server sets them apart: in `<think>` and `</think>` before it.
    pub content: String,
    /// The calls that the server took out of the text.
    pub calls: Vec<FunctionCall>,
    /// Whether the limit on new tokens ended it.
    pub is_cut: bool,
    /// New tokens, where the server counts them.
    pub tokens: Option<u64>,
}

/// A call in a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCall {
    /// Its name in the dialogue, which its result must refer to.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments as JSON text, as the model wrote them.
    pub arguments: String,
}

impl ChatRequest {
    /// A request for the most probable reply.
    pub fn greedy(model: impl Into<String>, messages: Vec<Value>, max_tokens: usize) -> Self {
        Self {
            model: model.into(),
            messages,
            tools: Vec::new(),
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            stop: Vec::new(),
            include_stop_str_in_output: false,
            max_tokens,
            seed: None,
        }
    }

    fn body(&self) -> Value {
        let Self { model, messages, temperature, top_p, max_tokens, .. } = self;
        let mut body = json!({
            "model": model, "messages": messages, "max_tokens": max_tokens, "temperature": decimal(*temperature),
        });
        if *top_p < 1.0 {
            body["top_p"] = decimal(*top_p);
        }
        if self.top_k > 0 {
            body["top_k"] = self.top_k.into();
        }
        if self.min_p > 0.0 {
            body["min_p"] = decimal(self.min_p);
        }
        if !self.stop.is_empty() {
            body["stop"] = self.stop.as_slice().into();
        }
        if self.include_stop_str_in_output {
            body["include_stop_str_in_output"] = true.into();
        }
        if !self.tools.is_empty() {
            body["tools"] = Value::Array(self.tools.clone());
        }
        if let Some(seed) = self.seed {
            body["seed"] = seed.into();
        }
        body
    }
}

/// An `f32` as JSON with its own digits, not those of the nearest `f64`.
pub fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

impl Client {
    /// Asks for one reply.
    ///
    /// # Errors
    /// As [`Client::post`], and [`RemoteError::Form`] for an answer that is no chat completion.
    pub fn chat(&self, request: &ChatRequest) -> Result<ChatReply, RemoteError> {
        let path = if self.url("").ends_with(PATH) { "" } else { PATH };
        let answer = self.post(path, &request.body())?;
        ChatReply::of(&answer).ok_or_else(|| RemoteError::Form {
            url: self.url(path),
            problem: "no choices[0].message with text or tool calls".into(),
        })
    }

    /// Asks for a reply to each request, several at a time. After a failure that the other requests would
    /// meet too, those not yet begun are not sent: [`RemoteError::NotAsked`].
    pub fn chat_all(&self, requests: &[ChatRequest]) -> Vec<Result<ChatReply, RemoteError>> {
        let failed = AtomicBool::new(false);
        on_threads(self.settings().threads, requests, |request| {
            if failed.load(Ordering::Relaxed) {
                return Err(RemoteError::NotAsked);
            }
            let reply = self.chat(request);
            if reply.as_ref().is_err_and(|error| !matches!(error, RemoteError::TooLong { .. })) {
                failed.store(true, Ordering::Relaxed);
            }
            reply
        })
    }
}

impl ChatReply {
    /// Reads an answer; `None` where it is no chat completion.
    fn of(answer: &Value) -> Option<Self> {
        let choice = answer.get("choices")?.get(0)?;
        let message = choice.get("message")?.as_object()?;
        let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
        let thoughts =
            [text("reasoning_content"), text("reasoning")].into_iter().find(|text| !text.is_empty());
        let content = match thoughts {
            Some(thoughts) if !text("content").contains("</think>") => {
                format!("<think>{thoughts}</think>\n{}", text("content"))
            }
            _ => text("content").to_owned(),
        };
        let calls = message.get("tool_calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Some(Self {
            content,
            calls: calls.iter().map(FunctionCall::of).collect(),
            is_cut: choice.get("finish_reason").and_then(Value::as_str) == Some("length"),
            tokens: answer.get("usage").and_then(|usage| usage.get("completion_tokens")?.as_u64()),
        })
    }
}

impl FunctionCall {
    fn of(call: &Value) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let function = call.get("function");
        let part = |key: &str| function.and_then(|function| function.get(key));
        let arguments = match part("arguments") {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            // Some servers send the object itself.
            Some(other) => other.to_string(),
        };
        Self { id: text(call.get("id")), name: text(part("name")), arguments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read() {
        let reply = |message: Value| ChatReply::of(&json!({"choices": [{"message": message}]}));
        let plain = |content: &str| ChatReply { content: content.into(), ..ChatReply::default() };
        let cases = [
            (json!({"content": "hi"}), Some(plain("hi"))),
            (json!({"content": null}), Some(plain(""))),
            (json!({"content": "hi", "reasoning_content": "so"}), Some(plain("<think>so</think>\nhi"))),
            (json!({"content": "<think>so</think>", "reasoning": "so"}), Some(plain("<think>so</think>"))),
            (json!("hi"), None),
        ];
        for (message, expected) in cases {
            assert_eq!(reply(message.clone()), expected, "{message}");
        }
        for answer in [json!({}), json!([]), json!({"choices": []}), json!({"choices": [{}]})] {
            assert_eq!(ChatReply::of(&answer), None, "{answer}");
        }
    }

    #[test]
    fn calls_and_counts_are_read() {
        let function =
            |arguments: Value| json!({"id": "c1", "function": {"name": "f", "arguments": arguments}});
        let calls = [function(json!("{\"a\": 1}")), function(json!({"a": 1})), json!(3)];
        let answer = json!({
            "choices": [{"message": {"content": null, "tool_calls": calls}, "finish_reason": "length"}],
            "usage": {"completion_tokens": 7},
        });
        let reply = ChatReply::of(&answer).unwrap();
        let arguments: Vec<&str> = reply.calls.iter().map(|call| call.arguments.as_str()).collect();
        assert_eq!(arguments, ["{\"a\": 1}", "{\"a\":1}", ""]);
        assert!(reply.is_cut && reply.tokens == Some(7) && reply.calls[0].id == "c1");
    }

    #[test]
    fn a_body_holds_what_was_set() {
        let mut request = ChatRequest::greedy("m", vec![json!({"role": "user", "content": "a"})], 5);
        let body = request.body().to_string();
        assert!(body.contains(r#""temperature":0.0"#) && !body.contains("top_p") && !body.contains("tools"));
        (request.temperature, request.top_p, request.seed) = (0.7, 0.9, Some(3));
        let body = request.body().to_string();
        assert!(body.contains(r#""temperature":0.7,"top_p":0.9,"seed":3"#), "{body}");
        assert!(["top_k", "min_p", "stop"].iter().all(|key| !body.contains(key)), "{body}");
        (request.top_k, request.min_p, request.stop) = (20, 0.05, vec!["</a>".into()]);
        request.include_stop_str_in_output = true;
        let body = request.body().to_string();
        let set = r#""top_k":20,"min_p":0.05,"stop":["</a>"],"include_stop_str_in_output":true"#;
        assert!(body.contains(set), "{body}");
    }
}
