//! Forests of random trees, for tests, and a walk as a textbook would write it.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::node::{Bounds, FlatTree, Node, Tree, Trees};
use crate::value::{MAX_BITS, TreeKind, ValueRule};
use crate::{AveragePath, Scoring};
use dafu_core::random::Stream;
use ndarray::{Array2, ArrayView2};

/// Where thresholds and values come from: few numbers, so that many are equal, and extreme ones.
const NUMBERS: [f64; 14] = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    1.0,
    1.0 + f64::EPSILON,
    -1.5,
    3.25,
    1e16,
    f64::MAX,
    f64::MIN,
    -1e300,
    1e300,
];

/// More columns than any test has.
pub(crate) const WIDE: usize = 1 << 30;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) trees: usize,
    pub(crate) columns: usize,
    /// Most leaves of a tree.
    pub(crate) leaves: usize,
    pub(crate) levels: u32,
    /// How often a number is one of [`NUMBERS`], in hundredths.
    pub(crate) special: usize,
}

fn number(stream: &mut Stream, special: usize) -> f64 {
    if stream.index_below(100) < special {
        NUMBERS[stream.index_below(NUMBERS.len())]
    } else {
        stream.unit() * 10.0 - 5.0
    }
}

pub(crate) fn random_trees(shape: Shape, stream: &mut Stream) -> Trees {
    let mut trees = Trees::with_capacity(shape.trees, 0);
    for _ in 0..shape.trees {
        let mut tree = FlatTree {
            nodes: vec![Node::leaf(0)],
            counts: vec![256],
            ..FlatTree::default()
        };
        let (mut depths, mut at, mut leaves) = (vec![0], 0, 1);
        while at < tree.nodes.len() {
            let count = tree.counts[at];
            // A node may be the last one that could grow, so that deep trees come about.
            let last = at + 1 == tree.nodes.len();
            let splits = last || stream.index_below(5) > 0;
            if splits && count > 1 && depths[at] < shape.levels && leaves < shape.leaves {
                let left = u32::try_from(tree.nodes.len()).unwrap();
                let column = u32::try_from(stream.index_below(shape.columns)).unwrap();
                let missing_right = stream.index_below(2) == 0;
                tree.nodes[at] = Node::split(column, number(stream, shape.special), left)
                    .with_missing_right(missing_right);
                let rows = 1 + u32::try_from(stream.index_below(count as usize - 1)).unwrap();
                for (child, rows) in [(left, rows), (left + 1, count - rows)] {
                    tree.nodes.push(Node::leaf(child));
                    tree.counts.push(rows);
                    depths.push(depths[at] + 1);
                }
                leaves += 1;
            }
            at += 1;
        }
        let bounds = Bounds {
            width: u32::try_from(WIDE).unwrap(),
            sample_size: 256,
            height_limit: 65_535,
            categorical: &[],
        };
        trees.push(&tree, 0, &bounds).unwrap();
    }
    let rule = ValueRule {
        scoring: Scoring::Depth,
        average_path: AveragePath::Exact,
        kinds: &[TreeKind::new(256, AveragePath::Exact)],
    };
    rule.apply(&mut trees, MAX_BITS);
    trees
}

pub(crate) fn random_rows(
    (rows, columns): (usize, usize),
    special: usize,
    stream: &mut Stream,
) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || number(stream, special))
}

pub(crate) const SHAPES: [Shape; 9] = [
    shape(100, 10, 64, 8),
    shape(3, 1, 40, 8),
    shape(37, 40, 60, 8),
    shape(13, 5, 1, 8),
    shape(9, 2, 2, 1),
    shape(21, 3, 256, 65_535),
    shape(1, 2, 256, 65_535),
    shape(40, 33, 256, 300),
    // Several tables of thresholds.
    shape(400, 6, 256, 65_535),
];

pub(crate) const fn shape(trees: usize, columns: usize, leaves: usize, levels: u32) -> Shape {
    Shape {
        trees,
        columns,
        leaves,
        levels,
        special: 30,
    }
}

fn leaf_of(tree: &Tree<'_>, row: &[f64]) -> usize {
    let mut at = 0;
    while !tree.nodes[at].is_leaf(at) {
        let node = &tree.nodes[at];
        let value = row[node.test()];
        let right = if value.is_nan() {
            node.missing_right()
        } else {
            value > node.threshold
        };
        at = node.left as usize + usize::from(right);
    }
    at
}

pub(crate) fn walked(
    trees: &Trees,
    rows: ArrayView2<'_, f64>,
    value: impl Fn(u32) -> u32,
) -> Vec<u64> {
    let of_row = |row: Vec<f64>| {
        let leaves = trees.iter().map(|tree| tree.values[leaf_of(&tree, &row)]);
        leaves.map(|path| u64::from(value(path))).sum()
    };
    let rows = rows.rows().into_iter();
    rows.map(|row| of_row(row.to_vec())).collect()
}
