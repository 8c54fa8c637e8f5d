//! Models of how the events of entities go on: trained without labels, surprised by what is unusual.

use crate::data::SequenceSet;
use crate::native::{NativeBackend, NativeNetwork, StepNetwork};
use crate::network::{Backend, Network, NetworkConfig, Task, Weights};
use crate::objective::InputLikelihood;
use crate::params::CheckedSequenceParams;
use crate::surprise::{
    LikelyInputs, Predictions, Surprises, log_likelihood, most_likely_of, predictions, surprises,
};
use crate::training::{Training, TrainingReport, train};
use crate::{SequenceError, SequenceParams};
use std::collections::BTreeSet;

/// Predicts the inputs of each event from the events before it. It needs no label, and works on a stream.
///
/// A number's distribution is normal with a mean and a variance that depend on what came before, a category's has a
/// probability for each. An event is as surprising as it was improbable.
/// Numbers of another shape, with two humps or missing at times, are better read as intervals
/// ([`Numbers::Intervals`](crate::encode::Numbers::Intervals)), as [`behavior`](crate::behavior) does.
///
/// # Examples
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_sequence::SequenceParams;
/// use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
/// use dafu_sequence::training::Training;
///
/// // Users take turns between two actions.
/// let mut builder = Events::builder(0, &[2]);
/// for user in 0..100_u32 {
///     for event in 0..10_u32 {
///         // The last user does one thing twice.
///         let action = if user == 99 && event == 9 { event } else { event + 1 };
///         let inputs = EventNumbers { numeric: &[], codes: &[(action + user) % 2] };
///         builder.push(Timestamp::from_seconds(i64::from(event))?, inputs, None)?;
///     }
///     builder.end_entity();
/// }
/// let events = builder.build();
/// let spans = events.segments(10, 0);
/// let train = SequenceSet::new(&events, &spans[..99])?;
///
/// let params = SequenceParams::default().hidden_units(8).batch_size(16).epochs(30).learning_rate(0.02);
/// let model = params.fit_next_event(&Training::new(train))?;
/// let surprises = model.surprises(SequenceSet::new(&events, &spans[99..])?)?;
/// assert!(surprises.event(8) < 0.5 && surprises.event(9) > 2.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NextEventModel(InputModel);

/// Reads a whole sequence into a summary, and tells its events from that, last first.
///
/// It sees what is unusual about a sequence as a whole, after it ended; for a stream take [`NextEventModel`].
///
/// Source: Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection", ICML workshop 2016; the
/// order is that of Sutskever, Vinyals, Le, "Sequence to Sequence Learning with Neural Networks", NIPS 2014, section 3.3.
/// Here the decoder reads the summary at every step instead of its own answers, so that training and use do the same, and
/// answers have a variance.
///
/// # Examples
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_sequence::SequenceParams;
/// use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
/// use dafu_sequence::training::Training;
///
/// // Users do one of two things all day long; the last one begins with one and goes on with the other.
/// let mut builder = Events::builder(0, &[2]);
/// for user in 0..102_u32 {
///     for event in 0..8_u32 {
///         let changes = user == 101 && event >= 4;
///         let action = (user + u32::from(changes)) % 2;
///         let inputs = EventNumbers { numeric: &[], codes: &[action] };
///         builder.push(Timestamp::from_seconds(i64::from(event))?, inputs, None)?;
///     }
///     builder.end_entity();
/// }
/// let events = builder.build();
/// let spans = events.segments(8, 0);
/// let train = SequenceSet::new(&events, &spans[..100])?;
///
/// let params = SequenceParams::default().hidden_units(8).batch_size(16).epochs(30).learning_rate(0.02);
/// let model = params.fit_autoencoder(&Training::new(train))?;
/// // Nobody of the last two was learned from.
/// let surprise = |user: usize| -> Result<f32, dafu_sequence::SequenceError> {
///     let surprises = model.surprises(SequenceSet::new(&events, &spans[user..=user])?)?;
///     Ok((0..surprises.len()).map(|event| surprises.event(event)).sum())
/// };
/// assert!(surprise(100)? < 1.0 && surprise(101)? > 8.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SequenceAutoencoder(InputModel);

/// What both have in common.
#[derive(Debug)]
struct InputModel {
    network: NativeNetwork,
    report: TrainingReport,
}

impl InputModel {
    fn fit<B: Backend>(
        params: &CheckedSequenceParams,
        task: Task,
        backend: &B,
        training: &Training<'_>,
    ) -> Result<Self, SequenceError> {
        let empty = |set: SequenceSet<'_>| set.scored().next().is_none();
        if empty(training.train) {
            return Err(SequenceError::Empty {
                what: "no sequence to learn from has a scored event",
            });
        }
        if training.validation.is_some_and(empty) {
            return Err(SequenceError::Empty {
                what: "no validation sequence has a scored event: leave validation out, or begin it earlier",
            });
        }
        let config = params.network_for(training.train.events(), task);
        let first = Weights::first(&config, params.seed)?;
        let mut network = backend.network(&config, &first)?;
        let objective = InputLikelihood::new(&config);
        let judge = |network: &B::Network, set: SequenceSet<'_>| log_likelihood(network, set);
        let (weights, report) = train(&mut network, params, training, &objective, &judge)?;
        Ok(Self {
            network: NativeBackend.network(&config, &weights)?,
            report,
        })
    }

