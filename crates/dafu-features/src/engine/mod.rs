//! One engine for batch and stream.

mod ahead;
mod batch;
mod bucket_list;
mod count_map;
mod event;
mod event_value;
mod events;
mod feedback;
mod gate;
mod groups;
mod hash;
mod history;
mod log;
mod log_builder;
mod log_plan;
mod mark;
mod passage;
mod plain;
mod plan;
mod provider;
mod rate_table;
mod read;
mod ring;
mod run;
mod seen;
#[cfg(feature = "serde")]
mod snapshot;
mod sweep;
mod table;
mod table_reader;
mod tiles;

pub use batch::ReplaySink;
pub use event::Record;
#[cfg(feature = "serde")]
pub use snapshot::StoreError;

use crate::FeatureError;
use crate::set::{FeatureSet, Key, LatePolicy};
use dafu_core::{FeatureRow, Schema, Timestamp};
use event::{EventRow, EventView};
use plan::{Plan, Rules};
use seen::{Known, Remembered, Seen};
use std::sync::Arc;
use table::{EntityTable, Losses, Mode, Out, Slot};

/// What the engine did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It came in order and is remembered.
    Recorded,
    /// It came late and took its place in the history; it read what was known at its time.
    Inserted,
    /// It came too late, or late events are not wanted: it read what is still known of its time, and nothing is
    /// remembered of it.
    TooLate,
    /// Its id came before with the same content: it read as the first time, and counts nothing twice.
    Duplicate,
}

impl Outcome {
    /// `oldest` is the time of the oldest event that may still come.
    const fn mode(self, oldest: i64) -> Mode {
        match self {
            Self::Recorded | Self::Inserted => Mode::Record,
            Self::TooLate => Mode::Read { oldest },
            Self::Duplicate => Mode::Repeat { oldest },
        }
    }

    const fn is_remembered(self) -> bool {
        matches!(self, Self::Recorded | Self::Inserted)
    }
}

/// The features of an event, and what was done with it.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// What the engine did.
    pub outcome: Outcome,
    /// The features.
    pub row: FeatureRow<'a>,
}

/// Counts of everything that did not go the plain way. All begin with 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct EngineStats {
    /// Events observed, duplicates and late ones among them.
    pub observed: u64,
    /// Late events inserted.
    pub inserted: u64,
    /// Late events not remembered.
    pub too_late: u64,
    /// Events that came again.
    pub duplicates: u64,
    /// Events that could not be taken: an error was given back for each.
    pub refused: u64,
    /// Events dropped because an entity had more than its cap.
    pub capped_events: u64,
    /// Entities forgotten because nothing was heard of them for the time to live.
    pub expired_entities: u64,
    /// Entities forgotten to stay within the memory budget.
    pub evicted_entities: u64,
    /// Labels taken as events; those that stand on records are not counted.
    pub labels: u64,
    /// Labels dropped because an entity had more than its cap of events.
    pub dropped_labels: u64,
    /// Ids of events forgotten to stay within the memory budget: those events would count twice if they came again.
    pub forgotten_ids: u64,
    /// Labels and reversals of transactions that are not remembered.
    pub unmatched: u64,
    /// Reversals taken.
    pub reversed: u64,
}

impl EngineStats {
    const fn add(&mut self, other: &Self) {
        self.observed += other.observed;
        self.inserted += other.inserted;
        self.too_late += other.too_late;
        self.duplicates += other.duplicates;
        self.refused += other.refused;
        self.capped_events += other.capped_events;
        self.expired_entities += other.expired_entities;
        self.evicted_entities += other.evicted_entities;
        self.labels += other.labels;
        self.dropped_labels += other.dropped_labels;
        self.forgotten_ids += other.forgotten_ids;
        self.unmatched += other.unmatched;
        self.reversed += other.reversed;
    }
}

