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
    limits: &Limits,
) -> Result<T, EnsembleError> {
    Envelope::expect(bytes, kind, version, limits)
        .and_then(|envelope| envelope.decode())
        .map_err(EnsembleError::Envelope)
}

/// The error of content that no fit gives.
pub(crate) const fn damaged(problem: &'static str) -> EnsembleError {
    EnsembleError::Damaged {
        what: "model",
        problem,
    }
}

/// Checks what has to hold of a sound model.
pub(crate) const fn check(holds: bool, problem: &'static str) -> Result<(), EnsembleError> {
    if holds { Ok(()) } else { Err(damaged(problem)) }
}

/// Saving and loading of a model that has `to_saved` and `from_saved`.
macro_rules! saved {
    ($model:ty, $kind:literal, $version:expr) => {
        impl $model {
            /// Kind of the saved model in its envelope.
            pub const KIND: &'static str = $kind;

            /// The model as the bytes of a model file.
            ///
            /// # Errors
            ///
            /// [`EnsembleError::Envelope`](crate::EnsembleError::Envelope), which sound models do not meet.
            ///
            /// # Complexity
            ///
            /// O(size of the model).
            pub fn to_bytes(&self) -> Result<Vec<u8>, $crate::EnsembleError> {
                $crate::saved::encode(Self::KIND, $version, &self.to_saved())
            }

            /// Reads a model file, within the default [`Limits`](dafu_core::model::Limits).
            ///
            /// # Errors
            ///
            /// As [`Self::from_bytes_within`].
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, $crate::EnsembleError> {
                Self::from_bytes_within(bytes, &::dafu_core::model::Limits::default())
            }

            /// Reads a model file, trusting nothing in it.
            ///
            /// # Errors
            ///
            /// [`EnsembleError::Envelope`](crate::EnsembleError::Envelope) when the bytes are no intact envelope of such a model within the limits,
            /// [`EnsembleError::Damaged`](crate::EnsembleError::Damaged) when what is in it is not sound.
            ///
            /// # Complexity
            ///
            /// O(bytes) time and memory.
            pub fn from_bytes_within(
                bytes: &[u8],
                limits: &::dafu_core::model::Limits,
            ) -> Result<Self, $crate::EnsembleError> {
                let saved = $crate::saved::decode(Self::KIND, $version, bytes, limits)?;
                Self::from_saved(saved, limits)
            }
        }
    };
}
pub(crate) use saved;
