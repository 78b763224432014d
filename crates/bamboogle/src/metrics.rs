//! Exact match and F1 of answers, after normalising: as SQuAD's evaluation does (Rajpurkar et al.,
//! arXiv 1606.05250).

use std::collections::HashMap;

/// The words of an answer in lower case, without ASCII punctuation and the articles a, an, the.
///
/// ```
/// assert_eq!(toolrl_bamboogle::normalized(" The  James-Madison, Jr."), ["jamesmadison", "jr"]);
/// ```
pub fn normalized(answer: &str) -> Vec<String> {
    let lower = answer.to_lowercase();
    let kept: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let words = kept.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the"));
    words.map(str::to_string).collect()
}

/// Whether two answers are the same after normalising.
pub fn exact_match(answer: &str, right: &str) -> bool {
    normalized(answer) == normalized(right)
}

/// The harmonic mean of precision and recall over the words of two normalised answers, each word as
/// often as both have it: from 0 to 1. Two answers without a word are the same.
///
/// ```
/// assert_eq!(toolrl_bamboogle::f1("James Madison was it", "james madison"), 2.0 / 3.0);
/// ```
pub fn f1(answer: &str, right: &str) -> f64 {
    let (answer, right) = (normalized(answer), normalized(right));
    if answer.is_empty() || right.is_empty() {
        return f64::from(u8::from(answer == right));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &right {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in &answer {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    2.0 * f64::from(common) / (answer.len() + right.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_by_words() {
        // Answer, right answer, exact match, common words, words of both.
        let cases = [
            ("Titan IIIE", "titan iiie.", true, 2.0, 4.0),
            ("the Theory", "theory", true, 1.0, 2.0),
            ("1999", "in 1999", false, 1.0, 3.0),
            ("no no", "no", false, 1.0, 3.0),
            ("", "", true, 1.0, 2.0),
            ("The.", "an", true, 1.0, 2.0),
            ("", "x", false, 0.0, 1.0),
            ("ÉCOLE", "école", true, 1.0, 2.0),
            ("x y", "z", false, 0.0, 3.0),
        ];
        for (answer, right, exact, common, words) in cases {
            assert_eq!(exact_match(answer, right), exact, "{answer:?}, {right:?}");
            assert_eq!(f1(answer, right), 2.0 * common / words, "{answer:?}, {right:?}");
        }
    }
}
