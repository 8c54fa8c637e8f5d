//! What a set decides about one event: voices, silence, missing values, currencies, lists.
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

use dafu_core::{
    Currency, Decision, EntityKey, EntityKind, Money, ReasonValue, RuleOutcome, Timestamp,
    Transaction, Unit,
};
use dafu_rules::{
    Action, Columns, Combination, Condition, Conflict, ListKind, Moment, OnMissing, Row, Rule,
    RuleEngine, RuleError, RuleList, RuleSchema, RuleSet, RuleState, Suppressions, TextColumn,
    TransactionRow, Truth, Variable,
};
use ndarray::Array2;
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

fn fires(action: Action) -> Rule {
    Rule::new(action.name(), "amount > 0", 0.5).action(action)
}

fn user(id: &str) -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: id.parse().unwrap(),
    }
}

#[test]
fn the_decision_is_the_strictest_of_all_rules_that_fire() {
    use Action::{AdditionalVerification, Approve, Challenge, Decline, FlagForReview, Review};
    let custom = || Action::Custom("notify".into());
    let decision = |conflict, actions: &[Action]| {
        let set = RuleSet::new(actions.iter().cloned().map(fires)).conflict(conflict);
        let engine = engine(&set);
        let report = engine.evaluate(ROW, &now()).unwrap();
        engine.decision(&report)
    };
    let strictest = |actions: &[Action]| decision(Conflict::Strictest, actions);
    assert_eq!(strictest(&[]), None);
    assert_eq!(strictest(&[custom()]), Some(Decision::Review));
    assert_eq!(strictest(&[Decline, custom()]), Some(Decision::Decline));
    assert_eq!(strictest(&[Approve, custom()]), Some(Decision::Approve));
    assert_eq!(
        strictest(&[AdditionalVerification, Review]),
        Some(Decision::Challenge)
    );
    assert_eq!(strictest(&[FlagForReview]), Some(Decision::Review));
    // One rule more never makes it milder.
    for more in Action::ALL.into_iter().chain([custom()]) {
        for less in [Decline, Challenge, Review, FlagForReview] {
            let both = [less.clone(), more.clone()];
            if more != less {
                assert!(strictest(&both) >= strictest(&[less]), "{both:?}");
            }
        }
    }
    let first = |actions: &[Action]| decision(Conflict::First, actions);
    assert_eq!(first(&[Review, Decline]), Some(Decision::Review));
    assert_eq!(first(&[custom(), Decline]), Some(Decision::Decline));
    let overrides = |actions: &[Action]| decision(Conflict::ApproveOverrides, actions);
    assert_eq!(overrides(&[Decline, Approve]), Some(Decision::Approve));
    assert_eq!(
        overrides(&[AdditionalVerification, Review]),
        Some(Decision::Challenge)
    );
}

#[test]
fn the_last_moment_there_is_belongs_to_rules_without_an_end() {
    let rule = |id: &str, until| Rule::new(id, "amount > 1", 0.5).effective(None, until);
    let set = RuleSet::new([
        rule("for ever", None),
        rule("until then", Some(Timestamp::MAX)),
        rule("never", Some(Timestamp::MIN)),
        rule("draft", None).state(RuleState::Draft),
    ]);
    let schema = RuleSchema::new([Variable::number("amount", Unit::Money)]).unwrap();
    let engine = set.compile(&schema).unwrap();
    for moment in [Timestamp::MIN, Timestamp::EPOCH, Timestamp::MAX] {
        let row = Row {
            numbers: &[2.0],
            texts: &[],
        };
        let report = engine.evaluate(row, &Moment::at(moment)).unwrap();
        let times = [moment];
        let amounts = ndarray::arr1(&[2.0]);
        let columns = Columns::new(1).times(&times).unwrap();
        let columns = columns.number(amounts.view()).unwrap();
        let batch = engine.evaluate_columns(&columns).unwrap();
        for (place, rule) in set.rules.iter().enumerate() {
            let expected = if rule.in_force(moment) {
                RuleOutcome::Fired
            } else {
                RuleOutcome::Inactive
            };
            assert_eq!(report.outcomes[place], expected, "{} {moment}", rule.id);
            assert_eq!(batch.outcome(place, 0), expected, "{} {moment}", rule.id);
        }
    }
}

