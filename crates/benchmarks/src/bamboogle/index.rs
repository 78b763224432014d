//! A search over a folder of documents on this machine.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use toolrl_bamboogle::Hit;

use super::search::{Search, hit};
use crate::BenchmarkError;
use crate::fingerprint::{files, of_text};

/// BM25's saturation of a word's count, as in Lucene.
const K1: f64 = 1.2;
/// BM25's share of length normalisation, as in Lucene.
const B: f64 = 0.75;
/// Bytes of a passage, at most, unless a single paragraph is longer.
const PASSAGE: usize = 1_500;

/// Passages of documents, found by their words with BM25 (Robertson and Zaragoza, "The Probabilistic
/// Relevance Framework", 2009).
///
/// For a query's word that is in `n` of `N` passages, a passage that holds it `f` times scores
/// `ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean length))`.
#[derive(Clone, Debug)]
pub struct LocalIndex {
    name: String,
    passages: Vec<Hit>,
    lengths: Vec<f64>,
    mean_length: f64,
    /// The passages of each word, and how often it stands there.
    postings: HashMap<String, Vec<(usize, f64)>>,
}

impl LocalIndex {
    /// Reads a folder's documents: `.txt` and `.md`, named by their file, in passages of about 1,500 bytes;
    /// `.jsonl`, an object with `title` and `text` (or `contents`) a line, and `.json`, a list of such.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`], [`BenchmarkError::Log`] for a line that is not JSON,
    /// [`BenchmarkError::NoDocuments`].
    pub fn of_folder(folder: &Path) -> Result<Self, BenchmarkError> {
        let mut passages = Vec::new();
        for path in files(folder, &["txt", "md", "json", "jsonl"])? {
            let bytes = std::fs::read(&path).map_err(BenchmarkError::io(&path))?;
            passages.extend(documents(&path, &String::from_utf8_lossy(&bytes))?);
        }
        passages.retain(|passage| !passage.text.trim().is_empty());
        if passages.is_empty() {
            return Err(BenchmarkError::NoDocuments { path: folder.into() });
        }
        Ok(Self::of_passages(passages))
    }

    /// An index of these passages.
    pub fn of_passages(passages: Vec<Hit>) -> Self {
        let mut postings: HashMap<String, Vec<(usize, f64)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(passages.len());
        let mut all = String::new();
        for (index, passage) in passages.iter().enumerate() {
            let mut counts: HashMap<String, f64> = HashMap::new();
            let words = words(&passage.title).into_iter().chain(words(&passage.text));
            words.for_each(|word| *counts.entry(word).or_default() += 1.0);
            lengths.push(counts.values().sum());
            for (word, count) in counts {
                postings.entry(word).or_default().push((index, count));
            }
            all += &of_text(&format!("{}\n{}", passage.title, passage.text));
        }
        let mean_length = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        let name = format!("{} passages {}", passages.len(), of_text(&all));
        Self { name, passages, lengths, mean_length, postings }
    }

    /// The best passages of a query, the best first; of equal ones, the first in the folder.
    fn best(&self, query: &str, hits: usize) -> Vec<Hit> {
        let mut scores: HashMap<usize, f64> = HashMap::new();
        let mut asked = words(query);
        asked.sort_unstable();
        asked.dedup();
        for word in &asked {
            let postings = self.postings.get(word).map_or(&[][..], Vec::as_slice);
            let (n, all) = (postings.len() as f64, self.passages.len() as f64);
            let rarity = (1.0 + (all - n + 0.5) / (n + 0.5)).ln();
            for (index, count) in postings {
                let length = self.lengths[*index] / self.mean_length;
                let weight = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length));
                *scores.entry(*index).or_default() += rarity * weight;
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|(a, score_a), (b, score_b)| score_b.total_cmp(score_a).then(a.cmp(b)));
        ranked.into_iter().take(hits).map(|(index, _)| self.passages[index].clone()).collect()
    }
}

