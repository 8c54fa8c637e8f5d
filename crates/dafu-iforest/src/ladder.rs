//! The thresholds of one column in order, and where values lie among them.

/// Cells of the grid over the thresholds.
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
pub(crate) struct Ladder {
    /// How many thresholds there are.
    count: usize,
    /// The thresholds, then infinity as often as a search may look past the end.
    thresholds: Vec<f64>,
    low: f64,
    scale: f64,
    starts: Box<[u16; CELLS]>,
    steps: u32,
}

impl Ladder {
    /// From at least one and less than 2^16 finite thresholds in any order.
    pub(crate) fn new(mut thresholds: Vec<f64>) -> Self {
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
            count,
            thresholds,
            low,
            scale,
            starts,
            steps,
        }
    }

    /// How many thresholds there are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// How many thresholds are less than one of them.
    pub(crate) fn place(&self, threshold: f64) -> usize {
        let below = |other: &f64| *other < threshold;
        self.thresholds[..self.count].partition_point(below)
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.thresholds.len() * size_of::<f64>() + size_of_val(&*self.starts)
    }

    /// How many thresholds are less than a value: 0 for NaN.
    #[inline]
    pub(crate) fn rank(&self, value: f64) -> usize {
        let cell = cell_of(value, self.low, self.scale);
        self.rank_in_cell(value, cell, self.steps)
    }

    /// Tells `found` for every value its place among them and its rank, see [`rank`](Self::rank).
    pub(crate) fn ranks<const COUNT: usize>(
        &self,
        values: &[f64; COUNT],
        found: impl FnMut(usize, usize),
    ) {
        match self.steps {
            0 => self.ranks_in_steps::<0, COUNT>(values, found),
            1 => self.ranks_in_steps::<1, COUNT>(values, found),
            2 => self.ranks_in_steps::<2, COUNT>(values, found),
            3 => self.ranks_in_steps::<3, COUNT>(values, found),
            4 => self.ranks_in_steps::<4, COUNT>(values, found),
            5 => self.ranks_in_steps::<5, COUNT>(values, found),
            6 => self.ranks_in_steps::<6, COUNT>(values, found),
            7 => self.ranks_in_steps::<7, COUNT>(values, found),
            8 => self.ranks_in_steps::<8, COUNT>(values, found),
            _ => self.ranks_in_steps::<ANY, COUNT>(values, found),
        }
    }

    fn ranks_in_steps<const STEPS: u32, const COUNT: usize>(
        &self,
        values: &[f64; COUNT],
        mut found: impl FnMut(usize, usize),
    ) {
        let mut cells = [0_u32; COUNT];
        for (cell, &value) in cells.iter_mut().zip(values) {
            *cell = cell_of(value, self.low, self.scale);
        }
        let steps = if STEPS == ANY { self.steps } else { STEPS };
        for (at, (&value, &cell)) in values.iter().zip(&cells).enumerate() {
            found(at, self.rank_in_cell(value, cell, steps));
        }
    }

    /// The rank of a value whose cell is known.
    #[inline]
    fn rank_in_cell(&self, value: f64, cell: u32, steps: u32) -> usize {
        let thresholds = &self.thresholds[..];
        let mut rank = usize::from(self.starts[cell as usize % CELLS]);
        for step in (0..steps).rev() {
            let half = 1 << step;
            rank += usize::from(thresholds[rank + half - 1] < value) << step;
        }
        rank
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
