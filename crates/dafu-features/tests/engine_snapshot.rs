//! Memory as bytes: an engine that is restored goes on as the one that was saved, and damaged bytes are errors.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;

use dafu_core::{EntityId, EntityKey, Label, MemStore, Timestamp, Transaction, TransactionId};
use dafu_features::{
    Feature, FeatureEngine, FeatureError, FeatureSet, Field, Labels, LatePolicy, Measure, Outcome,
    RecordKind, Span, StateLimits, StoreError, Window,
};
use dafu_testkit::damage;
use dafu_testkit::strategy::{START, busy_stream};
use oracle::scenario::{Drawn, Step, cases, sets, steps};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;

fn bits(row: &[f64]) -> Vec<u64> {
    row.iter().map(|value| value.to_bits()).collect()
}

/// What an engine answers to a step.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Row(Outcome, Vec<u64>),
    Known(bool),
    Nothing,
}

/// An engine and what was given to it.
///
/// An engine holds single events at least as long as they can count, but it may hold them longer, and bytes never do. So
/// once there are bytes, nothing is asked that only such events answer: events come again or are taken back only while
/// others may come as late, only one is taken back, and older ones are labelled only if nothing was said of them before.
#[derive(Clone)]
struct Driven {
    engine: FeatureEngine,
    taken: Vec<Transaction>,
    newest: i64,
    saved: bool,
    reversed: usize,
    /// Events that were labelled or taken back.
    judged: BTreeSet<usize>,
    /// Whether an event was labelled that need not be held any more: its label counts nowhere, but may be in the bytes.
    muddled: bool,
}

impl Driven {
    fn new(set: &FeatureSet) -> Self {
        Self {
            engine: FeatureEngine::new(set).unwrap(),
            taken: Vec::new(),
            newest: START,
            saved: false,
            reversed: 0,
            judged: BTreeSet::new(),
            muddled: false,
        }
    }

    /// Whether an event is surely held by itself.
    fn is_young(&self, tx: &Transaction) -> bool {
        let lateness = &self.engine.set().lateness;
        let bound = match lateness.policy {
            LatePolicy::Insert => lateness.bound.as_micros(),
            _ => 0,
        };
        self.newest - tx.timestamp.as_micros() < bound
    }

    fn observe(&mut self, mut tx: Transaction, time: i64) -> Said {
        tx.timestamp = Timestamp::from_micros(time).unwrap();
        tx.transaction_id = TransactionId::new(format!("t-{}", self.taken.len())).unwrap();
        self.newest = self.newest.max(time);
        self.taken.push(tx.clone());
        self.again(&tx)
    }

    fn again(&mut self, tx: &Transaction) -> Said {
        let seen = self.engine.observe(tx).unwrap();
        Said::Row(seen.outcome, bits(&seen.row.values().to_vec()))
    }

    fn step(&mut self, step: &Step) -> Said {
        let count = self.taken.len();
        match step {
            Step::Observe(tx, gap) => self.observe((**tx).clone(), self.newest + gap),
            Step::Late(tx, gap) => self.observe((**tx).clone(), self.newest - gap),
            Step::Duplicate(of) if count > 0 => {
                let tx = self.taken[of.index(count)].clone();
                self.again(&tx)
            }
            Step::Label(of, label, after) if count > 0 => {
                let at = Timestamp::from_micros(self.newest + after).unwrap();
                // By id where one of every other is, so that remembered transactions count.
                let tx = &self.taken[of.index(count)];
                let old = self.saved && !self.is_young(tx);
                if !self.judged.insert(of.index(count)) && old {
                    return Said::Nothing;
                }
                self.muddled |= old;
                if of.index(2) == 0 {
                    Said::Known(self.engine.label_by_id(&tx.transaction_id, *label, at))
                } else {
                    self.engine.label(tx, *label, at).unwrap();
                    Said::Nothing
                }
            }
            Step::Reverse(of) if count > 0 => {
                let tx = &self.taken[of.index(count)];
                if self.saved && (self.reversed > 0 || !self.is_young(tx)) {
                    return Said::Nothing;
                }
                self.reversed += usize::from(self.saved);
                self.judged.insert(of.index(count));
                Said::Known(self.engine.reverse(tx).unwrap())
            }
            Step::Forget(field, number) => {
                let kind = field.entity_kind().unwrap();
                let prefix = if *field == Field::User { "u" } else { "m" };
                let id = EntityId::new(format!("{prefix}-{number}")).unwrap();
                Said::Known(self.engine.forget(&EntityKey { kind, id }))
            }
            Step::Sweep => {
                self.engine.sweep();
                Said::Nothing
            }
            _ => Said::Nothing,
        }
    }

