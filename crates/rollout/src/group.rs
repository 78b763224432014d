//! The members of a group, through all that is done with them.

use std::sync::Arc;

use crate::Prompt;

/// What belongs to one prompt: an episode a member, or what became of each. A group is never taken apart: a stage maps
/// its members to what the next one needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<T> {
    /// What all members share.
    pub prompt: Arc<Prompt>,
    /// One a member, in their order.
    pub members: Vec<T>,
}

impl<T> Group<T> {
    /// The group with something else of each member.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Group<U> {
        Group { prompt: self.prompt, members: self.members.into_iter().map(of).collect() }
    }

    /// The same, where it may fail.
    ///
    /// # Errors
    /// The first error.
    pub fn try_map<U, E>(self, of: impl FnMut(T) -> Result<U, E>) -> Result<Group<U>, E> {
        let members = self.members.into_iter().map(of).collect::<Result<_, E>>()?;
        Ok(Group { prompt: self.prompt, members })
    }
}
