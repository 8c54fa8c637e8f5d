//! What an LSTM does to its gates, and the derivative of that.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::VECTOR;
use super::buffer::{load, store};
use super::math::{by_sigmoid, by_tanh, lstm_gates, tanh};
use super::matmul::{add_panel, add_panels};
use super::packed::{GATES, PackedLayer, Shape};
use pulp::{Simd, WithSimd};

/// One step of some lanes: from inputs and states to gates, which never leave the registers unless they are taped, and
/// on to the states after it.
pub(crate) struct LstmForward<'a> {
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
    /// Where the states of the cells stand: before the step, and after it.
    pub(crate) cells: (usize, usize),
    pub(crate) cell: &'a mut [f32],
    /// Gates for the way back, a row a lane.
    pub(crate) tape: Option<&'a mut [f32]>,
}

impl WithSimd for LstmForward<'_> {
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
                }
                while lane + 2 <= self.lanes {
                    self.tile::<S, 2>(simd, (block, part), lane);
                    lane += 2;
                }
                if lane < self.lanes {
                    self.tile::<S, 1>(simd, (block, part), lane);
                }
                // After the gates of all lanes, so that the tangents of many are computed side by side.
                self.squash(simd, (block, part));
            }
        }
    }
}

impl LstmForward<'_> {
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
        for block in 0..blocks {
            for part in 0..VECTOR / S::F32_LANES {
                self.squash(simd, (block, part));
            }
        }
    }

    #[inline(always)]
    fn pair<S: Simd>(&mut self, simd: S, (block, part): (usize, usize)) {
        let shape = self.weights.shape;
        let parts = VECTOR / S::F32_LANES;
        let from = if self.first { shape.state_width() } else { 0 };
        let mut panels: [&[f32]; 2] = [&[]; 2];
        let mut sums = [[simd.splat_f32s(0.0); GATES]; 2];
        for (at, (panel, sums)) in panels.iter_mut().zip(&mut sums).enumerate() {
            let (of_block, bias) = self.weights.block(block + at);
            *panel = &of_block[from * GATES * VECTOR..];
            let bias = S::as_simd_f32s(bias).0;
            for (gate, sum) in sums.iter_mut().enumerate() {
                *sum = bias[gate * parts + part];
            }
        }
        let row = &self.before[from..shape.read()];
        add_panels(simd, row, (panels, part), &mut sums);
        for (at, sums) in sums.into_iter().enumerate() {
            let unit = (block + at) * VECTOR + part * S::F32_LANES;
            self.gates(simd, sums, (0, unit));
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
        let mut sums = [[simd.splat_f32s(0.0); GATES]; ROWS];
        for sums in &mut sums {
            for (gate, sum) in sums.iter_mut().enumerate() {
                *sum = bias[gate * parts + part];
            }
        }
        // States that are zeros are left out.
        let from = if self.first { states } else { 0 };
        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
        for (at, row) in rows.iter_mut().enumerate() {
            let place = (lane + at) * width;
            *row = &self.before[place + from..place + shape.read()];
        }
        let panel = &panel[from * GATES * VECTOR..];
        add_panel(simd, rows, (panel, part), &mut sums);
        let unit = block * VECTOR + part * S::F32_LANES;
        for (at, sums) in sums.into_iter().enumerate() {
            self.gates(simd, sums, (lane + at, unit));
        }
    }

    /// From sums to gates and the state of the cell; the output gate is put where the state will be.
    #[inline(always)]
    fn gates<S: Simd>(&mut self, simd: S, sums: [S::f32s; GATES], (lane, unit): (usize, usize)) {
        let shape = self.weights.shape;
        let states = shape.state_width();
        let place = lane * states + unit;
        let [i, f, g, o] = lstm_gates(simd, sums);
        let before = load::<S>(self.cell, self.cells.0 + place);
        let cell = simd.mul_add_e_f32s(f, before, simd.mul_f32s(i, g));
        store::<S>(self.cell, self.cells.1 + place, cell);
        store::<S>(self.after, lane * shape.width() + unit, o);
        if let Some(tape) = &mut self.tape {
            let from = lane * shape.gate_width() + unit;
            store::<S>(tape, from, i);
            store::<S>(tape, from + states, f);
            store::<S>(tape, from + 2 * states, g);
            store::<S>(tape, from + 3 * states, o);
        }
    }

    /// From output gates and states of cells to states.
    #[inline(always)]
    fn squash<S: Simd>(&mut self, simd: S, (block, part): (usize, usize)) {
        let shape = self.weights.shape;
        let unit = block * VECTOR + part * S::F32_LANES;
        for lane in 0..self.lanes {
            let (place, to) = (
                lane * shape.state_width() + unit,
                lane * shape.width() + unit,
            );
            let squashed = tanh(simd, load::<S>(self.cell, self.cells.1 + place));
            let output = load::<S>(self.after, to);
            store::<S>(self.after, to, simd.mul_f32s(output, squashed));
        }
    }
}

