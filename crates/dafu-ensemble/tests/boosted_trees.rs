//! Boosted trees against exact greedy search, and what holds for every data set.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

use dafu_ensemble::{BoostedTreesParams, EnsembleError, Growth, Samples};
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use proptest::prelude::*;

const ROWS: usize = 60;
const COLUMNS: usize = 3;

#[derive(Debug)]
struct Rows {
    values: Array2<f64>,
    frauds: Vec<bool>,
    weights: Vec<f64>,
}

impl Rows {
    fn samples(&self) -> Samples<'_> {
        let samples = Samples::new(self.values.view(), &self.frauds).unwrap();
        samples.with_weights(&self.weights).unwrap()
    }
}

/// Rows of few distinct values, so that every place between two of them is an edge. No two sets of them weigh the same,
/// so that no two splits that part them differently gain the same.
fn data() -> impl Strategy<Value = Rows> {
    let number = (0..12_i32).prop_map(|value| f64::from(value) * 0.37);
    let value = prop_oneof![8 => number, 1 => Just(f64::NAN)];
    let values = prop::collection::vec(value, ROWS * COLUMNS);
    let frauds = prop::collection::vec(prop::bool::weighted(0.3), ROWS);
    let weights = prop::collection::vec(0.5..2.0_f64, ROWS);
    (values, frauds, weights).prop_filter_map("one class", |(values, frauds, weights)| {
        let both = frauds.contains(&true) && frauds.contains(&false);
        let values = Array2::from_shape_vec((ROWS, COLUMNS), values).ok()?;
        let rows = Rows {
            values,
            frauds,
            weights,
        };
        both.then_some(rows)
    })
}

fn scores(
    params: &BoostedTreesParams,
    samples: &Samples<'_>,
    rows: ArrayView2<'_, f64>,
) -> Vec<f64> {
    let mut out = vec![0.0; rows.nrows()];
    let model = params.fit(samples).unwrap();
    model.log_odds_rows(rows, &mut out).unwrap();
    out
}

fn assert_near(one: &[f64], two: &[f64]) {
    assert_eq!(one.len(), two.len());
    for (row, (one, two)) in one.iter().zip(two).enumerate() {
        assert!((one - two).abs() < 1e-9, "row {row}: {one} {two}");
    }
}

/// Exact greedy search over all places between values and both ways of what is missing.
struct Exact<'a> {
    rows: ArrayView2<'a, f64>,
    gradients: Vec<(f64, f64)>,
    l1: f64,
    l2: f64,
    least: usize,
}

impl Exact<'_> {
    fn sums(&self, rows: &[usize]) -> (f64, f64) {
        let parts = rows.iter().map(|row| self.gradients[*row]);
        parts.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }

    fn shrunk(&self, gradient: f64) -> f64 {
        gradient.signum() * (gradient.abs() - self.l1).max(0.0)
    }

    fn fit(&self, rows: &[usize]) -> f64 {
        let (gradient, hessian) = self.sums(rows);
        self.shrunk(gradient).powi(2) / (hessian + self.l2)
    }

    fn answer(&self, rows: &[usize]) -> f64 {
        let (gradient, hessian) = self.sums(rows);
        -self.shrunk(gradient) / (hessian + self.l2)
    }

    /// The best split of rows, if one gains anything.
    fn split(&self, rows: &[usize]) -> Option<(Vec<usize>, Vec<usize>)> {
        let (mut best_gain, mut best) = (1e-12, None);
        for column in 0..self.rows.ncols() {
            for &at in rows {
                // Where this is missing, it is missing values against all others.
                let edge = self.rows[[at, column]];
                for missing_left in [false, true] {
                    let goes_left = |row: &usize| {
                        let value = self.rows[[*row, column]];
                        if value.is_nan() {
                            missing_left
                        } else {
                            edge.is_nan() || value <= edge
                        }
                    };
                    let (left, right): (Vec<usize>, Vec<usize>) =
                        rows.iter().partition(|row| goes_left(row));
                    if left.len() < self.least || right.len() < self.least {
                        continue;
                    }
                    let share = (self.least - 1) as f64 / rows.len() as f64;
                    let fewest = self.sums(rows).1 * share;
                    if self.sums(&left).1 < fewest || self.sums(&right).1 < fewest {
                        continue;
                    }
                    let gain = self.fit(&left) + self.fit(&right) - self.fit(rows);
                    if gain > best_gain {
                        (best_gain, best) = (gain, Some((left, right)));
                    }
                }
            }
        }
        best
    }

    fn grow(&self, rows: &[usize], depth: usize, out: &mut [f64]) {
        if let Some((left, right)) = (depth > 0).then(|| self.split(rows)).flatten() {
            self.grow(&left, depth - 1, out);
            self.grow(&right, depth - 1, out);
        } else {
            for row in rows {
                out[*row] += self.answer(rows);
            }
        }
    }
}

