//! Readable trees against scikit-learn, and rows at the edges.
#![cfg(feature = "linfa")]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal means the same bits"
)]

use dafu_core::Explain;
use dafu_core::random::Stream;
use dafu_ensemble::{
    ClassWeight, DecisionTree, DecisionTreeParams, EnsembleError, Samples, SplitQuality,
};
use ndarray::{Array2, array};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Reference {
    rows: Vec<[f64; 3]>,
    frauds: Vec<bool>,
    weights: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    entropy: bool,
    weighted: bool,
    class_weight: Option<f64>,
    min_leaf_weight: f64,
    leaves: Vec<[f64; 2]>,
}

#[test]
fn leaves_are_those_of_scikit_learn() {
    let reference: Reference =
        serde_json::from_str(include_str!("fixtures/decision_tree.json")).unwrap();
    let rows = Array2::from(reference.rows);
    for (number, case) in reference.cases.iter().enumerate() {
        let mut samples = Samples::new(rows.view(), &reference.frauds).unwrap();
        if case.weighted {
            samples = samples.with_weights(&reference.weights).unwrap();
        }
        let tree = DecisionTreeParams::default()
            .split_quality(if case.entropy {
                SplitQuality::Entropy
            } else {
                SplitQuality::Gini
            })
            .class_weight(
                case.class_weight
                    .map_or(ClassWeight::None, ClassWeight::Ratio),
            )
            .max_depth(3)
            .min_leaf_weight(case.min_leaf_weight)
            .fit(&samples)
            .unwrap();
        let leaves: Vec<[f64; 2]> = tree
            .leaves()
            .map(|leaf| [leaf.fraud, leaf.honest])
            .collect();
        assert_eq!(leaves, case.leaves, "case {number}");
        for leaf in tree.leaves() {
            let share = (leaf.fraud + 1.0) / (leaf.fraud + leaf.honest + 2.0);
            assert!((leaf.share - share).abs() < 1e-15);
        }
    }
}

fn table(count: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut stream = Stream::new(seed, 90, 0);
    let rows = Array2::from_shape_simple_fn((count, 2), || (stream.unit() * 20.0).floor());
    let frauds = rows.rows().into_iter().enumerate();
    let frauds = frauds.map(|(at, row)| at == 0 || row[0] > 14.0 && stream.unit() < 0.5);
    let mut frauds: Vec<bool> = frauds.collect();
    frauds[1] = false;
    (rows, frauds)
}

#[test]
fn text_names_columns_shares_and_missing_values() {
    let mut rows = Array2::from_shape_fn((40, 2), |(row, column)| {
        [(row % 10) as f64, (row % 4) as f64][column]
    });
    for row in 0..40 {
        if row % 10 == 9 {
            rows[(row, 0)] = f64::NAN;
        }
    }
    let frauds: Vec<bool> = rows
        .rows()
        .into_iter()
        .map(|row| row[0].is_nan() || (row[0] > 7.0 && row[1] > 1.0))
        .collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let tree = DecisionTreeParams::default().fit(&samples).unwrap();
    let text = tree.to_text(&["amount", "kind"]).unwrap();
    assert_eq!(
        text,
        "\
amount is known
  amount <= 7.5: 2.9 % fraud (0 of 32)
  amount > 7.5
    kind <= 1: 25.0 % fraud (0 of 2)
    kind > 1: 75.0 % fraud (2 of 2)
amount is missing: 83.3 % fraud (4 of 4)
missing amount counts as 4
"
    );
    assert_eq!(
        tree.to_text(&["amount"]).unwrap_err(),
        EnsembleError::Length {
            what: "names of columns",
            expected: 2,
            got: 1
        }
    );
    let odds = tree.log_odds_row(&[f64::NAN, 0.0]).unwrap();
    assert!((odds - 5.0_f64.ln()).abs() < 1e-12);
}

#[test]
fn what_columns_add_is_the_answer() {
    let (mut rows, frauds) = table(400, 9);
    rows.column_mut(0)
        .iter_mut()
        .step_by(7)
        .for_each(|value| *value = f64::NAN);
    rows[[3, 1]] = f64::INFINITY;
    rows[[5, 1]] = f64::NEG_INFINITY;
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = DecisionTreeParams::default().max_depth(6);
    let tree = params.fit(&samples).unwrap();
    assert!(tree.leaves().count() > 4);
    let explainer = tree.explainer();
    // By the definition of the baseline: the mean answer over the training rows.
    let leaves: Vec<f64> = tree.leaves().map(|leaf| leaf.fraud + leaf.honest).collect();
    let odds = tree
        .leaves()
        .map(|leaf| (leaf.share / (1.0 - leaf.share)).ln());
    let mean: f64 = odds.zip(&leaves).map(|(odds, weight)| odds * weight).sum();
    assert!((explainer.baseline() - mean / leaves.iter().sum::<f64>()).abs() < 1e-9);
    for row in rows.rows() {
        let row = row.to_vec();
        let mut added = vec![0.0; row.len()];
        explainer.explain_row(&row, &mut added).unwrap();
        let sum = explainer.baseline() + added.iter().sum::<f64>();
        assert!(
            (sum - tree.log_odds_row(&row).unwrap()).abs() < 1e-9,
            "{row:?}"
        );
    }
}

