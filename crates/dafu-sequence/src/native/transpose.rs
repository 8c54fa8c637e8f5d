//! Turning a matrix.

/// Numbers a side of the blocks that are turned at a time: reads and writes of a block stay in the cache.
const BLOCK: usize = 16;

/// Turns `rows x columns` numbers; each matrix with the numbers from one row to the next.
pub(crate) fn transpose(
    (from, from_stride): (&[f32], usize),
    (rows, columns): (usize, usize),
    (to, to_stride): (&mut [f32], usize),
) {
    for row in (0..rows).step_by(BLOCK) {
        let height = BLOCK.min(rows - row);
        for column in (0..columns).step_by(BLOCK) {
            let width = BLOCK.min(columns - column);
            for at in column..column + width {
                let line = &mut to[at * to_stride + row..][..height];
                for (place, number) in line
                    .iter_mut()
                    .zip(from[row * from_stride + at..].iter().step_by(from_stride))
                {
                    *place = *number;
                }
            }
        }
    }
}
