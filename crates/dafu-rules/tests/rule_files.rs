//! Rule sets as files.
#![cfg(feature = "serde")]
#![allow(
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use dafu_core::{EntityKey, EntityKind, Timestamp, Unit};
use dafu_rules::{
    Action, Combination, ListKind, Moment, OnMissing, Row, Rule, RuleList, RuleSchema, RuleSet,
    RuleState, Variable,
};
use support::schema;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Moment<'static> {
    Moment::at(at("2026-03-06T23:30:00Z"))
}

fn platform() -> RuleSchema {
    RuleSchema::new([
        Variable::number("amount", Unit::Money),
        Variable::number("transactions_per_hour", Unit::PerHour),
        Variable::number("distance_from_home", Unit::Kilometre),
    ])
    .unwrap()
}

#[test]
fn the_rules_of_the_platform_load_unchanged() {
    let set = RuleSet::from_json(include_str!("data/rules.json")).unwrap();
    let ids: Vec<&str> = set.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["high_amount_rule", "velocity_rule", "location_rule"]);
    let engine = set.compile(&platform()).unwrap();
    let row = Row {
        numbers: &[50.0, 11.0, 1500.0],
        texts: &[],
    };
    let report = engine.evaluate(row, &now()).unwrap();
    assert_eq!(report.fired().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(report.risk_score.get(), 0.9);
    assert_eq!(report.action, Action::LocationVerification);
    // Payments have no such variable: there it is a window.
    let engine = set.compile(&RuleSchema::transaction()).unwrap();
    assert_eq!(engine.windows().len(), 1);
}

fn full() -> RuleSet {
    let list =
        RuleList::new("blocked", ListKind::Block).entry("m-1", Some(at("2026-04-01T00:00:00Z")));
    let rule = Rule::new("a", "merchant in @blocked", 0.5)
        .action("call_the_customer".parse().unwrap())
        .priority(3)
        .tag("new")
        .reason("{amount}")
        .effective(Some(at("2026-03-01T00:00:00Z")), None)
        .state(RuleState::Shadow)
        .on_missing(OnMissing::Fire);
    RuleSet::new([rule, Rule::new("b", "amount > 1", 0.25)])
        .list(list)
        .combination(Combination::NoisyOr)
        .currency("EUR".parse().unwrap())
        .rate("USD".parse().unwrap(), 0.9)
        .suppress(
            "a",
            EntityKey {
                kind: EntityKind::Merchant,
                id: "m-1".parse().unwrap(),
            },
            at("2026-04-01T00:00:00Z"),
        )
}

#[test]
fn sets_come_back_from_their_files() {
    let set = full();
    assert_eq!(RuleSet::from_json(&set.to_json().unwrap()).unwrap(), set);
    assert_eq!(RuleSet::from_toml(&set.to_toml().unwrap()).unwrap(), set);
    let text = "version = 1\n[[rules]]\nid = \"a\"\ncondition = \"amount > 1\"\nrisk_score = 0.5\neffective_from = \"2026-03-01\"\n";
    let set = RuleSet::from_toml(text).unwrap();
    assert_eq!(
        set.rules[0].effective_from,
        Some(at("2026-03-01T00:00:00Z"))
    );
}

