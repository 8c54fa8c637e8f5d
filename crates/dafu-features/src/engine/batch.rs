//! Many events at once: the same numbers as one by one, entity by entity.

use super::event::EventView;
use super::events::Events;
use super::groups::{Batch, Groups, Target};
use super::plan::Plan;
use super::table::{Losses, Mode};
use super::table_reader::TableReader;
use super::{FeatureEngine, Memory, Outcome, Record};
use crate::{FeatureError, TimeSortParams, TimeSorted};
use dafu_core::table::Table;
use dafu_core::{Dataset, Progress, SourceError, TableSource, Timestamp};
use ndarray::Array2;
use std::sync::Arc;

/// Events that are worked on together.
const CHUNK: usize = 1 << 17;

/// Takes the features of every table of a replay: the table and one row of features for each of its rows.
pub type ReplaySink<'a> = dyn FnMut(&Table, Dataset) -> Result<(), SourceError> + 'a;

impl FeatureEngine {
    /// Computes the features of many records and remembers them: the same bits, and the same memory afterwards, as of
    /// [`FeatureEngine::observe`] one by one in order of time, records of one time in their order here.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Record`] with the place of the first record that cannot be taken, counted from 0. Those before
    /// it in time are remembered.
    ///
    /// # Complexity
    ///
    /// As one by one, with better use of caches; with the feature `parallel` on several threads.
    pub fn observe_all<R: Record>(&mut self, records: &[R]) -> Result<Dataset, FeatureError> {
        self.check_kind::<R>()?;
        let width = self.plan.schema.width();
        let mut values = vec![0.0; records.len() * width];
        let rows = in_order(records.len(), |row| records[row].time());
        let mut work = Work::default();
        for rows in rows.chunks(CHUNK) {
            let records = rows.iter().map(|&row| &records[row as usize]);
            let unread = work
                .events
                .refill(records, &self.plan.layout, self.plan.hasher);
            let taken = self
                .memory
                .take_all(&self.plan, rows, &mut work, &mut values);
            if let Some(error) = taken.err().or_else(|| self.memory.refuse(unread)) {
                let row = rows.get(work.taken).copied().unwrap_or_default();
                return Err(FeatureError::Record {
                    row: u64::from(row),
                    source: Box::new(error),
                });
            }
        }
        let times = records.iter().map(Record::time).collect();
        Ok(self.dataset(values, records.len())?.with_times(times)?)
    }

    /// As [`FeatureEngine::observe_all`], for the rows of a table by the roles of its columns. The features come with
    /// times, and with labels where the table has them.
    ///
    /// # Errors
    ///
    /// [`FeatureError::MissingTime`], [`FeatureError::MissingField`] and [`FeatureError::Record`] with the record
    /// number in the source. Rows before it in time are remembered, but where a time is missing.
    pub fn observe_table(&mut self, table: &Table) -> Result<Dataset, FeatureError> {
        let plan = Arc::clone(&self.plan);
        let reader = TableReader::new(table, plan.set.record, &plan.layout)?;
        let times = reader.times();
        let mut values = vec![0.0; times.len() * plan.schema.width()];
        let mut work = Work::default();
        for rows in in_order(times.len(), |row| times[row]).chunks(CHUNK) {
            let unread = reader.read(&mut work.events, rows, (&plan.layout, plan.hasher));
            let taken = self.memory.take_all(&plan, rows, &mut work, &mut values);
            match taken.err().or_else(|| self.memory.refuse(unread)) {
                None => {}
                Some(error @ FeatureError::MissingField { .. }) => return Err(error),
                Some(error) => {
                    let row = rows.get(work.taken).copied().unwrap_or_default();
                    return Err(FeatureError::Record {
                        row: reader.record(row),
                        source: Box::new(error),
                    });
                }
            }
        }
        let labels = reader.labels();
        let dataset = self
            .dataset(values, times.len())?
            .with_times(times.to_vec())?;
        Ok(match labels {
            Some(labels) => dataset.with_labels(labels)?,
            None => dataset,
        })
    }

    /// Replays a source: computes the features of all its rows, table by table, and remembers them.
    ///
    /// The source has to be in order of time, as far as the set's bound for late events allows: of rows that come later,
    /// nothing is remembered, and [`super::EngineStats::too_late`] counts them. For a source in any order there is
    /// [`FeatureEngine::replay_any_order`]. Progress is reported in rows, under `replay`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Source`] when the source cannot be read or `sink` fails; otherwise as
    /// [`FeatureEngine::observe_table`].
    ///
    /// # Complexity
    ///
    /// One pass; memory for one table, its features, and what the set remembers.
    pub fn replay(
        &mut self,
        source: &dyn TableSource,
        progress: &dyn Progress,
        sink: &mut ReplaySink<'_>,
    ) -> Result<(), FeatureError> {
        let (mut done, total) = (0, source.rows_hint());
        for table in source.chunks()? {
            let table = table?;
            let features = self.observe_table(&table)?;
            sink(&table, features)?;
            done += table.rows() as u64;
            progress.report("replay", done, total);
        }
        Ok(())
    }

