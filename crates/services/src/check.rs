//! The verdict on a model's calls: state and results against those of the ground truth, turn by turn.

use crate::cases::Case;
use crate::session::{Session, Side};
use crate::{Call, ServicesError};

/// How many steps of one turn may run before the generation stops: it does after the step beyond them,
/// and leaves the turns to come unanswered.
pub const STEP_LIMIT: usize = 20;

/// Whether a case is right, or why not.
pub type Verdict = Result<(), Failure>;

/// Why a case is wrong. It displays as the released evaluator's error type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// Another number of turns than the ground truth has, because generation was stopped.
    #[error("multi_turn:force_terminated")]
    ForceTerminated,
    /// A turn without a call where the ground truth makes one.
    #[error("multi_turn:empty_turn_model_response")]
    EmptyTurn,
    /// After a turn, a service's state is not that of the ground truth.
    #[error("multi_turn:instance_state_mismatch")]
    State,
    /// A turn's ground-truth results are not all among the results so far.
    #[error("multi_turn:execution_response_mismatch")]
    Response,
}

/// Checks the model's calls, by turn, step and call.
///
/// Turns whose ground truth is empty are run and not checked: the model should not have been able to act,
/// and what it did shows in the turns after. Of results that are the same text, as many are needed as the
/// turn has; their order is free.
///
/// # Errors
/// [`ServicesError::Scenario`] for a case that the services cannot start from.
pub fn check(case: &Case, turns: &[Vec<Vec<Call>>]) -> Result<Verdict, ServicesError> {
    if turns.len() != case.ground_truth.len() {
        return Ok(Err(Failure::ForceTerminated));
    }
    let mut model = case.session(Side::Model)?;
    let mut truth = case.session(Side::GroundTruth)?;
    let mut results = Vec::new();
    for (steps, wanted) in turns.iter().zip(&case.ground_truth) {
        let calls: Vec<&Call> = steps.iter().flatten().collect();
        results.extend(calls.iter().map(|call| model.execute(&call.to_string())));
        let wanted_results: Vec<String> = wanted.iter().map(|call| truth.execute(call)).collect();
        if wanted.is_empty() {
            continue;
        }
        if calls.is_empty() {
            return Ok(Err(Failure::EmptyTurn));
        }
        if let Err(failure) = compare(&model, &truth, &results, &wanted_results) {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(()))
}

fn compare(model: &Session, truth: &Session, results: &[String], wanted: &[String]) -> Verdict {
    if !model.same_state(truth) {
        return Err(Failure::State);
    }
    let mut left: Vec<&String> = results.iter().collect();
    for result in wanted {
        let place = left.iter().position(|own| *own == result).ok_or(Failure::Response)?;
        left.swap_remove(place);
    }
    Ok(())
}
