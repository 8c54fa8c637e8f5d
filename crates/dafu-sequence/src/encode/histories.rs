//! Records by entity, in the order of time.

use super::{CheckedEncoderParams, Encoder, EncoderParams, Record};
use crate::SequenceError;
use crate::data::Events;
use dafu_core::Timestamp;
use std::collections::HashMap;
use std::ops::Range;

/// Records grouped by entity and sorted by time, and which record is which event.
///
/// Entities come in the order of their names, so that what comes later to any of them does not change the order of what
/// is there; events of an entity in the order of time, those of one time in the order of their records.
///
/// ```
/// use dafu_core::{Currency, Money, Timestamp, Transaction};
/// use dafu_sequence::encode::{EncoderParams, Histories};
///
/// let pay = |id: &str, user: &str, minor: i64, day: i64| -> Result<_, dafu_core::CoreError> {
///     let at = Timestamp::from_seconds(day * 86_400)?;
///     let amount = Money::from_minor(minor, Currency::NONE);
///     Ok(Transaction::new(id.parse()?, user.parse()?, amount, "shop".parse()?, at))
/// };
/// // Not in the order of time.
/// let records = [pay("t-2", "ada", 900, 3)?, pay("t-3", "bob", 700, 4)?, pay("t-1", "ada", 500, 1)?];
/// let histories = Histories::new(&records);
/// assert_eq!(histories.entity_name(0), Some("ada"));
/// assert_eq!((histories.record(0), histories.event(0)), (Some(2), Some(1)));
///
/// // Learned from what came before the fourth day only.
/// let boundary = Timestamp::from_seconds(3 * 86_400)?;
/// let encoder = EncoderParams::transactions().fit(&histories, Some(boundary))?;
/// let events = histories.encode(&encoder)?;
/// assert_eq!(events.entity(0), 0..2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Histories<'a, R> {
    records: &'a [R],
    names: Vec<&'a str>,
    /// One more than there are entities.
    starts: Vec<usize>,
    /// The record of each event.
    order: Vec<usize>,
    /// The event of each record.
    events: Vec<Option<usize>>,
    /// Of each event.
    scorable: Vec<bool>,
}

impl<'a, R: Record> Histories<'a, R> {
    /// Groups records by [`Record::entity`].
    ///
    /// # Complexity
    ///
    /// O(n log n) for n records.
    pub fn new(records: &'a [R]) -> Self {
        Self::by(records, |record| Some(record.entity()))
    }

