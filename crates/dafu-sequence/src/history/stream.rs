//! Records of users as they come.

use super::classifier::{HistoryClassifier, score};
use super::params::Reading;
use crate::SequenceError;
use crate::encode::{EncoderState, Record};
use crate::stream::{RecordStepper, StreamParams, StreamSnapshot, TableCounts, record_stream};
use dafu_core::Score;

/// What is said about one record.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryAnswer {
    /// Log odds of fraud.
    pub log_odds: f64,
    /// The same from 0 to 1. No calibrated probability.
    pub score: Score,
    /// Whether it was earlier than the newest record of its user.
    pub late: bool,
}

/// Judges the records of users one by one, each by all before it.
///
/// Made by [`HistoryClassifier::stream`]. Memory for each user: that of a [`StateTable`](crate::stream::StateTable), which
/// holds the name twice, with 80 bytes of what the encoder has to know.
///
/// # Examples
///
/// ```
/// use dafu_core::{Currency, Money, Timestamp, Transaction};
/// use dafu_sequence::history::HistoryParams;
/// use dafu_sequence::stream::StreamParams;
///
/// let pay = |user: i64, step: i64| -> Result<_, dafu_core::CoreError> {
///     let minor = if step % 3 == 2 { 90_000 } else { 100 };
///     let at = Timestamp::from_seconds(step * 600 + user)?;
///     let (id, amount) = (format!("t-{user}-{step}").parse()?, Money::from_minor(minor, Currency::NONE));
///     Ok(Transaction::new(id, format!("u-{user}").parse()?, amount, "shop".parse()?, at).with_label(step % 3 == 2))
/// };
/// let history = (0..90).map(|number| pay(number / 9, number % 9)).collect::<Result<Vec<_>, _>>()?;
/// let classifier = HistoryParams::default().fit(&history)?;
///
/// let mut stream = classifier.stream(&StreamParams::default())?;
/// for payment in &history {
///     stream.score(payment)?;
/// }
/// let answer = stream.score(&pay(3, 9)?)?;
/// assert!(answer.log_odds.is_finite() && !answer.late);
/// assert!(stream.forget("u-3") && stream.users() == 9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct HistoryStream {
    steps: RecordStepper,
}

record_stream!(HistoryStream);

impl HistoryClassifier {
    /// A stream of records, judged one by one as they come, as [`predict_fraud_sequences`](Self::predict_fraud_sequences)
    /// judges whole histories: for [`Reading::Stream`], which trains for states that go on.
    ///
    /// # Errors
    ///
    /// When bounds are out of range, or the network has learned from windows: in a state without end it answers otherwise
    /// than in those.
    pub fn stream(&self, params: &StreamParams) -> Result<HistoryStream, SequenceError> {
        if self.params.reading == Reading::Windows {
            return Err(SequenceError::Parameter {
                name: "reading",
                expected: "Stream, to score records one by one".to_owned(),
                got: "Windows".to_owned(),
            });
        }
        let network = self.classifier.step_network()?;
        Ok(HistoryStream {
            steps: RecordStepper::new(&self.encoder, network, params)?,
        })
    }
}

impl HistoryStream {
    /// Judges a record and remembers it.
    ///
    /// # Errors
    ///
    /// When a record cannot be read, comes late and late ones are refused, or is too far ahead of the newest
    /// ([`StreamParams::max_jump`]); nothing is remembered then.
    ///
    /// # Complexity
    ///
    /// O(weights), whatever the length of the history.
    pub fn score<R: Record + ?Sized>(
        &mut self,
        record: &R,
    ) -> Result<HistoryAnswer, SequenceError> {
        let step = self.steps.judge(record)?;
        answer(step.value, step.late)
    }

    /// Judges a record without remembering it.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn peek<R: Record + ?Sized>(&mut self, record: &R) -> Result<HistoryAnswer, SequenceError> {
        let (step, _) = self.steps.peek(record)?;
        answer(step.value, step.late)
    }
}

fn answer(log_odds: f64, late: bool) -> Result<HistoryAnswer, SequenceError> {
    Ok(HistoryAnswer {
        log_odds,
        score: score(log_odds)?,
        late,
    })
}
