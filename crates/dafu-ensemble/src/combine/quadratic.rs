//! Smallest value of a quadratic function where some unknowns must not be negative.

use dafu_core::regression::solve_symmetric;

/// Finds the x that makes x'Hx / 2 + c'x smallest, the first unknown free and all others at least 0. `h` is symmetric, positive
/// definite, row after row.
///
/// Source: Lawson and Hanson, "Solving Least Squares Problems" (1974), algorithm 23.10, on the normal equations.
pub(super) fn minimise(h: &[f64], c: &[f64]) -> Vec<f64> {
    let size = c.len();
    let mut x = vec![0.0; size];
    let mut inside: Vec<usize> = (0..size.min(1)).collect();
    step(h, c, &mut x, &mut inside);
    // Each step leaves another set of unknowns inside, and the value falls: it ends. The bound is for rounding.
    for _ in 0..3 * size {
        let slope = |at: usize| -> f64 {
            let row = h.iter().skip(at * size).zip(&x).map(|(h, x)| h * x);
            row.sum::<f64>() + c[at]
        };
        let outside = (1..size).filter(|at| !inside.contains(at));
        let steepest = outside
            .map(|at| (at, slope(at)))
            .min_by(|one, two| one.1.total_cmp(&two.1));
        match steepest {
            Some((at, slope)) if slope < -1e-12 * (1.0 + c[at].abs()) => inside.push(at),
            _ => break,
        }
        inside.sort_unstable();
        step(h, c, &mut x, &mut inside);
    }
    x
}

/// Goes to the smallest value with the unknowns inside, taking out those that would become negative.
fn step(h: &[f64], c: &[f64], x: &mut [f64], inside: &mut Vec<usize>) {
    while !inside.is_empty() {
        let wanted = solve(h, c, inside);
        // How far one can go before the first becomes negative, and which one that is.
        let mut first: Option<(usize, f64)> = None;
        for (at, wanted) in inside.iter().zip(&wanted) {
            if *at > 0 && *wanted <= 0.0 {
                // Both 0 for one that has just come in: it goes out again.
                let far = x[*at] / (x[*at] - wanted);
                let far = if far.is_finite() { far } else { 0.0 };
                if first.is_none_or(|(_, least)| far < least) {
                    first = Some((*at, far));
                }
            }
        }
        let far = first.map_or(1.0, |(_, far)| far);
        for (at, wanted) in inside.iter().zip(&wanted) {
            x[*at] += far * (wanted - x[*at]);
        }
        let Some((blocked, _)) = first else {
            return;
        };
        // By name and not by value: rounding may leave it a little above 0, and others a little below.
        x[blocked] = 0.0;
        for at in inside.iter().filter(|at| **at > 0) {
            x[*at] = x[*at].max(0.0);
        }
        inside.retain(|at| *at != blocked);
    }
}

/// Solves H x = -c for the unknowns inside.
fn solve(h: &[f64], c: &[f64], inside: &[usize]) -> Vec<f64> {
    let rows = inside.iter().map(|at| &h[at * c.len()..]);
    let matrix = rows.flat_map(|row| inside.iter().map(|at| row[*at]));
    let matrix: Vec<f64> = matrix.collect();
    let right: Vec<f64> = inside.iter().map(|at| -c[*at]).collect();
    // Columns that say the same leave next to nothing.
    let pivot = |rest: f64| Some(rest.max(f64::MIN_POSITIVE));
    solve_symmetric(&matrix, &right, pivot).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::minimise;
    use proptest::prelude::*;

    fn value(h: &[f64], c: &[f64], x: &[f64]) -> f64 {
        let size = c.len();
        let square: f64 = (0..size * size)
            .map(|at| h[at] * x[at / size] * x[at % size])
            .sum();
        square / 2.0 + c.iter().zip(x).map(|(c, x)| c * x).sum::<f64>()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn no_slope_is_left_inside_and_none_leads_in_from_outside(
            (root, c) in (2_usize..6).prop_flat_map(|size| (
                proptest::collection::vec(-2.0_f64..2.0, size * size),
                proptest::collection::vec(-3.0_f64..3.0, size),
            ))
        ) {
            let size = c.len();
            let mut h = vec![0.0; size * size];
            for row in 0..size {
                for column in 0..size {
                    let products = (0..size).map(|k| root[k * size + row] * root[k * size + column]);
                    h[row * size + column] = products.sum::<f64>() + if row == column { 0.1 } else { 0.0 };
                }
            }
            let x = minimise(&h, &c);
            for at in 0..size {
                let slope: f64 = (0..size).map(|k| h[at * size + k] * x[k]).sum::<f64>() + c[at];
                prop_assert!(at == 0 || x[at] >= 0.0);
                if at == 0 || x[at] > 0.0 {
                    prop_assert!(slope.abs() < 1e-7, "slope {} at {}", slope, at);
                } else {
                    prop_assert!(slope > -1e-7);
                }
            }
            // The conditions above are sufficient; a walk around is a second look.
            for at in 1..size {
                let mut other = x.clone();
                other[at] += 0.01;
                prop_assert!(value(&h, &c, &other) >= value(&h, &c, &x) - 1e-9);
            }
        }
    }

    #[test]
    fn one_free_unknown_may_be_negative() {
        assert!((minimise(&[2.0], &[4.0])[0] + 2.0).abs() < 1e-15);
    }
}
