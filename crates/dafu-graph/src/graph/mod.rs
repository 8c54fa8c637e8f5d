//! Who shares what with whom.

mod builder;
mod components;
mod network;
mod petgraph;

pub use builder::EntityGraphBuilder;
pub(crate) use builder::{counted, for_things};
pub use components::{Components, connected_components};
use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp, Transaction};
pub(crate) use network::Network;
pub use petgraph::EntityEvent;
use std::collections::{BTreeMap, HashMap};

use crate::GraphError;

/// The place of a node in its graph, from 0 in the order in which nodes were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What two nodes have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Edge {
    /// The node that was named first when the edge was seen first; a user, for edges of transactions.
    pub from: NodeId,
    /// The other.
    pub to: NodeId,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// How often.
    pub count: u32,
    /// The sum of its amounts, in major units.
    pub amount: f64,
}

/// An undirected graph of entities: users, and devices, cards, addresses that they use.
///
/// Nodes have a kind and an id, edges the time and the amount of every event between two nodes. Parallel edges are one, edges
/// from a node to itself are left out and counted.
///
/// ```
/// use dafu_core::{Currency, EntityId, EntityKey, EntityKind, Money, Timestamp, Transaction, TransactionId};
/// use dafu_graph::EntityGraph;
///
/// let payment = |id: &str, user: &str, device: &str, second| -> Result<_, Box<dyn std::error::Error>> {
///     let amount = Money::from_major(20.0, Currency::new("EUR")?)?;
///     let (user, shop) = (EntityId::new(user)?, EntityId::new("shop")?);
///     let at = Timestamp::from_seconds(second)?;
///     let payment = Transaction::new(TransactionId::new(id)?, user, amount, shop, at);
///     Ok(payment.with_device(EntityId::new(device)?))
/// };
/// let payments = [payment("t1", "ada", "phone", 0)?, payment("t2", "bob", "phone", 60)?, payment("t3", "ada", "phone", 90)?];
/// let graph = EntityGraph::from_transactions(&payments)?;
/// assert_eq!((graph.node_count(), graph.edge_count()), (4, 4));
///
/// let phone = graph.node(EntityKind::Device, &EntityId::new("phone")?).unwrap();
/// let users: Vec<String> = graph.neighbours(phone).map(|(user, _)| graph.key(user).id.to_string()).collect();
/// assert_eq!(users, ["ada", "bob"]);
/// let (_, edge) = graph.neighbours(phone).next().unwrap();
/// assert_eq!((edge.count, edge.amount), (2, 40.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct EntityGraph {
    nodes: Vec<EntityKey>,
    places: BTreeMap<EntityKind, HashMap<EntityId, NodeId>>,
    edges: Vec<Edge>,
    /// Where the neighbours of each node begin.
    starts: Vec<u32>,
    /// Neighbours of each node, rising, with the edge that leads there.
    neighbours: Vec<(NodeId, u32)>,
    /// Users among the neighbours of each node.
    user_degrees: Vec<u32>,
    /// Where the events of each edge begin.
    event_starts: Vec<u32>,
    /// Moments of each edge in microseconds, rising.
    events: Vec<i64>,
    self_loops: u64,
}

impl EntityGraph {
    /// The graph of transactions: users, and the merchants, cards, devices, internet addresses and e-mail addresses they use;
    /// postal addresses and accounts from the further columns `address` and `account`.
    ///
    /// # Errors
    ///
    /// [`GraphError::TooMany`].
    ///
    /// # Complexity
    ///
    /// O(n log n) for n transactions; about 150 bytes an edge, a node and an event together.
    pub fn from_transactions<'a>(
        transactions: impl IntoIterator<Item = &'a Transaction>,
    ) -> Result<Self, GraphError> {
        let mut builder = EntityGraphBuilder::new();
        for transaction in transactions {
            builder.transaction(transaction)?;
        }
        Ok(builder.build())
    }

    /// Number of nodes.
    pub const fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Number of edges.
    pub const fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// Events that named one node twice: they are left out.
    pub const fn self_loops(&self) -> u64 {
        self.self_loops
    }

    /// The place of a node.
    pub fn node(&self, kind: EntityKind, id: &EntityId) -> Option<NodeId> {
        self.places.get(&kind)?.get(id).copied()
    }

    /// All nodes.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    /// The nodes of a kind, in their order.
    pub fn nodes_of(&self, kind: EntityKind) -> impl Iterator<Item = NodeId> {
        self.nodes().filter(move |node| self.kind(*node) == kind)
    }

    /// What a node stands for.
    ///
    /// # Panics
    ///
    /// For a node of a larger graph.
    pub fn key(&self, node: NodeId) -> &EntityKey {
        &self.nodes[node.index()]
    }

    /// The kind of a node.
    ///
    /// # Panics
    ///
    /// For a node of a larger graph.
    pub fn kind(&self, node: NodeId) -> EntityKind {
        self.nodes[node.index()].kind
    }

    /// Number of neighbours.
    ///
    /// # Panics
    ///
    /// For a node of a larger graph.
    pub fn degree(&self, node: NodeId) -> usize {
        self.range(node).len()
    }

    /// Neighbours in their order, and what leads there.
    ///
    /// # Panics
    ///
    /// For a node of a larger graph.
    pub fn neighbours(&self, node: NodeId) -> impl ExactSizeIterator<Item = (NodeId, &Edge)> {
        let found = self.neighbours[self.range(node)].iter();
        found.map(|(other, edge)| (*other, &self.edges[*edge as usize]))
    }

    /// All edges.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The moments of an edge, rising; none where both are not neighbours. O(log degree).
    pub fn events(&self, one: NodeId, other: NodeId) -> &[i64] {
        let edge = self.edge_between(one, other);
        edge.map_or(&[], |edge| self.events_of(edge))
    }

    pub(crate) fn events_of(&self, edge: u32) -> &[i64] {
        let start = self.event_starts[edge as usize] as usize;
        let end = self.event_starts[edge as usize + 1] as usize;
        &self.events[start..end]
    }

    fn edge_between(&self, one: NodeId, other: NodeId) -> Option<u32> {
        if one.index() >= self.nodes.len() {
            return None;
        }
        let neighbours = &self.neighbours[self.range(one)];
        let place = neighbours.binary_search_by_key(&other, |found| found.0);
        place.ok().map(|place| neighbours[place].1)
    }

    fn range(&self, node: NodeId) -> std::ops::Range<usize> {
        self.starts[node.index()] as usize..self.starts[node.index() + 1] as usize
    }

    /// Neighbours in their order, with the places of edges.
    pub(crate) fn adjacent(&self, node: NodeId) -> &[(NodeId, u32)] {
        &self.neighbours[self.range(node)]
    }
}
