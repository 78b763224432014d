//! Prompt templates: minijinja files with the blocks `system` and `user`.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use crate::{DataError, Message};

const NAME: &str = "prompt";

/// A compiled prompt template.
pub(crate) struct PromptTemplate {
    environment: Environment<'static>,
}

impl PromptTemplate {
    /// Compiles the template.
    pub(crate) fn new(text: String) -> Result<Self, DataError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).build().map_err(DataError::Template)?;
        environment.set_syntax(syntax);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template_owned(NAME, text).map_err(DataError::Template)?;
        Ok(Self { environment })
    }

    /// The system and the user message, white space around them removed.
    pub(crate) fn messages(&self, variables: minijinja::Value) -> Result<Vec<Message>, DataError> {
        let template = self.environment.get_template(NAME).map_err(DataError::Template)?;
        let mut captured = template.render_captured(variables).map_err(DataError::Template)?;
        let mut message = |role: &str| {
            let content = captured.with_state_mut(|state| state.render_block(role));
            Ok(Message::new(role, content.map_err(DataError::Template)?.trim()))
        };
        Ok(vec![message("system")?, message("user")?])
    }
}
