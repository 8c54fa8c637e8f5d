//! Rings: accounts in one hand.

mod candidate;
mod group;
mod lockstep;
mod params;
mod place;
mod report;

use crate::graph::Network;
use crate::{EntityGraph, GraphError, NodeId};
pub(crate) use candidate::Candidate;
use dafu_core::{EntityId, EntityKind, Label, Transaction};
use group::Group;
pub(crate) use group::may_split;
pub use params::RingParams;
pub use place::PlaceParams;
pub(crate) use report::ring_id;
pub use report::{FraudRing, RingReport, SharedEntity, SkippedThing};
use std::collections::HashSet;

/// Finds rings in transactions: [`RingParams::detect`] on their graph, with these two parameters and the default of all others.
///
/// `similarity_threshold` is the probability from which on two users count as linked, `min_ring_size` the members of the smallest
/// ring; 0.8 and 3 are the defaults of [`RingParams`]. Transactions with the label fraud say which members are known to be it,
/// and nothing else.
///
/// ```
/// use dafu_graph::detect_fraud_networks;
/// use dafu_sim::RingWorldParams;
///
/// let world = RingWorldParams::default().users(3_000).rings(4).smallest_ring(8).seed(1).simulate()?;
/// let payments: Vec<_> = world.transactions().map(|payment| payment.transaction).collect();
/// let report = detect_fraud_networks(&payments, 0.8, 3)?;
/// assert_eq!(report.rings.len(), 4);
/// println!("{}", report.rings[0].explanation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`GraphError::Parameter`] for a threshold outside of 0 to 1 or a size below 2; [`GraphError::TooMany`].
pub fn detect_fraud_networks(
    transactions: &[Transaction],
    similarity_threshold: f64,
    min_ring_size: usize,
) -> Result<RingReport, GraphError> {
    let params = RingParams::default()
        .similarity_threshold(similarity_threshold)
        .min_ring_size(min_ring_size);
    params.check()?;
    let mut report = params.detect(&EntityGraph::from_transactions(transactions)?)?;
    let frauds = transactions
        .iter()
        .filter(|one| one.is_fraud == Label::Fraud);
    let known: HashSet<&EntityId> = frauds.map(|one| &one.user_id).collect();
    report.mark_known(|member| known.contains(&member.id));
    Ok(report)
}

impl RingParams {
    /// Finds rings in a graph.
    ///
    /// 1. Users are linked who share more than chance explains ([`LinkParams::link`](crate::LinkParams::link)).
    /// 2. Linked users form groups; groups that hang together loosely fall apart into communities.
    /// 3. A group is a ring where one home or one place of work does not explain what it shares ([`PlaceParams`]) and how it
    ///    acts together.
    /// 4. Who is not in the densest part of it ([`DenseParams`](crate::DenseParams)), and uses no two things that are, leaves.
    ///
    /// Known fraud has no say. Rings come with the smallest p-value first.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    ///
    /// # Complexity
    ///
    /// That of [`LinkParams::link`](crate::LinkParams::link), and O(edges of linked users x log).
    pub fn detect(&self, graph: &EntityGraph) -> Result<RingReport, GraphError> {
        self.check()?;
        let links = self.links.link(graph, self.similarity_threshold)?;
        let groups = group::groups(self, &links.links);
        let candidates = groups.len();
        let mut rings: Vec<(f64, Group)> = Vec::new();
        for members in groups {
            let mut candidate = Candidate::new(self, graph, members);
            let ring = candidate.ring(self, graph);
            rings.extend(ring.map(|(p_value, group)| (p_value, group.clone())));
        }
        rings.sort_by(|one, two| {
            one.0
                .total_cmp(&two.0)
                .then_with(|| one.1.members.cmp(&two.1.members))
        });
        let users = graph.nodes_of(EntityKind::User).count();
        let rings = rings
            .into_iter()
            .map(|(p_value, group)| {
                let links = inside(&links.links, &group.members);
                report::ring(self, (graph, users), links, (p_value, &group))
            })
            .collect();
        Ok(RingReport {
            rings,
            groups: candidates,
            links: links.links.len(),
            pairs: links.pairs,
            skipped: links
                .skipped
                .iter()
                .map(|skipped| SkippedThing {
                    entity: graph.key(skipped.node).clone(),
                    users: skipped.users,
                    over_budget: skipped.over_budget,
                })
                .collect(),
            approximate: links.approximate,
            left_out: links.left_out,
        })
    }
}

/// The place of a user among sorted members.
fn place(members: &[NodeId], user: NodeId) -> Option<usize> {
    members.binary_search(&user).ok()
}

impl RingParams {
    /// Linked users, or parts of them where they hang together loosely. What is known of those before is used, but for what it says
    /// of things that were touched.
    pub(crate) fn candidates(
        &self,
        graph: &impl Network,
        (members, links): (Vec<NodeId>, &[crate::Link]),
        (before, touched): (&[Candidate], &[NodeId]),
    ) -> Vec<Candidate> {
        let all: Vec<&crate::Link> = links.iter().collect();
        let parts = group::split(self, members, &all).into_iter();
        let candidates = parts.map(|part| {
            let grown = |known: &Candidate| known.grown(self, graph, &part, touched);
            let known = before.iter().find_map(grown);
            known.unwrap_or_else(|| Candidate::new(self, graph, part))
        });
        candidates.collect()
    }

    /// 0.5 for the largest p-value of a ring, 1 for none.
    pub(crate) fn score(&self, p_value: f64) -> f64 {
        1.0 - 0.5 * (p_value / self.max_p_value).powf(0.25)
    }

    /// A ring as analysts see it.
    pub(crate) fn report(
        &self,
        graph: &impl Network,
        members: Vec<NodeId>,
        (p_value, links): (f64, usize),
    ) -> FraudRing {
        let group = Group::new(self, graph, members);
        report::ring(self, (graph, 0), links, (p_value, &group))
    }
}

/// Links between members.
fn inside(links: &[crate::Link], members: &[NodeId]) -> usize {
    // Links are in the order of the one end, then of the other.
    let of = |member: &NodeId| {
        let first = links.partition_point(|link| link.one < *member);
        let own = links[first..]
            .iter()
            .take_while(move |link| link.one == *member);
        own.filter(|link| place(members, link.other).is_some())
            .count()
    };
    members.iter().map(of).sum()
}
