//! The log of one entity: its events, and what is kept up to date about its windows.

use super::count_map::CountMap;
use super::event::{EventView, MISSING};
use super::log_plan::{CodeSource, FOREVER, LogPlan, Part, WindowPlan};
use super::plan::Rules;
use super::ring::{Entry, Ring};
use super::tiles::Tiles;
use crate::measure::first_digit;
use crate::measure::log_bucket;
use crate::measure::to_micro_degrees;
use crate::measure::unit_vector;
use std::collections::VecDeque;

/// A known fraud among the events of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Mark {
    /// Time of the event.
    pub(crate) time: i64,
    /// When the fraud became known.
    pub(crate) known_at: i64,
    /// When it became known to be none after all; `i64::MAX` for never.
    pub(crate) cleared_at: i64,
    /// Hash of the transaction id, cut to 32 bits.
    pub(crate) id: u32,
}

impl Mark {
    /// Whether the fraud is known at an instant.
    pub(crate) const fn known(&self, now: i64) -> bool {
        self.known_at <= now && now < self.cleared_at
    }
}

/// Words kept beside the log itself, without a place of their own on the heap.
const INLINE: usize = 12;

/// The numbers of a log: cursors, times and sums, at places that the plan gives.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    inline: [u64; INLINE],
    heap: Box<[u64]>,
}

impl Words {
    fn new(count: usize) -> Self {
        let heap = if count > INLINE { count } else { 0 };
        Self {
            inline: [0; INLINE],
            heap: vec![0; heap].into(),
        }
    }

    #[inline]
    pub(crate) const fn all(&self) -> &[u64] {
        if self.heap.is_empty() {
            &self.inline
        } else {
            &self.heap
        }
    }

    #[inline]
    const fn all_mut(&mut self) -> &mut [u64] {
        if self.heap.is_empty() {
            &mut self.inline
        } else {
            &mut self.heap
        }
    }
}

/// What only some logs have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras {
    pub(crate) maps: Box<[CountMap]>,
    pub(crate) deques: Box<[VecDeque<u32>]>,
    pub(crate) tiles: Box<[Tiles]>,
    /// By time of the event.
    pub(crate) marks: Vec<Mark>,
}

/// The state of one log.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) ring: Ring,
    pub(crate) words: Words,
    extras: Option<Box<Extras>>,
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
pub(crate) const fn short(hash: u64) -> u32 {
    hash as u32
}

#[inline]
pub(crate) const fn wide(words: &[u64], word: usize) -> i128 {
    (words[word] as u128 | (words[word + 1] as u128) << 64).cast_signed()
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "in two halves")]
const fn set_wide(words: &mut [u64], word: usize, value: i128) {
    let bits = value.cast_unsigned();
    words[word] = bits as u64;
    words[word + 1] = (bits >> 64) as u64;
}

/// After every event.
const NEVER: i64 = i64::MAX;

/// Where a window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Ordinal of the first event in it.
    pub(crate) left: u32,
    /// Ordinal of the first event that has not entered it.
    pub(crate) entered: u32,
    /// Times of these two; the end of time where there is none.
    next_leaves: i64,
    next_enters: i64,
}

impl Cursor {
    const EMPTY: Self = Self {
        left: 0,
        entered: 0,
        next_leaves: NEVER,
        next_enters: NEVER,
    };

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of one word")]
    fn read(words: &[u64], window: &WindowPlan) -> Self {
        let at = window.cursor;
        Self {
            left: words[at] as u32,
            entered: (words[at] >> 32) as u32,
            next_leaves: words[at + 1].cast_signed(),
            next_enters: if window.delay > 0 {
                words[at + 2].cast_signed()
            } else {
                NEVER
            },
        }
    }

    #[inline]
    fn write(self, words: &mut [u64], window: &WindowPlan) {
        let at = window.cursor;
        words[at] = u64::from(self.left) | u64::from(self.entered) << 32;
        words[at + 1] = self.next_leaves.cast_unsigned();
        if window.delay > 0 {
            words[at + 2] = self.next_enters.cast_unsigned();
        }
    }
}

/// Two sums in one place: cosines and sines.
#[inline]
pub(crate) const fn pair_at(words: &[u64], word: usize) -> (i64, i64) {
    (words[word].cast_signed(), words[word + 1].cast_signed())
}

/// Time of day in seconds, in local time.
#[inline]
pub(crate) fn second_of_day(time: i64, rules: &Rules) -> u32 {
    let second = (time.saturating_add(rules.offset)).rem_euclid(86_400_000_000) / 1_000_000;
    u32::try_from(second).unwrap_or_default()
}