    /// The same with an engine that was restored from bytes.
    fn restored(&mut self) -> Self {
        self.saved = true;
        let mut engine = self.engine.fresh();
        engine.restore(&self.engine.snapshot().unwrap()).unwrap();
        Self {
            engine,
            ..self.clone()
        }
    }
}

/// Random sets, at times with tiles, and with a few transactions remembered.
fn saved_sets() -> BoxedStrategy<Drawn> {
    let limits = (0..4_u32, any::<bool>());
    (sets(), limits)
        .prop_map(|(set, (remembered_transactions, tiles))| {
            let limits = StateLimits {
                remembered_transactions,
                ..set.0.limits
            };
            let set = set.0.limits(limits);
            if !tiles {
                return Drawn(set);
            }
            let of = Field::Merchant;
            let measures = [
                Measure::Mean,
                Measure::Quantile { permille: 900 },
                Measure::Distinct { of },
            ];
            let tiled = measures.into_iter().enumerate().map(|(place, measure)| {
                let window = Window::new(Field::User, measure).within(Span::days(1));
                Feature::from(window.tiles(5)).named(format!("tiled{place}"))
            });
            Drawn(set.features(tiled))
        })
        .boxed()
}

proptest! {
    #![proptest_config(Config { cases: cases(400), failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_restored_engine_goes_on_with_the_same_bits(
        set in saved_sets(),
        before in steps(40),
        after in steps(20),
    ) {
        let mut saved = Driven::new(&set.0);
        for step in &before {
            saved.step(step);
        }
        let mut restored = saved.restored();
        prop_assert!(restored.engine.snapshot().unwrap() == saved.engine.snapshot().unwrap());
        prop_assert_eq!(restored.engine.stats(), saved.engine.stats());
        prop_assert_eq!(restored.engine.newest(), saved.engine.newest());
        prop_assert_eq!(restored.engine.entities(), saved.engine.entities());
        for (number, step) in after.iter().enumerate() {
            prop_assert_eq!(restored.step(step), saved.step(step), "step {} {:?}", number, step);
        }
        // The cap may drop, and count, what need not be held any more.
        if set.0.limits.events_per_entity >= 4096 {
            prop_assert_eq!(restored.engine.stats(), saved.engine.stats());
        }
        if !saved.muddled && set.0.limits.events_per_entity >= 4096 {
            prop_assert!(restored.engine.snapshot().unwrap() == saved.engine.snapshot().unwrap());
        }
    }

    #[test]
    fn a_store_that_is_brought_up_to_date_holds_the_same_memory(
        set in saved_sets(),
        parts in prop::collection::vec(steps(12), 1..5),
        after in steps(10),
    ) {
        let mut saved = Driven::new(&set.0);
        let mut store = MemStore::default();
        for part in &parts {
            for step in part {
                saved.step(step);
            }
            saved.engine.save_to(&mut store, b"features/").unwrap();
        }
        saved.saved = true;
        let mut loaded = Driven { engine: saved.engine.fresh(), ..saved.clone() };
        prop_assert!(loaded.engine.load_from(&store, b"features/").unwrap());
        prop_assert!(loaded.engine.snapshot().unwrap() == saved.engine.snapshot().unwrap());
        for step in &after {
            prop_assert_eq!(loaded.step(step), saved.step(step));
        }
    }
}

