//! What a chat template reads beside the messages.

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;
use toolrl_chat::{TemplateDate, TemplateVariables};

/// Arguments of commands that render prompts.
#[derive(Clone, Debug, Default, Args)]
pub struct TemplateArgs {
    /// A variable for the chat template, for instance enable_thinking=false; the value is JSON, or else a text. May be
    /// repeated
    #[arg(long = "template-var", value_name = "KEY=VALUE", value_parser = variable)]
    pub variables: Vec<(String, Value)>,
    /// The date that a chat template tells as today's, as 2024-07-26 or 2024-07-26T18:30:00 [default: now]
    #[arg(long = "template-date", value_name = "DATE")]
    pub date: Option<TemplateDate>,
}

impl TemplateArgs {
    /// The variables, with one date for all prompts of the command.
    pub fn variables(&self) -> TemplateVariables {
        self.over(TemplateVariables::default())
    }

    /// The same, where they are not given those of a recipe.
    pub fn over(&self, recipe: TemplateVariables) -> TemplateVariables {
        let date = self.date.or(recipe.date).unwrap_or_else(TemplateDate::now);
        let values = recipe.values.into_iter().chain(self.variables.iter().cloned()).collect();
        TemplateVariables { date: Some(date), values }
    }
}

fn variable(text: &str) -> anyhow::Result<(String, Value)> {
    let (key, value) = text.split_once('=').context("it should be KEY=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_json_or_text() {
        for (text, value) in [
            ("enable_thinking=false", json!(false)),
            ("date_string=26 Jul 2024", json!("26 Jul 2024")),
            ("year=\"2024\"", json!("2024")),
            ("a=b=c", json!("b=c")),
            ("of=[1, {\"a\": null}]", json!([1, {"a": null}])),
            ("empty=", json!("")),
        ] {
            assert_eq!(variable(text).unwrap().1, value, "{text}");
        }
        assert!(variable("enable_thinking").is_err());
    }
}
