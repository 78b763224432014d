//! The categories of cases.

use std::fmt;
use std::str::FromStr;

use crate::BfclError;

/// A category of the benchmark: each has its own file of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// One function, one call.
    Simple,
    /// Several functions, one call.
    Multiple,
    /// One function, several calls.
    Parallel,
    /// Several functions, several calls.
    ParallelMultiple,
    /// One call to a Java method.
    Java,
    /// One call to a JavaScript function.
    Javascript,
    /// No function fits.
    Irrelevance,
    /// As [`Self::Simple`], from users.
    LiveSimple,
    /// As [`Self::Multiple`], from users.
    LiveMultiple,
    /// As [`Self::Parallel`], from users.
    LiveParallel,
    /// As [`Self::ParallelMultiple`], from users.
    LiveParallelMultiple,
    /// Some function fits, from users.
    LiveRelevance,
    /// As [`Self::Irrelevance`], from users.
    LiveIrrelevance,
    /// Several turns, all that is needed is there.
    MultiTurnBase,
    /// A function comes only in a later turn.
    MultiTurnMissFunc,
    /// A value comes only in a later turn.
    MultiTurnMissParam,
    /// The services hold and return bulky texts.
    MultiTurnLongContext,
    /// As [`Self::Simple`], once executed.
    ExecSimple,
    /// As [`Self::Multiple`], once executed.
    ExecMultiple,
    /// As [`Self::Parallel`], once executed.
    ExecParallel,
    /// As [`Self::ParallelMultiple`], once executed.
    ExecParallelMultiple,
    /// Calls to services on the network, once executed.
    Rest,
}

/// Where a category stands in the leaderboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// One turn, written by the benchmark's authors.
    NonLive,
    /// One turn, contributed by users.
    Live,
    /// Several turns against simulated services.
    MultiTurn,
    /// One turn, once scored by executing the calls; no longer part of the leaderboard.
    RetiredExec,
}

/// How the calls of a reply are held against those of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matching {
    /// One call to the first function.
    Simple,
    /// One call to one of several functions.
    Multiple,
    /// Several calls in any order.
    Parallel,
}

/// How a category is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The reply's calls against the answer's.
    Calls(Matching),
    /// Right without a call.
    Irrelevance,
    /// Right with any call.
    Relevance,
    /// The states and results of simulated services.
    MultiTurn,
    /// Not scored here: its calls go to services on the network.
    NotRun,
}

/// The language of a category's functions, which decides how arguments are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Arguments are JSON values.
    Python,
    /// Arguments are Java source text.
    Java,
    /// Arguments are JavaScript source text.
    JavaScript,
}

impl Category {
    /// Every category: the 13 of a single turn, the 4 of several, the 5 retired ones.
    pub const ALL: [Self; 22] = [
        Self::Simple,
        Self::Multiple,
        Self::Parallel,
        Self::ParallelMultiple,
        Self::Java,
        Self::Javascript,
        Self::Irrelevance,
        Self::LiveSimple,
        Self::LiveMultiple,
        Self::LiveParallel,
        Self::LiveParallelMultiple,
        Self::LiveRelevance,
        Self::LiveIrrelevance,
        Self::MultiTurnBase,
        Self::MultiTurnMissFunc,
        Self::MultiTurnMissParam,
        Self::MultiTurnLongContext,
        Self::ExecSimple,
        Self::ExecMultiple,
        Self::ExecParallel,
        Self::ExecParallelMultiple,
        Self::Rest,
    ];

