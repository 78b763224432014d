//! What follows from the number of a run's steps, beside when it ends.

use toolrl_grpo::{Decay, LrSchedule};
use toolrl_scorers::{CommandTerm, HttpTerm, PythonTerm};

use super::{Method, Recipe};

/// Terms of other programs.
const IDS: [&str; 3] = [CommandTerm::ID, HttpTerm::ID, PythonTerm::ID];

impl Recipe {
    /// Whether it trains longer than another, of a run that has done so many steps, if it is over.
    pub(crate) fn is_longer_than(&self, other: &Self, done: Option<u64>) -> bool {
        match (self.train.steps(), other.train.steps().or(done)) {
            (Some(now), Some(before)) => now > before,
            (None, _) => self.train.epochs() > other.train.epochs(),
            (Some(_), None) => false,
        }
    }

    /// The settings by which a step depends on the number of all steps, or may: terms of other programs are told it. (One of
    /// a program's own may read it too, which its settings do not tell.)
    pub(crate) fn follows_its_length(&self) -> Vec<&'static str> {
        let changes = |schedule: &LrSchedule| schedule.decay != Decay::Constant || schedule.warmup > 0.0;
        let of_critic = match &self.train {
            Method::Ppo(ppo) => changes(&ppo.critic.optimizer.schedule),
            _ => false,
        };
        let told = self.reward.terms.iter().any(|term| IDS.contains(&term.id.as_str()));
        let settings = [
            ("train.optimizer.schedule", changes(&self.train.optimizer().schedule)),
            ("train.critic.optimizer.schedule", of_critic),
            ("the reward's growing length target", self.reward.grows_over_the_run()),
            ("what a reward term of another program makes of it", told),
        ];
        settings.into_iter().filter(|(_, follows)| *follows).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_number_of_steps_is_named() {
        let with = |method: &str, set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            Recipe::parse(&format!("name = \"a\"\n[train]\nmethod = \"{method}\"\n"), &set).unwrap()
        };
        let plain = with("grpo", &["train.steps=6"]);
        assert_eq!(plain.follows_its_length(), [""; 0]);
        let decays = "train.optimizer.schedule.decay=linear";
        assert_eq!(with("sft", &[decays]).follows_its_length(), ["train.optimizer.schedule"]);
        let critic = "train.critic.optimizer.schedule.warmup=0.1";
        assert_eq!(with("ppo", &[critic]).follows_its_length(), ["train.critic.optimizer.schedule"]);
        for (target, grows) in
            [("'dynamic_paper'", 1), ("{ growing_words = 9 }", 1), ("{ words = 9 }", 0), ("'dynamic'", 0)]
        {
            let reward = format!("reward=[{{ id = 'length', target = {target} }}]");
            assert_eq!(with("grpo", &[&reward]).follows_its_length().len(), grows, "{target}");
        }
        let program = with("grpo", &["reward=[{ id = 'python', python = 'a.py:score' }]"]);
        assert_eq!(program.follows_its_length().len(), 1);
        assert!(with("grpo", &["train.steps=7"]).is_longer_than(&plain, None));
        assert!(!with("grpo", &["train.steps=6"]).is_longer_than(&plain, None));
        let epochs = |n: &str| with("sft", &[&format!("train.epochs={n}")]);
        assert!(
            epochs("2").is_longer_than(&epochs("1"), None)
                && !epochs("1").is_longer_than(&epochs("1"), Some(3))
        );
        assert!(with("sft", &["train.steps=4"]).is_longer_than(&epochs("1"), Some(3)));
        assert!(!with("sft", &["train.steps=3"]).is_longer_than(&epochs("1"), Some(3)));
    }
}
