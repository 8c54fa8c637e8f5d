//! What a GRU does to its gates, and the derivative of that.
//!
//! Blocks of gates: reset, update, candidate from the inputs, candidate from the state.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::VECTOR;
use super::buffer::{load, store};
use super::math::{by_sigmoid, by_tanh, sigmoids, tanh};
use super::matmul::{add_panel, add_panels};
use super::packed::{GATES, PackedLayer, Shape};
use pulp::{Simd, WithSimd};

/// Gates that read inputs, or states.
const READING: usize = 3;

/// One step of some lanes: from inputs and states to gates, which never leave the registers unless they are taped, and
/// on to the states after it.
pub(crate) struct GruForward<'a> {
    pub(crate) weights: &'a PackedLayer,
    pub(crate) lanes: usize,
    /// A row a lane: states before the step, and inputs.
    pub(crate) before: &'a [f32],
    /// Whether these states are zeros.
    pub(crate) first: bool,
    /// Whether one lane alone begins with the last units: in turns, so that the weights read last are still in the cache.
    pub(crate) from_end: bool,
    /// The same with the states after the step.
    pub(crate) after: &'a mut [f32],
    /// Gates for the way back, a row a lane; of the fourth block, the sum.
    pub(crate) tape: Option<&'a mut [f32]>,
}

impl WithSimd for GruForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if self.lanes == 1 {
            self.one_lane(simd);
            return;
        }
        for block in 0..self.weights.shape.state_width() / VECTOR {
            for part in 0..VECTOR / S::F32_LANES {
                let mut lane = 0;
                if S::REGISTER_COUNT >= 32 {
                    while lane + 6 <= self.lanes {
                        self.tile::<S, 6>(simd, (block, part), lane);
                        lane += 6;
                    }
                    if lane + 4 <= self.lanes {
                        self.tile::<S, 4>(simd, (block, part), lane);
                        lane += 4;
                    }
                }
                while lane + 3 <= self.lanes {
                    self.tile::<S, 3>(simd, (block, part), lane);
                    lane += 3;
                }
                while lane < self.lanes {
                    self.tile::<S, 1>(simd, (block, part), lane);
                    lane += 1;
                }
            }
        }
    }
}

