//! What an engine remembers: split over several and put together, forgotten, and kept within its bounds.
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;

use dafu_core::{
    Currency, EntityId, EntityKey, EntityKind, Label, Money, Timestamp, Transaction, TransactionId,
};
use dafu_features::{
    Definition, Feature, FeatureEngine, FeatureError, FeatureSet, Field, Key, Labels, LatePolicy,
    Measure, Outcome, RecordKind, Span, StateLimits, Window,
};
use dafu_testkit::strategy::{START, busy_stream};
use oracle::scenario::{cases, sets};
use proptest::prelude::*;
use proptest::test_runner::Config;

const SECOND: i64 = 1_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// A payment of a euro, this many microseconds after the start.
fn tx(number: u32, user: &str, merchant: &str, after: i64) -> Transaction {
    Transaction::new(
        TransactionId::new(format!("t-{number}")).unwrap(),
        EntityId::new(user).unwrap(),
        Money::from_minor(100, Currency::new("EUR").unwrap()),
        EntityId::new(merchant).unwrap(),
        at(START + after),
    )
}

fn bits(row: &[f64]) -> Vec<u64> {
    row.iter().map(|value| value.to_bits()).collect()
}

fn observe(engine: &mut FeatureEngine, tx: &Transaction) -> Vec<u64> {
    bits(&engine.observe(tx).unwrap().row.values().to_vec())
}

fn user(name: &str) -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: EntityId::new(name).unwrap(),
    }
}

/// The set with every feature kept by user, alone or in a pair; late events are never too late.
fn by_user(mut set: FeatureSet) -> FeatureSet {
    for feature in &mut set.features {
        if let Definition::Window(window) = &mut feature.definition {
            let of = match &window.measure {
                Measure::IsNew { of } | Measure::Age { of } => Some(of.clone()),
                _ => None,
            };
            let fields = window.by.fields().cloned().chain(of);
            if !fields.into_iter().any(|field| field == Field::User) {
                window.by = Key::from(Field::User);
            }
        }
    }
    set.lateness(Span::days(3000), LatePolicy::Insert)
}

fn limited(set: FeatureSet, limits: StateLimits) -> FeatureSet {
    set.limits(limits)
}

/// Some windows by user, by merchant and by both.
fn windows() -> FeatureSet {
    let pair = Key::from(Field::User).and(Field::Merchant).unwrap();
    FeatureSet::new(RecordKind::Transaction)
        .feature(Window::new(Field::User, Measure::Count).within(Span::days(1)))
        .feature(Window::new(Field::User, Measure::SinceFirst))
        .feature(Window::new(pair, Measure::Count).within(Span::days(1)))
        .feature(Window::new(
            Field::User,
            Measure::IsNew {
                of: Field::Merchant,
            },
        ))
        .feature(Window::new(Field::Merchant, Measure::Count).within(Span::days(1)))
}

