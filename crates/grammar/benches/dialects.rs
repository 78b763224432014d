//! How fast each dialect reads, and that hostile texts take linear time: replies of some megabytes, in MB/s, and the
//! hostile text whose time grows most from 512 KiB to 4 MiB: a ratio of 8 is linear, one of 64 quadratic. Time
//! is that of the thread where Linux tells it, in steps of some milliseconds, so that a busy machine counts for less.
//!
//! `cargo bench -p toolrl-grammar`

use std::hint::black_box;
use std::time::{Duration, Instant};

use toolrl_grammar::{Call, DIALECTS, Dialect, Turn, json};

/// What the thread has computed so far, or the time since `start`.
fn now(start: Instant) -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let computed = statistics.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok());
    computed.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// The least time of some readings.
fn time(dialect: &dyn Dialect, text: &[u8]) -> Duration {
    let one = || {
        let start = Instant::now();
        let before = now(start);
        black_box(dialect.parse(black_box(text)));
        now(start).saturating_sub(before)
    };
    (0..2).map(|_| one()).min().unwrap_or_default()
}

/// A turn of so many calls.
fn turn(calls: usize) -> Turn<'static> {
    let arguments = r#"{"city": "Zürich, \"old town\"", "days": 3, "near": ["a", "b"], "at": {"x": "-1.5"}}"#;
    let arguments = json::parse(arguments).map(json::Value::into_owned).expect("JSON");
    let call = Call::new("forecast", arguments.as_object().cloned().expect("an object"));
    Turn { thoughts: Some("hm".into()), calls: vec![call; calls], response: None }
}

/// Texts made of one piece again and again, behind what opens calls.
fn hostile(dialect: &dyn Dialect, len: usize) -> Vec<(String, Vec<u8>)> {
    let own = dialect.write(&turn(1)).unwrap_or_default();
    let body = own.split_once("</think>").map_or(&*own, |(_, body)| body).trim().to_owned();
    let cuts = (1..=8).map(|eighth| body.len() * eighth / 8);
    let halves = cuts.filter_map(|at| body.get(..at).map(str::to_owned));
    let fixed = [
        "<", "[", "{", "(", "\"", "'''", "\\", "<think>", "</think>", "{\"a\":", "[f(a=", "f(a='",
        "<escape>", " ",
    ];
    let mark = dialect.marks().first().copied().unwrap_or_default();
    let marked =
        ["", "{\"a\": \"", "[f(a=1, a=\"", "[f(", "f\n", "{\"name\": 1}"].map(|rest| format!("{mark}{rest}"));
    let pieces = halves.chain(fixed.map(str::to_owned)).chain(marked).filter(|piece| !piece.is_empty());
    // Half of it white space, which no fault looks through again.
    let text = |piece: &str| piece.repeat(len / 2 / piece.len()) + &" ".repeat(len / 2);
    pieces.map(|piece| (piece.clone(), text(&piece).into_bytes())).collect()
}

fn main() {
    println!("{:<15} {:>7} {:>7}  slowest growth", "dialect", "MB/s", "ratio");
    for dialect in DIALECTS {
        let reply = dialect.write(&turn(40_000)).expect("a turn that every dialect can say");
        let speed = reply.len() as f64 / 1e6 / time(dialect, reply.as_bytes()).as_secs_f64();
        let (small, large) = (hostile(dialect, 1 << 19), hostile(dialect, 1 << 22));
        let growth = small.iter().zip(&large).map(|((piece, small), (_, large))| {
            let small = time(dialect, small).max(Duration::from_millis(4));
            (time(dialect, large).as_secs_f64() / small.as_secs_f64(), piece)
        });
        let (ratio, piece) = growth.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are texts");
        println!("{:<15} {speed:>7.0} {ratio:>7.1}  {piece:?}", dialect.name());
    }
}
