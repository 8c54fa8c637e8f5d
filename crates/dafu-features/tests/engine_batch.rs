//! One engine for batch and stream: however events are handed over, the same bits come out and the same is remembered.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests; a panic is a failed test"
)]

mod oracle;
mod ways;

use dafu_core::{Label, Table, Timestamp, Transaction, TransactionStatus};
use dafu_features::{
    Feature, FeatureEngine, FeatureError, FeatureSet, Field, Filter, Labels, LatePolicy, Measure,
    RecordKind, Span, StateLimits, Window,
};
use dafu_testkit::strategy::{START, busy_transaction, gaps};
use oracle::scenario::{Drawn, cases, sets, sets_of_sums};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;
use ways::{Arrivals, Kind, LARGE, Way, arrivals, bits, cuts, hand_over, many, one_by_one, same};

/// Records in order of time, mostly in whole seconds and mostly of one user.
fn orderly(most: usize) -> BoxedStrategy<Arrivals<Transaction>> {
    let event = (busy_transaction(), gaps(), 0..4_u8);
    (vec(event, 1..=most), prop::bool::weighted(0.7))
        .prop_map(|(events, whole)| {
            let mut now = START;
            let arrivals = events
                .into_iter()
                .enumerate()
                .map(|(number, (mut tx, gap, user))| {
                    now += if whole {
                        gap / 1_000_000 * 1_000_000
                    } else {
                        gap
                    };
                    tx.place(number, Timestamp::from_micros(now).unwrap());
                    if user > 0 {
                        tx.user_id = "u-0".parse().unwrap();
                    }
                    tx
                });
            Arrivals(arrivals.collect())
        })
        .boxed()
}

fn standard(limits: StateLimits) -> FeatureSet {
    FeatureSet::standard()
        .labels(Labels::AfterDelay(Span::days(7)))
        .lateness(Span::days(1), LatePolicy::Insert)
        .limits(limits)
}

/// The sets that come with the crate, with bounds and without.
fn ready_made() -> BoxedStrategy<Drawn> {
    let limits = (
        select(vec![2, 5, 4096]),
        select(vec![None, Some(Span::days(1))]),
    );
    (any::<bool>(), limits)
        .prop_map(|(standard, (events_per_entity, ttl))| {
            let limits = StateLimits {
                events_per_entity,
                ttl,
                ..StateLimits::default()
            };
            if standard {
                Drawn(self::standard(limits))
            } else {
                Drawn(FeatureSet::handbook().limits(limits))
            }
        })
        .boxed()
}

proptest! {
    #![proptest_config(Config { cases: cases(400), failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_sets_give_the_same_bits_however_events_are_handed_over(
        set in sets(),
        records in arrivals(busy_transaction(), 60),
        cuts in cuts(),
    ) {
        same(&set.0, &records.0, &cuts)?;
    }
}

proptest! {
    #![proptest_config(Config { cases: cases(600), failure_persistence: None, ..Config::default() })]

    #[test]
    fn sums_give_the_same_bits_for_many_events_of_an_entity_at_once(
        set in sets_of_sums(),
        records in orderly(120),
        cuts in cuts(),
    ) {
        same(&set.0, &records.0, &cuts)?;
    }
}

proptest! {
    #![proptest_config(Config { cases: cases(60), failure_persistence: None, ..Config::default() })]

    #[test]
    fn ready_made_sets_give_the_same_bits_however_events_are_handed_over(
        set in ready_made(),
        records in arrivals(busy_transaction(), 60),
        cuts in cuts(),
    ) {
        same(&set.0, &records.0, &cuts)?;
    }
}

#[test]
fn large_batches_give_the_same_bits_as_single_events() {
    let records = many(6000);
    let capped = StateLimits {
        events_per_entity: 20,
        ttl: Some(Span::days(3)),
        ..StateLimits::default()
    };
    for limits in [StateLimits::default(), capped] {
        same(&standard(limits), &records, &LARGE).unwrap();
        same(&FeatureSet::handbook().limits(limits), &records, &LARGE).unwrap();
    }
}

#[cfg(feature = "parallel")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let records = many(6000);
    for threads in [1, 2, 3, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| same(&standard(StateLimits::default()), &records, &LARGE))
            .unwrap();
        pool.install(|| same(&FeatureSet::handbook(), &records, &LARGE))
            .unwrap();
    }
}

#[cfg(feature = "parallel")]
#[test]
fn random_sets_give_the_same_bits_on_four_threads() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4);
    let pool = pool.build().unwrap();
    let records = many(3000);
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let set = sets().new_tree(&mut runner).unwrap().current();
        pool.install(|| same(&set.0, &records, &LARGE)).unwrap();
    }
}

