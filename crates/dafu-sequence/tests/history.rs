//! Classifiers of records: what they find, what they say about it, and that they are the same after saving and as a stream.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::random::Stream;
use dafu_core::{BehaviorEvent, Currency, Money, Timestamp, Transaction, Value};
use dafu_sequence::encode::{EncoderParams, Histories, NumericInput};
use dafu_sequence::history::{
    HistoryClassifier, HistoryParams, Periods, Reading, RecordContribution,
};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::stream::StreamParams;
use dafu_sequence::{SequenceError, SequenceParams};
use std::collections::BTreeMap;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

/// Fraud: a large payment within minutes of a tiny one.
fn payments(users: usize, seed: u64) -> Vec<Transaction> {
    let mut records = Vec::new();
    for user in 0..users {
        let mut stream = Stream::new(seed, 0, user as u64);
        let mut time = 0;
        let mut tiny_before = false;
        for step in 0..14 {
            let soon = stream.below(3) == 0;
            let minor = [100, 4_000, 90_000][stream.index_below(3)];
            time += if soon { 60 } else { 40_000 };
            let fraud = tiny_before && soon && minor == 90_000;
            tiny_before = minor == 100;
            let id = format!("t-{user}-{step}").parse().unwrap();
            let amount = Money::from_minor(minor, Currency::NONE);
            let user = format!("u-{user:03}").parse().unwrap();
            records.push(
                Transaction::new(id, user, amount, "shop".parse().unwrap(), at(time))
                    .with_label(fraud),
            );
        }
    }
    records
}

fn params(reading: Reading) -> HistoryParams {
    let model = SequenceParams::default()
        .hidden_units(16)
        .batch_size(16)
        .epochs(20)
        .learning_rate(0.01);
    HistoryParams::default()
        .reading(reading)
        .model(model.sequence_length(6))
}

fn fit_in(
    reading: Reading,
    records: &[Transaction],
    periods: Periods,
) -> Result<HistoryClassifier, SequenceError> {
    let params = params(reading).check()?;
    params.fit(&Histories::new(records), periods, &NativeBackend, &())
}

const READINGS: [Reading; 2] = [Reading::Windows, Reading::Stream];

fn precision(classifier: &HistoryClassifier, records: &[Transaction]) -> f64 {
    let sequences = classifier.predict_fraud_sequences(records).unwrap();
    assert_eq!(sequences.len(), records.len());
    let frauds: Vec<bool> = sequences
        .iter()
        .map(|one| records[one.record].is_fraud.known() == Some(true))
        .collect();
    let scores: Vec<f64> = sequences.iter().map(|one| one.log_odds).collect();
    dafu_core::metrics::average_precision(&frauds, &scores, None).unwrap()
}

#[test]
fn windows_and_streams_find_what_single_payments_do_not_show() {
    let (train, test) = (payments(150, 1), payments(60, 2));
    for reading in READINGS {
        let classifier = params(reading).fit(&train).unwrap();
        let reached = precision(&classifier, &test);
        assert!(reached > 0.95, "{reading:?}: {reached}");
    }
}

