//! One step of `AdamW`.

use crate::network::AdamStep;

/// Decay of the mean of gradients, and of that of their squares.
const DECAYS: (f64, f64) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// Running means of the gradients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Adam {
    means: Vec<f32>,
    squares: Vec<f32>,
}

impl Adam {
    /// Changes the weights, and gives back the length of the gradient.
    pub(crate) fn update(&mut self, weights: &mut [f32], gradient: &[f32], step: AdamStep) -> f64 {
        self.means.resize(weights.len(), 0.0);
        self.squares.resize(weights.len(), 0.0);
        let square = |number: &f32| f64::from(*number) * f64::from(*number);
        let norm = gradient.iter().map(square).sum::<f64>().sqrt();
        let shortened = narrow((step.clip_norm / (norm + 1e-6)).min(1.0));
        let exponent = step.step as f64;
        let first = 1.0 - DECAYS.0.powf(exponent);
        let second = narrow((1.0 - DECAYS.1.powf(exponent)).sqrt());
        let kept = narrow(1.0 - step.learning_rate * step.weight_decay);
        let size = narrow(step.learning_rate / first);
        let (mean_new, square_new) = (narrow(1.0 - DECAYS.0), narrow(1.0 - DECAYS.1));
        let decay = narrow(DECAYS.1);
        let states = self.means.iter_mut().zip(&mut self.squares);
        for ((weight, gradient), (mean, square)) in weights.iter_mut().zip(gradient).zip(states) {
            let gradient = gradient * shortened;
            *mean += mean_new * (gradient - *mean);
            *square = *square * decay + square_new * gradient * gradient;
            *weight = *weight * kept - size * *mean / (square.sqrt() / second + EPSILON);
        }
        norm
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "factors of a step are rounded to the precision of the weights"
)]
const fn narrow(number: f64) -> f32 {
    number as f32
}
