//! Sums of gradients by bin.

use crate::tree::bin::{BinnedRows, Bins, LANES};
use crate::tree::gradient::Sums;

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

    /// Sums of the rows listed, with their gradients in the same order, for some columns and those in a group with them.
    pub(crate) fn fill(
        &mut self,
        (bins, layout): (&Bins, &Layout),
        binned: &BinnedRows,
        wanted: &[usize],
        (rows, gradients): (&[u32], &[Sums]),
    ) {
        for of_group in wanted.chunk_by(|one, next| one / LANES == next / LANES) {
            let group = of_group.first().map_or(0, |column| column / LANES);
            let words = &binned.groups[group];
            let columns = &bins.columns[group * LANES..];
            let used = columns.len().min(LANES);
            let (start, room) = layout.groups[group];
            let lanes = &mut self.sums[start..start + room * LANES];
            for (lane, column) in lanes.chunks_exact_mut(room).zip(columns) {
                lane[..column.len()].fill(Sums::default());
            }
            match room {
                16 => add_group::<16>(used, lanes, words, (rows, gradients)),
                64 => add_group::<64>(used, lanes, words, (rows, gradients)),
                128 => add_group::<128>(used, lanes, words, (rows, gradients)),
                _ => add_group::<256>(used, lanes, words, (rows, gradients)),
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
    rows: (&[u32], &[Sums]),
) {
    let (lanes, _) = lanes.as_chunks_mut::<ROOM>();
    let Some(lanes) = lanes.first_chunk_mut::<LANES>() else {
        return;
    };
    match used {
        1 => add::<1, ROOM>(lanes, words, rows),
        2 => add::<2, ROOM>(lanes, words, rows),
        3 => add::<3, ROOM>(lanes, words, rows),
        4 => add::<4, ROOM>(lanes, words, rows),
        5 => add::<5, ROOM>(lanes, words, rows),
        6 => add::<6, ROOM>(lanes, words, rows),
        7 => add::<7, ROOM>(lanes, words, rows),
        _ => add::<8, ROOM>(lanes, words, rows),
    }
}

#[inline(never)]
fn add<const USED: usize, const ROOM: usize>(
    lanes: &mut [[Sums; ROOM]; LANES],
    words: &[[u8; LANES]],
    (rows, gradients): (&[u32], &[Sums]),
) {
    for (row, sums) in rows.iter().zip(gradients) {
        let Some(word) = words.get(*row as usize) else {
            continue;
        };
        for lane in 0..USED {
            // The room is a power of two, above every bin: so nothing is asked in this loop.
            lanes[lane][usize::from(word[lane]) & (ROOM - 1)].add(*sums);
        }
    }
}
