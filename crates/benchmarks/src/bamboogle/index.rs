//! A search over a folder of documents on this machine.

use std::path::Path;

use toolrl_bamboogle::Hit;

use super::bm25::Bm25;
use super::documents::documents;
use super::search::Search;
use crate::BenchmarkError;
use crate::fingerprint::{files, of_text};

/// Passages of documents, found by their words with BM25.
#[derive(Clone, Debug)]
pub struct LocalIndex {
    name: String,
    passages: Vec<Hit>,
    words: Bm25,
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
        let mut all = String::new();
        for passage in &passages {
            all += &of_text(&text(passage));
        }
        let name = format!("{} passages {}", passages.len(), of_text(&all));
        let words = Bm25::of(passages.iter().map(text));
        Self { name, passages, words }
    }

    /// The best passages of a query, the best first; of equal ones, the first in the folder.
    fn best(&self, query: &str, hits: usize) -> Vec<&Hit> {
        self.words.best(query, hits).into_iter().map(|(_, number)| &self.passages[number]).collect()
    }
}

/// What is searched of a passage.
fn text(passage: &Hit) -> String {
    format!("{}\n{}", passage.title, passage.text)
}

impl Search for LocalIndex {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn search(&self, queries: &[String], hits: usize) -> Result<Vec<Vec<Hit>>, BenchmarkError> {
        Ok(queries.iter().map(|query| self.best(query, hits).into_iter().cloned().collect()).collect())
    }
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
            let titles: Vec<&str> = index.best(query, 3).iter().map(|hit| hit.title.as_str()).collect();
            assert_eq!(titles, expected, "{query}");
        }
        assert_eq!(index.best("the", 1).len(), 1);
        assert!(index.best("the", 0).is_empty());
    }

    #[test]
    fn equal_passages_stand_in_the_order_of_the_folder() {
        let all = (0..50).map(|i| passage(&format!("t{i}"), "the same words")).collect();
        let best = LocalIndex::of_passages(all);
        let best = best.best("words", 50);
        assert!(best.iter().enumerate().all(|(i, hit)| hit.title == format!("t{i}")), "{best:?}");
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
