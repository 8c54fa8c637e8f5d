//! Learning from labelled histories.

use super::classifier::HistoryClassifier;
use super::params::{CheckedHistoryParams, HistoryParams, Reading};
use crate::SequenceError;
use crate::data::{SequenceSet, Span};
use crate::encode::{Histories, Record};
use crate::native::NativeBackend;
use crate::network::Backend;
use crate::training::{Training, TrainingMonitor};
use dafu_core::Timestamp;

/// Which records are learned from, and which tell when to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Periods {
    /// Records before this are read as what came before others, and not learned from; `None` for all.
    pub learn_from: Option<Timestamp>,
    /// Records from here on tell when training has to stop; `None` for no such records.
    pub validation_from: Option<Timestamp>,
    /// Records from here on are not looked at.
    pub end: Option<Timestamp>,
}

impl Periods {
    fn check(&self) -> Result<(), SequenceError> {
        let ends = [
            ("learn_from", self.learn_from, self.validation_from),
            ("learn_from", self.learn_from, self.end),
            ("validation_from", self.validation_from, self.end),
        ];
        for (name, from, end) in ends {
            if let (Some(from), Some(end)) = (from, end)
                && from >= end
            {
                return Err(SequenceError::Parameter {
                    name,
                    expected: format!("before {end}, where the next period begins"),
                    got: from.to_string(),
                });
            }
        }
        Ok(())
    }
}

impl HistoryParams {
    /// Learns from all records. Labels are taken as known: blank those that were not known yet.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, a record cannot be read, there is nothing to learn from, or training diverges.
    pub fn fit<R: Record>(&self, records: &[R]) -> Result<HistoryClassifier, SequenceError> {
        let (histories, periods) = (Histories::new(records), Periods::default());
        self.check()?.fit(&histories, periods, &NativeBackend, &())
    }
}

impl CheckedHistoryParams {
    /// Learns from the records of a period, on a backend, and tells how far training has come. Records before others
    /// of the same entity are read also where they lie before the period in which these are judged; none after it is.
    ///
    /// # Errors
    ///
    /// As [`HistoryParams::fit`], when periods are not in order or there is no record to tell when to stop, and those of the
    /// backend.
    pub fn fit<R: Record, B: Backend>(
        &self,
        histories: &Histories<'_, R>,
        periods: Periods,
        backend: &B,
        monitor: &dyn TrainingMonitor,
    ) -> Result<HistoryClassifier, SequenceError> {
        periods.check()?;
        let learned_until = periods.validation_from.or(periods.end);
        let encoder = self.encoder.check()?.fit_where(histories, |_, event| {
            let time = histories.record_of(event).map(Record::time);
            time.is_some_and(|time| {
                periods.learn_from.is_none_or(|from| from <= time)
                    && learned_until.is_none_or(|until| time < until)
            })
        })?;
        let events = histories.encode_before(&encoder, periods.end)?;
        let length = self.model.sequence_length;
        let split = |spans: &[Span], at| events.split_at(spans, at, length);
        let mut train = match self.reading {
            Reading::Windows => events.windows(length),
            Reading::Stream => events.segments(length, length),
        };
        let mut validation = Vec::new();
        if let Some(from) = periods.validation_from {
            (train, validation) = split(&train, from);
            if validation.is_empty() {
                return Err(SequenceError::Empty {
                    what: "no record from `validation_from` on",
                });
            }
        }
        if let Some(from) = periods.learn_from {
            train = split(&train, from).1;
        }
        let train = SequenceSet::new(&events, &train)?;
        let mut training = Training::new(train).monitor(monitor);
        if !validation.is_empty() {
            training = training.validation(SequenceSet::new(&events, &validation)?);
        }
        let classifier = self.model.check()?.fit_classifier(backend, &training)?;
        Ok(HistoryClassifier {
            encoder,
            baseline: classifier.baseline(train)?,
            classifier,
            params: (**self).clone(),
        })
    }
}
