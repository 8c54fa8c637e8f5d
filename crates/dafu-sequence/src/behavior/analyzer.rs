//! Fitting, and sequences of users that are unusual.

use super::anomaly::{AnomalyParams, BehavioralAnomaly, SurprisingInput};
use super::calibration::{Calibration, statistic};
use super::params::{BehaviorParams, CheckedBehaviorParams};
use super::stream::BehaviorStream;
use crate::check::within;
use crate::data::{EventNumbers, SequenceSet, Span};
use crate::encode::{Encoder, Histories, Record};
use crate::params::MAX_SEQUENCE_LENGTH;
use crate::stream::StreamParams;
use crate::training::{Training, TrainingMonitor};
use crate::{NextEventModel, SequenceError};
use dafu_core::{StableHasher, Timestamp};
use std::hash::Hasher;

/// Users whose histories are read together.
const BLOCK: usize = 256;

/// Learns without labels how the events of users go on, and finds users whose events do not go on like that.
///
/// A [`NextEventModel`] predicts each input of each event from the events before it. Scores are calibrated on users who
/// were held out of training: see [`Conformal`](crate::Conformal) for what a score means.
///
/// # Examples
///
/// ```
/// use dafu_core::{BehaviorEvent, Timestamp};
/// use dafu_sequence::SequenceParams;
/// use dafu_sequence::behavior::{AnomalyParams, BehaviorParams, UserBehaviorAnalyzer};
///
/// // Users log in and buy, from one device each; at the end somebody else is in the account of user 7.
/// let mut records = Vec::new();
/// for user in 0..600_u32 {
///     for step in 0..20_i64 {
///         let taken_over = user == 7 && step >= 17;
///         let action = if taken_over { "password_change" } else { ["login", "purchase"][(step % 2) as usize] };
///         let device = if taken_over { "other".to_owned() } else { format!("device-{user}") };
///         records.push(BehaviorEvent {
///             user_id: format!("user-{user}").parse()?,
///             timestamp: Timestamp::from_seconds(step * 3_600)?,
///             action_type: action.parse()?,
///             device_id: Some(device.parse()?),
///             location: None,
///             amount: None,
///             extras: Default::default(),
///         });
///     }
/// }
/// let params = BehaviorParams::default();
/// let model = params.model.clone().hidden_units(16).batch_size(16).epochs(12);
/// let analyzer = params.model(model).calibration_share(0.5).fit(&records, None)?;
///
/// let anomalies = analyzer.detect_behavioral_anomalies(&records, &AnomalyParams::default())?;
/// assert_eq!(anomalies.iter().map(|anomaly| anomaly.user.as_str()).collect::<Vec<_>>(), ["user-7"]);
/// assert!(anomalies[0].step >= 17);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct UserBehaviorAnalyzer {
    pub(super) encoder: Encoder,
    pub(super) model: NextEventModel,
    pub(super) calibration: Calibration,
}

impl BehaviorParams {
    /// Learns from the records before `boundary`, or from all. Events that are labelled as fraud, and those after them of
    /// the same user, are left out: what is learned is how normal users behave.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, a record cannot be read, there are too few users to learn from and to hold out, or
    /// training diverges.
    pub fn fit<R: Record>(
        &self,
        records: &[R],
        boundary: Option<Timestamp>,
    ) -> Result<UserBehaviorAnalyzer, SequenceError> {
        self.check()?.fit(records, boundary, &())
    }
}

impl CheckedBehaviorParams {
    /// As [`BehaviorParams::fit`], and tells `monitor` how far training has come.
    ///
    /// # Errors
    ///
    /// As [`BehaviorParams::fit`].
    pub fn fit<R: Record>(
        &self,
        records: &[R],
        boundary: Option<Timestamp>,
        monitor: &dyn TrainingMonitor,
    ) -> Result<UserBehaviorAnalyzer, SequenceError> {
        let histories = Histories::new(records);
        let encoder = self.encoder.fit(&histories, boundary)?;
        let events = histories.encode(&encoder)?;
        let held_out = |user: usize| {
            let name = histories.entity_name(user).unwrap_or_default();
            is_held_out(name, self.model.seed, self.calibration_share)
        };
        let (mut train, mut rest) = (Vec::new(), Vec::new());
        for user in 0..events.entities() {
            let range = events.entity(user);
            let mut normal = range.clone().take_while(|event| {
                events.label(*event) != Some(true)
                    && boundary.is_none_or(|end| events.time(*event) < end)
            });
            let end = normal
                .by_ref()
                .last()
                .map_or(range.start, |event| event + 1);
            let pieces = (range.start..end)
                .step_by(self.model.sequence_length)
                .map(|start| Span {
                    // A piece begins in the middle of a history: it is read from a little earlier on.
                    start: range
                        .start
                        .max(start.saturating_sub(self.model.sequence_length / 2)),
                    scored_from: start,
                    end: end.min(start + self.model.sequence_length),
                });
            if held_out(user) {
                if end > range.start {
                    rest.push(Span {
                        start: range.start,
                        scored_from: range.start,
                        end,
                    });
                }
            } else {
                train.extend(pieces);
            }
        }
        if rest.is_empty() {
            return Err(SequenceError::Empty {
                what: "no user with normal events is held out for calibration",
            });
        }
        let validation = SequenceSet::new(&events, &rest)?;
        let training = Training::new(SequenceSet::new(&events, &train)?)
            .validation(validation)
            .monitor(monitor);
        let model = self.model.fit_next_event(&training)?;
        let surprises = model.surprises(validation)?;
        let calibration = Calibration::new(validation, &surprises);
        Ok(UserBehaviorAnalyzer {
            encoder,
            model,
            calibration,
        })
    }
}

