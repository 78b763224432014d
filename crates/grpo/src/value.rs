//! The critic's loss.

use crate::{BatchExtent, GrpoError};

/// One reply as the critic's loss sees it.
///
/// # Shapes
/// All slices have one value per token of the reply, of the state in which the token was drawn.
#[derive(Clone, Copy, Debug)]
pub struct ValueSequence<'a> {
    /// Estimates of the critic that is trained.
    pub values: &'a [f32],
    /// Estimates before this step's first update.
    pub old_values: &'a [f32],
    /// The returns that they should have been.
    pub returns: &'a [f64],
}

/// The loss of some replies of an update batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueLoss {
    /// This micro-batch's share of the batch's loss.
    pub loss: f64,
    /// Its derivative by each value, token after token, sequence after sequence.
    pub d_values: Vec<f32>,
    /// Tokens whose value the clip held back.
    pub clipped: usize,
}

/// Half the mean over the batch's tokens of `max((V - R)^2, (clip(V, V_old - clip, V_old + clip) - R)^2)`: PPO's clipped
/// value loss, as in its reference code and in verl, with which ToolRL trained.
///
/// # Arguments
/// - `batch`: the extent of the whole update batch.
/// - `clip`: how far a value may go from the old one; infinity for the plain squared error.
///
/// # Errors
/// [`GrpoError`] for slices of different length, and for a value that is not finite.
pub fn value_loss(
    sequences: &[ValueSequence<'_>],
    batch: BatchExtent,
    clip: f64,
) -> Result<ValueLoss, GrpoError> {
    let weight = 1.0 / batch.tokens.max(1) as f64;
    let mut output = ValueLoss { loss: 0.0, d_values: Vec::new(), clipped: 0 };
    for (index, sequence) in sequences.iter().enumerate() {
        let expected = sequence.values.len();
        for (what, found) in [("old_values", sequence.old_values.len()), ("returns", sequence.returns.len())]
        {
            if found != expected {
                return Err(GrpoError::LengthMismatch { what, sequence: index, expected, found });
            }
        }
        for (token, &value) in sequence.values.iter().enumerate() {
            let (value, old) = (f64::from(value), f64::from(sequence.old_values[token]));
            let (loss, d_value) = of_token(value, old, sequence.returns[token], clip);
            if !loss.is_finite() {
                return Err(GrpoError::NotFinite {
                    what: "the value loss",
                    value: loss,
                    sequence: index,
                    token,
                });
            }
            output.clipped += usize::from(d_value == 0.0 && value != sequence.returns[token]);
            output.loss += weight * loss;
            output.d_values.push((weight * d_value) as f32);
        }
    }
    Ok(output)
}

/// A token's loss and its derivative by the value.
fn of_token(value: f64, old: f64, target: f64, clip: f64) -> (f64, f64) {
    let error = value - target;
    let held = value.max(old - clip).min(old + clip) - target;
    if held * held > error * error {
        // The clipped value does not move with the value.
        (0.5 * held * held, 0.0)
    } else {
        (0.5 * error * error, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f32; 6] = [0.5, 1.5, -2.0, 0.25, 3.0, -1.0];
    const OLD: [f32; 6] = [0.4, 0.5, -1.9, 1.25, 3.0, 1.0];
    const RETURNS: [f64; 6] = [1.0, 2.0, 0.5, -1.0, 3.0, -2.0];

    fn sequences(values: &[f32]) -> [ValueSequence<'_>; 2] {
        let part = |at: std::ops::Range<usize>| ValueSequence {
            values: &values[at.clone()],
            old_values: &OLD[at.clone()],
            returns: &RETURNS[at],
        };
        [part(0..2), part(2..6)]
    }

    const BATCH: BatchExtent = BatchExtent { sequences: 2, tokens: 6 };

    #[test]
    fn is_its_formula() {
        for clip in [0.2, 0.5, f64::INFINITY] {
            let expected: f64 = (0..6)
                .map(|i| {
                    let (v, old) = (f64::from(VALUES[i]), f64::from(OLD[i]));
                    let held = v.max(old - clip).min(old + clip);
                    (v - RETURNS[i]).powi(2).max((held - RETURNS[i]).powi(2))
                })
                .sum();
            let found = value_loss(&sequences(&VALUES), BATCH, clip).unwrap();
            assert!((found.loss - expected / 12.0).abs() < 1e-12, "{clip}");
        }
        assert_eq!(value_loss(&sequences(&VALUES), BATCH, f64::INFINITY).unwrap().clipped, 0);
        // Tokens 1, 3 and 5 went further than 0.5 from the old value, towards their returns.
        assert_eq!(value_loss(&sequences(&VALUES), BATCH, 0.5).unwrap().clipped, 3);
    }

    #[test]
    fn derivatives_equal_finite_differences() {
        for clip in [0.35, f64::INFINITY] {
            let found = value_loss(&sequences(&VALUES), BATCH, clip).unwrap();
            for token in 0..6 {
                let h = 1.0 / 1024.0;
                let moved = |by: f32| {
                    let mut values = VALUES;
                    values[token] += by;
                    value_loss(&sequences(&values), BATCH, clip).unwrap().loss
                };
                let slope = (moved(h as f32) - moved(-h as f32)) / (2.0 * h);
                assert!((f64::from(found.d_values[token]) - slope).abs() < 1e-6, "{clip} {token}");
            }
        }
    }

    #[test]
    fn parts_add_up_and_bad_input_is_named() {
        let all = sequences(&VALUES);
        let whole = value_loss(&all, BATCH, 0.5).unwrap();
        let parts = [&all[..1], &all[1..]].map(|part| value_loss(part, BATCH, 0.5).unwrap());
        assert!((parts[0].loss + parts[1].loss - whole.loss).abs() < 1e-12);
        assert_eq!([parts[0].d_values.clone(), parts[1].d_values.clone()].concat(), whole.d_values);

        let short = ValueSequence { returns: &RETURNS[..1], ..all[0] };
        let message = value_loss(&[short], BATCH, 0.5).unwrap_err().to_string();
        assert!(message.contains("returns"), "{message}");
        let nan = ValueSequence { values: &[f32::NAN], old_values: &[0.0], returns: &[0.0] };
        let message = value_loss(&[nan], BATCH, 0.5).unwrap_err().to_string();
        assert!(message.contains("value loss"), "{message}");
    }
}