/// Computes the features of a set, event by event or in batch, exactly as of each event's own time.
///
/// ```
/// use dafu_core::{Currency, Money, Transaction};
/// use dafu_features::{FeatureEngine, FeatureSet, Field, Measure, RecordKind, Span, Window};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let set = FeatureSet::new(RecordKind::Transaction)
///     .feature(Window::new(Field::User, Measure::Count).within(Span::hours(1)))
///     .feature(Window::new(Field::User, Measure::Ratio).within(Span::days(30)));
/// let mut engine = FeatureEngine::new(&set)?;
/// for (minute, amount) in [(0, 10.0), (20, 10.0), (70, 50.0)] {
///     let at = format!("2026-03-01T{:02}:{:02}:00Z", 12 + minute / 60, minute % 60).parse()?;
///     let paid = Money::from_major(amount, Currency::new("EUR")?)?;
///     let tx = Transaction::new(format!("t-{minute}").parse()?, "anna".parse()?, paid, "shop".parse()?, at);
///     let seen = engine.observe(&tx)?;
///     println!("{:?} {:?}", seen.row.get("user_count_1h"), seen.row.get("user_amount_ratio_30d"));
/// }
/// # Ok(())
/// # }
/// ```
///
/// One writer: observing takes `&mut self`. Everything is computed from event time; no clock is read. The same events in
/// the same order give the same bits, one by one or in batch, on any number of threads.
///
/// # Complexity
///
/// One lookup a kind of entity, and for each feature and window constant time on average, but for the measures that
/// say otherwise. A late event costs the events that its entities hold.
#[derive(Debug, Clone)]
pub struct FeatureEngine {
    plan: Arc<Plan>,
    memory: Memory,
    /// The event at hand, and its features.
    event: EventRow,
    slots: Vec<Slot>,
    row: Vec<f64>,
}

/// What is remembered of past events.
#[derive(Debug, Clone)]
struct Memory {
    tables: Vec<EntityTable>,
    seen: Seen,
    remembered: Remembered,
    /// Time of the newest event.
    newest: Option<i64>,
    /// Events taken.
    sequence: u64,
    stats: EngineStats,
    /// Number of the event at which to look for entities to forget.
    next_sweep: u64,
    /// Number of the event at the last look, and bytes held after it.
    swept: (u64, u64),
    /// A hash of everything that was taken, and what it was when a store last held it all.
    chain: u64,
    saved: Option<u64>,
    /// Entities forgotten by looking for them: slots found before are others after.
    forgotten: u64,
}

impl Memory {
    fn new(plan: &Plan) -> Self {
        Self {
            tables: plan.tables.iter().map(EntityTable::new).collect(),
            seen: Seen::default(),
            remembered: Remembered::default(),
            newest: None,
            sequence: 0,
            stats: EngineStats::default(),
            next_sweep: sweep::FIRST,
            swept: (0, 0),
            chain: 0,
            saved: None,
            forgotten: 0,
        }
    }
}

impl FeatureEngine {
    /// An engine for a set, without any memory.
    ///
    /// # Errors
    ///
    /// As [`FeatureSet::check`], and [`FeatureError::TooManyColumns`] for a set that asks for more than an entity
    /// can hold.
    pub fn new(set: &FeatureSet) -> Result<Self, FeatureError> {
        Ok(Self::from_plan(Arc::new(Plan::compile(set)?)))
    }

    fn from_plan(plan: Arc<Plan>) -> Self {
        Self {
            memory: Memory::new(&plan),
            event: EventRow::default(),
            slots: Vec::new(),
            row: vec![f64::NAN; plan.schema.width()],
            plan,
        }
    }

