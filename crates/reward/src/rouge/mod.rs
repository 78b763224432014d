//! ROUGE-L, as the package rouge-score 0.1.2 has it with its stemmer.

mod porter;

use porter::stem;

/// Words no longer than this keep their endings.
const UNSTEMMED: usize = 3;

/// How alike two texts are by their longest common subsequence of words, from 0 to 1: the harmonic mean F of precision
/// `P = L / (words of found)` and recall `R = L / (words of wanted)` (Lin 2004, "ROUGE: A Package for Automatic
/// Evaluation of Summaries", section 3.1, with F's beta 1). 0 where either text has no word.
///
/// A word is a run of the letters a to z and of digits, after the text is in lower case, without its ending
/// (Porter 1980) where it has more than three characters: texts in other letters have no words.
pub(crate) fn rouge_l(wanted: &str, found: &str) -> f64 {
    let (wanted, found) = (words(wanted), words(found));
    if wanted.is_empty() || found.is_empty() {
        return 0.0;
    }
    let common = common_subsequence(&wanted, &found) as f64;
    let (precision, recall) = (common / found.len() as f64, common / wanted.len() as f64);
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let runs = lower.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
    let stemmed = |word: &str| if word.len() > UNSTEMMED { stem(word) } else { word.to_owned() };
    runs.filter(|word| !word.is_empty()).map(stemmed).filter(|word| !word.is_empty()).collect()
}

/// The length of the longest common subsequence, in time of the product of both lengths and space of the second.
fn common_subsequence(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0_usize; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
