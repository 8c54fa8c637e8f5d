//! Who uses what, as it changes.

use super::events::Events;
use crate::graph::Network;
use crate::{Edge, GraphError, NodeId};
use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// A user or a thing.
#[derive(Debug, Clone)]
struct Node {
    key: EntityKey,
    /// Of a user: things, rising, and the uses of them. Of a thing: users in no order.
    uses: Vec<(NodeId, u32)>,
}

/// A user's use of a thing.
#[derive(Debug, Clone)]
struct Use {
    user: NodeId,
    thing: NodeId,
    /// Where it stands among those of the thing.
    place: u32,
    events: Events,
}

/// Users and things, of which places are used again when they go.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    nodes: Vec<Node>,
    /// Kinds and numbers of uses of nodes: what is asked of all things of all members of a group lies close together.
    kinds: Vec<EntityKind>,
    degrees: Vec<u32>,
    free_nodes: Vec<NodeId>,
    uses: Vec<Use>,
    free_uses: Vec<u32>,
    places: BTreeMap<EntityKind, HashMap<EntityId, NodeId>>,
}

impl Usage {
    pub(super) fn node(&self, kind: EntityKind, id: &EntityId) -> Option<NodeId> {
        self.places.get(&kind)?.get(id).copied()
    }

    /// Users and things that are known.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free_nodes.len()
    }

    pub(super) fn add_node(
        &mut self,
        kind: EntityKind,
        id: &EntityId,
    ) -> Result<NodeId, GraphError> {
        if let Some(place) = self.node(kind, id) {
            return Ok(place);
        }
        let node = Node {
            key: EntityKey {
                kind,
                id: id.clone(),
            },
            uses: Vec::new(),
        };
        let place = if let Some(place) = self.free_nodes.pop() {
            self.nodes[place.index()] = node;
            self.kinds[place.index()] = kind;
            place
        } else {
            let place = NodeId(crate::graph::counted("nodes", self.nodes.len())?);
            self.push(node);
            place
        };
        let places = self.places.entry(kind).or_default();
        places.insert(id.clone(), place);
        Ok(place)
    }

    fn push(&mut self, node: Node) {
        self.kinds.push(node.key.kind);
        self.degrees.push(0);
        self.nodes.push(node);
    }

    /// Forgets a node without uses.
    pub(super) fn drop_node(&mut self, node: NodeId) {
        let Node { key, .. } = &self.nodes[node.index()];
        if let Some(places) = self.places.get_mut(&key.kind)
            && places.remove(&key.id).is_some()
        {
            // What is forgotten is not kept until the place is another's.
            if let Ok(id) = EntityId::new("free") {
                let kind = EntityKind::Tenant;
                self.nodes[node.index()].key = EntityKey { kind, id };
            }
            self.free_nodes.push(node);
        }
    }

    pub(super) fn uses(&self, node: NodeId) -> &[(NodeId, u32)] {
        &self.nodes[node.index()].uses
    }

    /// Adds a moment; whether the use is new.
    pub(super) fn add(
        &mut self,
        (user, thing): (NodeId, NodeId),
        (moment, amount): (i64, f64),
    ) -> Result<(u32, bool), GraphError> {
        let things = &self.nodes[user.index()].uses;
        let at = match things.binary_search_by_key(&thing, |found| found.0) {
            Ok(at) => {
                let number = things[at].1;
                self.uses[number as usize].events.insert(moment, amount);
                return Ok((number, false));
            }
            Err(at) => at,
        };
        let users = &self.nodes[thing.index()].uses;
        let new = Use {
            user,
            thing,
            place: crate::graph::counted("edges", users.len())?,
            events: Events::One(moment, amount),
        };
        let number = if let Some(number) = self.free_uses.pop() {
            self.uses[number as usize] = new;
            number
        } else {
            let number = crate::graph::counted("edges", self.uses.len())?;
            self.uses.push(new);
            number
        };
        self.nodes[user.index()].uses.insert(at, (thing, number));
        self.nodes[thing.index()].uses.push((user, number));
        self.degrees[user.index()] += 1;
        self.degrees[thing.index()] += 1;
        Ok((number, true))
    }

    /// Drops the moments of a use before `from`; who used what where none is left.
    pub(super) fn expire(&mut self, number: u32, from: i64) -> Option<(NodeId, NodeId)> {
        let found = &mut self.uses[number as usize];
        let gone = found.events.forget(from);
        (found.events.moments().is_empty() && gone).then_some((found.user, found.thing))
    }

    /// Whose use of what it is, if it still is one.
    pub(super) fn ends(&self, number: u32) -> Option<(NodeId, NodeId)> {
        let found = self.uses.get(number as usize)?;
        (!found.events.moments().is_empty()).then_some((found.user, found.thing))
    }

    /// Drops a use.
    pub(super) fn remove(&mut self, (user, thing): (NodeId, NodeId)) {
        let things = &mut self.nodes[user.index()].uses;
        let Ok(at) = things.binary_search_by_key(&thing, |found| found.0) else {
            return;
        };
        let (_, number) = things.remove(at);
        let place = self.uses[number as usize].place;
        let users = &mut self.nodes[thing.index()].uses;
        users.swap_remove(place as usize);
        if let Some((_, moved)) = users.get(place as usize) {
            self.uses[*moved as usize].place = place;
        }
        self.uses[number as usize].events = Events::None;
        self.degrees[user.index()] -= 1;
        self.degrees[thing.index()] -= 1;
        self.free_uses.push(number);
    }
}