impl Search for LocalIndex {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn search(&self, queries: &[String], hits: usize) -> Result<Vec<Vec<Hit>>, BenchmarkError> {
        Ok(queries.iter().map(|query| self.best(query, hits)).collect())
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The documents of a file.
fn documents(path: &Path, text: &str) -> Result<Vec<Hit>, BenchmarkError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let fail = |line: usize, error: serde_json::Error| BenchmarkError::Log {
        path: path.into(),
        line,
        problem: format!("no document: {error}"),
    };
    match ending {
        "jsonl" => {
            let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
            let document = |(number, line)| serde_json::from_str(line).map_err(|error| fail(number, error));
            lines.map(document).map(|value| value.map(|value: Value| hit(&value))).collect()
        }
        "json" => {
            let value: Value = serde_json::from_str(text).map_err(|error| fail(error.line(), error))?;
            Ok(value.as_array().map_or_else(|| vec![hit(&value)], |list| list.iter().map(hit).collect()))
        }
        _ => {
            let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(passages(text).into_iter().map(|text| Hit { title: title.clone(), text }).collect())
        }
    }
}

/// A text's paragraphs, joined while they are short.
fn passages(text: &str) -> Vec<String> {
    let mut passages: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        match passages.last_mut() {
            Some(last) if last.len() + paragraph.len() < PASSAGE => *last += &format!("\n{paragraph}"),
            _ => passages.push(paragraph.to_owned()),
        }
    }
    passages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(title: &str, text: &str) -> Hit {
        Hit { title: title.into(), text: text.into() }
    }

    #[test]
    fn rare_words_and_short_passages_win() {
        let index = LocalIndex::of_passages(vec![
            passage("a", "the ferry goes to the island"),
            passage("b", "the lighthouse of the island"),
            passage("c", "the ferry"),
            passage("d", "an owl"),
        ]);
        let cases = [
            ("Ferry?", &["c", "a"][..]),
            // Of "the", "a" has two among 7 words (1.213 times its rarity), "c" one among 3 (1.178).
            ("the lighthouse", &["b", "a", "c"]),
            ("owl OWL owl", &["d"]),
            ("nothing here", &[]),
            ("", &[]),
        ];
        for (query, expected) in cases {
            let titles: Vec<String> = index.best(query, 3).into_iter().map(|hit| hit.title).collect();
            assert_eq!(titles, expected, "{query}");
        }
        assert_eq!(index.best("the", 1).len(), 1);
    }

    #[test]
    fn a_score_is_that_of_the_formula() {
        // One word, in one of two passages of equal length, once: ln(1 + 1.5 / 1.5) * 2.2 / 2.2.
        let index = LocalIndex::of_passages(vec![passage("", "x y"), passage("", "z y")]);
        let postings = &index.postings["x"];
        assert_eq!((postings.as_slice(), index.mean_length), (&[(0, 1.0)][..], 2.0));
        assert_eq!(index.best("x", 5), [passage("", "x y")]);
    }

    #[test]
    fn files_of_every_form_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        assert!(matches!(LocalIndex::of_folder(dir.path()), Err(BenchmarkError::NoDocuments { .. })));
        file("ferries.txt", &format!("The Gannet.\n\n{}\n\nThe Petrel.", "long ".repeat(400)));
        file(
            "more.jsonl",
            "{\"title\": \"Owls\", \"text\": \"Elm Wood\"}\n\n{\"contents\": \"\\\"Bats\\\"\\nOak\"}\n",
        );
        file("list.json", "[{\"title\": \"Kim\", \"text\": \"A novel\"}]");
        file("other.bin", "ignored");
        let index = LocalIndex::of_folder(dir.path()).unwrap();
        let titles: Vec<&str> = index.passages.iter().map(|passage| passage.title.as_str()).collect();
        assert_eq!(titles, ["ferries", "ferries", "ferries", "Kim", "Owls", "Bats"]);
        file("broken.jsonl", "{}\n{");
        let error = LocalIndex::of_folder(dir.path()).unwrap_err().to_string();
        assert!(error.contains("broken.jsonl, line 2"), "{error}");
    }
}
