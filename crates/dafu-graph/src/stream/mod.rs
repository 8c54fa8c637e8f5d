//! Rings as events arrive.

mod association;
mod events;
mod groups;
mod params;
#[cfg(feature = "serde")]
mod snapshot;
mod thinned;
mod usage;

use crate::graph::Network;
use crate::link::probability;
use crate::ring::{Candidate, FraudRing};
use crate::{GraphError, Link, NodeId};
pub use association::{Association, RingTie};
use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp, Transaction};
use groups::{Groups, StandingRing};
pub use params::{RingChange, RingStreamParams};
#[cfg(feature = "serde")]
pub use snapshot::RingStreamSnapshot;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use thinned::Thinned;
use usage::Usage;

/// Rings as events arrive: the same that [`RingParams::detect`](crate::RingParams::detect) finds among the events that are kept.
///
/// Every event updates users, things, links and groups at once where that is little work; what is more waits for the next
/// events, and [`pending`](Self::pending) says how much waits. [`settle`](Self::settle) does it all.
///
/// ```
/// use dafu_graph::{RingChange, RingStreamParams};
/// use dafu_sim::RingWorldParams;
///
/// let world = RingWorldParams::default().users(2_000).rings(3).smallest_ring(8).seed(1).simulate()?;
/// let mut stream = RingStreamParams::new(2_000).start()?;
/// let mut formed = Vec::new();
/// for payment in world.transactions() {
///     for change in stream.observe(&payment.transaction)? {
///         if let RingChange::Formed { ring } = change {
///             formed.push((payment.transaction.timestamp, ring));
///         }
///     }
/// }
/// stream.settle();
/// assert_eq!(stream.rings().len(), 3);
/// let user = &stream.rings()[0].members[0].id;
/// assert_eq!(stream.ring_of(user).unwrap().id, stream.rings()[0].id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RingStream {
    params: RingStreamParams,
    prior: f64,
    wanted: f32,
    /// What things of each kind add to the odds, by their users.
    weights: Vec<(EntityKind, Vec<Option<f32>>)>,
    usage: Usage,
    groups: Groups,
    /// Moments, and the uses that they belong to: some may have gone.
    expiries: BinaryHeap<Reverse<(i64, u32)>>,
    /// Things with fewer users than before: links may have come.
    thinned: Thinned,
    /// Events that came too late.
    ignored: u64,
    now: i64,
    credit: u64,
    changes: Vec<RingChange>,
    /// Ids of rings that stand.
    ids: BTreeSet<String>,
    /// Users who are known to be fraud, and since when, whether anything of them is kept or not.
    frauds: HashMap<EntityId, i64>,
    /// Those of them of whom something is kept.
    known: HashMap<NodeId, i64>,
}

impl RingStream {
    /// Takes in a transaction, and says what that changed. Events may come late, but not earlier than what is kept: those
    /// change nothing.
    ///
    /// # Errors
    ///
    /// [`GraphError::TooMany`].
    ///
    /// # Complexity
    ///
    /// O(users^2 of each thing that is new to the user, up to the hub cap, x their things), and `work` in the mean; memory O(events that are kept).
    pub fn observe(&mut self, transaction: &Transaction) -> Result<Vec<RingChange>, GraphError> {
        let moment = transaction.timestamp.as_micros();
        self.now = self.now.max(moment);
        if moment >= self.oldest() {
            self.take_in(transaction, moment)?;
        } else {
            self.ignored += 1;
        }
        self.credit = self.credit.saturating_add(self.params.work);
        self.work();
        Ok(std::mem::take(&mut self.changes))
    }

    /// Does what waits, and says what that changed.
    pub fn settle(&mut self) -> Vec<RingChange> {
        self.credit = u64::MAX;
        self.work();
        self.credit = 0;
        std::mem::take(&mut self.changes)
    }

    /// Events that came later than what is kept, and changed nothing, since the stream was started or resumed. One event with a wrong
    /// clock, far ahead, makes all others late: check clocks before.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Groups and things that wait to be looked at, and events to be forgotten.
    pub fn pending(&self) -> usize {
        let oldest = self.oldest();
        let late = self
            .expiries
            .peek()
            .is_some_and(|Reverse((moment, _))| *moment < oldest);
        self.groups.waiting.len() + self.thinned.len() + usize::from(late)
    }

    /// The rings that stand, the clearest first.
    pub fn rings(&self) -> Vec<FraudRing> {
        let mut standing: Vec<&StandingRing> = self
            .groups
            .all()
            .flat_map(|group| &group.rings)
            .filter(|ring| ring.members.len() > 1)
            .collect();
        standing.sort_by(|one, two| {
            one.p_value
                .total_cmp(&two.p_value)
                .then_with(|| one.id.cmp(&two.id))
        });
        standing.into_iter().map(|ring| self.report(ring)).collect()
    }

