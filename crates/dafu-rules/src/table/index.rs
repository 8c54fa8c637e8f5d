//! Sets of rows as bits, joined block by block.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The rows that one load of a processor's widest common register holds.
type Block = [u64; 4];

/// Rows of a block.
const ROWS: usize = 256;

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 32;

/// Blocks that hold so many rows.
pub(super) const fn blocks_of(rows: usize) -> usize {
    rows.div_ceil(ROWS)
}

/// A set of rows: where its blocks begin, and one bit for each of them that holds a row at all. There are at most 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowSet {
    pub(super) from: u32,
    pub(super) summary: u64,
}

/// The blocks of all sets. The first set is that of all rows.
#[derive(Debug, Clone)]
pub(super) struct Index {
    words: Vec<Block>,
    all: RowSet,
}

/// An index that grows; equal sets are kept once.
#[derive(Debug)]
pub(super) struct Builder {
    words: Vec<Block>,
    by_hash: HashMap<u64, RowSet>,
    /// The set that is being made.
    set: Vec<Block>,
    all: RowSet,
}

impl Builder {
    /// An index that holds the set of all rows.
    pub(super) fn new(rows: usize) -> Self {
        let mut builder = Self {
            words: Vec::new(),
            by_hash: HashMap::new(),
            set: vec![Block::default(); blocks_of(rows)],
            all: RowSet {
                from: 0,
                summary: 0,
            },
        };
        (0..rows).for_each(|row| builder.flip(row));
        builder.all = builder.add();
        builder
    }

    fn flip(&mut self, row: usize) {
        if let Some(block) = self.set.get_mut(row / ROWS) {
            block[row % ROWS / 64] ^= 1 << (row % 64);
        }
    }

    /// The set as it stands now.
    fn add(&mut self) -> RowSet {
        let mut hasher = DefaultHasher::new();
        self.set.hash(&mut hasher);
        let hash = hasher.finish();
        let equal = |known: &RowSet| {
            let from = known.from as usize;
            self.words.get(from..from + self.set.len()) == Some(&self.set)
        };
        // Sets that share their hash without being equal are kept twice at worst.
        if let Some(known) = self.by_hash.get(&hash).copied().filter(equal) {
            return known;
        }
        let filled = self.set.iter().zip(0..);
        let filled = filled.filter(|(block, _)| block.iter().any(|word| *word != 0));
        let set = RowSet {
            // The index has less than 2^32 blocks: its bytes are checked before.
            from: u32::try_from(self.words.len()).unwrap_or(u32::MAX),
            summary: filled.fold(0, |summary, (_, at)| summary | 1 << at),
        };
        self.by_hash.insert(hash, set);
        self.words.extend_from_slice(&self.set);
        set
    }

    /// The sets of all segments of a column, given in which ranges of segments each row may match.
    pub(super) fn column<'a>(
        &mut self,
        segments: usize,
        rows: impl Iterator<Item = &'a [(usize, usize)]>,
    ) -> Vec<RowSet> {
        let mut flips: Vec<(usize, usize)> = Vec::new();
        for (row, ranges) in rows.enumerate() {
            for (from, to) in ranges {
                flips.extend([(*from, row), (*to, row)]);
            }
        }
        flips.sort_unstable();
        self.set.fill(Block::default());
        let mut flips = flips.into_iter().peekable();
        let mut sets: Vec<RowSet> = Vec::with_capacity(segments);
        for segment in 0..segments {
            let mut same = segment > 0;
            while let Some((_, row)) = flips.next_if(|(at, _)| *at == segment) {
                self.flip(row);
                same = false;
            }
            let set = match sets.last() {
                Some(last) if same => *last,
                _ => self.add(),
            };
            sets.push(set);
        }
        sets
    }

    /// The set of the rows that are in all of these sets of another index of the same rows.
    pub(super) fn common(&mut self, other: &Index, sets: &[RowSet]) -> RowSet {
        self.set.fill([u64::MAX; 4]);
        for set in sets {
            let blocks = other.words.get(set.from as usize..).unwrap_or_default();
            for (left, right) in self.set.iter_mut().zip(blocks) {
                for (left, right) in left.iter_mut().zip(right) {
                    *left &= right;
                }
            }
        }
        self.add()
    }

    pub(super) fn finish(self) -> Index {
        Index {
            words: self.words,
            all: self.all,
        }
    }
}

impl Index {
    /// Bytes of the sets.
    pub(super) const fn bytes(&self) -> usize {
        self.words.len() * BLOCK_BYTES
    }

    /// The set of all rows.
    pub(super) const fn all(&self) -> RowSet {
        self.all
    }

    /// Rows that are in all sets that begin at these blocks, in order; `blocks` tells where some may be.
    #[inline]
    pub(super) const fn common<'a>(&'a self, sets: &'a [u32], blocks: u64) -> Common<'a> {
        Common {
            index: self,
            sets,
            blocks,
            block: [0; 4],
            first: 0,
        }
    }
}

/// Rows that are in all of some sets. O(blocks that the summaries leave, times sets), no allocation.
#[derive(Debug)]
pub(super) struct Common<'a> {
    index: &'a Index,
    sets: &'a [u32],
    /// Blocks to come.
    blocks: u64,
    /// What is left of the block that begins with row `first`.
    block: Block,
    first: usize,
}

impl Common<'_> {
    /// The next block that holds a row; `None` where none is left.
    #[inline]
    fn advance(&mut self) -> Option<()> {
        while self.blocks != 0 {
            let at = self.blocks.trailing_zeros() as usize;
            self.blocks &= self.blocks - 1;
            let mut common = [u64::MAX; 4];
            for from in self.sets {
                let block = self.index.words.get(*from as usize + at)?;
                for (left, right) in common.iter_mut().zip(block) {
                    *left &= right;
                }
            }
            // One branch for all words: most blocks are empty.
            if common.iter().fold(0, |any, word| any | word) != 0 {
                self.first = at * ROWS;
                self.block = common;
                return Some(());
            }
        }
        None
    }
}

impl Iterator for Common<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        loop {
            for (word, at) in self.block.iter_mut().zip(0..) {
                if *word != 0 {
                    let row = self.first + 64 * at + word.trailing_zeros() as usize;
                    *word &= *word - 1;
                    return Some(row);
                }
            }
            self.advance()?;
        }
    }
}
