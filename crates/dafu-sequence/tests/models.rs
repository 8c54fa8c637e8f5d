//! Models of records: what they find, what they say about it, and that they are the same after saving, and as a stream.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::random::Stream;
use dafu_core::{BehaviorEvent, Currency, DailySummary, Money, Timestamp, Transaction};
use dafu_sequence::behavior::{AnomalyParams, BehaviorParams, UserBehaviorAnalyzer};
use dafu_sequence::history::{HistoryClassifier, HistoryParams, Periods, Reading};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::stream::{LatePolicy, StreamParams};
use dafu_sequence::{SequenceError, SequenceParams};
use std::collections::BTreeMap;
use std::sync::LazyLock;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn event(user: usize, time: i64, action: &str, device: &str, minor: i64) -> BehaviorEvent {
    BehaviorEvent {
        user_id: format!("user-{user:03}").parse().unwrap(),
        timestamp: at(time),
        action_type: action.parse().unwrap(),
        device_id: Some(device.parse().unwrap()),
        location: None,
        amount: (minor > 0).then(|| Money::from_minor(minor, Currency::NONE)),
        extras: BTreeMap::new(),
    }
}

/// Users log in, browse and buy, a few times a day on a device of their own.
fn behavior(users: usize, taken_over: Option<usize>) -> Vec<BehaviorEvent> {
    let mut records = Vec::new();
    for user in 0..users {
        let mut stream = Stream::new(5, 0, user as u64);
        let own = format!("device-{user}");
        let mut time = (stream.unit() * 86_400.0) as i64;
        for _ in 0..8 {
            time += 20_000 + (stream.unit() * 40_000.0) as i64;
            records.push(event(user, time, "login", &own, 0));
            records.push(event(user, time + 60, "browse", &own, 0));
            let minor = 1_000 + (stream.unit() * 4_000.0) as i64;
            records.push(event(user, time + 200, "purchase", &own, minor));
        }
        if taken_over == Some(user) {
            records.push(event(user, time + 300, "login", "elsewhere", 0));
            for step in 0..3 {
                records.push(event(
                    user,
                    time + 330 + step,
                    "purchase",
                    "elsewhere",
                    9_000_000,
                ));
            }
        }
    }
    records.sort_by_key(|record| record.timestamp);
    records
}

static ANALYZER: LazyLock<UserBehaviorAnalyzer> = LazyLock::new(|| {
    let params = BehaviorParams::default().calibration_share(0.4);
    let model = params
        .model
        .clone()
        .hidden_units(16)
        .batch_size(16)
        .epochs(6);
    params.model(model).fit(&behavior(400, None), None).unwrap()
});

#[test]
fn finds_a_taken_over_account_and_says_what_surprised() {
    let records = behavior(60, Some(17));
    let anomalies = ANALYZER
        .detect_behavioral_anomalies(&records, &AnomalyParams::default())
        .unwrap();
    let first = &anomalies[0];
    assert_eq!(first.user, "user-017");
    assert_eq!(first.records.len(), 28);
    assert!(first.step >= 24, "{first}");
    let record = &records[first.records[first.step]];
    assert_eq!(record.timestamp, first.time);
    assert_eq!(record.device_id.as_ref().unwrap().as_str(), "elsewhere");
    assert!(first.score >= 0.8 && first.p_value <= 0.008 + 1e-9);
    assert!(!first.input.observed.is_empty() && !first.input.expected.is_empty());
    assert!(first.input.surprise <= first.surprise + 20.0);
    // By falling score, all above the threshold.
    assert!(anomalies.is_sorted_by(|left, right| left.score >= right.score));
}

#[test]
fn as_many_normal_sequences_reach_a_score_as_it_says() {
    let records = behavior(900, None);
    // Others than those learned from: another part of the users, the same behaviour.
    let fresh: Vec<BehaviorEvent> = records
        .into_iter()
        .filter(|record| record.user_id.as_str() > "user-399")
        .collect();
    for (threshold, length) in [(0.5, 30), (0.5, 6), (0.7, 6)] {
        let params = AnomalyParams::default()
            .threshold(threshold)
            .sequence_length(length);
        let found = ANALYZER
            .detect_behavioral_anomalies(&fresh, &params)
            .unwrap()
            .len();
        let sequences = 500 * 24_usize.div_ceil(length);
        let promised = (1.0 - threshold).powi(3) * sequences as f64;
        // Four standard deviations of a count, and some for the calibration's own.
        let most = promised + 4.0 * promised.sqrt() + 0.5 * promised;
        assert!(
            (found as f64) < most,
            "{found} of {sequences} at {threshold}, promised {promised}"
        );
        assert!(
            found as f64 > promised * 0.3,
            "{found} of {sequences} at {threshold}"
        );
    }
}

