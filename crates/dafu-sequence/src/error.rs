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
    /// Events have more categories than the model knows.
    #[error(
        "categorical input {input} of the events has {got} categories, the network reads {expected}: encode them as for training"
    )]
    Categories {
        /// Index of the categorical input.
        input: usize,
        /// Categories that the network reads.
        expected: u32,
        /// Categories of the events.
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
    /// Something that is needed is not there.
    #[error("{what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// All labels are the same.
    #[error("all {events} labelled events to {purpose} are {}: a classifier needs both kinds", if *fraud { "frauds" } else { "legitimate" })]
    OneClass {
        /// What they are for.
        purpose: &'static str,
        /// Labelled events.
        events: usize,
        /// Which label they have.
        fraud: bool,
    },
    /// Training left the numbers.
    #[error(
        "training diverged in epoch {epoch}: {what} is {got}; a smaller `learning_rate` or `clip_norm` helps"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Which number left the numbers: the loss, the length of the gradient, the value on the validation sequences, or a
        /// weight.
        what: &'static str,
        /// What it is.
        got: f64,
    },
    /// A parameter of one input of an encoder is outside of its range.
    #[error("`{name}` of input `{input}` must be {expected}, got {got}")]
    InputParameter {
        /// The input.
        input: String,
        /// The parameter.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// An input of an encoder has no name.
    #[error("an input has no name: name the field of the records that it is read from")]
    UnnamedInput,
    /// Two inputs of an encoder have the same name.
    #[error("two inputs are named `{name}`: rename or leave out one of them")]
    InputName {
        /// The name.
        name: String,
    },
    /// No training event has a value of an input.
    #[error(
        "no event to learn from has a value of input `{input}`: check its name, or make it optional"
    )]
    NoValues {
        /// The input.
        input: String,
    },
    /// The numbers of an input are too far apart.
    #[error(
        "the numbers of input `{input}` are too large to be scaled: scale their signed logarithm instead"
    )]
    Scale {
        /// The input.
        input: String,
    },
    /// A number of an event is infinite.
    #[error(
        "event of {time}: input `{input}` is {got}: correct it, or give NaN for a missing number"
    )]
    Infinite {
        /// Time of the event.
        time: Timestamp,
        /// The input.
        input: String,
        /// Its value.
        got: f64,
    },
    /// An event is earlier than the newest of its entity, where none may be: in an encoder, or in a stream that takes no
    /// late ones.
    #[error(
        "an event of {got} comes after one of {before} of the same entity: give each entity's events in the order of time"
    )]
    LateEvent {
        /// Time of the event before it.
        before: Timestamp,
        /// Time of the event.
        got: Timestamp,
    },
    /// An event is so far ahead of the newest that its clock must be wrong.
    #[error(
        "the event is of {at}, more than {most} s after the newest of {newest}: check its clock, or raise `max_jump`"
    )]
    ClockJump {
        /// Time of the event.
        at: Timestamp,
        /// Time of the newest.
        newest: Timestamp,
        /// Longest way ahead, in seconds.
        most: u64,
    },
    /// An event has more or fewer fields than an encoder reads.
    #[error(
        "an event has {} numbers and {} texts, expected {} and {}: one for each of `number_fields` and `text_fields`",
        got.0, got.1, expected.0, expected.1
    )]
    FieldCount {
        /// Numbers and texts that are read.
        expected: (usize, usize),
        /// Numbers and texts of the event.
        got: (usize, usize),
    },
    /// What is wrong with one of many records.
    #[error("record {record}: {source}")]
    Record {
        /// Index of the record.
        record: usize,
        /// What is wrong with it.
        source: Box<SequenceError>,
    },
    /// A saved encoder is broken.
    #[error("encoder: {what}")]
    Encoder {
        /// What is wrong.
        what: String,
    },
    /// Weights do not fit the configuration.
    #[error("weights: {what}")]
    Weights {
        /// What is wrong.
        what: String,
    },
    /// Too few normal sequences are held out for scores to reach so far.
    #[error(
        "scores need {needed} normal sequences or events held out, there are {got}: hold out more users, lower `threshold`, or leave \
         out `beginnings` if it is those"
    )]
    Calibration {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// A number that was held out is NaN or infinite.
    #[error("number {number} of those held out is {got}: scores are made by finite ones")]
    HeldOut {
        /// Its index.
        number: usize,
        /// What it is.
        got: f64,
    },
    /// A backend failed.
    #[error("backend: {what}")]
    Backend {
        /// What it says.
        what: String,
    },
    /// A saved model of records is broken.
    #[error("saved model: {what}")]
    Model {
        /// What is wrong.
        what: String,
    },
    /// There is no answer about an event, since numbers grew beyond what 32 bits hold.
    #[error(
        "the {what} after an event would be {got}: the weights of the network, or the numbers of the event, are too large"
    )]
    NotANumber {
        /// What there is not.
        what: &'static str,
        /// What it would be.
        got: f32,
    },
    /// A snapshot does not fit.
    #[error("snapshot: {what}")]
    Snapshot {
        /// What is wrong.
        what: String,
    },
    /// A safetensors file cannot be read, or not be written.
    #[cfg(feature = "serde")]
    #[error("safetensors: {0}")]
    Safetensors(#[source] crate::saved::SafetensorsError),
    /// An output slice has the wrong length.
    #[error("the output has room for {got} numbers, there are {expected}")]
    OutputLength {
        /// Numbers to write.
        expected: usize,
        /// Room for them.
        got: usize,
    },
}
