//! Logistic regression against scikit-learn, its own definition, and rows at the edges.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal means the same bits"
)]

use dafu_ensemble::{
    EnsembleError, Imputation, Learner, LogisticRegression, LogisticRegressionParams,
    MAX_LOGISTIC_INPUTS, Samples,
};
use ndarray::{Array2, array};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    rows: Vec<Vec<Option<f64>>>,
    frauds: Vec<bool>,
    weights: Option<Vec<f64>>,
    l1: f64,
    l2: f64,
    scale_pos_weight: f64,
    intercept: f64,
    coefficients: Vec<f64>,
}

#[test]
fn coefficients_are_those_of_scikit_learn() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("fixtures/logistic_regression.json")).unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let width = case.rows[0].len();
        let values = case.rows.iter().flatten();
        let values = values.map(|value| value.unwrap_or(f64::NAN)).collect();
        let rows = Array2::from_shape_vec((case.rows.len(), width), values).unwrap();
        let mut samples = Samples::new(rows.view(), &case.frauds).unwrap();
        if let Some(weights) = &case.weights {
            samples = samples.with_weights(weights).unwrap();
        }
        let model = LogisticRegressionParams::default()
            .l1(case.l1)
            .l2(case.l2)
            .scale_pos_weight(case.scale_pos_weight)
            .fit(&samples)
            .unwrap();
        assert!(model.convergence().converged, "{}", case.name);
        let mut got = model.coefficients();
        got.extend(model.missing_coefficients().iter().map(|(_, c)| c));
        assert_eq!(got.len(), case.coefficients.len(), "{}", case.name);
        for (got, expected) in got.iter().zip(&case.coefficients) {
            let gap = (got - expected).abs() / expected.abs().max(0.1);
            assert!(gap < 1e-6, "{}: {got} instead of {expected}", case.name);
        }
        let gap = (model.intercept() - case.intercept).abs();
        assert!(gap < 1e-6, "{}: intercept {}", case.name, model.intercept());
    }
}

fn table(rows: usize, width: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut stream = dafu_core::random::Stream::new(seed, 77, 0);
    let rows = Array2::from_shape_simple_fn((rows, width), || stream.unit() * 10.0 - 5.0);
    let frauds = rows.rows().into_iter().enumerate();
    let frauds = frauds.map(|(at, row)| row[0] + 8.0 * stream.unit() > 6.0 || at == 0);
    let mut frauds: Vec<bool> = frauds.collect();
    frauds[1] = false;
    (rows, frauds)
}

#[test]
fn log_odds_are_the_sum_over_columns() {
    let (mut rows, frauds) = table(80, 3, 1);
    for row in 0..20 {
        rows[(row * 3, 1)] = f64::NAN;
    }
    let model = LogisticRegressionParams::default()
        .imputation(Imputation::Mean)
        .fit(&Samples::new(rows.view(), &frauds).unwrap())
        .unwrap();
    let values = rows.column(1);
    let known: Vec<f64> = values
        .into_iter()
        .copied()
        .filter(|x| !x.is_nan())
        .collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let coefficients = model.coefficients();
    let missing = model.missing_coefficients();
    assert_eq!(missing[0].0, 1);
    let mut out = vec![0.0; 80];
    model.log_odds_rows(rows.view(), &mut out).unwrap();
    for (row, got) in rows.rows().into_iter().zip(out) {
        let mut sum = model.intercept();
        for (value, coefficient) in row.iter().zip(&coefficients) {
            sum += coefficient * if value.is_nan() { mean } else { *value };
        }
        if row[1].is_nan() {
            sum += missing[0].1;
        }
        assert!((sum - got).abs() < 1e-12);
        assert_eq!(model.log_odds_row(&row.to_vec()).unwrap(), got);
    }
}

#[test]
fn separable_rows_have_finite_coefficients_with_and_without_a_penalty() {
    let rows = array![[1.0], [2.0], [3.0], [4.0]];
    let frauds = [false, false, true, true];
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let ridge = LogisticRegressionParams::default().fit(&samples).unwrap();
    assert!(ridge.convergence().converged);
    assert!((ridge.intercept() + 2.5 * ridge.coefficients()[0]).abs() < 1e-9);
    let free = LogisticRegressionParams::default()
        .l2(0.0)
        .fit(&samples)
        .unwrap();
    assert!(free.coefficients()[0] > ridge.coefficients()[0]);
    assert!(free.coefficients()[0].is_finite());
    assert!(free.convergence().gradient < 1e-6);
    assert!(free.log_odds_row(&[2.0]).unwrap() < -5.0);
}

