//! A search over a folder of documents on this machine.

use std::collections::BTreeSet;
use std::path::Path;

use tantivy::collector::TopDocs;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::BooleanQuery;
use tantivy::schema::{
    FAST, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{Index, IndexWriter, Searcher, TantivyDocument, TantivyError, Term};
use toolrl_bamboogle::Hit;

use super::documents::documents;
use super::search::Search;
use crate::BenchmarkError;
use crate::fingerprint::{files, of_text};

/// Bytes of memory in which passages are indexed.
const WRITER: usize = 256 << 20;

/// Passages of documents, found by their words with BM25 (Robertson and Zaragoza, "The Probabilistic Relevance
/// Framework", 2009; k1 = 1.2, b = 0.75) in a tantivy index in memory.
#[derive(Clone, Debug)]
pub struct LocalIndex {
    name: String,
    passages: Vec<Hit>,
    searcher: Searcher,
    fields: Fields,
}

/// What is indexed of a passage.
#[derive(Clone, Copy, Debug)]
struct Fields {
    /// The words of its title and its text.
    words: Field,
    /// Its place among all passages.
    number: Field,
}

impl LocalIndex {
    /// Reads a folder's documents: `.txt` and `.md`, named by their file, in passages of about 1,500 bytes;
    /// `.jsonl`, an object with `title` and `text` (or `contents`) a line, and `.json`, a list of such.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`], [`BenchmarkError::Log`] for a line that is not JSON,
    /// [`BenchmarkError::NoDocuments`], [`BenchmarkError::Index`].
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
        Self::of_passages(passages)
    }

    /// An index of these passages.
    ///
    /// # Errors
    /// [`BenchmarkError::Index`] where they cannot be indexed.
    pub fn of_passages(passages: Vec<Hit>) -> Result<Self, BenchmarkError> {
        let mut all = String::new();
        for passage in &passages {
            all += &of_text(&format!("{}\n{}", passage.title, passage.text));
        }
        let name = format!("{} passages {}", passages.len(), of_text(&all));
        let (searcher, fields) = index(&passages)?;
        Ok(Self { name, passages, searcher, fields })
    }

    /// The best passages of a query and their scores, the best first; of equal ones, the first in the folder.
    fn best(&self, query: &str, hits: usize) -> Result<Vec<(f32, &Hit)>, TantivyError> {
        let collector = match hits {
            0 => return Ok(Vec::new()),
            hits => TopDocs::with_limit(hits).order_by_score(),
        };
        let mut found = Vec::new();
        for (score, address) in self.searcher.search(&self.any_word_of(query)?, &collector)? {
            let segment = self.searcher.segment_reader(address.segment_ord);
            let number = segment.fast_fields().u64(NUMBER)?.first(address.doc_id);
            found.extend(number.map(|number| (score, number as usize)));
        }
        found.sort_by(|(score_a, a), (score_b, b)| score_b.total_cmp(score_a).then(a.cmp(b)));
        let passages = found.into_iter().map(|(score, number)| Some((score, self.passages.get(number)?)));
        Ok(passages.flatten().collect())
    }

    fn any_word_of(&self, query: &str) -> Result<BooleanQuery, TantivyError> {
        let mut words = BTreeSet::new();
        let mut analyzer = self.searcher.index().tokenizer_for_field(self.fields.words)?;
        analyzer.token_stream(query).process(&mut |token| {
            words.insert(token.text.clone());
        });
        let terms = words.iter().map(|word| Term::from_field_text(self.fields.words, word));
        Ok(BooleanQuery::new_multiterms_query(terms.collect()))
    }
}

impl Search for LocalIndex {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn search(&self, queries: &[String], hits: usize) -> Result<Vec<Vec<Hit>>, BenchmarkError> {
        let hits = |query: &String| {
            let best = self.best(query, hits)?;
            Ok(best.into_iter().map(|(_, passage)| passage.clone()).collect())
        };
        queries.iter().map(hits).collect()
    }
}

impl From<TantivyError> for BenchmarkError {
    fn from(error: TantivyError) -> Self {
        Self::Index { problem: error.to_string() }
    }
}

/// The field's name by which a passage's number is read.
const NUMBER: &str = "number";

/// Indexes passages, in their order and on one thread, so that every run finds the same.
fn index(passages: &[Hit]) -> Result<(Searcher, Fields), TantivyError> {
    let mut schema = Schema::builder();
    let counted = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs);
    let fields = Fields {
        words: schema.add_text_field("words", TextOptions::default().set_indexing_options(counted)),
        number: schema.add_u64_field(NUMBER, NumericOptions::from(FAST)),
    };
    let index = Index::create_in_ram(schema.build());
    let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for (number, passage) in (0..).zip(passages) {
        let mut document = TantivyDocument::new();
        document.add_text(fields.words, format!("{}\n{}", passage.title, passage.text));
        document.add_u64(fields.number, number);
        writer.add_document(document)?;
    }
    writer.commit()?;
    Ok((index.reader()?.searcher(), fields))
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
        ])
        .unwrap();
        let cases = [
            ("Ferry?", &["c", "a"][..]),
            // Of "the", "a" has two among 7 words (1.213 times its rarity), "c" one among 3 (1.178).
            ("the lighthouse", &["b", "a", "c"]),
            ("owl OWL owl", &["d"]),
            ("nothing here", &[]),
            ("", &[]),
        ];
        for (query, expected) in cases {
            let best = index.best(query, 3).unwrap();
            let titles: Vec<&str> = best.into_iter().map(|(_, hit)| hit.title.as_str()).collect();
            assert_eq!(titles, expected, "{query}");
        }
        assert_eq!(index.best("the", 1).unwrap().len(), 1);
        assert!(index.best("the", 0).unwrap().is_empty());
    }

    #[test]
    fn a_score_is_that_of_the_formula() {
        // A word in n of N passages, f times in one of this length, scores
        // ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean length)).
        let index = LocalIndex::of_passages(vec![passage("", "x y x"), passage("", "z")]).unwrap();
        let expected = (1.0 + 1.5 / 1.5_f64).ln() * 2.0 * 2.2 / (2.0 + 1.2 * (0.25 + 0.75 * 3.0 / 2.0));
        let best = index.best("x", 5).unwrap();
        assert_eq!(best.len(), 1);
        assert!((f64::from(best[0].0) - expected).abs() < 1e-6, "{} is not {expected}", best[0].0);
    }

    #[test]
    fn equal_passages_stand_in_the_order_of_the_folder() {
        let all = (0..50).map(|i| passage(&format!("t{i}"), "the same words")).collect();
        let best = LocalIndex::of_passages(all).unwrap();
        let best = best.best("words", 50).unwrap();
        assert!(best.iter().enumerate().all(|(i, (_, hit))| hit.title == format!("t{i}")), "{best:?}");
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