impl GruForward<'_> {
    /// Two blocks of units at a time: those of one would wait for their sums.
    #[inline(always)]
    fn one_lane<S: Simd>(&mut self, simd: S) {
        let blocks = self.weights.shape.state_width() / VECTOR;
        let pairs = blocks / 2;
        for pair in 0..pairs {
            let pair = if self.from_end {
                pairs - 1 - pair
            } else {
                pair
            };
            for part in 0..VECTOR / S::F32_LANES {
                self.pair(simd, (2 * pair, part));
            }
        }
        for part in 0..VECTOR / S::F32_LANES {
            if blocks % 2 == 1 {
                self.tile::<S, 1>(simd, (blocks - 1, part), 0);
            }
        }
    }

    #[inline(always)]
    fn pair<S: Simd>(&mut self, simd: S, (block, part): (usize, usize)) {
        let shape = self.weights.shape;
        let states = shape.state_width();
        let parts = VECTOR / S::F32_LANES;
        let (mut by_state, mut by_inputs): ([&[f32]; 2], [&[f32]; 2]) = ([&[]; 2], [&[]; 2]);
        let mut sums = [[simd.splat_f32s(0.0); READING]; 2];
        let mut candidates = [simd.splat_f32s(0.0); 2];
        for at in 0..2 {
            let (panel, bias) = self.weights.block(block + at);
            (by_state[at], by_inputs[at]) = panel.split_at(states * READING * VECTOR);
            let bias = S::as_simd_f32s(bias).0;
            sums[at] = [bias[part], bias[parts + part], bias[READING * parts + part]];
            candidates[at] = bias[2 * parts + part];
        }
        if !self.first {
            let row = &self.before[..states];
            add_panels(simd, row, (by_state, part), &mut sums);
        }
        // The candidate's sum over the state is put aside for that over the inputs.
        let recurrent = [sums[0][2], sums[1][2]];
        sums[0][2] = candidates[0];
        sums[1][2] = candidates[1];
        let row = &self.before[states..shape.read()];
        add_panels(simd, row, (by_inputs, part), &mut sums);
        for at in 0..2 {
            let unit = (block + at) * VECTOR + part * S::F32_LANES;
            let [r, z] = sigmoids(simd, [sums[at][0], sums[at][1]]);
            let candidate = simd.mul_add_e_f32s(r, recurrent[at], sums[at][2]);
            self.state(simd, [r, z, candidate, recurrent[at]], (0, unit));
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        (block, part): (usize, usize),
        lane: usize,
    ) {
        let shape = self.weights.shape;
        let (width, states) = (shape.width(), shape.state_width());
        let (panel, bias) = self.weights.block(block);
        let parts = VECTOR / S::F32_LANES;
        let bias = S::as_simd_f32s(bias).0;
        let mut sums = [[simd.splat_f32s(0.0); READING]; ROWS];
        for sums in &mut sums {
            for (gate, sum) in sums.iter_mut().enumerate() {
                *sum = bias[gate * parts + part];
            }
        }
        let (by_state, by_inputs) = panel.split_at(states * READING * VECTOR);
        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
        for sums in &mut sums {
            sums[2] = bias[READING * parts + part];
        }
        // States that are zeros are left out.
        if !self.first {
            for (at, row) in rows.iter_mut().enumerate() {
                *row = &self.before[(lane + at) * width..][..states];
            }
            add_panel(simd, rows, (by_state, part), &mut sums);
        }
        // The candidate's sum over the state is put aside for that over the inputs.
        let mut recurrent = [simd.splat_f32s(0.0); ROWS];
        for (recurrent, sums) in recurrent.iter_mut().zip(&mut sums) {
            *recurrent = sums[2];
            sums[2] = bias[2 * parts + part];
        }
        for (at, row) in rows.iter_mut().enumerate() {
            let place = (lane + at) * width;
            *row = &self.before[place + states..place + shape.read()];
        }
        add_panel(simd, rows, (by_inputs, part), &mut sums);
        let unit = block * VECTOR + part * S::F32_LANES;
        // Each step for all rows, so that there is something to do while one waits for its numbers.
        for (sums, recurrent) in sums.iter_mut().zip(recurrent) {
            let [r, z] = sigmoids(simd, [sums[0], sums[1]]);
            *sums = [r, z, simd.mul_add_e_f32s(r, recurrent, sums[2])];
        }
        for (at, [r, z, candidate]) in sums.into_iter().enumerate() {
            self.state(simd, [r, z, candidate, recurrent[at]], (lane + at, unit));
        }
    }

    /// From gates, the last two of them sums, to the state.
    #[inline(always)]
    fn state<S: Simd>(
        &mut self,
        simd: S,
        [r, z, candidate, recurrent]: [S::f32s; GATES],
        (lane, unit): (usize, usize),
    ) {
        let shape = self.weights.shape;
        let place = lane * shape.width() + unit;
        let n = tanh(simd, candidate);
        // (1 - z) n + z h
        let before = load::<S>(self.before, place);
        let hidden = simd.mul_add_e_f32s(z, simd.sub_f32s(before, n), n);
        store::<S>(self.after, place, hidden);
        if let Some(tape) = &mut self.tape {
            let states = shape.state_width();
            let from = lane * shape.gate_width() + unit;
            store::<S>(tape, from, r);
            store::<S>(tape, from + states, z);
            store::<S>(tape, from + 2 * states, n);
            store::<S>(tape, from + 3 * states, recurrent);
        }
    }
}

