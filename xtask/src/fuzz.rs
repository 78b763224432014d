//! `fuzz`: runs the fuzz targets, one after the other.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// The targets to run; all where none is named.
    targets: Vec<String>,
    /// How long each of them runs.
    minutes: u64,
    /// Whether they are listed and not run.
    only_list: bool,
}

/// What a run of a target came to, by libFuzzer's own figures.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    /// Edges of the program that were reached.
    coverage: u64,
    /// Files that the corpus has grown to in memory.
    corpus: u64,
    peak_mib: u64,
}

/// Lists the targets or runs them. A target that fails does not keep the others from running.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let known = targets(root)?;
    let request = request(arguments, &known)?;
    if request.only_list {
        known.iter().for_each(|target| println!("{target}"));
        return Ok(ExitCode::SUCCESS);
    }
    check_tools()?;
    let mut failed = Vec::new();
    println!("| target | minutes | executions | edges | corpus | peak memory | outcome |");
    println!("|---|---|---|---|---|---|---|");
    for target in &request.targets {
        let log = root.join("fuzz/artifacts").join(format!("{target}.log"));
        let passed = fuzz(root, target, request.minutes, &log)?;
        let figures = figures(&String::from_utf8_lossy(&std::fs::read(&log)?));
        let Figures { executions, coverage, corpus, peak_mib } = figures;
        let outcome = if passed { "no failure" } else { "FAILED" };
        let minutes = request.minutes;
        println!(
            "| {target} | {minutes} | {executions} | {coverage} | {corpus} | {peak_mib} MiB | {outcome} |"
        );
        if !passed {
            failed.push(log);
        }
    }
    for log in &failed {
        eprintln!("a target failed; its log: {}", log.display());
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of the targets, in order.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let place = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(place)? {
        let path = entry.with_context(place)?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    Ok(names)
}

/// Reads the command line.
fn request(arguments: &[OsString], known: &[String]) -> anyhow::Result<Request> {
    let mut request = Request { targets: Vec::new(), minutes: 1, only_list: false };
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--list" => request.only_list = true,
            "--minutes" => {
                let minutes = arguments.next().and_then(|text| text.parse().ok());
                request.minutes = minutes.context("--minutes takes a whole number")?;
            }
            name if known.iter().any(|target| target == name) => request.targets.push(name.to_owned()),
            name => bail!("there is no fuzz target {name}; the targets are {}", known.join(", ")),
        }
    }
    if request.targets.is_empty() {
        request.targets = known.to_vec();
    }
    Ok(request)
}

/// Refuses where what fuzzing needs is not installed.
fn check_tools() -> anyhow::Result<()> {
    let answers = |arguments: &[&str]| {
        let output = Command::new("rustup").args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !answers(&["run", "nightly", "rustc", "--version"]) {
        bail!("fuzzing needs the nightly compiler: rustup toolchain install nightly");
    }
    if !answers(&["run", "nightly", "cargo", "fuzz", "--version"]) {
        bail!("fuzzing needs cargo-fuzz: cargo install cargo-fuzz");
    }
    Ok(())
}

/// Runs one target on its corpus; `true` where nothing failed. New inputs stay in a folder that git ignores.
fn fuzz(root: &Path, target: &str, minutes: u64, log: &Path) -> anyhow::Result<bool> {
    let found = root.join("fuzz/artifacts/found").join(target);
    std::fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = Command::new("rustup")
        .args(["run", "nightly", "cargo", "fuzz", "run", target])
        .arg(&found)
        .arg(root.join("fuzz/corpus").join(target))
        .args(["--", "-print_final_stats=1", "-timeout=60", "-rss_limit_mb=3072", "-max_len=65536"])
        .arg(format!("-max_total_time={}", minutes * 60))
        // A detached thread that is about to start holds memory that nothing points to yet.
        .arg("-detect_leaks=0")
        .args(dictionary(root, target))
        // Deep recursion would take time that grows with its square.
        .env("ASAN_OPTIONS", "detect_odr_violation=0:detect_stack_use_after_return=0")
        .current_dir(root)
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot start rustup")?;
    Ok(status.success())
}

/// The words that a target's inputs are made of, where there are some.
fn dictionary(root: &Path, target: &str) -> Option<String> {
    let path = root.join("fuzz/dictionaries").join(format!("{target}.dict"));
    path.is_file().then(|| format!("-dict={}", path.display()))
}

/// The figures in a log of libFuzzer: those of its final statistics, and of its last line of progress.
fn figures(log: &str) -> Figures {
    let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse().ok());
    let after = |mark: &str| log.rsplit_once(mark).and_then(|(_, rest)| number(rest)).unwrap_or_default();
    let corpus = log.rsplit_once(" corp: ").and_then(|(_, rest)| rest.split(['/', ' ']).next()?.parse().ok());
    Figures {
        executions: after("stat::number_of_executed_units:"),
        coverage: after(" cov: "),
        corpus: corpus.unwrap_or_default(),
        peak_mib: after("stat::peak_rss_mb:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str]) -> anyhow::Result<Request> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        request(&arguments, &["json".to_owned(), "reply".to_owned()])
    }

    #[test]
    fn command_lines_are_read() {
        let request = |targets: &[&str], minutes, only_list| Request {
            targets: targets.iter().map(ToString::to_string).collect(),
            minutes,
            only_list,
        };
        assert_eq!(ask(&[]).unwrap(), request(&["json", "reply"], 1, false));
        assert_eq!(ask(&["--minutes", "10", "reply"]).unwrap(), request(&["reply"], 10, false));
        assert!(ask(&["--list"]).unwrap().only_list);
        for (wrong, part) in [(&["jsn"][..], "json, reply"), (&["--minutes", "x"], "whole number")] {
            assert!(ask(wrong).unwrap_err().to_string().contains(part), "{wrong:?}");
        }
    }

    #[test]
    fn figures_are_the_last_ones() {
        let log = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                   #99\tNEW    cov: 345 ft: 600 corp: 27/1kb lim: 4 exec/s: 0 rss: 31Mb\n\
                   stat::number_of_executed_units: 4711\nstat::peak_rss_mb:              412\n";
        let expected = Figures { executions: 4711, coverage: 345, corpus: 27, peak_mib: 412 };
        assert_eq!(figures(log), expected);
        assert_eq!(figures(""), Figures::default());
    }

    #[test]
    fn every_target_is_there() {
        let root = crate::root().unwrap();
        let names = targets(&root).unwrap();
        let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        let library = std::fs::read_to_string(root.join("fuzz/src/lib.rs")).unwrap();
        for name in &names {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no binary");
            assert!(library.contains(&format!("(\"{name}\", {name})")), "{name} is not in the list");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), names.len());
    }
}
