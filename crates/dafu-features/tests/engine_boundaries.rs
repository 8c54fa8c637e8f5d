//! The ends of windows, ties, times below a second, and what the engine refuses.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{
    BehaviorEvent, Currency, DailySummary, EntityId, Money, Timestamp, Transaction, TransactionId,
    Value,
};
use dafu_features::{
    Feature, FeatureEngine, FeatureError, FeatureSet, Field, LatePolicy, Measure, Outcome,
    Quantity, RecordKind, Span, Window,
};
use std::collections::BTreeMap;

const START: i64 = 1_704_067_200_000_000;
const SECOND: i64 = 1_000_000;
/// 2^53 ten-thousandths in cents of a currency with two decimals, rounded down.
const LARGEST_CENTS: i64 = (1 << 53) / 100;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn euros(cents: i64) -> Money {
    Money::from_minor(cents, Currency::new("EUR").unwrap())
}

/// A payment of one euro by one user, this many microseconds after the start.
fn tx(number: u32, after: i64) -> Transaction {
    let number = TransactionId::new(format!("t-{number}")).unwrap();
    Transaction::new(number, id("u"), euros(100), id("m"), at(START + after))
}

fn count(within: Span) -> Window {
    Window::new(Field::User, Measure::Count).within(within)
}

fn set(windows: impl IntoIterator<Item = Window>) -> FeatureSet {
    FeatureSet::new(RecordKind::Transaction).features(windows)
}

fn engine(windows: impl IntoIterator<Item = Window>) -> FeatureEngine {
    FeatureEngine::new(&set(windows)).unwrap()
}

#[track_caller]
fn check(engine: &mut FeatureEngine, tx: &Transaction, expected: &[f64]) {
    let row = engine.observe(tx).unwrap().row.values().to_vec();
    assert_eq!(row.len(), expected.len());
    for (place, (got, expected)) in row.iter().zip(expected).enumerate() {
        let same = (got.is_nan() && expected.is_nan()) || (got - expected).abs() < 1e-9;
        assert!(same, "feature {place} is {got}, expected {expected}");
    }
}

#[test]
fn an_event_exactly_as_old_as_the_window_is_long_is_out_and_a_microsecond_younger_in() {
    let windows = || {
        let others = Feature::from(count(Span::seconds(1)).include_self(false)).named("others");
        set([count(Span::seconds(1))]).feature(others)
    };
    let mut exactly = FeatureEngine::new(&windows()).unwrap();
    check(&mut exactly, &tx(0, 0), &[1.0, 0.0]);
    check(&mut exactly, &tx(1, SECOND), &[1.0, 0.0]);
    let mut younger = FeatureEngine::new(&windows()).unwrap();
    check(&mut younger, &tx(0, 0), &[1.0, 0.0]);
    check(&mut younger, &tx(1, SECOND - 1), &[2.0, 1.0]);
}

#[test]
fn an_event_exactly_as_old_as_the_delay_is_in_and_a_microsecond_younger_out() {
    let delayed = || [count(Span::seconds(5)).delay(Span::seconds(1))];
    let mut exactly = engine(delayed());
    check(&mut exactly, &tx(0, 0), &[0.0]);
    check(&mut exactly, &tx(1, SECOND), &[1.0]);
    let mut younger = engine(delayed());
    check(&mut younger, &tx(0, 0), &[0.0]);
    check(&mut younger, &tx(1, SECOND - 1), &[0.0]);
}

#[test]
fn the_far_end_of_a_delayed_window_is_open() {
    let mut engine = engine([count(Span::seconds(5)).delay(Span::seconds(1))]);
    check(&mut engine, &tx(0, 0), &[0.0]);
    check(&mut engine, &tx(1, 6 * SECOND - 1), &[1.0]);
    check(&mut engine, &tx(2, 6 * SECOND), &[0.0]);
}

#[test]
fn events_of_one_time_see_those_that_came_before_them() {
    let last = Window::new(Field::User, Measure::Last { k: 1 });
    let since = Window::new(Field::User, Measure::SinceLast);
    let mut engine = engine([count(Span::seconds(1)), last, since]);
    for (number, amount) in [300, 200, 500].into_iter().enumerate() {
        let mut tx = tx(u32::try_from(number).unwrap(), 7);
        tx.amount = euros(amount);
        let expected = match number {
            0 => [1.0, f64::NAN, f64::NAN],
            1 => [2.0, 3.0, 0.0],
            _ => [3.0, 2.0, 0.0],
        };
        check(&mut engine, &tx, &expected);
    }
}

