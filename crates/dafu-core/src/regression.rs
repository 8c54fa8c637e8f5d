//! Logistic regression with a few coefficients, by Newton's method: what calibrators and the judgement of calibration share.
//!
//! It has no penalty and takes targets between 0 and 1. For many columns use a learner.

/// Newton steps at most; well-posed problems take about ten.
const STEPS: usize = 100;
/// Halvings of a step at most.
const HALVINGS: usize = 50;
/// Added to the diagonal of the scaled Hessian, per unit of weight, so that it can be inverted (Lin, Lin and Weng 2007).
const RIDGE: f64 = 1e-12;

/// `ln(1 + exp(x))`, never falling to the bit where `exp` and `ln_1p` do not.
///
/// # Examples
///
/// ```
/// use dafu_core::regression::softplus;
///
/// assert_eq!(softplus(1e300), 1e300);
/// assert!(softplus(-700.0) > 0.0);
/// ```
pub fn softplus(x: f64) -> f64 {
    /// From here on the result is `x` in 64 bits.
    const LINEAR: f64 = 40.0;
    if x >= LINEAR {
        x
    } else {
        x.exp().ln_1p().min(LINEAR)
    }
}

/// The probability of log odds, `1 / (1 + exp(-x))`: 0 below about -709, 1 above about 37.
///
/// # Examples
///
/// ```
/// use dafu_core::regression::{log_odds, logistic};
///
/// assert_eq!(logistic(0.0), 0.5);
/// assert!((log_odds(logistic(-20.0)) + 20.0).abs() < 1e-12);
/// ```
pub fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The log odds of a probability, `ln(p) - ln(1 - p)`: infinite at 0 and 1.
pub fn log_odds(probability: f64) -> f64 {
    probability.ln() - (-probability).ln_1p()
}

/// The rows of a logistic regression; a constant column is given like any other.
#[derive(Debug, Clone, Copy)]
pub struct LogisticRows<'a, const K: usize> {
    /// Finite values, one array a row.
    pub rows: &'a [[f64; K]],
    /// Shares of frauds, 0 to 1, one a row.
    pub targets: &'a [f64],
    /// Weights, finite and at least 0; `None` for 1 each.
    pub weights: Option<&'a [f64]>,
    /// Added to the log odds of each row; `None` for 0 each.
    pub offsets: Option<&'a [f64]>,
}

/// Coefficients that fit best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticFit<const K: usize> {
    /// One a column.
    pub coefficients: [f64; K],
    /// Their standard errors, by the inverse of the Hessian.
    pub standard_errors: [f64; K],
    /// Sum of the log losses, each times its weight.
    pub loss: f64,
}

impl<const K: usize> LogisticRows<'_, K> {
    /// The coefficients with the lowest log loss.
    ///
    /// `None` when the steps come to no end, as where numbers go beyond `f64`. Targets of 0 and 1 that are separable have no
    /// lowest loss: the answer is then a large one out of many, so look for that before. Rows beyond the shortest slice are
    /// not read.
    ///
    /// # Complexity
    ///
    /// O(n K^2) a step, for n rows; about ten steps.
    ///
    /// Source: Lin, Lin and Weng 2007, *A note on Platt's probabilistic outputs for support vector machines*, algorithm 1
    /// (Newton's method with backtracking), here for any number of columns.
    ///
    /// # Examples
    ///
    /// ```
    /// use dafu_core::regression::LogisticRows;
    ///
    /// // One fraud in four rows: the log odds are ln(1 / 3).
    /// let rows = LogisticRows { rows: &[[1.0]; 4], targets: &[0.0, 1.0, 0.0, 0.0], weights: None, offsets: None };
    /// let fit = rows.fit().ok_or("no fit")?;
    /// assert!((fit.coefficients[0] - (1.0_f64 / 3.0).ln()).abs() < 1e-12);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn fit(&self) -> Option<LogisticFit<K>> {
        let scale = self.scale();
        let mut at = [0.0; K];
        let mut here = self.derivatives(&at, &scale);
        for _ in 0..STEPS {
            let step = solve(here.hessian, here.gradient)?;
            let decrement: f64 = dot(&here.gradient, &step);
            if !decrement.is_finite() {
                return None;
            }
            let mut length = 1.0;
            let mut next = None;
            for _ in 0..HALVINGS {
                let tried = std::array::from_fn(|column| at[column] - length * step[column]);
                let there = self.derivatives(&tried, &scale);
                if there.loss <= here.loss - 1e-4 * length * decrement {
                    next = Some((tried, there));
                    break;
                }
                length /= 2.0;
            }
            // Where rounding hides the gain of a full step, the step before was the last.
            let done = decrement <= 1e-12 * here.weight.max(f64::MIN_POSITIVE);
            match next {
                Some((tried, there)) => (at, here) = (tried, there),
                None if done => return unscaled(&at, &here, &scale),
                None => return None,
            }
            if done {
                return unscaled(&at, &here, &scale);
            }
        }
        None
    }

    /// Largest absolute value of each column, so that steps do not depend on units.
    fn scale(&self) -> [f64; K] {
        let mut scale = [0.0_f64; K];
        for row in self.rows {
            for (largest, value) in scale.iter_mut().zip(row) {
                *largest = largest.max(value.abs());
            }
        }
        scale.map(|largest| if largest > 0.0 { largest } else { 1.0 })
    }

    fn derivatives(&self, at: &[f64; K], scale: &[f64; K]) -> Derivatives<K> {
        let mut sums = Derivatives {
            loss: 0.0,
            weight: 0.0,
            gradient: [0.0; K],
            hessian: [[0.0; K]; K],
        };
        for (number, (row, target)) in self.rows.iter().zip(self.targets).enumerate() {
            let read = |slice: Option<&[f64]>, other: f64| {
                slice.map_or(other, |values| values.get(number).copied().unwrap_or(other))
            };
            let (weight, offset) = (read(self.weights, 1.0), read(self.offsets, 0.0));
            let row: [f64; K] = std::array::from_fn(|column| row[column] / scale[column]);
            let odds = dot(&row, at) + offset;
            let chance = logistic(odds);
            // Both parts are at least 0, so that nothing cancels.
            let loss = target * softplus(-odds) + (1.0 - target) * softplus(odds);
            sums.loss += weight * loss;
            sums.weight += weight;
            for column in 0..K {
                sums.gradient[column] += weight * (chance - target) * row[column];
                for other in 0..=column {
                    sums.hessian[column][other] +=
                        weight * chance * (1.0 - chance) * row[column] * row[other];
                }
            }
        }
        for column in 0..K {
            for other in 0..column {
                sums.hessian[other][column] = sums.hessian[column][other];
            }
            sums.hessian[column][column] += RIDGE * sums.weight;
        }
        sums
    }
}

