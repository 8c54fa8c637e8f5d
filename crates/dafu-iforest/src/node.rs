//! The flat form of the trees.

use crate::error::DamagedModel;
use crate::form::{Code, Form, Term};
use std::ops::Range;

/// Bit of [`Node::test`]: a row without a value goes right.
const MISSING_RIGHT: u32 = 1 << 31;

/// One node in 16 bytes.
///
/// A row goes to `left` when its value is at most `threshold`, else to `left + 1`. A leaf has the threshold
/// infinity and is its own left child, so that a walk may step on it as often as it likes: walks of many
/// rows take a fixed number of steps and need no branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) threshold: f64,
    /// The column, or the width of the data plus the number of a form; the highest bit says where a row goes that
    /// has no value.
    test: u32,
    /// Position within the tree.
    pub(crate) left: u32,
}

impl Node {
    pub(crate) const fn leaf(at: u32) -> Self {
        Self {
            threshold: f64::INFINITY,
            test: 0,
            left: at,
        }
    }

    /// A split by `test`, which is at most 2^31 - 1.
    pub(crate) const fn split(test: u32, threshold: f64, left: u32) -> Self {
        Self {
            threshold,
            test: test & !MISSING_RIGHT,
            left,
        }
    }

    pub(crate) const fn with_missing_right(mut self, right: bool) -> Self {
        if right {
            self.test |= MISSING_RIGHT;
        } else {
            self.test &= !MISSING_RIGHT;
        }
        self
    }

    pub(crate) const fn with_left(mut self, left: u32) -> Self {
        self.left = left;
        self
    }

    pub(crate) const fn is_leaf(&self, at: usize) -> bool {
        self.left as usize == at
    }

    /// The column, or the width plus the number of a form.
    #[inline]
    pub(crate) const fn test(&self) -> usize {
        (self.test & !MISSING_RIGHT) as usize
    }

    pub(crate) const fn missing_right(&self) -> bool {
        self.test & MISSING_RIGHT != 0
    }
}

/// A tree as it comes from growing or from a file: nodes in breadth-first order, children adjacent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FlatTree {
    pub(crate) nodes: Vec<Node>,
    /// Training rows of each node.
    pub(crate) counts: Vec<u32>,
    pub(crate) forms: Vec<Form>,
    pub(crate) terms: Vec<Term>,
    pub(crate) codes: Vec<Code>,
    /// For each node the values that are penalised neither way; empty where no range is penalised.
    pub(crate) ranges: Vec<[f64; 2]>,
    /// For each node the share of its range that its left child has; empty where scores are depths.
    pub(crate) shares: Vec<f64>,
}

impl FlatTree {
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.counts.clear();
        self.forms.clear();
        self.terms.clear();
        self.codes.clear();
        self.ranges.clear();
        self.shares.clear();
    }
}

/// Where a tree begins in the arrays of all trees.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Start {
    node: usize,
    form: usize,
    term: usize,
    code: usize,
}

/// All trees of a forest.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trees {
    all: FlatTree,
    /// Where each tree begins, and the end of the last.
    starts: Vec<Start>,
    /// Levels of each tree.
    depths: Vec<u32>,
    /// Kind of each tree: a number of the forest's list of kinds.
    kinds: Vec<u32>,
    /// For each node the mean value of the training rows below it, fixed point; for a leaf its own.
    pub(crate) values: Vec<u32>,
    /// What one level less is worth in the values of a tree, for penalised ranges.
    pub(crate) levels: Vec<u32>,
}

/// One tree, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) counts: &'a [u32],
    pub(crate) values: &'a [u32],
    pub(crate) forms: &'a [Form],
    pub(crate) terms: &'a [Term],
    pub(crate) codes: &'a [Code],
    pub(crate) ranges: &'a [[f64; 2]],
    pub(crate) shares: &'a [f64],
    pub(crate) depth: u32,
    pub(crate) kind: u32,
    /// What one level is worth in `values`.
    pub(crate) level: u32,
}

impl Tree<'_> {
    /// The tree by itself.
    pub(crate) fn to_flat(self) -> FlatTree {
        FlatTree {
            nodes: self.nodes.to_vec(),
            counts: self.counts.to_vec(),
            forms: self.forms.to_vec(),
            terms: self.terms.to_vec(),
            codes: self.codes.to_vec(),
            ranges: self.ranges.to_vec(),
            shares: self.shares.to_vec(),
        }
    }
}

/// What a tree must keep to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'a> {
    pub(crate) width: u32,
    /// Rows at the root.
    pub(crate) sample_size: u32,
    pub(crate) height_limit: u32,
    /// Whether each column holds categories; empty where none does.
    pub(crate) categorical: &'a [bool],
}

