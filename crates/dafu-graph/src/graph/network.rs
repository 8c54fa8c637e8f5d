//! What ring detection asks of a graph, whether it stands still or grows.

use super::{Edge, EntityGraph, NodeId};
use dafu_core::{EntityKey, EntityKind};

/// Users and what they use.
pub(crate) trait Network {
    fn key(&self, node: NodeId) -> &EntityKey;

    fn kind(&self, node: NodeId) -> EntityKind {
        self.key(node).kind
    }

    /// Number of users of a thing.
    fn users(&self, thing: NodeId) -> usize;

    /// What a user uses, each once.
    fn things(&self, user: NodeId) -> impl Iterator<Item = NodeId>;

    /// Users of a thing, and the moments of each, rising.
    fn moments(&self, thing: NodeId) -> impl Iterator<Item = (NodeId, &[i64])>;

    /// The use of a thing by a user, and its moments, rising.
    fn usage(&self, thing: NodeId, user: NodeId) -> Option<(Edge, &[i64])>;
}

impl Network for EntityGraph {
    fn key(&self, node: NodeId) -> &EntityKey {
        self.key(node)
    }

    fn users(&self, thing: NodeId) -> usize {
        self.user_degrees[thing.index()] as usize
    }

    fn things(&self, user: NodeId) -> impl Iterator<Item = NodeId> {
        self.adjacent(user).iter().map(|(thing, _)| *thing)
    }

    fn moments(&self, thing: NodeId) -> impl Iterator<Item = (NodeId, &[i64])> {
        let users = self.adjacent(thing).iter();
        users.map(|(user, edge)| (*user, self.events_of(*edge)))
    }

    fn usage(&self, thing: NodeId, user: NodeId) -> Option<(Edge, &[i64])> {
        let edge = self.edge_between(user, thing)?;
        Some((self.edges[edge as usize], self.events_of(edge)))
    }
}