impl Log {
    pub(crate) fn new(plan: &LogPlan) -> Self {
        let extras = plan.maps + plan.deques + plan.tiled.len() > 0;
        let mut log = Self {
            ring: Ring::default(),
            words: Words::new(plan.words),
            extras: extras.then(|| {
                Box::new(Extras {
                    maps: vec![CountMap::default(); plan.maps].into(),
                    deques: vec![VecDeque::new(); plan.deques].into(),
                    tiles: plan.tiled.iter().map(|_| Tiles::default()).collect(),
                    marks: Vec::new(),
                })
            }),
        };
        for window in &plan.windows {
            log.set_cursor(window, Cursor::EMPTY);
        }
        log
    }

    pub(crate) fn maps(&self) -> &[CountMap] {
        self.extras.as_ref().map_or(&[], |extras| &extras.maps)
    }

    pub(crate) fn map_mut(&mut self, map: usize) -> Option<&mut CountMap> {
        self.extras.as_mut()?.maps.get_mut(map)
    }

    pub(crate) fn deques(&self) -> &[VecDeque<u32>] {
        self.extras.as_ref().map_or(&[], |extras| &extras.deques)
    }

    pub(crate) fn tiles(&self) -> &[Tiles] {
        self.extras.as_ref().map_or(&[], |extras| &extras.tiles)
    }

    pub(crate) fn tiles_mut(&mut self) -> &mut [Tiles] {
        self.extras
            .as_mut()
            .map_or(&mut [], |extras| &mut extras.tiles)
    }

    pub(crate) fn marks(&self) -> &[Mark] {
        self.extras.as_ref().map_or(&[], |extras| &extras.marks)
    }

    pub(crate) fn set_marks(&mut self, marks: Vec<Mark>) {
        if !marks.is_empty() || self.extras.is_some() {
            self.extras.get_or_insert_default().marks = marks;
        }
    }

    fn set_tiles(&mut self, tiles: &[Tiles]) {
        self.tiles_mut().clone_from_slice(tiles);
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let extras = self.extras.as_ref().map_or(0, |extras| {
            let maps = extras
                .maps
                .iter()
                .map(|map| size_of::<CountMap>() + map.bytes());
            let deques = extras.deques.iter();
            let deques = deques.map(|deque| size_of::<VecDeque<u32>>() + deque.capacity() * 4);
            let tiles = extras.tiles.iter().map(Tiles::bytes);
            size_of::<Extras>()
                + maps.chain(deques).chain(tiles).sum::<usize>()
                + extras.marks.capacity() * size_of::<Mark>()
        });
        self.ring.bytes() + self.words.heap.len() * 8 + extras
    }

    #[inline]
    pub(crate) fn cursor(&self, window: &WindowPlan) -> Cursor {
        Cursor::read(self.words.all(), window)
    }

    #[inline]
    fn set_cursor(&mut self, window: &WindowPlan, cursor: Cursor) {
        cursor.write(self.words.all_mut(), window);
    }

    /// Events of a window.
    #[inline]
    pub(crate) fn count(&self, window: &WindowPlan) -> u32 {
        let cursor = self.cursor(window);
        cursor.entered.wrapping_sub(cursor.left)
    }

    /// Time of an event, or the end of time where there is none before `end`.
    #[inline]
    fn time_before(&self, plan: &LogPlan, ordinal: u32, end: u32) -> i64 {
        if ordinal == end {
            NEVER
        } else {
            self.ring.time(plan.shape, ordinal)
        }
    }

    /// Reads a word of each place that [`Log::advance`] and [`Log::push`] will read, without waiting for one to come
    /// before asking for the next: most of their time is waiting for memory.
    #[inline]
    pub(crate) fn touch(&self, plan: &LogPlan) -> u32 {
        let mut sum = 0_u32;
        for window in &plan.windows {
            let cursor = self.cursor(window);
            sum = sum.wrapping_add(self.ring.touch(plan.shape, cursor.left));
            if window.delay > 0 {
                sum = sum.wrapping_add(self.ring.touch(plan.shape, cursor.entered));
            }
        }
        sum
    }

