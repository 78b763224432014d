//! Sampled replies with the reasons for their reward.

use toolrl_rollout::FinishReason;

use super::Example;
use super::html::{escape, number};

/// One folded entry a reply; nothing where there is none.
pub(super) fn section(examples: &[Example]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    let entries: String = examples.iter().map(entry).collect();
    format!("<section>\n<h2>Sampled replies</h2>\n{entries}</section>\n")
}

fn entry(example: &Example) -> String {
    let c = &example.completion;
    let finish = match c.finish {
        FinishReason::Stop => "ended by itself",
        FinishReason::Length => "cut off at the limit",
    };
    let component = |(name, value): (&String, &f64)| format!("<li>{} {}</li>", escape(name), number(*value));
    let components: String = c.components.iter().map(component).collect();
    format!(
        "<details class=\"example\"><summary><span>step {}</span><span>{}</span>\
         <span class=\"reward\">reward {}</span></summary>\n\
         <ul class=\"facts\"><li>{}</li><li>member {}</li><li>{} tokens, {finish}</li>\
         <li>advantage {}</li>{components}</ul>\n\
         <div class=\"pair\"><div><h4>Reply</h4><pre>{}</pre></div>\
         <div><h4>Gold</h4><pre>{}</pre></div></div>\n\
         <h4>How the reward came about</h4><pre>{}</pre>\n\
         <details><summary>Prompt</summary><pre>{}</pre></details>\n</details>\n",
        c.step,
        escape(&c.kind.replace('_', " ")),
        number(c.reward),
        escape(&c.sample_id),
        c.member,
        c.tokens,
        number(c.advantage),
        escape(&c.completion),
        escape(&c.gold),
        escape(&example.explanation),
        escape(&c.prompt),
    )
}