    /// The ring of a user.
    pub fn ring_of(&self, user: &EntityId) -> Option<FraudRing> {
        let user = self.usage.node(EntityKind::User, user)?;
        let group = self.groups.group(self.groups.of_user(user)?);
        let of = |ring: &&StandingRing| {
            ring.members.len() > 1 && ring.members.binary_search(&user).is_ok()
        };
        group.rings.iter().find(of).map(|ring| self.report(ring))
    }

    /// Whether something of a user or a thing is kept, or a user is known to be fraud.
    pub fn contains(&self, entity: &EntityKey) -> bool {
        let known = entity.kind == EntityKind::User && self.frauds.contains_key(&entity.id);
        known || self.usage.node(entity.kind, &entity.id).is_some()
    }

    /// Users, and things they use, that are known now.
    pub fn entities(&self) -> usize {
        self.usage.len()
    }

    /// Links between users.
    pub const fn links(&self) -> usize {
        self.groups.count
    }

    /// Forgets a user or a thing, all that it did, and whether it is known to be fraud; whether there was anything. Nothing waits
    /// then; what changed is told with the next event. O(its uses x hub cap, and what waits).
    pub fn forget(&mut self, kind: EntityKind, id: &EntityId) -> bool {
        let was_fraud = kind == EntityKind::User && self.frauds.remove(id).is_some();
        let Some(node) = self.usage.node(kind, id) else {
            return was_fraud;
        };
        let others: Vec<NodeId> = self
            .usage
            .uses(node)
            .iter()
            .map(|(other, _)| *other)
            .collect();
        for other in others {
            let ends = if kind == EntityKind::User {
                (node, other)
            } else {
                (other, node)
            };
            self.remove(ends);
        }
        self.credit = u64::MAX;
        self.work();
        // The last of its uses took it along.
        true
    }

    fn oldest(&self) -> i64 {
        let keep = i64::try_from(self.params.keep.as_micros()).unwrap_or(i64::MAX);
        self.now.saturating_sub(keep)
    }

    fn take_in(&mut self, transaction: &Transaction, moment: i64) -> Result<(), GraphError> {
        let kinds = &self.params.rings.links.kinds;
        let mut known: Vec<(EntityKind, EntityId)> = Vec::new();
        crate::graph::for_things(transaction, &mut |kind, id| {
            if kinds.contains_key(&kind) {
                known.push((kind, id.clone()));
            }
        });
        if known.is_empty() {
            return Ok(());
        }
        let user = self
            .usage
            .add_node(EntityKind::User, &transaction.user_id)?;
        self.groups.room(user);
        if let Some(since) = self.frauds.get(&transaction.user_id)
            && self.usage.uses(user).is_empty()
        {
            self.known.insert(user, *since);
        }
        let amount = transaction.amount.major();
        for (kind, id) in known {
            let thing = self.usage.add_node(kind, &id)?;
            let (number, new) = self.usage.add((user, thing), (moment, amount))?;
            self.expiries.push(Reverse((moment, number)));
            if new {
                self.joined(user, thing);
            } else {
                self.acted(user, thing);
            }
        }
        Ok(())
    }

    /// A user is new to a thing: links to its users may have come, links among them may have gone.
    fn joined(&mut self, user: NodeId, thing: NodeId) {
        let users = self.usage.users(thing);
        let cap = self.hub_cap(thing);
        // Alone, or a hub before and after.
        if users < 2 || users > cap + 1 {
            return;
        }
        let users_of = self.usage.uses(thing).iter();
        let mut others: Vec<NodeId> = users_of.map(|(other, _)| *other).collect();
        others.sort_unstable();
        for one in &others {
            let linked = self.groups.links(*one).iter();
            let linked =
                linked.filter(|(other, _)| other > one && others.binary_search(other).is_ok());
            let linked: Vec<NodeId> = linked.map(|(other, _)| *other).collect();
            for other in linked {
                self.weigh(*one, other);
            }
        }
        if users <= cap {
            self.link_to(user, &others);
        }
        self.changed(thing);
    }

    /// A thing has other users than before: that has a say in groups of which several use it.
    fn changed(&mut self, thing: NodeId) {
        let users = self.usage.uses(thing).iter();
        let of_users = users.filter_map(|(user, _)| self.groups.of_user(*user));
        let mut groups: Vec<u32> = of_users.collect();
        groups.sort_unstable();
        for of_group in groups.chunk_by(|one, other| one == other) {
            if of_group.len() > 1 {
                self.groups.share(of_group[0], thing);
            }
        }
    }

