//! What is held out shares nothing with training that could have been learnt by heart.

use std::collections::BTreeSet;

use crate::wide::deed::Deed;
use crate::wide::words::{Slot, Words};

/// Words that any name may have.
const SMALL: [&str; 10] = ["of", "to", "by", "on", "or", "up", "off", "for", "per", "in"];

fn deeds(words: &'static Words) -> Vec<Deed> {
    words.domains.iter().flat_map(|domain| Deed::of(words, domain)).collect()
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn slots(words: &'static Words) -> Vec<(String, &'static Slot)> {
    let own = words.domains.iter().flat_map(|domain| &domain.attr);
    own.chain(&words.slots).map(|(id, slot)| (id.replace('_', " "), slot)).collect()
}

fn shared(sets: [BTreeSet<String>; 2]) -> Vec<String> {
    sets[0].intersection(&sets[1]).cloned().collect()
}

#[test]
fn there_are_domains_and_tools_enough() {
    let [train, held_out] = Words::both().unwrap();
    assert!(train.domains.len() >= 40 && held_out.domains.len() >= 10);
    assert!(
        deeds(train).len() > 600 && deeds(held_out).len() > 150,
        "{} {}",
        deeds(train).len(),
        deeds(held_out).len()
    );
}

/// So that the first half of the domains is enough to learn every kind of tool from.
#[test]
fn each_half_of_trainings_domains_has_all_classes() {
    let [train, _] = Words::both().unwrap();
    let (first, second) = train.domains.split_at(train.domains.len() / 2);
    for half in [first, second] {
        let found: BTreeSet<_> =
            half.iter().flat_map(|domain| &domain.things).map(|thing| &thing.class).collect();
        assert_eq!(found, train.classes.keys().collect());
    }
}

#[test]
fn names_of_tools_and_parameters_share_no_word() {
    let words = Words::both().unwrap();
    let names = words.map(|words| -> BTreeSet<String> {
        let of = |deed: &Deed| {
            let suffixes = deed.frame.keys.iter().filter_map(|key| deed.slot(key)?.suffix.clone());
            let names = deed.frame.name.iter().map(|name| deed.worded(name));
            names.chain(suffixes).chain([deed.domain.id.clone()]).collect::<Vec<_>>().join(" ")
        };
        let all = deeds(words).iter().map(of).collect::<Vec<_>>().join(" ");
        split(&all).filter(|word| !SMALL.contains(&word.as_str())).collect()
    });
    assert_eq!(shared(names), Vec::<String>::new());
    let params = words.map(|words| -> BTreeSet<String> {
        slots(words)
            .into_iter()
            .flat_map(|(id, slot)| if slot.names.is_empty() { vec![id] } else { slot.names.clone() })
            .collect()
    });
    assert_eq!(shared(params), Vec::<String>::new());
}

#[test]
fn descriptions_questions_and_wordings_differ() {
    let words = Words::both().unwrap();
    let described = words.map(|words| -> BTreeSet<String> {
        let tells = words.classes.values().flatten().flat_map(|frame| {
            frame
                .tell
                .iter()
                .chain(&frame.orders)
                .chain(&frame.say)
                .chain(&frame.ask)
                .chain(&frame.hop)
                .cloned()
        });
        let slots = slots(words);
        let abouts = slots.iter().flat_map(|(_, slot)| slot.about.all().iter().cloned());
        let asks = slots.iter().map(|(_, slot)| slot.ask.clone()).filter(|ask| !ask.is_empty());
        tells.chain(abouts).chain(asks).collect()
    });
    assert_eq!(shared(described), Vec::<String>::new());
    let worded = words.map(|words| -> BTreeSet<String> {
        let p = &words.phrases;
        let lists = [
            &p.system,
            &p.today,
            &p.plain,
            &p.polite,
            &p.indirect,
            &p.before,
            &p.after,
            &p.details,
            &p.two,
            &p.three,
            &p.again,
            &p.hop,
            &p.cannot,
            &p.asking,
            &p.answering,
            &p.rows,
            &p.done,
            &p.ordinals,
        ];
        let talk = p.talk.iter().map(|[request, _]| request.clone());
        lists.into_iter().flatten().cloned().chain(talk).collect()
    });
    assert_eq!(shared(worded), Vec::<String>::new());
}

#[test]
fn values_differ_and_lists_are_there() {
    let words = Words::both().unwrap();
    for (list, names) in &words[1].names {
        let train = words[0].names.get(list).into_iter().flatten();
        let same: Vec<_> = train.filter(|name| names.contains(name)).collect();
        assert!(same.is_empty(), "{list}: {same:?}");
    }
    for words in words {
        for deed in deeds(words) {
            let frame = deed.frame;
            let ids = frame.must.iter().chain(&frame.may).chain(&frame.keys).chain(&deed.thing.attrs);
            ids.for_each(|id| assert!(deed.slot(id).is_some(), "{}: {id}", deed.thing.one));
            assert!(!frame.tell.is_empty() && !frame.orders.is_empty() && !frame.name.is_empty());
        }
    }
}