/// Cells of 100 rows by two columns, and how many of each are frauds: the first column parts most, the second has much to
/// part on one side and hardly anything on the other.
fn cells() -> (Array2<f64>, Vec<bool>) {
    let cells = [
        ([0.0, 0.0], 2),
        ([0.0, 1.0], 12),
        ([0.0, 2.0], 26),
        ([0.0, 3.0], 44),
        ([1.0, 0.0], 92),
        ([1.0, 1.0], 94),
    ];
    let rows = cells.iter().flat_map(|(cell, _)| [*cell; 100]);
    let rows: Vec<f64> = rows.flatten().collect();
    let frauds = cells
        .iter()
        .flat_map(|(_, frauds)| (0..100).map(move |at| at < *frauds));
    (
        Array2::from_shape_vec((600, 2), rows).unwrap(),
        frauds.collect(),
    )
}

/// One tree, unbound by what is not tested.
fn one_tree() -> BoostedTreesParams {
    let params = BoostedTreesParams::default()
        .n_estimators(1)
        .learning_rate(1.0);
    params.min_leaf_rows(1).min_leaf_hessian(0.0).l2(0.0)
}

#[test]
fn with_few_leaves_the_best_splits_come_first_or_those_near_the_root() {
    let (rows, frauds) = cells();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let of_cells = |growth| {
        let params = one_tree().max_leaves(4).growth(growth);
        let scores = scores(&params, &samples, rows.view());
        scores.chunks(100).map(|cell| cell[0]).collect::<Vec<f64>>()
    };
    let leaf_wise = of_cells(Growth::LeafWise);
    let depth_wise = of_cells(Growth::DepthWise);
    // By leaves: the side with little to part stays whole, the other has three leaves.
    assert_eq!(leaf_wise[4], leaf_wise[5]);
    let parts = |cells: &[f64]| cells.windows(2).filter(|pair| pair[0] != pair[1]).count() + 1;
    assert_eq!(parts(&leaf_wise[..4]), 3);
    // By levels: both sides are parted once.
    assert_ne!(depth_wise[4], depth_wise[5]);
    assert_eq!(parts(&depth_wise[..4]), 2);
}

