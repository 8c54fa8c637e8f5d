//! Many events at once: the same numbers as one by one, entity by entity.

use super::events::Events;
use super::plan::{Plan, Rules, TablePlan};
use super::table::{EntityTable, Losses, Mode, Out, Stretch, read_unknown};
use super::{FeatureEngine, Memory, Outcome, Record};
use crate::FeatureError;
use dafu_core::table::Table;
use dafu_core::{Dataset, Label, Progress, Role, SourceError, TableSource, Timestamp};
use ndarray::Array2;
use std::sync::Arc;

/// Events that are worked on together.
const CHUNK: usize = 1 << 18;
/// No entity.
const NOWHERE: u32 = u32::MAX;

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
        let mut values = vec![f64::NAN; records.len() * self.plan.schema.width()];
        let in_order = records.is_sorted_by_key(Record::time);
        let chunk = if in_order {
            CHUNK
        } else {
            records.len().max(1)
        };
        let width = self.plan.schema.width();
        for (at, some) in records.chunks(chunk).enumerate() {
            let first = at * chunk;
            let out = &mut values[first * width..(first + some.len()) * width];
            let (events, unread) = Events::from_records(some, &self.plan.layout, self.plan.hasher);
            let place = |row: usize| (first + row) as u64;
            let taken = self.memory.take_all(&self.plan, &events, out);
            let failed = taken
                .err()
                .or_else(|| unread.map(|error| (events.len(), error)));
            if let Some((row, error)) = failed {
                return Err(FeatureError::Record {
                    row: place(row),
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
    /// number in the source.
    pub fn observe_table(&mut self, table: &Table) -> Result<Dataset, FeatureError> {
        let rows = table.rows();
        let plan = Arc::clone(&self.plan);
        let events = Events::from_table(table, plan.set.record, &plan.layout, plan.hasher)?;
        let mut values = vec![f64::NAN; rows * plan.schema.width()];
        let taken = self.memory.take_all(&plan, &events, &mut values);
        taken.map_err(|(row, error)| FeatureError::Record {
            row: table.row_numbers().get(row).copied().unwrap_or_default(),
            source: Box::new(error),
        })?;
        let times: Vec<Timestamp> = events
            .heads
            .iter()
            .filter_map(|head| Timestamp::from_micros(head.time).ok())
            .collect();
        let mut dataset = self.dataset(values, rows)?.with_times(times)?;
        if table.by_role(Role::Label).is_some() {
            let labels: Vec<Label> = events.heads.iter().map(|head| head.label).collect();
            dataset = dataset.with_labels(labels)?;
        }
        Ok(dataset)
    }

    /// Replays a source: computes the features of all its rows, table by table, and remembers them.
    ///
    /// The source has to be in order of time, as far as the set's bound for late events allows; put
    /// [`crate::TimeSorted`] before one that is not. Progress is reported in rows, under `replay`.
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

    fn dataset(&self, values: Vec<f64>, rows: usize) -> Result<Dataset, FeatureError> {
        let shape = (rows, self.plan.schema.width());
        let values = Array2::from_shape_vec(shape, values).map_err(SourceError::new)?;
        Ok(Dataset::new(Arc::clone(&self.plan.schema), values)?)
    }
}

/// Which event does what to the entities of one kind.
struct Groups {
    /// Events by entity, each entity's in order.
    members: Vec<u32>,
    /// First member of each entity, by slot.
    starts: Vec<u32>,
}

impl Groups {
    /// Counting sort of events by slot; events without an entity are left out.
    fn new(slots: &[u32], order: &[u32], entities: usize) -> Self {
        let mut starts = vec![0_u32; entities + 1];
        for &slot in slots.iter().filter(|slot| **slot != NOWHERE) {
            starts[slot as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0; starts.last().copied().unwrap_or_default() as usize];
        for &row in order {
            let slot = slots[row as usize];
            if slot != NOWHERE {
                members[next[slot as usize] as usize] = row;
                next[slot as usize] += 1;
            }
        }
        Self { members, starts }
    }
}

/// Room to work in, kept from table to table: new pages cost more than what is written to them.
#[derive(Debug, Default)]
struct Scratch {
    events: Events,
    modes: Vec<Mode>,
    numbers: Vec<u64>,
    values: Vec<f64>,
}

/// The events of one batch, or of one kind of entity sorted by entity.
struct Batch<'a> {
    events: &'a Events,
    modes: &'a [Mode],
    /// Number of each event.
    numbers: &'a [u64],
    rules: &'a Rules,
}

impl Batch<'_> {
    /// Takes some events of the entity at a place of a stretch; their numbers go into `values`, one event after the
    /// other.
    fn take(
        &self,
        plan: &TablePlan,
        (stretch, place): (&mut Stretch<'_>, usize),
        members: std::ops::Range<usize>,
        values: &mut [f64],
    ) -> Losses {
        let mut losses = Losses::default();
        for (at, values) in members.zip(values.chunks_exact_mut(plan.columns.len())) {
            let event = (&self.events.view(at), self.modes[at], self.numbers[at]);
            let out = &mut Out::part(values);
            losses.add(stretch.take(place, (plan, self.rules), event, out));
        }
        losses
    }
}

impl Memory {
    /// Computes the rows of events and remembers them, in order of time. An error comes with the place of its event;
    /// events before it in time are remembered.
    pub(super) fn take_all(
        &mut self,
        plan: &Plan,
        events: &Events,
        out: &mut [f64],
    ) -> Result<(), (usize, FeatureError)> {
        let mut order: Vec<u32> = (0..events.len())
            .map(|row| u32::try_from(row).unwrap_or(u32::MAX))
            .collect();
        let heads = &events.heads;
        if !heads.is_sorted_by_key(|head| head.time) {
            order.sort_by_key(|&row| heads[row as usize].time);
        }
        let mut modes = vec![Mode::Read; events.len()];
        let mut numbers = vec![0; events.len()];
        let mut failed = None;
        for (place, &row) in order.iter().enumerate() {
            let row = row as usize;
            let event = events.view(row);
            match self.judge(&plan.set, &event) {
                Ok(outcome) => {
                    self.step(event.content());
                    numbers[row] = self.sequence;
                    modes[row] = outcome.mode();
                    self.note(plan, &event, outcome, Losses::default());
                    self.remember(plan, &event, outcome);
                }
                Err(error) => {
                    failed = Some((row, error));
                    order.truncate(place);
                    break;
                }
            }
        }
        let batch = Batch {
            events,
            modes: &modes,
            numbers: &numbers,
            rules: &plan.rules,
        };
        let width = plan.schema.width();
        let mut scratch = Scratch::default();
        for (table, plan_of) in self.tables.iter_mut().zip(&plan.tables) {
            let to = (&mut *out, width, &mut scratch);
            let losses = take_table(table, plan_of, &batch, &order, to);
            self.stats.capped_events += losses.capped;
            self.stats.expired_entities += losses.expired;
            self.stats.dropped_labels += losses.labels;
        }
        for &row in &order {
            let row = row as usize;
            plan.finish(&events.view(row), &mut out[row * width..(row + 1) * width]);
        }
        self.sweep_if_due(plan);
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn remember(
        &mut self,
        plan: &Plan,
        event: &super::event::EventView<'_>,
        outcome: Outcome,
    ) {
        let most = plan.set.limits.remembered_transactions as usize;
        if most > 0 && outcome.mode() == Mode::Record {
            self.remembered.insert(*event, most);
        }
    }
}

fn take_table(
    table: &mut EntityTable,
    plan: &TablePlan,
    batch: &Batch<'_>,
    order: &[u32],
    (out, width, scratch): (&mut [f64], usize, &mut Scratch),
) -> Losses {
    let mut losses = Losses::default();
    let mut slots = vec![NOWHERE; batch.events.len()];
    for &row in order {
        let event = batch.events.view(row as usize);
        let Some((key, parts)) = EntityTable::key(plan, event.codes) else {
            continue;
        };
        let mode = batch.modes[row as usize];
        let slot = if mode == Mode::Record {
            Some(table.slot(plan, (key, parts)))
        } else {
            table.find(key)
        };
        if let Some(slot) = slot {
            slots[row as usize] = u32::try_from(slot).unwrap_or(NOWHERE);
        } else {
            // Nothing is known of the entity, and nothing will be.
            let start = row as usize * width;
            let out = &mut Out::row(&mut out[start..start + width]);
            read_unknown((plan, batch.rules), parts, (&event, mode), out);
        }
    }
    let groups = Groups::new(&slots, order, table.len());
    // Sorted by entity first, so that each entity's events lie side by side.
    let pick = |row: &u32| *row as usize;
    let Scratch {
        events,
        modes,
        numbers,
        values,
    } = scratch;
    events.select_from(batch.events, &groups.members);
    modes.clear();
    modes.extend(groups.members.iter().map(|row| batch.modes[pick(row)]));
    numbers.clear();
    numbers.extend(groups.members.iter().map(|row| batch.numbers[pick(row)]));
    let sorted = Batch {
        events,
        modes,
        numbers,
        rules: batch.rules,
    };
    let part = plan.columns.len();
    values.clear();
    values.resize(groups.members.len() * part, f64::NAN);
    losses.add(take_groups(table, plan, &sorted, &groups.starts, values));
    for (row, values) in groups.members.iter().zip(values.chunks_exact(part)) {
        let start = pick(row) * width;
        for (&column, value) in plan.columns.iter().zip(values) {
            out[start + column] = *value;
        }
    }
    losses
}

/// Takes the events of all entities, which begin at `starts`, by slot.
#[cfg(not(feature = "parallel"))]
fn take_groups(
    table: &mut EntityTable,
    plan: &TablePlan,
    sorted: &Batch<'_>,
    starts: &[u32],
    values: &mut [f64],
) -> Losses {
    take_slots(plan, table.stretch(), sorted, starts, values)
}

/// Takes the events of the entities of some slots; the numbers begin with those of the first.
fn take_slots(
    plan: &TablePlan,
    mut stretch: Stretch<'_>,
    sorted: &Batch<'_>,
    starts: &[u32],
    values: &mut [f64],
) -> Losses {
    let mut losses = Losses::default();
    let part = plan.columns.len();
    let first = starts.first().map_or(0, |start| *start as usize);
    for (slot, bounds) in starts.windows(2).enumerate() {
        let members = bounds[0] as usize..bounds[1] as usize;
        if !members.is_empty() {
            let values = &mut values[(members.start - first) * part..(members.end - first) * part];
            losses.add(sorted.take(plan, (&mut stretch, slot), members, values));
        }
    }
    losses
}

/// Entities are dealt out in stretches of slots, so that no two threads write to the same place.
#[cfg(feature = "parallel")]
fn take_groups(
    table: &mut EntityTable,
    plan: &TablePlan,
    sorted: &Batch<'_>,
    starts: &[u32],
    values: &mut [f64],
) -> Losses {
    use rayon::prelude::{IntoParallelIterator, ParallelIterator};
    let threads = rayon::current_num_threads();
    let members = starts.last().map_or(0, |end| *end as usize);
    let mut stretch = table.stretch();
    if threads < 2 || members < 1024 {
        return take_slots(plan, stretch, sorted, starts, values);
    }
    let part = plan.columns.len();
    let share = members.div_ceil(threads * 4);
    let mut jobs = Vec::new();
    let (mut rest, mut slot) = (values, 0);
    while slot + 1 < starts.len() {
        let first = starts[slot] as usize;
        let mut end = slot + 1;
        while end + 1 < starts.len() && (starts[end] as usize) < first + share {
            end += 1;
        }
        let count = starts[end] as usize - first;
        let (these, others) = stretch.split_at(end - slot);
        let (theirs, other_values) = rest.split_at_mut(count * part);
        jobs.push((&starts[slot..=end], these, theirs));
        (stretch, rest, slot) = (others, other_values, end);
    }
    let losses = jobs
        .into_par_iter()
        .map(|(starts, stretch, values)| take_slots(plan, stretch, sorted, starts, values));
    losses.reduce(Losses::default, |mut one, other| {
        one.add(other);
        one
    })
}
