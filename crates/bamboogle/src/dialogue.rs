//! A dialogue of search and answer, as text.

use toolrl_grammar::json::Value;
use toolrl_grammar::{lenient, tags, text};

/// The name of the search tool.
pub const SEARCH: &str = "search";

/// How far a dialogue may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DialogueSettings {
    /// The most replies: 4. A search in the last of them is not run.
    pub rounds: usize,
    /// The most searches that a reply may ask for: 5. Further ones are not run.
    pub searches_per_reply: usize,
    /// The most bytes of a hit's text that the prompt shows: 2,000.
    pub hit_bytes: usize,
}

impl Default for DialogueSettings {
    fn default() -> Self {
        Self { rounds: 4, searches_per_reply: 5, hit_bytes: 2000 }
    }
}

/// Something that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its title.
    pub title: String,
    /// Its text, or the part that fits.
    pub text: String,
}

/// What comes after a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These searches; [`Dialogue::found`] takes what they found.
    Search(Vec<String>),
    /// Nothing more.
    Done(Outcome),
}

/// How a dialogue came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer; empty where there is none.
    pub answer: String,
    /// How many searches were run.
    pub calls: usize,
    /// How many replies there were.
    pub rounds: usize,
    /// Why it ended.
    pub ended: Ended,
}

/// Why a dialogue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// With a response.
    Answered,
    /// With a reply that neither searches nor responds.
    Silent,
    /// With a search in the last round.
    OutOfRounds,
}

/// A dialogue about one question. Its prompt is [`Dialogue::system`] and [`Dialogue::user`].
#[derive(Clone, Debug)]
pub struct Dialogue {
    settings: DialogueSettings,
    user: String,
    queries: Vec<String>,
    calls: usize,
    rounds: usize,
}

const SYSTEM: &str = "You answer questions. You can search before you answer.

**Tool**
1. Name: search
Description: Finds short texts about a topic.
Parameters: {\"query\": {\"type\": \"string\", \"description\": \"What to look for, as in a search engine.\"}}

**Form of your reply**
```plaintext
<think> what you considered </think>
<tool_call>
{\"name\": \"search\", \"parameters\": {\"query\": \"what to look for\"}}
</tool_call>
<response> the answer alone, in as few words as it takes </response>
```

**Rules**
1. `<think>` comes first, always. After it comes either `<tool_call>`, to search, or `<response>`, to answer.
2. What a search finds stands in `<obs>`. Search step by step: one fact often leads to the next.
3. Once you know the answer, respond with it and nothing else.
";

impl Dialogue {
    /// The dialogue that a question opens.
    pub fn new(question: &str, settings: &DialogueSettings) -> Self {
        let user = format!("**Dialogue so far**\n<user> {} </user>\n", question.trim());
        Self { settings: *settings, user, queries: Vec::new(), calls: 0, rounds: 0 }
    }

    /// What the system says.
    pub fn system(&self) -> &'static str {
        SYSTEM
    }

    /// What the user says: the question, and the replies and results so far.
    pub fn user(&self) -> &str {
        self.user.trim_end()
    }

    /// Takes a reply. Calls of [`SEARCH`] with a `query` of text are searches; other calls are passed
    /// over. A reply that searches is not done, even if it responds too.
    pub fn reply<T: AsRef<[u8]> + ?Sized>(&mut self, reply: &T) -> Step {
        self.rounds += 1;
        let reply = reply.as_ref();
        let mut queries = queries(reply);
        queries.truncate(self.settings.searches_per_reply);
        let answer = tags::RESPONSE.first(reply).map(text::strip);
        let searching = !queries.is_empty();
        if searching && self.rounds < self.settings.rounds {
            self.user += &format!("\n{}\n", text::lossy(text::strip(reply)));
            self.calls += queries.len();
            self.queries.clone_from(&queries);
            return Step::Search(queries);
        }
        let ended = match answer {
            Some(_) => Ended::Answered,
            None if searching => Ended::OutOfRounds,
            None => Ended::Silent,
        };
        let answer = answer.map_or_else(String::new, |answer| text::lossy(answer).into_owned());
        Step::Done(Outcome { answer, calls: self.calls, rounds: self.rounds, ended })
    }

    /// Takes what the searches of the last reply found, in their order, for the next prompt.
    pub fn found(&mut self, hits: &[Vec<Hit>]) {
        let nothing = Vec::new();
        for (index, query) in std::mem::take(&mut self.queries).iter().enumerate() {
            let hits = hits.get(index).unwrap_or(&nothing);
            let texts = hits.iter().zip(1..).map(|(hit, number)| {
                let text = hit.text.trim();
                let text = &text[..text.floor_char_boundary(self.settings.hit_bytes)];
                format!("{number}. {}\n{text}", hit.title.trim())
            });
            let mut texts = texts.collect::<Vec<_>>().join("\n");
            if texts.is_empty() {
                texts = "nothing".into();
            }
            self.user += &format!("<obs> The search for {query:?} found:\n{texts} </obs>\n");
        }
    }
}

/// The searches of a reply.
fn queries(reply: &[u8]) -> Vec<String> {
    let calls = lenient(reply).and_then(|block| block.calls.ok()).unwrap_or_default();
    let searches = calls
        .iter()
        .map(|call| &call.value)
        .filter(|call| call.get("name").and_then(Value::as_bytes) == Some(SEARCH.as_bytes()));
    let query = |call: &Value<'_>| {
        let query = call.get("parameters")?.get("query")?.as_bytes()?;
        Some(text::lossy(text::strip(query)).into_owned()).filter(|query| !query.is_empty())
    };
    searches.filter_map(query).collect()
}
