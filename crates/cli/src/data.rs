//! `toolrl data build`: samples from downloaded datasets.

mod convert;
mod inspect;
mod table;
mod world;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_data::build::{
    BuildConfig, BuildReport, Built, SourceConfig, SourceForm, SourceReport, build as build_data,
};
use toolrl_data::{write_jsonl, write_parquet};

use crate::args::{DataBuildArgs, FileAndCount};
use table::{bars, columns};

pub(crate) use convert::convert;
pub(crate) use inspect::inspect;
pub(crate) use world::world;

/// What a build writes: samples in two forms, those held out if any are, the report, the settings.
const FILES: [&str; 6] =
    ["train.parquet", "train.jsonl", "eval.parquet", "eval.jsonl", "report.json", "recipe.toml"];

/// Makes the samples and writes them; the report goes to standard output.
pub(crate) fn build(args: &DataBuildArgs) -> anyhow::Result<()> {
    let config = config(args)?;
    let path = |name: &str| args.out.join(name);
    if !args.force
        && let Some(name) = FILES.iter().find(|name| path(name).exists())
    {
        bail!(
            "{} is there already: choose another --out, or write over it with --force",
            path(name).display()
        );
    }
    let built = build_data(&config)?;
    let report = &built.report;
    print!("{}", if args.json { json(report)? } else { text(report) });
    if built.samples.is_empty() {
        bail!("no sample to train on was made, nothing was written");
    }
    write(&args.out, &config, &built)
}

/// Writes the files of a build, over those of an earlier one.
fn write(out: &Path, config: &BuildConfig, built: &Built) -> anyhow::Result<()> {
    let cannot = || format!("cannot write to {}", out.display());
    let recipe = toml::to_string(config).context("these settings cannot be written as TOML")?;
    std::fs::create_dir_all(out).with_context(cannot)?;
    for (name, samples) in [("train", &built.samples), ("eval", &built.held_out)] {
        let (table, lines) = (out.join(format!("{name}.parquet")), out.join(format!("{name}.jsonl")));
        if samples.is_empty() {
            // Those of an earlier build would not belong to this one.
            let mut stale = [table, lines].into_iter().filter(|path| path.exists());
            stale.try_for_each(std::fs::remove_file).with_context(cannot)?;
        } else {
            write_parquet(&table, samples)?;
            write_jsonl(&lines, samples)?;
        }
    }
    std::fs::write(out.join("report.json"), json(&built.report)?).with_context(cannot)?;
    std::fs::write(out.join("recipe.toml"), recipe).with_context(cannot)?;
    tracing::info!("wrote {}", out.display());
    Ok(())
}

/// The settings of the recipe or of the options for sources; the other options change either.
fn config(args: &DataBuildArgs) -> anyhow::Result<BuildConfig> {
    let mut config = match &args.recipe {
        Some(path) => read_recipe(path)?,
        None => BuildConfig { sources: sources(args), ..BuildConfig::default() },
    };
    config.seed = args.seed.unwrap_or(config.seed);
    config.irrelevance = args.irrelevance.unwrap_or(config.irrelevance);
    config.held_out = args.hold_out.unwrap_or(config.held_out);
    config.prompt = args.prompt.clone().or(config.prompt);
    Ok(config)
}

fn read_recipe(path: &Path) -> anyhow::Result<BuildConfig> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

fn sources(args: &DataBuildArgs) -> Vec<SourceConfig> {
    let of = |form, files: &[FileAndCount]| {
        let source = |given: &FileAndCount| SourceConfig { form, file: given.file.clone(), take: given.take };
        files.iter().map(source).collect::<Vec<_>>()
    };
    [
        of(SourceForm::Toolace, &args.toolace),
        of(SourceForm::Xlam, &args.xlam),
        of(SourceForm::Hammer, &args.hammer),
    ]
    .concat()
}

fn json(report: &BuildReport) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// The report for a terminal.
fn text(report: &BuildReport) -> String {
    let mut out = source_table(report);
    let held_out = match report.held_out {
        0 => String::new(),
        held_out => format!(" to train on, {held_out} held out"),
    };
    let _ = writeln!(out, "\n{} samples{held_out}, seed {}", report.samples, report.seed);
    let kinds: Vec<_> = report.by_kind.iter().map(|(kind, count)| (kind.to_string(), *count)).collect();
    out += &bars(&kinds);
    for source in report.sources.iter().filter(|source| source.missing() > 0) {
        let _ = writeln!(out, "\n{}", shortage(source));
    }
    for source in report.sources.iter().filter(|source| !source.passed_over.is_empty()) {
        let fields = source.passed_over.iter().map(|(field, rows)| format!("{field} ({rows} rows)"));
        let _ = writeln!(out, "\n{}: not read: {}", source.name, fields.collect::<Vec<_>>().join(", "));
    }
    if report.sources.iter().any(|source| !source.refused.is_empty()) {
        out += "\nNot converted, with the first of each:\n";
        out += &refusals(report);
    }
    out
}

fn source_table(report: &BuildReport) -> String {
    let head = [
        "source",
        "rows",
        "rows refused",
        "replies",
        "replies refused",
        "duplicates",
        "used before",
        "taken",
        "asked",
    ];
    let row = |source: &SourceReport| {
        let asked = source.asked.map_or("all".to_owned(), |asked| asked.to_string());
        let counts = [
            source.rows,
            source.rows_refused,
            source.replies,
            source.replies_refused,
            source.duplicates,
            source.used,
            source.taken,
        ];
        [source.name.clone()].into_iter().chain(counts.map(|n| n.to_string())).chain([asked]).collect()
    };
    let head = head.map(str::to_owned).to_vec();
    columns(&[vec![head], report.sources.iter().map(row).collect()].concat())
}

fn shortage(source: &SourceReport) -> String {
    let used = match source.used {
        0 => String::new(),
        used => format!(", beside {used} that another source took"),
    };
    let asked = source.asked.unwrap_or_default();
    format!(
        "{}: {asked} samples were asked for and {} has {}{used}.",
        source.name,
        source.file.display(),
        source.taken
    )
}

fn refusals(report: &BuildReport) -> String {
    let mut out = String::new();
    for (index, source) in report.sources.iter().enumerate() {
        let same = |earlier: &&SourceReport| earlier.file == source.file && earlier.refused == source.refused;
        if let Some(earlier) = report.sources[..index].iter().find(same) {
            let _ = writeln!(out, "  {}: as {}, of the same file", source.name, earlier.name);
            continue;
        }
        for refused in &source.refused {
            let what = match (refused.cause.is_of_row(), refused.count) {
                (true, 1) => "row",
                (true, _) => "rows",
                (false, 1) => "reply",
                (false, _) => "replies",
            };
            let _ = writeln!(out, "  {}: {} {what}: {}", source.name, refused.count, refused.reason);
            if let Some(example) = refused.examples.first() {
                let _ = writeln!(out, "    {}", example.to_string().trim_end().trim_end_matches(':'));
            }
        }
    }
    out
}