#[cfg(feature = "serde")]
impl Usage {
    /// Nodes by place, and the places that are free, in the order in which they are used again.
    pub(super) fn saved_nodes(&self) -> (Vec<Option<EntityKey>>, Vec<u32>) {
        let mut nodes: Vec<Option<EntityKey>> = self
            .nodes
            .iter()
            .map(|node| Some(node.key.clone()))
            .collect();
        for free in &self.free_nodes {
            nodes[free.index()] = None;
        }
        (nodes, self.free_nodes.iter().map(|free| free.0).collect())
    }

    /// The nodes of a snapshot, in a memory without any.
    pub(super) fn restore_nodes(
        &mut self,
        nodes: &[Option<EntityKey>],
        free: &[u32],
    ) -> Result<(), GraphError> {
        let wrong = || GraphError::Snapshot {
            what: "a list of nodes",
        };
        let mut holes: Vec<u32> = free.to_vec();
        holes.sort_unstable();
        let empty = (0..).zip(nodes).filter(|(_, node)| node.is_none());
        if !empty.map(|(place, _)| place).eq(holes.iter().copied()) {
            return Err(wrong());
        }
        // What nobody looks at: places that are free.
        let blank = EntityId::new("free").map_err(|_| wrong())?;
        for node in nodes {
            let place = NodeId(crate::graph::counted("nodes", self.nodes.len())?);
            if let Some(key) = node {
                let places = self.places.entry(key.kind).or_default();
                if places.insert(key.id.clone(), place).is_some() {
                    return Err(wrong());
                }
            }
            self.push(Node {
                key: node.clone().unwrap_or_else(|| EntityKey {
                    kind: EntityKind::Tenant,
                    id: blank.clone(),
                }),
                uses: Vec::new(),
            });
        }
        self.free_nodes = free.iter().map(|place| NodeId(*place)).collect();
        Ok(())
    }

    /// All uses: user, thing, moments, amounts.
    pub(super) fn all_uses(&self) -> impl Iterator<Item = (NodeId, NodeId, &[i64], &[f64])> {
        let uses = self
            .uses
            .iter()
            .map(|found| (found, found.events.moments()));
        let kept = uses.filter(|(_, moments)| !moments.is_empty());
        kept.map(|(found, moments)| (found.user, found.thing, moments, found.events.amounts()))
    }
}

impl Network for Usage {
    fn key(&self, node: NodeId) -> &EntityKey {
        &self.nodes[node.index()].key
    }

    fn kind(&self, node: NodeId) -> EntityKind {
        self.kinds[node.index()]
    }

    fn users(&self, thing: NodeId) -> usize {
        self.degrees[thing.index()] as usize
    }

    fn things(&self, user: NodeId) -> impl Iterator<Item = NodeId> {
        self.nodes[user.index()]
            .uses
            .iter()
            .map(|(thing, _)| *thing)
    }

    fn moments(&self, thing: NodeId) -> impl Iterator<Item = (NodeId, &[i64])> {
        let users = self.nodes[thing.index()].uses.iter();
        users.map(|(user, number)| (*user, self.uses[*number as usize].events.moments()))
    }

    fn usage(&self, thing: NodeId, user: NodeId) -> Option<(Edge, &[i64])> {
        let things = &self.nodes[user.index()].uses;
        let at = things.binary_search_by_key(&thing, |found| found.0).ok()?;
        let found = &self.uses[things[at].1 as usize];
        let moments = found.events.moments();
        let (first, last) = (moments.first()?, moments.last()?);
        let edge = Edge {
            from: user,
            to: thing,
            first_seen: Timestamp::from_micros(*first).ok()?,
            last_seen: Timestamp::from_micros(*last).ok()?,
            count: u32::try_from(moments.len()).unwrap_or(u32::MAX),
            amount: found.events.amounts().iter().sum(),
        };
        Some((edge, moments))
    }
}
