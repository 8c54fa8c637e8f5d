//! Explanations of rules.
#![allow(
    clippy::cast_possible_wrap,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::items_after_statements,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use dafu_core::{ReasonValue, Timestamp};
use dafu_rules::{Row, Rule, RuleExplanation, RuleSet, Truth};
use support::{NUMBERS, TEXTS, schema};

fn explain(condition: &str, numbers: &[f64]) -> RuleExplanation {
    let engine = RuleSet::new([Rule::new("r", condition, 0.5)])
        .compile(&schema())
        .unwrap();
    let row = Row {
        numbers,
        texts: &TEXTS,
    };
    engine.explain("r", row, Timestamp::EPOCH).unwrap()
}

fn nearest(condition: &str) -> String {
    explain(condition, &NUMBERS).nearest.unwrap().source
}

#[test]
fn the_nearest_test_is_what_keeps_a_rule_from_firing() {
    // amount 250, distance 1200 km, gap 0.5 h, count_1h 3
    let cases = [
        ("amount > 300 and distance > 5000", "distance > 5000"),
        ("amount > 300 or distance > 5000", "amount > 300"),
        (
            "amount > 300 and (distance > 5000 or count_1h > 3)",
            "amount > 300",
        ),
        (
            "(amount > 300 and distance > 1300) or count_1h > 9",
            "amount > 300",
        ),
        ("not (amount < 300 or distance > 1100)", "amount < 300"),
        ("not (amount < 300 and distance > 1190)", "distance > 1190"),
        ("amount > 300 and country == 'FR'", "country == 'FR'"),
        ("amount > 300 or country == 'FR'", "amount > 300"),
        ("amount < 250", "amount < 250"),
        ("100 < amount < 200", "amount < 200"),
        ("gap > 20min and gap > 45min", "gap > 45min"),
        ("amount > 300 and not declined", "declined"),
    ];
    for (condition, expected) in cases {
        assert_eq!(nearest(condition), expected, "{condition}");
    }
}

#[test]
fn parts_have_values_and_margins() {
    let fired = explain(
        "distance > 621mi and country in ['DE'] and declined",
        &NUMBERS,
    );
    assert_eq!((fired.truth, fired.nearest.is_none()), (Truth::True, true));
    let distance = &fired.condition.parts[0];
    assert_eq!(
        distance.values,
        [("distance".to_owned(), ReasonValue::Number(1200.0))]
    );
    let margin = distance.margin.unwrap();
    assert!((margin.difference() - (1200.0 - 999.402_624)).abs() < 1e-9);
    assert!((margin.relative() - margin.difference() / 1200.0).abs() < 1e-12);
    assert_eq!(
        fired.to_string(),
        "r fired\n  and: true\n    distance > 621mi: true (1200, 200.5974 above 999.4026)\n    country in ['DE']: true (country is \"DE\")\n    declined: true (declined is \"true\")"
    );
}

#[test]
fn missing_values_are_told() {
    let mut numbers = NUMBERS;
    numbers[0] = f64::NAN;
    let explanation = explain("amount > 3 and distance > 5", &numbers);
    assert_eq!(explanation.truth, Truth::Unknown);
    assert_eq!(
        explanation.to_string(),
        "r was not evaluated, since this is not known: amount > 3\n  and: not known\n    amount > 3: not known\n    distance > 5: true (1200, 1195 above 5)"
    );
}

#[test]
fn times_are_told_as_times() {
    // 2026-03-06T23:30:00Z, a Friday.
    let explanation = explain(
        "time_of_day(timestamp) < 22:15 and timestamp >= '2026-03-07' and weekday(timestamp) == sat",
        &NUMBERS,
    );
    assert_eq!(
        explanation.to_string(),
        "r did not fire, since this does not hold: weekday(timestamp) == sat (timestamp is \"2026-03-06T23:30:00Z\")\n  \
         and: false\n    time_of_day(timestamp) < 22:15: false (23:30:00, after 22:15:00)\n    \
         timestamp >= '2026-03-07': false (2026-03-06T23:30:00Z, before 2026-03-07T00:00:00Z)\n    \
         weekday(timestamp) == sat: false (timestamp is \"2026-03-06T23:30:00Z\")"
    );
}

#[test]
fn windows_are_named_by_their_call() {
    let engine = RuleSet::new([Rule::new(
        "r",
        "count(tx, by=card, within=60min) > 3 and amount == amount",
        0.5,
    )])
    .compile(&schema())
    .unwrap();
    let mut numbers = NUMBERS.to_vec();
    numbers.push(2.0);
    let row = Row {
        numbers: &numbers,
        texts: &TEXTS,
    };
    let explanation = engine.explain("r", row, Timestamp::EPOCH).unwrap();
    let call = "count(tx, by=card, within=1h)".to_owned();
    assert_eq!(
        explanation.nearest.unwrap().values,
        [(call, ReasonValue::Number(2.0))]
    );
}
