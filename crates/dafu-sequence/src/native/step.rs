//! One event of one user: the state advances by a step.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::attention::MOST;
use super::buffer::{Buffer, padded};
use super::gru::GruForward;
use super::lstm::LstmForward;
use super::math::TanhDots;
use super::packed::{LayerWeights, PackedLayer};
use crate::SequenceError;
use crate::data::{EventNumbers, check_inputs};
use crate::network::{Cell, NetworkConfig, Task, Weights};
use pulp::{Arch, Simd, WithSimd};

/// A network laid out for one event after another: a state of a few hundred numbers for each user takes the place of the
/// events before.
///
/// Weights are stored in panels of 16 units, by inputs, so that a step reads each of them once and in the order of memory:
/// two panels side by side, and in every second step the last ones first, which are still in the cache.
///
/// Shape of a state: layer after layer the hidden states, and after those of each layer of an LSTM the states of its cells;
/// each is [`hidden_units`](NetworkConfig::hidden_units) numbers, then zeros up to a multiple of 16. With attention, 16 numbers
/// follow of which the first is the sum of the weights so far, then the pool in as many as a hidden state has. All are zeros
/// before the first event. Instructions and numbers of threads do not change the shape: a state may be kept in a store and go on
/// on another machine.
#[derive(Debug, Clone)]
pub struct StepNetwork {
    pub(super) arch: Arch,
    config: NetworkConfig,
    tables: Vec<Vec<f32>>,
    pub(super) layers: Vec<PackedLayer>,
    pub(super) attention: Option<StepAttention>,
    head: StepHead,
}

#[derive(Debug, Clone)]
pub(super) struct StepAttention {
    weights: Buffer,
    bias: Buffer,
    query: Buffer,
}

#[derive(Debug, Clone)]
struct StepHead {
    /// A row a feature; or, where there is one output, a row of features.
    weights: Buffer,
    bias: Buffer,
}

/// Room for the numbers of a step; one for each thread.
#[derive(Debug, Clone)]
pub struct StepScratch {
    /// The state of a layer, then its inputs.
    before: Buffer,
    /// Whether the last step began with the last units.
    from_end: bool,
    pub(super) hidden: Buffer,
    projected: Buffer,
    exponent: [f32; 1],
    features: Buffer,
    outputs: Buffer,
}

impl StepNetwork {
    /// Lays out a network's weights.
    ///
    /// # Errors
    ///
    /// When the weights are not those of such a network, or the network reads sequences from their end
    /// ([`Task::Reconstruct`]).
    pub fn new(config: &NetworkConfig, weights: &Weights) -> Result<Self, SequenceError> {
        let weights = Weights::new(config, weights.numbers().to_vec())?;
        if config.task == Task::Reconstruct {
            return Err(SequenceError::Parameter {
                name: "task",
                expected: "one that reads events as they come: `classify` or `next_event`"
                    .to_owned(),
                got: "reconstruct".to_owned(),
            });
        }
        let (layout, numbers) = (weights.layout(), weights.numbers());
        let layers = layout.encoder.iter();
        let layers = layers
            .map(|layout| {
                let mut layer = PackedLayer::zeros(config.cell, layout.inputs, config.hidden_units);
                layer.write(&LayerWeights::new(layout, numbers));
                layer
            })
            .collect();
        let units = config.hidden_units;
        let attention = layout.attention.as_ref().map(|attention| StepAttention {
            weights: by_inputs(&numbers[attention.weight.clone()], units, units),
            bias: by_inputs(&numbers[attention.bias.clone()], 1, units),
            query: by_inputs(&numbers[attention.query.clone()], 1, units),
        });
        let (outputs, features) = (config.outputs(), config.features());
        let head = &numbers[layout.head_weight.clone()];
        let head = StepHead {
            weights: if outputs == 1 {
                head_row(head, units)
            } else {
                by_inputs(head, features, outputs)
            },
            bias: by_inputs(&numbers[layout.head_bias.clone()], 1, outputs),
        };
        let embeddings = layout.embeddings.iter();
        Ok(Self {
            arch: Arch::new(),
            config: config.clone(),
            tables: embeddings
                .map(|table| numbers[table.clone()].to_vec())
                .collect(),
            layers,
            attention,
            head,
        })
    }

    /// Its shape.
    pub const fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Numbers of state, of the shape that [`StepNetwork`] says: zeros before the first event.
    pub fn state_len(&self) -> usize {
        let width = padded(self.config.hidden_units);
        let recurrent = self.layers.len() * self.config.cell.states() * width;
        // Sum of weights in a vector of its own, sum of weighted states.
        let pool = if self.attention.is_some() {
            padded(1) + width
        } else {
            0
        };
        recurrent + pool
    }

    /// Where a state holds the sum of the weights of attention, which is never negative; `None` without attention.
    pub(crate) fn attention_sum(&self) -> Option<usize> {
        let width = padded(self.config.hidden_units);
        let recurrent = self.layers.len() * self.config.cell.states() * width;
        self.attention.as_ref().map(|_| recurrent)
    }

