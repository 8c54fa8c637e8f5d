//! All entities of one kind.

use super::event::EventView;
use super::hash::{HashedMap, pair};
use super::log::{Log, short};
use super::log_plan::LogPlan;
use super::mark::Word;
use super::plan::{EntityOp, Rules, TablePlan, Target};
use super::read::MICROS_PER_DAY;
use super::ring::Entry;
use super::run::{Arrivals, Run};
use dafu_core::Label;

/// Not seen yet.
const NEVER: i64 = i64::MAX;

/// Where the numbers of a table go: to their columns in a row, or one after the other.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    values: &'a mut [f64],
    by_column: bool,
}

impl<'a> Out<'a> {
    pub(crate) const fn row(values: &'a mut [f64]) -> Self {
        Self {
            values,
            by_column: true,
        }
    }

    pub(crate) const fn part(values: &'a mut [f64]) -> Self {
        Self {
            values,
            by_column: false,
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, target: Target, value: f64) {
        let at = if self.by_column {
            target.column
        } else {
            target.part
        };
        self.values[at] = value;
    }
}

/// What an event does to the entities that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It reads and is remembered.
    Record,
    /// It reads only. An event that comes in order or late in time is not before this time.
    Read { oldest: i64 },
    /// It reads as if it had not been there before.
    Repeat { oldest: i64 },
}

impl Mode {
    /// The time at which it is judged whether an entity is stale for an event: for one from before the oldest that may still
    /// come, that time, since all that is stale for it may have been forgotten.
    fn judged_at(self, time: i64) -> i64 {
        match self {
            Self::Record => time,
            Self::Read { oldest } | Self::Repeat { oldest } => time.max(oldest),
        }
    }

    pub(crate) const fn is_repeat(self) -> bool {
        matches!(self, Self::Repeat { .. })
    }
}

/// What was lost or moved while an event was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) capped: u64,
    pub(crate) expired: u64,
    pub(crate) labels: u64,
}

impl Losses {
    pub(crate) const fn add(&mut self, other: Self) {
        self.capped += other.capped;
        self.expired += other.expired;
        self.labels += other.labels;
    }
}

/// What is kept of every entity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entity {
    /// Hashes of the key's fields; the second is 0 for a key of one field.
    pub(crate) parts: [u64; 2],
    /// Times of the first and the newest event.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Number of the last event that used it, for eviction.
    pub(crate) used: u64,
    /// Hash of the id of the first event, cut to 32 bits.
    pub(crate) first_id: u32,
}

impl Entity {
    pub(crate) const fn new(parts: [u64; 2]) -> Self {
        Self {
            parts,
            first: NEVER,
            last: i64::MIN,
            used: 0,
            first_id: 0,
        }
    }

    /// The key in the table.
    pub(crate) fn key(&self) -> u64 {
        match self.parts {
            [single, 0] => single,
            [first, second] => pair(first, second),
        }
    }

    fn read_entity(&self, plan: &TablePlan, event: &EventView<'_>, mode: Mode, out: &mut Out<'_>) {
        let now = event.head.time;
        let own_first =
            mode.is_repeat() && self.first == now && self.first_id == short(event.head.id);
        let is_new = self.first > now || own_first;
        for read in &plan.reads {
            let value = match read.op {
                EntityOp::IsNew => f64::from(u8::from(is_new)),
                EntityOp::Age if is_new => f64::NAN,
                EntityOp::Age => (now - self.first) as f64 / MICROS_PER_DAY,
            };
            out.set(read.target, value);
        }
    }

