//! Training: epochs over sequences, whichever backend computes them.

mod report;
mod schedule;

use crate::SequenceError;
use crate::data::SequenceSet;
use crate::network::{Batch, Network, Objective, Weights};
use crate::params::CheckedSequenceParams;
use dafu_core::random::Stream;
pub use report::{EpochReport, TrainingMonitor, TrainingReport};
use schedule::Pace;
pub use schedule::Schedule;

/// Purpose of the streams that order sequences.
const ORDER: u64 = 0x5e9_0003;

/// What a model learns from.
///
/// # Examples
///
/// Learns from what happened before a day, and stops when it gets no better on what came after:
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_core::random::Stream;
/// use dafu_sequence::SequenceParams;
/// use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
/// use dafu_sequence::training::{EpochReport, Training};
/// use std::cell::Cell;
///
/// // A large number is fraud if the one before it was small.
/// let mut stream = Stream::new(1, 0, 0);
/// let mut builder = Events::builder(1, &[]);
/// for _user in 0..100 {
///     let mut before = 0.0;
///     for second in 0..10 {
///         let number = if stream.below(2) == 1 { 1.0 } else { -1.0 };
///         let inputs = EventNumbers { numeric: &[number], codes: &[] };
///         builder.push(Timestamp::from_seconds(second)?, inputs, Some(number > 0.0 && before < 0.0))?;
///         before = number;
///     }
///     builder.end_entity();
/// }
/// let events = builder.build();
/// let (before, after) = events.split_at(&events.segments(10, 0), Timestamp::from_seconds(7)?, 3);
///
/// let epochs = Cell::new(0);
/// let count = |_: &EpochReport| epochs.set(epochs.get() + 1);
/// let training = Training::new(SequenceSet::new(&events, &before)?)
///     .validation(SequenceSet::new(&events, &after)?)
///     .monitor(&count);
/// let params = SequenceParams::default().hidden_units(8).batch_size(16).epochs(20).learning_rate(0.02);
/// let model = params.fit_classifier(&training)?;
/// let report = model.report();
/// assert_eq!(report.epochs.len(), epochs.get());
/// assert!(report.epochs[report.best_epoch - 1].validation > Some(0.9));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// Sequences to learn from.
    pub train: SequenceSet<'a>,
    /// Sequences that tell when to stop: later ones than those of `train`. Without them all epochs are made.
    pub validation: Option<SequenceSet<'a>>,
    /// Told how far training has come.
    pub monitor: &'a dyn TrainingMonitor,
}

impl<'a> Training<'a> {
    /// Learns from these, for all epochs, telling nobody.
    pub const fn new(train: SequenceSet<'a>) -> Self {
        Self {
            train,
            validation: None,
            monitor: &(),
        }
    }

    /// Stops when these are judged no better any more.
    #[must_use]
    pub const fn validation(mut self, validation: SequenceSet<'a>) -> Self {
        self.validation = Some(validation);
        self
    }

    /// Tells `monitor` how far training has come.
    #[must_use]
    pub const fn monitor(mut self, monitor: &'a dyn TrainingMonitor) -> Self {
        self.monitor = monitor;
        self
    }
}

impl std::fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training")
            .field("train", &self.train.spans().len())
            .field("validation", &self.validation.map(|set| set.spans().len()))
            .finish_non_exhaustive()
    }
}

/// How good a network is on sequences held out; higher is better.
type Judge<'a, N> = dyn Fn(&N, SequenceSet<'_>) -> Result<f64, SequenceError> + 'a;

/// Trains a network, and gives back the weights of its best epoch.
pub(crate) fn train<N: Network>(
    network: &mut N,
    params: &CheckedSequenceParams,
    training: &Training<'_>,
    objective: &dyn Objective,
    judge: &Judge<'_, N>,
) -> Result<(Weights, TrainingReport), SequenceError> {
    let set = training.train;
    let count = u32::try_from(set.spans().len()).unwrap_or(u32::MAX);
    let batches = set.spans().len().div_ceil(params.batch_size);
    let mut pace = Pace::new(params, batches);
    let mut best: Option<(f64, Weights)> = None;
    let mut report = TrainingReport::default();
    for epoch in 1..=params.epochs {
        let mut order: Vec<u32> = (0..count).collect();
        let length = order.len();
        Stream::new(params.seed, ORDER, epoch as u64).shuffle_first(&mut order, length);
        let (mut loss, mut counted) = (0.0, 0);
        let mut longest = 0.0_f64;
        for (number, sequences) in order.chunks_mut(params.batch_size).enumerate() {
            sequences.sort_by_key(|at| std::cmp::Reverse(set.spans()[*at as usize].len()));
            let step = pace.next();
            let batch = Batch {
                set,
                sequences,
                noise: (params.seed, step.step),
            };
            let (of_batch, events) = network.gradient(batch, objective)?;
            if events == 0 {
                // Nothing to learn: a step would only take decay and the momentum of others.
                pace.skip();
                training.monitor.batch(epoch, number + 1, batches);
                continue;
            }
            let norm = network.update(step)?;
            finite(epoch, "the loss", of_batch / events as f64)?;
            finite(epoch, "the length of the gradient", norm)?;
            loss += of_batch;
            counted += events;
            longest = longest.max(norm);
            training.monitor.batch(epoch, number + 1, batches);
        }
        let loss = loss / usize::max(counted, 1) as f64;
        let validation = training
            .validation
            .map(|held_out| judge(network, held_out))
            .transpose()?;
        let of_epoch = EpochReport {
            epoch,
            loss,
            validation,
            learning_rate: pace.learning_rate(),
            gradient_norm: longest,
        };
        training.monitor.epoch(&of_epoch);
        report.epochs.push(of_epoch);
        pace.end_epoch(validation.unwrap_or(-loss));
        let Some(value) = validation else {
            report.best_epoch = epoch;
            continue;
        };
        // No later value would be better than one that has no order.
        finite(epoch, "the value on the validation sequences", value)?;
        if best.as_ref().is_none_or(|(best, _)| value > *best) {
            best = Some((value, network.weights()?));
            report.best_epoch = epoch;
        }
        if epoch - report.best_epoch >= params.patience {
            break;
        }
    }
    let weights = match best {
        Some((_, weights)) => weights,
        None => network.weights()?,
    };
    // What left the numbers in the last step is found here.
    for weight in weights.numbers() {
        finite(report.best_epoch, "a weight", f64::from(*weight))?;
    }
    Ok((weights, report))
}

/// Whether a number of a training still is one.
fn finite(epoch: usize, what: &'static str, got: f64) -> Result<(), SequenceError> {
    if got.is_finite() {
        return Ok(());
    }
    Err(SequenceError::Diverged { epoch, what, got })
}
