//! Encoding of any events: nothing leaks, and streams are batches.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use dafu_core::{EntityId, Money, Timestamp, Transaction};
use dafu_sequence::data::Events;
use dafu_sequence::encode::{
    CategoricalInput, Encoder, EncoderParams, EncoderState, Histories, NoveltyInput, NumericInput,
    RawEvent, Record,
};
use dafu_testkit::strategy::{busy_stream, transactions};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;
use std::collections::BTreeMap;

/// All kinds of inputs, each of which may be missing.
fn params() -> EncoderParams {
    EncoderParams::transactions()
        .numeric(NumericInput::new("number").optional(true))
        .categorical(
            CategoricalInput::new("text")
                .min_count(1)
                .max_categories(2)
                .optional(true),
        )
}

/// What is encoded of a record, its label included.
fn encoded(histories: &Histories<'_, Transaction>, events: &Events, record: usize) -> Encoded {
    let event = histories.event(record).unwrap();
    let numbers = events.numbers(event);
    Encoded {
        numeric: bits(numbers.numeric),
        codes: numbers.codes.to_vec(),
        label: events.label(event),
    }
}

#[derive(Debug, PartialEq)]
struct Encoded {
    numeric: Vec<u32>,
    codes: Vec<u32>,
    label: Option<bool>,
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// A record at or after the boundary that shares nothing with the given one.
fn forged(tx: &Transaction, minor: i64, later: i64) -> Transaction {
    let mut forged = tx.clone();
    forged.user_id = EntityId::new(format!("u-{}", minor % 7)).unwrap();
    forged.amount = Money::from_minor(minor, tx.amount.currency());
    let micros = tx.timestamp.as_micros().saturating_add(later);
    forged.timestamp = Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX);
    forged.category = Some(EntityId::new(format!("forged-{}", minor % 3)).unwrap());
    forged.device = Some(EntityId::new("forged").unwrap());
    forged.country = None;
    forged.with_label(minor % 2 == 0)
}

fn fitted(histories: &Histories<'_, Transaction>, boundary: Timestamp) -> (Encoder, Events) {
    let encoder = params().fit(histories, Some(boundary)).unwrap();
    let events = histories.encode(&encoder).unwrap();
    (encoder, events)
}

