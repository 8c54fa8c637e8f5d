//! Groups of linked users, as links come and go.

use crate::NodeId;
use crate::ring::Candidate;

/// No group.
const NONE: u32 = u32::MAX;
/// Things that are looked at one by one.
const MOST_TOUCHED: usize = 64;

/// A ring that stands.
#[derive(Debug, Clone)]
pub(super) struct StandingRing {
    pub(super) id: String,
    /// Rising.
    pub(super) members: Vec<NodeId>,
    pub(super) p_value: f64,
    pub(super) links: usize,
}

/// Users who are linked, directly or through others.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) members: Vec<NodeId>,
    /// What may be a ring, as it was looked at last.
    pub(super) candidates: Vec<Candidate>,
    pub(super) rings: Vec<StandingRing>,
    /// It waits to be looked at again.
    waits: bool,
    /// Members, links or what is shared are others.
    pub(super) changed: bool,
    /// Things of which several members are users where something happened since.
    pub(super) touched: Vec<NodeId>,
    /// A link is gone: it may have fallen apart.
    pub(super) loosened: bool,
}

/// All links, and the groups that they make.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    /// By user: those who are linked, rising, and the logarithm of the odds that what they share adds.
    links: Vec<Vec<(NodeId, f32)>>,
    of_user: Vec<u32>,
    slots: Vec<Group>,
    free: Vec<u32>,
    /// Groups that wait.
    pub(super) waiting: std::collections::VecDeque<u32>,
    pub(super) count: usize,
}

impl Groups {
    pub(super) fn links(&self, user: NodeId) -> &[(NodeId, f32)] {
        self.links.get(user.index()).map_or(&[], |links| links)
    }

    pub(super) fn of_user(&self, user: NodeId) -> Option<u32> {
        self.of_user
            .get(user.index())
            .copied()
            .filter(|group| *group != NONE)
    }

    pub(super) fn group(&self, group: u32) -> &Group {
        &self.slots[group as usize]
    }

    pub(super) fn group_mut(&mut self, group: u32) -> &mut Group {
        &mut self.slots[group as usize]
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Group> {
        self.slots.iter()
    }

    #[cfg(feature = "serde")]
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.slots.iter_mut()
    }

    /// Makes room for a user.
    pub(super) fn room(&mut self, user: NodeId) {
        if self.links.len() <= user.index() {
            self.links.resize(user.index() + 1, Vec::new());
            self.of_user.resize(user.index() + 1, NONE);
        }
    }

    /// Members of a group, or its links, are others: it is looked at again.
    fn change(&mut self, group: u32) {
        self.slots[group as usize].changed = true;
        self.wait(group);
    }

    /// A thing of which several members are users has other users: the group is looked at again.
    pub(super) fn share(&mut self, group: u32, thing: NodeId) {
        self.touch(group, thing);
        self.change(group);
    }

    /// A member of a group acted at a thing: where that is shared, the group is looked at again.
    pub(super) fn act(&mut self, group: u32, thing: NodeId) {
        let shared = |candidate: &Candidate| candidate.shares(thing);
        if self.slots[group as usize].candidates.iter().any(shared) {
            self.touch(group, thing);
            self.wait(group);
        }
    }

    fn touch(&mut self, group: u32, thing: NodeId) {
        let found = &mut self.slots[group as usize];
        if found.touched.len() >= MOST_TOUCHED {
            // Beginning anew is less work by now.
            found.candidates.clear();
            found.touched.clear();
            self.change(group);
        } else if !found.touched.contains(&thing) {
            found.touched.push(thing);
        }
    }

    fn wait(&mut self, group: u32) {
        let found = &mut self.slots[group as usize];
        if !found.waits {
            found.waits = true;
            self.waiting.push_back(group);
        }
    }

    /// The group that waits longest does not any more.
    pub(super) fn next(&mut self) {
        if let Some(group) = self.waiting.pop_front() {
            self.slots[group as usize].waits = false;
        }
    }

    /// Links between members. O(links of members x log members).
    pub(super) fn inside(&self, members: &[NodeId]) -> usize {
        let of = |member: &NodeId| {
            let own = self.links(*member).iter();
            own.filter(|(other, _)| other > member && members.binary_search(other).is_ok())
                .count()
        };
        members.iter().map(of).sum()
    }

