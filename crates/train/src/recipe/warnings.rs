//! Settings that do what they say, and seldom what is wanted.

use toolrl_grpo::AdvantageKind;
use toolrl_rollout::SamplingParams;

use super::{GrpoConfig, Method, PpoConfig, Recipe, Success};

impl Recipe {
    /// What is told at the beginning of a run.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let Method::Grpo(grpo) = &self.train else {
            return self.of_truncation().into_iter().chain(self.of_success()).collect();
        };
        let alone = grpo.group_size == 1 && grpo.advantage != AdvantageKind::BatchNormalized;
        let alone = alone.then(|| {
            "train.group_size = 1: a reply is compared with the others of its group, so nothing is learned from its reward; \
             take 2 or more, or train.advantage = \"batch_normalized\""
                .to_owned()
        });
        alone.into_iter().chain(self.of_truncation()).chain(self.of_success()).collect()
    }

    /// A success that nothing asks for.
    fn of_success(&self) -> Option<String> {
        let (Method::Grpo(GrpoConfig { rl, .. }) | Method::Ppo(PpoConfig { rl, .. })) = &self.train else {
            return None;
        };
        let unread = rl.success != Success::default() && !self.train.reads_outcomes();
        unread.then(|| "train.success: nothing asks for it: see train.tasks and train.groups".to_owned())
    }

    fn of_truncation(&self) -> Option<String> {
        let SamplingParams { top_k, top_p, min_p, .. } = self.sampling;
        let set = [
            (top_k > 0, format!("sampling.top_k = {top_k}")),
            (top_p < 1.0, format!("sampling.top_p = {top_p}")),
            (min_p > 0.0, format!("sampling.min_p = {min_p}")),
        ];
        let set: Vec<_> = set.into_iter().filter_map(|(is_set, text)| is_set.then_some(text)).collect();
        (self.sampling.truncates() && self.train.samples()).then(|| {
            format!(
                "{}: replies are drawn from the most probable tokens alone, while ratios and divergences are of all \
                 tokens, as in the paper's code; without it both are the same",
                set.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_seldom_is_wanted_is_told() {
        let warnings = |method: &str, set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            let text = format!("name = \"a\"\n[train]\nmethod = \"{method}\"\n");
            Recipe::parse(&text, &set).unwrap().warnings()
        };
        assert_eq!(warnings("grpo", &[]), [""; 0]);
        let told = warnings("grpo", &["train.group_size=1", "sampling.top_p=0.9"]);
        assert!(told[0].contains("group_size = 1") && told[1].contains("top_p = 0.9"), "{told:?}");
        assert_eq!(warnings("grpo", &["train.group_size=1", "train.advantage=batch_normalized"]), [""; 0]);
        assert_eq!(warnings("ppo", &["train.group_size=1", "sampling.top_p=0.5"]).len(), 1);
        let told = warnings("ppo", &["sampling.top_k=20", "sampling.min_p=0.1"]);
        assert!(told[0].starts_with("sampling.top_k = 20, sampling.min_p = 0.1: "), "{told:?}");
        assert_eq!(warnings("sft", &["sampling.top_p=0.5"]), [""; 0]);
        for method in ["grpo", "ppo"] {
            assert!(warnings(method, &["train.success.reward=1.0"])[0].contains("train.success"));
            let read = ["train.success.reward=1.0", "train.tasks.rest.solved.steps=3"];
            assert_eq!(warnings(method, &read), [""; 0]);
        }
    }
}
