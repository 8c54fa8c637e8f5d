//! The memory of an engine as bytes, whole or entity by entity.
//!
//! What is kept are events, marks and tiles; windows, sums and maps follow from them when they are read back, so that no
//! damaged file can bring them out of line.

use super::event::{EventRow, Facts, Head, LARGEST, MISSING};
use super::log::Log;
use super::mark::Mark;
use super::plan::{Plan, Rules, TablePlan};
use super::ring::Entry;
use super::seen::{Remembered, Seen};
use super::table::{Entity, EntityTable};
use super::tiles::Tiles;
use super::{EngineStats, FeatureEngine, Memory};
use crate::FeatureError;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{Batch, GeoPoint, Label, StateStore, Timestamp, TransactionStatus};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

const KIND: &str = "dafu.features.memory";
const ENTITY_KIND: &str = "dafu.features.entity";
const VERSION: u16 = 1;

/// Everything but the entities.
#[derive(Serialize, Deserialize)]
struct SavedHead {
    newest: Option<i64>,
    sequence: u64,
    next_sweep: u64,
    swept: (u64, u64),
    chain: u64,
    stats: EngineStats,
    /// Times, ids and contents.
    seen: Vec<(i64, u64, u64)>,
    /// Times and ids.
    reversed: Vec<(i64, u64)>,
    remembered: Vec<SavedEvent>,
}

#[derive(Serialize, Deserialize)]
struct SavedEvent {
    time: i64,
    id: u64,
    label: Label,
    status: Option<TransactionStatus>,
    numbers: Vec<i64>,
    codes: Vec<u64>,
    /// Latitude and longitude of the payment and of the home.
    place: Option<(f64, f64)>,
    home: Option<(f64, f64)>,
    ip: Option<IpAddr>,
}

#[derive(Serialize, Deserialize)]
struct SavedEntity {
    parts: [u64; 2],
    first: i64,
    last: i64,
    used: u64,
    first_id: u32,
    logs: Vec<SavedLog>,
}

#[derive(Serialize, Deserialize)]
struct SavedLog {
    times: Vec<i64>,
    numbers: Vec<i64>,
    codes: Vec<u32>,
    marks: Vec<Mark>,
    tiles: Vec<Tiles>,
    /// Time of the last event that is no longer held, and the bits of decaying sums at it.
    decay_time: i64,
    decays: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    head: SavedHead,
    /// By table, in order of their keys.
    tables: Vec<Vec<SavedEntity>>,
}

fn broken(what: &'static str) -> FeatureError {
    FeatureError::Model(ModelError::Payload {
        kind: KIND.to_owned(),
        what: what.to_owned(),
    })
}

fn ensure(holds: bool, what: &'static str) -> Result<(), FeatureError> {
    if holds { Ok(()) } else { Err(broken(what)) }
}

fn is_time(time: i64) -> bool {
    Timestamp::from_micros(time).is_ok()
}

impl FeatureEngine {
    /// The memory of past events as bytes: the same bytes for the same memory. With the feature `serde`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Model`] when it cannot be encoded.
    ///
    /// # Complexity
    ///
    /// Linear in what is remembered.
    pub fn snapshot(&self) -> Result<Vec<u8>, FeatureError> {
        let (memory, plan) = (&self.memory, &self.plan);
        let tables = memory.tables.iter().zip(&plan.tables).map(|(table, plan)| {
            let mut slots: Vec<usize> = (0..table.len()).collect();
            slots.sort_unstable_by_key(|&slot| table.entity(slot).key());
            slots
                .into_iter()
                .map(|slot| save_entity(plan, table, slot))
                .collect()
        });
        let saved = Saved {
            head: memory.save_head(),
            tables: tables.collect(),
        };
        Ok(Envelope::encode(KIND, VERSION, plan.hash, &saved)?)
    }

