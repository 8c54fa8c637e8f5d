//! One online isolation tree: a histogram of boxes that split as points come and merge as points go.

use super::bounds::{between, count_varying, empty, enclose, extend, nth_varying};
use super::depth::ExpectedDepth;
use super::params::Rules;
use crate::grow::split_value;
use crate::partition::partition;
use dafu_core::random::Stream;

/// Part of the hash that seeds a stream; apart from the numbers of `crate::purpose::Purpose`.
#[derive(Debug, Clone, Copy)]
pub(super) enum OnlinePurpose {
    /// The key of a tree, from which its own streams come.
    Tree = 0x101,
    /// Points, features and values of one split of a tree.
    Split = 0x102,
    /// Whether a tree learns a row.
    Sample = 0x103,
}

/// Feature of a node that is not split.
const LEAF: u32 = u32::MAX;

/// 12 bytes, so that the upper levels of a tree share a cache line.
#[derive(Debug, Clone, Copy)]
struct Node {
    count: u32,
    /// [`LEAF`] or the column that the split asks about.
    feature: u32,
    /// Number of the leaf's box, or of the block of children.
    link: u32,
}

impl Node {
    const fn is_leaf(self) -> bool {
        self.feature == LEAF
    }
}

/// What all trees of a forest share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) rules: Rules,
    pub(super) width: usize,
}

impl Shape {
    fn branching(&self) -> usize {
        self.rules.branching as usize
    }
}

/// Buffers that serve all trees and grow to the largest split.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    /// Points drawn for a split, row after row.
    points: Vec<f64>,
    /// Positions of points, reordered by the splits.
    order: Vec<u32>,
    /// Nodes that wait to be merged.
    stack: Vec<u32>,
    /// The union of the boxes that are merged.
    union: Vec<f64>,
}

impl Scratch {
    pub(super) fn bytes(&self) -> usize {
        (self.points.capacity() + self.union.capacity()) * size_of::<f64>()
            + (self.order.capacity() + self.stack.capacity()) * size_of::<u32>()
    }
}

/// A tree in three arenas with free lists.
///
/// Node 0 is the root; block k holds the b nodes from 1 + k b, the children of one split, and its b - 1 split values.
/// A box is 2 d numbers, the lowest values, then the highest; only leaves have one, which reaches
/// from the largest number back to the smallest while it holds no point.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    key: u64,
    /// Splits so far; the next one's stream is that of this number.
    draws: u64,
    nodes: Vec<Node>,
    values: Vec<f64>,
    free_blocks: Vec<u32>,
    boxes: Vec<f64>,
    free_boxes: Vec<u32>,
}

#[cfg(any(test, feature = "serde"))]
/// A node of a saved tree, in the order root, first child and all below it, second child ...
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Visit<'a> {
    Split {
        count: u32,
        feature: u32,
        values: &'a [f64],
    },
    Leaf {
        count: u32,
        bounds: &'a [f64],
    },
}

