//! What a sample's replies are held against.

use toolrl_data::Sample;
use toolrl_grammar::dialect::ParameterTypes;
use toolrl_grammar::{Dialect, ToolRl, json};
use toolrl_reward::{Reference, RewardError};

/// The reference of a sample whose gold reply is in this dialect. ToolRL's is read as the paper's released code reads it.
///
/// # Errors
/// As [`Reference::parse`], of ToolRL's dialect alone.
pub fn reference(sample: &Sample, dialect: &'static dyn Dialect) -> Result<Reference, RewardError> {
    if dialect.name() == ToolRl.name() {
        return Ok(Reference::parse(&sample.gold)?.with_tools(&sample.tools));
    }
    let types = if dialect.keeps_types() { ParameterTypes::default() } else { types(&sample.tools) };
    Ok(Reference::typed(&sample.gold, dialect, types).with_tools(&sample.tools))
}

fn types(tools: &[serde_json::Value]) -> ParameterTypes {
    let text = serde_json::to_string(tools).unwrap_or_default();
    json::parse(&text).map_or_else(|_| ParameterTypes::default(), |tools| ParameterTypes::of(&tools))
}
