//! Learning: mini-batches, backpropagation, steps.

use super::NeuralNet;
use super::kernel::{Matrix, push_inputs};
use super::layer::{Layer, rectify};
use super::params::{NeuralNetParams, StoppingMetric, check_size};
use crate::inputs::Inputs;
use crate::learner::check_width;
use crate::logistic::{LANES, chance, derivatives};
use crate::params::number;
use crate::{EnsembleError, Samples, threads};
use dafu_core::metrics::{average_precision, log_loss};
use dafu_core::random::Stream;

/// What random streams are for.
const WEIGHTS: u64 = 1;
const ORDER: u64 = 2;
const DROPOUT: u64 = 3;
/// Rows whose gradients are computed together; sums go from part to part, so that they do not depend on the threads.
const PART: usize = 64;

/// Learns a net, judged by `validation` where given.
pub(super) fn fit(
    params: &NeuralNetParams,
    samples: &Samples<'_>,
    validation: Option<&Samples<'_>>,
) -> Result<NeuralNet, EnsembleError> {
    let mut training = Training::new(params, samples)?;
    if let Some(validation) = validation {
        check_width(training.net.width(), validation.rows().ncols())?;
    }
    let mut best: Option<(f64, NeuralNet)> = None;
    for epoch in 0..params.epochs {
        training.epoch(epoch);
        if !training.net.layers.iter().all(Layer::is_bounded) {
            return Err(EnsembleError::Diverged { epoch: epoch + 1 });
        }
        training.net.epochs = epoch + 1;
        let Some(validation) = validation else {
            continue;
        };
        let quality = judge(&training.net, params.stopping_metric, validation)?;
        match &best {
            Some((most, net)) if quality <= *most => {
                if epoch + 1 - net.epochs >= params.patience {
                    break;
                }
            }
            _ => best = Some((quality, training.net.clone())),
        }
    }
    Ok(best.map_or(training.net, |(_, net)| net))
}

/// Higher is better.
fn judge(
    net: &NeuralNet,
    metric: StoppingMetric,
    validation: &Samples<'_>,
) -> Result<f64, EnsembleError> {
    let (frauds, weights) = (validation.frauds(), validation.weights());
    let mut scores = vec![0.0; frauds.len()];
    net.log_odds_rows(validation.rows(), &mut scores)?;
    let quality = match metric {
        StoppingMetric::AveragePrecision => average_precision(frauds, &scores, weights),
        StoppingMetric::LogLoss => {
            for score in &mut scores {
                *score = chance(*score);
            }
            log_loss(frauds, &scores, weights).map(|loss| -loss)
        }
    };
    quality.map_err(EnsembleError::Validation)
}

/// A net while it learns.
pub(super) struct Training<'p> {
    params: &'p NeuralNetParams,
    /// Standardised, row after row; rows of weight 0 are left out.
    pub(super) inputs: Vec<f32>,
    pub(super) targets: Vec<f64>,
    /// With mean 1.
    pub(super) weights: Vec<f64>,
    pub(super) net: NeuralNet,
    pub(super) adam: Adam,
}

impl<'p> Training<'p> {
    pub(super) fn new(
        params: &'p NeuralNetParams,
        samples: &Samples<'_>,
    ) -> Result<Self, EnsembleError> {
        let [honest, fraud] = samples.class_weights(1.0)?;
        let fraud = fraud * params.scale_pos_weight;
        let total = fraud + honest;
        number("sum of weights", total, "finite", total.is_finite())?;
        let inputs = Inputs::fit(samples, params.imputation, params.missing_indicators);
        check_size(params, inputs.len())?;
        let mut training = Self {
            params,
            inputs: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
            adam: Adam::default(),
            net: NeuralNet {
                layers: Vec::new(),
                inputs,
                epochs: 0,
            },
        };
        let rows = samples.rows();
        for (at, (row, fraud)) in rows.rows().into_iter().zip(samples.frauds()).enumerate() {
            let weight = samples.weight(at);
            if weight > 0.0 {
                push_inputs(
                    &training.net.inputs,
                    |column| row[column],
                    &mut training.inputs,
                );
                training.targets.push(f64::from(u8::from(*fraud)));
                let factor = if *fraud { params.scale_pos_weight } else { 1.0 };
                training.weights.push(weight / total * factor);
            }
        }
        let count = training.targets.len() as f64;
        for weight in &mut training.weights {
            *weight *= count;
        }
        let mut before = training.net.inputs.len();
        for (at, units) in params.hidden_layers.iter().copied().chain([1]).enumerate() {
            let mut stream = Stream::new(params.seed, WEIGHTS, at as u64);
            let layer = Layer::draw(before, units, &mut stream);
            training.adam.size += layer.len();
            training.net.layers.push(layer);
            before = units;
        }
        // The share of frauds is known, and need not be learned in small steps.
        #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
        let base = (fraud / honest).ln().clamp(-1e6, 1e6) as f32;
        if let Some(last) = training.net.layers.last_mut() {
            last.biases.fill(base);
        }
        Ok(training)
    }

