//! Held-out domains: library and harbor.

use crate::world::names::{AUTHORS, BOOKS, HARBORS};
use crate::world::numbers::{CENTIMETRES, DAYS, HOURS};
use crate::world::slot::Slot::{Amount, Choice, Code, Count, Flag, MonthDay, Name, Quantity, Time, Weekday};
use crate::world::tool::{Domain, FollowUp, optional, param, tool};

pub(crate) static LIBRARY: Domain = Domain {
    name: "library",
    tools: &[
        tool(
            "borrow_book",
            "borrow a book",
            &["borrow {book_title}", "lend me {book_title}", "check out {book_title}"],
            &[
                param("book_title", "what", Name(&BOOKS), "called {}"),
                param("loan_days", "how long", Quantity(&DAYS), "for {}"),
                optional(
                    "edition",
                    "paper, audio or ebook",
                    Choice(&[
                        ("paper", &["in print", "on paper"]),
                        ("audio", &["to listen to", "read aloud"]),
                        ("ebook", &["for my reader", "as a file"]),
                    ]),
                    "{}",
                ),
            ],
        ),
        tool(
            "renew_loan",
            "renew a loan",
            &["renew loan {loan_code}", "extend loan {loan_code}"],
            &[
                param("loan_code", "code", Code, "for {}"),
                param("extra_days", "how much longer", Quantity(&DAYS), "by {}"),
            ],
        ),
        tool(
            "search_author",
            "list the books of an author",
            &["list the books of {author}", "show what {author} wrote"],
            &[
                param("author", "who", Name(&AUTHORS), "by {}"),
                optional(
                    "only_available",
                    "not lent",
                    Flag { yes: &["that are on the shelf"], no: &["even if lent"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "reserve_desk",
            "reserve a reading desk",
            &["reserve a reading desk", "keep a desk in the reading room for me"],
            &[
                param("floor_number", "floor", Count(1, 5), "on floor {}"),
                param("opening", "start, HH:MM", Time, "from {}"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "search_author",
        then: "borrow_book",
        param: "book_title",
        field: "title",
        measure: "pages",
        extremes: ["the shortest one", "the longest one"],
    }],
};

pub(crate) static HARBOR: Domain = Domain {
    name: "harbor",
    tools: &[
        tool(
            "book_ferry",
            "book a ferry trip",
            &["book a ferry to {harbor}", "take the ferry to {harbor}"],
            &[
                param("harbor", "goal", Name(&HARBORS), "to {}"),
                param("passengers", "how many", Count(2, 12), "for {} passengers"),
                param("vehicle", "with a car", Flag { yes: &["with our car"], no: &["on foot"] }, "{}"),
            ],
        ),
        tool(
            "get_tide",
            "give the tide table",
            &["give me the tides at {harbor}", "tell me when it is low tide at {harbor}"],
            &[
                param("harbor", "where", Name(&HARBORS), "at {}"),
                param("sailing_day", "MM-DD", MonthDay, "on {}"),
            ],
        ),
        tool(
            "rent_berth",
            "rent a berth for a boat",
            &["rent a berth in {harbor}", "find a berth for my boat in {harbor}"],
            &[
                param("harbor", "where", Name(&HARBORS), "in {}"),
                param("boat_length", "in cm", Quantity(&CENTIMETRES), "for a length of {}"),
                optional("arrival", "mon to sun", Weekday, "from {}"),
            ],
        ),
        tool(
            "fuel_boat",
            "order fuel for a boat",
            &["order fuel for the boat {boat_code}", "fill up the boat {boat_code}"],
            &[
                param("boat_code", "code", Code, "for {}"),
                param("litres", "how much", Amount, "with {} litres"),
            ],
        ),
        tool(
            "list_boats",
            "list boats for hire",
            &["list boats for hire in {harbor}", "show me the boats in {harbor}"],
            &[
                param("harbor", "where", Name(&HARBORS), "in {}"),
                param("hire_hours", "how long", Quantity(&HOURS), "for {}"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "list_boats",
        then: "fuel_boat",
        param: "boat_code",
        field: "boat",
        measure: "seats",
        extremes: ["with the fewest seats", "with the most seats"],
    }],
};
