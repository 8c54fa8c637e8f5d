//! States by user: bounded in number and in time.

use super::fingerprint::Fingerprint;
use super::params::{CheckedStreamParams, LatePolicy, StreamParams};
use super::snapshot::StateSnapshot;
use crate::SequenceError;
use crate::encode::Encoder;
use crate::native::StepNetwork;
use dafu_core::Timestamp;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// No slot.
const NONE: u32 = u32::MAX;

/// What was given up so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TableCounts {
    /// States given up because there were too many.
    pub evicted: u64,
    /// States given up because their user was not seen for too long.
    pub expired: u64,
}

/// A state of `state_len` numbers and a note of type `N` for each key.
///
/// Memory: what was in use at most at one time, about `4 x state_len + 2 x size of the key + size of the note + 60` bytes a
/// key. The key is held twice, in the index and beside the state, with what it has on the heap: a `String` of 20 bytes
/// counts as 2 x (24 + 20).
#[derive(Debug, Clone)]
pub struct StateTable<K, N> {
    params: CheckedStreamParams,
    state_len: usize,
    fingerprint: Fingerprint,
    attention_sum: Option<usize>,
    index: HashMap<K, u32>,
    slots: Vec<Slot<K, N>>,
    /// The states of all slots, one after another.
    states: Vec<f32>,
    /// Slots that nobody uses.
    free: Vec<u32>,
    /// The slot seen last, and the one not seen for longest.
    newest: u32,
    oldest: u32,
    /// Time of the newest event. What is too old is judged by it also for late events, so that giving up states early or
    /// late changes no answer.
    now: Option<Timestamp>,
    counts: TableCounts,
}

#[derive(Debug, Clone)]
struct Slot<K, N> {
    /// `None` where nobody uses it.
    key: Option<K>,
    note: N,
    last_seen: Timestamp,
    /// Towards those seen later, and those seen earlier.
    newer: u32,
    older: u32,
}

/// Counts some more; counts may come from a snapshot that somebody made up.
pub(super) const fn add(number: &mut u64, more: u64) {
    *number = number.saturating_add(more);
}

/// From an earlier time to a later one, rounded up; 0 where it is not later.
pub(super) fn seconds_between(earlier: Timestamp, later: Timestamp) -> u64 {
    let micros = i128::from(later.as_micros()) - i128::from(earlier.as_micros());
    u64::try_from(micros).map_or(0, |micros| micros.div_ceil(1_000_000))
}

impl<K: Hash + Eq + Clone, N: Clone + Default> StateTable<K, N> {
    /// An empty table for the states of a network.
    ///
    /// # Errors
    ///
    /// When bounds are out of range.
    pub fn new(params: &StreamParams, network: &StepNetwork) -> Result<Self, SequenceError> {
        Ok(Self {
            fingerprint: Fingerprint::of(network)?,
            attention_sum: network.attention_sum(),
            ..Self::of_length(params, network.state_len())?
        })
    }

    /// The table, for inputs that an encoder made: snapshots of other inputs are refused.
    #[must_use]
    pub fn with_inputs(mut self, encoder: &Encoder) -> Self {
        self.fingerprint.set_inputs(encoder);
        self
    }

    /// A table of the same kind that holds nothing.
    pub(super) fn emptied(&self) -> Self {
        Self {
            fingerprint: self.fingerprint.clone(),
            attention_sum: self.attention_sum,
            ..Self::empty(self.params.clone(), self.state_len)
        }
    }

    /// An empty table for states of so many numbers.
    pub(super) fn of_length(
        params: &StreamParams,
        state_len: usize,
    ) -> Result<Self, SequenceError> {
        Ok(Self::empty(params.check()?, state_len))
    }

    fn empty(params: CheckedStreamParams, state_len: usize) -> Self {
        Self {
            params,
            state_len,
            fingerprint: Fingerprint::default(),
            attention_sum: None,
            index: HashMap::new(),
            slots: Vec::new(),
            states: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            now: None,
            counts: TableCounts::default(),
        }
    }

    /// Its bounds.
    pub fn params(&self) -> &StreamParams {
        &self.params
    }

    /// Numbers of a state.
    pub const fn state_len(&self) -> usize {
        self.state_len
    }

    /// Keys with a state.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What was given up so far.
    pub const fn counts(&self) -> TableCounts {
        self.counts
    }

    /// Time of the newest event.
    pub const fn now(&self) -> Option<Timestamp> {
        self.now
    }

