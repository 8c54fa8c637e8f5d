//! Who is known to be what, and since when.

use crate::{GraphError, NodeId};
use dafu_core::{Label, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Labels of nodes, each with the moment from which on it was known.
///
/// A payment is fraud when it is made, and known to be one when its victim complains: weeks later. What is computed for a moment
/// may use only what was known by then.
///
/// ```
/// use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
/// use dafu_graph::{EntityGraphBuilder, KnownFraud};
///
/// let mut builder = EntityGraphBuilder::new();
/// let ada = builder.entity(&EntityKey { kind: EntityKind::User, id: EntityId::new("ada")? })?;
/// let mut known = KnownFraud::new();
/// known.insert(ada, Label::Fraud, Timestamp::from_seconds(100)?);
/// assert_eq!(known.at(Timestamp::from_seconds(99)?).label(ada), Label::Unknown);
/// assert_eq!(known.at(Timestamp::from_seconds(100)?).label(ada), Label::Fraud);
///
/// // A wrong alarm, after all.
/// known.insert(ada, Label::Legitimate, Timestamp::from_seconds(300)?);
/// assert_eq!(known.at(Timestamp::from_seconds(400)?).label(ada), Label::Legitimate);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownFraud {
    labels: BTreeMap<NodeId, BTreeMap<Timestamp, Label>>,
}

impl KnownFraud {
    /// Nobody is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what a node is from a moment on, until it is said again; [`Label::Unknown`] takes back what was said. Of two labels of
    /// one moment the later call holds.
    pub fn insert(&mut self, node: NodeId, label: Label, known: Timestamp) {
        self.labels.entry(node).or_default().insert(known, label);
    }

    /// Says what a node is, by something that happened, and became known after a delay.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] where the moment lies beyond all times.
    pub fn insert_delayed(
        &mut self,
        node: NodeId,
        label: Label,
        (happened, delay): (Timestamp, Duration),
    ) -> Result<(), GraphError> {
        let Ok(known) = happened.checked_add(delay) else {
            return Err(GraphError::Parameter {
                name: "delay",
                must: "short enough to end before the end of time",
                got: format!("{delay:?}"),
            });
        };
        self.insert(node, label, known);
        Ok(())
    }

    /// What is known at a moment: said at it or before.
    ///
    /// # Complexity
    ///
    /// O(n log m) for n nodes of m labels each.
    pub fn at(&self, moment: Timestamp) -> KnownAt {
        let labels = self.labels.iter().filter_map(|(node, labels)| {
            let (_, label) = labels.range(..=moment).next_back()?;
            label.known().map(|fraud| (*node, fraud))
        });
        KnownAt {
            labels: labels.collect(),
        }
    }
}

/// What is known at one moment: [`KnownFraud::at`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownAt {
    /// Known nodes, rising.
    labels: Vec<(NodeId, bool)>,
}

impl KnownAt {
    /// What a node is known to be. O(log n) for n known nodes.
    pub fn label(&self, node: NodeId) -> Label {
        let place = self.labels.binary_search_by_key(&node, |known| known.0);
        place.map_or(Label::Unknown, |place| Label::from(self.labels[place].1))
    }

    /// Known nodes, and whether they are fraud.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodeId, bool)> {
        self.labels.iter().copied()
    }

    /// Number of known nodes.
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether nobody is known.
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Risks of known nodes, 1 for fraud: for [`PropagationParams::spread`](crate::PropagationParams::spread).
    pub fn risks(&self) -> Vec<(u32, f64)> {
        let risk = |(node, fraud): (NodeId, bool)| (node.0, f64::from(u8::from(fraud)));
        self.iter().map(risk).collect()
    }

    /// Known frauds, each with weight 1: for [`PageRankParams::rank`](crate::PageRankParams::rank).
    pub fn frauds(&self) -> Vec<(u32, f64)> {
        let frauds = self.iter().filter(|(_, fraud)| *fraud);
        frauds.map(|(node, _)| (node.0, 1.0)).collect()
    }
}
