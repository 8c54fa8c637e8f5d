//! Networks of libtorch.

use super::adam::Adam;
use super::batch::Lanes;
use super::{failed, long};
use crate::SequenceError;
use crate::data::{SequenceSet, Span};
use crate::network::{
    AdamStep, AttentionLayout, Batch, Cell, Network, NetworkConfig, Objective, RecurrentLayout,
    Task, Weights, check_events,
};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use tch::{Device, Kind, TchError, Tensor};

/// Sequences that are answered together, at most.
const BLOCK: usize = 1024;
/// Steps of all of them, those that shorter ones are filled up with included, for more than one.
const STEPS: usize = 1 << 16;

/// libtorch draws from one generator for all threads: from the seed of a step to the last number drawn, no other training
/// may seed it or draw.
static DRAWING: Mutex<()> = Mutex::new(());

/// A network of libtorch.
#[derive(Debug)]
pub struct TorchNetwork {
    device: Device,
    config: NetworkConfig,
    /// For its layout; its numbers are those of the start.
    weights: Weights,
    /// All weights in one tensor, by the layout.
    numbers: Tensor,
    gradient: Tensor,
    adam: Adam,
}

impl TorchNetwork {
    pub(super) fn new(
        device: Device,
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<Self, SequenceError> {
        let weights = Weights::new(config, weights.numbers().to_vec())?;
        let make = || -> Result<_, TchError> {
            let numbers = Tensor::f_from_slice(weights.numbers())?.f_to_device(device)?;
            let numbers = numbers.f_set_requires_grad(true)?;
            let gradient = tch::no_grad(|| numbers.f_zeros_like())?;
            let adam = Adam::new(&gradient)?;
            Ok((numbers, gradient, adam))
        };
        let (numbers, gradient, adam) = make().map_err(failed)?;
        Ok(Self {
            device,
            config: config.clone(),
            weights,
            numbers,
            gradient,
            adam,
        })
    }

    fn tensor(&self, range: &Range<usize>, shape: &[i64]) -> Result<Tensor, TchError> {
        let part = self
            .numbers
            .f_narrow(0, long(range.start), long(range.len()))?;
        part.f_view(shape)
    }

    /// Answers, a row for each.
    fn answer(&self, lanes: &Lanes, train: bool) -> Result<Tensor, TchError> {
        let layout = self.weights.layout();
        let (steps, units) = (lanes.steps, long(self.config.hidden_units));
        let mut inputs = vec![lanes.numeric.shallow_clone()];
        let tables = layout.embeddings.iter().zip(&self.config.embeddings);
        for ((range, embedding), codes) in tables.zip(&lanes.codes) {
            let dimension = long(embedding.dimension);
            let table = self.tensor(range, &[i64::from(embedding.categories), dimension])?;
            let rows = table.f_index_select(0, codes)?;
            inputs.push(rows.f_view([steps, lanes.width, dimension])?);
        }
        let inputs = Tensor::f_cat(&inputs, 2)?;
        let states = self.recurrent(&layout.encoder, &inputs, train)?;
        let features = match self.config.task {
            Task::Classify { attention: false } => states,
            Task::Classify { attention: true } => {
                let pooled = self.pool(&states)?;
                Tensor::f_cat(&[states, pooled], 2)?
            }
            Task::NextEvent => {
                let zeros = states.f_narrow(0, 0, 1)?.f_zeros_like()?;
                Tensor::f_cat(&[zeros, states.f_narrow(0, 0, steps - 1)?], 0)?
            }
            Task::Reconstruct => {
                let flat = states.f_view([-1, units])?;
                let summary = flat.f_index_select(0, &lanes.last)?;
                let spread = summary.f_unsqueeze(0)?.f_expand([steps, -1, -1], false)?;
                self.recurrent(&layout.decoder, &spread.f_contiguous()?, train)?
            }
        };
        let width = long(self.config.features());
        let features = features.f_contiguous()?.f_view([-1, width])?;
        let features = features.f_index_select(0, &lanes.answers)?;
        let features = features.f_dropout(f64::from(self.config.dropout), train)?;
        let outputs = long(self.config.outputs());
        let weight = self.tensor(&layout.head_weight, &[outputs, width])?;
        let bias = self.tensor(&layout.head_bias, &[outputs])?;
        features.f_linear(&weight, Some(&bias))
    }

    /// Answers of a training, with units left out that are drawn from `noise`.
    fn answer_with_dropout(
        &self,
        lanes: &Lanes,
        (seed, step): (u64, u64),
    ) -> Result<Tensor, TchError> {
        let alone = (self.config.dropout > 0.0)
            .then(|| DRAWING.lock().unwrap_or_else(PoisonError::into_inner));
        if alone.is_some() {
            // A seed of 63 bits is what libtorch takes.
            let mixed = dafu_core::random::Stream::new(seed, step, 0).bits() >> 1;
            tch::manual_seed(mixed.cast_signed());
        }
        self.answer(lanes, true)
    }

    /// States of the top layer, `steps x lanes x units`.
    fn recurrent(
        &self,
        layers: &[RecurrentLayout],
        inputs: &Tensor,
        train: bool,
    ) -> Result<Tensor, TchError> {
        let units = long(self.config.hidden_units);
        let rows = units * long(self.config.cell.gates());
        let mut weights = Vec::with_capacity(4 * layers.len());
        for layer in layers {
            weights.push(self.tensor(&layer.weight_ih, &[rows, long(layer.inputs)])?);
            weights.push(self.tensor(&layer.weight_hh, &[rows, units])?);
            weights.push(self.tensor(&layer.bias_ih, &[rows])?);
            weights.push(self.tensor(&layer.bias_hh, &[rows])?);
        }
        let count = long(layers.len());
        let lanes = inputs.size()[1];
        let zeros = Tensor::f_zeros([count, lanes, units], (Kind::Float, self.device))?;
        let dropout = f64::from(self.config.dropout);
        let states = match self.config.cell {
            Cell::Lstm => {
                let before = [&zeros, &zeros];
                let weights: Vec<&Tensor> = weights.iter().collect();
                inputs
                    .f_lstm(&before, &weights, true, count, dropout, train, false, false)?
                    .0
            }
            Cell::Gru => {
                inputs
                    .f_gru(&zeros, &weights, true, count, dropout, train, false, false)?
                    .0
            }
        };
        Ok(states)
    }

    /// The attention pool over the states up to each step.
    fn pool(&self, states: &Tensor) -> Result<Tensor, TchError> {
        let units = long(self.config.hidden_units);
        let Some(attention) = &self.weights.layout().attention else {
            return Err(TchError::Convert("the network has no attention".to_owned()));
        };
        let weight = self.tensor(&attention.weight, &[units, units])?;
        let bias = self.tensor(&attention.bias, &[units])?;
        let query = self.tensor(&attention.query, &[1, units])?;
        let most = f64::from(AttentionLayout::MOST_EXPONENT);
        let projected = states.f_linear(&weight, Some(&bias))?.f_tanh()?;
        let exponents = projected
            .f_linear(&query, None::<Tensor>)?
            .f_clamp(-most, most)?;
        let weights = exponents.f_exp()?;
        let weighted = states.f_mul(&weights)?.f_cumsum(0, Kind::Float)?;
        weighted.f_div(&weights.f_cumsum(0, Kind::Float)?)
    }

    fn numbers_of(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
        let tensor = tensor
            .f_detach()?
            .f_to_device(Device::Cpu)?
            .f_contiguous()?;
        let mut numbers = vec![0.0_f32; tensor.numel()];
        let count = numbers.len();
        tensor.f_copy_data(&mut numbers, count)?;
        Ok(numbers)
    }

    fn loss_and_gradient(
        &self,
        batch: Batch<'_>,
        objective: &dyn Objective,
    ) -> Result<(f64, usize, Option<Tensor>), TchError> {
        let set = batch.set;
        let counts = |event| set.events().scorable(event) && objective.counts(set, event);
        let lanes = Lanes::new(&self.config, set, batch.sequences, &counts, self.device)?;
        if lanes.events.is_empty() {
            return Ok((0.0, 0, None));
        }
        let outputs = self.answer_with_dropout(&lanes, batch.noise)?;
        let numbers = Self::numbers_of(&outputs)?;
        let mut slopes = vec![0.0_f32; numbers.len()];
        let count = self.config.outputs();
        let rows = numbers.chunks(count).zip(slopes.chunks_mut(count));
        let losses = lanes
            .events
            .iter()
            .zip(rows)
            .map(|(event, (numbers, slopes))| {
                f64::from(objective.event_loss(set, *event, numbers, slopes))
            });
        let loss = losses.sum();
        // The derivative of this sum by the weights is that of the loss.
        let slopes = Tensor::f_from_slice(&slopes)?.f_to_device(self.device)?;
        let slopes = slopes
            .f_view_as(&outputs)?
            .f_div_scalar(lanes.events.len() as f64)?;
        let sum = outputs.f_mul(&slopes)?.f_sum(Kind::Float)?;
        let mut gradients = Tensor::f_run_backward(&[&sum], &[&self.numbers], false, false)?;
        Ok((
            loss,
            lanes.events.len(),
            gradients.pop().filter(Tensor::defined),
        ))
    }
}

impl Network for TorchNetwork {
    fn config(&self) -> &NetworkConfig {
        &self.config
    }

