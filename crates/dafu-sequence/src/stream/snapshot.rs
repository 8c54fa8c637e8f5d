//! What a stream remembers, to be kept and taken up again.

use super::scorer::StreamScorer;
use super::table::StateTable;
use crate::SequenceError;
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

/// All users, those not seen for longest first.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct StreamSnapshot<K, N = ()> {
    /// Numbers of a state.
    pub state_len: usize,
    /// Time of the newest event.
    pub now: Option<Timestamp>,
    /// The users.
    pub users: Vec<StateSnapshot<K, N>>,
}

impl<K: Hash + Eq + Clone, N: Clone + Default> StateTable<K, N> {
    /// What it holds.
    pub fn snapshot(&self) -> StreamSnapshot<K, N> {
        let users = self
            .iter()
            .map(|(key, state, note, last_seen)| StateSnapshot {
                key: key.clone(),
                last_seen,
                state: state.to_vec(),
                note: note.clone(),
            });
        StreamSnapshot {
            state_len: self.state_len(),
            now: self.now(),
            users: users.collect(),
        }
    }

    /// Replaces what it holds. Of more users than there is room for, those not seen for longest are left out.
    ///
    /// # Errors
    ///
    /// When states are those of another network, hold what is no number, or a user comes twice; and where the time of the
    /// newest event lies so far ahead of all users ([`StreamParams::max_jump`](super::StreamParams::max_jump)) that they
    /// would all be given up. The table is then as before.
    pub fn restore(&mut self, snapshot: &StreamSnapshot<K, N>) -> Result<(), SequenceError> {
        let mut fresh = Self::of_length(self.params(), self.state_len())?;
        if let Some(now) = snapshot.now {
            fresh.check_now(now, snapshot.users.iter().map(|user| user.last_seen).max())?;
            fresh.set_now(now);
        }
        let refuse = |what: String| Err(SequenceError::Snapshot { what });
        for (number, user) in snapshot.users.iter().enumerate() {
            if user.state.len() != self.state_len() {
                let (expected, got) = (self.state_len(), user.state.len());
                return refuse(format!(
                    "state {number} has {got} numbers, this network's have {expected}"
                ));
            }
            if let Some(bad) = user.state.iter().find(|number| !number.is_finite()) {
                return refuse(format!("state {number} holds {bad}"));
            }
            if fresh.contains(&user.key) {
                return refuse(format!("the user of state {number} has one already"));
            }
            fresh.put(user);
        }
        *self = fresh;
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
