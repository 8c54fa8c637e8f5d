//! Users and what they have, as of a moment.

use crate::{EntityGraph, NodeId};
use dafu_core::{EntityKind, Timestamp};
use std::collections::BTreeMap;

/// Users and entities that are no hubs, and which user has which: users come first, then entities.
pub(super) struct Snapshot {
    pub(super) users: usize,
    starts: Vec<u32>,
    neighbours: Vec<u32>,
    /// Of each user and kind: how many he has, and how many others have the one that most have.
    pub(super) counts: Vec<(u32, u32)>,
}

impl Snapshot {
    /// Users in the order of the graph. O(nodes + edges).
    pub(super) fn new(
        graph: &EntityGraph,
        caps: &BTreeMap<EntityKind, u32>,
        moment: Timestamp,
    ) -> Self {
        let mut numbers = vec![u32::MAX; graph.node_count()];
        let mut users = 0_u32;
        for user in graph.nodes_of(EntityKind::User) {
            numbers[user.index()] = users;
            users += 1;
        }
        let kinds: Vec<EntityKind> = caps.keys().copied().collect();
        let mut pairs: Vec<(u32, NodeId)> = Vec::new();
        let mut having = vec![0_u32; graph.node_count()];
        for edge in graph.edges() {
            let ends = match (numbers[edge.from.index()], numbers[edge.to.index()]) {
                (u32::MAX, user) => (user, edge.from),
                (user, u32::MAX) => (user, edge.to),
                _ => continue,
            };
            if edge.first_seen <= moment
                && ends.0 != u32::MAX
                && caps.contains_key(&graph.kind(ends.1))
            {
                having[ends.1.index()] += 1;
                pairs.push(ends);
            }
        }
        let mut counts = vec![(0, 0); users as usize * kinds.len()];
        for (user, entity) in &pairs {
            let kind = kinds.binary_search(&graph.kind(*entity)).unwrap_or(0);
            let (count, most) = &mut counts[*user as usize * kinds.len() + kind];
            *count += 1;
            *most = (*most).max(having[entity.index()] - 1);
        }
        pairs.retain(|(_, entity)| {
            let cap = caps.get(&graph.kind(*entity)).copied().unwrap_or(0);
            having[entity.index()] <= cap
        });
        let mut nodes = users;
        for (_, entity) in &pairs {
            let number = &mut numbers[entity.index()];
            if *number == u32::MAX {
                *number = nodes;
                nodes += 1;
            }
        }
        let pairs = pairs
            .iter()
            .map(|(user, entity)| (*user, numbers[entity.index()]));
        let (starts, neighbours) = packed(nodes as usize, pairs);
        Self {
            users: users as usize,
            starts,
            neighbours,
            counts,
        }
    }

    pub(super) fn neighbours(&self, node: usize) -> &[u32] {
        &self.neighbours[self.starts[node] as usize..self.starts[node + 1] as usize]
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Users of the component of each user.
    pub(super) fn component_sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0_u32; self.users];
        let mut seen = vec![false; self.len()];
        let mut part: Vec<usize> = Vec::new();
        for first in 0..self.users {
            if seen[first] {
                continue;
            }
            seen[first] = true;
            part.clear();
            part.push(first);
            let mut at = 0;
            while at < part.len() {
                for next in self.neighbours(part[at]) {
                    let next = *next as usize;
                    if !seen[next] {
                        seen[next] = true;
                        part.push(next);
                    }
                }
                at += 1;
            }
            part.retain(|node| *node < self.users);
            for user in &part {
                sizes[*user] = u32::try_from(part.len()).unwrap_or(u32::MAX);
            }
        }
        sizes
    }

    /// The core number of each user.
    ///
    /// Source: Batagelj and Zaversnik, "An O(m) algorithm for cores decomposition of networks" (2003).
    pub(super) fn core_numbers(&self) -> Vec<u32> {
        let nodes = self.len();
        let mut degrees: Vec<usize> = (0..nodes).map(|node| self.neighbours(node).len()).collect();
        // Nodes by degree, and where those of each degree begin.
        let most = degrees.iter().max().map_or(0, |most| most + 1);
        let mut starts = vec![0_usize; most + 1];
        for degree in &degrees {
            starts[degree + 1] += 1;
        }
        for degree in 0..most {
            starts[degree + 1] += starts[degree];
        }
        let mut next = starts.clone();
        let mut order = vec![0_usize; nodes];
        let mut places = vec![0_usize; nodes];
        for (node, degree) in degrees.iter().enumerate() {
            places[node] = next[*degree];
            order[next[*degree]] = node;
            next[*degree] += 1;
        }
        for at in 0..nodes {
            let node = order[at];
            for other in self.neighbours(node) {
                let other = *other as usize;
                if degrees[other] <= degrees[node] {
                    continue;
                }
                // It changes places with the first of its degree, which then begins behind it.
                let first = starts[degrees[other]];
                let swapped = order[first];
                order.swap(first, places[other]);
                places[swapped] = places[other];
                places[other] = first;
                starts[degrees[other]] += 1;
                degrees[other] -= 1;
            }
        }
        degrees.truncate(self.users);
        let number = |degree| u32::try_from(degree).unwrap_or(u32::MAX);
        degrees.into_iter().map(number).collect()
    }
}

/// Neighbours on both sides, rising.
fn packed(nodes: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; nodes + 1];
    for (one, other) in pairs.clone() {
        starts[one as usize + 1] += 1;
        starts[other as usize + 1] += 1;
    }
    for node in 0..nodes {
        starts[node + 1] += starts[node];
    }
    let mut next = starts.clone();
    let mut neighbours = vec![0_u32; starts[nodes] as usize];
    for (one, other) in pairs {
        for (end, neighbour) in [(one, other), (other, one)] {
            neighbours[next[end as usize] as usize] = neighbour;
            next[end as usize] += 1;
        }
    }
    for node in 0..nodes {
        neighbours[starts[node] as usize..starts[node + 1] as usize].sort_unstable();
    }
    (starts, neighbours)
}