/// From gates to the derivatives of their sums, in place. A row a lane.
pub(crate) struct LstmBackward<'a> {
    pub(crate) shape: Shape,
    pub(crate) lanes: usize,
    pub(crate) gates: &'a mut [f32],
    pub(crate) cell_before: &'a [f32],
    pub(crate) cell_after: &'a [f32],
    /// Derivatives by states and inputs after the step, of which those by states are read.
    pub(crate) d_after: &'a [f32],
    /// Derivative by the cell's state: of this step, then of the one before.
    pub(crate) d_cell: &'a mut [f32],
    /// Sums over lanes of the derivatives of each gate.
    pub(crate) d_bias: &'a mut [f32],
}

impl WithSimd for LstmBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let states = self.shape.state_width();
        let width = self.shape.width();
        let count = states / S::F32_LANES;
        let gates = self.gates.chunks_mut(self.shape.gate_width());
        let cells = self.cell_before.chunks(states);
        let after = self.cell_after.chunks(states);
        let d_cells = self.d_cell.chunks_mut(states);
        let d_after = self.d_after.chunks(width);
        let rows = gates.zip(cells.zip(after)).zip(d_cells.zip(d_after));
        let (bias_input, bias) = self.d_bias.split_at_mut(states);
        let (bias_forget, bias) = bias.split_at_mut(states);
        let (bias_candidate, bias_output) = bias.split_at_mut(states);
        let bias_input = &mut S::as_mut_simd_f32s(bias_input).0[..count];
        let bias_forget = &mut S::as_mut_simd_f32s(bias_forget).0[..count];
        let bias_candidate = &mut S::as_mut_simd_f32s(bias_candidate).0[..count];
        let bias_output = &mut S::as_mut_simd_f32s(bias_output).0[..count];
        for ((gates, (before, after)), (d_cell, d_after)) in rows.take(self.lanes) {
            let (input, rest) = gates.split_at_mut(states);
            let (forget, rest) = rest.split_at_mut(states);
            let (candidate, rest) = rest.split_at_mut(states);
            let (output, _) = rest.split_at_mut(states);
            let input = &mut S::as_mut_simd_f32s(input).0[..count];
            let forget = &mut S::as_mut_simd_f32s(forget).0[..count];
            let candidate = &mut S::as_mut_simd_f32s(candidate).0[..count];
            let output = &mut S::as_mut_simd_f32s(output).0[..count];
            let before = &S::as_simd_f32s(before).0[..count];
            let after = &S::as_simd_f32s(after).0[..count];
            let d_cell = &mut S::as_mut_simd_f32s(d_cell).0[..count];
            let d_hidden = &S::as_simd_f32s(d_after).0[..count];
            for at in 0..count {
                let [i, f, g, o] = [input[at], forget[at], candidate[at], output[at]];
                // Computed again rather than kept: reading it would take as long.
                let squashed = tanh(simd, after[at]);
                let dh = d_hidden[at];
                let through = simd.mul_f32s(simd.mul_f32s(dh, o), by_tanh(simd, squashed));
                let dc = simd.add_f32s(d_cell[at], through);
                let by_input = simd.mul_f32s(simd.mul_f32s(dc, g), by_sigmoid(simd, i));
                let by_forget = simd.mul_f32s(simd.mul_f32s(dc, before[at]), by_sigmoid(simd, f));
                let by_candidate = simd.mul_f32s(simd.mul_f32s(dc, i), by_tanh(simd, g));
                let by_output = simd.mul_f32s(simd.mul_f32s(dh, squashed), by_sigmoid(simd, o));
                d_cell[at] = simd.mul_f32s(dc, f);
                input[at] = by_input;
                forget[at] = by_forget;
                candidate[at] = by_candidate;
                output[at] = by_output;
                bias_input[at] = simd.add_f32s(bias_input[at], by_input);
                bias_forget[at] = simd.add_f32s(bias_forget[at], by_forget);
                bias_candidate[at] = simd.add_f32s(bias_candidate[at], by_candidate);
                bias_output[at] = simd.add_f32s(bias_output[at], by_output);
            }
        }
    }
}
