//! What is learned of the events before the boundary.

use super::encoder::{Encoder, Parts, check_fields, gap, number};
use super::params::{CheckedEncoderParams, EncoderParams};
use super::record::{ByName, ByPlace, Fields, RawEvent, Record};
use super::scale::{Moments, Scale};
use super::vocabulary::{Counts, Vocabulary};
use crate::SequenceError;
use dafu_core::Timestamp;

/// Fits an [`Encoder`] event by event: those of an entity in the order of time, entity after entity. For data that are no
/// slice of records; those are fitted by [`EncoderParams::fit`].
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_sequence::encode::{CategoricalInput, EncoderParams, NumericInput, RawEvent};
///
/// let params = EncoderParams::default()
///     .numeric(NumericInput::log("bytes"))
///     .categorical(CategoricalInput::new("method").min_count(2));
/// let mut fit = params.check()?.fitter(None);
/// for host in 0..3 {
///     for second in 0..4 {
///         fit.push(&RawEvent {
///             time: Timestamp::from_seconds(second * 60)?,
///             numbers: &[f64::from(host) * 100.0],
///             texts: &[Some("GET")],
///             label: None,
///             scorable: true,
///         })?;
///     }
///     fit.end_entity();
/// }
/// let encoder = fit.finish()?;
/// assert_eq!(encoder.input_names()[..2], ["bytes", "gap"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct EncoderFit {
    params: EncoderParams,
    boundary: Option<Timestamp>,
    events: u64,
    previous: Option<Timestamp>,
    numbers: Vec<Moments>,
    gap: Moments,
    texts: Vec<Counts>,
    novelty: Vec<bool>,
}

impl CheckedEncoderParams {
    /// Starts to fit an encoder to the events before `boundary`, or to all.
    pub fn fitter(&self, boundary: Option<Timestamp>) -> EncoderFit {
        let params = self.0.clone();
        EncoderFit {
            boundary,
            events: 0,
            previous: None,
            numbers: vec![Moments::default(); params.numeric.len()],
            gap: Moments::default(),
            texts: vec![Counts::default(); params.categorical.len()],
            novelty: vec![false; params.novelty.len()],
            params,
        }
    }
}

impl EncoderFit {
    /// Learns from the current entity's next event. One at the boundary or after it is not looked at.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`]; nothing is learned from the event then.
    ///
    /// # Complexity
    ///
    /// O(inputs + bytes of the texts); memory for each different text of categorical inputs.
    pub fn push(&mut self, event: &RawEvent<'_>) -> Result<(), SequenceError> {
        check_fields(&self.params, event)?;
        self.push_fields(&ByPlace(event))
    }

    /// As [`push`](Self::push), with the fields of a record read by name.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_record<R: Record + ?Sized>(&mut self, record: &R) -> Result<(), SequenceError> {
        self.push_fields(&ByName(record))
    }

    fn push_fields(&mut self, event: &impl Fields) -> Result<(), SequenceError> {
        let time = event.time();
        if self.boundary.is_some_and(|boundary| time >= boundary) {
            return Ok(());
        }
        let gap = gap(self.previous, time)?;
        // All numbers before any is learned from.
        for (place, input) in self.params.numeric.iter().enumerate() {
            number(event, place, &input.name)?;
        }
        self.events += 1;
        self.previous = Some(time);
        self.gap.push(gap);
        let inputs = self.params.numeric.iter().zip(&mut self.numbers);
        for (place, (input, moments)) in inputs.enumerate() {
            let number = number(event, place, &input.name)?;
            moments.push(number.map(|number| input.transform.apply(number)));
        }
        let inputs = self.params.categorical.iter().zip(&mut self.texts);
        for (place, (input, counts)) in inputs.enumerate() {
            if let Some(text) = event.text(place, &input.name) {
                counts.push(&text);
            }
        }
        let inputs = self.params.novelty.iter().zip(&mut self.novelty);
        for (place, (input, seen)) in inputs.enumerate() {
            let place = self.params.categorical.len() + place;
            *seen = *seen || event.text(place, &input.name).is_some();
        }
        Ok(())
    }

    /// Ends the current entity; events after this belong to the next one.
    pub const fn end_entity(&mut self) {
        self.previous = None;
    }

    /// The encoder.
    ///
    /// # Errors
    ///
    /// [`Empty`](SequenceError::Empty) without an event before the boundary, [`NoValues`](SequenceError::NoValues) for an
    /// input that is not optional and that none of them has, [`Scale`](SequenceError::Scale) for numbers whose deviation
    /// passes the range of 64 bits, and [`Parameter`](SequenceError::Parameter) where the inputs are too many for a network.
    pub fn finish(self) -> Result<Encoder, SequenceError> {
        if self.events == 0 {
            return Err(SequenceError::Empty {
                what: "no event to learn scales and categories from: there is none, or none before the boundary",
            });
        }
        let params = self.params;
        let mut scales = Vec::with_capacity(self.numbers.len());
        for (input, moments) in params.numeric.iter().zip(&self.numbers) {
            let used = is_used(&input.name, input.optional, !moments.is_empty())?;
            scales.push(used.then(|| scale(&input.name, moments)).transpose()?);
        }
        let mut vocabularies = Vec::with_capacity(self.texts.len());
        for (input, counts) in params.categorical.iter().zip(self.texts) {
            let used = is_used(&input.name, input.optional, !counts.is_empty())?;
            let vocabulary = used.then(|| Vocabulary::new(counts.names(input)));
            vocabularies.push(vocabulary.flatten());
        }
        for (input, seen) in params.novelty.iter().zip(&self.novelty) {
            is_used(&input.name, input.optional, *seen)?;
        }
        let gap = params.gap.then(|| scale("gap", &self.gap)).transpose()?;
        Encoder::new(Parts {
            params,
            scales,
            gap,
            vocabularies,
            novelty: self.novelty,
        })
    }
}

/// Whether an input is used: an error where it has no value and must have one.
fn is_used(name: &str, optional: bool, seen: bool) -> Result<bool, SequenceError> {
    if seen || optional {
        return Ok(seen);
    }
    Err(SequenceError::NoValues {
        input: name.to_owned(),
    })
}

fn scale(name: &str, moments: &Moments) -> Result<Scale, SequenceError> {
    let scale = moments.scale();
    if scale.is_usable() {
        return Ok(scale);
    }
    Err(SequenceError::Scale {
        input: name.to_owned(),
    })
}
