//! Episodes of several turns grow by ids, and a reply is read as the released code reads it.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::path::Path;
use std::sync::Arc;

use toolrl_chat::{Chat, Message, train_bpe};
use toolrl_data::Sample;
use toolrl_reward::released::{Template, extract_reply};
use toolrl_rollout::*;

const ROW: &str = r#"{"instruction": "You add.", "input": "What is 2 + 3?", "output": "<think> so </think>\n<response> 5 </response>"}"#;

/// A tokenizer of bytes and a few words, whose template is this one.
fn chat(dir: &Path, template: &str) -> Chat {
    let corpus = ["<think> so </think> <tool_call> <response> result".to_owned()];
    train_bpe(corpus.into_iter(), 300, &[]).unwrap().save(dir).unwrap();
    std::fs::write(dir.join("chat_template.jinja"), template).unwrap();
    Chat::load(dir).unwrap()
}

fn sample(dir: &Path) -> Sample {
    let path = dir.join("row.jsonl");
    std::fs::write(&path, format!("{ROW}\n")).unwrap();
    toolrl_data::load(&path).unwrap().samples.remove(0)
}

/// Templates in ChatML's form; `turn` is how a finished message's content is written, `opening` what follows the
/// assistant's header.
fn template(turn: &str, opening: &str) -> String {
    format!(
        "{{%- for message in messages %}}{{{{- '<|im_start|>' + message.role + '\\n' + {turn} + '<|im_end|>\\n' }}}}\
         {{%- endfor %}}{{%- if add_generation_prompt %}}{{{{- '<|im_start|>assistant\\n{opening}' }}}}{{%- endif %}}"
    )
}

const PLAIN: &str = "message.content";

/// Says these texts, turn by turn, each ended by the stop token; the log-probability of a token counts down.
struct Script<'a> {
    chat: &'a Chat,
    turns: Vec<&'static str>,
    asked: Asked,
}

impl Sampler for Script<'_> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        _: &'a SamplingParams,
        _: StreamKey,
    ) -> Sampling<'a> {
        Box::pin(async move {
            let turn = |text: &str| {
                let mut tokens = self.chat.encode(text).unwrap();
                tokens.push(self.chat.eos_token_id().unwrap());
                let logprobs = (0..tokens.len()).map(|i| -(i as f32)).collect();
                Sampled { tokens, logprobs, finish: FinishReason::Stop, version: 4 }
            };
            let text = self.turns[self.asked.len().min(self.turns.len() - 1)];
            self.asked.extend(requests.iter().map(|r| (r.tokens.to_vec(), r.drawn)).take(1));
            Ok(requests.iter().map(|request| request.members.clone().map(|_| turn(text)).collect()).collect())
        })
    }
}

/// Answers every tool call with a result, and scores the number of calls.
struct Adder;

impl Environment for Adder {
    fn begin<'a>(&'a self, _: &'a Sample) -> Beginning<'a> {
        Box::pin(async { Ok(Box::new(Sum(0.0)) as Box<dyn Session>) })
    }
}

struct Sum(f64);

impl Session for Sum {
    fn answer<'a>(&'a mut self, reply: &'a Reply) -> Answering<'a> {
        Box::pin(async move {
            if !reply.text.contains("<tool_call>") {
                return Ok(Answer::End);
            }
            self.0 += 1.0;
            Ok(Answer::Messages(vec![Message::new("tool", "result 5")]))
        })
    }

    fn close(&mut self) -> Closing<'_> {
        Box::pin(async { Ok(Some(self.0)) })
    }
}

/// The token ids and the tokens drawn before, of each round's first request.
type Asked = Vec<(Vec<u32>, usize)>;

