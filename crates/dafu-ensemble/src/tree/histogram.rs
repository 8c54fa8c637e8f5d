//! Sums of gradients by bin.

use crate::tree::bin::Bins;
use crate::tree::binned::{LANES, Tile, Tiles, WORDS};
use crate::tree::gradient::Sums;

/// Rows that are brought together.
const BLOCK: usize = 256;

/// Sums of the rows of a node, by column and bin.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Column after column, in full groups; the columns of a group take the same room.
    sums: Vec<Sums>,
}

/// Where the sums of columns lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// Where each group begins, and the room of each of its columns.
    groups: Vec<(usize, usize)>,
    /// Sums of all groups.
    len: usize,
}

impl Layout {
    pub(crate) fn new(bins: &Bins) -> Self {
        let mut len = 0;
        let groups = bins.columns.chunks(LANES).map(|columns| {
            let most = columns.iter().map(crate::tree::bin::ColumnBins::len).max();
            let room = match most.unwrap_or_default() {
                ..=16 => 16,
                17..=64 => 64,
                65..=128 => 128,
                _ => 256,
            };
            let start = len;
            len += room * LANES;
            (start, room)
        });
        Self {
            groups: groups.collect(),
            len,
        }
    }

    /// What one histogram takes.
    pub(crate) const fn bytes(&self) -> usize {
        self.len.saturating_mul(size_of::<Sums>()).saturating_add(1)
    }

    fn place(&self, column: usize) -> (usize, usize) {
        let (start, room) = self.groups[column / LANES];
        (start + column % LANES * room, room)
    }
}

impl Histogram {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            sums: vec![Sums::default(); layout.len],
        }
    }

    #[inline]
    pub(crate) fn column(&self, layout: &Layout, column: usize) -> &[Sums] {
        let (start, room) = layout.place(column);
        &self.sums[start..start + room]
    }

    /// Sums of the rows listed, by the gradients of all rows, for some columns and those in a group with them.
    pub(crate) fn fill(
        &mut self,
        (bins, layout): (&Bins, &Layout),
        tiles: &Tiles,
        wanted: &[usize],
        (rows, gradients): (&[u32], &[Sums]),
    ) {
        let groups = wanted.chunk_by(|one, next| one / LANES == next / LANES);
        let groups: Vec<usize> = groups
            .filter_map(|columns| Some(columns.first()? / LANES))
            .collect();
        for &group in &groups {
            let (start, room) = layout.groups[group];
            let columns = &bins.columns[group * LANES..];
            let lanes = self.sums[start..].chunks_exact_mut(room);
            for (lane, column) in lanes.zip(columns).take(LANES) {
                lane[..column.len()].fill(Sums::default());
            }
        }
        for groups in groups.chunk_by(|one, next| one / WORDS == next / WORDS) {
            let Some(tile) = groups.first().map(|group| &tiles.0[group / WORDS]) else {
                continue;
            };
            let place = (bins, layout);
            match tile.wide {
                1 => self.add_tile::<1>(place, tile, groups, (rows, gradients)),
                2 => self.add_tile::<2>(place, tile, groups, (rows, gradients)),
                3 => self.add_tile::<3>(place, tile, groups, (rows, gradients)),
                _ => self.add_tile::<WORDS>(place, tile, groups, (rows, gradients)),
            }
        }
    }

    /// Adds rows to some groups of a tile.
    ///
    /// A block of rows is first brought together: that loop waits for memory, for many rows at once.
    fn add_tile<const WIDE: usize>(
        &mut self,
        (bins, layout): (&Bins, &Layout),
        tile: &Tile,
        groups: &[usize],
        (rows, gradients): (&[u32], &[Sums]),
    ) {
        let (words, _) = tile.words.as_chunks::<WIDE>();
        let mut block = [[[0; LANES]; BLOCK]; WIDE];
        let mut sums = [Sums::default(); BLOCK];
        for rows in rows.chunks(BLOCK) {
            for (at, row) in rows.iter().enumerate() {
                let words = &words[*row as usize];
                for (block, word) in block.iter_mut().zip(words) {
                    block[at] = *word;
                }
                sums[at] = gradients[*row as usize];
            }
            for &group in groups {
                let (start, room) = layout.groups[group];
                let used = (bins.columns.len() - group * LANES).min(LANES);
                let lanes = &mut self.sums[start..start + room * LANES];
                let words = &block[group % WORDS][..rows.len()];
                match room {
                    16 => add_group::<16>(used, lanes, words, &sums),
                    64 => add_group::<64>(used, lanes, words, &sums),
                    128 => add_group::<128>(used, lanes, words, &sums),
                    _ => add_group::<256>(used, lanes, words, &sums),
                }
            }
        }
    }

    /// Adds the sums of other rows.
    pub(crate) fn add(&mut self, (bins, layout): (&Bins, &Layout), wanted: &[usize], other: &Self) {
        for &column in wanted {
            let (start, _) = layout.place(column);
            let used = start..start + bins.columns[column].len();
            for (sums, other) in self.sums[used.clone()].iter_mut().zip(&other.sums[used]) {
                sums.add(*other);
            }
        }
    }

    /// Turns the sums of a node into those of one child, by those of the other.
    pub(crate) fn subtract(
        &mut self,
        (bins, layout): (&Bins, &Layout),
        wanted: &[usize],
        other: &Self,
    ) {
        for &column in wanted {
            let (start, _) = layout.place(column);
            let used = start..start + bins.columns[column].len();
            for (sums, other) in self.sums[used.clone()].iter_mut().zip(&other.sums[used]) {
                *sums = sums.less(*other);
            }
        }
    }
}

fn add_group<const ROOM: usize>(
    used: usize,
    lanes: &mut [Sums],
    words: &[[u8; LANES]],
    sums: &[Sums],
) {
    let (lanes, _) = lanes.as_chunks_mut::<ROOM>();
    let Some(lanes) = lanes.first_chunk_mut::<LANES>() else {
        return;
    };
    match used {
        1 => add::<1, ROOM>(lanes, words, sums),
        2 => add::<2, ROOM>(lanes, words, sums),
        3 => add::<3, ROOM>(lanes, words, sums),
        4 => add::<4, ROOM>(lanes, words, sums),
        5 => add::<5, ROOM>(lanes, words, sums),
        6 => add::<6, ROOM>(lanes, words, sums),
        7 => add::<7, ROOM>(lanes, words, sums),
        _ => add::<8, ROOM>(lanes, words, sums),
    }
}

#[inline(never)]
fn add<const USED: usize, const ROOM: usize>(
    lanes: &mut [[Sums; ROOM]; LANES],
    words: &[[u8; LANES]],
    sums: &[Sums],
) {
    for (word, sums) in words.iter().zip(sums) {
        for lane in 0..USED {
            // The room is a power of two, above every bin: so nothing is asked in this loop.
            lanes[lane][usize::from(word[lane]) & (ROOM - 1)].add(*sums);
        }
    }
}
