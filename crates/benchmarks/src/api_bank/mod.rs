//! API-Bank: one prompt, one reply, one right call.

mod native;

use std::path::Path;

use toolrl_api_bank::{Case, Level, Reply as Read, Score as ApiBankScore, Tally, load, score};
use toolrl_grammar::Dialect;
use toolrl_grammar::json::Value;
use toolrl_rollout::{Opening, Reply};

use crate::case::OneReply;
use crate::outcome::excerpt;
use crate::{Benchmark, BenchmarkError, CaseKey, Outcome, Score, of_data};

/// API-Bank's three levels by the released matching, with hard match as a measure beside it.
#[derive(Clone, Debug)]
pub struct ApiBank {
    cases: Vec<Case>,
    keys: Vec<CaseKey>,
    data: String,
    wording: Wording,
}

/// Who words the prompts and reads the replies.
#[derive(Clone, Copy, Debug)]
pub enum Wording {
    /// The data's own text, and calls as the released code reads them.
    Released,
    /// The policy's own template, with the tools and the dialogue of that text, and calls in this dialect.
    Native(&'static dyn Dialect),
}

impl ApiBank {
    /// Reads the cases from the folder of the three levels' files.
    ///
    /// # Errors
    /// As [`load`]: a missing file's error says where it comes from.
    pub fn load(folder: &Path) -> Result<Self, BenchmarkError> {
        let cases = load(folder, &Level::ALL)?;
        let key = |case: &Case| CaseKey { id: case.key(), group: group(case.level) };
        let files: Vec<_> = Level::ALL.iter().map(|level| folder.join(level.file_name())).collect();
        let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
        let keys = cases.iter().map(key).collect();
        Ok(Self { keys, data: of_data(&files)?, cases, wording: Wording::Released })
    }

    /// The same, worded otherwise.
    #[must_use]
    pub fn worded(self, wording: Wording) -> Self {
        Self { wording, ..self }
    }
}

/// The name of a level's group.
fn group(level: Level) -> String {
    format!("level_{level}")
}

impl Benchmark for ApiBank {
    fn name(&self) -> &'static str {
        "api-bank"
    }

    fn handler(&self) -> String {
        match self.wording {
            Wording::Released => "toolrl, prompts of the data".into(),
            Wording::Native(dialect) => dialect.name().into(),
        }
    }

    fn data(&self) -> String {
        self.data.clone()
    }

    fn cases(&self) -> &[CaseKey] {
        &self.keys
    }

    fn open(&self, index: usize) -> Result<Box<dyn crate::Case + '_>, BenchmarkError> {
        let case = &self.cases[index];
        let outcome = Outcome {
            id: case.key(),
            group: group(case.level),
            asked: excerpt(&case.user),
            expected: excerpt(&format!("{} {}", case.answer.name.lossy(), case.answer.parameters)),
            ..Outcome::default()
        };
        let (wording, own) = (self.wording, || Opening::of(case.system.clone(), case.user.clone()));
        let opening = match wording {
            Wording::Released => own(),
            Wording::Native(_) => native::opening(&case.system, &case.user)
                .map_err(|problem| BenchmarkError::Prompt { id: case.key(), problem })?,
        };
        let judge = move |reply: &Reply, outcome: &mut Outcome| {
            let text = match wording {
                Wording::Released => reply.text.clone(),
                Wording::Native(dialect) => native::as_scored(&reply.text, dialect),
            };
            let score = score(&text, &case.answer);
            outcome.measures.insert("hard".into(), f64::from(score.by(ApiBankScore::Hard)));
            outcome.right = score >= ApiBankScore::Released;
            if !outcome.right {
                outcome.fail(failure(&text, case));
            }
            outcome.replies = vec![vec![reply.text.clone()]];
            Ok(())
        };
        Ok(Box::new(OneReply { opening, outcome, judge }))
    }

    fn scores(&self, outcomes: &[Outcome]) -> Vec<Score> {
        let mut tally = Tally::default();
        for outcome in outcomes {
            let level = Level::ALL.into_iter().find(|level| group(*level) == outcome.group);
            let hard = outcome.measures.get("hard").is_some_and(|hard| *hard == 1.0);
            if let Some(level) = level {
                let released = if outcome.right { ApiBankScore::Released } else { ApiBankScore::Wrong };
                tally.count(level, if hard { ApiBankScore::Hard } else { released });
            }
        }
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let overall = tally.overall();
        let mut scores = vec![Score::share("Overall", share(overall.released, overall.total))];
        for level in Level::ALL {
            let tally = tally.level(level);
            scores.push(Score::share(format!("Level {level}"), share(tally.released, tally.total)));
        }
        scores.push(Score::share("Hard match", share(overall.hard, overall.total)));
        scores
    }
}

/// What is wrong with a reply that does not make the right call.
fn failure(reply: &str, case: &Case) -> &'static str {
    let calls = Read::parse(reply).calls;
    let names =
        |call: &Value<'_>| call.get("name").and_then(Value::as_bytes) == Some(case.answer.name.as_bytes());
    match (calls.is_empty(), calls.iter().any(names)) {
        (true, _) => "no_call",
        (false, true) => "wrong_parameters",
        (false, false) => "wrong_tool",
    }
}
