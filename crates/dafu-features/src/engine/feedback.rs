//! What becomes known later: labels, reversals, and that somebody is to be forgotten.

use super::FeatureEngine;
use super::event::{EventRow, EventView, Record, text_code};
use super::hash::pair;
use super::log::short;
use super::mark::Word;
use super::ring::Entry;
use super::table::EntityTable;
use crate::FeatureError;
use crate::set::Field;
use dafu_core::{EntityKey, Label, Timestamp, Transaction, TransactionId};
use std::sync::Arc;

impl FeatureEngine {
    /// Takes the label of a transaction, known from an instant on. Events at or after that instant see it.
    ///
    /// A fraud that turns out to be none is taken back by a second call with [`Label::Legitimate`]. The transaction
    /// need not be remembered; that of an entity without any memory is counted as unmatched.
    ///
    /// # Errors
    ///
    /// As [`FeatureEngine::observe`] for a record that cannot be read.
    pub fn label(
        &mut self,
        transaction: &Transaction,
        label: Label,
        known_at: Timestamp,
    ) -> Result<(), FeatureError> {
        let event = self.read_apart(transaction)?;
        self.take_label(&event.view(), label, known_at);
        Ok(())
    }

    /// As [`FeatureEngine::label`], for a transaction among those remembered
    /// ([`crate::StateLimits::remembered_transactions`]: none, unless set). Returns whether it is.
    pub fn label_by_id(&mut self, id: &TransactionId, label: Label, known_at: Timestamp) -> bool {
        let id = self.plan.hasher.id(id.as_str().as_bytes());
        let Some(event) = self.memory.remembered.find(id).cloned() else {
            self.memory.stats.unmatched += 1;
            return false;
        };
        self.take_label(&event.view(), label, known_at);
        true
    }

    fn take_label(&mut self, event: &EventView<'_>, label: Label, known_at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        let memory = &mut self.memory;
        memory.step(event.head.id);
        let mut found = false;
        let (time, id) = (event.head.time, short(event.head.id));
        for (table, plan_of) in memory.tables.iter_mut().zip(&plan.tables) {
            let key = EntityTable::key(plan_of, event.codes);
            let Some(slot) = key.and_then(|(key, _)| table.find(key)) else {
                continue;
            };
            table.use_at(slot, memory.sequence);
            let logs = table.logs_mut(slot);
            for (log, plan_of) in logs.iter_mut().zip(&plan_of.logs) {
                let gate = plan_of.gate.as_ref();
                let passes = gate.is_none_or(|gate| gate.passes(event, &plan.rules.calendar));
                if plan_of.labels.is_none() || !passes {
                    continue;
                }
                let word = match label {
                    Label::Fraud => Word::Fraud,
                    Label::Legitimate => Word::Honest,
                    Label::Unknown => continue,
                };
                found = true;
                let most = plan.rules.most_events;
                // What the record itself says of an honest event is kept only where something contradicts it.
                if let (Some(after), Label::Legitimate) = (plan.rules.known_after, event.head.label)
                {
                    let own = (Word::Honest, time.saturating_add(after));
                    if !log.has_label((time, id), own) {
                        memory.stats.dropped_labels += log.label(plan_of, (time, id), own, most);
                    }
                }
                let word = (word, known_at.as_micros());
                memory.stats.dropped_labels += log.label(plan_of, (time, id), word, most);
            }
        }
        if found {
            self.memory.stats.labels += 1;
        } else {
            self.memory.stats.unmatched += 1;
        }
    }

    /// Takes a transaction back: from now on no window counts it. What was read before stays as it was. Returns
    /// whether anything was held of it.
    ///
    /// When its entities were first seen is not changed, nor are the smallest, largest and different values of windows
    /// of tiles.
    ///
    /// # Errors
    ///
    /// As [`FeatureEngine::observe`] for a record that cannot be read.
    pub fn reverse(&mut self, transaction: &Transaction) -> Result<bool, FeatureError> {
        let event = self.read_apart(transaction)?;
        Ok(self.take_back(&event))
    }

    /// As [`FeatureEngine::reverse`], for a transaction among those remembered: none, unless set. Returns whether it is.
    pub fn reverse_by_id(&mut self, id: &TransactionId) -> bool {
        let id = self.plan.hasher.id(id.as_str().as_bytes());
        let Some(event) = self.memory.remembered.find(id).cloned() else {
            self.memory.stats.unmatched += 1;
            return false;
        };
        self.take_back(&event)
    }

    fn take_back(&mut self, event: &EventRow) -> bool {
        let plan = Arc::clone(&self.plan);
        let memory = &mut self.memory;
        let view = event.view();
        memory.step(view.head.id);
        let within = plan.set.duplicates_within.as_micros();
        if !memory
            .seen
            .reverse(view.head.id, (memory.newest.unwrap_or(0), within))
        {
            memory.stats.unmatched += 1;
            return false;
        }
        let mut found = false;
        for (table, plan_of) in memory.tables.iter_mut().zip(&plan.tables) {
            let key = EntityTable::key(plan_of, view.codes);
            let Some(slot) = key.and_then(|(key, _)| table.find(key)) else {
                continue;
            };
            let last = table.entity(slot).last;
            table.use_at(slot, memory.sequence);
            let logs = table.logs_mut(slot);
            for (log, plan_of) in logs.iter_mut().zip(&plan_of.logs) {
                let gate = plan_of.gate.as_ref();
                if gate.is_some_and(|gate| !gate.passes(&view, &plan.rules.calendar)) {
                    continue;
                }
                found |= log.remove_from_tiles(plan_of, &view);
                let entry = Entry::of(&view, plan_of);
                found |= log.remove(plan_of, &entry, last, &plan.rules);
                if plan_of.labels.is_some() {
                    let event = (view.head.time, short(view.head.id));
                    let most = plan.rules.most_events;
                    memory.stats.dropped_labels +=
                        log.label(plan_of, event, (Word::Reversed, i64::MIN), most);
                }
            }
        }
        self.memory.remembered.remove(view.head.id);
        if found {
            self.memory.stats.reversed += 1;
        } else {
            self.memory.stats.unmatched += 1;
        }
        found
    }

