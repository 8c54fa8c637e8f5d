//! Trees as they are grown, and as they answer.

/// A node of a tree. The children of a node follow each other, and lie behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// Left child, 0 for a leaf.
    pub(crate) left: u32,
    pub(crate) column: u32,
    /// Numbers up to this go left.
    pub(crate) threshold: f64,
    pub(crate) missing_left: bool,
    /// Answer of a leaf.
    pub(crate) value: f64,
    /// What the split gained.
    pub(crate) gain: f64,
}

impl Node {
    /// A leaf without an answer.
    pub(crate) const LEAF: Self = Self {
        left: 0,
        column: 0,
        threshold: 0.0,
        missing_left: false,
        value: 0.0,
        gain: 0.0,
    };
}

/// A tree; its root is the first node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    /// Answer for a row.
    #[inline]
    pub(crate) fn answer(&self, row: impl Fn(usize) -> f64) -> f64 {
        let mut at = 0;
        loop {
            let Some(node) = self.nodes.get(at) else {
                return 0.0;
            };
            if node.left == 0 {
                return node.value;
            }
            let value = row(node.column as usize);
            let left = value <= node.threshold || (value.is_nan() && node.missing_left);
            at = node.left as usize + usize::from(!left);
        }
    }
}
