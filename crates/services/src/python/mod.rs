//! What the services need of Python: its operators, conversions and methods with their exceptions' texts.

mod arithmetic;
mod assignments;
mod calls;
mod collections;
mod decimal;
mod id_set;
mod logarithm;
mod numbers;
mod raised;
mod random;
mod reader;
mod rewrite;
mod signature;
mod text;
mod time;

pub(crate) use arithmetic::{Operator, absolute, arithmetic, real_quotient, sum};
pub(crate) use assignments::{Assignment, line_of, parse_assignments};
pub(crate) use calls::{call_text, parse_call};
pub(crate) use collections::{contains, item, iterate};
pub(crate) use decimal::square_root;
pub(crate) use id_set::IdSet;
pub(crate) use logarithm::logarithm;
pub(crate) use numbers::{Number, float_of, int_of_text, number, round, too_many_digits, whole_of};
pub(crate) use raised::{Kind, Outcome, Raised};
pub(crate) use random::Random;
pub(crate) use rewrite::rewrite;
pub(crate) use signature::{Function, function};
pub(crate) use text::{digit_sum, join, lower, rstrip_slash, split_count, split_lines, starts_with};
pub(crate) use time::{CLOCK, DATE, DATE_TIME, Moment, parse_time};