proptest! {
    #![proptest_config(Config { cases: cases(300), failure_persistence: None, ..Config::default() })]

    #[test]
    fn shards_by_user_give_the_rows_of_one_engine_and_merge_into_it(
        set in sets(),
        history in busy_stream(60),
        shards in 1..4_u32,
        cut in 0..60_usize,
        frauds in any::<u64>(),
    ) {
        let mut single = FeatureEngine::new(&by_user(set.0)).unwrap();
        let mut parts: Vec<_> = (0..shards).map(|_| single.fresh()).collect();
        let (before, after) = history.split_at(cut);
        for (number, tx) in before.iter().enumerate() {
            let shard = single.shard_of(tx, &Field::User, shards).unwrap();
            let part = &mut parts[shard as usize];
            prop_assert_eq!(observe(&mut single, tx), observe(part, tx));
            if frauds >> (number % 64) & 1 == 1 {
                single.label(tx, Label::Fraud, tx.timestamp).unwrap();
                part.label(tx, Label::Fraud, tx.timestamp).unwrap();
            }
        }
        let mut whole = single.fresh();
        for part in parts {
            whole.merge(part).unwrap();
        }
        prop_assert_eq!(whole.stats(), single.stats());
        prop_assert_eq!((whole.newest(), whole.entities()), (single.newest(), single.entities()));
        for tx in after.iter().chain(before.last()) {
            let (one, other) = (single.observe(tx).unwrap(), whole.observe(tx).unwrap());
            prop_assert_eq!(one.outcome, other.outcome);
            prop_assert_eq!(bits(&one.row.values().to_vec()), bits(&other.row.values().to_vec()));
        }
    }

    #[test]
    fn a_forgotten_user_is_new_again_and_others_are_as_before(
        set in sets(),
        history in busy_stream(60),
        cut in 0..59_usize,
    ) {
        let set = by_user(set.0).duplicates_within(Span::ZERO);
        let mut forgetful = FeatureEngine::new(&set).unwrap();
        let mut never = forgetful.fresh();
        let mut always = forgetful.fresh();
        let gone = user("u-1");
        let (before, after) = history.split_at(cut);
        let is_gone = |tx: &Transaction| tx.user_id == gone.id;
        for tx in before {
            observe(&mut forgetful, tx);
            observe(&mut always, tx);
            if !is_gone(tx) {
                observe(&mut never, tx);
            }
        }
        let known = always.entities() > never.entities();
        prop_assert_eq!(forgetful.forget(&gone), known);
        prop_assert_eq!(forgetful.entities(), never.entities());
        for tx in after {
            let row = observe(&mut forgetful, tx);
            prop_assert_eq!(&row, &observe(&mut never, tx));
            let as_before = observe(&mut always, tx);
            prop_assert!(is_gone(tx) || row == as_before);
        }
    }
}

#[test]
fn shards_are_spread_and_missing_values_belong_to_the_first() {
    let engine = FeatureEngine::new(&windows()).unwrap();
    let mut counts = [0; 4];
    for number in 0..400 {
        let tx = tx(number, &format!("u-{number}"), "m", 0);
        let shard = engine.shard_of(&tx, &Field::User, 4).unwrap();
        counts[shard as usize] += 1;
        assert_eq!(engine.shard_of(&tx, &Field::User, 4).unwrap(), shard);
        let without = engine.shard_of(&tx, &Field::Device, 4).unwrap();
        assert_eq!(without, engine.shard_of(&tx, &Field::Ip, 4).unwrap());
        assert_eq!(without, 0);
    }
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    let none = engine.shard_of(&tx(0, "u", "m", 0), &Field::User, 0);
    assert!(matches!(
        none,
        Err(FeatureError::OutOfRange {
            parameter: "shards",
            ..
        })
    ));
}

#[test]
fn engines_that_know_the_same_entity_are_not_merged_and_nothing_is_taken() {
    // Of another user, at a merchant that both know: what is kept by user would fit.
    let mut one = FeatureEngine::new(&windows()).unwrap();
    let mut other = one.fresh();
    observe(&mut one, &tx(0, "anna", "shop", 0));
    observe(&mut other, &tx(1, "ben", "shop", SECOND));
    let error = one.merge(other).unwrap_err();
    assert!(matches!(&error, FeatureError::Overlap { key } if key == "merchant"));
    let mut same = one.fresh();
    observe(&mut same, &tx(0, "anna", "shop", 0));
    assert_eq!((one.stats(), one.newest()), (same.stats(), same.newest()));
    assert_eq!(one.entities(), same.entities());
    for next in [
        tx(1, "ben", "shop", SECOND),
        tx(2, "anna", "shop", 2 * SECOND),
    ] {
        assert_eq!(observe(&mut one, &next), observe(&mut same, &next));
    }
}

#[test]
fn engines_of_different_sets_are_not_merged() {
    let mut one = FeatureEngine::new(&windows()).unwrap();
    let other = FeatureEngine::new(&windows().key(1)).unwrap();
    assert!(matches!(
        one.merge(other),
        Err(FeatureError::OtherSet { .. })
    ));
    let copy = one.fresh();
    one.merge(copy).unwrap();
}

