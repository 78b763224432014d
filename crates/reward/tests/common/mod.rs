//! Shared golden files, where they are.

use std::io::Read;
use std::path::PathBuf;

/// The lines of a gzip file under the shared folder; `None`, with a message, where it is absent.
/// With `TOOLRL_REQUIRE_SHARED=1` its absence fails.
pub fn golden_lines(file: &str) -> Option<Vec<String>> {
    let shared = std::env::var_os("TOOLRL_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = shared.join("golden/reward").join(file);
    if !path.exists() {
        let required = std::env::var("TOOLRL_REQUIRE_SHARED").is_ok_and(|value| value == "1");
        assert!(!required, "{} is missing", path.display());
        eprintln!("skipped: {} is missing", path.display());
        return None;
    }
    let mut text = String::new();
    let packed = std::fs::File::open(&path).expect("the golden file opens");
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut text).expect("it unpacks");
    Some(text.split('\n').filter(|line| !line.is_empty()).map(str::to_string).collect())
}