#[test]
fn a_batch_out_of_order_is_taken_in_order_of_time_and_rows_stay_where_they_are() {
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(Window::new(Field::User, Measure::Count).within(Span::days(1)))
        .lateness(Span::ZERO, LatePolicy::Error);
    let mut records = many(4);
    for (tx, second) in records.iter_mut().zip([3, 1, 2, 1]) {
        tx.user_id = "u".parse().unwrap();
        tx.timestamp = Timestamp::from_micros(START + second * 1_000_000).unwrap();
    }
    let mut engine = FeatureEngine::new(&set).unwrap();
    let rows = engine.observe_all(&records).unwrap();
    let counts: Vec<f64> = rows.values().iter().copied().collect();
    assert_eq!(bits(counts), bits([4.0, 1.0, 3.0, 2.0]));
}

#[test]
fn an_error_in_a_batch_names_its_record_and_those_before_it_in_time_are_remembered() {
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(Window::new(Field::User, Measure::Sum).within(Span::days(1)));
    let mut records = many(5);
    for (tx, second) in records.iter_mut().zip([9, 1, 5, 2, 7]) {
        tx.user_id = "u".parse().unwrap();
        tx.timestamp = Timestamp::from_micros(START + second * 1_000_000).unwrap();
    }
    // The id of the second event, at another time.
    records[2].transaction_id = records[1].transaction_id.clone();
    let table = Table::from_transactions(&records);
    for by_table in [false, true] {
        let mut engine = FeatureEngine::new(&set).unwrap();
        let error = if by_table {
            engine.observe_table(&table).unwrap_err()
        } else {
            engine.observe_all(&records).unwrap_err()
        };
        let FeatureError::Record { row, source } = error else {
            panic!("{error}");
        };
        // Records are counted from 0, rows of tables by their number in the source.
        assert_eq!(row, if by_table { 3 } else { 2 });
        assert!(matches!(*source, FeatureError::Conflict { .. }), "{source}");
        assert_eq!(engine.stats().observed, 2);
        let mut others = FeatureEngine::new(&set).unwrap();
        for at in [1, 3] {
            others.observe(&records[at]).unwrap();
        }
        let next = &records[0];
        let got = bits(engine.observe(next).unwrap().row.values().to_vec());
        let expected = bits(others.observe(next).unwrap().row.values().to_vec());
        assert_eq!(got, expected);
    }
}

#[test]
fn a_stream_stops_at_the_first_error_and_hands_on_what_came_before() {
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(Window::new(Field::User, Measure::Count).within(Span::days(1)))
        .lateness(Span::ZERO, LatePolicy::Error);
    let mut records = many(80);
    for (tx, second) in records.iter_mut().zip(1..) {
        tx.timestamp = Timestamp::from_micros(START + second * 1_000_000).unwrap();
    }
    records[50].timestamp = records[3].timestamp;
    let mut engine = FeatureEngine::new(&set).unwrap();
    let mut handed = 0;
    let error = engine.stream(&records, |_, _| handed += 1).unwrap_err();
    assert!(
        matches!(error, FeatureError::Record { row: 50, .. }),
        "{error}"
    );
    assert_eq!((handed, engine.stats().observed), (50, 50));
}

#[test]
fn a_table_gives_times_and_labels_along_with_the_features() {
    let records = many(50);
    let mut engine = FeatureEngine::new(&FeatureSet::handbook()).unwrap();
    let table = Table::from_transactions(&records);
    let dataset = engine.observe_table(&table).unwrap();
    let times: Vec<Timestamp> = records.iter().map(|tx| tx.timestamp).collect();
    let labels: Vec<Label> = records.iter().map(|tx| tx.is_fraud).collect();
    assert_eq!(dataset.times().unwrap(), times);
    assert_eq!(dataset.labels().unwrap(), labels);
    assert_eq!(dataset.schema(), engine.schema());
}

#[test]
fn a_table_with_the_columns_of_another_gives_the_rows_of_the_records() {
    let mut records = many(40);
    for (number, tx) in records.iter_mut().enumerate() {
        tx.category = Some("cat-0".parse().unwrap());
        tx.tenant = Some(format!("t-{}", number % 2).parse().unwrap());
        tx.status = (number % 3 > 0).then_some(TransactionStatus::Approved);
    }
    let approved = Filter::Status(TransactionStatus::Approved);
    let by = |field| Window::new(field, Measure::Count).within(Span::days(300));
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(by(Field::Tenant))
        .feature(by(Field::Country))
        .feature(Feature::from(by(Field::User).filter(approved)).named("approved"));
    let (whole, like) = records.split_at(20);
    let table = Table::from_transactions(whole);
    let columns = table.columns().iter();
    let columns = columns.map(|column| (&column.name, column.role));
    let table = Table::from_transactions_like(columns, like);
    let mut engine = FeatureEngine::new(&set).unwrap();
    let expected = one_by_one(&mut engine.fresh(), like, false);
    assert_eq!(hand_over(&mut engine, like, Way::Table, &table), expected);
}
