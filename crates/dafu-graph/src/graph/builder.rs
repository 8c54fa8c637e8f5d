//! From events to a graph.

use super::{Edge, EntityGraph, NodeId};
use crate::GraphError;
use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp, Transaction, Value};
use std::collections::{BTreeMap, HashMap};

/// One event between two nodes.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// The smaller node, then the larger.
    key: (u32, u32),
    micros: i64,
    amount: f64,
    /// The larger node was named first.
    turned: bool,
}

/// Gathers events, then makes a graph of them: [`EntityGraph`].
///
/// ```
/// use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
/// use dafu_graph::EntityGraphBuilder;
///
/// let key = |kind, id| -> Result<_, dafu_core::CoreError> { Ok(EntityKey { kind, id: EntityId::new(id)? }) };
/// let mut builder = EntityGraphBuilder::new();
/// let (ada, flat) = (key(EntityKind::User, "ada")?, key(EntityKind::Address, "flat 3")?);
/// builder.pair(&ada, &flat, Timestamp::from_seconds(0)?, 12.5)?;
/// builder.pair(&flat, &ada, Timestamp::from_seconds(5)?, 7.5)?;
/// builder.pair(&ada, &ada, Timestamp::from_seconds(9)?, 1.0)?;
/// let graph = builder.build();
/// assert_eq!((graph.edge_count(), graph.self_loops()), (1, 1));
/// assert_eq!(graph.edges()[0].amount, 20.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct EntityGraphBuilder {
    nodes: Vec<EntityKey>,
    places: BTreeMap<EntityKind, HashMap<EntityId, NodeId>>,
    events: Vec<Event>,
    self_loops: u64,
}

impl EntityGraphBuilder {
    /// Without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a transaction says: an edge from the user to everything that it names. Amounts are taken as they are: convert
    /// them where currencies are mixed.
    ///
    /// # Errors
    ///
    /// [`GraphError::TooMany`].
    pub fn transaction(&mut self, transaction: &Transaction) -> Result<(), GraphError> {
        let user = self.place(EntityKind::User, &transaction.user_id)?;
        let amount = transaction.amount.major();
        let at = transaction.timestamp;
        let mut things = Vec::new();
        for_things(transaction, &mut |kind, id| things.push((kind, id.clone())));
        for (kind, id) in things {
            let other = self.place(kind, &id)?;
            self.add((user, other), at, amount)?;
        }
        Ok(())
    }

    /// Adds an event between two entities.
    ///
    /// # Errors
    ///
    /// [`GraphError::TooMany`], and [`GraphError::Amount`] for an amount that is not finite.
    pub fn pair(
        &mut self,
        one: &EntityKey,
        other: &EntityKey,
        at: Timestamp,
        amount: f64,
    ) -> Result<(), GraphError> {
        if !amount.is_finite() {
            return Err(GraphError::Amount {
                one: one.clone(),
                other: other.clone(),
                got: amount,
            });
        }
        let ends = (
            self.place(one.kind, &one.id)?,
            self.place(other.kind, &other.id)?,
        );
        self.add(ends, at, amount)
    }

    /// Adds a node that may have no event.
    ///
    /// # Errors
    ///
    /// [`GraphError::TooMany`].
    pub fn entity(&mut self, entity: &EntityKey) -> Result<NodeId, GraphError> {
        self.place(entity.kind, &entity.id)
    }

    fn place(&mut self, kind: EntityKind, id: &EntityId) -> Result<NodeId, GraphError> {
        let places = self.places.entry(kind).or_default();
        if let Some(place) = places.get(id) {
            return Ok(*place);
        }
        let place = NodeId(counted("nodes", self.nodes.len())?);
        places.insert(id.clone(), place);
        self.nodes.push(EntityKey {
            kind,
            id: id.clone(),
        });
        Ok(place)
    }

    fn add(
        &mut self,
        (one, other): (NodeId, NodeId),
        at: Timestamp,
        amount: f64,
    ) -> Result<(), GraphError> {
        if one == other {
            self.self_loops += 1;
            return Ok(());
        }
        counted("events", self.events.len())?;
        self.events.push(Event {
            key: (one.0.min(other.0), one.0.max(other.0)),
            micros: at.as_micros(),
            amount,
            turned: one > other,
        });
        Ok(())
    }

