//! Numbers that begin on a cache line.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use pulp::Simd;
use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
const NUMBERS_OF_LINE: usize = LINE / size_of::<f32>();

/// Zeros at first. Vectors that straddle cache lines cost twice.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    numbers: Vec<f32>,
    from: usize,
    length: usize,
}

impl Buffer {
    pub(crate) fn zeros(length: usize) -> Self {
        let numbers = vec![0.0; length + NUMBERS_OF_LINE];
        let from = numbers.as_ptr().align_offset(LINE).min(NUMBERS_OF_LINE);
        Self {
            numbers,
            from,
            length,
        }
    }

    /// Makes room for so many numbers; what they are is left open.
    pub(crate) fn reserve(&mut self, length: usize) {
        if self.length < length {
            *self = Self::zeros(length);
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        // A copy of the vector lies elsewhere.
        let mut copy = Self::zeros(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.numbers[self.from..self.from + self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.from..self.from + self.length]
    }
}

/// Room for rows of so many numbers: whole vectors of the widest kind.
pub(crate) const fn padded(width: usize) -> usize {
    width.div_ceil(NUMBERS_OF_LINE) * NUMBERS_OF_LINE
}

/// The vector at a place.
#[inline(always)]
pub(crate) fn load<S: Simd>(numbers: &[f32], at: usize) -> S::f32s {
    S::as_simd_f32s(&numbers[at..at + S::F32_LANES]).0[0]
}

/// Writes the vector at a place.
#[inline(always)]
pub(crate) fn store<S: Simd>(numbers: &mut [f32], at: usize, vector: S::f32s) {
    S::as_mut_simd_f32s(&mut numbers[at..at + S::F32_LANES]).0[0] = vector;
}
