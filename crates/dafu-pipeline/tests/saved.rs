//! Saved detectors of every version of the format: they load for ever, and answer as they did.
#![cfg(feature = "iforest")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::Limits;
use dafu_core::{Currency, Money, Timestamp, Transaction};
use dafu_features::{
    AmountFeatures, EventFeature, FeatureSet, Field, Labels, Measure, PreprocessorParams, Quantity,
    RecordKind, Span, Window,
};
use dafu_iforest::IsolationForestParams;
use dafu_pipeline::{Detector, DetectorBuilder, stage_registry};
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/golden")
        .join(name)
}

/// Payments from whole numbers only: the same on every platform.
fn payments() -> Vec<Transaction> {
    let euro = Currency::new("EUR").unwrap();
    (0..200_i64)
        .map(|n| {
            let at = Timestamp::from_micros(1_700_000_000_000_000 + n * 1_234_567_890).unwrap();
            let paid = Money::from_minor(100 + n * 7919 % 10_007, euro);
            let (user, shop) = (format!("u-{}", n * n % 7), format!("m-{}", n * n % 5));
            let (id, user, shop) = (format!("t-{n}"), user.parse().unwrap(), shop.parse());
            Transaction::new(id.parse().unwrap(), user, paid, shop.unwrap(), at)
                .with_label(n % 29 == 0)
        })
        .collect()
}

fn builder() -> DetectorBuilder {
    Detector::builder()
        .contamination([0.02, 0.1])
        .preprocessor(PreprocessorParams::default().amount(AmountFeatures::Raw))
        .forest(IsolationForestParams::default().trees(8).sample_size(32))
        .seed(20_240_101)
}

/// Counts, sums and quotients only: the same on every platform.
fn set() -> FeatureSet {
    let rate = Measure::FraudRate {
        prior_frauds: 0.1,
        prior_events: 10.0,
    };
    let (hour, day) = (Span::hours(1), Span::days(1));
    FeatureSet::new(RecordKind::Transaction)
        .labels(Labels::AfterDelay(hour))
        .feature(EventFeature::Value(Quantity::Amount))
        .feature(Window::new(Field::User, Measure::Count).within(day))
        .feature(Window::new(Field::User, Measure::Mean).within(day))
        .feature(Window::new(Field::Merchant, rate).within(day).delay(hour))
}

fn risks(detector: &mut Detector) -> String {
    payments().iter().fold(String::new(), |text, tx| {
        let risk = detector.score(tx).unwrap().risk_score.get();
        text + &format!("{risk:?}\n")
    })
}

/// The risks of a saved detector, against those in its golden file.
fn answers_as_it_did(name: &str) {
    let bytes = std::fs::read(golden(&format!("{name}.dafu"))).unwrap();
    let mut detector = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    let expected = std::fs::read_to_string(golden(&format!("{name}.risks"))).unwrap();
    let found = risks(&mut detector);
    assert_eq!(found.lines().count(), expected.lines().count());
    for (found, expected) in found.lines().zip(expected.lines()) {
        // Absolute: exponentials and logarithms are those of the platform.
        let difference = found.parse::<f64>().unwrap() - expected.parse::<f64>().unwrap();
        assert!(difference.abs() < 1e-12, "{found} {expected}");
    }
}

#[test]
fn version_1_loads_and_answers_as_it_did() {
    answers_as_it_did("detector-v1");
    // Saved again it has the newest layout, and is the same detector.
    let bytes = std::fs::read(golden("detector-v1.dafu")).unwrap();
    let registry = stage_registry(Limits::default());
    let old = Detector::load(&bytes, &registry).unwrap();
    assert!(old.model().features().is_none());
    let again = Detector::load(&old.to_bytes().unwrap(), &registry).unwrap();
    assert_eq!(again.model().thresholds(), old.model().thresholds());
    assert_eq!(again.to_bytes().unwrap(), old.to_bytes().unwrap());
}

#[test]
fn version_2_loads_and_answers_as_it_did() {
    answers_as_it_did("detector-v2");
}

#[test]
fn the_same_history_still_gives_the_same_detector() {
    let bytes = std::fs::read(golden("detector-v2.dafu")).unwrap();
    let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    let fitted = builder().features(set()).build().unwrap().fit(&payments());
    let fitted = fitted.unwrap();
    let model = fitted.model();
    assert_eq!(loaded.model().schema(), model.schema());
    assert_eq!(loaded.model().features(), model.features());
}

/// What a file may say about its set: text that somebody else wrote, behind a right checksum.
#[test]
fn a_set_of_features_in_a_file_is_checked() {
    use dafu_core::model::Envelope;
    let bytes = std::fs::read(golden("detector-v2.dafu")).unwrap();
    let registry = stage_registry(Limits::default());
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let hash = envelope.header().schema_hash();
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut payload = envelope.payload().to_vec();
        let mut places = payload.windows(from.len());
        let at = places.position(|part| part == from.as_bytes()).unwrap();
        payload[at..at + from.len()].copy_from_slice(to.as_bytes());
        let forged = Envelope::write("dafu.detector", 2, hash, &payload).unwrap();
        Detector::load(&forged, &registry).map(drop)
    };
    assert!(replaced(r#""key":0"#, r#""key":7"#).is_ok());
    for (from, to) in [
        (r#""record":"transaction""#, r#""record":"transactiom""#),
        (r#""record":"transaction""#, r#""rekord":"transaction""#),
        (r#"{"version":1"#, r#"{"version":2"#),
        (r#""prior_frauds":0.1"#, r#""prior_frauds":9e9"#),
        // Another feature than the stages know.
        (r#""measure":"mean""#, r#""measure":"rank""#),
    ] {
        assert!(replaced(from, to).is_err(), "{to}");
    }
    let few = Limits {
        max_features: 3,
        ..Limits::default()
    };
    assert!(Detector::load(&bytes, &stage_registry(few)).is_err());
}

#[test]
#[ignore = "writes the golden files; only for a new version of the format"]
fn write_golden_files() {
    let trainer = builder().features(set()).build().unwrap();
    let bytes = trainer.fit(&payments()).unwrap().to_bytes().unwrap();
    std::fs::write(golden("detector-v2.dafu"), &bytes).unwrap();
    let mut loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    std::fs::write(golden("detector-v2.risks"), risks(&mut loaded)).unwrap();
}
