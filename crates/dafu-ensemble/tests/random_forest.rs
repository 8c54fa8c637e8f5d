//! Random forests.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use dafu_ensemble::{
    Bagging, ClassWeight, Classifier, EnsembleError, MaxFeatures, RandomForestParams, Samples,
    SplitPlaces,
};
use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;

/// A tree that sees everything.
fn one_tree() -> RandomForestParams {
    RandomForestParams::default()
        .n_estimators(1)
        .max_features(MaxFeatures::All)
        .bagging(Bagging::None)
}

fn table(rows: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let table = Array2::from_shape_simple_fn((rows, 4), &mut next);
    let frauds = table
        .rows()
        .into_iter()
        .map(|row| row[1] + row[2] > 1.4 + 0.2 * next())
        .collect();
    (table, frauds)
}

/// Rows to be judged by exact search.
struct Exact<'a> {
    rows: ArrayView2<'a, f64>,
    frauds: &'a [bool],
    weights: &'a [f64],
    least: usize,
}

impl Exact<'_> {
    fn share(&self, part: &[usize]) -> f64 {
        let weight = |fraud: bool| -> f64 {
            let rows = part.iter().filter(|row| self.frauds[**row] || !fraud);
            rows.map(|row| self.weights[*row]).sum()
        };
        weight(true) / weight(false)
    }

    fn impurity(&self, part: &[usize]) -> f64 {
        let share = self.share(part);
        let weight: f64 = part.iter().map(|row| self.weights[*row]).sum();
        weight * 2.0 * share * (1.0 - share)
    }

    /// Shares of frauds in the leaves of the tree whose splits lower the Gini impurity most.
    fn grow(&self, inside: &[usize], out: &mut [f64]) {
        let whole = self.impurity(inside);
        let mut best: Option<(f64, Vec<usize>, Vec<usize>)> = None;
        for column in 0..self.rows.ncols() {
            for cut in inside {
                let at = self.rows[[*cut, column]];
                let (left, right): (Vec<_>, Vec<_>) = inside
                    .iter()
                    .partition(|row| self.rows[[**row, column]] <= at);
                if left.len() < self.least || right.len() < self.least {
                    continue;
                }
                let gain = whole - self.impurity(&left) - self.impurity(&right);
                if gain > 1e-7 && best.as_ref().is_none_or(|best| gain > best.0) {
                    best = Some((gain, left, right));
                }
            }
        }
        if let Some((_, left, right)) = best {
            self.grow(&left, out);
            self.grow(&right, out);
        } else {
            for row in inside {
                out[*row] = self.share(inside);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_tree_that_sees_everything_is_that_of_exact_gini_search(
        values in prop::collection::vec((0_i32..30, 0_i32..30, any::<bool>(), 0.5..2.0_f64), 4..60),
        least in 1_usize..4,
    ) {
        let frauds: Vec<bool> = values.iter().map(|value| value.2).collect();
        prop_assume!(frauds.contains(&true) && frauds.contains(&false));
        // Weights, so that no two splits are equally good.
        let weights: Vec<f64> = values.iter().map(|value| value.3).collect();
        let rows = Array2::from_shape_fn((values.len(), 2), |(row, column)| {
            f64::from(if column == 0 { values[row].0 } else { values[row].1 })
        });
        // Two columns that part the rows alike are equally good all the same: which of them is taken matters to nobody.
        let samples = Samples::new(rows.view(), &frauds).unwrap().with_weights(&weights).unwrap();
        let forest = one_tree().min_leaf_rows(least).fit(&samples).unwrap();
        let mut found = vec![0.0; frauds.len()];
        forest.share_rows(rows.view(), &mut found).unwrap();
        let exact = Exact { rows: rows.view(), frauds: &frauds, weights: &weights, least };
        let mut expected = found.clone();
        exact.grow(&(0..frauds.len()).collect::<Vec<_>>(), &mut expected);
        for (found, expected) in found.iter().zip(expected) {
            prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn shares_are_shares_and_log_odds_keep_their_order(seed in any::<u64>(), places in 0_usize..2) {
        let (rows, frauds) = table(200, seed);
        prop_assume!(frauds.contains(&true));
        let places = [SplitPlaces::Best, SplitPlaces::Random][places];
        let params = RandomForestParams::default().n_estimators(10).split_places(places).seed(seed);
        let forest = params.fit(&Samples::new(rows.view(), &frauds).unwrap()).unwrap();
        let (mut shares, mut odds) = (vec![0.0; 200], vec![0.0; 200]);
        forest.share_rows(rows.view(), &mut shares).unwrap();
        forest.log_odds_rows(rows.view(), &mut odds).unwrap();
        for (row, (share, of_row)) in shares.iter().zip(&odds).enumerate() {
            prop_assert!((0.0..=1.0).contains(share) && of_row.is_finite());
            let alone = forest.share_row(rows.row(row).as_slice().unwrap()).unwrap();
            prop_assert_eq!(share.to_bits(), alone.to_bits());
            for (other_share, other_odds) in shares.iter().zip(&odds) {
                // Shares that differ in their last bit may have the same log odds.
                prop_assert!(share < other_share || of_row >= other_odds);
                prop_assert!(*share < other_share + 1e-12 || of_row > other_odds);
            }
        }
    }
}

#[test]
fn rows_out_of_the_bag_are_judged_by_trees_that_have_not_seen_them() {
    let (rows, frauds) = table(2000, 4);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let forest = RandomForestParams::default()
        .n_estimators(1)
        .fit(&samples)
        .unwrap();
    let judged = forest.out_of_bag().unwrap();
    let mut out = 0.0_f64;
    for (row, probability) in judged.probabilities.iter().enumerate() {
        if !probability.is_nan() {
            out += 1.0;
            let share = forest.share_row(rows.row(row).as_slice().unwrap()).unwrap();
            assert!((share - probability).abs() < 1e-15);
        }
    }
    // 1/e of all, with a standard deviation of about 14 rows.
    assert!((out - 2000.0 / std::f64::consts::E).abs() < 70.0, "{out}");
    // Rows that a tree has seen are fitted exactly, others are not.
    assert!(judged.error > 0.0 && judged.brier > 0.0);

    let many = RandomForestParams::default()
        .n_estimators(60)
        .fit(&samples)
        .unwrap();
    let better = many.out_of_bag().unwrap();
    assert!(
        better
            .probabilities
            .iter()
            .all(|probability| !probability.is_nan())
    );
    assert!(better.brier < judged.brier);
    assert!(better.average_precision.unwrap() > judged.average_precision.unwrap());
    // What out-of-bag rows promise holds on others.
    let (others, other_frauds) = table(2000, 999);
    let mut shares = vec![0.0; 2000];
    many.share_rows(others.view(), &mut shares).unwrap();
    let brier = shares
        .iter()
        .zip(&other_frauds)
        .map(|(share, fraud)| (share - f64::from(u8::from(*fraud))).powi(2));
    let brier = brier.sum::<f64>() / 2000.0;
    assert!(
        (brier - better.brier).abs() < 0.25 * brier,
        "{brier} {}",
        better.brier
    );
}

#[test]
fn weights_of_classes_move_the_shares_and_not_only_the_order() {
    let frauds: Vec<bool> = (0..1000).map(|row| row < 10).collect();
    // Nothing to learn from: every tree is a leaf.
    let rows = Array2::zeros((1000, 2));
    let share = |params: RandomForestParams| {
        let forest = params
            .fit(&Samples::new(rows.view(), &frauds).unwrap())
            .unwrap();
        forest.share_row(&[0.0, 0.0]).unwrap()
    };
    let params = RandomForestParams::default().bagging(Bagging::None);
    assert!((share(params.clone()) - 0.01).abs() < 1e-9);
    assert!((share(params.clone().class_weight(ClassWeight::Balanced)) - 0.5).abs() < 1e-9);
    assert!(
        (share(params.clone().class_weight(ClassWeight::Ratio(2.0))) - 20.0 / 1010.0).abs() < 1e-9
    );
    assert!((share(params.bagging(Bagging::Balanced)) - 0.5).abs() < 1e-9);
}

#[test]
fn a_weight_of_two_is_a_row_twice() {
    let (rows, frauds) = table(300, 8);
    // Fewer values than bins, so that repeated rows move no edge.
    let rows = rows.mapv(|value| (value * 50.0).round());
    let weights: Vec<f64> = (0..300)
        .map(|row| f64::from(u8::from(row % 3 == 0) + 1))
        .collect();
    let twice: Vec<usize> = (0..300)
        .chain((0..300).filter(|row| row % 3 == 0))
        .collect();
    let params = one_tree().max_depth(4);
    let samples = Samples::new(rows.view(), &frauds)
        .unwrap()
        .with_weights(&weights)
        .unwrap();
    let weighted = params.fit(&samples).unwrap();
    let (many, labels) = (
        rows.select(ndarray::Axis(0), &twice),
        twice.iter().map(|row| frauds[*row]).collect::<Vec<_>>(),
    );
    let repeated = params
        .fit(&Samples::new(many.view(), &labels).unwrap())
        .unwrap();
    for row in rows.rows() {
        let row = row.as_slice().unwrap();
        let gap = weighted.share_row(row).unwrap() - repeated.share_row(row).unwrap();
        assert!(gap.abs() < 1e-9, "{gap}");
    }
}

#[cfg(feature = "parallel")]
#[test]
fn any_number_of_threads_gives_the_same_forest() {
    let (rows, frauds) = table(3000, 6);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            RandomForestParams::default()
                .n_estimators(60)
                .fit(&samples)
                .unwrap()
        })
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}

#[test]
fn missing_values_and_categories_are_split_on() {
    let frauds: Vec<bool> = (0..400).map(|row| row % 4 == 1 || row % 7 == 0).collect();
    let rows = Array2::from_shape_fn((400, 2), |(row, column)| match column {
        0 => f64::from(u32::try_from(row % 4).unwrap()),
        _ if row % 7 == 0 => f64::NAN,
        _ => (row % 13) as f64,
    });
    let params = RandomForestParams::default()
        .max_features(MaxFeatures::All)
        .categorical([0]);
    let forest = params
        .fit(&Samples::new(rows.view(), &frauds).unwrap())
        .unwrap();
    assert!(forest.share_row(&[1.0, 3.0]).unwrap() > 0.9);
    assert!(forest.share_row(&[0.0, f64::NAN]).unwrap() > 0.9);
    assert!(forest.share_row(&[2.0, 3.0]).unwrap() < 0.1);
    let importances = forest.importances();
    assert!((importances.iter().sum::<f64>() - 1.0).abs() < 1e-9 && importances[1] > 0.1);
}

#[test]
fn what_cannot_be_learned_is_named() {
    let rows = Array2::zeros((3, 1));
    let fit = |params: RandomForestParams, frauds: &[bool]| {
        params
            .fit(&Samples::new(rows.view(), frauds).unwrap())
            .unwrap_err()
    };
    let params = RandomForestParams::default();
    assert_eq!(
        fit(params.clone(), &[true; 3]),
        EnsembleError::SingleClass { class: "fraud" }
    );
    let mixed = [true, false, false];
    assert!(matches!(
        fit(params.clone().n_estimators(0), &mixed),
        EnsembleError::CountOutOfRange { .. }
    ));
    let wrong = MaxFeatures::Share(0.0);
    assert!(matches!(
        fit(params.clone().max_features(wrong), &mixed),
        EnsembleError::NumberOutOfRange { .. }
    ));
    assert!(matches!(
        fit(params.categorical([1]), &mixed),
        EnsembleError::NoSuchColumn { .. }
    ));
}

/// 100 rows; the first column parts the classes, the second one nearly.
fn two_good_columns() -> (Array2<f64>, Vec<bool>) {
    let rows = Array2::from_shape_fn((100, 2), |(row, column)| {
        let swapped = column == 1 && row % 10 == 0;
        (if swapped { 99 - row } else { row }) as f64
    });
    (rows, (0..100).map(|row| row >= 50).collect())
}

/// Trees of one split each, by seed: which column, and the largest distance of a share from its label.
fn stumps(params: &RandomForestParams) -> Vec<(usize, f64)> {
    let (rows, frauds) = two_good_columns();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let stump = |seed| {
        let forest = params
            .clone()
            .max_depth(1)
            .seed(seed)
            .fit(&samples)
            .unwrap();
        let column = usize::from(forest.importances()[1] > 0.5);
        let gap = |(row, fraud): (usize, &bool)| {
            let share = forest.share_row(&rows.row(row).to_vec()).unwrap();
            (share - f64::from(u8::from(*fraud))).abs()
        };
        (
            column,
            frauds.iter().enumerate().map(gap).fold(0.0, f64::max),
        )
    };
    (0..40).map(stump).collect()
}

#[test]
fn splits_are_at_the_best_place_or_at_one_drawn_at_random() {
    assert!(stumps(&one_tree()).iter().all(|stump| *stump == (0, 0.0)));
    let random = stumps(&one_tree().split_places(SplitPlaces::Random));
    let perfect = random.iter().filter(|(_, gap)| *gap == 0.0).count();
    // One place in 99 is perfect.
    assert!(perfect < 10, "{random:?}");
}

#[test]
fn each_split_chooses_among_as_many_columns_as_asked() {
    for (features, both) in [
        (MaxFeatures::Sqrt, true),
        (MaxFeatures::Log2, true),
        (MaxFeatures::Share(0.5), true),
        (MaxFeatures::Count(1), true),
        (MaxFeatures::Count(2), false),
        (MaxFeatures::Share(1.0), false),
    ] {
        let columns = stumps(&one_tree().max_features(features));
        let second = columns.iter().filter(|(column, _)| *column == 1).count();
        // With one column to choose from, each is drawn by half of the trees: 20 of 40, deviation 3.2.
        assert_eq!((8..=32).contains(&second), both, "{features:?} {second}");
        assert_eq!(second == 0, !both, "{features:?} {second}");
    }
}

#[test]
fn a_share_of_the_rows_leaves_the_others_out_of_bag() {
    let (rows, frauds) = table(500, 5);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let forest = |params: RandomForestParams| params.fit(&samples).unwrap();
    assert!(forest(one_tree()).out_of_bag().is_none());
    let part = forest(one_tree().row_sample(0.3));
    let judged = part.out_of_bag().unwrap();
    let known: Vec<(f64, f64)> = (judged.probabilities.iter().zip(&frauds))
        .filter(|(share, _)| !share.is_nan())
        .map(|(share, fraud)| (*share, f64::from(u8::from(*fraud))))
        .collect();
    assert_eq!(known.len(), 350);
    let mean = |of: fn(&(f64, f64)) -> f64| known.iter().map(of).sum::<f64>() / 350.0;
    let wrong = mean(|(share, fraud)| f64::from(u8::from((*share > 0.5) != (*fraud > 0.5))));
    assert!((judged.error - wrong).abs() < 1e-12);
    let brier = mean(|(share, fraud)| (share - fraud).powi(2));
    assert!((judged.brier - brier).abs() < 1e-12);
}
