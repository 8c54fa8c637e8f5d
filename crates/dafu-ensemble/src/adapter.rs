//! Models of other libraries as learners.

#[cfg(feature = "linfa")]
pub(crate) mod linfa;
#[cfg(feature = "smartcore")]
pub(crate) mod smartcore;

use crate::inputs::{Imputation, Inputs};
use crate::learner::{Classifier, check_shapes};
use crate::params::number;
use crate::{EnsembleError, Samples};
use ndarray::ArrayView2;
use std::fmt;

/// Rows that another library is asked for at a time.
const BLOCK: usize = 8192;
/// Largest size of log odds.
const LARGEST: f64 = 1e15;

/// What the answers of a model are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Answers {
    /// Probabilities of fraud, or labels; become log odds.
    #[default]
    Probability,
    /// Any number that is higher for more suspicious rows, such as distances from a plane; taken as log odds.
    LogOdds,
}

/// How rows go into the models of other libraries, and how answers come out of them.
///
/// These libraries know no missing and no infinite values: the former become what training rows had in the middle, the
/// latter the largest or smallest value of the training rows.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct AdapterParams {
    /// What the answers of a model are.
    pub answers: Answers,
    /// Probabilities are kept this far from 0 and 1, so that log odds are finite: above 0 and below 0.5. Answers beyond are
    /// tied.
    pub edge: f64,
    /// Whether columns get mean 0 and standard deviation 1 first: trees do not care, most other models do.
    pub standardise: bool,
    /// What stands in for missing values.
    pub imputation: Imputation,
    /// Whether each column with missing values in training gets another, 1 where they are missing.
    pub missing_indicators: bool,
}

impl Default for AdapterParams {
    fn default() -> Self {
        Self {
            answers: Answers::Probability,
            edge: 1e-6,
            standardise: true,
            imputation: Imputation::Median,
            missing_indicators: true,
        }
    }
}

impl AdapterParams {
    dafu_core::setters! {
        answers: Answers,
        edge: f64,
        standardise: bool,
        imputation: Imputation,
        missing_indicators: bool,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NumberOutOfRange`] for an `edge` that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        let good = self.edge > 0.0 && self.edge < 0.5;
        number("edge", self.edge, "above 0 and below 0.5", good)
    }
}

/// Labels that another library learns from.
pub trait ClassTarget: Clone + Send + Sync + 'static {
    /// The label of frauds or of honest rows.
    fn of_class(fraud: bool) -> Self;
}

/// Answers that another library gives: labels, probabilities, or any number that is higher for frauds.
pub trait ClassAnswer: Copy + 'static {
    /// As a number; labels become 0 and 1.
    fn number(self) -> f64;
}

macro_rules! class_numbers {
    ($number:expr; $($kind:ty),*) => {
        $(
            impl ClassTarget for $kind {
                fn of_class(fraud: bool) -> Self {
                    Self::from(u8::from(fraud))
                }
            }

            impl ClassAnswer for $kind {
                fn number(self) -> f64 {
                    $number(self)
                }
            }
        )*
    };
}

class_numbers!(f64::from; u8, u16, u32, i16, i32, f32, f64);
// Labels are small.
class_numbers!(|label| label as f64; u64, usize, i64);

impl ClassTarget for bool {
    fn of_class(fraud: bool) -> Self {
        fraud
    }
}

impl ClassAnswer for bool {
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// Training rows as another library takes them; those of weight 0 are left out.
struct Prepared {
    bridge: Bridge,
    /// Finite inputs, row after row.
    values: Vec<f64>,
    frauds: Vec<bool>,
    weights: Vec<f64>,
}

/// The way to and from a model of another library.
#[derive(Debug, Clone)]
struct Bridge {
    library: &'static str,
    params: AdapterParams,
    inputs: Inputs,
}

impl Bridge {
    fn prepare(
        library: &'static str,
        params: &AdapterParams,
        samples: &Samples<'_>,
    ) -> Result<Prepared, EnsembleError> {
        params.check()?;
        samples.class_weights(1.0)?;
        let bridge = Self {
            library,
            params: params.clone(),
            inputs: Inputs::fit(samples, params.imputation, params.missing_indicators),
        };
        let mut prepared = Prepared {
            values: Vec::new(),
            frauds: Vec::new(),
            weights: Vec::new(),
            bridge,
        };
        let rows = samples.rows();
        for (at, (row, fraud)) in rows.rows().into_iter().zip(samples.frauds()).enumerate() {
            let weight = samples.weight(at);
            if weight > 0.0 {
                let bridge = &prepared.bridge;
                bridge.push_inputs(|column| row[column], &mut prepared.values);
                prepared.frauds.push(*fraud);
                prepared.weights.push(weight);
            }
        }
        Ok(prepared)
    }

    fn push_inputs(&self, value_of: impl Fn(usize) -> f64 + Copy, out: &mut Vec<f64>) {
        if self.params.standardise {
            out.extend(self.inputs.standardised(value_of));
        } else {
            out.extend(self.inputs.completed(value_of));
        }
    }

    /// Asks for answers block by block; `ask` gets inputs row after row and their number.
    fn answer(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
        ask: impl Fn(Vec<f64>, usize) -> Result<Vec<f64>, EnsembleError>,
    ) -> Result<(), EnsembleError> {
        check_shapes(self.inputs.width(), rows, out)?;
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let first = block * BLOCK;
            let mut values = Vec::with_capacity(out.len() * self.inputs.len());
            for row in first..first + out.len() {
                let row = rows.row(row);
                self.push_inputs(|column| row[column], &mut values);
            }
            let answers = ask(values, out.len())?;
            if answers.len() != out.len() {
                return Err(self.failed(
                    "answer",
                    format!("{} answers for {} rows", answers.len(), out.len()),
                ));
            }
            for (at, (out, got)) in out.iter_mut().zip(answers).enumerate() {
                if got.is_nan() {
                    return Err(EnsembleError::Answer {
                        library: self.library,
                        row: first + at,
                    });
                }
                *out = self.log_odds(got);
            }
        }
        Ok(())
    }

    fn log_odds(&self, answer: f64) -> f64 {
        match self.params.answers {
            Answers::LogOdds => answer.clamp(-LARGEST, LARGEST),
            Answers::Probability => {
                let chance = answer.clamp(self.params.edge, 1.0 - self.params.edge);
                (chance / (1.0 - chance)).ln()
            }
        }
    }

    fn failed(&self, what: &'static str, message: String) -> EnsembleError {
        EnsembleError::Library {
            library: self.library,
            what,
            message,
        }
    }
}

/// Asks a model for answers to so many rows of inputs, row after row.
type Ask = dyn Fn(&Bridge, Vec<f64>, usize) -> Result<Vec<f64>, EnsembleError> + Send + Sync;

/// A model of another library.
struct Adapted {
    /// What it is called where it is shown, and the type of the model.
    name: &'static str,
    model: &'static str,
    bridge: Bridge,
    ask: Box<Ask>,
}

impl fmt::Debug for Adapted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Classifier for Adapted {
    fn width(&self) -> usize {
        self.bridge.inputs.width()
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        let ask = |values, rows| (self.ask)(&self.bridge, values, rows);
        self.bridge.answer(rows, out, ask)
    }
}
