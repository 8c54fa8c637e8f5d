//! Rows of the nodes of a tree while it grows.

use crate::threads;
use crate::tree::partition::partition;
use crate::tree::split::{Split, Way};
use std::ops::Range;

/// A node with one in so many of all rows, or more, marks them.
const SHARE: usize = 4;
/// Rows that are asked at once whether one of them has a mark.
const GROUP: usize = 16;
/// Rows that a thread takes at a time.
const CHUNK: usize = 1 << 15;
/// The mark of rows that no node marks.
const NONE: u8 = u8::MAX;
/// The mark of rows that are about to be listed.
const LEAVING: u8 = NONE - 1;
const _: () = assert!(SHARE < LEAVING as usize, "a mark for each node that marks");

/// The rows of one node.
#[derive(Debug, Clone)]
pub(crate) enum NodeRows {
    /// So many with a mark.
    Marked { mark: u8, count: usize },
    /// A part of the list, in order.
    Listed(Range<usize>),
}

/// The rows of all nodes.
///
/// Nodes of many rows mark them: to part those, the marks and bins of all rows are gone through in order, several in one
/// step, which takes less time than to put a list in order. The rows of other nodes follow each other in a list.
#[derive(Debug, Default)]
pub(crate) struct RowSets {
    /// Rows that the tree is grown on, in order.
    drawn: Vec<u32>,
    /// Of all rows.
    marks: Vec<u8>,
    /// The mark of the next node that needs one of its own.
    next: u8,
    listed: Vec<u32>,
    /// Rows with one mark, as they were last looked for.
    found: Vec<u32>,
    spare: Vec<u32>,
}

impl RowSets {
    /// Sets the rows that trees are grown on from now on, in order, of so many.
    pub(crate) fn draw(&mut self, drawn: impl IntoIterator<Item = u32>, all: usize) {
        self.drawn.clear();
        self.drawn.extend(drawn);
        let all = if are_marked(self.drawn.len(), all) {
            all
        } else {
            0
        };
        self.marks.resize(all, NONE);
        self.found.resize(all, 0);
    }

    /// Begins a tree: all rows that were drawn are those of its root.
    pub(crate) fn begin(&mut self) -> NodeRows {
        let count = self.drawn.len();
        self.listed.clear();
        self.next = 1;
        if self.marks.is_empty() {
            self.listed.extend(&self.drawn);
            return NodeRows::Listed(0..count);
        }
        if count == self.marks.len() {
            self.marks.fill(0);
        } else {
            self.marks.fill(NONE);
            for row in &self.drawn {
                self.marks[*row as usize] = 0;
            }
        }
        NodeRows::Marked { mark: 0, count }
    }

    /// Rows of the root.
    pub(crate) fn drawn(&self) -> &[u32] {
        &self.drawn
    }

    /// The rows of a node, in order.
    pub(crate) fn list(&mut self, rows: &NodeRows) -> &[u32] {
        match rows {
            NodeRows::Listed(part) => &self.listed[part.clone()],
            NodeRows::Marked { count, .. } if *count == self.drawn.len() => &self.drawn,
            NodeRows::Marked { mark, .. } => {
                let count = collect(&mut self.marks, (*mark, *mark), &mut self.found);
                &self.found[..count]
            }
        }
    }

    /// Parts the rows of a node; so many go left and right.
    pub(crate) fn split(
        &mut self,
        rows: NodeRows,
        (split, bins): (&Split, &[u8]),
        counts: [usize; 2],
    ) -> [NodeRows; 2] {
        let mark = match rows {
            NodeRows::Listed(part) => {
                let rows = &mut self.listed[part.clone()];
                let middle = part.start + partition(rows, &mut self.spare, bins, split);
                return [part.start..middle, middle..part.end].map(NodeRows::Listed);
            }
            NodeRows::Marked { mark, .. } => mark,
        };
        // Nodes with marks of their own hold one in `SHARE` of the rows each: there are never more than that.
        let marked = counts.map(|count| are_marked(count, self.marks.len()));
        let own = match marked {
            [true, true] => {
                self.next += 1;
                [mark, self.next - 1]
            }
            [true, false] => [mark, LEAVING],
            [false, _] => [LEAVING, mark],
        };
        self.mark(mark, own, bins, &split.way);
        let mut place = |side: usize| {
            let (mark, count) = (own[side], counts[side]);
            if marked[side] {
                return NodeRows::Marked { mark, count };
            }
            let start = self.listed.len();
            let count = collect(&mut self.marks, (mark, NONE), &mut self.found);
            self.listed.extend(&self.found[..count]);
            NodeRows::Listed(start..start + count)
        };
        [place(0), place(1)]
    }

