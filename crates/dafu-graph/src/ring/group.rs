//! Users who are linked, directly or through others.

use super::params::RingParams;
use super::place;
use super::place::KindLinks;
use crate::community::{Communities, LeidenParams};
use crate::graph::Network;
use crate::{Link, NodeId};
use petgraph::unionfind::UnionFind;
use std::collections::BTreeMap;

/// Users who may be a ring, and what they share.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Rising.
    pub(crate) members: Vec<NodeId>,
    /// Things that at least two members use, rising, and how many do.
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

/// Whether a group of so many links may have parts: splitting a clique in two halves has a modularity below 0.
pub(crate) const fn may_split(members: usize, links: usize) -> bool {
    links * 4 < members * (members - 1)
}

/// The parts of a group, where it is one of parts that hang together loosely.
pub(super) fn split(
    params: &RingParams,
    members: Vec<NodeId>,
    links: &[&Link],
) -> Vec<Vec<NodeId>> {
    if !may_split(members.len(), links.len()) {
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
    pub(super) fn new(params: &RingParams, graph: &impl Network, members: Vec<NodeId>) -> Self {
        let mut used: Vec<NodeId> = Vec::new();
        for member in &members {
            let things = graph.things(*member);
            used.extend(things.filter(|thing| params.counts(graph, *thing)));
        }
        used.sort_unstable();
        let things = used
            .chunk_by(|one, two| one == two)
            .filter(|same| same.len() > 1)
            .map(|same| (same[0], same.len()))
            .collect();
        Self { members, things }
    }

    /// Where a thing is among those that are shared.
    pub(super) fn place(&self, thing: NodeId) -> Option<usize> {
        let things = &self.things;
        things.binary_search_by_key(&thing, |thing| thing.0).ok()
    }

    /// The group without members who only know one of the others, where there are such: who is in its densest block stays, and
    /// who uses two things or more that two of those use.
    pub(super) fn trimmed(&self, params: &RingParams, graph: &impl Network) -> Option<Self> {
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let mut edges = Vec::new();
        for (user, member) in self.members.iter().enumerate() {
            for thing in graph.things(*member) {
                let place = self.place(thing);
                edges.extend(place.map(|place| (number(user), number(place))));
            }
        }
        let core = crate::dense::core((self.members.len(), self.things.len()), &edges);
        let inside = |user: u32| core.users.binary_search(&user).is_ok();
        let mut users_inside = vec![0_u32; self.things.len()];
        for (user, thing) in &edges {
            users_inside[*thing as usize] += u32::from(inside(*user));
        }
        let mut common = vec![0_u32; self.members.len()];
        for (user, thing) in &edges {
            common[*user as usize] += u32::from(users_inside[*thing as usize] > 1);
        }
        let stays = |user: u32| inside(user) || common[user as usize] > 1;
        let stay: Vec<NodeId> = (0..)
            .zip(&self.members)
            .filter(|(user, _)| stays(*user))
            .map(|(_, member)| *member)
            .collect();
        if stay.len() == self.members.len() || stay.len() < params.min_ring_size {
            return None;
        }
        let mut counts = vec![0_usize; self.things.len()];
        for (user, thing) in &edges {
            counts[*thing as usize] += usize::from(stays(*user));
        }
        let things = self.things.iter().zip(counts);
        let things = things.filter(|(_, count)| *count > 1);
        Some(Self {
            members: stay,
            things: things.map(|((thing, _), count)| (*thing, count)).collect(),
        })
    }

    /// Links by kind: a thing of d members has d - 1.
    pub(super) fn links(&self, graph: &impl Network) -> KindLinks {
        let mut links = KindLinks::new();
        for (thing, members) in &self.things {
            *links.entry(graph.kind(*thing)).or_default() += *members as f64 - 1.0;
        }
        links
    }
}

impl RingParams {
    /// Whether sharing a thing counts.
    pub(super) fn counts(&self, graph: &impl Network, thing: NodeId) -> bool {
        let kind = self.links.kinds.get(&graph.kind(thing));
        kind.is_some_and(|kind| graph.users(thing) <= kind.hub_cap as usize)
    }
}