    /// Room for the numbers of a step.
    pub fn scratch(&self) -> StepScratch {
        let width = padded(self.config.hidden_units);
        let inputs = padded(self.config.inputs()).max(width);
        StepScratch {
            before: Buffer::zeros(inputs + width),
            from_end: false,
            hidden: Buffer::zeros(width),
            projected: Buffer::zeros(width),
            exponent: [0.0],
            features: Buffer::zeros(2 * width),
            outputs: Buffer::zeros(padded(self.config.outputs())),
        }
    }

    /// Advances a state by one event.
    ///
    /// # Errors
    ///
    /// When inputs are not those of the network, or not finite; the state is left as it is.
    ///
    /// # Panics
    ///
    /// When `state` has another length than [`state_len`](Self::state_len), or `scratch` is another network's.
    ///
    /// # Complexity
    ///
    /// O(weights), no allocation.
    pub fn advance(
        &self,
        inputs: EventNumbers<'_>,
        state: &mut [f32],
        scratch: &mut StepScratch,
    ) -> Result<(), SequenceError> {
        self.read(inputs, scratch)?;
        self.advance_read(state, scratch);
        Ok(())
    }

    /// Writes what the first layer reads of an event.
    pub(super) fn read<'a>(
        &self,
        inputs: EventNumbers<'_>,
        scratch: &'a mut StepScratch,
    ) -> Result<&'a [f32], SequenceError> {
        let categories = self.config.embeddings.iter().map(|input| input.categories);
        check_inputs(0, inputs, self.config.numeric_inputs, categories)?;
        let first = padded(self.config.hidden_units);
        let mut from = first + inputs.numeric.len();
        scratch.before[first..from].copy_from_slice(inputs.numeric);
        let tables = self.tables.iter().zip(&self.config.embeddings);
        for ((table, embedding), code) in tables.zip(inputs.codes) {
            let row = *code as usize * embedding.dimension;
            scratch.before[from..from + embedding.dimension]
                .copy_from_slice(&table[row..row + embedding.dimension]);
            from += embedding.dimension;
        }
        Ok(&scratch.before[first..from])
    }

    /// As [`advance`](Self::advance), by what the first layer reads of an event.
    pub(super) fn advance_embedded(
        &self,
        inputs: &[f32],
        state: &mut [f32],
        scratch: &mut StepScratch,
    ) {
        let first = padded(self.config.hidden_units);
        scratch.before[first..first + inputs.len()].copy_from_slice(inputs);
        self.advance_read(state, scratch);
    }

    /// Advances a state by what stands in the scratch.
    fn advance_read(&self, state: &mut [f32], scratch: &mut StepScratch) {
        let width = padded(self.config.hidden_units);
        let (states, pool) =
            state.split_at_mut(self.layers.len() * self.config.cell.states() * width);
        let states = states.chunks_exact_mut(self.config.cell.states() * width);
        for (layer, state) in self.layers.iter().zip(states) {
            let (hidden, cell) = state.split_at_mut(width);
            scratch.from_end = !scratch.from_end;
            self.advance_layer(layer, (hidden, cell), scratch);
            scratch.hidden.copy_from_slice(hidden);
            scratch.before[width..2 * width].copy_from_slice(hidden);
        }
        if let Some(attention) = &self.attention {
            self.advance_pool(attention, pool, scratch);
        }
    }

    fn advance_layer(
        &self,
        layer: &PackedLayer,
        (hidden, cell): (&mut [f32], &mut [f32]),
        scratch: &mut StepScratch,
    ) {
        scratch.before[..hidden.len()].copy_from_slice(hidden);
        match self.config.cell {
            Cell::Lstm => self.arch.dispatch(LstmForward {
                weights: layer,
                lanes: 1,
                before: &scratch.before,
                first: false,
                from_end: scratch.from_end,
                after: hidden,
                cells: (0, 0),
                cell,
                tape: None,
            }),
            Cell::Gru => self.arch.dispatch(GruForward {
                weights: layer,
                lanes: 1,
                before: &scratch.before,
                first: false,
                from_end: scratch.from_end,
                after: hidden,
                tape: None,
            }),
        }
    }

    pub(super) fn advance_pool(
        &self,
        attention: &StepAttention,
        pool: &mut [f32],
        scratch: &mut StepScratch,
    ) {
        let units = self.config.hidden_units;
        let width = padded(units);
        let projected = &mut scratch.projected[..];
        self.arch.dispatch(VecMat {
            vector: &scratch.hidden[..units],
            matrix: (&attention.weights, width),
            bias: &attention.bias,
            result: projected,
        });
        self.arch.dispatch(TanhDots {
            rows: projected,
            other: &attention.query,
            sums: &mut scratch.exponent,
        });
        let weight = scratch.exponent[0].clamp(-MOST, MOST).exp();
        let (sum, pooled) = pool.split_at_mut(padded(1));
        sum[0] += weight;
        let share = weight / sum[0];
        for (pooled, hidden) in pooled.iter_mut().zip(&scratch.hidden[..]) {
            *pooled += share * (hidden - *pooled);
        }
    }

    /// The outputs of the network in a state, [`NetworkConfig::outputs`] numbers as they are laid out there: for [`Task::Classify`] about the event that led there, for
    /// [`Task::NextEvent`] about the one to come.
    ///
    /// # Panics
    ///
    /// When `state` has another length than [`state_len`](Self::state_len), or `scratch` is another network's.
    ///
    /// # Complexity
    ///
    /// O(features x outputs), no allocation.
    pub fn answer<'a>(&self, state: &[f32], scratch: &'a mut StepScratch) -> &'a [f32] {
        let width = padded(self.config.hidden_units);
        let recurrent = self.layers.len() * self.config.cell.states() * width;
        let top = recurrent - self.config.cell.states() * width;
        let hidden = &state[top..top + width];
        let pooled = self
            .attention
            .as_ref()
            .map(|_| &state[recurrent + padded(1)..]);
        self.answer_by(hidden, pooled, scratch)
    }

    /// Outputs by the states of the last layer, and their pool.
    pub(super) fn answer_by<'a>(
        &self,
        hidden: &[f32],
        pooled: Option<&[f32]>,
        scratch: &'a mut StepScratch,
    ) -> &'a [f32] {
        let units = self.config.hidden_units;
        let width = padded(units);
        let outputs = self.config.outputs();
        if outputs == 1 {
            let mut sum = self.arch.dispatch(Dot {
                left: hidden,
                right: &self.head.weights[..width],
            });
            if let Some(pooled) = pooled {
                let right = &self.head.weights[width..];
                sum += self.arch.dispatch(Dot {
                    left: pooled,
                    right,
                });
            }
            scratch.outputs[0] = sum + self.head.bias[0];
        } else {
            scratch.features[..units].copy_from_slice(&hidden[..units]);
            if let Some(pooled) = pooled {
                scratch.features[units..2 * units].copy_from_slice(&pooled[..units]);
            }
            self.arch.dispatch(VecMat {
                vector: &scratch.features[..self.config.features()],
                matrix: (&self.head.weights, padded(outputs)),
                bias: &self.head.bias,
                result: &mut scratch.outputs,
            });
        }
        &scratch.outputs[..outputs]
    }
}