    /// Moves all windows on to an instant that is not before the last one.
    #[inline]
    pub(crate) fn advance(&mut self, plan: &LogPlan, now: i64, rules: &Rules) {
        for window in &plan.windows {
            let mut cursor = self.cursor(window);
            let latest = now.saturating_sub(window.delay);
            let gone = latest.saturating_sub(window.within);
            // The times of the next events to enter and to leave stand beside the cursor: mostly the events themselves
            // need not be looked at.
            if cursor.next_enters > latest && cursor.next_leaves > gone {
                continue;
            }
            while cursor.next_enters <= latest {
                let others = cursor.left != cursor.entered;
                self.enter(plan, window, (cursor.entered, others), rules);
                if !others {
                    cursor.next_leaves = cursor.next_enters;
                }
                cursor.entered = cursor.entered.wrapping_add(1);
                cursor.next_enters = self.time_before(plan, cursor.entered, self.ring.end());
            }
            while cursor.next_leaves <= gone {
                let last = cursor.left.wrapping_add(1) == cursor.entered;
                self.leave(plan, window, (cursor.left, !last), rules);
                cursor.left = cursor.left.wrapping_add(1);
                cursor.next_leaves = self.time_before(plan, cursor.left, cursor.entered);
            }
            self.set_cursor(window, cursor);
        }
    }

    /// An event enters a window; `after` tells whether there are others in it.
    #[inline]
    fn enter(
        &mut self,
        plan: &LogPlan,
        window: &WindowPlan,
        (ordinal, after): (u32, bool),
        rules: &Rules,
    ) {
        if window.parts.is_empty() {
            return;
        }
        let (shape, ring) = (plan.shape, &self.ring);
        let words = self.words.all_mut();
        let mut none = Extras::default();
        let extras = self.extras.as_deref_mut().unwrap_or(&mut none);
        for part in &window.parts {
            match *part {
                Part::Sum { number, word } => {
                    let sum = wide(words, word) + i128::from(ring.number(shape, ordinal, number));
                    set_wide(words, word, sum);
                }
                Part::Squares { number, word } => {
                    let number = i128::from(ring.number(shape, ordinal, number));
                    let sum = wide(words, word) + number * number;
                    set_wide(words, word, sum);
                }
                Part::Gaps { word } if after => {
                    let gap = gap_before(ring, plan, ordinal);
                    let sum = wide(words, word) + gap * gap;
                    set_wide(words, word, sum);
                }
                Part::Gaps { .. } => {}
                Part::Hours { word } => {
                    let (cos, sin) = unit_vector(second_of_day(ring.time(shape, ordinal), rules));
                    let (cosines, sines) = pair_at(words, word);
                    words[word] = (cosines + cos).cast_unsigned();
                    words[word + 1] = (sines + sin).cast_unsigned();
                }
                Part::Least { number, deque } => {
                    let value = ring.number(shape, ordinal, number);
                    let deque = &mut extras.deques[deque];
                    while deque
                        .back()
                        .is_some_and(|&at| ring.number(shape, at, number) >= value)
                    {
                        deque.pop_back();
                    }
                    deque.push_back(ordinal);
                }
                Part::Most { number, deque } => {
                    let value = ring.number(shape, ordinal, number);
                    let deque = &mut extras.deques[deque];
                    while deque
                        .back()
                        .is_some_and(|&at| ring.number(shape, at, number) <= value)
                    {
                        deque.pop_back();
                    }
                    deque.push_back(ordinal);
                }
                Part::Values { code, map } => match ring.code(shape, ordinal, code) {
                    0 => {}
                    value => extras.maps[map].add(value),
                },
                Part::Buckets { number, map } => {
                    let bucket = log_bucket(ring.number(shape, ordinal, number));
                    extras.maps[map].add(bucket.cast_unsigned());
                }
                Part::Digits { number, map } => {
                    if let Some(digit) = first_digit(ring.number(shape, ordinal, number)) {
                        extras.maps[map].add(u32::from(digit));
                    }
                }
            }
        }
    }

