//! Fitting, and judging histories.

use super::params::{CheckedHistoryParams, HistoryParams, Reading};
use crate::data::{Events, SequenceSet, Span};
use crate::encode::{Encoder, Histories, Record};
use crate::native::{Attribution, Baseline};
use crate::network::Backend;
use crate::stream::{StreamParams, StreamScorer};
use crate::training::{Training, TrainingMonitor};
use crate::{SequenceClassifier, SequenceError};
use dafu_core::{Score, Timestamp};

/// Judges each record by the records of the same user before it.
///
/// # Examples
///
/// ```
/// use dafu_core::{Currency, Money, Timestamp, Transaction};
/// use dafu_sequence::history::HistoryParams;
///
/// // Fraud: a large payment a minute after a tiny one.
/// let mut records = Vec::new();
/// for user in 0..80_i64 {
///     let mut time = user;
///     for step in 0..12_i64 {
///         let fraud = step > 0 && (user * 5 + step * step) % 7 == 3;
///         let minor = if fraud { 90_000 } else { [100, 4_000, 90_000][((user + step) % 3) as usize] };
///         time += if fraud { 60 } else { 40_000 };
///         let (amount, at) = (Money::from_minor(minor, Currency::NONE), Timestamp::from_seconds(time)?);
///         let id = format!("t-{user}-{step}").parse()?;
///         let payment = Transaction::new(id, format!("u-{user}").parse()?, amount, "shop".parse()?, at);
///         records.push(payment.with_label(fraud));
///     }
/// }
/// let params = HistoryParams::default();
/// let model = params.model.clone().hidden_units(16).batch_size(32).epochs(15).learning_rate(0.01);
/// let classifier = params.model(model).fit(&records)?;
///
/// let sequences = classifier.predict_fraud_sequences(&records)?;
/// let right = sequences.iter().filter(|sequence| {
///     (sequence.score.get() > 0.5) == (records[sequence.record].is_fraud.known() == Some(true))
/// });
/// assert!(right.count() * 100 > sequences.len() * 98);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HistoryClassifier {
    encoder: Encoder,
    classifier: SequenceClassifier,
    params: HistoryParams,
    baseline: Baseline,
}

/// What is said about one record.
#[derive(Debug, Clone, PartialEq)]
pub struct FraudSequence {
    /// Whose it is.
    pub user: String,
    /// Index of the record.
    pub record: usize,
    /// When it happened.
    pub time: Timestamp,
    /// Events that were read, itself included.
    pub length: usize,
    /// Log odds of fraud.
    pub log_odds: f64,
    /// The same from 0 to 1. No calibrated probability.
    pub score: Score,
}

/// Which records are learned from, and which tell when to stop.
#[derive(Debug, Clone, Copy, Default)]
pub struct Periods {
    /// Records from here on tell when training has to stop; none for no such records.
    pub validation_from: Option<Timestamp>,
    /// Records from here on are not looked at.
    pub end: Option<Timestamp>,
}

impl HistoryParams {
    /// Learns from all records.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, a record cannot be read, there is nothing to learn from, or training diverges.
    pub fn fit<R: Record>(&self, records: &[R]) -> Result<HistoryClassifier, SequenceError> {
        let backend = crate::native::NativeBackend;
        self.check()?
            .fit(records, Periods::default(), (&backend, &()))
    }
}

