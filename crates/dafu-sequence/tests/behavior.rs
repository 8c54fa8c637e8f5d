//! Behaviour of users: what is found, what is said about it, how often, and that it is the same after saving and as a stream.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::random::Stream;
use dafu_core::{BehaviorEvent, Currency, DailySummary, Money, Timestamp};
use dafu_sequence::SequenceError;
use dafu_sequence::behavior::{AnomalyParams, BehaviorParams, UserBehaviorAnalyzer};
use dafu_sequence::data::{EventNumbers, SequenceSet};
use dafu_sequence::encode::Histories;
use dafu_sequence::stream::{LatePolicy, StreamParams, StreamScorer};
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
    behavior_of(5, users, taken_over)
}

fn behavior_of(seed: u64, users: usize, taken_over: Option<usize>) -> Vec<BehaviorEvent> {
    let mut records = Vec::new();
    for user in 0..users {
        let mut stream = Stream::new(seed, 0, user as u64);
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
    let params = params(0);
    params.fit(&behavior(400, None), None).unwrap()
});

fn params(seed: u64) -> BehaviorParams {
    let params = BehaviorParams::default().calibration_share(0.4);
    let model = params.model.clone().hidden_units(16).batch_size(16);
    params.model(model.epochs(12).seed(seed))
}

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
    // All inputs are categories, none of which is certain.
    assert!(first.input.surprise > 0.0 && first.input.surprise <= first.surprise);
    // By falling score, all above the threshold.
    assert!(anomalies.is_sorted_by(|left, right| left.score >= right.score));
}

#[test]
fn what_was_expected_is_what_the_model_predicts() {
    let records = behavior(300, Some(17));
    let (encoder, model) = (ANALYZER.encoder(), ANALYZER.model());
    let histories = Histories::new(&records);
    let events = histories.encode(encoder).unwrap();
    let spans = events.segments(usize::MAX, 0);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let predictions = model.predictions(set).unwrap();
    let params = AnomalyParams::default().sequence_length(7);
    let some = ANALYZER.detect_in(&histories, &params).unwrap();
    let params = params.threshold(0.0);
    let all = ANALYZER.detect_in(&histories, &params).unwrap();
    assert!(some.len() * 10 < all.len() && all.len() > 1_000 && all.starts_with(&some));
    for anomaly in &all {
        let event = histories.event(anomaly.records[anomaly.step]).unwrap();
        let (numeric, codes) = predictions.most_likely(event);
        let expected = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        let surprises = predictions.surprises();
        assert!((anomaly.surprise - f64::from(surprises.event(event))).abs() < 1e-9);
        let mut names = encoder.input_names().iter();
        let input = names.position(|name| *name == anomaly.input.name).unwrap();
        let describe = |numbers| encoder.describe(numbers, input).unwrap();
        assert_eq!(anomaly.input.expected, describe(expected));
        assert_eq!(anomaly.input.observed, describe(events.numbers(event)));
    }
}