/// The part of an array that may be empty for all trees.
fn part<T>(all: &[T], range: Range<usize>) -> &[T] {
    all.get(range).unwrap_or_default()
}

impl Trees {
    /// Room for trees and nodes.
    pub(crate) fn with_capacity(trees: usize, nodes: usize) -> Self {
        let mut new = Self::default();
        new.all.nodes.reserve_exact(nodes);
        new.all.counts.reserve_exact(nodes);
        new.starts.reserve_exact(trees.saturating_add(1));
        new.starts.push(Start::default());
        new
    }

    pub(crate) fn len(&self) -> usize {
        self.depths.len()
    }

    pub(crate) fn node_count(&self) -> usize {
        self.starts.last().map_or(0, |end| end.node)
    }

    pub(crate) fn leaf_count(&self) -> usize {
        // Every tree has one leaf more than splits.
        self.node_count().midpoint(self.len())
    }

    pub(crate) fn max_depth(&self) -> u32 {
        self.depths.iter().copied().max().unwrap_or(0)
    }

    /// Whether all that walks ever need is to compare one column.
    pub(crate) fn is_plain(&self) -> bool {
        self.all.forms.is_empty() && self.all.ranges.is_empty()
    }

    /// Whether comparing numbers is not enough even where no value is missing.
    pub(crate) fn is_special(&self) -> bool {
        !self.all.codes.is_empty() || !self.all.ranges.is_empty()
    }

    /// Whether ranges are penalised.
    pub(crate) fn penalizes(&self) -> bool {
        !self.all.ranges.is_empty()
    }

    /// Kind of each tree.
    pub(crate) fn kinds(&self) -> &[u32] {
        &self.kinds
    }

    /// Whether trees of another forest may be appended.
    pub(crate) fn has_same_extras(&self, other: &Self) -> bool {
        self.all.ranges.is_empty() == other.all.ranges.is_empty()
            && self.all.shares.is_empty() == other.all.shares.is_empty()
    }

    pub(crate) fn tree(&self, number: usize) -> Tree<'_> {
        let (start, end) = (self.starts[number], self.starts[number + 1]);
        let nodes = start.node..end.node;
        Tree {
            nodes: &self.all.nodes[nodes.clone()],
            counts: &self.all.counts[nodes.clone()],
            values: part(&self.values, nodes.clone()),
            forms: &self.all.forms[start.form..end.form],
            terms: &self.all.terms[start.term..end.term],
            codes: &self.all.codes[start.code..end.code],
            ranges: part(&self.all.ranges, nodes.clone()),
            shares: part(&self.all.shares, nodes),
            depth: self.depths[number],
            kind: self.kinds[number],
            level: self.levels.get(number).copied().unwrap_or(0),
        }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Tree<'_>> {
        (0..self.len()).map(|number| self.tree(number))
    }

    /// Where the nodes of each tree begin among all.
    pub(crate) fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.iter().map(|start| start.node).take(self.len())
    }

    /// The nodes of all trees; children are named by their place in the tree.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.all.nodes
    }

    /// Checks a tree of a kind and appends it; the values of all trees must be set afterwards.
    ///
    /// Checked are: children come in breadth-first order behind their parent and every node has exactly one
    /// parent; columns below the width, forms and their terms in their arrays; all numbers finite; row counts
    /// positive, adding up, and those of the sample at the root; depth within the limit.
    pub(crate) fn push(
        &mut self,
        tree: &FlatTree,
        kind: u32,
        bounds: &Bounds<'_>,
    ) -> Result<(), DamagedModel> {
        let number = self.len();
        let shape = DamagedModel::Shape { tree: number };
        let len = tree.nodes.len();
        let given = |other: usize| other == 0 || other == len;
        if len == 0 || tree.counts.len() != len || !given(tree.ranges.len()) {
            return Err(shape);
        }
        let same_extras = |all: usize, own: usize| number == 0 || (all == 0) == (own == 0);
        if !given(tree.shares.len())
            || !same_extras(self.all.ranges.len(), tree.ranges.len())
            || !same_extras(self.all.shares.len(), tree.shares.len())
        {
            return Err(shape);
        }
        if tree.counts[0] != bounds.sample_size {
            return Err(DamagedModel::Counts { tree: number });
        }
        check_forms(tree, bounds).map_err(|wrong| match wrong {
            Wrong::Column => DamagedModel::Feature {
                tree: number,
                width: bounds.width,
            },
            Wrong::Number => DamagedModel::Threshold { tree: number },
            Wrong::Shape => shape,
        })?;
        let deepest = check_nodes(tree, number, bounds)?;
        let all = &mut self.all;
        all.nodes.extend_from_slice(&tree.nodes);
        all.counts.extend_from_slice(&tree.counts);
        all.forms.extend_from_slice(&tree.forms);
        all.terms.extend_from_slice(&tree.terms);
        all.codes.extend_from_slice(&tree.codes);
        all.ranges.extend_from_slice(&tree.ranges);
        all.shares.extend_from_slice(&tree.shares);
        self.starts.push(Start {
            node: all.nodes.len(),
            form: all.forms.len(),
            term: all.terms.len(),
            code: all.codes.len(),
        });
        self.depths.push(deepest);
        self.kinds.push(kind);
        Ok(())
    }
}

