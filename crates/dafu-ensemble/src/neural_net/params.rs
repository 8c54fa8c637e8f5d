//! Parameters of neural nets and their check.

use super::NeuralNet;
use super::train;
use crate::inputs::Imputation;
use crate::params::{at_most, count, number};
use crate::{EnsembleError, Samples};

/// Most hidden layers of a neural net.
pub const MAX_HIDDEN_LAYERS: usize = 16;
/// Most units of a layer, and inputs of a net.
pub const MAX_LAYER_UNITS: usize = 1 << 16;
/// Most weights of a net.
const MAX_WEIGHTS: usize = 1 << 26;
const MAX_EPOCHS: usize = 100_000;
const MAX_BATCH: usize = 1 << 20;

/// What validation rows judge a neural net by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum StoppingMetric {
    /// Average precision, higher is better.
    #[default]
    AveragePrecision,
    /// Weighted mean logistic loss, lower is better; steadier than average precision where frauds are few.
    LogLoss,
}

/// Parameters of [`NeuralNet`].
///
/// # Examples
///
/// ```
/// use dafu_ensemble::{NeuralNetParams, Samples};
/// use ndarray::Array2;
///
/// // Frauds are small and large amounts: no line separates them.
/// let rows = Array2::from_shape_fn((600, 1), |(row, _)| (row * 7 % 100) as f64);
/// let frauds: Vec<bool> = rows.iter().map(|amount| !(20.0..80.0).contains(amount)).collect();
///
/// let params = NeuralNetParams::default().hidden_layers(vec![16]).learning_rate(0.02).seed(1);
/// let net = params.fit(&Samples::new(rows.view(), &frauds)?)?;
/// assert!(net.log_odds_row(&[5.0])? > 0.0);
/// assert!(net.log_odds_row(&[50.0])? < 0.0);
/// assert!(net.log_odds_row(&[95.0])? > 0.0);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct NeuralNetParams {
    /// Units of each hidden layer; none is a logistic regression.
    pub hidden_layers: Vec<usize>,
    /// Share of the units of hidden layers that each row of a batch leaves out, in [0, 1).
    pub dropout: f64,
    /// Size of the steps of Adam.
    pub learning_rate: f64,
    /// Share of the weights that each step takes away, times the learning rate; biases are left alone.
    pub weight_decay: f64,
    /// Rows of a step.
    pub batch_size: usize,
    /// Rounds over the training rows; with validation rows at most.
    pub epochs: usize,
    /// Rounds without a better value of the metric after which no more are made. Without validation rows, as for
    /// [`Learner::learn`](crate::Learner::learn), all are.
    pub patience: usize,
    /// What validation rows judge by.
    pub stopping_metric: StoppingMetric,
    /// Factor of the weights of frauds.
    pub scale_pos_weight: f64,
    /// What stands in for missing values.
    pub imputation: Imputation,
    /// Whether each column with missing values in training gets another, 1 where they are missing.
    pub missing_indicators: bool,
    /// Seed of first weights, order of rows and dropout.
    pub seed: u64,
}

impl Default for NeuralNetParams {
    fn default() -> Self {
        Self {
            hidden_layers: vec![64, 32],
            dropout: 0.2,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            batch_size: 256,
            epochs: 20,
            patience: 5,
            stopping_metric: StoppingMetric::AveragePrecision,
            scale_pos_weight: 1.0,
            imputation: Imputation::Median,
            missing_indicators: true,
            seed: 0,
        }
    }
}

impl NeuralNetParams {
    /// Sets `hidden_layers`.
    #[must_use]
    pub fn hidden_layers(mut self, hidden_layers: Vec<usize>) -> Self {
        self.hidden_layers = hidden_layers;
        self
    }

    dafu_core::setters! {
        dropout: f64,
        learning_rate: f64,
        weight_decay: f64,
        batch_size: usize,
        epochs: usize,
        patience: usize,
        stopping_metric: StoppingMetric,
        scale_pos_weight: f64,
        imputation: Imputation,
        missing_indicators: bool,
        seed: u64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<CheckedNeuralNetParams, EnsembleError> {
        let layers = self.hidden_layers.len();
        count("hidden_layers (their number)", layers, 0, MAX_HIDDEN_LAYERS)?;
        for units in &self.hidden_layers {
            count("hidden_layers", *units, 1, MAX_LAYER_UNITS)?;
        }
        count("batch_size", self.batch_size, 1, MAX_BATCH)?;
        count("epochs", self.epochs, 1, MAX_EPOCHS)?;
        count("patience", self.patience, 1, MAX_EPOCHS)?;
        let got = self.dropout;
        let good = (0.0..1.0).contains(&got);
        number("dropout", got, "at least 0 and below 1", good)?;
        let got = self.learning_rate;
        number(
            "learning_rate",
            got,
            "above 0 and at most 1",
            got > 0.0 && got <= 1.0,
        )?;
        let got = self.weight_decay;
        number(
            "weight_decay",
            got,
            "at least 0 and at most 1",
            (0.0..=1.0).contains(&got),
        )?;
        let got = self.scale_pos_weight;
        let good = got > 0.0 && got.is_finite();
        number("scale_pos_weight", got, "finite and above 0", good)?;
        Ok(CheckedNeuralNetParams(self.clone()))
    }

    /// Learns from rows for [`NeuralNetParams::epochs`] rounds.
    ///
    /// # Errors
    ///
    /// When a parameter or the sum of weights is out of range, there are no rows, no columns, or rows of one class only, or
    /// the net is too large.
    ///
    /// # Complexity
    ///
    /// O(n w) an epoch for n rows and w weights.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<NeuralNet, EnsembleError> {
        self.check()?.fit(samples)
    }

    /// Learns from rows until others are not judged better any more, and keeps the best net, see
    /// [`NeuralNetParams::patience`].
    ///
    /// # Errors
    ///
    /// As [`NeuralNetParams::fit`], and when the validation rows have another width or cannot be judged.
    pub fn fit_validated(
        &self,
        samples: &Samples<'_>,
        validation: &Samples<'_>,
    ) -> Result<NeuralNet, EnsembleError> {
        self.check()?.fit_validated(samples, validation)
    }
}

/// Parameters that passed [`NeuralNetParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedNeuralNetParams(NeuralNetParams);

impl CheckedNeuralNetParams {
    /// As [`NeuralNetParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`NeuralNetParams::fit`], parameters aside.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<NeuralNet, EnsembleError> {
        train::fit(&self.0, samples, None)
    }

    /// As [`NeuralNetParams::fit_validated`].
    ///
    /// # Errors
    ///
    /// As [`NeuralNetParams::fit_validated`], parameters aside.
    pub fn fit_validated(
        &self,
        samples: &Samples<'_>,
        validation: &Samples<'_>,
    ) -> Result<NeuralNet, EnsembleError> {
        train::fit(&self.0, samples, Some(validation))
    }
}

/// Whether a net from so many inputs is small enough.
pub(super) fn check_size(params: &NeuralNetParams, inputs: usize) -> Result<(), EnsembleError> {
    let what = "inputs (columns and flags of missing values)";
    at_most(what, inputs, MAX_LAYER_UNITS)?;
    let (mut before, mut weights) = (inputs, 0_usize);
    for units in params.hidden_layers.iter().copied().chain([1]) {
        weights = weights.saturating_add((before + 1).saturating_mul(units));
        before = units;
    }
    at_most("weights of a neural net", weights, MAX_WEIGHTS)
}