#[test]
fn forgetting_reaches_the_pairs_of_an_entity_on_either_side() {
    for (kind, name) in [(EntityKind::User, "anna"), (EntityKind::Merchant, "shop")] {
        let mut engine = FeatureEngine::new(&windows()).unwrap();
        observe(&mut engine, &tx(0, "anna", "shop", 0));
        observe(&mut engine, &tx(1, "ben", "bar", 0));
        let before = engine.entities();
        let id = EntityId::new(name).unwrap();
        assert!(engine.forget(&EntityKey { kind, id }));
        // The entity itself and its pair.
        assert_eq!(engine.entities(), before - 2);
        let row = engine.observe(&tx(2, "anna", "shop", SECOND)).unwrap();
        let count = row.row.get("user_merchant_count_1d").unwrap();
        assert!((count - 1.0).abs() < 1e-9, "{count}");
    }
}

#[test]
fn forgetting_somebody_unknown_or_of_a_kind_without_events_says_so() {
    let mut engine = FeatureEngine::new(&windows()).unwrap();
    observe(&mut engine, &tx(0, "anna", "shop", 0));
    assert!(!engine.forget(&user("ben")));
    for kind in [EntityKind::Account, EntityKind::Device] {
        let id = EntityId::new("anna").unwrap();
        assert!(!engine.forget(&EntityKey { kind, id }));
    }
    assert!(!engine.forget_value(&Field::Ip, "no address"));
    assert!(engine.forget_value(&Field::User, "anna"));
    assert!(!engine.forget_value(&Field::User, "anna"));
}

#[test]
fn transactions_are_labelled_and_reversed_by_id_while_they_are_remembered() {
    let frauds = Window::new(Field::Merchant, Measure::FraudCount).within(Span::days(1));
    let limits = StateLimits {
        remembered_transactions: 2,
        ..StateLimits::default()
    };
    let mut engine = FeatureEngine::new(&limited(windows().feature(frauds), limits)).unwrap();
    for number in 0..3 {
        observe(
            &mut engine,
            &tx(number, "anna", "shop", i64::from(number) * SECOND),
        );
    }
    let id = |number: u32| TransactionId::new(format!("t-{number}")).unwrap();
    let now = at(START + 3 * SECOND);
    // The first has made room for the third.
    assert!(!engine.label_by_id(&id(0), Label::Fraud, now));
    assert!(engine.label_by_id(&id(1), Label::Fraud, now));
    assert!(engine.reverse_by_id(&id(2)));
    assert!(!engine.reverse_by_id(&id(2)));
    assert_eq!(
        (
            engine.stats().labels,
            engine.stats().reversed,
            engine.stats().unmatched
        ),
        (1, 1, 2)
    );
    let row = engine.observe(&tx(3, "anna", "shop", 3 * SECOND)).unwrap();
    let of = |name: &str| row.row.get(name).unwrap();
    assert!((of("user_count_1d") - 3.0).abs() < 1e-9);
    assert!((of("merchant_frauds_1d") - 1.0).abs() < 1e-9);
    assert!(engine.forget(&user("anna")));
    assert!(!engine.label_by_id(&id(3), Label::Fraud, now));
}

fn with_budget(bytes: u64) -> FeatureSet {
    let limits = StateLimits {
        memory_bytes: Some(bytes),
        ..StateLimits::default()
    };
    let set = limited(windows(), limits);
    set.duplicates_within(Span::ZERO)
}

#[test]
fn memory_stays_near_its_budget_for_an_endless_stream_of_new_entities() {
    let budget = 1 << 23;
    let mut engine = FeatureEngine::new(&with_budget(budget)).unwrap();
    let mut most = 0;
    for number in 0..100_000_u32 {
        let event = tx(
            number,
            &format!("u-{number}"),
            "shop",
            i64::from(number) * SECOND,
        );
        observe(&mut engine, &event);
        if number % 2000 == 1999 {
            most = most.max(engine.memory_bytes());
        }
    }
    engine.sweep();
    let budget = usize::try_from(budget).unwrap();
    let held = engine.memory_bytes();
    assert!(held <= budget, "{held} bytes");
    // Each event made a user and a pair, and the first the merchant.
    let gone = engine.stats().evicted_entities;
    assert_eq!(gone + engine.entities() as u64, 200_001);
    assert!(most <= 2 * budget, "{most} bytes of {budget}");
}

