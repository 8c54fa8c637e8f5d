//! Ways in which records are handed over to an engine, none of which makes a difference.
#![allow(
    dead_code,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests; not every test file uses everything"
)]

use crate::oracle::scenario::short;
use dafu_core::{Table, Timestamp, Transaction, TransactionId};
use dafu_features::{EngineStats, FeatureEngine, FeatureSet, Observation, Record};
use dafu_testkit::strategy::{START, busy_stream, gaps};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseResult, TestRunner};
use std::fmt;

/// How some records are handed over together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    OneByOne,
    Peeked,
    Stream,
    All,
    Table,
}

/// Records that are drawn.
pub trait Kind: Record + Clone + fmt::Debug + 'static {
    /// The record in one line.
    fn line(&self) -> String;

    /// Puts a record at its time; it is this one of all.
    fn place(&mut self, number: usize, at: Timestamp);

    fn table(records: &[Self]) -> Table;
}

impl Kind for Transaction {
    fn line(&self) -> String {
        format!("{} {}", self.transaction_id, short(self))
    }

    fn place(&mut self, number: usize, at: Timestamp) {
        self.timestamp = at;
        self.transaction_id = TransactionId::new(format!("t-{number}")).unwrap();
        if number == 0 {
            // Without any category a table would take the text beside it for one.
            self.category = Some("cat-0".parse().unwrap());
        }
    }

    fn table(records: &[Self]) -> Table {
        Table::from_transactions(records)
    }
}

/// Where each record stands against those before it.
#[derive(Debug, Clone)]
enum Place {
    Later(i64),
    Earlier(i64),
    Again(Index),
}

/// Records that print in a line each.
#[derive(Clone)]
pub struct Arrivals<T>(pub Vec<T>);

impl<T: Kind> fmt::Debug for Arrivals<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for record in &self.0 {
            let after = record.time().as_micros() - START;
            writeln!(f, "    +{after} us: {}", record.line())?;
        }
        Ok(())
    }
}

/// Records in the order of their arrival: some late, some of them again.
pub fn arrivals<T: Kind>(record: BoxedStrategy<T>, most: usize) -> BoxedStrategy<Arrivals<T>> {
    let place = prop_oneof![
        8 => gaps().prop_map(Place::Later),
        3 => gaps().prop_map(Place::Earlier),
        1 => any::<Index>().prop_map(Place::Again),
    ];
    vec((record, place), 1..=most)
        .prop_map(|events| {
            let mut newest = START;
            let mut taken: Vec<T> = Vec::new();
            for (number, (mut record, place)) in events.into_iter().enumerate() {
                let time = match place {
                    Place::Again(of) if !taken.is_empty() => {
                        taken.push(taken[of.index(taken.len())].clone());
                        continue;
                    }
                    Place::Later(gap) => newest + gap,
                    Place::Earlier(gap) => newest - gap,
                    Place::Again(_) => newest,
                };
                newest = newest.max(time);
                record.place(number, Timestamp::from_micros(time).unwrap());
                taken.push(record);
            }
            Arrivals(taken)
        })
        .boxed()
}

/// How arrivals are cut, and how each part is handed over.
pub fn cuts() -> BoxedStrategy<Vec<(usize, Way)>> {
    let way = select(vec![
        Way::OneByOne,
        Way::Peeked,
        Way::Stream,
        Way::All,
        Way::Table,
    ]);
    vec((1..30_usize, way), 1..8).boxed()
}

pub fn bits(row: impl IntoIterator<Item = f64>) -> Vec<u64> {
    row.into_iter().map(f64::to_bits).collect()
}

fn in_order<T: Record>(records: &[T]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|&at| records[at].time());
    order
}

/// Observes records one by one in order of time; rows stand as the records do.
pub fn one_by_one<T: Record>(
    engine: &mut FeatureEngine,
    records: &[T],
    peek: bool,
) -> Vec<Vec<u64>> {
    let mut rows = vec![Vec::new(); records.len()];
    for at in in_order(records) {
        if peek {
            let mut row = vec![0.0; engine.schema().width()];
            engine.peek(&records[at], &mut row).unwrap();
        }
        let seen = engine.observe(&records[at]).unwrap();
        rows[at] = bits(seen.row.values().to_vec());
    }
    rows
}

