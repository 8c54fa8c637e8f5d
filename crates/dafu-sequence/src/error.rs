//! What can go wrong.

use crate::data::Span;
use dafu_core::Timestamp;

/// What can go wrong with sequences and their models.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// A parameter is outside of its range.
    #[error("`{name}` must be {expected}, got {got}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// An event has more or fewer inputs than the model reads.
    #[error("event {event} has {} numeric and {} categorical inputs, expected {} and {}", got.0, got.1, expected.0, expected.1)]
    Width {
        /// Index of the event.
        event: usize,
        /// Numeric and categorical inputs of the model.
        expected: (usize, usize),
        /// Numeric and categorical inputs of the event.
        got: (usize, usize),
    },
    /// A numeric input is NaN or infinite.
    #[error(
        "event {event}: numeric input {input} is {got}: encode missing values first, as `Encoder` does"
    )]
    NotFinite {
        /// Index of the event.
        event: usize,
        /// Index of the numeric input.
        input: usize,
        /// Its value.
        got: f64,
    },
    /// A code is not below the number of categories.
    #[error(
        "event {event}: code {got} of categorical input {input} is not below its {categories} categories"
    )]
    Code {
        /// Index of the event.
        event: usize,
        /// Index of the categorical input.
        input: usize,
        /// Categories of the input.
        categories: u32,
        /// The code.
        got: u32,
    },
    /// An event is earlier than the one before it.
    #[error(
        "event {event} of {got} comes after one of {before} of the same entity: sort each entity's events by time"
    )]
    EventOrder {
        /// Index of the event.
        event: usize,
        /// Time of the event before it.
        before: Timestamp,
        /// Time of the event.
        got: Timestamp,
    },
    /// A span does not lie within one entity.
    #[error(
        "sequence {sequence} (events {}..{}, scored from {}) must hold an event, lie within one entity, and be scored from within",
        span.start, span.end, span.scored_from
    )]
    Span {
        /// Index of the sequence.
        sequence: usize,
        /// The span.
        span: Span,
    },
    /// There is nothing to learn from.
    #[error("{what}: there is nothing to learn from")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// All labels are the same.
    #[error("all {events} labelled events to learn from are {}: a classifier needs both kinds", if *fraud { "frauds" } else { "legitimate" })]
    OneClass {
        /// Labelled events.
        events: usize,
        /// Which label they have.
        fraud: bool,
    },
    /// Training left the numbers.
    #[error(
        "training diverged in epoch {epoch}: the loss is {loss}; a smaller `learning_rate` or `clip_norm` helps"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The loss.
        loss: f64,
    },
    /// Weights do not fit the configuration.
    #[error("weights: {what}")]
    Weights {
        /// What is wrong.
        what: String,
    },
    /// Too few normal sequences are held out for scores to reach so far.
    #[error("scores need {needed} normal sequences or events held out, there are {got}: hold out more users, or lower `threshold`")]
    Calibration {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// A snapshot does not fit.
    #[error("snapshot: {what}")]
    Snapshot {
        /// What is wrong.
        what: String,
    },
    /// An output slice has the wrong length.
    #[error("the output has room for {got} numbers, there are {expected}")]
    OutputLength {
        /// Numbers to write.
        expected: usize,
        /// Room for them.
        got: usize,
    },
}