    pub(super) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Where states hold a sum of weights, which is never negative.
    pub(super) const fn attention_sum(&self) -> Option<usize> {
        self.attention_sum
    }

    /// Whether a key that was last seen then is too old by now.
    pub(super) fn is_old(&self, last_seen: Timestamp) -> bool {
        self.now.is_some_and(|now| self.is_expired(last_seen, now))
    }

    /// Begins where another table was.
    pub(super) const fn begin(&mut self, now: Option<Timestamp>, counts: TableCounts) {
        self.now = now;
        self.counts = counts;
    }

    fn set_now(&mut self, time: Timestamp) {
        self.now = Some(self.now.map_or(time, |now| now.max(time)));
    }

    /// Whether what is now may be as long after the newest of the keys that are held.
    pub(super) fn check_now(
        &self,
        now: Timestamp,
        newest: Option<Timestamp>,
    ) -> Result<(), SequenceError> {
        let (Some(newest), Some(most)) = (newest, self.params.max_jump) else {
            return Ok(());
        };
        let ahead = seconds_between(newest, now);
        // Newer ones may have been forgotten: it is wrong where nothing would be left.
        if ahead <= most || self.params.time_to_live.is_none_or(|held| ahead <= held) {
            return Ok(());
        }
        let at = now;
        Err(SequenceError::ClockJump { at, newest, most })
    }

