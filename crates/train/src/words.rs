//! How a run's policy words its turns, and samples in these words.

use std::path::Path;

use toolrl_chat::{Chat, ToolPrompt};
use toolrl_data::{Gold, Sample};
use toolrl_grammar::dialect::{HERMES, named};
use toolrl_grammar::{Dialect, ToolRl, Turn};

use crate::recipe::{AUTO, CHATML, NATIVE, TOOLRL};
use crate::{Recipe, TrainError};

/// The chat with the dialect that a recipe names, or finds for these samples.
///
/// # Errors
/// [`TrainError::Chat`] where the dialect of the chat's template is asked for and not found;
/// [`TrainError::ToolsNotShown`] where samples have tools that the template would not show.
pub fn worded<'s>(
    recipe: &Recipe,
    samples: impl Iterator<Item = &'s Sample>,
    chat: Chat,
) -> Result<Chat, TrainError> {
    let (mut has_tools, mut is_plain) = (false, true);
    for sample in samples {
        has_tools |= !sample.tools.is_empty();
        is_plain &= says_words_alone(sample.gold.turn());
    }
    let told = recipe.prompt == TOOLRL;
    let chat = match recipe.prompt.as_str() {
        NATIVE | TOOLRL => chat,
        CHATML => chat.with_chatml()?,
        file => {
            let failed = |e| TrainError::Recipe(format!("prompt = {file:?}: {e}"));
            chat.with_template(Path::new(file), std::fs::read_to_string(file).map_err(failed)?)?
        }
    };
    if has_tools {
        check_tools(recipe, &chat)?;
    }
    let dialect: &'static dyn Dialect = match recipe.dialect.as_str() {
        // Where nothing is ever called, any dialect in which words are words will do.
        AUTO if is_plain && !has_tools => chat.detect_dialect().map_or(&HERMES, |(found, _)| found),
        AUTO if !has_tools || told => &ToolRl,
        AUTO => {
            let (found, rendered) = chat.detect_dialect()?;
            tracing::info!("dialect {}: the policy's template writes a call as {rendered:?}", found.name());
            found
        }
        name => named(name).map_err(|e| TrainError::Recipe(format!("dialect: {e}")))?,
    };
    let chat = chat.with_dialect(dialect);
    if told { Ok(chat.with_tool_prompt(ToolPrompt::built_in()?)) } else { Ok(chat) }
}

/// Refuses samples with tools that the chat would not show.
pub(crate) fn check_tools_shown(recipe: &Recipe, samples: &[Sample], chat: &Chat) -> Result<(), TrainError> {
    if samples.iter().any(|sample| !sample.tools.is_empty()) { check_tools(recipe, chat) } else { Ok(()) }
}

fn check_tools(recipe: &Recipe, chat: &Chat) -> Result<(), TrainError> {
    if recipe.prompt != TOOLRL && !chat.shows_tools()? {
        return Err(TrainError::ToolsNotShown { dir: chat.dir().to_owned() });
    }
    Ok(())
}

/// Whether a turn is an answer without thoughts and calls, as chats without tools have them. (ToolRL's replies think.)
fn says_words_alone(turn: &Turn<'_>) -> bool {
    turn.thoughts.is_none() && turn.calls.is_empty() && turn.response.is_some()
}

/// The samples with their gold replies in a dialect; ToolRL's are as they are.
///
/// # Errors
/// [`TrainError::Unsayable`] for a gold reply that the dialect cannot say.
pub fn in_dialect(samples: Vec<Sample>, dialect: &'static dyn Dialect) -> Result<Vec<Sample>, TrainError> {
    if dialect.name() == ToolRl.name() {
        return Ok(samples);
    }
    let reworded = |sample: Sample| {
        let gold = Gold::write(sample.gold.turn(), dialect).map_err(|source| TrainError::Unsayable {
            id: sample.id.clone(),
            dialect: dialect.name(),
            source,
        })?;
        Ok(Sample { gold, ..sample })
    };
    samples.into_iter().map(reworded).collect()
}
