//! All entities of one kind.

use super::event::EventView;
use super::hash::{HashedMap, pair};
use super::log::{Log, Mark, short};
use super::log_plan::LogPlan;
use super::plan::{EntityOp, Rules, TablePlan, Target};
use super::ring::Entry;
use dafu_core::Label;

const MICROS_PER_DAY: f64 = 86_400_000_000.0;
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
    /// It reads only.
    Read,
    /// It reads as if it had not been there before.
    Repeat,
}

/// What was lost or moved while an event was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) capped: u64,
    pub(crate) expired: u64,
}

impl Losses {
    pub(crate) const fn add(&mut self, other: Self) {
        self.capped += other.capped;
        self.expired += other.expired;
    }
}

/// One entity.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) key: u64,
    /// Hashes of the key's fields.
    pub(crate) parts: [u64; 2],
    /// Times of the first and the newest event.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Number of the last event that used it, for eviction.
    pub(crate) used: u64,
}

/// Bytes of an entity without its logs: itself, and its entry in the map of keys.
const ENTITY_BYTES: usize = size_of::<Entity>() + 2 * size_of::<(u64, u32)>();

impl Entity {
    pub(crate) const fn new(key: u64, parts: [u64; 2]) -> Self {
        Self {
            key,
            parts,
            first: NEVER,
            last: i64::MIN,
            used: 0,
        }
    }

