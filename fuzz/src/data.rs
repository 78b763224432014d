//! Datasets: tables and lines of any bytes.

use std::path::Path;

use toolrl_data::build::{BuildConfig, SourceConfig, SourceForm, Take, build};
use toolrl_data::{Loaded, load, write_jsonl, write_parquet};

use crate::folder::Folder;

thread_local!(static FOLDER: Folder = Folder::new());

/// Reads the bytes as a Parquet table.
pub fn parquet(data: &[u8]) {
    FOLDER.with(|folder| {
        let path = folder.put("t.parquet", data);
        let loaded = load(&path);
        comes_back(folder, &path, loaded.as_ref().map_err(ToString::to_string));
    });
}

/// Reads the bytes as JSON, JSON lines or either of them gzipped: as a dataset, and as each of the public
/// datasets that one is built from.
pub fn dataset(data: &[u8]) {
    FOLDER.with(|folder| {
        let path = folder.put("t.json", data);
        comes_back(folder, &path, load(&path).as_ref().map_err(ToString::to_string));
        for form in [SourceForm::Toolace, SourceForm::Xlam, SourceForm::Hammer] {
            let config = BuildConfig::default();
            let source = SourceConfig { form, file: path.clone(), take: Take::default() };
            match build(&BuildConfig { sources: vec![source], ..config }) {
                Ok(built) => {
                    let samples = built.samples.iter().chain(&built.held_out);
                    assert!(samples.clone().all(|sample| !sample.messages.is_empty()));
                    assert_eq!(samples.count(), built.report.samples + built.held_out.len());
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    });
}

/// Samples that were read are written, and read again as they are; an error names its file.
fn comes_back(folder: &Folder, path: &Path, loaded: Result<&Loaded, String>) {
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
            return;
        }
    };
    assert!(!loaded.samples.is_empty() && loaded.places.len() == loaded.samples.len());
    assert_eq!(loaded.gold.checked, loaded.samples.len());
    let (lines, table) = (folder.path().join("again.jsonl"), folder.path().join("again.parquet"));
    write_jsonl(&lines, &loaded.samples).expect("samples can be written");
    write_parquet(&table, &loaded.samples).expect("samples can be written");
    for again in [lines, table] {
        let again = load(&again).expect("what was written is read");
        assert_eq!(again.samples, loaded.samples);
    }
}
