//! The log at other times: as it was, with an event put in late, with one taken out.

use super::log::Log;
use super::log_plan::LogPlan;
use super::plan::Rules;
use super::ring::Entry;

impl Log {
    /// The log as it was at an instant: events up to it, in order. Where `before` is among them, only those before it:
    /// what it saw when it came.
    pub(crate) fn as_of(
        &self,
        plan: &LogPlan,
        now: i64,
        before: Option<&Entry>,
        rules: &Rules,
    ) -> Self {
        let until = self.ring.entries(plan.shape);
        let mut entries: Vec<Entry> = until.take_while(|entry| entry.time <= now).collect();
        let own = before.and_then(|own| entries.iter().rposition(|entry| entry.same(own)));
        if let Some(own) = own {
            entries.truncate(own);
        }
        let (mut log, _) = self.with_entries(plan, &entries, (now, rules));
        for tiles in log.tiles_mut() {
            tiles.forget_after(now);
        }
        log.advance(plan, now, rules);
        log
    }

    /// The same log with other events, and how many of them the cap dropped. Windows stand at the last event.
    ///
    /// What decays begins with what it was before the first event that is held, so that it comes out the same as if
    /// the events had come in this order from the beginning.
    fn with_entries(
        &self,
        plan: &LogPlan,
        entries: &[Entry],
        (now, rules): (i64, &Rules),
    ) -> (Self, u64) {
        let mut log = Self::new(plan);
        log.entity = self.entity;
        let (time, sums) = self.decay_base(plan);
        // Where the cap dropped later events, what came before is no longer known apart from them.
        if time <= now {
            log.set_decay_base(plan, time, &sums);
        }
        let mut dropped = 0;
        for entry in entries {
            log.advance(plan, entry.time, rules);
            dropped += log.push(plan, entry, rules);
        }
        log.set_marks(self.marks().to_vec());
        let gone = usize::try_from(dropped).unwrap_or(usize::MAX);
        for entry in entries.iter().take(gone) {
            log.uncount(entry.time, plan.id.map(|column| entry.codes[column]));
        }
        log.set_tiles(self.tiles());
        (log, dropped)
    }

    /// Puts an event that comes late in its place: after all with its time or an earlier one. `now` is the time that
    /// the windows stand at. Returns how many events the cap dropped.
    pub(crate) fn insert(&mut self, plan: &LogPlan, entry: &Entry, now: i64, rules: &Rules) -> u64 {
        let mut entries: Vec<Entry> = self.ring.entries(plan.shape).collect();
        let at = entries.partition_point(|other| other.time <= entry.time);
        entries.insert(at, *entry);
        let (log, dropped) = self.with_entries(plan, &entries, (now, rules));
        *self = log;
        self.advance(plan, now, rules);
        dropped
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
        let Some(at) = entries.iter().rposition(|other| other.same(entry)) else {
            return false;
        };
        entries.remove(at);
        self.settle(plan, &entries, now, rules);
        true
    }

    /// Puts other events in the place of those held, and brings windows and sums in line with them.
    pub(crate) fn settle(&mut self, plan: &LogPlan, entries: &[Entry], now: i64, rules: &Rules) {
        let (log, _) = self.with_entries(plan, entries, (now, rules));
        *self = log;
        self.advance(plan, now, rules);
    }
}
