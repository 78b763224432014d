//! `toolrl data inspect`: what a dataset holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use toolrl_data::inspect::{Inspection, Repeat, UnscorableGroup, inspect as inspect_data};
use toolrl_data::{Lengths, Reading, RefusedRow, Sample};
use toolrl_rollout::{GoldReply, Prompt};

use super::table::{bars, columns};
use crate::args::{DataInspectArgs, TemplateArgs};
use crate::hub;
use crate::loaded::words;

/// Lengths in tokens, prompts with the chat template around them.
struct Tokens {
    prompt: Lengths,
    gold: Lengths,
}

/// A table, or one JSON object.
pub(crate) fn inspect(args: &DataInspectArgs) -> anyhow::Result<()> {
    let (found, samples) = inspect_data(&args.path, args.turns.into())?;
    let tokens = args.policy.as_deref().map(|dir| tokens(dir, &args.template, &samples)).transpose()?;
    let text = if args.json {
        json(&found, tokens.as_ref())?.to_string() + "\n"
    } else {
        text(&found, tokens.as_ref())
    };
    print!("{text}");
    match found.reading.refused.len() {
        0 => Ok(()),
        rows => bail!(
            "{rows} rows cannot be read: train leaves them out only with data.files.faulty = \"leave_out\""
        ),
    }
}

fn tokens(dir: &Path, template: &TemplateArgs, samples: &[Sample]) -> anyhow::Result<Tokens> {
    let chat = words(&hub::find(dir)?, template.variables())?;
    let length = |sample| Ok(Prompt::of_sample(&chat, &GoldReply, sample, 0)?.tokens.len());
    let prompts = samples.iter().map(length);
    let prompts = prompts.collect::<anyhow::Result<Vec<_>>>()?;
    let golds = samples.iter().map(|sample| {
        let tokens = chat.encode(&sample.gold).with_context(|| format!("sample {}", sample.id))?;
        Ok(tokens.len())
    });
    let golds = golds.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Tokens { prompt: Lengths::of(prompts.into_iter()), gold: Lengths::of(golds.into_iter()) })
}

fn json(found: &Inspection, tokens: Option<&Tokens>) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(found)?;
    if let Some(tokens) = tokens {
        value["prompt_tokens"] = json!(tokens.prompt);
        value["gold_tokens"] = json!(tokens.gold);
    }
    Ok(value)
}

fn text(found: &Inspection, tokens: Option<&Tokens>) -> String {
    let mut out = format!("{}: {} samples\n", found.path.display(), found.samples);
    out += &reading(&found.reading);
    let kinds: Vec<_> = found.by_kind.iter().map(|(kind, count)| (kind.to_string(), *count)).collect();
    section(&mut out, "Kinds", &bars(&kinds));
    section(&mut out, "Parts of the gold replies", &parts(found));
    let calls: Vec<_> = found.calls.iter().map(|(calls, count)| (calls.to_string(), *count)).collect();
    section(&mut out, "Calls in a gold reply that has some", &bars(&calls));
    let _ = writeln!(
        out,
        "\nEarlier turns: in {} prompts; with results of calls: in {}",
        found.with_history, found.with_observations
    );
    section(&mut out, "Lengths", &lengths(found, tokens));
    match tokens {
        Some(tokens) => section(&mut out, "Prompts by tokens", &histogram(&tokens.prompt)),
        None => section(&mut out, "Prompts by characters", &histogram(&found.prompt_chars)),
    }
    let _ = writeln!(
        out,
        "\nDuplicates: {} of equal prompt, {} of equal prompt and gold reply",
        found.same_prompt.len(),
        found.same_prompt_and_gold.len()
    );
    out += &duplicates(&found.same_prompt);
    let unscorable: usize = found.unscorable.iter().map(|group| group.places.len()).sum();
    let _ = writeln!(out, "\nGold replies that cannot be scored: {unscorable}");
    found.unscorable.iter().for_each(|group| out += &unscorable_group(group));
    out
}