#[test]
fn as_many_normal_sequences_reach_a_score_as_it_says() {
    let settings = [(0.5, 30), (0.5, 7), (0.7, 7)];
    let (mut found, mut sequences) = ([0; 3], [0; 3]);
    for seed in 0..20 {
        let quick = params(seed);
        let model = quick.model.clone().epochs(4);
        let analyzer = quick
            .model(model)
            .fit(&behavior_of(2 * seed, 300, None), None)
            .unwrap();
        let fresh = behavior_of(2 * seed + 1, 200, None);
        for (at, (threshold, length)) in settings.into_iter().enumerate() {
            let params = AnomalyParams::default()
                .threshold(threshold)
                .sequence_length(length);
            let anomalies = analyzer.detect_behavioral_anomalies(&fresh, &params);
            found[at] += anomalies.unwrap().len();
            sequences[at] += 200 * 24_usize.div_ceil(length);
        }
    }
    for (at, (threshold, length)) in settings.into_iter().enumerate() {
        let promised = (1.0_f64 - threshold).powi(3) * sequences[at] as f64;
        let ratio = found[at] as f64 / promised;
        // Rounded down to whole sequences held out, a p-value is a little large.
        assert!(
            (0.85..1.1).contains(&ratio),
            "{ratio} at {threshold}, {length}"
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
fn beginnings_need_users_held_out_and_can_be_left_out() {
    let few = behavior(60, None);
    let params = params(0);
    let model = params.model.clone().epochs(1);
    let analyzer = params.model(model).fit(&few, None).unwrap();
    let pieces = AnomalyParams::default().sequence_length(4);
    let result = analyzer.detect_behavioral_anomalies(&few, &pieces);
    assert!(
        matches!(result, Err(SequenceError::Calibration { got: 1..60, .. })),
        "{result:?}"
    );
    let later = pieces.beginnings(false).threshold(0.7);
    let anomalies = analyzer.detect_behavioral_anomalies(&few, &later).unwrap();
    let begins = |user: &str| few.iter().find(|record| record.user_id.as_str() == user);
    for anomaly in &anomalies {
        assert!(anomaly.between.0 > begins(&anomaly.user).unwrap().timestamp);
    }
    assert!(!anomalies.is_empty());
}

#[test]
fn only_what_comes_from_a_time_on_is_judged() {
    let records = behavior(10, Some(4));
    // Each event alone, so that pieces are the same ones.
    let all = AnomalyParams::default().threshold(0.0).sequence_length(1);
    // The time of an event, which is judged.
    let from = records[records.len() / 2].timestamp;
    let judged = |params: &AnomalyParams| {
        let found = ANALYZER.detect_behavioral_anomalies(&records, params);
        found.unwrap()
    };
    let some = judged(&all.clone().from(from));
    // Events before are read: those from there on surprise as they do where all are judged.
    let mut expected = judged(&all);
    assert_eq!(expected.len(), records.len());
    expected.retain(|anomaly| anomaly.time >= from);
    assert!(!some.is_empty() && some.len() < records.len());
    assert_eq!(some, expected);
    let late = at(i64::from(u32::MAX));
    assert_eq!(judged(&all.from(late)), []);
}

#[test]
fn users_who_calibrate_change_nothing_that_is_learned() {
    let records = behavior(80, None);
    let params = params(3);
    let model = params.model.clone().epochs(2);
    let params = params.model(model);
    let first = params.fit(&records, None).unwrap();
    // Which users calibrate: without the records of those the calibration is another one.
    let changes = |user: &str| {
        let mut changed = records.clone();
        for record in &mut changed {
            if record.user_id.as_str() == user && record.amount.is_some() {
                record.amount = Some(Money::from_minor(77_777, Currency::NONE));
            }
        }
        let analyzer = params.fit(&changed, None).unwrap();
        let weights = |analyzer: &UserBehaviorAnalyzer| analyzer.model().weights();
        let weights_changed = weights(&analyzer) != weights(&first);
        (weights_changed, analyzer.encoder() != first.encoder())
    };
    let changed = (0..20).map(|user| changes(&format!("user-{user:03}")));
    let changed: Vec<_> = changed.collect();
    // Two fifths calibrate: they change neither. Those to stop by change scales, and with these the weights.
    let calibrate = changed.iter().filter(|changed| **changed == (false, false));
    assert!((4..16).contains(&calibrate.count()), "{changed:?}");
    assert!(changed.iter().all(|(weights, scales)| weights == scales));
}

#[test]
fn what_comes_with_or_after_a_fraud_is_not_learned_from() {
    let mut records = behavior(80, None);
    let label = |record: &mut BehaviorEvent| {
        let flag = dafu_core::Value::Flag(true);
        record.extras.insert("is_fraud".into(), flag);
    };
    let from = at(200_000);
    for record in records.iter_mut().filter(|record| record.timestamp >= from) {
        label(record);
    }
    let quick = params(0);
    let model = quick.model.clone().epochs(2);
    let quick = quick.model(model);
    let weights = |analyzer: UserBehaviorAnalyzer| analyzer.model().weights();
    let cut = weights(quick.fit(&records, None).unwrap());
    let mut other = records.clone();
    for record in other.iter_mut().filter(|record| record.timestamp >= from) {
        record.device_id = Some("somebody".parse().unwrap());
    }
    assert_eq!(cut, weights(quick.fit(&other, None).unwrap()));
    assert_eq!(
        cut,
        weights(quick.fit(&behavior(80, None), Some(from)).unwrap())
    );
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
    assert!((found.surprise - largest.0).abs() < 1e-6 * largest.0);
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
        Err(SequenceError::LateEvent { .. })
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
        .epochs(20);
    let analyzer = params.model(model).fit(&days, None).unwrap();
    let anomalies = analyzer
        .detect_behavioral_anomalies(&days, &AnomalyParams::default().threshold(0.7))
        .unwrap();
    assert_eq!(anomalies[0].user, "user-5");
    assert!(anomalies[0].step >= 15);
}

#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use dafu_core::model::Limits;
    use dafu_sequence::history::HistoryClassifier;

    #[test]
    fn analyzers_are_the_same_after_saving() {
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
    fn damaged_analyzers_are_errors_or_answer() {
        let records = behavior(8, Some(3));
        let bytes = ANALYZER.to_safetensors().unwrap();
        let mut stream = Stream::new(1, 2, 3);
        let (mut refused, mut answered) = (0, 0);
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            let place = stream.index_below(damaged.len());
            damaged[place] ^= 1 << stream.below(8);
            let Ok(model) = UserBehaviorAnalyzer::from_safetensors(&damaged, &Limits::default())
            else {
                refused += 1;
                continue;
            };
            let all = AnomalyParams::default().threshold(0.0);
            let found = model.detect_behavioral_anomalies(&records, &all);
            answered += usize::from(found.is_ok());
            let mut stream = model.stream(&StreamParams::default()).unwrap();
            for record in &records {
                if stream.score(record).is_ok() {
                    stream.last_input();
                }
            }
        }
        assert!(refused > 30 && answered > 30, "{refused} {answered}");
        for length in (0..bytes.len()).step_by(997) {
            let cut = UserBehaviorAnalyzer::from_safetensors(&bytes[..length], &Limits::default());
            assert!(cut.is_err());
        }
    }
}

#[test]
fn a_snapshot_of_other_inputs_or_another_time_is_refused() {
    let records = behavior(6, None);
    let mut stream = ANALYZER.stream(&StreamParams::default()).unwrap();
    for record in &records {
        stream.score(record).unwrap();
    }
    let good = stream.snapshot();
    let mut moved = good.clone();
    moved.users[0].note = moved.users[1].note;
    let refused = stream.restore(&moved).unwrap_err().to_string();
    assert!(refused.contains("another time"), "{refused}");
    let network = ANALYZER.model().step_network().unwrap();
    let plain: StreamScorer<String> = StreamScorer::new(network, &StreamParams::default()).unwrap();
    let mut other = good.clone();
    other.fingerprint = plain.snapshot().fingerprint;
    let refused = stream.restore(&other).unwrap_err().to_string();
    assert!(refused.contains("other inputs"), "{refused}");
    assert_eq!(stream.snapshot(), good);
}
