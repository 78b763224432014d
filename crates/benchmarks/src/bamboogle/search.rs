//! Where searches are run.

use serde_json::{Value, json};
use toolrl_bamboogle::Hit;
use toolrl_remote::{Client, RemoteError};

use crate::BenchmarkError;

/// A search engine.
pub trait Search: Send + Sync {
    /// Its name, with all that decides what it finds as far as it is known.
    fn name(&self) -> String;

    /// The first hits of each query, in the queries' order.
    ///
    /// # Errors
    /// When it cannot search.
    fn search(&self, queries: &[String], hits: usize) -> Result<Vec<Vec<Hit>>, BenchmarkError>;
}

/// A retrieval service over HTTP, in the form that search agents are trained with.
///
/// It is sent `{"queries": […], "topk": n, "return_scores": true}` and answers `{"result": [[hit, …], …]}`,
/// a list of hits a query. A hit, or its `document`, has `contents` (the title stands in its first line), or
/// `title` and `text`.
#[derive(Clone, Debug)]
pub struct SearchService {
    client: Client,
}

impl SearchService {
    /// The service at the client's whole address, such as `http://localhost:8000/retrieve`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Search for SearchService {
    fn name(&self) -> String {
        self.client.settings().base_url.clone()
    }

    fn search(&self, queries: &[String], hits: usize) -> Result<Vec<Vec<Hit>>, BenchmarkError> {
        let body = json!({"queries": queries, "topk": hits, "return_scores": true});
        let answer = self.client.post("", &body)?;
        let lists =
            answer.get("result").and_then(Value::as_array).filter(|lists| lists.len() == queries.len());
        let problem = || RemoteError::Form {
            url: self.name(),
            problem: format!("no `result` with a list of hits for each of {} queries", queries.len()),
        };
        let lists = lists.ok_or_else(problem)?;
        let hits_of = |list: &Value| {
            let found = list.as_array().map_or(&[][..], Vec::as_slice);
            found.iter().take(hits).map(hit).collect()
        };
        Ok(lists.iter().map(hits_of).collect())
    }
}

/// A hit of a service, or a document of a file: the title and the text.
pub(super) fn hit(value: &Value) -> Hit {
    let document = value.get("document").unwrap_or(value);
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
    if let (true, Some((title, rest))) = (text("title").is_empty(), text("contents").split_once('\n')) {
        return Hit { title: title.trim_matches('"').to_owned(), text: rest.to_owned() };
    }
    let body = ["text", "contents", "snippet"].into_iter().map(text).find(|body| !body.is_empty());
    Hit { title: text("title").to_owned(), text: body.unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_read_in_every_form() {
        let cases = [
            (json!({"document": {"contents": "\"Kim\"\nA novel."}, "score": 1.0}), "Kim", "A novel."),
            (json!({"title": "Kim", "text": "A novel."}), "Kim", "A novel."),
            (json!({"title": "Kim", "contents": "A\nnovel."}), "Kim", "A\nnovel."),
            (json!({"title": "Kim", "snippet": "A novel."}), "Kim", "A novel."),
            (json!({"contents": "A novel."}), "", "A novel."),
            (json!(3), "", ""),
        ];
        for (value, title, text) in cases {
            assert_eq!(hit(&value), Hit { title: title.into(), text: text.into() }, "{value}");
        }
    }
}