    /// The state of a key as of a time, its note, and when it was last seen; `None` where there is none, or where it is
    /// too old.
    ///
    /// # Complexity
    ///
    /// O(1).
    pub fn get<Q>(&self, key: &Q, time: Timestamp) -> Option<(&[f32], &N, Timestamp)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = *self.index.get(key)?;
        let held = self.slots.get(slot as usize)?;
        if self.is_expired(held.last_seen, time) {
            return None;
        }
        Some((self.state(slot), &held.note, held.last_seen))
    }

    /// Copies the state of a key as of a time, zeros where there is none; its note, and whether the time is earlier than the
    /// key was last seen.
    ///
    /// # Errors
    ///
    /// [`ClockJump`](SequenceError::ClockJump) for a time too far ahead of the newest, and
    /// [`LateEvent`](SequenceError::LateEvent) where no late events are taken.
    ///
    /// # Panics
    ///
    /// When `state` has another length than [`state_len`](Self::state_len).
    ///
    /// # Complexity
    ///
    /// O(state).
    pub fn read<Q>(
        &self,
        key: &Q,
        time: Timestamp,
        state: &mut [f32],
    ) -> Result<(N, bool), SequenceError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.check_jump(time)?;
        let Some((held, note, last_seen)) = self.get(key, time) else {
            state.fill(0.0);
            return Ok((N::default(), false));
        };
        let late = self.is_late(last_seen, time)?;
        state.copy_from_slice(held);
        Ok((note.clone(), late))
    }

    /// Keeps the state that an event led to, and a note; whether it was kept. A late event is kept as
    /// [`LatePolicy`] says, and one that is too old already takes nobody's place.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); the table is then as before.
    ///
    /// # Panics
    ///
    /// When `state` has another length than [`state_len`](Self::state_len).
    ///
    /// # Complexity
    ///
    /// O(state) on average over calls.
    pub fn keep<Q>(
        &mut self,
        key: &Q,
        time: Timestamp,
        (state, note): (&[f32], N),
    ) -> Result<bool, SequenceError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.check_jump(time)?;
        let held = self.index.get(key).copied();
        let last_seen = held.map(|slot| self.slots[slot as usize].last_seen);
        let last_seen = last_seen.filter(|last_seen| !self.is_expired(*last_seen, time));
        if let Some(last_seen) = last_seen {
            if self.is_late(last_seen, time)? && self.params.late == LatePolicy::Drop {
                return Ok(false);
            }
        } else if self.is_expired(time, time) {
            return Ok(false);
        }
        self.set_now(time);
        let slot = if let Some(slot) = held {
            self.unlink(slot);
            if last_seen.is_none() {
                add(&mut self.counts.expired, 1);
            }
            slot
        } else {
            self.claim(key.to_owned())
        };
        let seen = last_seen.map_or(time, |last_seen| last_seen.max(time));
        self.write(slot, seen, (state, note));
        self.link_newest(slot);
        self.sweep(time);
        Ok(true)
    }

    /// Takes up what a snapshot holds of a key that is not there yet, after those before it. What is too old is left to be
    /// given up as it would have been.
    pub(super) fn put(&mut self, user: &StateSnapshot<K, N>) {
        let slot = self.claim(user.key.clone());
        self.write(slot, user.last_seen, (&user.state, user.note.clone()));
        self.link_newest(slot);
    }

    /// Forgets a key; whether there was something of it.
    pub fn forget<Q>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(slot) = self.index.get(key).copied() else {
            return false;
        };
        self.release(slot);
        true
    }

    /// Whether there is something of a key, be it too old by now.
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.index.contains_key(key)
    }

    /// Keys with their states, those not seen for longest first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &[f32], &N, Timestamp)> {
        let mut next = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slots.get(next as usize)?;
            let state = self.state(next);
            next = slot.newer;
            Some((slot.key.as_ref()?, state, &slot.note, slot.last_seen))
        })
    }

    fn state(&self, slot: u32) -> &[f32] {
        let from = slot as usize * self.state_len;
        &self.states[from..from + self.state_len]
    }

    /// Whether a time is before a key was last seen.
    fn is_late(&self, last_seen: Timestamp, time: Timestamp) -> Result<bool, SequenceError> {
        let late = time < last_seen;
        if late && self.params.late == LatePolicy::Error {
            return Err(SequenceError::LateEvent {
                before: last_seen,
                got: time,
            });
        }
        Ok(late)
    }

    /// Refuses a time that is too far ahead of the newest: all states would be given up for it.
    fn check_jump(&self, at: Timestamp) -> Result<(), SequenceError> {
        let (Some(most), Some(newest)) = (self.params.max_jump, self.now) else {
            return Ok(());
        };
        if seconds_between(newest, at) <= most {
            return Ok(());
        }
        Err(SequenceError::ClockJump { at, newest, most })
    }

    fn is_expired(&self, last_seen: Timestamp, time: Timestamp) -> bool {
        self.params.time_to_live.is_some_and(|seconds| {
            let time = self.now.map_or(time, |now| now.max(time));
            seconds_between(last_seen, time) > seconds
        })
    }

    /// A slot for a new key: a free one, a new one, or that of the key not seen for longest. What is in it is left open.
    fn claim(&mut self, key: K) -> u32 {
        if self.index.len() >= self.params.capacity {
            self.release(self.oldest);
            add(&mut self.counts.evicted, 1);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            // Capacity is below what 32 bits count.
            let slot = u32::try_from(self.slots.len()).unwrap_or(NONE);
            self.slots.push(Slot {
                key: None,
                note: N::default(),
                last_seen: Timestamp::EPOCH,
                newer: NONE,
                older: NONE,
            });
            self.states.resize(self.slots.len() * self.state_len, 0.0);
            slot
        });
        self.slots[slot as usize].key = Some(key.clone());
        self.index.insert(key, slot);
        slot
    }

    fn write(&mut self, slot: u32, last_seen: Timestamp, (state, note): (&[f32], N)) {
        let from = slot as usize * self.state_len;
        self.states[from..from + self.state_len].copy_from_slice(state);
        let held = &mut self.slots[slot as usize];
        held.last_seen = last_seen;
        held.note = note;
    }

    /// Frees a slot. Nothing of its key stays behind.
    fn release(&mut self, slot: u32) {
        self.unlink(slot);
        let from = slot as usize * self.state_len;
        self.states[from..from + self.state_len].fill(0.0);
        let held = &mut self.slots[slot as usize];
        held.note = N::default();
        if let Some(key) = held.key.take() {
            self.index.remove(&key);
        }
        self.free.push(slot);
    }

    /// Gives up a few states that are too old; the ones not seen for longest are looked at first.
    fn sweep(&mut self, now: Timestamp) {
        /// More than one, so that the table shrinks although each call may add a key.
        const MOST: usize = 2;
        for _ in 0..MOST {
            let oldest = self.oldest;
            let Some(slot) = self.slots.get(oldest as usize) else {
                return;
            };
            if !self.is_expired(slot.last_seen, now) {
                return;
            }
            self.release(oldest);
            add(&mut self.counts.expired, 1);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let (newer, older) = {
            let held = &self.slots[slot as usize];
            (held.newer, held.older)
        };
        match self.slots.get_mut(newer as usize) {
            Some(other) => other.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(other) => other.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let before = self.newest;
        match self.slots.get_mut(before as usize) {
            Some(other) => other.newer = slot,
            None => self.oldest = slot,
        }
        let held = &mut self.slots[slot as usize];
        held.newer = NONE;
        held.older = before;
        self.newest = slot;
    }
}
