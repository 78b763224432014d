//! A stand-in for MLflow's server: the routes that are asked for, as its reference words them, over runs in memory.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use toolrl_testing::stub::{Answer, Asked, serve};

/// What the server has.
#[derive(Debug, Default)]
pub struct Store {
    pub experiments: Vec<String>,
    /// As `runs/search` gives them; `history` beside them.
    pub runs: Vec<Value>,
    /// Requests that are refused before any is taken.
    pub refusals: usize,
    /// Requests after whose work the connection breaks off.
    pub lost: usize,
    pub headers: Vec<String>,
}

/// A server with its store.
pub fn server(store: Store) -> (String, Arc<Mutex<Store>>) {
    let store = Arc::new(Mutex::new(store));
    let shared = store.clone();
    (serve(move |asked| answer(&mut shared.lock().unwrap(), asked)), store)
}

fn answer(store: &mut Store, Asked { path, body, headers }: &Asked) -> Answer {
    if store.refusals > 0 {
        store.refusals -= 1;
        return Answer(503, Vec::new(), "away".to_owned());
    }
    store.headers.clone_from(headers);
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let given = match path.trim_start_matches("/api/2.0/mlflow/") {
        "experiments/search" => {
            let found = store.experiments.iter().position(|e| text("filter") == format!("name = \"{e}\""));
            json!({ "experiments": found.map(|id| json!({ "experiment_id": id.to_string() })).as_slice() })
        }
        "experiments/create" => {
            store.experiments.push(text("name"));
            json!({ "experiment_id": (store.experiments.len() - 1).to_string() })
        }
        "runs/search" => {
            let found = store.runs.iter().find(|run| {
                let tag = &run["data"]["tags"][0];
                text("filter") == format!("tags.\"toolrl.run\" = \"{}\"", tag["value"].as_str().unwrap())
                    && body["experiment_ids"][0] == run["info"]["experiment_id"]
            });
            json!({ "runs": found.as_slice() })
        }
        "runs/create" => {
            let info = json!({
                "run_id": format!("r{}", store.runs.len()), "run_name": body["run_name"], "status": "RUNNING",
                "experiment_id": body["experiment_id"], "start_time": body["start_time"],
            });
            let data = json!({ "metrics": [], "params": [], "tags": body["tags"] });
            store.runs.push(json!({ "info": info, "data": data, "history": [] }));
            json!({ "run": store.runs.last() })
        }
        "runs/log-batch" => {
            let run = store.runs.iter_mut().find(|run| run["info"]["run_id"] == body["run_id"]).unwrap();
            log(run, body);
            json!({})
        }
        "runs/update" => {
            let run = store.runs.iter_mut().find(|run| run["info"]["run_id"] == body["run_id"]).unwrap();
            run["info"]["status"] = body["status"].clone();
            json!({ "run_info": run["info"] })
        }
        other => return Answer(404, Vec::new(), format!("no {other}")),
    };
    if store.lost > 0 && path.ends_with("log-batch") && body.get("metrics").is_some() {
        store.lost -= 1;
        return Answer(500, Vec::new(), "it broke off".to_owned());
    }
    Answer::ok(&given)
}

fn log(run: &mut Value, body: &Value) {
    let rows = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    assert!(rows("metrics").len() <= 1000 && rows("params").len() <= 100);
    run["data"]["params"].as_array_mut().unwrap().extend(rows("params"));
    for metric in rows("metrics") {
        let latest = run["data"]["metrics"].as_array_mut().unwrap();
        latest.retain(|other| other["key"] != metric["key"]);
        latest.push(metric.clone());
        run["history"].as_array_mut().unwrap().push(metric);
    }
}
