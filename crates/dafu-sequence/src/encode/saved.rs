//! Encoders as serde types.

use super::encoder::{Encoder, Parts};
use super::params::EncoderParams;
use super::scale::Scale;
use super::vocabulary::Vocabulary;
use crate::SequenceError;
use std::sync::Arc;

/// What is written of an encoder.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedEncoder {
    params: EncoderParams,
    scales: Vec<Option<Scale>>,
    gap: Option<Scale>,
    vocabularies: Vec<Option<Vec<Box<str>>>>,
    novelty: Vec<bool>,
}

impl From<Encoder> for SavedEncoder {
    fn from(encoder: Encoder) -> Self {
        let names = |vocabulary: Vocabulary| {
            let names = vocabulary.names().iter();
            names.map(|name| Box::from(&**name)).collect()
        };
        let vocabularies = encoder.parts.vocabularies.into_iter();
        Self {
            params: encoder.parts.params,
            scales: encoder.parts.scales,
            gap: encoder.parts.gap,
            vocabularies: vocabularies.map(|known| known.map(names)).collect(),
            novelty: encoder.parts.novelty,
        }
    }
}

impl TryFrom<SavedEncoder> for Encoder {
    type Error = SequenceError;

    fn try_from(saved: SavedEncoder) -> Result<Self, SequenceError> {
        let vocabulary = |names: Vec<Box<str>>| {
            let names = names.into_iter().map(Arc::from).collect();
            Vocabulary::new(names).ok_or_else(|| SequenceError::Encoder {
                what: "a category is given twice".to_owned(),
            })
        };
        let vocabularies = saved.vocabularies.into_iter();
        let vocabularies = vocabularies.map(|names| names.map(vocabulary).transpose());
        Self::new(Parts {
            params: saved.params,
            scales: saved.scales,
            gap: saved.gap,
            vocabularies: vocabularies.collect::<Result<_, _>>()?,
            novelty: saved.novelty,
        })
    }
}
