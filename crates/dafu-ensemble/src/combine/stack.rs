//! Logistic regression over members.

use super::combiner::{MemberScale, keep};
use super::out_of_fold::MemberScores;
use super::quadratic::minimise;
use crate::logistic::{chance, loss};
use crate::params::number;
use crate::samples::class_weights;
use crate::{EnsembleError, threads};
use ndarray::{Array2, ArrayView1, Axis};

/// Rows whose sums are made at a time.
const BLOCK: usize = 4_096;
/// Most Newton steps; ten are usual.
const MAX_STEPS: usize = 200;
/// Largest weight or intercept: answers stay finite.
const MAX_WEIGHT: f64 = 1e12;

/// Parameters of a [`Stack`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct StackParams {
    /// Half of this times the sum of squared weights is added to the loss; the intercept is free. It is 1 / C of
    /// scikit-learn.
    pub l2: f64,
    /// Whether scores are replaced by log odds of their ranks first, which allows scores of any nature.
    pub ranks: bool,
}

impl Default for StackParams {
    fn default() -> Self {
        Self {
            l2: 1.0,
            ranks: false,
        }
    }
}

/// A logistic regression over members' log odds, none of whose weights is negative: a higher score of a member never lowers
/// the answer.
///
/// Source: Wolpert, "Stacked Generalization" (1992); weights of at least 0: Breiman, "Stacked Regressions" (1996), section 3.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    scale: MemberScale,
    weights: Vec<f64>,
    intercept: f64,
}

impl StackParams {
    dafu_core::setters! {
        l2: f64,
        ranks: bool,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        let good = self.l2 >= 1e-9 && self.l2 <= 1e12;
        number("l2", self.l2, "at least 1e-9 and at most 1e12", good)
    }

    /// Fits a stack to scores of rows that the members have not seen, all weeks together.
    ///
    /// # Errors
    ///
    /// For parameters out of range, weights of rows whose sum is not finite, and rows of one class.
    ///
    /// # Complexity
    ///
    /// O(n m^2) a Newton step for n rows and m members.
    ///
    /// # Examples
    ///
    /// ```
    /// use dafu_ensemble::combine::{MemberScores, StackParams, WeekScores};
    /// use ndarray::array;
    ///
    /// let week = WeekScores {
    ///     rows: vec![0, 1, 2, 3],
    ///     frauds: vec![false, false, true, true],
    ///     weights: None,
    ///     scores: array![[-2.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [2.0, -1.0]],
    /// };
    /// let stack = StackParams::default().fit(&MemberScores::new(vec![week])?)?;
    /// assert!(stack.weights()[0] > 0.1);
    /// assert_eq!(stack.weights()[1], 0.0);
    /// # Ok::<(), dafu_ensemble::EnsembleError>(())
    /// ```
    pub fn fit(&self, scores: &MemberScores) -> Result<Stack, EnsembleError> {
        self.check()?;
        let (mut inputs, frauds, weights) = scores.pooled();
        let scale = if self.ranks {
            MemberScale::ranks(inputs.view(), weights.as_deref())?
        } else {
            MemberScale::LogOdds(scores.members())
        };
        for (member, mut column) in inputs.columns_mut().into_iter().enumerate() {
            column.mapv_inplace(|score| scale.log_odds(member, score));
        }
        let weights = weights.unwrap_or_else(|| vec![1.0; frauds.len()]);
        let regression = Regression {
            inputs,
            frauds,
            weights,
            l2: self.l2,
        };
        let mut x = regression.fit()?;
        let intercept = x.remove(0);
        Stack::new(scale, x, intercept)
    }
}

impl Stack {
    /// A stack of these weights, which may all be 0.
    ///
    /// # Errors
    ///
    /// For no members or too many, not as many weights as members, and numbers that are negative, not finite or beyond
    /// 1e12.
    pub fn new(
        scale: MemberScale,
        weights: Vec<f64>,
        intercept: f64,
    ) -> Result<Self, EnsembleError> {
        scale.check()?;
        if weights.len() != scale.members() {
            return Err(EnsembleError::MemberCount {
                what: "weights",
                expected: scale.members(),
                got: weights.len(),
            });
        }
        for weight in &weights {
            let good = (0.0..=MAX_WEIGHT).contains(weight);
            number("weight", *weight, "at least 0 and at most 1e12", good)?;
        }
        let good = intercept.abs() <= MAX_WEIGHT;
        number(
            "intercept",
            intercept,
            "at least -1e12 and at most 1e12",
            good,
        )?;
        Ok(Self {
            scale,
            weights,
            intercept,
        })
    }

    /// What scores are before.
    pub const fn scale(&self) -> &MemberScale {
        &self.scale
    }

