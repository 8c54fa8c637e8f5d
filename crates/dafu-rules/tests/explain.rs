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

use dafu_core::{ReasonValue, RuleOutcome, Timestamp, Unit};
use dafu_rules::{
    MarginKind, Moment, OnMissing, Row, Rule, RuleExplanation, RuleSchema, RuleSet, RuleState,
    Truth, Variable,
};
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
        ("amount > 300 and distance > 5000", "amount > 300"),
        ("amount > 300 or distance > 5000", "amount > 300"),
        (
            "amount > 300 and (distance > 5000 or count_1h > 3)",
            "count_1h > 3",
        ),
        (
            "(amount > 300 and distance > 1300) or count_1h > 9",
            "distance > 1300",
        ),
        ("not (amount < 300 or distance > 1100)", "distance > 1100"),
        ("not (amount < 300 and distance > 1190)", "distance > 1190"),
        ("amount > 300 and country == 'FR'", "amount > 300"),
        ("amount > 300 or country == 'FR'", "amount > 300"),
        ("amount < 250", "amount < 250"),
        ("100 < amount < 200", "amount < 200"),
        ("gap > 20min and gap > 45min", "gap > 45min"),
        ("amount > 300 and not declined", "amount > 300"),
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
        "r was not evaluated: amount is missing\n  and: not known\n    amount > 3: not known\n    distance > 5: true (1200, 1195 above 5)"
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
        "r did not fire, since this does not hold: timestamp >= '2026-03-07' (2026-03-06T23:30:00Z, before 2026-03-07T00:00:00Z)\n  \
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

#[test]
fn only_tests_that_fail_are_told() {
    // What is not known is not what keeps a rule from firing while something else is false.
    let numbers = |amount, distance| {
        let mut numbers = NUMBERS;
        (numbers[0], numbers[1]) = (amount, distance);
        numbers
    };
    let told = explain(
        "distance > 1000km and amount > 50",
        &numbers(10.0, f64::NAN),
    );
    let nearest = told.nearest.clone().unwrap();
    assert_eq!(nearest.source, "amount > 50");
    assert_eq!(nearest.margin.unwrap().difference(), -40.0);
    assert_eq!(told.missing, []);
    // Of several that are not known the first, with what is missing.
    let told = explain(
        "amount > 5 and (distance > 1 or count_1h > 5)",
        &numbers(10.0, f64::NAN),
    );
    assert_eq!(told.truth, Truth::Unknown);
    assert_eq!(told.nearest.clone().unwrap().source, "distance > 1");
    assert!(
        told.to_string()
            .starts_with("r was not evaluated: distance is missing\n"),
        "{told}"
    );
    // The one that holds does not matter, though it is nearer.
    let told = explain(
        "not (amount > 50 or distance > 999)",
        &numbers(51.0, 1200.0),
    );
    assert_eq!(told.nearest.unwrap().source, "amount > 50");
    let told = explain(
        "not (amount > 50 or distance > 999)",
        &numbers(49.0, 1200.0),
    );
    assert_eq!(told.nearest.unwrap().source, "distance > 999");
}

#[test]
fn parts_stand_as_they_stand_in_the_rule() {
    let told = explain(
        "(amount + 1) > 500 and not (distance > 5000 or (gap > 30min))",
        &NUMBERS,
    );
    assert_eq!(
        told.to_string(),
        "r did not fire, since this does not hold: (amount + 1) > 500 (251, 249 below 500)\n  \
         and: false\n    (amount + 1) > 500: false (251, 249 below 500)\n    \
         not: true\n      or: false\n        distance > 5000: false (1200, 3800 below 5000)\n        \
         gap > 30min: false (0.5, the limit itself)"
    );
    assert_eq!(
        told.condition.parts[1].source,
        "not (distance > 5000 or (gap > 30min))"
    );
    assert_eq!(
        told.condition.parts[1].parts[0].source,
        "distance > 5000 or (gap > 30min)"
    );
}

#[test]
fn a_range_is_one_test_with_the_margin_that_decides() {
    let told = explain(
        "time_of_day(timestamp) between 00:00 and 06:00 and amount not between 260 and 300",
        &NUMBERS,
    );
    assert_eq!(
        told.to_string(),
        "r did not fire, since this does not hold: time_of_day(timestamp) between 00:00 and 06:00 \
         (23:30:00, after 06:00:00)\n  and: false\n    \
         time_of_day(timestamp) between 00:00 and 06:00: false (23:30:00, after 06:00:00)\n    \
         amount not between 260 and 300: true (250, 10 below 260)"
    );
    // The side of the event is the value, wherever it stands.
    let margin = explain("500 < amount * 2 + 0.5", &NUMBERS).condition.margin;
    assert_eq!(
        margin.map(|margin| (margin.value, margin.limit)),
        Some((500.5, 500.0))
    );
    let differs = explain("country != 'DE'", &NUMBERS);
    assert_eq!(differs.condition.source, "country != 'DE'");
    assert_eq!(
        differs.to_string(),
        "r did not fire, since this does not hold: country != 'DE' (country is \"DE\")\n  \
         country != 'DE': false (country is \"DE\")"
    );
}