    /// An engine for the same set, without any memory. The compiled set is shared.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::from_plan(Arc::clone(&self.plan))
    }

    /// The set.
    pub fn set(&self) -> &FeatureSet {
        &self.plan.set
    }

    /// The features: names, types, units, groups and descriptions.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.plan.schema
    }

    /// Counts of everything that did not go the plain way.
    pub const fn stats(&self) -> &EngineStats {
        &self.memory.stats
    }

    /// Time of the newest event.
    pub fn newest(&self) -> Option<Timestamp> {
        let newest = self.memory.newest;
        newest.and_then(|time| Timestamp::from_micros(time).ok())
    }

    /// Entities that something is known of, over all kinds and pairs.
    pub fn entities(&self) -> usize {
        self.memory.tables.iter().map(EntityTable::len).sum()
    }

    /// Bytes that the memory of past events takes, counted anew. Linear in the number of entities.
    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Bytes that the entities of one key take. Linear in their number.
    pub fn memory_bytes_of(&self, key: &Key) -> usize {
        let tables = self.memory.tables.iter().zip(&self.plan.tables);
        let of_key = tables.filter(|(_, plan)| plan.key == *key);
        of_key.map(|(table, _)| table.bytes()).sum()
    }

    /// Computes the features of an event and remembers it.
    ///
    /// # Errors
    ///
    /// [`FeatureError::WrongRecord`] for another kind of record than the set is for, [`FeatureError::NumberTooLarge`],
    /// [`FeatureError::ClockJump`], [`FeatureError::Conflict`] for an id that came before with other content, and
    /// [`FeatureError::Late`] where the set says so. Then nothing of the event is remembered.
    pub fn observe<R: Record>(&mut self, record: &R) -> Result<Observation<'_>, FeatureError> {
        self.check_kind::<R>()?;
        let Self {
            plan,
            memory,
            event,
            slots,
            row,
        } = self;
        let read = event.read(record, &plan.layout, plan.hasher);
        read.inspect_err(|_| memory.stats.refused += 1)?;
        memory.find_slots(plan, &event.view(), slots);
        let outcome = memory.take(plan, (&event.view(), slots), row)?;
        Ok(Observation {
            outcome,
            row: FeatureRow::new(&plan.schema, row)?,
        })
    }

    /// Computes the features that an event would have, into a slice of the schema's width, and remembers nothing.
    ///
    /// # Errors
    ///
    /// [`FeatureError::WrongRecord`], [`FeatureError::NumberTooLarge`] and [`FeatureError::Output`]. What is wrong with the
    /// time or the id of an event is not looked at.
    ///
    /// # Complexity
    ///
    /// Linear in what is held of its entities, which is copied.
    pub fn peek<R: Record>(&self, record: &R, row: &mut [f64]) -> Result<(), FeatureError> {
        self.check_kind::<R>()?;
        if row.len() != self.plan.schema.width() {
            return Err(FeatureError::Output {
                expected: self.plan.schema.width(),
                got: row.len(),
            });
        }
        let mut event = EventRow::default();
        event.read(record, &self.plan.layout, self.plan.hasher)?;
        let event = event.view();
        let oldest = self.memory.oldest(&self.plan.rules);
        let mode = match self.memory.seen.check(event.head.id, event.content()) {
            Known::Same if event.head.id != 0 => Mode::Repeat { oldest },
            _ => Mode::Read { oldest },
        };
        row.fill(f64::NAN);
        for (table, plan) in self.memory.tables.iter().zip(&self.plan.tables) {
            let Some((key, parts)) = EntityTable::key(plan, event.codes) else {
                continue;
            };
            let (out, rules) = (&mut Out::row(row), &self.plan.rules);
            match table.find(key) {
                Some(slot) => {
                    let mut entity = *table.entity(slot);
                    let logs = &mut table.logs(slot).to_vec();
                    // In order, a copy may as well take the event as if it were to be remembered.
                    let time = event.head.time;
                    let in_order = !mode.is_repeat() && time >= entity.last.max(oldest);
                    let mode = if in_order { Mode::Record } else { mode };
                    entity.take(logs, (plan, rules), (&event, mode), out);
                }
                None => table::read_unknown((plan, rules), parts, (&event, mode), out),
            }
        }
        self.plan.finish(&event, row);
        Ok(())
    }

    fn check_kind<R: Record>(&self) -> Result<(), FeatureError> {
        let (expected, got) = (self.plan.set.record, R::KIND);
        if expected == got {
            Ok(())
        } else {
            Err(FeatureError::WrongRecord { expected, got })
        }
    }
}

impl Memory {
    /// The time of the oldest event that may still come.
    fn oldest(&self, rules: &Rules) -> i64 {
        let newest = self.newest.unwrap_or(i64::MIN);
        newest.saturating_sub(rules.bound)
    }

    /// Counts what is taken, and keeps a hash of it.
    fn step(&mut self, content: u64) {
        self.sequence += 1;
        self.chain = hash::pair(self.chain, content);
    }

