//! Steps of `AdamW` where the weights are.

use crate::network::AdamStep;
use tch::{TchError, Tensor};

const DECAYS: (f64, f64) = AdamStep::DECAYS;

/// Running means of the gradients.
#[derive(Debug)]
pub(super) struct Adam {
    means: Tensor,
    squares: Tensor,
}

impl Adam {
    pub(super) fn new(weights: &Tensor) -> Result<Self, TchError> {
        Ok(Self {
            means: weights.f_zeros_like()?,
            squares: weights.f_zeros_like()?,
        })
    }

    /// Changes the weights, and gives back the length of the gradient.
    pub(super) fn update(
        &mut self,
        weights: &mut Tensor,
        gradient: &Tensor,
        step: AdamStep,
    ) -> Result<f64, TchError> {
        let norm = f64::try_from(gradient.f_norm()?)?;
        let shortened = (step.clip_norm / (norm + 1e-6)).min(1.0);
        let gradient = gradient.f_mul_scalar(shortened)?;
        let exponent = step.step as f64;
        let first = 1.0 - DECAYS.0.powf(exponent);
        let second = (1.0 - DECAYS.1.powf(exponent)).sqrt();
        let _ = self.means.f_lerp_(&gradient, 1.0 - DECAYS.0)?;
        let square = gradient.f_mul(&gradient)?.f_mul_scalar(1.0 - DECAYS.1)?;
        let _ = self.squares.f_mul_scalar_(DECAYS.1)?.f_add_(&square)?;
        let scale = self
            .squares
            .f_sqrt()?
            .f_div_scalar(second)?
            .f_add_scalar(f64::from(AdamStep::EPSILON))?;
        let way = self
            .means
            .f_div(&scale)?
            .f_mul_scalar(step.learning_rate / first)?;
        let kept = 1.0 - step.learning_rate * step.weight_decay;
        let _ = weights.f_mul_scalar_(kept)?.f_sub_(&way)?;
        Ok(norm)
    }
}
