//! What a stream remembers, to be kept and taken up again.

use super::fingerprint::Fingerprint;
use super::scorer::StreamScorer;
use super::table::{StateTable, TableCounts, add};
use crate::SequenceError;
use crate::encode::EncoderState;
use dafu_core::Timestamp;
use std::hash::Hash;

/// One user.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct StateSnapshot<K, N = ()> {
    /// Who it is.
    pub key: K,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Its state.
    pub state: Vec<f32>,
    /// What else is kept of it.
    pub note: N,
}

/// Version of what snapshots hold.
pub const SNAPSHOT_VERSION: u32 = 1;

/// Snapshots were written without a version at first.
#[cfg(feature = "serde")]
const fn first_version() -> u32 {
    1
}

/// All users, those not seen for longest first.
///
/// With the feature `serde` it is stored in any format that keeps numbers to the bit, as `serde_json` does with its feature
/// `float_roundtrip`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct StreamSnapshot<K, N = ()> {
    /// [`SNAPSHOT_VERSION`] of when it was taken.
    #[cfg_attr(feature = "serde", serde(default = "first_version"))]
    pub version: u32,
    /// Numbers of a state.
    pub state_len: usize,
    /// Of the network that made the states.
    pub fingerprint: Fingerprint,
    /// Time of the newest event.
    pub now: Option<Timestamp>,
    /// States that were given up so far.
    pub counts: TableCounts,
    /// The users.
    pub users: Vec<StateSnapshot<K, N>>,
}

impl<K> StreamSnapshot<K, EncoderState> {
    /// Checks that what encoders know of users is of the time when these were last seen; otherwise what they say about
    /// the time since would be made up.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Snapshot`].
    pub fn check_contexts(&self) -> Result<(), SequenceError> {
        let mut users = self.users.iter();
        let wrong = users.position(|user| user.note.previous() != Some(user.last_seen));
        wrong.map_or(Ok(()), |number| {
            refuse(format!(
                "what the encoder knows of the user of state {number} is of another time than the state"
            ))
        })
    }
}

fn refuse(what: String) -> Result<(), SequenceError> {
    Err(SequenceError::Snapshot { what })
}

impl<K: Hash + Eq + Clone, N: Clone + Default> StateTable<K, N> {
    /// What it holds. States that are too old already and first to be given up are left out, and counted.
    pub fn snapshot(&self) -> StreamSnapshot<K, N> {
        let mut counts = self.counts();
        let old = self.iter().take_while(|user| self.is_old(user.3)).count();
        add(&mut counts.expired, old as u64);
        let users = self
            .iter()
            .skip(old)
            .map(|(key, state, note, last_seen)| StateSnapshot {
                key: key.clone(),
                last_seen,
                state: state.to_vec(),
                note: note.clone(),
            });
        StreamSnapshot {
            version: SNAPSHOT_VERSION,
            state_len: self.state_len(),
            fingerprint: self.fingerprint().clone(),
            now: self.now(),
            counts,
            users: users.collect(),
        }
    }

    /// Replaces what it holds, trusting nothing in the snapshot. Of more users than there is room for, those not seen for
    /// longest are left out, and counted as evicted.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Snapshot`] where the snapshot is of another version than [`SNAPSHOT_VERSION`], where states are those of
    /// another network, or no states at all: numbers that are too many, too few or not finite, times after the newest event,
    /// a user twice. [`SequenceError::ClockJump`] where the time
    /// of the newest event lies so far ahead of all users ([`StreamParams::max_jump`](super::StreamParams::max_jump)) that
    /// they would all be given up. The table is then as before.
    ///
    /// # Complexity
    ///
    /// O(users x state). The memory before is held until the new one is whole.
    pub fn restore(&mut self, snapshot: &StreamSnapshot<K, N>) -> Result<(), SequenceError> {
        let (got, mut fresh) = (snapshot.version, self.emptied());
        if got != SNAPSHOT_VERSION {
            return refuse(format!(
                "it is of version {got}, known is {SNAPSHOT_VERSION}: update dafu"
            ));
        }
        let (expected, got) = (self.state_len(), snapshot.state_len);
        if expected != got {
            return refuse(format!(
                "states have {got} numbers, this network's have {expected}"
            ));
        }
        if !self.fingerprint().is_of_same(&snapshot.fingerprint) {
            return refuse(
                "its states are those of another network, or of other inputs".to_owned(),
            );
        }
        let newest = snapshot.users.iter().map(|user| user.last_seen).max();
        match snapshot.now {
            Some(now) => fresh.check_now(now, newest)?,
            None if newest.is_some() => {
                return refuse("it holds states, and no time of the newest event".to_owned());
            }
            None => {}
        }
        fresh.begin(snapshot.now, snapshot.counts);
        for (number, user) in snapshot.users.iter().enumerate() {
            self.check_user(number, user)?;
            if snapshot.now.is_some_and(|now| now < user.last_seen) {
                return refuse(format!("state {number} is of later than the newest event"));
            }
            if fresh.contains(&user.key) {
                return refuse(format!("the user of state {number} has one already"));
            }
            fresh.put(user);
        }
        *self = fresh;
        Ok(())
    }

    fn check_user(&self, number: usize, user: &StateSnapshot<K, N>) -> Result<(), SequenceError> {
        let (expected, got) = (self.state_len(), user.state.len());
        if expected != got {
            return refuse(format!(
                "state {number} has {got} numbers, this network's have {expected}"
            ));
        }
        if let Some(bad) = user.state.iter().find(|number| !number.is_finite()) {
            return refuse(format!("state {number} holds {bad}"));
        }
        let sum = self.attention_sum().and_then(|at| user.state.get(at));
        if let Some(sum) = sum.filter(|sum| **sum < 0.0) {
            return refuse(format!(
                "weights of attention in state {number} add up to {sum}"
            ));
        }
        Ok(())
    }
}

impl<K: Hash + Eq + Clone> StreamScorer<K> {
    /// What it remembers.
    pub fn snapshot(&self) -> StreamSnapshot<K> {
        self.table.snapshot()
    }

    /// Replaces what it remembers: answers go on as those of the scorer that the snapshot was taken of, with the same
    /// network.
    ///
    /// # Errors
    ///
    /// As [`StateTable::restore`].
    pub fn restore(&mut self, snapshot: &StreamSnapshot<K>) -> Result<(), SequenceError> {
        self.table.restore(snapshot)
    }
}
