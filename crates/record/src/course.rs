//! How a figure of an evaluation went in the course of a run: its best, and how long ago it gained.

use crate::EvaluationRow;

/// How a figure of an evaluation went in the course of a run; higher is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Course {
    /// Step and value of the best after training began; of equals the first.
    pub best: Option<(u64, f64)>,
    /// Evaluations since the last gain.
    pub without_gain: u32,
}

impl Course {
    /// That of a score of an evaluation, over rows in the order of their steps. The first row is what the others are
    /// measured against; a gain is a value above it, or above the last gain's, by more than `min_delta`. So gains that are
    /// small each count once they add up. What is no number is no gain.
    pub fn of<'a>(
        rows: impl IntoIterator<Item = &'a EvaluationRow>,
        (evaluation, score): (&str, &str),
        min_delta: f64,
    ) -> Self {
        let mut course = Self::default();
        let mut last_gain: Option<f64> = None;
        for row in rows.into_iter().filter(|row| row.evaluation == evaluation) {
            let value = row.scores.get(score).copied().unwrap_or(f64::NAN);
            if row.step > 0 && !value.is_nan() && course.best.is_none_or(|(_, best)| value > best) {
                course.best = Some((row.step, value));
            }
            match last_gain {
                None => last_gain = Some(value).filter(|value| !value.is_nan()),
                Some(last) if value > last + min_delta => (last_gain, course.without_gain) = (Some(value), 0),
                Some(_) => course.without_gain += 1,
            }
        }
        course
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(values: &[f64], min_delta: f64) -> (Option<u64>, u32) {
        let row = |(step, value): (u64, &f64)| EvaluationRow {
            step,
            evaluation: "mine".to_owned(),
            cases: 1,
            seconds: 0.0,
            scores: [("x".to_owned(), *value)].into(),
        };
        let mut rows: Vec<_> = (0..).zip(values).map(row).collect();
        rows.push(EvaluationRow { evaluation: "other".to_owned(), ..row((99, &100.0)) });
        let course = Course::of(&rows, ("mine", "x"), min_delta);
        (course.best.map(|(step, _)| step), course.without_gain)
    }

    #[test]
    fn gains_are_counted_against_the_last_one() {
        for (values, min_delta, expected) in [
            (&[][..], 0.0, (None, 0)),
            (&[3.0], 0.0, (None, 0)),
            (&[3.0, 1.0], 0.0, (Some(1), 1)),
            (&[1.0, 2.0, 2.0, 2.0], 0.0, (Some(1), 2)),
            (&[1.0, 2.0, 1.5, 2.5], 0.0, (Some(3), 0)),
            (&[1.0, 2.0, 2.4, 2.3], 0.5, (Some(2), 2)),
            (&[1.0, 1.3, 1.6, 1.6], 0.5, (Some(2), 1)),
            (&[5.0, 1.0, 2.0, 3.0], 0.0, (Some(3), 3)),
            (&[1.0, f64::NAN, f64::NAN], 0.0, (None, 2)),
            (&[f64::NAN, 1.0, 0.5], 0.0, (Some(1), 1)),
        ] {
            assert_eq!(course(values, min_delta), expected, "{values:?} {min_delta}");
        }
    }
}