#[test]
fn what_a_batch_drops_for_the_budget_is_counted() {
    let budget = 1 << 22;
    let mut engine = FeatureEngine::new(&with_budget(budget)).unwrap();
    let events: Vec<Transaction> = (0..60_000_u32)
        .map(|number| {
            let at = i64::from(number) * SECOND;
            tx(number, &format!("u-{number}"), "shop", at)
        })
        .collect();
    for some in events.chunks(5_000) {
        engine.observe_all(some).unwrap();
    }
    engine.sweep();
    assert!(engine.memory_bytes() as u64 <= budget);
    // Each event made a user and a pair, and the first the merchant.
    let gone = engine.stats().evicted_entities;
    assert!(gone > 0);
    assert_eq!(gone + engine.entities() as u64, 120_001);
}

#[test]
fn entities_in_use_are_never_the_ones_evicted() {
    let mut small = FeatureEngine::new(&with_budget(1 << 19)).unwrap();
    let mut large = FeatureEngine::new(&with_budget(1 << 30)).unwrap();
    for number in 0..30_000_u32 {
        // Ten regular customers between strangers.
        let regular = number % 10 == 0;
        let name = if regular {
            format!("r-{}", number / 10 % 10)
        } else {
            format!("u-{number}")
        };
        let event = tx(number, &name, "shop", i64::from(number) * SECOND);
        let (got, expected) = (observe(&mut small, &event), observe(&mut large, &event));
        assert_eq!(got, expected, "{name}");
    }
    assert!(small.stats().evicted_entities > 10_000);
    assert_eq!(large.stats().evicted_entities, 0);
}

#[test]
fn an_evicted_entity_is_new_again() {
    let mut engine = FeatureEngine::new(&with_budget(20_000)).unwrap();
    observe(&mut engine, &tx(0, "anna", "shop", 0));
    for number in 1..200 {
        observe(&mut engine, &tx(number, &format!("u-{number}"), "bar", 0));
    }
    engine.sweep();
    assert!(engine.stats().evicted_entities > 0);
    let again = tx(200, "anna", "shop", SECOND);
    let got = observe(&mut engine, &again);
    assert_eq!(got, observe(&mut engine.fresh(), &again));
}

#[test]
fn memory_is_told_apart_by_key() {
    let mut engine = FeatureEngine::new(&windows()).unwrap();
    for number in 0..100 {
        observe(&mut engine, &tx(number, &format!("u-{number}"), "shop", 0));
    }
    let (user, merchant) = (Key::from(Field::User), Key::from(Field::Merchant));
    let pair = user.and(Field::Merchant).unwrap();
    let of = |key: &Key| engine.memory_bytes_of(key);
    assert!(of(&user) > 10 * of(&merchant));
    assert!(of(&user) + of(&merchant) + of(&pair) <= engine.memory_bytes());
    assert_eq!(of(&Key::from(Field::Device)), 0);
}

#[test]
fn an_entity_is_new_again_after_more_than_its_time_to_live_and_not_before() {
    let ttl = Span::seconds(10);
    let limits = StateLimits {
        ttl: Some(ttl),
        ..StateLimits::default()
    };
    for (gap, is_new) in [(10 * SECOND, false), (10 * SECOND + 1, true)] {
        for sweep in [false, true] {
            let mut mortal = FeatureEngine::new(&limited(windows(), limits)).unwrap();
            let mut immortal = FeatureEngine::new(&windows()).unwrap();
            let first = tx(0, "anna", "shop", 0);
            assert_eq!(observe(&mut mortal, &first), observe(&mut immortal, &first));
            if sweep {
                mortal.sweep();
            }
            let second = tx(1, "anna", "shop", gap);
            let fresh = observe(&mut mortal.fresh(), &second);
            let expected = if is_new {
                fresh
            } else {
                observe(&mut immortal, &second)
            };
            assert_eq!(observe(&mut mortal, &second), expected);
            // User, pair and merchant.
            assert_eq!(mortal.stats().expired_entities, if is_new { 3 } else { 0 });
        }
    }
}