/// The first group of a play of the row, and what the sampler was asked.
fn played(
    chat: &Chat,
    environment: &dyn Environment,
    turns: &[&'static str],
    max_turns: usize,
) -> (Result<Group<Episode>, RolloutError>, Asked) {
    let sample = sample(chat.dir());
    let prompt = Arc::new(Prompt::new(chat, environment.opening(&sample), 0).unwrap());
    let mut sampler = Script { chat, turns: turns.to_vec(), asked: Vec::new() };
    let (params, key) = (SamplingParams::default(), StreamKey { seed: 0, step: 1 });
    let how = Play { chat, environment, params: &params, key, max_turns, context: 4096 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let groups = runtime.block_on(play(&mut sampler, &[prompt], |_| &sample, 2, &how));
    (groups.map(|mut groups| groups.remove(0)), sampler.asked)
}

const CALL: &str = "<think> so </think>\n<tool_call>\n{}\n</tool_call>\n";
const ANSWER: &str = "<think> so </think>\n<response> 5 </response>";

#[test]
fn an_episode_grows_by_ids_to_what_the_template_renders() {
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path(), &template(PLAIN, ""));
    let (group, asked) = played(&chat, &Adder, &[CALL, ANSWER], 8);
    let group = group.unwrap();
    assert_eq!(group.members.len(), 2);
    let episode = &group.members[1];
    let mut messages = group.prompt.opening.messages.clone();
    messages.extend([Message::new("assistant", CALL), Message::new("tool", "result 5")]);
    let rendered = chat.render(&messages, true).unwrap();
    let whole: Vec<u32> = group.prompt.tokens.iter().chain(&episode.tokens).copied().collect();
    assert_eq!(chat.decode(&whole, false).unwrap(), format!("{rendered}{ANSWER}<|im_end|>"));
    // The second turn's request is the first's, with what was sampled and given: nothing is tokenised again.
    assert!(asked[1].0.starts_with(&asked[0].0));
    let turns = episode.turns();
    assert_eq!((asked[0].1, asked[1].1), (0, turns[0].len()));
    assert_eq!(episode.sampled(), turns.iter().map(|turn| turn.len()).sum::<usize>());
    assert_eq!(episode.segments.len(), 3);
    assert!(matches!(episode.segments[2], Segment::Sampled { version: 4, finish: FinishReason::Stop, .. }));
    assert_eq!(episode.logprobs[turns[0].len()], 0.0, "the second turn's first token");
    assert_eq!((episode.ended, episode.outcome), (Ended::Closed, Some(1.0)));
    assert_eq!(episode.reply().text, ANSWER);
}

#[test]
fn turns_are_limited_and_end_with_a_turn_of_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path(), &template(PLAIN, ""));
    let (group, asked) = played(&chat, &Adder, &[CALL], 3);
    let episode = group.unwrap().members.remove(0);
    assert_eq!((asked.len(), episode.ended, episode.replies.len()), (3, Ended::OutOfTurns, 3));
    assert!(matches!(episode.segments.last(), Some(Segment::Sampled { .. })));
}

#[test]
fn a_gold_reply_is_an_episode_of_one_turn() {
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path(), &template(PLAIN, ""));
    let (group, asked) = played(&chat, &GoldReply, &[CALL], 8);
    let episode = group.unwrap().members.remove(0);
    assert_eq!((asked.len(), episode.ended, episode.outcome), (1, Ended::Closed, None));
    // What is scored has no outer white space, as the released code has it.
    assert_eq!(episode.reply().text, CALL.trim_end());
}

#[test]
fn thoughts_that_the_template_opens_are_the_replys() {
    let dir = tempfile::tempdir().unwrap();
    for turn in
        [PLAIN, "('<think>\\n' + message.content if message.role == 'assistant' else message.content)"]
    {
        let chat = chat(dir.path(), &template(turn, "<think>\\n"));
        let (group, _) = played(&chat, &Adder, &["so </think>\n<tool_call>\n", "so </think>"], 8);
        let episode = group.unwrap().members.remove(0);
        assert_eq!(episode.replies[0].text, "<think>\nso </think>\n<tool_call>");
        assert_eq!(episode.replies[1].text, "<think>\nso </think>");
        assert_eq!(episode.reply().shift, 8);
    }
}

#[test]
fn tags_that_are_special_tokens_reach_the_reader() {
    let dir = tempfile::tempdir().unwrap();
    let chat = chat(dir.path(), &template(PLAIN, ""));
    let (group, _) = played(&chat, &GoldReply, &["a <|im_start|> b"], 8);
    assert_eq!(group.unwrap().members[0].reply().text, "a <|im_start|> b");
}

#[test]
fn a_template_that_moves_earlier_turns_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = "('(a turn)' if message.role == 'assistant' else message.content)";
    let chat = chat(dir.path(), &template(hidden, ""));
    let (group, _) = played(&chat, &Adder, &[CALL, ANSWER], 8);
    let error = group.unwrap_err().to_string();
    assert!(error.contains("renders an assistant's turn otherwise") && error.contains("(a turn)"), "{error}");
}

/// What the paper's released code scores is cut out of the decoded prompt and reply.
#[test]
fn a_reply_is_what_the_released_code_cuts_out() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [CALL, ANSWER, " \n a <|im_start|> b \n\n", "<think> so", "\u{3000}x\u{1c}", ""];
    for opening in ["", "<think>\\n", "<think>\\n\\n</think>\\n\\n"] {
        let chat = chat(dir.path(), &template(PLAIN, opening));
        let prompt = Prompt::new(&chat, Opening::of("Add <think> and 2.", "What?"), 0).unwrap();
        for text in texts {
            let mut tokens = chat.encode(text).unwrap();
            tokens.push(chat.eos_token_id().unwrap());
            let whole = prompt.text.clone() + &chat.decode(&tokens, false).unwrap();
            let logprobs = vec![0.0; tokens.len()];
            let turn = Sampled { tokens, logprobs, finish: FinishReason::Stop, version: 0 };
            let reply = Reply::of_turn(&chat, &prompt, &turn, &SamplingParams::default()).unwrap();
            let released = extract_reply(&whole, Template::Qwen).unwrap();
            assert_eq!(reply.text.as_bytes(), released, "{opening:?} {text:?}");
        }
    }
}