    /// Groups records by another key, such as the card of a transaction. Records without one are left out.
    ///
    /// # Complexity
    ///
    /// As [`new`](Self::new).
    pub fn by(records: &'a [R], key: impl Fn(&'a R) -> Option<&'a str>) -> Self {
        let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut known = HashMap::new();
        for (record, name) in records.iter().map(key).enumerate() {
            let Some(name) = name else { continue };
            let group = *known.entry(name).or_insert_with(|| {
                groups.push((name, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(record);
        }
        groups.sort_unstable_by_key(|(name, _)| *name);
        let mut histories = Self {
            records,
            names: Vec::with_capacity(groups.len()),
            starts: vec![0],
            order: Vec::with_capacity(records.len()),
            events: vec![None; records.len()],
            scorable: Vec::with_capacity(records.len()),
        };
        for (name, mut group) in groups {
            group.sort_by_key(|record| records[*record].time());
            for record in group {
                histories.events[record] = Some(histories.order.len());
                histories.order.push(record);
                histories.scorable.push(records[record].scorable());
            }
            histories.names.push(name);
            histories.starts.push(histories.order.len());
        }
        histories
    }

    /// Sets which records carry loss and are scored; the others move the state only.
    #[must_use]
    pub fn scored_where(mut self, scorable: impl Fn(&'a R) -> bool) -> Self {
        let records = self.records;
        let order = self.order.iter();
        self.scorable = order.map(|record| scorable(&records[*record])).collect();
        self
    }

    /// How many events there are.
    pub const fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many entities there are.
    pub const fn entities(&self) -> usize {
        self.names.len()
    }

    /// The name of an entity; `None` where there is no such entity.
    pub fn entity_name(&self, entity: usize) -> Option<&'a str> {
        self.names.get(entity).copied()
    }

    /// The entity of a name.
    pub fn find_entity(&self, name: &str) -> Option<usize> {
        self.names.binary_search(&name).ok()
    }

    /// The events of an entity, in the order of time; none where there is no such entity.
    pub fn entity(&self, entity: usize) -> Range<usize> {
        match (self.starts.get(entity), self.starts.get(entity + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        }
    }

    /// The index of the record that is an event; `None` where there is no such event.
    pub fn record(&self, event: usize) -> Option<usize> {
        self.order.get(event).copied()
    }

    /// The record that is an event.
    pub(crate) fn record_of(&self, event: usize) -> Option<&'a R> {
        self.records.get(self.record(event)?)
    }

    /// The index of the event that a record is; `None` where there is no such record, or it has no entity.
    pub fn event(&self, record: usize) -> Option<usize> {
        self.events.get(record).copied().flatten()
    }

    /// Encodes all records.
    ///
    /// # Errors
    ///
    /// [`Record`](SequenceError::Record) with the index of the record, around [`Infinite`](SequenceError::Infinite).
    ///
    /// # Complexity
    ///
    /// O(events x inputs).
    pub fn encode(&self, encoder: &Encoder) -> Result<Events, SequenceError> {
        self.encode_before(encoder, None)
    }

    /// Encodes the records before `end`, or all; the others are not looked at. Places of events and entities are then those of
    /// what was encoded.
    pub(crate) fn encode_before(
        &self,
        encoder: &Encoder,
        end: Option<Timestamp>,
    ) -> Result<Events, SequenceError> {
        let mut events = encoder.events();
        for entity in 0..self.entities() {
            for event in self.entity(entity) {
                let record = self.order[event];
                if end.is_some_and(|end| self.records[record].time() >= end) {
                    break;
                }
                events
                    .push_record_as(&self.records[record], self.scorable[event])
                    .map_err(|source| of_record(record, source))?;
            }
            events.end_entity();
        }
        Ok(events.build())
    }
}

fn of_record(record: usize, source: SequenceError) -> SequenceError {
    SequenceError::Record {
        record,
        source: Box::new(source),
    }
}

impl EncoderParams {
    /// Fits an encoder to the records before `boundary`, or to all. Those at the boundary or after it are not looked at:
    /// nothing about them changes the encoder.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) and [`EncoderFit::finish`](super::EncoderFit::finish), and
    /// [`Record`](SequenceError::Record) with the index of the record, around [`Infinite`](SequenceError::Infinite).
    ///
    /// # Complexity
    ///
    /// O(events x inputs); memory for each different text of categorical inputs.
    pub fn fit<R: Record>(
        &self,
        histories: &Histories<'_, R>,
        boundary: Option<Timestamp>,
    ) -> Result<Encoder, SequenceError> {
        self.check()?.fit(histories, boundary)
    }
}

impl CheckedEncoderParams {
    /// As [`EncoderParams::fit`].
    ///
    /// # Errors
    ///
    /// As [`EncoderParams::fit`].
    pub fn fit<R: Record>(
        &self,
        histories: &Histories<'_, R>,
        boundary: Option<Timestamp>,
    ) -> Result<Encoder, SequenceError> {
        let is_before = |_, event: usize| {
            let record = histories.record_of(event);
            record.is_some_and(|record| boundary.is_none_or(|end| record.time() < end))
        };
        self.fit_where(histories, is_before)
    }

    /// Fits an encoder to some events, called for with entity and event; the others are not looked at.
    pub(crate) fn fit_where<R: Record>(
        &self,
        histories: &Histories<'_, R>,
        is_read: impl Fn(usize, usize) -> bool,
    ) -> Result<Encoder, SequenceError> {
        let mut fit = self.fitter(None);
        for entity in 0..histories.entities() {
            let events = histories.entity(entity);
            for event in events.filter(|event| is_read(entity, *event)) {
                let record = histories.order[event];
                fit.push_record(&histories.records[record])
                    .map_err(|source| of_record(record, source))?;
            }
            fit.end_entity();
        }
        fit.finish()
    }
}
