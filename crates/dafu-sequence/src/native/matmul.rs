//! Products of small matrices.
//!
//! The products of a recurrent net have one factor whose rows are the lanes of a chunk, or units padded to whole
//! vectors, and one whose numbers are read one by one: nothing has to be packed, and a tile of the result stays in
//! registers. Both ways of reading the first factor are here, by rows and by columns, so that no matrix is ever turned.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use pulp::{Simd, WithSimd};

/// Rows of a tile: with four vectors of columns, enough sums to keep two multipliers busy.
const TILE_ROWS: usize = 4;

/// How the first factor lies in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Factor<'a> {
    /// Row after row, each of so many numbers.
    Rows(&'a [f32], usize),
    /// Column after column, each of so many numbers: a matrix by rows, read as its transpose.
    Columns(&'a [f32], usize),
}

/// What the result holds before the product is added.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// What is there.
    Kept,
    /// In each row one number everywhere.
    Rows(&'a [f32]),
}

/// `result (rows x columns) = start + factor (rows x inner) * other (inner x columns)`.
///
/// Columns are whole vectors of 16 numbers. Sums over `inner` run in order, whatever the instructions.
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
        let mut row = 0;
        while row + TILE_ROWS <= self.rows {
            self.row_block::<S, TILE_ROWS>(simd, row);
            row += TILE_ROWS;
        }
        while row < self.rows {
            self.row_block::<S, 1>(simd, row);
            row += 1;
        }
    }
}

impl MatMul<'_> {
    #[inline(always)]
    fn row_block<S: Simd, const ROWS: usize>(&mut self, simd: S, row: usize) {
        let width = S::F32_LANES;
        let mut column = 0;
        // Widths are powers of two up to 16: branches on them are decided when this is compiled.
        while column < self.columns {
            let left = self.columns - column;
            if left >= 4 * width && S::REGISTER_COUNT >= 32 {
                self.tile::<S, ROWS, 4>(simd, row, column);
                column += 4 * width;
            } else if left >= 2 * width {
                self.tile::<S, ROWS, 2>(simd, row, column);
                column += 2 * width;
            } else {
                self.tile::<S, ROWS, 1>(simd, row, column);
                column += width;
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let columns = column..column + VECTORS * S::F32_LANES;
        let (other, stride) = self.other;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        match self.factor {
            Factor::Rows(numbers, length) => {
                let rows: [&[f32]; ROWS] =
                    std::array::from_fn(|at| &numbers[(row + at) * length..][..self.inner]);
                for (step, other) in other.chunks_exact(stride).take(self.inner).enumerate() {
                    let vectors = load::<S, VECTORS>(&other[columns.clone()]);
                    for at in 0..ROWS {
                        let number = simd.splat_f32s(rows[at][step]);
                        for (sum, vector) in sums[at].iter_mut().zip(vectors) {
                            *sum = simd.mul_add_e_f32s(number, vector, *sum);
                        }
                    }
                }
            }
            Factor::Columns(numbers, length) => {
                let lines = numbers.chunks(length).zip(other.chunks_exact(stride));
                for (line, other) in lines.take(self.inner) {
                    let vectors = load::<S, VECTORS>(&other[columns.clone()]);
                    let line = &line[row..row + ROWS];
                    for at in 0..ROWS {
                        let number = simd.splat_f32s(line[at]);
                        for (sum, vector) in sums[at].iter_mut().zip(vectors) {
                            *sum = simd.mul_add_e_f32s(number, vector, *sum);
                        }
                    }
                }
            }
        }
        let (result, stride) = (&mut *self.result.0, self.result.1);
        for (at, sums) in sums.iter().enumerate() {
            let from = (row + at) * stride;
            let line = &mut result[from + columns.start..from + columns.end];
            let line = S::as_mut_simd_f32s(line).0;
            for (place, sum) in line.iter_mut().zip(sums) {
                *place = match self.start {
                    Start::Zero => *sum,
                    Start::Kept => simd.add_f32s(*place, *sum),
                    Start::Rows(numbers) => simd.add_f32s(simd.splat_f32s(numbers[row + at]), *sum),
                };
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd, const VECTORS: usize>(numbers: &[f32]) -> [S::f32s; VECTORS] {
    let vectors = S::as_simd_f32s(numbers).0;
    std::array::from_fn(|at| vectors[at])
}
