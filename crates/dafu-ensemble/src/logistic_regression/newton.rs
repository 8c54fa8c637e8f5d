//! The smallest penalised loss, by Newton steps.

use crate::logistic::{LANES, derivatives, loss};
use crate::threads;
use dafu_core::regression::solve_symmetric;

/// Rows of a block at least; sums are taken block by block, so that they do not depend on the threads.
const BLOCK: usize = 1024;
/// Numbers of all matrices of second derivatives together at most.
const MATRICES: usize = 1 << 22;
/// Rounds over the coordinates for one step at most.
const SWEEPS: usize = 1000;
/// Halvings of a step at most.
const HALVINGS: usize = 40;

/// Rows, labels and penalties.
pub(crate) struct Problem {
    /// Inputs row after row; the first of each row is 1, for the intercept.
    pub(crate) inputs: Vec<f64>,
    /// Inputs of a row.
    pub(crate) width: usize,
    /// 1 for frauds, else 0.
    pub(crate) targets: Vec<f64>,
    /// Weights with sum 1.
    pub(crate) weights: Vec<f64>,
    /// Factors of the absolute and half the squared coefficients.
    pub(crate) l1: f64,
    pub(crate) l2: f64,
}

/// Where the search ended.
pub(crate) struct Solution {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) iterations: usize,
    /// Largest absolute partial derivative there, of a minimum 0.
    pub(crate) gradient: f64,
}

/// Coefficients, and what they give.
struct Place {
    coefficients: Vec<f64>,
    odds: Vec<f64>,
    loss: f64,
}

/// Derivatives of the loss at one place.
struct Local {
    gradient: Vec<f64>,
    /// Second derivatives, row after row, both triangles.
    hessian: Vec<f64>,
}

impl Problem {
    /// Searches from 0 until no partial derivative is above `tolerance`.
    ///
    /// Source: Lee, Sun and Saunders, "Proximal Newton-type Methods for Minimizing Composite Functions" (2014), algorithm 1;
    /// the step is found by Cholesky's decomposition without `l1`, and with it by coordinate descent as in Friedman, Hastie
    /// and Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent" (2010), section 3.
    pub(crate) fn solve(&self, tolerance: f64, max_iterations: usize) -> Solution {
        let mut place = Place {
            coefficients: vec![0.0; self.width],
            odds: vec![0.0; self.targets.len()],
            loss: f64::INFINITY,
        };
        place.loss = self.loss(&place);
        let mut iterations = 0;
        loop {
            let local = self.derive(&place.odds);
            let gradient = self.distance(&local, &place.coefficients);
            let solution = |place: Place| Solution {
                coefficients: place.coefficients,
                iterations,
                gradient,
            };
            if gradient <= tolerance || iterations == max_iterations {
                return solution(place);
            }
            let step = if self.l1 > 0.0 {
                self.descend(&local, &place.coefficients, tolerance)
            } else {
                self.newton(&local, &place.coefficients)
            };
            match self.search(&local, &place, &step) {
                Some(better) => place = better,
                None => return solution(place),
            }
            iterations += 1;
        }
    }

    /// Sums over blocks of rows, in order.
    fn blocks<T: Send>(
        &self,
        of: impl Fn(std::ops::Range<usize>) -> T + Sync + Send,
        most: usize,
    ) -> Vec<T> {
        let rows = self.targets.len();
        let size = BLOCK.max(rows.div_ceil(most.max(1)));
        threads::map(rows.div_ceil(size), |block| {
            of(block * size..((block + 1) * size).min(rows))
        })
    }

