//! Graphs along which risk spreads, packed.

use crate::error::parameter;
use crate::{EntityGraph, GraphError, SkippedEntity};
use dafu_core::{EntityKind, Timestamp};
use std::collections::BTreeMap;

/// Arcs by the node at which they end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arcs {
    starts: Vec<usize>,
    arcs: Vec<(u32, f64)>,
}

impl Arcs {
    /// Arcs from the first to the second node.
    pub(super) fn new(nodes: usize, arcs: impl Iterator<Item = (u32, u32, f64)> + Clone) -> Self {
        let mut starts = vec![0_usize; nodes + 1];
        for (_, to, _) in arcs.clone() {
            starts[to as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut packed = vec![(0, 0.0); starts[nodes]];
        for (from, to, weight) in arcs {
            packed[next[to as usize]] = (from, weight);
            next[to as usize] += 1;
        }
        Self {
            starts,
            arcs: packed,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The arcs that end at a node, each with where it begins.
    pub(super) fn ending_at(&self, node: usize) -> &[(u32, f64)] {
        &self.arcs[self.starts[node]..self.starts[node + 1]]
    }
}

/// Checks edges of a graph of so many nodes.
pub(super) fn check_edges(nodes: usize, edges: &[(u32, u32, f64)]) -> Result<(), GraphError> {
    check_nodes(nodes)?;
    for (one, other, weight) in edges {
        let last = (*one).max(*other);
        let good = (last as usize) < nodes;
        parameter("edges", last, "between nodes below `nodes`", good)?;
        // Sums and quotients stay finite.
        let good = (1e-100..=1e100).contains(weight);
        parameter("edges", weight, "of weights from 1e-100 to 1e100", good)?;
    }
    Ok(())
}

fn check_nodes(nodes: usize) -> Result<(), GraphError> {
    match u32::try_from(nodes) {
        Ok(count) if count < u32::MAX => Ok(()),
        _ => Err(GraphError::TooMany {
            what: "nodes",
            max: u32::MAX - 1,
        }),
    }
}

/// An undirected graph with weights along which risk spreads: of an [`EntityGraph`] ([`AssociationParams::graph`]), or of any edges.
///
/// Parallel edges add up.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskGraph {
    pub(super) arcs: Arcs,
    /// Sum of the weights at each node; loops count once.
    pub(super) strengths: Vec<f64>,
    skipped: Vec<SkippedEntity>,
}

impl RiskGraph {
    /// The graph of these edges: two nodes below `nodes`, and a weight from 1e-100 to 1e100.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for other nodes or weights, [`GraphError::TooMany`].
    ///
    /// # Complexity
    ///
    /// O(nodes + edges); 32 bytes an edge, 16 a node.
    pub fn new(nodes: usize, edges: &[(u32, u32, f64)]) -> Result<Self, GraphError> {
        check_edges(nodes, edges)?;
        Ok(Self::packed(nodes, edges, Vec::new()))
    }

    fn packed(nodes: usize, edges: &[(u32, u32, f64)], skipped: Vec<SkippedEntity>) -> Self {
        let there = edges.iter().copied();
        let back = there.clone().filter(|(one, other, _)| one != other);
        let back = back.map(|(one, other, weight)| (other, one, weight));
        let arcs = Arcs::new(nodes, there.chain(back));
        let strength = |node| arcs.ending_at(node).iter().map(|(_, weight)| weight).sum();
        Self {
            strengths: (0..nodes).map(strength).collect(),
            arcs,
            skipped,
        }
    }

    /// Number of nodes.
    pub const fn node_count(&self) -> usize {
        self.arcs.len()
    }

    /// The sum of the weights of the edges of each node.
    pub fn strengths(&self) -> &[f64] {
        &self.strengths
    }

    /// Entities that are left out since too many use them, those with most first.
    pub fn skipped(&self) -> &[SkippedEntity] {
        &self.skipped
    }
}

/// How risk spreads over entities of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AssociationKind {
    /// Weight of an entity that one user has, 0.000001 to 1.
    pub weight: f64,
    /// Over entities of more neighbours than this no risk spreads, at least 2.
    pub hub_cap: u32,
}

/// Parameters of the graph along which risk spreads: [`AssociationParams::graph`].
///
/// ```
/// use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
/// use dafu_graph::{AssociationParams, EntityGraphBuilder, KnownFraud, PageRankParams, PropagationParams};
///
/// let key = |kind, id: &str| -> Result<_, dafu_core::CoreError> { Ok(EntityKey { kind, id: EntityId::new(id)? }) };
/// let mut builder = EntityGraphBuilder::new();
/// for (second, user, phone) in [(1, "ada", "red"), (2, "bob", "red"), (3, "bob", "blue"), (4, "cleo", "blue"), (5, "dan", "new")] {
///     let (user, phone) = (key(EntityKind::User, user)?, key(EntityKind::Device, phone)?);
///     builder.pair(&user, &phone, Timestamp::from_seconds(second)?, 1.0)?;
/// }
/// let graph = builder.build();
/// let node = |user: &str| graph.node(EntityKind::User, &EntityId::new(user).unwrap()).unwrap();
/// let mut known = KnownFraud::new();
/// known.insert(node("ada"), Label::Fraud, Timestamp::from_seconds(10)?);
///
/// let moment = Timestamp::from_seconds(10)?;
/// let spread = AssociationParams::default().graph(&graph, moment)?;
/// let risk = PropagationParams::default().spread(&spread, &known.at(moment).risks())?.risk;
/// let (bob, cleo, dan) = (node("bob").index(), node("cleo").index(), node("dan").index());
/// assert!(risk[bob] > risk[cleo] && risk[cleo] > risk[dan] && (risk[dan] - 0.01).abs() < 1e-6);
///
/// let rank = PageRankParams::default().rank(&spread, &known.at(moment).frauds())?.scores;
/// assert!(rank[bob] > rank[cleo] && rank[dan] == 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct AssociationParams {
    /// The kinds over which risk spreads, beside users. Without merchants by default: everybody meets there. Others as links
    /// have them ([`LinkParams`](crate::LinkParams)).
    pub kinds: BTreeMap<EntityKind, AssociationKind>,
    /// An entity of d neighbours weighs d^-`hub_damping` of one of one: 0 to 2, default 0.5.
    pub hub_damping: f64,
}

impl Default for AssociationParams {
    fn default() -> Self {
        let links = crate::LinkParams::default().kinds;
        let kinds = links.into_iter().map(|(kind, params)| {
            let kind_params = AssociationKind {
                weight: params.reliability,
                hub_cap: params.hub_cap,
            };
            (kind, kind_params)
        });
        Self {
            kinds: kinds.collect(),
            hub_damping: 0.5,
        }
    }
}

impl AssociationParams {
    /// Sets how risk spreads over entities of a kind.
    #[must_use]
    pub fn kind(mut self, kind: EntityKind, weight: f64, hub_cap: u32) -> Self {
        self.kinds.insert(kind, AssociationKind { weight, hub_cap });
        self
    }