#[test]
fn rules_without_a_say_stop_nothing_where_values_are_missing() {
    let strict = |id: &str| Rule::new(id, "amount > 1", 0.5).on_missing(OnMissing::Error);
    let mut numbers = NUMBERS;
    numbers[0] = f64::NAN;
    let row = Row {
        numbers: &numbers,
        texts: &TEXTS,
    };
    let other = || Rule::new("other", "distance > 1", 0.5);
    let watching = RuleSet::new([strict("strict").state(RuleState::Shadow), other()]);
    let watching = engine(&watching);
    let expected = [RuleOutcome::NotEvaluated, RuleOutcome::Fired];
    assert_eq!(watching.evaluate(row, &now()).unwrap().outcomes, expected);
    let matrix = Array2::from_shape_vec((1, numbers.len()), numbers.to_vec()).unwrap();
    let texts = TEXTS.map(|text| [text]);
    let mut columns = Columns::new(1);
    for slot in 0..numbers.len() {
        columns = columns.number(matrix.column(slot)).unwrap();
    }
    for text in &texts {
        columns = columns.text(TextColumn::Texts(text)).unwrap();
    }
    let batch = watching.evaluate_columns(&columns).unwrap();
    assert_eq!([0, 1].map(|rule| batch.outcome(rule, 0)), expected);

    let active = engine(&RuleSet::new([strict("strict"), other()]));
    assert!(matches!(
        active.evaluate(row, &now()),
        Err(RuleError::Missing { .. })
    ));
    let mut suppressions = Suppressions::default();
    suppressions.suppress("strict", user("u"), at("2027-01-01T00:00:00Z"));
    let entities = [user("u")];
    let silenced = now().suppressed(&suppressions, &entities);
    assert_eq!(active.evaluate(row, &silenced).unwrap().outcomes, expected);
}

#[test]
fn only_rules_that_were_asked_share_the_weights() {
    let set = RuleSet::new([
        Rule::new("fired", "distance > 1", 1.0),
        Rule::new("did not", "distance < 1", 1.0),
        Rule::new("not known", "amount > 1", 1.0),
        Rule::new("silent", "distance > 2", 1.0),
    ])
    .combination(Combination::WeightedSum)
    .suppress("silent", user("u"), at("2027-01-01T00:00:00Z"));
    let engine = engine(&set);
    let mut numbers = NUMBERS;
    numbers[0] = f64::NAN;
    let row = Row {
        numbers: &numbers,
        texts: &TEXTS,
    };
    let score = |moment: &Moment<'_>| engine.evaluate(row, moment).unwrap().risk_score.get();
    assert_eq!(score(&now()), 2.0 / 3.0);
    let entities = [user("u")];
    assert_eq!(score(&now().entities(&entities)), 0.5);
    let matrix = Array2::from_shape_vec((1, numbers.len()), numbers.to_vec()).unwrap();
    let texts = TEXTS.map(|text| [text]);
    let mut columns = Columns::new(1);
    for slot in 0..numbers.len() {
        columns = columns.number(matrix.column(slot)).unwrap();
    }
    for text in &texts {
        columns = columns.text(TextColumn::Texts(text)).unwrap();
    }
    let batch = engine.evaluate_columns(&columns).unwrap();
    assert_eq!(engine.decisions(&batch).risk_scores, [2.0 / 3.0]);
}

#[test]
fn sets_silence_rules_for_those_who_take_part() {
    let until = at("2026-03-07T00:00:00Z");
    let set = RuleSet::new([Rule::new("one", "amount > 0", 0.9)]).suppress("one", user("u"), until);
    let engine = engine(&set);
    let outcome = |id: &str, moment: Timestamp| {
        let entities = [user(id)];
        let moment = Moment::at(moment).entities(&entities);
        engine.evaluate(ROW, &moment).unwrap().outcomes[0]
    };
    assert_eq!(outcome("u", now().at), RuleOutcome::Suppressed);
    assert_eq!(outcome("v", now().at), RuleOutcome::Fired);
    assert_eq!(outcome("u", until), RuleOutcome::Fired);
    // Those of the moment come beside them.
    let mut more = Suppressions::default();
    more.suppress("one", user("v"), until);
    let entities = [user("v")];
    let moment = now().suppressed(&more, &entities);
    let report = engine.evaluate(ROW, &moment).unwrap();
    assert_eq!(report.outcomes, [RuleOutcome::Suppressed]);
    let unknown = RuleSet::new([]).suppress("two", user("u"), until);
    assert!(matches!(
        unknown.compile(&schema()),
        Err(RuleError::UnknownRule { id }) if id == "two"
    ));
}