    /// Reads all features of the entity at an event and, where it is to be remembered, takes the event.
    pub(crate) fn take(
        &mut self,
        logs: &mut [Log],
        (plan, rules): (&TablePlan, &Rules),
        (event, mode): (&EventView<'_>, Mode),
        out: &mut Out<'_>,
    ) -> Losses {
        let mut losses = Losses::default();
        let now = event.head.time;
        if self.is_stale(mode.judged_at(now), rules) {
            let mut new = Self::new(self.parts);
            if mode != Mode::Record {
                let logs = &mut new_logs(plan);
                return new.take(logs, (plan, rules), (event, mode), out);
            }
            losses.expired += 1;
            new.used = self.used;
            *self = new;
            logs.iter_mut()
                .zip(&plan.logs)
                .for_each(|(log, plan)| *log = Log::new(plan));
        }
        self.read_entity(plan, event, mode, out);
        let in_order = mode == Mode::Record && now >= self.last;
        for (log, plan) in logs.iter_mut().zip(&plan.logs) {
            let gate = plan.gate.as_ref();
            let passes = gate.is_none_or(|gate| gate.passes(event, &rules.calendar));
            if in_order {
                if passes && plan.plain && log.take_plain(plan, event, rules) {
                    log.read(plan, (&plan.before, event), rules, out);
                } else {
                    log.advance(plan, now, rules);
                    log.read(plan, (&plan.before, event), rules, out);
                    if passes {
                        losses.capped += log.push(plan, &Entry::of(event, plan), rules);
                        log.add_to_tiles(plan, event, rules);
                    }
                }
                log.read(plan, (&plan.after, event), rules, out);
                // An event does not see its own label.
                if passes {
                    losses.labels += log.take_label(plan, event, rules);
                }
                continue;
            }
            let entry = Entry::of(event, plan);
            let past = log.pruned(plan, self.last);
            past.read_past(plan, (event, mode, passes), rules, out);
            if mode == Mode::Record && passes {
                losses.capped += log.insert(plan, &entry, self.last, rules);
                log.add_to_tiles(plan, event, rules);
                losses.labels += log.take_label(plan, event, rules);
            }
        }
        if mode == Mode::Record {
            if now < self.first {
                (self.first, self.first_id) = (now, short(event.head.id));
            }
            self.last = self.last.max(now);
        }
        losses
    }

    /// Whether nothing was heard of it for so long that it counts as new.
    pub(crate) fn is_stale(&self, now: i64, rules: &Rules) -> bool {
        self.last != i64::MIN
            && rules
                .ttl
                .is_some_and(|ttl| now.saturating_sub(self.last) > ttl)
    }
}

/// Reads as of an event of an entity that nothing is known of.
pub(crate) fn read_unknown(
    (plan, rules): (&TablePlan, &Rules),
    parts: [u64; 2],
    (event, mode): (&EventView<'_>, Mode),
    out: &mut Out<'_>,
) {
    let logs = &mut new_logs(plan);
    Entity::new(parts).take(logs, (plan, rules), (event, mode), out);
}

/// Logs without events, one for each that the plan keeps of an entity.
fn new_logs(plan: &TablePlan) -> Vec<Log> {
    plan.logs.iter().map(Log::new).collect()
}

impl Log {
    /// Reads numbers as of the time of an event that is not to be taken in order.
    fn read_past(
        &self,
        plan: &LogPlan,
        (event, mode, passes): (&EventView<'_>, Mode, bool),
        rules: &Rules,
        out: &mut Out<'_>,
    ) {
        let now = event.head.time;
        let entry = Entry::of(event, plan);
        let again = mode.is_repeat() && passes;
        let mut past = self.as_of(plan, now, again.then_some(&entry), rules);
        if again {
            past.remove_from_tiles(plan, event);
            past.hide(plan, now);
        }
        past.read(plan, (&plan.before, event), rules, out);
        if passes {
            past.push(plan, &entry, rules);
            past.add_to_tiles(plan, event, rules);
        }
        past.read(plan, (&plan.after, event), rules, out);
    }

    fn add_to_tiles(&mut self, plan: &LogPlan, event: &EventView<'_>, rules: &Rules) {
        for (tiles, plan) in self.tiles_mut().iter_mut().zip(&plan.tiled) {
            tiles.add(plan, event, rules.bound);
        }
    }

    /// Takes an event out of all tiles; returns whether it was in one.
    pub(super) fn remove_from_tiles(&mut self, plan: &LogPlan, event: &EventView<'_>) -> bool {
        let tiles = self.tiles_mut().iter_mut().zip(&plan.tiled);
        tiles.fold(false, |found, (tiles, plan)| {
            tiles.remove(plan, event) || found
        })
    }

    /// Takes the label that stands on a record.
    fn take_label(&mut self, plan: &LogPlan, event: &EventView<'_>, rules: &Rules) -> u64 {
        let fraud = event.head.label == Label::Fraud;
        if let (Some(after), true, true) = (rules.known_after, fraud, plan.labels.is_some()) {
            let (time, id) = (event.head.time, short(event.head.id));
            let label = (Word::Fraud, time.saturating_add(after));
            return self.label(plan, (time, id), label, rules.most_events);
        }
        0
    }
}

/// Where an entity is in its table, if it is there.
pub(crate) type Slot = Option<usize>;

/// All entities of one kind.
#[derive(Debug, Clone)]
pub(crate) struct EntityTable {
    slots: HashedMap<u32>,
    /// Logs of one entity.
    each: usize,
    /// The entities, where they have no logs; else each stands in its first log, so that both come from memory
    /// together.
    bare: Vec<Entity>,
    /// The logs of all entities, one after the other.
    logs: Vec<Log>,
}

/// A stretch of entities, to be worked on apart from others.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    each: usize,
    bare: &'a mut [Entity],
    logs: &'a mut [Log],
}

impl Stretch<'_> {
    /// Takes an event of the entity at a place.
    #[inline]
    pub(crate) fn take(
        &mut self,
        place: usize,
        (plan, rules): (&TablePlan, &Rules),
        (event, mode, number): (&EventView<'_>, Mode, u64),
        out: &mut Out<'_>,
    ) -> Losses {
        let logs = &mut self.logs[place * self.each..(place + 1) * self.each];
        let mut entity = match logs.first() {
            Some(log) => log.entity,
            None => self.bare[place],
        };
        if mode == Mode::Record {
            entity.used = number;
        }
        let losses = entity.take(logs, (plan, rules), (event, mode), out);
        match logs.first_mut() {
            Some(log) => log.entity = entity,
            None => self.bare[place] = entity,
        }
        losses
    }

    /// Takes many events of the entity at a place, if they can be taken at once: they come after all that it holds, and
    /// it does not become stale between them. `number` is that of the last.
    pub(crate) fn take_run(
        &mut self,
        place: usize,
        (plan, rules): (&TablePlan, &Rules),
        (new, number): (&Arrivals<'_>, u64),
        (values, run): (&mut [f64], &mut Run),
    ) -> bool {
        let [log] = &mut self.logs[place * self.each..(place + 1) * self.each] else {
            return false;
        };
        let (Some(&first), Some(&last)) = (new.times.first(), new.times.last()) else {
            return false;
        };
        let mut entity = log.entity;
        let gap = |times: &[i64]| times[1].saturating_sub(times[0]);
        let breaks = |ttl: i64| new.times.windows(2).any(|times| gap(times) > ttl);
        if first < entity.last || entity.is_stale(first, rules) || rules.ttl.is_some_and(breaks) {
            return false;
        }
        if first < entity.first {
            (entity.first, entity.first_id) = (first, new.first_id());
        }
        (entity.last, entity.used) = (last, number);
        let taken = log.take_run((&plan.logs[0], rules), new, run, values);
        if taken {
            log.entity = entity;
        }
        taken
    }

    /// The first entities, and the others.
    #[cfg(feature = "parallel")]
    pub(crate) fn split_at(self, places: usize) -> (Self, Self) {
        let each = self.each;
        let bare = if each == 0 { places } else { 0 };
        let (bare, other_bare) = self.bare.split_at_mut(bare);
        let (logs, other_logs) = self.logs.split_at_mut(places * each);
        let first = Self { each, bare, logs };
        let others = Self {
            each,
            bare: other_bare,
            logs: other_logs,
        };
        (first, others)
    }
}

impl EntityTable {
    pub(crate) fn new(plan: &TablePlan) -> Self {
        Self {
            slots: HashedMap::default(),
            each: plan.logs.len(),
            bare: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// The key of an event, and the hashes that it is made of; `None` where one is missing.
    #[inline]
    pub(crate) fn key(plan: &TablePlan, codes: &[u64]) -> Option<(u64, [u64; 2])> {
        let first = codes[plan.codes.0];
        match plan.codes.1 {
            None => (first != 0).then_some((first, [first, 0])),
            Some(second) => {
                let second = codes[second];
                (first != 0 && second != 0).then(|| (pair(first, second), [first, second]))
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slot of an entity.
    #[inline]
    pub(crate) fn find(&self, key: u64) -> Slot {
        self.slots.get(&key).map(|&slot| slot as usize)
    }

    /// The slot of an entity, made where there is none.
    #[inline]
    pub(crate) fn slot(&mut self, plan: &TablePlan, (key, parts): (u64, [u64; 2])) -> usize {
        match self.find(key) {
            Some(slot) => slot,
            None => self.push(Entity::new(parts), new_logs(plan)),
        }
    }

    /// Adds an entity that is not there yet.
    pub(crate) fn push(&mut self, entity: Entity, mut logs: Vec<Log>) -> usize {
        let slot = self.len();
        self.slots
            .insert(entity.key(), u32::try_from(slot).unwrap_or(u32::MAX));
        match logs.first_mut() {
            Some(log) => log.entity = entity,
            None => self.bare.push(entity),
        }
        self.logs.extend(logs);
        slot
    }

    #[inline]
    pub(crate) fn entity(&self, slot: usize) -> &Entity {
        if self.each == 0 {
            &self.bare[slot]
        } else {
            &self.logs[slot * self.each].entity
        }
    }

    /// Notes that an entity was used by the event of a number.
    pub(crate) fn use_at(&mut self, slot: usize, number: u64) {
        if self.each == 0 {
            self.bare[slot].used = number;
        } else {
            self.logs[slot * self.each].entity.used = number;
        }
    }

    #[inline]
    pub(crate) fn logs(&self, slot: usize) -> &[Log] {
        &self.logs[slot * self.each..(slot + 1) * self.each]
    }

    pub(crate) fn logs_mut(&mut self, slot: usize) -> &mut [Log] {
        &mut self.logs[slot * self.each..(slot + 1) * self.each]
    }

    /// All entities, to be worked on.
    #[inline]
    pub(crate) fn stretch(&mut self) -> Stretch<'_> {
        Stretch {
            each: self.each,
            bare: &mut self.bare,
            logs: &mut self.logs,
        }
    }

    pub(crate) fn entities(&self) -> impl Iterator<Item = &Entity> {
        (0..self.len()).map(|slot| self.entity(slot))
    }

    /// Takes over all entities of another table, which shares none with this one.
    pub(crate) fn append(&mut self, other: Self) {
        let before = self.len();
        let keys: Vec<u64> = other.entities().map(Entity::key).collect();
        self.bare.extend(other.bare);
        self.logs.extend(other.logs);
        let new = keys.into_iter().zip(before..);
        let new = new.map(|(key, slot)| (key, u32::try_from(slot).unwrap_or(u32::MAX)));
        self.slots.extend(new);
    }

    /// Forgets the entities that are not to be kept; returns how many.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Entity) -> bool) -> u64 {
        let keep: Vec<bool> = self.entities().map(keep).collect();
        let gone = keep.iter().filter(|keep| !**keep).count();
        if gone == 0 {
            return 0;
        }
        let each = self.each;
        let mut kept = keep
            .iter()
            .flat_map(|keep| std::iter::repeat_n(*keep, each));
        self.logs.retain(|_| kept.next().unwrap_or(true));
        let mut kept = keep.iter();
        self.bare.retain(|_| kept.next().copied().unwrap_or(true));
        let count = keep.len() - gone;
        let slots = (0..count).map(|slot| {
            let number = u32::try_from(slot).unwrap_or(u32::MAX);
            (self.entity(slot).key(), number)
        });
        self.slots = slots.collect();
        if gone > count {
            self.bare.shrink_to_fit();
            self.logs.shrink_to_fit();
        }
        gone as u64
    }

    /// Bytes of one entity with its logs.
    fn size(&self, slot: usize) -> usize {
        let bare = if self.each == 0 {
            size_of::<Entity>()
        } else {
            0
        };
        let logs = self.logs(slot).iter();
        let logs: usize = logs.map(|log| size_of::<Log>() + log.heap_bytes()).sum();
        // Beside it, its entry in the map of keys.
        bare + 2 * size_of::<(u64, u32)>() + logs
    }

    pub(crate) fn bytes(&self) -> usize {
        (0..self.len()).map(|slot| self.size(slot)).sum()
    }

    /// Number of the last use of each entity, and its bytes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (u64, usize)> {
        (0..self.len()).map(|slot| (self.entity(slot).used, self.size(slot)))
    }
}
