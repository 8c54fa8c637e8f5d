//! Logistic regression over members.

use crate::{close, fixture, matrix, sigmoid, three_members, week};
use dafu_ensemble::combine::{MemberScores, Stack, StackParams, WeekScores};
use ndarray::Array2;
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Coefficients {
    coef: Vec<f64>,
    intercept: f64,
}

fn stacked(contrary: bool) -> (Stack, Coefficients) {
    let mut scores = matrix(&fixture::<Vec<Vec<f64>>>("scores"));
    if contrary {
        let column: Vec<f64> = fixture("contrary");
        scores.column_mut(2).assign(&ndarray::Array1::from(column));
    }
    let frauds: Vec<bool> = fixture("frauds");
    let weights: Vec<f64> = fixture("weights");
    let params = StackParams::default().l2(fixture("l2"));
    // Two weeks: together they are the rows of the fixture.
    let part = |rows: std::ops::Range<usize>| WeekScores {
        rows: rows.clone().collect(),
        frauds: frauds[rows.clone()].to_vec(),
        weights: Some(weights[rows.clone()].to_vec()),
        scores: scores.select(ndarray::Axis(0), &rows.collect::<Vec<_>>()),
    };
    let scores = MemberScores::new(vec![part(0..15), part(15..40)]).unwrap();
    let expected = if contrary { "contrary_stack" } else { "stack" };
    (params.fit(&scores).unwrap(), fixture(expected))
}

#[test]
fn a_stack_is_the_logistic_regression_of_scikit_learn_where_no_weight_is_negative() {
    let (stack, expected) = stacked(false);
    for (got, expected) in stack.weights().iter().zip(&expected.coef) {
        assert!(close(*got, *expected, 1e-6), "{got} {expected}");
    }
    assert!(close(stack.intercept(), expected.intercept, 1e-6));
}

#[test]
fn a_stack_has_the_bounded_optimum_of_scipy() {
    let (stack, expected) = stacked(true);
    assert_eq!(stack.weights()[2], 0.0);
    for (got, expected) in stack.weights().iter().zip(&expected.coef) {
        assert!(close(*got, *expected, 1e-5), "{got} {expected}");
    }
    assert!(close(stack.intercept(), expected.intercept, 1e-5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_slope_is_left_in_a_stack(
        rows in proptest::collection::vec((proptest::array::uniform3(-4_i32..4), any::<bool>()), 4..40),
        (size, wide) in (1.0_f64..200.0, prop_oneof![Just(1e-6), Just(1.0), Just(1e3)]),
        twins in any::<bool>(),
    ) {
        let frauds: Vec<bool> = rows.iter().map(|row| row.1).collect();
        prop_assume!(frauds.contains(&true) && frauds.contains(&false));
        let input = |row: usize, member: usize| {
            // Members may be the same, or say the same of all rows.
            let member = if twins { 0 } else { member };
            (f64::from(rows[row].0[member]) * size).clamp(-700.0, 700.0)
        };
        let scores = Array2::from_shape_fn((rows.len(), 3), |(row, member)| input(row, member));
        let members = MemberScores::new(vec![week(scores, &frauds)]).unwrap();
        let stack = StackParams::default().l2(wide).fit(&members).unwrap();
        let mut slopes = [0.0; 4];
        for (row, fraud) in frauds.iter().enumerate() {
            let odds: f64 = (0..3).map(|member| stack.weights()[member] * input(row, member)).sum();
            let wrong = sigmoid(odds + stack.intercept()) - f64::from(u8::from(*fraud));
            slopes[3] += wrong;
            for (member, slope) in slopes.iter_mut().take(3).enumerate() {
                *slope += wrong * input(row, member);
            }
        }
        // Slopes are sums of numbers up to 700.
        let none = 1e-5 * size;
        prop_assert!(slopes[3].abs() < none, "{slopes:?}");
        for (slope, weight) in slopes.iter().zip(stack.weights()) {
            let slope = slope + wide * weight;
            prop_assert!(slope > -none && (*weight == 0.0 || slope < none), "{slopes:?} {stack:?}");
        }
    }
}

#[test]
fn members_that_say_the_same_share_the_weight() {
    let good = three_members().weeks()[0].clone();
    let column = good.scores.column(0).to_vec();
    let twice = Array2::from_shape_fn((200, 2), |(row, _)| column[row]);
    let twice = MemberScores::new(vec![week(twice, &good.frauds)]).unwrap();
    let stack = StackParams::default().fit(&twice).unwrap();
    assert!(close(stack.weights()[0], stack.weights()[1], 1e-6));
    let one = Array2::from_shape_fn((200, 1), |(row, _)| column[row]);
    let one = MemberScores::new(vec![week(one, &good.frauds)]).unwrap();
    // Two weights of half the size cost half the penalty.
    let alone = StackParams::default().l2(0.5).fit(&one).unwrap();
    assert!(close(
        stack.weights().iter().sum(),
        alone.weights()[0],
        1e-6
    ));
}