    /// A user acted at a thing, or what was done there is forgotten.
    fn acted(&mut self, user: NodeId, thing: NodeId) {
        if let Some(group) = self.groups.of_user(user) {
            self.groups.act(group, thing);
        }
    }

    /// Links, changes or ends the link of two users, as what they share says.
    fn weigh(&mut self, one: NodeId, other: NodeId) {
        let odds = self.odds(one, other);
        if odds >= self.wanted {
            self.groups.link(one, other, odds);
        } else {
            self.groups.unlink(one, other);
        }
    }

    /// Links a user to those of others with whom enough is shared.
    fn link_to(&mut self, user: NodeId, others: &[NodeId]) {
        if self.most_odds(user) < self.wanted {
            return;
        }
        for other in others {
            if *other != user && !self.groups.are_linked(user, *other) {
                let odds = self.odds(user, *other);
                if odds >= self.wanted {
                    self.groups.link(user, *other, odds);
                }
            }
        }
    }

    /// What [`odds`](Self::odds) is at most with anybody: the same sum over all things that somebody else uses, too.
    fn most_odds(&self, user: NodeId) -> f32 {
        let things = self.usage.uses(user).iter().map(|(thing, _)| *thing);
        let shared = things.filter(|thing| self.usage.users(*thing) > 1);
        let weights =
            shared.filter_map(|thing| self.weight(self.usage.kind(thing), self.usage.users(thing)));
        weights.fold(f32::NEG_INFINITY, |sum, weight| {
            sum.max(0.0) + weight.max(0.0)
        })
    }

    fn hub_cap(&self, thing: NodeId) -> usize {
        let kinds = &self.params.rings.links.kinds;
        let kind = kinds.get(&self.usage.kind(thing));
        kind.map_or(0, |kind| kind.hub_cap as usize)
    }

    /// What both use adds to the logarithm of the odds, summed in the order in which a batch does.
    fn odds(&self, one: NodeId, other: NodeId) -> f32 {
        let (mut mine, mut theirs) = (self.usage.uses(one), self.usage.uses(other));
        let mut sum = f32::NEG_INFINITY;
        while let (Some(first), Some(second)) = (mine.first(), theirs.first()) {
            match first.0.cmp(&second.0) {
                std::cmp::Ordering::Less => mine = &mine[1..],
                std::cmp::Ordering::Greater => theirs = &theirs[1..],
                std::cmp::Ordering::Equal => {
                    let users = self.usage.users(first.0);
                    let kind = self.usage.kind(first.0);
                    if let Some(weight) = self.weight(kind, users) {
                        // Who shares nothing is linked for no threshold.
                        sum = if sum.is_finite() {
                            sum + weight
                        } else {
                            weight
                        };
                    }
                    (mine, theirs) = (&mine[1..], &theirs[1..]);
                }
            }
        }
        sum
    }

    /// [`LinkParams::weight`](crate::LinkParams), looked up.
    fn weight(&self, kind: EntityKind, users: usize) -> Option<f32> {
        let of_kind = self.weights.iter().find(|of_kind| of_kind.0 == kind)?;
        of_kind.1.get(users).copied().flatten()
    }

    /// Forgets that a user used a thing.
    fn remove(&mut self, (user, thing): (NodeId, NodeId)) {
        self.usage.remove((user, thing));
        let linked = self.groups.links(user).iter();
        let linked: Vec<NodeId> = linked.map(|(other, _)| *other).collect();
        for other in linked {
            self.weigh(user, other);
        }
        let users = self.usage.users(thing);
        // A hub had no say in any group.
        if users <= self.hub_cap(thing) {
            let of_user = self.groups.of_user(user);
            let mut left = self.usage.uses(thing).iter();
            if let Some(group) = of_user
                && left.any(|(other, _)| self.groups.of_user(*other) == of_user)
            {
                self.groups.share(group, thing);
            }
            if users > 1 {
                self.thinned.push(thing);
            }
        }
        for node in [user, thing] {
            if self.usage.uses(node).is_empty() {
                self.thinned.drop_node(node);
                self.groups.leave(node);
                self.known.remove(&node);
                self.usage.drop_node(node);
            }
        }
    }