/// Gain and hessians of the first split by hand: Chen and Guestrin 2016, equation 7 without the half, at log odds of the
/// share of frauds.
#[test]
fn splits_gain_enough_and_leave_hessian_enough() {
    let (rows, frauds) = cells();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let share = frauds.iter().filter(|fraud| **fraud).count() as f64 / 600.0;
    let part = |rows: std::ops::Range<usize>| {
        let gradients = frauds[rows.clone()].iter();
        let gradient: f64 = gradients
            .map(|fraud| share - f64::from(u8::from(*fraud)))
            .sum();
        (gradient, share * (1.0 - share) * rows.len() as f64)
    };
    let (left, right) = (part(0..400), part(400..600));
    let gain = left.0.powi(2) / left.1 + right.0.powi(2) / right.1;
    let whole = |params: BoostedTreesParams| {
        let scores = scores(&params.max_leaves(2), &samples, rows.view());
        scores.iter().all(|score| *score == scores[0])
    };
    assert!(!whole(one_tree().min_gain(gain * 0.999)));
    assert!(whole(one_tree().min_gain(gain * 1.001)));
    // With a larger hessian on both sides other splits are left, but none where both sides need more than half.
    let lesser = right.1;
    let parted = |least: f64| {
        let params = one_tree().max_leaves(2).min_leaf_hessian(least);
        let scores = scores(&params, &samples, rows.view());
        scores[0] != scores[599] && scores[0] == scores[399]
    };
    assert!(parted(lesser * 0.999));
    assert!(!parted(lesser * 1.001));
    assert!(whole(
        one_tree().min_leaf_hessian((left.1 + right.1) * 0.501)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_tree_is_that_of_exact_greedy_search(
        rows in data(), depth in 1..5_usize, least in 1..6_usize, l1 in 0.0..0.5, l2 in 0.0..2.0,
    ) {
        let params = BoostedTreesParams::default()
            .n_estimators(1).learning_rate(1.0).max_depth(depth).max_leaves(64)
            .min_leaf_rows(least).min_leaf_hessian(0.0).l1(l1).l2(l2);
        let both = || rows.frauds.iter().zip(&rows.weights);
        let whole: f64 = rows.weights.iter().sum();
        let share = both().filter(|(fraud, _)| **fraud).map(|(_, weight)| weight).sum::<f64>() / whole;
        let exact = Exact {
            rows: rows.values.view(),
            gradients: both().map(|(fraud, weight)| {
                ((share - f64::from(u8::from(*fraud))) * weight, share * (1.0 - share) * weight)
            }).collect(),
            l1,
            l2,
            least,
        };
        let mut expected = vec![(share / (1.0 - share)).ln(); ROWS];
        exact.grow(&(0..ROWS).collect::<Vec<_>>(), depth, &mut expected);
        for growth in [Growth::LeafWise, Growth::DepthWise] {
            let params = params.clone().growth(growth);
            assert_near(&scores(&params, &rows.samples(), rows.values.view()), &expected);
        }
    }

    #[test]
    fn a_weight_of_two_is_a_row_twice(rows in data(), which in 0..ROWS) {
        let params = BoostedTreesParams::default().n_estimators(3).min_leaf_rows(1).l2(1.0);
        let values = concatenate(
            Axis(0), &[rows.values.view(), rows.values.select(Axis(0), &[which]).view()],
        ).unwrap();
        let twice = Rows {
            values,
            frauds: [rows.frauds.as_slice(), &[rows.frauds[which]]].concat(),
            weights: [rows.weights.as_slice(), &[rows.weights[which]]].concat(),
        };
        let two = scores(&params, &twice.samples(), rows.values.view());
        let mut once = rows;
        once.weights[which] *= 2.0;
        assert_near(&scores(&params, &once.samples(), once.values.view()), &two);
    }

    #[test]
    fn rows_of_weight_zero_do_not_count(rows in data(), other in data()) {
        let params = BoostedTreesParams::default().n_estimators(5).min_leaf_rows(3);
        let values = concatenate(Axis(0), &[rows.values.view(), rows.values.view()]).unwrap();
        let more = Rows {
            values,
            frauds: [rows.frauds.as_slice(), &other.frauds].concat(),
            weights: [rows.weights.as_slice(), &[0.0; ROWS]].concat(),
        };
        assert_near(
            &scores(&params, &more.samples(), rows.values.view()),
            &scores(&params, &rows.samples(), rows.values.view()),
        );
    }

    #[test]
    fn a_rising_map_of_values_changes_nothing(rows in data()) {
        let params = BoostedTreesParams::default().n_estimators(5).min_leaf_rows(3);
        let before = scores(&params, &rows.samples(), rows.values.view());
        let mut mapped = rows;
        mapped.values.mapv_inplace(|value| value * value * value + 8.0);
        prop_assert_eq!(before, scores(&params, &mapped.samples(), mapped.values.view()));
    }

    #[test]
    fn one_row_is_judged_as_many(rows in data()) {
        // More trees than are walked side by side, and some left over.
        let params = BoostedTreesParams::default().n_estimators(13).min_leaf_rows(3);
        let model = params.fit(&rows.samples()).unwrap();
        let mut out = vec![0.0; ROWS];
        model.log_odds_rows(rows.values.view(), &mut out).unwrap();
        let mut turned = vec![0.0; ROWS];
        let by_column = rows.values.t().as_standard_layout().into_owned();
        model.log_odds_rows(by_column.t(), &mut turned).unwrap();
        prop_assert_eq!(&out, &turned);
        for (row, expected) in rows.values.rows().into_iter().zip(out) {
            prop_assert_eq!(model.log_odds_row(row.as_slice().unwrap()).unwrap(), expected);
        }
    }
}

/// Rows whose label depends on three of nine columns.
fn many(rows: usize) -> (Array2<f64>, Vec<bool>) {
    let mut stream = dafu_core::random::Stream::new(1, 0, 0);
    let values = Array2::from_shape_simple_fn((rows, 9), || stream.unit());
    let frauds = values
        .rows()
        .into_iter()
        .map(|row| row[0] * row[1] + 0.1 * row[2] + 0.2 * stream.unit() > 0.8)
        .collect();
    (values, frauds)
}

#[cfg(feature = "parallel")]
#[test]
fn any_number_of_threads_gives_the_same_trees() {
    let (rows, frauds) = many(100_000);
    // Columns that stand twice, or differ in little, gain the same.
    let rough = rows.mapv(|value| (value * 8.0).floor());
    let rows = concatenate(Axis(1), &[rows.view(), rough.view(), rows.view()]).unwrap();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = BoostedTreesParams::default()
        .n_estimators(10)
        .row_sample(0.7)
        .column_sample(0.6);
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| params.fit(&samples).unwrap())
    };
    let one = fit(1);
    assert_eq!(one.len(), 10);
    assert_eq!(one, fit(2));
    assert_eq!(one, fit(5));
}