/// Loss, its derivatives by the scaled coefficients, and the sum of weights.
struct Derivatives<const K: usize> {
    loss: f64,
    weight: f64,
    gradient: [f64; K],
    hessian: [[f64; K]; K],
}

/// Coefficients and standard errors in the units of the columns.
fn unscaled<const K: usize>(
    at: &[f64; K],
    here: &Derivatives<K>,
    scale: &[f64; K],
) -> Option<LogisticFit<K>> {
    let mut standard_errors = [0.0; K];
    for (column, error) in standard_errors.iter_mut().enumerate() {
        let unit = std::array::from_fn(|other| f64::from(u8::from(other == column)));
        *error = solve(here.hessian, unit)?[column].sqrt() / scale[column];
    }
    let coefficients: [f64; K] = std::array::from_fn(|column| at[column] / scale[column]);
    let finite = coefficients
        .iter()
        .all(|coefficient| coefficient.is_finite());
    finite.then_some(LogisticFit {
        coefficients,
        standard_errors,
        loss: here.loss,
    })
}

/// Solves `matrix x = right` for a symmetric matrix, by Cholesky's factors.
///
/// Shapes: as many rows and columns as `right` has numbers, row after row; only the lower triangle is read. `pivot` gets what
/// is left of each number of the diagonal, and says what to take the root of: itself where it is above 0, something near
/// where rounding made it less, `None` to give up.
///
/// # Panics
///
/// When `matrix` has fewer numbers than that.
///
/// # Complexity
///
/// O(n^3) for n unknowns.
///
/// Source: Golub and Van Loan 2013, *Matrix computations*, section 4.2.
///
/// # Examples
///
/// ```
/// use dafu_core::regression::solve_symmetric;
///
/// let positive = |rest: f64| Some(rest).filter(|rest| *rest > 0.0);
/// let solved = solve_symmetric(&[4.0, 2.0, 2.0, 5.0], &[8.0, 12.0], positive).ok_or("not positive definite")?;
/// assert_eq!(solved, [1.0, 2.0]);
/// # Ok::<(), &str>(())
/// ```
pub fn solve_symmetric(
    matrix: &[f64],
    right: &[f64],
    pivot: impl Fn(f64) -> Option<f64>,
) -> Option<Vec<f64>> {
    let size = right.len();
    let mut lower = matrix.to_vec();
    for at in 0..size {
        for other in 0..=at {
            let (rows, current) = lower.split_at(at * size);
            let left = if other == at {
                &current[..other]
            } else {
                &rows[other * size..other * size + other]
            };
            let products = current[..other].iter().zip(left);
            let known: f64 = products.map(|(one, two)| one * two).sum();
            let rest = lower[at * size + other] - known;
            lower[at * size + other] = if other < at {
                rest / lower[other * size + other]
            } else {
                pivot(rest)?.sqrt()
            };
        }
    }
    let mut solved = right.to_vec();
    for at in 0..size {
        let row = &lower[at * size..at * size + at];
        let known: f64 = row.iter().zip(&solved).map(|(one, two)| one * two).sum();
        solved[at] = (solved[at] - known) / lower[at * size + at];
    }
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size)
            .map(|below| lower[below * size + at] * solved[below])
            .sum();
        solved[at] = (solved[at] - known) / lower[at * size + at];
    }
    Some(solved)
}