#[test]
fn a_stream_judges_as_whole_histories_are_judged() {
    let mut records = payments(40, 3);
    let classifier = params(Reading::Stream).fit(&records).unwrap();
    // Users by turns.
    records.sort_by_key(|record| record.timestamp);
    let sequences = classifier.predict_fraud_sequences(&records).unwrap();
    let mut expected = vec![f64::NAN; records.len()];
    for sequence in sequences {
        expected[sequence.record] = sequence.log_odds;
    }
    let mut stream = classifier.stream(&StreamParams::default()).unwrap();
    let (first, rest) = records.split_at(records.len() / 2);
    for (record, expected) in first.iter().zip(&expected) {
        let peeked = stream.peek(record).unwrap();
        let answer = stream.score(record).unwrap();
        assert_eq!(peeked, answer);
        assert!((answer.log_odds - expected).abs() < 1e-6 * expected.abs().max(1.0));
        assert!((answer.score.get() - 1.0 / (1.0 + (-answer.log_odds).exp())).abs() < 1e-12);
    }
    let mut other = classifier.stream(&StreamParams::default()).unwrap();
    other.restore(&stream.snapshot()).unwrap();
    for (record, expected) in rest.iter().zip(&expected[first.len()..]) {
        let answer = other.score(record).unwrap();
        assert!((answer.log_odds - expected).abs() < 1e-6 * expected.abs().max(1.0));
        stream.observe(record).unwrap();
    }
    assert_eq!(stream.snapshot(), other.snapshot());
    assert_eq!((stream.users(), stream.counts()), (40, other.counts()));
    assert!(stream.forget("u-001") && !stream.forget("u-001"));
}

#[test]
fn nothing_after_the_end_of_the_period_is_learned_from() {
    let records = payments(80, 4);
    let end = at(200_000);
    let periods = Periods {
        validation_from: Some(at(140_000)),
        end: Some(end),
        ..Periods::default()
    };
    let fit = |reading, records: &[Transaction]| {
        let classifier = fit_in(reading, records, periods).unwrap();
        let weights = classifier.classifier().weights();
        let (encoder, baseline) = (classifier.encoder(), classifier.baseline());
        (weights, encoder.clone(), baseline.clone())
    };
    let mut changed = records.clone();
    for record in changed.iter_mut().filter(|record| record.timestamp >= end) {
        record.amount = Money::from_minor(1, Currency::NONE);
        *record = record.clone().with_label(true);
    }
    assert_ne!(changed, records);
    for reading in READINGS {
        let is_same = fit(reading, &changed) == fit(reading, &records);
        assert!(is_same, "{reading:?}");
    }
}

#[test]
fn what_tells_when_to_stop_changes_nothing_that_is_learned() {
    let records = payments(80, 4);
    let from = at(140_000);
    let periods = Periods {
        validation_from: Some(from),
        ..Periods::default()
    };
    let mut changed = records.clone();
    for record in changed.iter_mut().filter(|record| record.timestamp >= from) {
        let fraud = record.is_fraud.known() == Some(true);
        record.amount = Money::from_minor(1, Currency::NONE);
        *record = record.clone().with_label(!fraud);
    }
    for reading in READINGS {
        // One epoch is the best one, whatever is said of it.
        let params = params(reading);
        let model = params.model.clone().epochs(1);
        let params = params.model(model).check().unwrap();
        let fit = |records: &[Transaction]| {
            let histories = Histories::new(records);
            let classifier = params.fit(&histories, periods, &NativeBackend, &());
            let classifier = classifier.unwrap();
            let weights = classifier.classifier().weights();
            let (encoder, baseline) = (classifier.encoder(), classifier.baseline());
            (weights, encoder.clone(), baseline.clone())
        };
        assert!(fit(&changed) == fit(&records), "{reading:?}");
    }
}

#[test]
fn records_after_the_end_of_the_period_are_not_even_read() {
    let records: Vec<BehaviorEvent> = (0..200)
        .map(|number| {
            let mut extras = BTreeMap::new();
            let risk = if number < 180 {
                (number % 3) as f64
            } else {
                f64::INFINITY
            };
            extras.insert("risk".into(), Value::Number(risk));
            extras.insert("is_fraud".into(), Value::Flag(number % 3 == 2));
            BehaviorEvent {
                user_id: format!("u-{}", number % 10).parse().unwrap(),
                timestamp: at(number),
                action_type: "login".parse().unwrap(),
                device_id: None,
                location: None,
                amount: None,
                extras,
            }
        })
        .collect();
    let params = params(Reading::Stream);
    let encoder = EncoderParams::behavior().numeric(NumericInput::new("risk"));
    let model = params.model.clone().epochs(1);
    let params = params.encoder(encoder).model(model).check().unwrap();
    let fit = |end| {
        let end = Some(at(end));
        let periods = Periods {
            end,
            ..Periods::default()
        };
        params.fit(&Histories::new(&records), periods, &NativeBackend, &())
    };
    assert!(fit(180).is_ok());
    assert!(matches!(
        fit(181),
        Err(SequenceError::Record { record: 180, .. })
    ));
}

