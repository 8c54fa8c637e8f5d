//! Keeping memory within its bounds.

use super::plan::Plan;
use super::table::EntityTable;
use super::{FeatureEngine, Memory};

/// Events before the first look.
pub(crate) const FIRST: u64 = 256;

impl FeatureEngine {
    /// Forgets entities of which nothing was heard for the time to live, and then, while the memory budget is
    /// passed, those that were used least recently. Counted in [`super::EngineStats`].
    ///
    /// The engine does it by itself now and then, and after a batch.
    ///
    /// # Complexity
    ///
    /// Linear in the number of entities.
    pub fn sweep(&mut self) {
        self.memory.sweep(&self.plan);
    }
}

impl Memory {
    /// Looks for entities to forget. Where memory grows towards its budget, the next look is due before it is passed by
    /// much; else so seldom that looking costs little an event.
    pub(super) fn sweep_if_due(&mut self, plan: &Plan) {
        if self.sequence < self.next_sweep {
            return;
        }
        let before = self.bytes() as u64;
        self.sweep(plan);
        let held = self.bytes() as u64;
        let entities: usize = self.tables.iter().map(EntityTable::len).sum();
        let seldom = (8 * entities as u64).max(FIRST);
        let budget = plan.set.limits.memory_bytes.unwrap_or(u64::MAX);
        let (last, held_then) = self.swept;
        let events = (self.sequence - last).max(1);
        let growth = (before.saturating_sub(held_then) / events).max(1);
        let room = budget.saturating_add(budget / 8).saturating_sub(held) / growth;
        self.swept = (self.sequence, held);
        self.next_sweep = self.sequence + room.clamp(FIRST / 4, seldom);
    }

    pub(super) fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(EntityTable::bytes).sum();
        tables + self.seen.bytes() + self.remembered.bytes()
    }

    pub(super) fn sweep(&mut self, plan: &Plan) {
        if self.newest.is_none() {
            return;
        }
        let rules = &plan.rules;
        if rules.ttl.is_some() {
            // An event may still come late: an entity is stale once it is so for the oldest event allowed.
            let oldest = self.oldest(rules);
            for table in &mut self.tables {
                let gone = table.retain(|entity| !entity.is_stale(oldest, rules));
                self.stats.expired_entities += gone;
                self.forgotten += gone;
            }
        }
        let Some(budget) = plan.set.limits.memory_bytes else {
            return;
        };
        // Ids may take a quarter, so that entities always have most of it.
        let ids = usize::try_from(budget / 4).unwrap_or(usize::MAX);
        if self.seen.bytes() > ids {
            self.stats.forgotten_ids += self.seen.shrink(ids / 8 * 7);
        }
        let others = (self.seen.bytes() + self.remembered.bytes()) as u64;
        let room = budget.saturating_sub(others).max(budget / 4);
        let held = (self.bytes() as u64).saturating_sub(others);
        if held > room {
            self.evict(held - room + room / 8);
        }
    }

    /// Forgets the entities that were used least recently until about this many bytes are free.
    fn evict(&mut self, bytes: u64) {
        let mut by_use: Vec<(u64, usize)> =
            self.tables.iter().flat_map(EntityTable::sizes).collect();
        by_use.sort_unstable();
        let (mut free, mut until) = (0, 0);
        for (used, size) in by_use {
            if free >= bytes {
                break;
            }
            free += size as u64;
            until = used;
        }
        for table in &mut self.tables {
            let gone = table.retain(|entity| entity.used > until);
            self.stats.evicted_entities += gone;
            self.forgotten += gone;
        }
    }
}
