//! Users who are linked, directly or through others.

use super::params::RingParams;
use super::place::KindLinks;
use super::{lockstep, place};
use crate::community::{Communities, LeidenParams};
use crate::{EntityGraph, Link, NodeId};
use petgraph::unionfind::UnionFind;
use std::collections::BTreeMap;

/// Users who may be a ring, and what they share.
#[derive(Debug)]
pub(super) struct Group {
    /// Rising.
    pub(super) members: Vec<NodeId>,
    /// Things that at least two members use, and how many do.
    pub(super) things: Vec<(NodeId, usize)>,
}

/// Groups of at least the smallest size, by their first members.
pub(super) fn groups(params: &RingParams, links: &[Link]) -> Vec<Vec<NodeId>> {
    let last = links.iter().map(|link| link.other.index()).max();
    let Some(last) = last else {
        return Vec::new();
    };
    let mut sets: UnionFind<u32> = UnionFind::new(last + 1);
    for link in links {
        sets.union(link.one.0, link.other.0);
    }
    let labels = sets.into_labeling();
    let mut of_label: BTreeMap<u32, Vec<&Link>> = BTreeMap::new();
    for link in links {
        of_label
            .entry(labels[link.one.index()])
            .or_default()
            .push(link);
    }
    let mut groups: Vec<Vec<NodeId>> = Vec::new();
    for links in of_label.values() {
        let mut members: Vec<NodeId> = links
            .iter()
            .flat_map(|link| [link.one, link.other])
            .collect();
        members.sort_unstable();
        members.dedup();
        if members.len() >= params.min_ring_size {
            groups.extend(split(params, members, links));
        }
    }
    groups.sort_unstable();
    groups
}

/// The parts of a group, where it is one of parts that hang together loosely.
fn split(params: &RingParams, members: Vec<NodeId>, links: &[&Link]) -> Vec<Vec<NodeId>> {
    let all = members.len() * (members.len() - 1) / 2;
    // What is that dense has no parts: splitting a clique in two halves has a modularity below 0.
    if links.len() * 2 >= all {
        return vec![members];
    }
    let number = |node: NodeId| place(&members, node).and_then(|place| u32::try_from(place).ok());
    let edges = links.iter().filter_map(|link| {
        let ends = (number(link.one)?, number(link.other)?);
        Some((ends.0, ends.1, link.probability))
    });
    let edges: Vec<(u32, u32, f64)> = edges.collect();
    let Ok(communities) = LeidenParams::default()
        .seed(params.seed)
        .run(members.len(), &edges)
    else {
        return vec![members];
    };
    if communities.modularity < params.split_modularity {
        return vec![members];
    }
    parts(&members, &communities)
        .into_iter()
        .filter(|part| part.len() >= params.min_ring_size)
        .collect()
}

fn parts(members: &[NodeId], communities: &Communities) -> Vec<Vec<NodeId>> {
    let mut parts = vec![Vec::new(); communities.count];
    for (member, community) in members.iter().zip(&communities.of_node) {
        parts[*community as usize].push(*member);
    }
    parts
}

impl Group {
    pub(super) fn new(params: &RingParams, graph: &EntityGraph, members: Vec<NodeId>) -> Self {
        let mut used: Vec<NodeId> = Vec::new();
        for member in &members {
            let things = graph.adjacent(*member).iter().map(|(thing, _)| *thing);
            used.extend(things.filter(|thing| {
                let kind = params.links.kinds.get(&graph.kind(*thing));
                kind.is_some_and(|kind| graph.degree(*thing) <= kind.hub_cap as usize)
            }));
        }
        used.sort_unstable();
        let things = used
            .chunk_by(|one, two| one == two)
            .filter(|same| same.len() > 1)
            .map(|same| (same[0], same.len()))
            .collect();
        Self { members, things }
    }

    /// Links by kind: a thing of d members has d - 1.
    pub(super) fn links(&self, graph: &EntityGraph) -> KindLinks {
        let mut links = KindLinks::new();
        for (thing, members) in &self.things {
            *links.entry(graph.kind(*thing)).or_default() += *members as f64 - 1.0;
        }
        links
    }

    /// How likely that is where everybody lives or works in one place.
    pub(super) fn p_value(&self, params: &RingParams, graph: &EntityGraph) -> f64 {
        let window = i64::try_from(params.lockstep_window.as_micros()).unwrap_or(i64::MAX);
        let together = lockstep::together(graph, &self.members, &self.things, window);
        params
            .places
            .p_value(self.members.len(), &self.links(graph), together)
    }
}
