//! Which records moved an answer.

use super::classifier::HistoryClassifier;
use super::params::Reading;
use crate::SequenceError;
use crate::data::{SequenceSet, Span};
use crate::encode::{Histories, Record};
use dafu_core::Timestamp;
use std::fmt;

/// Most events that an explanation reads of a history that is read as a whole.
const MAX_EVENTS: usize = 1_024;
/// Inputs of a record that are written out.
const SHOWN: usize = 3;

/// What moved the log odds of a record away from those of ordinary records.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FraudExplanation {
    /// Log odds of fraud of the record.
    pub log_odds: f64,
    /// Log odds after as many ordinary records. With all contributions they add up to `log_odds`, but for the error of
    /// [`attribution`](crate::native::NativeNetwork::attribution).
    pub baseline: f64,
    /// The records that were read, in the order of time; the last one is the record that is explained.
    pub records: Vec<RecordContribution>,
}

/// What a record added to the log odds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RecordContribution {
    /// Index of the record.
    pub record: usize,
    /// When it happened.
    pub time: Timestamp,
    /// What it added: the sum over its inputs.
    pub contribution: f64,
    /// Its inputs, those first that added or took away most.
    pub inputs: Vec<InputContribution>,
}

/// What an input of a record added to the log odds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct InputContribution {
    /// Its name, as in [`Encoder::input_names`](crate::encode::Encoder::input_names).
    pub name: String,
    /// Its value, in words.
    pub observed: String,
    /// What it added.
    pub contribution: f64,
}

impl fmt::Display for RecordContribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:+.2}:", self.time, self.contribution)?;
        for (place, input) in self.inputs.iter().take(SHOWN).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let (name, observed) = (&input.name, &input.observed);
            write!(f, "{comma} {name} {observed} {:+.2}", input.contribution)?;
        }
        Ok(())
    }
}

impl HistoryClassifier {
    /// Which records of the same user, and which of their inputs, moved the log odds of a record: integrated gradients
    /// against ordinary records. Other users' records are not looked at. Of a history that is read as a whole
    /// ([`Reading::Stream`]) the last 1,024 records are read.
    ///
    /// # Errors
    ///
    /// When there is no such record, it is not scorable, or a record cannot be read.
    ///
    /// # Complexity
    ///
    /// Forwards and backwards through the network for 64 sequences of this length.
    pub fn explain<R: Record>(
        &self,
        records: &[R],
        record: usize,
    ) -> Result<FraudExplanation, SequenceError> {
        let explained = records.get(record).ok_or(SequenceError::Empty {
            what: "no record of this index",
        })?;
        let user = explained.entity();
        let histories = Histories::by(records, |other| {
            Some(other.entity()).filter(|entity| *entity == user)
        });
        let events = histories.encode(&self.encoder)?;
        let event = histories.event(record).unwrap_or_default();
        let most = match self.params.reading {
            Reading::Windows => self.params.model.sequence_length,
            Reading::Stream => MAX_EVENTS,
        };
        let spans = [Span {
            start: (event + 1).saturating_sub(most),
            scored_from: event,
            end: event + 1,
        }];
        let set = SequenceSet::new(&events, &spans)?;
        let attribution = self.classifier.explain(set, 0, &self.baseline)?;
        let of_event = |event: usize| {
            let numbers = attribution.inputs(event - spans[0].start).iter();
            let inputs = self.encoder.input_names().iter().zip(numbers).enumerate();
            let mut inputs: Vec<_> = inputs
                .map(|(input, (name, number))| InputContribution {
                    name: name.clone(),
                    observed: self
                        .encoder
                        .describe(events.numbers(event), input)
                        .unwrap_or_default(),
                    contribution: f64::from(*number),
                })
                .collect();
            let size = |input: &InputContribution| input.contribution.abs();
            inputs.sort_by(|left, right| size(right).total_cmp(&size(left)));
            RecordContribution {
                record: histories.record(event).unwrap_or_default(),
                time: events.time(event),
                contribution: inputs.iter().map(|input| input.contribution).sum(),
                inputs,
            }
        };
        Ok(FraudExplanation {
            log_odds: f64::from(attribution.answer),
            baseline: f64::from(attribution.baseline),
            records: (spans[0].start..=event).map(of_event).collect(),
        })
    }
}
