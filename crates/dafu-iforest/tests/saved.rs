//! Golden files: a forest saved by an earlier version loads, and the same seed still grows it.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::{
    HeightLimit, IsolationForest, IsolationForestError, IsolationForestParams, MissingValues,
    Scoring, SplitRule, UnseenCategories,
};
use ndarray::Array2;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/golden")
        .join(name)
}

/// Rows from whole numbers and halves only: the same on every platform.
fn rows() -> Array2<f64> {
    Array2::from_shape_fn((300, 4), |(i, j)| {
        ((i * (37 + 11 * j) + j) % 101) as f64 / 2.0 - 20.0
    })
}

fn params() -> IsolationForestParams {
    IsolationForestParams::default()
        .trees(12)
        .sample_size(64)
        .contamination([0.01, 0.05])
        .seed(20_240_101)
}

/// The forests whose files are kept: the standard one, and one with all that a file can hold.
fn golden_forests() -> [(&'static str, IsolationForest); 2] {
    let standard = params().fit(rows().view()).unwrap();
    let mut holes = rows();
    for at in (0..300).step_by(7) {
        holes[[at, 1]] = f64::NAN;
    }
    holes
        .column_mut(3)
        .mapv_inplace(|value| (value + 20.0) % 5.0 * 2.0);
    let rich = params()
        .rules([
            SplitRule::standard().penalize_range(true),
            SplitRule::fair_cut(2),
            SplitRule::sciforest(3).columns(3),
        ])
        .scoring(Scoring::AdjustedDepth)
        .missing(MissingValues::Divide)
        .categorical([3])
        .unseen(UnseenCategories::Larger)
        .height_limit(HeightLimit::Unlimited)
        .fit(holes.view())
        .unwrap();
    [("iforest-v2", standard), ("iforest_rich-v2", rich)]
}

fn score_lines(forest: &IsolationForest) -> String {
    let mut scores = vec![0.0; 300];
    forest.score_rows(rows().view(), &mut scores).unwrap();
    scores.iter().fold(String::new(), |text, score| {
        text + &format!("{:016x}\n", score.to_bits())
    })
}

#[test]
fn version_1_loads_and_scores_with_the_same_bits() {
    let forest = IsolationForest::load(golden("iforest-v1.dafu")).unwrap();
    let expected = std::fs::read_to_string(golden("iforest-v1.scores")).unwrap();
    assert_eq!(score_lines(&forest), expected);
    assert_eq!(forest.thresholds().len(), 2);
}

#[test]
fn version_2_loads_and_scores_with_the_same_bits() {
    for (name, grown) in golden_forests() {
        let forest = IsolationForest::load(golden(&format!("{name}.dafu"))).unwrap();
        let scores = golden(&format!("{name}.scores"));
        assert_eq!(
            score_lines(&forest),
            std::fs::read_to_string(scores).unwrap()
        );
        assert!(forest == grown, "{name}");
    }
}

#[test]
fn the_same_seed_still_grows_the_same_forest() {
    let bytes = std::fs::read(golden("iforest-v2.dafu")).unwrap();
    let forest = params().fit(rows().view()).unwrap();
    assert!(forest.to_bytes().unwrap() == bytes);
    // The trees of version 1 are the same, with scores of fewer bits.
    let old = IsolationForest::load(golden("iforest-v1.dafu")).unwrap();
    let (mut new_scores, mut old_scores) = (vec![0.0; 300], vec![0.0; 300]);
    forest.score_rows(rows().view(), &mut new_scores).unwrap();
    old.score_rows(rows().view(), &mut old_scores).unwrap();
    for (new, old) in new_scores.iter().zip(&old_scores) {
        assert!((new - old).abs() < 1.1e-5, "{new} instead of {old}");
    }
    // Saved again, they keep their bits.
    let again = IsolationForest::from_bytes(&old.to_bytes().unwrap()).unwrap();
    assert!(again == old);
}

#[test]
#[ignore = "writes the golden files; only for a new version of the format"]
fn write_golden_files() {
    for (name, forest) in golden_forests() {
        forest.save(golden(&format!("{name}.dafu"))).unwrap();
        std::fs::write(golden(&format!("{name}.scores")), score_lines(&forest)).unwrap();
    }
}

#[test]
fn serde_json_carries_parameters_and_forests() {
    let text = serde_json::to_string(&params()).unwrap();
    assert_eq!(
        serde_json::from_str::<IsolationForestParams>(&text).unwrap(),
        params()
    );
    let partial: IsolationForestParams =
        serde_json::from_str(r#"{"trees": 12, "max_features": {"fraction": 0.5}}"#).unwrap();
    assert_eq!((partial.trees, partial.sample_size), (12, 256));
    assert!(serde_json::from_str::<IsolationForestParams>(r#"{"tree": 12}"#).is_err());

    let forest = params().fit(rows().view()).unwrap();
    let text = serde_json::to_string(&forest).unwrap();
    assert!(serde_json::from_str::<IsolationForest>(&text).unwrap() == forest);
    let broken = text.replacen("\"width\":4", "\"width\":2", 1);
    assert!(serde_json::from_str::<IsolationForest>(&broken).is_err());
}

#[test]
fn a_missing_file_is_an_error() {
    let error = IsolationForest::load(golden("no-such-file.dafu")).unwrap_err();
    assert!(matches!(error, IsolationForestError::File(_)));
}