    /// Gives the rows with one mark those of the sides that they go to.
    fn mark(&mut self, from: u8, to: [u8; 2], bins: &[u8], way: &Way) {
        threads::each_chunk(&mut self.marks, CHUNK, |number, marks| {
            let bins = &bins[number * CHUNK..];
            match way {
                Way::Numbers {
                    bin,
                    missing_left: true,
                } => mark_up_to(marks, bins, (from, to), (0, *bin)),
                // Nothing goes left.
                Way::Numbers { bin: 0, .. } => replace(marks, (from, to[1])),
                // Bin 0, of what is missing, comes out above all others.
                Way::Numbers { bin, .. } => {
                    mark_up_to(marks, bins, (from, to), (1, bin - 1));
                }
                Way::Categories(left) => {
                    for (mark, bin) in marks.iter_mut().zip(bins) {
                        if *mark == from {
                            *mark = to[usize::from(!left.contains(usize::from(*bin)))];
                        }
                    }
                }
            }
        });
    }

    /// Adds the answers of leaves to the scores of their rows.
    pub(crate) fn add(&self, leaves: &[(NodeRows, f64)], scores: &mut [f64]) {
        let mut of_marks = [0.0; 1 << u8::BITS];
        let mut lists = Vec::new();
        for (rows, answer) in leaves {
            match rows {
                NodeRows::Marked { mark, .. } => of_marks[usize::from(*mark)] = *answer,
                NodeRows::Listed(part) => lists.push((&self.listed[part.clone()], *answer)),
            }
        }
        // Few chunks: each looks for its rows in all lists.
        let chunk = scores.len().div_ceil(4 * threads::count()).max(CHUNK);
        threads::each_chunk(scores, chunk, |number, scores| {
            let start = number * chunk;
            let marks = self.marks.get(start..).unwrap_or_default();
            for (score, mark) in scores.iter_mut().zip(marks) {
                *score += of_marks[usize::from(*mark)];
            }
            // Lists are in order, so those of a chunk follow each other.
            for (rows, answer) in &lists {
                let from = rows.partition_point(|row| (*row as usize) < start);
                for row in &rows[from..] {
                    let Some(score) = scores.get_mut(*row as usize - start) else {
                        break;
                    };
                    *score += answer;
                }
            }
        });
    }
}

/// Whether a node with so many of all rows marks them.
const fn are_marked(count: usize, all: usize) -> bool {
    count.saturating_mul(SHARE) >= all
}

/// Marks rows by whether their bins, counted from a first one, are at most a last one.
///
/// Here and below all is by value, so that compilers see that nothing changes on the way, and take many rows at once.
fn mark_up_to(
    marks: &mut [u8],
    bins: &[u8],
    (from, [left, right]): (u8, [u8; 2]),
    (first, last): (u8, u8),
) {
    for (mark, bin) in marks.iter_mut().zip(bins) {
        let side = if bin.wrapping_sub(first) <= last {
            left
        } else {
            right
        };
        *mark = if *mark == from { side } else { *mark };
    }
}

fn replace(marks: &mut [u8], (from, to): (u8, u8)) {
    for mark in marks {
        *mark = if *mark == from { to } else { *mark };
    }
}

fn holds(group: &[u8; GROUP], wanted: u8) -> bool {
    // Not `contains`, which asks one by one.
    let any = |any, mark: &u8| any | u8::from(*mark == wanted);
    group.iter().fold(0, any) != 0
}

