//! States by user: bounded in number and in time.

use super::params::{CheckedStreamParams, LatePolicy, StreamParams};
use crate::SequenceError;
use dafu_core::Timestamp;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// No slot.
const NONE: u32 = u32::MAX;

/// What was given up so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TableCounts {
    /// States given up because there were too many.
    pub evicted: u64,
    /// States given up because their user was not seen for too long.
    pub expired: u64,
}

/// A state of `state_len` numbers and a note of type `N` for each key.
///
/// Memory: what was in use at most at one time, about `4 x state_len + size of key and note + 60` bytes a key.
#[derive(Debug, Clone)]
pub struct StateTable<K, N> {
    params: CheckedStreamParams,
    state_len: usize,
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
    key: K,
    note: N,
    last_seen: Timestamp,
    /// Towards those seen later, and those seen earlier.
    newer: u32,
    older: u32,
}

/// From an earlier time to a later one, rounded up; 0 where it is not later.
pub(super) fn seconds_between(earlier: Timestamp, later: Timestamp) -> u64 {
    let micros = i128::from(later.as_micros()) - i128::from(earlier.as_micros());
    u64::try_from(micros).map_or(0, |micros| micros.div_ceil(1_000_000))
}

impl<K: Hash + Eq + Clone, N: Clone + Default> StateTable<K, N> {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// When bounds are out of range.
    pub fn new(params: &StreamParams, state_len: usize) -> Result<Self, SequenceError> {
        Ok(Self {
            params: params.check()?,
            state_len,
            index: HashMap::new(),
            slots: Vec::new(),
            states: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            now: None,
            counts: TableCounts::default(),
        })
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

    /// Lets time go on without an event.
    pub(super) fn set_now(&mut self, time: Timestamp) {
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
    pub(crate) fn read<Q>(
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
        let late = time < last_seen;
        if late && self.params.late == LatePolicy::Error {
            return Err(SequenceError::EventOrder {
                event: 0,
                before: last_seen,
                got: time,
            });
        }
        state.copy_from_slice(held);
        Ok((note.clone(), late))
    }

    /// Whether an event moves the state.
    pub(crate) fn remembers(&self, late: bool) -> bool {
        !late || self.params.late == LatePolicy::Apply
    }

    /// The state of a key to be moved on, made anew where there is none, and its note; the key counts as seen at `time`.
    ///
    /// # Errors
    ///
    /// [`ClockJump`](SequenceError::ClockJump); the table is then as before.
    ///
    /// # Complexity
    ///
    /// O(1) on average over calls, and O(state) for a key that is new.
    pub fn touch<Q>(
        &mut self,
        key: &Q,
        time: Timestamp,
    ) -> Result<(&mut [f32], &mut N), SequenceError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.check_jump(time)?;
        self.set_now(time);
        let slot = match self.index.get(key).copied() {
            Some(slot) => {
                let last_seen = self.slots[slot as usize].last_seen;
                if self.is_expired(last_seen, time) {
                    self.counts.expired += 1;
                    self.clear(slot);
                    self.slots[slot as usize].last_seen = time;
                } else {
                    self.slots[slot as usize].last_seen = last_seen.max(time);
                }
                self.unlink(slot);
                slot
            }
            None => self.claim(key.to_owned(), time),
        };
        self.link_newest(slot);
        self.sweep(time);
        let state = slot as usize * self.state_len;
        let state = &mut self.states[state..state + self.state_len];
        Ok((state, &mut self.slots[slot as usize].note))
    }

    /// Forgets a key; whether there was something of it.
    pub fn forget<Q>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(slot) = self.index.remove(key) else {
            return false;
        };
        self.unlink(slot);
        self.clear(slot);
        self.free.push(slot);
        true
    }

    /// Keys with their states, those not seen for longest first.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &[f32], &N, Timestamp)> {
        let mut next = self.oldest;
        std::iter::from_fn(move || {
            let slot = self.slots.get(next as usize)?;
            let state = self.state(next);
            next = slot.newer;
            Some((&slot.key, state, &slot.note, slot.last_seen))
        })
    }

    fn state(&self, slot: u32) -> &[f32] {
        let from = slot as usize * self.state_len;
        &self.states[from..from + self.state_len]
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

    /// A slot for a new key: a free one, a new one, or that of the key not seen for longest.
    fn claim(&mut self, key: K, time: Timestamp) -> u32 {
        if self.index.len() >= self.params.capacity {
            let oldest = self.oldest;
            let evicted = self.slots[oldest as usize].key.clone();
            self.forget(&evicted);
            self.counts.evicted += 1;
        }
        let fresh = Slot {
            key: key.clone(),
            note: N::default(),
            last_seen: time,
            newer: NONE,
            older: NONE,
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = fresh;
            slot
        } else {
            // Capacity is below what 32 bits count.
            let slot = u32::try_from(self.slots.len()).unwrap_or(NONE);
            self.slots.push(fresh);
            self.states.resize(self.slots.len() * self.state_len, 0.0);
            slot
        };
        self.index.insert(key, slot);
        slot
    }

    fn clear(&mut self, slot: u32) {
        let from = slot as usize * self.state_len;
        self.states[from..from + self.state_len].fill(0.0);
        self.slots[slot as usize].note = N::default();
    }

    /// Gives up a few states that are too old; the ones not seen for longest are looked at first.
    fn sweep(&mut self, now: Timestamp) {
        /// More than one, so that the table shrinks although each call may add a key.
        const MOST: usize = 2;
        for _ in 0..MOST {
            let Some(slot) = self.slots.get(self.oldest as usize) else {
                return;
            };
            if !self.is_expired(slot.last_seen, now) {
                return;
            }
            let key = slot.key.clone();
            self.forget(&key);
            self.counts.expired += 1;
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
