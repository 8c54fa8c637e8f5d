//! Numbers about users for models.

use super::snapshot::Snapshot;
use super::{KnownAt, KnownFraud};
use crate::error::parameter;
use crate::{EntityGraph, GraphError, LinkParams, NodeId};
use dafu_core::{EntityKind, Label, Timestamp};
use std::collections::BTreeMap;

/// Features that follow those of the kinds.
const OTHERS: [&str; 9] = [
    "two_hop_users",
    "strongest_tie",
    "butterflies",
    "core_number",
    "component_users",
    "known_neighbours",
    "fraud_neighbours",
    "neighbour_fraud_share",
    "known_fraud_share",
];

/// Parameters of node features: [`NodeFeatureParams::compute`].
///
/// ```
/// use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
/// use dafu_graph::{EntityGraphBuilder, KnownFraud, NodeFeatureParams};
///
/// let key = |kind, id: &str| -> Result<_, dafu_core::CoreError> { Ok(EntityKey { kind, id: EntityId::new(id)? }) };
/// let mut builder = EntityGraphBuilder::new();
/// for (second, user, phone) in [(1, "ada", "red"), (2, "bob", "red"), (9, "cleo", "red")] {
///     let (user, phone) = (key(EntityKind::User, user)?, key(EntityKind::Device, phone)?);
///     builder.pair(&user, &phone, Timestamp::from_seconds(second)?, 1.0)?;
/// }
/// let graph = builder.build();
/// let users: Vec<_> = graph.nodes_of(EntityKind::User).collect();
/// let mut known = KnownFraud::new();
/// known.insert(users[0], Label::Fraud, Timestamp::from_seconds(5)?);
///
/// // Cleo comes later.
/// let features = NodeFeatureParams::default().compute(&graph, &known, Timestamp::from_seconds(5)?, &users)?;
/// let of_bob = |name: &str| features.get(1, name).unwrap();
/// assert_eq!((of_bob("degree_device"), of_bob("two_hop_users"), of_bob("neighbour_fraud_share")), (1.0, 1.0, 1.0));
/// assert!(features.get(2, "max_shared_device").unwrap().is_nan());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct NodeFeatureParams {
    /// Kinds of entities that are looked at, each with the number of users above which an entity is a hub, at least 2: hubs count
    /// in degrees and in `max_shared` alone. Default: those of [`LinkParams`], and their caps.
    pub hub_caps: BTreeMap<EntityKind, u32>,
    /// Other users of one user's entities that are looked at, at most; entities of fewest users come first. Default 100,000.
    pub pair_cap: u32,
}

impl Default for NodeFeatureParams {
    fn default() -> Self {
        let kinds = LinkParams::default().kinds.into_iter();
        Self {
            hub_caps: kinds.map(|(kind, params)| (kind, params.hub_cap)).collect(),
            pair_cap: 100_000,
        }
    }
}

/// Features of users, one row each: [`NodeFeatureParams::compute`].
#[derive(Debug, Clone, PartialEq)]
pub struct NodeFeatures {
    names: Vec<String>,
    values: Vec<f64>,
    /// Users with more neighbours than `pair_cap`, of whom some were not looked at.
    pub truncated: usize,
}

impl NodeFeatures {
    /// Names of the columns.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// Rows of a value for each column, in the order of the users asked for.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.names.len())
    }

    /// One value.
    pub fn get(&self, row: usize, name: &str) -> Option<f64> {
        let column = self.names.iter().position(|other| other == name)?;
        self.rows().nth(row).map(|row| row[column])
    }

    /// The values of a column.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        let column = self.names.iter().position(|other| other == name)?;
        Some(self.rows().map(|row| row[column]).collect())
    }
}

impl NodeFeatureParams {
    /// Looks at entities of a kind, hubs above so many users.
    #[must_use]
    pub fn kind(mut self, kind: EntityKind, hub_cap: u32) -> Self {
        self.hub_caps.insert(kind, hub_cap);
        self
    }

    /// Looks at no entity of a kind.
    #[must_use]
    pub fn without(mut self, kind: EntityKind) -> Self {
        self.hub_caps.remove(&kind);
        self
    }

    /// Sets `pair_cap`.
    #[must_use]
    pub const fn pair_cap(mut self, pair_cap: u32) -> Self {
        self.pair_cap = pair_cap;
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        for (kind, cap) in &self.hub_caps {
            let got = format!("{cap} for {kind:?}");
            parameter("hub_caps", got, "at least 2", *cap >= 2)?;
            let users = *kind == EntityKind::User;
            parameter("hub_caps", "User", "of other kinds than User", !users)?;
        }
        let got = self.pair_cap;
        parameter("pair_cap", got, "at least 1", got >= 1)
    }

