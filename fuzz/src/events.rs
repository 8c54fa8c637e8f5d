//! Streams of events for the feature engine, read from any bytes.

use crate::bytes::Bytes;
use dafu_core::{
    Currency, EntityKey, EntityKind, GeoPoint, Label, Money, Table, Timestamp, Transaction,
    TransactionId, TransactionStatus, Value,
};
use dafu_features::{
    EventFeature, FeatureEngine, FeatureError, FeatureSet, Field, Labels, LatePolicy, Measure,
    Quantity, Span, StateLimits, Window,
};
use std::mem::discriminant;
use std::sync::{Arc, OnceLock};

/// Most bytes an engine may hold: the sets below allow few events, and inputs are short.
const MOST_BYTES: usize = 64 << 20;

/// Mostly small steps from the last time; at times any instant at all.
fn time(bytes: &mut Bytes<'_>, now: &mut i64) -> Timestamp {
    if bytes.is_odd() {
        let at = bytes.odd_time(*now);
        *now = at.as_micros();
        return at;
    }
    let (kind, raw) = (bytes.byte(), bytes.number().cast_signed());
    let step = match kind % 8 {
        0 => 0,
        1 => raw % 1_000_000,
        2 | 3 => (raw % 100).abs() * 1_000_000,
        4 => (raw % 100).abs() * 3_600_000_000,
        5 => (raw % 40).abs() * 86_400_000_000,
        6 => raw % 86_400_000_000,
        _ => raw,
    };
    *now = now
        .saturating_add(step)
        .clamp(Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
    Timestamp::from_micros(*now).expect("within the years 1 to 9999")
}

fn transaction(bytes: &mut Bytes<'_>, now: &mut i64, number: usize) -> Transaction {
    let at = time(bytes, now);
    let fields = bytes.byte();
    let codes = ["EUR", "JPY", "KWD", "XXX"];
    let currency = Currency::new(codes[usize::from(fields % 4)]).expect("a code");
    let amount = if bytes.is_odd() {
        bytes.odd_amount(currency)
    } else {
        let minor = match bytes.byte() % 4 {
            0 => bytes.number().cast_signed(),
            1 => -i64::from(bytes.byte()),
            _ => i64::from(bytes.byte()) * 100,
        };
        Money::from_minor(minor, currency)
    };
    let again = bytes.byte();
    let number = if again % 8 == 0 {
        usize::from(again)
    } else {
        number
    };
    let id = if bytes.is_odd() {
        bytes.odd_transaction_id(number)
    } else {
        TransactionId::new(format!("t-{number}")).expect("a good id")
    };
    let mut tx = Transaction::new(id, bytes.id("u"), amount, bytes.id("m"), at).with_label(
        [Label::Unknown, Label::Legitimate, Label::Fraud][usize::from(bytes.byte() % 3)],
    );
    if fields & 4 != 0 {
        tx = tx.with_category(bytes.id("c")).with_device(bytes.id("d"));
    }
    if fields & 8 != 0 {
        tx.ip = Some(std::net::Ipv4Addr::from(bytes.number() as u32).into());
        tx.user_agent = Some(Arc::from(String::from_utf8_lossy(
            &bytes.number().to_le_bytes(),
        )));
        tx.country = Some(bytes.id("l"));
    }
    if fields & 16 != 0 {
        let degrees = |raw: u64, limit: f64| (raw % 1000) as f64 / 500.0 * limit - limit;
        tx.merchant_location = GeoPoint::new(
            degrees(bytes.number(), 90.0),
            degrees(bytes.number(), 180.0),
        )
        .ok();
    }
    if fields & 32 != 0 {
        tx = tx.with_extra("score", Value::Number(f64::from_bits(bytes.number())));
    }
    if fields & 64 != 0 {
        tx.status = Some(TransactionStatus::Declined);
    }
    tx
}

/// The standard set and some measures that it leaves out, under tight bounds.
fn set(choice: u8) -> FeatureSet {
    let (user, month) = (Field::User, Span::days(30));
    let score = Quantity::Extra("score".to_owned());
    let mut set = FeatureSet::standard()
        .feature(EventFeature::Value(score.clone()))
        .feature(
            Window::new(user.clone(), Measure::Variance)
                .of(score)
                .within(month),
        )
        .feature(Window::new(user.clone(), Measure::Min).within(Span::hours(1)))
        .feature(
            Window::new(
                user.clone(),
                Measure::TopShare {
                    of: Field::Merchant,
                    k: 2,
                },
            )
            .within(month),
        )
        .feature(
            Window::new(
                user.clone(),
                Measure::Distinct {
                    of: Field::Merchant,
                },
            )
            .within(Span::days(365))
            .tiles(12),
        )
        .feature(
            Window::new(user, Measure::Quantile { permille: 900 })
                .within(Span::days(365))
                .tiles(12),
        );
    set.limits = StateLimits {
        events_per_entity: [4, 64][usize::from(choice & 1)],
        ttl: (choice & 2 != 0).then_some(Span::days(3)),
        memory_bytes: Some(32 << 20),
        remembered_transactions: 16,
    };
    if choice & 4 != 0 {
        set.labels = Labels::AfterDelay(Span::days(7));
    }
    set.lateness.policy =
        [LatePolicy::Insert, LatePolicy::Drop, LatePolicy::Error][usize::from(choice / 8 % 3)];
    if choice & 64 != 0 {
        set.max_jump = None;
    }
    set
}

pub(crate) fn engine(choice: u8) -> FeatureEngine {
    static ENGINES: OnceLock<Vec<FeatureEngine>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| {
        let make = |choice| FeatureEngine::new(&set(choice)).expect("a sound set");
        (0..128).map(make).collect()
    });
    engines[usize::from(choice % 128)].fresh()
}

