//! One step of `AdamW`.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use crate::network::AdamStep;
use pulp::{Arch, Simd, WithSimd};

const DECAYS: (f64, f64) = AdamStep::DECAYS;
/// Sums of squares side by side: an addition need not wait for the one before.
const SUMS: usize = 16;

/// Running means of the gradients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Adam {
    means: Vec<f32>,
    squares: Vec<f32>,
}

impl Adam {
    /// Changes the weights, and gives back the length of the gradient.
    pub(crate) fn update(
        &mut self,
        arch: Arch,
        weights: &mut [f32],
        gradient: &[f32],
        step: AdamStep,
    ) -> f64 {
        self.means.resize(weights.len(), 0.0);
        self.squares.resize(weights.len(), 0.0);
        let norm = length(gradient);
        let exponent = step.step as f64;
        let first = 1.0 - DECAYS.0.powf(exponent);
        arch.dispatch(Update {
            weights,
            gradient,
            means: &mut self.means,
            squares: &mut self.squares,
            shortened: narrow((step.clip_norm / (norm + 1e-6)).min(1.0)),
            second: narrow(1.0 / (1.0 - DECAYS.1.powf(exponent)).sqrt()),
            kept: narrow(1.0 - step.learning_rate * step.weight_decay),
            size: narrow(step.learning_rate / first),
        });
        norm
    }
}

/// Square root of the sum of squares.
fn length(gradient: &[f32]) -> f64 {
    let mut sums = [0.0; SUMS];
    for numbers in gradient.chunks(SUMS) {
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += f64::from(*number) * f64::from(*number);
        }
    }
    sums.iter().sum::<f64>().sqrt()
}

/// The step of all weights.
struct Update<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    means: &'a mut [f32],
    squares: &'a mut [f32],
    /// Factor of the gradient.
    shortened: f32,
    /// Factor of the roots of squares.
    second: f32,
    /// Factor of the weights.
    kept: f32,
    /// Size of the step.
    size: f32,
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let factors = Factors {
            shortened: simd.splat_f32s(self.shortened),
            second: simd.splat_f32s(self.second),
            kept: simd.splat_f32s(self.kept),
            size: simd.splat_f32s(-self.size),
        };
        let (weights, last_weights) = S::as_mut_simd_f32s(self.weights);
        let (gradient, last_gradient) = S::as_simd_f32s(self.gradient);
        let (means, last_means) = S::as_mut_simd_f32s(self.means);
        let (squares, last_squares) = S::as_mut_simd_f32s(self.squares);
        let states = means.iter_mut().zip(squares);
        for ((weight, gradient), (mean, square)) in weights.iter_mut().zip(gradient).zip(states) {
            [*weight, *mean, *square] = factors.update(simd, [*weight, *mean, *square], *gradient);
        }
        let last = [
            simd.partial_load_f32s(last_weights),
            simd.partial_load_f32s(last_means),
            simd.partial_load_f32s(last_squares),
        ];
        let [weight, mean, square] =
            factors.update(simd, last, simd.partial_load_f32s(last_gradient));
        simd.partial_store_f32s(last_weights, weight);
        simd.partial_store_f32s(last_means, mean);
        simd.partial_store_f32s(last_squares, square);
    }
}

/// The factors of a step in every place of a vector.
struct Factors<S: Simd> {
    shortened: S::f32s,
    second: S::f32s,
    kept: S::f32s,
    size: S::f32s,
}

impl<S: Simd> Factors<S> {
    /// Weights, means and squares after a step.
    #[inline(always)]
    fn update(
        &self,
        simd: S,
        [weight, mean, square]: [S::f32s; 3],
        gradient: S::f32s,
    ) -> [S::f32s; 3] {
        let gradient = simd.mul_f32s(gradient, self.shortened);
        let mean_new = simd.splat_f32s(narrow(1.0 - DECAYS.0));
        let mean = simd.mul_add_e_f32s(mean_new, simd.sub_f32s(gradient, mean), mean);
        let square_new = simd.splat_f32s(narrow(1.0 - DECAYS.1));
        let new = simd.mul_f32s(simd.mul_f32s(square_new, gradient), gradient);
        let square = simd.mul_add_e_f32s(square, simd.splat_f32s(narrow(DECAYS.1)), new);
        let root = simd.sqrt_f32s(square);
        let root = simd.mul_add_e_f32s(root, self.second, simd.splat_f32s(AdamStep::EPSILON));
        let change = simd.div_f32s(simd.mul_f32s(self.size, mean), root);
        [simd.mul_add_e_f32s(weight, self.kept, change), mean, square]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "factors of a step are rounded to the precision of the weights"
)]
const fn narrow(number: f64) -> f32 {
    number as f32
}
