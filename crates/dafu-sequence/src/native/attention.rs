//! A pool of all states so far, weighted by how much the network attends to each.
//!
//! `e_s = q . tanh(W h_s + b)`, `pool_t = sum over s <= t of exp(e_s) h_s / sum of exp(e_s)`: the query is learned and the
//! same for all steps, so that the pool advances by one step an event, like the state.
//!
//! Source: Yang et al., "Hierarchical Attention Networks", NAACL 2016, equations 5 to 7, here over prefixes. `e` is held
//! within [`MOST`] so that sums need no rescaling.

use super::buffer::{Buffer, padded};
use super::math::TanhDots;
use super::matmul::{Factor, MatMul, Start};
use super::packed::PackedAttention;
use super::recurrent::{Active, LayerTape, add, add_rows};
use super::{BLOCK, LANES};
use crate::network::{AttentionLayout, NetworkConfig};
use pulp::Arch;

/// Largest exponent of a weight.
pub(crate) const MOST: f32 = AttentionLayout::MOST_EXPONENT;

/// The numbers of a chunk, a row a lane; of what is not taped, those of a block of steps. Slots count the states read, as
/// for states.
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

const fn place(units: usize, slot: usize, lane: usize) -> usize {
    (slot * LANES + lane) * padded(units)
}

impl AttentionTape {
    pub(crate) fn pooled(&self, units: usize, slot: usize, lane: usize) -> &[f32] {
        &self.pooled[place(units, slot, lane)..][..units]
    }

    pub(crate) fn d_pooled(&mut self, units: usize, slot: usize, lane: usize) -> &mut [f32] {
        &mut self.d_pooled[place(units, slot, lane)..][..units]
    }

    pub(crate) fn clear_derivatives(&mut self, config: &NetworkConfig, steps: usize) {
        if config.attention() {
            let length = place(config.hidden_units, steps + 1, 0);
            self.d_pooled.reserve(length);
            self.d_pooled[..length].fill(0.0);
        }
    }

    /// Makes room for so many steps.
    pub(crate) fn reserve(&mut self, units: usize, steps: usize) {
        let block = place(units, 1, 0);
        self.projected.reserve(steps * block);
        self.weights.reserve(steps * LANES);
        self.within.reserve(steps * LANES);
        self.sums.reserve((steps + 1) * LANES);
        self.pooled.reserve((steps + 1) * block);
    }

    /// Pools before the first step: zeros, or those after the block before.
    fn begin_pools(&mut self, units: usize, active: Active<'_>) {
        let block = place(units, 1, 0);
        if active.before() == 0 {
            self.pooled[..block].fill(0.0);
            self.sums[..LANES].fill(0.0);
        } else {
            let from = BLOCK * block;
            self.pooled.copy_within(from..from + block, 0);
            self.sums.copy_within(BLOCK * LANES..(BLOCK + 1) * LANES, 0);
        }
    }

    pub(crate) fn forward(
        &mut self,
        arch: Arch,
        weights: &PackedAttention,
        layer: &LayerTape,
        active: Active<'_>,
    ) {
        let units = weights.projection.inputs;
        let (width, block) = (padded(units), place(units, 1, 0));
        self.begin_pools(units, active);
        for (step, lanes) in active.lanes().iter().enumerate() {
            let slot = step + 1;
            let (states, stride) = layer.all_states(slot);
            let projected = &mut self.projected[step * block..slot * block];
            arch.dispatch(MatMul {
                factor: Factor::Rows(states, stride),
                rows: *lanes,
                inner: units,
                columns: width,
                other: (&weights.projection.forward, width),
                result: (projected, width),
                start: Start::Row(&weights.projection.bias),
            });
            let exponents = &mut self.weights[step * LANES..][..*lanes];
            arch.dispatch(TanhDots {
                rows: projected,
                other: &weights.query,
                sums: exponents,
            });
            let (sums_before, sums) = self.sums.split_at_mut(slot * LANES);
            let sums_before = &sums_before[step * LANES..];
            let (before, pooled) = self.pooled.split_at_mut(slot * block);
            let before = before[step * block..].chunks(width);
            let rows = before.zip(pooled.chunks_mut(width));
            for (lane, (weight, (before, pooled))) in exponents.iter_mut().zip(rows).enumerate() {
                let exponent = *weight;
                *weight = exponent.clamp(-MOST, MOST).exp();
                let free = exponent.abs() < MOST;
                self.within[step * LANES + lane] = f32::from(u8::from(free));
                sums[lane] = sums_before[lane] + *weight;
                let share = *weight / sums[lane];
                let rows = layer.states(slot, lane).iter().zip(before);
                for (pooled, (state, before)) in pooled.iter_mut().zip(rows) {
                    *pooled = before + share * (state - before);
                }
            }
        }
    }

