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
            let mut block = [[0.0_f32; BLOCK]; BLOCK];
            let lines = from[row * from_stride + column..].chunks(from_stride);
            for (at, line) in lines.take(height).enumerate() {
                for (column, number) in block.iter_mut().zip(&line[..width]) {
                    column[at] = *number;
                }
            }
            let lines = to[column * to_stride + row..].chunks_mut(to_stride);
            for (line, column) in lines.zip(&block[..width]) {
                line[..height].copy_from_slice(&column[..height]);
            }
        }
    }
}
