//! A pool of all states so far, weighted by how much the network attends to each.
//!
//! `e_s = q . tanh(W h_s + b)`, `pool_t = sum over s <= t of exp(e_s) h_s / sum of exp(e_s)`: the query is learned and the
//! same for all steps, so that the pool advances by one step an event, like the state.
//!
//! Source: Yang et al., "Hierarchical Attention Networks", NAACL 2016, equations 5 to 7, here over prefixes. `e` is held
//! within [`MOST`] so that sums need no rescaling.

use super::LANES;
use super::buffer::Buffer;
use super::chunk::Net;
use super::matmul::{Factor, MatMul, Start};
use super::recurrent::{Active, LayerTape};
use crate::network::{AttentionLayout, NetworkConfig};
use pulp::Arch;

/// Largest exponent of a weight.
pub(crate) const MOST: f32 = 40.0;

/// The pool's weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionWeights<'a> {
    arch: Arch,
    units: usize,
    weight: &'a [f32],
    bias: &'a [f32],
    query: &'a [f32],
}

impl<'a> AttentionWeights<'a> {
    pub(crate) fn new(net: &Net<'a>) -> Option<Self> {
        let layout = net.layout.attention.as_ref()?;
        Some(Self {
            arch: net.arch,
            units: net.config.hidden_units,
            weight: &net.numbers[layout.weight.clone()],
            bias: &net.numbers[layout.bias.clone()],
            query: &net.numbers[layout.query.clone()],
        })
    }
}

/// The numbers of a chunk. Slots count the states read, as for hidden states.
#[derive(Debug, Default)]
pub(crate) struct AttentionTape {
    /// `tanh(W h + b)` of each step.
    projected: Buffer,
    /// `exp(e)` and whether `e` was within bounds (1) or held (0), of each step.
    weights: Buffer,
    within: Buffer,
    /// Sum of the weights of each slot.
    sums: Buffer,
    pooled: Buffer,
    d_pooled: Buffer,
}

impl AttentionTape {
    pub(crate) fn pooled(&self, units: usize, slot: usize) -> &[f32] {
        &self.pooled[slot * units * LANES..(slot + 1) * units * LANES]
    }

    pub(crate) fn d_pooled(&mut self, units: usize, slot: usize) -> &mut [f32] {
        &mut self.d_pooled[slot * units * LANES..(slot + 1) * units * LANES]
    }

    pub(crate) fn clear_derivatives(&mut self, config: &NetworkConfig, steps: usize) {
        if config.attention() {
            let length = (steps + 1) * config.hidden_units * LANES;
            self.d_pooled.reserve(length);
            self.d_pooled[..length].fill(0.0);
        }
    }

    pub(crate) fn forward(
        &mut self,
        weights: &AttentionWeights<'_>,
        layer: &LayerTape,
        active: Active<'_>,
    ) {
        let (units, steps) = (weights.units, active.steps());
        let block = units * LANES;
        self.projected.reserve(steps * block);
        self.weights.reserve(steps * LANES);
        self.within.reserve(steps * LANES);
        self.sums.reserve((steps + 1) * LANES);
        self.pooled.reserve((steps + 1) * block);
        self.pooled[..block].fill(0.0);
        self.sums[..LANES].fill(0.0);
        for step in 0..steps {
            let columns = active.columns(step);
            let hidden = layer.hidden(units, step + 1);
            let projected = &mut self.projected[step * block..(step + 1) * block];
            weights.arch.dispatch(MatMul {
                factor: Factor::Rows(weights.weight, units),
                rows: units,
                inner: units,
                columns,
                other: (hidden, LANES),
                result: (projected, LANES),
                start: Start::Rows(weights.bias),
            });
            let mut exponents = [0.0_f32; LANES];
            for (row, query) in projected.chunks_mut(LANES).zip(weights.query) {
                for (number, exponent) in row[..columns].iter_mut().zip(&mut exponents) {
                    *number = number.tanh();
                    *exponent += query * *number;
                }
            }
            let (sums_before, sums) = self.sums.split_at_mut((step + 1) * LANES);
            let sums_before = &sums_before[step * LANES..];
            let (before, pooled) = self.pooled.split_at_mut((step + 1) * block);
            let before = &before[step * block..];
            let mut shares = [0.0_f32; LANES];
            for lane in 0..columns {
                let held = exponents[lane].clamp(-MOST, MOST);
                let weight = held.exp();
                self.weights[step * LANES + lane] = weight;
                let free = exponents[lane].abs() < MOST;
                self.within[step * LANES + lane] = f32::from(u8::from(free));
                sums[lane] = sums_before[lane] + weight;
                shares[lane] = weight / sums[lane];
            }
            let rows = hidden.chunks(LANES).zip(before.chunks(LANES));
            for ((hidden, before), pooled) in rows.zip(pooled.chunks_mut(LANES)) {
                for lane in 0..columns {
                    pooled[lane] = before[lane] + shares[lane] * (hidden[lane] - before[lane]);
                }
            }
        }
    }

