//! What a training tells.

/// One epoch: a pass over the training sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EpochReport {
    /// Its number, from 1.
    pub epoch: usize,
    /// Mean loss of the training events, dropout included.
    pub loss: f64,
    /// The value on the validation sequences, higher is better: average precision of a classifier, mean log likelihood of
    /// an event otherwise.
    pub validation: Option<f64>,
    /// Size of the last step.
    pub learning_rate: f64,
    /// Length of the longest gradient before it was shortened.
    pub gradient_norm: f64,
}

/// All epochs of a training.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrainingReport {
    /// The epochs, in order.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
}

/// Told how far training has come. Calls come from one thread.
pub trait TrainingMonitor {
    /// So many batches of an epoch are done.
    fn batch(&self, epoch: usize, done: usize, total: usize) {
        let _ = (epoch, done, total);
    }

    /// An epoch is done.
    fn epoch(&self, report: &EpochReport) {
        let _ = report;
    }
}

/// Tells nobody.
impl TrainingMonitor for () {}

/// Called after each epoch.
impl<F: Fn(&EpochReport)> TrainingMonitor for F {
    fn epoch(&self, report: &EpochReport) {
        self(report);
    }
}
