//! Random conditions and rows of the schema.
#![allow(dead_code, reason = "not every test needs everything")]

use proptest::prelude::*;
use proptest::strategy::Union;

fn pick(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(texts).prop_map(str::to_owned)
}

/// A number in the unit of `amount`, from few values so that comparisons meet.
fn amount() -> impl Strategy<Value = String> {
    let leaf = pick(&[
        "amount",
        "0",
        "1",
        "250",
        "250.5",
        "500 USD",
        "coalesce(amount, 3)",
    ]);
    leaf.prop_recursive(2, 8, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        Union::new([
            pair.clone()
                .prop_map(|(a, b)| format!("({a} + {b})"))
                .boxed(),
            pair.clone()
                .prop_map(|(a, b)| format!("({a} - {b})"))
                .boxed(),
            pair.prop_map(|(a, b)| format!("min({a}, {b})")).boxed(),
            inner.clone().prop_map(|a| format!("abs({a})")).boxed(),
            inner.clone().prop_map(|a| format!("-{a}")).boxed(),
            inner
                .prop_map(|a| format!("({a} * (1 + share) / 2)"))
                .boxed(),
        ])
    })
}

fn leaf() -> impl Strategy<Value = String> {
    let sign = || pick(&["<", "<=", ">", ">=", "==", "!="]);
    Union::new([
        (amount(), sign(), amount())
            .prop_map(|(a, sign, b)| format!("{a} {sign} {b}"))
            .boxed(),
        (sign(), pick(&["1km", "1200km", "621mi", "1500m", "3"]))
            .prop_map(|(sign, b)| format!("distance {sign} {b}"))
            .boxed(),
        (sign(), pick(&["0", "3", "4"]))
            .prop_map(|(sign, b)| format!("count_1h {sign} {b}"))
            .boxed(),
        (sign(), sign())
            .prop_map(|_| "1 < count_1h <= 3".to_owned())
            .boxed(),
        pick(&[
            "declined",
            "declined == true",
            "amount between 1 and 250",
            "amount not between 1 and 250",
            "amount in [1, 250]",
            "amount is missing",
            "country is not missing",
            "country == 'DE'",
            "country != 'DE'",
            "country in ['FR', 'DE', 'it\\'s']",
            "country not in ['FR']",
            "lower(country) == 'de'",
            "coalesce(country, 'XX') == 'XX'",
            "merchant contains 'Shop'",
            "merchant ends with '24'",
            r"merchant matches r'^\w+-'",
            "merchant in @blocked",
            "length(merchant) > 5",
            "category == 'travel'",
            "category in ['grocery', 'gaming']",
            "category is missing",
            "lower(category) starts_with 'g'",
            "ip in ['10.0.0.0/8', '2001:db8::/32']",
            "ip == '10.1.2.3'",
            "time_of_day(timestamp) between 22:00 and 06:00",
            "weekday(timestamp, '+02:00') in [sat, sun]",
            "hour(timestamp) > 12",
            "timestamp >= '2026-03-06T23:30:00Z'",
            "count(tx, by=card, within=1h, where=declined) > 2",
            "sum(amount, by=user, within=7d, include_self=false) > amount",
        ])
        .boxed(),
    ])
}

/// Sources that can be read; most of them mean something to the schema.
pub(crate) fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        Union::new([
            several
                .clone()
                .prop_map(|parts| format!("({})", parts.join(" and ")))
                .boxed(),
            several
                .prop_map(|parts| format!("({})", parts.join(" or ")))
                .boxed(),
            inner.clone().prop_map(|part| format!("not {part}")).boxed(),
            inner.prop_map(|part| format!("!({part})")).boxed(),
        ])
    })
}

/// One event: numbers and texts of the schema, some of them missing, and two windows.
pub(crate) type Event = (Vec<f64>, Vec<Option<String>>);

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let number = |values: &'static [f64]| proptest::sample::select(values);
    let numbers = (
        number(&[f64::NAN, 0.0, -0.0, 1.0, 250.0, 251.0]),
        number(&[f64::NAN, 1.0, 1.5, 1200.0]),
        number(&[0.5, f64::NAN]),
        number(&[900.0]),
        number(&[0.0, 0.25, -1.0]),
        number(&[12.0]),
        number(&[0.0, 3.0, 4.0]),
        number(&[0.0, 1.0, f64::NAN]),
        number(&[0.0, 1.0, 2.0, 3.0, 0.5, f64::NAN]),
        number(&[
            super::FRIDAY,
            super::FRIDAY + 3600e6,
            super::FRIDAY - 43_200e6,
        ]),
    );
    let windows = (
        number(&[0.0, 3.0, f64::NAN]),
        number(&[0.0, 300.0, f64::NAN]),
    );
    let text = |values: &'static [Option<&'static str>]| proptest::sample::select(values);
    let texts = (
        text(&[None, Some("DE"), Some("FR"), Some("it's")]),
        text(&[None, Some("Book-Shop 24"), Some("m-1"), Some("")]),
        text(&[
            None,
            Some("10.1.2.3"),
            Some("2001:db8::1"),
            Some("::ffff:10.1.2.3"),
            Some("x"),
        ]),
    );
    (numbers, windows, texts).prop_map(|(n, w, t)| {
        let numbers = vec![n.0, n.1, n.2, n.3, n.4, n.5, n.6, n.7, n.8, n.9, w.0, w.1];
        let texts = [t.0, t.1, t.2].map(|text| text.map(str::to_owned));
        (numbers, texts.into())
    })
}
