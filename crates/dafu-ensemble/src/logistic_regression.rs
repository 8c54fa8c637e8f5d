//! Logistic regression: log odds that are a sum over columns.

mod newton;

use crate::explain::Explainer;
use crate::inputs::{Imputation, Inputs};
use crate::learner::{check_shapes, check_width, classifier, learner};
use crate::params::{at_most, count, number};
use crate::{EnsembleError, Samples};
use dafu_core::Explain;
#[cfg(feature = "serde")]
use dafu_core::model::Limits;
use ndarray::ArrayView2;
use newton::Problem;

/// Most inputs of a logistic regression: columns, flags of missing values, and the intercept.
pub const MAX_LOGISTIC_INPUTS: usize = 2048;
/// Most steps of the search.
const MAX_ITERATIONS: usize = 100_000;
#[cfg(feature = "serde")]
const VERSION: u16 = 1;

/// Parameters of [`LogisticRegression`].
///
/// linfa-logistic, which `LinfaLearner` takes in (feature `linfa`), finds the same coefficients where
/// it can: it knows neither weights of rows nor an absolute penalty, and no missing values.
///
/// Columns are standardised inside, so that the penalties do not depend on their units; coefficients are given in the units
/// of the columns.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::{LogisticRegressionParams, Samples};
/// use ndarray::array;
///
/// let rows = array![[10.0], [25.0], [f64::NAN], [900.0], [700.0], [30.0]];
/// let frauds = [false, false, false, true, true, true];
/// let model = LogisticRegressionParams::default().fit(&Samples::new(rows.view(), &frauds)?)?;
/// assert!(model.convergence().converged);
/// assert!(model.coefficients()[0] > 0.0); // log odds for one unit more
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct LogisticRegressionParams {
    /// Factor of the absolute coefficients: sets coefficients to 0.
    pub l1: f64,
    /// Factor of half the squared coefficients; 1 / `C` of scikit-learn.
    pub l2: f64,
    /// Factor of the weights of frauds.
    pub scale_pos_weight: f64,
    /// What stands in for missing values.
    pub imputation: Imputation,
    /// Whether each column with missing values in training gets another, 1 where they are missing.
    pub missing_indicators: bool,
    /// Largest partial derivative of the mean loss at which the search has converged.
    pub tolerance: f64,
    /// Steps at most.
    pub max_iterations: usize,
}

impl Default for LogisticRegressionParams {
    fn default() -> Self {
        Self {
            l1: 0.0,
            l2: 1.0,
            scale_pos_weight: 1.0,
            imputation: Imputation::Median,
            missing_indicators: true,
            tolerance: 1e-9,
            max_iterations: 100,
        }
    }
}

/// How a search for the smallest loss ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Convergence {
    /// Whether the largest partial derivative is within the tolerance.
    pub converged: bool,
    /// Steps taken.
    pub iterations: u32,
    /// The largest partial derivative of the mean loss.
    pub gradient: f64,
}

/// A linear model of the log odds of fraud, with the smallest penalised logistic loss of the training rows.
///
/// Sum over rows of weight x loss, plus `l2 / 2` x squared and `l1` x absolute coefficients of the standardised columns; the
/// intercept is free. With a penalty there is one minimum for any rows: more columns than rows, repeated columns, and rows
/// that a plane separates. Without, separable rows have none: the search then ends where the loss is as good as 0, and
/// [`Convergence`] says how. Constant columns have coefficient 0.
///
/// Source: Hastie, Tibshirani and Friedman, *The Elements of Statistical Learning* (2009), sections 4.4.1 and 4.4.4.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    inputs: Inputs,
    /// Intercept and coefficients of the standardised inputs.
    standardised: Vec<f64>,
    convergence: Convergence,
}

impl LogisticRegressionParams {
    dafu_core::setters! {
        l1: f64,
        l2: f64,
        scale_pos_weight: f64,
        imputation: Imputation,
        missing_indicators: bool,
        tolerance: f64,
        max_iterations: usize,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<CheckedLogisticRegressionParams, EnsembleError> {
        for (name, got) in [("l1", self.l1), ("l2", self.l2)] {
            let good = got >= 0.0 && got.is_finite();
            number(name, got, "finite and at least 0", good)?;
        }
        for (name, got) in [
            ("scale_pos_weight", self.scale_pos_weight),
            ("tolerance", self.tolerance),
        ] {
            let good = got > 0.0 && got.is_finite();
            number(name, got, "finite and above 0", good)?;
        }
        count("max_iterations", self.max_iterations, 1, MAX_ITERATIONS)?;
        Ok(CheckedLogisticRegressionParams(self.clone()))
    }

    /// Learns from rows.
    ///
    /// # Errors
    ///
    /// When a parameter or the sum of weights is out of range, there are no rows, no columns, or rows of one class only, or
    /// more than [`MAX_LOGISTIC_INPUTS`] inputs.
    ///
    /// # Complexity
    ///
    /// O(n d^2 + d^3) a step for n rows and d inputs, mostly below ten steps; n x d numbers of memory.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<LogisticRegression, EnsembleError> {
        self.check()?.fit(samples)
    }
}

/// Parameters that passed [`LogisticRegressionParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedLogisticRegressionParams(LogisticRegressionParams);

