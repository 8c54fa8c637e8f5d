//! A stream as a value that can be saved.

use super::groups::StandingRing;
use super::{RingStream, RingStreamParams};
use crate::{GraphError, NodeId};
use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A user's use of a thing: places of both, moments and amounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedUse {
    user: u32,
    thing: u32,
    moments: Vec<i64>,
    amounts: Vec<f64>,
}

/// What a stream remembers: [`RingStream::snapshot`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RingStreamSnapshot {
    /// By place; places that are free have none.
    nodes: Vec<Option<EntityKey>>,
    free: Vec<u32>,
    uses: Vec<SavedUse>,
    rings: Vec<(String, Vec<u32>)>,
    known: Vec<(EntityId, i64)>,
    now: i64,
}

impl RingStream {
    /// What the stream remembers, its parameters aside. O(events that are kept).
    pub fn snapshot(&self) -> RingStreamSnapshot {
        let (nodes, free) = self.usage.saved_nodes();
        let uses = self
            .usage
            .all_uses()
            .map(|(user, thing, moments, amounts)| SavedUse {
                user: user.0,
                thing: thing.0,
                moments: moments.to_vec(),
                amounts: amounts.to_vec(),
            });
        let standing = self.groups.all().flat_map(|group| &group.rings);
        let mut rings: Vec<(String, Vec<u32>)> = standing
            .map(|ring| {
                (
                    ring.id.clone(),
                    ring.members.iter().map(|member| member.0).collect(),
                )
            })
            .collect();
        rings.sort();
        let frauds = self.frauds.iter();
        let mut known: Vec<(EntityId, i64)> =
            frauds.map(|(user, since)| (user.clone(), *since)).collect();
        known.sort_unstable();
        RingStreamSnapshot {
            nodes,
            free,
            uses: uses.collect(),
            rings,
            known,
            now: self.now,
        }
    }
}

impl RingStreamParams {
    /// A stream that goes on from a snapshot, with nothing waiting. Rings have the ids that they had.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], and [`GraphError::Snapshot`] for one that no stream gives. O(events x log + links).
    pub fn resume(self, snapshot: &RingStreamSnapshot) -> Result<RingStream, GraphError> {
        let mut stream = self.start()?;
        stream
            .usage
            .restore_nodes(&snapshot.nodes, &snapshot.free)?;
        let wrong = |what| GraphError::Snapshot { what };
        let kind = |place: u32| {
            let node = snapshot.nodes.get(place as usize);
            node.and_then(Option::as_ref).map(|key| key.kind)
        };
        for saved in &snapshot.uses {
            let thing = kind(saved.thing);
            let kinds = &stream.params.rings.links.kinds;
            let sound = kind(saved.user) == Some(EntityKind::User)
                && thing.is_some_and(|kind| kinds.contains_key(&kind))
                && saved.moments.len() == saved.amounts.len()
                && !saved.moments.is_empty()
                && saved.moments.is_sorted()
                && saved.amounts.iter().all(|amount| amount.is_finite())
                && saved
                    .moments
                    .iter()
                    .all(|moment| Timestamp::from_micros(*moment).is_ok());
            if !sound {
                return Err(wrong("a use of a thing"));
            }
            let ends = (NodeId(saved.user), NodeId(saved.thing));
            for (turn, event) in saved.moments.iter().zip(&saved.amounts).enumerate() {
                let (number, new) = stream.usage.add(ends, (*event.0, *event.1))?;
                if new != (turn == 0) {
                    return Err(wrong("a use that comes twice"));
                }
                stream.expiries.push(Reverse((*event.0, number)));
            }
        }
        stream.now = snapshot.now;
        for place in (0..).take(snapshot.nodes.len()) {
            match kind(place) {
                Some(EntityKind::User) => stream.groups.room(NodeId(place)),
                Some(_) => stream.thinned.push(NodeId(place)),
                None => {}
            }
        }
        for (user, since) in &snapshot.known {
            if stream.frauds.insert(user.clone(), *since).is_some() {
                return Err(wrong("a user known to be fraud twice"));
            }
            if let Some(node) = stream.usage.node(EntityKind::User, user) {
                stream.known.insert(node, *since);
            }
        }
        let newest = snapshot
            .uses
            .iter()
            .filter_map(|saved| saved.moments.last())
            .max();
        let sound = match newest {
            Some(newest) => snapshot.now >= *newest && Timestamp::from_micros(snapshot.now).is_ok(),
            None => snapshot.now == i64::MIN || Timestamp::from_micros(snapshot.now).is_ok(),
        };
        if !sound {
            return Err(wrong("a time"));
        }
        for place in (0..).take(snapshot.nodes.len()) {
            if kind(place).is_some() && stream.usage.uses(NodeId(place)).is_empty() {
                return Err(wrong("somebody who uses nothing"));
            }
        }
        let mut ids = BTreeSet::new();
        let mut rings = Vec::with_capacity(snapshot.rings.len());
        let mut of_rings = BTreeSet::new();
        for (id, members) in &snapshot.rings {
            let good = |member: &u32| kind(*member) == Some(EntityKind::User);
            if !ids.insert(id)
                || !members
                    .iter()
                    .all(|member| good(member) && of_rings.insert(*member))
            {
                return Err(wrong("a ring"));
            }
            rings.push(StandingRing {
                id: id.clone(),
                members: members.iter().map(|member| NodeId(*member)).collect(),
                p_value: 1.0,
                links: 0,
            });
        }
        stream.settle();
        stream.rename(rings);
        Ok(stream)
    }
}