/// Any stream of events, labels, reversals and forgetting gives rows or named errors, within the memory budget; a
/// snapshot goes on with the same rows, and so does a batch.
pub fn engine_events(data: &[u8]) {
    // With the first bit, events are odd at times.
    let odd = data.first().is_some_and(|first| first & 128 != 0);
    let mut bytes = Bytes::new(data, odd);
    let mut engine = engine(bytes.byte());
    let mut now = 1_704_067_200_000_000;
    let mut past: Vec<Transaction> = Vec::new();
    for number in 0..bytes.len() / 8 {
        let kind = bytes.byte();
        let earlier = past
            .get(usize::from(bytes.byte()) % past.len().max(1))
            .cloned();
        match (kind % 16, earlier) {
            (0, Some(tx)) => {
                let known_at = time(&mut bytes, &mut now);
                let _ = engine.label(&tx, Label::from(kind & 16 != 0), known_at);
                engine.label_by_id(&tx.transaction_id, Label::Fraud, known_at);
            }
            (1, Some(tx)) => {
                let _ = engine.reverse(&tx);
            }
            (2, Some(tx)) => {
                let key = EntityKey {
                    kind: EntityKind::User,
                    id: tx.user_id.clone(),
                };
                engine.forget(&key);
            }
            (3, Some(_)) => {
                let snapshot = engine.snapshot().expect("memory that can be written");
                let mut other = engine.fresh();
                other.restore(&snapshot).expect("its own snapshot");
                assert_eq!(
                    other.snapshot().expect("memory that can be written"),
                    snapshot
                );
                engine = other;
            }
            _ => {
                let tx = transaction(&mut bytes, &mut now, number);
                observe(&mut engine, &tx);
                past.push(tx);
            }
        }
    }
    assert!(engine.memory_bytes() < MOST_BYTES);
    past.sort_by_key(|tx| tx.timestamp);
    compare(&engine, &past);
}