    pub(super) fn are_linked(&self, one: NodeId, other: NodeId) -> bool {
        let links = self.links(one);
        links.binary_search_by_key(&other, |link| link.0).is_ok()
    }

    /// Links two users, or changes what their link weighs.
    pub(super) fn link(&mut self, one: NodeId, other: NodeId, odds: f32) {
        let mut known = false;
        for (user, other) in [(one, other), (other, one)] {
            let links = &mut self.links[user.index()];
            match links.binary_search_by_key(&other, |link| link.0) {
                Ok(at) => {
                    links[at].1 = odds;
                    known = true;
                }
                Err(at) => links.insert(at, (other, odds)),
            }
        }
        if known {
            return;
        }
        self.count += 1;
        let (one, other) = (self.own(one), self.own(other));
        let group = if one == other {
            one
        } else {
            self.merge(one, other)
        };
        self.change(group);
    }

    /// The group of a user, alone where there was none.
    fn own(&mut self, user: NodeId) -> u32 {
        if let Some(group) = self.of_user(user) {
            return group;
        }
        self.found(vec![user])
    }

    /// A group of these.
    pub(super) fn found(&mut self, members: Vec<NodeId>) -> u32 {
        let group = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Group::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        });
        for member in &members {
            self.of_user[member.index()] = group;
        }
        self.slots[group as usize].members = members;
        group
    }

    /// The smaller of two groups moves into the larger: O(smaller).
    fn merge(&mut self, one: u32, other: u32) -> u32 {
        let size = |group: u32| self.slots[group as usize].members.len();
        let (into, from) = if size(one) >= size(other) {
            (one, other)
        } else {
            (other, one)
        };
        let gone = self.dissolve(from);
        for member in &gone.members {
            self.of_user[member.index()] = into;
        }
        let group = &mut self.slots[into as usize];
        group.members.extend(gone.members);
        group.rings.extend(gone.rings);
        group.loosened |= gone.loosened;
        into
    }

    /// Takes a group away; its members are in none then.
    pub(super) fn dissolve(&mut self, group: u32) -> Group {
        let gone = std::mem::take(&mut self.slots[group as usize]);
        for member in &gone.members {
            self.of_user[member.index()] = NONE;
        }
        if gone.waits {
            self.waiting.retain(|waiting| *waiting != group);
        }
        self.free.push(group);
        gone
    }

    pub(super) fn unlink(&mut self, one: NodeId, other: NodeId) {
        let mut known = false;
        for (user, other) in [(one, other), (other, one)] {
            let links = &mut self.links[user.index()];
            if let Ok(at) = links.binary_search_by_key(&other, |link| link.0) {
                links.remove(at);
                known = true;
            }
        }
        if !known {
            return;
        }
        self.count -= 1;
        if let Some(group) = self.of_user(one) {
            self.slots[group as usize].loosened = true;
            self.change(group);
        }
    }

    /// Takes a user without links out of its group.
    pub(super) fn leave(&mut self, user: NodeId) {
        let Some(group) = self.of_user(user) else {
            return;
        };
        self.of_user[user.index()] = NONE;
        let found = &mut self.slots[group as usize];
        found.members.retain(|member| *member != user);
        let mut rings = std::mem::take(&mut found.rings);
        for ring in &mut rings {
            ring.members.retain(|member| *member != user);
            ring.links = self.inside(&ring.members);
        }
        let found = &mut self.slots[group as usize];
        found.rings = rings;
        // Its place may be another's soon.
        found.candidates.clear();
        found.loosened = true;
        self.change(group);
    }

    /// The parts that members of a group are in by now, those of one user left out. O(links).
    pub(super) fn parts(&self, members: &[NodeId]) -> Vec<Vec<NodeId>> {
        let mut left: Vec<NodeId> = members.to_vec();
        left.sort_unstable();
        let mut seen = vec![false; left.len()];
        let place = |user: &NodeId| left.binary_search(user).ok();
        let mut parts = Vec::new();
        for start in 0..left.len() {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            let mut part = vec![left[start]];
            let mut at = 0;
            while let Some(user) = part.get(at).copied() {
                at += 1;
                for (other, _) in self.links(user) {
                    if let Some(place) = place(other)
                        && !std::mem::replace(&mut seen[place], true)
                    {
                        part.push(*other);
                    }
                }
            }
            if part.len() > 1 {
                parts.push(part);
            }
        }
        parts
    }
}
