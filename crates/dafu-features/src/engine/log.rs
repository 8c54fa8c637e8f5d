//! The log of one entity: its events, and what is kept up to date about its windows.

use super::bucket_list::BucketList;
use super::count_map::CountMap;
use super::event::{EventView, MISSING};
use super::log_plan::{CodeSource, DecayPlan, FOREVER, LogPlan, WindowPlan};
use super::mark::Mark;
use super::plan::Rules;
use super::ring::{Entry, Ring};
use super::table::Entity;
use super::tiles::Tiles;
use crate::measure::to_micro_degrees;
use std::collections::VecDeque;

/// Words kept in the log itself; where there are more, they have a place of their own.
const INLINE: usize = 12;

/// What only some logs have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras {
    /// Where there are more than fit the log itself.
    words: Box<[u64]>,
    pub(crate) maps: Box<[CountMap]>,
    pub(crate) buckets: Box<[BucketList]>,
    pub(crate) deques: Box<[VecDeque<u32>]>,
    pub(crate) tiles: Box<[Tiles]>,
    /// By time of the event.
    pub(crate) marks: Vec<Mark>,
}

/// Maps, sketches and queues of a log.
pub(super) type ExtraParts<'a> = (
    &'a mut [CountMap],
    &'a mut [BucketList],
    &'a mut [VecDeque<u32>],
);

/// The state of one log. Aligned so that it lies on three lines of memory.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(crate) struct Log {
    /// Of the first log of an entity: the entity.
    pub(crate) entity: Entity,
    pub(crate) ring: Ring,
    /// Cursors, times and sums, at places that the plan gives.
    inline: [u64; INLINE],
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
pub(super) const fn set_wide(words: &mut [u64], word: usize, value: i128) {
    let bits = value.cast_unsigned();
    words[word] = bits as u64;
    words[word + 1] = (bits >> 64) as u64;
}

/// After every event.
pub(super) const NEVER: i64 = i64::MAX;

