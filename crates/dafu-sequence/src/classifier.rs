//! A classifier of events by what came before them.

use crate::data::SequenceSet;
use crate::native::{Attribution, Baseline, NativeBackend, NativeNetwork, StepNetwork};
use crate::network::{Backend, Network, NetworkConfig, Task, Weights};
use crate::objective::ClassObjective;
use crate::params::CheckedSequenceParams;
use crate::training::{Training, TrainingReport, train};
use crate::{SequenceError, SequenceParams};
use dafu_core::metrics::average_precision;

/// Log odds of fraud of each event, from the events of the same entity up to it.
///
/// Whether it is trained on windows whose last event is judged, or on pieces in which every event is, lies in the
/// sequences that it is given: [`Events::windows`](crate::data::Events::windows) and
/// [`Events::segments`](crate::data::Events::segments). Every event of a piece is learned from in one pass, and the model
/// sees states that have gone on for longer, as they do in a stream; windows see nothing older than their length.
///
/// # Examples
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_core::random::Stream;
/// use dafu_sequence::SequenceParams;
/// use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
/// use dafu_sequence::training::Training;
///
/// // Fraud is a large amount after two small ones: no single event tells.
/// let mut stream = Stream::new(1, 0, 0);
/// let mut builder = Events::builder(1, &[]);
/// for _user in 0..200 {
///     let large: Vec<bool> = (0..12).map(|_| stream.below(2) == 1).collect();
///     for event in 0..12 {
///         let fraud = event >= 2 && large[event] && !large[event - 1] && !large[event - 2];
///         let inputs = EventNumbers { numeric: &[f32::from(u8::from(large[event]))], codes: &[] };
///         builder.push(Timestamp::from_seconds(event as i64)?, inputs, Some(fraud))?;
///     }
///     builder.end_entity();
/// }
/// let events = builder.build();
/// let spans = events.segments(12, 0);
/// let set = SequenceSet::new(&events, &spans)?;
///
/// let params = SequenceParams::default().hidden_units(16).batch_size(16).epochs(30).learning_rate(0.02);
/// let model = params.fit_classifier(&Training::new(set))?;
/// let log_odds = model.log_odds(set)?;
/// assert!(set.scored().zip(&log_odds).all(|(event, odds)| events.label(event) == Some(*odds > 0.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SequenceClassifier {
    network: NativeNetwork,
    report: TrainingReport,
}

impl SequenceParams {
    /// Trains a classifier on the events whose label is known.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, there is nothing to learn from, all labels are the same, or training diverges.
    ///
    /// # Complexity
    ///
    /// O(epochs x (3 e + v) x weights), with e the events of the training sequences and v those of the validation sequences,
    /// each as often as sequences read it. Each thread has room for all steps of the longest of 64 sequences at a time, some
    /// ten numbers a unit, step and sequence.
    ///
    /// Determinism: the same parameters, seed and sequences give the same bits, on any number of threads; with other vector
    /// instructions last places differ, and so may all that training makes of them.
    pub fn fit_classifier(
        &self,
        training: &Training<'_>,
    ) -> Result<SequenceClassifier, SequenceError> {
        self.check()?.fit_classifier(&NativeBackend, training)
    }
}

impl CheckedSequenceParams {
    /// As [`SequenceParams::fit_classifier`], on a backend.
    ///
    /// # Errors
    ///
    /// As there, and those of the backend.
    ///
    /// # Complexity
    ///
    /// As there; room and determinism are those of the backend.
    pub fn fit_classifier<B: Backend>(
        &self,
        backend: &B,
        training: &Training<'_>,
    ) -> Result<SequenceClassifier, SequenceError> {
        let events = training.train.events();
        check_classes(training.train, Purpose::Learn)?;
        if let Some(validation) = training.validation {
            check_classes(validation, Purpose::Stop)?;
        }
        let task = Task::Classify {
            attention: self.attention,
        };
        let config = self.network_for(events, task);
        let first = Weights::first(&config, self.seed)?;
        let mut network = backend.network(&config, &first)?;
        let objective = ClassObjective { loss: self.loss };
        let (weights, report) = train(&mut network, self, training, &objective, &precision)?;
        let mut model = SequenceClassifier::from_weights(&config, &weights)?;
        model.report = report;
        Ok(model)
    }
}