    /// The oldest event leaves a window; `others` tells whether there are others in it.
    #[inline]
    fn leave(
        &mut self,
        plan: &LogPlan,
        window: &WindowPlan,
        (ordinal, others): (u32, bool),
        rules: &Rules,
    ) {
        if window.parts.is_empty() {
            return;
        }
        let (shape, ring) = (plan.shape, &self.ring);
        let words = self.words.all_mut();
        let mut none = Extras::default();
        let extras = self.extras.as_deref_mut().unwrap_or(&mut none);
        for part in &window.parts {
            match *part {
                Part::Sum { number, word } => {
                    let sum = wide(words, word) - i128::from(ring.number(shape, ordinal, number));
                    set_wide(words, word, sum);
                }
                Part::Squares { number, word } => {
                    let number = i128::from(ring.number(shape, ordinal, number));
                    let sum = wide(words, word) - number * number;
                    set_wide(words, word, sum);
                }
                Part::Gaps { word } if others => {
                    let gap = gap_before(ring, plan, ordinal.wrapping_add(1));
                    let sum = wide(words, word) - gap * gap;
                    set_wide(words, word, sum);
                }
                Part::Gaps { .. } => {}
                Part::Hours { word } => {
                    let (cos, sin) = unit_vector(second_of_day(ring.time(shape, ordinal), rules));
                    let (cosines, sines) = pair_at(words, word);
                    words[word] = (cosines - cos).cast_unsigned();
                    words[word + 1] = (sines - sin).cast_unsigned();
                }
                Part::Least { deque, .. } | Part::Most { deque, .. } => {
                    let deque = &mut extras.deques[deque];
                    if deque.front() == Some(&ordinal) {
                        deque.pop_front();
                    }
                }
                Part::Values { code, map } => match ring.code(shape, ordinal, code) {
                    0 => {}
                    value => extras.maps[map].remove(value),
                },
                Part::Buckets { number, map } => {
                    let bucket = log_bucket(ring.number(shape, ordinal, number));
                    extras.maps[map].remove(bucket.cast_unsigned());
                }
                Part::Digits { number, map } => {
                    if let Some(digit) = first_digit(ring.number(shape, ordinal, number)) {
                        extras.maps[map].remove(u32::from(digit));
                    }
                }
            }
        }
    }

    /// Forgets events that no window and no measure can need any more.
    fn prune(&mut self, plan: &LogPlan, now: i64) {
        let gone = now.saturating_sub(plan.retention);
        while self.ring.len() > 0 && self.ring.time(plan.shape, self.ring.first()) <= gone {
            let first = self.ring.first();
            let held = plan.held.iter().any(|&(window, most)| {
                let entered = self.cursor(&plan.windows[window]).entered;
                entered.wrapping_sub(first) <= most
            });
            if held {
                break;
            }
            self.ring.pop();
        }
        if let Some(age) = plan.labels
            && self.marks().len() > 1
        {
            self.prune_marks(plan, now, age);
        }
    }

    /// Forgets marks that are older than what labels are asked for and than every event held, but not the newest that
    /// is known.
    fn prune_marks(&mut self, plan: &LogPlan, now: i64, age: i64) {
        let oldest = self.time_before(plan, self.ring.first(), self.ring.end());
        let Some(extras) = &mut self.extras else {
            return;
        };
        let marks = &mut extras.marks;
        let gone = now.saturating_sub(age).min(oldest.saturating_sub(1));
        let newest_known = marks
            .iter()
            .rposition(|mark| mark.known(gone) && mark.cleared_at == i64::MAX)
            .unwrap_or(0);
        let old = marks.partition_point(|mark| mark.time <= gone);
        marks.drain(..old.min(newest_known));
    }

    /// Takes an event that is not before the newest, after [`Log::advance`] to its time. Returns how many events
    /// the cap dropped.
    pub(crate) fn push(&mut self, plan: &LogPlan, entry: &Entry, rules: &Rules) -> u64 {
        self.prune(plan, entry.time);
        let mut dropped = 0;
        while self.ring.len() >= rules.most_events {
            self.drop_oldest(plan, rules);
            dropped += 1;
        }
        for decay in &plan.decays {
            let added = decay
                .number
                .map_or(1.0, |number| entry.numbers[number] as f64);
            let value = self.decayed(plan, decay.word, decay.half_life, entry.time) + added;
            self.set_decay(decay.word, value);
        }
        if plan.keeps_events() {
            let ordinal = self.ring.end();
            self.ring.push(plan.shape, entry);
            for window in &plan.windows {
                let mut cursor = self.cursor(window);
                if window.delay > 0 {
                    if cursor.entered == ordinal {
                        cursor.next_enters = entry.time;
                        self.set_cursor(window, cursor);
                    }
                    continue;
                }
                let others = cursor.left != cursor.entered;
                self.enter(plan, window, (ordinal, others), rules);
                if !others {
                    cursor.next_leaves = entry.time;
                }
                cursor.entered = cursor.entered.wrapping_add(1);
                self.set_cursor(window, cursor);
            }
        }
        dropped
    }

    fn set_decay(&mut self, word: usize, value: f64) {
        self.words.all_mut()[word] = value.to_bits();
    }