/// Whether a user is held out: a hash of the name, so that it does not depend on who else there is.
fn is_held_out(name: &str, seed: u64, share: f64) -> bool {
    let hash = StableHasher::default().text(name).number(seed).finish();
    let mixed = dafu_core::random::Stream::new(hash, 0, 0).unit();
    mixed < share
}

impl UserBehaviorAnalyzer {
    /// What is read of a record.
    pub const fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    #[cfg(feature = "serde")]
    pub(crate) fn from_parts(
        encoder: Encoder,
        model: NextEventModel,
        calibration: Calibration,
    ) -> Result<Self, SequenceError> {
        // As all scores are made by it, it has to be one.
        calibration.events()?;
        Ok(Self {
            encoder,
            model,
            calibration,
        })
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The model of the next event.
    pub const fn model(&self) -> &NextEventModel {
        &self.model
    }

    /// Sequences of users that are unusual, by falling score. Each user's history is read as a whole and judged in pieces
    /// of `sequence_length` events, each once. Pieces that begin a history are compared with such ones of held-out users,
    /// all others with others.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, a record cannot be read, or no score can reach the threshold because too few
    /// sequences were held out.
    ///
    /// # Complexity
    ///
    /// O(records x weights).
    pub fn detect_behavioral_anomalies<R: Record>(
        &self,
        records: &[R],
        params: &AnomalyParams,
    ) -> Result<Vec<BehavioralAnomaly>, SequenceError> {
        within(
            "sequence_length",
            params.sequence_length,
            1,
            MAX_SEQUENCE_LENGTH,
        )?;
        let conformal = self.calibration.sequences(params.sequence_length)?;
        conformal.check_threshold(params.threshold)?;
        let histories = Histories::new(records);
        let events = histories.encode(&self.encoder)?;
        let spans: Vec<Span> = (0..events.entities())
            .map(|user| events.entity(user))
            .map(|range| Span {
                start: range.start,
                scored_from: range.start,
                end: range.end,
            })
            .collect();
        let mut anomalies = Vec::new();
        for (block, spans) in spans.chunks(BLOCK).enumerate() {
            let set = SequenceSet::new(&events, spans)?;
            let predictions = self.model.predictions(set)?;
            let scored: Vec<usize> = set.scored().collect();
            for (user, span) in spans.iter().enumerate() {
                let user = histories
                    .entity_name(block * BLOCK + user)
                    .unwrap_or_default();
                let first = scored.partition_point(|event| *event < span.start);
                let end = scored.partition_point(|event| *event < span.end);
                for from in (first..end).step_by(params.sequence_length) {
                    let piece = from..end.min(from + params.sequence_length);
                    let surprises: Vec<f32> = piece
                        .clone()
                        .map(|at| predictions.surprises().event(at))
                        .collect();
                    let number = statistic(&surprises);
                    let conformal = conformal.of(from == first);
                    let score = conformal.score(number);
                    if score < params.threshold {
                        continue;
                    }
                    let step = largest(&surprises);
                    let at = from + step;
                    let (numeric, codes) = predictions.most_likely(at);
                    let expected = EventNumbers {
                        numeric: &numeric,
                        codes: &codes,
                    };
                    let observed = events.numbers(scored[at]);
                    let inputs = predictions.surprises().inputs(at);
                    let records = scored[piece.clone()].iter();
                    anomalies.push(BehavioralAnomaly {
                        user: user.to_owned(),
                        records: records
                            .filter_map(|event| histories.record(*event))
                            .collect(),
                        between: (
                            events.time(scored[piece.start]),
                            events.time(scored[piece.end - 1]),
                        ),
                        score,
                        p_value: conformal.p_value(number),
                        step,
                        time: events.time(scored[at]),
                        surprise: f64::from(surprises[step]),
                        input: surprising_input(&self.encoder, (observed, expected), inputs),
                    });
                }
            }
        }
        anomalies.sort_by(|left, right| right.score.total_cmp(&left.score));
        Ok(anomalies)
    }

    /// A stream of events, scored one by one as they come.
    ///
    /// # Errors
    ///
    /// When bounds are out of range.
    pub fn stream(&self, params: &StreamParams) -> Result<BehaviorStream, SequenceError> {
        BehaviorStream::new(self, params)
    }
}

/// The input of an event that surprised most.
pub(super) fn surprising_input(
    encoder: &Encoder,
    (observed, expected): (EventNumbers<'_>, EventNumbers<'_>),
    surprises: &[f32],
) -> SurprisingInput {
    let input = largest(surprises);
    let words = |event| encoder.describe(event, input).unwrap_or_default();
    SurprisingInput {
        name: encoder
            .input_names()
            .get(input)
            .cloned()
            .unwrap_or_default(),
        observed: words(observed),
        expected: words(expected),
        surprise: surprises
            .get(input)
            .map_or(0.0, |number| f64::from(*number)),
    }
}

/// Place of the largest number; the first of equal ones.
fn largest(numbers: &[f32]) -> usize {
    let places = (0..numbers.len()).rev();
    places
        .max_by(|left, right| numbers[*left].total_cmp(&numbers[*right]))
        .unwrap_or(0)
}
