//! A folder of Weights & Biases as its client leaves it offline; `wandb sync` sends it.
//!
//! The folder is `offline-run-DATE_TIME-ID` and holds `run-ID.wandb`: seven bytes (`:W&B`, 0xBEE1, version 0), then LevelDB's
//! log format (blocks of 32 KiB; a record is CRC-32, length, kind, data; one that a block's end cuts goes on in the next:
//! <https://github.com/google/leveldb/blob/main/doc/log_format.md>), though with the CRC-32 of zlib, unmasked. Each record is
//! a protobuf `Record` of `wandb_internal.proto`.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use flate2::Crc;
use serde_json::{Value, json};
use toolrl_record::protobuf::{put_bytes, put_number};

use crate::files::date;
use crate::point::now;
use crate::tracker::{Status, Tracker};
use crate::{Point, TrackedRun, TrackerConfig, TrackerError};

const BLOCK: usize = 32 << 10;
const HEADER: [u8; 7] = *b":W&B\xe1\xbe\x00";

/// The version of the client whose form this is.
const VERSION: &str = "0.31.0";

/// An offline folder.
pub(crate) struct Wandb {
    path: PathBuf,
    project: String,
    run: TrackedRun,
    /// Records so far.
    number: u64,
    /// Whole bytes of the file: what a failed write left behind them is written over.
    whole: u64,
    /// The step that the next points may still add to: a step is one row, its evaluations included.
    row: Option<Point>,
}

impl Wandb {
    pub(crate) fn new(config: &TrackerConfig, run: TrackedRun) -> Result<Self, TrackerError> {
        let (id, day) = (&run.id[..8], date(run.begun).format("%Y%m%d_%H%M%S"));
        let dir = config.dir.clone().unwrap_or_default().join(format!("offline-run-{day}-{id}"));
        let path = dir.join(format!("run-{id}.wandb"));
        Ok(Self { path, project: config.project.clone(), run, number: 0, whole: 0, row: None })
    }

    /// Appends records, all or none.
    fn append(&mut self, records: &[Vec<u8>]) -> Result<(), TrackerError> {
        let (mut bytes, mut number) = (Vec::new(), self.number);
        if self.whole == 0 {
            bytes.extend(HEADER);
        }
        for record in records {
            number += 1;
            let mut whole = Vec::new();
            put_number(&mut whole, 1, number);
            whole.extend(record);
            put_framed(&mut bytes, self.whole as usize, &whole);
        }
        let io = || TrackerError::io(&self.path);
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&self.path);
        let mut file: File = file.map_err(io())?;
        file.set_len(self.whole).map_err(io())?;
        file.seek(SeekFrom::End(0)).map_err(io())?;
        file.write_all(&bytes).map_err(io())?;
        (self.number, self.whole) = (number, self.whole + bytes.len() as u64);
        Ok(())
    }

    /// The run's record: `RunRecord { run_id 1, project 3, config 4, display_name 8, tags 10, start_time 17 }`.
    fn run_record(&self) -> Vec<u8> {
        let Self { run, project, .. } = self;
        let mut config = Vec::new();
        let tags = run.tags.iter().map(|(key, value)| (key, json!(value)));
        for (key, value) in run.params.iter().map(|(key, value)| (key, value.clone())).chain(tags) {
            put_bytes(&mut config, 1, &item(1, key, &value));
        }
        let mut start = Vec::new();
        put_number(&mut start, 1, run.begun as u64);
        put_number(&mut start, 2, (run.begun.fract() * 1e9) as u64);
        let mut record = Vec::new();
        put_bytes(&mut record, 1, &run.id.as_bytes()[..8]);
        put_bytes(&mut record, 3, project.as_bytes());
        put_bytes(&mut record, 4, &config);
        put_bytes(&mut record, 8, run.name.as_bytes());
        put_bytes(&mut record, 17, &start);
        record
    }

    /// A step's records: `HistoryRecord { item 1, step 2 { num 1 } }`, and `SummaryRecord { update 1 }` with the same.
    fn row_records(&self, row: &Point) -> [Vec<u8>; 2] {
        let own = [("_timestamp", row.time), ("_runtime", row.time - self.run.begun)];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let (mut history, mut summary) = (Vec::new(), Vec::new());
        let values = row.scalars.iter().chain(&own).map(|(name, value)| (name.as_str(), json!(value)));
        for (name, value) in values.chain([("_step", json!(row.step))]) {
            let item = item(2, name, &value);
            put_bytes(&mut history, 1, &item);
            put_bytes(&mut summary, 1, &item);
        }
        let mut step = Vec::new();
        put_number(&mut step, 1, row.step);
        put_bytes(&mut history, 2, &step);
        [record(2, &history), record(3, &summary)]
    }
}

impl Tracker for Wandb {
    /// The folder is written anew, with what the run's files hold.
    fn begin(&mut self) -> Result<(), TrackerError> {
        let dir = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(dir).map_err(TrackerError::io(dir))?;
        (self.number, self.whole, self.row) = (0, 0, None);
        let (mut version, mut header) = (Vec::new(), Vec::new());
        put_bytes(&mut version, 1, VERSION.as_bytes());
        put_bytes(&mut version, 2, VERSION.as_bytes());
        put_bytes(&mut header, 1, &version);
        self.append(&[record(21, &header), record(17, &self.run_record())])
    }

    fn send(&mut self, points: &[Point]) -> Result<(), TrackerError> {
        let (mut row, mut records) = (self.row.clone(), Vec::new());
        for point in points {
            match &mut row {
                Some(row) if row.step == point.step => {
                    row.scalars.extend(point.scalars.iter().cloned());
                    row.time = point.time;
                }
                _ => {
                    records.extend(row.iter().flat_map(|row| self.row_records(row)));
                    row = Some(point.clone());
                }
            }
        }
        self.append(&records)?;
        self.row = row;
        Ok(())
    }

    /// `RunExitRecord { exit_code 1, runtime 2 }`.
    fn end(&mut self, status: Status) -> Result<(), TrackerError> {
        let mut records: Vec<_> = self.row.iter().flat_map(|row| self.row_records(row)).collect();
        let mut exit = Vec::new();
        put_number(&mut exit, 1, u64::from(status != Status::Finished));
        put_number(&mut exit, 2, (now() - self.run.begun).max(0.0) as u64);
        records.push(record(18, &exit));
        self.append(&records)?;
        self.row = None;
        Ok(())
    }
}

/// A record with this message in this field.
fn record(field: u64, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, field, message);
    out
}

/// A value under a name: `key` (1), or `nested_key` (2) of one part; `value_json` (16).
fn item(field: u64, name: &str, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, field, name.as_bytes());
    put_bytes(&mut out, 16, value.to_string().as_bytes());
    out
}

/// Adds a record to what follows the first `before` bytes of a log.
fn put_framed(out: &mut Vec<u8>, before: usize, mut data: &[u8]) {
    let mut is_first = true;
    loop {
        let left = BLOCK - (before + out.len()) % BLOCK;
        if left < 7 {
            out.extend(vec![0; left]);
            continue;
        }
        let (part, rest) = data.split_at(data.len().min(left - 7));
        let kind: u8 = match (is_first, rest.is_empty()) {
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
            (false, true) => 4,
        };
        let mut crc = Crc::new();
        crc.update(&[kind]);
        crc.update(part);
        out.extend(crc.sum().to_le_bytes());
        out.extend((part.len() as u16).to_le_bytes());
        out.push(kind);
        out.extend(part);
        (is_first, data) = (false, rest);
        if data.is_empty() {
            return;
        }
    }
}
