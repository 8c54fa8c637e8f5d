//! Saving and loading.
//!
//! Places of right children are not stored: they follow from the order of the nodes, so no file can hold a cycle.

use super::{DecisionTree, Node, Question};
use crate::inputs::Inputs;
use crate::params::MAX_DEPTH;
use crate::{EnsembleError, saved};

const VERSION: u16 = 1;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct SavedTree {
    inputs: Inputs,
    smoothing: f64,
    /// Depth first, left before right: question, weights of frauds and of honest rows.
    nodes: Vec<(Question, f64, f64)>,
}

impl DecisionTree {
    /// Kind of the saved model in its envelope.
    pub const KIND: &'static str = "dafu.decision_tree";

    /// The model as bytes.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Envelope`], which sound models do not meet.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnsembleError> {
        let nodes = self.nodes.iter();
        let tree = SavedTree {
            inputs: self.inputs.clone(),
            smoothing: self.smoothing,
            nodes: nodes
                .map(|node| (node.question, node.fraud, node.honest))
                .collect(),
        };
        saved::encode(Self::KIND, VERSION, &tree)
    }

    /// Reads bytes, trusting nothing in them.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Envelope`] or [`EnsembleError::Damaged`] when the bytes are no sound model of this kind.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnsembleError> {
        let tree: SavedTree = saved::decode(Self::KIND, VERSION, bytes)?;
        let width = tree.inputs.width();
        let sound = |question: &Question| match question {
            Question::None => true,
            Question::AtMost { column, threshold } => {
                (*column as usize) < width && threshold.is_finite()
            }
            Question::Known { column } => (*column as usize) < width,
        };
        let weights = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        let good = tree.inputs.is_sound()
            && (1e-9..=1e9).contains(&tree.smoothing)
            && tree.nodes.iter().all(|(question, fraud, honest)| {
                sound(question) && weights(fraud) && weights(honest)
            });
        let nodes = if good { link(&tree.nodes) } else { None };
        let nodes = nodes.ok_or_else(|| saved::damaged(Self::KIND, "nodes that no fit gives"))?;
        Ok(Self {
            inputs: tree.inputs,
            smoothing: tree.smoothing,
            nodes,
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
