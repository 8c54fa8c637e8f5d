//! One tree as steps on sets of rows.

use super::plane::Plane;
use super::{CODES, to_u16};
use crate::node::{Node, Tree};

/// A slot that nothing is read from.
const NOWHERE: u8 = 255;

/// Parts the rows that come to a node.
///
/// Those that go left and right are put into slots, and one bit of the codes of those that go right is flipped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Place in the table of the rows with a value up to the threshold.
    pub(super) low: u16,
    /// Place among the sets of missing values of what goes left besides; 0, the empty set, where missing goes
    /// right.
    pub(super) missing: u16,
    /// Slot of the rows that come to the node.
    pub(super) here: u8,
    pub(super) left: u8,
    pub(super) right: u8,
    pub(super) bit: u8,
}

/// In place of [`Step::missing`]: the set of a plane is to be made before it is read.
pub(super) const MAKE_PLANE: u16 = u16::MAX;

/// A tree of at most [`CODES`] leaves.
///
/// Every leaf has a byte as its code. The left child of a node has the code of the node, the right child a code
/// that differs in one bit wherever such a one is free: then a node costs one exclusive or. In a tree of up to
/// eight levels that is always so, as each level has its own bit; in deeper ones nearly.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Parents before children.
    steps: Vec<Step>,
    /// Steps before those that only flip bits.
    forks: usize,
    pub(super) planes: Vec<Plane>,
    /// Place in the table of the set of the first of them.
    pub(super) first_plane: usize,
    /// Path length of each code.
    pub(super) values: Box<[u32; CODES]>,
}

impl Part {
    /// `place` says where the sets of a node are, see [`Step::low`] and [`Step::missing`]; those of planes are from
    /// `first_plane` on.
    pub(super) fn new(
        tree: &Tree<'_>,
        (width, first_plane, flips): (usize, usize, &[u8; CODES - 1]),
        place: impl Fn(&Node) -> (u16, u16),
    ) -> Self {
        let len = tree.nodes.len();
        let mut codes = vec![0_u8; len];
        let mut levels = vec![0_u32; len];
        let mut slots = vec![NOWHERE; len];
        let mut used = [false; CODES];
        used[0] = true;
        slots[0] = 0;
        let mut next_slot = 1;
        let mut values = Box::new([0; CODES]);
        let mut planes = Vec::new();
        let mut steps = Vec::with_capacity(len / 2);
        for (at, node) in tree.nodes.iter().enumerate() {
            let code = codes[at];
            if node.is_leaf(at) {
                values[usize::from(code)] = tree.values[at];
                continue;
            }
            let left = node.left as usize;
            let by_level = 1 << (levels[at] % u8::BITS);
            let flip = std::iter::once(by_level)
                .chain(flips.iter().copied())
                .find(|flip| !used[usize::from(code ^ flip)])
                .unwrap_or(0);
            used[usize::from(code ^ flip)] = true;
            codes[left] = code;
            codes[left + 1] = code ^ flip;
            for child in [left, left + 1] {
                levels[child] = levels[at] + 1;
                if !tree.nodes[child].is_leaf(child) {
                    slots[child] = next_slot;
                    next_slot += 1;
                }
            }
            let plane = Plane::of(tree, at, width);
            let (low, missing) = match plane {
                Some(_) => (to_u16(first_plane + planes.len()), MAKE_PLANE),
                None => place(node),
            };
            let mut step = Step {
                low,
                missing,
                here: slots[at],
                left: slots[left],
                right: slots[left + 1],
                bit: 0,
            };
            let is_plane = plane.is_some();
            planes.extend(plane);
            for bit in (0..8).filter(|bit| flip >> bit & 1 == 1) {
                step.bit = bit;
                steps.push(step);
                // Further bits only need the same rows once more.
                step.left = NOWHERE;
                step.right = NOWHERE;
                // The set of a plane is there by then.
                step.missing = if is_plane { 0 } else { missing };
            }
        }
        let ends = |step: &Step| step.left == NOWHERE && step.right == NOWHERE;
        steps.sort_by_key(ends);
        let forks = steps.partition_point(|step| !ends(step));
        Self {
            steps,
            forks,
            planes,
            first_plane,
            values,
        }
    }

    /// Steps that put rows into slots, and those after them that need not, as only leaves follow.
    pub(super) fn steps(&self) -> (&[Step], &[Step]) {
        self.steps.split_at(self.forks)
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.steps.len() * size_of::<Step>()
            + size_of_val(&*self.values)
            + self.planes.capacity() * size_of::<Plane>()
            + self.planes.iter().map(Plane::bytes).sum::<usize>()
    }
}

/// All bytes but zero, those with fewer bits first.
pub(super) fn flips() -> [u8; CODES - 1] {
    let mut flips = [0; CODES - 1];
    for (flip, byte) in flips.iter_mut().zip(1..=u8::MAX) {
        *flip = byte;
    }
    flips.sort_by_key(|flip: &u8| flip.count_ones());
    flips
}
