//! Models of records: a network, and beside it what is read of a record and how scores are made.

use super::SavedNetwork;
use crate::SequenceError;
use crate::behavior::UserBehaviorAnalyzer;
use crate::encode::Encoder;
use crate::history::{HistoryClassifier, HistoryParams};
use crate::native::Baseline;
use crate::{NextEventModel, SequenceClassifier};
use dafu_core::model::Limits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Kind of the model in a file.
const MODEL: &str = "dafu.model";
const CLASSIFIER: &str = "history_classifier";
const ANALYZER: &str = "user_behavior_analyzer";
const ENCODER: &str = "dafu.encoder";
const PARAMS: &str = "dafu.params";
const BASELINE: &str = "dafu.baseline";
const CALIBRATION: &str = "dafu.calibration";

fn broken(key: &str, what: impl std::fmt::Display) -> SequenceError {
    SequenceError::Model {
        what: format!("`{key}`: {what}"),
    }
}

fn write(
    texts: &mut BTreeMap<String, String>,
    key: &str,
    value: &impl Serialize,
) -> Result<(), SequenceError> {
    let text = serde_json::to_string(value).map_err(|error| broken(key, error))?;
    texts.insert(key.to_owned(), text);
    Ok(())
}

fn read<T: DeserializeOwned>(
    texts: &BTreeMap<String, String>,
    key: &str,
) -> Result<T, SequenceError> {
    let text = texts.get(key).ok_or_else(|| broken(key, "is not there"))?;
    serde_json::from_str(text).map_err(|error| broken(key, error))
}

fn expect_kind(network: &SavedNetwork, expected: &str) -> Result<(), SequenceError> {
    match network.metadata.get(MODEL) {
        Some(got) if got == expected => Ok(()),
        got => Err(broken(MODEL, format!("expected {expected}, got {got:?}"))),
    }
}

impl HistoryClassifier {
    /// The bytes of a safetensors file: the network by `PyTorch`'s names and shapes, and beside it as JSON what is read of a
    /// record (`dafu.encoder`, with scales and categories), the parameters (`dafu.params`) and what explanations compare
    /// with (`dafu.baseline`).
    ///
    /// # Errors
    ///
    /// None in practice: weights that are no numbers.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, SequenceError> {
        let classifier = self.classifier();
        let mut saved = SavedNetwork::new(classifier.config().clone(), classifier.weights());
        let texts = &mut saved.metadata;
        texts.insert(MODEL.to_owned(), CLASSIFIER.to_owned());
        write(texts, ENCODER, self.encoder())?;
        write(texts, PARAMS, self.params())?;
        write(texts, BASELINE, self.baseline())?;
        saved.to_safetensors()
    }

    /// Reads the bytes of [`to_safetensors`](Self::to_safetensors). Answers are the same to the bit.
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound classifier within the limits.
    pub fn from_safetensors(bytes: &[u8], limits: &Limits) -> Result<Self, SequenceError> {
        let saved = SavedNetwork::from_safetensors(bytes, limits)?;
        expect_kind(&saved, CLASSIFIER)?;
        let encoder: Encoder = read(&saved.metadata, ENCODER)?;
        let params: HistoryParams = read(&saved.metadata, PARAMS)?;
        let baseline: Baseline = read(&saved.metadata, BASELINE)?;
        encoder.check_network(&saved.config)?;
        params.check()?;
        let classifier = SequenceClassifier::from_weights(&saved.config, &saved.weights)?;
        if !baseline.fits(&saved.config) {
            return Err(broken(BASELINE, "is not one of this network"));
        }
        Ok(Self::from_parts(encoder, classifier, params, baseline))
    }
}

impl UserBehaviorAnalyzer {
    /// The bytes of a safetensors file: the network by `PyTorch`'s names and shapes, and beside it as JSON what is read of a
    /// record (`dafu.encoder`) and what scores are calibrated by (`dafu.calibration`).
    ///
    /// # Errors
    ///
    /// Where the texts are longer than other readers accept: a user with millions of events was held out for calibration.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, SequenceError> {
        let mut saved = SavedNetwork::new(self.model().config().clone(), self.model().weights());
        let texts = &mut saved.metadata;
        texts.insert(MODEL.to_owned(), ANALYZER.to_owned());
        write(texts, ENCODER, self.encoder())?;
        write(texts, CALIBRATION, self.calibration())?;
        saved.to_safetensors()
    }

    /// Reads the bytes of [`to_safetensors`](Self::to_safetensors). Answers are the same to the bit.
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound analyzer within the limits.
    pub fn from_safetensors(bytes: &[u8], limits: &Limits) -> Result<Self, SequenceError> {
        let saved = SavedNetwork::from_safetensors(bytes, limits)?;
        expect_kind(&saved, ANALYZER)?;
        let encoder: Encoder = read(&saved.metadata, ENCODER)?;
        encoder.check_network(&saved.config)?;
        let calibration = read(&saved.metadata, CALIBRATION)?;
        let model = NextEventModel::from_weights(&saved.config, &saved.weights)?;
        Self::from_parts(encoder, model, calibration)
    }
}