#[test]
fn a_threshold_that_nothing_reaches_is_an_error() {
    let result = ANALYZER.detect_behavioral_anomalies(
        &behavior(3, None),
        &AnomalyParams::default().threshold(0.99),
    );
    assert!(
        matches!(
            result,
            Err(SequenceError::Calibration {
                needed: 999_999..,
                ..
            })
        ),
        "{result:?}"
    );
    for threshold in [-0.1, 1.0, f64::NAN] {
        let result = ANALYZER.detect_behavioral_anomalies(
            &behavior(3, None),
            &AnomalyParams::default().threshold(threshold),
        );
        assert!(matches!(
            result,
            Err(SequenceError::Parameter {
                name: "threshold",
                ..
            })
        ));
    }
}

#[test]
fn a_stream_of_behaviour_is_surprised_as_a_history_is() {
    let records = behavior(10, Some(4));
    let mut stream = ANALYZER.stream(&StreamParams::default()).unwrap();
    let mut largest = (0.0, 0);
    for (number, record) in records.iter().enumerate() {
        let answer = stream.score(record).unwrap();
        if record.user_id.as_str() == "user-004" && answer.surprise > largest.0 {
            largest = (answer.surprise, number);
        }
    }
    let all = AnomalyParams::default().threshold(0.0);
    let anomalies = ANALYZER
        .detect_behavioral_anomalies(&records, &all)
        .unwrap();
    assert_eq!(anomalies.len(), 10);
    let found = anomalies
        .iter()
        .find(|anomaly| anomaly.user == "user-004")
        .unwrap();
    assert!((found.surprise - largest.0).abs() < 1e-3 * largest.0);
    assert_eq!(found.records[found.step], largest.1);
    assert_eq!(stream.users(), 10);
    assert!(stream.forget("user-004") && !stream.forget("user-004"));
}

#[test]
fn a_stream_of_behaviour_goes_on_from_a_snapshot_and_takes_late_events_as_told() {
    let records = behavior(6, None);
    let (first, rest) = records.split_at(records.len() / 2);
    let params = StreamParams::default().late(LatePolicy::Drop);
    let mut stream = ANALYZER.stream(&params).unwrap();
    for record in first {
        stream.score(record).unwrap();
    }
    let mut other = ANALYZER.stream(&params).unwrap();
    other.restore(&stream.snapshot()).unwrap();
    for record in rest {
        assert_eq!(other.score(record).unwrap(), stream.score(record).unwrap());
    }
    let before = stream.snapshot();
    let late = stream.score(&records[0]).unwrap();
    assert!(late.late);
    assert_eq!(stream.snapshot(), before);
    let mut strict = ANALYZER
        .stream(&StreamParams::default().late(LatePolicy::Error))
        .unwrap();
    strict.restore(&before).unwrap();
    assert!(matches!(
        strict.score(&records[0]),
        Err(SequenceError::EventOrder { .. })
    ));
}

#[test]
fn days_are_records_as_well() {
    let mut days = Vec::new();
    for user in 0..300_usize {
        let mut stream = Stream::new(6, 0, user as u64);
        for day in 0..20_i64 {
            let odd = user == 5 && day >= 15;
            let count = if odd { 60 } else { 2 + stream.below(3) as u32 };
            days.push(DailySummary {
                timestamp: at(day * 86_400),
                user_id: format!("user-{user}").parse().unwrap(),
                transaction_count: count,
                daily_amount: Money::from_minor(i64::from(count) * 3_000, Currency::NONE),
                risk_score: None,
                extras: BTreeMap::new(),
            });
        }
    }
    let params = BehaviorParams::daily().calibration_share(0.6);
    let model = params
        .model
        .clone()
        .hidden_units(8)
        .batch_size(16)
        .epochs(6);
    let analyzer = params.model(model).fit(&days, None).unwrap();
    let anomalies = analyzer
        .detect_behavioral_anomalies(&days, &AnomalyParams::default().threshold(0.7))
        .unwrap();
    assert_eq!(anomalies[0].user, "user-5");
    assert!(anomalies[0].step >= 15);
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
    for reading in [Reading::Windows, Reading::Stream] {
        let classifier = params(reading).fit(&train).unwrap();
        let reached = precision(&classifier, &test);
        assert!(reached > 0.95, "{reading:?}: {reached}");
    }
}