    /// One round over the rows.
    pub(super) fn epoch(&mut self, epoch: usize) {
        let count = self.targets.len();
        let mut order: Vec<usize> = (0..count).collect();
        let mut stream = Stream::new(self.params.seed, ORDER, epoch as u64);
        stream.shuffle_first(&mut order, count);
        for batch in order.chunks(self.params.batch_size) {
            let parts: Vec<&[usize]> = batch.chunks(PART).collect();
            // Parts of all steps have different streams.
            let first = self.adam.steps * self.params.batch_size.div_ceil(PART) as u64;
            let gradients = threads::map(parts.len(), |part| {
                let stream = Stream::new(self.params.seed, DROPOUT, first + part as u64);
                self.gradient(parts[part], batch.len(), stream)
            });
            let mut gradients = gradients.into_iter();
            let mut sums = gradients.next().unwrap_or_default();
            for gradient in gradients {
                for (sum, gradient) in sums.iter_mut().zip(gradient) {
                    *sum += gradient;
                }
            }
            self.adam.step(&mut self.net.layers, &sums, self.params);
        }
    }

    /// Derivatives of the mean loss of a batch, for its rows `part`: weights and biases of the first layer, then of the
    /// second and so on.
    ///
    /// Source: Rumelhart, Hinton and Williams, "Learning Representations by Back-propagating Errors" (1986), equations 4 to
    /// 7; dropout as in Srivastava et al., "Dropout" (2014), section 4, scaled while learning.
    pub(super) fn gradient(&self, part: &[usize], batch: usize, mut stream: Stream) -> Vec<f32> {
        let width = self.net.inputs.len();
        let inputs = part
            .iter()
            .flat_map(|row| &self.inputs[row * width..(row + 1) * width]);
        // What each layer gets, and at last the log odds.
        let mut values: Vec<Vec<f32>> = vec![inputs.copied().collect()];
        let last = self.net.layers.len() - 1;
        for (at, layer) in self.net.layers.iter().enumerate() {
            let mut next = layer.forward(&values[at]);
            if at < last {
                rectify(&mut next);
                drop_out(&mut next, self.params.dropout, &mut stream);
            }
            values.push(next);
        }
        let odds = values.pop().unwrap_or_default();
        let mut errors: Vec<f32> = part
            .iter()
            .zip(odds)
            .map(|(row, odds)| {
                let (first, _) = derivatives([f64::from(odds); LANES], [self.targets[*row]; LANES]);
                #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
                let error = (first[0] * self.weights[*row] / batch as f64) as f32;
                error
            })
            .collect();
        let mut backwards = Vec::with_capacity(self.net.layers.len());
        for (layer, values) in self.net.layers.iter().zip(&values).rev() {
            let units = layer.outputs();
            let before = layer.weights.len() / units;
            let mut gradient = vec![0.0; layer.len()];
            let (weights, biases) = gradient.split_at_mut(layer.weights.len());
            let errors_of = Matrix::new(&errors, units);
            let given = Matrix::new(values, before);
            given.transposed().add_product(errors_of, weights);
            for row in errors.chunks_exact(units) {
                for (bias, error) in biases.iter_mut().zip(row) {
                    *bias += error;
                }
            }
            if backwards.len() < last {
                let mut earlier = vec![0.0; values.len()];
                errors_of.add_product(layer.matrix().transposed(), &mut earlier);
                // Units that were silent or left out learn nothing; the others were scaled by dropout.
                #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
                let scale = (1.0 / (1.0 - self.params.dropout)) as f32;
                for (earlier, value) in earlier.iter_mut().zip(values) {
                    *earlier = if *value > 0.0 { *earlier * scale } else { 0.0 };
                }
                errors = earlier;
            }
            backwards.push(gradient);
        }
        backwards.reverse();
        backwards.concat()
    }
}

/// Leaves out a share of the values, and scales the others so that the mean stays.
pub(super) fn drop_out(values: &mut [f32], share: f64, stream: &mut Stream) {
    if share <= 0.0 {
        return;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
    let scale = (1.0 / (1.0 - share)) as f32;
    for value in values {
        *value *= if stream.unit() < share { 0.0 } else { scale };
    }
}

/// Moments of the gradients so far.
#[derive(Debug, Default)]
pub(super) struct Adam {
    size: usize,
    steps: u64,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    /// One step against the gradient.
    ///
    /// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1, with the decay of weights
    /// apart from it, as in Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm 2.
    #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
    pub(super) fn step(
        &mut self,
        layers: &mut [Layer],
        gradients: &[f32],
        params: &NeuralNetParams,
    ) {
        const FIRST: f32 = 0.9;
        const SECOND: f32 = 0.999;
        const EPSILON: f64 = 1e-8;
        self.first.resize(self.size, 0.0);
        self.second.resize(self.size, 0.0);
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (first_bias, second_bias) = (
            1.0 - f64::from(FIRST).powi(steps),
            (1.0 - f64::from(SECOND).powi(steps)).sqrt(),
        );
        // The corrections of both moments in one factor, as the paper proposes at the end of its section 2.
        let rate = (params.learning_rate * second_bias / first_bias) as f32;
        let epsilon = (EPSILON * second_bias) as f32;
        let kept = (1.0 - params.learning_rate * params.weight_decay) as f32;
        let mut moments = gradients.iter().zip(&mut self.first).zip(&mut self.second);
        for layer in layers {
            let weights = layer.weights.iter_mut().map(|weight| (weight, kept));
            let biases = layer.biases.iter_mut().map(|bias| (bias, 1.0));
            for ((value, kept), ((gradient, first), second)) in
                weights.chain(biases).zip(&mut moments)
            {
                *first = FIRST * *first + (1.0 - FIRST) * gradient;
                *second = SECOND * *second + (1.0 - SECOND) * gradient * gradient;
                *value = *value * kept - rate * *first / (second.sqrt() + epsilon);
            }
        }
    }
}
