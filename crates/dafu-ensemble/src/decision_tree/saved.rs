//! Saving and loading.
//!
//! Places of right children are not stored: they follow from the order of the nodes, so no file can hold a cycle.

use super::{DecisionTree, Node, Question};
use crate::inputs::Inputs;
use crate::params::MAX_DEPTH;
use crate::{EnsembleError, saved};
use dafu_core::model::Limits;

const VERSION: u16 = 1;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct SavedTree {
    inputs: Inputs,
    smoothing: f64,
    /// Depth first, left before right: question, weights of frauds and of honest rows.
    nodes: Vec<(Question, f64, f64)>,
}

saved::saved!(DecisionTree, "dafu.decision_tree", VERSION);

impl DecisionTree {
    fn to_saved(&self) -> SavedTree {
        let nodes = self.nodes.iter();
        SavedTree {
            inputs: self.inputs.clone(),
            smoothing: self.smoothing,
            nodes: nodes
                .map(|node| (node.question, node.fraud, node.honest))
                .collect(),
        }
    }

    fn from_saved(tree: SavedTree, limits: &Limits) -> Result<Self, EnsembleError> {
        tree.inputs.check(limits)?;
        saved::check(
            tree.nodes.len() as u64 <= limits.max_nodes,
            "too many nodes",
        )?;
        let width = tree.inputs.width();
        let sound = |question: &Question| match question {
            Question::None => true,
            Question::AtMost { column, threshold } => {
                (*column as usize) < width && threshold.is_finite()
            }
            Question::Known { column } => (*column as usize) < width,
        };
        let weights = |fraud: &f64, honest: &f64| {
            *fraud >= 0.0 && *honest >= 0.0 && (fraud + honest).is_finite()
        };
        let good = (1e-9..=1e9).contains(&tree.smoothing)
            && tree
                .nodes
                .iter()
                .all(|(question, fraud, honest)| sound(question) && weights(fraud, honest));
        let nodes = if good { link(&tree.nodes) } else { None };
        Ok(Self {
            inputs: tree.inputs,
            smoothing: tree.smoothing,
            nodes: nodes.ok_or(saved::damaged("nodes that no fit gives"))?,
        })
    }
}

/// Finds the right children; none where the nodes are no tree.
fn link(saved: &[(Question, f64, f64)]) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::with_capacity(saved.len());
    // Nodes whose right side has not begun, and their depth.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let (mut depth, mut complete) = (0, false);
    for (at, (question, fraud, honest)) in saved.iter().enumerate() {
        if complete || depth > MAX_DEPTH {
            return None;
        }
        nodes.push(Node {
            question: *question,
            right: 0,
            fraud: *fraud,
            honest: *honest,
        });
        if !matches!(question, Question::None) {
            open.push((at, depth));
            depth += 1;
        } else if let Some((parent, above)) = open.pop() {
            nodes[parent].right = at + 1;
            depth = above + 1;
        } else {
            complete = true;
        }
    }
    complete.then_some(nodes)
}
