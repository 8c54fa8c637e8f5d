//! Saving and loading trees.
//!
//! Children are not stored: nodes lie level by level, and every node that is no leaf takes the next two. A file can
//! therefore not hold a cycle or an index outside its tree, only a wrong number of nodes.

use crate::params::{MAX_CATEGORIES, MAX_COLUMNS, MAX_TREES};
use crate::random_forest::PRIOR_EDGE;
use crate::saved::{check, damaged, saved};
use crate::tree::walk::Walk;
use crate::tree::{CategorySet, MAX_LEVELS, Node, Tree};
use crate::{BoostedTrees, EnsembleError, RandomForest};
use dafu_core::model::Limits;
use serde::{Deserialize, Serialize};

/// Layout of the payloads, counted up with every change.
const VERSION: u16 = 1;
/// Answers beyond this could add up to infinity.
const MOST: f64 = 1e250;
/// In [`SavedTrees::ways`]: what is missing goes left.
const MISSING_LEFT: u8 = 1;
/// In [`SavedTrees::ways`]: categories are split.
const CATEGORIES: u8 = 2;
/// In [`SavedTrees::ways`]: the set of categories truncates.
const TRUNCATES: u8 = 4;

#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedTrees {
    /// Nodes of each tree.
    tree_nodes: Vec<u32>,
    /// For each node 0 for a leaf, else column + 1.
    columns: Vec<u32>,
    /// For each split which way values go.
    ways: Vec<u8>,
    gains: Vec<f64>,
    /// For each split by numbers.
    thresholds: Vec<f64>,
    /// For each split by categories.
    sets: Vec<Vec<u64>>,
    /// For each leaf.
    answers: Vec<f64>,
    covers: Vec<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedBoostedTrees {
    width: u32,
    base: f64,
    trees: SavedTrees,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedForest {
    width: u32,
    prior: f64,
    trees: SavedTrees,
}

impl SavedTrees {
    fn new(trees: &[Tree]) -> Self {
        let mut saved = Self::default();
        for tree in trees {
            let nodes = u32::try_from(tree.nodes.len()).unwrap_or(u32::MAX);
            saved.tree_nodes.push(nodes);
            for node in &tree.nodes {
                if node.is_leaf() {
                    saved.columns.push(0);
                    saved.answers.push(node.value);
                    saved.covers.push(node.cover);
                    continue;
                }
                saved.columns.push(node.column + 1);
                saved.gains.push(node.gain);
                let mut way = if node.missing_left { MISSING_LEFT } else { 0 };
                if let Some(set) = tree.set(node) {
                    way |= CATEGORIES | if set.truncates { TRUNCATES } else { 0 };
                    saved.sets.push(set.words.clone());
                } else {
                    saved.thresholds.push(node.threshold);
                }
                saved.ways.push(way);
            }
        }
        saved
    }

    /// The trees, if everything in the file is sound and within the limits.
    fn restore(self, width: u32, limits: &Limits) -> Result<Vec<Tree>, EnsembleError> {
        let trees = self.tree_nodes.len();
        check(
            trees <= MAX_TREES && trees as u64 <= limits.max_trees,
            "too many trees",
        )?;
        let most = limits.max_features.min(MAX_COLUMNS as u64);
        check(width > 0 && u64::from(width) <= most, "its width")?;
        let nodes: u64 = self.tree_nodes.iter().copied().map(u64::from).sum();
        check(nodes <= limits.max_nodes, "too many nodes")?;
        check(nodes == self.columns.len() as u64, "the number of nodes")?;
        let mut columns = self.columns.iter();
        let mut splits = self.ways.iter().zip(&self.gains);
        let mut leaves = self.answers.iter().zip(&self.covers);
        let mut thresholds = self.thresholds.iter();
        let mut sets = self.sets.into_iter();
        let mut restored = Vec::with_capacity(trees);
        for len in &self.tree_nodes {
            let mut tree = Tree::default();
            let mut next_child = 1;
            for column in columns.by_ref().take(*len as usize) {
                let mut node = Node::LEAF;
                let Some(column) = column.checked_sub(1) else {
                    let leaf = leaves.next().ok_or(damaged("the number of leaves"))?;
                    (node.value, node.cover) = (*leaf.0, *leaf.1);
                    check(node.value.abs() <= MOST, "the answer of a leaf")?;
                    check((0.0..=MOST).contains(&node.cover), "the cover of a leaf")?;
                    tree.nodes.push(node);
                    continue;
                };
                check(column < width, "the column of a split")?;
                let (way, gain) = splits.next().ok_or(damaged("the number of splits"))?;
                check(gain.abs() <= MOST, "the gain of a split")?;
                let known = *way <= MISSING_LEFT | CATEGORIES | TRUNCATES;
                let of_set = way & TRUNCATES == 0 || way & CATEGORIES != 0;
                check(known && of_set, "the way of a split")?;
                (node.column, node.gain) = (column, *gain);
                (node.left, node.missing_left) = (next_child, way & MISSING_LEFT != 0);
                next_child = next_child.saturating_add(2);
                if way & CATEGORIES == 0 {
                    let threshold = thresholds
                        .next()
                        .ok_or(damaged("the number of thresholds"))?;
                    // Infinity parts all numbers from what is missing. Of minus infinity no split is made: all would go right.
                    check(*threshold > f64::NEG_INFINITY, "a threshold")?;
                    node.threshold = *threshold;
                } else {
                    let words = sets.next().ok_or(damaged("the number of sets"))?;
                    check(
                        words.len() <= MAX_CATEGORIES as usize / 64,
                        "a set of categories",
                    )?;
                    let truncates = way & TRUNCATES != 0;
                    tree.sets.push(CategorySet { words, truncates });
                    node.set = u32::try_from(tree.sets.len()).unwrap_or_default();
                }
                tree.nodes.push(node);
            }
            check(next_child == *len, "the shape of a tree")?;
            check(tree.levels() <= MAX_LEVELS, "the depth of a tree")?;
            restored.push(tree.level_by_level());
        }
        let left = splits.next().is_some()
            || leaves.next().is_some()
            || thresholds.next().is_some()
            || sets.next().is_some();
        check(!left, "values that belong to no node")?;
        Ok(restored)
    }
}

saved!(BoostedTrees, "dafu.boosted_trees", VERSION);
saved!(RandomForest, "dafu.random_forest", VERSION);

impl BoostedTrees {
    fn to_saved(&self) -> SavedBoostedTrees {
        SavedBoostedTrees {
            width: u32::try_from(self.width).unwrap_or(u32::MAX),
            base: self.base,
            trees: SavedTrees::new(&self.trees),
        }
    }

    fn from_saved(saved: SavedBoostedTrees, limits: &Limits) -> Result<Self, EnsembleError> {
        check(saved.base.abs() <= MOST, "its base")?;
        let trees = saved.trees.restore(saved.width, limits)?;
        Ok(Self::new(saved.width as usize, saved.base, trees))
    }
}

impl RandomForest {
    fn to_saved(&self) -> SavedForest {
        SavedForest {
            width: u32::try_from(self.width).unwrap_or(u32::MAX),
            prior: self.prior,
            trees: SavedTrees::new(&self.trees),
        }
    }

    fn from_saved(saved: SavedForest, limits: &Limits) -> Result<Self, EnsembleError> {
        let possible = PRIOR_EDGE..=1.0 - PRIOR_EDGE;
        check(possible.contains(&saved.prior), "its prior")?;
        let trees = saved.trees.restore(saved.width, limits)?;
        check(!trees.is_empty(), "no tree")?;
        let mut nodes = trees.iter().flat_map(|tree| &tree.nodes);
        let share = |node: &Node| (0.0..=1.0).contains(&node.value);
        check(nodes.all(share), "the answer of a leaf")?;
        Ok(Self {
            width: saved.width as usize,
            prior: saved.prior,
            walk: Walk::new(&trees),
            trees,
            out_of_bag: None,
        })
    }
}