    fn read_apart<R: Record>(&self, record: &R) -> Result<EventRow, FeatureError> {
        self.check_kind::<R>()?;
        let mut event = EventRow::default();
        event.read(record, &self.plan.layout, self.plan.hasher)?;
        Ok(event)
    }

    /// Forgets an entity: everything kept under its key, and under every pair that it is part of. Returns whether
    /// anything was held of it.
    ///
    /// Events that it took part in stay in the windows of others, where 32 bits of a keyed hash stand for it, and hashes
    /// of their ids are remembered for as long as duplicates are looked for.
    pub fn forget(&mut self, entity: &EntityKey) -> bool {
        let Ok(field) = Field::try_from(entity.kind) else {
            return false;
        };
        let hash = text_code(&field, entity.id.as_str(), self.plan.hasher);
        self.forget_hash(&field, hash)
    }

    /// As [`FeatureEngine::forget`], for a field that is no kind of entity in core, such as a place or a further
    /// column.
    pub fn forget_value(&mut self, field: &Field, value: &str) -> bool {
        let hash = text_code(field, value, self.plan.hasher);
        self.forget_hash(field, hash)
    }

    fn forget_hash(&mut self, field: &Field, hash: u64) -> bool {
        if hash == 0 {
            return false;
        }
        let plan = Arc::clone(&self.plan);
        let memory = &mut self.memory;
        let mut gone = 0;
        for (at, first) in plan.tables_of(field) {
            let place = usize::from(!first);
            gone += memory.tables[at].retain(|entity| entity.parts[place] != hash);
        }
        let code = plan.layout.fields.iter().position(|other| other == field);
        if let Some(code) = code {
            let ids: Vec<u64> = self
                .memory
                .remembered
                .events()
                .filter(|event| event.codes[code] == hash)
                .map(|event| event.head.id)
                .collect();
            gone += ids.len() as u64;
            for id in ids {
                self.memory.remembered.remove(id);
            }
        }
        gone > 0
    }

    /// Which of a number of engines an event belongs to when a stream is split by a field: a set all of whose keys
    /// hold the field gives the same features from its share of the events as from all of them, as long as no event is
    /// later than the set's bound, which each engine judges by its own newest. Missing values belong to the first.
    ///
    /// # Errors
    ///
    /// As [`FeatureEngine::observe`] for a record of another kind, and [`FeatureError::OutOfRange`] for no engines.
    pub fn shard_of<R: Record>(
        &self,
        record: &R,
        field: &Field,
        shards: u32,
    ) -> Result<u32, FeatureError> {
        self.check_kind::<R>()?;
        if shards == 0 {
            return Err(FeatureError::OutOfRange {
                parameter: "shards",
                min: 1,
                max: i64::from(u32::MAX),
                got: 0,
            });
        }
        let code = record.code(field, self.plan.hasher);
        let shard = if code == 0 {
            0
        } else {
            pair(code, 1) % u64::from(shards)
        };
        Ok(u32::try_from(shard).unwrap_or_default())
    }

    /// Takes over what another engine of the same set knows. No entity may be known to both.
    ///
    /// # Errors
    ///
    /// [`FeatureError::OtherSet`] for an engine of another set, [`FeatureError::Overlap`] for one that knows an entity
    /// that this one knows; then nothing is taken.
    pub fn merge(&mut self, other: Self) -> Result<(), FeatureError> {
        if self.plan.hash != other.plan.hash {
            return Err(FeatureError::OtherSet {
                expected: self.plan.hash,
                got: other.plan.hash,
            });
        }
        let (memory, theirs) = (&mut self.memory, other.memory);
        let tables = memory.tables.iter().zip(&theirs.tables);
        for ((ours, theirs), plan) in tables.zip(&self.plan.tables) {
            if theirs
                .entities()
                .any(|entity| ours.find(entity.key()).is_some())
            {
                return Err(FeatureError::Overlap {
                    key: plan.key.to_string(),
                });
            }
        }
        memory.sequence = memory.sequence.max(theirs.sequence) + 1;
        memory.saved = None;
        for (ours, theirs) in memory.tables.iter_mut().zip(theirs.tables) {
            ours.append(theirs);
        }
        memory.newest = memory.newest.max(theirs.newest);
        memory.stats.add(&theirs.stats);
        memory.seen.merge(&theirs.seen);
        let most = self.plan.set.limits.remembered_transactions as usize;
        for event in theirs.remembered.events() {
            memory.remembered.insert(event.view(), most);
        }
        Ok(())
    }
}