/// The forms of the rows, and what was passed over or changed.
fn reading(reading: &Reading) -> String {
    let forms: Vec<_> = reading.forms.iter().map(|(form, rows)| (form.to_string(), *rows)).collect();
    let fields = |fields: &BTreeMap<String, usize>| {
        fields.iter().map(|(field, rows)| format!("  {field}: {rows}\n")).collect::<String>()
    };
    let mut out = String::new();
    section(&mut out, "Rows by form", &bars(&forms));
    section(&mut out, "Fields that are read, by the rows that have them", &fields(&reading.read));
    section(&mut out, "Fields that are not read", &fields(&reading.passed_over));
    section(&mut out, "Rows that cannot be read", &refused(&reading.refused));
    if reading.unprompted > 0 {
        let _ = writeln!(out, "\nReplies that answer nothing, and are no samples: {}", reading.unprompted);
    }
    if reading.system_lists > 0 {
        let _ = writeln!(out, "\nLists of tools taken from system texts: {}", reading.system_lists);
    }
    if reading.surrogates > 0 {
        let _ = writeln!(out, "\nTexts with lone surrogates, read as U+FFFD: {}", reading.surrogates);
    }
    if reading.repeated_ids > 0 {
        let _ = writeln!(out, "\nIds that repeat, numbered to be unique: {}", reading.repeated_ids);
    }
    out
}

/// The first rows that were refused, with the reasons.
fn refused(rows: &[RefusedRow]) -> String {
    let mut out: String =
        rows.iter().take(SHOWN).map(|row| format!("  {}: {}\n", row.at, row.reason)).collect();
    if rows.len() > SHOWN {
        let _ = writeln!(out, "  and {} more (all with --json)", rows.len() - SHOWN);
    }
    out
}

fn section(out: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        *out += &format!("\n{title}\n{body}");
    }
}

fn parts(found: &Inspection) -> String {
    let parts = found.parts;
    let counts = [
        ("calls", parts.calls),
        ("response", parts.response),
        ("both", parts.both),
        ("neither", parts.neither),
    ];
    bars(&counts.map(|(name, count)| (name.to_owned(), count)))
}

/// The lengths as a table, tools at its end.
fn lengths(found: &Inspection, tokens: Option<&Tokens>) -> String {
    let head = ["", "mean", "min", "median", "90 %", "99 %", "max"].map(str::to_owned).to_vec();
    let mut rows = vec![head];
    let mut row = |name: &str, lengths: &Lengths| {
        let Lengths { min, p50, p90, p99, max, .. } = lengths;
        let counts = [min, p50, p90, p99, max].map(ToString::to_string);
        let cells = [format!("  {name}"), format!("{:.1}", lengths.mean)].into_iter().chain(counts);
        rows.push(cells.collect());
    };
    row("prompt, characters", &found.prompt_chars);
    row("prompt, words", &found.prompt_words);
    if let Some(tokens) = tokens {
        row("prompt, tokens", &tokens.prompt);
    }
    row("gold reply, characters", &found.gold_chars);
    row("gold reply, words", &found.gold_words);
    if let Some(tokens) = tokens {
        row("gold reply, tokens", &tokens.gold);
    }
    if let Some(tools) = &found.tools {
        row("tools in a prompt", tools);
    }
    let mut out = columns(&rows);
    if found.without_tool_list > 0 {
        let _ = writeln!(out, "  no list of tools was found in {} prompts", found.without_tool_list);
    }
    out
}

fn histogram(lengths: &Lengths) -> String {
    let bins = lengths.histogram.iter();
    bars(&bins.map(|bin| (format!("{} to {}", bin.from, bin.to), bin.count)).collect::<Vec<_>>())
}

/// How many places a table names before it says how many more there are.
const SHOWN: usize = 8;

fn duplicates(repeats: &[Repeat]) -> String {
    let named: Vec<_> =
        repeats.iter().take(SHOWN).map(|repeat| format!("{} repeats {}", repeat.at, repeat.first)).collect();
    listed(&named, repeats.len())
}

fn unscorable_group(group: &UnscorableGroup) -> String {
    let places: Vec<_> = group.places.iter().take(SHOWN).map(ToString::to_string).collect();
    format!("  {}: {}\n  {}", group.places.len(), group.cause, listed(&places, group.places.len()))
}

/// The items on one line, and how many of `all` were left out.
fn listed(items: &[String], all: usize) -> String {
    let more = all - items.len();
    match (items.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("  {}\n", items.join(", ")),
        (false, more) => format!("  {} and {more} more (all with --json)\n", items.join(", ")),
    }
}
