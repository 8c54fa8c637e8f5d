//! A batch, entity by entity.

use super::events::Events;
use super::plan::{Rules, TablePlan};
use super::run::{Arrivals, Run};
use super::table::{EntityTable, Losses, Mode, Out, Stretch, read_unknown};
use dafu_core::Label;

/// No entity, and no features.
const NOWHERE: u32 = u32::MAX;

/// Events in order of time.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) events: &'a Events,
    /// What is to be done with those that can be taken.
    pub(super) modes: &'a [Mode],
    /// Whether all are to be remembered.
    pub(super) all_new: bool,
    /// Their numbers.
    pub(super) numbers: &'a [u64],
    pub(super) rules: &'a Rules,
}

impl Batch<'_> {
    const fn len(&self) -> usize {
        self.modes.len()
    }
}

/// Where the features of a batch go.
pub(super) struct Target<'a> {
    pub(super) values: &'a mut [f64],
    pub(super) width: usize,
    /// Row of each event.
    pub(super) rows: &'a [u32],
}

impl Target<'_> {
    #[inline]
    pub(super) fn row(&mut self, at: usize) -> &mut [f64] {
        let start = self.rows[at] as usize * self.width;
        &mut self.values[start..start + self.width]
    }
}

/// The events of a batch by the entities of one kind, and their features. Kept from batch to batch for its room.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Slot of each event.
    slots: Vec<u32>,
    /// Events by entity, each entity's in order.
    members: Vec<u32>,
    /// First member of each entity, by slot.
    starts: Vec<u32>,
    /// Place of each event among them.
    places: Vec<u32>,
    /// Times of the members, their numbers, one number after the other, and whether they are frauds: for runs.
    times: Vec<i64>,
    numbers: Vec<i64>,
    frauds: Vec<bool>,
    /// Features of the members.
    values: Vec<f64>,
}

impl Groups {
    /// Takes the events of a batch. Their features go to the columns of their rows of `out`; missing where an event has
    /// no such entity.
    pub(super) fn take(
        &mut self,
        table: &mut EntityTable,
        plan: &TablePlan,
        batch: &Batch<'_>,
        out: &mut Target<'_>,
    ) -> Losses {
        self.find(table, plan, batch);
        self.sort(table.len());
        self.gather(plan, batch);
        let width = plan.columns.len();
        // All of them are written.
        self.values.resize(self.members.len() * width, f64::NAN);
        let losses = self.take_members(table, plan, batch);
        for (&at, values) in self.members.iter().zip(self.values.chunks_exact(width)) {
            let row = out.row(at as usize);
            for (&column, value) in plan.columns.iter().zip(values) {
                row[column] = *value;
            }
        }
        self.read_others(plan, batch, out);
        losses
    }

    /// The slot of each event, made where there is none.
    fn find(&mut self, table: &mut EntityTable, plan: &TablePlan, batch: &Batch<'_>) {
        self.slots.clear();
        self.slots.extend((0..batch.len()).map(|at| {
            let Some(key) = EntityTable::key(plan, batch.events.view(at).codes) else {
                return NOWHERE;
            };
            let slot = if batch.modes[at] == Mode::Record {
                Some(table.slot(plan, key))
            } else {
                table.find(key.0)
            };
            slot.and_then(|slot| u32::try_from(slot).ok())
                .unwrap_or(NOWHERE)
        }));
    }

    /// Counting sort of events by slot.
    fn sort(&mut self, entities: usize) {
        let Self {
            slots,
            members,
            starts,
            places,
            ..
        } = self;
        starts.clear();
        starts.resize(entities + 2, 0);
        let known = |slot: &&u32| **slot != NOWHERE;
        // Two places on, so that the second pass may move each start to the end of its entity's events.
        for &slot in slots.iter().filter(known) {
            starts[slot as usize + 2] += 1;
        }
        for at in 2..starts.len() {
            starts[at] += starts[at - 1];
        }
        members.clear();
        members.resize(starts.last().copied().unwrap_or_default() as usize, 0);
        places.clear();
        for (at, &slot) in (0..).zip(slots.iter()) {
            let mut place = NOWHERE;
            if slot != NOWHERE {
                let next = &mut starts[slot as usize + 1];
                place = *next;
                members[place as usize] = at;
                *next += 1;
            }
            places.push(place);
        }
        starts.pop();
    }

    /// Lays out what runs look at, entity by entity.
    fn gather(&mut self, plan: &TablePlan, batch: &Batch<'_>) {
        let Self {
            members,
            times,
            numbers,
            frauds,
            places,
            ..
        } = self;
        let count = members.len();
        let log = plan.logs.first().filter(|_| plan.runs && batch.all_new);
        let Some(log) = log else {
            times.clear();
            return;
        };
        times.resize(count, 0);
        frauds.resize(count, false);
        numbers.resize(count * log.numbers.len(), 0);
        for (at, &place) in places.iter().enumerate() {
            if place == NOWHERE {
                continue;
            }
            let (event, place) = (batch.events.view(at), place as usize);
            times[place] = event.head.time;
            frauds[place] = event.head.label == Label::Fraud;
            for (number, &source) in log.numbers.iter().enumerate() {
                numbers[number * count + place] = event.numbers[source];
            }
        }
    }