    /// What is to be done with an event: it comes again, late, too late, or in order.
    fn judge(
        &self,
        set: &FeatureSet,
        event: &EventView<'_>,
        content: u64,
    ) -> Result<Outcome, FeatureError> {
        let time = event.head.time;
        let at = || Timestamp::from_micros(time).unwrap_or(Timestamp::EPOCH);
        if set.duplicates_within > crate::Span::ZERO && event.head.id != 0 {
            match self.seen.check(event.head.id, content) {
                Known::New => {}
                Known::Same => return Ok(Outcome::Duplicate),
                Known::Other => return Err(FeatureError::Conflict { at: at() }),
            }
        }
        let Some(newest) = self.newest else {
            return Ok(Outcome::Recorded);
        };
        let newest_time = || Timestamp::from_micros(newest).unwrap_or(Timestamp::EPOCH);
        if let Some(jump) = set.max_jump
            && time.saturating_sub(newest) > jump.as_micros()
        {
            return Err(FeatureError::ClockJump {
                at: at(),
                newest: newest_time(),
                most: jump,
            });
        }
        let late = newest.saturating_sub(time);
        match set.lateness.policy {
            _ if late <= 0 => Ok(Outcome::Recorded),
            LatePolicy::Error => Err(FeatureError::Late {
                at: at(),
                newest: newest_time(),
            }),
            LatePolicy::Insert if late <= set.lateness.bound.as_micros() => Ok(Outcome::Inserted),
            LatePolicy::Insert | LatePolicy::Drop => Ok(Outcome::TooLate),
        }
    }

    /// Computes the row of an event and remembers it. `slots` are those of its entities, as far as they are known.
    fn take(
        &mut self,
        plan: &Plan,
        (view, slots): (&EventView<'_>, &[Slot]),
        row: &mut [f64],
    ) -> Result<Outcome, FeatureError> {
        let content = view.content();
        let judged = self.judge(&plan.set, view, content);
        let outcome = judged.inspect_err(|_| self.stats.refused += 1)?;
        let mode = outcome.mode(self.oldest(&plan.rules));
        let mut losses = Losses::default();
        self.step(content);
        let tables = self.tables.iter_mut().zip(&plan.tables);
        for ((table, plan_of), &slot) in tables.zip(slots) {
            let Some(key) = EntityTable::key(plan_of, view.codes) else {
                for &column in &plan_of.columns {
                    row[column] = f64::NAN;
                }
                continue;
            };
            let out = &mut Out::row(row);
            let slot = match slot {
                None if mode == Mode::Record => Some(table.slot(plan_of, key)),
                // An event since the look ahead may have brought it.
                None => table.find(key.0),
                slot => slot,
            };
            if let Some(slot) = slot {
                let event = (view, mode, self.sequence);
                let mut stretch = table.stretch();
                losses.add(stretch.take(slot, (plan_of, &plan.rules), event, out));
            } else {
                table::read_unknown((plan_of, &plan.rules), key.1, (view, mode), out);
            }
        }
        plan.finish(view, row);
        self.note(plan, (view, content), outcome, losses);
        self.remember(plan, view, outcome);
        self.sweep_if_due(plan);
        Ok(outcome)
    }

    /// Counts what was done, and remembers the id.
    fn note(
        &mut self,
        plan: &Plan,
        (event, content): (&EventView<'_>, u64),
        outcome: Outcome,
        losses: Losses,
    ) {
        let stats = &mut self.stats;
        stats.observed += 1;
        stats.capped_events += losses.capped;
        stats.expired_entities += losses.expired;
        stats.dropped_labels += losses.labels;
        match outcome {
            Outcome::Recorded => {}
            Outcome::Inserted => stats.inserted += 1,
            Outcome::TooLate => stats.too_late += 1,
            Outcome::Duplicate => stats.duplicates += 1,
        }
        if !outcome.is_remembered() {
            return;
        }
        let (time, id) = (event.head.time, event.head.id);
        let newest = self.newest.map_or(time, |newest| newest.max(time));
        self.newest = Some(newest);
        let within = plan.set.duplicates_within.as_micros();
        if within > 0 && id != 0 {
            self.seen.insert(time, id, content, (newest, within));
        }
    }
}

impl Plan {
    /// Fills in what needs no state: facts of the event, and combinations.
    fn finish(&self, event: &EventView<'_>, row: &mut [f64]) {
        for (column, feature) in &self.events {
            row[*column] = feature.value(event, &self.rules.calendar);
        }
        for (column, derived) in &self.derived {
            row[*column] = derived.value(row);
        }
    }
}
