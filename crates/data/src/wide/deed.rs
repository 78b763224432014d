//! Something that a tool does: a frame applied to a thing of a domain.

use super::english::{fill, plural, with_article};
use super::words::{Domain, Frame, Slot, Thing, Words};

/// What is done to which thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    pub(crate) words: &'static Words,
    pub(crate) domain: &'static Domain,
    pub(crate) thing: &'static Thing,
    pub(crate) frame: &'static Frame,
}

impl Deed {
    /// Everything that can be done in a domain.
    pub(crate) fn of(words: &'static Words, domain: &'static Domain) -> impl Iterator<Item = Self> {
        domain.things.iter().flat_map(move |thing| {
            let frames = words.classes.get(&thing.class).into_iter().flatten();
            let suits = |frame: &&Frame| !thing.skip.contains(&frame.sense);
            frames.filter(suits).map(move |frame| Self { words, domain, thing, frame })
        })
    }

    pub(crate) fn is_of_thing(&self, other: &Self) -> bool {
        std::ptr::eq(self.thing, other.thing)
    }

    /// Whether a request for one might be taken for a request for the other.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let (a, b) = (self.frame, other.frame);
        let group = |frame: &'static Frame| frame.group.as_deref().or(frame.looks.then_some("look"));
        self.is_of_thing(other) && (a.sense == b.sense || group(a).is_some() && group(a) == group(b))
    }

    /// What it does, as a verb phrase.
    pub(crate) fn tell(&self) -> String {
        self.worded(self.frame.tell.first().map_or("", String::as_str))
    }

    /// A parameter of its thing, or one that tools share.
    pub(crate) fn slot(&self, id: &str) -> Option<&'static Slot> {
        self.domain.attr.get(id).or_else(|| self.words.slots.get(id))
    }

    /// A text with the thing's name put in.
    pub(crate) fn worded(&self, text: &str) -> String {
        let one = self.thing.one.as_str();
        let many = self.thing.many.clone().unwrap_or_else(|| plural(one));
        let text = fill(&fill(text, "one", one), "many", &many);
        fill(&text, "a", &with_article(one))
    }
}
