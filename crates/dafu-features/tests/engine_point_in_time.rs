//! No feature reads the future: neither events that come later nor labels that are not known yet.
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;

use dafu_core::{Dataset, Label, Schema, Timestamp, Transaction};
use dafu_features::{
    FeatureEngine, FeatureError, FeatureSet, Field, Labels, LatePolicy, Measure, PointInTimeError,
    RecordKind, Span, StateLimits, Window, assert_point_in_time,
};
use dafu_testkit::strategy::{busy_stream, event_stream};
use oracle::scenario::{cases, sets_with};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use std::sync::Arc;

fn delays() -> impl Strategy<Value = Span> {
    select(vec![
        Span::ZERO,
        Span::seconds(1),
        Span::hours(1),
        Span::days(7),
    ])
}

fn compute(set: &FeatureSet, history: &[Transaction]) -> Result<Dataset, FeatureError> {
    FeatureEngine::new(set)?.observe_all(history)
}

fn bits(row: &[f64]) -> Vec<u64> {
    row.iter().map(|value| value.to_bits()).collect()
}

fn observe(engine: &mut FeatureEngine, tx: &Transaction) -> Vec<u64> {
    bits(&engine.observe(tx).unwrap().row.values().to_vec())
}

/// Labels that a person gives: which event, which label, and how long after the event it is known.
fn words() -> BoxedStrategy<Vec<(Option<Label>, i64)>> {
    let label = prop_oneof![
        2 => Just(None),
        2 => Just(Some(Label::Fraud)),
        1 => Just(Some(Label::Legitimate)),
    ];
    vec((label, dafu_testkit::strategy::gaps()), 40).boxed()
}

proptest! {
    #![proptest_config(Config { cases: cases(150), failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_sets_read_nothing_of_the_future(
        (delay, set) in delays().prop_flat_map(|delay| (Just(delay), sets_with(Labels::AfterDelay(delay)))),
        history in busy_stream(40),
    ) {
        let checked = assert_point_in_time(&history, delay, |events| compute(&set.0, events));
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }

    #[test]
    fn later_events_and_labels_in_any_order_change_no_earlier_row(
        set in sets_with(Labels::AfterDelay(Span::hours(1))),
        history in busy_stream(30),
        cut in 1..30_usize,
        turn in 1..29_usize,
    ) {
        let cut = (cut..history.len()).find(|&at| history[at].timestamp > history[at - 1].timestamp);
        let Some(cut) = cut else { return Ok(()) };
        let mut other = history.clone();
        // The bodies of what comes later change places; their times stay.
        other[cut..].rotate_left(turn % (history.len() - cut));
        for (tx, at) in other[cut..].iter_mut().zip(&history[cut..]) {
            tx.timestamp = at.timestamp;
        }
        let (before, after) = (compute(&set.0, &history).unwrap(), compute(&set.0, &other).unwrap());
        for row in 0..cut {
            let of = |dataset: &Dataset| bits(&dataset.values().row(row).to_vec());
            prop_assert_eq!(of(&before), of(&after), "row {}", row);
        }
    }

    #[test]
    fn a_label_given_early_is_not_seen_before_it_is_known(
        set in sets_with(Labels::Events),
        history in busy_stream(40),
        words in words(),
    ) {
        // Labels of events of entities that are forgotten by then are no part of this.
        let limits = StateLimits { ttl: None, ..set.0.limits };
        let mut early = FeatureEngine::new(&set.0.limits(limits)).unwrap();
        let mut due = early.fresh();
        let mut waiting: Vec<(i64, usize)> = Vec::new();
        for (at, tx) in history.iter().enumerate() {
            let now = tx.timestamp.as_micros();
            let known: Vec<usize> = (0..waiting.len()).filter(|&w| waiting[w].0 <= now).collect();
            for w in known.into_iter().rev() {
                let (known_at, of) = waiting.remove(w);
                let label = words[of].0.unwrap();
                due.label(&history[of], label, Timestamp::from_micros(known_at).unwrap()).unwrap();
            }
            prop_assert_eq!(observe(&mut early, tx), observe(&mut due, tx), "row {}", at);
            if let (Some(label), after) = words[at] {
                early.label(tx, label, Timestamp::from_micros(now + after).unwrap()).unwrap();
                waiting.push((now + after, at));
            }
        }
    }

    #[test]
    fn a_late_event_reads_nothing_that_happened_after_it(
        set in sets_with(Labels::AfterDelay(Span::hours(1))),
        history in busy_stream(40),
        at in 1..40_usize,
    ) {
        let set = set.0.lateness(Span::days(60), LatePolicy::Insert);
        let late = &history[at - 1];
        // Events of its own time came before it.
        let before = |tx: &&Transaction| tx.timestamp <= late.timestamp && tx.transaction_id != late.transaction_id;
        let mut past = FeatureEngine::new(&set).unwrap();
        let mut whole = past.fresh();
        for tx in history.iter().filter(before) {
            observe(&mut past, tx);
        }
        for tx in history.iter().filter(|tx| tx.transaction_id != late.transaction_id) {
            observe(&mut whole, tx);
        }
        let capped = set.limits.events_per_entity < 40 || set.limits.ttl.is_some();
        let span = history[39].timestamp.as_micros() - late.timestamp.as_micros();
        if span <= Span::days(60).as_micros() && !capped {
            let (got, expected) = (observe(&mut whole, late), observe(&mut past, late));
            for (place, (got, expected)) in got.into_iter().zip(expected).enumerate() {
                let (got, expected) = (f64::from_bits(got), f64::from_bits(expected));
                let same = got.total_cmp(&expected).is_eq()
                    || (got - expected).abs() <= 1e-9 * expected.abs().max(1.0);
                prop_assert!(same, "{got} {expected} {:?}", set.features[place]);
            }
        }
    }
}