#[test]
fn constant_and_empty_columns_have_coefficient_zero() {
    let rows = array![
        [1.0, 7.0, f64::NAN],
        [2.0, 7.0, f64::NAN],
        [3.0, 7.0, f64::NAN],
        [2.5, 7.0, f64::NAN]
    ];
    let frauds = [false, true, true, false];
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    for l2 in [0.0, 1.0] {
        let model = LogisticRegressionParams::default()
            .l2(l2)
            .fit(&samples)
            .unwrap();
        assert!(model.convergence().converged);
        assert_eq!(model.coefficients()[1..], [0.0, 0.0]);
        assert_eq!(model.missing_coefficients(), [(2, 0.0)]);
        let one = model.log_odds_row(&[2.0, 7.0, f64::NAN]).unwrap();
        assert_eq!(one, model.log_odds_row(&[2.0, -1e9, 5.0]).unwrap());
    }
}

#[test]
fn repeated_columns_share_a_coefficient() {
    let (rows, frauds) = table(200, 1, 3);
    let once = LogisticRegressionParams::default()
        .l2(2.0)
        .fit(&Samples::new(rows.view(), &frauds).unwrap())
        .unwrap();
    let both = Array2::from_shape_fn((200, 2), |(row, _)| rows[(row, 0)]);
    // Half the coefficient twice is half the penalty.
    let twice = LogisticRegressionParams::default()
        .l2(4.0)
        .fit(&Samples::new(both.view(), &frauds).unwrap())
        .unwrap();
    for coefficient in twice.coefficients() {
        assert!((coefficient - once.coefficients()[0] / 2.0).abs() < 1e-9);
    }
}

#[test]
fn what_cannot_be_learned_is_an_error() {
    let params = LogisticRegressionParams::default();
    let rows = array![[1.0], [2.0]];
    let one = Samples::new(rows.view(), &[true, true]).unwrap();
    assert_eq!(
        params.fit(&one).unwrap_err(),
        EnsembleError::SingleClass { class: "fraud" }
    );
    let none = Array2::zeros((0, 2));
    let none = Samples::new(none.view(), &[]).unwrap();
    assert_eq!(params.fit(&none).unwrap_err(), EnsembleError::NoRows);
    let narrow = Array2::zeros((2, 0));
    let narrow = Samples::new(narrow.view(), &[true, false]).unwrap();
    assert_eq!(params.fit(&narrow).unwrap_err(), EnsembleError::NoColumns);
    let wide = Array2::zeros((2, MAX_LOGISTIC_INPUTS));
    let wide = Samples::new(wide.view(), &[true, false]).unwrap();
    let error = params.fit(&wide).unwrap_err();
    assert!(matches!(error, EnsembleError::TooMany { .. }), "{error}");
    let two = Samples::new(rows.view(), &[true, false]).unwrap();
    for bad in [
        params.clone().l1(-1.0),
        params.clone().l2(f64::NAN),
        params.clone().scale_pos_weight(0.0),
        params.clone().tolerance(0.0),
        params.clone().max_iterations(0),
    ] {
        assert!(bad.fit(&two).is_err(), "{bad:?}");
    }
    let model = params.fit(&two).unwrap();
    assert!(model.log_odds_row(&[]).is_err());
    assert!(model.log_odds_rows(rows.view(), &mut [0.0]).is_err());
    let few = params
        .max_iterations(1)
        .tolerance(1e-300)
        .fit(&two)
        .unwrap();
    assert!(!few.convergence().converged);
}

