//! Keeping memory within its bounds.

use super::plan::Plan;
use super::table::EntityTable;
use super::{FeatureEngine, Memory};

/// Events before the first look.
pub(crate) const FIRST: u64 = 4096;

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
    /// Looks for entities to forget, as often as keeps the cost of looking at a small constant an event.
    pub(super) fn sweep_if_due(&mut self, plan: &Plan) {
        if self.sequence >= self.next_sweep {
            self.sweep(plan);
            let entities: usize = self.tables.iter().map(EntityTable::len).sum();
            self.next_sweep = self.sequence + (2 * entities as u64).max(FIRST);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(EntityTable::bytes).sum();
        tables + self.seen.bytes() + self.remembered.bytes()
    }

    pub(super) fn sweep(&mut self, plan: &Plan) {
        let Some(newest) = self.newest else {
            return;
        };
        let rules = &plan.rules;
        if rules.ttl.is_some() {
            // An event may still come late: an entity is stale once it is so for the oldest event allowed.
            let oldest = newest.saturating_sub(rules.bound);
            for table in &mut self.tables {
                let gone = table.retain(|entity| !entity.is_stale(oldest, rules));
                self.stats.expired_entities += gone;
            }
        }
        let Some(budget) = plan.set.limits.memory_bytes else {
            return;
        };
        let held = self.bytes() as u64;
        if held > budget {
            self.evict(held - budget + budget / 16);
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
            self.stats.evicted_entities += table.retain(|entity| entity.used > until);
        }
    }
}