    fn read_entity(&self, plan: &TablePlan, now: i64, mode: Mode, out: &mut Out<'_>) {
        let own_first = mode == Mode::Repeat && self.first == now;
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
        if self.is_stale(now, rules) {
            let mut new = Self::new(self.key, self.parts);
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
        self.read_entity(plan, now, mode, out);
        let in_order = mode == Mode::Record && now >= self.last;
        for (log, plan) in logs.iter_mut().zip(&plan.logs) {
            let gate = plan.gate.as_ref();
            let passes = gate.is_none_or(|gate| gate.passes(event, &rules.calendar));
            if in_order {
                log.advance(plan, now, rules);
                log.read(plan, (&plan.before, event), rules, out);
                if passes {
                    losses.capped += log.push(plan, &Entry::of(event, plan), rules);
                    log.remember(plan, event, rules);
                }
                log.read(plan, (&plan.after, event), rules, out);
                continue;
            }
            let entry = Entry::of(event, plan);
            log.read_past(plan, (event, mode, passes), rules, out);
            if mode == Mode::Record && passes {
                losses.capped += log.insert(plan, &entry, self.last, rules);
                log.remember(plan, event, rules);
            }
        }
        if mode == Mode::Record {
            self.first = self.first.min(now);
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

/// Logs without events, one for each that the plan keeps of an entity.
pub(crate) fn new_logs(plan: &TablePlan) -> Vec<Log> {
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
        let again = mode == Mode::Repeat && passes;
        let mut past = self.as_of(plan, now, again.then_some(&entry), rules);
        past.advance(plan, now, rules);
        if again {
            for (tiles, plan) in past.tiles_mut().iter_mut().zip(&plan.tiled) {
                tiles.remove(plan, event);
            }
        }
        past.read(plan, (&plan.before, event), rules, out);
        if passes {
            past.push(plan, &entry, rules);
            for (tiles, plan) in past.tiles_mut().iter_mut().zip(&plan.tiled) {
                tiles.add(plan, event, rules.bound);
            }
        }
        past.read(plan, (&plan.after, event), rules, out);
    }

    /// What is kept of an event besides its entry: tiles, and the label that its record has.
    fn remember(&mut self, plan: &LogPlan, event: &EventView<'_>, rules: &Rules) {
        for (tiles, plan) in self.tiles_mut().iter_mut().zip(&plan.tiled) {
            tiles.add(plan, event, rules.bound);
        }
        let fraud = event.head.label == Label::Fraud;
        if let (Some(after), true, true) = (rules.known_after, fraud, plan.labels.is_some()) {
            let mark = Mark {
                time: event.head.time,
                known_at: event.head.time.saturating_add(after),
                cleared_at: i64::MAX,
                id: short(event.head.id),
            };
            self.mark(mark, rules.most_events);
        }
    }
}

/// All entities of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct EntityTable {
    slots: HashedMap<u32>,
    entities: Vec<Entity>,
    /// The logs of all entities, one after the other.
    logs: Vec<Log>,
}

impl EntityTable {
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

    /// See [`Log::touch`].
    #[inline]
    pub(crate) fn touch(&self, plan: &TablePlan, slot: usize) -> u32 {
        let each = plan.logs.len();
        let logs = self.logs[slot * each..(slot + 1) * each].iter();
        let logs = logs.zip(&plan.logs).map(|(log, plan)| log.touch(plan));
        logs.fold(0, u32::wrapping_add)
    }

    /// The slot of an entity, made where there is none.
    #[inline]
    pub(crate) fn slot(&mut self, plan: &TablePlan, key: u64, parts: [u64; 2]) -> usize {
        if let Some(&slot) = self.slots.get(&key) {
            return slot as usize;
        }
        self.push(Entity::new(key, parts), new_logs(plan))
    }

    /// Adds an entity that is not there yet.
    pub(crate) fn push(&mut self, entity: Entity, logs: Vec<Log>) -> usize {
        let slot = self.entities.len();
        let number = u32::try_from(slot).unwrap_or(u32::MAX);
        self.slots.insert(entity.key, number);
        self.entities.push(entity);
        self.logs.extend(logs);
        slot
    }

    /// An entity and its logs.
    #[inline]
    pub(crate) fn at(&mut self, plan: &TablePlan, slot: usize) -> (&mut Entity, &mut [Log]) {
        let each = plan.logs.len();
        let logs = &mut self.logs[slot * each..(slot + 1) * each];
        (&mut self.entities[slot], logs)
    }

    pub(crate) fn has(&self, key: u64) -> bool {
        self.slots.contains_key(&key)
    }

    pub(crate) fn place(&self, key: u64) -> Option<usize> {
        self.slots.get(&key).map(|&slot| slot as usize)
    }

    pub(crate) fn find(&self, plan: &TablePlan, key: u64) -> Option<(&Entity, &[Log])> {
        let slot = *self.slots.get(&key)? as usize;
        let each = plan.logs.len();
        let logs = self.logs.get(slot * each..(slot + 1) * each)?;
        Some((self.entities.get(slot)?, logs))
    }

    pub(crate) fn find_mut(
        &mut self,
        plan: &TablePlan,
        key: u64,
    ) -> Option<(&mut Entity, &mut [Log])> {
        let slot = *self.slots.get(&key)? as usize;
        Some(self.at(plan, slot))
    }

    pub(crate) const fn len(&self) -> usize {
        self.entities.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.entities.iter().map(|entity| entity.key)
    }

    /// Entities with their logs, in no order that means anything.
    pub(crate) fn all(&self, plan: &TablePlan) -> impl Iterator<Item = (&Entity, &[Log])> {
        let each = plan.logs.len();
        let logs = move |slot: usize| &self.logs[slot * each..(slot + 1) * each];
        let entities = self.entities.iter().enumerate();
        entities.map(move |(slot, entity)| (entity, logs(slot)))
    }

    /// All entities with their logs, for work on many at once.
    pub(crate) fn parts_mut(&mut self) -> (&mut [Entity], &mut [Log]) {
        (&mut self.entities, &mut self.logs)
    }

    /// Takes over all entities of another table, which shares none with this one.
    pub(crate) fn append(&mut self, other: Self) {
        let before = self.entities.len();
        self.entities.extend(other.entities);
        self.logs.extend(other.logs);
        let new = self.entities.iter().enumerate().skip(before);
        let new = new.map(|(slot, entity)| (entity.key, u32::try_from(slot).unwrap_or(u32::MAX)));
        self.slots.extend(new);
    }

    /// Forgets the entities that are not to be kept; returns how many.
    pub(crate) fn retain(&mut self, plan: &TablePlan, keep: impl Fn(&Entity) -> bool) -> u64 {
        let before = self.entities.len();
        if self.entities.iter().all(&keep) {
            return 0;
        }
        let each = plan.logs.len();
        let mut kept = self.entities.iter().flat_map(|entity| {
            let keep = keep(entity);
            std::iter::repeat_n(keep, each)
        });
        self.logs.retain(|_| kept.next().unwrap_or(true));
        drop(kept);
        self.entities.retain(keep);
        let slots = self.entities.iter().enumerate();
        let slots =
            slots.map(|(slot, entity)| (entity.key, u32::try_from(slot).unwrap_or(u32::MAX)));
        self.slots = slots.collect();
        if self.entities.capacity() > 2 * self.entities.len() {
            self.entities.shrink_to_fit();
            self.logs.shrink_to_fit();
        }
        (before - self.entities.len()) as u64
    }

    pub(crate) fn bytes(&self) -> usize {
        let logs: usize = self.logs.iter().map(Log::heap_bytes).sum();
        self.entities.len() * ENTITY_BYTES + self.logs.len() * size_of::<Log>() + logs
    }

    /// Bytes of single entities, with the number of their last use.
    pub(crate) fn sizes(&self, plan: &TablePlan) -> impl Iterator<Item = (u64, usize)> {
        self.all(plan).map(|(entity, logs)| {
            let logs = logs.iter().map(|log| size_of::<Log>() + log.heap_bytes());
            (entity.used, ENTITY_BYTES + logs.sum::<usize>())
        })
    }
}