/// Every kind of state: events, maps, queues, decaying sums, labels, pairs, tiles.
fn everything() -> FeatureSet {
    let by = |measure: Measure| Window::new(Field::User, measure);
    let day = |measure: Measure| by(measure).within(Span::days(1));
    let of = || Field::Merchant;
    FeatureSet::new(RecordKind::Transaction)
        .labels(Labels::AfterDelay(Span::seconds(1)))
        .feature(day(Measure::Sum))
        .feature(day(Measure::Max))
        .feature(day(Measure::Distinct { of: of() }))
        .feature(day(Measure::FraudCount))
        .feature(by(Measure::DecayedSum {
            half_life: Span::hours(1),
        }))
        .feature(by(Measure::IsNew { of: of() }))
        .feature(by(Measure::Speed))
        .feature(Feature::from(day(Measure::Quantile { permille: 500 }).tiles(2)).named("tiled"))
        .feature(Feature::from(day(Measure::Distinct { of: of() }).tiles(2)).named("values"))
        .limits(StateLimits {
            remembered_transactions: 2,
            memory_bytes: None,
            ..StateLimits::default()
        })
}

fn stream(count: usize) -> Vec<Transaction> {
    let mut runner = TestRunner::deterministic();
    busy_stream(count).new_tree(&mut runner).unwrap().current()
}

fn used(set: &FeatureSet, events: &[Transaction]) -> FeatureEngine {
    let mut engine = FeatureEngine::new(set).unwrap();
    for tx in events {
        engine.observe(tx).unwrap();
    }
    engine
}

/// Restores damaged bytes. Where that works, the engine has to work as well.
fn try_out(bytes: &[u8], whole: &FeatureEngine, next: &[Transaction]) -> bool {
    let mut engine = whole.fresh();
    if let Err(error) = engine.restore(bytes) {
        let known = matches!(
            error,
            FeatureError::Model(_) | FeatureError::OtherSet { .. }
        );
        assert!(known, "{error}");
        // As before: nothing.
        assert_eq!((engine.entities(), engine.newest()), (0, None));
        return false;
    }
    for tx in next {
        // A damaged time or id may make an event too late, a duplicate or a conflict.
        drop(engine.observe(tx));
        let mut row = vec![0.0; engine.schema().width()];
        engine.peek(tx, &mut row).ok();
        engine.label(tx, Label::Fraud, tx.timestamp).unwrap();
    }
    engine.reverse(&next[0]).unwrap();
    engine.sweep();
    engine.snapshot().unwrap();
    true
}

#[test]
fn damaged_bytes_are_errors_or_memory_that_works() {
    let events = stream(12);
    let (before, after) = events.split_at(8);
    let engine = used(&everything(), before);
    let bytes = engine.snapshot().unwrap();
    for damaged in damage::all(&bytes).step_by(7) {
        let restored = try_out(&damaged.bytes, &engine, after);
        assert!(!restored, "{}", damaged.damage);
    }
    let mut restored = 0;
    for damaged in damage::payload_damage(&bytes) {
        restored += usize::from(try_out(&damaged.bytes, &engine, after));
    }
    // Amounts and hashes may be any.
    assert!(restored > 0);
}

#[test]
fn damaged_entities_of_a_store_are_errors_or_memory_that_works() {
    let events = stream(12);
    let (before, after) = events.split_at(8);
    let mut engine = used(&everything(), before);
    let mut store = MemStore::default();
    engine.save_to(&mut store, b"").unwrap();
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        entries.push((key.to_vec(), value.to_vec()));
        true
    };
    dafu_core::StateStore::scan(&store, b"", &mut keep).unwrap();
    assert_eq!(entries.len(), engine.entities() + 1);
    for (key, value) in &entries {
        for damaged in damage::payload_damage(value).step_by(5) {
            let mut store = store.clone();
            let batch = dafu_core::Batch::default().put(key.clone(), damaged.bytes.clone());
            dafu_core::StateStore::apply(&mut store, &batch).unwrap();
            let mut loaded = engine.fresh();
            match loaded.load_from(&store, b"") {
                Ok(found) => {
                    assert!(found);
                    for tx in after {
                        drop(loaded.observe(tx));
                    }
                }
                Err(StoreError::Features(_)) => assert_eq!(loaded.entities(), 0),
                Err(other) => assert!(other.to_string().is_empty(), "{other}"),
            }
        }
    }
}