#[test]
fn a_sooner_moment_does_not_end_a_silence() {
    let mut suppressions = Suppressions::default();
    let (soon, late) = (at("2026-03-07T00:00:00Z"), at("2026-03-09T00:00:00Z"));
    let between = at("2026-03-08T00:00:00Z");
    suppressions.suppress("one", user("u"), late);
    suppressions.suppress("one", user("u"), soon);
    assert!(suppressions.is_suppressed("one", &[user("u")], between));
    suppressions.lift("one", &user("u"));
    suppressions.suppress("one", user("u"), soon);
    assert!(!suppressions.is_suppressed("one", &[user("u")], between));
}

fn payment(minor: i64, currency: &str) -> Transaction {
    Transaction::new(
        "t-1".parse().unwrap(),
        "u-1".parse().unwrap(),
        Money::from_minor(minor, Currency::new(currency).unwrap()),
        "m-1".parse().unwrap(),
        now().at,
    )
}

#[test]
fn amounts_are_compared_in_the_currency_of_the_schema() {
    let euro = Currency::new("EUR").unwrap();
    let yen = Currency::new("JPY").unwrap();
    let own = RuleSchema::transaction().currency(euro).rate(yen, 0.006);
    let own = own.unwrap();
    let condition = Condition::parse("amount > 500 EUR").unwrap();
    // A set brings its currency to a schema that has none.
    let set = RuleSet::new([Rule::new("r", "amount > 500 EUR", 0.5)])
        .currency(euro)
        .rate(yen, 0.006);
    let engine = set.compile(&RuleSchema::transaction()).unwrap();
    let cases = [
        (payment(60_000, "EUR"), Truth::True),
        (payment(1_000, "JPY"), Truth::False),
        (payment(100_000, "JPY"), Truth::True),
        (payment(60_000, "USD"), Truth::Unknown),
        // Nobody said in which currency it is.
        (payment(60_000, "XXX"), Truth::True),
    ];
    for (payment, expected) in cases {
        let mut buffer = String::new();
        let row = TransactionRow::new(&payment, &own, &mut buffer);
        let compiled = condition.compile(&own).unwrap();
        assert_eq!(compiled.truth(row.row()).unwrap(), expected, "{payment:?}");
        let mut buffer = String::new();
        let row = TransactionRow::new(&payment, engine.schema(), &mut buffer);
        let truth = engine.truth_by_tree("r", row.row(), now().at).unwrap();
        assert_eq!(truth, expected, "{payment:?}");
    }
    let wrong = set.rate(yen, -1.0).compile(&RuleSchema::transaction());
    assert!(matches!(wrong, Err(RuleError::Rate { .. })));
}

#[test]
fn platform_names_stand_for_windows_where_nothing_else_has_them() {
    let rules = RuleSet::new([Rule::new("r", "transactions_per_hour > 10/h", 0.5)]);
    let engine = rules.compile(&RuleSchema::transaction()).unwrap();
    let call: Condition = "count(tx, by=user, within=1h)".parse().unwrap();
    assert_eq!(engine.windows(), call.windows(|_| false));
    let condition = Condition::parse("transactions_per_hour > 10").unwrap();
    assert_eq!(condition.windows(|_| false), engine.windows());
    assert_eq!(
        condition.windows(|name| name == "transactions_per_hour"),
        []
    );
    let named = RuleSchema::new([Variable::number("transactions_per_hour", Unit::PerHour)]);
    assert_eq!(rules.compile(&named.unwrap()).unwrap().windows(), []);
}