#[test]
fn mistakes_in_files_name_the_place() {
    let cases = [
        (RuleSet::from_json("{"), "line 1, column 1: EOF"),
        (RuleSet::from_json("[]"), "line 1"),
        (
            RuleSet::from_json(
                "{\"a\": {\"condition\": \"x > 1\", \"risk_score\": 0.5, \"actoin\": \"review\"}}",
            ),
            "rule \"a\": unknown field `actoin`",
        ),
        (
            RuleSet::from_json(
                "{\"a\": {\"condition\": \"x > 1\", \"risk_score\": 0.5, \"action\": \"reviw\"}}",
            ),
            "did you mean \"review\"?",
        ),
        (
            RuleSet::from_json(
                "{\"a\": {\"condition\": \"x\", \"risk_score\": 1, \"action\": \"review\"}, \"a\": {\"condition\": \"x\", \"risk_score\": 1, \"action\": \"review\"}}",
            ),
            "stands twice",
        ),
        (
            RuleSet::from_json("{\"version\": 2, \"rules\": []}"),
            "version: only version 1",
        ),
        (
            RuleSet::from_json("{\"rules\": [], \"colour\": 1}"),
            "unknown field `colour`",
        ),
        (
            RuleSet::from_toml("version = 1\ncolour = 2\n"),
            "line 2, column 1: unknown field",
        ),
        (
            RuleSet::from_toml(
                "[[rules]]\nid = \"a\"\ncondition = \"x\"\nrisk_score = 0.5\neffective_from = \"soon\"\n",
            ),
            "line 5",
        ),
        (
            RuleSet::from_json(&" ".repeat(5 << 20)),
            "at most 4194304 bytes",
        ),
    ];
    for (got, text) in cases {
        let error = got.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn dates_of_toml_stand_with_quotes_or_without() {
    let read = |date: &str| {
        RuleSet::from_toml(&format!(
            "[[rules]]\nid = \"a\"\ncondition = \"amount > 1\"\nrisk_score = 0.5\n\
             effective_from = {date}\n\
             [[suppressions]]\nrule = \"a\"\nentity = {{ kind = \"user\", id = \"u\" }}\nuntil = {date}\n"
        ))
    };
    for date in [
        "2026-03-01",
        "2026-03-01T00:00:00Z",
        "2026-03-01 00:00:00+00:00",
    ] {
        let expected = at("2026-03-01T00:00:00Z");
        for date in [date.to_owned(), format!("\"{}\"", date.replace(' ', "T"))] {
            let set = read(&date).unwrap_or_else(|error| panic!("{date}: {error}"));
            assert_eq!(set.rules[0].effective_from, Some(expected), "{date}");
            assert_eq!(set.suppressions[0].until, expected, "{date}");
        }
    }
    // A time of no place is none.
    let error = read("2026-03-01T12:00:00").unwrap_err().to_string();
    assert!(
        error.contains("line 5") && error.contains("expected 2026-03-01 or"),
        "{error}"
    );
}

#[test]
fn sets_need_no_rules_in_any_form() {
    let json = RuleSet::from_json("{\"version\": 1, \"lists\": []}").unwrap();
    assert_eq!(json, RuleSet::default());
    assert_eq!(RuleSet::from_toml("version = 1\nlists = []").unwrap(), json);
    let json = RuleSet::from_json("{\"suppressions\": []}").unwrap();
    assert_eq!(json, RuleSet::default());
    // A rule may be called like a field.
    let named =
        "{\"lists\": {\"condition\": \"amount > 1\", \"risk_score\": 1, \"action\": \"review\"}}";
    assert_eq!(RuleSet::from_json(named).unwrap().rules[0].id, "lists");
}

#[test]
fn what_cannot_be_used_is_neither_read_nor_written() {
    let toml = |score: &str| {
        format!("[[rules]]\nid = \"a\"\ncondition = \"x > 1\"\nrisk_score = {score}\n")
    };
    for (got, text) in [
        (
            RuleSet::from_toml(&toml("7")),
            "`risk_score` must be from 0 to 1, got 7",
        ),
        (RuleSet::from_toml(&toml("nan")), "`risk_score`"),
        (
            RuleSet::from_json(
                "{\"a\": {\"condition\": \"x > 1\", \"risk_score\": 7, \"action\": \"review\"}}",
            ),
            "`risk_score`",
        ),
        (
            RuleSet::from_toml("currency = \"EUR\"\nrates = { USD = -1.0 }"),
            "rate of USD",
        ),
    ] {
        let error = got.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let rule = || Rule::new("a", "amount > 1", 0.5);
    let custom = |name: &str| rule().action(Action::Custom(name.into()));
    for rule in [
        Rule::new("a", "amount > 1", f64::NAN),
        rule().weight(f64::NAN),
        custom("aprove"),
        custom("decline"),
        custom(""),
    ] {
        let set = RuleSet::new([rule]);
        assert!(set.to_json().is_err() && set.to_toml().is_err(), "{set:?}");
        assert!(set.compile(&schema()).is_err(), "{set:?}");
    }
    let set = RuleSet::new([custom("call_the_customer")]);
    assert_eq!(RuleSet::from_json(&set.to_json().unwrap()).unwrap(), set);
}

#[test]
fn programs_read_back_what_is_too_long_for_a_file() {
    let mut list = RuleList::new("blocked", ListKind::Block);
    for number in 0..60_000 {
        list = list.entry(format!("merchant {number}"), None);
    }
    let set = RuleSet::new([Rule::new("a", "amount > 3", 0.5)]).list(list);
    let error = set.to_json().unwrap_err().to_string();
    assert!(error.contains("at most 4194304 bytes"), "{error}");
    assert_eq!(RuleSet::from_saved(&set.to_saved().unwrap()).unwrap(), set);
    let short = RuleSet::new([Rule::new("a", "amount > 3", 0.5)]);
    assert_eq!(
        RuleSet::from_saved(&short.to_json().unwrap()).unwrap(),
        short
    );
}

#[test]
fn every_field_alone_makes_a_set() {
    for text in [
        r#"{"version": 1}"#,
        r#"{"bands": [0.2, 0.5, 0.9]}"#,
        r#"{"currency": "EUR", "rates": {"USD": 0.9}}"#,
        r#"{"rates": {"USD": 0.9}}"#,
        r#"{"rules": []}"#,
    ] {
        let set = RuleSet::from_json(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(set.rules.is_empty());
    }
    let other = RuleSet {
        version: 2,
        ..RuleSet::default()
    };
    assert!(
        other
            .to_json()
            .unwrap_err()
            .to_string()
            .contains("only version 1")
    );
}
