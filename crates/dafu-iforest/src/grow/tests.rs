//! Tests of the parts of growing.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::gain::{Deviations, best_cut};
use super::{part, split_value};
use crate::Gain;
use dafu_core::random::Stream;

#[test]
fn split_values_stay_below_the_largest_value() {
    let unit = 1.0 - f64::EPSILON / 2.0;
    for (min, max) in [
        (0.0, f64::from_bits(1)),
        (1.0, 1.0 + f64::EPSILON),
        (-1e308, 1e308),
        (f64::MIN, f64::MAX),
        (-0.0, 5e-324),
        (1e16, 1e16 + 2.0),
    ] {
        for unit in [0.0, 0.25, 0.5, unit] {
            let value = split_value(min, max, unit);
            assert!(
                value >= min && value < max,
                "{min} {max} {unit} gave {value}"
            );
        }
    }
}

#[test]
fn rows_without_a_value_go_where_more_go_or_by_chance() {
    let values = [5.0, f64::NAN, 1.0, 7.0, f64::NAN, 6.0];
    let mut rows = [10, 11, 12, 13, 14, 15];
    let (left, missing_right) = part((&mut rows, &mut Vec::new()), (&values, 4.0), None);
    assert_eq!((left, missing_right), (1, true));
    assert_eq!(rows, [12, 10, 11, 13, 14, 15]);

    let mut stream = Stream::new(1, 1, 1);
    let (mut sum, rounds) = (0, 4000);
    for _ in 0..rounds {
        let mut rows = [10, 11, 12, 13, 14, 15];
        let divided = part(
            (&mut rows, &mut Vec::new()),
            (&values, 4.0),
            Some(&mut stream),
        );
        sum += divided.0 - 1;
    }
    // Two rows, each left with chance 1/4: standard error of the sum sqrt(4000 * 2 * 3/16).
    let expected = f64::from(rounds) / 2.0;
    assert!((sum as f64 - expected).abs() < 4.0 * 38.8, "{sum}");
}

/// Standard deviation in two passes.
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

#[test]
fn cuts_have_the_highest_gain_of_all_gaps() {
    let mut stream = Stream::new(8, 1, 0);
    for round in 0..200 {
        let count = 2 + stream.index_below(30);
        let mut values: Vec<f64> = (0..count)
            .map(|_| {
                let value = stream.normal() * 1e3 + 1e5;
                if round % 3 == 0 { value.round() } else { value }
            })
            .collect();
        values.sort_by(f64::total_cmp);
        for gain in [Gain::Pooled, Gain::Averaged] {
            let gain_at = |cut: usize| {
                let (left, right) = values.split_at(cut);
                let (sd, sd_left, sd_right) =
                    (deviation(&values), deviation(left), deviation(right));
                match gain {
                    Gain::Pooled => {
                        let sum = left.len() as f64 * sd_left + right.len() as f64 * sd_right;
                        (sd - sum / count as f64) / sd
                    }
                    Gain::Averaged => (sd - f64::midpoint(sd_left, sd_right)) / sd,
                }
            };
            let cuts = (1..count).filter(|&cut| values[cut - 1] < values[cut]);
            let best = cuts.map(gain_at).fold(f64::NEG_INFINITY, f64::max);
            let found = best_cut(&values, gain, &mut Deviations::default());
            let Some((cut, gained)) = found else {
                assert!(best.is_infinite());
                continue;
            };
            assert!((gained - best).abs() < 1e-9, "{gained} for {best}");
            assert!((gain_at(cut) - best).abs() < 1e-9);
        }
    }
}

#[test]
fn cuts_of_extreme_values_are_found() {
    for values in [
        vec![-1e308, -1e308, 1e308],
        vec![0.0, 0.0, f64::from_bits(2)],
        vec![1.0, 1.0, 1.0 + f64::EPSILON],
    ] {
        let (cut, gain) = best_cut(&values, Gain::Pooled, &mut Deviations::default()).unwrap();
        assert_eq!(cut, 2);
        assert!((gain - 1.0).abs() < 1e-9);
    }
    assert!(best_cut(&[], Gain::Pooled, &mut Deviations::default()).is_none());
    assert!(best_cut(&[3.0, 3.0], Gain::Averaged, &mut Deviations::default()).is_none());
}