    fn rows(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = &[f64]> {
        self.inputs[range.start * self.width..range.end * self.width].chunks_exact(self.width)
    }

    /// Inputs times coefficients.
    fn times(&self, coefficients: &[f64]) -> Vec<f64> {
        let parts = self.blocks(
            |range| {
                let product =
                    |row: &[f64]| -> f64 { row.iter().zip(coefficients).map(|(x, c)| x * c).sum() };
                self.rows(range).map(product).collect::<Vec<f64>>()
            },
            usize::MAX,
        );
        parts.concat()
    }

    /// The penalised loss.
    fn loss(&self, place: &Place) -> f64 {
        let parts = self.blocks(
            |range| -> f64 {
                let rows = place.odds[range.clone()]
                    .iter()
                    .zip(&self.targets[range.clone()]);
                rows.zip(&self.weights[range])
                    .map(|((odds, target), weight)| weight * loss(odds * (1.0 - 2.0 * target)))
                    .sum()
            },
            usize::MAX,
        );
        let penalised = place.coefficients.iter().skip(1);
        let penalty = penalised.map(|c| self.l1 * c.abs() + self.l2 / 2.0 * c * c);
        parts.iter().sum::<f64>() + penalty.sum::<f64>()
    }

    /// Derivatives of the loss without `l1`.
    fn derive(&self, odds: &[f64]) -> Local {
        let width = self.width;
        let parts = self.blocks(
            |range| {
                let mut gradient = vec![0.0; width];
                let mut hessian = vec![0.0; width * width];
                for (at, row) in range.clone().zip(self.rows(range)) {
                    let (first, second) = derivatives([odds[at]; LANES], [self.targets[at]; LANES]);
                    let (first, second) =
                        (first[0] * self.weights[at], second[0] * self.weights[at]);
                    for (place, x) in row.iter().enumerate() {
                        gradient[place] += first * x;
                        let factor = second * x;
                        let sums = &mut hessian[place * width..(place + 1) * width];
                        for (sum, x) in sums[place..].iter_mut().zip(&row[place..]) {
                            *sum += factor * x;
                        }
                    }
                }
                (gradient, hessian)
            },
            MATRICES / (width * width),
        );
        let mut local = Local {
            gradient: vec![0.0; width],
            hessian: vec![0.0; width * width],
        };
        for (gradient, hessian) in parts {
            add(&mut local.gradient, &gradient);
            add(&mut local.hessian, &hessian);
        }
        // A little on the diagonal keeps constant and repeated inputs solvable; the place of the minimum does not depend on it.
        let largest = (0..width).fold(0.0_f64, |most, at| most.max(local.hessian[at * width + at]));
        for at in 0..width {
            for other in 0..at {
                local.hessian[at * width + other] = local.hessian[other * width + at];
            }
            let penalty = if at == 0 { 0.0 } else { self.l2 };
            local.hessian[at * width + at] += penalty + 1e-14 * largest + f64::MIN_POSITIVE;
        }
        local
    }

    /// Adds the derivative of the squared coefficients.
    fn slope(&self, local: &Local, coefficients: &[f64], at: usize) -> f64 {
        let penalty = if at == 0 {
            0.0
        } else {
            self.l2 * coefficients[at]
        };
        local.gradient[at] + penalty
    }

    /// Largest absolute partial derivative; where a coefficient is 0, the part that `l1` does not hold.
    fn distance(&self, local: &Local, coefficients: &[f64]) -> f64 {
        let each = coefficients.iter().enumerate().map(|(at, coefficient)| {
            let slope = self.slope(local, coefficients, at);
            if at == 0 || self.l1 == 0.0 {
                slope.abs()
            } else if *coefficient == 0.0 {
                (slope.abs() - self.l1).max(0.0)
            } else {
                (slope + self.l1 * coefficient.signum()).abs()
            }
        });
        each.fold(0.0, f64::max)
    }

    /// The step to the minimum of the quadratic approximation, without `l1`.
    fn newton(&self, local: &Local, coefficients: &[f64]) -> Vec<f64> {
        let slopes: Vec<f64> = (0..self.width)
            .map(|at| -self.slope(local, coefficients, at))
            .collect();
        let mut extra = 0.0;
        loop {
            let pivot = |rest: f64| Some(rest + extra).filter(|pivot| *pivot > 0.0);
            let step = solve_symmetric(&local.hessian, &slopes, pivot);
            if let Some(step) = step.filter(|step| step.iter().all(|x| x.is_finite())) {
                return step;
            }
            // Rounding made the matrix indefinite: closer to the steepest descent.
            let largest = (0..self.width).fold(0.0_f64, |most, at| {
                most.max(local.hessian[at * self.width + at])
            });
            extra = (extra * 100.0).max(largest * 1e-12);
            if !extra.is_finite() {
                return slopes;
            }
        }
    }

    /// The step to the minimum of the quadratic approximation, with `l1`.
    fn descend(&self, local: &Local, coefficients: &[f64], tolerance: f64) -> Vec<f64> {
        let mut step = vec![0.0; self.width];
        let mut slopes: Vec<f64> = (0..self.width)
            .map(|at| self.slope(local, coefficients, at))
            .collect();
        for _ in 0..SWEEPS {
            let mut moved = 0.0_f64;
            for at in 0..self.width {
                let row = &local.hessian[at * self.width..(at + 1) * self.width];
                let curve = row[at];
                let now = coefficients[at] + step[at];
                let free = now - slopes[at] / curve;
                let next = if at == 0 {
                    free
                } else {
                    free.signum() * (free.abs() - self.l1 / curve).max(0.0)
                };
                let change = next - now;
                if change == 0.0 || !change.is_finite() {
                    continue;
                }
                step[at] = next - coefficients[at];
                moved = moved.max((change * curve).abs());
                for (slope, second) in slopes.iter_mut().zip(row) {
                    *slope += change * second;
                }
            }
            if moved <= tolerance * 0.01 {
                break;
            }
        }
        step
    }

    /// The first of 1, 1/2, 1/4, ... of the step that lowers the loss enough.
    fn search(&self, local: &Local, from: &Place, step: &[f64]) -> Option<Place> {
        let both = from.coefficients.iter().zip(step).enumerate();
        let expected: f64 = both
            .map(|(at, (coefficient, step))| {
                let kink = if at == 0 {
                    0.0
                } else {
                    self.l1 * ((coefficient + step).abs() - coefficient.abs())
                };
                self.slope(local, &from.coefficients, at) * step + kink
            })
            .sum();
        let moved = self.times(step);
        let along = |from: &[f64], step: &[f64], share: f64| -> Vec<f64> {
            let both = from.iter().zip(step);
            both.map(|(from, step)| from + share * step).collect()
        };
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let mut place = Place {
                coefficients: along(&from.coefficients, step, share),
                odds: along(&from.odds, &moved, share),
                loss: 0.0,
            };
            place.loss = self.loss(&place);
            // Close to the minimum the differences of the loss are rounding, the steps are still good.
            if place.loss <= from.loss + 1e-4 * share * expected + 1e-14 * from.loss.abs() {
                return Some(place);
            }
            share /= 2.0;
        }
        None
    }
}

fn add(sums: &mut [f64], more: &[f64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}
