//! Parameters of sequence models.

use crate::SequenceError;
use crate::check::within;
use crate::data::Events;
use crate::network::{Cell, Embedding, MAX_UNITS, NetworkConfig, Task};
use crate::objective::ClassLoss;
use crate::training::Schedule;
use std::ops::Deref;

/// Most events of a sequence.
pub const MAX_SEQUENCE_LENGTH: usize = 1 << 14;
const MAX_EPOCHS: usize = 100_000;
const MAX_BATCH: usize = 1 << 20;

/// Parameters of [`SequenceClassifier`](crate::SequenceClassifier), [`NextEventModel`](crate::NextEventModel) and
/// [`SequenceAutoencoder`](crate::SequenceAutoencoder).
///
/// # Examples
///
/// ```
/// use dafu_sequence::SequenceParams;
/// use dafu_sequence::network::Cell;
///
/// let params = SequenceParams::default().cell(Cell::Gru).hidden_units(32).epochs(20).seed(7);
/// assert_eq!(params.sequence_length, 10);
/// assert!(params.check().is_ok());
/// assert_eq!(
///     SequenceParams::default().epochs(0).check().unwrap_err().to_string(),
///     "`epochs` must be 1 to 100000, got 0"
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct SequenceParams {
    /// The recurrent unit.
    pub cell: Cell,
    /// Recurrent layers, one above the other.
    pub layers: usize,
    /// Units of a layer.
    pub hidden_units: usize,
    /// Share of the units that training leaves out between layers and before the answer, in [0, 1).
    pub dropout: f64,
    /// Whether a classifier's answer also reads a mean of all states so far, weighted by what it attends to.
    pub attention: bool,
    /// Events that are read together: the length of windows, and of the pieces that histories are cut into.
    pub sequence_length: usize,
    /// Numbers that stand for a category, 1 to [`MAX_UNITS`]; `None` for what the encoder says of each input, or
    /// [`Embedding::default_dimension`].
    pub embedding: Option<usize>,
    /// Passes over the training sequences; with validation sequences at most.
    pub epochs: usize,
    /// Sequences of a step.
    pub batch_size: usize,
    /// Size of the steps of `AdamW`, at their largest.
    pub learning_rate: f64,
    /// How the size of the steps changes.
    pub schedule: Schedule,
    /// Share of all steps over which the size of the steps grows from nothing, in [0, 1).
    pub warm_up: f64,
    /// Share of the weights that each step takes away, times the learning rate.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it; infinite for none. JSON, which has no infinite numbers, says `null`.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "number_or_infinite"))]
    pub clip_norm: f64,
    /// What the answers of a classifier cost.
    pub loss: ClassLoss,
    /// Epochs without a better value on the validation sequences after which no more are made.
    pub patience: usize,
    /// Seed of first weights, order of sequences and dropout.
    pub seed: u64,
}

impl Default for SequenceParams {
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            layers: 1,
            hidden_units: 64,
            dropout: 0.2,
            attention: false,
            sequence_length: 10,
            embedding: None,
            epochs: 50,
            batch_size: 256,
            learning_rate: 2e-3,
            schedule: Schedule::Cosine,
            warm_up: 0.05,
            weight_decay: 1e-2,
            clip_norm: 1.0,
            loss: ClassLoss::default(),
            patience: 8,
            seed: 0,
        }
    }
}

/// Reads what `serde_json` writes of an infinite number, `null`, as that number.
#[cfg(feature = "serde")]
fn number_or_infinite<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    use serde::Deserialize;

    if !deserializer.is_human_readable() {
        return f64::deserialize(deserializer);
    }
    let number = Option::deserialize(deserializer)?;
    Ok(number.unwrap_or(f64::INFINITY))
}

/// [`SequenceParams`] whose numbers are all in range.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedSequenceParams(SequenceParams);

impl Deref for CheckedSequenceParams {
    type Target = SequenceParams;

    fn deref(&self) -> &SequenceParams {
        &self.0
    }
}

impl SequenceParams {
    dafu_core::setters! {
        cell: Cell,
        layers: usize,
        hidden_units: usize,
        dropout: f64,
        attention: bool,
        sequence_length: usize,
        embedding: Option<usize>,
        epochs: usize,
        batch_size: usize,
        learning_rate: f64,
        schedule: Schedule,
        warm_up: f64,
        weight_decay: f64,
        clip_norm: f64,
        loss: ClassLoss,
        patience: usize,
        seed: u64,
    }

    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not, with the range.
    pub fn check(&self) -> Result<CheckedSequenceParams, SequenceError> {
        within(
            "sequence_length",
            self.sequence_length,
            1,
            MAX_SEQUENCE_LENGTH,
        )?;
        if let Some(dimension) = self.embedding {
            within("embedding", dimension, 1, MAX_UNITS)?;
        }
        within("epochs", self.epochs, 1, MAX_EPOCHS)?;
        within("batch_size", self.batch_size, 1, MAX_BATCH)?;
        within("patience", self.patience, 1, MAX_EPOCHS)?;
        let number = |name, got: f64, least: f64, most: f64| {
            if got > least && got <= most {
                return Ok(());
            }
            Err(SequenceError::Parameter {
                name,
                expected: format!("above {least} and at most {most}"),
                got: got.to_string(),
            })
        };
        number("learning_rate", self.learning_rate, 0.0, 10.0)?;
        number("clip_norm", self.clip_norm, 0.0, f64::INFINITY)?;
        within("weight_decay", self.weight_decay, 0.0, 10.0)?;
        within("warm_up", self.warm_up, 0.0, 0.999)?;
        self.schedule.check()?;
        self.loss.check()?;
        // The shape is checked with any inputs.
        self.network(1, Vec::new(), Task::NextEvent).check()?;
        Ok(CheckedSequenceParams(self.clone()))
    }

    /// The shape of a network that reads these events.
    pub(crate) fn network_for(&self, events: &Events, task: Task) -> NetworkConfig {
        let embeddings = events.categories().iter().enumerate();
        let embeddings = embeddings.map(|(input, categories)| Embedding {
            categories: *categories,
            dimension: (self.embedding)
                .or_else(|| events.dimension(input))
                .unwrap_or_else(|| Embedding::default_dimension(*categories)),
        });
        self.network(events.numeric_inputs(), embeddings.collect(), task)
    }

    fn network(
        &self,
        numeric_inputs: usize,
        embeddings: Vec<Embedding>,
        task: Task,
    ) -> NetworkConfig {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share is rounded to the precision of training"
        )]
        NetworkConfig {
            numeric_inputs,
            embeddings,
            cell: self.cell,
            layers: self.layers,
            hidden_units: self.hidden_units,
            dropout: self.dropout as f32,
            task,
        }
    }
}
