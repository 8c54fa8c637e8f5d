//! Trees: how they are grown, answer, are explained and saved. Boosted trees and random forests are made of them.

pub(crate) mod bin;
pub(crate) mod binned;
pub(crate) mod constraint;
pub(crate) mod forest_grow;
pub(crate) mod gradient;
pub(crate) mod grow;
pub(crate) mod histogram;
mod masks;
mod partition;
mod quick;
pub(crate) mod row_sets;
#[cfg(feature = "serde")]
mod saved;
pub(crate) mod shap;
pub(crate) mod split;
pub(crate) mod walk;

/// Levels of a tree at most, where it was not grown here.
#[cfg(any(feature = "serde", feature = "import"))]
pub(crate) const MAX_LEVELS: usize = 128;

/// A node of a tree. The children of a node follow each other, and lie behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// Left child, 0 for a leaf.
    pub(crate) left: u32,
    pub(crate) column: u32,
    /// Numbers up to this go left.
    pub(crate) threshold: f64,
    /// For a split by categories 1 + the place of those that go left in [`Tree::sets`], else 0.
    pub(crate) set: u32,
    pub(crate) missing_left: bool,
    /// Answer of a leaf.
    pub(crate) value: f64,
    /// What the split gained.
    pub(crate) gain: f64,
    /// How much of the training rows came here.
    pub(crate) cover: f64,
}

impl Node {
    /// A leaf without an answer.
    pub(crate) const LEAF: Self = Self {
        left: 0,
        column: 0,
        threshold: 0.0,
        set: 0,
        missing_left: false,
        value: 0.0,
        gain: 0.0,
        cover: 0.0,
    };

    pub(crate) const fn is_leaf(&self) -> bool {
        self.left == 0
    }
}

/// Categories, a bit each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CategorySet {
    pub(crate) words: Vec<u64>,
    /// Numbers that are not whole lose what is behind the point, so that those between -1 and 0 are category 0: the rule of
    /// `LightGBM`. Otherwise they are no category.
    pub(crate) truncates: bool,
}

impl CategorySet {
    pub(crate) fn insert(&mut self, code: u32) {
        let word = code as usize / 64;
        self.words.resize(self.words.len().max(word + 1), 0);
        self.words[word] |= 1 << (code % 64);
    }
}

/// Whether a value is one of the categories. A number that is not whole counts as the whole one below; between -1 and 0 it
/// is none, or where it `truncates` 0.
#[inline]
pub(crate) fn contains(words: &[u64], truncates: bool, value: f64) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "NaN and what is negative are made 0, and what is too large is in no word"
    )]
    let code = value as u64;
    let word = usize::try_from(code / 64).unwrap_or(usize::MAX);
    (value >= 0.0 || (truncates && value > -1.0))
        && words
            .get(word)
            .is_some_and(|word| (word >> (code % 64)) & 1 == 1)
}

/// A tree; its root is the first node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sets: Vec<CategorySet>,
}

impl Tree {
    /// The categories that go left at a node that splits by them.
    #[inline]
    pub(crate) fn set(&self, node: &Node) -> Option<&CategorySet> {
        let place = node.set.checked_sub(1)?;
        self.sets.get(place as usize)
    }

    /// Whether a value goes left at a node.
    #[inline]
    pub(crate) fn goes_left(&self, node: &Node, value: f64) -> bool {
        let inside = match self.set(node) {
            None => value <= node.threshold,
            Some(set) => contains(&set.words, set.truncates, value),
        };
        inside || (value.is_nan() && node.missing_left)
    }

    /// Levels above the deepest leaf. Children lie behind their node.
    #[cfg(any(feature = "serde", feature = "import"))]
    pub(crate) fn levels(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        let mut most = 0;
        for (at, node) in self.nodes.iter().enumerate() {
            let depth = depths[at];
            most = most.max(depth);
            let left = node.left as usize;
            if !node.is_leaf()
                && let Some(children) = depths.get_mut(left..left + 2)
            {
                children.fill(depth + 1);
            }
        }
        most
    }

    /// The tree with its nodes level by level, so that the children of the first node that is no leaf come first, and so on.
    /// Nodes that nothing leads to are left out.
    pub(crate) fn level_by_level(&self) -> Self {
        let mut ordered = Self::default();
        ordered.nodes.extend(self.nodes.first());
        let mut at = 0;
        while let Some(node) = ordered.nodes.get(at).copied() {
            if !node.is_leaf() {
                let left = node.left as usize;
                let children = self.nodes.get(left..left + 2).unwrap_or_default();
                ordered.nodes[at].left = u32::try_from(ordered.nodes.len()).unwrap_or_default();
                ordered.nodes.extend(children);
                if let Some(set) = node.set.checked_sub(1) {
                    ordered.sets.extend(self.sets.get(set as usize).cloned());
                    ordered.nodes[at].set = u32::try_from(ordered.sets.len()).unwrap_or_default();
                }
            }
            at += 1;
        }
        ordered.sum_covers();
        ordered
    }

    /// Gives each node above leaves the cover of those below.
    fn sum_covers(&mut self) {
        for at in (0..self.nodes.len()).rev() {
            let left = self.nodes[at].left as usize;
            if let [one, two] = self.nodes.get(left..left + 2).unwrap_or_default()
                && left > 0
            {
                self.nodes[at].cover = one.cover + two.cover;
            }
        }
    }

    /// Answer for a row.
    #[inline]
    pub(crate) fn answer(&self, row: impl Fn(usize) -> f64) -> f64 {
        let mut at = 0;
        loop {
            let Some(node) = self.nodes.get(at) else {
                return 0.0;
            };
            if node.is_leaf() {
                return node.value;
            }
            let left = self.goes_left(node, row(node.column as usize));
            at = node.left as usize + usize::from(!left);
        }
    }
}

/// How much the splits on each column gained, as a share of all gains; zeros where nothing was split.
pub(crate) fn importances(trees: &[Tree], width: usize) -> Vec<f64> {
    let mut gains = vec![0.0; width];
    for node in trees.iter().flat_map(|tree| &tree.nodes) {
        gains[node.column as usize] += node.gain;
    }
    let all: f64 = gains.iter().sum();
    if all > 0.0 {
        for gain in &mut gains {
            *gain /= all;
        }
    }
    gains
}