#[test]
fn missing_names_what_is_to_blame() {
    // Places of the numbers: amount 0, distance 1, gap 2, speed 3, category 8.
    let cases: [(&str, &[usize], &[usize], &str); 8] = [
        ("amount / gap > 5", &[], &[2], "division by zero (gap)"),
        (
            "distance / (gap + distance / speed) > 5",
            &[],
            &[1, 2],
            "division by zero (distance, gap, speed)",
        ),
        (
            "amount / gap > 5",
            &[0],
            &[2],
            "amount is missing; division by zero (gap)",
        ),
        (
            "amount / gap > 5 and distance is missing",
            &[1, 2],
            &[],
            "gap is missing",
        ),
        (
            "coalesce(gap, 3) > 1 and distance > 1",
            &[1, 2],
            &[],
            "distance is missing",
        ),
        ("(gap > 1 or amount > 500) and count_1h < 2", &[2], &[], ""),
        (
            "max(amount, 3) > 5 or not (gap < 1)",
            &[0, 2],
            &[],
            "amount is missing; gap is missing",
        ),
        (
            "category == 'gaming' or length(merchant) > 99",
            &[8],
            &[],
            "category is missing",
        ),
    ];
    for (condition, absent, zero, expected) in cases {
        let mut numbers = NUMBERS;
        for slot in absent {
            numbers[*slot] = f64::NAN;
        }
        for slot in zero {
            numbers[*slot] = 0.0;
        }
        let told = explain(condition, &numbers);
        let words: Vec<String> = told.missing.iter().map(ToString::to_string).collect();
        assert_eq!(words.join("; "), expected, "{condition}");
    }
    let engine = RuleSet::new([Rule::new("r", "ip in ['10.0.0.0/8']", 0.5)])
        .compile(&schema())
        .unwrap();
    let row = Row {
        numbers: &NUMBERS,
        texts: &[None, Some("m"), Some("somewhere")],
    };
    let missing = engine.missing("r", row, Timestamp::EPOCH).unwrap();
    assert_eq!(missing[0].to_string(), "ip is no internet address");
}

#[test]
fn words_say_what_became_of_a_rule() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let schema =
        RuleSchema::new([Variable::number("distance", Unit::Kilometre).nullable()]).unwrap();
    let rule = |id: &str| Rule::new(id, "distance > 10km", 0.5);
    let set = RuleSet::new([
        rule("fire").on_missing(OnMissing::Fire),
        rule("skip"),
        rule("draft").state(RuleState::Draft),
        rule("shadow").state(RuleState::Shadow),
        Rule {
            effective_until: Some(at("2026-01-01T00:00:00Z")),
            ..rule("over")
        },
    ]);
    let engine = set.compile(&schema).unwrap();
    let now = at("2026-03-01T00:00:00Z");
    for (number, id, outcome, words) in [
        (
            f64::NAN,
            "fire",
            RuleOutcome::Fired,
            "fire fired, as it does where values are missing: distance is missing",
        ),
        (
            f64::NAN,
            "skip",
            RuleOutcome::NotEvaluated,
            "skip was not evaluated: distance is missing",
        ),
        (
            20.0,
            "draft",
            RuleOutcome::Inactive,
            "draft is not in force",
        ),
        (
            20.0,
            "shadow",
            RuleOutcome::Shadow,
            "shadow fired without a say",
        ),
        (20.0, "over", RuleOutcome::Inactive, "over is not in force"),
        (
            5.0,
            "skip",
            RuleOutcome::NotFired,
            "skip did not fire, since",
        ),
    ] {
        let row = Row {
            numbers: &[number],
            texts: &[],
        };
        let explanation = engine.explain(id, row, now).unwrap();
        let report = engine.evaluate(row, &Moment::at(now)).unwrap();
        let place = set.rules.iter().position(|rule| rule.id == id).unwrap();
        assert_eq!(explanation.outcome, report.outcomes[place], "{id}");
        assert_eq!(explanation.outcome, outcome, "{id}");
        assert!(explanation.to_string().starts_with(words), "{explanation}");
    }
    let row = Row {
        numbers: &[f64::NAN],
        texts: &[],
    };
    let report = engine.evaluate(row, &Moment::at(now)).unwrap();
    let reasons = engine.reasons(row, &report);
    assert!(
        reasons[0]
            .text
            .ends_with("(not known: distance is missing)"),
        "{}",
        reasons[0].text
    );
}

#[test]
fn times_and_durations_are_told_as_such() {
    let schema = RuleSchema::new([
        Variable::time("at"),
        Variable::time("seen"),
        Variable::number("share", Unit::Share),
    ])
    .unwrap();
    let seconds = |text: &str| text.parse::<Timestamp>().unwrap().as_micros() as f64;
    let numbers = [
        seconds("2026-02-01T12:00:00Z"),
        seconds("2026-02-01T11:30:00Z"),
        2e-6,
    ];
    let told = |condition: &str| {
        let set = RuleSet::new([Rule::new("r", condition, 0.5)]);
        let engine = set.compile(&schema).unwrap();
        let row = Row {
            numbers: &numbers,
            texts: &[],
        };
        let explanation = engine.explain("r", row, Timestamp::EPOCH).unwrap();
        let margin = explanation.condition.margin.unwrap();
        (margin.kind, explanation.to_string())
    };
    let (kind, text) = told("at - seen > 1h");
    assert_eq!(kind, MarginKind::Duration);
    assert!(text.contains("(30min, 30min below 1h)"), "{text}");
    for condition in ["at + 1h > '2026-03-01'", "at < seen"] {
        let (kind, text) = told(condition);
        assert_eq!(kind, MarginKind::Time, "{condition}");
        assert!(
            text.contains("2026-02-01") && !text.contains("000000"),
            "{text}"
        );
    }
    let (_, text) = told("share > 0.00001");
    assert!(text.contains("(2e-6, 8e-6 below 1e-5)"), "{text}");
}
