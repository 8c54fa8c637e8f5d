//! Parts that no user can see.

use super::{CalibrationMethod, Calibrator, Rows, log_odds, probability};

#[test]
fn probabilities_are_inside_of_0_and_1_and_never_fall() {
    let mut before = 0.0;
    for step in -100_000..100_000 {
        let here = probability(f64::from(step) * 1e-2);
        assert!(here >= before && here > 0.0 && here < 1.0);
        before = here;
    }
    for odds in [-700.0, -30.0, -1.0, 0.0, 3.0, 20.0] {
        assert!((log_odds(probability(odds)) - odds).abs() < 1e-7, "{odds}");
    }
}

#[test]
fn order_of_rows_plays_no_part() {
    let scores: Vec<f64> = (0..50).map(|row| f64::from(row * 7 % 13)).collect();
    let frauds: Vec<bool> = (0..50).map(|row| row * 11 % 17 < row * 7 % 13).collect();
    let weights: Vec<f64> = (0..50).map(|row| 0.1 + f64::from(row * 5 % 7)).collect();
    let turned = |numbers: &[f64]| -> Vec<f64> { numbers.iter().rev().copied().collect() };
    let frauds_turned: Vec<bool> = frauds.iter().rev().copied().collect();
    for method in METHODS {
        let one = method.fit(&scores, &frauds, Some(&weights)).unwrap();
        let other = method.fit(&turned(&scores), &frauds_turned, Some(&turned(&weights)));
        assert_eq!(one, other.unwrap());
    }
}

#[test]
fn zeros_of_both_signs_are_one_score() {
    let rows = Rows::new(&[0.0, -0.0, 1.0], &[false, true, true], None).unwrap();
    assert_eq!(rows.groups().len(), 2);
}

#[test]
fn shift_that_is_not_finite_is_refused() {
    let mut parts = Calibrator::linear(1.0, 0.0).unwrap().0;
    parts.shift = f64::NAN;
    assert!(Calibrator::try_from(parts).is_err());
}

const METHODS: [CalibrationMethod; 4] = [
    CalibrationMethod::Platt,
    CalibrationMethod::Isotonic,
    CalibrationMethod::Beta,
    CalibrationMethod::VennAbers,
];
