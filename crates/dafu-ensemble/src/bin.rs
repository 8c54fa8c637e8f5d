//! Values of columns cut into bins.
//!
//! Bin 0 holds what is missing. A number is in the first bin whose upper edge it does not exceed, so that a split
//! between two bins is the same as a comparison with an edge.

use ndarray::{ArrayView1, ArrayView2};
use std::cmp::Ordering;

/// Bins a column at most, that of the missing values included.
pub(crate) const MOST_BINS: usize = 256;
/// Columns side by side in one word.
pub(crate) const LANES: usize = 8;
/// Rows that edges are taken from at most.
const SAMPLE: usize = 200_000;

/// The bins of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnBins {
    /// Upper edges, rising; the last bin has none.
    edges: Vec<f64>,
}

impl ColumnBins {
    /// Cuts at so many edges that at most `most` bins hold numbers, about as many values each; a value that is more
    /// common than that has a bin of its own. `values` hold no NaN and get sorted.
    pub(crate) fn cut(values: &mut [f64], most: usize) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        // -0 and 0 are the same number.
        let runs: Vec<(f64, usize)> = values
            .chunk_by(|one, next| one.partial_cmp(next) == Some(Ordering::Equal))
            .filter_map(|run| Some((*run.first()?, run.len())))
            .collect();
        let mut edges = Vec::new();
        let mut left = values.len();
        let mut bins_left = most;
        let mut size = left.div_ceil(bins_left.max(1));
        let few = runs.len() <= most;
        let mut held = 0;
        for pair in runs.windows(2) {
            let [(value, count), (next, next_count)] = *pair else {
                continue;
            };
            held += count;
            left -= count;
            // A common value closes the bin before it and its own.
            if few || held >= size || next_count >= size {
                if edges.len() + 1 >= most {
                    break;
                }
                edges.push(between(value, next));
                held = 0;
                bins_left -= 1;
                size = left.div_ceil(bins_left.max(1)).max(1);
            }
        }
        Self { edges }
    }

    /// Bins, that of the missing values included.
    pub(crate) fn len(&self) -> usize {
        self.edges.len() + 2
    }

    /// Upper edge of a bin, if it has one.
    pub(crate) fn edge(&self, bin: usize) -> Option<f64> {
        self.edges.get(bin.checked_sub(1)?).copied()
    }
}

/// A finite number between two values, or the lower one. Of the two lowest values there are, negative infinity and
/// `f64::MIN`, it parts neither.
fn between(below: f64, above: f64) -> f64 {
    if below == f64::NEG_INFINITY {
        return f64::MIN;
    }
    let middle = below / 2.0 + above.min(f64::MAX) / 2.0;
    if middle >= below && middle < above {
        middle
    } else {
        below
    }
}

/// Upper edges in a table of fixed length, for a search without branches.
struct EdgeTable([f64; MOST_BINS]);

impl EdgeTable {
    fn new(column: &ColumnBins) -> Self {
        let mut table = [f64::INFINITY; MOST_BINS];
        for (place, edge) in table.iter_mut().zip(&column.edges) {
            *place = *edge;
        }
        Self(table)
    }

    /// Bin of a value.
    #[inline]
    fn bin(&self, value: f64) -> u8 {
        let mut below = 0_usize;
        let mut step = MOST_BINS / 2;
        while step > 0 {
            let inside = self.0[(below + step - 1) & (MOST_BINS - 1)] < value;
            below += if inside { step } else { 0 };
            step /= 2;
        }
        // Comparisons with NaN are false all the way, so it comes out as bin 1 without this.
        let bin = if value.is_nan() { 0 } else { below + 1 };
        u8::try_from(bin).unwrap_or(u8::MAX)
    }
}

/// The bins of all columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bins {
    pub(crate) columns: Vec<ColumnBins>,
}

impl Bins {
    /// Cuts each column by its values in rows spread evenly over all of them.
    pub(crate) fn cut(rows: ArrayView2<'_, f64>, most: usize) -> Self {
        let step = rows.nrows().div_ceil(SAMPLE).max(1);
        let cut = |column: ArrayView1<'_, f64>| {
            let known = column.iter().step_by(step).copied();
            let mut values: Vec<f64> = known.filter(|value| !value.is_nan()).collect();
            ColumnBins::cut(&mut values, most)
        };
        Self {
            columns: super::threads::map(rows.ncols(), |column| cut(rows.column(column))),
        }
    }

    /// The bins of rows.
    pub(crate) fn of(&self, rows: ArrayView2<'_, f64>) -> BinnedRows {
        let groups = super::threads::map(self.columns.len().div_ceil(LANES), |group| {
            let mut words = vec![[0; LANES]; rows.nrows()];
            for lane in 0..LANES {
                let column = group * LANES + lane;
                let Some(bins) = self.columns.get(column) else {
                    break;
                };
                let table = EdgeTable::new(bins);
                for (word, value) in words.iter_mut().zip(rows.column(column)) {
                    word[lane] = table.bin(*value);
                }
            }
            words
        });
        BinnedRows { groups }
    }
}

/// Rows as bins. Columns lie in groups of [`LANES`]; in a group, rows follow each other.
#[derive(Debug)]
pub(crate) struct BinnedRows {
    pub(crate) groups: Vec<Vec<[u8; LANES]>>,
}
