//! Graphs of petgraph, which has many algorithms that are not here.

use super::{Edge, EntityGraph, EntityGraphBuilder};
use crate::GraphError;
use dafu_core::{EntityKey, Timestamp};
use petgraph::graph::{NodeIndex, UnGraph};

/// What happened between two entities.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntityEvent {
    /// When.
    pub at: Timestamp,
    /// How much, in major units.
    pub amount: f64,
}

/// Nodes have the same places, edges are in the same order.
///
/// ```
/// use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
/// use dafu_graph::{Edge, EntityEvent, EntityGraph};
/// use petgraph::graph::UnGraph;
///
/// let key = |kind, id| -> Result<_, dafu_core::CoreError> { Ok(EntityKey { kind, id: EntityId::new(id)? }) };
/// let mut events: UnGraph<EntityKey, EntityEvent> = UnGraph::new_undirected();
/// let ada = events.add_node(key(EntityKind::User, "ada")?);
/// let card = events.add_node(key(EntityKind::Card, "c1")?);
/// for second in [5, 3] {
///     let at = Timestamp::from_seconds(second)?;
///     events.add_edge(ada, card, EntityEvent { at, amount: 10.0 });
/// }
/// let graph = EntityGraph::try_from(&events)?;
/// let back: UnGraph<EntityKey, Edge> = (&graph).into();
/// assert_eq!(petgraph::algo::connected_components(&back), 1);
/// assert_eq!(back.edge_weights().next().unwrap().count, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl From<&EntityGraph> for UnGraph<EntityKey, Edge> {
    fn from(graph: &EntityGraph) -> Self {
        let mut copy = Self::with_capacity(graph.node_count(), graph.edge_count());
        for node in graph.nodes() {
            copy.add_node(graph.key(node).clone());
        }
        for edge in graph.edges() {
            let ends = [edge.from, edge.to].map(|node| NodeIndex::new(node.index()));
            copy.add_edge(ends[0], ends[1], *edge);
        }
        copy
    }
}

/// Each edge is one event. Nodes have the same places, unless two have the same key, which are one.
///
/// # Errors
///
/// [`GraphError::Amount`] for an amount that is not finite, [`GraphError::TooMany`].
impl TryFrom<&UnGraph<EntityKey, EntityEvent>> for EntityGraph {
    type Error = GraphError;

    fn try_from(events: &UnGraph<EntityKey, EntityEvent>) -> Result<Self, GraphError> {
        let mut builder = EntityGraphBuilder::new();
        for key in events.node_weights() {
            builder.entity(key)?;
        }
        for edge in events.edge_indices() {
            let (Some((one, other)), Some(event)) =
                (events.edge_endpoints(edge), events.edge_weight(edge))
            else {
                continue;
            };
            builder.pair(&events[one], &events[other], event.at, event.amount)?;
        }
        Ok(builder.build())
    }
}
