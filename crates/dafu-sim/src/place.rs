//! Cities and categories: the fixed part of the simulated world.

/// A city: users live around it, merchants stand in it, travellers and attackers visit it.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    pub(crate) country: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    /// Share of users and merchants, not normalised.
    pub(crate) weight: f64,
}

const fn city(
    name: &'static str,
    country: &'static str,
    (latitude, longitude): (f64, f64),
    weight: f64,
) -> City {
    City {
        name,
        country,
        latitude,
        longitude,
        weight,
    }
}

/// Cities from the north-west to the south-east of one continent, so that one clock serves all.
/// A simulation with few merchants uses the first ones only.
pub(crate) const CITIES: [City; 20] = [
    city("Paris", "FR", (48.857, 2.352), 10.0),
    city("Berlin", "DE", (52.520, 13.405), 7.0),
    city("Madrid", "ES", (40.417, -3.704), 7.0),
    city("Rome", "IT", (41.893, 12.483), 6.0),
    city("Vienna", "AT", (48.208, 16.373), 4.0),
    city("Warsaw", "PL", (52.230, 21.011), 4.0),
    city("Lisbon", "PT", (38.707, -9.136), 3.0),
    city("Helsinki", "FI", (60.170, 24.938), 2.0),
    city("Athens", "GR", (37.984, 23.728), 4.0),
    city("Dublin", "IE", (53.350, -6.260), 2.0),
    city("Amsterdam", "NL", (52.373, 4.893), 3.0),
    city("Brussels", "BE", (50.847, 4.352), 3.0),
    city("Hamburg", "DE", (53.551, 9.994), 3.0),
    city("Barcelona", "ES", (41.383, 2.183), 4.0),
    city("Milan", "IT", (45.464, 9.190), 4.0),
    city("Lyon", "FR", (45.758, 4.835), 2.0),
    city("Munich", "DE", (48.137, 11.575), 3.0),
    city("Bucharest", "RO", (44.436, 26.103), 4.0),
    city("Stockholm", "SE", (59.329, 18.069), 3.0),
    city("Copenhagen", "DK", (55.676, 12.568), 2.0),
];

/// How much a square degree counts between two cities: enough to tell near from far.
pub(crate) fn squared_degrees(a: &City, b: &City) -> f64 {
    let (north, east) = (a.latitude - b.latitude, (a.longitude - b.longitude) * 0.65);
    north * north + east * east
}

/// What merchants sell.
#[derive(Debug)]
pub(crate) struct Category {
    pub(crate) name: &'static str,
    /// Share of the merchants, not normalised.
    pub(crate) merchants: f64,
    /// Share of the payments, not normalised.
    pub(crate) payments: f64,
    /// Mean of the logarithm of the amount.
    pub(crate) level: f64,
    /// Standard deviation of the logarithm of the amount.
    pub(crate) spread: f64,
    /// Sold over the internet: no place, no opening hours, always a device.
    pub(crate) online: bool,
    /// First and last hour of opening, where there is a shop.
    pub(crate) open: (u8, u8),
    /// Share of the shops that are closed on Sundays.
    pub(crate) closed_sundays: f64,
    /// Weights of the 24 hours of the day.
    pub(crate) hours: [u8; 24],
}

/// Shopping by day, with a maximum after work.
const DAYTIME: [u8; 24] = [
    1, 0, 0, 0, 0, 1, 2, 4, 7, 9, 11, 12, 11, 9, 9, 10, 13, 16, 15, 10, 6, 4, 2, 1,
];
/// Two meals and a coffee.
const MEALS: [u8; 24] = [
    3, 1, 0, 0, 0, 0, 2, 6, 7, 4, 4, 9, 18, 14, 6, 4, 4, 6, 12, 18, 16, 11, 8, 5,
];
/// To work and back.
const COMMUTE: [u8; 24] = [
    1, 1, 0, 0, 1, 4, 10, 18, 15, 8, 6, 6, 7, 7, 7, 9, 13, 18, 15, 9, 6, 5, 4, 2,
];
/// At a screen: through the day, most in the evening, a little at night.
const SCREEN: [u8; 24] = [
    5, 3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 9, 8, 8, 9, 10, 12, 15, 18, 18, 15, 9,
];
/// Going out.
const EVENING: [u8; 24] = [
    9, 6, 3, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 10, 13, 17, 20, 20, 18, 13,
];