#[test]
fn addresses_are_found_in_lists_however_they_are_written() {
    let soon = at("2026-03-07T00:00:00Z");
    let list = RuleList::new("blocked", ListKind::Block)
        .entry("10.0.0.0/8", Some(soon))
        .entry_because("10.1.2.3", None, "used by a ring")
        .entry("2001:DB8:0::1", None)
        .entry("2001:db8:1::/48", None)
        .entry("no address", None);
    let set = RuleSet::new([list.rule("ip")]).list(list);
    let engine = engine(&set);
    let report = |ip: Option<&str>, at: Timestamp| {
        let texts = [Some("DE"), Some("m"), ip];
        let row = Row {
            numbers: &NUMBERS,
            texts: &texts,
        };
        engine.evaluate(row, &Moment::at(at)).unwrap().outcomes[0]
    };
    use RuleOutcome::{Fired, NotEvaluated, NotFired};
    let cases = [
        (Some("10.200.0.1"), Fired, NotFired),
        (Some("10.1.2.3"), Fired, Fired),
        (Some("::ffff:10.1.2.3"), Fired, Fired),
        (Some("2001:db8::1"), Fired, Fired),
        (Some("2001:0db8:0001:ffff::9"), Fired, Fired),
        (Some("2001:db8:2::9"), NotFired, NotFired),
        (Some("11.0.0.1"), NotFired, NotFired),
        (Some("no address"), NotEvaluated, NotEvaluated),
        (None, NotEvaluated, NotEvaluated),
    ];
    for (ip, before, after) in cases {
        assert_eq!(report(ip, now().at), before, "{ip:?}");
        assert_eq!(report(ip, soon), after, "{ip:?}");
    }
}

#[test]
fn lists_hold_the_addresses_that_sets_of_them_hold() {
    let blocks = [
        "10.0.0.0/8",
        "0.0.0.0/0",
        "255.255.255.255",
        "::/0",
        "::ffff:0:0/90",
        "::ffff:10.0.0.0/104",
        "2001:db8::/32",
        "ffff::/16",
    ];
    let addresses = [
        "10.1.2.3",
        "11.0.0.0",
        "255.255.255.255",
        "::",
        "::ffff:10.1.2.3",
        "2001:db8:0::1",
        "ffff::1",
    ];
    for block in blocks {
        let list = RuleList::new("l", ListKind::Block).entry(block, None);
        let set = RuleSet::new([
            Rule::new("list", "ip in @l", 0.5),
            Rule::new("set", format!("ip in ['{block}']"), 0.5),
        ]);
        let engine = engine(&set.list(list));
        for address in addresses {
            let row = Row {
                numbers: &NUMBERS,
                texts: &[None, Some("m"), Some(address)],
            };
            let outcomes = engine.evaluate(row, &now()).unwrap().outcomes;
            assert_eq!(outcomes[0], outcomes[1], "{address} in {block}");
        }
    }
}

#[test]
fn reasons_say_why_somebody_is_in_a_list() {
    let list = RuleList::new("watched", ListKind::Watch)
        .entry_because("Book-Shop 24", None, "many complaints")
        .entry_because("Book-Shop 24", Some(now().at), "over");
    let set = RuleSet::new([list.rule("merchant")]).list(list);
    let engine = engine(&set);
    let report = engine.evaluate(ROW, &now()).unwrap();
    let reasons = engine.reasons(ROW, &report);
    let text = |text: &str| ReasonValue::Text(text.into());
    assert_eq!(
        reasons[0].values,
        [
            ("merchant".to_owned(), text("Book-Shop 24")),
            ("@watched".to_owned(), text("many complaints")),
        ]
    );
    let odd = RuleList::new("l", ListKind::Block).rule("odd name");
    assert_eq!(odd.condition, "`odd name` in @l");
}

#[test]
fn reasons_show_windows() {
    let call = "count(tx, by=user, within=1h)";
    let schema = RuleSchema::new([Variable::number("amount", Unit::Money)]).unwrap();
    let rule = Rule::new("r", format!("amount > 5 and {call} > 2"), 0.5);
    let set = RuleSet::new([rule
        .clone()
        .reason("{count(tx, by=user, within=60min)} payments, {amount}")]);
    let engine = set.compile(&schema).unwrap();
    let row = Row {
        numbers: &[10.0, 3.0],
        texts: &[],
    };
    let report = engine.evaluate(row, &now()).unwrap();
    let reason = &engine.reasons(row, &report)[0];
    assert_eq!(reason.text, "3 payments, 10");
    let number = |name: &str, number| (name.to_owned(), ReasonValue::Number(number));
    assert_eq!(reason.values, [number("amount", 10.0), number(call, 3.0)]);
    let other = RuleSet::new([rule.reason("{count(tx, by=card, within=1h)}")]);
    let error = other.compile(&schema).unwrap_err().to_string();
    assert!(error.contains("no condition asks for"), "{error}");
}
