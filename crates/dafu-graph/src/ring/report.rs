//! Rings as analysts see them.

use super::group::Group;
use super::params::RingParams;
use crate::NodeId;
use crate::graph::Network;
use crate::show::kind_words;
use dafu_core::{EntityKey, EntityKind, StableHasher, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::hash::Hasher;

/// Members that a ring names as its centre, at most.
const CENTRAL: usize = 3;

/// A thing that members of a ring share.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SharedEntity {
    /// The thing.
    pub entity: EntityKey,
    /// Members who use it: their places among those of the ring.
    pub used_by: Vec<usize>,
    /// Everybody who uses it.
    pub users: usize,
    /// How rare it is: the natural logarithm of all users for each who uses it.
    pub rarity: f64,
    /// When a member used it first.
    pub first_seen: Timestamp,
    /// When a member used it last.
    pub last_seen: Timestamp,
}

/// Accounts that seem to be in one hand, and why.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FraudRing {
    /// Made of its first member, which stays the first when others join: `ring-` and 16 hexadecimal digits. A stream keeps the id
    /// while members come and go, [`RingReport::keep_ids`] from one report to the next.
    pub id: String,
    /// The users, those seen first first.
    pub members: Vec<EntityKey>,
    /// 0 to 1: 0.5 for the largest p-value that a ring may have, 1 for none.
    pub score: f64,
    /// How likely people of one home or one place of work share that much and act together that often: an upper bound where they
    /// come to their things one by one ([`PlaceParams`](crate::PlaceParams)), for this group alone, however many were looked at.
    pub p_value: f64,
    /// What they share, what most members use first.
    pub shared: Vec<SharedEntity>,
    /// Links between members, for each pair that there could be.
    pub density: f64,
    /// Things shared with another member, in the mean: a thing of d members counts d - 1 times.
    pub links_per_member: f64,
    /// When a member used a shared thing first.
    pub first_seen: Timestamp,
    /// When a member used a shared thing last.
    pub last_seen: Timestamp,
    /// Payments with shared things: those of the kind of thing that most were made with.
    pub payments: u64,
    /// The sum of these payments, in major units.
    pub amount: f64,
    /// Members who are known to be fraud: see [`RingReport::mark_known`].
    pub known_fraud: Vec<EntityKey>,
    /// The members with most links.
    pub central: Vec<EntityKey>,
    /// The same in a sentence.
    pub explanation: String,
}

/// What [`RingParams::detect`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct RingReport {
    /// Rings, the clearest first.
    pub rings: Vec<FraudRing>,
    /// Groups of linked users that were looked at.
    pub groups: usize,
    /// Links between users.
    pub links: usize,
    /// Pairs of users with a thing in common that were looked at.
    pub pairs: u64,
    /// Things that linked nobody since too many users have them, those with most users first.
    pub skipped: Vec<SkippedThing>,
    /// Links may be missing: there were more pairs than the budget ([`MinHashParams`](crate::MinHashParams)).
    pub approximate: bool,
    /// Pairs that seemed to have much in common and were not looked at: see [`Links::left_out`](crate::Links::left_out).
    pub left_out: u64,
}

/// A thing that linked nobody, though users share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedThing {
    /// The thing.
    pub entity: EntityKey,
    /// Its users.
    pub users: usize,
    /// It is no hub, but there were too many pairs.
    pub over_budget: bool,
}

impl FraudRing {
    /// Share of the members who are known to be fraud.
    pub fn known_fraud_share(&self) -> f64 {
        self.known_fraud.len() as f64 / self.members.len().max(1) as f64
    }
}

impl FraudRing {
    pub(crate) fn mark_known(&mut self, is_fraud: impl Fn(&EntityKey) -> bool) {
        let known = self.members.iter().filter(|member| is_fraud(member));
        self.known_fraud = known.cloned().collect();
        self.explanation = explanation(self);
    }
}

