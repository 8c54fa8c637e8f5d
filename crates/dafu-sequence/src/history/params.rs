//! Parameters of classifiers of records.

use crate::encode::EncoderParams;
use crate::{SequenceError, SequenceParams};
use std::ops::Deref;

/// Which sequences a classifier learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Reading {
    /// For each event a window of `sequence_length` events that ends with it; the model then also judges by such windows.
    Windows,
    /// Histories in pieces of `sequence_length` events, each read from as many events earlier on; every event of a piece is
    /// learned from in one pass. The model then judges by whole histories, as a stream does.
    #[default]
    Stream,
}

/// Parameters of [`HistoryClassifier`](super::HistoryClassifier).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct HistoryParams {
    /// What is read of a record.
    pub encoder: EncoderParams,
    /// Shape and training of the network.
    pub model: SequenceParams,
    /// Which sequences it learns from.
    pub reading: Reading,
}

impl Default for HistoryParams {
    /// For [`Transaction`](dafu_core::Transaction)s, as a stream: an LSTM of 32 units that learns from pieces of 32 payments,
    /// 16 in a batch, for 12 epochs. Chosen on two simulated histories.
    fn default() -> Self {
        Self {
            encoder: EncoderParams::transactions(),
            model: SequenceParams::default()
                .hidden_units(32)
                .sequence_length(32)
                .batch_size(16)
                .epochs(12)
                .learning_rate(5e-3),
            reading: Reading::Stream,
        }
    }
}

/// [`HistoryParams`] in range.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedHistoryParams(HistoryParams);

impl Deref for CheckedHistoryParams {
    type Target = HistoryParams;

    fn deref(&self) -> &HistoryParams {
        &self.0
    }
}

impl HistoryParams {
    /// Sets `encoder`.
    #[must_use]
    pub fn encoder(mut self, encoder: EncoderParams) -> Self {
        self.encoder = encoder;
        self
    }

    /// Sets `model`.
    #[must_use]
    pub fn model(mut self, model: SequenceParams) -> Self {
        self.model = model;
        self
    }

    /// Sets `reading`.
    #[must_use]
    pub const fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }

    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not.
    pub fn check(&self) -> Result<CheckedHistoryParams, SequenceError> {
        self.encoder.check()?;
        self.model.check()?;
        Ok(CheckedHistoryParams(self.clone()))
    }
}
