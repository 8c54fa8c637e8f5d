//! Which users have more in common than chance explains.

mod join;
mod minhash;
mod params;
mod sharing;

use crate::{EntityGraph, GraphError, NodeId};
pub use minhash::MinHashParams;
pub use params::{KindParams, LinkParams};
use sharing::Sharing;

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
    /// Pairs were more than the budget, and those with most in common were looked for by [`MinHashParams`]: links may be missing.
    pub approximate: bool,
    /// Pairs that seemed to have much in common and were not looked at, in the band of [`MinHashParams`] with most of those. 0 where
    /// the links are not approximate.
    pub left_out: u64,
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
    /// O(edges + pairs), of which there are at most `pair_budget`; memory O(edges + links). With [`MinHashParams`] above that: O(edges
    /// x hashes + pairs that collide). With `max_gap` a pair also costs up to the events of both, where they used a thing over the
    /// same time.
    pub fn link(&self, graph: &EntityGraph, threshold: f64) -> Result<Links, GraphError> {
        self.check()?;
        crate::error::parameter(
            "threshold",
            threshold,
            "at least 0 and at most 1",
            (0.0..=1.0).contains(&threshold),
        )?;
        let mut sharing = Sharing::new(self, graph);
        let approximate = sharing.pairs > self.pair_budget && self.min_hash.is_some();
        let mut left_out = 0;
        let links = match &self.min_hash {
            Some(min_hash) if approximate => {
                let found = min_hash.candidates(&sharing, self.pair_budget);
                sharing.pairs = found.pairs.len() as u64;
                left_out = found.left_out;
                join::of_pairs(self, (graph, &sharing), &found.pairs, threshold)
            }
            _ => {
                sharing.keep_to(self.pair_budget);
                join::exact(self, (graph, &sharing), threshold)
            }
        };
        Ok(Links {
            links,
            skipped: sharing.skipped,
            pairs: sharing.pairs,
            approximate,
            left_out,
        })
    }
}

/// The probability of odds by their logarithm.
pub(crate) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}