impl RingReport {
    /// Gives rings the ids that they have in an earlier report, so that an id stays with a ring while members come and go: the
    /// rings that have most members in common first, each id once. Others keep theirs, unless an earlier ring has it now.
    ///
    /// ```
    /// use dafu_graph::detect_fraud_networks;
    /// use dafu_sim::RingWorldParams;
    ///
    /// let world = RingWorldParams::default().users(3_000).rings(4).smallest_ring(8).seed(1).simulate()?;
    /// let payments: Vec<_> = world.transactions().map(|payment| payment.transaction).collect();
    /// let before = detect_fraud_networks(&payments[..payments.len() * 9 / 10], 0.8, 3)?;
    /// // Without one of the users of the first ring, who gave it its name.
    /// let first = &before.rings[0].members[0];
    /// let others: Vec<_> = payments.into_iter().filter(|payment| payment.user_id != first.id).collect();
    /// let mut now = detect_fraud_networks(&others, 0.8, 3)?;
    /// now.keep_ids(&before);
    /// assert_eq!(now.rings[0].id, before.rings[0].id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// O(members x log members).
    pub fn keep_ids(&mut self, before: &Self) {
        let earlier = before.rings.iter().enumerate();
        let of_member: BTreeMap<&EntityKey, usize> = earlier
            .flat_map(|(place, ring)| ring.members.iter().map(move |member| (member, place)))
            .collect();
        let mut common: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (now, ring) in self.rings.iter().enumerate() {
            for old in ring
                .members
                .iter()
                .filter_map(|member| of_member.get(member))
            {
                *common.entry((*old, now)).or_default() += 1;
            }
        }
        let mut common: Vec<((usize, usize), usize)> = common.into_iter().collect();
        common.sort_by_key(|(pair, members)| (std::cmp::Reverse(*members), *pair));
        let mut old_of: Vec<Option<usize>> = vec![None; self.rings.len()];
        let mut taken = vec![false; before.rings.len()];
        for ((old, now), _) in common {
            if !taken[old] && old_of[now].is_none() {
                taken[old] = true;
                old_of[now] = Some(old);
            }
        }
        let mut ids: BTreeSet<String> = old_of
            .iter()
            .flatten()
            .map(|old| before.rings[*old].id.clone())
            .collect();
        for (ring, old) in self.rings.iter_mut().zip(old_of) {
            if let Some(old) = old {
                ring.id.clone_from(&before.rings[old].id);
            } else if !ids.insert(ring.id.clone()) {
                let fresh = (1..).map(|turn| ring_id(&ring.members[0], turn));
                let fresh = fresh.into_iter().find(|id| !ids.contains(id));
                ring.id = fresh.unwrap_or_default();
                ids.insert(ring.id.clone());
            }
        }
    }

    /// Notes which members are known to be fraud. That has no say in what is a ring.
    pub fn mark_known(&mut self, is_fraud: impl Fn(&EntityKey) -> bool) {
        for ring in &mut self.rings {
            ring.mark_known(&is_fraud);
        }
    }
}

