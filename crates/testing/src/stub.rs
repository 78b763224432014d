//! A server on this machine that answers as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::Value;

/// What a server is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path, with what follows a question mark.
    pub path: String,
    /// The lines between the first and the body, in lower case.
    pub headers: Vec<String>,
    /// Null where there is none.
    pub body: Value,
}

/// What it answers: the status, further header lines, the body. It hangs up at status 0, and sends half an answer where a
/// header line `content-length` promises more.
pub struct Answer(pub u16, pub Vec<String>, pub String);

impl Answer {
    /// An answer of status 200.
    pub fn ok(body: &Value) -> Self {
        Self(200, Vec::new(), body.to_string())
    }

    /// A chat completion with this text.
    pub fn chat(text: &str) -> Self {
        let message = serde_json::json!({"role": "assistant", "content": text});
        Self::ok(&serde_json::json!({"choices": [{"message": message, "finish_reason": "stop"}]}))
    }
}

/// Serves until the test ends, and returns the address.
///
/// # Panics
/// Where this machine has no port left.
pub fn serve(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || exchange(stream, &*answer));
        }
    });
    address
}

/// One request and its answer, after which the connection is closed.
fn exchange(stream: TcpStream, answer: &dyn Fn(&Asked) -> Answer) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<String> = lines.iter().skip(1).map(|line| line.to_lowercase()).collect();
    let length = headers.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).ok()?;
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).ok()? };
    let Answer(status, headers, text) = answer(&Asked { path, headers, body });
    let mut stream = reader.into_inner();
    if status == 0 {
        return None;
    }
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\n").ok()?;
    if !headers.iter().any(|line| line.starts_with("content-length:")) {
        write!(stream, "content-length: {}\r\n", text.len()).ok()?;
    }
    for header in headers {
        write!(stream, "{header}\r\n").ok()?;
    }
    write!(stream, "\r\n{text}").ok()
}