/// Lists the rows with one mark, which becomes another; returns how many there are.
fn collect(marks: &mut [u8], (from, to): (u8, u8), found: &mut [u32]) -> usize {
    let size = threads::chunk(CHUNK, marks.len());
    let chunks = marks.chunks_mut(size).zip(found.chunks_mut(size));
    let mut chunks: Vec<(&mut [u8], &mut [u32])> = chunks.collect();
    let counts = threads::each_chunk(&mut chunks, 1, |number, chunk| {
        let Some((marks, found)) = chunk.first_mut() else {
            return 0;
        };
        let mut count = 0;
        let number_of = |at: usize| u32::try_from(number * size + at).unwrap_or_default();
        let (groups, rest) = marks.as_chunks_mut::<GROUP>();
        let grouped = groups.len() * GROUP;
        for (at, group) in groups.iter_mut().enumerate() {
            if holds(group, from) {
                for (row, mark) in (number_of(at * GROUP)..).zip(&*group) {
                    found[count] = row;
                    count += usize::from(*mark == from);
                }
                if from != to {
                    replace(group, (from, to));
                }
            }
        }
        for (row, mark) in (number_of(grouped)..).zip(rest) {
            if *mark == from {
                (found[count], *mark) = (row, to);
                count += 1;
            }
        }
        count
    });
    let mut end = 0;
    for (number, count) in counts.into_iter().enumerate() {
        let start = number * size;
        found.copy_within(start..start + count, end);
        end += count;
    }
    end
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
mod tests {
    use super::{NodeRows, RowSets};
    use crate::tree::gradient::Sums;
    use crate::tree::split::{BinSet, Split, Way};
    use dafu_core::random::Stream;

    fn split(way: Way) -> Split {
        Split {
            fit: 0.0,
            gain: 0.0,
            column: 0,
            way,
            left: Sums::default(),
        }
    }

    /// A filter of the rows is the oracle.
    #[test]
    fn nodes_hold_the_rows_that_went_their_way() {
        let mut stream = Stream::new(3, 1, 0);
        let mut sets = RowSets::default();
        for (all, share) in [
            (0, 1),
            (1, 1),
            (15, 1),
            (40, 2),
            (5_000, 1),
            (5_000, 3),
            (70_000, 1),
            (5_000, 40),
        ] {
            let drawn: Vec<u32> = (0..all).filter(|_| stream.below(share) == 0).collect();
            sets.draw(drawn.iter().copied(), all as usize);
            let root = sets.begin();
            assert_eq!(sets.list(&root), drawn);
            let mut nodes = vec![(root, drawn)];
            let mut expected = vec![0.5; all as usize];
            for _ in 0..40 {
                let (node, rows) = nodes.swap_remove(stream.index_below(nodes.len()));
                // Of two kinds: next to all rows go one way, or about half of them.
                let bins: Vec<u8> = match stream.below(2) {
                    0 => (0..all).map(|_| (stream.below(100) == 0).into()).collect(),
                    _ => (0..all).map(|_| stream.below(6) as u8).collect(),
                };
                let way = match stream.below(3) {
                    0 => Way::Numbers {
                        bin: stream.below(6) as u8,
                        missing_left: stream.below(2) == 0,
                    },
                    1 => Way::Numbers {
                        bin: stream.below(2) as u8,
                        missing_left: true,
                    },
                    _ => {
                        let mut left = BinSet::default();
                        left.insert(1 + stream.index_below(5));
                        Way::Categories(left)
                    }
                };
                let goes_left = way.goes_left();
                let (left, right): (Vec<u32>, Vec<u32>) =
                    (rows.iter()).partition(|row| goes_left[usize::from(bins[**row as usize])]);
                let counts = [left.len(), right.len()];
                let parts = sets.split(node, (&split(way), &bins), counts);
                for (part, rows) in parts.into_iter().zip([left, right]) {
                    assert_eq!(sets.list(&part), rows);
                    nodes.push((part, rows));
                }
            }
            for (node, rows) in &nodes {
                assert_eq!(sets.list(node), rows);
            }
            // There may be scores of no row at the end.
            expected.extend([0.5; 3]);
            let mut scores = expected.clone();
            let mut leaves: Vec<(NodeRows, f64)> = Vec::new();
            for (number, (node, rows)) in nodes.into_iter().enumerate() {
                let answer = number as f64 + 1.0;
                for row in rows {
                    expected[row as usize] += answer;
                }
                leaves.push((node, answer));
            }
            sets.add(&leaves, &mut scores);
            assert_eq!(scores, expected);
        }
    }
}
