//! Home and shopping.

use crate::world::names::PRODUCTS;
use crate::world::numbers::MINUTES;
use crate::world::slot::Slot;
use crate::world::slot::Slot::{Amount, Choice, Code, Count, Flag, Name, Percent, Quantity, Time, Weekday};
use crate::world::tool::{Domain, FollowUp, optional, param, tool};

const ROOM: Slot = Choice(&[
    ("kitchen", &["in the kitchen", "where I cook"]),
    ("bedroom", &["in the bedroom", "where I sleep"]),
    ("bathroom", &["in the bathroom", "where I shower"]),
    ("office", &["in the office", "where I work"]),
    ("hall", &["in the hall", "at the entrance"]),
]);

pub(crate) static HOME: Domain = Domain {
    name: "home",
    tools: &[
        tool(
            "set_heating",
            "set the heating",
            &["set the heating to {degrees} degrees", "heat to {degrees} degrees"],
            &[
                param("room", "kitchen, bedroom, bathroom, office or hall", ROOM, "{}"),
                param("degrees", "Celsius", Count(12, 28), "to {}"),
            ],
        ),
        tool(
            "set_light",
            "set the light",
            &["set the light to {brightness}", "dim the light to {brightness}"],
            &[
                param("room", "kitchen, bedroom, bathroom, office or hall", ROOM, "{}"),
                param("brightness", "percent", Percent, "to {}"),
                optional(
                    "color",
                    "warm or cold",
                    Choice(&[
                        ("warm", &["in a cosy tone", "in a warm tone"]),
                        ("cold", &["as bright as day"]),
                    ]),
                    "{}",
                ),
            ],
        ),
        tool(
            "switch_lock",
            "lock or unlock a door",
            &["change the door lock", "set the door lock"],
            &[
                param(
                    "door",
                    "front, back or garage",
                    Choice(&[
                        ("front", &["on the street side", "at the front"]),
                        ("back", &["on the garden side", "at the back"]),
                        ("garage", &["where the car stands", "at the garage"]),
                    ]),
                    "{}",
                ),
                param(
                    "locked",
                    "closed or not",
                    Flag {
                        yes: &["so that nobody gets in", "to locked"],
                        no: &["so that guests get in", "to open"],
                    },
                    "{}",
                ),
            ],
        ),
        tool(
            "start_vacuum",
            "start the vacuum robot",
            &["start the vacuum", "let the robot clean"],
            &[
                param("room", "kitchen, bedroom, bathroom, office or hall", ROOM, "{}"),
                param("minutes", "how long", Quantity(&MINUTES), "for {}"),
            ],
        ),
        tool(
            "set_alarm",
            "set an alarm clock",
            &["set an alarm for {time}", "wake me at {time}"],
            &[
                param("time", "HH:MM", Time, "at {}"),
                param("weekday", "mon to sun", Weekday, "on {}"),
                optional("repeat", "every week", Flag { yes: &["every week"], no: &["just once"] }, "{}"),
            ],
        ),
    ],
    follow_ups: &[],
};

pub(crate) static SHOP: Domain = Domain {
    name: "shop",
    tools: &[
        tool(
            "search_product",
            "search the shop",
            &["search the shop for a {category} gift", "show me {category} things in the shop"],
            &[
                param(
                    "category",
                    "kitchen, garden or sport",
                    Choice(&[("kitchen", &["kitchen"]), ("garden", &["garden"]), ("sport", &["sport"])]),
                    "of {}",
                ),
                param("max_price", "euros", Amount, "under {} euros"),
            ],
        ),
        tool(
            "add_to_cart",
            "put a product in the cart",
            &["put the {product} in my cart", "add the {product} to my cart"],
            &[
                param("product", "what", Name(&PRODUCTS), "of {}"),
                param("count", "how many", Count(1, 24), "{} times"),
                optional("gift", "wrapped", Flag { yes: &["as a present"], no: &["without wrapping"] }, "{}"),
            ],
        ),
        tool(
            "track_order",
            "track an order",
            &["track order {order_code}", "tell me where order {order_code} is"],
            &[param("order_code", "code", Code, "for {}")],
        ),
        tool(
            "list_orders",
            "list past orders",
            &["list {limit} of my last orders", "show up to {limit} past orders"],
            &[param("limit", "how many", Count(2, 24), "up to {}")],
        ),
        tool(
            "return_item",
            "send an order back",
            &["send back the order {order_code}", "return the order {order_code}"],
            &[
                param("order_code", "code", Code, "for {}"),
                param(
                    "reason",
                    "broken, size or regret",
                    Choice(&[
                        ("broken", &["because it does not work", "since it fell apart"]),
                        ("size", &["because it is too big", "since it does not fit"]),
                        ("regret", &["because I changed my mind", "since I no longer want it"]),
                    ]),
                    "{}",
                ),
            ],
        ),
        tool(
            "use_coupon",
            "use a discount coupon",
            &["use coupon {coupon}", "apply coupon {coupon}"],
            &[
                param("coupon", "code", Code, "with {}"),
                param("discount", "percent", Percent, "for a discount of {}"),
            ],
        ),
    ],
    follow_ups: &[FollowUp {
        first: "list_orders",
        then: "return_item",
        param: "order_code",
        field: "order",
        measure: "price",
        extremes: ["with the lowest price", "with the highest price"],
    }],
};
