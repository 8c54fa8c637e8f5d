//! A budget for memory: what is not forgotten reads as without one, and what is forgotten is counted.
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;

use dafu_core::{Label, Timestamp, Transaction, TransactionId};
use dafu_features::{
    EngineStats, FeatureEngine, FeatureSet, LatePolicy, Observation, Outcome, Span, StateLimits,
};
use dafu_testkit::strategy::{START, busy_transaction};
use oracle::scenario::{cases, sets, short};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseResult};
use std::fmt;

/// An event of one of many users and merchants, and what happens after it.
#[derive(Clone)]
struct Event {
    tx: Transaction,
    /// This event becomes known to be a fraud.
    fraud: Option<Index>,
    sweep: bool,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.tx.timestamp.as_micros() - START;
        let (fraud, sweep) = (&self.fraud, self.sweep);
        write!(f, "+{after} us: {} {fraud:?} {sweep}", short(&self.tx))
    }
}

/// More events than pass before an engine looks for entities to forget, some late and some far apart, of few users or
/// many.
fn events() -> BoxedStrategy<Vec<Event>> {
    let gap = prop_oneof![
        8 => 0..1000_i64,
        1 => select(vec![-1, -500, -3_000]),
        1 => select(vec![3_600, 86_400, 8 * 86_400]),
    ];
    let fraud = option::weighted(0.05, any::<Index>());
    let what = (fraud, prop::bool::weighted(0.03));
    let event = (busy_transaction(), gap, any::<(u8, u8)>(), what);
    (vec(event, 100..600), select(vec![(4, 2), (200, 40)]))
        .prop_map(|(events, (users, merchants))| {
            let mut newest = START;
            let place = |(number, (mut tx, gap, who, what)): (usize, (Transaction, i64, _, _))| {
                let time = newest + gap * 1_000_000;
                newest = newest.max(time);
                let ((user, merchant), (fraud, sweep)): ((u8, u8), _) = (who, what);
                tx.timestamp = Timestamp::from_micros(time).unwrap();
                tx.transaction_id = TransactionId::new(format!("t-{number}")).unwrap();
                tx.user_id = format!("u-{}", user % users).parse().unwrap();
                tx.merchant_id = format!("m-{}", merchant % merchants).parse().unwrap();
                Event { tx, fraud, sweep }
            };
            (0..).zip(events).map(place).collect()
        })
        .boxed()
}

/// The set under a budget; no transactions are remembered by id, which have a bound of their own.
fn budgeted(set: &FeatureSet, memory_bytes: Option<u64>) -> FeatureEngine {
    let limits = StateLimits {
        memory_bytes,
        ..set.limits
    };
    FeatureEngine::new(&set.clone().limits(limits)).unwrap()
}

fn bits(seen: &Observation<'_>) -> (Outcome, Vec<u64>) {
    let values = seen.row.values();
    let bits = values.iter().map(|value| value.to_bits());
    (seen.outcome, bits.collect())
}

fn row(engine: &mut FeatureEngine, tx: &Transaction) -> (Outcome, Vec<u64>) {
    bits(&engine.observe(tx).unwrap())
}

/// Nothing was given up for the budget.
fn is_whole(engine: &FeatureEngine) -> bool {
    let stats = engine.stats();
    stats.evicted_entities == 0 && stats.forgotten_ids == 0
}

/// Looks for entities to forget: all that go are counted, something goes if need be, and the rest fits.
fn look(engine: &mut FeatureEngine, budget: u64) -> TestCaseResult {
    let (before, entities) = (*engine.stats(), engine.entities());
    let held = engine.memory_bytes() as u64;
    engine.sweep();
    let after = *engine.stats();
    let expired = after.expired_entities - before.expired_entities;
    let evicted = after.evicted_entities - before.evicted_entities;
    let ids = after.forgotten_ids - before.forgotten_ids;
    prop_assert_eq!(expired + evicted, (entities - engine.entities()) as u64);
    prop_assert!(held <= budget || expired + evicted + ids > 0);
    let held = engine.memory_bytes() as u64;
    prop_assert!(held <= budget, "{} bytes of {}", held, budget);
    Ok(())
}