    fn weights(&self) -> Result<Weights, SequenceError> {
        let mut weights = self.weights.clone();
        let numbers = Self::numbers_of(&self.numbers).map_err(failed)?;
        weights.numbers_mut().copy_from_slice(&numbers);
        Ok(weights)
    }

    fn gradient(
        &mut self,
        batch: Batch<'_>,
        objective: &dyn Objective,
    ) -> Result<(f64, usize), SequenceError> {
        check_events(&self.config, batch.set)?;
        batch.check()?;
        let (loss, count, gradient) = self.loss_and_gradient(batch, objective).map_err(failed)?;
        self.gradient = match gradient {
            Some(gradient) => gradient,
            None => self.gradient.f_zeros_like().map_err(failed)?,
        };
        Ok((loss, count))
    }

    fn kept_gradient(&self) -> Result<Vec<f32>, SequenceError> {
        Self::numbers_of(&self.gradient).map_err(failed)
    }

    fn update(&mut self, step: AdamStep) -> Result<f64, SequenceError> {
        let (numbers, gradient) = (&mut self.numbers, &self.gradient);
        let adam = &mut self.adam;
        tch::no_grad(|| adam.update(numbers, gradient, step)).map_err(failed)
    }

    fn outputs(&self, set: SequenceSet<'_>, out: &mut [f32]) -> Result<(), SequenceError> {
        check_events(&self.config, set)?;
        let count = self.config.outputs();
        let expected = set.scored().count() * count;
        if expected != out.len() {
            return Err(SequenceError::OutputLength {
                expected,
                got: out.len(),
            });
        }
        let spans = set.spans();
        let scorable = |event: usize| set.events().scorable(event);
        // Where the outputs about each sequence stand.
        let mut end = 0;
        let places = spans.iter().map(|span| {
            let from = end;
            let scored = (span.scored_from..span.end).filter(|event| scorable(*event));
            end += scored.count() * count;
            from..end
        });
        let places: Vec<Range<usize>> = places.collect();
        for sequences in blocks(spans) {
            let numbers = tch::no_grad(|| {
                let lanes = Lanes::new(&self.config, set, &sequences, &scorable, self.device)?;
                if lanes.events.is_empty() {
                    return Ok(Vec::new());
                }
                Self::numbers_of(&self.answer(&lanes, false)?)
            });
            let numbers = numbers.map_err(failed)?;
            let mut rest = &numbers[..];
            for sequence in sequences {
                let place = places[sequence as usize].clone();
                let (own, others) = rest.split_at(place.len());
                out[place].copy_from_slice(own);
                rest = others;
            }
        }
        Ok(())
    }
}

/// Sequences that are answered together: of about one length, so that few steps are filled up.
fn blocks(spans: &[Span]) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..).take(spans.len()).collect();
    let length = |sequence: u32| spans[sequence as usize].len();
    order.sort_by_key(|sequence| std::cmp::Reverse(length(*sequence)));
    let mut blocks = Vec::new();
    let mut rest = &order[..];
    while let Some(longest) = rest.first() {
        let most = (STEPS / length(*longest)).clamp(1, BLOCK);
        let (block, shorter) = rest.split_at(most.min(rest.len()));
        blocks.push(block.to_vec());
        rest = shorter;
    }
    blocks
}