#[test]
fn extreme_values_give_finite_answers() {
    let rows = array![
        [1e300, 1.0],
        [-1e300, f64::INFINITY],
        [3.0, f64::NEG_INFINITY],
        [f64::NAN, 2e-300]
    ];
    let samples = Samples::new(rows.view(), &[true, false, false, true]).unwrap();
    let model = LogisticRegressionParams::default().fit(&samples).unwrap();
    for value in [f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, 0.0, 5e-324] {
        assert!(model.log_odds_row(&[value, value]).unwrap().is_finite());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_whole_weight_is_the_row_so_many_times(seed in 0_u64..1000, counts in prop::collection::vec(0_usize..4, 30)) {
        let (mut rows, frauds) = table(30, 2, seed);
        rows[(5, 1)] = f64::NAN;
        let weights: Vec<f64> = counts.iter().enumerate().map(|(at, count)| if at < 2 { 1.0 } else { *count as f64 }).collect();
        let repeated: Vec<usize> = weights.iter().enumerate().flat_map(|(at, weight)| {
            (0..30).take_while(move |copy| f64::from(*copy) < *weight).map(move |_| at)
        }).collect();
        let many = Array2::from_shape_fn((repeated.len(), 2), |(row, column)| rows[(repeated[row], column)]);
        let many_frauds: Vec<bool> = repeated.iter().map(|row| frauds[*row]).collect();
        let params = LogisticRegressionParams::default();
        let weighed = params.fit(&Samples::new(rows.view(), &frauds).unwrap().with_weights(&weights).unwrap()).unwrap();
        let repeated = params.fit(&Samples::new(many.view(), &many_frauds).unwrap()).unwrap();
        prop_assert_eq!(weighed.missing_coefficients().len(), repeated.missing_coefficients().len());
        for (one, two) in weighed.coefficients().iter().zip(repeated.coefficients()) {
            prop_assert!((one - two).abs() < 1e-7);
        }
    }

    #[test]
    fn log_odds_do_not_depend_on_the_units(seed in 0_u64..1000, factor in 1e-6_f64..1e6, offset in -1e3_f64..1e3) {
        let (rows, frauds) = table(50, 2, seed);
        let mut moved = rows.clone();
        moved.column_mut(0).mapv_inplace(|x| (x + offset) * factor);
        let params = LogisticRegressionParams::default().l1(0.3);
        let one = params.fit(&Samples::new(rows.view(), &frauds).unwrap()).unwrap();
        let two = params.fit(&Samples::new(moved.view(), &frauds).unwrap()).unwrap();
        for (row, same) in rows.rows().into_iter().zip(moved.rows()) {
            let gap = one.log_odds_row(&row.to_vec()).unwrap() - two.log_odds_row(&same.to_vec()).unwrap();
            prop_assert!(gap.abs() < 1e-6);
        }
    }

    #[test]
    fn the_loss_is_smallest_at_the_coefficients(seed in 0_u64..1000, l1 in 0.0_f64..3.0, l2 in 0.01_f64..5.0, at in 0_usize..3, step in -0.1_f64..0.1) {
        let (mut rows, frauds) = table(40, 2, seed);
        // Mean 0 and deviation 1, so that the penalties are of these coefficients.
        for mut column in rows.columns_mut() {
            let mean = column.mean().unwrap();
            column.mapv_inplace(|x| x - mean);
            let deviation = (column.iter().map(|x| x * x).sum::<f64>() / 40.0).sqrt();
            column.mapv_inplace(|x| x / deviation);
        }
        let model = LogisticRegressionParams::default().l1(l1).l2(l2).fit(&Samples::new(rows.view(), &frauds).unwrap()).unwrap();
        prop_assert!(model.convergence().converged);
        let loss = |coefficients: [f64; 3]| -> f64 {
            let each = rows.rows().into_iter().zip(&frauds).map(|(row, fraud)| {
                let odds = coefficients[0] + coefficients[1] * row[0] + coefficients[2] * row[1];
                (if *fraud { -odds } else { odds }).exp().ln_1p()
            });
            let penalty = coefficients[1..].iter().map(|c| l1 * c.abs() + l2 / 2.0 * c * c).sum::<f64>();
            each.sum::<f64>() + penalty
        };
        let found = [model.intercept(), model.coefficients()[0], model.coefficients()[1]];
        let mut other = found;
        other[at] += step;
        prop_assert!(loss(found) <= loss(other) + 1e-9);
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let (rows, frauds) = table(5000, 4, 9);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let fit = || {
        LogisticRegressionParams::default()
            .l1(1.0)
            .fit(&samples)
            .unwrap()
    };
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = pool(1).install(fit);
    assert_eq!(pool(3).install(fit), one);
}

#[test]
fn learner_gives_the_same_answers() {
    let (rows, frauds) = table(50, 2, 4);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = LogisticRegressionParams::default();
    let (model, learned) = (
        params.fit(&samples).unwrap(),
        params.learn(&samples).unwrap(),
    );
    let (mut one, mut two) = (vec![0.0; 50], vec![0.0; 50]);
    model.log_odds_rows(rows.view(), &mut one).unwrap();
    learned.log_odds_rows(rows.view(), &mut two).unwrap();
    assert_eq!(one, two);
    assert_eq!(learned.width(), 2);
}

#[cfg(feature = "serde")]
#[test]
fn saved_models_come_back_and_damaged_ones_are_errors_or_sound() {
    let (mut rows, frauds) = table(50, 2, 4);
    rows[(7, 0)] = f64::NAN;
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = LogisticRegressionParams::default().fit(&samples).unwrap();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(LogisticRegression::from_bytes(&bytes).unwrap(), model);
    assert_eq!(dafu_ensemble::Classifier::to_bytes(&model).unwrap(), bytes);
    for damaged in dafu_testkit::damage::all(&bytes) {
        let loaded = LogisticRegression::from_bytes(&damaged.bytes);
        assert!(loaded.is_err(), "{}", damaged.damage);
    }
    for damaged in dafu_testkit::damage::payload_damage(&bytes) {
        if let Ok(model) = LogisticRegression::from_bytes(&damaged.bytes) {
            let row = vec![1e300; model.width()];
            assert!(
                model.log_odds_row(&row).unwrap().is_finite(),
                "{}",
                damaged.damage
            );
        }
    }
}

fn sound<T: Send + Sync + std::fmt::Debug + Clone>() {}

#[test]
fn model_can_be_shared_between_threads() {
    sound::<LogisticRegression>();
    sound::<LogisticRegressionParams>();
}
