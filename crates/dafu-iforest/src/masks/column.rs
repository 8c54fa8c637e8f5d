//! The thresholds of one column, and where values lie among them.

use super::set::{ROWS, Set};

/// Cells of the grid over a column's thresholds.
const CELLS: usize = 1024;
/// A number of steps that is not known before.
const ANY: u32 = u32::MAX;
/// Adding this to a number from 0 to 2^32 leaves the nearest whole number in the low bits.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Distinct thresholds of one column in ascending order, with a grid that says where to look for a value.
///
/// A value falls into a cell of an even grid; `starts` says how many thresholds lie in cells before. The cell is
/// found by arithmetic that never falls when the value rises, the same for thresholds and values, so that all
/// thresholds of earlier cells are less than the value and all of later cells are greater. Those of its own cell
/// are searched by halving, without a branch, in as many steps as the fullest cell needs.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Number of the column in the data.
    pub(super) index: usize,
    /// Place of the first threshold's set in the table; the place after the last is for rows above all.
    pub(super) first: usize,
    /// How many thresholds there are.
    count: usize,
    /// The thresholds, then infinity as often as a search may look past the end.
    thresholds: Vec<f64>,
    low: f64,
    scale: f64,
    starts: Box<[u16; CELLS]>,
    steps: u32,
}

impl Column {
    /// From at least one and less than 2^16 finite thresholds in any order. `first` is the place of the first set.
    pub(super) fn new((index, first): (usize, usize), mut thresholds: Vec<f64>) -> Self {
        thresholds.sort_unstable_by(f64::total_cmp);
        // Also one of two zeros: they compare as equal.
        thresholds.dedup();
        let count = thresholds.len();
        // The outermost thresholds are often far out: a grid over the middle may have emptier cells.
        let mut best = Grid::new(&thresholds, 0);
        for cut in [count / 64, count / 16] {
            let grid = Grid::new(&thresholds, cut);
            if grid.steps < best.steps {
                best = grid;
            }
        }
        let Grid {
            low,
            scale,
            starts,
            steps,
        } = best;
        thresholds.resize(count + (1 << steps), f64::INFINITY);
        Self {
            index,
            first,
            count,
            thresholds,
            low,
            scale,
            starts,
            steps,
        }
    }

    /// The place of a threshold of this column in the table.
    pub(super) fn place(&self, threshold: f64) -> usize {
        let below = |other: &f64| *other < threshold;
        self.first + self.thresholds[..self.count].partition_point(below)
    }

    /// Sets of this column: one for each threshold, then that of the rows above all.
    pub(super) fn sets(&self) -> usize {
        self.count + 1
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.thresholds.len() * size_of::<f64>() + size_of_val(&*self.starts)
    }

    /// Puts each row into the set of the lowest threshold that is not less than its value. `sets` are those of
    /// this column, empty, one more than thresholds.
    pub(super) fn scatter(&self, values: &[f64; ROWS], sets: &mut [Set]) {
        match self.steps {
            0 => self.scatter_steps::<0>(values, sets),
            1 => self.scatter_steps::<1>(values, sets),
            2 => self.scatter_steps::<2>(values, sets),
            3 => self.scatter_steps::<3>(values, sets),
            4 => self.scatter_steps::<4>(values, sets),
            5 => self.scatter_steps::<5>(values, sets),
            6 => self.scatter_steps::<6>(values, sets),
            7 => self.scatter_steps::<7>(values, sets),
            8 => self.scatter_steps::<8>(values, sets),
            _ => self.scatter_steps::<ANY>(values, sets),
        }
    }

    fn scatter_steps<const STEPS: u32>(&self, values: &[f64; ROWS], sets: &mut [Set]) {
        let mut cells = [0_u32; ROWS];
        for (cell, &value) in cells.iter_mut().zip(values) {
            *cell = cell_of(value, self.low, self.scale);
        }
        let thresholds = &self.thresholds[..];
        let steps = if STEPS == ANY { self.steps } else { STEPS };
        for (row, (&value, &cell)) in values.iter().zip(&cells).enumerate() {
            let mut place = usize::from(self.starts[cell as usize % CELLS]);
            for step in (0..steps).rev() {
                let half = 1 << step;
                place += usize::from(thresholds[place + half - 1] < value) << step;
            }
            sets[place].insert(row);
        }
    }
}

/// A grid over thresholds.
struct Grid {
    low: f64,
    scale: f64,
    starts: Box<[u16; CELLS]>,
    steps: u32,
}

impl Grid {
    /// A grid that leaves out so many thresholds at either end; they fall into the outermost cells.
    fn new(thresholds: &[f64], cut: usize) -> Self {
        let inner = &thresholds[cut..thresholds.len() - cut];
        let low = inner.first().copied().unwrap_or(0.0);
        let high = inner.last().copied().unwrap_or(0.0);
        let scale = (CELLS - 1) as f64 / (high - low);
        // One threshold, or a range that is too narrow or too wide for a grid: all in one cell.
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let mut counts = [0_u16; CELLS];
        for &threshold in thresholds {
            counts[cell_of(threshold, low, scale) as usize % CELLS] += 1;
        }
        let fullest = counts.iter().copied().max().unwrap_or(0);
        let mut starts = Box::new([0; CELLS]);
        let mut before = 0;
        for (start, count) in starts.iter_mut().zip(counts) {
            *start = before;
            before += count;
        }
        Self {
            low,
            scale,
            starts,
            steps: u16::BITS - fullest.leading_zeros(),
        }
    }
}

/// The cell of a value; NaN falls into the first.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is wanted"
)]
fn cell_of(value: f64, low: f64, scale: f64) -> u32 {
    let cell = (value - low) * scale;
    let cell = if cell > 0.0 { cell } else { 0.0 };
    let top = (CELLS - 1) as f64;
    let cell = if cell < top { cell } else { top };
    (cell + WHOLE).to_bits() as u32
}