proptest! {
    #[test]
    fn nothing_at_or_after_the_boundary_changes_what_is_before(
        records in busy_stream(30).prop_shuffle(),
        boundary in any::<Index>(),
        forgeries in vec((any::<bool>(), 0_i64..100_000, 0_i64..10_000_000_000), 30),
        drop in any::<Index>(),
    ) {
        let boundary = boundary.get(&records).timestamp;
        let before = |tx: &Transaction| tx.timestamp < boundary;
        if !records.iter().any(before) {
            return Ok(());
        }
        let histories = Histories::new(&records);
        let (encoder, events) = fitted(&histories, boundary);

        // Others at or after the boundary, and one more or one less.
        let mut other = records.clone();
        for (tx, (forge, minor, later)) in other.iter_mut().zip(forgeries) {
            if forge && !before(tx) {
                *tx = forged(tx, minor, later);
            }
        }
        let dropped = Some(drop.index(records.len())).filter(|record| !before(&records[*record]));
        let kept: Vec<usize> = (0..records.len()).filter(|record| Some(*record) != dropped).collect();
        let other: Vec<_> = kept.iter().map(|record| other[*record].clone()).collect();
        let others = Histories::new(&other);
        let (got, got_events) = fitted(&others, boundary);
        prop_assert_eq!(&got, &encoder);
        for (place, record) in kept.iter().enumerate().filter(|(_, record)| before(&records[**record])) {
            prop_assert_eq!(encoded(&others, &got_events, place), encoded(&histories, &events, *record));
        }
    }

    #[test]
    fn a_stream_of_all_entities_gives_the_bits_of_the_batch(
        records in busy_stream(40),
        boundary in any::<Index>(),
    ) {
        let boundary = boundary.get(&records).timestamp;
        let histories = Histories::new(&records);
        let Ok(encoder) = params().fit(&histories, Some(boundary)) else {
            return Ok(());
        };
        let events = histories.encode(&encoder).unwrap();
        let mut states: BTreeMap<&str, EncoderState> = BTreeMap::new();
        let (mut numeric, mut codes) = (Vec::new(), Vec::new());
        for (record, tx) in records.iter().enumerate() {
            let state = states.entry(tx.entity()).or_default();
            *state = saved_and_restored(*state);
            encoder.encode_record(state, tx, &mut numeric, &mut codes).unwrap();
            let expected = encoded(&histories, &events, record);
            prop_assert_eq!(bits(&numeric), expected.numeric);
            prop_assert_eq!(&codes, &expected.codes);
        }
    }

    #[test]
    fn any_transactions_are_encoded_within_the_limits(
        (records, boundary) in transactions().prop_flat_map(|records| {
            let times = records.iter().map(|tx| tx.timestamp).collect::<Vec<_>>();
            (Just(records), any::<Index>().prop_map(move |index| {
                if times.is_empty() { None } else { Some(*index.get(&times)) }
            }))
        }),
    ) {
        let histories = Histories::new(&records);
        let Ok(encoder) = params().fit(&histories, boundary) else {
            return Ok(());
        };
        // Widths, finite numbers and codes are checked where events are collected.
        let events = histories.encode(&encoder).unwrap();
        prop_assert_eq!(events.len(), records.len());
        for event in 0..events.len() {
            let numbers = events.numbers(event);
            prop_assert!(numbers.numeric.iter().all(|number| number.abs() <= 8.0));
            prop_assert_eq!(histories.event(histories.record(event).unwrap()), Some(event));
            for input in 0..encoder.input_names().len() {
                prop_assert!(encoder.describe(numbers, input).is_some());
            }
        }
        prop_assert!(encoder.describe(events.numbers(0), encoder.input_names().len()).is_none());
    }

    #[test]
    fn events_by_place_give_the_bits_of_records(records in busy_stream(20)) {
        let params = EncoderParams::default()
            .numeric(NumericInput::log("amount"))
            .numeric(NumericInput::new("number").optional(true))
            .categorical(CategoricalInput::new("category").optional(true))
            .novelty(NoveltyInput::new("device").optional(true));
        let histories = Histories::new(&records);
        let mut fit = params.check().unwrap().fitter(None);
        let sorted = || (0..histories.entities()).map(|entity| {
            histories.entity(entity).map(|event| &records[histories.record(event).unwrap()])
        });
        for entity in sorted() {
            for tx in entity {
                by_place(&params, tx, |event| fit.push(event).unwrap());
            }
            fit.end_entity();
        }
        let encoder = fit.finish().unwrap();
        prop_assert_eq!(&encoder, &params.fit(&histories, None).unwrap());
        let mut events = encoder.events();
        for entity in sorted() {
            for tx in entity {
                by_place(&params, tx, |event| events.push(event).unwrap());
            }
            events.end_entity();
        }
        let events = events.build();
        let expected = histories.encode(&encoder).unwrap();
        for record in 0..records.len() {
            prop_assert_eq!(encoded(&histories, &events, record), encoded(&histories, &expected, record));
        }
    }
}

fn by_place(params: &EncoderParams, tx: &Transaction, push: impl FnOnce(&RawEvent<'_>)) {
    let numbers: Vec<f64> = params
        .number_fields()
        .map(|field| tx.number(field).unwrap_or(f64::NAN))
        .collect();
    let texts: Vec<_> = params.text_fields().map(|field| tx.text(field)).collect();
    let texts: Vec<_> = texts.iter().map(Option::as_deref).collect();
    push(&RawEvent {
        time: tx.timestamp,
        numbers: &numbers,
        texts: &texts,
        label: tx.label(),
        scorable: tx.scorable(),
    });
}

#[cfg(not(feature = "serde"))]
fn saved_and_restored(state: EncoderState) -> EncoderState {
    state
}

#[cfg(feature = "serde")]
fn saved_and_restored(state: EncoderState) -> EncoderState {
    serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap()
}
