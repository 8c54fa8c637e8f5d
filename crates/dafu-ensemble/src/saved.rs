//! Envelopes of saved models.

use crate::EnsembleError;
use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Limits};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A model as bytes; the kind names what is in them.
pub(crate) fn encode<T: Serialize>(
    kind: &'static str,
    version: u16,
    model: &T,
) -> Result<Vec<u8>, EnsembleError> {
    Envelope::encode(kind, version, SchemaHash(0), model).map_err(EnsembleError::Envelope)
}

/// The content of bytes, not yet checked beyond its form.
pub(crate) fn decode<T: DeserializeOwned>(
    kind: &'static str,
    version: u16,
    bytes: &[u8],
) -> Result<T, EnsembleError> {
    Envelope::expect(bytes, kind, version, &Limits::default())
        .and_then(|envelope| envelope.decode())
        .map_err(EnsembleError::Envelope)
}

/// The error of content that no fit gives.
pub(crate) const fn damaged(what: &'static str, problem: &'static str) -> EnsembleError {
    EnsembleError::Damaged { what, problem }
}