#[test]
fn a_window_of_a_microsecond_holds_the_events_of_one_time() {
    let mut engine = engine([count(Span::from_micros(1).unwrap())]);
    check(&mut engine, &tx(0, 0), &[1.0]);
    check(&mut engine, &tx(1, 0), &[2.0]);
    check(&mut engine, &tx(2, 1), &[1.0]);
    check(&mut engine, &tx(3, 3), &[1.0]);
    check(&mut engine, &tx(4, 3), &[2.0]);
}

#[test]
fn a_late_event_reads_its_own_past_and_later_events_find_it_in_its_place() {
    let last = Window::new(Field::User, Measure::Last { k: 1 });
    let mut engine = engine([count(Span::seconds(10)), last]);
    let paid = |number, after, cents| {
        let mut tx = tx(number, after);
        tx.amount = euros(cents);
        tx
    };
    check(&mut engine, &paid(0, 0, 100), &[1.0, f64::NAN]);
    check(&mut engine, &paid(1, 5 * SECOND, 200), &[2.0, 1.0]);
    let late = paid(2, 5 * SECOND - 1, 300);
    assert_eq!(engine.observe(&late).unwrap().outcome, Outcome::Inserted);
    // Of one time with an event that came before: behind it.
    check(&mut engine, &paid(3, 5 * SECOND - 1, 400), &[3.0, 3.0]);
    check(&mut engine, &paid(4, 5 * SECOND, 500), &[5.0, 2.0]);
    check(&mut engine, &paid(5, 10 * SECOND, 600), &[5.0, 5.0]);
}

#[test]
fn a_late_event_beyond_the_bound_is_read_and_not_remembered() {
    let set = set([count(Span::days(1))]).lateness(Span::seconds(10), LatePolicy::Insert);
    let mut engine = FeatureEngine::new(&set).unwrap();
    check(&mut engine, &tx(0, 20 * SECOND), &[1.0]);
    let outcome = |engine: &mut FeatureEngine, tx| engine.observe(&tx).unwrap().outcome;
    assert_eq!(outcome(&mut engine, tx(1, 10 * SECOND)), Outcome::Inserted);
    for _ in 0..2 {
        // Not even its id is remembered.
        assert_eq!(
            outcome(&mut engine, tx(2, 10 * SECOND - 1)),
            Outcome::TooLate
        );
    }
    check(&mut engine, &tx(3, 20 * SECOND), &[3.0]);
    assert_eq!((engine.stats().inserted, engine.stats().too_late), (1, 2));
}

#[test]
fn a_set_that_drops_late_events_remembers_none() {
    let set = set([count(Span::days(1))]).lateness(Span::hours(1), LatePolicy::Drop);
    let mut engine = FeatureEngine::new(&set).unwrap();
    check(&mut engine, &tx(0, SECOND), &[1.0]);
    assert_eq!(engine.observe(&tx(1, 0)).unwrap().outcome, Outcome::TooLate);
    check(&mut engine, &tx(2, SECOND), &[2.0]);
}

#[test]
fn a_set_that_refuses_late_events_says_so_and_remembers_nothing_of_them() {
    let set = set([count(Span::days(1))]).lateness(Span::hours(1), LatePolicy::Error);
    let mut engine = FeatureEngine::new(&set).unwrap();
    check(&mut engine, &tx(0, SECOND), &[1.0]);
    let error = engine.observe(&tx(1, SECOND - 1)).unwrap_err();
    assert!(matches!(error, FeatureError::Late { .. }), "{error}");
    // An event of the newest time is not late, and the id is free.
    check(&mut engine, &tx(1, SECOND), &[2.0]);
    assert_eq!((engine.stats().refused, engine.stats().observed), (1, 2));
}

#[test]
fn what_is_refused_is_counted_in_stream_and_in_batch() {
    let sum = Window::new(Field::User, Measure::Sum).within(Span::days(1));
    let set = set([sum]).lateness(Span::hours(1), LatePolicy::Error);
    let mut engine = FeatureEngine::new(&set).unwrap();
    let mut too_large = tx(1, SECOND);
    too_large.amount = euros(LARGEST_CENTS + 1);
    engine.observe(&tx(0, SECOND)).unwrap();
    engine.observe(&too_large).unwrap_err();
    engine.observe_all(&[tx(2, SECOND), too_large]).unwrap_err();
    engine.observe_all(&[tx(3, 0)]).unwrap_err();
    engine.stream(&[tx(4, 0)], |_, _| {}).unwrap_err();
    assert_eq!((engine.stats().refused, engine.stats().observed), (4, 2));
}