#[test]
fn what_comes_before_the_period_is_read_and_not_learned_from() {
    let records = payments(80, 4);
    let from = at(140_000);
    let periods = Periods {
        learn_from: Some(from),
        ..Periods::default()
    };
    let fit = |reading, records: &[Transaction]| {
        let classifier = fit_in(reading, records, periods).unwrap();
        (
            classifier.classifier().weights(),
            classifier.encoder().clone(),
        )
    };
    let mut labels = records.clone();
    for record in labels.iter_mut().filter(|record| record.timestamp < from) {
        *record = record.clone().with_label(true);
    }
    assert_ne!(labels, records);
    let mut amounts = labels.clone();
    for record in amounts.iter_mut().filter(|record| record.timestamp < from) {
        record.amount = Money::from_minor(1, Currency::NONE);
    }
    for reading in READINGS {
        let first = fit(reading, &records);
        assert!(fit(reading, &labels) == first, "{reading:?}");
        let (weights, encoder) = fit(reading, &amounts);
        assert!(weights != first.0 && encoder == first.1, "{reading:?}");
    }
}

#[test]
fn periods_that_are_not_in_order_or_empty_are_errors() {
    let records = payments(20, 4);
    let (early, late) = (Some(at(100_000)), Some(at(200_000)));
    let wrong = Periods {
        validation_from: late,
        end: early,
        ..Periods::default()
    };
    let error = fit_in(Reading::Windows, &records, wrong).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`validation_from` must be before 1970-01-02T03:46:40Z, where the next period begins, got 1970-01-03T07:33:20Z"
    );
    let wrong = Periods {
        learn_from: late,
        validation_from: late,
        ..Periods::default()
    };
    assert!(fit_in(Reading::Windows, &records, wrong).is_err());
    let nothing = Periods {
        validation_from: Some(at(i64::from(u32::MAX))),
        ..Periods::default()
    };
    let error = fit_in(Reading::Windows, &records, nothing).unwrap_err();
    assert!(matches!(error, SequenceError::Empty { .. }), "{error}");
}

#[test]
fn records_that_are_context_are_read_and_not_judged() {
    let records = payments(60, 1);
    let large = |record: &Transaction| record.amount.minor() == 90_000;
    let histories = Histories::new(&records).scored_where(large);
    let classifier = params(Reading::Windows)
        .check()
        .unwrap()
        .fit(&histories, Periods::default(), &NativeBackend, &())
        .unwrap();
    let sequences = classifier.predict_in(&histories).unwrap();
    assert_eq!(
        sequences.len(),
        records.iter().filter(|record| large(record)).count()
    );
    assert!(sequences.iter().any(|sequence| sequence.length == 6));
}

#[test]
fn a_model_of_windows_makes_no_stream() {
    let classifier = params(Reading::Windows).fit(&payments(12, 5)).unwrap();
    let error = classifier.stream(&StreamParams::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`reading` must be Stream, to score records one by one, got Windows"
    );
}

