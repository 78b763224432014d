//! What is refused before anything is written.

use toolrl_reward::{Registry, Rubric};
use toolrl_train::{Prompted, PromptedTask, Recipe};

use crate::ExportError;
use crate::verl;

/// Refuses a reward with terms that are not built in.
pub(crate) fn reward(recipe: &Recipe) -> Result<(), ExportError> {
    Rubric::from_config(&recipe.reward, &Registry::builtin()).map(drop).map_err(ExportError::Reward)
}

/// Refuses a prompt whose text is not read as its tokens: one that was cut within a word.
pub(crate) fn prompts(prompted: &Prompted) -> Result<(), ExportError> {
    let cut = prompted.train.iter().chain(&prompted.held_out).filter(|task| task.prompt.cut > 0);
    for PromptedTask { sample, prompt, .. } in cut {
        let read = prompted.chat.encode(&prompt.text)?;
        if read != prompt.tokens {
            let (read, tokens) = (read.len(), prompt.tokens.len());
            return Err(ExportError::Cut { id: sample.id.clone(), read, tokens });
        }
    }
    Ok(())
}

/// Refuses a dialect whose replies lose something where special tokens are taken out of them, as verl does.
pub(crate) fn replies(prompted: &Prompted) -> Result<(), ExportError> {
    for PromptedTask { sample, .. } in &prompted.train {
        let tokens = prompted.chat.encode(sample.gold.text())?;
        let left = prompted.chat.decode(&tokens, true)?;
        if left != prompted.chat.decode(&tokens, false)? {
            let (id, dialect) = (sample.id.clone(), prompted.recipe.dialect.clone());
            return Err(ExportError::Special { trainer: verl::RELEASE, dialect, id, left });
        }
    }
    Ok(())
}
