//! Names that requests are filled with.

mod unseen;

pub(crate) use unseen::{AUTHORS, BOOKS, DISTRICTS, GARAGES, HARBORS, PLANTS};

/// A list of names of one sort. Some are kept for held-out tasks.
#[derive(Debug)]
pub(crate) struct Names {
    /// What training tasks draw from.
    pub(crate) known: &'static [&'static str],
    /// What only held-out tasks draw from, beside the known ones.
    pub(crate) fresh: &'static [&'static str],
    /// Whether a price tells two of them apart.
    pub(crate) priced: bool,
}

const fn names(known: &'static [&'static str], fresh: &'static [&'static str]) -> Names {
    Names { known, fresh, priced: false }
}

const fn priced(known: &'static [&'static str], fresh: &'static [&'static str]) -> Names {
    Names { known, fresh, priced: true }
}

pub(crate) static CITIES: Names = names(
    &[
        "Rome", "Oslo", "Paris", "Berlin", "Madrid", "Lisbon", "Vienna", "Prague", "Dublin", "London",
        "Athens", "Warsaw", "Milan", "Geneva", "Boston", "Chicago", "Denver", "Seattle", "Toronto", "Tokyo",
        "Osaka", "Seoul", "Delhi", "Mumbai", "Cairo", "Lima", "Quito", "Sydney", "Perth", "Nairobi", "Lagos",
        "Dallas", "Miami", "Porto", "Zurich", "Munich", "Hamburg", "Lyon", "Naples", "Krakow",
    ],
    &["Turin", "Bergen", "Malaga", "Leeds", "Austin", "Kyoto", "Riga", "Bogota", "Ghent", "Tunis"],
);

pub(crate) static PEOPLE: Names = names(
    &[
        "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Iris", "Jack", "Karen", "Leo",
        "Maria", "Nora", "Oscar", "Paula", "Ravi", "Sara", "Tom", "Uma", "Victor", "Wendy", "Yusuf", "Zoe",
        "Alice", "Bruno", "Carol", "Diego", "Elena", "Frank", "Gina", "Hugo", "Ines", "Jonas", "Lena",
        "Marco", "Nina", "Peter", "Rosa", "Simon",
    ],
    &["Amir", "Bella", "Caleb", "Dora", "Erik", "Fatima", "Gustav", "Helen", "Ivan", "Julia"],
);

pub(crate) static RESTAURANTS: Names = priced(
    &[
        "Blue Door",
        "Green Olive",
        "Red Lion",
        "Old Mill",
        "Golden Fork",
        "Silver Spoon",
        "Corner House",
        "Sea Table",
        "Little Garden",
        "Stone Oven",
        "Black Pepper",
        "White Rose",
        "River Inn",
        "Lemon Tree",
        "Iron Pan",
        "Copper Pot",
        "Sun Terrace",
        "Night Market",
        "Salt House",
        "Wild Fig",
    ],
    &["Royal Duck", "Paper Lantern", "Brick Lane", "Honey Bee", "Fox Hole", "Two Sisters"],
);

pub(crate) static HOTELS: Names = priced(
    &[
        "Grand Hotel",
        "Plaza",
        "Park Inn",
        "Central",
        "Astoria",
        "Bristol",
        "Riverside",
        "Garden Court",
        "Metropol",
        "Bellevue",
        "Harbor View",
        "Regent",
        "Continental",
        "Sunrise",
        "Victoria",
        "Windsor",
        "Carlton",
        "Savoy",
        "Lakeside",
        "Crown",
    ],
    &["Ambassador", "Excelsior", "Nordic", "Meridian", "Parkside", "Swan"],
);