    fn drop_oldest(&mut self, plan: &LogPlan, rules: &Rules) {
        let first = self.ring.first();
        let next = first.wrapping_add(1);
        for window in &plan.windows {
            let mut cursor = self.cursor(window);
            if cursor.entered == first {
                cursor.entered = next;
                cursor.left = next;
                cursor.next_enters = self.time_before(plan, next, self.ring.end());
            } else if cursor.left == first {
                if window.within != FOREVER {
                    self.leave(plan, window, (first, next != cursor.entered), rules);
                }
                cursor.left = next;
                cursor.next_leaves = self.time_before(plan, next, cursor.entered);
            }
            self.set_cursor(window, cursor);
        }
        self.ring.pop();
    }

    /// A decayed sum at an instant that is not before the newest event.
    pub(crate) fn decayed(&self, plan: &LogPlan, word: usize, half_life: f64, now: i64) -> f64 {
        let value = f64::from_bits(self.words.all()[word]);
        match self.ring.newest(plan.shape) {
            Some(newest) => value * (-((now - newest) as f64) / half_life).exp2(),
            None => 0.0,
        }
    }

    /// Takes the label of a record that will be known at an instant.
    pub(crate) fn mark(&mut self, mark: Mark, most: u32) {
        let marks = &mut self.extras.get_or_insert_default().marks;
        let same = |other: &&mut Mark| other.id == mark.id && other.time == mark.time;
        if let Some(other) = marks.iter_mut().find(same) {
            other.known_at = other.known_at.min(mark.known_at);
            if other.cleared_at <= mark.known_at {
                *other = mark;
            }
            return;
        }
        if marks.len() >= most as usize {
            marks.remove(0);
        }
        let at = marks.partition_point(|other| other.time <= mark.time);
        marks.insert(at, mark);
    }

    /// Takes a fraud back, from an instant on.
    pub(crate) fn clear(&mut self, time: i64, id: u32, at: i64) {
        let marks = self.extras.iter_mut().flat_map(|extras| &mut extras.marks);
        for mark in marks.filter(|mark| mark.id == id && mark.time == time) {
            mark.cleared_at = mark.cleared_at.min(at);
        }
    }

    /// Forgets the label of an event.
    pub(crate) fn unmark(&mut self, time: i64, id: u32) {
        if let Some(extras) = &mut self.extras {
            extras
                .marks
                .retain(|mark| mark.id != id || mark.time != time);
        }
    }

    /// The log as it was at an instant: events up to it, in order, but one that equals `without`.
    pub(crate) fn as_of(
        &self,
        plan: &LogPlan,
        now: i64,
        without: Option<&Entry>,
        rules: &Rules,
    ) -> Self {
        let mut entries: Vec<Entry> = self
            .ring
            .entries(plan.shape)
            .take_while(|entry| entry.time <= now)
            .collect();
        let later = self.ring.len() as usize - entries.len();
        let equal =
            without.and_then(|without| entries.iter().rposition(|entry| entry.same(without)));
        let taken = equal.map(|at| entries.remove(at));
        let mut log = Self::new(plan);
        log.set_marks(self.marks().to_vec());
        log.set_tiles(self.tiles());
        for tiles in log.tiles_mut() {
            tiles.forget_after(now);
        }
        log.replay(plan, &entries, rules);
        let newest = self.ring.newest(plan.shape);
        for decay in &plan.decays {
            let number = |entry: &Entry| {
                decay
                    .number
                    .map_or(1.0, |number| entry.numbers[number] as f64)
            };
            let at = log.ring.newest(plan.shape).unwrap_or(now);
            let mut value = f64::from_bits(self.words.all()[decay.word]);
            let first_later = self
                .ring
                .end()
                .wrapping_sub(u32::try_from(later).unwrap_or_default());
            let gone = (0..later).map(|place| {
                let place = u32::try_from(place).unwrap_or_default();
                self.ring.entry(plan.shape, first_later.wrapping_add(place))
            });
            let newest = newest.unwrap_or(at);
            for entry in gone.chain(taken) {
                value -=
                    number(&entry) * (-((newest - entry.time) as f64) / decay.half_life).exp2();
            }
            value *= ((newest - at) as f64 / decay.half_life).exp2();
            let empty = log.ring.len() == 0;
            log.set_decay(decay.word, if empty { 0.0 } else { value });
        }
        log
    }