fn stream(count: usize) -> Vec<Transaction> {
    let mut runner = TestRunner::deterministic();
    event_stream(count).new_tree(&mut runner).unwrap().current()
}

const WEEK: Span = Span::days(7);

#[test]
fn the_standard_and_the_handbook_set_read_nothing_of_the_future() {
    let history = stream(300);
    let sets = [
        FeatureSet::standard().labels(Labels::AfterDelay(WEEK)),
        FeatureSet::handbook(),
    ];
    for set in sets {
        assert_point_in_time(&history, WEEK, |events| compute(&set, events)).unwrap();
    }
}

/// Asserts that features leak, by which feature and which change.
fn assert_leak<E: std::error::Error>(
    checked: Result<(), PointInTimeError<E>>,
    feature: &str,
    change: &str,
) {
    match checked.unwrap_err() {
        PointInTimeError::Leak {
            feature: got,
            change: by,
            row,
            at,
            cut,
            ..
        } => {
            assert_eq!((got.as_str(), by), (feature, change), "row {row}");
            assert!(at < cut);
        }
        other => assert!(other.to_string().is_empty(), "{other}"),
    }
}

#[test]
fn labels_that_are_read_too_early_are_found() {
    let history = stream(200);
    for (read_after, leaks) in [(Span::days(1), true), (WEEK, false), (Span::days(8), false)] {
        let count = Window::new(Field::Merchant, Measure::FraudCount).within(Span::days(30));
        let set = FeatureSet::new(RecordKind::Transaction)
            .labels(Labels::AfterDelay(read_after))
            .feature(count);
        let checked = assert_point_in_time(&history, WEEK, |events| compute(&set, events));
        if leaks {
            assert_leak(checked, "merchant_frauds_30d", "labels are turned");
        } else {
            checked.unwrap();
        }
    }
}

/// Features of one column, by hand.
fn by_hand(history: &[Transaction], value: impl Fn(usize) -> f64) -> Result<Dataset, FeatureError> {
    let values: Vec<f64> = (0..history.len()).map(value).collect();
    let specs = vec![dafu_core::FeatureSpec::real("by_hand").with_nullable(true)];
    let schema = Arc::new(Schema::new(specs).unwrap());
    let values = ndarray::Array2::from_shape_vec((history.len(), 1), values).unwrap();
    Ok(Dataset::new(schema, values)?)
}

fn mean(history: &[Transaction]) -> f64 {
    let sum: f64 = history.iter().map(|tx| tx.amount.major()).sum();
    sum / history.len() as f64
}

#[test]
fn features_by_hand_that_read_later_events_are_found() {
    let history = stream(100);
    let leak = "events are left out";
    let last = |events: &[Transaction]| by_hand(events, |_| events.len() as f64);
    assert_leak(assert_point_in_time(&history, WEEK, last), "by_hand", leak);
    let scaled = |events: &[Transaction]| {
        let mean = mean(events);
        by_hand(events, |row| events[row].amount.major() / mean)
    };
    assert_leak(
        assert_point_in_time(&history, WEEK, scaled),
        "by_hand",
        leak,
    );
    let next = |events: &[Transaction]| {
        let of = |row: usize| events.get(row + 1).map_or(0.0, |tx| tx.amount.major());
        by_hand(events, of)
    };
    let checked = assert_point_in_time(&history, WEEK, next);
    assert!(
        matches!(checked, Err(PointInTimeError::Leak { .. })),
        "{checked:?}"
    );
    let own = |events: &[Transaction]| {
        by_hand(events, |row| {
            f64::from(u8::from(events[row].is_fraud == Label::Fraud))
        })
    };
    assert_leak(
        assert_point_in_time(&history, WEEK, own),
        "by_hand",
        "labels are turned",
    );
    let past = |events: &[Transaction]| by_hand(events, |row| mean(&events[..=row]));
    assert_point_in_time(&history, WEEK, past).unwrap();
}

#[test]
fn a_peek_at_later_amounts_is_found_even_where_all_events_are_needed() {
    let history = stream(100);
    let count = history.len();
    let next = |events: &[Transaction]| {
        // Of a shorter history nothing is read beyond its end.
        let whole = events.len() == count;
        let of = |row: usize| {
            if whole {
                events[(row + 5).min(count - 1)].amount.major()
            } else {
                0.0
            }
        };
        by_hand(events, of)
    };
    let checked = assert_point_in_time(&history, WEEK, next);
    assert!(
        matches!(checked, Err(PointInTimeError::Leak { .. })),
        "{checked:?}"
    );
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let mut history = stream(20);
    let rows = |events: &[Transaction]| by_hand(&events[..events.len() - 1], |_| 0.0);
    let error = assert_point_in_time(&history, WEEK, rows).unwrap_err();
    assert!(
        matches!(
            error,
            PointInTimeError::Rows {
                expected: 20,
                got: 19
            }
        ),
        "{error}"
    );
    let fails = |_: &[Transaction]| Err(FeatureError::EmptySet);
    let error = assert_point_in_time(&history, WEEK, fails).unwrap_err();
    assert!(
        matches!(error, PointInTimeError::Compute(FeatureError::EmptySet)),
        "{error}"
    );
    let later = Timestamp::from_micros(history[4].timestamp.as_micros() + 1).unwrap();
    history[3].timestamp = later;
    let zero = |events: &[Transaction]| by_hand(events, |_| 0.0);
    let error = assert_point_in_time(&history, WEEK, zero).unwrap_err();
    assert!(
        matches!(error, PointInTimeError::Order { row: 4 }),
        "{error}"
    );
    assert_point_in_time(&[], WEEK, zero).unwrap();
}