    /// The graph of all events. O(n log n) for n events.
    pub fn build(mut self) -> EntityGraph {
        // In the order of time within an edge, events of one moment as they came.
        self.events.sort_by_key(|event| (event.key, event.micros));
        let mut edges: Vec<Edge> = Vec::new();
        let mut event_starts = Vec::new();
        let mut last = None;
        for (place, event) in (0..).zip(&self.events) {
            // Every moment of an event was one.
            let at = Timestamp::from_micros(event.micros).unwrap_or(Timestamp::EPOCH);
            if last != Some(event.key) {
                last = Some(event.key);
                event_starts.push(place);
                let (low, high) = (NodeId(event.key.0), NodeId(event.key.1));
                let (from, to) = if event.turned {
                    (high, low)
                } else {
                    (low, high)
                };
                edges.push(Edge {
                    from,
                    to,
                    first_seen: at,
                    last_seen: at,
                    count: 0,
                    amount: 0.0,
                });
            }
            if let Some(edge) = edges.last_mut() {
                edge.last_seen = at;
                edge.count += 1;
                edge.amount += event.amount;
            }
        }
        event_starts.push(u32::try_from(self.events.len()).unwrap_or(u32::MAX));
        let (starts, neighbours) = adjacency(self.nodes.len(), &edges);
        let mut user_degrees = vec![0; self.nodes.len()];
        for edge in &edges {
            for (end, other) in [(edge.from, edge.to), (edge.to, edge.from)] {
                let user = self.nodes[other.index()].kind == EntityKind::User;
                user_degrees[end.index()] += u32::from(user);
            }
        }
        EntityGraph {
            nodes: self.nodes,
            places: self.places,
            edges,
            starts,
            neighbours,
            user_degrees,
            event_starts,
            events: self.events.iter().map(|event| event.micros).collect(),
            self_loops: self.self_loops,
        }
    }
}

/// Where the neighbours of each node begin, and the neighbours, rising.
fn adjacency(nodes: usize, edges: &[Edge]) -> (Vec<u32>, Vec<(NodeId, u32)>) {
    let mut starts = vec![0_u32; nodes + 1];
    for edge in edges {
        for end in [edge.from, edge.to] {
            starts[end.index() + 1] += 1;
        }
    }
    for node in 0..nodes {
        starts[node + 1] += starts[node];
    }
    let mut next = starts.clone();
    let mut neighbours = vec![(NodeId(0), 0); edges.len() * 2];
    for (place, edge) in (0..).zip(edges) {
        for (end, other) in [(edge.from, edge.to), (edge.to, edge.from)] {
            neighbours[next[end.index()] as usize] = (other, place);
            next[end.index()] += 1;
        }
    }
    for node in 0..nodes {
        neighbours[starts[node] as usize..starts[node + 1] as usize].sort_unstable();
    }
    (starts, neighbours)
}

/// Everything that a transaction says its user uses.
pub(crate) fn for_things(transaction: &Transaction, visit: &mut dyn FnMut(EntityKind, &EntityId)) {
    let text = |name: &str| match transaction.extras.get(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    // Longer addresses than ids may be do not exist.
    let ip = transaction
        .ip
        .and_then(|ip| EntityId::new(ip.to_string()).ok());
    for (kind, id) in [
        (EntityKind::Merchant, Some(&transaction.merchant_id)),
        (EntityKind::Card, transaction.card.as_ref()),
        (EntityKind::Device, transaction.device.as_ref()),
        (EntityKind::Ip, ip.as_ref()),
        (EntityKind::Email, transaction.email.as_ref()),
        (EntityKind::Address, text("address")),
        (EntityKind::Account, text("account")),
    ] {
        if let Some(id) = id {
            visit(kind, id);
        }
    }
}

/// The place of the next, where there is room: neighbours of all edges are counted in 32 bits, too.
pub(crate) fn counted(what: &'static str, count: usize) -> Result<u32, GraphError> {
    let max = u32::MAX / 2 - 1;
    match u32::try_from(count) {
        Ok(count) if count < max => Ok(count),
        _ => Err(GraphError::TooMany { what, max }),
    }
}