    /// Works off what waits, as far as the credit goes.
    fn work(&mut self) {
        while self.credit > 0 {
            let oldest = self.oldest();
            let expired = self.expiries.peek().filter(|found| found.0.0 < oldest);
            if let Some(Reverse((_, number))) = expired.copied() {
                self.expiries.pop();
                self.credit -= 1;
                if let Some(ends) = self.usage.expire(number, oldest) {
                    // Nobody looks at the users of hubs.
                    let users = self.usage.users(ends.1).min(self.hub_cap(ends.1) + 1);
                    self.credit = self.credit.saturating_sub(users as u64);
                    self.remove(ends);
                } else if let Some((user, thing)) = self.usage.ends(number) {
                    self.acted(user, thing);
                }
                continue;
            }
            if let Some(thing) = self.thinned.pop() {
                self.relink(thing);
                continue;
            }
            let Some(group) = self.groups.waiting.front().copied() else {
                break;
            };
            let found = self.groups.group(group);
            let nodes = if found.changed {
                &found.members
            } else {
                &found.touched
            };
            let cost: usize = nodes
                .iter()
                .map(|node| self.usage.uses(*node).len() + 1)
                .sum();
            if cost as u64 > self.credit {
                // Saved for it, as long as it waits.
                return;
            }
            self.credit -= cost as u64;
            self.groups.next();
            let found = self.groups.group_mut(group);
            let touched = std::mem::take(&mut found.touched);
            if std::mem::take(&mut found.changed) {
                self.look_at(group, &touched);
            } else {
                self.look_again(group, &touched);
            }
        }
        // Nothing waits: credit is not saved.
        self.credit = 0;
    }

    /// A thing has fewer users: what they share is rarer, and links may have come.
    fn relink(&mut self, thing: NodeId) {
        let users: Vec<NodeId> = self
            .usage
            .uses(thing)
            .iter()
            .map(|(user, _)| *user)
            .collect();
        if users.len() > self.hub_cap(thing) {
            return;
        }
        let pairs = users.len() * users.len() / 2;
        self.credit = self.credit.saturating_sub(pairs as u64);
        for (place, user) in users.iter().enumerate() {
            let others = &users[place + 1..];
            for other in others {
                if self.groups.are_linked(*user, *other) {
                    self.weigh(*user, *other);
                }
            }
            self.link_to(*user, others);
        }
        self.changed(thing);
    }

    /// Finds the rings of a group again.
    fn look_at(&mut self, group: u32, touched: &[NodeId]) {
        let found = self.groups.group(group);
        let parts = if found.loosened {
            self.groups.parts(&found.members)
        } else {
            vec![found.members.clone()]
        };
        let whole = parts.len() == 1 && parts[0].len() == found.members.len();
        let (before, known) = if whole {
            let found = self.groups.group_mut(group);
            found.loosened = false;
            (
                std::mem::take(&mut found.rings),
                std::mem::take(&mut found.candidates),
            )
        } else {
            let found = self.groups.dissolve(group);
            (found.rings, found.candidates)
        };
        let mut now: Vec<(u32, StandingRing)> = Vec::new();
        for mut part in parts {
            part.sort_unstable();
            let mut candidates = self.candidates(&part, (&known, touched));
            let rings = self.rings_among(&mut candidates);
            let group = if whole {
                group
            } else {
                self.groups.found(part)
            };
            self.groups.group_mut(group).candidates = candidates;
            now.extend(rings.into_iter().map(|ring| (group, ring)));
        }
        self.follow(before, now);
    }

    /// Finds the rings of a group again of which members acted at things.
    fn look_again(&mut self, group: u32, touched: &[NodeId]) {
        let found = self.groups.group_mut(group);
        let before = std::mem::take(&mut found.rings);
        let mut candidates = std::mem::take(&mut found.candidates);
        for thing in touched {
            for candidate in &mut candidates {
                candidate.acted(&self.params.rings, &self.usage, *thing);
            }
        }
        let now = self.rings_among(&mut candidates);
        self.groups.group_mut(group).candidates = candidates;
        self.follow(before, now.into_iter().map(|ring| (group, ring)).collect());
    }

    /// What may be rings among users who are linked.
    fn candidates(&self, members: &[NodeId], known: (&[Candidate], &[NodeId])) -> Vec<Candidate> {
        if members.len() < self.params.rings.min_ring_size {
            return Vec::new();
        }
        let mut links: Vec<Link> = Vec::new();
        for one in members {
            let own = self.groups.links(*one).iter();
            links.extend(
                own.filter(|(other, _)| other > one)
                    .map(|(other, odds)| Link {
                        one: *one,
                        other: *other,
                        probability: f64::from(*odds),
                        shared: 0,
                    }),
            );
        }
        // Only what may fall apart asks how strong links are.
        if crate::ring::may_split(members.len(), links.len()) {
            for link in &mut links {
                link.probability = probability(link.probability + self.prior);
            }
        }
        let linked = (members.to_vec(), &links[..]);
        self.params.rings.candidates(&self.usage, linked, known)
    }

