//! Calendar, money and messages.

use crate::world::names::{COMPANIES, EVENTS, NOTES, PEOPLE};
use crate::world::numbers::{HOURS, MINUTES};
use crate::world::slot::Slot;
use crate::world::slot::Slot::{
    Amount, Choice, Code, Count, DayMonth, Flag, MonthDay, Name, NameList, Quantity, Text, Time, Weekday,
};
use crate::world::tool::{Domain, FollowUp, optional, param, tool};

const FROM_CURRENCY: Slot = Choice(&[
    ("EUR", &["from euros", "out of euros"]),
    ("USD", &["from dollars", "out of dollars"]),
    ("GBP", &["from pounds", "out of pounds"]),
    ("JPY", &["from yen", "out of yen"]),
]);
const TO_CURRENCY: Slot = Choice(&[
    ("CHF", &["to francs", "into francs"]),
    ("SEK", &["to Swedish crowns", "into the money of Sweden"]),
    ("INR", &["to rupees", "into the money of India"]),
    ("MXN", &["to pesos", "into the money of Mexico"]),
]);

pub(crate) static CALENDAR: Domain = Domain {
    name: "calendar",
    tools: &[
        tool(
            "add_event",
            "add an event",
            &["add {title} to my calendar", "put {title} in my calendar", "plan {title}"],
            &[
                param("title", "what", Name(&EVENTS), "for {}"),
                param("date", "day, MM-DD", MonthDay, "on {}"),
                param("time", "HH:MM", Time, "at {}"),
            ],
        ),
        tool(
            "move_event",
            "move an event to another day",
            &["move {title} to {new_day}", "shift {title} to {new_day}"],
            &[param("title", "what", Name(&EVENTS), "for {}"), param("new_day", "DD/MM", DayMonth, "to {}")],
        ),
        tool(
            "list_events",
            "list the events of a day",
            &["list my events", "show what is in my calendar"],
            &[param("date", "day, MM-DD", MonthDay, "on {}")],
        ),
        tool(
            "cancel_event",
            "cancel an event",
            &["cancel the event {event_code}", "drop the event {event_code}"],
            &[
                param("event_code", "code", Code, "for {}"),
                optional(
                    "notify",
                    "tell guests",
                    Flag { yes: &["and tell the guests"], no: &["without telling anyone"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "find_free_time",
            "find a time that suits several people",
            &["find a time that suits {people}", "see when {people} are free"],
            &[
                param("people", "who", NameList(&PEOPLE), "with {}"),
                param("minutes", "length", Quantity(&MINUTES), "for {}"),
                optional("weekday", "mon to sun", Weekday, "on {}"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "list_events",
        then: "cancel_event",
        param: "event_code",
        field: "event",
        measure: "minutes",
        extremes: ["with the shortest time", "with the longest time"],
    }],
};

pub(crate) static MONEY: Domain = Domain {
    name: "money",
    tools: &[
        tool(
            "send_money",
            "send money to a person",
            &[
                "send {person} {amount} euros",
                "transfer {amount} euros to {person}",
                "pay {person} {amount} euros",
            ],
            &[param("person", "who", Name(&PEOPLE), "to {}"), param("amount", "euros", Amount, "of {}")],
        ),
        tool(
            "convert_currency",
            "convert money to another currency",
            &["convert {amount}", "change {amount}"],
            &[
                param("amount", "how much", Amount, "of {}"),
                param("from", "EUR, USD, GBP or JPY", FROM_CURRENCY, "{}"),
                param("to", "CHF, SEK, INR or MXN", TO_CURRENCY, "{}"),
            ],
        ),
        tool(
            "get_balance",
            "tell the balance of an account",
            &["tell me the balance", "check how much money I have"],
            &[
                param(
                    "account",
                    "main, savings or joint",
                    Choice(&[
                        ("main", &["on my everyday account", "on the main account"]),
                        ("savings", &["that I put aside", "on my savings account"]),
                        ("joint", &["that we share at home", "on the joint account"]),
                    ]),
                    "{}",
                ),
                optional("date", "day, MM-DD", MonthDay, "as of {}"),
            ],
        ),
        tool(
            "pay_bill",
            "pay a bill",
            &["pay the bill of {company}", "settle the bill from {company}"],
            &[
                param("company", "who", Name(&COMPANIES), "of {}"),
                param("due", "day, DD/MM", DayMonth, "by {}"),
            ],
        ),
        tool(
            "get_stock_price",
            "give the price of a share",
            &["give me the share price of {company}", "look up the stock of {company}"],
            &[
                param("company", "who", Name(&COMPANIES), "of {}"),
                optional("days", "how far back", Count(2, 30), "over {} days"),
            ],
        ),
    ],
    follow_ups: &[],
};

pub(crate) static MESSAGES: Domain = Domain {
    name: "messages",
    tools: &[
        tool(
            "send_message",
            "send a message",
            &["tell {person} that {text}", "write to {person} that {text}", "text {person}: {text}"],
            &[param("person", "who", Name(&PEOPLE), "to {}"), param("text", "what", Text(&NOTES), "that {}")],
        ),
        tool(
            "call_person",
            "call a person",
            &["call {person}", "ring {person}", "start a call to {person}"],
            &[
                param("person", "who", Name(&PEOPLE), "to {}"),
                param(
                    "video",
                    "with picture",
                    Flag { yes: &["with video", "face to face"], no: &["without video"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "mute_chat",
            "mute a chat",
            &["mute the chat with {person}", "silence {person}"],
            &[
                param("person", "who", Name(&PEOPLE), "with {}"),
                param("hours", "how long", Quantity(&HOURS), "for {}"),
            ],
        ),
        tool(
            "make_group",
            "make a group chat",
            &["make a group with {members}", "open a group chat for {members}"],
            &[
                param("members", "who", NameList(&PEOPLE), "with {}"),
                param("topic", "what about", Name(&EVENTS), "about {}"),
            ],
        ),
        tool(
            "list_unread",
            "list people with unread messages",
            &["list who wrote to me", "show who sent me something"],
            &[param("since", "HH:MM", Time, "since {}")],
        ),
        tool(
            "remind_later",
            "remind of something later",
            &["remind me in {hours}: {text}", "in {hours}, remind me: {text}"],
            &[
                param("text", "what", Text(&NOTES), "that {}"),
                param("hours", "from now", Quantity(&HOURS), "in {}"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "list_unread",
        then: "call_person",
        param: "person",
        field: "name",
        measure: "messages",
        extremes: ["the one who wrote least", "the one who wrote most"],
    }],
};
