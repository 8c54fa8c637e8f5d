//! Which users have more in common than chance explains.

mod params;

use crate::graph::Network;
use crate::{EntityGraph, GraphError, NodeId};
use dafu_core::EntityKind;
pub use params::{KindParams, LinkParams};

/// Two users who share more than strangers would.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// One user.
    pub one: NodeId,
    /// The other, behind it in the graph.
    pub other: NodeId,
    /// Probability that they do not share by chance.
    pub probability: f64,
    /// Entities that both use.
    pub shared: u32,
}

/// An entity that linked nobody, though users share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedEntity {
    /// The entity.
    pub node: NodeId,
    /// Its users.
    pub users: usize,
    /// It is no hub, but there were too many pairs.
    pub over_budget: bool,
}

/// The links of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Links {
    /// Links, by the one user and then by the other.
    pub links: Vec<Link>,
    /// Entities that were left out, those with most users first.
    pub skipped: Vec<SkippedEntity>,
    /// Pairs of users with an entity in common that were looked at, once for each such entity.
    pub pairs: u64,
}

/// An entity that links: its users, and the logarithm of what it adds to the odds.
pub(crate) struct Sharing {
    /// Users by their number among users.
    starts: Vec<u32>,
    members: Vec<u32>,
    pub(crate) weights: Vec<f32>,
    pub(crate) nodes: Vec<NodeId>,
}

impl LinkParams {
    /// Finds pairs of users who are linked with a probability of at least `threshold`.
    ///
    /// Strangers share entities by chance: of N users, another one has an entity of d users with a probability of
    /// (d - 1) / (N - 1). Users who belong together share one with a probability of r, the reliability of its kind; each user
    /// belongs together with L others (`prior_links`). Bayes' rule over all entities that both have gives the odds
    /// `L / (N - 1) x product of r (N - 1) / (d - 1)`: r L for one device of two users, a ninth of that for one of ten; two things
    /// that few have are hardly ever a chance.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    ///
    /// # Complexity
    ///
    /// O(edges + pairs), of which there are at most `pair_budget`; memory O(edges + links).
    pub fn link(&self, graph: &EntityGraph, threshold: f64) -> Result<Links, GraphError> {
        self.check()?;
        crate::error::parameter(
            "threshold",
            threshold,
            "at least 0 and at most 1",
            (0.0..=1.0).contains(&threshold),
        )?;
        Ok(links(self, graph, threshold))
    }
}

fn links(params: &LinkParams, graph: &EntityGraph, threshold: f64) -> Links {
    let users: Vec<NodeId> = graph.nodes_of(EntityKind::User).collect();
    let mut numbers = vec![u32::MAX; graph.node_count()];
    for (number, user) in (0..).zip(&users) {
        numbers[user.index()] = number;
    }
    let (sharing, skipped, pairs) = sharing(params, graph, (&numbers, users.len()));
    // Entities of each user.
    let mut starts = vec![0_u32; users.len() + 1];
    for member in &sharing.members {
        starts[*member as usize + 1] += 1;
    }
    for user in 0..users.len() {
        starts[user + 1] += starts[user];
    }
    let mut next = starts.clone();
    let mut entities = vec![(0_u32, 0_u32); sharing.members.len()];
    for entity in 0..sharing.nodes.len() {
        for place in sharing.starts[entity]..sharing.starts[entity + 1] {
            let user = sharing.members[place as usize] as usize;
            // The entity, and where the users behind this one begin.
            entities[next[user] as usize] = (u32::try_from(entity).unwrap_or(0), place + 1);
            next[user] += 1;
        }
    }
    let (prior, wanted) = params.wanted(threshold, params.strangers(users.len()));
    let mut odds = vec![0.0_f32; users.len()];
    let mut shared = vec![0_u32; users.len()];
    let mut touched: Vec<u32> = Vec::new();
    let mut links = Vec::new();
    for user in 0..users.len() {
        for (entity, from) in &entities[starts[user] as usize..starts[user + 1] as usize] {
            let entity = *entity as usize;
            let weight = sharing.weights[entity];
            let to = sharing.starts[entity + 1] as usize;
            for other in &sharing.members[*from as usize..to] {
                let place = *other as usize;
                if shared[place] == 0 {
                    touched.push(*other);
                }
                shared[place] += 1;
                odds[place] += weight;
            }
        }
        touched.sort_unstable();
        for other in touched.drain(..) {
            let place = other as usize;
            if odds[place] >= wanted {
                let log_odds = f64::from(odds[place]) + prior;
                links.push(Link {
                    one: users[user],
                    other: users[place],
                    probability: probability(log_odds),
                    shared: shared[place],
                });
            }
            odds[place] = 0.0;
            shared[place] = 0;
        }
    }
    Links {
        links,
        skipped,
        pairs,
    }
}

/// Entities that link, those that were left out, and how many pairs there are.
fn sharing(
    params: &LinkParams,
    graph: &EntityGraph,
    (numbers, users): (&[u32], usize),
) -> (Sharing, Vec<SkippedEntity>, u64) {
    let mut candidates: Vec<(usize, NodeId)> = Vec::new();
    let mut skipped = Vec::new();
    for node in graph.nodes() {
        let kind = graph.kind(node);
        let Some(kind_params) = params.kinds.get(&kind) else {
            continue;
        };
        let count = graph.users(node);
        if count > kind_params.hub_cap as usize {
            skipped.push(SkippedEntity {
                node,
                users: count,
                over_budget: false,
            });
        } else if count > 1 {
            candidates.push((count, node));
        }
    }
    let pairs_of = |count: usize| (count as u64) * (count as u64 - 1) / 2;
    let mut pairs: u64 = candidates.iter().map(|(count, _)| pairs_of(*count)).sum();
    if pairs > params.pair_budget {
        candidates.sort_unstable();
        while pairs > params.pair_budget {
            let Some((count, node)) = candidates.pop() else {
                break;
            };
            pairs -= pairs_of(count);
            skipped.push(SkippedEntity {
                node,
                users: count,
                over_budget: true,
            });
        }
        candidates.sort_unstable_by_key(|(_, node)| *node);
    }
    skipped.sort_by_key(|entity| (std::cmp::Reverse(entity.users), entity.node));
    let strangers = params.strangers(users);
    let mut sharing = Sharing {
        starts: vec![0],
        members: Vec::new(),
        weights: Vec::new(),
        nodes: Vec::new(),
    };
    for (count, node) in candidates {
        let others = graph
            .adjacent(node)
            .iter()
            .map(|(other, _)| numbers[other.index()]);
        sharing
            .members
            .extend(others.filter(|number| *number != u32::MAX));
        sharing
            .starts
            .push(u32::try_from(sharing.members.len()).unwrap_or(u32::MAX));
        let weight = params.weight(graph.kind(node), count, strangers);
        sharing.weights.push(weight.unwrap_or(f32::NEG_INFINITY));
        sharing.nodes.push(node);
    }
    (sharing, skipped, pairs)
}

/// The probability of odds by their logarithm.
pub(crate) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}
