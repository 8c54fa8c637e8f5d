//! What a GRU does to its gates, and the derivative of that.
//!
//! Rows of gates: reset, update, candidate from the inputs, candidate from the state.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::math::{by_sigmoid, by_tanh, sigmoids, tanh};
use pulp::{Simd, WithSimd};

/// From sums to gates, in place, and on to the state. The fourth block of rows stays a sum.
pub(crate) struct GruForward<'a> {
    pub(crate) units: usize,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) columns: usize,
    pub(crate) gates: &'a mut [f32],
    pub(crate) hidden_before: &'a [f32],
    pub(crate) hidden: &'a mut [f32],
}

impl WithSimd for GruForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let block = self.units * self.stride;
        let (reset, rest) = self.gates.split_at_mut(block);
        let (update, rest) = rest.split_at_mut(block);
        let (candidate, recurrent) = rest.split_at_mut(block);
        for unit in 0..self.units {
            let row = unit * self.stride..unit * self.stride + self.columns;
            let reset = S::as_mut_simd_f32s(&mut reset[row.clone()]).0;
            let update = S::as_mut_simd_f32s(&mut update[row.clone()]).0;
            let candidate = S::as_mut_simd_f32s(&mut candidate[row.clone()]).0;
            let recurrent = S::as_simd_f32s(&recurrent[row.clone()]).0;
            let before = S::as_simd_f32s(&self.hidden_before[row.clone()]).0;
            let hidden = S::as_mut_simd_f32s(&mut self.hidden[row]).0;
            for at in 0..hidden.len() {
                let [r, z] = sigmoids(simd, [reset[at], update[at]]);
                let sum = simd.mul_add_e_f32s(r, recurrent[at], candidate[at]);
                let n = tanh(simd, sum);
                [reset[at], update[at], candidate[at]] = [r, z, n];
                // (1 - z) n + z h
                hidden[at] = simd.mul_add_e_f32s(z, simd.sub_f32s(before[at], n), n);
            }
        }
    }
}

/// From gates to the derivatives of their sums, in place.
pub(crate) struct GruBackward<'a> {
    pub(crate) units: usize,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) columns: usize,
    pub(crate) gates: &'a mut [f32],
    pub(crate) hidden_before: &'a [f32],
    /// Derivative by the state.
    pub(crate) d_hidden: &'a [f32],
    /// Derivative by the state before; what passes the update gate is added.
    pub(crate) d_before: &'a mut [f32],
    /// Sums over lanes, a vector of 16 numbers for each row of gates.
    pub(crate) d_bias: &'a mut [f32],
}

impl WithSimd for GruBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let block = self.units * self.stride;
        let (reset, rest) = self.gates.split_at_mut(block);
        let (update, rest) = rest.split_at_mut(block);
        let (candidate, recurrent) = rest.split_at_mut(block);
        let one = simd.splat_f32s(1.0);
        for unit in 0..self.units {
            let row = unit * self.stride..unit * self.stride + self.columns;
            let reset = S::as_mut_simd_f32s(&mut reset[row.clone()]).0;
            let update = S::as_mut_simd_f32s(&mut update[row.clone()]).0;
            let candidate = S::as_mut_simd_f32s(&mut candidate[row.clone()]).0;
            let recurrent = S::as_mut_simd_f32s(&mut recurrent[row.clone()]).0;
            let before = S::as_simd_f32s(&self.hidden_before[row.clone()]).0;
            let d_hidden = S::as_simd_f32s(&self.d_hidden[row.clone()]).0;
            let d_before = S::as_mut_simd_f32s(&mut self.d_before[row]).0;
            let mut bias = [simd.splat_f32s(0.0); 4];
            for at in 0..d_hidden.len() {
                let [r, z, n] = [reset[at], update[at], candidate[at]];
                let dh = d_hidden[at];
                let by_candidate =
                    simd.mul_f32s(simd.mul_f32s(dh, simd.sub_f32s(one, z)), by_tanh(simd, n));
                let by_update = simd.mul_f32s(dh, simd.sub_f32s(before[at], n));
                let by_reset = simd.mul_f32s(by_candidate, recurrent[at]);
                let by_gate = [
                    simd.mul_f32s(by_reset, by_sigmoid(simd, r)),
                    simd.mul_f32s(by_update, by_sigmoid(simd, z)),
                    by_candidate,
                    simd.mul_f32s(by_candidate, r),
                ];
                d_before[at] = simd.mul_add_e_f32s(dh, z, d_before[at]);
                [reset[at], update[at], candidate[at], recurrent[at]] = by_gate;
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
