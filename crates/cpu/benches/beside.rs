//! What loops whose turns threads share take beside other work, as a multiple of what the cores' share says: of the time
//! that as many threads take for the same products where each computes all of them alone and waits for nobody. A
//! program, not a timed test: `cargo bench -p toolrl-cpu --bench beside`.

use std::hint::black_box;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use toolrl_cpu::gemm::{Mat, Threads, Write, gemm};
use toolrl_cpu::numbers::Floats;
use toolrl_cpu::skinny;
use toolrl_cpu::team::{all_together, together};

/// The argument that makes this program a busy process.
const BUSY: &str = "--busy";
/// How long each way of computing is measured at a time, and how often.
const SLICE: Duration = Duration::from_millis(700);
const ROUNDS: usize = 5;

fn main() {
    if std::env::args().any(|arg| arg == BUSY) {
        loop {
            black_box(0);
        }
    }
    println!(
        "{:>10} {:>28} {:>10} {:>10} {:>10} {:>10}",
        "work", "beside", "alone/s", "beside/s", "share", "time/fair"
    );
    let decoding = Decoding::new();
    let training = Training::new();
    report("decoding", || together(|| decoding.token()));
    report("training", || all_together(|| training.layer()));
}

/// Prints what a piece of work takes beside each load.
fn report(name: &str, work: impl Fn() + Sync) {
    for load in LOADS {
        // By round, work a second: alone by sharing, alone apart, beside others by sharing, beside others apart.
        let mut rates = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            rates[0].push(shared(&work));
            rates[1].push(apart(&work));
            let _others = load.start();
            std::thread::sleep(Duration::from_millis(200));
            rates[2].push(shared(&work));
            rates[3].push(apart(&work));
        }
        let [alone, alone_apart, beside, beside_apart] = rates.map(median);
        let share = beside_apart / alone_apart;
        let ratio = alone * share / beside;
        println!("{name:>10} {:>28} {alone:>10.1} {beside:>10.1} {share:>10.2} {ratio:>10.2}", load.name);
    }
}

/// Work a second of threads that share each loop.
fn shared(work: impl Fn()) -> f64 {
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < SLICE {
        work();
        done += 1;
    }
    f64::from(done) / began.elapsed().as_secs_f64()
}

/// Work a second of as many threads, each of which computes for itself.
fn apart(work: impl Fn() + Sync) -> f64 {
    let done = AtomicUsize::new(0);
    let began = Instant::now();
    let alone = || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let Ok(pool) = pool else { return };
        pool.install(|| {
            while began.elapsed() < SLICE {
                work();
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    };
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(alone);
        }
    });
    done.into_inner() as f64 / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Other processes that compute all the time.
struct Load {
    name: &'static str,
    /// How each is started, before this program's own name.
    starts: &'static [&'static [&'static str]],
}

const LOADS: [Load; 4] = [
    Load { name: "1 busy process", starts: &[&[]] },
    Load { name: "2 busy processes", starts: &[&[], &[]] },
    Load { name: "3 of sessions of their own", starts: &[&["setsid"], &["setsid"], &["setsid"]] },
    Load {
        name: "3 of lower priority",
        starts: &[&["nice", "-n", "5"], &["nice", "-n", "5"], &["nice", "-n", "5"]],
    },
];

impl Load {
    fn start(&self) -> Others {
        let start = |before: &&[&str]| {
            let own = std::env::current_exe().ok()?.into_os_string();
            let mut words = before.iter().map(Into::into).chain([own]);
            Command::new(words.next()?).args(words).arg(BUSY).spawn().ok()
        };
        Others(self.starts.iter().filter_map(start).collect())
    }
}

/// Processes that end when this is dropped.
struct Others(Vec<Child>);

impl Drop for Others {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The products of SmolLM2-135M's layers for one token of 16 replies: 210 loops of 20 to 200 microseconds.
struct Decoding {
    weights: Vec<(Vec<f32>, usize)>,
    x: Vec<f32>,
}

impl Decoding {
    const REPLIES: usize = 16;

    fn new() -> Self {
        let shapes = [(576, 576), (576, 192), (576, 192), (576, 576), (576, 1536), (576, 1536), (1536, 576)];
        let weight = |(width, outputs)| (numbers(width * outputs), width);
        let layers = (0..30).flat_map(|_| shapes.map(weight));
        Self { weights: layers.collect(), x: numbers(Self::REPLIES * 1536) }
    }

    fn token(&self) {
        for (weight, width) in &self.weights {
            let x = Floats::F32(&self.x[..Self::REPLIES * width]);
            black_box(skinny::project(x, Floats::F32(weight), *width));
        }
    }
}

/// Products of a SmolLM2 layer's shapes for 1,000 tokens: loops of some milliseconds.
struct Training {
    x: Vec<f32>,
    weight: Vec<f32>,
}

impl Training {
    const TOKENS: usize = 1000;

    fn new() -> Self {
        Self { x: numbers(Self::TOKENS * 1536), weight: numbers(576 * 1536) }
    }

    fn layer(&self) {
        for (width, outputs) in [(576, 1536), (1536, 576), (576, 576)] {
            let mut out = vec![0.0; Self::TOKENS * outputs];
            let x = Mat::new(&self.x, Self::TOKENS, width, width);
            let weight = Mat::new(&self.weight, outputs, width, width);
            gemm(&mut out, outputs, Write::Set, x, weight.t(), Threads::All);
            black_box(out);
        }
    }
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i % 251) as f32 / 251.0 - 0.5).collect()
}
