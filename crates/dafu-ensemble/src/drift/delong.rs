//! The test of two areas under ROC curves of the same rows.

use super::special::{normal_two_sided, normal_within};
use crate::EnsembleError;
use crate::params::{MAX_ROWS, count, number};
use crate::samples::check_length;
use std::cmp::Ordering;

/// Two areas under ROC curves and whether they differ.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DeLongTest {
    /// Area of the first model.
    pub first: f64,
    /// Standard error of it.
    pub first_error: f64,
    /// Area of the second model.
    pub second: f64,
    /// Standard error of it.
    pub second_error: f64,
    /// Second less first.
    pub difference: f64,
    /// Standard error of the difference.
    pub standard_error: f64,
    /// Interval of the difference, at the level asked for.
    pub interval: (f64, f64),
    /// Difference by its standard error; none where that is 0 and the difference is not.
    pub z: Option<f64>,
    /// Chance of such a difference, or a larger one, where the areas are equal.
    pub p_value: Option<f64>,
}

/// Compares the ROC AUC of two models on the same rows; equal scores count one half.
///
/// Shapes: one entry a row; scores of any finite size, higher is more suspicious. `level` of the interval, between 0 and 1.
///
/// Source: `DeLong`, `DeLong` and Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver Operating Characteristic
/// Curves" (1988); by midranks after Sun and Xu, "Fast Implementation of `DeLong`'s Algorithm" (2014).
///
/// # Errors
///
/// Slices of different lengths, a score that is not finite, fewer than two rows of a class, a level out of range.
///
/// # Complexity
///
/// O(n log n) for n rows.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::drift::delong;
///
/// let frauds = [true, true, true, false, false, false];
/// let first = [0.9, 0.3, 0.6, 0.5, 0.4, 0.7];
/// let second = [0.9, 0.8, 0.7, 0.1, 0.2, 0.75];
/// let test = delong(&frauds, &first, &second, 0.95)?;
/// assert!((test.difference - 3.0 / 9.0).abs() < 1e-12);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
pub fn delong(
    frauds: &[bool],
    first: &[f64],
    second: &[f64],
    level: f64,
) -> Result<DeLongTest, EnsembleError> {
    let good = level > 0.0 && level < 1.0;
    number("level", level, "between 0 and 1", good)?;
    let of_class = |class: bool| frauds.iter().filter(|fraud| **fraud == class).count();
    count("frauds", of_class(true), 2, MAX_ROWS)?;
    count("honest rows", of_class(false), 2, MAX_ROWS)?;
    for (what, scores) in [("first", first), ("second", second)] {
        check_length(what, frauds.len(), scores.len())?;
        super::check_scores(what, scores)?;
    }
    let (one, two) = (
        Components::new(frauds, first),
        Components::new(frauds, second),
    );
    let gaps = Components {
        frauds: differences(&one.frauds, &two.frauds),
        honest: differences(&one.honest, &two.honest),
    };
    let difference = two.area() - one.area();
    let standard_error = gaps.standard_error();
    let margin = normal_within(level) * standard_error;
    let z = if standard_error > 0.0 {
        Some(difference / standard_error)
    } else {
        (difference.abs() <= 0.0).then_some(0.0)
    };
    Ok(DeLongTest {
        first: one.area(),
        first_error: one.standard_error(),
        second: two.area(),
        second_error: two.standard_error(),
        difference,
        standard_error,
        interval: (difference - margin, difference + margin),
        z,
        p_value: z.map(normal_two_sided),
    })
}

fn differences(one: &[f64], two: &[f64]) -> Vec<f64> {
    one.iter().zip(two).map(|(one, two)| two - one).collect()
}

/// For each row, the share of rows of the other class that it is on the right side of.
struct Components {
    frauds: Vec<f64>,
    honest: Vec<f64>,
}

impl Components {
    fn new(frauds: &[bool], scores: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_unstable_by(|one, two| scores[*one].total_cmp(&scores[*two]));
        let of_class = |class: bool| frauds.iter().filter(|fraud| **fraud == class).count() as f64;
        let (all_frauds, all_honest) = (of_class(true), of_class(false));
        let mut shares = vec![0.0; scores.len()];
        let (mut frauds_below, mut honest_below) = (0.0, 0.0);
        // -0 and 0 are equal, so `total_cmp` orders but does not part.
        let equal = |one: &usize, two: &usize| {
            scores[*one].partial_cmp(&scores[*two]) == Some(Ordering::Equal)
        };
        for ties in order.chunk_by(equal) {
            let tied = ties.iter().filter(|row| frauds[**row]).count();
            let (tied_frauds, tied_honest) = (tied as f64, (ties.len() - tied) as f64);
            // What the midranks among all rows and among those of the class differ by.
            let above = (honest_below + tied_honest / 2.0) / all_honest;
            let below = 1.0 - (frauds_below + tied_frauds / 2.0) / all_frauds;
            for row in ties {
                shares[*row] = if frauds[*row] { above } else { below };
            }
            frauds_below += tied_frauds;
            honest_below += tied_honest;
        }
        let part = |class: bool| {
            let rows = shares.iter().zip(frauds);
            rows.filter(|(_, fraud)| **fraud == class)
                .map(|(share, _)| *share)
                .collect()
        };
        Self {
            frauds: part(true),
            honest: part(false),
        }
    }

    fn area(&self) -> f64 {
        mean(&self.frauds)
    }

    fn standard_error(&self) -> f64 {
        let part = |shares: &[f64]| variance(shares) / shares.len() as f64;
        (part(&self.frauds) + part(&self.honest)).sqrt()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    squares / (values.len() as f64 - 1.0)
}