    /// As [`FeatureEngine::replay`], for a source in any order: [`crate::TimeSorted`] brings it into that of time, by
    /// temporary files where it does not fit into memory.
    ///
    /// # Errors
    ///
    /// As [`crate::TimeSorted::new`] and [`FeatureEngine::replay`].
    ///
    /// # Complexity
    ///
    /// One pass more than [`FeatureEngine::replay`] to see whether rows are in order, and what
    /// [`crate::TimeSorted`] takes where they are not.
    pub fn replay_any_order(
        &mut self,
        source: &dyn TableSource,
        params: &TimeSortParams,
        progress: &dyn Progress,
        sink: &mut ReplaySink<'_>,
    ) -> Result<(), FeatureError> {
        let sorted = TimeSorted::new(source, params)?;
        self.replay(&sorted, progress, sink)
    }

    fn dataset(&self, values: Vec<f64>, rows: usize) -> Result<Dataset, FeatureError> {
        let shape = (rows, self.plan.schema.width());
        let values = Array2::from_shape_vec(shape, values).map_err(SourceError::new)?;
        Ok(Dataset::new(Arc::clone(&self.plan.schema), values)?)
    }
}

/// Places in order of time, those of one time in their own order.
fn in_order(rows: usize, time: impl Fn(usize) -> Timestamp) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows)
        .map(|row| u32::try_from(row).unwrap_or(u32::MAX))
        .collect();
    if !order.is_sorted_by_key(|row| time(*row as usize)) {
        order.sort_by_key(|row| time(*row as usize));
    }
    order
}

/// Room to work in, kept from chunk to chunk: new pages cost more than what is written to them.
#[derive(Debug, Default)]
struct Work {
    /// In order of time.
    events: Events,
    modes: Vec<Mode>,
    /// Number of each event.
    numbers: Vec<u64>,
    /// How many of the events were taken.
    taken: usize,
    groups: Groups,
}

impl Memory {
    /// Takes events in order of time; the features of each go into a row of `out`. Stops at the first that cannot be
    /// taken.
    fn take_all(
        &mut self,
        plan: &Plan,
        rows: &[u32],
        work: &mut Work,
        out: &mut [f64],
    ) -> Result<(), FeatureError> {
        let judged = self.judge_all(plan, work);
        let batch = Batch {
            events: &work.events,
            modes: &work.modes,
            all_new: work.modes.iter().all(|mode| *mode == Mode::Record),
            numbers: &work.numbers,
            rules: &plan.rules,
        };
        let mut out = Target {
            values: out,
            width: plan.schema.width(),
            rows,
        };
        for (table, plan) in self.tables.iter_mut().zip(&plan.tables) {
            let losses = work.groups.take(table, plan, &batch, &mut out);
            self.stats.capped_events += losses.capped;
            self.stats.expired_entities += losses.expired;
            self.stats.dropped_labels += losses.labels;
        }
        for at in 0..work.taken {
            plan.finish(&batch.events.view(at), out.row(at));
        }
        self.sweep_if_due(plan);
        judged
    }

    /// Counts an event that could not be read.
    pub(super) const fn refuse(&mut self, error: Option<FeatureError>) -> Option<FeatureError> {
        if error.is_some() {
            self.stats.refused += 1;
        }
        error
    }

    /// What is to be done with each event, up to the first that cannot be taken.
    fn judge_all(&mut self, plan: &Plan, work: &mut Work) -> Result<(), FeatureError> {
        let Work {
            events,
            modes,
            numbers,
            taken,
            ..
        } = work;
        modes.clear();
        numbers.clear();
        *taken = 0;
        for at in 0..events.len() {
            let event = events.view(at);
            let content = event.content();
            let judged = self.judge(&plan.set, &event, content);
            let outcome = judged.inspect_err(|_| self.stats.refused += 1)?;
            self.step(content);
            numbers.push(self.sequence);
            modes.push(outcome.mode(self.oldest(&plan.rules)));
            self.note(plan, (&event, content), outcome, Losses::default());
            self.remember(plan, &event, outcome);
            *taken += 1;
        }
        Ok(())
    }

    pub(super) fn remember(&mut self, plan: &Plan, event: &EventView<'_>, outcome: Outcome) {
        let most = plan.set.limits.remembered_transactions as usize;
        if most > 0 && outcome.is_remembered() {
            self.remembered.insert(*event, most);
        }
    }
}