/// From gates to the derivatives of their sums, in place. A row a lane.
pub(crate) struct GruBackward<'a> {
    pub(crate) shape: Shape,
    pub(crate) lanes: usize,
    pub(crate) gates: &'a mut [f32],
    /// States before the step, and inputs.
    pub(crate) before: &'a [f32],
    /// Derivatives by states and inputs after the step, of which those by states are read.
    pub(crate) d_after: &'a [f32],
    /// The same before the step: what passes the update gate, added to what is there if that came from above.
    pub(crate) from_above: bool,
    pub(crate) d_before: &'a mut [f32],
    /// Sums over lanes of the derivatives of each gate.
    pub(crate) d_bias: &'a mut [f32],
}

impl WithSimd for GruBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (states, width) = (self.shape.state_width(), self.shape.width());
        let count = states / S::F32_LANES;
        let gates = self.gates.chunks_mut(self.shape.gate_width());
        let before = self.before.chunks(width);
        let d_after = self.d_after.chunks(width);
        let d_before = self.d_before.chunks_mut(width);
        let rows = gates.zip(before).zip(d_before.zip(d_after));
        let (bias_reset, bias) = self.d_bias.split_at_mut(states);
        let (bias_update, bias) = bias.split_at_mut(states);
        let (bias_candidate, bias_recurrent) = bias.split_at_mut(states);
        let bias_reset = &mut S::as_mut_simd_f32s(bias_reset).0[..count];
        let bias_update = &mut S::as_mut_simd_f32s(bias_update).0[..count];
        let bias_candidate = &mut S::as_mut_simd_f32s(bias_candidate).0[..count];
        let bias_recurrent = &mut S::as_mut_simd_f32s(bias_recurrent).0[..count];
        let one = simd.splat_f32s(1.0);
        for ((gates, before), (d_before, d_after)) in rows.take(self.lanes) {
            let (reset, rest) = gates.split_at_mut(states);
            let (update, rest) = rest.split_at_mut(states);
            let (candidate, rest) = rest.split_at_mut(states);
            let (recurrent, _) = rest.split_at_mut(states);
            let reset = &mut S::as_mut_simd_f32s(reset).0[..count];
            let update = &mut S::as_mut_simd_f32s(update).0[..count];
            let candidate = &mut S::as_mut_simd_f32s(candidate).0[..count];
            let recurrent = &mut S::as_mut_simd_f32s(recurrent).0[..count];
            let before = &S::as_simd_f32s(before).0[..count];
            let d_hidden = &S::as_simd_f32s(d_after).0[..count];
            let d_before = &mut S::as_mut_simd_f32s(d_before).0[..count];
            for at in 0..count {
                let (r, z, n, dh) = (reset[at], update[at], candidate[at], d_hidden[at]);
                let passed = simd.mul_f32s(dh, simd.sub_f32s(one, z));
                let by_candidate = simd.mul_f32s(passed, by_tanh(simd, n));
                let by_reset = simd.mul_f32s(by_candidate, recurrent[at]);
                let by_reset = simd.mul_f32s(by_reset, by_sigmoid(simd, r));
                let by_update = simd.mul_f32s(dh, simd.sub_f32s(before[at], n));
                let by_update = simd.mul_f32s(by_update, by_sigmoid(simd, z));
                let by_recurrent = simd.mul_f32s(by_candidate, r);
                d_before[at] = if self.from_above {
                    simd.mul_add_e_f32s(dh, z, d_before[at])
                } else {
                    simd.mul_f32s(dh, z)
                };
                reset[at] = by_reset;
                update[at] = by_update;
                candidate[at] = by_candidate;
                recurrent[at] = by_recurrent;
                bias_reset[at] = simd.add_f32s(bias_reset[at], by_reset);
                bias_update[at] = simd.add_f32s(bias_update[at], by_update);
                bias_candidate[at] = simd.add_f32s(bias_candidate[at], by_candidate);
                bias_recurrent[at] = simd.add_f32s(bias_recurrent[at], by_recurrent);
            }
        }
    }
}
