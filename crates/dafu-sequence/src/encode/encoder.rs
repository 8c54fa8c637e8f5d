//! From an event to the inputs of a network.

use super::intervals;
use super::layout::{InputKind, Layout};
use super::params::{EncoderParams, Numbers};
use super::record::{ByName, ByPlace, Fields, RawEvent, Record};
use super::scale::Scale;
use super::state::EncoderState;
use super::vocabulary::Vocabulary;
use super::{EventsEncoder, Transform};
use crate::SequenceError;
use crate::network::{Embedding, NetworkConfig};
use dafu_core::Timestamp;
use std::f64::consts::TAU;

/// What was learned, for each input of the parameters; `None` and false where it is left out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts {
    pub(super) params: EncoderParams,
    pub(super) scales: Vec<Option<Scale>>,
    pub(super) gap: Option<Scale>,
    pub(super) vocabularies: Vec<Option<Vocabulary>>,
    pub(super) novelty: Vec<bool>,
}

impl Parts {
    fn check(&self) -> Result<(), SequenceError> {
        self.params.check()?;
        let broken = |what: String| Err(SequenceError::Encoder { what });
        let widths = [
            ("scales", self.scales.len(), self.params.numeric.len()),
            (
                "vocabularies",
                self.vocabularies.len(),
                self.params.categorical.len(),
            ),
            ("novelty", self.novelty.len(), self.params.novelty.len()),
            (
                "gap",
                usize::from(self.gap.is_some()),
                usize::from(self.params.gap),
            ),
        ];
        for (name, got, expected) in widths {
            if got != expected {
                return broken(format!("`{name}` has {got} inputs, expected {expected}"));
            }
        }
        let named = self.params.number_fields().zip(&self.scales);
        let named = named.filter_map(|(name, scale)| scale.as_ref().map(|scale| (name, scale)));
        for (name, scale) in named.chain(self.gap.as_ref().map(|scale| ("gap", scale))) {
            if !scale.is_usable() {
                return broken(format!(
                    "input `{name}`: mean {} and deviation {} must be finite, the deviation above 0",
                    scale.mean, scale.deviation
                ));
            }
        }
        for (input, vocabulary) in self.params.categorical.iter().zip(&self.vocabularies) {
            let names = vocabulary.as_ref().map_or(0, |known| known.names().len());
            if u32::try_from(names).map_or(true, |names| names > input.max_categories) {
                return broken(format!(
                    "input `{}`: {names} categories, expected at most {}",
                    input.name, input.max_categories
                ));
            }
        }
        Ok(())
    }
}

/// Turns events into the inputs of a network. Fitted by [`EncoderParams::fit`] or an [`EncoderFit`](super::EncoderFit) on
/// the events before a boundary; what comes after it changes nothing.
///
/// Numeric inputs are finite and within the clip, codes below [`categories`](Self::categories): networks of this shape take
/// every encoded event.
///
/// With the feature `serde` it is read from bytes of any origin: one that could not have been fitted is an error. JSON keeps
/// its bits where `serde_json` has its feature `float_roundtrip`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "super::saved::SavedEncoder",
        into = "super::saved::SavedEncoder"
    )
)]
pub struct Encoder {
    pub(super) parts: Parts,
    pub(super) layout: Layout,
}

impl Encoder {
    pub(super) fn new(parts: Parts) -> Result<Self, SequenceError> {
        parts.check()?;
        let layout = Layout::of(&parts)?;
        Ok(Self { parts, layout })
    }

    /// The parameters it was fitted with.
    pub const fn params(&self) -> &EncoderParams {
        &self.parts.params
    }

    /// Numeric inputs of the network.
    pub const fn numeric_inputs(&self) -> usize {
        self.layout.numeric_inputs
    }

    /// Codes of each categorical input of the network.
    pub fn categories(&self) -> &[u32] {
        &self.layout.categories
    }

    /// Codes of each categorical input, with the numbers that stand for one: for
    /// [`NetworkConfig::embeddings`](crate::network::NetworkConfig::embeddings).
    pub fn embeddings(&self) -> &[Embedding] {
        &self.layout.embeddings
    }

    /// Checks that a network reads what it writes.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Encoder`] where the network has other inputs.
    pub fn check_network(&self, config: &NetworkConfig) -> Result<(), SequenceError> {
        let categories = config.embeddings.iter().map(|input| input.categories);
        if config.numeric_inputs == self.numeric_inputs()
            && categories.eq(self.categories().iter().copied())
        {
            return Ok(());
        }
        Err(SequenceError::Encoder {
            what: "it writes other inputs than the network reads".to_owned(),
        })
    }

    /// Names of the inputs as the network sees them: numeric, then categorical ones. All are different.
    pub fn input_names(&self) -> &[String] {
        &self.layout.names
    }

    /// What an input holds, numeric ones first; `None` where there is no such input.
    pub fn kind(&self, input: usize) -> Option<InputKind> {
        self.layout.inputs.get(input).map(|input| input.kind)
    }

    /// The categorical input that says whether a number is missing, for those numeric inputs that have one.
    pub fn missing_flag(&self, numeric: usize) -> Option<usize> {
        self.layout.flag(numeric)
    }