pub(super) fn ring(
    params: &RingParams,
    (graph, users): (&impl Network, usize),
    links: usize,
    (p_value, group): (f64, &Group),
) -> FraudRing {
    let members = &group.members;
    let mut shared: Vec<SharedEntity> = Vec::new();
    let mut degrees = vec![0_usize; members.len()];
    let mut of_kind: BTreeMap<EntityKind, (u64, f64)> = BTreeMap::new();
    for (thing, count) in &group.things {
        let mut span: Option<(Timestamp, Timestamp)> = None;
        // Users of a thing are few, members may be many.
        let users_of = graph.moments(*thing);
        let mut used_by: Vec<usize> = users_of
            .filter_map(|(user, _)| super::place(members, user))
            .collect();
        used_by.sort_unstable();
        for place in &used_by {
            let Some((edge, _)) = graph.usage(*thing, members[*place]) else {
                continue;
            };
            degrees[*place] += count - 1;
            let (first, last) = span.unwrap_or((edge.first_seen, edge.last_seen));
            span = Some((first.min(edge.first_seen), last.max(edge.last_seen)));
            let sums = of_kind.entry(graph.kind(*thing)).or_default();
            sums.0 += u64::from(edge.count);
            sums.1 += edge.amount;
        }
        let (first_seen, last_seen) = span.unwrap_or((Timestamp::EPOCH, Timestamp::EPOCH));
        shared.push(SharedEntity {
            entity: graph.key(*thing).clone(),
            used_by,
            users: graph.users(*thing),
            rarity: (params.links.strangers(users) / graph.users(*thing) as f64)
                .max(1.0)
                .ln(),
            first_seen,
            last_seen,
        });
    }
    shared.sort_by(|one, two| {
        two.used_by
            .len()
            .cmp(&one.used_by.len())
            .then_with(|| one.users.cmp(&two.users))
            .then_with(|| one.entity.cmp(&two.entity))
    });
    let first_seen = shared.iter().map(|thing| thing.first_seen).min();
    let last_seen = shared.iter().map(|thing| thing.last_seen).max();
    let (payments, amount) = of_kind
        .values()
        .copied()
        .max_by_key(|(payments, _)| *payments)
        .unwrap_or((0, 0.0));
    let pairs = members.len() * (members.len() - 1) / 2;
    let mut central: Vec<usize> = (0..members.len()).collect();
    central.sort_by_key(|place| (std::cmp::Reverse(degrees[*place]), *place));
    let all_links: usize = group.things.iter().map(|(_, count)| count - 1).sum();
    let keys = |nodes: &mut dyn Iterator<Item = NodeId>| -> Vec<EntityKey> {
        nodes.map(|node| graph.key(node).clone()).collect()
    };
    let mut ring = FraudRing {
        id: ring_id(graph.key(members[0]), 0),
        members: keys(&mut members.iter().copied()),
        score: params.score(p_value),
        p_value,
        shared,
        density: links as f64 / pairs as f64,
        links_per_member: all_links as f64 / members.len() as f64,
        first_seen: first_seen.unwrap_or(Timestamp::EPOCH),
        last_seen: last_seen.unwrap_or(Timestamp::EPOCH),
        payments,
        amount,
        known_fraud: Vec::new(),
        central: keys(&mut central.iter().take(CENTRAL).map(|place| members[*place])),
        explanation: String::new(),
    };
    ring.explanation = explanation(&ring);
    ring
}

/// The id of a ring whose first member is `first`, and which is the `turn`-th with it.
pub(crate) fn ring_id(first: &EntityKey, turn: u64) -> String {
    let mut hasher = StableHasher::default();
    hasher.text("ring").text(first.id.as_str());
    if turn > 0 {
        hasher.number(turn);
    }
    format!("ring-{:016x}", hasher.finish())
}

/// `9 users share 2 cards, 2 devices and 1 postal address; ...`.
fn explanation(ring: &FraudRing) -> String {
    let mut counts: BTreeMap<EntityKind, usize> = BTreeMap::new();
    for thing in &ring.shared {
        *counts.entry(thing.entity.kind).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| {
            let (one, several, _) = kind_words(*kind);
            format!("{count} {}", if *count == 1 { one } else { several })
        })
        .collect();
    let mut text = format!("{} users share ", ring.members.len());
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            text.push_str(if place + 1 == parts.len() {
                " and "
            } else {
                ", "
            });
        }
        text.push_str(part);
    }
    // Writing to a string does not fail.
    let _ = write!(
        text,
        " from {} to {}; {} payments of {:.2} together; people of one home or place of work would share and act \
         together as much with a probability of at most {:.1e}",
        ring.first_seen.date(),
        ring.last_seen.date(),
        ring.payments,
        ring.amount,
        ring.p_value
    );
    if !ring.known_fraud.is_empty() {
        let _ = write!(text, "; {} of them known as fraud", ring.known_fraud.len());
    }
    text
}
