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
fn version_3_loads_and_answers_as_it_did() {
    answers_as_it_did("detector-v3");
    // What is written of it today is read again as the same, in the layout of today's forests.
    let bytes = std::fs::read(golden("detector-v3.dafu")).unwrap();
    let load = |bytes: &[u8]| Detector::load(bytes, &stage_registry(Limits::default())).unwrap();
    let written = load(&bytes).to_bytes().unwrap();
    let mut again = load(&written);
    assert!(again.to_bytes().unwrap() == written);
    let kept = std::fs::read_to_string(golden("detector-v3.risks")).unwrap();
    assert_eq!(risks(&mut again), kept);
}

/// Writes a detector and its risks.
fn write(name: &str, detector: &Detector) {
    let bytes = detector.to_bytes().unwrap();
    std::fs::write(golden(&format!("{name}.dafu")), &bytes).unwrap();
    let mut loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    std::fs::write(golden(&format!("{name}.risks")), risks(&mut loaded)).unwrap();
}

#[test]
#[ignore = "writes the golden files; only for a new version of the format"]
fn write_golden_files() {
    let trainer = builder().features(set()).build().unwrap();
    write("detector-v3", &trainer.fit(&payments()).unwrap());
}

/// Rules as a stage and as a policy, with a window.
#[cfg(feature = "rules")]
mod rules {
    use super::{answers_as_it_did, builder, golden, payments, write};
    use dafu_core::model::Limits;
    use dafu_core::{Decision, RuleOutcome};
    use dafu_pipeline::{Detector, stage_registry};
    use dafu_rules::{Action, ListKind, OnMissing, Rule, RuleList, RuleSet};

    /// A list of more bytes than a file that people write may have.
    #[test]
    fn long_lists_are_loaded_again() {
        let mut list = RuleList::new("listed", ListKind::Block);
        for number in 0..60_000 {
            list = list.entry(format!("merchant {number}"), None);
        }
        let rules = RuleSet::new([Rule::new("listed", "merchant_id in @listed", 0.5)]).list(list);
        let builder = builder().rules(rules.clone()).policy_rules(rules);
        let detector = builder.build().unwrap().fit(&payments()).unwrap();
        let bytes = detector.to_bytes().unwrap();
        assert!(Detector::load(&bytes, &stage_registry(Limits::default())).is_ok());
    }

    #[test]
    fn version_4_loads_and_answers_as_it_did() {
        answers_as_it_did("detector_rules-v4");
        let bytes = std::fs::read(golden("detector_rules-v4.dafu")).unwrap();
        let mut detector = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
        // Sets are written without blanks by now; what is written stays.
        let written = detector.to_bytes().unwrap();
        let again = Detector::load(&written, &stage_registry(Limits::default())).unwrap();
        assert!(again.to_bytes().unwrap() == written);
        let answers: Vec<_> = payments()
            .iter()
            .map(|tx| detector.score(tx).unwrap())
            .collect();
        let count = |name: &str| {
            let fired = |(rule, outcome): &(dafu_core::EntityId, RuleOutcome)| {
                rule.as_str() == name && *outcome == RuleOutcome::Fired
            };
            answers
                .iter()
                .filter(|answer| answer.rules.iter().any(fired))
                .count()
        };
        let declined = answers
            .iter()
            .filter(|answer| answer.decision == Decision::Decline)
            .count();
        assert_eq!(
            [count("large"), count("often"), count("stop"), declined],
            [103, 196, 2, 2]
        );
    }

    #[test]
    #[ignore = "writes the golden files; only for a new version of the format"]
    fn write_golden_files() {
        let stage = RuleSet::new([
            Rule::new("large", "amount > 50", 0.5).reason("{amount} in @listed"),
            Rule::new(
                "often",
                "count(tx, by=user, within=7d) >= 2 and merchant_id in @shops",
                0.25,
            )
            .on_missing(OnMissing::Fire),
        ])
        .list(
            RuleList::new("shops", ListKind::Watch)
                .entry("m-0", None)
                .entry("m-1", None)
                .entry("m-4", None),
        );
        let policy =
            RuleSet::new([
                Rule::new("stop", "risk_score > 0.5 and rules_score >= 0.5", 0.9)
                    .action(Action::Decline),
            ]);
        let builder = builder()
            .default_stages()
            .mode(dafu_pipeline::Mode::Unsupervised);
        let trainer = builder.rules(stage).policy_rules(policy).build().unwrap();
        write("detector_rules-v4", &trainer.fit(&payments()).unwrap());
    }
}

