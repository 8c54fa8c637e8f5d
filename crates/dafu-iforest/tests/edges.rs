//! Forests at the edge of what their parts allow, and what else has to go together.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_iforest::{
    Cut, HeightLimit, IsolationForest, IsolationForestError, IsolationForestParams, Scoring,
    SplitRule, ThresholdRows,
};
use ndarray::{Array2, array};

fn rows() -> Array2<f64> {
    Array2::from_shape_fn((300, 3), |(i, j)| ((i * (7 + 4 * j)) % 31) as f64)
}

fn params() -> IsolationForestParams {
    IsolationForestParams::default().trees(20).sample_size(64)
}

fn scores(forest: &IsolationForest, rows: &Array2<f64>) -> Vec<f64> {
    let mut scores = vec![0.0; rows.nrows()];
    forest.score_rows(rows.view(), &mut scores).unwrap();
    scores
}

#[cfg(feature = "serde")]
#[test]
fn what_was_saved_goes_on_growing_whatever_it_is() {
    let constant = Array2::from_elem((50, 3), 2.0);
    let penalised = SplitRule::standard().penalize_range(true);
    for (params, data) in [
        (params().categorical([0]), rows()),
        (params().scoring(Scoring::Density), constant.clone()),
        (params().scoring(Scoring::AdjustedDepth), constant.clone()),
        (params().rules([penalised]), constant),
    ] {
        let mut forest = params.fit(data.view()).unwrap();
        let mut loaded = IsolationForest::from_bytes(&forest.to_bytes().unwrap()).unwrap();
        assert!(loaded == forest);
        loaded.add_trees(&params, rows().view(), 5).unwrap();
        forest.add_trees(&params, rows().view(), 5).unwrap();
        assert!(loaded == forest);
        loaded.merge(&forest).unwrap();
        #[cfg(feature = "json")]
        {
            let limits = dafu_core::model::Limits::default();
            let text = loaded.to_json().unwrap();
            assert!(IsolationForest::from_json(&text, &limits).unwrap() == loaded);
        }
    }
}

#[test]
fn a_rule_that_tells_nothing_of_any_row_has_no_say() {
    // No gain is above 0.9: these trees stay leaves.
    let silent = SplitRule::fair_cut(2).min_gain(1.0);
    let blend = params().rules([SplitRule::standard(), silent]).trees(40);
    let blend = blend.fit(rows().view()).unwrap();
    let blended = scores(&blend, &rows());
    let mean = blended.iter().map(|score| -score.log2()).sum::<f64>() / 300.0;
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    let spread = blended
        .iter()
        .fold(0.0, |most: f64, score| most.max(*score));
    assert!(spread > 0.51, "{spread}");
}

#[test]
fn blends_of_adjusted_and_penalised_paths_give_an_average_row_one_half() {
    let rules = [
        SplitRule::standard().penalize_range(true),
        SplitRule::sciforest(3).penalize_range(true),
        SplitRule::extended(1),
    ];
    for scoring in [Scoring::Depth, Scoring::AdjustedDepth] {
        let params = params().trees(60).rules(rules.clone()).scoring(scoring);
        let params = params.height_limit(HeightLimit::Unlimited);
        let forest = params.fit(rows().view()).unwrap();
        let scores = scores(&forest, &rows());
        let mean = scores.iter().map(|score| -score.log2()).sum::<f64>() / 300.0;
        assert!((mean - 1.0).abs() < 1e-6, "{scoring:?}: {mean}");
    }
}

#[test]
fn the_smallest_range_there_is_can_be_split_and_scored_by_density() {
    let tiny = array![[0.0], [f64::from_bits(1)], [0.0]];
    for params in [
        params().scoring(Scoring::Density),
        IsolationForestParams::recommended(),
    ] {
        let forest = params.fit(tiny.view()).unwrap();
        assert!(forest.score_row(&[0.0]).unwrap().get() > 0.0);
    }
}

#[test]
fn thresholds_of_a_sample_come_from_rows_with_weight() {
    // One row in ten has weight; a sample of three would mostly hold none of them.
    let mut weights = vec![0.0; 300];
    for weight in weights.iter_mut().step_by(10) {
        *weight = 2.0;
    }
    let params = params().contamination([0.34]);
    let sampled = params.clone().threshold_rows(ThresholdRows::Sample(3));
    let forest = sampled.fit_weighted(rows().view(), &weights).unwrap();
    let threshold = forest.thresholds()[0];
    assert_eq!((threshold.rows(), threshold.flagged()), (3, 1));
    // All rows: shares of the weight, not of the rows.
    let forest = params.fit_weighted(rows().view(), &weights).unwrap();
    let threshold = forest.thresholds()[0];
    let scores = scores(&forest, &rows());
    let flagged = scores
        .iter()
        .zip(&weights)
        .filter(|(score, _)| **score > threshold.threshold().get())
        .map(|(_, weight)| weight)
        .sum::<f64>();
    assert!((flagged / 60.0 - 0.34).abs() < 0.07, "{flagged}");
}

#[test]
fn decisions_are_below_zero_for_what_is_predicted_to_be_an_anomaly() {
    let forest = params().contamination([0.1]).fit(rows().view()).unwrap();
    let mut decisions = vec![0.0; 300];
    let mut flags = vec![false; 300];
    forest
        .decision_rows(rows().view(), 0.1, &mut decisions)
        .unwrap();
    forest.predict_rows(rows().view(), 0.1, &mut flags).unwrap();
    assert!(flags.iter().any(|flag| *flag) && !flags.iter().all(|flag| *flag));
    for ((row, decision), flag) in rows().rows().into_iter().zip(&decisions).zip(flags) {
        let row = row.to_vec();
        assert_eq!(*decision < 0.0, flag);
        let alone = forest.decision_row(&row, 0.1).unwrap();
        assert_eq!(alone.to_bits(), decision.to_bits());
    }
    assert!(matches!(
        forest.decision_row(&[0.0; 3], 0.2),
        Err(IsolationForestError::UnknownContamination { .. })
    ));
}

#[test]
fn cuts_through_the_box_leave_rows_on_both_sides_and_are_not_those_of_the_range() {
    let rule = SplitRule::extended(2);
    let forest = |rule: SplitRule| params().rules([rule]).fit(rows().view()).unwrap();
    let boxed = forest(rule.clone().cut(Cut::Box));
    assert!(boxed != forest(rule));
    // Trees without an empty side: checked where they are taken in; and the forest can tell rows apart.
    let far = boxed.score_row(&[90.0, -60.0, 70.0]).unwrap();
    assert!(far > boxed.score_row(&[15.0, 15.0, 15.0]).unwrap());
}

#[test]
fn dropping_trees_forgets_how_many_rows_they_were_grown_from() {
    let mut forest = params().fit(rows().view()).unwrap();
    let small = Array2::from_shape_fn((16, 3), |(i, j)| (i * (j + 1)) as f64);
    forest.add_trees(&params(), small.view(), 20).unwrap();
    assert_eq!(forest.sample_size(), 64);
    forest.drop_oldest(20).unwrap();
    assert_eq!(forest.sample_size(), 16);
    let alone = params().fit(small.view()).unwrap();
    let mean = |forest: &IsolationForest| scores(forest, &small).iter().sum::<f64>() / 16.0;
    assert!((mean(&forest) - mean(&alone)).abs() < 0.03);
}