    /// Puts a snapshot in the place of the memory; what follows comes out the same bits as if the engine that gave it
    /// had gone on, but for what the memory budget makes it forget. After an error the memory is as before. With the
    /// feature `serde`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OtherSet`] for the memory of another set, [`FeatureError::Model`] for bytes that are no intact
    /// memory, and for one that needs far more room than the set's budget or the bytes themselves.
    ///
    /// # Complexity
    ///
    /// Linear in the bytes.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), FeatureError> {
        let limits = Limits {
            max_bytes: u64::MAX,
            ..Limits::default()
        };
        let envelope = Envelope::expect(snapshot, KIND, VERSION, &limits)?;
        self.check_set(&envelope)?;
        let saved: Saved = envelope.decode()?;
        let plan = &self.plan;
        ensure(
            saved.tables.len() == plan.tables.len(),
            "the number of tables differs",
        )?;
        let mut memory = Memory::new(plan);
        memory.load_head(plan, saved.head)?;
        let mut room = Room::new(plan, snapshot.len());
        let tables = memory.tables.iter_mut().zip(&plan.tables);
        for ((table, plan_of), entities) in tables.zip(saved.tables) {
            for entity in entities {
                load_entity(table, plan_of, &plan.rules, entity, &mut room)?;
            }
        }
        self.memory = memory;
        Ok(())
    }

    fn check_set(&self, envelope: &Envelope<'_>) -> Result<(), FeatureError> {
        let (expected, got) = (self.plan.hash, envelope.header().schema_hash());
        if expected == got {
            Ok(())
        } else {
            Err(FeatureError::OtherSet { expected, got })
        }
    }

    /// Writes the memory to a store, under keys that begin with `prefix`: all entities the first time, and later, where
    /// the store still holds what this engine wrote or read last, those that changed since. Entities that are no longer known are removed. Returns how many entities were written.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the store, or when something cannot be encoded. All changes are applied together.
    ///
    /// # Complexity
    ///
    /// One pass over the keys of the store and the entities; writing is linear in the entities that changed and in the ids
    /// that are remembered.
    pub fn save_to<S: StateStore>(
        &mut self,
        store: &mut S,
        prefix: &[u8],
    ) -> Result<u64, StoreError<S::Error>> {
        let (memory, plan) = (&self.memory, &self.plan);
        let head_key = [prefix, b"head"].concat();
        let before = store.value(&head_key).map_err(StoreError::Store)?;
        let before = before.and_then(|bytes| self.read_head(&bytes).ok());
        // Only what changed, where the store holds what this engine wrote or read last.
        let own = before.filter(|head| Some(head.chain) == memory.saved);
        let since = own.map(|head| head.sequence);
        let mut batch = Batch::default();
        let entities = [prefix, b"entity"].concat();
        let mut gone = Vec::new();
        store
            .scan(&entities, &mut |key, _| {
                let rest = key.get(entities.len()..).unwrap_or_default();
                if since.is_none() || !memory.knows(rest) {
                    gone.push(key.to_vec());
                }
                true
            })
            .map_err(StoreError::Store)?;
        for key in gone {
            batch = batch.remove(key);
        }
        let mut written = 0;
        for (at, (table, plan_of)) in memory.tables.iter().zip(&plan.tables).enumerate() {
            for slot in 0..table.len() {
                let entity = table.entity(slot);
                if since.is_some_and(|since| entity.used <= since) {
                    continue;
                }
                let saved = save_entity(plan_of, table, slot);
                let bytes = Envelope::encode(ENTITY_KIND, VERSION, plan.hash, &saved);
                let bytes = bytes.map_err(FeatureError::from)?;
                batch = batch.put(entity_key(&entities, at, entity.key()), bytes);
                written += 1;
            }
        }
        let head = Envelope::encode(KIND, VERSION, plan.hash, &memory.save_head());
        batch = batch.put(head_key, head.map_err(FeatureError::from)?);
        store.apply(&batch).map_err(StoreError::Store)?;
        self.memory.saved = Some(self.memory.chain);
        Ok(written)
    }

    /// Puts the memory in a store in the place of this one. After an error the memory is as before. Returns whether the
    /// store holds any under `prefix`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from the store; otherwise as [`FeatureEngine::restore`].
    pub fn load_from<S: StateStore>(
        &mut self,
        store: &S,
        prefix: &[u8],
    ) -> Result<bool, StoreError<S::Error>> {
        let head_key = [prefix, b"head"].concat();
        let Some(head) = store.value(&head_key).map_err(StoreError::Store)? else {
            return Ok(false);
        };
        let plan = &self.plan;
        let mut memory = Memory::new(plan);
        memory.load_head(plan, self.read_head(&head)?)?;
        let entities = [prefix, b"entity"].concat();
        let mut room = Room::new(plan, head.len());
        let mut failed = None;
        store
            .scan(&entities, &mut |key, value| {
                room.allow(value.len());
                let rest = key.get(entities.len()..).unwrap_or_default();
                failed = self.load_value(&mut memory, rest, value, &mut room).err();
                failed.is_none()
            })
            .map_err(StoreError::Store)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        memory.saved = Some(memory.chain);
        self.memory = memory;
        Ok(true)
    }

    fn read_head(&self, bytes: &[u8]) -> Result<SavedHead, FeatureError> {
        let limits = Limits {
            max_bytes: u64::MAX,
            ..Limits::default()
        };
        let envelope = Envelope::expect(bytes, KIND, VERSION, &limits)?;
        self.check_set(&envelope)?;
        Ok(envelope.decode()?)
    }

    fn load_value(
        &self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        room: &mut Room,
    ) -> Result<(), FeatureError> {
        let envelope = Envelope::expect(value, ENTITY_KIND, VERSION, &Limits::default())?;
        self.check_set(&envelope)?;
        let entity: SavedEntity = envelope.decode()?;
        let table = key.first_chunk::<2>().map(|at| u16::from_be_bytes(*at));
        let at = usize::from(table.unwrap_or(u16::MAX));
        let found = memory.tables.get_mut(at).zip(self.plan.tables.get(at));
        let (table, plan) = found.ok_or_else(|| broken("a key names no table"))?;
        load_entity(table, plan, &self.plan.rules, entity, room)
    }
}