/// What was counted, whenever entities that have expired were looked for: an event that comes again finds them, too,
/// and of those that are still there, labels are taken.
fn counts(engine: &FeatureEngine) -> EngineStats {
    let mut stats = *engine.stats();
    stats.expired_entities = 0;
    stats.labels += std::mem::take(&mut stats.unmatched);
    stats
}

/// Three engines side by side: without a budget and with one that is never reached, which is looked through more
/// often, and with a small one.
fn check(set: &FeatureSet, events: &[Event], small_budget: u64) -> TestCaseResult {
    let large_budget = 1 << 40;
    let mut free = budgeted(set, None);
    let mut large = budgeted(set, Some(large_budget));
    let mut small = budgeted(set, Some(small_budget));
    for (number, Event { tx, fraud, sweep }) in events.iter().enumerate() {
        let expected = row(&mut free, tx);
        prop_assert_eq!(
            &row(&mut large, tx),
            &expected,
            "with room, event {}",
            number
        );
        let whole = is_whole(&small);
        let got = row(&mut small, tx);
        if whole {
            prop_assert_eq!(&got, &expected, "before any eviction, event {}", number);
        }
        if let Some(of) = fraud {
            let of = &events[of.index(number + 1)].tx;
            for engine in [&mut free, &mut large, &mut small] {
                engine.label(of, Label::Fraud, tx.timestamp).unwrap();
            }
        }
        if *sweep {
            look(&mut large, large_budget)?;
            look(&mut small, small_budget)?;
        }
    }
    prop_assert!(is_whole(&large));
    free.sweep();
    large.sweep();
    prop_assert_eq!(counts(&large), counts(&free));
    prop_assert_eq!(large.entities(), free.entities());
    prop_assert_eq!(large.memory_bytes(), free.memory_bytes());
    look(&mut small, small_budget)
}

/// An engine looks ahead in a stream: what it has found may be gone before its turn.
fn check_stream(set: &FeatureSet, events: &[Event], budget: u64) -> TestCaseResult {
    let mut single = budgeted(set, Some(budget));
    let mut streamed = single.fresh();
    let mut rows = Vec::new();
    let records = events.iter().map(|event| &event.tx);
    let sink = |_: &Transaction, seen: Observation<'_>| rows.push(bits(&seen));
    streamed.stream(records, sink).unwrap();
    for (number, (event, streamed)) in events.iter().zip(&rows).enumerate() {
        prop_assert_eq!(streamed, &row(&mut single, &event.tx), "event {}", number);
    }
    prop_assert_eq!(streamed.stats(), single.stats());
    prop_assert_eq!(streamed.entities(), single.entities());
    prop_assert_eq!(streamed.memory_bytes(), single.memory_bytes());
    Ok(())
}

fn budgets() -> BoxedStrategy<u64> {
    prop_oneof![
        1 => select(vec![0, 1, 500]),
        4 => 1_000..100_000_u64,
        4 => 100_000..1_000_000_u64,
    ]
    .boxed()
}

proptest! {
    #![proptest_config(Config { cases: cases(50), failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_sets_read_the_same_until_an_entity_is_evicted(
        set in sets(),
        events in events(),
        budget in budgets(),
    ) {
        check(&set.0, &events, budget)?;
    }

    #[test]
    fn a_stream_forgets_the_same_entities_as_single_events(
        set in sets(),
        events in events(),
        budget in budgets(),
    ) {
        check_stream(&set.0, &events, budget)?;
    }
}

proptest! {
    #![proptest_config(Config { cases: cases(15), failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_standard_set_reads_the_same_until_an_entity_is_evicted(
        ttl in select(vec![None, Some(Span::days(1))]),
        events in events(),
        budget in prop_oneof![budgets(), 1_000_000..10_000_000_u64],
    ) {
        let limits = StateLimits { ttl, ..StateLimits::default() };
        let set = FeatureSet::standard().lateness(Span::hours(1), LatePolicy::Insert).limits(limits);
        check(&set, &events, budget)?;
    }
}
