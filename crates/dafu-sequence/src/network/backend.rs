//! What a backend computes.

use super::{NetworkConfig, Weights};
use crate::SequenceError;
use crate::data::{SequenceSet, Span};
use std::fmt;

/// Makes networks.
pub trait Backend: fmt::Debug {
    /// Its networks.
    type Network: Network;

    /// A network of this shape with these weights.
    ///
    /// # Errors
    ///
    /// When the weights are not those of such a network, or the backend cannot be used here.
    fn network(
        &self,
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<Self::Network, SequenceError>;
}

/// Sequences that are computed together, longest first.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// All sequences.
    pub set: SequenceSet<'a>,
    /// Indices of those of the batch, by falling length.
    pub sequences: &'a [u32],
    /// What dropout is drawn from: seed, and number of the step.
    pub noise: (u64, u64),
}

/// What outputs cost.
pub trait Objective: Sync {
    /// Whether a scored event counts: one without a label cannot be judged. Default: all do.
    fn counts(&self, set: SequenceSet<'_>, event: usize) -> bool {
        let _ = (set, event);
        true
    }

    /// The loss of one event, and its derivative by each output.
    fn event_loss(
        &self,
        set: SequenceSet<'_>,
        event: usize,
        outputs: &[f32],
        gradient: &mut [f32],
    ) -> f32;
}

/// One step of `AdamW`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Number of the step, from 1.
    pub step: u64,
    /// Size of the step.
    pub learning_rate: f64,
    /// Share of the weights that the step takes away, times the learning rate.
    pub weight_decay: f64,
    /// Longest gradient that is not shortened, infinite for any.
    pub clip_norm: f64,
}

/// A network that is trained and asked.
///
/// All sums of a batch are over its scored events. Answers do not depend on which sequences are computed together, but for
/// rounding.
pub trait Network: fmt::Debug {
    /// Its shape.
    fn config(&self) -> &NetworkConfig;

    /// Its weights.
    ///
    /// # Errors
    ///
    /// Of the backend, whose device may not give them back.
    fn weights(&self) -> Result<Weights, SequenceError>;

    /// Sum of the losses of the scored events of a batch that count, and how many these are; the gradient of their mean is kept for
    /// [`update`](Self::update).
    ///
    /// # Errors
    ///
    /// When events have other inputs than the network, sequences are not by falling length or not there, and those of the
    /// backend.
    fn gradient(
        &mut self,
        batch: Batch<'_>,
        objective: &dyn Objective,
    ) -> Result<(f64, usize), SequenceError>;

    /// The kept gradient, in the order of the weights.
    ///
    /// # Errors
    ///
    /// Of the backend, whose device may not give it back.
    fn kept_gradient(&self) -> Result<Vec<f32>, SequenceError>;

    /// Changes the weights by the kept gradient, and gives back its length before it was shortened.
    ///
    /// Source: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
    ///
    /// # Errors
    ///
    /// Of the backend.
    fn update(&mut self, step: AdamStep) -> Result<f64, SequenceError>;

    /// Writes the outputs of the scored events of sequences, in the order of [`SequenceSet::scored`], each
    /// [`NetworkConfig::outputs`] numbers.
    ///
    /// # Errors
    ///
    /// When events have other inputs than the network, or `out` has another length.
    fn outputs(&self, set: SequenceSet<'_>, out: &mut [f32]) -> Result<(), SequenceError>;
}

impl Batch<'_> {
    /// Whether its sequences are there, and lie by falling length.
    pub(crate) fn check(&self) -> Result<(), SequenceError> {
        let lengths = self.sequences.iter();
        let lengths = lengths.map(|at| self.set.spans().get(*at as usize).map(Span::len));
        let fails = |(longer, shorter): (&Option<usize>, &Option<usize>)| {
            shorter.is_none() || longer < shorter
        };
        let lengths: Vec<Option<usize>> = lengths.collect();
        let first = lengths.first().is_some_and(Option::is_none);
        if first || lengths.iter().zip(lengths.iter().skip(1)).any(fails) {
            return Err(SequenceError::Parameter {
                name: "sequences",
                expected: "indices of sequences of the set, longest first".to_owned(),
                got: format!("{} of another order", self.sequences.len()),
            });
        }
        Ok(())
    }
}

/// Whether events have the inputs of a network.
pub(crate) fn check_events(
    config: &NetworkConfig,
    set: SequenceSet<'_>,
) -> Result<(), SequenceError> {
    let events = set.events();
    let expected = (config.numeric_inputs, config.embeddings.len());
    let got = (events.numeric_inputs(), events.categories().len());
    if expected != got {
        return Err(SequenceError::Width {
            event: 0,
            expected,
            got,
        });
    }
    let categories = config.embeddings.iter().map(|input| input.categories);
    for (input, (categories, got)) in categories.zip(events.categories()).enumerate() {
        if *got > categories {
            return Err(SequenceError::Code {
                event: 0,
                input,
                categories,
                got: got - 1,
            });
        }
    }
    Ok(())
}