/// What is wrong with a form.
enum Wrong {
    Column,
    Number,
    Shape,
}

/// Forms own their terms one after the other, terms their codes; nothing lies between.
fn check_forms(tree: &FlatTree, bounds: &Bounds<'_>) -> Result<(), Wrong> {
    let (mut term, mut code) = (0, 0);
    for form in &tree.forms {
        let terms = form.terms();
        if terms.start != term || terms.is_empty() || terms.end > tree.terms.len() {
            return Err(Wrong::Shape);
        }
        // A single number is compared by its column, not by a sum.
        if terms.len() == 1 && tree.terms[terms.start].code_count == 0 {
            return Err(Wrong::Shape);
        }
        term = terms.end;
    }
    for term in &tree.terms {
        if term.column >= bounds.width {
            return Err(Wrong::Column);
        }
        let categorical = bounds.categorical.get(term.column as usize) == Some(&true);
        let codes = term.codes();
        if codes.start != code
            || codes.end > tree.codes.len()
            || codes.end < codes.start
            || categorical == codes.is_empty()
        {
            return Err(Wrong::Shape);
        }
        code = codes.end;
        let ascending = tree.codes[codes.clone()]
            .windows(2)
            .all(|pair| pair[0].code < pair[1].code);
        if !ascending {
            return Err(Wrong::Shape);
        }
        let finite = tree.codes[codes].iter().all(|code| code.value.is_finite());
        if !(finite && term.coefficient.is_finite() && term.absent.is_finite()) {
            return Err(Wrong::Number);
        }
    }
    if term != tree.terms.len() || code != tree.codes.len() {
        return Err(Wrong::Shape);
    }
    Ok(())
}

/// The depth of the deepest leaf.
fn check_nodes(tree: &FlatTree, number: usize, bounds: &Bounds<'_>) -> Result<u32, DamagedModel> {
    let shape = DamagedModel::Shape { tree: number };
    let len = tree.nodes.len();
    let mut depths = vec![0_u32; len];
    let mut next = 1;
    let mut next_form = bounds.width as usize;
    let mut deepest = 0;
    for (at, node) in tree.nodes.iter().enumerate() {
        if at >= next {
            return Err(shape);
        }
        deepest = deepest.max(depths[at]);
        if node.is_leaf(at) {
            continue;
        }
        let left = node.left as usize;
        if left != next || left + 1 >= len {
            return Err(shape);
        }
        next += 2;
        let test = node.test();
        if test >= bounds.width as usize {
            // Every form belongs to one node, in the order of the nodes.
            if test != next_form || test - bounds.width as usize >= tree.forms.len() {
                return Err(DamagedModel::Feature {
                    tree: number,
                    width: bounds.width,
                });
            }
            next_form += 1;
        } else if bounds.categorical.get(test) == Some(&true) {
            return Err(shape);
        }
        let range = tree.ranges.get(at).is_none_or(|[low, high]| low <= high);
        let share = tree
            .shares
            .get(at)
            .is_none_or(|share| (0.0..=1.0).contains(share));
        if !(node.threshold.is_finite() && range && share) {
            return Err(DamagedModel::Threshold { tree: number });
        }
        let (a, b) = (tree.counts[left], tree.counts[left + 1]);
        if a == 0 || b == 0 || a.checked_add(b) != Some(tree.counts[at]) {
            return Err(DamagedModel::Counts { tree: number });
        }
        depths[left] = depths[at] + 1;
        depths[left + 1] = depths[at] + 1;
    }
    if next != len || next_form - bounds.width as usize != tree.forms.len() {
        return Err(shape);
    }
    if deepest > bounds.height_limit {
        return Err(DamagedModel::Depth {
            tree: number,
            limit: bounds.height_limit,
        });
    }
    Ok(deepest)
}