impl CheckedHistoryParams {
    /// Learns from the records of a period, on a backend, and tells how far training has come. Records before others
    /// of the same user are read also where they lie before the period in which these are judged; none after it is.
    ///
    /// # Errors
    ///
    /// As [`HistoryParams::fit`], and those of the backend.
    pub fn fit<R: Record, B: Backend>(
        &self,
        records: &[R],
        periods: Periods,
        (backend, monitor): (&B, &dyn TrainingMonitor),
    ) -> Result<HistoryClassifier, SequenceError> {
        let histories = Histories::new(records);
        let encoder = self
            .encoder
            .fit(&histories, periods.validation_from.or(periods.end))?;
        let events = histories.encode(&encoder)?;
        let length = self.model.sequence_length;
        let mut train = match self.reading {
            Reading::Windows => events.windows(length),
            Reading::Stream => events.segments(length, length),
        };
        if let Some(end) = periods.end {
            train = events.split_at(&train, end, length).0;
        }
        let mut validation = Vec::new();
        if let Some(from) = periods.validation_from {
            (train, validation) = events.split_at(&train, from, length);
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

impl HistoryClassifier {
    /// What is read of a record.
    pub const fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The network that judges.
    pub const fn classifier(&self) -> &SequenceClassifier {
        &self.classifier
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn from_parts(
        encoder: Encoder,
        classifier: SequenceClassifier,
        params: HistoryParams,
        baseline: Baseline,
    ) -> Self {
        Self {
            encoder,
            classifier,
            params,
            baseline,
        }
    }

    /// An ordinary event, which explanations compare with.
    pub const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The parameters it was fitted with.
    pub const fn params(&self) -> &HistoryParams {
        &self.params
    }

    /// Judges each scorable record of each user's history, in the order of users and times.
    ///
    /// # Errors
    ///
    /// When a record cannot be read.
    ///
    /// # Complexity
    ///
    /// O(records x weights), by windows as often as a window has events.
    pub fn predict_fraud_sequences<R: Record>(
        &self,
        records: &[R],
    ) -> Result<Vec<FraudSequence>, SequenceError> {
        let histories = Histories::new(records);
        let events = histories.encode(&self.encoder)?;
        let spans = self.spans(&events);
        let set = SequenceSet::new(&events, &spans)?;
        let log_odds = self.classifier.log_odds(set)?;
        let mut sequences = Vec::with_capacity(log_odds.len());
        let mut user = 0;
        let scored = spans.iter().flat_map(|span| {
            let scorable = |event: &usize| events.scorable(*event);
            (span.scored_from..span.end)
                .filter(scorable)
                .map(|event| (span.start, event))
        });
        for ((start, event), log_odds) in scored.zip(log_odds) {
            while events.entity(user).end <= event {
                user += 1;
            }
            let log_odds = f64::from(log_odds);
            sequences.push(FraudSequence {
                user: histories.entity_name(user).unwrap_or_default().to_owned(),
                record: histories.record(event).unwrap_or_default(),
                time: events.time(event),
                length: event + 1 - start,
                log_odds,
                // A sigmoid lies between 0 and 1, whatever the log odds.
                score: Score::new(1.0 / (1.0 + (-log_odds).exp())).unwrap_or(Score::ZERO),
            });
        }
        Ok(sequences)
    }

    /// The sequences by which histories are judged.
    fn spans(&self, events: &Events) -> Vec<Span> {
        match self.params.reading {
            Reading::Windows => events.windows(self.params.model.sequence_length),
            Reading::Stream => events.segments(usize::MAX, 0),
        }
    }

    /// Which records, and which of their inputs, moved the log odds of the last of these records, all of one user. Inputs
    /// are named by [`Encoder::input_names`].
    ///
    /// # Errors
    ///
    /// When a record cannot be read, or there is none.
    pub fn explain<R: Record>(&self, records: &[R]) -> Result<Attribution, SequenceError> {
        let histories = Histories::new(records);
        let events = histories.encode(&self.encoder)?;
        let spans = self.spans(&events);
        let set = SequenceSet::new(&events, &spans)?;
        let last = spans.len().saturating_sub(1);
        self.classifier.explain(set, last, &self.baseline)
    }

    /// A scorer of encoded events, one by one.
    ///
    /// # Errors
    ///
    /// When bounds are out of range.
    pub fn stream(&self, params: &StreamParams) -> Result<StreamScorer<String>, SequenceError> {
        StreamScorer::new(self.classifier.step_network()?, params)
    }
}
