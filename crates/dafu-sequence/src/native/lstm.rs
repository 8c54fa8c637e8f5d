//! What an LSTM does to its gates, and the derivative of that.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::math::{by_sigmoid, by_tanh, lstm_gates, tanh};
use pulp::{Simd, WithSimd};

/// From sums to gates, in place, and on to states: all matrices of `units` rows (gates four times as many) of lanes.
pub(crate) struct LstmForward<'a> {
    pub(crate) units: usize,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) columns: usize,
    pub(crate) gates: &'a mut [f32],
    pub(crate) cell_before: &'a [f32],
    pub(crate) cell: &'a mut [f32],
    pub(crate) tanh_cell: &'a mut [f32],
    pub(crate) hidden: &'a mut [f32],
}

impl WithSimd for LstmForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let block = self.units * self.stride;
        let (input, rest) = self.gates.split_at_mut(block);
        let (forget, rest) = rest.split_at_mut(block);
        let (candidate, output) = rest.split_at_mut(block);
        for unit in 0..self.units {
            let row = unit * self.stride..unit * self.stride + self.columns;
            let input = S::as_mut_simd_f32s(&mut input[row.clone()]).0;
            let forget = S::as_mut_simd_f32s(&mut forget[row.clone()]).0;
            let candidate = S::as_mut_simd_f32s(&mut candidate[row.clone()]).0;
            let output = S::as_mut_simd_f32s(&mut output[row.clone()]).0;
            let before = S::as_simd_f32s(&self.cell_before[row.clone()]).0;
            let cell = S::as_mut_simd_f32s(&mut self.cell[row.clone()]).0;
            let tanh_cell = S::as_mut_simd_f32s(&mut self.tanh_cell[row.clone()]).0;
            let hidden = S::as_mut_simd_f32s(&mut self.hidden[row]).0;
            for at in 0..hidden.len() {
                let sums = [input[at], forget[at], candidate[at], output[at]];
                let [i, f, g, o] = lstm_gates(simd, sums);
                let state = simd.mul_add_e_f32s(f, before[at], simd.mul_f32s(i, g));
                let squashed = tanh(simd, state);
                [input[at], forget[at], candidate[at], output[at]] = [i, f, g, o];
                cell[at] = state;
                tanh_cell[at] = squashed;
                hidden[at] = simd.mul_f32s(o, squashed);
            }
        }
    }
}

/// From gates to the derivatives of their sums, in place.
pub(crate) struct LstmBackward<'a> {
    pub(crate) units: usize,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) columns: usize,
    pub(crate) gates: &'a mut [f32],
    pub(crate) cell_before: &'a [f32],
    pub(crate) tanh_cell: &'a [f32],
    /// Derivative by the hidden state.
    pub(crate) d_hidden: &'a [f32],
    /// Derivative by the cell's state: of this step, then of the one before.
    pub(crate) d_cell: &'a mut [f32],
    /// Sums over lanes, a vector of 16 numbers for each row of gates.
    pub(crate) d_bias: &'a mut [f32],
}

impl WithSimd for LstmBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let block = self.units * self.stride;
        let (input, rest) = self.gates.split_at_mut(block);
        let (forget, rest) = rest.split_at_mut(block);
        let (candidate, output) = rest.split_at_mut(block);
        for unit in 0..self.units {
            let row = unit * self.stride..unit * self.stride + self.columns;
            let input = S::as_mut_simd_f32s(&mut input[row.clone()]).0;
            let forget = S::as_mut_simd_f32s(&mut forget[row.clone()]).0;
            let candidate = S::as_mut_simd_f32s(&mut candidate[row.clone()]).0;
            let output = S::as_mut_simd_f32s(&mut output[row.clone()]).0;
            let before = S::as_simd_f32s(&self.cell_before[row.clone()]).0;
            let tanh_cell = S::as_simd_f32s(&self.tanh_cell[row.clone()]).0;
            let d_hidden = S::as_simd_f32s(&self.d_hidden[row.clone()]).0;
            let d_cell = S::as_mut_simd_f32s(&mut self.d_cell[row]).0;
            let mut bias = [simd.splat_f32s(0.0); 4];
            for at in 0..d_hidden.len() {
                let [i, f, g, o] = [input[at], forget[at], candidate[at], output[at]];
                let (squashed, dh) = (tanh_cell[at], d_hidden[at]);
                let through = simd.mul_f32s(simd.mul_f32s(dh, o), by_tanh(simd, squashed));
                let dc = simd.add_f32s(d_cell[at], through);
                let by_gate = [
                    simd.mul_f32s(simd.mul_f32s(dc, g), by_sigmoid(simd, i)),
                    simd.mul_f32s(simd.mul_f32s(dc, before[at]), by_sigmoid(simd, f)),
                    simd.mul_f32s(simd.mul_f32s(dc, i), by_tanh(simd, g)),
                    simd.mul_f32s(simd.mul_f32s(dh, squashed), by_sigmoid(simd, o)),
                ];
                d_cell[at] = simd.mul_f32s(dc, f);
                [input[at], forget[at], candidate[at], output[at]] = by_gate;
                for (sum, derivative) in bias.iter_mut().zip(by_gate) {
                    *sum = simd.add_f32s(*sum, derivative);
                }
            }
            for (gate, sum) in bias.into_iter().enumerate() {
                let from = (gate * self.units + unit) * 16;
                let place = &mut self.d_bias[from..from + S::F32_LANES];
                let place = &mut S::as_mut_simd_f32s(place).0[0];
                *place = simd.add_f32s(*place, sum);
            }
        }
    }
}
