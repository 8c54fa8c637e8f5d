//! What the company that an event keeps says about it.

use super::RingStream;
use super::groups::StandingRing;
use crate::NodeId;
use crate::graph::Network;
use dafu_core::{EntityId, EntityKind, Timestamp, Transaction};
use std::collections::BTreeMap;

/// A ring that an event has to do with.
#[derive(Debug, Clone, PartialEq)]
pub struct RingTie {
    /// Its id.
    pub ring: String,
    /// Its members.
    pub members: usize,
    /// Its score, 0.5 to 1.
    pub score: f64,
    /// Whether the user is one of them.
    pub is_member: bool,
    /// Things of the event, or that the user used before, that members other than the user use.
    pub in_common: usize,
}

/// What [`RingStream::associate`] says about an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    /// The ring of the user, or else the closest, where there is one.
    pub ring: Option<RingTie>,
    /// Other users of the things of the event, and of those that the user used before.
    pub neighbours: usize,
    /// Those who are known to be fraud by the time of the event.
    pub known_fraud: usize,
    /// The part of the score that stems from known fraud among the neighbours, 0 to 1.
    pub neighbour_risk: f64,
    /// The part that stems from the ring, 0 to 1.
    pub ring_risk: f64,
    /// Both together, 0 to 1: 1 - (1 - `neighbour_risk`) (1 - `ring_risk`).
    pub score: f64,
}

/// A ring whose members use the same things as somebody else.
struct Company<'a> {
    ring: &'a StandingRing,
    in_common: usize,
    /// Probability that none of the things is used because of the ring.
    apart: f64,
}

impl RingStream {
    /// Notes that a user is known to be fraud from a moment on, until the user is [forgotten](Self::forget): also one who comes
    /// later, or comes back after all events expired. Whether something of the user is kept now. That has no say in what is a ring.
    pub fn mark_fraud(&mut self, user: &EntityId, known_at: Timestamp) -> bool {
        let moment = known_at.as_micros();
        let since = self.frauds.entry(user.clone()).or_insert(moment);
        *since = (*since).min(moment);
        let node = self.usage.node(EntityKind::User, user);
        if let Some(node) = node {
            self.known.insert(node, *since);
        }
        node.is_some()
    }

    /// What the company that an event keeps says about it, before it is observed. Hubs are no company.
    ///
    /// - Known fraud: 1 - product over things of 1 - r f / (n + 1), for a thing with n other users of whom f are known to be
    ///   fraud, and the reliability r of its kind.
    /// - A ring: its score for a member; for others its score times 1 - product over things of 1 - m / (n + 1), for a thing with n
    ///   other users of whom m are members.
    ///
    /// O(things of the user x hub cap).
    pub fn associate(&self, transaction: &Transaction) -> Association {
        let user = self.usage.node(EntityKind::User, &transaction.user_id);
        let at = transaction.timestamp.as_micros();
        let mut things: Vec<NodeId> = Vec::new();
        crate::graph::for_things(transaction, &mut |kind, id| {
            things.extend(self.usage.node(kind, id));
        });
        if let Some(user) = user {
            things.extend(self.usage.things(user));
        }
        things.sort_unstable();
        things.dedup();
        let mut neighbours: Vec<NodeId> = Vec::new();
        let mut rings: BTreeMap<&str, Company<'_>> = BTreeMap::new();
        let mut clean = 1.0;
        for thing in things {
            let users = self.usage.uses(thing);
            let kind = self.usage.kind(thing);
            let Some(kind) = self.params.rings.links.kinds.get(&kind) else {
                continue;
            };
            if users.len() > kind.hub_cap as usize {
                continue;
            }
            let others = users
                .iter()
                .map(|(other, _)| *other)
                .filter(|other| Some(*other) != user);
            let mut frauds = 0;
            let mut of_thing: BTreeMap<&str, (&StandingRing, u32)> = BTreeMap::new();
            let mut count = 0;
            for other in others {
                count += 1;
                neighbours.push(other);
                frauds += usize::from(self.is_known(other, at));
                if let Some(ring) = self.standing(other) {
                    of_thing.entry(&ring.id).or_insert((ring, 0)).1 += 1;
                }
            }
            clean *= 1.0 - kind.reliability * frauds as f64 / (f64::from(count) + 1.0);
            for (id, (ring, members)) in of_thing {
                let company = rings.entry(id).or_insert(Company {
                    ring,
                    in_common: 0,
                    apart: 1.0,
                });
                company.in_common += 1;
                company.apart *= 1.0 - f64::from(members) / (f64::from(count) + 1.0);
            }
        }
        neighbours.sort_unstable();
        neighbours.dedup();
        let own = user.and_then(|user| self.standing(user));
        let closest = rings.values().min_by(|one, two| {
            let order = one.apart.total_cmp(&two.apart);
            order.then_with(|| one.ring.id.cmp(&two.ring.id))
        });
        let tie = match (own, closest) {
            (Some(own), _) => {
                let company = rings.get(own.id.as_str());
                Some((own, company.map_or(0, |company| company.in_common), None))
            }
            (None, Some(company)) => Some((company.ring, company.in_common, Some(company.apart))),
            (None, None) => None,
        };
        let ring_risk = tie.map_or(0.0, |(ring, _, apart)| {
            self.params.rings.score(ring.p_value) * (1.0 - apart.unwrap_or(0.0))
        });
        let tie = tie.map(|(ring, in_common, apart)| RingTie {
            ring: ring.id.clone(),
            members: ring.members.len(),
            score: self.params.rings.score(ring.p_value),
            is_member: apart.is_none(),
            in_common,
        });
        let neighbour_risk = 1.0 - clean;
        let known_fraud = neighbours
            .iter()
            .filter(|other| self.is_known(**other, at))
            .count();
        Association {
            ring: tie,
            neighbours: neighbours.len(),
            known_fraud,
            neighbour_risk,
            ring_risk,
            score: 1.0 - (1.0 - neighbour_risk) * (1.0 - ring_risk),
        }
    }

    pub(super) fn is_known(&self, user: NodeId, at: i64) -> bool {
        self.known.get(&user).is_some_and(|known| *known <= at)
    }

    fn standing(&self, user: NodeId) -> Option<&StandingRing> {
        let group = self.groups.group(self.groups.of_user(user)?);
        let of = |ring: &&StandingRing| {
            ring.members.len() > 1 && ring.members.binary_search(&user).is_ok()
        };
        group.rings.iter().find(of)
    }
}
