//! Answers of a server, whatever they are.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use toolrl_remote::{ChatRequest, Client, Key, Retries, Settings};

/// The longest that a request may take, beyond its time-out.
const SLACK: Duration = Duration::from_secs(5);
/// The time-out of a request.
const TIMEOUT: Duration = Duration::from_millis(400);
/// What no error may show.
const KEY: &str = "k3y-that-no-error-shows";

/// A server that answers each connection with the bytes that were put in last, and closes it.
struct Server {
    address: String,
    answers: Sender<Vec<u8>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = format!("http://{}/v1", listener.local_addr().expect("it has an address"));
        let (answers, next) = channel();
        std::thread::spawn(move || serve(&listener, &next));
        Self { address, answers }
    }
}

fn serve(listener: &TcpListener, next: &Receiver<Vec<u8>>) {
    for stream in listener.incoming().flatten() {
        let Ok(answer) = next.recv() else { return };
        // What the client makes of a connection that breaks off is part of the test.
        let _ = exchange(stream, &answer);
    }
}

/// Reads a request up to the end of its body, a `}`, and sends the answer.
fn exchange(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 || part[..read].ends_with(b"}") {
            break;
        }
    }
    stream.write_all(answer)?;
    stream.flush()
}

/// Sends the bytes as a whole HTTP answer, and, where they are no such thing, as the body of one. A request
/// ends in time, with a reply or an error that names the address and hides the key.
pub fn http_answer(data: &[u8]) {
    thread_local!(static SERVER: Server = Server::start());
    SERVER.with(|server| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", data.len());
        let answer =
            if data.starts_with(b"HTTP/") { data.to_vec() } else { [head.as_bytes(), data].concat() };
        server.answers.send(answer).expect("the server runs");
        let settings = Settings {
            key: Some(Key::new(KEY)),
            timeout: TIMEOUT,
            connect_timeout: TIMEOUT,
            retries: Retries { attempts: 1, ..Retries::default() },
            ..Settings::new(&server.address)
        };
        let client = Client::new(settings).expect("the address is one");
        let messages = vec![serde_json::json!({"role": "user", "content": "hi"})];
        let start = Instant::now();
        let reply = client.chat(&ChatRequest::greedy("m", messages, 8));
        assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
        if let Err(error) = reply {
            let text = format!("{error} {error:?}");
            assert!(text.contains(server.address.trim_start_matches("http://")), "{text}");
            assert!(
                !text.contains(KEY) || data.windows(KEY.len()).any(|part| part == KEY.as_bytes()),
                "{text}"
            );
        }
    });
}
