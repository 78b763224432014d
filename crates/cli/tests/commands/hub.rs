//! Models by name, from a stand-in for the Hugging Face Hub on this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde_json::json;

use crate::{POLICY, Ran, toolrl_in};

/// Serves the quickstart's policy as `lab/tiny`, and returns the address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap());
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let headers: Vec<String> = lines.map_while(|line| line.ok().filter(|l| !l.is_empty())).collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, more, body) = match path.strip_prefix("/lab/tiny/resolve/main/") {
        Some(name) => match std::fs::read(Path::new(POLICY).join(name)) {
            Ok(bytes) => {
                let probe = headers.iter().any(|h| h.eq_ignore_ascii_case("range: bytes=0-0"));
                let range = format!("content-range: bytes 0-{}/{}", bytes.len() - 1, bytes.len());
                let more = format!("etag: \"{name}-1\"\r\nx-repo-commit: c0ffee\r\n{range}\r\n");
                ("206 Partial Content", more, if probe { bytes[..1].to_vec() } else { bytes })
            }
            Err(_) => ("404 Not Found", String::new(), Vec::new()),
        },
        None if path.starts_with("/api/models/lab/tiny") => {
            let files =
                std::fs::read_dir(POLICY)?.map(|f| json!({"rfilename": f.unwrap().file_name().to_str()}));
            let listing = json!({"sha": "c0ffee", "siblings": files.collect::<Vec<_>>()}).to_string();
            ("200 OK", String::new(), listing.into_bytes())
        }
        None => ("404 Not Found", String::new(), Vec::new()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n")?;
    stream.write_all(&body)
}

fn inspect(endpoint: &str, home: &Path, name: &str) -> Ran {
    let home = home.to_str().unwrap();
    let environment = [("HF_ENDPOINT", endpoint), ("HF_HOME", home), ("NO_PROXY", "127.0.0.1")];
    toolrl_in(&environment, Path::new("."), &["policy", "inspect", name])
}

#[test]
fn a_name_is_downloaded_once() {
    let home = tempfile::tempdir().unwrap();
    let first = inspect(&serve(), home.path(), "lab/tiny");
    assert!(first.stderr.contains("download model.safetensors"), "{}", first.stderr);
    assert!(first.ok().contains("parameters   1112192"));
    // Nobody listens there: the cache is enough.
    let second = inspect("http://127.0.0.1:9", home.path(), "lab/tiny");
    assert!(!second.stderr.contains("download"), "{}", second.stderr);
    assert!(second.ok().contains("parameters   1112192"));
}

#[test]
fn what_cannot_be_had_is_told() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = serve();
    for (endpoint, name) in [(endpoint.as_str(), "lab/other"), ("http://127.0.0.1:9", "lab/tiny")] {
        let message = inspect(endpoint, home.path(), name).error();
        assert!(message.contains(name) && message.contains("Hugging Face Hub"), "{message}");
    }
    let message = inspect(&endpoint, home.path(), "none/such/dir").error();
    assert!(message.contains("none/such/dir/config.json"), "{message}");
}
