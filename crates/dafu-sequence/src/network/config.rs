//! The shape of a network.

use super::Layout;
use crate::SequenceError;
use crate::check::{at_most, within};

/// Most units of a layer, and inputs of a network.
pub const MAX_UNITS: usize = 1 << 12;
/// Most recurrent layers.
pub const MAX_LAYERS: usize = 16;
/// Most categories of an input.
pub const MAX_CATEGORIES: u32 = 1 << 20;
/// Most categorical inputs.
const MAX_EMBEDDINGS: usize = 256;
/// Most numbers that are answered for an event.
const MAX_OUTPUTS: usize = 1 << 16;
/// Most weights of a network: a gigabyte of them.
const MAX_WEIGHTS: usize = 1 << 28;

/// The recurrent unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Cell {
    /// Long short-term memory: two states a unit.
    ///
    /// Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with the forget gate of
    /// Gers, Schmidhuber, Cummins, "Learning to Forget", Neural Computation 12(10), 2000.
    #[default]
    Lstm,
    /// Gated recurrent unit: one state a unit, three quarters of the weights.
    ///
    /// Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, equations 5 to 8,
    /// with the reset gate after the product, as in cuDNN and `PyTorch`.
    Gru,
}

impl Cell {
    /// Rows of weights a unit.
    pub const fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Numbers of state a unit.
    pub const fn states(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru => 1,
        }
    }
}

/// A categorical input, looked up in a table of vectors that are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Embedding {
    /// How many categories there are.
    pub categories: u32,
    /// Numbers that stand for one.
    pub dimension: usize,
}

/// Most numbers that stand for a category, where nothing else is said.
const MOST_DIMENSIONS: u128 = 16;

impl Embedding {
    /// Numbers that stand for one of so many categories where nothing else is said: four times the fourth root, rounded up,
    /// at most 16 and below the number of categories.
    pub fn default_dimension(categories: u32) -> usize {
        // The smallest d with d >= 4 n^(1/4).
        let enough = |d: &u128| d.pow(4) >= 256 * u128::from(categories);
        let least = (1..MOST_DIMENSIONS).find(enough).unwrap_or(MOST_DIMENSIONS);
        let most = u128::from(categories).saturating_sub(1).max(1);
        usize::try_from(least.min(most)).unwrap_or(1)
    }
}

/// What a network answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
pub enum Task {
    /// Log odds of fraud of each event, from the events up to it.
    Classify {
        /// Whether the answer is also given a mean of all states so far, weighted by what the network attends to.
        attention: bool,
    },
    /// The distribution of each event's inputs, from the events before it.
    NextEvent,
    /// The distribution of each event's inputs, from a summary of the whole sequence, last event first.
    Reconstruct,
}

/// The shape of a network.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkConfig {
    /// Numeric inputs of an event.
    pub numeric_inputs: usize,
    /// Categorical inputs of an event.
    pub embeddings: Vec<Embedding>,
    /// The recurrent unit.
    pub cell: Cell,
    /// Recurrent layers, one above the other.
    pub layers: usize,
    /// Units of a layer.
    pub hidden_units: usize,
    /// Share of the units that training leaves out between layers and before the answer, in [0, 1).
    pub dropout: f32,
    /// What is answered.
    pub task: Task,
}

impl NetworkConfig {
    /// Numbers that the first layer reads of an event.
    pub fn inputs(&self) -> usize {
        let embedded: usize = self.embeddings.iter().map(|input| input.dimension).sum();
        self.numeric_inputs + embedded
    }

    /// Inputs of an event, numeric and categorical ones.
    pub(crate) const fn event_inputs(&self) -> usize {
        self.numeric_inputs + self.embeddings.len()
    }

    /// Numbers that are answered for an event: the log odds; or, where inputs are predicted, mean and logarithm of the
    /// variance of each numeric input (all means first), then log odds of each category of each categorical input.
    pub fn outputs(&self) -> usize {
        match self.task {
            Task::Classify { .. } => 1,
            Task::NextEvent | Task::Reconstruct => {
                let categories = self
                    .embeddings
                    .iter()
                    .map(|input| input.categories as usize);
                2 * self.numeric_inputs + categories.sum::<usize>()
            }
        }
    }

    /// Numbers that the answer is computed from.
    pub const fn features(&self) -> usize {
        match self.task {
            Task::Classify { attention: true } => 2 * self.hidden_units,
            _ => self.hidden_units,
        }
    }

    /// Whether the answer reads an attention pool.
    pub const fn attention(&self) -> bool {
        matches!(self.task, Task::Classify { attention: true })
    }

    /// Checks that the network is a classifier.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Parameter`] where it has another task.
    pub fn check_classifier(&self) -> Result<(), SequenceError> {
        if matches!(self.task, Task::Classify { .. }) {
            return Ok(());
        }
        Err(SequenceError::Parameter {
            name: "task",
            expected: "`classify`".to_owned(),
            got: format!("{:?}", self.task),
        })
    }

    /// Checks that all numbers are in range.
    ///
    /// # Errors
    ///
    /// The first number that is not.
    pub fn check(&self) -> Result<(), SequenceError> {
        within("hidden_units", self.hidden_units, 1, MAX_UNITS)?;
        within("layers", self.layers, 1, MAX_LAYERS)?;
        at_most("embeddings", self.embeddings.len(), MAX_EMBEDDINGS)?;
        for embedding in &self.embeddings {
            within("categories", embedding.categories, 1, MAX_CATEGORIES)?;
            within("dimension", embedding.dimension, 1, MAX_UNITS)?;
        }
        // First by itself: the sum of anything at all would overflow.
        at_most("numeric_inputs", self.numeric_inputs, MAX_UNITS)?;
        within("inputs", self.inputs(), 1, MAX_UNITS)?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(SequenceError::Parameter {
                name: "dropout",
                expected: "at least 0 and below 1".to_owned(),
                got: self.dropout.to_string(),
            });
        }
        at_most("outputs", self.outputs(), MAX_OUTPUTS)?;
        at_most("weights", Layout::new(self).len(), MAX_WEIGHTS)
    }
}
