//! Saved models of records stay readable: files written once, and what they said then.
//!
//! `cargo test -p dafu-sequence --features serde --test golden_records -- --ignored` writes new ones, which is right only
//! where the format has a new version.
#![cfg(feature = "serde")]
#![allow(clippy::cast_possible_wrap, clippy::unwrap_used, reason = "tests")]

use dafu_core::model::Limits;
use dafu_core::random::Stream;
use dafu_core::{Currency, Money, Timestamp, Transaction};
use dafu_sequence::SequenceParams;
use dafu_sequence::behavior::{BehaviorParams, BehaviorStream, UserBehaviorAnalyzer};
use dafu_sequence::encode::EncoderState;
use dafu_sequence::history::{HistoryClassifier, HistoryParams};
use dafu_sequence::stream::{StreamParams, StreamSnapshot};
use std::fmt::Write;
use std::path::PathBuf;

const CLASSIFIER: &str = "history_classifier-v1";
const ANALYZER: &str = "user_behavior_analyzer-v1";
const SNAPSHOT: &str = "stream_snapshot-v1";
/// Records of the analyzer's stream before the snapshot: in the middle of a user's.
const BEFORE: usize = 25;

fn file(name: &str, ending: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join(format!("testdata/golden/{name}.{ending}"))
}

/// Payments of some users; large ones soon after small ones are frauds.
fn payments(users: u64) -> Vec<Transaction> {
    let mut records = Vec::new();
    for user in 0..users {
        let mut stream = Stream::new(77, 0, user);
        let (mut time, mut small) = (0, false);
        for step in 0..10 {
            let soon = stream.below(3) == 0;
            let minor = [150, 4_000, 80_000][stream.index_below(3)];
            time += if soon { 90 } else { 50_000 };
            let fraud = small && soon && minor == 80_000;
            small = minor == 150;
            let payment = Transaction::new(
                format!("t-{user}-{step}").parse().unwrap(),
                format!("u-{user:02}").parse().unwrap(),
                Money::from_minor(minor, Currency::NONE),
                ["shop", "cafe"][stream.index_below(2)].parse().unwrap(),
                Timestamp::from_seconds(time).unwrap(),
            );
            records.push(payment.with_label(fraud));
        }
    }
    records
}

fn log_odds(model: &HistoryClassifier) -> Vec<f64> {
    let sequences = model.predict_fraud_sequences(&payments(6)).unwrap();
    sequences.iter().map(|one| one.log_odds).collect()
}

fn surprises(model: &UserBehaviorAnalyzer) -> Vec<f64> {
    let mut stream = model.stream(&StreamParams::default()).unwrap();
    surprises_of(&mut stream, &payments(6))
}

fn surprises_of(stream: &mut BehaviorStream, records: &[Transaction]) -> Vec<f64> {
    let surprise = |record| stream.score(record).unwrap().surprise;
    records.iter().map(surprise).collect()
}

fn quick(params: SequenceParams) -> SequenceParams {
    params.hidden_units(4).epochs(2)
}

fn expected(name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(file(name, "txt")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn check(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        // Other vector instructions differ in the last places of 32 bits.
        assert!(
            (got - expected).abs() < 1e-5 * expected.abs().max(1.0),
            "{at}: {got} {expected}"
        );
    }
}

#[test]
fn a_saved_classifier_says_what_it_said() {
    let bytes = std::fs::read(file(CLASSIFIER, "safetensors")).unwrap();
    let model = HistoryClassifier::from_safetensors(&bytes, &Limits::default()).unwrap();
    check(&log_odds(&model), &expected(CLASSIFIER));
    assert_eq!(model.to_safetensors().unwrap(), bytes);
}

fn analyzer() -> (Vec<u8>, UserBehaviorAnalyzer) {
    let bytes = std::fs::read(file(ANALYZER, "safetensors")).unwrap();
    let model = UserBehaviorAnalyzer::from_safetensors(&bytes, &Limits::default()).unwrap();
    (bytes, model)
}

#[test]
fn a_stream_goes_on_from_a_saved_snapshot() {
    let (_, model) = analyzer();
    let text = std::fs::read_to_string(file(SNAPSHOT, "json")).unwrap();
    let snapshot: StreamSnapshot<String, EncoderState> = serde_json::from_str(&text).unwrap();
    let mut stream = model.stream(&StreamParams::default()).unwrap();
    stream.restore(&snapshot).unwrap();
    assert_eq!(serde_json::to_string(&stream.snapshot()).unwrap(), {
        // Tells by the network at hand.
        let mut same = snapshot;
        same.fingerprint = stream.snapshot().fingerprint;
        serde_json::to_string(&same).unwrap()
    });
    let got = surprises_of(&mut stream, &payments(6)[BEFORE..]);
    check(&got, &expected(ANALYZER)[BEFORE..]);
}

#[test]
#[ignore = "writes the file that the test above reads"]
fn write_golden_snapshot() {
    let (_, model) = analyzer();
    let mut stream = model.stream(&StreamParams::default()).unwrap();
    surprises_of(&mut stream, &payments(6)[..BEFORE]);
    let text = serde_json::to_string(&stream.snapshot()).unwrap();
    std::fs::write(file(SNAPSHOT, "json"), text + "\n").unwrap();
}

#[test]
fn a_saved_analyzer_says_what_it_said() {
    let (bytes, model) = analyzer();
    check(&surprises(&model), &expected(ANALYZER));
    assert_eq!(model.to_safetensors().unwrap(), bytes);
}

#[test]
#[ignore = "writes the files that the others read"]
fn write_golden_models() {
    let write = |name: &str, bytes: Vec<u8>, numbers: Vec<f64>| {
        std::fs::write(file(name, "safetensors"), bytes).unwrap();
        let mut text = String::new();
        for number in numbers {
            writeln!(text, "{number}").unwrap();
        }
        std::fs::write(file(name, "txt"), text).unwrap();
    };
    let params = HistoryParams::default();
    let model = quick(params.model.clone());
    let model = params.model(model).fit(&payments(30)).unwrap();
    write(
        CLASSIFIER,
        model.to_safetensors().unwrap(),
        log_odds(&model),
    );
    let params = BehaviorParams::transactions();
    let model = quick(params.model.clone());
    let model = params.model(model).fit(&payments(30), None).unwrap();
    write(ANALYZER, model.to_safetensors().unwrap(), surprises(&model));
}
