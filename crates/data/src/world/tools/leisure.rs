//! Music and fitness.

use crate::world::names::{ARTISTS, CITIES, PEOPLE};
use crate::world::numbers::{GRAMS, METRES, MILLILITRES, MINUTES, SECONDS};
use crate::world::slot::Slot::{
    Choice, Code, Count, DayMonth, Flag, Name, NameList, Percent, Quantity, Time, Weekday,
};
use crate::world::tool::{Domain, FollowUp, optional, param, tool};

pub(crate) static MUSIC: Domain = Domain {
    name: "music",
    tools: &[
        tool(
            "play_artist",
            "play music of an artist",
            &["play something by {artist}", "put on {artist}", "let me hear {artist}"],
            &[
                param("artist", "who", Name(&ARTISTS), "by {}"),
                param(
                    "shuffle",
                    "random order",
                    Flag { yes: &["in random order"], no: &["in album order"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "set_volume",
            "set the volume",
            &["set the volume to {level}", "put the volume at {level}"],
            &[
                param("level", "percent", Percent, "to {}"),
                param(
                    "speaker",
                    "left, right or both",
                    Choice(&[
                        ("left", &["on the left speaker"]),
                        ("right", &["on the right speaker"]),
                        ("both", &["on the two speakers", "on all speakers"]),
                    ]),
                    "{}",
                ),
            ],
        ),
        tool(
            "skip_ahead",
            "skip ahead in a song",
            &["skip ahead by {seconds}", "jump forward by {seconds}"],
            &[param("seconds", "how far", Quantity(&SECONDS), "by {}")],
        ),
        tool(
            "make_playlist",
            "make a playlist",
            &["make a playlist", "put together some songs", "build me a playlist"],
            &[
                param(
                    "mood",
                    "calm, happy or sad",
                    Choice(&[
                        ("calm", &["to fall asleep", "for a quiet evening"]),
                        ("happy", &["to cheer me up", "for a party"]),
                        ("sad", &["for crying", "for a gloomy day"]),
                    ]),
                    "{}",
                ),
                param("minutes", "length", Quantity(&MINUTES), "that lasts {}"),
                optional("artists", "only these", NameList(&ARTISTS), "with {}"),
            ],
        ),
        tool(
            "find_concert",
            "find concerts of an artist",
            &["find a concert of {artist}", "see when {artist} plays live"],
            &[
                param("artist", "who", Name(&ARTISTS), "of {}"),
                param("city", "where", Name(&CITIES), "in {}"),
                optional("day", "DD/MM", DayMonth, "on {}"),
            ],
        ),
        tool(
            "buy_ticket",
            "buy concert tickets",
            &[
                "buy {count} tickets for the concert {concert_code}",
                "get me {count} tickets for the concert {concert_code}",
            ],
            &[
                param("concert_code", "code", Code, "for {}"),
                param("count", "how many", Count(1, 12), "times {}"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "find_concert",
        then: "buy_ticket",
        param: "concert_code",
        field: "code",
        measure: "price",
        extremes: ["with the lowest price", "with the highest price"],
    }],
};

pub(crate) static FITNESS: Domain = Domain {
    name: "fitness",
    tools: &[
        tool(
            "log_workout",
            "write down a workout",
            &["log a workout", "write down my training", "note that I trained"],
            &[
                param(
                    "sport",
                    "run, swim, bike or yoga",
                    Choice(&[
                        ("run", &["of running", "of jogging"]),
                        ("swim", &["in the pool", "of swimming"]),
                        ("bike", &["of cycling", "on my bike"]),
                        ("yoga", &["of yoga", "on the yoga mat"]),
                    ]),
                    "{}",
                ),
                param("minutes", "how long", Quantity(&MINUTES), "for {}"),
            ],
        ),
        tool(
            "plan_route",
            "plan a running route",
            &["plan a running route of {metres}", "find me a route of {metres} to run"],
            &[
                param("metres", "length", Quantity(&METRES), "of {}"),
                optional("hilly", "with hills", Flag { yes: &["over hills"], no: &["on flat ground"] }, "{}"),
            ],
        ),
        tool(
            "log_water",
            "write down drunk water",
            &["log that I drank {millilitres} of water", "add {millilitres} to my water"],
            &[param("millilitres", "how much", Quantity(&MILLILITRES), "of {}")],
        ),
        tool(
            "log_food",
            "write down eaten food",
            &["log that I ate {grams} of fruit", "note a meal of {grams}"],
            &[param("grams", "weight", Quantity(&GRAMS), "of {}"), optional("time", "HH:MM", Time, "at {}")],
        ),
        tool(
            "book_trainer",
            "book a trainer",
            &["book a lesson with trainer {trainer}", "reserve an hour with trainer {trainer}"],
            &[
                param("trainer", "who", Name(&PEOPLE), "with {}"),
                param("weekday", "mon to sun", Weekday, "on {}"),
                param("time", "HH:MM", Time, "at {}"),
            ],
        ),
        tool(
            "find_trainer",
            "list trainers",
            &["show me trainers in {city}", "list the trainers in {city}"],
            &[param("city", "where", Name(&CITIES), "in {}")],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "find_trainer",
        then: "book_trainer",
        param: "trainer",
        field: "name",
        measure: "price",
        extremes: ["the cheapest one", "the most expensive one"],
    }],
};