    /// Those candidates that are rings.
    fn rings_among(&self, candidates: &mut [Candidate]) -> Vec<StandingRing> {
        let params = &self.params.rings;
        let rings = candidates.iter_mut().filter_map(|candidate| {
            let (p_value, group) = candidate.ring(params, &self.usage)?;
            Some(StandingRing {
                id: String::new(),
                links: self.groups.inside(&group.members),
                members: group.members.clone(),
                p_value,
            })
        });
        rings.collect()
    }

    /// Gives rings the ids of those that they were: the one with most members in common.
    fn follow(&mut self, before: Vec<StandingRing>, now: Vec<(u32, StandingRing)>) {
        let mut old_of: Vec<(NodeId, usize)> = Vec::new();
        for (old, was) in before.iter().enumerate() {
            old_of.extend(was.members.iter().map(|user| (*user, old)));
        }
        old_of.sort_unstable();
        let mut both: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (new, (_, is)) in now.iter().enumerate() {
            for user in &is.members {
                if let Ok(at) = old_of.binary_search_by_key(user, |found| found.0) {
                    *both.entry((old_of[at].1, new)).or_default() += 1;
                }
            }
        }
        let pairs = both.into_iter();
        let mut pairs: Vec<(usize, usize, usize)> =
            pairs.map(|((old, new), both)| (both, old, new)).collect();
        pairs.sort_by_key(|(both, old, new)| (Reverse(*both), *old, *new));
        let (mut old_taken, mut new_taken) = (BTreeSet::new(), BTreeSet::new());
        let mut now = now;
        for (_, old, new) in &pairs {
            if !old_taken.contains(old) && !new_taken.contains(new) {
                old_taken.insert(*old);
                new_taken.insert(*new);
                let ring = &mut now[*new].1;
                ring.id.clone_from(&before[*old].id);
                let same = ring.members == before[*old].members
                    && ring.p_value.to_bits() == before[*old].p_value.to_bits();
                if !same {
                    let ring = ring.id.clone();
                    self.changes.push(RingChange::Changed { ring });
                }
            }
        }
        for (old, was) in before.into_iter().enumerate() {
            if old_taken.contains(&old) {
                continue;
            }
            let ring = was.id;
            self.ids.remove(&ring);
            self.changes
                .push(match pairs.iter().find(|pair| pair.1 == old) {
                    Some((_, _, new)) => RingChange::Merged {
                        ring,
                        into: now[*new].1.id.clone(),
                    },
                    None => RingChange::Dissolved { ring },
                });
        }
        for (new, (group, mut ring)) in now.into_iter().enumerate() {
            if !new_taken.contains(&new) {
                let first = self.usage.key(ring.members[0]);
                // Another one may have begun with this member.
                let ids = (0..).map(|turn| crate::ring::ring_id(first, turn));
                ring.id = ids
                    .into_iter()
                    .find(|id| !self.ids.contains(id))
                    .unwrap_or_default();
                self.ids.insert(ring.id.clone());
                let ring = ring.id.clone();
                self.changes.push(RingChange::Formed { ring });
            }
            self.groups.group_mut(group).rings.push(ring);
        }
    }

    /// Gives rings the ids of saved ones with which they have most members in common.
    #[cfg(feature = "serde")]
    fn rename(&mut self, saved: Vec<StandingRing>) {
        let mut now: Vec<(u32, StandingRing)> = Vec::new();
        for (group, found) in (0..).zip(self.groups.all_mut()) {
            now.extend(found.rings.drain(..).map(|ring| (group, ring)));
        }
        self.ids = saved.iter().map(|ring| ring.id.clone()).collect();
        self.follow(saved, now);
        self.changes.clear();
    }

    /// The time of the newest event.
    pub fn newest(&self) -> Option<Timestamp> {
        (self.now > i64::MIN)
            .then(|| Timestamp::from_micros(self.now).ok())
            .flatten()
    }

    fn report(&self, ring: &StandingRing) -> FraudRing {
        let members = ring.members.clone();
        let mut report = self
            .params
            .rings
            .report(&self.usage, members, (ring.p_value, ring.links));
        report.id.clone_from(&ring.id);
        report.mark_known(|member| {
            let user = self.usage.node(EntityKind::User, &member.id);
            user.is_some_and(|user| self.is_known(user, self.now))
        });
        report
    }
}