#[test]
fn amounts_up_to_two_to_the_53_are_exact_and_larger_ones_are_refused() {
    let sum = Window::new(Field::User, Measure::Sum).within(Span::hours(1));
    let mut engine = engine([sum, count(Span::hours(1))]);
    let mut paid = tx(0, 0);
    paid.amount = euros(LARGEST_CENTS);
    let major = LARGEST_CENTS as f64 / 100.0;
    check(&mut engine, &paid, &[major, 1.0]);
    for cents in [LARGEST_CENTS + 1, -LARGEST_CENTS - 1, i64::MAX, i64::MIN] {
        let mut too_large = tx(1, SECOND);
        too_large.amount = euros(cents);
        let error = engine.observe(&too_large).unwrap_err();
        assert!(
            matches!(error, FeatureError::NumberTooLarge { .. }),
            "{error}"
        );
        assert!(engine.peek(&too_large, &mut [0.0; 2]).is_err());
    }
    // Nothing of them is remembered, not even the id.
    check(&mut engine, &tx(1, 0), &[major + 1.0, 2.0]);
}

#[test]
fn an_extra_that_is_infinite_is_refused_and_one_that_is_no_number_is_missing() {
    let sum = Window::new(Field::User, Measure::Sum).within(Span::hours(1));
    let of = Quantity::Extra("score".to_owned());
    let ratio = Window::new(Field::User, Measure::Ratio).within(Span::hours(1));
    let mut engine = engine([sum.of(of.clone()), ratio.of(of), count(Span::hours(1))]);
    let scored = |number, score| tx(number, 0).with_extra("score", Value::Number(score));
    check(&mut engine, &scored(0, 1.5), &[1.5, f64::NAN, 1.0]);
    for score in [f64::INFINITY, f64::NEG_INFINITY, 1e12, -1e300] {
        let error = engine.observe(&scored(1, score)).unwrap_err();
        assert!(
            matches!(error, FeatureError::NumberTooLarge { .. }),
            "{error}"
        );
    }
    check(&mut engine, &scored(1, f64::NAN), &[1.5, f64::NAN, 2.0]);
    check(&mut engine, &scored(2, 3.0), &[4.5, 2.0, 3.0]);
}

#[test]
fn a_refused_event_leaves_no_trace_in_later_rows() {
    let measures = [
        Measure::Count,
        Measure::Mean,
        Measure::GapMean,
        Measure::Rank,
    ];
    let windows = measures.map(|measure| Window::new(Field::User, measure).within(Span::days(1)));
    let (mut with, mut without) = (engine(windows.clone()), engine(windows));
    for number in 0..6 {
        let good = tx(number, i64::from(number) * SECOND);
        let mut bad = tx(100 + number, i64::from(number) * SECOND);
        bad.amount = euros(i64::MAX);
        assert!(with.observe(&bad).is_err());
        let row = with.observe(&good).unwrap().row.values().to_vec();
        let expected = without.observe(&good).unwrap().row.values().to_vec();
        let bits = |row: &[f64]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&row), bits(&expected));
    }
    let mut counted = *with.stats();
    assert_eq!(std::mem::take(&mut counted.refused), 6);
    assert_eq!(counted, *without.stats());
    assert_eq!(with.newest(), without.newest());
}

#[test]
fn a_clock_that_jumps_is_refused_and_the_next_event_is_in_order() {
    let set = FeatureSet {
        max_jump: Some(Span::hours(1)),
        ..set([count(Span::days(1))])
    };
    let mut engine = FeatureEngine::new(&set).unwrap();
    let hour = 3600 * SECOND;
    check(&mut engine, &tx(0, 0), &[1.0]);
    let error = engine.observe(&tx(1, hour + 1)).unwrap_err();
    assert!(matches!(error, FeatureError::ClockJump { .. }), "{error}");
    assert_eq!(engine.newest(), Some(at(START)));
    assert_eq!(
        engine.observe(&tx(1, 0)).unwrap().outcome,
        Outcome::Recorded
    );
    check(&mut engine, &tx(2, hour), &[3.0]);
}

#[test]
fn an_id_with_other_content_is_a_conflict_and_changes_nothing() {
    let sum = Window::new(Field::User, Measure::Sum).within(Span::days(1));
    let mut engine = engine([count(Span::days(1)), sum]);
    check(&mut engine, &tx(0, 0), &[1.0, 1.0]);
    let mut dearer = tx(0, 0);
    dearer.amount = euros(101);
    let mut other = tx(0, 0);
    other.user_id = id("v");
    for other in [tx(0, 1), dearer, other] {
        let error = engine.observe(&other).unwrap_err();
        assert!(matches!(error, FeatureError::Conflict { .. }), "{error}");
    }
    assert_eq!(
        engine.observe(&tx(0, 0)).unwrap().outcome,
        Outcome::Duplicate
    );
    // A label is no content.
    assert_eq!(
        engine.observe(&tx(0, 0).with_label(true)).unwrap().outcome,
        Outcome::Duplicate
    );
    check(&mut engine, &tx(1, 0), &[2.0, 2.0]);
}

