//! What is reported about unusual behaviour.

use crate::SequenceError;
use crate::check::{self, within};
use crate::params::MAX_SEQUENCE_LENGTH;
use dafu_core::Timestamp;
use std::fmt;

/// What counts as an anomaly.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct AnomalyParams {
    /// Events that are judged together.
    pub sequence_length: usize,
    /// Lowest score that is reported, at least 0 and below 1: at most a share (1 - threshold)^3 of normal sequences reach
    /// it, see [`Conformal`](crate::Conformal). 0.8: 1 of 125.
    pub threshold: f64,
    /// Events from here on are judged, those before are read only; `None` for all.
    pub from: Option<Timestamp>,
    /// Whether sequences that begin a history are judged. They are compared with those of users held out, one each: for
    /// 0.8, 124 users have to be held out.
    pub beginnings: bool,
}

impl Default for AnomalyParams {
    /// 30 events, 0.8, all events and beginnings too.
    fn default() -> Self {
        Self {
            sequence_length: 30,
            threshold: 0.8,
            from: None,
            beginnings: true,
        }
    }
}

impl AnomalyParams {
    /// Sets `sequence_length`.
    #[must_use]
    pub const fn sequence_length(mut self, sequence_length: usize) -> Self {
        self.sequence_length = sequence_length;
        self
    }

    /// Sets `threshold`.
    #[must_use]
    pub const fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Sets `from`.
    #[must_use]
    pub const fn from(mut self, from: Timestamp) -> Self {
        self.from = Some(from);
        self
    }

    /// Sets `beginnings`.
    #[must_use]
    pub const fn beginnings(mut self, beginnings: bool) -> Self {
        self.beginnings = beginnings;
        self
    }

    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not.
    pub fn check(&self) -> Result<(), SequenceError> {
        let length = self.sequence_length;
        within("sequence_length", length, 1, MAX_SEQUENCE_LENGTH)?;
        check::threshold(self.threshold)
    }
}

/// The input of an event that surprised most.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SurprisingInput {
    /// Its name.
    pub name: String,
    /// Its value, in words.
    pub observed: String,
    /// The most probable value, in words.
    pub expected: String,
    /// How surprising it is: minus the natural logarithm of its likelihood.
    pub surprise: f64,
}

impl fmt::Display for SurprisingInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}, expected {}",
            self.name, self.observed, self.expected
        )
    }
}

/// A sequence of events of a user that is unusual.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BehavioralAnomaly {
    /// Whose events.
    pub user: String,
    /// Records of the sequence, in the order of time.
    pub records: Vec<usize>,
    /// Time of the first and of the last event.
    pub between: (Timestamp, Timestamp),
    /// From 0 to 1, see [`Conformal`](crate::Conformal).
    pub score: f64,
    /// The share of normal sequences that are as unusual.
    pub p_value: f64,
    /// The event that surprised most, counted from 0 within the sequence.
    pub step: usize,
    /// Its time.
    pub time: Timestamp,
    /// How surprising it is: minus the natural logarithm of its likelihood.
    pub surprise: f64,
    /// Its input that surprised most.
    pub input: SurprisingInput,
}

impl fmt::Display for BehavioralAnomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, count) = (self.step + 1, self.records.len());
        let Self {
            user,
            score,
            time,
            input,
            ..
        } = self;
        write!(
            f,
            "{user}: score {score:.3}, event {number} of {count} at {time}: {input}"
        )
    }
}
