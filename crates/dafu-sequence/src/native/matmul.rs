//! Products of small matrices.
//!
//! The products of a recurrent net have one factor whose rows are whole vectors of 16 numbers, and one whose numbers are
//! read one by one, by rows or by columns: nothing is turned on the way, and a tile of the result stays in registers.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::VECTOR;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Numbers of the inner dimension that go through all tiles before the next ones: so much of the second factor stays in
/// the first cache.
const INNER: usize = 128;

/// How the first factor lies in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Factor<'a> {
    /// Row after row, each so many numbers after the one before.
    Rows(&'a [f32], usize),
    /// Column after column, each so many numbers after the one before: a matrix by rows, read as its transpose.
    Columns(&'a [f32], usize),
}

/// What the result holds before the product is added.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// What is there.
    Kept,
    /// The same row everywhere.
    Row(&'a [f32]),
}

/// `result (rows x columns) = start + factor (rows x inner) * other (inner x columns)`.
///
/// Columns are whole vectors of 16 numbers. Sums begin with the start and run over `inner` in order, whatever the
/// instructions.
pub(crate) struct MatMul<'a> {
    pub(crate) factor: Factor<'a>,
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) columns: usize,
    /// `inner` rows, and numbers from one to the next.
    pub(crate) other: (&'a [f32], usize),
    /// `rows` rows, and numbers from one to the next.
    pub(crate) result: (&'a mut [f32], usize),
    pub(crate) start: Start<'a>,
}

impl WithSimd for MatMul<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut from = 0;
        loop {
            let inner = from..self.inner.min(from + INNER);
            from = inner.end;
            self.columns(simd, &inner);
            if from == self.inner {
                break;
            }
            self.start = Start::Kept;
        }
    }
}

impl MatMul<'_> {
    #[inline(always)]
    fn columns<S: Simd>(&mut self, simd: S, inner: &Range<usize>) {
        let vectors = self.columns / S::F32_LANES;
        // Sums of a tile, what they are added to and a number each: as many as there are registers.
        let most = if S::REGISTER_COUNT >= 32 { 5 } else { 2 };
        let mut column = 0;
        while column < vectors {
            // The vectors that are left, in even parts.
            let left = vectors - column;
            let width = left.div_ceil(left.div_ceil(most));
            let place = column * S::F32_LANES;
            match width {
                1 => self.rows::<S, 8, 1>(simd, place, inner),
                2 => self.rows::<S, 6, 2>(simd, place, inner),
                3 => self.rows::<S, 4, 3>(simd, place, inner),
                4 => self.rows::<S, 4, 4>(simd, place, inner),
                _ => self.rows::<S, 4, 5>(simd, place, inner),
            }
            column += width;
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        column: usize,
        inner: &Range<usize>,
    ) {
        // Decided when this is compiled: there are not so many vectors in few registers.
        if VECTORS > 2 && S::REGISTER_COUNT < 32 {
            return;
        }
        let mut row = 0;
        while row + ROWS <= self.rows {
            self.tile::<S, ROWS, VECTORS>(simd, (row, column), inner);
            row += ROWS;
        }
        while row < self.rows {
            self.tile::<S, 1, VECTORS>(simd, (row, column), inner);
            row += 1;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        (row, column): (usize, usize),
        inner: &Range<usize>,
    ) {
        let columns = column..column + VECTORS * S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (at, sums) in sums.iter_mut().enumerate() {
            let start = match self.start {
                Start::Zero => continue,
                Start::Kept => {
                    let from = (row + at) * self.result.1;
                    &self.result.0[from + columns.start..from + columns.end]
                }
                Start::Row(numbers) => &numbers[columns.clone()],
            };
            let start = S::as_simd_f32s(start).0;
            for (sum, number) in sums.iter_mut().zip(start) {
                *sum = *number;
            }
        }
        let (other, stride) = self.other;
        if inner.is_empty() {
            // Only what is there from the start.
        } else if let Factor::Rows(numbers, length) = self.factor {
            let others = other[inner.start * stride..].chunks(stride);
            let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
            for (at, line) in rows.iter_mut().enumerate() {
                let from = (row + at) * length;
                *line = &numbers[from + inner.start..from + inner.end];
            }
            for (step, other) in others.take(inner.len()).enumerate() {
                let other = S::as_simd_f32s(&other[columns.clone()]).0;
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let number = simd.splat_f32s(row[step]);
                    for (sum, vector) in sums.iter_mut().zip(other) {
                        *sum = simd.mul_add_e_f32s(number, *vector, *sum);
                    }
                }
            }
        } else if let Factor::Columns(numbers, length) = self.factor {
            let others = other[inner.start * stride..].chunks(stride);
            let lines = numbers[inner.start * length..].chunks(length);
            for (line, other) in lines.zip(others).take(inner.len()) {
                let other = S::as_simd_f32s(&other[columns.clone()]).0;
                for (number, sums) in line[row..row + ROWS].iter().zip(&mut sums) {
                    let number = simd.splat_f32s(*number);
                    for (sum, vector) in sums.iter_mut().zip(other) {
                        *sum = simd.mul_add_e_f32s(number, *vector, *sum);
                    }
                }
            }
        }
        for (at, sums) in sums.iter().enumerate() {
            let from = (row + at) * self.result.1;
            let line = &mut self.result.0[from + columns.start..from + columns.end];
            let line = S::as_mut_simd_f32s(line).0;
            for (place, sum) in line.iter_mut().zip(sums) {
                *place = *sum;
            }
        }
    }
}

/// Adds the products of some rows and a panel to the sums of each row's gates: of the panel, a row for each number of the
/// rows, in which each gate has 16 numbers; of these, one vector's `part`.
#[inline(always)]
pub(crate) fn add_panel<S: Simd, const ROWS: usize, const GATES: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    (panel, part): (&[f32], usize),
    sums: &mut [[S::f32s; GATES]; ROWS],
) {
    let parts = VECTOR / S::F32_LANES;
    for (step, line) in panel.chunks_exact(GATES * VECTOR).enumerate() {
        let line = S::as_simd_f32s(line).0;
        let mut vectors = [simd.splat_f32s(0.0); GATES];
        for (gate, vector) in vectors.iter_mut().enumerate() {
            *vector = line[gate * parts + part];
        }
        for (row, sums) in rows.iter().zip(sums.iter_mut()) {
            let number = simd.splat_f32s(row[step]);
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = simd.mul_add_e_f32s(number, vector, *sum);
            }
        }
    }
}

/// The same for one row and some panels.
#[inline(always)]
pub(crate) fn add_panels<S: Simd, const PANELS: usize, const GATES: usize>(
    simd: S,
    row: &[f32],
    (panels, part): ([&[f32]; PANELS], usize),
    sums: &mut [[S::f32s; GATES]; PANELS],
) {
    let parts = VECTOR / S::F32_LANES;
    for (step, number) in row.iter().enumerate() {
        let number = simd.splat_f32s(*number);
        let from = step * GATES * VECTOR;
        for (panel, sums) in panels.iter().zip(sums.iter_mut()) {
            let line = S::as_simd_f32s(&panel[from..from + GATES * VECTOR]).0;
            for (gate, sum) in sums.iter_mut().enumerate() {
                *sum = simd.mul_add_e_f32s(number, line[gate * parts + part], *sum);
            }
        }
    }
}