    /// The members without their features, and the features.
    fn split(&mut self) -> (Share<'_>, &mut [f64]) {
        let members = Share {
            starts: &self.starts,
            members: &self.members,
            times: &self.times,
            numbers: &self.numbers,
            frauds: &self.frauds,
        };
        (members, &mut self.values)
    }

    /// Reads as of events of entities that nothing is known of, and of no entity.
    fn read_others(&self, plan: &TablePlan, batch: &Batch<'_>, out: &mut Target<'_>) {
        let others = self.slots.iter().enumerate();
        for (at, _) in others.filter(|(_, slot)| **slot == NOWHERE) {
            let (event, row) = (batch.events.view(at), out.row(at));
            match EntityTable::key(plan, event.codes) {
                Some((_, parts)) => {
                    let out = &mut Out::row(row);
                    read_unknown((plan, batch.rules), parts, (&event, batch.modes[at]), out);
                }
                None => plan
                    .columns
                    .iter()
                    .for_each(|&column| row[column] = f64::NAN),
            }
        }
    }

    #[cfg(not(feature = "parallel"))]
    fn take_members(
        &mut self,
        table: &mut EntityTable,
        plan: &TablePlan,
        batch: &Batch<'_>,
    ) -> Losses {
        let (members, values) = self.split();
        members.take(plan, table.stretch(), batch, values)
    }

    /// Entities are dealt out in stretches of slots, so that no two threads write to the same place.
    #[cfg(feature = "parallel")]
    fn take_members(
        &mut self,
        table: &mut EntityTable,
        plan: &TablePlan,
        batch: &Batch<'_>,
    ) -> Losses {
        use rayon::prelude::{IntoParallelIterator, ParallelIterator};
        let (members, values) = self.split();
        let threads = rayon::current_num_threads();
        let mut stretch = table.stretch();
        if threads < 2 || members.members.len() < 1024 {
            return members.take(plan, stretch, batch, values);
        }
        let part = plan.columns.len();
        let share = members.members.len().div_ceil(threads * 4);
        let mut jobs = Vec::new();
        let (mut rest, mut slot, starts) = (values, 0, members.starts);
        while slot + 1 < starts.len() {
            let first = starts[slot] as usize;
            let mut end = slot + 1;
            while end + 1 < starts.len() && (starts[end] as usize) < first + share {
                end += 1;
            }
            let count = starts[end] as usize - first;
            let (these, others) = stretch.split_at(end - slot);
            let (theirs, other_values) = rest.split_at_mut(count * part);
            let starts = &starts[slot..=end];
            jobs.push((Share { starts, ..members }, these, theirs));
            (stretch, rest, slot) = (others, other_values, end);
        }
        let losses = jobs
            .into_par_iter()
            .map(|(members, stretch, values)| members.take(plan, stretch, batch, values));
        losses.reduce(Losses::default, |mut one, other| {
            one.add(other);
            one
        })
    }
}

/// The events of some entities.
#[derive(Clone, Copy)]
struct Share<'a> {
    /// Of these entities, and one more: where its events begin.
    starts: &'a [u32],
    members: &'a [u32],
    times: &'a [i64],
    numbers: &'a [i64],
    frauds: &'a [bool],
}

impl Share<'_> {
    /// Takes the events of all entities of a stretch. The features begin with those of the first.
    fn take(
        &self,
        plan: &TablePlan,
        mut stretch: Stretch<'_>,
        batch: &Batch<'_>,
        values: &mut [f64],
    ) -> Losses {
        let (mut losses, mut run) = (Losses::default(), Run::default());
        let part = plan.columns.len();
        let first = self.starts.first().map_or(0, |start| *start as usize);
        for (slot, bounds) in self.starts.windows(2).enumerate() {
            let range = bounds[0] as usize..bounds[1] as usize;
            let values = &mut values[(range.start - first) * part..(range.end - first) * part];
            if range.len() > 1 && !self.times.is_empty() {
                let number = batch.numbers[self.members[range.end - 1] as usize];
                let new = (&self.arrivals(range.clone(), batch), number);
                if stretch.take_run(slot, (plan, batch.rules), new, (values, &mut run)) {
                    continue;
                }
            }
            for (&at, values) in self.members[range]
                .iter()
                .zip(values.chunks_exact_mut(part))
            {
                let at = at as usize;
                let event = (&batch.events.view(at), batch.modes[at], batch.numbers[at]);
                let out = &mut Out::part(values);
                losses.add(stretch.take(slot, (plan, batch.rules), event, out));
            }
        }
        losses
    }

    fn arrivals<'a>(&'a self, range: std::ops::Range<usize>, batch: &Batch<'a>) -> Arrivals<'a> {
        Arrivals {
            times: &self.times[range.clone()],
            numbers: &self.numbers[range.start.min(self.numbers.len())..],
            apart: self.members.len(),
            frauds: &self.frauds[range.clone()],
            members: &self.members[range],
            events: batch.events,
        }
    }
}
