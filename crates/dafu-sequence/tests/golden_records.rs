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
use dafu_sequence::behavior::{BehaviorParams, UserBehaviorAnalyzer};
use dafu_sequence::history::{HistoryClassifier, HistoryParams};
use dafu_sequence::stream::StreamParams;
use std::fmt::Write;
use std::path::PathBuf;

const CLASSIFIER: &str = "history_classifier-v1";
const ANALYZER: &str = "user_behavior_analyzer-v1";

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
    let records = payments(6);
    let surprise = |record| stream.score(record).unwrap().surprise;
    records.iter().map(surprise).collect()
}

fn quick(params: SequenceParams) -> SequenceParams {
    params.hidden_units(4).epochs(2)
}

fn check(name: &str, got: &[f64]) {
    let text = std::fs::read_to_string(file(name, "txt")).unwrap();
    let expected: Vec<f64> = text.lines().map(|line| line.parse().unwrap()).collect();
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
    check(CLASSIFIER, &log_odds(&model));
    assert_eq!(model.to_safetensors().unwrap(), bytes);
}

#[test]
fn a_saved_analyzer_says_what_it_said() {
    let bytes = std::fs::read(file(ANALYZER, "safetensors")).unwrap();
    let model = UserBehaviorAnalyzer::from_safetensors(&bytes, &Limits::default()).unwrap();
    check(ANALYZER, &surprises(&model));
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
