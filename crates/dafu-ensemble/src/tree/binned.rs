//! Rows as bins, column by column and side by side.

use crate::threads;
use crate::tree::bin::{Bins, ColumnBins, MOST_BINS, category};
use ndarray::{ArrayView2, Axis, Slice};

/// Columns side by side in one word.
pub(crate) const LANES: usize = 8;
/// Words of a row side by side, at most.
pub(crate) const WORDS: usize = 4;
/// Columns whose bins are found together.
const TOGETHER: usize = 64;
/// Values that a thread takes at a time: they stay in its cache while column after column is read.
const VALUES: usize = 1 << 15;
/// Rows that a thread puts side by side at a time.
const CHUNK: usize = 1 << 13;

/// The bins of rows, column after column.
#[derive(Debug)]
pub(crate) struct BinnedRows {
    pub(crate) columns: Vec<Vec<u8>>,
}

impl Bins {
    /// The bins of rows.
    pub(crate) fn of(&self, rows: ArrayView2<'_, f64>) -> BinnedRows {
        let blocks = threads::map(self.columns.len().div_ceil(TOGETHER), |block| {
            let first = block * TOGETHER;
            let bins = &self.columns[first..self.columns.len().min(first + TOGETHER)];
            let finders: Vec<Finder> = bins.iter().map(Finder::new).collect();
            let mut columns = vec![vec![0; rows.nrows()]; bins.len()];
            let chunk = (VALUES / bins.len().max(1)).max(1);
            let mut parts: Vec<_> = columns
                .iter_mut()
                .map(|bins| bins.chunks_mut(chunk))
                .collect();
            let values = rows.slice_axis(Axis(1), Slice::from(first..first + bins.len()));
            let chunks = values.axis_chunks_iter(Axis(0), chunk);
            let mut chunks: Vec<_> = chunks
                .map(|rows| (rows, parts.iter_mut().filter_map(Iterator::next).collect()))
                .collect();
            threads::each_chunk(&mut chunks, 1, |_, chunks| {
                for (rows, parts) in chunks {
                    let parts: &mut Vec<&mut [u8]> = parts;
                    let columns = rows.columns().into_iter().zip(parts);
                    for ((column, bins), finder) in columns.zip(&finders) {
                        finder.fill(column.iter(), bins);
                    }
                }
            });
            columns
        });
        BinnedRows {
            columns: blocks.into_iter().flatten().collect(),
        }
    }
}

/// Finds the bins of one column.
enum Finder {
    Numbers(Box<EdgeTable>),
    Categories(Vec<u8>),
}

impl Finder {
    fn new(bins: &ColumnBins) -> Self {
        match bins {
            ColumnBins::Numbers(edges) => Self::Numbers(Box::new(EdgeTable::new(edges))),
            ColumnBins::Categories(codes) => Self::Categories(bins_by_code(codes)),
        }
    }

    fn fill<'v>(&self, values: impl Iterator<Item = &'v f64>, bins: &mut [u8]) {
        match self {
            Self::Numbers(table) => {
                for (bin, value) in bins.iter_mut().zip(values) {
                    *bin = table.bin(*value);
                }
            }
            Self::Categories(bin_of) => {
                for (bin, value) in bins.iter_mut().zip(values) {
                    let code = category(*value).unwrap_or_default();
                    let found = code.and_then(|code| bin_of.get(code as usize));
                    *bin = found.copied().unwrap_or_default();
                }
            }
        }
    }
}

/// Upper edges in a table of fixed length, for a search without branches.
struct EdgeTable([f64; MOST_BINS]);

impl EdgeTable {
    fn new(edges: &[f64]) -> Self {
        let mut table = [f64::INFINITY; MOST_BINS];
        for (place, edge) in table.iter_mut().zip(edges) {
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

fn bins_by_code(codes: &[u32]) -> Vec<u8> {
    let most = codes.iter().copied().max().unwrap_or_default();
    let mut bins = vec![0; most as usize + 1];
    for (code, bin) in codes.iter().zip(1..=u8::MAX) {
        bins[*code as usize] = bin;
    }
    bins
}

/// The bins of rows side by side: what sums over many columns read of a row lies together.
#[derive(Debug)]
pub(crate) struct Tiles(pub(crate) Vec<Tile>);

/// Some columns of [`Tiles`].
#[derive(Debug)]
pub(crate) struct Tile {
    /// Words of a row.
    pub(crate) wide: usize,
    /// Row after row.
    pub(crate) words: Vec<[u8; LANES]>,
}

impl Tiles {
    pub(crate) fn new(rows: &BinnedRows) -> Self {
        let tiles: Vec<_> = rows.columns.chunks(LANES * WORDS).collect();
        Self(threads::map(tiles.len(), |tile| Tile::new(tiles[tile])))
    }
}

impl Tile {
    fn new(columns: &[Vec<u8>]) -> Self {
        let wide = columns.len().div_ceil(LANES);
        let rows = columns.first().map_or(0, Vec::len);
        let mut words = vec![[0; LANES]; rows * wide];
        threads::each_chunk(&mut words, CHUNK * wide, |number, words| {
            for (at, column) in columns.iter().enumerate() {
                let bins = &column[number * CHUNK..];
                for (words, bin) in words.chunks_exact_mut(wide).zip(bins) {
                    words[at / LANES][at % LANES] = *bin;
                }
            }
        });
        Self { wide, words }
    }
}
