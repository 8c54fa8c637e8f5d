//! Rule sets: files, states, lists, suppressions, combinations.
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

use dafu_core::{EntityKey, EntityKind, RiskBand, RuleOutcome, Timestamp, Unit};
use dafu_rules::{
    Action, Combination, Conflict, ListKind, Moment, OnMissing, Row, Rule, RuleEngine, RuleError,
    RuleList, RuleSchema, RuleSet, RuleState, Suppressions, Variable,
};
use support::{NUMBERS, TEXTS, schema};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Moment<'static> {
    Moment::at(at("2026-03-06T23:30:00Z"))
}

const ROW: Row<'_> = Row {
    numbers: &NUMBERS,
    texts: &TEXTS,
};

fn engine(set: &RuleSet) -> RuleEngine {
    set.compile(&schema())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn missing(engine: &RuleEngine, id: &str, row: Row<'_>) -> Vec<String> {
    let values = engine.missing(id, row, now().at).unwrap();
    values.iter().map(ToString::to_string).collect()
}

#[test]
fn states_and_dates_decide_who_has_a_say() {
    let always = |id: &str| Rule::new(id, "amount > 0", 0.5);
    let moment = now().at;
    let later = at("2026-03-07T00:00:00Z");
    let set = RuleSet::new([
        always("active"),
        always("draft").state(RuleState::Draft),
        always("shadow")
            .state(RuleState::Shadow)
            .action(Action::Decline),
        always("retired").state(RuleState::Retired),
        always("from now").effective(Some(moment), None),
        always("until now").effective(None, Some(moment)),
        always("later").effective(Some(later), None),
        always("until later").effective(None, Some(later)),
        Rule::new("not", "amount < 0", 0.5),
    ]);
    let engine = engine(&set);
    let report = engine.evaluate(ROW, &now()).unwrap();
    use RuleOutcome::{Fired, Inactive, NotFired, Shadow};
    let expected = [
        Fired, Inactive, Shadow, Inactive, Fired, Inactive, Inactive, Fired, NotFired,
    ];
    assert_eq!(report.outcomes, expected);
    // What only watches does not decide.
    assert_eq!(report.action, Action::Review);
    assert_eq!(report.risk_score.get(), 0.5);
    assert_eq!(report.rule_set_hash, set.hash());
    let names: Vec<String> = engine
        .named_outcomes(&report)
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(names, ["active", "shadow", "from now", "until later"]);
}

#[test]
fn missing_values_do_what_the_rule_says() {
    let schema = RuleSchema::new([
        Variable::number("a", Unit::One).nullable(),
        Variable::number("b", Unit::One),
    ])
    .unwrap();
    let rule = |id: &str, on_missing| Rule::new(id, "a > 1 and b > 1", 0.5).on_missing(on_missing);
    let set = RuleSet::new([rule("skip", OnMissing::Skip), rule("fire", OnMissing::Fire)]);
    let engine = set.compile(&schema).unwrap();
    let row = |numbers| Row {
        numbers,
        texts: &[],
    };
    let outcomes = |numbers| engine.evaluate(row(numbers), &now()).unwrap().outcomes;
    assert_eq!(
        outcomes(&[f64::NAN, 2.0]),
        [RuleOutcome::NotEvaluated, RuleOutcome::Fired]
    );
    assert_eq!(
        outcomes(&[f64::NAN, 0.0]),
        [RuleOutcome::NotFired, RuleOutcome::NotFired]
    );
    assert_eq!(
        missing(&engine, "skip", row(&[f64::NAN, 2.0])),
        ["a is missing"]
    );

    let strict = RuleSet::new([rule("strict", OnMissing::Error)])
        .compile(&schema)
        .unwrap();
    assert!(strict.evaluate(row(&[f64::NAN, 0.0]), &now()).is_ok());
    let error = strict.evaluate(row(&[f64::NAN, 2.0]), &now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rule \"strict\" cannot be evaluated: a is missing"
    );
    assert!(matches!(
        strict.evaluate(row(&[1.0]), &now()),
        Err(RuleError::Row {
            what: "numbers",
            expected: 2,
            got: 1
        })
    ));
    assert!(matches!(
        strict.missing("other", row(&[1.0, 1.0]), now().at),
        Err(RuleError::UnknownRule { .. })
    ));
}

#[test]
fn windows_stand_behind_the_numbers() {
    let schema = RuleSchema::new([Variable::number("amount", Unit::Money)]).unwrap();
    let set = RuleSet::new([
        Rule::new("many", "count(tx, by=card, within=1h) > 3", 0.5),
        Rule::new("much", "amount > 2 * mean(amount, by=user, within=7d)", 0.5),
        Rule::new("again", "count(tx, by=card, within=60min) > 5", 0.5),
    ]);
    let engine = set.compile(&schema).unwrap();
    assert_eq!(engine.windows().len(), 2);
    assert_eq!(engine.slots(), (3, 0));
    let row = |numbers| Row {
        numbers,
        texts: &[],
    };
    let report = engine.evaluate(row(&[100.0, 4.0, 60.0]), &now()).unwrap();
    assert_eq!(report.fired().collect::<Vec<_>>(), [0]);
    assert_eq!(
        missing(&engine, "many", row(&[100.0, f64::NAN, 60.0])),
        ["count(tx, by=card, within=1h) is missing"]
    );
}

#[test]
fn lists_expire_and_may_ignore_case() {
    let soon = at("2026-03-06T23:30:00Z");
    let set = RuleSet::new([])
        .list(RuleList::new("blocked", ListKind::Block).entry(" Book-Shop 24 ", None))
        .list(RuleList::new("over", ListKind::Allow).entry("Book-Shop 24", Some(soon)))
        .list(
            RuleList::new("loose", ListKind::Watch)
                .ignore_case(true)
                .entry("BOOK-shop 24", Some(at("2027-01-01T00:00:00Z"))),
        )
        .list(RuleList::new("strict", ListKind::Watch).entry("book-shop 24", None));
    let rules: Vec<Rule> = set.lists.iter().map(|list| list.rule("merchant")).collect();
    let set = rules.into_iter().fold(set, RuleSet::rule);
    let report = engine(&set).evaluate(ROW, &now()).unwrap();
    assert_eq!(report.fired().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(report.action, Action::Decline);
    let before = Moment::at(at("2026-03-06T23:29:59Z"));
    let report = engine(&set).evaluate(ROW, &before).unwrap();
    assert_eq!(report.fired().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn suppressed_rules_are_silent_until_the_moment() {
    let key = |id: &str| EntityKey {
        kind: EntityKind::User,
        id: id.parse().unwrap(),
    };
    let set = RuleSet::new([
        Rule::new("one", "amount > 0", 0.9),
        Rule::new("two", "amount > 0", 0.2),
    ]);
    let engine = engine(&set);
    let mut suppressions = Suppressions::default();
    suppressions.suppress("one", key("u"), at("2026-03-07T00:00:00Z"));
    let entities = [key("v"), key("u")];
    let moment = now().suppressed(&suppressions, &entities);
    let report = engine.evaluate(ROW, &moment).unwrap();
    assert_eq!(
        report.outcomes,
        [RuleOutcome::Suppressed, RuleOutcome::Fired]
    );
    assert_eq!(report.risk_score.get(), 0.2);
    let mut later = moment;
    later.at = at("2026-03-07T00:00:00Z");
    assert_eq!(engine.evaluate(ROW, &later).unwrap().fired().count(), 2);
    let others = [key("v")];
    let other = now().suppressed(&suppressions, &others);
    assert_eq!(engine.evaluate(ROW, &other).unwrap().fired().count(), 2);
    let mut lifted = suppressions.clone();
    assert!(!lifted.lift("two", &key("u")));
    assert!(lifted.lift("one", &key("u")));
    assert_eq!(lifted, Suppressions::default());
    let mut over = suppressions.clone();
    over.expire(at("2026-03-07T00:00:00Z"));
    assert_eq!(over, Suppressions::default());
    assert!(suppressions.forget(&key("u")));
    assert!(!suppressions.forget(&key("u")));
}

#[test]
fn scores_and_actions_become_one() {
    let rules = || {
        [
            Rule::new("a", "amount > 0", 0.6)
                .action(Action::Review)
                .weight(3.0),
            Rule::new("b", "amount > 0", 0.5)
                .action(Action::Approve)
                .priority(5)
                .weight(1.0),
            Rule::new("c", "amount < 0", 0.9)
                .action(Action::Decline)
                .weight(4.0),
            Rule::new("d", "amount > 0", 0.9)
                .action(Action::Decline)
                .state(RuleState::Shadow)
                .weight(4.0),
        ]
    };
    let report = |combination, conflict| {
        let set = RuleSet::new(rules())
            .combination(combination)
            .conflict(conflict);
        engine(&set).evaluate(ROW, &now()).unwrap()
    };
    let score = |combination| report(combination, Conflict::Strictest).risk_score.get();
    assert_eq!(score(Combination::Max), 0.6);
    assert_eq!(score(Combination::CappedSum), 1.0);
    assert!((score(Combination::NoisyOr) - 0.8).abs() < 1e-15);
    assert!((score(Combination::WeightedSum) - (0.6 * 3.0 + 0.5) / 8.0).abs() < 1e-15);
    let action = |conflict| report(Combination::Max, conflict).action;
    assert_eq!(action(Conflict::Strictest), Action::Review);
    assert_eq!(action(Conflict::First), Action::Approve);
    assert_eq!(action(Conflict::ApproveOverrides), Action::Approve);
    assert_eq!(
        report(Combination::Max, Conflict::Strictest).band,
        RiskBand::High
    );
    let nothing = engine(&RuleSet::new([])).evaluate(ROW, &now()).unwrap();
    assert_eq!(
        (nothing.risk_score.get(), nothing.action),
        (0.0, Action::Approve)
    );
}

#[test]
fn reasons_have_values_and_share_the_score() {
    let set = RuleSet::new([
        Rule::new("far", "distance > 1000km and country != 'FR'", 0.6)
            .reason("paid {distance} from home in {country} on a {category} site at {timestamp} {{{declined}}}"),
        Rule::new("plain", "amount > 100", 0.2).reason_code("AMT-1"),
    ])
    .combination(Combination::CappedSum);
    let engine = engine(&set);
    let report = engine.evaluate(ROW, &now()).unwrap();
    let reasons = engine.reasons(ROW, &report);
    assert_eq!(
        reasons[0].text,
        "paid 1200 km from home in DE on a travel site at 2026-03-06T23:30:00Z {true}"
    );
    assert_eq!(reasons[1].text, "amount > 100");
    assert_eq!(reasons[0].code.to_string(), "rules.far");
    assert_eq!(reasons[1].code.to_string(), "AMT-1");
    let names: Vec<&str> = reasons[0]
        .values
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["distance", "country"]);
    assert!((reasons[0].contribution - 0.6).abs() < 1e-12);
    assert!((reasons[1].contribution - 0.2).abs() < 1e-12);
}

#[test]
fn sets_that_cannot_be_used_are_errors() {
    let cases: [(RuleSet, &str); 10] = [
        (
            RuleSet::new([
                Rule::new("a", "amount > 1", 0.5),
                Rule::new("a", "amount > 1", 0.5),
            ]),
            "stands twice",
        ),
        (
            RuleSet::new([Rule::new("", "amount > 1", 0.5)]),
            "rule \"\"",
        ),
        (
            RuleSet::new([Rule::new("a", "amount > 1", 1.5)]),
            "`risk_score` must be from 0 to 1, got 1.5",
        ),
        (
            RuleSet::new([Rule::new("a", "amount > 1", f64::NAN)]),
            "`risk_score`",
        ),
        (
            RuleSet::new([Rule::new("a", "amount > 1", 0.5).weight(-1.0)]),
            "`weight`",
        ),
        (
            RuleSet::new([Rule::new("a", "amount > 1", 0.5).reason("{amout}")]),
            "did you mean `amount`?",
        ),
        (
            RuleSet::new([Rule::new("a", "amount > 1", 0.5).reason("{amount")]),
            "a brace stands alone",
        ),
        (
            RuleSet::new([
                Rule::new("a", "amount > 1", 0.5).effective(Some(now().at), Some(now().at))
            ]),
            "`effective_from` must be before",
        ),
        (
            RuleSet::new([]).list(RuleList::new("a b", ListKind::Block)),
            "list \"a b\"",
        ),
        (
            RuleSet::new((0..1001).map(|id| Rule::new(id.to_string(), "amount > 1", 0.5))),
            "at most 1000 rules",
        ),
    ];
    for (set, text) in cases {
        let error = set.compile(&schema()).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let set = RuleSet::new([
        Rule::new("one", "amout > 1", 0.5),
        Rule::new("two", "amount > 1km", 0.5),
    ]);
    let error = set.compile(&schema()).unwrap_err().to_string();
    assert!(
        error.contains("--> one:1:1") && error.contains("--> two:1:10"),
        "{error}"
    );
    assert!(
        "declin"
            .parse::<Action>()
            .unwrap_err()
            .to_string()
            .contains("did you mean \"decline\"?")
    );
    assert_eq!(
        "call_the_customer".parse::<Action>().unwrap().name(),
        "call_the_customer"
    );
}

/// A set in which every field is not as it is by default, changed in one of them.
fn changed(change: impl FnOnce(&mut RuleSet)) -> u64 {
    let user = EntityKey {
        kind: EntityKind::User,
        id: "u".parse().unwrap(),
    };
    let rule = Rule::new("a", "merchant in @l", 0.5)
        .tag("t")
        .reason("why")
        .reason_code("code")
        .effective(Some(at("2026-01-01T00:00:00Z")), Some(now().at));
    let list = RuleList::new("l", ListKind::Block).entry_because("x", Some(now().at), "known");
    let mut set = RuleSet::new([rule])
        .list(list)
        .currency("EUR".parse().unwrap())
        .rate("USD".parse().unwrap(), 0.9)
        .suppress("a", user, now().at);
    change(&mut set);
    set.hash()
}

#[test]
fn the_hash_changes_with_every_field() {
    type Change = fn(&mut RuleSet);
    let changes: [Change; 36] = [
        |_| {},
        |set| set.version = 2,
        |set| set.combination = Combination::NoisyOr,
        |set| set.conflict = Conflict::First,
        |set| set.bands = dafu_core::Bands::new(0.1, 0.2, 0.3).unwrap(),
        |set| set.currency = None,
        |set| set.currency = "USD".parse().ok(),
        |set| set.rates.clear(),
        |set| *set.rates.values_mut().next().unwrap() = 0.8,
        |set| set.rules.push(Rule::new("b", "amount > 1", 0.5)),
        |set| set.rules[0].id = "b".into(),
        |set| set.rules[0].condition = "merchant not in @l".into(),
        |set| set.rules[0].risk_score = 0.6,
        |set| set.rules[0].action = Action::Decline,
        |set| set.rules[0].version = 2,
        |set| set.rules[0].priority = -1,
        |set| set.rules[0].weight = 2.0,
        |set| set.rules[0].tags = vec!["t".into(), String::new()],
        |set| set.rules[0].reason_code = None,
        |set| set.rules[0].reason = None,
        |set| set.rules[0].group = dafu_core::FeatureGroup::Amount,
        |set| set.rules[0].effective_from = None,
        |set| set.rules[0].effective_until = None,
        |set| set.rules[0].effective_until = Timestamp::from_micros(-1).ok(),
        |set| set.rules[0].state = RuleState::Shadow,
        |set| set.rules[0].on_missing = OnMissing::Fire,
        |set| set.lists[0].name = "x".into(),
        |set| set.lists[0].kind = ListKind::Watch,
        |set| set.lists[0].ignore_case = true,
        |set| set.lists[0].entries[0].value = "y".into(),
        |set| set.lists[0].entries[0].reason = None,
        |set| set.lists[0].entries[0].until = None,
        |set| set.suppressions[0].rule = "b".into(),
        |set| set.suppressions[0].entity.kind = EntityKind::Card,
        |set| set.suppressions[0].entity.id = "v".parse().unwrap(),
        |set| set.suppressions[0].until = Timestamp::EPOCH,
    ];
    let mut hashes: Vec<u64> = changes.into_iter().map(changed).collect();
    assert_eq!(hashes[0], changed(|_| {}));
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len());
}

#[test]
fn the_hash_keeps_neighbours_apart() {
    let list = |name: &str| RuleList::new(name, ListKind::Block);
    let one = RuleSet::new([]).list(list("a").entry("x", Some(Timestamp::EPOCH)));
    let two = RuleSet::new([]).list(list("a")).list(list("x"));
    assert_ne!(one.hash(), two.hash());
}

#[test]
fn usual_names_of_actions_are_read_and_written_by_their_own() {
    for (names, action) in [
        (&["allow", "accept"][..], Action::Approve),
        (&["flag"], Action::FlagForReview),
        (&["step_up"], Action::AdditionalVerification),
        (&["manual_review"], Action::Review),
        (&["block", "deny", "reject"], Action::Decline),
    ] {
        for name in names {
            let read: Action = name.parse().unwrap();
            assert_eq!(read, action, "{name}");
            assert_eq!(read.to_string(), action.name());
            // As a custom one it would come back from a file as another.
            let custom = Rule::new("a", "amount > 3", 0.5).action(Action::Custom((*name).into()));
            assert!(RuleSet::new([custom]).compile(&schema()).is_err(), "{name}");
        }
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let rules = RuleSet::new([
        Rule::new("a", "amout > 3", 0.5),
        Rule::new("b", "amount > 3", 7.0),
        Rule::new("c", "cuntry == 'DE'", 0.5),
        Rule::new("c", "country in @twice", 0.5).reason("{nothing}"),
    ])
    .list(RuleList::new("twice", ListKind::Block))
    .list(RuleList::new("twice", ListKind::Allow));
    let error = rules.compile(&schema()).map(|_| ()).unwrap_err();
    let RuleError::Several(errors) = &error else {
        panic!("{error}");
    };
    assert_eq!(errors.len(), 5, "{error}");
    let text = error.to_string();
    for part in [
        "`risk_score` must be from 0 to 1, got 7",
        "did you mean `amount`?",
        "did you mean `country`?",
        "the id stands twice",
        "the name stands twice",
        "`reason`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // One thing alone is told as what it is.
    let one = RuleSet::new([Rule::new("b", "amount > 3", 7.0)]).compile(&schema());
    assert!(matches!(one, Err(RuleError::Rule { .. })));
}

#[test]
fn usual_names_are_read_in_any_case() {
    for (name, action) in [
        ("Block", Action::Decline),
        ("BLOCKED", Action::Decline),
        ("rejected", Action::Decline),
        ("manual-review", Action::Review),
        ("Step Up", Action::AdditionalVerification),
        ("allowed", Action::Approve),
        ("Decline", Action::Decline),
    ] {
        assert_eq!(name.parse::<Action>().unwrap(), action, "{name}");
    }
    for (name, near) in [
        ("blok", "block"),
        ("rejct", "reject"),
        ("aprove", "approve"),
    ] {
        let error = name.parse::<Action>().unwrap_err().to_string();
        assert!(error.contains(near), "{error}");
    }
}

#[test]
fn words_of_other_beginnings_are_custom_actions() {
    for name in ["log", "tag", "lock", "slack", "delay", "slow"] {
        assert_eq!(name.parse::<Action>().unwrap(), Action::Custom(name.into()));
    }
}