/// Position of a category in [`CATEGORIES`].
pub(crate) const DIGITAL_GOODS: usize = 10;
/// The categories that an account taker buys from: easily sold on.
pub(crate) const CASHABLE: [usize; 5] = [8, 9, 11, 12, 13];
/// The categories where stolen card numbers are tried out.
pub(crate) const TESTABLE: [usize; 3] = [9, 10, 13];
/// The categories of a traveller.
pub(crate) const TRAVELLING: [usize; 6] = [0, 1, 2, 3, 4, 7];

macro_rules! category {
    ($name:literal, $merchants:literal, $payments:literal, $level:literal +- $spread:literal, $place:expr, $hours:ident) => {{
        let (online, open, closed_sundays) = $place;
        Category {
            name: $name,
            merchants: $merchants,
            payments: $payments,
            level: $level,
            spread: $spread,
            online,
            open,
            closed_sundays,
            hours: $hours,
        }
    }};
}

const ONLINE: (bool, (u8, u8), f64) = (true, (0, 24), 0.0);

/// All categories. e^level is the median amount: 27 for groceries, 3.7 for digital goods.
pub(crate) const CATEGORIES: [Category; 14] = [
    category!(
        "groceries",
        14.0,
        24.0,
        3.3 + -0.6,
        (false, (7, 22), 0.4),
        DAYTIME
    ),
    category!(
        "restaurants",
        18.0,
        13.0,
        3.1 + -0.6,
        (false, (7, 24), 0.1),
        MEALS
    ),
    category!("fuel", 6.0, 6.0, 3.9 + -0.4, (false, (5, 24), 0.0), COMMUTE),
    category!(
        "transport",
        4.0,
        9.0,
        2.0 + -0.7,
        (false, (0, 24), 0.0),
        COMMUTE
    ),
    category!(
        "pharmacy",
        6.0,
        4.0,
        2.8 + -0.7,
        (false, (8, 20), 0.7),
        DAYTIME
    ),
    category!(
        "clothing",
        9.0,
        4.0,
        3.9 + -0.7,
        (false, (9, 20), 0.7),
        DAYTIME
    ),
    category!("home", 6.0, 3.0, 4.2 + -0.9, (false, (8, 20), 0.7), DAYTIME),
    category!(
        "entertainment",
        6.0,
        5.0,
        3.2 + -0.6,
        (false, (10, 24), 0.0),
        EVENING
    ),
    category!(
        "jewellery",
        2.0,
        0.5,
        4.9 + -0.9,
        (false, (10, 19), 0.9),
        DAYTIME
    ),
    category!("marketplace", 5.0, 12.0, 3.4 + -0.9, ONLINE, SCREEN),
    category!("digital_goods", 6.0, 9.0, 1.3 + -0.9, ONLINE, SCREEN),
    category!("electronics", 4.0, 3.0, 4.8 + -0.9, ONLINE, SCREEN),
    category!("travel", 3.0, 2.0, 5.2 + -0.8, ONLINE, SCREEN),
    category!("gift_cards", 2.0, 1.5, 3.5 + -0.5, ONLINE, SCREEN),
];

/// User agents in use, phones first.
pub(crate) const USER_AGENTS: [&str; 12] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 13; Mobile; rv:120.0) Gecko/120.0 Firefox/120.0",
    "Mozilla/5.0 (Linux; Android 12; SAMSUNG) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
];
/// The first so many user agents are phones; the others laptops and tablets.
pub(crate) const PHONE_AGENTS: u64 = 6;
