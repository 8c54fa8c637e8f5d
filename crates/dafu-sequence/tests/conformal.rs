//! How many have to be held out for scores to reach a threshold.

#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use dafu_sequence::{Conformal, SequenceError};

fn with(held_out: usize) -> Conformal {
    Conformal::new((0_u32..).map(f64::from).take(held_out).collect()).unwrap()
}

fn needed(held_out: usize, threshold: f64) -> usize {
    match with(held_out).check_threshold(threshold) {
        Err(SequenceError::Calibration { needed, got }) => {
            assert_eq!(got, held_out);
            needed
        }
        other => panic!("{threshold}: {other:?}"),
    }
}

#[test]
fn as_many_are_asked_for_as_suffice() {
    // As the table says, whatever (1 - s)^-3 is rounded to.
    for (threshold, least) in [(0.5, 7), (0.8, 124), (0.9, 999), (0.95, 7_999)] {
        assert_eq!(needed(1, threshold), least);
        assert_eq!(needed(least - 1, threshold), least);
        assert!(with(least).check_threshold(threshold).is_ok());
    }
}

#[test]
fn the_highest_score_of_each_number_held_out_needs_just_that_many() {
    for held_out in 2..600 {
        let threshold = with(held_out).highest_score();
        assert_eq!(needed(held_out - 1, threshold), held_out);
        assert_eq!(needed(1, threshold), held_out);
    }
}

#[test]
fn numbers_that_are_none_calibrate_nothing() {
    for bad in [f64::NAN, f64::INFINITY] {
        let error = Conformal::new(vec![1.0, 2.0, bad]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("number 2 of those held out is {bad}: scores are made by finite ones")
        );
    }
}

#[test]
fn thresholds_that_no_number_reaches_need_more_than_there_can_be() {
    assert!(needed(5, 1.0 - f64::EPSILON) > 1 << 60);
    assert!(needed(5, 0.999_999) > 999_999_999_000_000_000);
}
