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
    /// Share of the users who are held out of training, for scores to be calibrated by: above 0, below 1. Where they have more
    /// than 4 million events, scores are calibrated by every second, third, ... of them.
    pub calibration_share: f64,
    /// Share of the users who tell when training has to stop, at least 0; 0 for all epochs. Both shares together are below 1.
    pub validation_share: f64,
}

impl Default for BehaviorParams {
    /// For [`BehaviorEvent`](dafu_core::BehaviorEvent)s: pieces of 30 events, a GRU of 32 units, a fifth of the users held
    /// out for calibration, a tenth to stop by.
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
            validation_share: 0.1,
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

    /// For [`Transaction`](dafu_core::Transaction)s: pieces of 30 payments. What [`EncoderParams::transactions`] reads, but
    /// numbers as intervals, and no times.
    #[must_use]
    pub fn transactions() -> Self {
        let encoder = EncoderParams::transactions()
            .gap(false)
            .hour(false)
            .weekday(false);
        Self::default().encoder(encoder.numbers(Numbers::Intervals))
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

    /// Sets `validation_share`.
    #[must_use]
    pub const fn validation_share(mut self, validation_share: f64) -> Self {
        self.validation_share = validation_share;
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
        let share = |name, number: f64, is_in: bool, expected: &str| {
            if is_in {
                return Ok(());
            }
            Err(SequenceError::Parameter {
                name,
                expected: expected.to_owned(),
                got: number.to_string(),
            })
        };
        let (calibration, validation) = (self.calibration_share, self.validation_share);
        let is_in = calibration > 0.0 && calibration < 1.0;
        share(
            "calibration_share",
            calibration,
            is_in,
            "above 0 and below 1",
        )?;
        let is_in = validation >= 0.0 && calibration + validation < 1.0;
        let expected = "at least 0 and below 1 less `calibration_share`";
        share("validation_share", validation, is_in, expected)?;
        Ok(CheckedBehaviorParams(self.clone()))
    }
}
