//! `toolrl export`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_export::{Model, Settings, Tasks, Trainer};
use toolrl_policy::PolicyPlace;
use toolrl_rollout::GoldReply;
use toolrl_train::{Demonstrated, Method, PolicySource, Prompted, Recipe, Registry};

use crate::args::{ExportArgs, TrainerName};
use crate::{hub, recipes, starter, train};

/// Writes a recipe's files for another trainer; the settings that have no counterpart there go to standard output.
pub(crate) fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let trainer = match args.trainer {
        TrainerName::Trl => Trainer::Trl,
        TrainerName::Verl => Trainer::Verl,
    };
    let mut recipe = recipes::find(&args.recipe, &args.overrides)?;
    train::apply(&mut recipe, args.policy.as_deref(), args.data.as_deref());
    trainer.takes(&recipe)?;
    let kind = &recipe.environment.kind;
    if kind != Registry::GOLD {
        bail!("environment.kind = {kind:?} is a part of this program, which no other trainer can call");
    }
    let there = trainer.files().iter().map(|name| args.out.join(name)).find(|path| path.exists());
    if let Some(path) = there.filter(|_| !args.force) {
        bail!("{} is there already: choose another --out, or write over it with --force", path.display());
    }
    let Some(policy) = &recipe.policy else {
        return with_starter(&recipe, trainer, &args.out);
    };
    let (place, model) = start(policy, trainer)?;
    write(&recipe, (&place, &model), trainer, &args.out)
}

/// The folder of the tiny policy in an export of a recipe that names none.
const START: &str = "start";

/// The same from the policy inside the binary, which goes again where nothing is exported.
fn with_starter(recipe: &Recipe, trainer: Trainer, out: &Path) -> anyhow::Result<()> {
    let (dir, is_new) = (out.join(START), !out.exists());
    starter::unpack(&dir)?;
    let model = Model { name: START.to_owned(), revision: None };
    let written = write(recipe, (&dir.as_path().into(), &model), trainer, out);
    if written.is_err() && is_new {
        std::fs::remove_dir_all(out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    written
}

fn write(
    recipe: &Recipe,
    (place, model): (&PolicyPlace, &Model),
    trainer: Trainer,
    out: &Path,
) -> anyhow::Result<()> {
    let tasks = match &recipe.train {
        Method::Sft(_) => Tasks::Shown(Demonstrated::of(recipe, place, &GoldReply)?),
        _ => Tasks::Sampled(Prompted::of(recipe, place, &GoldReply)?),
    };
    let settings = trainer.export(&tasks, model, out)?;
    print!("{}", told(&tasks, trainer, &settings, out));
    Ok(())
}

/// Where the model is here, and how the other trainer is told it.
fn start(policy: &PolicySource, trainer: Trainer) -> anyhow::Result<(PolicyPlace, Model)> {
    const MERGE: &str = "begins with adapters: export from the whole model that toolrl policy merge writes";
    let given = match policy {
        PolicySource::Dir(dir) => dir,
        PolicySource::Adapters(adapters) => bail!("the recipe {MERGE} ({})", adapters.dir.display()),
        PolicySource::Fresh(_) => bail!(
            "policy.fresh is made when a run begins: train, and export from the directory start in the run's (--policy)"
        ),
    };
    let place = PolicyPlace::from(&hub::words(given)?);
    if place.named_base()?.is_some() || place.base()?.is_some() {
        bail!("{} {MERGE}", given.display());
    }
    let here = std::path::absolute(&place.dir).with_context(|| place.dir.display().to_string())?;
    let here = Model { name: unicode(&here)?, revision: None };
    let model = match hub::named(given) {
        // verl asks the Hub for no revision.
        Some((_, Some(_))) if trainer == Trainer::Verl => here,
        Some((name, revision)) => Model { name, revision },
        None => here,
    };
    Ok((place, model))
}

fn unicode(path: &Path) -> anyhow::Result<String> {
    path.to_str()
        .map(str::to_owned)
        .with_context(|| format!("{}: a path that is not Unicode", path.display()))
}

/// What was written, and what has no counterpart.
fn told(tasks: &Tasks, trainer: Trainer, settings: &Settings, out: &Path) -> String {
    let (dir, (train, held_out, steps)) = (out.display(), tasks.counts());
    let mut text = format!("{dir}: {train} tasks to train on, {held_out} held out, {steps} steps\n");
    let lost: Vec<_> = settings.lost().collect();
    if !lost.is_empty() {
        let _ = writeln!(text, "without a counterpart in {}, where training differs:", trainer.release());
    }
    let width = lost.iter().map(|(row, _)| row.key.len()).max().unwrap_or_default();
    for (row, how) in lost {
        let _ = writeln!(text, "  {:width$}  {how}", row.key);
    }
    let _ = writeln!(text, "every setting: {}", out.join("SETTINGS.md").display());
    text
}
