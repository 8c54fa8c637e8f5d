//! What a backend computes.

use super::{NetworkConfig, Weights};
use crate::SequenceError;
use crate::data::{SequenceSet, Span};
use std::fmt;

/// Makes networks.
///
/// # Examples
///
/// Three steps of a training of one's own, which works on any backend:
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
/// use dafu_sequence::native::NativeBackend;
/// use dafu_sequence::network::{AdamStep, Backend, Batch, Cell, Network, NetworkConfig, Task, Weights};
/// use dafu_sequence::objective::ClassObjective;
///
/// let mut builder = Events::builder(1, &[]);
/// for second in 0..4 {
///     let inputs = EventNumbers { numeric: &[second as f32], codes: &[] };
///     builder.push(Timestamp::from_seconds(second)?, inputs, Some(second == 3))?;
/// }
/// let events = builder.build();
/// let spans = events.segments(4, 0);
/// let set = SequenceSet::new(&events, &spans)?;
///
/// let config = NetworkConfig {
///     numeric_inputs: 1,
///     embeddings: Vec::new(),
///     cell: Cell::Gru,
///     layers: 1,
///     hidden_units: 8,
///     dropout: 0.0,
///     task: Task::Classify { attention: false },
/// };
/// let mut network = NativeBackend.network(&config, &Weights::first(&config, 1)?)?;
/// let mut losses = Vec::new();
/// for step in 1..=3 {
///     let batch = Batch { set, sequences: &[0], noise: (1, step) };
///     let (loss, events) = network.gradient(batch, &ClassObjective::default())?;
///     network.update(AdamStep { step, learning_rate: 0.01, weight_decay: 0.0, clip_norm: 1.0 })?;
///     losses.push(loss / events as f64);
/// }
/// assert!(losses[2] < losses[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// # Examples
///
/// A classifier for which a missed fraud costs as much as ten false alarms and whose log odds cost the more the larger they are:
///
/// ```
/// use dafu_sequence::data::SequenceSet;
/// use dafu_sequence::network::Objective;
/// use dafu_sequence::objective::ClassLoss;
///
/// struct Modest;
///
/// impl Objective for Modest {
///     fn counts(&self, set: SequenceSet<'_>, event: usize) -> bool {
///         set.events().label(event).is_some()
///     }
///
///     fn event_loss(&self, set: SequenceSet<'_>, event: usize, outputs: &[f32], gradient: &mut [f32]) -> f32 {
///         let fraud = set.events().label(event) == Some(true);
///         let (loss, slope) = ClassLoss::CrossEntropy { pos_weight: 10.0 }.of(outputs[0], fraud);
///         gradient[0] = slope + 0.02 * outputs[0];
///         loss + 0.01 * outputs[0] * outputs[0]
///     }
/// }
/// ```
pub trait Objective: Sync {
    /// Whether a scored event counts: one without a label cannot be judged. Default: all do.
    fn counts(&self, set: SequenceSet<'_>, event: usize) -> bool {
        let _ = (set, event);
        true
    }

    /// The loss of one event, and its derivative by each output: `outputs` are as [`NetworkConfig::outputs`] says, and
    /// `gradient`, zeros at first, has as many numbers.
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

impl AdamStep {
    /// Decay of the mean of gradients, and of that of their squares.
    pub(crate) const DECAYS: (f64, f64) = (0.9, 0.999);
    /// Added to the root of the mean of squares.
    pub(crate) const EPSILON: f32 = 1e-8;
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

    /// Writes the outputs of the scored events of sequences: a row for each in the order of [`SequenceSet::scored`], row after
    /// row, of [`NetworkConfig::outputs`] numbers, which says what they are.
    ///
    /// # Errors
    ///
    /// When events have other inputs than the network, or `out` has another length.
    fn outputs(&self, set: SequenceSet<'_>, out: &mut [f32]) -> Result<(), SequenceError>;
}

impl Batch<'_> {
    /// Whether its sequences are there, and lie by falling length.
    pub(crate) fn check(&self) -> Result<(), SequenceError> {
        let wrong = |expected, got| {
            Err(SequenceError::Parameter {
                name: "sequences",
                expected,
                got,
            })
        };
        let spans = self.set.spans();
        let mut longest = usize::MAX;
        for at in self.sequences {
            let Some(length) = spans.get(*at as usize).map(Span::len) else {
                let expected = format!("indices of the {} sequences of the set", spans.len());
                return wrong(expected, format!("{at} among them"));
            };
            if length > longest {
                let expected = "those of a batch by falling length".to_owned();
                return wrong(expected, format!("one of {length} events after {longest}"));
            }
            longest = length;
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
            return Err(SequenceError::Categories {
                input,
                expected: categories,
                got: *got,
            });
        }
    }
    Ok(())
}
