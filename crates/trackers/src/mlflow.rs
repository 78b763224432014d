//! MLflow, over its REST interface (<https://mlflow.org/docs/latest/api_reference/rest-api.html>). Its folders of files
//! (`mlruns`) are not written: MLflow 3 opens none unless it is told to, and holds them unmaintained.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use toolrl_remote::Client;

use crate::point::now;
use crate::tracker::{Status, Tracker};
use crate::{Point, TrackedRun, TrackerConfig, TrackerError};

/// The tag by which a run is found again.
const ID: &str = "toolrl.run";

/// The most metrics that one request may hold.
const METRICS: usize = 1000;

/// The most parameters that one request may hold.
const PARAMS: usize = 100;

/// The most characters of a parameter's value and of a name.
const LONGEST: (usize, usize) = (6000, 250);

/// A server of MLflow.
pub(crate) struct Mlflow {
    client: Client,
    experiment: String,
    run: TrackedRun,
    there: Option<There>,
}

/// The run as the server has it.
struct There {
    id: String,
    /// The last step of every metric.
    steps: BTreeMap<String, u64>,
}

impl Mlflow {
    pub(crate) fn new(config: &TrackerConfig, run: TrackedRun) -> Result<Self, TrackerError> {
        Ok(Self { client: config.client(None)?, experiment: config.project.clone(), run, there: None })
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, TrackerError> {
        Ok(self.client.post(&format!("api/2.0/mlflow/{path}"), &body)?)
    }

    /// A text of an answer.
    fn text(&self, answer: &Value, pointer: &str, what: &'static str) -> Result<String, TrackerError> {
        let text = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| TrackerError::Answer { url: self.client.settings().base_url.clone(), what })
    }

    /// The experiment's id; it is made where it is not there.
    fn experiment(&self) -> Result<String, TrackerError> {
        let find = || {
            let filter = format!("name = \"{}\"", self.experiment);
            let found = self.post("experiments/search", json!({ "filter": filter, "max_results": 1 }))?;
            Ok::<_, TrackerError>(found.pointer("/experiments/0").is_some().then_some(found))
        };
        if let Some(found) = find()? {
            return self.text(&found, "/experiments/0/experiment_id", "an experiment's id");
        }
        match self.post("experiments/create", json!({ "name": self.experiment })) {
            Ok(made) => self.text(&made, "/experiment_id", "an experiment's id"),
            // Another run made it in the meantime.
            Err(error) => match find()? {
                Some(found) => self.text(&found, "/experiments/0/experiment_id", "an experiment's id"),
                None => Err(error),
            },
        }
    }

    /// The run with what the server has of it.
    fn find(&self, experiment: &str) -> Result<Option<Value>, TrackerError> {
        let filter = format!("tags.\"{ID}\" = \"{}\"", self.run.id);
        let body = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
        Ok(self.post("runs/search", body)?.pointer("/runs/0").cloned())
    }

    fn create(&self, experiment: &str) -> Result<Value, TrackerError> {
        let TrackedRun { id, name, begun, tags, .. } = &self.run;
        let own = [(ID.to_owned(), id.clone())];
        let tags: Vec<Value> =
            own.iter().chain(tags).map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let start = (*begun * 1000.0) as u64;
        let body =
            json!({ "experiment_id": experiment, "run_name": name, "start_time": start, "tags": tags });
        let made = self.post("runs/create", body)?;
        made.get("run").cloned().ok_or_else(|| TrackerError::Answer {
            url: self.client.settings().base_url.clone(),
            what: "a run",
        })
    }

    /// Sends the parameters that are not there; one that is there cannot be changed.
    fn params(&self, id: &str, there: &Value) -> Result<(), TrackerError> {
        let rows = |what: &str| there.pointer(what).and_then(Value::as_array).into_iter().flatten();
        let known: BTreeSet<&str> = rows("/data/params").filter_map(|row| row["key"].as_str()).collect();
        let params = self.run.params.iter().map(|(key, value)| (named(key), shown(value)));
        let missing: Vec<Value> = params
            .filter(|(key, _)| !known.contains(key.as_str()))
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        for some in missing.chunks(PARAMS) {
            self.post("runs/log-batch", json!({ "run_id": id, "params": some }))?;
        }
        Ok(())
    }
}

impl Tracker for Mlflow {
    fn begin(&mut self) -> Result<(), TrackerError> {
        let experiment = self.experiment()?;
        let found = self.find(&experiment)?;
        let is_new = found.is_none();
        let run = found.map_or_else(|| self.create(&experiment), Ok)?;
        let id = self.text(&run, "/info/run_id", "a run's id")?;
        if !is_new {
            self.post("runs/update", json!({ "run_id": id, "status": "RUNNING" }))?;
        }
        self.params(&id, &run)?;
        let metrics = run.pointer("/data/metrics").and_then(Value::as_array).into_iter().flatten();
        let step = |row: &Value| Some((row["key"].as_str()?.to_owned(), integer(&row["step"])));
        self.there = Some(There { id, steps: metrics.filter_map(step).collect() });
        Ok(())
    }

    fn send(&mut self, points: &[Point]) -> Result<(), TrackerError> {
        // After a failure it is not known what arrived: the server is asked again.
        let Some(mut there) = self.there.take() else {
            self.begin()?;
            return self.send(points);
        };
        let mut metrics = Vec::new();
        for point in points {
            for (name, value) in &point.scalars {
                let key = named(name);
                if there.steps.get(&key).is_some_and(|&last| point.step <= last) {
                    continue;
                }
                metrics.push(
                    json!({ "key": key, "value": value, "timestamp": point.milliseconds(), "step": point.step }),
                );
                there.steps.insert(key, point.step);
            }
        }
        for some in metrics.chunks(METRICS) {
            self.post("runs/log-batch", json!({ "run_id": there.id, "metrics": some }))?;
        }
        self.there = Some(there);
        Ok(())
    }

    fn end(&mut self, status: Status) -> Result<(), TrackerError> {
        let status = match status {
            Status::Finished => "FINISHED",
            Status::Failed => "FAILED",
            Status::Stopped => "KILLED",
        };
        if self.there.is_none() {
            self.begin()?;
        }
        let id = self.there.as_ref().map(|there| there.id.clone());
        let end = (now() * 1000.0) as u64;
        self.post("runs/update", json!({ "run_id": id, "status": status, "end_time": end })).map(drop)
    }
}

/// An integer of protobuf's JSON, where one of 64 bits is a text.
fn integer(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// A name as MLflow takes it: letters, digits and `_-. /`, of a path's form.
fn named(name: &str) -> String {
    let taken = |c: char| c.is_alphanumeric() || "_-. /".contains(c);
    let name: String = name.chars().take(LONGEST.1).map(|c| if taken(c) { c } else { '_' }).collect();
    let parts: Vec<&str> =
        name.split('/').map(|part| if ["", ".", ".."].contains(&part) { "_" } else { part }).collect();
    parts.join("/")
}

/// A parameter's value as text.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(LONGEST.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_what_mlflow_takes() {
        assert_eq!(named("evaluation/held-out/exact-call rate"), "evaluation/held-out/exact-call rate");
        assert_eq!(named("components/a%b,c/../:"), "components/a_b_c/_/_");
        assert_eq!(named(&"x".repeat(300)).len(), 250);
        assert_eq!((shown(&json!("a")), shown(&json!([1, "b"]))), ("a".to_owned(), "[1,\"b\"]".to_owned()));
        assert_eq!((integer(&json!(3)), integer(&json!("12")), integer(&Value::Null)), (3, 12, 0));
    }
}
