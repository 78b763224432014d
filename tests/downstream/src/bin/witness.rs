//! `toolrl` with a sampler of its own: the local one, which writes down how many turns each version of the policy took.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;

use toolrl_chat::Chat;
use toolrl_engine::Engine;
use toolrl_policy::Policy;
use toolrl_rollout::{Request, RolloutError, Sampler, SamplerSource, Sampling, SamplingParams, StreamKey};
use toolrl_train::Registry;

/// The file that turns are counted in.
struct Witness(&'static str);

/// A sampler of one version.
struct Watched<'a> {
    engine: Engine<'a>,
    version: u64,
    file: &'static str,
}

impl SamplerSource<Policy> for Witness {
    fn at<'a>(
        &'a self,
        policy: &'a Policy,
        chat: &'a Chat,
        version: u64,
    ) -> Result<Box<dyn Sampler + 'a>, RolloutError> {
        let engine = Engine::new(policy, 8).with_version(version).with_chat(chat);
        Ok(Box::new(Watched { engine, version, file: self.0 }))
    }
}

impl Sampler for Watched<'_> {
    fn sample<'a>(
        &'a mut self,
        requests: &'a [Request<'a>],
        params: &'a SamplingParams,
        key: StreamKey,
    ) -> Sampling<'a> {
        Box::pin(async move {
            let turns = self.engine.sample(requests, params, key).await?;
            let count = turns.iter().map(Vec::len).sum::<usize>();
            let file = OpenOptions::new().create(true).append(true).open(self.file);
            file.and_then(|mut file| writeln!(file, "version {}: {count} turns", self.version))
                .map_err(|error| RolloutError::Sampler(Box::new(error)))?;
            Ok(turns)
        })
    }
}

fn main() -> ExitCode {
    let rewards = toolrl_reward::Registry::builtin();
    toolrl_cli::main_with(Registry::from(rewards).with_sampler("witness", Witness("turns.txt")))
}