/// Average precision over the labelled events of a set.
fn precision<N: Network>(network: &N, set: SequenceSet<'_>) -> Result<f64, SequenceError> {
    let mut log_odds = vec![0.0; set.scored().count()];
    network.outputs(set, &mut log_odds)?;
    let events = set.events();
    let (mut frauds, mut scores) = (Vec::new(), Vec::new());
    for (event, log_odds) in set.scored().zip(log_odds) {
        if let Some(fraud) = events.label(event) {
            frauds.push(fraud);
            scores.push(f64::from(log_odds));
        }
    }
    // Both classes are there: it was checked. Log odds that are no numbers have no order.
    Ok(average_precision(&frauds, &scores, None).unwrap_or(f64::NAN))
}

/// What labels are for.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Learn,
    Stop,
}

fn check_classes(set: SequenceSet<'_>, purpose: Purpose) -> Result<(), SequenceError> {
    let labels = set.scored().filter_map(|event| set.events().label(event));
    let (mut events, mut frauds) = (0, 0);
    for fraud in labels {
        events += 1;
        frauds += usize::from(fraud);
    }
    let (purpose, unlabelled) = match purpose {
        Purpose::Learn => (
            "learn from",
            "no sequence to learn from has a scored event with a label: label events, or take a model that needs no labels",
        ),
        Purpose::Stop => (
            "tell when to stop (validation)",
            "no validation sequence has a scored event with a label: leave validation out, or begin it earlier",
        ),
    };
    if events == 0 {
        return Err(SequenceError::Empty { what: unlabelled });
    }
    if frauds == 0 || frauds == events {
        return Err(SequenceError::OneClass {
            purpose,
            events,
            fraud: frauds > 0,
        });
    }
    Ok(())
}

impl SequenceClassifier {
    /// A classifier of weights that were trained before.
    ///
    /// # Errors
    ///
    /// When the network is no classifier, or the weights are not its.
    pub fn from_weights(config: &NetworkConfig, weights: &Weights) -> Result<Self, SequenceError> {
        config.check_classifier()?;
        Ok(Self {
            network: NativeBackend.network(config, weights)?,
            report: TrainingReport::default(),
        })
    }

    /// The shape of its network.
    pub fn config(&self) -> &NetworkConfig {
        self.network.config()
    }

    /// Its weights.
    pub fn weights(&self) -> Weights {
        self.network.own_weights().clone()
    }

    /// How it was trained; empty for weights that were trained before.
    pub const fn report(&self) -> &TrainingReport {
        &self.report
    }

    /// Log odds of fraud of the scored events of sequences, one number each, in the order of [`SequenceSet::scored`].
    ///
    /// # Errors
    ///
    /// When the events have other inputs than the network.
    ///
    /// # Complexity
    ///
    /// O(events x weights), where events count as often as sequences read them. Besides the answers, which are there twice until
    /// the last one is computed, each thread has room for 64 steps of 64 sequences, however long these are, and for 32 bytes of each
    /// of their scored events.
    pub fn log_odds(&self, set: SequenceSet<'_>) -> Result<Vec<f32>, SequenceError> {
        let mut out = vec![0.0; set.scored().count()];
        self.network.outputs(set, &mut out)?;
        Ok(out)
    }

    /// What an ordinary event is like, which answers are explained against: the mean over the events of some sequences.
    ///
    /// # Errors
    ///
    /// When the events have other inputs than the network, or there is none.
    ///
    /// # Complexity
    ///
    /// O(events x inputs), where events count as often as sequences read them.
    pub fn baseline(&self, set: SequenceSet<'_>) -> Result<Baseline, SequenceError> {
        self.network.baseline(set)
    }

    /// Which events of a sequence, and which of their inputs, moved the log odds of its last scored event.
    ///
    /// # Errors
    ///
    /// As [`NativeNetwork::attribution`].
    pub fn explain(
        &self,
        set: SequenceSet<'_>,
        sequence: usize,
        baseline: &Baseline,
    ) -> Result<Attribution, SequenceError> {
        self.network.attribution(set, sequence, baseline)
    }

    /// The network laid out for one event after another.
    ///
    /// # Errors
    ///
    /// Never for a model of this kind.
    pub fn step_network(&self) -> Result<StepNetwork, SequenceError> {
        self.network.step_network()
    }
}
