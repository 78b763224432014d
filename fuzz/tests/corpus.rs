//! Every target over its committed corpus.

use std::path::Path;

#[test]
fn the_corpus_keeps_every_promise() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in toolrl_fuzz::TARGETS {
        let folder = std::fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let files: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        for path in files {
            let bytes = std::fs::read(&path).expect("a readable file");
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{name} fails on {}", path.display());
        }
    }
}