    /// Takes events in order of time into a log without any.
    fn replay(&mut self, plan: &LogPlan, entries: &[Entry], rules: &Rules) {
        for entry in entries {
            self.advance(plan, entry.time, rules);
            self.push(plan, entry, rules);
        }
    }

    /// The same log with other events, windows standing where they stood.
    fn with_entries(&self, plan: &LogPlan, entries: &[Entry], now: i64, rules: &Rules) -> Self {
        let mut log = Self::new(plan);
        log.replay(plan, entries, rules);
        log.advance(plan, now, rules);
        log.set_marks(self.marks().to_vec());
        log.set_tiles(self.tiles());
        for decay in &plan.decays {
            log.set_decay(decay.word, f64::from_bits(self.words.all()[decay.word]));
        }
        log
    }

    /// Puts an event that comes late in its place: after all with its time or an earlier one. `now` is the time that
    /// the windows stand at. Returns how many events the cap dropped.
    pub(crate) fn insert(&mut self, plan: &LogPlan, entry: &Entry, now: i64, rules: &Rules) -> u64 {
        let mut entries: Vec<Entry> = self.ring.entries(plan.shape).collect();
        let newest = entries.last().map(|last| last.time);
        let at = entries.partition_point(|other| other.time <= entry.time);
        entries.insert(at, *entry);
        let most = rules.most_events as usize;
        let over = entries.len().saturating_sub(most);
        let mut log = self.with_entries(plan, &entries[over..], now, rules);
        let newest = newest.unwrap_or(entry.time).max(entry.time);
        for decay in &plan.decays {
            let added = decay
                .number
                .map_or(1.0, |number| entry.numbers[number] as f64);
            let weight = (-((newest - entry.time) as f64) / decay.half_life).exp2();
            let before = self.decayed(plan, decay.word, decay.half_life, newest);
            log.set_decay(decay.word, before + added * weight);
        }
        *self = log;
        over as u64
    }

    /// Takes an event out again; returns whether it was there.
    pub(crate) fn remove(
        &mut self,
        plan: &LogPlan,
        entry: &Entry,
        now: i64,
        rules: &Rules,
    ) -> bool {
        let mut entries: Vec<Entry> = self.ring.entries(plan.shape).collect();
        let newest = entries.last().map(|last| last.time);
        let Some(at) = entries.iter().rposition(|other| other.same(entry)) else {
            return false;
        };
        entries.remove(at);
        let mut log = self.with_entries(plan, &entries, now, rules);
        let (before, after) = (newest.unwrap_or(entry.time), log.ring.newest(plan.shape));
        for decay in &plan.decays {
            let taken = decay
                .number
                .map_or(1.0, |number| entry.numbers[number] as f64);
            let weight = (-((before - entry.time) as f64) / decay.half_life).exp2();
            let value = f64::from_bits(self.words.all()[decay.word]) - taken * weight;
            let back = after.map_or(0.0, |after| {
                value * ((before - after) as f64 / decay.half_life).exp2()
            });
            log.set_decay(decay.word, back);
        }
        *self = log;
        true
    }
}

fn gap_before(ring: &Ring, plan: &LogPlan, ordinal: u32) -> i128 {
    let earlier = ring.time(plan.shape, ordinal.wrapping_sub(1));
    i128::from(ring.time(plan.shape, ordinal) - earlier)
}

impl Entry {
    /// The event as this log keeps it.
    pub(crate) fn of(event: &EventView<'_>, plan: &LogPlan) -> Self {
        let mut entry = Self::at(event.head.time);
        for (number, &place) in entry.numbers.iter_mut().zip(&plan.numbers) {
            let value = event.numbers[place];
            *number = if value == MISSING { 0 } else { value };
        }
        let place = event.facts.place.map(to_micro_degrees);
        for (code, source) in entry.codes.iter_mut().zip(&plan.codes) {
            *code = match *source {
                CodeSource::Field(place) => short(event.codes[place]),
                CodeSource::Id => short(event.head.id),
                CodeSource::Latitude => place.map_or(0, |(latitude, _)| latitude.cast_unsigned()),
                CodeSource::Longitude => {
                    place.map_or(0, |(_, longitude)| longitude.cast_unsigned())
                }
            };
        }
        entry
    }

    fn same(&self, other: &Self) -> bool {
        self.time == other.time && self.numbers == other.numbers && self.codes == other.codes
    }
}

impl LogPlan {
    /// Whether any single event has to be kept.
    pub(crate) fn keeps_events(&self) -> bool {
        !self.windows.is_empty()
    }
}
