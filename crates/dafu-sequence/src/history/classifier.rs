//! Judging histories.

use super::params::{HistoryParams, Reading};
use crate::data::{Events, SequenceSet, Span};
use crate::encode::{Encoder, Histories, Record};
use crate::native::Baseline;
use crate::stream::check_answer;
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
/// let model = params.model.clone().hidden_units(16).batch_size(4).epochs(20).learning_rate(0.01);
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
    pub(super) encoder: Encoder,
    pub(super) classifier: SequenceClassifier,
    pub(super) params: HistoryParams,
    pub(super) baseline: Baseline,
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
    /// When a record cannot be read, or weights are so large that an answer is no number.
    ///
    /// # Complexity
    ///
    /// O(records x weights), by windows as often as a window has events.
    pub fn predict_fraud_sequences<R: Record>(
        &self,
        records: &[R],
    ) -> Result<Vec<FraudSequence>, SequenceError> {
        self.predict_in(&Histories::new(records))
    }

    /// As [`predict_fraud_sequences`](Self::predict_fraud_sequences), of records that are grouped by another key, or of which
    /// some are context only.
    ///
    /// # Errors
    ///
    /// As [`predict_fraud_sequences`](Self::predict_fraud_sequences).
    pub fn predict_in<R: Record>(
        &self,
        histories: &Histories<'_, R>,
    ) -> Result<Vec<FraudSequence>, SequenceError> {
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
                score: score(log_odds)?,
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
}

/// Log odds from 0 to 1.
pub(super) fn score(log_odds: f64) -> Result<Score, SequenceError> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "32 bits as they were computed"
    )]
    let got = check_answer("log odds", log_odds as f32)?;
    let of = |log_odds: f64| Score::new(1.0 / (1.0 + (-log_odds).exp()));
    of(log_odds).map_err(|_| SequenceError::NotANumber { what: "score", got })
}