/// An error of writing to or reading from a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError<E: std::error::Error + 'static> {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[source] E),
    /// The memory cannot be written or read.
    #[error(transparent)]
    Features(#[from] FeatureError),
}

/// Table and key of an entity, behind the prefix of entities.
fn entity_key(prefix: &[u8], table: usize, key: u64) -> Vec<u8> {
    let table = u16::try_from(table).unwrap_or(u16::MAX);
    [prefix, &table.to_be_bytes(), &key.to_be_bytes()].concat()
}

/// How much memory reading may take: a few times the set's budget, or in proportion to the bytes.
struct Room {
    budget: Option<usize>,
    left: usize,
}

impl Room {
    /// Bytes of memory for one of a snapshot, without a budget.
    const RATIO: usize = 256;

    fn new(plan: &Plan, bytes: usize) -> Self {
        let budget = plan.set.limits.memory_bytes;
        let budget = budget.map(|budget| usize::try_from(budget).unwrap_or(usize::MAX));
        let left = budget.map_or(0, |budget| budget.saturating_mul(4));
        let mut room = Self { budget, left };
        room.allow(bytes);
        room
    }

    fn allow(&mut self, bytes: usize) {
        if self.budget.is_none() {
            let more = bytes.saturating_mul(Self::RATIO).saturating_add(1 << 16);
            self.left = self.left.saturating_add(more);
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), FeatureError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| broken("it needs more memory than the set's budget"))?;
        Ok(())
    }
}

impl Memory {
    /// Whether an entity is known, by what stands behind the prefix of its key in a store.
    fn knows(&self, key: &[u8]) -> bool {
        let table = key.first_chunk::<2>().map(|at| u16::from_be_bytes(*at));
        let key = key.get(2..).and_then(|key| <[u8; 8]>::try_from(key).ok());
        let found = table.zip(key).and_then(|(table, key)| {
            let table = self.tables.get(usize::from(table))?;
            table.find(u64::from_be_bytes(key))
        });
        found.is_some()
    }