#[test]
fn learns_where_what_is_missing_goes() {
    let mut rows = Array2::from_shape_fn((400, 1), |(row, _)| (row % 20) as f64);
    let mut frauds: Vec<bool> = (0..400).map(|row| row % 20 >= 15).collect();
    for row in 0..50 {
        rows[[row, 0]] = f64::NAN;
        frauds[row] = true;
    }
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = BoostedTreesParams::default().fit(&samples).unwrap();
    let odds = |value: f64| model.log_odds_row(&[value]).unwrap();
    assert!(odds(f64::NAN) > 3.0);
    assert!(odds(f64::INFINITY) > 3.0);
    assert!(odds(3.0) < -3.0);
    assert!(odds(f64::NEG_INFINITY) < -3.0);
}

#[test]
fn nothing_to_split_on_gives_the_share_of_frauds() {
    let frauds: Vec<bool> = (0..100).map(|row| row < 20).collect();
    for value in [1.0, f64::NAN, f64::INFINITY] {
        let rows = Array2::from_elem((100, 2), value);
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let model = BoostedTreesParams::default().fit(&samples).unwrap();
        let odds = model.log_odds_row(&[1.0, 2.0]).unwrap();
        assert!((odds - 0.25_f64.ln()).abs() < 1e-9, "{value}: {odds}");
    }
}