    /// Weight of each member's log odds.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Log odds when all members' log odds are 0.
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    pub(super) fn of(&self, odds: &[f64]) -> f64 {
        let weighted = self.weights.iter().zip(odds);
        weighted.fold(self.intercept, |sum, (weight, odds)| sum + weight * odds)
    }

    pub(super) fn keep(&self, members: &[usize]) -> Self {
        Self {
            scale: self.scale.keep(members),
            weights: keep(&self.weights, members),
            intercept: self.intercept,
        }
    }
}

/// The intercept and the weights are one list of unknowns, the intercept first.
struct Regression {
    inputs: Array2<f64>,
    frauds: Vec<bool>,
    weights: Vec<f64>,
    l2: f64,
}

/// Loss, gradient, and hessian row after row.
struct Local {
    loss: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
}

impl Regression {
    /// Newton's method, each step the best one among weights of at least 0, shortened where the loss would not fall.
    fn fit(&self) -> Result<Vec<f64>, EnsembleError> {
        let mut x = vec![0.0; self.inputs.ncols() + 1];
        x[0] = self.base()?;
        let mut local = self.local(&x);
        for _ in 0..MAX_STEPS {
            let products = local.hessian.chunks(x.len()).map(|row| dot(row, &x));
            let linear = local.gradient.iter().zip(products);
            let linear: Vec<f64> = linear
                .map(|(gradient, product)| gradient - product)
                .collect();
            let best = minimise(&local.hessian, &linear);
            let step: Vec<f64> = best.iter().zip(&x).map(|(best, x)| best - x).collect();
            let fall = dot(&local.gradient, &step);
            if fall >= -1e-15 * (1.0 + local.loss) {
                break;
            }
            let shorter = std::iter::successors(Some(1.0), |part| Some(part / 2.0)).take(40);
            let mut tried = shorter.map(|part| {
                let next = x.iter().zip(&step).map(|(x, step)| x + part * step);
                let next: Vec<f64> = next.collect();
                (self.local(&next), next, part)
            });
            let found = tried.find(|(next, _, part)| next.loss <= local.loss + 1e-4 * part * fall);
            let Some((next, at, _)) = found else {
                break;
            };
            (local, x) = (next, at);
        }
        Ok(x)
    }

    /// Log odds of the rows' labels.
    fn base(&self) -> Result<f64, EnsembleError> {
        let [honest, fraud] = class_weights(&self.frauds, |row| self.weights[row], 1.0)?;
        Ok((fraud / honest).ln())
    }

    fn local(&self, x: &[f64]) -> Local {
        let blocks = self.frauds.len().div_ceil(BLOCK);
        let parts = threads::map(blocks, |block| {
            let rows = block * BLOCK..((block + 1) * BLOCK).min(self.frauds.len());
            self.local_of(x, rows)
        });
        let size = x.len();
        let mut all = Local::new(size);
        for part in parts {
            all.loss += part.loss;
            add(&mut all.gradient, &part.gradient, 1.0);
            add(&mut all.hessian, &part.hessian, 1.0);
        }
        for (at, weight) in x.iter().enumerate() {
            // The intercept is free.
            let l2 = if at > 0 { self.l2 } else { 0.0 };
            all.loss += 0.5 * l2 * weight * weight;
            all.gradient[at] += l2 * weight;
            let bend = &mut all.hessian[at * size + at];
            *bend += l2;
            // Only the step depends on the hessian, not where it leads: a little more keeps it solvable.
            *bend += 1e-12 * *bend + 1e-300;
        }
        all
    }

    fn local_of(&self, x: &[f64], rows: std::ops::Range<usize>) -> Local {
        let size = x.len();
        let mut local = Local::new(size);
        let mut row_of = vec![1.0; size];
        for row in rows {
            let weight = self.weights[row];
            if weight <= 0.0 {
                continue;
            }
            let inputs: ArrayView1<'_, f64> = self.inputs.index_axis(Axis(0), row);
            for (own, input) in row_of.iter_mut().skip(1).zip(inputs) {
                *own = *input;
            }
            let odds = dot(x, &row_of);
            let wrong = if self.frauds[row] { -odds } else { odds };
            local.loss += weight * loss(wrong);
            let slope = if self.frauds[row] {
                -chance(-odds)
            } else {
                chance(odds)
            };
            add(&mut local.gradient, &row_of, weight * slope);
            let bend = weight * chance(odds) * chance(-odds);
            for (own, hessian) in row_of.iter().zip(local.hessian.chunks_mut(size)) {
                add(hessian, &row_of, bend * own);
            }
        }
        local
    }
}

impl Local {
    fn new(size: usize) -> Self {
        Self {
            loss: 0.0,
            gradient: vec![0.0; size],
            hessian: vec![0.0; size * size],
        }
    }
}

fn dot(one: &[f64], two: &[f64]) -> f64 {
    one.iter().zip(two).map(|(one, two)| one * two).sum()
}

fn add(sum: &mut [f64], values: &[f64], factor: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}
