//! `toolrl calls detect`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::args::TemplateArgs;
use crate::hub;
use crate::loaded::words;

/// The model directory whose dialect is looked for.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// The model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR")]
    pub policy: PathBuf,
    /// What the chat template reads beside the messages
    #[command(flatten)]
    pub template: TemplateArgs,
}

/// Prints the dialect that the directory's template writes calls in, with what it rendered.
pub(super) fn detect(args: &DetectArgs) -> anyhow::Result<()> {
    let chat = words(&hub::find(&args.policy)?, args.template.variables())?;
    let shows_tools = chat.shows_tools()?;
    let (dialect, rendered) = chat.detect_dialect()?;
    let found = json!({
        "dialect": dialect.name(),
        "rendered": rendered,
        "shows_tools": shows_tools,
        "thoughts": dialect.thoughts_opening(),
        "turn_ends": dialect.turn_ends(),
    });
    println!("{found}");
    Ok(())
}
