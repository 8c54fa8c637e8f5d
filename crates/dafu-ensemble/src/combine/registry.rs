//! Loading classifiers by kind: every decoder is registered by name, none is found by magic.

use super::model::Blend;
use crate::{
    BalancedBagging, BoostedTrees, Classifier, EnsembleError, LogisticRegression, NeuralNet,
    RandomForest,
};
use dafu_core::model::{Header, Limits, ModelError};
use std::collections::BTreeMap;

/// Most blends inside of each other in a saved model.
pub const MAX_NESTING: usize = 8;

/// Turns a saved envelope back into a classifier, within limits, without trusting a length or an index in it.
pub type ClassifierDecoder = fn(&[u8], &Limits) -> Result<Box<dyn Classifier>, EnsembleError>;

/// Envelope kind to decoder. Blends need none: the registry reads them itself, with the decoders of their members.
#[derive(Debug, Clone, Default)]
pub struct ClassifierRegistry {
    decoders: BTreeMap<String, ClassifierDecoder>,
    limits: Limits,
}

impl ClassifierRegistry {
    /// A registry without decoders and with the given limits.
    pub const fn new(limits: Limits) -> Self {
        Self {
            decoders: BTreeMap::new(),
            limits,
        }
    }

    /// A registry with the decoders of all models of this crate; bags may hold any of them but bags.
    pub fn standard(limits: Limits) -> Self {
        let mut registry = Self::single(limits);
        registry.register(BalancedBagging::KIND, |bytes, limits| {
            let members = Self::single(*limits);
            let read = |bytes: &[u8]| members.load_single(bytes);
            let bags = BalancedBagging::from_bytes_within(bytes, limits, read)?;
            Ok(Box::new(bags))
        });
        registry
    }

    /// As [`ClassifierRegistry::standard`], without models that hold others.
    fn single(limits: Limits) -> Self {
        let mut registry = Self::new(limits);
        registry
            .register(BoostedTrees::KIND, |bytes, limits| {
                Ok(Box::new(BoostedTrees::from_bytes_within(bytes, limits)?))
            })
            .register(RandomForest::KIND, |bytes, limits| {
                Ok(Box::new(RandomForest::from_bytes_within(bytes, limits)?))
            })
            .register(LogisticRegression::KIND, |bytes, limits| {
                Ok(Box::new(LogisticRegression::from_bytes_within(
                    bytes, limits,
                )?))
            })
            .register(NeuralNet::KIND, |bytes, limits| {
                Ok(Box::new(NeuralNet::from_bytes_within(bytes, limits)?))
            });
        #[cfg(feature = "linfa")]
        registry.register(crate::DecisionTree::KIND, |bytes, limits| {
            Ok(Box::new(crate::DecisionTree::from_bytes_within(
                bytes, limits,
            )?))
        });
        registry
    }

    /// Adds a decoder, replacing an earlier one of the same kind.
    pub fn register(&mut self, kind: impl Into<String>, decoder: ClassifierDecoder) -> &mut Self {
        self.decoders.insert(kind.into(), decoder);
        self
    }

    /// The kinds that can be loaded beside blends, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.decoders.keys().map(String::as_str)
    }

    /// The limits that loading keeps to.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Loads a classifier by the kind in its envelope.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Envelope`] for bytes that are no intact envelope within the limits, of a kind without a decoder, or
    /// more than [`MAX_NESTING`] blends deep; and the decoder's own.
    pub fn load(&self, bytes: &[u8]) -> Result<Box<dyn Classifier>, EnsembleError> {
        self.load_within(bytes, 0)
    }

    /// As [`ClassifierRegistry::load`], but no blend.
    fn load_single(&self, bytes: &[u8]) -> Result<Box<dyn Classifier>, EnsembleError> {
        self.load_within(bytes, MAX_NESTING + 1)
    }

    /// As [`ClassifierRegistry::load`], inside of so many blends.
    pub(super) fn load_within(
        &self,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Box<dyn Classifier>, EnsembleError> {
        let header = Header::read(bytes, &self.limits).map_err(EnsembleError::Envelope)?;
        if header.kind() == Blend::KIND {
            return Ok(Box::new(Blend::load_within(bytes, self, depth)?));
        }
        let decoder = self.decoders.get(header.kind()).ok_or_else(|| {
            let known = self.kinds().chain([Blend::KIND]).map(str::to_owned);
            EnsembleError::Envelope(ModelError::UnknownKind {
                got: header.kind().to_owned(),
                known: known.collect(),
            })
        })?;
        decoder(bytes, &self.limits)
    }
}