#[test]
fn a_stream_judges_as_whole_histories_are_judged() {
    let records = payments(40, 3);
    let classifier = params(Reading::Stream).fit(&records).unwrap();
    let sequences = classifier.predict_fraud_sequences(&records).unwrap();
    let mut scorer = classifier.stream(&StreamParams::default()).unwrap();
    let (mut numeric, mut codes) = (Vec::new(), Vec::new());
    for sequence in &sequences {
        // Records come user after user here.
        let record = &records[sequence.record];
        let mut state = dafu_sequence::encode::EncoderState::default();
        for before in records[..=sequence.record]
            .iter()
            .filter(|other| other.user_id == record.user_id)
        {
            classifier
                .encoder()
                .encode_record(&mut state, before, &mut numeric, &mut codes)
                .unwrap();
        }
        let inputs = dafu_sequence::data::EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        let answer = scorer
            .score(record.user_id.as_str(), record.timestamp, inputs)
            .unwrap();
        assert!((f64::from(answer.value) - sequence.log_odds).abs() < 1e-5);
    }
}

#[test]
fn nothing_after_the_end_of_the_period_is_learned_from() {
    let records = payments(80, 4);
    let end = at(200_000);
    let periods = Periods {
        validation_from: Some(at(140_000)),
        end: Some(end),
    };
    let fit = |records: &[Transaction]| {
        let params = params(Reading::Windows).check().unwrap();
        let classifier = params.fit(records, periods, (&NativeBackend, &())).unwrap();
        classifier.classifier().weights().numbers().to_vec()
    };
    let mut changed = records.clone();
    for record in changed.iter_mut().filter(|record| record.timestamp >= end) {
        record.amount = Money::from_minor(1, Currency::NONE);
        *record = record.clone().with_label(true);
    }
    assert_ne!(changed, records);
    assert_eq!(fit(&changed), fit(&records));
}

#[test]
fn explanations_point_at_the_payments_that_made_the_fraud() {
    let train = payments(150, 1);
    let classifier = params(Reading::Windows).fit(&train).unwrap();
    let user = payments(60, 2);
    let fraud = user
        .iter()
        .position(|record| record.is_fraud.known() == Some(true))
        .unwrap();
    let history: Vec<&Transaction> = user[..=fraud]
        .iter()
        .filter(|record| record.user_id == user[fraud].user_id)
        .collect();
    let explained = classifier.explain(&history).unwrap();
    assert!(explained.answer > 0.0);
    let events = explained.events();
    let sum: f32 = (0..events).map(|event| explained.event(event)).sum();
    let difference = explained.answer - explained.baseline;
    assert!(
        (sum - difference).abs() < 0.02 * difference.abs(),
        "{sum} {difference}"
    );
    // The two last payments say more than all others together.
    let of = |event: usize| explained.event(event).abs();
    let last = of(events - 1) + of(events - 2);
    let others: f32 = (0..events - 2).map(of).sum();
    assert!(last > others, "{last} {others}");
}

#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use dafu_core::model::Limits;

    #[test]
    fn classifiers_and_analyzers_are_the_same_after_saving() {
        let records = payments(30, 5);
        let classifier = params(Reading::Windows).fit(&records).unwrap();
        let bytes = classifier.to_safetensors().unwrap();
        let read = HistoryClassifier::from_safetensors(&bytes, &Limits::default()).unwrap();
        assert_eq!(
            read.predict_fraud_sequences(&records).unwrap(),
            classifier.predict_fraud_sequences(&records).unwrap()
        );
        assert_eq!(read.to_safetensors().unwrap(), bytes);

        let records = behavior(20, Some(3));
        let bytes = ANALYZER.to_safetensors().unwrap();
        let read = UserBehaviorAnalyzer::from_safetensors(&bytes, &Limits::default()).unwrap();
        let all = AnomalyParams::default().threshold(0.0);
        assert_eq!(
            read.detect_behavioral_anomalies(&records, &all).unwrap(),
            ANALYZER
                .detect_behavioral_anomalies(&records, &all)
                .unwrap()
        );
        assert_eq!(read.to_safetensors().unwrap(), bytes);
        // One is not the other.
        let result = HistoryClassifier::from_safetensors(&bytes, &Limits::default());
        assert!(matches!(result, Err(SequenceError::Model { .. })));
    }

    #[test]
    fn damaged_models_are_errors() {
        let classifier = params(Reading::Windows).fit(&payments(12, 5)).unwrap();
        let bytes = classifier.to_safetensors().unwrap();
        let mut stream = Stream::new(1, 2, 3);
        for _ in 0..400 {
            let mut damaged = bytes.clone();
            let place = stream.index_below(damaged.len());
            damaged[place] ^= 1 << stream.below(8);
            // Most are refused; none panics.
            let _ = HistoryClassifier::from_safetensors(&damaged, &Limits::default());
        }
        for length in (0..bytes.len()).step_by(97) {
            assert!(
                HistoryClassifier::from_safetensors(&bytes[..length], &Limits::default()).is_err()
            );
        }
    }
}
