//! How surprising events are under a model of inputs.

use crate::SequenceError;
use crate::data::SequenceSet;
use crate::network::{Network, NetworkConfig};
use crate::objective::{input_surprise, most_likely};

/// How surprising the inputs of events are.
#[derive(Debug, Clone, PartialEq)]
pub struct Surprises {
    inputs: usize,
    numbers: Vec<f32>,
}

impl Surprises {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.numbers.len() / self.inputs
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// How surprising each input of an event is, numeric inputs first: minus the natural logarithm of the density of its
    /// scaled number, or of the probability of its category.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn inputs(&self, event: usize) -> &[f32] {
        &self.numbers[event * self.inputs..(event + 1) * self.inputs]
    }

    /// How surprising an event is: the sum over its inputs.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn event(&self, event: usize) -> f32 {
        self.inputs(event).iter().sum()
    }
}

/// What a model expected of events, and how surprising they were.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    config: NetworkConfig,
    outputs: Vec<f32>,
    surprises: Surprises,
}

impl Predictions {
    /// How surprising the events were.
    pub const fn surprises(&self) -> &Surprises {
        &self.surprises
    }

    /// The most likely inputs of an event: means of numbers, and most probable codes.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn most_likely(&self, event: usize) -> (Vec<f32>, Vec<u32>) {
        let count = self.config.outputs();
        most_likely(
            &self.config,
            &self.outputs[event * count..(event + 1) * count],
        )
    }
}

/// Predictions of the scored events of sequences.
pub(crate) fn predictions<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
) -> Result<Predictions, SequenceError> {
    let config = network.config();
    let inputs = config.numeric_inputs + config.embeddings.len();
    let count = config.outputs();
    let events = set.scored().count();
    let mut outputs = vec![0.0; events * count];
    network.outputs(set, &mut outputs)?;
    let mut numbers = vec![0.0; events * inputs];
    for (at, event) in set.scored().enumerate() {
        let of_event = &outputs[at * count..(at + 1) * count];
        let place = &mut numbers[at * inputs..(at + 1) * inputs];
        input_surprise(config, set.events().numbers(event), of_event, place)?;
    }
    Ok(Predictions {
        config: config.clone(),
        outputs,
        surprises: Surprises { inputs, numbers },
    })
}

/// Mean log likelihood of the scored events.
pub(crate) fn log_likelihood<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
) -> Result<f64, SequenceError> {
    let surprises = predictions(network, set)?.surprises;
    let sum: f64 = surprises
        .numbers
        .iter()
        .map(|number| f64::from(*number))
        .sum();
    Ok(-sum / usize::max(surprises.len(), 1) as f64)
}