/// Labels enough to learn a blend from.
#[cfg(feature = "ensemble")]
mod calibrated {
    use super::{answers_as_it_did, builder, golden, payments, write};
    use dafu_core::model::Limits;
    use dafu_core::{Dataset, FeatureSpec, Schema, Stage, Transaction};
    use dafu_ensemble::{BoostedTreesParams, Learner, LogisticRegressionParams, Samples};
    use dafu_pipeline::{Detector, LearnerSpec, LearnerStage, Mode, stage_registry};
    use ndarray::Array2;
    use std::sync::Arc;

    fn labelled() -> Vec<Transaction> {
        let label = |(n, tx): (usize, Transaction)| {
            let large = tx.amount.minor() > 8000;
            tx.with_label(large == (n % 5 > 0) && (large || n % 3 == 0))
        };
        payments().into_iter().enumerate().map(label).collect()
    }

    fn trees() -> BoostedTreesParams {
        BoostedTreesParams::default()
            .n_estimators(4)
            .max_leaves(4)
            .min_leaf_rows(5)
    }

    fn fitted() -> Detector {
        let line = LogisticRegressionParams::default();
        builder()
            .mode(Mode::Supervised)
            .stage(LearnerSpec::boosted_trees(trees()))
            .stage(LearnerSpec::logistic_regression(line))
            .build()
            .unwrap()
            .fit(&labelled())
            .unwrap()
    }

    fn rows() -> Array2<f64> {
        Array2::from_shape_fn((40, 2), |(row, column)| {
            if row % 7 == column {
                f64::NAN
            } else {
                ((row * (5 + column)) % 23) as f64
            }
        })
    }

    fn stage() -> LearnerStage {
        let rows = rows();
        let frauds: Vec<bool> = rows.rows().into_iter().map(|row| row[0] > 12.0).collect();
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        LearnerStage::new("small_trees", trees().learn(&samples).unwrap())
    }

    fn scores(stage: &dyn Stage) -> String {
        let feature = |name| FeatureSpec::real(name).with_nullable(true);
        let schema = Schema::new(vec![feature("a"), feature("b")]).unwrap();
        let dataset = Dataset::new(Arc::new(schema), rows()).unwrap();
        let mut scores = vec![0.0; 40];
        stage.score_dataset(&dataset, &mut scores).unwrap().unwrap();
        let lines = scores.iter().map(|score| format!("{score:?}\n"));
        lines.collect()
    }

    #[test]
    fn a_calibrated_detector_loads_and_answers_as_it_did() {
        answers_as_it_did("detector_calibrated-v3");
        let bytes = std::fs::read(golden("detector_calibrated-v3.dafu")).unwrap();
        let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
        assert!(loaded.peek(&payments()[3]).unwrap().confidence.is_some());
        // What is written of it today is read again as the same.
        let written = loaded.to_bytes().unwrap();
        let again = Detector::load(&written, &stage_registry(Limits::default())).unwrap();
        assert!(again.to_bytes().unwrap() == written);
        let fitted = fitted();
        assert_eq!(loaded.model().schema(), fitted.model().schema());
    }

    #[test]
    fn a_learner_as_a_stage_loads_and_scores_as_it_did() {
        let bytes = std::fs::read(golden("learner_stage-v1.dafu")).unwrap();
        let expected = std::fs::read_to_string(golden("learner_stage-v1.scores")).unwrap();
        let stage = stage_registry(Limits::default()).load(&bytes).unwrap();
        assert_eq!(stage.name(), "small_trees");
        let found = scores(&*stage);
        assert_eq!(found.lines().count(), expected.lines().count());
        for (found, expected) in found.lines().zip(expected.lines()) {
            // Absolute: exponentials are those of the platform.
            let difference = found.parse::<f64>().unwrap() - expected.parse::<f64>().unwrap();
            assert!(difference.abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(stage.save().unwrap(), bytes);
    }

    #[test]
    #[ignore = "writes the golden files; only for a new version of a format"]
    fn write_golden_files() {
        write("detector_calibrated-v3", &fitted());
        let stage = stage();
        std::fs::write(golden("learner_stage-v1.dafu"), stage.save().unwrap()).unwrap();
        std::fs::write(golden("learner_stage-v1.scores"), scores(&stage)).unwrap();
    }
}