    /// Lets no risk spread over entities of a kind.
    #[must_use]
    pub fn without(mut self, kind: EntityKind) -> Self {
        self.kinds.remove(&kind);
        self
    }

    /// Sets `hub_damping`.
    #[must_use]
    pub const fn hub_damping(mut self, hub_damping: f64) -> Self {
        self.hub_damping = hub_damping;
        self
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        for (kind, params) in &self.kinds {
            let got = format!("{} for {kind:?}", params.weight);
            let good = (1e-6..=1.0).contains(&params.weight);
            parameter("weight", got, "at least 0.000001 and at most 1", good)?;
            let got = format!("{} for {kind:?}", params.hub_cap);
            parameter("hub_cap", got, "at least 2", params.hub_cap >= 2)?;
            let users = *kind == EntityKind::User;
            parameter("kinds", "User", "other kinds than User", !users)?;
        }
        let got = self.hub_damping;
        let good = (0.0..=2.0).contains(&got);
        parameter("hub_damping", got, "at least 0 and at most 2", good)
    }

    /// The graph along which risk spreads at a moment: edges that were seen at it or before. Nodes have the places that they have in
    /// `graph`.
    ///
    /// An edge weighs the product of what its ends weigh: 1 for a user; w d^-h for an entity of d neighbours, with the weight w of
    /// its kind and the damping h. Entities of other kinds and hubs have no edges.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    ///
    /// # Complexity
    ///
    /// O(nodes + edges).
    pub fn graph(&self, graph: &EntityGraph, moment: Timestamp) -> Result<RiskGraph, GraphError> {
        self.check()?;
        let mut degrees = vec![0_usize; graph.node_count()];
        for edge in graph
            .edges()
            .iter()
            .filter(|edge| edge.first_seen <= moment)
        {
            degrees[edge.from.index()] += 1;
            degrees[edge.to.index()] += 1;
        }
        let mut skipped = Vec::new();
        let mut weights = Vec::with_capacity(degrees.len());
        for (node, degree) in graph.nodes().zip(&degrees) {
            let kind = graph.kind(node);
            weights.push(match self.kinds.get(&kind) {
                Some(params) if *degree <= params.hub_cap as usize => {
                    params.weight * (*degree as f64).max(1.0).powf(-self.hub_damping)
                }
                None if kind == EntityKind::User => 1.0,
                None => 0.0,
                Some(_) => {
                    skipped.push(SkippedEntity {
                        node,
                        users: *degree,
                        over_budget: false,
                    });
                    0.0
                }
            });
        }
        skipped.sort_by_key(|entity| (std::cmp::Reverse(entity.users), entity.node));
        let seen = graph
            .edges()
            .iter()
            .filter(|edge| edge.first_seen <= moment);
        let edges = seen.map(|edge| {
            let weight = weights[edge.from.index()] * weights[edge.to.index()];
            (edge.from.0, edge.to.0, weight)
        });
        let edges: Vec<_> = edges.filter(|(_, _, weight)| *weight > 0.0).collect();
        Ok(RiskGraph::packed(graph.node_count(), &edges, skipped))
    }
}