    /// The categories of the groups.
    pub fn of_groups(groups: &[Group]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|category| groups.contains(&category.group())).collect()
    }

    /// The categories that names of categories and of groups (`non_live`, `live`, `single_turn`, `multi_turn`, `exec`)
    /// stand for, each once, in the order of the names. Those whose calls need the network are left out of `exec`.
    ///
    /// # Errors
    /// [`BfclError::UnknownCategory`].
    pub fn of_names<S: AsRef<str>>(names: &[S]) -> Result<Vec<Self>, BfclError> {
        let mut found: Vec<Self> = Vec::new();
        for name in names {
            let of_name = match name.as_ref().trim() {
                "non_live" => Self::of_groups(&[Group::NonLive]),
                "live" => Self::of_groups(&[Group::Live]),
                "single_turn" => Self::single_turn(),
                "multi_turn" => Self::of_groups(&[Group::MultiTurn]),
                "exec" => {
                    let exec = Self::of_groups(&[Group::RetiredExec]);
                    exec.into_iter().filter(|category| category.rule() != Rule::NotRun).collect()
                }
                name => vec![name.parse()?],
            };
            for category in of_name {
                if !found.contains(&category) {
                    found.push(category);
                }
            }
        }
        Ok(found)
    }

    /// The 13 categories of a single turn that the leaderboard counts.
    pub fn single_turn() -> Vec<Self> {
        Self::of_groups(&[Group::NonLive, Group::Live])
    }

    /// Its name in files, ids and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Multiple => "multiple",
            Self::Parallel => "parallel",
            Self::ParallelMultiple => "parallel_multiple",
            Self::Java => "java",
            Self::Javascript => "javascript",
            Self::Irrelevance => "irrelevance",
            Self::LiveSimple => "live_simple",
            Self::LiveMultiple => "live_multiple",
            Self::LiveParallel => "live_parallel",
            Self::LiveParallelMultiple => "live_parallel_multiple",
            Self::LiveRelevance => "live_relevance",
            Self::LiveIrrelevance => "live_irrelevance",
            Self::MultiTurnBase => "multi_turn_base",
            Self::MultiTurnMissFunc => "multi_turn_miss_func",
            Self::MultiTurnMissParam => "multi_turn_miss_param",
            Self::MultiTurnLongContext => "multi_turn_long_context",
            Self::ExecSimple => "exec_simple",
            Self::ExecMultiple => "exec_multiple",
            Self::ExecParallel => "exec_parallel",
            Self::ExecParallelMultiple => "exec_parallel_multiple",
            Self::Rest => "rest",
        }
    }

    /// The category that an id such as `live_simple_19-3-15` names.
    pub fn of_id(id: &str) -> Option<Self> {
        let (name, _) = id.rsplit_once('_')?;
        name.parse().ok()
    }

    /// Where it stands in the leaderboard.
    pub fn group(self) -> Group {
        match self {
            Self::Simple | Self::Multiple | Self::Parallel | Self::ParallelMultiple => Group::NonLive,
            Self::Java | Self::Javascript | Self::Irrelevance => Group::NonLive,
            Self::LiveSimple | Self::LiveMultiple | Self::LiveParallel => Group::Live,
            Self::LiveParallelMultiple | Self::LiveRelevance | Self::LiveIrrelevance => Group::Live,
            Self::MultiTurnBase | Self::MultiTurnMissFunc => Group::MultiTurn,
            Self::MultiTurnMissParam | Self::MultiTurnLongContext => Group::MultiTurn,
            Self::ExecSimple | Self::ExecMultiple | Self::ExecParallel => Group::RetiredExec,
            Self::ExecParallelMultiple | Self::Rest => Group::RetiredExec,
        }
    }

    /// How it is scored.
    pub fn rule(self) -> Rule {
        match self {
            Self::Irrelevance | Self::LiveIrrelevance => Rule::Irrelevance,
            Self::LiveRelevance => Rule::Relevance,
            Self::Rest => Rule::NotRun,
            Self::Simple | Self::Java | Self::Javascript | Self::LiveSimple | Self::ExecSimple => {
                Rule::Calls(Matching::Simple)
            }
            Self::Multiple | Self::LiveMultiple | Self::ExecMultiple => Rule::Calls(Matching::Multiple),
            Self::Parallel | Self::ParallelMultiple => Rule::Calls(Matching::Parallel),
            Self::LiveParallel | Self::LiveParallelMultiple => Rule::Calls(Matching::Parallel),
            Self::ExecParallel | Self::ExecParallelMultiple => Rule::Calls(Matching::Parallel),
            Self::MultiTurnBase | Self::MultiTurnMissFunc => Rule::MultiTurn,
            Self::MultiTurnMissParam | Self::MultiTurnLongContext => Rule::MultiTurn,
        }
    }

    /// The language of its functions.
    pub fn language(self) -> Language {
        match self {
            Self::Java => Language::Java,
            Self::Javascript => Language::JavaScript,
            _ => Language::Python,
        }
    }

    /// How many cases its file has.
    pub fn size(self) -> usize {
        match self {
            Self::Simple => 400,
            Self::Multiple | Self::Parallel | Self::ParallelMultiple => 200,
            Self::Java | Self::ExecSimple => 100,
            Self::Javascript | Self::ExecMultiple | Self::ExecParallel => 50,
            Self::Irrelevance => 240,
            Self::LiveSimple => 258,
            Self::LiveMultiple => 1053,
            Self::LiveParallel => 16,
            Self::LiveParallelMultiple => 24,
            Self::LiveRelevance => 18,
            Self::LiveIrrelevance => 882,
            Self::MultiTurnBase | Self::MultiTurnMissFunc => 200,
            Self::MultiTurnMissParam | Self::MultiTurnLongContext => 200,
            Self::ExecParallelMultiple => 40,
            Self::Rest => 70,
        }
    }

    /// The name of its file of cases.
    pub fn file_name(self) -> String {
        format!("BFCL_v3_{self}.json")
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Category {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Category {
    type Err = BfclError;

    fn from_str(name: &str) -> Result<Self, BfclError> {
        let found = Self::ALL.into_iter().find(|category| category.name() == name);
        found.ok_or_else(|| BfclError::UnknownCategory { name: name.into() })
    }
}
