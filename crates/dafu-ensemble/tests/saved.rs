//! Trees saved and loaded; files that are damaged or made by an enemy.

#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal means the same bits"
)]

use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Limits};
use dafu_ensemble::{
    BoostedTrees, BoostedTreesParams, EnsembleError, RandomForest, RandomForestParams, Samples,
};
use dafu_testkit::damage;
use ndarray::Array2;
use proptest::prelude::*;

fn data(rows: usize, seed: usize) -> (Array2<f64>, Vec<bool>) {
    let table = Array2::from_shape_fn((rows, 3), |(row, column)| {
        match (row * (7 + column) + seed) % 29 {
            0 => f64::NAN,
            value if column == 1 => (value % 5) as f64,
            value => value as f64,
        }
    });
    let frauds = (0..rows)
        .map(|row| (row * row + row / 3 + seed) % 5 < 2)
        .collect();
    (table, frauds)
}

fn models(seed: usize) -> (BoostedTrees, RandomForest, Array2<f64>) {
    let (table, frauds) = data(80, seed);
    let samples = Samples::new(table.view(), &frauds).unwrap();
    let boosted = BoostedTreesParams::default()
        .n_estimators(4)
        .max_leaves(5)
        .min_leaf_rows(3)
        .category_l2(0.0)
        .category_smooth(0.0)
        .categorical([1]);
    let forest = RandomForestParams::default()
        .n_estimators(3)
        .max_depth(3)
        .categorical([1]);
    (
        boosted.fit(&samples).unwrap(),
        forest.fit(&samples).unwrap(),
        table,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn what_was_saved_is_what_is_loaded(seed in 0_usize..1000) {
        let (boosted, forest, table) = models(seed);
        prop_assert_eq!(&BoostedTrees::from_bytes(&boosted.to_bytes().unwrap()).unwrap(), &boosted);
        let loaded = RandomForest::from_bytes(&forest.to_bytes().unwrap()).unwrap();
        prop_assert!(loaded.out_of_bag().is_none());
        for row in table.rows() {
            let row = row.to_vec();
            prop_assert_eq!(
                loaded.share_row(&row).unwrap().to_bits(),
                forest.share_row(&row).unwrap().to_bits()
            );
        }
    }
}

/// Whatever loads answers with finite numbers, and is saved as it was read.
fn sound(bytes: &[u8]) -> bool {
    let row = [3.0, 1.0, f64::NAN];
    if let Ok(model) = BoostedTrees::from_bytes(bytes) {
        if model.width() == 3 {
            assert!(model.log_odds_row(&row).unwrap().is_finite());
            assert!(model.explainer().baseline().is_finite());
        }
        assert_eq!(
            BoostedTrees::from_bytes(&model.to_bytes().unwrap()).unwrap(),
            model
        );
        return true;
    }
    if let Ok(model) = RandomForest::from_bytes(bytes) {
        if model.width() == 3 {
            assert!((0.0..=1.0).contains(&model.share_row(&row).unwrap()));
        }
        return true;
    }
    false
}

#[test]
fn damaged_files_are_errors_or_sound_models() {
    let (boosted, forest, _) = models(1);
    let mut loaded = 0;
    for bytes in [boosted.to_bytes().unwrap(), forest.to_bytes().unwrap()] {
        assert!(sound(&bytes));
        for damaged in damage::all(&bytes) {
            assert!(!sound(&damaged.bytes), "{}", damaged.damage);
        }
        loaded += damage::payload_damage(&bytes)
            .filter(|damaged| sound(&damaged.bytes))
            .count();
    }
    // Some damage gives another sound model: a threshold, an answer.
    assert!(loaded > 0);
}

#[test]
fn a_model_beyond_the_limits_is_not_read() {
    let (boosted, _, _) = models(2);
    let bytes = boosted.to_bytes().unwrap();
    for limits in [
        Limits {
            max_trees: 3,
            ..Limits::default()
        },
        Limits {
            max_nodes: 7,
            ..Limits::default()
        },
        Limits {
            max_features: 2,
            ..Limits::default()
        },
    ] {
        let error = BoostedTrees::from_bytes_within(&bytes, &limits).unwrap_err();
        assert!(matches!(error, EnsembleError::Damaged { .. }), "{error}");
    }
    let error = RandomForest::from_bytes(&bytes).unwrap_err();
    assert!(matches!(error, EnsembleError::Envelope(_)));
}

#[test]
fn thresholds_are_those_that_a_split_can_have() {
    let rows = Array2::from_shape_fn((40, 1), |(row, _)| row as f64);
    let frauds: Vec<bool> = (0..40).map(|row| row > 13).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = BoostedTreesParams::default()
        .n_estimators(1)
        .max_leaves(2)
        .min_leaf_rows(1);
    let model = params.fit(&samples).unwrap();
    let left = model.log_odds_row(&[0.0]).unwrap();
    let bytes = model.to_bytes().unwrap();
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let split_at = |threshold: f64| {
        let mut payload = envelope.payload().to_vec();
        let mut places = payload.windows(8);
        let at = places.position(|part| part == 13.5_f64.to_le_bytes());
        let at = at.unwrap();
        payload[at..at + 8].copy_from_slice(&threshold.to_le_bytes());
        let forged = Envelope::write(BoostedTrees::KIND, 1, SchemaHash(0), &payload).unwrap();
        BoostedTrees::from_bytes(&forged)
    };
    for threshold in [f64::MIN, -0.0, f64::MAX, f64::INFINITY] {
        let model = split_at(threshold).unwrap();
        assert_eq!(model.log_odds_row(&[threshold]).unwrap(), left);
    }
    for threshold in [f64::NEG_INFINITY, f64::NAN, -f64::NAN] {
        let error = split_at(threshold).unwrap_err();
        assert!(matches!(error, EnsembleError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_split_that_parts_what_is_missing_from_all_numbers_is_saved() {
    // All values are the same, and what is missing is fraud: the threshold has no number above it.
    let rows = Array2::from_shape_fn((40, 1), |(row, _)| if row > 29 { f64::NAN } else { 1.0 });
    let frauds: Vec<bool> = (0..40).map(|row| row > 29).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = BoostedTreesParams::default()
        .n_estimators(1)
        .min_leaf_rows(1);
    let model = params.fit(&samples).unwrap();
    let loaded = BoostedTrees::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded, model);
    let [number, missing] =
        [f64::INFINITY, f64::NAN].map(|value| loaded.log_odds_row(&[value]).unwrap());
    assert!(missing > number);
}
