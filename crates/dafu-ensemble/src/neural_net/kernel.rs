//! Products of matrices, the same bits on every machine.

use crate::inputs::Inputs;

/// Rows and columns of a tile: its sums stay in the registers that every x86-64 and aarch64 has.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 8;
/// Largest size of an input; larger ones would make sums of 32 bits infinite.
const LARGEST_INPUT: f64 = 1e6;

/// A matrix as it lies in memory, row after row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Numbers from one row to the next, and from one column to the next.
    steps: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// Values row after row.
    pub(super) fn new(values: &'a [f32], columns: usize) -> Self {
        Self {
            values,
            rows: values.len() / columns.max(1),
            columns,
            steps: (columns, 1),
        }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            steps: (self.steps.1, self.steps.0),
        }
    }

    /// `out += self * right`; each sum goes over the columns of `self` in order.
    pub(super) fn add_product(self, right: Self, out: &mut [f32]) {
        let panels: Vec<Vec<f32>> = (0..right.columns)
            .step_by(TILE_COLUMNS)
            .map(|column| right.transposed().pack::<TILE_COLUMNS>(column))
            .collect();
        for row in (0..self.rows).step_by(TILE_ROWS) {
            let left = self.pack::<TILE_ROWS>(row);
            for (column, panel) in (0..).step_by(TILE_COLUMNS).zip(&panels) {
                let sums = tile(&left, panel);
                let rows = out.chunks_exact_mut(right.columns).skip(row);
                for (out, sums) in rows.zip(&sums) {
                    for (out, sum) in out.iter_mut().skip(column).zip(sums) {
                        *out += sum;
                    }
                }
            }
        }
    }

    /// `N` rows from `first`, column after column; zeros where there are no more rows.
    fn pack<const N: usize>(self, first: usize) -> Vec<f32> {
        let mut packed = vec![0.0; self.columns * N];
        for place in 0..N.min(self.rows - first) {
            let start = (first + place) * self.steps.0;
            let row = self.values.iter().skip(start).step_by(self.steps.1.max(1));
            for (packed, value) in packed.iter_mut().skip(place).step_by(N).zip(row) {
                *packed = *value;
            }
        }
        packed
    }
}

/// The product of packed rows and packed columns.
fn tile(left: &[f32], right: &[f32]) -> [[f32; TILE_COLUMNS]; TILE_ROWS] {
    let mut sums = [[0.0; TILE_COLUMNS]; TILE_ROWS];
    let left = left.as_chunks::<TILE_ROWS>().0;
    let right = right.as_chunks::<TILE_COLUMNS>().0;
    for (left, right) in left.iter().zip(right) {
        for (sums, left) in sums.iter_mut().zip(left) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
    sums
}

/// Appends the standardised inputs of a row.
pub(super) fn push_inputs(
    inputs: &Inputs,
    value_of: impl Fn(usize) -> f64 + Copy,
    out: &mut Vec<f32>,
) {
    #[expect(clippy::cast_possible_truncation, reason = "the net has 32 bits")]
    let narrow = |x: f64| x.clamp(-LARGEST_INPUT, LARGEST_INPUT) as f32;
    out.extend(inputs.standardised(value_of).map(narrow));
}

#[cfg(test)]
mod tests {
    use super::Matrix;
    use proptest::prelude::*;

    fn naive(
        left: &[f32],
        right: &[f32],
        (rows, inner, columns): (usize, usize, usize),
    ) -> Vec<f32> {
        let mut out = vec![1.0; rows * columns];
        for row in 0..rows {
            for column in 0..columns {
                let products =
                    (0..inner).map(|k| left[row * inner + k] * right[k * columns + column]);
                out[row * columns + column] += products.sum::<f32>();
            }
        }
        out
    }

    fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
        let rows = values.len() / columns;
        (0..values.len())
            .map(|at| values[at % rows * columns + at / rows])
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn products_are_those_of_the_definition(
            (rows, inner, columns) in (1_usize..10, 1_usize..20, 1_usize..20),
            seed in 0_u64..1000,
        ) {
            let mut stream = dafu_core::random::Stream::new(seed, 1, 1);
            let mut draw = |count: usize| -> Vec<f32> {
                // Whole numbers: exact in any order.
                (0..count).map(|_| f32::from(u8::try_from(stream.below(9)).unwrap_or(0)) - 4.0).collect()
            };
            let (left, right) = (draw(rows * inner), draw(inner * columns));
            let expected = naive(&left, &right, (rows, inner, columns));
            let (left_turned, right_turned) = (transpose(&left, inner), transpose(&right, columns));
            for left in [Matrix::new(&left, inner), Matrix::new(&left_turned, rows).transposed()] {
                for right in [Matrix::new(&right, columns), Matrix::new(&right_turned, inner).transposed()] {
                    let mut out = vec![1.0; rows * columns];
                    left.add_product(right, &mut out);
                    prop_assert_eq!(&out, &expected);
                }
            }
        }
    }
}
