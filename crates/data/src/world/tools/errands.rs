//! Travel, weather and food.

use crate::world::names::{CITIES, COUNTRIES, DISHES, HOTELS, RESTAURANTS};
use crate::world::numbers::{DAYS, MINUTES};
use crate::world::slot::Slot::{
    Amount, Choice, Code, Count, Flag, MonthDay, Name, Percent, Quantity, Time, Weekday,
};
use crate::world::tool::{Domain, FollowUp, optional, param, tool};

pub(crate) static TRAVEL: Domain = Domain {
    name: "travel",
    tools: &[
        tool(
            "find_flight",
            "find a flight",
            &["find a flight to {to_city}", "look for a flight to {to_city}", "show me flights to {to_city}"],
            &[
                param("from_city", "start", Name(&CITIES), "from {}"),
                param("to_city", "goal", Name(&CITIES), "to {}"),
                param("date", "day, MM-DD", MonthDay, "on {}"),
            ],
        ),
        tool(
            "book_flight",
            "book a flight by its code",
            &["book the flight {flight_code}", "reserve seats on the flight {flight_code}"],
            &[
                param("flight_code", "code", Code, "on {}"),
                param("seats", "how many", Count(2, 9), "for {} people"),
                optional(
                    "window_seat",
                    "wants a window",
                    Flag { yes: &["at the window"], no: &["at the aisle"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "find_hotel",
            "find a hotel",
            &["find a hotel in {city}", "show me hotels in {city}", "look for a place to stay in {city}"],
            &[
                param("city", "where", Name(&CITIES), "in {}"),
                optional("stars", "least stars", Count(2, 5), "with at least {} stars"),
                param(
                    "breakfast",
                    "included",
                    Flag { yes: &["with breakfast"], no: &["without breakfast"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "book_hotel",
            "book a hotel room",
            &["book a room at {hotel}", "reserve a room at {hotel}", "get me a room at {hotel}"],
            &[
                param("hotel", "its name", Name(&HOTELS), "at {}"),
                param("nights", "how many", Quantity(&DAYS), "for {}"),
                optional("check_in", "first day, MM-DD", MonthDay, "from {}"),
            ],
        ),
        tool(
            "rent_car",
            "rent a car",
            &["rent a car in {city}", "get me a car in {city}", "hire a car in {city}"],
            &[
                param("city", "where", Name(&CITIES), "in {}"),
                param("days", "how long", Quantity(&DAYS), "for {}"),
                param(
                    "size",
                    "small, medium or van",
                    Choice(&[
                        ("small", &["just for me", "as tiny as possible"]),
                        ("medium", &["of normal size", "neither big nor tiny"]),
                        ("van", &["with room for ten people", "big enough to move house"]),
                    ]),
                    "{}",
                ),
            ],
        ),
        tool(
            "get_visa_rule",
            "tell the visa rules of a country",
            &["tell me the visa rules of {country}", "check the visa rules of {country}"],
            &[
                param("country", "country", Name(&COUNTRIES), "of {}"),
                param("stay_days", "days of stay", Quantity(&DAYS), "for a stay of {}"),
            ],
        ),
    ],
    follow_ups: &[
        FollowUp {
            first: "find_hotel",
            then: "book_hotel",
            param: "hotel",
            field: "hotel",
            measure: "price",
            extremes: ["the cheapest one", "the most expensive one"],
        },
        FollowUp {
            first: "find_flight",
            then: "book_flight",
            param: "flight_code",
            field: "code",
            measure: "minutes",
            extremes: ["with the shortest time", "with the longest time"],
        },
    ],
};

pub(crate) static WEATHER: Domain = Domain {
    name: "weather",
    tools: &[
        tool(
            "get_forecast",
            "give the weather forecast",
            &[
                "give me the forecast for {city}",
                "check the weather in {city}",
                "tell me the weather in {city}",
            ],
            &[
                param("city", "where", Name(&CITIES), "in {}"),
                param("weekday", "mon to sun", Weekday, "for {}"),
                optional(
                    "unit",
                    "C or F",
                    Choice(&[("C", &["in Celsius"]), ("F", &["in Fahrenheit"])]),
                    "{}",
                ),
            ],
        ),
        tool(
            "get_air_quality",
            "measure the air quality",
            &["measure the air quality in {city}", "tell me how clean the air is in {city}"],
            &[param("city", "where", Name(&CITIES), "in {}"), optional("time", "HH:MM", Time, "at {}")],
        ),
        tool(
            "get_sunrise",
            "give the times of sunrise and sunset",
            &["tell me when the sun rises in {city}", "find the sunset time in {city}"],
            &[param("city", "where", Name(&CITIES), "in {}"), param("date", "day, MM-DD", MonthDay, "on {}")],
        ),
        tool(
            "set_rain_alert",
            "warn of coming rain",
            &["warn me of rain in {city}", "set a rain alert for {city}"],
            &[
                param("city", "where", Name(&CITIES), "in {}"),
                param("chance", "percent", Percent, "when the chance is above {}"),
                optional("loud", "with sound", Flag { yes: &["with a sound"], no: &["silently"] }, "{}"),
            ],
        ),
    ],
    follow_ups: &[],
};

pub(crate) static FOOD: Domain = Domain {
    name: "food",
    tools: &[
        tool(
            "find_restaurant",
            "find a restaurant",
            &["find a restaurant in {city}", "show me places to eat in {city}"],
            &[
                param("city", "where", Name(&CITIES), "in {}"),
                param(
                    "cuisine",
                    "italian, indian or japanese",
                    Choice(&[
                        ("italian", &["for pizza and pasta", "with Italian food"]),
                        ("indian", &["for a good curry", "with Indian food"]),
                        ("japanese", &["for sushi", "with Japanese food"]),
                    ]),
                    "{}",
                ),
                optional(
                    "outdoor",
                    "seats outside",
                    Flag { yes: &["where we can sit outside"], no: &["with seats inside only"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "book_table",
            "book a table",
            &[
                "book a table at {restaurant}",
                "reserve a table at {restaurant}",
                "get us a table at {restaurant}",
            ],
            &[
                param("restaurant", "its name", Name(&RESTAURANTS), "at {}"),
                param("people", "how many", Count(2, 14), "for {} people"),
                param("time", "HH:MM", Time, "at {}"),
            ],
        ),
        tool(
            "order_dish",
            "order food to the door",
            &["order {count} portions of {dish}", "have {count} portions of {dish} brought to me"],
            &[
                param("dish", "what", Name(&DISHES), "of {}"),
                param("count", "portions", Count(1, 12), "for {}"),
                optional(
                    "spicy",
                    "hot or not",
                    Flag { yes: &["very hot", "spicy"], no: &["mild", "not spicy"] },
                    "{}",
                ),
            ],
        ),
        tool(
            "find_recipe",
            "find a recipe",
            &["find a recipe for {dish}", "tell me how to cook {dish}"],
            &[
                param("dish", "what", Name(&DISHES), "for {}"),
                param("max_minutes", "longest time", Quantity(&MINUTES), "that takes at most {}"),
            ],
        ),
        tool(
            "tip_courier",
            "tip a courier",
            &["tip the courier of order {order_code}", "give a tip for order {order_code}"],
            &[param("order_code", "code", Code, "for {}"), param("amount", "euros", Amount, "of {} euros")],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "find_restaurant",
        then: "book_table",
        param: "restaurant",
        field: "name",
        measure: "rating",
        extremes: ["the worst rated one", "the best rated one"],
    }],
};
