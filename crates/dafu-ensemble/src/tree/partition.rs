//! Rows of a node, put in order of its children.

use crate::threads;
use crate::tree::bin::Bins;
use crate::tree::split::{Split, Way};
use crate::tree::{CategorySet, Node, Tree};

/// Rows that a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// Puts the rows that go left before the others, each in their order; returns how many do.
///
/// `spare` is room for the others.
pub(crate) fn partition(
    part: &mut [u32],
    spare: &mut Vec<u32>,
    bins: &[u8],
    split: &Split,
) -> usize {
    let goes_left = split.way.goes_left();
    spare.resize(spare.len().max(part.len()), 0);
    let size = threads::chunk(CHUNK, part.len());
    let chunks = part.chunks_mut(size).zip(spare.chunks_mut(size));
    let mut chunks: Vec<(&mut [u32], &mut [u32])> = chunks.collect();
    let lefts = threads::each_chunk(&mut chunks, 1, |_, chunk| {
        let Some((part, spare)) = chunk.first_mut() else {
            return 0;
        };
        let (mut lefts, mut rights) = (0, 0);
        for at in 0..part.len() {
            let row = part[at];
            let left = goes_left[usize::from(bins[row as usize])];
            // Both places are written, so that nothing depends on a branch.
            part[lefts] = row;
            spare[rights] = row;
            lefts += usize::from(left);
            rights += usize::from(!left);
        }
        lefts
    });
    // Each chunk has its lefts in front, and its rights in the spare room.
    let mut end = 0;
    for (number, lefts) in lefts.iter().enumerate() {
        let start = number * size;
        part.copy_within(start..start + lefts, end);
        end += lefts;
    }
    let all_lefts = end;
    for (number, lefts) in lefts.iter().enumerate() {
        let start = number * size;
        let rights = size.min(part.len() - start) - lefts;
        part[end..end + rights].copy_from_slice(&spare[start..start + rights]);
        end += rights;
    }
    all_lefts
}

impl Tree {
    /// Turns a leaf into a node with two leaves below; returns the first of them.
    pub(crate) fn split(&mut self, node: usize, split: &Split, bins: &Bins) -> usize {
        let first = self.nodes.len();
        self.nodes.extend([Node::LEAF; 2]);
        let column = &bins.columns[split.column];
        let (mut threshold, mut set, mut missing) = (0.0, 0, false);
        match &split.way {
            Way::Numbers { bin, missing_left } => {
                // Without an edge all numbers go left, and what is missing right.
                threshold = column.edge(usize::from(*bin)).unwrap_or(f64::INFINITY);
                missing = *missing_left;
            }
            Way::Categories(left) => {
                let mut categories = CategorySet::default();
                let bins = (1..column.len()).filter(|bin| left.contains(*bin));
                bins.filter_map(|bin| column.code(bin))
                    .for_each(|code| categories.insert(code));
                self.sets.push(categories);
                set = u32::try_from(self.sets.len()).unwrap_or_default();
            }
        }
        let node = &mut self.nodes[node];
        node.left = u32::try_from(first).unwrap_or_default();
        node.column = u32::try_from(split.column).unwrap_or_default();
        (node.threshold, node.set, node.missing_left) = (threshold, set, missing);
        node.gain = split.gain;
        first
    }
}
