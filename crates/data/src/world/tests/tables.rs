//! The tables are whole, and phrases mean what they say.

use std::collections::{BTreeSet, HashSet};

use crate::random::Rng;
use crate::world::slot::{Draw, Slot};
use crate::world::tool::{Domain, Tool};
use crate::world::{catalog, names, numbers, tools};

fn all_tools(domains: &[&'static Domain]) -> Vec<&'static Tool> {
    domains.iter().flat_map(|domain| domain.tools).collect()
}

#[test]
fn the_tables_are_whole() {
    let (known, unseen) = (all_tools(&tools::KNOWN), all_tools(&tools::UNSEEN));
    assert!(known.len() >= 40 && tools::KNOWN.len() >= 8, "{} tools", known.len());
    assert!(unseen.len() >= 12 && tools::UNSEEN.len() >= 3, "{} tools", unseen.len());
    let both: Vec<_> = known.iter().chain(&unseen).collect();
    for field in [|tool: &Tool| tool.name, |tool: &Tool| tool.task] {
        assert_eq!(both.iter().map(|tool| field(tool)).collect::<HashSet<_>>().len(), both.len());
    }
    for tool in both {
        assert!(!tool.leads.is_empty(), "{}", tool.name);
        for lead in tool.leads {
            let rest =
                tool.params.iter().fold((*lead).to_owned(), |s, p| s.replace(&format!("{{{}}}", p.name), ""));
            assert!(!rest.contains(['{', '}']), "{}: {lead}", tool.name);
        }
        let abouts: HashSet<_> = tool.params.iter().map(|param| param.about).collect();
        assert_eq!(abouts.len(), tool.params.len(), "{}: masked, two parameters look alike", tool.name);
        for param in tool.params {
            assert!(param.fragment.contains("{}"), "{}: {}", tool.name, param.name);
            if let Slot::Choice(choices) = param.slot {
                let told = choices.iter().all(|(value, _)| param.about.contains(value));
                assert!(told, "{}: {} does not tell its values", tool.name, param.name);
            }
        }
    }
}

#[test]
fn unseen_tools_share_nothing_with_known_ones() {
    let params = |domains: &[&'static Domain]| -> BTreeSet<&str> {
        all_tools(domains).iter().flat_map(|tool| tool.params).map(|param| param.name).collect()
    };
    let shared: Vec<_> = params(&tools::KNOWN).intersection(&params(&tools::UNSEEN)).copied().collect();
    assert_eq!(shared, Vec::<&str>::new());
    let domains =
        |domains: &[&'static Domain]| -> BTreeSet<&str> { domains.iter().map(|d| d.name).collect() };
    assert!(domains(&tools::KNOWN).is_disjoint(&domains(&tools::UNSEEN)));
}

#[test]
fn follow_ups_name_tools_and_parameters() {
    for domains in [&tools::KNOWN[..], &tools::UNSEEN[..]] {
        let follow_ups: Vec<_> = domains.iter().flat_map(|domain| domain.follow_ups).collect();
        assert!(!follow_ups.is_empty());
        for follow_up in follow_ups {
            assert!(tools::find(domains, follow_up.first).is_some(), "{}", follow_up.first);
            let then = tools::find(domains, follow_up.then).unwrap();
            let param = then.params.iter().find(|param| param.name == follow_up.param).unwrap();
            assert!(matches!(param.slot, Slot::Name(_) | Slot::Code), "{}", follow_up.then);
        }
    }
}

#[test]
fn phrases_mean_their_values() {
    let expected = [
        (Slot::Count(1, 30), "a dozen", "12"),
        (Slot::Count(1, 30), "seventeen", "17"),
        (Slot::Time, "half past seven", "\"07:30\""),
        (Slot::Time, "quarter to nine in the evening", "\"20:45\""),
        (Slot::Time, "quarter to one", "\"00:45\""),
        (Slot::Time, "noon", "\"12:00\""),
        (Slot::MonthDay, "the third of May", "\"05-03\""),
        (Slot::MonthDay, "the last day of June", "\"06-30\""),
        (Slot::DayMonth, "the third of May", "\"03/05\""),
        (Slot::Weekday, "the day after Sunday", "\"mon\""),
        (Slot::Weekday, "the day before Monday", "\"sun\""),
        (Slot::Quantity(&numbers::MINUTES), "two hours", "120"),
        (Slot::Quantity(&numbers::MINUTES), "half an hour", "30"),
        (Slot::Quantity(&numbers::METRES), "a kilometre and a half", "1500"),
        (Slot::Quantity(&numbers::DAYS), "a week", "7"),
        (Slot::Amount, "four and a half", "4.5"),
        (Slot::Percent, "three quarters", "75"),
        (Slot::Name(&names::COUNTRIES), "Peru, not India", "\"Peru\""),
        (Slot::Name(&names::COUNTRIES), "the second of India and Peru", "\"Peru\""),
    ];
    let mut rng = Rng::new(5, &[]);
    for (slot, phrase, value) in expected {
        let mut draw = Draw { rng: &mut rng, hard: 1.0, held_out: false };
        let drawn = (0..200_000).map(|_| slot.draw(&mut draw)).find(|drawn| drawn.phrase == phrase);
        assert_eq!(drawn.map(|drawn| drawn.value.to_string()).as_deref(), Some(value), "{phrase}");
    }
}

#[test]
fn the_catalog_lists_every_tool() {
    let entries = catalog();
    assert_eq!(entries.len(), all_tools(&tools::KNOWN).len() + all_tools(&tools::UNSEEN).len());
    let ferry = entries.iter().find(|entry| entry.name == "book_ferry").unwrap();
    assert_eq!(
        (ferry.domain, ferry.description.as_str(), ferry.unseen),
        ("harbor", "Book a ferry trip.", true)
    );
}
