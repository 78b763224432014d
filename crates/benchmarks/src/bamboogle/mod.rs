//! Bamboogle: a few rounds of search and answer.

mod bm25;
mod documents;
mod index;
mod judge;
mod search;

use std::path::Path;

use toolrl_bamboogle::{Dialogue, DialogueSettings, Ended, Question, Step, Tally, exact_match, f1, load};
use toolrl_rollout::{Answer, Answering, Opening, Reply, Session};

use crate::outcome::excerpt;
use crate::{Benchmark, BenchmarkError, Case, CaseKey, Outcome, Score, of_data};
pub use index::LocalIndex;
pub use judge::{ExactMatch, Judge, ModelJudge};
pub use search::{Search, SearchService};

/// The group of all questions.
const GROUP: &str = "bamboogle";

/// Bamboogle with a search and a judge.
pub struct Bamboogle {
    questions: Vec<Question>,
    keys: Vec<CaseKey>,
    data: String,
    settings: DialogueSettings,
    hits: usize,
    search: Box<dyn Search>,
    judge: Box<dyn Judge>,
}

impl Bamboogle {
    /// Reads the questions from a file, or from `data.json` in a folder. A search shows its first 5 hits.
    ///
    /// # Errors
    /// As [`load`]: a missing file's error says where it comes from.
    pub fn load(
        path: &Path,
        settings: DialogueSettings,
        search: Box<dyn Search>,
        judge: Box<dyn Judge>,
    ) -> Result<Self, BenchmarkError> {
        let path = if path.is_dir() { &path.join("data.json") } else { path };
        let questions = load(path)?;
        let key = |question: &Question| CaseKey { id: id(question), group: GROUP.into() };
        let keys = questions.iter().map(key).collect();
        Ok(Self { keys, data: of_data(&[path])?, questions, settings, hits: 5, search, judge })
    }
}

fn id(question: &Question) -> String {
    format!("bamboogle_{}", question.index)
}

impl Benchmark for Bamboogle {
    fn name(&self) -> &'static str {
        "bamboogle"
    }

    fn handler(&self) -> String {
        let DialogueSettings { rounds, searches_per_reply, hit_bytes } = self.settings;
        format!(
            "toolrl, {rounds} rounds, {searches_per_reply} searches a reply, {} hits of {hit_bytes} bytes; search: {}; judge: {}",
            self.hits,
            self.search.name(),
            self.judge.name()
        )
    }

    fn data(&self) -> String {
        self.data.clone()
    }

    fn cases(&self) -> &[CaseKey] {
        &self.keys
    }

    fn open(&self, index: usize) -> Result<Box<dyn Case + '_>, BenchmarkError> {
        let question = &self.questions[index];
        let outcome = Outcome {
            id: id(question),
            group: GROUP.into(),
            asked: excerpt(&question.question),
            expected: excerpt(&question.answer),
            replies: vec![Vec::new()],
            ..Outcome::default()
        };
        let dialogue = Dialogue::new(&question.question, &self.settings);
        Ok(Box::new(Searching { bamboogle: self, question, dialogue, outcome }))
    }

    fn scores(&self, outcomes: &[Outcome]) -> Vec<Score> {
        let mut tally = Tally::default();
        let (mut exact, mut total) = (0.0, 0.0);
        for outcome in outcomes {
            let measure = |name: &str| outcome.measures.get(name).copied().unwrap_or_default();
            tally.count(outcome.right, measure("f1"), measure("calls") as usize);
            exact += measure("exact");
            total += 1.0;
        }
        let totals = tally.totals();
        vec![
            Score::share("Accuracy", totals.map(|totals| totals.accuracy)),
            Score::mean("Average calls", totals.map(|totals| totals.calls)),
            Score::share("F1", totals.map(|totals| totals.f1)),
            Score::share("Exact match", totals.map(|_| exact / total)),
        ]
    }
}

/// A question under way.
struct Searching<'a> {
    bamboogle: &'a Bamboogle,
    question: &'a Question,
    dialogue: Dialogue,
    outcome: Outcome,
}

impl Searching<'_> {
    fn end(&mut self, came: &toolrl_bamboogle::Outcome) -> Result<(), BenchmarkError> {
        let right = &self.question.answer;
        let measures = [
            ("calls", came.calls as f64),
            ("rounds", came.rounds as f64),
            ("f1", f1(&came.answer, right)),
            ("exact", f64::from(u8::from(exact_match(&came.answer, right)))),
        ];
        self.outcome.measures.extend(measures.map(|(name, value)| (name.to_owned(), value)));
        match came.ended {
            Ended::Silent => self.outcome.fail("no_answer"),
            Ended::OutOfRounds => self.outcome.fail("out_of_rounds"),
            Ended::Answered if self.bamboogle.judge.is_right(self.question, &came.answer)? => {
                self.outcome.right = true;
            }
            Ended::Answered => self.outcome.fail("wrong_answer"),
        }
        Ok(())
    }
}

impl Searching<'_> {
    fn take(&mut self, reply: &Reply) -> Result<Answer, BenchmarkError> {
        self.outcome.count(reply);
        let step = self.dialogue.reply(&reply.text);
        self.outcome.replies.iter_mut().for_each(|replies| replies.push(reply.text.clone()));
        match step {
            Step::Done(came) => {
                self.end(&came)?;
                Ok(Answer::End)
            }
            Step::Search(queries) => {
                let hits = self.bamboogle.search.search(&queries, self.bamboogle.hits)?;
                self.dialogue.found(&hits);
                Ok(Answer::Retold(self.opening()))
            }
        }
    }
}

impl Session for Searching<'_> {
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a> {
        Box::pin(async move { Ok(self.take(reply)?) })
    }
}

impl Case for Searching<'_> {
    fn opening(&self) -> Opening {
        Opening::of(self.dialogue.system(), self.dialogue.user())
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
}
