//! Shared golden files and benchmark data, where they are.

use std::io::Read;
use std::path::PathBuf;

/// A path under the shared folder; `None`, with a message, where it is absent. With
/// `TOOLRL_REQUIRE_SHARED=1` its absence fails.
pub fn shared(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TOOLRL_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = shared.join(path);
    if !path.exists() {
        let required = std::env::var("TOOLRL_REQUIRE_SHARED").is_ok_and(|value| value == "1");
        assert!(!required, "{} is missing", path.display());
        eprintln!("skipped: {} is missing", path.display());
        return None;
    }
    Some(path)
}

/// The lines of a gzip file among the golden ones of BFCL.
pub fn golden_lines(file: &str) -> Option<Vec<String>> {
    let packed = std::fs::File::open(shared("golden/bfcl")?.join(file)).expect("the golden file opens");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).expect("it unpacks");
    Some(text.split('\n').filter(|line| !line.is_empty()).map(str::to_string).collect())
}
