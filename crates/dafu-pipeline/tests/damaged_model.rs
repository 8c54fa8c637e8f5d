//! Detector files that are damaged or made by an enemy: an error or a working detector, never a panic, a hang, or
//! memory beyond the size of the file. One test only, since the allocator counts the whole process.
#![cfg(feature = "iforest")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::Transaction;
use dafu_core::model::Limits;
use dafu_features::{EventFeature, FeatureSet, Field, Filter, Measure, RecordKind, Span, Window};
use dafu_iforest::IsolationForestParams;
use dafu_pipeline::{Detector, stage_registry};
use dafu_sim::SimulatorParams;
use dafu_testkit::{CountingAllocator, damage, memory::peak_bytes};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Loads and says whether it worked; fails when memory goes beyond 64 times the file and 256 KiB.
fn loads(bytes: &[u8], tx: &Transaction, what: &impl std::fmt::Display) -> bool {
    let (loaded, peak) = peak_bytes(&ALLOCATOR, || {
        Detector::load(bytes, &stage_registry(Limits::default()))
    });
    assert!(
        peak <= 64 * bytes.len() + (256 << 10),
        "{peak} bytes for a file of {}: {what}",
        bytes.len()
    );
    let Ok(mut detector) = loaded else {
        return false;
    };
    // Whatever loads must also answer: with a risk, or with an error where a name or a role has changed.
    if let Ok(assessment) = detector.score(tx) {
        assert!((0.0..=1.0).contains(&assessment.risk_score.get()), "{what}");
    }
    drop(detector.evaluate(std::slice::from_ref(tx)));
    true
}

#[test]
fn damaged_detectors_are_errors_or_answer() {
    let history: Vec<Transaction> = SimulatorParams::default()
        .users(10)
        .days(5)
        .seed(1)
        .simulator()
        .unwrap()
        .take(40)
        .collect();
    let window = |measure| Window::new(Field::User, measure).within(Span::days(1));
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(EventFeature::JustBelow {
            limits: vec![100.0, 250.0],
            share: 0.05,
        })
        .feature(window(Measure::Count).filter(Filter::AmountAtLeast(9.5)))
        .feature(window(Measure::Mean));
    for set in [None, Some(set)] {
        let mut builder = Detector::builder()
            .contamination([0.1])
            .forest(IsolationForestParams::default().trees(2).sample_size(8));
        if let Some(set) = set {
            builder = builder.features(set);
        }
        let detector = builder.build().unwrap().fit(&history).unwrap();
        let bytes = detector.to_bytes().unwrap();
        damage_all(&bytes, &history[0], 1);
    }
    #[cfg(feature = "ensemble")]
    damage_all(&calibrated(&history), &history[0], 3);
}

/// A detector of two learners, blended and calibrated.
#[cfg(feature = "ensemble")]
fn calibrated(history: &[Transaction]) -> Vec<u8> {
    use dafu_ensemble::{BoostedTreesParams, LogisticRegressionParams};
    use dafu_pipeline::{LearnerSpec, Mode};
    let label = |(n, tx): (usize, &Transaction)| tx.clone().with_label(n % 2 == 0);
    let labelled: Vec<Transaction> = history.iter().enumerate().map(label).collect();
    let trees = BoostedTreesParams::default()
        .n_estimators(2)
        .max_leaves(3)
        .min_leaf_rows(2);
    let line = LogisticRegressionParams::default();
    let trainer = Detector::builder()
        .contamination([0.1])
        .mode(Mode::Supervised)
        .stage(LearnerSpec::boosted_trees(trees))
        .stage(LearnerSpec::logistic_regression(line))
        .build()
        .unwrap();
    let detector = trainer.fit(&labelled).unwrap();
    let answer = detector.peek(&history[0]).unwrap();
    assert!(answer.confidence.is_some(), "it is calibrated");
    detector.to_bytes().unwrap()
}

/// Of the lengths that are too large, which are most of the damage, every `step`-th is tried.
fn damage_all(bytes: &[u8], tx: &Transaction, step: usize) {
    assert!(loads(bytes, tx, &"as saved"));
    assert!(bytes.len() < 20_000, "{} bytes", bytes.len());

    for damaged in damage::byte_flips(bytes).chain(damage::truncations(bytes)) {
        assert!(
            !loads(&damaged.bytes, tx, &damaged.damage),
            "{}",
            damaged.damage
        );
    }
    // With the right checksum the payload is parsed; a changed median or seed gives another sound detector.
    let mut sound = 0;
    let tried = |(number, damaged): &(usize, damage::Damaged)| {
        number % step == 0 || !matches!(damaged.damage, damage::Damage::LengthBomb { .. })
    };
    let all = damage::payload_damage(bytes).enumerate();
    for (_, damaged) in all.filter(tried) {
        sound += usize::from(loads(&damaged.bytes, tx, &damaged.damage));
    }
    assert!(sound > 0, "a changed seed is not an error");
}
