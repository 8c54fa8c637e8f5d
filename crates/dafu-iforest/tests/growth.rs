//! Forests that grow, merge and drop their oldest trees.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::{
    ContaminationThreshold, IsolationForest, IsolationForestError, IsolationForestParams,
    MissingValues, Score, Scoring, SplitRule,
};
use ndarray::{Array2, Axis};

fn rows(count: usize, shift: usize) -> Array2<f64> {
    Array2::from_shape_fn((count, 3), |(i, j)| {
        ((i * (37 + 11 * j) + j + shift) % 101) as f64 / 2.0
    })
}

fn params() -> IsolationForestParams {
    IsolationForestParams::default()
        .trees(30)
        .sample_size(64)
        .seed(5)
}

fn scores(forest: &IsolationForest) -> Vec<f64> {
    let rows = rows(200, 3);
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows.view(), &mut scores).unwrap();
    scores
}

#[test]
fn a_warm_start_equals_one_fit_of_all_trees() {
    let data = rows(500, 0);
    let mut forest = params().fit(data.view()).unwrap();
    forest.add_trees(&params(), data.view(), 1).unwrap();
    // The number of trees and the seed of the parameters are not looked at.
    let other = params().trees(7).seed(8);
    forest.add_trees(&other, data.view(), 19).unwrap();
    assert!(forest == params().trees(50).fit(data.view()).unwrap());
}

#[test]
fn a_warm_start_with_weights_equals_one_weighted_fit_of_all_trees() {
    let data = rows(500, 0);
    let weights: Vec<f64> = (0..500).map(|row| f64::from(row % 3)).collect();
    let mut forest = params().fit_weighted(data.view(), &weights).unwrap();
    forest
        .add_trees_weighted(&params(), data.view(), &weights, 20)
        .unwrap();
    let whole = params().trees(50).fit_weighted(data.view(), &weights);
    assert!(forest == whole.unwrap());
    let before = forest.clone();
    for wrong in [&weights[1..], &[0.0; 500][..], &[-1.0; 500][..]] {
        let result = forest.add_trees_weighted(&params(), data.view(), wrong, 20);
        assert!(result.is_err());
        assert!(forest == before);
    }
}

fn cuts(forest: &IsolationForest) -> Vec<Score> {
    let thresholds = forest.thresholds().iter();
    thresholds.map(ContaminationThreshold::threshold).collect()
}

#[test]
fn a_row_of_weight_four_counts_for_thresholds_as_four_rows() {
    let mut forest = params().fit(rows(500, 0).view()).unwrap();
    let data = rows(200, 3);
    let far = data.column(1).mapv(|value| usize::from(value > 40.0));
    let counts: Vec<usize> = far.iter().map(|far| 3 * far + 1).collect();
    let weights: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
    let repeated = counts.iter().enumerate();
    let repeated: Vec<usize> = repeated
        .flat_map(|(row, &count)| vec![row; count])
        .collect();
    let repeated = data.select(Axis(0), &repeated);
    let levels = [0.01, 0.05, 0.2, 0.5];
    forest.fit_thresholds(&levels, repeated.view()).unwrap();
    let expected = cuts(&forest);
    forest
        .fit_thresholds_weighted(&levels, data.view(), &weights)
        .unwrap();
    let got = cuts(&forest);
    assert_eq!(got, expected);
    forest.fit_thresholds(&levels, data.view()).unwrap();
    let other = cuts(&forest);
    assert_ne!(other, expected);
    let wrong = forest.fit_thresholds_weighted(&levels, data.view(), &weights[1..]);
    assert!(matches!(
        wrong,
        Err(IsolationForestError::WeightCount { .. })
    ));
}

#[test]
fn trees_of_a_blend_go_on_taking_turns() {
    let blend = params().rules([
        SplitRule::standard(),
        SplitRule::fair_cut(2),
        SplitRule::extended(2),
    ]);
    let data = rows(500, 0);
    let mut forest = blend.fit(data.view()).unwrap();
    let before = scores(&forest);
    forest.add_trees(&blend, data.view(), 31).unwrap();
    assert_eq!(forest.tree_count(), 61);
    // More trees of the same kinds: scores move a little.
    let moved = scores(&forest)
        .iter()
        .zip(&before)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(moved > 0.0 && moved < 0.1, "{moved}");
}

#[test]
fn a_smaller_sample_keeps_scores_comparable() {
    let mut forest = params().fit(rows(500, 0).view()).unwrap();
    forest.add_trees(&params(), rows(20, 1).view(), 30).unwrap();
    assert_eq!((forest.tree_count(), forest.sample_size()), (60, 64));
    let mean = scores(&forest).iter().sum::<f64>() / 200.0;
    assert!((mean - 0.5).abs() < 0.1, "{mean}");
}

