//! Golden files: an online forest saved by an earlier version loads, and the same seed still grows it.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::{OnlineIsolationForest, OnlineIsolationForestParams};
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/golden")
        .join(name)
}

/// From whole numbers and halves only: the same on every platform.
fn row(i: u32) -> [f64; 3] {
    [37, 53, 71].map(|factor| f64::from(i * factor % 101) / 2.0 - 20.0)
}

fn learned() -> OnlineIsolationForest {
    let params = OnlineIsolationForestParams::default()
        .trees(5)
        .window(64)
        .max_leaf_samples(4)
        .subsample(0.9)
        .seed(20_240_101);
    let mut forest = params.build(3).unwrap();
    for i in 0..150 {
        forest.update(&row(i)).unwrap();
    }
    forest
}

/// Scores of what comes next, as bits.
fn score_lines(mut forest: OnlineIsolationForest) -> String {
    let scores = (150..300).map(|i| forest.score_then_update(&row(i)).unwrap().get());
    scores.fold(String::new(), |text, score| {
        text + &format!("{:016x}\n", score.to_bits())
    })
}

#[test]
fn version_1_loads_and_goes_on_with_the_same_bits() {
    let forest = OnlineIsolationForest::load(golden("iforest-online-v1.dafu")).unwrap();
    let expected = std::fs::read_to_string(golden("iforest-online-v1.scores")).unwrap();
    assert_eq!(score_lines(forest), expected);
}

#[test]
fn the_same_seed_still_grows_the_same_forest() {
    let bytes = std::fs::read(golden("iforest-online-v1.dafu")).unwrap();
    assert!(learned().to_bytes().unwrap() == bytes);
}

#[test]
#[ignore = "writes the golden files; only for a new version of the format"]
fn write_golden_files() {
    learned().save(golden("iforest-online-v1.dafu")).unwrap();
    std::fs::write(golden("iforest-online-v1.scores"), score_lines(learned())).unwrap();
}
