//! Rows as bins, column by column and side by side.

use crate::threads;
use crate::tree::bin::{Bins, ColumnBins, EdgeTable, bins_by_code, category};
use ndarray::{ArrayView2, Axis};

/// Columns side by side in one word.
pub(crate) const LANES: usize = 8;
/// Words of a row side by side, at most.
pub(crate) const WORDS: usize = 4;
/// Rows that a thread takes at a time.
const CHUNK: usize = 1 << 13;

/// The bins of rows, column after column.
#[derive(Debug)]
pub(crate) struct BinnedRows {
    pub(crate) columns: Vec<Vec<u8>>,
}

impl Bins {
    /// The bins of rows.
    pub(crate) fn of(&self, rows: ArrayView2<'_, f64>) -> BinnedRows {
        let mut columns = vec![vec![0; rows.nrows()]; self.columns.len()];
        let finders: Vec<Finder> = threads::map(self.columns.len(), |column| {
            Finder::new(&self.columns[column])
        });
        // Chunks of all columns, so that the values of a chunk are read from memory once.
        let mut parts: Vec<_> = columns
            .iter_mut()
            .map(|bins| bins.chunks_mut(CHUNK))
            .collect();
        let chunks = rows.axis_chunks_iter(Axis(0), CHUNK);
        let mut chunks: Vec<_> = chunks
            .map(|rows| (rows, parts.iter_mut().filter_map(Iterator::next).collect()))
            .collect();
        threads::each_chunk(&mut chunks, 1, |_, chunks| {
            for (rows, parts) in chunks {
                let parts: &mut Vec<&mut [u8]> = parts;
                for ((column, bins), finder) in rows.columns().into_iter().zip(parts).zip(&finders)
                {
                    finder.fill(column.iter(), bins);
                }
            }
        });
        BinnedRows { columns }
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
        let tiles = rows.columns.chunks(LANES * WORDS);
        Self(tiles.map(Tile::new).collect())
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
