//! Who shares what, packed.

use super::{LinkParams, SkippedEntity};
use crate::graph::Network;
use crate::{EntityGraph, NodeId};
use dafu_core::EntityKind;

/// When a user used an entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
    /// The place of the edge, which has all moments.
    pub(super) edge: u32,
}

/// Entities that link, and the users of each.
pub(super) struct Sharing {
    pub(super) users: Vec<NodeId>,
    /// Where the members of each entity begin.
    pub(super) starts: Vec<u32>,
    /// Users by their number, rising for each entity.
    pub(super) members: Vec<u32>,
    /// When each member used the entity, where that matters.
    pub(super) spans: Vec<Span>,
    /// What each entity adds to the logarithm of the odds.
    pub(super) weights: Vec<f32>,
    nodes: Vec<NodeId>,
    pub(super) skipped: Vec<SkippedEntity>,
    pub(super) pairs: u64,
    /// When the last event was.
    pub(super) newest: i64,
}

/// Entities of each user: which, and the place of the user among its members.
pub(super) struct Uses {
    pub(super) starts: Vec<u32>,
    pub(super) entities: Vec<(u32, u32)>,
}

pub(super) const fn pairs_of(count: usize) -> u64 {
    (count as u64) * (count as u64).saturating_sub(1) / 2
}

impl Sharing {
    pub(super) fn new(params: &LinkParams, graph: &EntityGraph) -> Self {
        let users: Vec<NodeId> = graph.nodes_of(EntityKind::User).collect();
        let mut numbers = vec![u32::MAX; graph.node_count()];
        for (number, user) in (0..).zip(&users) {
            numbers[user.index()] = number;
        }
        let strangers = params.strangers(users.len());
        let mut sharing = Self {
            users,
            starts: vec![0],
            members: Vec::new(),
            spans: Vec::new(),
            weights: Vec::new(),
            nodes: Vec::new(),
            skipped: Vec::new(),
            pairs: 0,
            newest: i64::MIN,
        };
        let timed = params.max_gap.is_some() || params.half_life.is_some();
        if timed {
            let last = graph.edges().iter().map(|edge| edge.last_seen.as_micros());
            sharing.newest = last.max().unwrap_or(i64::MIN);
        }
        for node in graph.nodes() {
            let kind = graph.kind(node);
            let count = graph.users(node);
            if !params.kinds.contains_key(&kind) || count < 2 {
                continue;
            }
            let Some(weight) = params.weight(kind, count, strangers) else {
                sharing.skip(node, count, false);
                continue;
            };
            for (other, place) in graph.adjacent(node) {
                let number = numbers[other.index()];
                if number == u32::MAX {
                    continue;
                }
                sharing.members.push(number);
                if timed {
                    let edge = &graph.edges()[*place as usize];
                    sharing.spans.push(Span {
                        first: edge.first_seen.as_micros(),
                        last: edge.last_seen.as_micros(),
                        edge: *place,
                    });
                }
            }
            sharing.pairs += pairs_of(count);
            sharing.close(node, weight);
        }
        sharing.sort_skipped();
        sharing
    }

    fn close(&mut self, node: NodeId, weight: f32) {
        let end = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.starts.push(end);
        self.weights.push(weight);
        self.nodes.push(node);
    }

    fn skip(&mut self, node: NodeId, users: usize, over_budget: bool) {
        self.skipped.push(SkippedEntity {
            node,
            users,
            over_budget,
        });
    }

    fn sort_skipped(&mut self) {
        self.skipped
            .sort_by_key(|entity| (std::cmp::Reverse(entity.users), entity.node));
    }

    fn range(&self, entity: usize) -> std::ops::Range<usize> {
        self.starts[entity] as usize..self.starts[entity + 1] as usize
    }

    /// Leaves out entities of most users until there are no more pairs than that.
    pub(super) fn keep_to(&mut self, budget: u64) {
        if self.pairs <= budget {
            return;
        }
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_unstable_by_key(|entity| (self.range(*entity).len(), self.nodes[*entity]));
        let mut left_out = vec![false; self.nodes.len()];
        while self.pairs > budget {
            let Some(entity) = order.pop() else {
                break;
            };
            let count = self.range(entity).len();
            self.pairs -= pairs_of(count);
            left_out[entity] = true;
            self.skip(self.nodes[entity], count, true);
        }
        let before = std::mem::take(self);
        self.users = before.users;
        self.skipped = before.skipped;
        (self.pairs, self.newest) = (before.pairs, before.newest);
        self.starts.push(0);
        for (entity, gone) in left_out.iter().enumerate() {
            if !gone {
                let range = before.starts[entity] as usize..before.starts[entity + 1] as usize;
                self.members.extend(&before.members[range.clone()]);
                self.spans
                    .extend(before.spans.get(range).unwrap_or_default());
                self.close(before.nodes[entity], before.weights[entity]);
            }
        }
        self.sort_skipped();
    }

    pub(super) fn uses(&self) -> Uses {
        let mut starts = vec![0_u32; self.users.len() + 1];
        for member in &self.members {
            starts[*member as usize + 1] += 1;
        }
        for user in 0..self.users.len() {
            starts[user + 1] += starts[user];
        }
        let mut next = starts.clone();
        let mut entities = vec![(0_u32, 0_u32); self.members.len()];
        for (entity, ends) in (0..).zip(self.starts.windows(2)) {
            for place in ends[0]..ends[1] {
                let user = self.members[place as usize] as usize;
                entities[next[user] as usize] = (entity, place);
                next[user] += 1;
            }
        }
        Uses { starts, entities }
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            starts: Vec::new(),
            members: Vec::new(),
            spans: Vec::new(),
            weights: Vec::new(),
            nodes: Vec::new(),
            skipped: Vec::new(),
            pairs: 0,
            newest: i64::MIN,
        }
    }
}

impl Uses {
    pub(super) fn of(&self, user: usize) -> &[(u32, u32)] {
        &self.entities[self.starts[user] as usize..self.starts[user + 1] as usize]
    }
}