/// A number that counts points, nodes or columns; the checks of parameters bound them all.
pub(super) fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Tree {
    /// Tree number `number` of a forest, without a point.
    pub(super) fn new(seed: u64, number: usize, shape: &Shape) -> Self {
        let mut stream = Stream::new(seed, OnlinePurpose::Tree as u64, number as u64);
        let mut tree = Self {
            key: stream.below(u64::MAX),
            draws: 0,
            nodes: Vec::new(),
            values: Vec::new(),
            free_blocks: Vec::new(),
            boxes: Vec::new(),
            free_boxes: Vec::new(),
        };
        tree.prune(shape);
        tree
    }

    /// Only an empty root is left; the streams go on.
    pub(super) fn prune(&mut self, shape: &Shape) {
        self.nodes.clear();
        self.values.clear();
        self.free_blocks.clear();
        self.boxes.clear();
        self.free_boxes.clear();
        let link = self.take_box(shape);
        self.nodes.push(Node {
            count: 0,
            feature: LEAF,
            link,
        });
    }

    /// As new.
    pub(super) fn clear(&mut self, shape: &Shape) {
        self.draws = 0;
        self.prune(shape);
    }

    #[cfg(feature = "serde")]
    pub(super) fn draws(&self) -> u64 {
        self.draws
    }

    #[cfg(feature = "serde")]
    pub(super) fn set_draws(&mut self, draws: u64) {
        self.draws = draws;
    }

    /// Rows that the tree holds.
    pub(super) fn rows(&self) -> u32 {
        self.nodes[0].count
    }

    pub(super) fn is_split(&self) -> bool {
        !self.nodes[0].is_leaf()
    }

    pub(super) fn node_count(&self, shape: &Shape) -> usize {
        self.nodes.len() - self.free_blocks.len() * shape.branching()
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + (self.values.capacity() + self.boxes.capacity()) * size_of::<f64>()
            + (self.free_blocks.capacity() + self.free_boxes.capacity()) * size_of::<u32>()
    }

    /// Whether the tree learns row number `number`: the same answer when the row comes and when it goes.
    pub(super) fn takes(&self, subsample: f64, number: u64) -> bool {
        subsample >= 1.0
            || Stream::new(self.key, OnlinePurpose::Sample as u64, number).unit() < subsample
    }

    /// The child on the row's side of a split.
    #[inline]
    fn child(&self, node: Node, row: &[f64], branching: usize) -> usize {
        let value = row[node.feature as usize];
        let block = node.link as usize;
        if branching == 2 {
            return 1 + 2 * block + usize::from(value > self.values[block]);
        }
        let first = block * (branching - 1);
        let above = self.values[first..first + branching - 1]
            .iter()
            .filter(|&&split| value > split)
            .count();
        1 + block * branching + above
    }

    /// Depth and count of the row's leaf.
    #[inline]
    pub(super) fn leaf_of(&self, row: &[f64], branching: usize) -> (u32, u32) {
        let (mut node, mut depth) = (self.nodes[0], 0);
        while !node.is_leaf() {
            node = self.nodes[self.child(node, row, branching)];
            depth += 1;
        }
        (depth, node.count)
    }

    /// Adds a point to the counts on its way and to the box of its leaf, which may split.
    ///
    /// O(levels + d), and O(h d) more for a split of h points.
    pub(super) fn learn(&mut self, shape: &Shape, row: &[f64], scratch: &mut Scratch) {
        let (mut at, mut depth) = (0, 0);
        self.nodes[0].count += 1;
        while !self.nodes[at].is_leaf() {
            at = self.child(self.nodes[at], row, shape.branching());
            self.nodes[at].count += 1;
            depth += 1;
        }
        let node = self.nodes[at];
        let bounds = self.bounds_mut(node.link, shape.width);
        let varied = extend(bounds, row);
        if u64::from(node.count) >= shape.rules.points_to_split(depth)
            && shape.rules.is_depth_open(depth, self.rows())
        {
            let known = (!varied).then_some(row);
            self.split(shape, (at, depth), known, scratch);
        }
    }

    /// Splits a leaf by points drawn in its box; a leaf of one point, or whose points are all equal, stays.
    ///
    /// With `newest`, the others are known to be all equal, and nothing is drawn.
    fn split(
        &mut self,
        shape: &Shape,
        place: (usize, u32),
        newest: Option<&[f64]>,
        scratch: &mut Scratch,
    ) {
        let node = self.nodes[place.0];
        let width = shape.width;
        if node.count < 2 || count_varying(self.bounds(node.link, width)) == 0 {
            return;
        }
        let mut stream = Stream::new(self.key, OnlinePurpose::Split as u64, self.draws);
        self.draws += 1;
        let (lows, highs) = self.bounds(node.link, width).split_at(width);
        let Scratch { points, order, .. } = scratch;
        points.clear();
        order.clear();
        if let Some(newest) = newest {
            points.extend_from_slice(newest);
            // Where the others are: the edge of the box that the newest is not at.
            let sides = lows.iter().zip(highs).zip(newest);
            points.extend(sides.map(|((&low, &high), &new)| if new < high { high } else { low }));
            order.push(0);
            order.resize(node.count as usize, 1);
        } else {
            for _ in 0..node.count {
                let sides = lows.iter().zip(highs);
                points.extend(sides.map(|(&low, &high)| between(low, high, stream.unit())));
            }
            let (first, others) = points.split_at(width);
            if others.chunks_exact(width).all(|point| point == first) {
                return;
            }
            order.extend(0..node.count);
        }
        self.grow(shape, place, (points, order), &mut stream);
    }

    /// Makes a leaf the root of a subtree over some points: count and box are theirs.
    fn grow(
        &mut self,
        shape: &Shape,
        (at, depth): (usize, u32),
        (points, order): (&[f64], &mut [u32]),
        stream: &mut Stream,
    ) {
        let (width, branching) = (shape.width, shape.branching());
        let link = self.nodes[at].link;
        self.nodes[at].count = to_u32(order.len());
        let rows = self.rows();
        let bounds = self.bounds_mut(link, width);
        enclose(bounds, points, order);
        let varying = count_varying(bounds);
        if varying == 0
            || (order.len() as u64) < shape.rules.points_to_split(depth)
            || !shape.rules.is_depth_open(depth, rows)
        {
            return;
        }
        let feature = nth_varying(bounds, stream.index_below(varying));
        let (low, high) = (bounds[feature], bounds[width + feature]);
        self.free_boxes.push(link);
        let block = self.take_block(shape) as usize;
        let first = block * (branching - 1);
        let values = &mut self.values[first..first + branching - 1];
        for value in values.iter_mut() {
            *value = split_value(low, high, stream.unit());
        }
        values.sort_unstable_by(f64::total_cmp);
        self.nodes[at].feature = to_u32(feature);
        self.nodes[at].link = to_u32(block);
        let mut rest = order;
        for side in 0..branching {
            let len = if side + 1 < branching {
                let value = self.values[first + side];
                partition(rest, |point| points[point * width + feature] <= value)
            } else {
                rest.len()
            };
            let (here, beyond) = rest.split_at_mut(len);
            let child = (1 + block * branching + side, depth + 1);
            self.grow(shape, child, (points, here), stream);
            rest = beyond;
        }
    }

    /// Takes a point from the counts on its way; a split with too few points left is taken back.
    ///
    /// Where the point's side of a split is empty, since the points drawn at the split fell on the others, it leaves
    /// from the side that holds most: so no count is negative and the counts of children always add up.
    ///
    /// O(levels), and O(nodes x d) more for a merge.
    pub(super) fn forget(&mut self, shape: &Shape, row: &[f64], scratch: &mut Scratch) {
        let branching = shape.branching();
        if self.nodes[0].count == 0 {
            return;
        }
        let (mut at, mut depth) = (0, 0);
        loop {
            self.nodes[at].count -= 1;
            let node = self.nodes[at];
            if node.is_leaf() {
                return;
            }
            if u64::from(node.count) < shape.rules.points_to_split(depth) {
                self.merge(shape, at, scratch);
                return;
            }
            at = self.child(node, row, branching);
            if self.nodes[at].count == 0 {
                let first = 1 + node.link as usize * branching;
                let fullest =
                    (first..first + branching).max_by_key(|&child| self.nodes[child].count);
                at = fullest.unwrap_or(at);
            }
            depth += 1;
        }
    }

    /// Makes an inner node a leaf, whose box is the union of the boxes below.
    fn merge(&mut self, shape: &Shape, at: usize, scratch: &mut Scratch) {
        let width = shape.width;
        let Scratch { stack, union, .. } = scratch;
        union.clear();
        union.resize(2 * width, 0.0);
        empty(union);
        stack.clear();
        stack.push(to_u32(at));
        while let Some(below) = stack.pop() {
            let node = self.nodes[below as usize];
            if node.is_leaf() {
                let bounds = self.bounds(node.link, width);
                for (place, (edge, &value)) in union.iter_mut().zip(bounds).enumerate() {
                    if if place < width {
                        value < *edge
                    } else {
                        value > *edge
                    } {
                        *edge = value;
                    }
                }
                self.free_boxes.push(node.link);
            } else {
                let first = 1 + node.link * shape.rules.branching;
                stack.extend(first..first + shape.rules.branching);
                self.free_blocks.push(node.link);
            }
        }
        let link = self.take_box(shape);
        self.bounds_mut(link, width).copy_from_slice(union);
        let node = &mut self.nodes[at];
        node.feature = LEAF;
        node.link = link;
    }

    /// The mean depth of the points below a node, c(h) of their leaves included; plain over leaves without points.
    pub(super) fn mean_depth(
        &self,
        (at, depth): (usize, u32),
        branching: usize,
        expected: &ExpectedDepth,
    ) -> f64 {
        let node = self.nodes[at];
        if node.is_leaf() {
            return f64::from(depth) + expected.get(node.count);
        }
        let first = 1 + node.link as usize * branching;
        let sum: f64 = (first..first + branching)
            .map(|child| {
                let weight = f64::from(self.nodes[child].count);
                weight * self.mean_depth((child, depth + 1), branching, expected)
            })
            .sum();
        sum / f64::from(node.count)
    }

    /// Feature and child of the row's way at a node; none at a leaf.
    pub(super) fn step(&self, at: usize, row: &[f64], branching: usize) -> Option<(usize, usize)> {
        let node = self.nodes[at];
        (!node.is_leaf()).then(|| (node.feature as usize, self.child(node, row, branching)))
    }

    #[cfg(any(test, feature = "serde"))]
    /// Visits the nodes, parents before children.
    pub(super) fn visit<'a>(&'a self, shape: &Shape, mut visitor: impl FnMut(Visit<'a>)) {
        let branching = shape.branching();
        let mut stack = vec![0];
        while let Some(at) = stack.pop() {
            let node = self.nodes[at];
            let count = node.count;
            if node.is_leaf() {
                let bounds = self.bounds(node.link, shape.width);
                visitor(Visit::Leaf { count, bounds });
            } else {
                let block = node.link as usize;
                let values = &self.values[block * (branching - 1)..(block + 1) * (branching - 1)];
                let feature = node.feature;
                visitor(Visit::Split {
                    count,
                    feature,
                    values,
                });
                stack.extend(
                    (0..branching)
                        .rev()
                        .map(|side| 1 + block * branching + side),
                );
            }
        }
    }

    #[cfg(feature = "serde")]
    /// Writes a node that was visited over a leaf, and says where the children of a split are.
    pub(super) fn put(
        &mut self,
        shape: &Shape,
        at: usize,
        visit: Visit<'_>,
    ) -> std::ops::Range<usize> {
        let (branching, link) = (shape.branching(), self.nodes[at].link);
        match visit {
            Visit::Leaf { count, bounds } => {
                self.nodes[at].count = count;
                self.bounds_mut(link, shape.width).copy_from_slice(bounds);
                0..0
            }
            Visit::Split {
                count,
                feature,
                values,
            } => {
                self.free_boxes.push(link);
                let block = self.take_block(shape) as usize;
                self.values[block * (branching - 1)..(block + 1) * (branching - 1)]
                    .copy_from_slice(values);
                self.nodes[at] = Node {
                    count,
                    feature,
                    link: to_u32(block),
                };
                1 + block * branching..1 + (block + 1) * branching
            }
        }
    }

    /// Whether the counts of all children add up to their parent's.
    #[cfg(any(test, feature = "serde"))]
    pub(super) fn adds_up(&self, shape: &Shape) -> bool {
        let branching = shape.branching();
        let mut stack = vec![0];
        while let Some(at) = stack.pop() {
            let node = self.nodes[at];
            if !node.is_leaf() {
                let first = 1 + node.link as usize * branching;
                let children = first..first + branching;
                let counts = children
                    .clone()
                    .map(|child| u64::from(self.nodes[child].count));
                if counts.sum::<u64>() != u64::from(node.count) {
                    return false;
                }
                stack.extend(children);
            }
        }
        true
    }

    fn bounds(&self, link: u32, width: usize) -> &[f64] {
        let start = link as usize * 2 * width;
        &self.boxes[start..start + 2 * width]
    }

    fn bounds_mut(&mut self, link: u32, width: usize) -> &mut [f64] {
        let start = link as usize * 2 * width;
        &mut self.boxes[start..start + 2 * width]
    }

    /// A box without a point.
    fn take_box(&mut self, shape: &Shape) -> u32 {
        let width = shape.width;
        let link = self.free_boxes.pop().unwrap_or_else(|| {
            let link = to_u32(self.boxes.len() / (2 * width));
            self.boxes.resize(self.boxes.len() + 2 * width, 0.0);
            link
        });
        empty(self.bounds_mut(link, width));
        link
    }

    /// A block of leaves without a point.
    fn take_block(&mut self, shape: &Shape) -> u32 {
        let branching = shape.branching();
        let block = self.free_blocks.pop().unwrap_or_else(|| {
            let block = to_u32(self.nodes.len() / branching);
            let leaf = Node {
                count: 0,
                feature: LEAF,
                link: 0,
            };
            self.nodes.resize(self.nodes.len() + branching, leaf);
            self.values.resize(self.values.len() + branching - 1, 0.0);
            block
        });
        let first = 1 + block as usize * branching;
        for child in first..first + branching {
            let link = self.take_box(shape);
            self.nodes[child] = Node {
                count: 0,
                feature: LEAF,
                link,
            };
        }
        block
    }
}