#[test]
fn content_is_what_the_set_reads_of_an_event() {
    let mut engine = engine([count(Span::days(1))]);
    check(&mut engine, &tx(0, 0), &[1.0]);
    // Neither the amount nor the merchant is read here.
    let mut dearer = tx(0, 0);
    dearer.amount = euros(101);
    dearer.merchant_id = id("n");
    assert_eq!(engine.observe(&dearer).unwrap().outcome, Outcome::Duplicate);
    check(&mut engine, &tx(1, 0), &[2.0]);
}

#[test]
fn ids_are_forgotten_when_they_are_older_than_the_set_says() {
    let set = set([count(Span::days(1))]).duplicates_within(Span::seconds(10));
    let mut engine = FeatureEngine::new(&set).unwrap();
    check(&mut engine, &tx(0, 0), &[1.0]);
    check(&mut engine, &tx(1, 10 * SECOND), &[2.0]);
    assert_eq!(
        engine.observe(&tx(0, 0)).unwrap().outcome,
        Outcome::Duplicate
    );
    check(&mut engine, &tx(2, 10 * SECOND + 1), &[3.0]);
    assert_eq!(
        engine.observe(&tx(0, 0)).unwrap().outcome,
        Outcome::Inserted
    );
}

#[test]
fn records_of_another_kind_are_refused() {
    let mut engine = engine([count(Span::days(1))]);
    let behavior = BehaviorEvent {
        user_id: id("u"),
        timestamp: at(START),
        action_type: id("login"),
        device_id: None,
        location: None,
        amount: None,
        extras: BTreeMap::new(),
    };
    let daily = DailySummary {
        timestamp: at(START),
        user_id: id("u"),
        transaction_count: 1,
        daily_amount: euros(100),
        risk_score: None,
        extras: BTreeMap::new(),
    };
    let wrong = |error: &FeatureError| matches!(error, FeatureError::WrongRecord { .. });
    assert!(wrong(&engine.observe(&behavior).unwrap_err()));
    assert!(wrong(&engine.observe(&daily).unwrap_err()));
    assert!(wrong(&engine.peek(&daily, &mut [0.0]).unwrap_err()));
    assert_eq!(engine.stats().observed, 0);
    check(&mut engine, &tx(0, 0), &[1.0]);
}

#[test]
fn peeking_into_a_row_of_another_width_is_refused() {
    let engine = engine([count(Span::days(1))]);
    let error = engine.peek(&tx(0, 0), &mut [0.0; 2]).unwrap_err();
    assert!(
        matches!(
            error,
            FeatureError::Output {
                expected: 1,
                got: 2
            }
        ),
        "{error}"
    );
}

#[test]
fn the_first_and_the_last_years_are_times_like_any_other() {
    for first in [
        Timestamp::MIN.as_micros(),
        Timestamp::MAX.as_micros() - 10 * SECOND,
    ] {
        let mut standard = FeatureEngine::new(&FeatureSet::standard()).unwrap();
        let mut long = engine([count(Span::days(u16::MAX)), count(Span::seconds(1))]);
        for number in 0..5 {
            let time = at(first + i64::from(number) * SECOND);
            let mut tx = tx(number, 0);
            tx.timestamp = time;
            standard.observe(&tx).unwrap();
            standard
                .peek(&tx, &mut vec![0.0; standard.schema().width()])
                .unwrap();
            standard.label(&tx, true.into(), time).unwrap();
            check(&mut long, &tx, &[f64::from(number + 1), 1.0]);
        }
        standard.sweep();
        standard.reverse(&tx(0, first - START)).unwrap();
    }
}

#[test]
fn all_of_time_may_pass_between_two_events() {
    let windows = [
        count(Span::days(u16::MAX)),
        Window::new(Field::User, Measure::SinceLast),
        Window::new(
            Field::User,
            Measure::DecayedCount {
                half_life: Span::seconds(1),
            },
        ),
    ];
    let set = FeatureSet {
        max_jump: None,
        ..set(windows)
    };
    let mut engine = FeatureEngine::new(&set).unwrap();
    let mut first = tx(0, 0);
    first.timestamp = Timestamp::MIN;
    check(&mut engine, &first, &[1.0, f64::NAN, 0.0]);
    let mut last = tx(1, 0);
    last.timestamp = Timestamp::MAX;
    let hours = (Timestamp::MAX.as_micros() - Timestamp::MIN.as_micros()) as f64 / 3.6e9;
    check(&mut engine, &last, &[1.0, hours, 0.0]);
    assert_eq!(engine.observe(&tx(2, 0)).unwrap().outcome, Outcome::TooLate);
}