pub(crate) static PRODUCTS: Names = priced(
    &[
        "lamp",
        "desk",
        "chair",
        "phone case",
        "backpack",
        "keyboard",
        "mouse",
        "monitor",
        "kettle",
        "toaster",
        "blanket",
        "pillow",
        "towel",
        "notebook",
        "pen set",
        "umbrella",
        "jacket",
        "raincoat",
        "scarf",
        "water bottle",
        "headphones",
        "camera",
        "tripod",
        "bike lock",
        "helmet",
        "tent",
        "sleeping bag",
        "mirror",
        "rug",
        "clock",
    ],
    &["teapot", "suitcase", "printer", "bookshelf", "gloves", "drill", "candle", "basket"],
);

pub(crate) static DISHES: Names = priced(
    &[
        "tomato soup",
        "green curry",
        "fish tacos",
        "lentil stew",
        "noodle salad",
        "mushroom pie",
        "rice bowl",
        "bean chili",
        "cheese pizza",
        "apple cake",
        "lemon tart",
        "onion soup",
        "beef stew",
        "chicken pasta",
        "potato salad",
        "garlic bread",
        "fried rice",
        "egg toast",
        "carrot cake",
        "corn soup",
    ],
    &["pumpkin soup", "pepper steak", "spinach pie", "banana bread", "shrimp rice", "plum cake"],
);

pub(crate) static ARTISTS: Names = names(
    &[
        "Silver Birds",
        "Paper Moon",
        "The Lanterns",
        "North Wind",
        "Ruby Lane",
        "Glass River",
        "Echo Park",
        "The Tall Trees",
        "Velvet Sky",
        "Stone Harbor",
        "Yellow Train",
        "Little Thunder",
        "Winter Radio",
        "Blue Cactus",
        "The Night Owls",
        "Marble Sea",
        "Golden Hour",
        "Copper Road",
        "Wild Orchard",
        "Kind Strangers",
    ],
    &["Salt Garden", "The Old Maps", "Purple Rain Dogs", "Iron Poets", "Desert Choir", "Slow Comets"],
);

pub(crate) static COMPANIES: Names = names(
    &[
        "Acme",
        "Borealis",
        "Cobalt",
        "Delta Power",
        "Evergreen",
        "Fenwick",
        "Globex",
        "Horizon",
        "Initech",
        "Juniper",
        "Kestrel",
        "Lumen",
        "Maplewood",
        "Northgate",
        "Orbit",
        "Pinnacle",
        "Quartz",
        "Redstone",
        "Summit",
        "Tidal",
    ],
    &["Umbra", "Vertex", "Westbrook", "Zenith", "Harrow", "Solara"],
);

pub(crate) static COUNTRIES: Names = names(
    &[
        "Japan", "Brazil", "Canada", "Egypt", "France", "Greece", "India", "Italy", "Kenya", "Mexico",
        "Norway", "Peru", "Poland", "Spain", "Turkey", "Vietnam",
    ],
    &["Chile", "Ghana", "Iceland", "Nepal", "Portugal"],
);

pub(crate) static EVENTS: Names = names(
    &[
        "team meeting",
        "dentist visit",
        "book club",
        "yoga class",
        "lunch with Sara",
        "budget review",
        "piano lesson",
        "school play",
        "job interview",
        "garden party",
        "project call",
        "birthday dinner",
        "car check",
        "choir practice",
        "board meeting",
        "movie night",
        "parent evening",
        "language class",
        "morning run",
        "design review",
    ],
    &["chess evening", "house viewing", "eye test", "staff lunch", "art class", "tax meeting"],
);

pub(crate) static NOTES: Names = names(
    &[
        "I am running late",
        "see you soon",
        "dinner is ready",
        "the train is late",
        "call me back",
        "happy birthday",
        "I am at the station",
        "the meeting moved",
        "buy some milk",
        "thanks for the help",
        "I will be home at six",
        "bring an umbrella",
        "the keys are inside",
        "good luck today",
        "we won the match",
        "lock the gate",
        "feed the cat",
        "water the plants",
        "send the report",
        "take the medicine",
    ],
    &[
        "pick up the cake",
        "the bus is full",
        "sign the form",
        "I found the book",
        "wash the car",
        "pay the rent",
    ],
);
