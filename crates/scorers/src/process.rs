//! A running program that is asked batch by batch.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::answer::{self, Answered, Broken};
use crate::program::Program;
use crate::{ScorerError, request};

/// The longest line that is read of a program.
const LONGEST_LINE: u64 = 16 << 20;
/// Lines of standard error that are shown at once; those after them are for `-v`.
const SHOWN_LINES: usize = 100;
/// Lines of standard error that an error repeats.
const LAST_WORDS: usize = 5;
/// How long a program may take to end when its input does.
const TO_END: Duration = Duration::from_secs(2);

/// A program that runs. It is ended when this is dropped, and whatever it started with it.
pub(crate) struct Process {
    child: Child,
    /// None once the program's input has ended.
    requests: Option<Sender<String>>,
    lines: Receiver<Line>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    /// Hangs up when standard error has ended.
    silence: Receiver<()>,
}

enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl Process {
    /// Starts a program, which is ready once it answers an empty batch.
    pub(crate) fn start(program: &Program) -> Result<Self, ScorerError> {
        let named = || program.words.first().cloned().unwrap_or_default();
        let failed = |source| ScorerError::Start { program: named(), source };
        let mut child = program.command().spawn().map_err(failed)?;
        let (requests, to_write) = channel();
        let (to_lines, lines) = sync_channel(16);
        let (talking, silence) = channel();
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        if let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        {
            let (kept, term) = (stderr.clone(), program.term.clone());
            thread::spawn(move || write_requests(input, &to_write));
            thread::spawn(move || read_lines(output, &to_lines));
            thread::spawn(move || read_stderr(errors, &term, &kept, talking));
        }
        let mut process = Self { child, requests: Some(requests), lines, stderr, silence };
        match process.ask(request::EMPTY.to_owned(), 0, program.start).rest {
            Ok(()) => Ok(process),
            Err(Broken::Failed(error)) => Err(error),
            Err(Broken::TimedOut) => {
                let stderr = process.last_words();
                process.kill();
                Err(ScorerError::Silent { after: program.start, stderr })
            }
        }
    }

    /// Whether it can be asked: it runs, and has said nothing that it was not asked for.
    pub(crate) fn is_ready(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) && self.lines.try_recv().is_err()
    }

    /// Asks about a batch, and waits for each answer for `timeout` at most. A process whose `rest` is an error is not to be
    /// asked again.
    pub(crate) fn ask(&mut self, line: String, replies: usize, timeout: Duration) -> Answered {
        let mut entries = Vec::new();
        if let Some(requests) = &self.requests {
            // Where the writer has ended, the program has too, which is found below.
            let _ = requests.send(line);
        }
        // An empty batch has an answer too.
        let mut is_owed = true;
        while is_owed || entries.len() < replies {
            let read = match self.lines.recv_timeout(timeout) {
                Ok(Line::Text(line)) if line.trim_ascii().is_empty() => continue,
                Ok(Line::Text(line)) => answer::read(&line, replies, &mut entries),
                Ok(Line::TooLong) => {
                    Err(ScorerError::Answer { what: format!("a line of more than {LONGEST_LINE} bytes") })
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Answered { entries, rest: Err(Broken::TimedOut) };
                }
                Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
            };
            if let Err(error) = read {
                // What came before an answer that cannot be read may be of other replies.
                if matches!(error, ScorerError::Answer { .. }) {
                    entries.clear();
                }
                return Answered { entries, rest: Err(Broken::Failed(error)) };
            }
            is_owed = false;
        }
        Answered { entries, rest: Ok(()) }
    }

    /// How a program ended that writes nothing any more.
    fn ended(&mut self) -> ScorerError {
        self.requests = None;
        let status = match self.wait(TO_END) {
            Some(status) => status.to_string(),
            None => "it closed its standard output".to_owned(),
        };
        ScorerError::Ended { status, stderr: self.last_words() }
    }

    fn wait(&mut self, most: Duration) -> Option<std::process::ExitStatus> {
        let begun = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match self.child.try_wait() {
                Ok(None) if begun.elapsed() < most => thread::sleep(pause),
                Ok(ended) => return ended,
                Err(_) => return None,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn last_words(&self) -> Vec<String> {
        // Nothing is ever sent: what ends the wait is the end of standard error.
        let _ = self.silence.recv_timeout(Duration::from_millis(300));
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Ends it at once, and whatever it started.
    pub(crate) fn kill(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.requests = None;
        self.wait(TO_END);
        // Or what it has started and left.
        self.kill();
    }
}

fn write_requests(mut input: ChildStdin, requests: &Receiver<String>) {
    for mut line in requests {
        line.push('\n');
        if input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}

fn read_lines(output: ChildStdout, lines: &SyncSender<Line>) {
    let mut output = BufReader::new(output);
    loop {
        let line = match read_line(&mut output) {
            Some(line) if line.len() as u64 > LONGEST_LINE => Line::TooLong,
            Some(line) => Line::Text(line),
            None => return,
        };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// The next line, cut after [`LONGEST_LINE`] and a byte; none at the end.
fn read_line(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let room = LONGEST_LINE + 1 - line.len() as u64;
        match from.by_ref().take(room).read_until(b'\n', &mut line) {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    (!line.is_empty()).then_some(line)
}

fn read_stderr(errors: ChildStderr, term: &str, kept: &Mutex<VecDeque<String>>, talking: Sender<()>) {
    let mut errors = BufReader::new(errors);
    let mut number = 0;
    while let Some(line) = read_line(&mut errors) {
        let line = answer::shown(line.trim_ascii_end());
        if line.is_empty() {
            continue;
        }
        number += 1;
        match number {
            ..=SHOWN_LINES => tracing::info!("{term}: {line}"),
            _ => tracing::debug!("{term}: {line}"),
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == LAST_WORDS {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    drop(talking);
}