#[test]
fn infinite_values_are_beyond_all_others() {
    let values = [f64::NEG_INFINITY, f64::MIN, 0.0, f64::MAX, f64::INFINITY];
    let rows = Array2::from_shape_fn((500, 1), |(row, _)| values[row % 5]);
    // No finite number parts the two lowest.
    let places = [0, 0, 1, 2, 3];
    for fraud in 0..4 {
        let frauds: Vec<bool> = (0..500).map(|row| places[row % 5] == fraud).collect();
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let model = BoostedTreesParams::default().fit(&samples).unwrap();
        for (value, place) in values.into_iter().zip(places) {
            let odds = model.log_odds_row(&[value]).unwrap();
            assert_eq!(odds > 0.0, place == fraud, "{value}: {odds}");
        }
    }
}

#[test]
fn an_infinite_value_goes_with_the_others_where_only_what_is_missing_leaves() {
    let rows = Array2::from_shape_fn((400, 1), |(row, _)| {
        if row % 4 == 0 {
            f64::NAN
        } else {
            f64::INFINITY
        }
    });
    let frauds: Vec<bool> = (0..400).map(|row| row % 4 == 0).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = BoostedTreesParams::default().fit(&samples).unwrap();
    assert!(model.log_odds_row(&[f64::NAN]).unwrap() > 3.0);
    assert!(model.log_odds_row(&[f64::INFINITY]).unwrap() < -3.0);
}

