//! How a score came about.

use toolrl_grammar::{ReplyKind, SyntaxError};

/// How a term's value came about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Breakdown {
    /// Nothing to say.
    None,
    /// A sentence, for terms of one's own.
    Note(String),
    /// The format term's.
    Format {
        /// The shape that was asked for.
        kind: ReplyKind,
        /// Where the reply leaves that shape.
        fault: Option<SyntaxError>,
    },
    /// The correctness term's.
    Correctness(Outcome),
    /// The length term's.
    Length {
        /// Words in the last thoughts; `None` when a tag is missing.
        words: Option<usize>,
        /// The words that earn the whole value.
        target: f64,
    },
    /// The schema term's: one entry for each call of the reply.
    Schema(Vec<CallCheck>),
    /// The rouge_values term's: one entry for each call of the reply.
    RougeValues(Vec<CallSimilarity>),
}

/// How alike a call of the reply is to the one of the reference that it was paired with.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSimilarity {
    /// The reference's call, by index.
    pub gold: Option<usize>,
    /// From 0 to 1.
    pub similarity: f64,
    /// The similarity of each parameter's values that both have.
    pub values: Vec<(String, f64)>,
}

/// Whether a call fits the tools that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallCheck {
    /// It does.
    Valid,
    /// Its tool was given, with a schema that is none.
    UnusableSchema(String),
    /// Its tool was not given.
    UnknownTool,
    /// Its arguments are not as the schema has them.
    Invalid(String),
}

impl CallCheck {
    /// Whether nothing is wrong with the call.
    pub fn fits(&self) -> bool {
        matches!(self, Self::Valid | Self::UnusableSchema(_))
    }
}

/// How the correctness term came to its value.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The reference makes no call: 0, whatever the reply holds.
    NoCallsWanted,
    /// The calls are those of the reference: the maximum.
    Equal,
    /// The calls differ, and coarse granularity gives nothing for that.
    Different,
    /// The reply makes no call: the minimum.
    NoCalls,
    /// The reply has no readable block of calls: the minimum.
    Unreadable(SyntaxError),
    /// The calls cannot be compared: the minimum.
    Unscorable(Unscorable),
    /// The calls were compared.
    Compared(Comparison),
}

/// Points gained out of those that can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Points {
    /// Gained.
    pub gained: f64,
    /// The most there is.
    pub possible: f64,
}

impl Points {
    /// The share gained, from 0 to 1; 1 where nothing can be gained.
    pub fn fraction(self) -> f64 {
        if self.possible > 0.0 { self.gained / self.possible } else { 1.0 }
    }
}

/// The comparison of a reply's calls with the reference's.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// All points.
    pub points: Points,
    /// The part of them that the tools' names earn together.
    pub names: Points,
    /// What one point is worth in reward.
    pub reward_per_point: f64,
    /// One entry for each call of the reference, in its order.
    pub calls: Vec<CallScore>,
    /// Calls of the reply that no call of the reference was matched with, by index.
    pub spare: Vec<usize>,
}

/// What one call of the reference earned.
#[derive(Clone, Debug)]
pub struct CallScore {
    /// The reply's call it was matched with, by index.
    pub matched: Option<usize>,
    /// What the match earned.
    pub points: CallPoints,
    /// What kept it from earning more.
    pub losses: Vec<Loss>,
}

/// The points of one call of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallPoints {
    /// Parameters are scored apart: their names together, and each value.
    Parts {
        /// For the parameters' names, at most 1.
        keys: Points,
        /// For the values, 1 each.
        values: Points,
    },
    /// The call is right as a whole or not at all.
    Whole(Points),
}

/// Why a matched call earned less than it could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A parameter of the reference is not there.
    MissingKey(String),
    /// A parameter is there that the reference lacks.
    ExtraKey(String),
    /// The parameters are the same in another order, which strict granularity does not take.
    KeyOrder,
    /// A parameter has another value than the reference's.
    WrongValue {
        /// The parameter.
        key: String,
        /// The reference's value, as JSON.
        expected: String,
        /// The reply's value, as JSON.
        found: String,
    },
}

/// A call that cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unscorable {
    /// Whose call it is.
    pub side: Side,
    /// Which, from 0.
    pub call: usize,
    /// What is wrong with it.
    pub defect: Defect,
}

/// Whose call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The reference's.
    Reference,
    /// The reply's.
    Reply,
}

/// Why a call cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The line is no object.
    NotAnObject,
    /// The key is missing.
    Missing(&'static str),
    /// The parameters are no object.
    ParametersNotAnObject,
    /// The parameters have no length: null, a boolean or a number.
    ParametersWithoutLength,
    /// The name is a list or an object.
    UnhashableName,
}

impl std::fmt::Display for Unscorable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = match self.side {
            Side::Reference => "the reference's",
            Side::Reply => "the reply's",
        };
        write!(f, "{side} call {} ", self.call + 1)?;
        match self.defect {
            Defect::NotAnObject => f.write_str("is no object"),
            Defect::Missing(key) => write!(f, "has no \"{key}\""),
            Defect::ParametersNotAnObject => f.write_str("has parameters that are no object"),
            Defect::ParametersWithoutLength => f.write_str("has parameters that cannot be counted"),
            Defect::UnhashableName => f.write_str("has a list or an object as its name"),
        }
    }
}
