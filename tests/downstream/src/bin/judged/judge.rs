//! A judge behind HTTP, asked with the standard library alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use toolrl_grammar::{Parsed, text};
use toolrl_reward::{AsyncTerm, Context, Reference, RewardError, ScoreFuture};

/// Posts the reply to `address` and reads a number from 0 to 1 from the answer's body.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Judge {
    address: String,
}

impl AsyncTerm for Judge {
    fn id(&self) -> &str {
        "judge"
    }

    fn range(&self, _: &Context) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn score<'a>(&'a self, parsed: &'a Parsed<'a>, _: &'a Reference, _: &'a Context) -> ScoreFuture<'a> {
        let (address, reply) = (self.address.clone(), text::lossy(parsed.text).into_owned());
        Box::pin(async move {
            let failed = |source| RewardError::Term { id: "judge".to_owned(), source };
            // The client blocks, so that it gets a thread of its own.
            let answer = tokio::task::spawn_blocking(move || ask(&address, &reply)).await;
            Ok(answer.map_err(|error| failed(error.into()))?.map_err(failed)?.into())
        })
    }
}

fn ask(address: &str, reply: &str) -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{reply}",
        reply.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    Ok(body.trim().parse()?)
}