    /// Names of the columns: two for each kind, then nine more. Units are counts, unless told otherwise.
    ///
    /// - `degree_<kind>`: entities of the kind that the user has.
    /// - `max_shared_<kind>`: other users of the one that most have; NaN without any.
    /// - `two_hop_users`: other users who have something in common with the user (neighbours).
    /// - `strongest_tie`: things in common with the neighbour who has most.
    /// - `butterflies`: pairs of things in common with the same neighbour, over all neighbours. Triangles among users say little:
    ///   one thing that three users have is one.
    /// - `core_number`: the largest k for which the user is in a part of the graph of users and entities where everybody has k
    ///   things, and everything has k users.
    /// - `component_users`: users who are connected with the user, and the user.
    /// - `known_neighbours`, `fraud_neighbours`: neighbours with a label, and known to be fraud.
    /// - `neighbour_fraud_share`: the latter as a share of all neighbours; NaN without any.
    /// - `known_fraud_share`: the latter as a share of known neighbours; NaN without any.
    pub fn feature_names(&self) -> Vec<String> {
        let name = |kind: &EntityKind| format!("{kind:?}").to_lowercase();
        let kinds = self.hub_caps.keys().map(name);
        let of_kinds =
            kinds.flat_map(|kind| [format!("degree_{kind}"), format!("max_shared_{kind}")]);
        of_kinds.chain(OTHERS.map(str::to_owned)).collect()
    }

    /// Features of users at a moment, from events at it or before, and from labels that were known by then. Own labels have no part
    /// in them. A user without events by then has nothing, and is alone.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], also for nodes that are no users of the graph.
    ///
    /// # Complexity
    ///
    /// O(nodes + edges) once, so that many users of one moment cost little more than one; O(neighbours, one for each thing in common)
    /// a user, at most `pair_cap`.
    pub fn compute(
        &self,
        graph: &EntityGraph,
        known: &KnownFraud,
        moment: Timestamp,
        users: &[NodeId],
    ) -> Result<NodeFeatures, GraphError> {
        self.check()?;
        for user in users {
            let good = user.index() < graph.node_count() && graph.kind(*user) == EntityKind::User;
            parameter("users", user.index(), "places of users", good)?;
        }
        let names = self.feature_names();
        let snapshot = Snapshot::new(graph, &self.hub_caps, moment);
        let mut looking = Looking {
            labels: labels(graph, &known.at(moment)),
            cores: snapshot.core_numbers(),
            components: snapshot.component_sizes(),
            shared: vec![0; snapshot.users],
            near: Vec::new(),
            pair_cap: self.pair_cap as usize,
            truncated: 0,
            snapshot,
        };
        let mut numbers = vec![0; graph.node_count()];
        for (number, user) in graph.nodes_of(EntityKind::User).enumerate() {
            numbers[user.index()] = number;
        }
        let mut values = Vec::with_capacity(names.len() * users.len());
        for user in users {
            looking.look(numbers[user.index()], self.hub_caps.len(), &mut values);
        }
        Ok(NodeFeatures {
            names,
            values,
            truncated: looking.truncated,
        })
    }
}

/// What is known of all users, in their order.
fn labels(graph: &EntityGraph, known: &KnownAt) -> Vec<Label> {
    let users = graph.nodes_of(EntityKind::User);
    users.map(|user| known.label(user)).collect()
}

/// What looking at one user after another needs.
struct Looking {
    snapshot: Snapshot,
    labels: Vec<Label>,
    cores: Vec<u32>,
    components: Vec<u32>,
    /// Things in common with each user; 0 between users.
    shared: Vec<u32>,
    near: Vec<usize>,
    pair_cap: usize,
    truncated: usize,
}

impl Looking {
    fn look(&mut self, user: usize, kinds: usize, values: &mut Vec<f64>) {
        for (count, most) in &self.snapshot.counts[user * kinds..(user + 1) * kinds] {
            values.push(f64::from(*count));
            values.push(if *count > 0 {
                f64::from(*most)
            } else {
                f64::NAN
            });
        }
        self.meet(user);
        let (mut strongest, mut butterflies, mut known, mut frauds) = (0, 0.0, 0.0, 0.0);
        let all = self.near.len() as f64;
        for other in self.near.drain(..) {
            let shared = std::mem::take(&mut self.shared[other]);
            strongest = strongest.max(shared);
            butterflies += f64::from(shared) * f64::from(shared - 1) / 2.0;
            if let Some(fraud) = self.labels[other].known() {
                known += 1.0;
                frauds += f64::from(u8::from(fraud));
            }
        }
        // 0 by 0 is unknown.
        values.extend([
            all,
            f64::from(strongest),
            butterflies,
            f64::from(self.cores[user]),
            f64::from(self.components[user]),
            known,
            frauds,
            frauds / all,
            frauds / known,
        ]);
    }

    /// Finds neighbours, and what they share.
    fn meet(&mut self, user: usize) {
        let users = |entity: &u32| self.snapshot.neighbours(*entity as usize).len();
        let entities = self.snapshot.neighbours(user);
        let pairs: usize = entities.iter().map(users).sum();
        let mut by_size = Vec::new();
        let mut entities = entities;
        if pairs > self.pair_cap {
            by_size.extend_from_slice(entities);
            by_size.sort_by_key(users);
            let mut left = self.pair_cap;
            let fitting = by_size.iter().take_while(|entity| {
                let users = users(entity);
                let fits = users <= left;
                left = left.saturating_sub(users);
                fits
            });
            let fitting = fitting.count();
            entities = &by_size[..fitting];
            self.truncated += 1;
        }
        for entity in entities {
            for other in self.snapshot.neighbours(*entity as usize) {
                let other = *other as usize;
                if other != user {
                    if self.shared[other] == 0 {
                        self.near.push(other);
                    }
                    self.shared[other] += 1;
                }
            }
        }
    }
}