    fn save_head(&self) -> SavedHead {
        let point = |point: GeoPoint| (point.latitude(), point.longitude());
        let event = |event: &EventRow| SavedEvent {
            time: event.head.time,
            id: event.head.id,
            label: event.head.label,
            status: event.head.status,
            numbers: event.numbers.clone(),
            codes: event.codes.clone(),
            place: event.facts.place.map(point),
            home: event.facts.home.map(point),
            ip: event.facts.ip,
        };
        SavedHead {
            newest: self.newest,
            sequence: self.sequence,
            next_sweep: self.next_sweep,
            swept: self.swept,
            chain: self.chain,
            stats: self.stats,
            seen: self.seen.entries().collect(),
            reversed: self.seen.reversed().collect(),
            remembered: self.remembered.events().map(event).collect(),
        }
    }

    fn load_head(&mut self, plan: &Plan, head: SavedHead) -> Result<(), FeatureError> {
        ensure(
            head.newest.is_none_or(is_time),
            "the newest event is outside the years 1 to 9999",
        )?;
        let times = head.seen.iter().map(|entry| entry.0);
        ensure(times.into_iter().all(is_time), "an id has no sound time")?;
        let most = plan.set.limits.remembered_transactions as usize;
        ensure(
            head.remembered.len() <= most,
            "more transactions are remembered than the set allows",
        )?;
        let mut remembered = Remembered::default();
        for event in head.remembered {
            remembered.insert(load_event(plan, event)?.view(), most);
        }
        self.newest = head.newest;
        self.sequence = head.sequence;
        self.next_sweep = head.next_sweep;
        self.swept = head.swept;
        self.chain = head.chain;
        self.stats = head.stats;
        self.seen = Seen::from_entries(&head.seen, head.reversed);
        self.remembered = remembered;
        Ok(())
    }
}

fn is_number(number: i64) -> bool {
    number == MISSING || (-LARGEST..=LARGEST).contains(&number)
}

fn load_event(plan: &Plan, event: SavedEvent) -> Result<EventRow, FeatureError> {
    let layout = &plan.layout;
    let widths = (event.numbers.len(), event.codes.len());
    ensure(
        widths == (layout.quantities.len(), layout.fields.len()),
        "a transaction has other columns than the set",
    )?;
    let sound = is_time(event.time) && event.numbers.iter().copied().all(is_number);
    ensure(sound, "a transaction has no sound time or number")?;
    let point = |point: Option<(f64, f64)>| {
        let point = point.map(|(latitude, longitude)| GeoPoint::new(latitude, longitude));
        point
            .transpose()
            .map_err(|_| broken("a place is not on the earth"))
    };
    Ok(EventRow {
        head: Head {
            time: event.time,
            id: event.id,
            label: event.label,
            status: event.status,
        },
        numbers: event.numbers,
        codes: event.codes,
        facts: Facts {
            place: point(event.place)?,
            home: point(event.home)?,
            ip: event.ip,
            agent: None,
        },
    })
}

