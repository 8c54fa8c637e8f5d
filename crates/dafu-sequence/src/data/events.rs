//! Events as numbers and codes, entity after entity, without padding.

use crate::SequenceError;
use dafu_core::Timestamp;
use std::ops::Range;

/// The inputs of one event: finite numbers, and a code for each categorical input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventNumbers<'a> {
    /// Scaled numbers, in the order of the model's inputs.
    pub numeric: &'a [f32],
    /// Codes below the number of categories of each input.
    pub codes: &'a [u32],
}

/// Events in time order, entity after entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    pub(super) numeric_inputs: usize,
    pub(super) categories: Vec<u32>,
    /// Numbers that stand for a category of each categorical input, where that was said.
    pub(super) dimensions: Vec<usize>,
    pub(super) numeric: Vec<f32>,
    pub(super) codes: Vec<u32>,
    /// 1 fraud, 0 legitimate, NaN unknown.
    pub(super) labels: Vec<f32>,
    pub(super) scorable: Vec<bool>,
    pub(super) times: Vec<Timestamp>,
    /// One more than there are entities.
    pub(super) starts: Vec<usize>,
}

impl Default for Events {
    /// No events, of no inputs.
    fn default() -> Self {
        Self {
            numeric_inputs: 0,
            categories: Vec::new(),
            dimensions: Vec::new(),
            numeric: Vec::new(),
            codes: Vec::new(),
            labels: Vec::new(),
            scorable: Vec::new(),
            times: Vec::new(),
            starts: vec![0],
        }
    }
}

impl Events {
    /// Starts a collection of events with so many numeric inputs, and categorical inputs of so many categories each.
    pub fn builder(numeric_inputs: usize, categories: &[u32]) -> EventsBuilder {
        EventsBuilder {
            events: Self {
                numeric_inputs,
                categories: categories.to_vec(),
                ..Self::default()
            },
        }
    }

    /// How many events there are.
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numeric inputs of an event.
    pub const fn numeric_inputs(&self) -> usize {
        self.numeric_inputs
    }

    /// Categories of each categorical input.
    pub fn categories(&self) -> &[u32] {
        &self.categories
    }

    /// Numbers that are to stand for a category of a categorical input, where that was said.
    pub(crate) fn dimension(&self, input: usize) -> Option<usize> {
        self.dimensions.get(input).copied()
    }

    /// How many entities there are.
    pub const fn entities(&self) -> usize {
        self.starts.len() - 1
    }

    /// The events of an entity, in time order; none where there is no such entity.
    pub fn entity(&self, entity: usize) -> Range<usize> {
        match (self.starts.get(entity), self.starts.get(entity + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        }
    }

    /// The inputs of an event.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn numbers(&self, event: usize) -> EventNumbers<'_> {
        let (numeric, codes) = (self.numeric_inputs, self.categories.len());
        EventNumbers {
            numeric: &self.numeric[event * numeric..(event + 1) * numeric],
            codes: &self.codes[event * codes..(event + 1) * codes],
        }
    }

    /// The numeric inputs of some events, one after another.
    pub(crate) fn numeric(&self, events: Range<usize>) -> &[f32] {
        &self.numeric[events.start * self.numeric_inputs..events.end * self.numeric_inputs]
    }

    /// The label of an event: `None` where it is unknown.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn label(&self, event: usize) -> Option<bool> {
        let label = self.labels[event];
        (!label.is_nan()).then_some(label > 0.5)
    }

    /// Whether an event carries loss and is scored; otherwise it is context only.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn scorable(&self, event: usize) -> bool {
        self.scorable[event]
    }

    /// When an event happened.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn time(&self, event: usize) -> Timestamp {
        self.times[event]
    }
}

/// Collects [`Events`].
///
/// # Examples
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_sequence::data::{EventNumbers, Events};
///
/// let mut builder = Events::builder(2, &[3]);
/// for second in 0..4 {
///     let time = Timestamp::from_micros(second * 1_000_000)?;
///     let numbers = EventNumbers { numeric: &[0.5, second as f32], codes: &[1] };
///     builder.push(time, numbers, Some(second == 3))?;
/// }
/// builder.end_entity();
/// let events = builder.build();
/// assert_eq!((events.len(), events.entities()), (4, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct EventsBuilder {
    events: Events,
}

impl EventsBuilder {
    /// Says how many numbers are to stand for a category of each categorical input.
    #[must_use]
    pub fn dimensions(mut self, dimensions: Vec<usize>) -> Self {
        self.events.dimensions = dimensions;
        self
    }

    /// Adds an event of the current entity, which carries loss if its label is known to the model that is trained.
    ///
    /// # Errors
    ///
    /// When inputs are too many or too few, numbers are not finite, codes are not below their number of categories, or
    /// the event is earlier than the one before it of the same entity.
    pub fn push(
        &mut self,
        time: Timestamp,
        inputs: EventNumbers<'_>,
        label: Option<bool>,
    ) -> Result<(), SequenceError> {
        let events = &mut self.events;
        let event = events.len();
        let categories = events.categories.iter().copied();
        check_inputs(event, inputs, events.numeric_inputs, categories)?;
        let first = event == events.starts.last().copied().unwrap_or(0);
        if let Some(before) = events
            .times
            .last()
            .filter(|before| !first && **before > time)
        {
            return Err(SequenceError::EventOrder {
                event,
                before: *before,
                got: time,
            });
        }
        events.numeric.extend_from_slice(inputs.numeric);
        events.codes.extend_from_slice(inputs.codes);
        events
            .labels
            .push(label.map_or(f32::NAN, |fraud| f32::from(u8::from(fraud))));
        events.scorable.push(true);
        events.times.push(time);
        Ok(())
    }

    /// As [`push`](Self::push), for an event that is context only: it moves the state, and is never scored.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_context(
        &mut self,
        time: Timestamp,
        inputs: EventNumbers<'_>,
    ) -> Result<(), SequenceError> {
        self.push(time, inputs, None)?;
        if let Some(scorable) = self.events.scorable.last_mut() {
            *scorable = false;
        }
        Ok(())
    }

    /// Ends the current entity; events after this belong to the next one. Entities without events are left out.
    pub fn end_entity(&mut self) {
        let end = self.events.len();
        if self.events.starts.last() != Some(&end) {
            self.events.starts.push(end);
        }
    }

    /// The events.
    pub fn build(mut self) -> Events {
        self.end_entity();
        self.events
    }
}

/// Whether an event's inputs are those of a model.
pub(crate) fn check_inputs(
    event: usize,
    inputs: EventNumbers<'_>,
    numeric_inputs: usize,
    categories: impl ExactSizeIterator<Item = u32>,
) -> Result<(), SequenceError> {
    if inputs.numeric.len() != numeric_inputs || inputs.codes.len() != categories.len() {
        return Err(SequenceError::Width {
            event,
            expected: (numeric_inputs, categories.len()),
            got: (inputs.numeric.len(), inputs.codes.len()),
        });
    }
    if let Some(input) = inputs.numeric.iter().position(|number| !number.is_finite()) {
        return Err(SequenceError::NotFinite {
            event,
            input,
            got: f64::from(inputs.numeric[input]),
        });
    }
    for (input, (got, categories)) in inputs.codes.iter().zip(categories).enumerate() {
        if *got >= categories {
            return Err(SequenceError::Code {
                event,
                input,
                categories,
                got: *got,
            });
        }
    }
    Ok(())
}