#[test]
fn rows_without_a_split_are_one_leaf() {
    let rows = Array2::from_elem((10, 2), 3.0);
    let frauds: Vec<bool> = (0..10).map(|row| row < 2).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let tree = DecisionTreeParams::default().fit(&samples).unwrap();
    assert_eq!(
        tree.to_text(&["a", "b"]).unwrap(),
        "all: 25.0 % fraud (2 of 10)\n"
    );
    assert!((tree.log_odds_row(&[0.0, 9.0]).unwrap() - (1.0_f64 / 3.0).ln()).abs() < 1e-15);
}

#[test]
fn close_huge_and_infinite_values_are_split() {
    for (low, high) in [
        (1.0, 1.0 + 1e-12),
        (0.0, 5e-324),
        (-f64::MAX, f64::MAX),
        (1e300, f64::INFINITY),
        (f64::NEG_INFINITY, 0.0),
    ] {
        // A third value on each side, so that infinite ones have a finite neighbour.
        let rows = array![
            [low],
            [low],
            [high],
            [high],
            [low],
            [high],
            [low.max(-f64::MAX) / 2.0 + high.min(f64::MAX) / 2.0]
        ];
        let frauds = [false, false, true, true, false, true, true];
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let tree = DecisionTreeParams::default().fit(&samples).unwrap();
        assert!(tree.leaves().count() >= 2, "{low} {high}");
        assert!(tree.log_odds_row(&[low]).unwrap().is_finite());
    }
}

#[test]
fn threads_do_not_change_the_bits_and_fits_repeat() {
    let (rows, frauds) = table(400, 3);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = DecisionTreeParams::default().class_weight(ClassWeight::Balanced);
    let fit = || params.fit(&samples).unwrap();
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = pool(1).install(fit);
    assert_eq!(pool(3).install(fit), one);
    for _ in 0..5 {
        assert_eq!(fit(), one);
    }
}

