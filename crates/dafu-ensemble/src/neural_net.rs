//! A feed-forward neural net: fit and answers.

mod kernel;
mod layer;
mod params;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; exact by construction"
)]
mod tests;
mod train;

use crate::EnsembleError;
use crate::inputs::Inputs;
use crate::learner::{check_shapes, classifier, learner};
#[cfg(feature = "serde")]
use dafu_core::model::Limits;
use layer::Layer;
use ndarray::ArrayView2;
pub use params::{
    CheckedNeuralNetParams, MAX_HIDDEN_LAYERS, MAX_LAYER_UNITS, NeuralNetParams, StoppingMetric,
};

/// Rows that are answered together.
const BLOCK: usize = 64;
#[cfg(feature = "serde")]
const VERSION: u16 = 1;

/// A net of layers with rectified linear units, whose last unit is the log odds of fraud.
///
/// Inputs are standardised columns, each missing value filled in and, where training rows had some, flagged by one more
/// input. Inside, numbers have 32 bits: twice the speed of 64, and the noise of mini-batches is larger than the rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct NeuralNet {
    inputs: Inputs,
    layers: Vec<Layer>,
    epochs: usize,
}

impl NeuralNet {
    /// Columns of the training rows.
    pub fn width(&self) -> usize {
        self.inputs.width()
    }

    /// Rounds over the training rows that made this net: with validation rows, those until the best one.
    pub const fn epochs(&self) -> usize {
        self.epochs
    }

    /// Weights and biases.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(Layer::len).sum()
    }

    /// Log odds of fraud of a row.
    ///
    /// # Errors
    ///
    /// When the row has another width than the training rows.
    ///
    /// # Complexity
    ///
    /// O(weights).
    pub fn log_odds_row(&self, row: &[f64]) -> Result<f64, EnsembleError> {
        let mut out = [0.0];
        let row = ndarray::ArrayView1::from(row).insert_axis(ndarray::Axis(0));
        self.log_odds_rows(row, &mut out)?;
        Ok(out[0])
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
        let blocks = out.len().div_ceil(BLOCK);
        let answers = crate::threads::map(blocks, |block| {
            let range = block * BLOCK..((block + 1) * BLOCK).min(out.len());
            let mut inputs = Vec::with_capacity(range.len() * self.inputs.len());
            for row in range {
                let row = rows.row(row);
                kernel::push_inputs(&self.inputs, |column| row[column], &mut inputs);
            }
            self.forward(inputs)
        });
        for (out, answer) in out.iter_mut().zip(answers.into_iter().flatten()) {
            *out = f64::from(answer);
        }
        Ok(())
    }

    /// Log odds of inputs, row after row.
    fn forward(&self, inputs: Vec<f32>) -> Vec<f32> {
        let mut values = inputs;
        for (at, layer) in self.layers.iter().enumerate() {
            values = layer.forward(&values);
            if at + 1 < self.layers.len() {
                layer::rectify(&mut values);
            }
        }
        values
    }
}

#[cfg(feature = "serde")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Saved {
    inputs: Inputs,
    layers: Vec<Layer>,
    epochs: u32,
}

#[cfg(feature = "serde")]
crate::saved::saved!(NeuralNet, "dafu.neural_net", VERSION);

#[cfg(feature = "serde")]
impl NeuralNet {
    fn to_saved(&self) -> Saved {
        Saved {
            inputs: self.inputs.clone(),
            layers: self.layers.clone(),
            epochs: u32::try_from(self.epochs).unwrap_or(u32::MAX),
        }
    }

    fn from_saved(saved: Saved, limits: &Limits) -> Result<Self, EnsembleError> {
        saved.inputs.check(limits)?;
        let mut wanted = saved.inputs.len();
        let mut sound = (1..=MAX_HIDDEN_LAYERS + 1).contains(&saved.layers.len());
        for layer in &saved.layers {
            sound &= layer.is_sound(wanted);
            wanted = layer.outputs();
        }
        crate::saved::check(sound && wanted == 1, "layers that no fit gives")?;
        Ok(Self {
            inputs: saved.inputs,
            layers: saved.layers,
            epochs: saved.epochs as usize,
        })
    }
}

learner!(NeuralNetParams);

classifier!(NeuralNet {});