#[test]
fn sweeping_forgets_what_no_event_that_may_still_come_can_find() {
    let limits = StateLimits {
        ttl: Some(Span::seconds(10)),
        ..StateLimits::default()
    };
    let set = limited(windows(), limits).lateness(Span::seconds(5), LatePolicy::Insert);
    let mut engine = FeatureEngine::new(&set).unwrap();
    observe(&mut engine, &tx(0, "anna", "shop", 0));
    observe(&mut engine, &tx(1, "ben", "bar", 15 * SECOND));
    engine.sweep();
    assert_eq!(engine.entities(), 6);
    // An event of ten seconds after the first may still come.
    let late = tx(2, "anna", "shop", 10 * SECOND);
    let seen = engine.observe(&late).unwrap();
    assert_eq!(seen.outcome, Outcome::Inserted);
    assert!((seen.row.get("user_count_1d").unwrap() - 2.0).abs() < 1e-9);
    observe(&mut engine, &tx(3, "ben", "bar", 25 * SECOND));
    engine.sweep();
    assert_eq!(engine.entities(), 6);
    observe(&mut engine, &tx(4, "ben", "bar", 26 * SECOND));
    engine.sweep();
    assert_eq!(engine.entities(), 3);
    assert_eq!(engine.stats().expired_entities, 3);
}

#[test]
fn sweeping_changes_nothing_for_events_that_come_too_late_or_again() {
    let limits = StateLimits {
        ttl: Some(Span::seconds(10)),
        ..StateLimits::default()
    };
    let set = limited(windows(), limits).lateness(Span::seconds(5), LatePolicy::Insert);
    let new = observe(
        &mut FeatureEngine::new(&set).unwrap(),
        &tx(0, "anna", "shop", 0),
    );
    // At 15 s an event of 10 s may still come that finds anna; at 16 s none may.
    for (newest, known) in [(15, true), (16, false)] {
        let mut engine = FeatureEngine::new(&set).unwrap();
        observe(&mut engine, &tx(0, "anna", "shop", 0));
        observe(&mut engine, &tx(1, "anna", "shop", 0));
        observe(&mut engine, &tx(2, "ben", "bar", newest * SECOND));
        let mut swept = engine.clone();
        swept.sweep();
        assert_eq!(swept.entities() < engine.entities(), !known);
        let (too_late, again) = (tx(3, "anna", "shop", 2 * SECOND), tx(1, "anna", "shop", 0));
        for (event, outcome) in [(too_late, Outcome::TooLate), (again, Outcome::Duplicate)] {
            let mut peeked = vec![0.0; engine.schema().width()];
            engine.peek(&event, &mut peeked).unwrap();
            let seen = engine.observe(&event).unwrap();
            assert_eq!(seen.outcome, outcome);
            let row = bits(&seen.row.values().to_vec());
            assert_eq!(bits(&peeked), row);
            assert_eq!(observe(&mut swept, &event), row);
            assert_eq!(row == new, !known, "{outcome:?} at {newest} s");
        }
    }
}

#[test]
fn a_copy_goes_on_by_itself() {
    let set = windows().labels(Labels::Events);
    let named = Feature::from(Window::new(Field::User, Measure::SinceLast)).named("since");
    let mut engine = FeatureEngine::new(&set.feature(named)).unwrap();
    observe(&mut engine, &tx(0, "anna", "shop", 0));
    let mut copy = engine.clone();
    let next = tx(1, "anna", "shop", SECOND);
    let expected = observe(&mut engine, &next);
    observe(&mut engine, &tx(2, "anna", "shop", 2 * SECOND));
    assert_eq!(observe(&mut copy, &next), expected);
    assert_eq!(copy.stats().observed, 2);
}

#[test]
fn a_merged_engine_knows_the_transactions_and_ids_of_both() {
    let limits = StateLimits {
        remembered_transactions: 10,
        ..StateLimits::default()
    };
    let set = limited(
        FeatureSet::new(RecordKind::Transaction)
            .feature(Window::new(Field::User, Measure::Count).within(Span::days(1))),
        limits,
    );
    let mut one = FeatureEngine::new(&set).unwrap();
    let mut other = one.fresh();
    let (anna, ben) = (tx(0, "anna", "shop", 0), tx(1, "ben", "shop", SECOND));
    observe(&mut one, &anna);
    observe(&mut other, &ben);
    one.merge(other).unwrap();
    assert_eq!(one.newest(), Some(ben.timestamp));
    for tx in [&anna, &ben] {
        assert_eq!(one.observe(tx).unwrap().outcome, Outcome::Duplicate);
        assert!(one.reverse_by_id(&tx.transaction_id));
    }
}