#[test]
fn explanations_point_at_the_payments_that_made_the_fraud() {
    let train = payments(150, 1);
    for reading in READINGS {
        let classifier = params(reading).fit(&train).unwrap();
        // Not in the order of time.
        let mut records = payments(60, 2);
        records.reverse();
        let fraud = records
            .iter()
            .position(|record| record.is_fraud.known() == Some(true))
            .unwrap();
        let explained = classifier.explain(&records, fraud).unwrap();
        assert!(explained.log_odds > 0.0);
        let sequences = classifier.predict_fraud_sequences(&records).unwrap();
        let judged = sequences.iter().find(|one| one.record == fraud).unwrap();
        assert!((explained.log_odds - judged.log_odds).abs() < 1e-4);
        assert_eq!(explained.records.len(), judged.length);
        let sum: f64 = explained.records.iter().map(|one| one.contribution).sum();
        let difference = explained.log_odds - explained.baseline;
        assert!(
            (sum - difference).abs() < 0.02 * difference.abs(),
            "{sum} {difference}"
        );
        // The two last payments say more than all others together.
        let (others, last) = explained.records.split_at(explained.records.len() - 2);
        let size = |records: &[RecordContribution]| -> f64 {
            records.iter().map(|one| one.contribution.abs()).sum()
        };
        assert!(size(last) > size(others), "{explained:?}");
        for one in &explained.records {
            assert_eq!(records[one.record].user_id, records[fraud].user_id);
            assert_eq!(records[one.record].timestamp, one.time);
            let amount = one.inputs.iter().find(|input| input.name == "amount");
            let major = records[one.record].amount.minor() as f64 / 100.0;
            assert_eq!(amount.unwrap().observed, format!("{major:.2}"));
            let sizes = one.inputs.iter().map(|input| -input.contribution.abs());
            assert!(sizes.is_sorted());
        }
        assert_eq!(last[1].record, fraud);
        assert!(
            last[1]
                .to_string()
                .starts_with(&format!("{} +", last[1].time))
        );
        assert!(classifier.explain(&records, records.len()).is_err());
    }
}

#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use dafu_core::model::Limits;

    #[test]
    fn classifiers_are_the_same_after_saving() {
        let records = payments(30, 5);
        let classifier = params(Reading::Windows).fit(&records).unwrap();
        let bytes = classifier.to_safetensors().unwrap();
        let read = HistoryClassifier::from_safetensors(&bytes, &Limits::default()).unwrap();
        assert_eq!(
            read.predict_fraud_sequences(&records).unwrap(),
            classifier.predict_fraud_sequences(&records).unwrap()
        );
        assert_eq!(read.to_safetensors().unwrap(), bytes);
    }

    #[test]
    fn a_classifier_of_gradients_that_are_never_shortened_is_the_same_after_saving() {
        let records = payments(12, 5);
        let params = params(Reading::Stream);
        let model = params.model.clone().clip_norm(f64::INFINITY);
        let params = params.model(model.epochs(1).learning_rate(1e-3));
        let classifier = params.fit(&records).unwrap();
        let bytes = classifier.to_safetensors().unwrap();
        let read = HistoryClassifier::from_safetensors(&bytes, &Limits::default()).unwrap();
        assert_eq!(read.params(), &params);
        assert_eq!(read.to_safetensors().unwrap(), bytes);
    }

    #[test]
    fn damaged_models_are_errors_or_answer() {
        let records = payments(12, 5);
        let classifier = params(Reading::Windows).fit(&records).unwrap();
        let bytes = classifier.to_safetensors().unwrap();
        let mut stream = Stream::new(1, 2, 3);
        let (mut refused, mut answered) = (0, 0);
        for _ in 0..600 {
            let mut damaged = bytes.clone();
            let place = stream.index_below(damaged.len());
            damaged[place] ^= 1 << stream.below(8);
            let Ok(model) = HistoryClassifier::from_safetensors(&damaged, &Limits::default())
            else {
                refused += 1;
                continue;
            };
            // Weights may be any numbers, so large ones that there is no answer.
            answered += usize::from(model.predict_fraud_sequences(&records).is_ok());
            drop(model.explain(&records, 7));
        }
        assert!(refused > 50 && answered > 50, "{refused} {answered}");
        for length in (0..bytes.len()).step_by(97) {
            assert!(
                HistoryClassifier::from_safetensors(&bytes[..length], &Limits::default()).is_err()
            );
        }
    }
}
