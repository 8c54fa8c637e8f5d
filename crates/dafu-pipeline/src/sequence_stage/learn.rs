//! From rows of features in time order to a network.

use super::reader::{Columns, MOST_LEVELS, Reader};
use super::{AnyError, SequenceSpec, SequenceStage};
use crate::PipelineError;
use crate::category_columns::category_columns;
use crate::trainer::HELD_OUT_FRAUDS;
use dafu_core::{EntityId, History, Timestamp, Transaction};
use dafu_sequence::SequenceError;
use dafu_sequence::data::{Events, SequenceSet, Span};
use dafu_sequence::encode::RawEvent;
use dafu_sequence::saved::SavedNetwork;
use dafu_sequence::training::{EpochReport, Training};
use ndarray::ArrayView2;
use std::collections::BTreeMap;

impl SequenceSpec {
    pub(super) fn learn(&self, history: &History<'_>) -> Result<SequenceStage, AnyError> {
        EntityId::new(self.name.as_str())?;
        self.memory.check()?;
        let params = self.params.check()?;
        if !(0.0..=0.9).contains(&self.validation) {
            return Err(Box::new(SequenceError::Parameter {
                name: "validation",
                expected: "0 to 0.9".to_owned(),
                got: self.validation.to_string(),
            }));
        }
        let step = format!("fit {}", self.name.replace('_', " "));
        let epochs = params.epochs as u64;
        history.progress.report(&step, 0, Some(epochs));
        let rows = Rows::new(history)?;
        let boundary = self.boundary(&rows);
        let schema = history.dataset.schema();
        let categories = category_columns(&[], schema, MOST_LEVELS);
        let columns = Columns::new(categories.clone(), schema.width());
        let encoder = columns.params(schema, &rows.largest(boundary));
        let mut fit = encoder.check()?.fitter(boundary);
        rows.each(&columns, |event| {
            if let Some(event) = event {
                return fit.push(event);
            }
            fit.end_entity();
            Ok(())
        })?;
        let reader = Reader::new(fit.finish()?, categories, schema.width())?;
        let mut events = reader.encoder().events();
        rows.each(reader.columns(), |event| {
            if let Some(event) = event {
                return events.push(event);
            }
            events.end_entity();
            Ok(())
        })?;
        let events = events.build();
        let length = params.sequence_length;
        let (mut train, mut held_out) = (events.segments(length, length), Vec::new());
        if let Some(boundary) = boundary {
            (train, held_out) = events.split_at(&train, boundary, length);
        }
        for spans in [&mut train, &mut held_out] {
            spans.retain(|span| is_labelled(&events, span));
        }
        let told = |report: &EpochReport| {
            let epoch = report.epoch as u64;
            history.progress.report(&step, epoch, Some(epochs));
        };
        let mut training = Training::new(SequenceSet::new(&events, &train)?).monitor(&told);
        if !held_out.is_empty() {
            training = training.validation(SequenceSet::new(&events, &held_out)?);
        }
        let classifier = params.fit_classifier(&dafu_sequence::native::NativeBackend, &training)?;
        history.progress.report(&step, epochs, Some(epochs));
        let network = SavedNetwork::new(classifier.config().clone(), classifier.weights());
        SequenceStage::new(self.name.clone(), reader, network, self.memory.clone())
    }

    /// Where the rows begin that tell when to stop, if they and those before can.
    fn boundary(&self, rows: &Rows<'_>) -> Option<Timestamp> {
        let mut known: Vec<(Timestamp, bool)> = rows.known().collect();
        known.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share from 0.1 to 1 of a number of rows"
        )]
        let at = ((1.0 - self.validation) * known.len() as f64) as usize;
        let boundary = known.get(at)?.0;
        let cut = known.partition_point(|(time, _)| *time < boundary);
        let (before, after) = known.split_at(cut);
        let frauds = |part: &[(Timestamp, bool)]| part.iter().filter(|row| row.1).count();
        let both =
            |part: &[(Timestamp, bool)], least: usize| (least..part.len()).contains(&frauds(part));
        (both(before, 1) && both(after, HELD_OUT_FRAUDS)).then_some(boundary)
    }
}

/// Whether anything is to be learned from a sequence.
fn is_labelled(events: &Events, span: &Span) -> bool {
    (span.scored_from..span.end).any(|event| events.label(event).is_some())
}

/// The rows of a history by user.
struct Rows<'h> {
    values: ArrayView2<'h, f64>,
    records: &'h [Transaction],
    labels: Option<&'h [dafu_core::Label]>,
    /// Of each user in the order of their names: rows in order of time.
    users: BTreeMap<&'h EntityId, Vec<usize>>,
}

impl<'h> Rows<'h> {
    fn new(history: &History<'h>) -> Result<Self, PipelineError> {
        let dataset = history.dataset;
        let records = history.transactions.unwrap_or_default();
        if records.len() != dataset.rows() {
            return Err(PipelineError::RecordNeeded);
        }
        let mut users: BTreeMap<&EntityId, Vec<usize>> = BTreeMap::new();
        for (row, record) in records.iter().enumerate() {
            users.entry(&record.user_id).or_default().push(row);
        }
        for rows in users.values_mut() {
            rows.sort_by_key(|row| records[*row].timestamp);
        }
        Ok(Self {
            values: dataset.values(),
            records,
            labels: dataset.labels(),
            users,
        })
    }

    fn label(&self, row: usize) -> Option<bool> {
        self.labels.and_then(|labels| labels.get(row)?.known())
    }

    /// Times and labels of the rows whose label is known.
    fn known(&self) -> impl Iterator<Item = (Timestamp, bool)> {
        let rows = self.records.iter().enumerate();
        rows.filter_map(|(row, record)| Some((record.timestamp, self.label(row)?)))
    }

    /// The largest size of each column's numbers before a boundary.
    fn largest(&self, boundary: Option<Timestamp>) -> Vec<f64> {
        let mut largest = vec![0.0_f64; self.values.ncols()];
        for (record, row) in self.records.iter().zip(self.values.rows()) {
            if boundary.is_none_or(|boundary| record.timestamp < boundary) {
                for (largest, number) in largest.iter_mut().zip(row) {
                    *largest = largest.max(number.abs());
                }
            }
        }
        largest
    }

    /// Tells `take` of every event, and of the end of each user.
    fn each(
        &self,
        columns: &Columns,
        mut take: impl FnMut(Option<&RawEvent<'_>>) -> Result<(), SequenceError>,
    ) -> Result<(), SequenceError> {
        let (mut values, mut numbers) = (Vec::new(), Vec::new());
        for rows in self.users.values() {
            for &row in rows {
                values.clear();
                values.extend(self.values.row(row));
                numbers.clear();
                numbers.extend(columns.numbers(&values));
                take(Some(&RawEvent {
                    time: self.records[row].timestamp,
                    numbers: &numbers,
                    texts: &columns.texts(&values),
                    label: self.label(row),
                    scorable: true,
                }))?;
            }
            take(None)?;
        }
        Ok(())
    }
}