#[test]
fn the_memory_of_another_set_is_refused_and_the_own_stays() {
    let events = stream(20);
    let mut engine = used(&everything(), &events);
    let bytes = engine.snapshot().unwrap();
    let more = Window::new(Field::User, Measure::Count).within(Span::days(1));
    let others = [
        everything().key(7),
        everything().feature(more),
        everything().lateness(Span::days(2), LatePolicy::Insert),
    ];
    for other in others {
        let mut other = used(&other, &events[..5]);
        let before = other.snapshot().unwrap();
        let error = other.restore(&bytes).unwrap_err();
        assert!(matches!(error, FeatureError::OtherSet { .. }), "{error}");
        assert!(other.snapshot().unwrap() == before);
        let mut store = MemStore::default();
        engine.save_to(&mut store, b"x").unwrap();
        let error = other.load_from(&store, b"x").unwrap_err();
        let refused = matches!(error, StoreError::Features(FeatureError::OtherSet { .. }));
        assert!(refused, "{error}");
        assert!(other.snapshot().unwrap() == before);
    }
}

#[test]
fn restoring_replaces_what_was_remembered() {
    let events = stream(30);
    let saved = used(&everything(), &events[..10]);
    let mut other = used(&everything(), &events[5..30]);
    other.restore(&saved.snapshot().unwrap()).unwrap();
    assert!(other.snapshot().unwrap() == saved.snapshot().unwrap());
}

#[test]
fn the_same_memory_gives_the_same_bytes_however_it_came_about() {
    let mut events = stream(60);
    for (tx, second) in events.iter_mut().zip(1..) {
        tx.timestamp = Timestamp::from_micros(START + second * 1_000_000).unwrap();
    }
    let bytes = used(&everything(), &events).snapshot().unwrap();
    let mut batch = FeatureEngine::new(&everything()).unwrap();
    batch.observe_all(&events).unwrap();
    assert!(batch.snapshot().unwrap() == bytes);
    assert!(batch.clone().snapshot().unwrap() == bytes);
}

#[test]
fn a_store_is_written_where_something_changed_and_rid_of_what_is_forgotten() {
    let events = stream(40);
    let mut engine = used(&everything(), &events[..30]);
    let mut store = MemStore::default();
    let mut empty = engine.fresh();
    assert!(!empty.load_from(&store, b"a").unwrap());
    let all = engine.save_to(&mut store, b"a").unwrap();
    assert_eq!(all, engine.entities() as u64);
    assert_eq!(engine.save_to(&mut store, b"a").unwrap(), 0);
    engine.observe(&events[30]).unwrap();
    // The user, and the pair with the merchant.
    assert_eq!(engine.save_to(&mut store, b"a").unwrap(), 2);
    let id = events[30].user_id.clone();
    let kind = dafu_core::EntityKind::User;
    assert!(engine.forget(&EntityKey { kind, id }));
    engine.save_to(&mut store, b"a").unwrap();
    let mut loaded = engine.fresh();
    assert!(loaded.load_from(&store, b"a").unwrap());
    assert!(loaded.snapshot().unwrap() == engine.snapshot().unwrap());
    // Another prefix is another memory.
    assert!(!loaded.load_from(&store, b"b").unwrap());
}

#[test]
fn the_standard_set_is_saved_and_restored() {
    let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(7)));
    let events = stream(400);
    let mut engine = used(&set, &events[..300]);
    let mut restored = engine.fresh();
    restored.restore(&engine.snapshot().unwrap()).unwrap();
    for tx in &events[300..] {
        let row = bits(&engine.observe(tx).unwrap().row.values().to_vec());
        let other = bits(&restored.observe(tx).unwrap().row.values().to_vec());
        assert_eq!(row, other);
    }
    assert!(restored.snapshot().unwrap() == engine.snapshot().unwrap());
}
