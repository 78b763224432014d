//! The last check of a task: the gold turn is the right one, and the only one.

use super::task::Task;
use super::tool::Tool;

impl Task {
    /// Whether the words state all values of the gold calls and none that is said to be missing, and whether no listed
    /// tool but those that the gold calls use could be meant.
    pub(crate) fn is_sound(&self) -> bool {
        let of = |role: &str| -> Vec<&str> {
            self.messages.iter().filter(|m| m.role == role).map(|m| m.content.as_str()).collect()
        };
        let (said, results) = (of("user").join("\n"), of("tool").join("\n"));
        let waits = self.gold.calls.is_empty();
        let states = self.asked.iter().all(|asked| {
            asked.values.iter().all(|(index, value)| match asked.unsaid == Some(*index) {
                false => said.contains(&value.bare),
                true if waits => !said.contains(&value.bare),
                true => value.value.as_str().is_some_and(|value| results.contains(value)),
            })
        });
        let mut names: Vec<_> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
        names.sort_unstable();
        let distinct = names.windows(2).all(|pair| pair[0] != pair[1]);
        states && distinct && self.tools.iter().all(|tool| !self.misleads(tool))
    }

    /// Whether a tool that the gold does not call might be called all the same.
    fn misleads(&self, tool: &Tool) -> bool {
        let is_asked = self.asked.iter().any(|asked| asked.tool.name == tool.name);
        let is_meant = |asked: &Tool| asked.deed.is_like(&tool.deed) && asked.key == tool.key;
        !is_asked
            && (self.asked.iter().any(|asked| is_meant(&asked.tool))
                || self.absent.is_some_and(|absent| absent.is_like(&tool.deed)))
    }
}