/// A matrix of `outputs` rows as one of `inputs` rows, each padded to whole vectors.
fn by_inputs(matrix: &[f32], inputs: usize, outputs: usize) -> Buffer {
    let width = padded(outputs);
    let mut turned = Buffer::zeros(inputs * width);
    for output in 0..outputs {
        for input in 0..inputs {
            turned[input * width + output] = matrix[output * inputs + input];
        }
    }
    turned
}

/// One row of features, each part of `units` padded to whole vectors.
fn head_row(row: &[f32], units: usize) -> Buffer {
    let width = padded(units);
    let mut padded_row = Buffer::zeros(row.len() / units * width);
    for (from, to) in row.chunks(units).zip(padded_row.chunks_mut(width)) {
        to[..units].copy_from_slice(from);
    }
    padded_row
}

/// `result = bias + vector * matrix`: a row of the matrix for each number of the vector.
struct VecMat<'a> {
    vector: &'a [f32],
    matrix: (&'a [f32], usize),
    bias: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for VecMat<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = S::F32_LANES;
        let mut column = 0;
        // As many sums as registers allow: each is a chain of additions.
        while column < self.result.len() {
            let left = self.result.len() - column;
            if left >= 16 * width && S::REGISTER_COUNT >= 32 {
                self.columns::<S, 16>(simd, column);
                column += 16 * width;
            } else if left >= 8 * width {
                self.columns::<S, 8>(simd, column);
                column += 8 * width;
            } else if left >= 4 * width {
                self.columns::<S, 4>(simd, column);
                column += 4 * width;
            } else {
                self.columns::<S, 1>(simd, column);
                column += width;
            }
        }
    }
}

impl VecMat<'_> {
    #[inline(always)]
    fn columns<S: Simd, const VECTORS: usize>(&mut self, simd: S, column: usize) {
        let range = column..column + VECTORS * S::F32_LANES;
        let (matrix, stride) = self.matrix;
        let bias = S::as_simd_f32s(&self.bias[range.clone()]).0;
        let mut sums = [simd.splat_f32s(0.0); VECTORS];
        sums.copy_from_slice(bias);
        for (number, row) in self.vector.iter().zip(matrix.chunks(stride)) {
            let number = simd.splat_f32s(*number);
            let row = S::as_simd_f32s(&row[range.clone()]).0;
            for (sum, vector) in sums.iter_mut().zip(row) {
                *sum = simd.mul_add_e_f32s(number, *vector, *sum);
            }
        }
        S::as_mut_simd_f32s(&mut self.result[range])
            .0
            .copy_from_slice(&sums);
    }
}

/// Sum of products; lengths are whole vectors.
struct Dot<'a> {
    left: &'a [f32],
    right: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sum = simd.splat_f32s(0.0);
        let (left, right) = (S::as_simd_f32s(self.left).0, S::as_simd_f32s(self.right).0);
        for (left, right) in left.iter().zip(right) {
            sum = simd.mul_add_e_f32s(*left, *right, sum);
        }
        simd.reduce_sum_f32s(sum)
    }
}
