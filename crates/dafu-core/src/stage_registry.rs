//! Loading stages by kind: every decoder is registered by name, none is found by magic.

use crate::model::{Header, Limits, ModelError};
use crate::{Stage, StageError};
use std::collections::BTreeMap;

/// Turns a saved envelope back into a stage, within limits, without trusting a length or an index in it.
pub type StageDecoder = fn(&[u8], &Limits) -> Result<Box<dyn Stage>, StageError>;

/// Envelope kind to decoder.
#[derive(Debug, Clone, Default)]
pub struct StageRegistry {
    decoders: BTreeMap<String, StageDecoder>,
    limits: Limits,
}

impl StageRegistry {
    /// A registry without decoders and with the given limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            decoders: BTreeMap::new(),
            limits,
        }
    }

    /// Adds a decoder, replacing an earlier one of the same kind.
    pub fn register(&mut self, kind: impl Into<String>, decoder: StageDecoder) -> &mut Self {
        self.decoders.insert(kind.into(), decoder);
        self
    }

    /// The kinds that can be loaded, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.decoders.keys().map(String::as_str)
    }

    /// The limits that loading keeps to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Loads a stage by the kind in its envelope.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownKind`] without a decoder for the kind, the envelope's errors, and the decoder's own, each
    /// inside a [`StageError`].
    pub fn load(&self, bytes: &[u8]) -> Result<Box<dyn Stage>, StageError> {
        let header = Header::read(bytes, &self.limits)
            .map_err(|error| StageError::new("registry", error))?;
        let decoder = self.decoders.get(header.kind()).ok_or_else(|| {
            let known = self.decoders.keys().cloned().collect();
            StageError::new(
                "registry",
                ModelError::UnknownKind {
                    got: header.kind().to_owned(),
                    known,
                },
            )
        })?;
        decoder(bytes, &self.limits)
    }
}
