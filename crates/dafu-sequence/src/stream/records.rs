//! Steps of entities by their records.

use super::step::Stepper;
use super::{StateTable, StreamParams, StreamSnapshot};
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::encode::{Encoder, EncoderState, Record};
use crate::native::StepNetwork;

/// States of entities, of the network and of the encoder, moved on by records.
#[derive(Debug, Clone)]
pub(crate) struct RecordStepper {
    encoder: Encoder,
    table: StateTable<String, EncoderState>,
    stepper: Stepper,
    numeric: Vec<f32>,
    codes: Vec<u32>,
}

/// What is said about a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordStep {
    /// Log odds of fraud, or how surprising it is.
    pub(crate) value: f64,
    /// Whether nothing is remembered of its entity.
    pub(crate) first: bool,
    /// Whether it was earlier than the newest record of its entity.
    pub(crate) late: bool,
}

impl RecordStepper {
    pub(crate) fn new(
        encoder: &Encoder,
        network: StepNetwork,
        params: &StreamParams,
    ) -> Result<Self, SequenceError> {
        Ok(Self {
            table: StateTable::new(params, &network)?.with_inputs(encoder),
            stepper: Stepper::new(network),
            numeric: Vec::new(),
            codes: Vec::new(),
            encoder: encoder.clone(),
        })
    }

    /// Judges a record, and says what the encoder has to know after it; nothing is remembered.
    pub(crate) fn peek<R: Record + ?Sized>(
        &mut self,
        record: &R,
    ) -> Result<(RecordStep, EncoderState), SequenceError> {
        let (entity, time) = (record.entity(), record.time());
        let (mut context, late) = self.table.read(entity, time, &mut self.stepper.state)?;
        let first = context.previous().is_none();
        let (numeric, codes) = (&mut self.numeric, &mut self.codes);
        self.encoder
            .encode_late(&mut context, record, numeric, codes)?;
        let value = self.stepper.judge(EventNumbers { numeric, codes })?;
        Ok((RecordStep { value, first, late }, context))
    }

    /// Judges a record and remembers it.
    pub(crate) fn judge<R: Record + ?Sized>(
        &mut self,
        record: &R,
    ) -> Result<RecordStep, SequenceError> {
        let (step, context) = self.peek(record)?;
        let state = (&*self.stepper.state, context);
        self.table.keep(record.entity(), record.time(), state)?;
        Ok(step)
    }

    pub(crate) const fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    pub(crate) const fn stepper(&self) -> &Stepper {
        &self.stepper
    }

    /// The inputs of the last record.
    pub(crate) fn inputs(&self) -> EventNumbers<'_> {
        EventNumbers {
            numeric: &self.numeric,
            codes: &self.codes,
        }
    }

    pub(crate) const fn table(&self) -> &StateTable<String, EncoderState> {
        &self.table
    }

    pub(crate) fn forget(&mut self, entity: &str) -> bool {
        self.table.forget(entity)
    }

    pub(crate) fn restore(
        &mut self,
        snapshot: &StreamSnapshot<String, EncoderState>,
    ) -> Result<(), SequenceError> {
        snapshot.check_contexts()?;
        self.table.restore(snapshot)
    }
}

/// What streams of records have in common.
macro_rules! record_stream {
    ($stream:ident) => {
        impl $stream {
            /// Remembers a record that is context only, without an answer about it.
            ///
            /// # Errors
            ///
            /// As [`score`](Self::score).
            pub fn observe<R: Record + ?Sized>(&mut self, record: &R) -> Result<(), SequenceError> {
                self.steps.judge(record).map(|_| ())
            }

            /// Forgets a user; whether there was something of it.
            pub fn forget(&mut self, user: &str) -> bool {
                self.steps.forget(user)
            }

            /// Users that are remembered.
            pub fn users(&self) -> usize {
                self.steps.table().len()
            }

            /// States that were given up so far.
            pub const fn counts(&self) -> TableCounts {
                self.steps.table().counts()
            }

            /// What it remembers: with the feature `serde` to be stored as JSON or in another format.
            ///
            /// # Complexity
            ///
            /// O(users x state).
            pub fn snapshot(&self) -> StreamSnapshot<String, EncoderState> {
                self.steps.table().snapshot()
            }

            /// Replaces what it remembers: answers go on as those of the stream that the snapshot was taken of.
            ///
            /// # Errors
            ///
            /// As [`StateTable::restore`](crate::stream::StateTable::restore) and [`StreamSnapshot::check_contexts`].
            ///
            /// # Complexity
            ///
            /// O(users x state).
            pub fn restore(
                &mut self,
                snapshot: &StreamSnapshot<String, EncoderState>,
            ) -> Result<(), SequenceError> {
                self.steps.restore(snapshot)
            }
        }
    };
}

pub(crate) use record_stream;
