//! Parameters of behaviour analysis.

use crate::encode::{EncoderParams, Numbers};
use crate::{SequenceError, SequenceParams};
use std::ops::Deref;

/// Parameters of [`UserBehaviorAnalyzer`](super::UserBehaviorAnalyzer).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct BehaviorParams {
    /// What is read of a record.
    pub encoder: EncoderParams,
    /// Shape and training of the model of the next event. `sequence_length` is the length of the pieces it learns from.
    pub model: SequenceParams,
    /// Share of the users who are held out of training, for scores to be calibrated by: above 0, below 1.
    pub calibration_share: f64,
}

impl Default for BehaviorParams {
    /// For [`BehaviorEvent`](dafu_core::BehaviorEvent)s: pieces of 30 events, a GRU of 32 units, a fifth of the users held
    /// out.
    fn default() -> Self {
        Self {
            encoder: EncoderParams::behavior(),
            model: SequenceParams::default()
                .cell(crate::network::Cell::Gru)
                .hidden_units(32)
                .dropout(0.0)
                .sequence_length(30)
                .batch_size(64)
                .epochs(20)
                .learning_rate(5e-3),
            calibration_share: 0.2,
        }
    }
}

/// [`BehaviorParams`] in range.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedBehaviorParams(BehaviorParams);

impl Deref for CheckedBehaviorParams {
    type Target = BehaviorParams;

    fn deref(&self) -> &BehaviorParams {
        &self.0
    }
}

impl BehaviorParams {
    /// For [`DailySummary`](dafu_core::DailySummary)s, one a day of a user: pieces of 30 days.
    #[must_use]
    pub fn daily() -> Self {
        Self::default().encoder(EncoderParams::daily())
    }

    /// For [`Transaction`](dafu_core::Transaction)s: pieces of 30 payments.
    #[must_use]
    pub fn transactions() -> Self {
        Self::default().encoder(EncoderParams::transactions().numbers(Numbers::Intervals))
    }

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

    /// Sets `calibration_share`.
    #[must_use]
    pub const fn calibration_share(mut self, calibration_share: f64) -> Self {
        self.calibration_share = calibration_share;
        self
    }

    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not.
    pub fn check(&self) -> Result<CheckedBehaviorParams, SequenceError> {
        self.encoder.check()?;
        self.model.check()?;
        if self.calibration_share > 0.0 && self.calibration_share < 1.0 {
            return Ok(CheckedBehaviorParams(self.clone()));
        }
        Err(SequenceError::Parameter {
            name: "calibration_share",
            expected: "above 0 and below 1".to_owned(),
            got: self.calibration_share.to_string(),
        })
    }
}
