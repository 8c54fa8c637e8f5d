//! A stream with a look ahead: memory is asked for what the next events need before the first of them waits for it.
//!
//! The entities of a stream lie scattered over memory, and an event that is taken alone waits for its key, then for its
//! entity, then for the ends of its windows, one after the other. Reading one word of each for a few events first, with
//! nothing that depends on it, lets the processor wait for all of them at once.

use super::event::EventView;
use super::events::Events;
use super::log::{Cursor, Log};
use super::log_plan::LogPlan;
use super::plan::Plan;
use super::table::{EntityTable, Slot};
use super::{FeatureEngine, Memory, Observation, Record};
use crate::FeatureError;
use dafu_core::FeatureRow;

/// Events looked at ahead.
const AHEAD: usize = 8;

impl FeatureEngine {
    /// Observes events one after the other and hands on the features of each before the next is taken: the same as
    /// [`FeatureEngine::observe`] for each, but it looks a few events ahead to ask memory for their entities.
    ///
    /// For events that come in small groups, as from a queue: of a single one it is [`FeatureEngine::observe`].
    ///
    /// # Errors
    ///
    /// [`FeatureError::Record`] with the place of the first event that cannot be taken, counted from 0. Those before
    /// it are remembered and were handed on.
    pub fn stream<'r, R: Record + 'r>(
        &mut self,
        records: impl IntoIterator<Item = &'r R>,
        mut sink: impl FnMut(&R, Observation<'_>),
    ) -> Result<(), FeatureError> {
        self.check_kind::<R>()?;
        let Self {
            plan, memory, row, ..
        } = self;
        let mut records = records.into_iter();
        let mut some: Vec<&R> = Vec::with_capacity(AHEAD);
        let mut events = Events::default();
        let mut slots: Vec<Slot> = Vec::new();
        let unknown = vec![None; plan.tables.len()];
        let mut taken = 0_u64;
        loop {
            some.clear();
            some.extend(records.by_ref().take(AHEAD));
            if some.is_empty() {
                return Ok(());
            }
            let unread = events.refill(some.iter().copied(), &plan.layout, plan.hasher);
            memory.look_ahead(plan, &events, &mut slots);
            let found_at = memory.forgotten;
            let failed = |taken: u64, source| FeatureError::Record {
                row: taken,
                source: Box::new(source),
            };
            let tables = plan.tables.len();
            for (at, record) in some.iter().enumerate().take(events.len()) {
                let slots = if memory.forgotten == found_at {
                    &slots[at * tables..(at + 1) * tables]
                } else {
                    &unknown
                };
                let outcome = memory
                    .take(plan, (&events.view(at), slots), row)
                    .map_err(|error| failed(taken, error))?;
                let row = FeatureRow::new(&plan.schema, row)?;
                sink(record, Observation { outcome, row });
                taken += 1;
            }
            if let Some(error) = memory.refuse(unread) {
                return Err(failed(taken, error));
            }
        }
    }
}

impl Memory {
    /// Finds the entities of an event, and asks memory for all of them before any is waited for.
    #[inline]
    pub(super) fn find_slots(&self, plan: &Plan, event: &EventView<'_>, slots: &mut Vec<Slot>) {
        slots.clear();
        let tables = || self.tables.iter().zip(&plan.tables);
        slots.extend(tables().map(|(table, plan)| {
            let key = EntityTable::key(plan, event.codes);
            key.and_then(|(key, _)| table.find(key))
        }));
        let mut sum = 0;
        for ((table, _), slot) in tables().zip(slots.iter()) {
            if let Some(slot) = *slot {
                for log in table.logs(slot) {
                    sum ^= log.touch();
                }
            }
        }
        std::hint::black_box(sum);
    }

    /// Finds the entities of events, those of one event side by side, and reads a word of each.
    fn look_ahead(&self, plan: &Plan, events: &Events, slots: &mut Vec<Slot>) {
        let (mut sum, width) = (0_u64, plan.tables.len().max(1));
        slots.clear();
        slots.resize(events.len() * width, None);
        for (place, (table, plan)) in self.tables.iter().zip(&plan.tables).enumerate() {
            for (at, slots) in slots.chunks_exact_mut(width).enumerate() {
                let key = EntityTable::key(plan, events.view(at).codes);
                slots[place] = key.and_then(|(key, _)| table.find(key));
            }
            let found = || slots.chunks_exact(width).filter_map(|slots| slots[place]);
            for log in found().flat_map(|slot| table.logs(slot)) {
                sum ^= log.touch();
            }
            for slot in found() {
                for (log, plan) in table.logs(slot).iter().zip(&plan.logs) {
                    sum ^= u64::from(log.touch_ends(plan));
                }
            }
            if plan.logs.iter().any(|log| log.maps > 0) {
                for log in found().flat_map(|slot| table.logs(slot)) {
                    sum ^= log.touch_heap();
                }
            }
        }
        std::hint::black_box(sum);
    }
}

impl Log {
    /// Reads one word of the events at the ends of windows and of the place of the next event.
    #[inline]
    fn touch_ends(&self, plan: &LogPlan) -> u32 {
        let words = self.words(plan);
        let touch = |ordinal| self.ring.touch(plan.shape, ordinal);
        let ends = plan.windows.iter().map(|window| {
            let cursor = Cursor::read(words, window);
            // Into a window without delay comes the next event itself.
            let entered = if window.delay > 0 {
                touch(cursor.entered)
            } else {
                0
            };
            touch(cursor.left) ^ entered
        });
        ends.fold(touch(self.ring.end()), |sum, word| sum ^ word)
    }
}
