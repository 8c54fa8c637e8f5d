//! One layer: weights, biases, answers.

use super::kernel::Matrix;
use dafu_core::random::Stream;

/// Largest value of a unit and largest weight: products of these still fit into 32 bits.
const LARGEST: f32 = 1e15;

/// Units that take weighted sums of the values before them.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Layer {
    /// For each input the weights of all units.
    pub(super) weights: Vec<f32>,
    pub(super) biases: Vec<f32>,
}

impl Layer {
    /// Weights drawn so that values keep their variance through rectified units.
    ///
    /// Source: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers" (2015), equation 10, from a uniform distribution.
    pub(super) fn draw(inputs: usize, units: usize, stream: &mut Stream) -> Self {
        let limit = (6.0 / inputs.max(1) as f64).sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
        let draw = |_| (limit * (2.0 * stream.unit() - 1.0)) as f32;
        Self {
            weights: (0..inputs * units).map(draw).collect(),
            biases: vec![0.0; units],
        }
    }

    /// Weights and biases.
    pub(super) fn len(&self) -> usize {
        self.weights.len() + self.biases.len()
    }

    pub(super) fn outputs(&self) -> usize {
        self.biases.len()
    }

    pub(super) fn matrix(&self) -> Matrix<'_> {
        Matrix::new(&self.weights, self.biases.len())
    }

    /// Weighted sums of values, row after row.
    pub(super) fn forward(&self, values: &[f32]) -> Vec<f32> {
        let units = self.biases.len();
        let inputs = self.weights.len() / units.max(1);
        let mut out = self.biases.repeat(values.len() / inputs.max(1));
        Matrix::new(values, inputs).add_product(self.matrix(), &mut out);
        out
    }

    /// Whether all numbers are small enough for finite answers.
    pub(super) fn is_bounded(&self) -> bool {
        let mut all = self.weights.iter().chain(&self.biases);
        all.all(|weight| weight.abs() <= LARGEST)
    }

    /// Whether a layer from a file can follow so many inputs.
    #[cfg(feature = "serde")]
    pub(super) fn is_sound(&self, inputs: usize) -> bool {
        let units = self.biases.len();
        let sizes = 1..=super::MAX_LAYER_UNITS;
        sizes.contains(&inputs)
            && sizes.contains(&units)
            && self.weights.len() == inputs * units
            && self.is_bounded()
    }
}

/// Rectified linear units.
pub(super) fn rectify(values: &mut [f32]) {
    for value in values {
        *value = value.clamp(0.0, LARGEST);
    }
}