impl CheckedLogisticRegressionParams {
    /// As [`LogisticRegressionParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`LogisticRegressionParams::fit`], parameters aside.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<LogisticRegression, EnsembleError> {
        let params = &self.0;
        let [honest, fraud] = samples.class_weights(1.0)?;
        let total = fraud * params.scale_pos_weight + honest;
        let good = total.is_finite();
        number("sum of weights", total, "finite", good)?;
        let inputs = Inputs::fit(samples, params.imputation, params.missing_indicators);
        let width = inputs.len() + 1;
        let what = "inputs (columns, flags of missing values and the intercept)";
        at_most(what, width, MAX_LOGISTIC_INPUTS)?;
        let mut problem = Problem {
            inputs: Vec::with_capacity(samples.rows().nrows() * width),
            width,
            targets: Vec::new(),
            weights: Vec::new(),
            l1: params.l1 / total,
            l2: params.l2 / total,
        };
        let rows = samples.rows();
        for (at, (row, fraud)) in rows.rows().into_iter().zip(samples.frauds()).enumerate() {
            let factor = if *fraud { params.scale_pos_weight } else { 1.0 };
            let weight = samples.weight(at) / total * factor;
            if weight > 0.0 {
                problem.inputs.push(1.0);
                problem
                    .inputs
                    .extend(inputs.standardised(|column| row[column]));
                problem.targets.push(f64::from(u8::from(*fraud)));
                problem.weights.push(weight);
            }
        }
        let solution = problem.solve(params.tolerance, params.max_iterations);
        Ok(LogisticRegression {
            inputs,
            standardised: solution.coefficients,
            convergence: Convergence {
                converged: solution.gradient <= params.tolerance,
                iterations: u32::try_from(solution.iterations).unwrap_or(u32::MAX),
                gradient: solution.gradient,
            },
        })
    }
}

impl LogisticRegression {
    /// Columns of the training rows.
    pub fn width(&self) -> usize {
        self.inputs.width()
    }

    /// How the search for the smallest loss ended.
    pub const fn convergence(&self) -> Convergence {
        self.convergence
    }

    /// Log odds for one unit more of each column.
    pub fn coefficients(&self) -> Vec<f64> {
        self.in_units().take(self.width()).collect()
    }

    /// Columns with an indicator of missing values, and the log odds that are added where the value is missing and the
    /// imputed one stands in for it.
    pub fn missing_coefficients(&self) -> Vec<(usize, f64)> {
        let behind = self.in_units().skip(self.width());
        self.inputs.flags().zip(behind).collect()
    }

    /// Log odds where all columns are 0 and none is missing.
    pub fn intercept(&self) -> f64 {
        let means = self.inputs.scalings().map(|(mean, _)| mean);
        let moved = means.zip(self.in_units()).map(|(mean, c)| mean * c);
        self.standardised.first().copied().unwrap_or(0.0) - moved.sum::<f64>()
    }

    fn in_units(&self) -> impl Iterator<Item = f64> + '_ {
        let scaled = self.standardised.iter().skip(1).zip(self.inputs.scalings());
        scaled.map(|(coefficient, (_, factor))| coefficient * factor)
    }

    /// Log odds of fraud of a row.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows.
    ///
    /// # Complexity
    ///
    /// O(columns), no allocation.
    pub fn log_odds_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        check_width(self.width(), row.len())?;
        Ok(self.sum(|column| row[column]))
    }

    /// Writes the log odds of fraud of each row.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` another length than there are rows.
    pub fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        check_shapes(self.width(), rows, out)?;
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = self.sum(|column| row[column]);
        }
        Ok(())
    }

    fn sum(&self, value_of: impl Fn(usize) -> f64 + Copy) -> f64 {
        let inputs = std::iter::once(1.0).chain(self.inputs.standardised(value_of));
        let parts = inputs.zip(&self.standardised).map(|(x, c)| x * c);
        parts.sum()
    }
}

#[cfg(feature = "serde")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Saved {
    inputs: Inputs,
    standardised: Vec<f64>,
    convergence: Convergence,
}

#[cfg(feature = "serde")]
crate::saved::saved!(LogisticRegression, "dafu.logistic_regression", VERSION);

#[cfg(feature = "serde")]
impl LogisticRegression {
    fn to_saved(&self) -> Saved {
        Saved {
            inputs: self.inputs.clone(),
            standardised: self.standardised.clone(),
            convergence: self.convergence,
        }
    }

    fn from_saved(saved: Saved, limits: &Limits) -> Result<Self, EnsembleError> {
        saved.inputs.check(limits)?;
        // The bound keeps sums over standardised inputs finite.
        let sound = saved.standardised.len() == saved.inputs.len() + 1
            && saved.standardised.iter().all(|c| c.abs() <= 1e100)
            && saved.convergence.gradient.is_finite();
        crate::saved::check(sound, "coefficients that no fit gives")?;
        Ok(Self {
            inputs: saved.inputs,
            standardised: saved.standardised,
            convergence: saved.convergence,
        })
    }
}

learner!(LogisticRegressionParams);

classifier!(LogisticRegression {
    fn explainer(&self) -> Option<Explainer> {
        Some(Explainer::Regression(self.clone()))
    }
});

/// What each column adds to the log odds beside a row whose columns are all as in the mean of the training rows, that it is
/// missing included. Source: Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions" (2017), corollary 1.
impl Explain for LogisticRegression {
    type Error = EnsembleError;

    fn explain_row(&self, row: &[f64], out: &mut [f64]) -> Result<f64, EnsembleError> {
        check_width(self.width(), row.len())?;
        check_width(self.width(), out.len())?;
        out.fill(0.0);
        let columns = (0..self.width()).chain(self.inputs.flags());
        let parts = self.inputs.standardised(|column| row[column]);
        let coefficients = self.standardised.iter().skip(1);
        for ((column, part), coefficient) in columns.zip(parts).zip(coefficients) {
            out[column] += part * coefficient;
        }
        Ok(self.standardised.first().copied().unwrap_or(0.0))
    }
}