#[test]
fn what_cannot_be_learned_is_an_error() {
    let rows = array![[1.0], [2.0]];
    let samples = Samples::new(rows.view(), &[true, false]).unwrap();
    let params = DecisionTreeParams::default();
    for bad in [
        params.clone().max_depth(0),
        params.clone().max_depth(65),
        params.clone().min_split_weight(f64::NAN),
        params.clone().min_leaf_weight(-1.0),
        params.clone().min_impurity_decrease(0.0),
        params.clone().smoothing(0.0),
        params.clone().class_weight(ClassWeight::Ratio(-1.0)),
        params
            .clone()
            .class_weight(ClassWeight::Ratio(f64::INFINITY)),
    ] {
        assert!(bad.fit(&samples).is_err(), "{bad:?}");
    }
    let one = Samples::new(rows.view(), &[true, true]).unwrap();
    assert_eq!(
        params.fit(&one).unwrap_err(),
        EnsembleError::SingleClass { class: "fraud" }
    );
    let tree = params.fit(&samples).unwrap();
    assert!(tree.log_odds_row(&[]).is_err());
    assert!(tree.log_odds_rows(rows.view(), &mut []).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn leaves_keep_limits_and_count_every_row(seed in 0_u64..1000, min_leaf in 0.0_f64..20.0, depth in 1_usize..6) {
        let (rows, frauds) = table(120, seed);
        let weights: Vec<f64> = (0..120).map(|row| f64::from(row % 4) / 2.0).collect();
        let samples = Samples::new(rows.view(), &frauds).unwrap().with_weights(&weights).unwrap();
        let Ok(tree) = DecisionTreeParams::default().max_depth(depth).min_leaf_weight(min_leaf).fit(&samples) else {
            return Ok(()); // Rows of one class have weight 0.
        };
        let leaves: Vec<_> = tree.leaves().collect();
        prop_assert!(leaves.len() <= 1 << depth);
        if leaves.len() > 1 {
            // Weights are rounded to one part in 2^23 of their sum, each.
            prop_assert!(leaves.iter().all(|leaf| leaf.fraud + leaf.honest >= min_leaf * (1.0 - 1e-3)));
        }
        // Rows that are walked down again give the counts of the leaves.
        let mut out = vec![0.0; 120];
        tree.log_odds_rows(rows.view(), &mut out).unwrap();
        for leaf in &leaves {
            let odds = ((leaf.fraud + 1.0) / (leaf.honest + 1.0)).ln();
            let same: Vec<usize> = (0..120).filter(|row| out[*row] == odds).collect();
            let twins = leaves.iter().filter(|other| ((other.fraud + 1.0) / (other.honest + 1.0)).ln() == odds);
            let expected: f64 = twins.map(|leaf| leaf.fraud).sum();
            let got: f64 = same.iter().filter(|row| frauds[**row]).map(|row| weights[*row]).sum();
            prop_assert!((got - expected).abs() < 1e-9);
        }
        let all: f64 = leaves.iter().map(|leaf| leaf.fraud + leaf.honest).sum();
        prop_assert!((all - weights.iter().sum::<f64>()).abs() < 1e-9);
    }

    #[test]
    fn splits_depend_only_on_the_order_of_values(seed in 0_u64..1000) {
        let (rows, frauds) = table(100, seed);
        let stretched = rows.mapv(|x| (x * 0.5).exp() * 1e-9);
        let params = DecisionTreeParams::default();
        let one = params.fit(&Samples::new(rows.view(), &frauds).unwrap()).unwrap();
        let two = params.fit(&Samples::new(stretched.view(), &frauds).unwrap()).unwrap();
        prop_assert_eq!(one.leaves().collect::<Vec<_>>(), two.leaves().collect::<Vec<_>>());
    }
}

#[cfg(feature = "serde")]
#[test]
fn saved_trees_come_back_and_damaged_ones_are_errors_or_sound() {
    let (mut rows, frauds) = table(80, 4);
    rows[(7, 0)] = f64::NAN;
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let tree = DecisionTreeParams::default()
        .max_depth(3)
        .fit(&samples)
        .unwrap();
    let bytes = tree.to_bytes().unwrap();
    assert_eq!(DecisionTree::from_bytes(&bytes).unwrap(), tree);
    let params = DecisionTreeParams::default().max_depth(3);
    let learned = dafu_ensemble::Learner::learn(&params, &samples).unwrap();
    assert_eq!(learned.to_bytes().unwrap(), bytes);
    for damaged in dafu_testkit::damage::all(&bytes) {
        assert!(
            DecisionTree::from_bytes(&damaged.bytes).is_err(),
            "{}",
            damaged.damage
        );
    }
    for damaged in dafu_testkit::damage::payload_damage(&bytes) {
        if let Ok(tree) = DecisionTree::from_bytes(&damaged.bytes) {
            let row = vec![1e300; tree.width()];
            assert!(
                tree.log_odds_row(&row).unwrap().is_finite(),
                "{}",
                damaged.damage
            );
            tree.to_text(&vec!["x"; tree.width()]).unwrap();
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn leaves_of_any_weight_have_finite_log_odds() {
    use dafu_core::SchemaHash;
    use dafu_core::model::{Envelope, Limits};
    let rows = array![[1.0], [1.0], [1.0], [2.0], [2.0], [2.0]];
    let samples = Samples::new(rows.view(), &[true, true, true, false, false, false]).unwrap();
    let params = DecisionTreeParams::default().smoothing(1e-9);
    let bytes = params.fit(&samples).unwrap().to_bytes().unwrap();
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    // Every weight of three rows becomes another.
    let weighing = |weight: f64| {
        let mut payload = envelope.payload().to_vec();
        for at in 0..payload.len() - 8 {
            if payload[at..].starts_with(&3.0_f64.to_le_bytes()) {
                payload[at..at + 8].copy_from_slice(&weight.to_le_bytes());
            }
        }
        let kind = DecisionTree::KIND;
        let forged = Envelope::write(kind, 1, SchemaHash(0), &payload).unwrap();
        DecisionTree::from_bytes(&forged)
    };
    let tree = weighing(1e300).unwrap();
    let expected = 1e300_f64.ln() - 1e-9_f64.ln();
    // Relative, to the rounding of logarithms.
    let odds = tree.log_odds_row(&[1.0]).unwrap();
    assert!((odds / expected - 1.0).abs() < 1e-12, "{odds} {expected}");
    // In the root the two add up to infinity.
    assert!(weighing(1e308).is_err());
}

fn sound<T: Send + Sync + std::fmt::Debug + Clone>() {}

#[test]
fn tree_can_be_shared_between_threads() {
    sound::<DecisionTree>();
    sound::<DecisionTreeParams>();
}