    /// Fields of optional inputs that no training event had: they are not read.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        let Parts {
            params,
            scales,
            vocabularies,
            novelty,
            ..
        } = &self.parts;
        let used = scales.iter().map(Option::is_some);
        let used = used.chain(vocabularies.iter().map(Option::is_some));
        let used = used.chain(novelty.iter().copied());
        let fields = params.number_fields().chain(params.text_fields());
        fields
            .zip(used)
            .filter_map(|(field, used)| (!used).then_some(field))
    }

    /// Starts to encode histories into [`Events`](crate::data::Events).
    pub fn events(&self) -> EventsEncoder<'_> {
        EventsEncoder::new(self)
    }

    /// Writes the inputs of an entity's next event, and moves the entity's state on. The vectors are cleared first.
    ///
    /// # Errors
    ///
    /// [`FieldCount`](SequenceError::FieldCount), [`LateEvent`](SequenceError::LateEvent) for an event before the one
    /// encoded last (one of the same time is none), [`Infinite`](SequenceError::Infinite). The state stays as it was.
    ///
    /// # Complexity
    ///
    /// O(inputs + bytes of the texts). Nothing is allocated once the vectors have room.
    pub fn encode(
        &self,
        state: &mut EncoderState,
        event: &RawEvent<'_>,
        numeric: &mut Vec<f32>,
        codes: &mut Vec<u32>,
    ) -> Result<(), SequenceError> {
        check_fields(self.params(), event)?;
        self.encode_fields(state, &ByPlace(event), numeric, codes)
    }

    /// As [`encode`](Self::encode), with the fields of a record read by name. The caller keeps a state for each
    /// [`Record::entity`].
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_record<R: Record + ?Sized>(
        &self,
        state: &mut EncoderState,
        record: &R,
        numeric: &mut Vec<f32>,
        codes: &mut Vec<u32>,
    ) -> Result<(), SequenceError> {
        self.encode_fields(state, &ByName(record), numeric, codes)
    }

    pub(super) fn encode_fields(
        &self,
        state: &mut EncoderState,
        event: &impl Fields,
        numeric: &mut Vec<f32>,
        codes: &mut Vec<u32>,
    ) -> Result<(), SequenceError> {
        numeric.clear();
        codes.clear();
        let Parts { params, .. } = &self.parts;
        let time = event.time();
        let gap = gap(state.previous(), time)?;
        let mut write = |scale: &Scale, number: Option<f64>, flag: bool| {
            let scaled = number.map(|number| scale.encode(number, params.clip));
            if params.numbers == Numbers::Intervals {
                codes.push(intervals::code(scaled));
                return;
            }
            numeric.push(scaled.unwrap_or(0.0));
            if flag {
                codes.push(u32::from(scaled.is_none()));
            }
        };
        for (place, (input, scale)) in params.numeric.iter().zip(&self.parts.scales).enumerate() {
            if let Some(scale) = scale {
                let number = number(event, place, &input.name)?;
                let transformed = number.map(|number| input.transform.apply(number));
                write(scale, transformed, scale.missing);
            }
        }
        if let Some(scale) = &self.parts.gap {
            write(scale, gap, true);
        }
        self.encode_time(time, numeric, codes);
        let vocabularies = params.categorical.iter().zip(&self.parts.vocabularies);
        for (place, (input, vocabulary)) in vocabularies.enumerate() {
            if let Some(vocabulary) = vocabulary {
                codes.push(vocabulary.code(event.text(place, &input.name).as_deref()));
            }
        }
        let mut from = 0;
        for (place, (input, used)) in params.novelty.iter().zip(&self.parts.novelty).enumerate() {
            if *used {
                let text = event.text(params.categorical.len() + place, &input.name);
                codes.push(state.observe(from, input.memory, text.as_deref()).code());
            }
            from += input.memory;
        }
        state.advance(time);
        Ok(())
    }

    /// Hour and weekday.
    fn encode_time(&self, time: Timestamp, numeric: &mut Vec<f32>, codes: &mut Vec<u32>) {
        let params = &self.parts.params;
        match (params.hour, params.numbers) {
            (false, _) => {}
            (true, Numbers::Intervals) => codes.push(u32::from(time.hour())),
            (true, Numbers::Scaled) => {
                numeric.extend(circle(time.second_of_day() as f64 / SECONDS_PER_DAY));
            }
        }
        match (params.weekday, params.numbers) {
            (false, _) => {}
            (true, Numbers::Intervals) => codes.push(u32::from(time.weekday())),
            (true, Numbers::Scaled) => {
                numeric.extend(circle(f64::from(time.weekday()) / DAYS_PER_WEEK));
            }
        }
    }
}

pub(super) const SECONDS_PER_DAY: f64 = 86_400.0;
pub(super) const DAYS_PER_WEEK: f64 = 7.0;

/// Sine and cosine of a part of a turn.
fn circle(part: f64) -> [f32; 2] {
    let (sine, cosine) = (part * TAU).sin_cos();
    #[expect(clippy::cast_possible_truncation, reason = "the precision of networks")]
    [sine as f32, cosine as f32]
}

pub(super) fn check_fields(
    params: &EncoderParams,
    event: &RawEvent<'_>,
) -> Result<(), SequenceError> {
    let (expected, got) = (params.fields(), (event.numbers.len(), event.texts.len()));
    if expected == got {
        Ok(())
    } else {
        Err(SequenceError::FieldCount { expected, got })
    }
}

/// A number of the event, `None` where it is missing.
pub(super) fn number(
    event: &impl Fields,
    place: usize,
    name: &str,
) -> Result<Option<f64>, SequenceError> {
    let number = event.number(place, name);
    if number.is_infinite() {
        return Err(SequenceError::Infinite {
            time: event.time(),
            input: name.to_owned(),
            got: number,
        });
    }
    Ok((!number.is_nan()).then_some(number))
}

/// ln(1 + seconds) since the event before, if there is one.
pub(super) fn gap(
    previous: Option<Timestamp>,
    time: Timestamp,
) -> Result<Option<f64>, SequenceError> {
    match previous {
        Some(before) if before > time => Err(SequenceError::LateEvent { before, got: time }),
        Some(before) => {
            let seconds = time.since(before) as f64 / 1e6;
            Ok(Some(Transform::SignedLog.apply(seconds)))
        }
        None => Ok(None),
    }
}