#[test]
fn merging_counts_every_tree_alike() {
    let data = rows(500, 0);
    let mut forest = params().fit(data.view()).unwrap();
    let other = params().trees(15).seed(6).fit(data.view()).unwrap();
    let merged: Vec<f64> = scores(&forest)
        .iter()
        .zip(scores(&other))
        .map(|(a, b)| ((30.0 * a.log2() + 15.0 * b.log2()) / 45.0).exp2())
        .collect();
    forest.merge(&other).unwrap();
    for (score, expected) in scores(&forest).iter().zip(merged) {
        assert!((score - expected).abs() < 1e-12, "{score} {expected}");
    }
    assert_eq!(forest.rows_fitted(), 1000);
}

#[test]
fn merging_in_parts_equals_growing_in_one_place() {
    // Trees are numbered through: half of them dropped, the rest is what a warm start has grown.
    let data = rows(500, 0);
    let mut all = params().trees(60).fit(data.view()).unwrap();
    let first = params().fit(data.view()).unwrap();
    all.drop_oldest(30).unwrap();
    let mut again = first;
    again.merge(&all).unwrap();
    assert_eq!(
        scores(&again),
        scores(&params().trees(60).fit(data.view()).unwrap())
    );
}

#[test]
fn a_sliding_window_forgets_the_old_trees() {
    let mut forest = params().fit(rows(500, 0).view()).unwrap();
    let far = Array2::from_shape_fn((500, 3), |(i, j)| 1000.0 + ((i * (7 + j)) % 53) as f64);
    let row = far.row(11).to_vec();
    let before = forest.score_row(&row).unwrap().get();
    for _ in 0..3 {
        forest.add_trees(&params(), far.view(), 10).unwrap();
        forest.drop_oldest(10).unwrap();
    }
    assert_eq!(forest.tree_count(), 30);
    let after = forest.score_row(&row).unwrap().get();
    // Far from all rows that were seen, then one of them.
    assert!(before > 0.6 && after < 0.55, "{before} {after}");
}

#[test]
fn thresholds_are_dropped_and_can_be_taken_anew() {
    let data = rows(500, 0);
    let with = params()
        .contamination([0.02, 0.1])
        .fit(data.view())
        .unwrap();
    let mut forest = with.clone();
    forest.fit_thresholds(&[0.02, 0.1], data.view()).unwrap();
    assert!(forest == with);
    forest.add_trees(&params(), data.view(), 5).unwrap();
    assert!(forest.thresholds().is_empty());
    let error = forest.fit_thresholds(&[0.6], data.view()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`contamination` must be above 0 and at most 0.5, got 0.6"
    );
    let none = Array2::<f64>::zeros((0, 3));
    let error = forest.fit_thresholds(&[0.1], none.view()).unwrap_err();
    assert!(matches!(error, IsolationForestError::NoRows));
}

#[test]
fn what_does_not_go_together_is_refused_and_changes_nothing() {
    let data = rows(500, 0);
    let forest = params().contamination([0.1]).fit(data.view()).unwrap();
    let unlike = [
        ("scoring", params().scoring(Scoring::AdjustedDepth)),
        ("missing", params().missing(MissingValues::Impute)),
        ("categorical", params().categorical([1])),
        (
            "rules",
            params().rules([SplitRule::standard(), SplitRule::extended(1)]),
        ),
    ];
    let mut changed = forest.clone();
    for (what, params) in unlike {
        let whole = data.mapv(f64::trunc);
        let error = changed.add_trees(&params, whole.view(), 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{what}` is not the same as in the forest")
        );
        if what != "rules" {
            let other = params.fit(whole.view()).unwrap();
            assert!(changed.merge(&other).is_err());
        }
    }
    let wide = Array2::<f64>::zeros((20, 4));
    assert!(changed.add_trees(&params(), wide.view(), 1).is_err());
    let wide = params().fit(wide.view()).unwrap();
    assert!(changed.merge(&wide).is_err());
    assert!(changed.add_trees(&params(), data.view(), 100_000).is_err());
    assert!(changed.drop_oldest(30).is_err());
    let mut holes = data;
    holes[[7, 1]] = f64::NAN;
    assert!(changed.add_trees(&params(), holes.view(), 1).is_err());
    assert!(changed == forest);
}

#[cfg(feature = "serde")]
#[test]
fn a_saved_forest_grows_on_as_if_it_had_never_been_saved() {
    let data = rows(500, 0);
    let mut forest = params().fit(data.view()).unwrap();
    let mut loaded = IsolationForest::from_bytes(&forest.to_bytes().unwrap()).unwrap();
    loaded.add_trees(&params(), data.view(), 10).unwrap();
    forest.add_trees(&params(), data.view(), 10).unwrap();
    assert!(loaded == forest);
}
