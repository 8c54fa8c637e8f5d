//! Histories into events.

use super::record::{ByName, ByPlace, Fields, RawEvent, Record};
use super::{Encoder, EncoderState, encoder};
use crate::SequenceError;
use crate::data::{EventNumbers, Events, EventsBuilder};

/// Encodes histories into [`Events`]: the events of an entity in the order of time, entity after entity. For data that are
/// no slice of records; those are encoded by [`Histories::encode`](super::Histories::encode).
///
/// Made by [`Encoder::events`].
#[derive(Debug, Clone)]
pub struct EventsEncoder<'a> {
    encoder: &'a Encoder,
    state: EncoderState,
    numeric: Vec<f32>,
    codes: Vec<u32>,
    builder: EventsBuilder,
}

impl<'a> EventsEncoder<'a> {
    pub(super) fn new(encoder: &'a Encoder) -> Self {
        Self {
            encoder,
            state: EncoderState::default(),
            numeric: Vec::new(),
            codes: Vec::new(),
            builder: Events::builder(encoder.numeric_inputs(), encoder.categories()).dimensions(
                encoder
                    .embeddings()
                    .iter()
                    .map(|input| input.dimension)
                    .collect(),
            ),
        }
    }

    /// Adds the current entity's next event.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`]; the event is not added then.
    pub fn push(&mut self, event: &RawEvent<'_>) -> Result<(), SequenceError> {
        encoder::check_fields(self.encoder.params(), event)?;
        self.push_fields(&ByPlace(event), event.label, event.scorable)
    }

    /// As [`push`](Self::push), with the fields of a record read by name.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_record<R: Record + ?Sized>(&mut self, record: &R) -> Result<(), SequenceError> {
        self.push_record_as(record, record.scorable())
    }

    pub(super) fn push_record_as<R: Record + ?Sized>(
        &mut self,
        record: &R,
        scorable: bool,
    ) -> Result<(), SequenceError> {
        self.push_fields(&ByName(record), record.label(), scorable)
    }

    fn push_fields(
        &mut self,
        event: &impl Fields,
        label: Option<bool>,
        scorable: bool,
    ) -> Result<(), SequenceError> {
        let (numeric, codes) = (&mut self.numeric, &mut self.codes);
        self.encoder
            .encode_fields(&mut self.state, event, numeric, codes)?;
        let numbers = EventNumbers { numeric, codes };
        if scorable {
            self.builder.push(event.time(), numbers, label)
        } else {
            self.builder.push_context(event.time(), numbers)
        }
    }

    /// The state of the current entity: a stream goes on from here.
    pub const fn state(&self) -> &EncoderState {
        &self.state
    }

    /// Ends the current entity; events after this belong to the next one. Entities without events are left out.
    pub fn end_entity(&mut self) {
        self.state = EncoderState::default();
        self.builder.end_entity();
    }

    /// The events.
    pub fn build(self) -> Events {
        self.builder.build()
    }
}