fn dot<const K: usize>(one: &[f64; K], two: &[f64; K]) -> f64 {
    one.iter().zip(two).map(|(one, two)| one * two).sum()
}

/// As [`solve_symmetric`] for a few unknowns, by elimination: no room beside the stack.
fn solve<const K: usize>(mut matrix: [[f64; K]; K], mut right: [f64; K]) -> Option<[f64; K]> {
    for pivot in 0..K {
        let above = matrix[pivot];
        if !(above[pivot] > 0.0 && above[pivot].is_finite()) {
            return None;
        }
        for row in pivot + 1..K {
            let factor = matrix[row][pivot] / above[pivot];
            for column in pivot..K {
                matrix[row][column] -= factor * above[column];
            }
            right[row] -= factor * right[pivot];
        }
    }
    for row in (0..K).rev() {
        let known: f64 = (row + 1..K)
            .map(|column| matrix[row][column] * right[column])
            .sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::{LogisticRows, logistic, softplus, solve_symmetric};

    #[test]
    fn softplus_never_falls_and_is_the_logarithm() {
        let mut before = 0.0;
        for step in -80_000..80_000 {
            let x = f64::from(step) * 1e-3;
            let here = softplus(x);
            assert!(here >= before, "{x}");
            let other = x.max(0.0) + (-x.abs()).exp().ln_1p();
            assert!((here - other).abs() <= 1e-15 * other.max(1.0), "{x}");
            before = here;
        }
        assert!(softplus(40.0_f64.next_down()) <= softplus(40.0));
    }

    #[test]
    fn symmetric_systems_are_solved() {
        // (4 2 1; 2 5 3; 1 3 6) (1, -2, 3) = (3, 1, 13).
        let matrix = [4.0, 2.0, 1.0, 2.0, 5.0, 3.0, 1.0, 3.0, 6.0];
        let with = |extra: f64| move |rest: f64| Some(rest + extra).filter(|rest| *rest > 0.0);
        let solved = solve_symmetric(&matrix, &[3.0, 1.0, 13.0], with(0.0)).unwrap();
        for (got, expected) in solved.iter().zip([1.0, -2.0, 3.0]) {
            assert!((got - expected).abs() < 1e-14);
        }
        assert!(solve_symmetric(&[1.0, 2.0, 2.0, 1.0], &[1.0, 1.0], with(0.0)).is_none());
        assert!(solve_symmetric(&[1.0, 2.0, 2.0, 1.0], &[1.0, 1.0], with(2.0)).is_some());
    }

    #[test]
    fn gradient_is_zero_at_the_fit_whatever_the_units() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101) - 40.0).collect();
        let targets: Vec<f64> = values
            .iter()
            .zip(0..)
            .map(|(value, i): (&f64, u32)| {
                f64::from(u8::from(*value + f64::from(i * 53 % 97) > 60.0))
            })
            .collect();
        let mut slopes = Vec::new();
        for unit in [1e-200, 1.0, 1e200] {
            let rows: Vec<[f64; 2]> = values.iter().map(|value| [value * unit, 1.0]).collect();
            let fit = LogisticRows {
                rows: &rows,
                targets: &targets,
                weights: None,
                offsets: None,
            };
            let fit = fit.fit().unwrap();
            let residual: f64 = rows
                .iter()
                .zip(&targets)
                .map(|(row, target)| {
                    let odds = fit.coefficients[0] * row[0] + fit.coefficients[1];
                    (logistic(odds) - target) * row[0] / unit
                })
                .sum();
            assert!(residual.abs() < 1e-6, "{unit}: {residual}");
            slopes.push(fit.coefficients[0] * unit);
        }
        assert!((slopes[0] - slopes[1]).abs() < 1e-12 && (slopes[2] - slopes[1]).abs() < 1e-12);
    }

    #[test]
    fn no_rows_and_broken_numbers_have_no_fit() {
        let rows = LogisticRows {
            rows: &[[1.0]; 0],
            targets: &[],
            weights: None,
            offsets: None,
        };
        assert_eq!(rows.fit(), None);
        let rows = LogisticRows {
            rows: &[[f64::NAN]],
            targets: &[1.0],
            weights: None,
            offsets: None,
        };
        assert_eq!(rows.fit(), None);
    }
}