/// Hands records over, which stand in a table as well.
pub fn hand_over<T: Record>(
    engine: &mut FeatureEngine,
    records: &[T],
    way: Way,
    table: &Table,
) -> Vec<Vec<u64>> {
    let dataset = match way {
        Way::OneByOne | Way::Peeked => {
            return one_by_one(engine, records, way == Way::Peeked);
        }
        Way::Stream => {
            let order = in_order(records);
            let mut rows = vec![Vec::new(); records.len()];
            let mut next = order.iter();
            let sorted = order.iter().map(|&at| &records[at]);
            let sink = |record: &T, seen: Observation<'_>| {
                let at = *next.next().unwrap();
                assert!(std::ptr::eq(record, &raw const records[at]));
                rows[at] = bits(seen.row.values().to_vec());
            };
            engine.stream(sorted, sink).unwrap();
            return rows;
        }
        Way::All => engine.observe_all(records).unwrap(),
        Way::Table => engine.observe_table(table).unwrap(),
    };
    let values = dataset.values();
    values.outer_iter().map(|row| bits(row.to_vec())).collect()
}

/// What an engine remembers, as far as it tells.
fn memory(engine: &FeatureEngine) -> Vec<u8> {
    #[cfg(feature = "serde")]
    return engine.snapshot().unwrap();
    #[cfg(not(feature = "serde"))]
    format!("{:?} {}", engine.newest(), engine.entities()).into_bytes()
}

/// Two engines of one set, one of which takes everything one by one.
pub fn same<T: Kind>(set: &FeatureSet, records: &[T], cuts: &[(usize, Way)]) -> TestCaseResult {
    let mut single = FeatureEngine::new(set).unwrap();
    let mut mixed = single.fresh();
    let table = T::table(records);
    let mut rest = records;
    for &(length, way) in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let first = records.len() - rest.len();
        let (some, others) = rest.split_at(length.min(rest.len()));
        rest = others;
        let rows: Vec<usize> = (first..first + some.len()).collect();
        let part = table.select(&rows);
        let expected = one_by_one(&mut single, some, false);
        let got = hand_over(&mut mixed, some, way, &part);
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
                prop_assert_eq!(
                    f64::from_bits(*got).to_bits(),
                    *expected,
                    "f{} of {} {:?} by {:?}: {} instead of {}",
                    place,
                    some[at].line(),
                    set.features[place],
                    way,
                    f64::from_bits(*got),
                    f64::from_bits(*expected)
                );
            }
        }
        prop_assert_eq!(stats(&mixed), stats(&single));
        prop_assert_eq!(mixed.newest(), single.newest());
    }
    if is_small(&single) {
        prop_assert_eq!(mixed.entities(), single.entities());
        prop_assert!(memory(&mixed) == memory(&single), "another memory");
    }
    Ok(())
}

/// Whether an engine has not looked for entities to forget yet: after a batch it does so at another time than after
/// single events.
fn is_small(engine: &FeatureEngine) -> bool {
    engine.stats().observed < 256
}

/// What was counted. Entities that expire are counted when an event or the engine itself finds them.
fn stats(engine: &FeatureEngine) -> EngineStats {
    let mut stats = *engine.stats();
    if !is_small(engine) {
        stats.expired_entities = 0;
    }
    stats
}

/// Thousands of events of some hundred users, in order but for some late ones.
pub fn many(count: usize) -> Vec<Transaction> {
    let mut runner = TestRunner::deterministic();
    let stream = busy_stream(count).new_tree(&mut runner).unwrap().current();
    let mut newest = 0;
    let mut many: Vec<Transaction> = stream;
    for (number, tx) in many.iter_mut().enumerate() {
        // Closer together, so that windows are full, and some a minute late.
        let base = START + (tx.timestamp.as_micros() - START) / 5000;
        newest = newest.max(base);
        let late = if number % 17 == 3 { 60_000_000 } else { 0 };
        tx.timestamp = Timestamp::from_micros(newest - late).unwrap();
        tx.user_id = format!("u-{}", number * 7919 % 307).parse().unwrap();
    }
    many
}

/// Parts that are large enough for several threads.
pub const LARGE: [(usize, Way); 4] = [
    (1500, Way::All),
    (700, Way::Stream),
    (2000, Way::Table),
    (90, Way::OneByOne),
];