    fn from_weights(
        task: Task,
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<Self, SequenceError> {
        if config.task != task {
            return Err(SequenceError::Parameter {
                name: "task",
                expected: format!("{task:?}"),
                got: format!("{:?}", config.task),
            });
        }
        Ok(Self {
            network: NativeBackend.network(config, weights)?,
            report: TrainingReport::default(),
        })
    }
}

macro_rules! input_model {
    ($model:ident, $task:expr, $fit:ident, $what:literal) => {
        impl SequenceParams {
            #[doc = concat!("Trains ", $what, ".")]
            ///
            /// # Errors
            ///
            /// When parameters are out of range, there is nothing to learn from, or training diverges.
            ///
            /// # Complexity
            ///
            /// O(epochs x (3 e + v) x weights), with e the events of the training sequences and v those of the validation sequences,
            /// each as often as sequences read it. Each thread has room for all steps of the longest of 64 sequences at a time, some
            /// ten numbers a unit, step and sequence.
            ///
            /// Determinism: the same parameters, seed and sequences give the same bits, on any number of threads; with other vector
            /// instructions last places differ, and so may all that training makes of them.
            pub fn $fit(&self, training: &Training<'_>) -> Result<$model, SequenceError> {
                self.check()?.$fit(&NativeBackend, training)
            }
        }

        impl CheckedSequenceParams {
            #[doc = concat!("Trains ", $what, " on a backend.")]
            ///
            /// # Errors
            ///
            /// When there is nothing to learn from, training diverges, or the backend cannot be used here.
            ///
            /// # Complexity
            ///
            /// As of the method of the same name of [`SequenceParams`]; room and determinism are those of the backend.
            pub fn $fit<B: Backend>(
                &self,
                backend: &B,
                training: &Training<'_>,
            ) -> Result<$model, SequenceError> {
                InputModel::fit(self, $task, backend, training).map($model)
            }
        }

        impl $model {
            /// A model of weights that were trained before.
            ///
            /// # Errors
            ///
            /// When the network has another task, or the weights are not its.
            pub fn from_weights(
                config: &NetworkConfig,
                weights: &Weights,
            ) -> Result<Self, SequenceError> {
                InputModel::from_weights($task, config, weights).map(Self)
            }

            /// The shape of its network.
            pub fn config(&self) -> &NetworkConfig {
                self.0.network.config()
            }

            /// Its weights.
            pub fn weights(&self) -> Weights {
                self.0.network.own_weights().clone()
            }

            /// How it was trained; empty for weights that were trained before.
            pub const fn report(&self) -> &TrainingReport {
                &self.0.report
            }

            /// How surprising the scored events of sequences are, in the order of [`SequenceSet::scored`].
            ///
            /// # Errors
            ///
            /// When the events have other inputs than the network.
            ///
            /// # Complexity
            ///
            /// O(events x weights), where events count as often as sequences read them. What they are made of,
            /// [`NetworkConfig::outputs`] numbers an event, is there for 2^24 numbers at a time (or for one sequence).
            pub fn surprises(&self, set: SequenceSet<'_>) -> Result<Surprises, SequenceError> {
                surprises(&self.0.network, set)
            }

            /// What was expected of the scored events of sequences, and how surprising they are, in the order of
            /// [`SequenceSet::scored`].
            ///
            /// # Errors
            ///
            /// When the events have other inputs than the network.
            ///
            /// # Complexity
            ///
            /// As of [`surprises`](Self::surprises), but [`NetworkConfig::outputs`] numbers are kept of each scored event: a
            /// million events of a thousand categories are 4 GB. Ask for some sequences at a time, or for surprises alone.
            pub fn predictions(&self, set: SequenceSet<'_>) -> Result<Predictions, SequenceError> {
                predictions(&self.0.network, set)
            }
        }
    };
}

input_model!(
    NextEventModel,
    Task::NextEvent,
    fit_next_event,
    "a model of the next event"
);
input_model!(
    SequenceAutoencoder,
    Task::Reconstruct,
    fit_autoencoder,
    "an autoencoder of sequences"
);

impl NextEventModel {
    /// The network laid out for one event after another.
    ///
    /// # Errors
    ///
    /// Never for a model of this kind.
    pub fn step_network(&self) -> Result<StepNetwork, SequenceError> {
        self.0.network.step_network()
    }

    /// The most likely inputs of some of the scored events of sequences, by event.
    pub(crate) fn most_likely_of(
        &self,
        set: SequenceSet<'_>,
        events: &BTreeSet<usize>,
    ) -> Result<LikelyInputs, SequenceError> {
        most_likely_of(&self.0.network, set, events)
    }
}