    /// From derivatives by pools to those by weights and hidden states.
    pub(crate) fn backward(
        &mut self,
        weights: &AttentionWeights<'_>,
        layer: &mut LayerTape,
        active: Active<'_>,
        (layout, all): (&AttentionLayout, &mut [f32]),
    ) {
        let units = weights.units;
        let block = units * LANES;
        // Derivatives by the sums of weighted states and of weights: those of all later slots.
        let mut by_states = vec![0.0_f32; block];
        let mut by_sums = [0.0_f32; LANES];
        let mut by_projected = vec![0.0_f32; block];
        for step in (0..active.steps()).rev() {
            let lanes = active.0[step];
            let slot = step + 1;
            for unit in 0..units {
                for (lane, by_sum) in by_sums[..lanes].iter_mut().enumerate() {
                    let at = unit * LANES + lane;
                    let derivative =
                        self.d_pooled[slot * block + at] / self.sums[slot * LANES + lane];
                    by_states[at] += derivative;
                    *by_sum -= derivative * self.pooled[slot * block + at];
                }
            }
            let hidden = &layer.hidden[slot * block..(slot + 1) * block];
            let d_hidden = &mut layer.d_hidden[step * block..(step + 1) * block];
            let mut by_exponent = [0.0_f32; LANES];
            by_exponent[..lanes].copy_from_slice(&by_sums[..lanes]);
            for unit in 0..units {
                for (lane, by_exponent) in by_exponent[..lanes].iter_mut().enumerate() {
                    let at = unit * LANES + lane;
                    *by_exponent += hidden[at] * by_states[at];
                    d_hidden[at] += self.weights[step * LANES + lane] * by_states[at];
                }
            }
            for (lane, by_exponent) in by_exponent[..lanes].iter_mut().enumerate() {
                let place = step * LANES + lane;
                *by_exponent *= self.weights[place] * self.within[place];
            }
            let projected = &self.projected[step * block..(step + 1) * block];
            for unit in 0..units {
                let mut by_query = 0.0;
                let mut by_bias = 0.0;
                for (lane, by_exponent) in by_exponent[..lanes].iter().enumerate() {
                    let number = projected[unit * LANES + lane];
                    by_query += by_exponent * number;
                    let sum = by_exponent * weights.query[unit] * (1.0 - number * number);
                    by_bias += sum;
                    by_projected[unit * LANES + lane] = sum;
                }
                all[layout.query.start + unit] += by_query;
                all[layout.bias.start + unit] += by_bias;
                for other in 0..units {
                    let states = &hidden[other * LANES..][..lanes];
                    let sums = &by_projected[unit * LANES..][..lanes];
                    let products = states.iter().zip(sums).map(|(state, sum)| state * sum);
                    all[layout.weight.start + unit * units + other] += products.sum::<f32>();
                }
            }
            for unit in 0..units {
                let row = &weights.weight[unit * units..(unit + 1) * units];
                for (other, weight) in row.iter().enumerate() {
                    let to = &mut d_hidden[other * LANES..][..lanes];
                    let sums = &by_projected[unit * LANES..][..lanes];
                    for (to, sum) in to.iter_mut().zip(sums) {
                        *to += weight * sum;
                    }
                }
            }
        }
    }
}
