//! The engine against an oracle that keeps everything and computes each row from nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;

use dafu_core::{EntityId, EntityKey, Timestamp, Transaction, TransactionId};
use dafu_features::{FeatureEngine, FeatureSet, Field, LatePolicy};
use dafu_testkit::strategy::START;
use oracle::scenario::{Step, cases, sets, steps};
use oracle::{Expected, Oracle};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult};

/// Cases in a run of all tests.
const CASES: u32 = 10_000;

fn config() -> Config {
    Config {
        cases: cases(CASES),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 100_000,
        ..Config::default()
    }
}

/// The engine and the oracle side by side.
struct Pair {
    engine: FeatureEngine,
    oracle: Oracle,
    set: FeatureSet,
    taken: u32,
}

impl Pair {
    fn new(set: FeatureSet) -> Self {
        Self {
            engine: FeatureEngine::new(&set).unwrap(),
            oracle: Oracle::new(&set),
            set,
            taken: 0,
        }
    }

    fn newest(&self) -> i64 {
        self.oracle.newest().unwrap_or(START)
    }

    /// Whether an event of this time is as old as events may be late: what it read may be gone.
    fn is_old(&self, time: i64) -> bool {
        let kept = match self.set.lateness.policy {
            LatePolicy::Insert => self.set.lateness.bound.as_micros(),
            _ => 0,
        };
        self.newest() - time >= kept.max(1)
    }

    /// Gives an event to both.
    fn observe(&mut self, mut tx: Transaction, time: i64) -> TestCaseResult {
        tx.timestamp = Timestamp::from_micros(time).unwrap();
        tx.transaction_id = TransactionId::new(format!("t-{}", self.taken)).unwrap();
        self.taken += 1;
        let expected = self.oracle.observe(&tx);
        self.check(&tx, &expected)
    }

    /// Gives an event to the engine, by `peek` and by `observe`, and compares.
    fn check(&mut self, tx: &Transaction, expected: &Expected) -> TestCaseResult {
        let mut peeked = vec![0.0; self.engine.schema().width()];
        self.engine.peek(tx, &mut peeked).unwrap();
        let seen = self.engine.observe(tx).unwrap();
        prop_assert_eq!(seen.outcome, expected.outcome);
        let got: Vec<f64> = seen.row.values().to_vec();
        let Some(row) = &expected.row else {
            return Ok(());
        };
        for (place, ((&got, peeked), answer)) in got.iter().zip(peeked).zip(row).enumerate() {
            prop_assert!(
                answer.is(got),
                "f{place} of {} is {got:?}, expected {:?}: {:?}",
                tx.transaction_id,
                answer,
                self.set.features[place].definition
            );
            prop_assert_eq!(got.to_bits(), peeked.to_bits(), "peek of f{}", place);
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> TestCaseResult {
        let count = self.oracle.events().len();
        match step {
            Step::Observe(tx, gap) => self.observe(*tx, self.newest() + gap)?,
            Step::Late(tx, gap) => self.observe(*tx, self.newest() - gap)?,
            Step::Duplicate(of) if count > 0 => self.duplicate(of.index(count))?,
            Step::Label(of, label, after) if count > 0 => {
                let (arrival, known_at) = (of.index(count), self.newest() + after);
                // Labels of events of entities that were forgotten are for tests of their own.
                if !self.oracle.is_forgotten(arrival) {
                    let tx = self.oracle.events()[arrival].tx.clone();
                    let at = Timestamp::from_micros(known_at).unwrap();
                    self.oracle.label(arrival, label, known_at);
                    self.engine.label(&tx, label, at).unwrap();
                }
            }
            Step::Reverse(of) if count > 0 => {
                let arrival = of.index(count);
                let tx = self.oracle.events()[arrival].tx.clone();
                self.oracle.reverse(arrival);
                self.engine.reverse(&tx).unwrap();
            }
            Step::Forget(field, number) => {
                let prefix = match field {
                    Field::User => "u",
                    Field::Merchant => "m",
                    Field::Device => "d",
                    _ => "cat",
                };
                let id = EntityId::new(format!("{prefix}-{number}")).unwrap();
                self.oracle.forget(&field, id.as_str());
                let kind = field.entity_kind().unwrap();
                self.engine.forget(&EntityKey { kind, id });
            }
            Step::Sweep => self.engine.sweep(),
            _ => {}
        }
        Ok(())
    }

    /// An event again, while all that it read is surely kept: not past the bound of lateness.
    fn duplicate(&mut self, arrival: usize) -> TestCaseResult {
        let event = &self.oracle.events()[arrival];
        let tx = event.tx.clone();
        let mut expected = self.oracle.repeat(arrival);
        if self.is_old(event.time) || self.oracle.is_gone(arrival) {
            expected.row = None;
        }
        self.check(&tx, &expected)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_row_is_that_of_an_oracle_that_keeps_everything(set in sets(), steps in steps(40)) {
        let mut pair = Pair::new(set.0);
        for step in steps {
            pair.step(step)?;
        }
        let stats = pair.engine.stats();
        let taken = pair.oracle.events().len() as u64;
        prop_assert_eq!(stats.observed - stats.too_late - stats.duplicates, taken);
    }
}