    /// From derivatives by pools to those by weights and states.
    pub(crate) fn backward(
        &mut self,
        (arch, weights): (Arch, &PackedAttention),
        layer: &mut LayerTape,
        active: Active<'_>,
        (layout, all): (&AttentionLayout, &mut [f32]),
    ) {
        let units = weights.projection.inputs;
        let (width, block) = (padded(units), place(units, 1, 0));
        // Derivatives by the sums of weighted states and of weights: those of all later slots.
        let mut by_states = Buffer::zeros(block);
        let mut by_sums = [0.0_f32; LANES];
        // States and pools are taken as distances from each lane's last pool: where states hardly differ, the difference of
        // two nearly equal sums would be all rounding.
        let mut centres = Buffer::zeros(block);
        let mut centred = 0;
        let mut by_projected = Buffer::zeros(block);
        let mut by_weights = Buffer::zeros(units * width);
        let (mut by_bias, mut by_query) = (Buffer::zeros(width), Buffer::zeros(width));
        for (step, lanes) in active.lanes().iter().enumerate().rev() {
            let slot = step + 1;
            let (d_states, states, stride) = layer.all_d_states(slot);
            for lane in centred..*lanes {
                let last = &self.pooled[place(units, slot, lane)..][..units];
                centres[lane * width..][..units].copy_from_slice(last);
            }
            centred = *lanes;
            for lane in 0..*lanes {
                let from = place(units, slot, lane);
                let centre = &centres[lane * width..][..units];
                let inverse = 1.0 / self.sums[slot * LANES + lane];
                let by_states = &mut by_states[lane * width..][..units];
                let derivatives = self.d_pooled[from..].iter().zip(&self.pooled[from..]);
                let mut by_sum = 0.0;
                let rows = by_states.iter_mut().zip(derivatives).zip(centre);
                for ((by_state, (derivative, pooled)), centre) in rows {
                    let derivative = derivative * inverse;
                    *by_state += derivative;
                    by_sum -= derivative * (pooled - centre);
                }
                by_sums[lane] += by_sum;
                let weight = self.weights[step * LANES + lane];
                let states = &states[lane * stride..][..units];
                let d_states = &mut d_states[lane * stride..][..units];
                let mut by_exponent = by_sums[lane];
                let rows = d_states.iter_mut().zip(states).zip(by_states).zip(centre);
                for (((d_state, state), by_state), centre) in rows {
                    by_exponent += (state - centre) * *by_state;
                    *d_state += weight * *by_state;
                }
                by_exponent *= weight * self.within[step * LANES + lane];
                let projected = &self.projected[place(units, step, lane)..][..units];
                let by_projected = &mut by_projected[lane * width..][..units];
                let rows = projected.iter().zip(&weights.query[..]).zip(by_projected);
                let sums = by_bias.iter_mut().zip(&mut by_query[..]);
                for (((number, query), by_projected), (by_bias, by_query)) in rows.zip(sums) {
                    let sum = by_exponent * query * (1.0 - number * number);
                    *by_query += by_exponent * number;
                    *by_bias += sum;
                    *by_projected = sum;
                }
            }
            arch.dispatch(MatMul {
                factor: Factor::Columns(&by_projected, width),
                rows: units,
                inner: *lanes,
                columns: width,
                other: (states, stride),
                result: (&mut by_weights, width),
                start: Start::Kept,
            });
            arch.dispatch(MatMul {
                factor: Factor::Rows(&by_projected, width),
                rows: *lanes,
                inner: units,
                columns: width,
                other: (&weights.projection.back, width),
                result: (d_states, stride),
                start: Start::Kept,
            });
        }
        add(&by_query, &mut all[layout.query.clone()]);
        add(&by_bias, &mut all[layout.bias.clone()]);
        let to = &mut all[layout.weight.clone()];
        add_rows((&by_weights, width), units, to);
    }
}