/// Events in order of time give the same rows, or the same error, one by one, in a batch and as a table.
fn compare(engine: &FeatureEngine, events: &[Transaction]) {
    let mut one = engine.clone();
    let all = engine.clone().observe_all(events);
    let table = engine
        .clone()
        .observe_table(&Table::from_transactions(events));
    for (at, tx) in events.iter().enumerate() {
        let seen = one.observe(tx);
        for (rows, first) in [(&all, 0), (&table, 1)] {
            let number = at as u64 + first;
            match (&seen, rows) {
                (Ok(seen), Ok(rows)) => {
                    let row = seen.row.values();
                    let same = is_same(row.iter(), rows.values().row(at).iter());
                    assert!(same, "row {at} differs");
                }
                (Ok(_), Err(FeatureError::Record { row, .. })) => assert!(*row > number),
                (Err(error), Err(FeatureError::Record { row, source })) => {
                    assert_eq!(*row, number);
                    assert_eq!(discriminant(error), discriminant(&**source));
                }
                (_, rows) => panic!("row {at}: {:?}, {:?}", seen.err(), rows.as_ref().err()),
            }
        }
        if seen.is_err() {
            return;
        }
    }
    assert!(all.is_ok() && table.is_ok());
}

pub(crate) fn is_same<'a>(
    one: impl ExactSizeIterator<Item = &'a f64>,
    other: impl ExactSizeIterator<Item = &'a f64>,
) -> bool {
    let same_length = one.len() == other.len();
    same_length
        && one
            .zip(other)
            .all(|(one, other)| one.to_bits() == other.to_bits())
}

/// What may be wrong with an event.
pub(crate) fn is_of_event(error: &FeatureError) -> bool {
    matches!(
        error,
        FeatureError::NumberTooLarge { .. }
            | FeatureError::ClockJump { .. }
            | FeatureError::Conflict { .. }
            | FeatureError::Late { .. }
    )
}

fn observe(engine: &mut FeatureEngine, tx: &Transaction) {
    let width = engine.schema().width();
    let mut peeked = vec![0.0; width];
    let seen_before = engine.peek(tx, &mut peeked).is_ok();
    match engine.observe(tx) {
        Err(error) => assert!(is_of_event(&error), "{error}"),
        Ok(seen) => {
            assert!(seen_before);
            for (value, spec) in seen.row.values().iter().zip(seen.row.schema().features()) {
                assert!(!value.is_infinite(), "{} is infinite", spec.name);
            }
            if seen.outcome == dafu_features::Outcome::Recorded {
                let same = is_same(seen.row.values().iter(), peeked.iter());
                assert!(same, "peek and observe differ");
            }
        }
    }
}

/// Any bytes are the memory of an engine that goes on, or a named error that leaves it as it was.
pub fn engine_restore(data: &[u8]) {
    let mut engine = engine(1);
    let before = engine.snapshot().expect("memory that can be written");
    let mut bytes = Bytes::new(&[3; 64], false);
    let tx = transaction(&mut bytes, &mut 1_704_067_200_000_000, 1);
    let mut forged = data.to_vec();
    crate::seal(&mut forged);
    for bytes in [data, &forged] {
        if engine.restore(bytes).is_ok() {
            assert!(engine.memory_bytes() < 4 * MOST_BYTES);
            let _ = engine.observe(&tx);
            engine = engine.fresh();
        } else {
            assert_eq!(
                engine.snapshot().expect("memory that can be written"),
                before
            );
        }
    }
}

/// Any text is a sound set that prints and reads back, or a named error.
pub fn feature_set(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(set) = FeatureSet::from_toml(text) {
        let again = set.to_toml().expect("a set that TOML can hold");
        assert_eq!(FeatureSet::from_toml(&again).expect("what it wrote"), set);
        let _ = FeatureEngine::new(&set);
    }
}

#[cfg(test)]
mod tests {
    use super::{engine, observe, transaction};
    use crate::bytes::Bytes;

    #[test]
    #[ignore = "writes an input to begin from"]
    fn write_a_memory() {
        let some: Vec<u8> = (0..2000_u32).map(|n| (n * n % 251) as u8).collect();
        let (mut bytes, mut now) = (Bytes::new(&some, false), 1_704_067_200_000_000);
        let mut engine = engine(1);
        for number in 0..12 {
            observe(&mut engine, &transaction(&mut bytes, &mut now, number));
        }
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/regressions/engine_restore/memory"
        );
        std::fs::write(file, engine.snapshot().unwrap()).unwrap();
    }
}
