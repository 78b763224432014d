//! Trackio: its server's HTTP interface, or the inbox of its folder.
//!
//! Both take the same entries (`trackio/server.py`, `bulk_log`; `trackio/fragments.py`, version 1), and leave out one whose
//! `log_id` is there. The inbox is where Trackio itself logs on file systems on which SQLite is not safe; `trackio show` reads
//! it every few seconds.

use std::path::PathBuf;

use serde_json::{Value, json};
use toolrl_record::write_whole;
use toolrl_remote::Client;

use crate::files::date;
use crate::point::now;
use crate::tracker::{Status, Tracker};
use crate::{Point, TrackedRun, TrackerConfig, TrackerError};

/// The header of a write token.
const TOKEN: &str = "x-trackio-write-token";

/// The most entries of one request, or one file.
const ENTRIES: usize = 500;

/// Trackio.
pub(crate) struct Trackio {
    place: Place,
    project: String,
    run: TrackedRun,
}

enum Place {
    Server(Box<Client>),
    Folder(PathBuf),
}

impl Trackio {
    pub(crate) fn new(config: &TrackerConfig, run: TrackedRun) -> Result<Self, TrackerError> {
        let place = match &config.dir {
            Some(dir) => Place::Folder(dir.clone()),
            None => Place::Server(Box::new(config.client(Some(TOKEN))?)),
        };
        Ok(Self { place, project: config.project.clone(), run })
    }

    fn entry(&self, point: &Point) -> Value {
        let Self { project, run, .. } = self;
        let metrics: serde_json::Map<_, _> =
            point.scalars.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "v": 1,
            "kind": "metric",
            "project": project,
            "run": run.name,
            "run_id": run.id,
            "metrics": metrics,
            "step": point.step,
            "timestamp": date(point.time).to_rfc3339(),
            "config": null,
            "log_id": format!("{}-{}-{}", run.id, point.step, point.of),
        })
    }

    /// What is told of the run beside its points.
    fn config(&self) -> Value {
        let mut config = self.run.params.clone();
        config.extend(self.run.tags.iter().map(|(key, value)| (key.clone(), json!(value))));
        config.insert("_Created".to_owned(), json!(date(self.run.begun).to_rfc3339()));
        config.insert("_Username".to_owned(), Value::Null);
        config.insert("_Group".to_owned(), Value::Null);
        config.into()
    }
}

impl Tracker for Trackio {
    /// A run begins with its first entry.
    fn begin(&mut self) -> Result<(), TrackerError> {
        Ok(())
    }

    fn send(&mut self, points: &[Point]) -> Result<(), TrackerError> {
        for some in points.chunks(ENTRIES) {
            let mut entries: Vec<Value> = some.iter().map(|point| self.entry(point)).collect();
            entries[0]["config"] = self.config();
            match &self.place {
                Place::Server(client) => {
                    client
                        .post("api/bulk_log", &json!({ "kwargs": { "logs": entries, "hf_token": null } }))?;
                }
                Place::Folder(dir) => {
                    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
                    // Read in the order of the names, and removed.
                    let name = format!("{:020}.jsonl", (now() * 1e6) as u64);
                    write_whole(&dir.join("inbox").join(&self.run.id[..16]).join(name), lines.as_bytes())?;
                }
            }
        }
        Ok(())
    }

    /// Trackio keeps no word of how a run ended.
    fn end(&mut self, _: Status) -> Result<(), TrackerError> {
        Ok(())
    }
}
