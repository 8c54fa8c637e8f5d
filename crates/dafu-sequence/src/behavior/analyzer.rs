//! Sequences of users that are unusual.

use super::anomaly::{AnomalyParams, BehavioralAnomaly, SurprisingInput};
use super::calibration::{ByPlace, Calibration, pieces, statistic};
use super::stream::BehaviorStream;
use crate::data::{EventNumbers, SequenceSet, Span};
use crate::encode::{Encoder, Histories, Record};
use crate::stream::{StreamParams, check_surprise};
use crate::surprise::Surprises;
use crate::{NextEventModel, SequenceError};
use std::ops::Range;

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

impl UserBehaviorAnalyzer {
    /// What is read of a record.
    pub const fn encoder(&self) -> &Encoder {
        &self.encoder
    }

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

    /// Sequences of users that are unusual, by falling score, those of one score by how surprising they are.
    ///
    /// Each user's history is read as a whole and judged in pieces of `sequence_length` events. Where the last piece would be
    /// shorter it reaches back into the one before it, so that all are as long, but for users with fewer events. Pieces that
    /// begin a history are compared with such ones of users held out, all others with others. Records that the model has
    /// learned from surprise it less than the score promises.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, a record cannot be read, or too few users were held out for a score to reach the
    /// threshold; [`NotANumber`](SequenceError::NotANumber) where weights are so large that an event is not surprising by any
    /// number.
    ///
    /// # Complexity
    ///
    /// O(records x weights), for the histories of users with an anomaly twice. Beside what is read of all records there is how
    /// surprising each input of the events of 256 users is, and [`NetworkConfig::outputs`](crate::network::NetworkConfig::outputs)
    /// numbers an event for 2^24 numbers at a time (or for one history).
    pub fn detect_behavioral_anomalies<R: Record>(
        &self,
        records: &[R],
        params: &AnomalyParams,
    ) -> Result<Vec<BehavioralAnomaly>, SequenceError> {
        self.detect_in(&Histories::new(records), params)
    }

    /// As [`detect_behavioral_anomalies`](Self::detect_behavioral_anomalies), of records that are grouped by another key, or
    /// of which some are context only.
    ///
    /// # Errors
    ///
    /// As [`detect_behavioral_anomalies`](Self::detect_behavioral_anomalies).
    pub fn detect_in<R: Record>(
        &self,
        histories: &Histories<'_, R>,
        params: &AnomalyParams,
    ) -> Result<Vec<BehavioralAnomaly>, SequenceError> {
        params.check()?;
        let conformal = self.calibration.sequences(params.sequence_length)?;
        let events = histories.encode(&self.encoder)?;
        let spans: Vec<Span> = (0..events.entities())
            .map(|user| Span::whole(events.entity(user)))
            .collect();
        let mut found = Vec::new();
        for (block, spans) in spans.chunks(BLOCK).enumerate() {
            let set = SequenceSet::new(&events, spans)?;
            let judged = Judged::new(&self.model, set)?;
            let unusual = judged.unusual(&conformal, params)?;
            let largest = unusual.iter().map(|piece| judged.scored[piece.largest]);
            let expected = self.model.most_likely_of(set, &largest.collect())?;
            for piece in unusual {
                let event = judged.scored[piece.largest];
                let (numeric, codes) = expected.get(&event).cloned().unwrap_or_default();
                let expected = EventNumbers {
                    numeric: &numeric,
                    codes: &codes,
                };
                let user = histories.entity_name(block * BLOCK + piece.user);
                let scored = &judged.scored[piece.range.clone()];
                let record = |event: &usize| histories.record(*event);
                let anomaly = BehavioralAnomaly {
                    user: user.unwrap_or_default().to_owned(),
                    records: scored.iter().filter_map(record).collect(),
                    between: (
                        events.time(judged.scored[piece.range.start]),
                        events.time(judged.scored[piece.range.end - 1]),
                    ),
                    score: piece.score,
                    p_value: piece.p_value,
                    step: piece.largest - piece.range.start,
                    time: events.time(event),
                    surprise: f64::from(judged.totals[piece.largest]),
                    input: surprising_input(
                        &self.encoder,
                        (events.numbers(event), expected),
                        judged.surprises.inputs(piece.largest),
                    ),
                };
                found.push((piece.statistic, anomaly));
            }
        }
        found.sort_by(|(left, of_left), (right, of_right)| {
            let by_score = of_right.score.total_cmp(&of_left.score);
            by_score.then_with(|| right.total_cmp(left))
        });
        Ok(found.into_iter().map(|(_, anomaly)| anomaly).collect())
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

/// Histories of some users, and how surprising their events are.
struct Judged<'a> {
    set: SequenceSet<'a>,
    /// The events that are scored; all else is by their place among these.
    scored: Vec<usize>,
    surprises: Surprises,
    totals: Vec<f32>,
}

/// A piece of a history whose score reaches the threshold.
struct Unusual {
    /// The user's place among those judged together.
    user: usize,
    /// Its events among those scored, and which of them surprised most.
    range: Range<usize>,
    largest: usize,
    statistic: f64,
    score: f64,
    p_value: f64,
}

impl<'a> Judged<'a> {
    fn new(model: &NextEventModel, set: SequenceSet<'a>) -> Result<Self, SequenceError> {
        let surprises = model.surprises(set)?;
        let totals = (0..surprises.len()).map(|at| check_surprise(surprises.event(at)));
        Ok(Self {
            totals: totals.collect::<Result<_, _>>()?,
            scored: set.scored().collect(),
            set,
            surprises,
        })
    }

    fn unusual(
        &self,
        conformal: &ByPlace,
        params: &AnomalyParams,
    ) -> Result<Vec<Unusual>, SequenceError> {
        let (scored, events) = (&self.scored, self.set.events());
        let mut found = Vec::new();
        for (user, span) in self.set.spans().iter().enumerate() {
            let first = scored.partition_point(|event| *event < span.start);
            let end = scored.partition_point(|event| *event < span.end);
            let judged = params.from.map_or(first, |from| {
                first + scored[first..end].partition_point(|event| events.time(*event) < from)
            });
            for range in pieces(judged..end, params.sequence_length) {
                let begins = range.start == first;
                if begins && !params.beginnings {
                    continue;
                }
                let conformal = conformal.of(begins);
                conformal.check_threshold(params.threshold)?;
                let totals = &self.totals[range.clone()];
                let statistic = statistic(totals);
                let score = conformal.score(statistic);
                if score >= params.threshold {
                    found.push(Unusual {
                        user,
                        largest: range.start + largest(totals),
                        range,
                        statistic,
                        score,
                        p_value: conformal.p_value(statistic),
                    });
                }
            }
        }
        Ok(found)
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