fn save_entity(plan: &TablePlan, table: &EntityTable, slot: usize) -> SavedEntity {
    let entity = table.entity(slot);
    let logs = table.logs(slot).iter().zip(&plan.logs).map(|(log, plan)| {
        let log = log.pruned(plan, entity.last);
        let (decay_time, decays) = log.decay_base(plan);
        let (mut times, mut numbers, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        for entry in log.ring.entries(plan.shape) {
            times.push(entry.time);
            numbers.extend_from_slice(&entry.numbers[..plan.numbers.len()]);
            codes.extend_from_slice(&entry.codes[..plan.codes.len()]);
        }
        SavedLog {
            times,
            numbers,
            codes,
            marks: log.marks().to_vec(),
            tiles: log.tiles().to_vec(),
            decay_time,
            decays,
        }
    });
    SavedEntity {
        parts: entity.parts,
        first: entity.first,
        last: entity.last,
        used: entity.used,
        first_id: entity.first_id,
        logs: logs.collect(),
    }
}

fn load_entity(
    table: &mut EntityTable,
    plan: &TablePlan,
    rules: &Rules,
    saved: SavedEntity,
    room: &mut Room,
) -> Result<(), FeatureError> {
    let entity = Entity {
        parts: saved.parts,
        first: saved.first,
        last: saved.last,
        used: saved.used,
        first_id: saved.first_id,
    };
    let pair = plan.codes.1.is_some();
    ensure(
        entity.parts[0] != 0 && (entity.parts[1] != 0) == pair,
        "an entity has no key",
    )?;
    ensure(
        is_time(entity.first) && is_time(entity.last) && entity.first <= entity.last,
        "an entity has no sound times",
    )?;
    ensure(table.find(entity.key()).is_none(), "an entity stands twice")?;
    ensure(
        saved.logs.len() == plan.logs.len(),
        "an entity has another number of logs",
    )?;
    let mut logs = Vec::with_capacity(plan.logs.len());
    for (saved, plan) in saved.logs.into_iter().zip(&plan.logs) {
        let log = load_log(plan, rules, saved, entity.last)?;
        room.take(size_of::<Log>() + log.heap_bytes())?;
        logs.push(log);
    }
    room.take(size_of::<Entity>())?;
    table.push(entity, logs);
    Ok(())
}

fn load_log(
    plan: &super::log_plan::LogPlan,
    rules: &Rules,
    saved: SavedLog,
    now: i64,
) -> Result<Log, FeatureError> {
    let events = saved.times.len();
    let (numbers, codes) = (plan.numbers.len(), plan.codes.len());
    ensure(
        events <= rules.most_events as usize && (events == 0 || plan.keeps_events()),
        "an entity has more events than the set allows",
    )?;
    ensure(
        saved.numbers.len() == events * numbers && saved.codes.len() == events * codes,
        "events have other columns than the set",
    )?;
    let in_order = saved.times.is_sorted() && saved.times.iter().copied().all(is_time);
    ensure(
        in_order && saved.times.last().is_none_or(|last| *last <= now),
        "events are not in order",
    )?;
    let within = |number: &i64| (-LARGEST..=LARGEST).contains(number);
    ensure(saved.numbers.iter().all(within), "a number is too large")?;
    let sound = |mark: &Mark| is_time(mark.time);
    ensure(
        saved
            .marks
            .is_sorted_by_key(|mark| (mark.event(), mark.known_at))
            && saved.marks.iter().all(sound)
            && (saved.marks.is_empty() || plan.labels.is_some())
            && saved.marks.len() <= (rules.most_events as usize).max(super::mark::LEAST),
        "labels are not in order",
    )?;
    ensure(saved.tiles.len() == plan.tiled.len(), "tiles are missing")?;
    let tiles = saved.tiles.iter().zip(&plan.tiled);
    for (tiles, plan) in tiles {
        ensure(tiles.is_sound(plan, rules.bound), "tiles are not sound")?;
    }
    let entries: Vec<Entry> = (0..events)
        .map(|at| {
            let mut entry = Entry::at(saved.times[at]);
            entry.numbers[..numbers]
                .copy_from_slice(&saved.numbers[at * numbers..(at + 1) * numbers]);
            entry.codes[..codes].copy_from_slice(&saved.codes[at * codes..(at + 1) * codes]);
            entry
        })
        .collect();
    let finite = |bits: &u64| f64::from_bits(*bits).is_finite();
    let decays_sound = saved.decays.len() == plan.decays.len() && saved.decays.iter().all(finite);
    ensure(
        decays_sound && (saved.decay_time == i64::MIN || is_time(saved.decay_time)),
        "decaying sums are not sound",
    )?;
    let mut log = Log::new(plan);
    log.set_decay_base(plan, saved.decay_time, &saved.decays);
    log.set_tiles(&saved.tiles);
    log.settle(plan, &entries, now, rules);
    // After the events, since those of a past memory are not to drop labels.
    log.set_marks(saved.marks);
    Ok(log)
}