/// Where a window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Ordinal of the first event in it.
    pub(crate) left: u32,
    /// Ordinal of the first event that has not entered it.
    pub(crate) entered: u32,
    /// Times of these two; the end of time where there is none.
    pub(super) next_leaves: i64,
    pub(super) next_enters: i64,
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
    pub(super) fn read(words: &[u64], window: &WindowPlan) -> Self {
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
    pub(super) fn write(self, words: &mut [u64], window: &WindowPlan) {
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
        let words = if plan.words > INLINE { plan.words } else { 0 };
        let extras = words + plan.maps + plan.buckets + plan.deques + plan.tiled.len() > 0;
        let mut log = Self {
            entity: Entity::new([0, 0]),
            ring: Ring::default(),
            inline: [0; INLINE],
            extras: extras.then(|| {
                Box::new(Extras {
                    words: vec![0; words].into(),
                    maps: vec![CountMap::default(); plan.maps].into(),
                    buckets: vec![BucketList::default(); plan.buckets].into(),
                    deques: vec![VecDeque::new(); plan.deques].into(),
                    tiles: plan.tiled.iter().map(|_| Tiles::default()).collect(),
                    marks: Vec::new(),
                })
            }),
        };
        for window in &plan.windows {
            log.set_cursor(plan, window, Cursor::EMPTY);
        }
        if !plan.decays.is_empty() {
            log.words_mut(plan)[plan.decay_time] = i64::MIN.cast_unsigned();
        }
        log
    }

    #[inline]
    pub(crate) fn words(&self, plan: &LogPlan) -> &[u64] {
        match &self.extras {
            Some(extras) if plan.words > INLINE => &extras.words,
            _ => &self.inline,
        }
    }

    #[inline]
    pub(super) fn words_mut(&mut self, plan: &LogPlan) -> &mut [u64] {
        match &mut self.extras {
            Some(extras) if plan.words > INLINE => &mut extras.words,
            _ => &mut self.inline,
        }
    }

    #[inline]
    pub(super) fn words_and_ring(&mut self, plan: &LogPlan) -> (&mut [u64], &mut Ring) {
        match &mut self.extras {
            Some(extras) if plan.words > INLINE => (&mut extras.words, &mut self.ring),
            _ => (&mut self.inline, &mut self.ring),
        }
    }

    /// The words, the events, and what else there is.
    #[inline]
    pub(super) fn split(&mut self, plan: &LogPlan) -> (&mut [u64], &Ring, Option<ExtraParts<'_>>) {
        match &mut self.extras {
            Some(extras) => {
                let Extras {
                    words,
                    maps,
                    buckets,
                    deques,
                    ..
                } = &mut **extras;
                let words = if plan.words > INLINE {
                    &mut **words
                } else {
                    &mut self.inline
                };
                (words, &self.ring, Some((maps, buckets, deques)))
            }
            None => (&mut self.inline, &self.ring, None),
        }
    }

    pub(crate) fn maps(&self) -> &[CountMap] {
        self.extras.as_ref().map_or(&[], |extras| &extras.maps)
    }

    pub(crate) fn buckets(&self) -> &[BucketList] {
        self.extras.as_ref().map_or(&[], |extras| &extras.buckets)
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

    pub(super) fn marks_mut(&mut self) -> &mut [Mark] {
        self.extras
            .as_mut()
            .map_or(&mut [], |extras| &mut extras.marks)
    }

    pub(super) fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    pub(crate) fn set_marks(&mut self, marks: Vec<Mark>) {
        if !marks.is_empty() || self.extras.is_some() {
            self.extras_mut().marks = marks;
        }
    }

    pub(super) fn set_tiles(&mut self, tiles: &[Tiles]) {
        self.tiles_mut().clone_from_slice(tiles);
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let extras = self.extras.as_ref().map_or(0, |extras| {
            let maps = extras
                .maps
                .iter()
                .map(|map| size_of::<CountMap>() + map.bytes());
            let buckets = extras.buckets.iter();
            let buckets = buckets.map(|list| size_of::<BucketList>() + list.heap_bytes());
            let deques = extras.deques.iter();
            let deques = deques.map(|deque| size_of::<VecDeque<u32>>() + deque.capacity() * 4);
            let tiles = extras.tiles.iter().map(Tiles::bytes);
            size_of::<Extras>()
                + extras.words.len() * 8
                + maps
                    .chain(buckets)
                    .chain(deques)
                    .chain(tiles)
                    .sum::<usize>()
                + extras.marks.capacity() * size_of::<Mark>()
        });
        self.ring.bytes() + extras
    }

    #[inline]
    pub(crate) fn cursor(&self, plan: &LogPlan, window: &WindowPlan) -> Cursor {
        Cursor::read(self.words(plan), window)
    }

    #[inline]
    fn set_cursor(&mut self, plan: &LogPlan, window: &WindowPlan, cursor: Cursor) {
        cursor.write(self.words_mut(plan), window);
    }

    /// Events of a window.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "two halves of one word")]
    pub(crate) fn count(&self, plan: &LogPlan, window: &WindowPlan) -> u32 {
        let ends = self.words(plan)[window.cursor];
        ((ends >> 32) as u32).wrapping_sub(ends as u32)
    }

    /// Time of an event, or the end of time where there is none before `end`.
    #[inline]
    pub(super) fn time_before(&self, plan: &LogPlan, ordinal: u32, end: u32) -> i64 {
        if ordinal == end {
            NEVER
        } else {
            self.ring.time(plan.shape, ordinal)
        }
    }

    /// Reads one word of each line of the log itself, see [`super::ahead`].
    #[inline]
    pub(crate) const fn touch(&self) -> u64 {
        self.entity.last.cast_unsigned() ^ self.inline[0] ^ self.inline[INLINE - 1]
    }

    /// Reads one word of each place on the heap that taking an event is likely to need, see [`super::ahead`].
    #[inline]
    pub(crate) fn touch_heap(&self) -> u64 {
        let Some(extras) = &self.extras else {
            return 0;
        };
        let maps = extras.maps.iter().map(CountMap::touch);
        maps.fold(
            u64::from(extras.words.first().copied().unwrap_or_default() != 0),
            |sum, word| sum ^ word,
        )
    }

    /// Moves all windows on to an instant that is not before the last one.
    #[inline]
    pub(crate) fn advance(&mut self, plan: &LogPlan, now: i64, rules: &Rules) {
        for window in &plan.windows {
            let mut cursor = self.cursor(plan, window);
            let latest = now.saturating_sub(window.delay);
            let gone = latest.saturating_sub(window.within);
            // The times of the next events to enter and to leave stand beside the cursor: mostly the events themselves
            // need not be looked at.
            if cursor.next_enters > latest && cursor.next_leaves > gone {
                continue;
            }
            while cursor.next_enters <= latest {
                let others = cursor.left != cursor.entered;
                self.pass::<true>(plan, window, (cursor.entered, others), rules);
                if !others {
                    cursor.next_leaves = cursor.next_enters;
                }
                cursor.entered = cursor.entered.wrapping_add(1);
                cursor.next_enters = self.time_before(plan, cursor.entered, self.ring.end());
            }
            while cursor.next_leaves <= gone {
                let last = cursor.left.wrapping_add(1) == cursor.entered;
                self.pass::<false>(plan, window, (cursor.left, !last), rules);
                cursor.left = cursor.left.wrapping_add(1);
                cursor.next_leaves = self.time_before(plan, cursor.left, cursor.entered);
            }
            self.set_cursor(plan, window, cursor);
        }
    }

    /// Forgets events that no window and no measure can need any more.
    pub(super) fn prune(&mut self, plan: &LogPlan, now: i64) {
        let gone = now.saturating_sub(plan.retention);
        while self.ring.len() > 0 && self.ring.time(plan.shape, self.ring.first()) <= gone {
            let first = self.ring.first();
            let held = plan.held.iter().any(|&(window, most)| {
                let entered = self.cursor(plan, &plan.windows[window]).entered;
                entered.wrapping_sub(first) <= most
            });
            if held {
                break;
            }
            self.fold(plan, first);
            self.ring.pop();
        }
        if let Some(age) = plan.labels
            && !self.marks().is_empty()
        {
            self.prune_marks(plan, now, age);
        }
    }

    /// The log without what it need not hold any more: the same for the same memory, however much of it was let go of.
    pub(super) fn pruned(&self, plan: &LogPlan, now: i64) -> Self {
        let mut log = self.clone();
        log.prune(plan, now);
        log
    }

    /// Whether a label is there that [`Log::prune`] might forget. It must not be put off: which labels go when there
    /// are too many depends on those that are there.
    #[inline]
    pub(super) fn may_let_go_of_labels(&self, plan: &LogPlan, now: i64) -> bool {
        let gone = |age| now.saturating_sub(age);
        let oldest = self.marks().first();
        oldest.is_some_and(|mark| plan.labels.is_some_and(|age| mark.time <= gone(age)))
    }

    /// Takes an event that is not before the newest, after [`Log::advance`] to its time. Returns how many events
    /// the cap dropped.
    pub(crate) fn push(&mut self, plan: &LogPlan, entry: &Entry, rules: &Rules) -> u64 {
        // Looking at the oldest event costs a wait for memory: only where there is no room left, or labels may go.
        let full = self.ring.is_full() || self.ring.len() >= rules.most_events;
        if full || self.may_let_go_of_labels(plan, entry.time) {
            self.prune(plan, entry.time);
        }
        let mut dropped = 0;
        while self.ring.len() >= rules.most_events {
            self.drop_oldest(plan, rules);
            dropped += 1;
        }
        if !plan.decays.is_empty() {
            let newest = self.decay_newest(plan);
            let words = self.words_mut(plan);
            for decay in &plan.decays {
                let value = f64::from_bits(words[decay.word]);
                words[decay.word] = decay.joined((value, newest), entry).to_bits();
            }
        }
        if plan.keeps_events() {
            let ordinal = self.ring.end();
            self.ring.push(plan.shape, entry);
            for window in &plan.windows {
                let mut cursor = self.cursor(plan, window);
                if window.delay > 0 {
                    if cursor.entered == ordinal {
                        cursor.next_enters = entry.time;
                        self.set_cursor(plan, window, cursor);
                    }
                    continue;
                }
                let others = cursor.left != cursor.entered;
                self.pass::<true>(plan, window, (ordinal, others), rules);
                if !others {
                    cursor.next_leaves = entry.time;
                }
                cursor.entered = cursor.entered.wrapping_add(1);
                self.set_cursor(plan, window, cursor);
            }
        }
        dropped
    }

    fn drop_oldest(&mut self, plan: &LogPlan, rules: &Rules) {
        let first = self.ring.first();
        let next = first.wrapping_add(1);
        for window in &plan.windows {
            let mut cursor = self.cursor(plan, window);
            if cursor.entered == first {
                cursor.entered = next;
                cursor.left = next;
                cursor.next_enters = self.time_before(plan, next, self.ring.end());
            } else if cursor.left == first {
                if window.within != FOREVER {
                    self.pass::<false>(plan, window, (first, next != cursor.entered), rules);
                }
                cursor.left = next;
                cursor.next_leaves = self.time_before(plan, next, cursor.entered);
            }
            self.set_cursor(plan, window, cursor);
        }
        self.fold(plan, first);
        if plan.labels.is_some() && !self.marks().is_empty() {
            let time = self.ring.time(plan.shape, first);
            let id = plan
                .id
                .map(|column| self.ring.code(plan.shape, first, column));
            self.uncount(time, id);
        }
        self.ring.pop();
    }

    /// Takes the oldest event into what decaying sums were before the first event that is held.
    fn fold(&mut self, plan: &LogPlan, ordinal: u32) {
        if plan.decays.is_empty() {
            return;
        }
        let entry = self.ring.entry(plan.shape, ordinal);
        let words = self.words_mut(plan);
        let before = words[plan.decay_time].cast_signed();
        for decay in &plan.decays {
            let base = f64::from_bits(words[decay.word + 1]);
            words[decay.word + 1] = decay.joined((base, before), &entry).to_bits();
        }
        words[plan.decay_time] = before.max(entry.time).cast_unsigned();
    }

    /// Time of the newest event that decaying sums know; before all time where they know none.
    fn decay_newest(&self, plan: &LogPlan) -> i64 {
        let folded = self.words(plan)[plan.decay_time].cast_signed();
        let held = self.ring.newest(plan.shape);
        held.map_or(folded, |held| held.max(folded))
    }

    /// Time of the last event that is no longer held, and the bits of decaying sums at it.
    pub(super) fn decay_base(&self, plan: &LogPlan) -> (i64, Vec<u64>) {
        if plan.decays.is_empty() {
            return (i64::MIN, Vec::new());
        }
        let words = self.words(plan);
        let sums = plan.decays.iter().map(|decay| words[decay.word + 1]);
        (words[plan.decay_time].cast_signed(), sums.collect())
    }

    /// Begins with what decaying sums were before the first event that is held.
    pub(super) fn set_decay_base(&mut self, plan: &LogPlan, time: i64, sums: &[u64]) {
        if plan.decays.is_empty() {
            return;
        }
        let words = self.words_mut(plan);
        words[plan.decay_time] = time.cast_unsigned();
        for (decay, sum) in plan.decays.iter().zip(sums) {
            words[decay.word] = *sum;
            words[decay.word + 1] = *sum;
        }
    }

    /// A decaying sum at an instant that is not before the newest event.
    pub(crate) fn decayed(&self, plan: &LogPlan, decay: &DecayPlan, now: i64) -> f64 {
        let value = f64::from_bits(self.words(plan)[decay.word]);
        decay.faded(value, now.saturating_sub(self.decay_newest(plan)))
    }
}

impl Entry {
    /// The event as this log keeps it.
    pub(crate) fn of(event: &EventView<'_>, plan: &LogPlan) -> Self {
        let mut entry = Self::at(event.head.time);
        for (to, number) in entry.numbers.iter_mut().zip(plan.numbers_of(event)) {
            *to = number;
        }
        for (to, code) in entry.codes.iter_mut().zip(plan.codes_of(event)) {
            *to = code;
        }
        entry
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.time == other.time && self.numbers == other.numbers && self.codes == other.codes
    }
}

impl DecayPlan {
    /// What an event adds.
    fn added(&self, entry: &Entry) -> f64 {
        self.number
            .map_or(1.0, |number| entry.numbers[number] as f64)
    }

    /// A sum as of an instant and an event, whichever is later.
    fn joined(&self, (value, at): (f64, i64), entry: &Entry) -> f64 {
        let added = self.added(entry);
        if entry.time >= at {
            self.faded(value, entry.time.saturating_sub(at)) + added
        } else {
            // Only where the cap dropped events that came after this one.
            value + self.faded(added, at - entry.time)
        }
    }

    /// What is left of a sum after some microseconds.
    fn faded(&self, value: f64, micros: i64) -> f64 {
        if value.abs() > 0.0 {
            value * (-(micros.max(0) as f64) / self.half_life).exp2()
        } else {
            0.0
        }
    }
}

impl LogPlan {
    /// The numbers of an event as the ring keeps them.
    #[inline]
    pub(super) fn numbers_of(&self, event: &EventView<'_>) -> impl Iterator<Item = i64> {
        let values = self.numbers.iter().map(|&place| event.numbers[place]);
        values.map(|value| if value == MISSING { 0 } else { value })
    }

    /// Its codes.
    #[inline]
    pub(super) fn codes_of(&self, event: &EventView<'_>) -> impl Iterator<Item = u32> {
        let place = || event.facts.place.map(to_micro_degrees);
        self.codes.iter().map(move |code| match *code {
            CodeSource::Field(place) => short(event.codes[place]),
            CodeSource::Id => short(event.head.id),
            CodeSource::Latitude => place().map_or(0, |(latitude, _)| latitude.cast_unsigned()),
            CodeSource::Longitude => place().map_or(0, |(_, longitude)| longitude.cast_unsigned()),
        })
    }

    /// Whether any single event has to be kept.
    pub(crate) fn keeps_events(&self) -> bool {
        !self.windows.is_empty()
    }
}