#[test]
fn importances_name_the_columns_that_matter() {
    let (rows, frauds) = many(5_000);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let importances = BoostedTreesParams::default()
        .max_leaves(4)
        .fit(&samples)
        .unwrap()
        .importances();
    assert_eq!(importances.len(), 9);
    assert!((importances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let most = importances[3..].iter().copied().fold(0.0, f64::max);
    assert!(importances[0] > 10.0 * most && importances[1] > 10.0 * most);
}

#[cfg(feature = "serde")]
#[test]
fn parameters_are_read_from_a_configuration() {
    let text =
        r#"{"n_estimators": 200, "max_depth": 6, "learning_rate": 0.05, "growth": "depth_wise"}"#;
    let params: BoostedTreesParams = serde_json::from_str(text).unwrap();
    let expected = BoostedTreesParams::default()
        .n_estimators(200)
        .max_depth(6)
        .learning_rate(0.05);
    assert_eq!(params, expected.growth(Growth::DepthWise));
    assert!(serde_json::from_str::<BoostedTreesParams>(r#"{"trees": 3}"#).is_err());
}

#[test]
fn parameters_out_of_range_are_named() {
    let params = BoostedTreesParams::default;
    for (wrong, name) in [
        (params().n_estimators(0), "n_estimators"),
        (params().max_leaves(1), "max_leaves"),
        (
            params().n_estimators(100_000).max_leaves(65_536),
            "n_estimators * max_leaves",
        ),
        (params().max_depth(0), "max_depth"),
        (params().min_leaf_rows(0), "min_leaf_rows"),
        (params().max_bins(256), "max_bins"),
        (params().patience(0), "patience"),
        (params().learning_rate(f64::NAN), "learning_rate"),
        (params().row_sample(1.1), "row_sample"),
        (params().column_sample(0.0), "column_sample"),
        (params().min_leaf_hessian(-1.0), "min_leaf_hessian"),
        (params().min_gain(f64::INFINITY), "min_gain"),
        (params().l1(-0.1), "l1"),
        (params().l2(f64::NAN), "l2"),
        (params().scale_pos_weight(0.0), "scale_pos_weight"),
    ] {
        let message = wrong.check().unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("`{name}` must be")),
            "{message}"
        );
    }
}

#[test]
fn stops_when_others_are_not_judged_better() {
    let (rows, frauds) = many(3_000);
    let (first, last) = rows.view().split_at(Axis(0), 2_000);
    let samples = Samples::new(first, &frauds[..2_000]).unwrap();
    let others = Samples::new(last, &frauds[2_000..]).unwrap();
    let params = BoostedTreesParams::default()
        .n_estimators(500)
        .learning_rate(0.5)
        .patience(5);
    let model = params.fit_validated(&samples, &others).unwrap();
    assert!((1..495).contains(&model.len()), "{}", model.len());
    // No number of trees around is judged better, and none as good is smaller.
    let judged = |trees: usize| {
        let model = params.clone().n_estimators(trees).fit(&samples).unwrap();
        let mut odds = vec![0.0; 1_000];
        model.log_odds_rows(last, &mut odds).unwrap();
        dafu_core::metrics::average_precision(&frauds[2_000..], &odds, None).unwrap()
    };
    let best = judged(model.len());
    assert!((1..model.len()).all(|trees| judged(trees) < best));
    assert!((1..=5).all(|more| judged(model.len() + more) <= best));
    // The same trees, as far as they go.
    let again = params.n_estimators(model.len()).fit(&samples).unwrap();
    assert_eq!(model, again);
}

#[test]
fn names_what_is_wrong() {
    let rows = Array2::<f64>::zeros((2, 1));
    let params = BoostedTreesParams::default();
    let fit = |frauds: &[bool]| params.fit(&Samples::new(rows.view(), frauds)?);
    let single = |class| Err(EnsembleError::SingleClass { class });
    assert_eq!(fit(&[true, true]), single("fraud"));
    assert_eq!(fit(&[false, false]), single("honest"));
    assert!(matches!(fit(&[true]), Err(EnsembleError::Length { .. })));
    let none = Array2::<f64>::zeros((0, 1));
    let none = Samples::new(none.view(), &[]).unwrap();
    assert_eq!(params.fit(&none), Err(EnsembleError::NoRows));
    let narrow = Array2::<f64>::zeros((2, 0));
    let narrow = Samples::new(narrow.view(), &[true, false]).unwrap();
    assert_eq!(params.fit(&narrow), Err(EnsembleError::NoColumns));
    let samples = Samples::new(rows.view(), &[true, false]).unwrap();
    let negative = samples.with_weights(&[1.0, -1.0]).unwrap_err();
    assert_eq!(negative, EnsembleError::Weight { row: 1, got: -1.0 });
    let weightless = samples.with_weights(&[0.0, 0.0]).unwrap();
    assert_eq!(params.fit(&weightless), Err(EnsembleError::NoRows));
    let heavy = params.fit(&samples.with_weights(&[f64::MAX, f64::MAX]).unwrap());
    assert!(matches!(
        heavy,
        Err(EnsembleError::NumberOutOfRange {
            name: "sum of weights",
            ..
        })
    ));
    let wide = params.fit(&samples).unwrap().log_odds_row(&[1.0, 2.0]);
    let (expected, got) = (1, 2);
    assert_eq!(wide, Err(EnsembleError::WrongWidth { expected, got }));
}

#[test]
fn trees_see_the_share_of_rows_and_columns_that_is_asked_for() {
    let values = Array2::from_shape_fn((100, 4), |(row, _)| row as f64);
    let frauds: Vec<bool> = (0..100).map(|row| row >= 50).collect();
    let samples = Samples::new(values.view(), &frauds).unwrap();
    let params = BoostedTreesParams::default()
        .n_estimators(1)
        .min_leaf_rows(40);
    // A split needs 80 rows.
    let splits = |share: f64, seed| {
        let params = params.clone().row_sample(share).seed(seed);
        params
            .fit(&samples)
            .unwrap()
            .importances()
            .iter()
            .sum::<f64>()
            > 0.0
    };
    assert!((0..20).all(|seed| splits(1.0, seed)));
    // 60 rows, deviation 4.9.
    assert!(!(0..20).any(|seed| splits(0.6, seed)));
    // All columns are the same, so that the first one seen is split.
    let column = |share: f64, seed| {
        let params = params.clone().column_sample(share).seed(seed);
        let importances = params.fit(&samples).unwrap().importances();
        importances.iter().position(|share| *share > 0.0).unwrap()
    };
    assert!((0..20).all(|seed| column(1.0, seed) == 0));
    let mut seen: Vec<usize> = (0..40).map(|seed| column(0.25, seed)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3]);
}
