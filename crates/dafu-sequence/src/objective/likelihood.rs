//! How surprising inputs are under a predicted distribution.

use crate::SequenceError;
use crate::data::{EventNumbers, SequenceSet, check_inputs};
use crate::network::{NetworkConfig, Objective};

/// Bound of the logarithm of a variance. Inputs are scaled to a variance of about 1.
const MOST_LOG_VARIANCE: f32 = 8.0;
const HALF_LN_TAU: f32 = 0.918_938_5;

/// Minus the logarithm of the likelihood of the events that come.
#[derive(Debug, Clone)]
pub struct InputLikelihood {
    numeric: usize,
    categories: Vec<usize>,
}

impl InputLikelihood {
    /// For networks of this shape.
    pub fn new(config: &NetworkConfig) -> Self {
        let categories = config.embeddings.iter();
        Self {
            numeric: config.numeric_inputs,
            categories: categories.map(|input| input.categories as usize).collect(),
        }
    }
}

/// A normal distribution: mean, then a number that a bounded logarithm of the variance is made of. Gives minus the
/// logarithm of the density at `number`, and its derivative by both.
fn normal(number: f32, mean: f32, raw: f32) -> (f32, [f32; 2]) {
    let bounded = (raw / MOST_LOG_VARIANCE).tanh();
    let log_variance = MOST_LOG_VARIANCE * bounded;
    let precision = (-log_variance).exp();
    let distance = number - mean;
    let square = distance * distance * precision;
    let by_log_variance = 0.5 * (1.0 - square);
    let loss = 0.5 * (log_variance + square) + HALF_LN_TAU;
    let by_raw = by_log_variance * (1.0 - bounded * bounded);
    (loss, [-distance * precision, by_raw])
}

/// Writes how surprising each input of an event is under the outputs of a network, numeric inputs first: minus the natural
/// logarithm of the density of a (scaled) number, of the probability of a category.
///
/// # Errors
///
/// When inputs are not those of the network, or `outputs` and `out` have other lengths.
pub fn input_surprise(
    config: &NetworkConfig,
    inputs: EventNumbers<'_>,
    outputs: &[f32],
    out: &mut [f32],
) -> Result<(), SequenceError> {
    let numeric = config.numeric_inputs;
    let categories = config.embeddings.iter().map(|input| input.categories);
    check_inputs(0, inputs, numeric, categories)?;
    for (expected, got) in [
        (config.outputs(), outputs.len()),
        (config.event_inputs(), out.len()),
    ] {
        if expected != got {
            return Err(SequenceError::OutputLength { expected, got });
        }
    }
    for (input, number) in inputs.numeric.iter().enumerate() {
        out[input] = normal(*number, outputs[input], outputs[numeric + input]).0;
    }
    let mut from = 2 * numeric;
    for (input, (embedding, code)) in config.embeddings.iter().zip(inputs.codes).enumerate() {
        let log_odds = &outputs[from..from + embedding.categories as usize];
        out[numeric + input] = log_sum(log_odds) - log_odds[*code as usize];
        from += log_odds.len();
    }
    Ok(())
}

/// The most likely inputs under the outputs of a network: means, and codes of the largest log odds.
///
/// # Panics
///
/// When there are fewer outputs than [`NetworkConfig::outputs`].
pub fn most_likely(config: &NetworkConfig, outputs: &[f32]) -> (Vec<f32>, Vec<u32>) {
    let numeric = outputs[..config.numeric_inputs].to_vec();
    let mut from = 2 * config.numeric_inputs;
    let codes = config.embeddings.iter().map(|embedding| {
        let log_odds = &outputs[from..from + embedding.categories as usize];
        from += log_odds.len();
        let codes = (0..embedding.categories).rev().zip(log_odds.iter().rev());
        codes
            .max_by(|left, right| left.1.total_cmp(right.1))
            .map_or(0, |(code, _)| code)
    });
    let codes = codes.collect();
    (numeric, codes)
}

/// Logarithm of the sum of exponentials.
fn log_sum(log_odds: &[f32]) -> f32 {
    let most = log_odds.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = log_odds.iter().map(|number| (number - most).exp()).sum();
    most + sum.ln()
}

impl Objective for InputLikelihood {
    fn event_loss(
        &self,
        set: SequenceSet<'_>,
        event: usize,
        outputs: &[f32],
        gradient: &mut [f32],
    ) -> f32 {
        let inputs = set.events().numbers(event);
        let mut loss = 0.0;
        for (input, number) in inputs.numeric.iter().enumerate() {
            let raw = self.numeric + input;
            let (of_input, slopes) = normal(*number, outputs[input], outputs[raw]);
            loss += of_input;
            [gradient[input], gradient[raw]] = slopes;
        }
        let mut from = 2 * self.numeric;
        for (categories, code) in self.categories.iter().zip(inputs.codes) {
            let range = from..from + categories;
            let (log_odds, gradient) = (&outputs[range.clone()], &mut gradient[range]);
            let sum = log_sum(log_odds);
            for (slope, number) in gradient.iter_mut().zip(log_odds) {
                *slope = (number - sum).exp();
            }
            gradient[*code as usize] -= 1.0;
            loss += sum - log_odds[*code as usize];
            from += categories;
        }
        loss
    }
}
