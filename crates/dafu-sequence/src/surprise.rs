//! How surprising events are under a model of inputs.

use crate::SequenceError;
use crate::data::SequenceSet;
use crate::network::Network;
use crate::objective::input_surprise;

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

/// Surprises of the scored events of sequences.
pub(crate) fn surprises<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
) -> Result<Surprises, SequenceError> {
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
    Ok(Surprises { inputs, numbers })
}

/// Mean log likelihood of the scored events.
pub(crate) fn log_likelihood<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
) -> Result<f64, SequenceError> {
    let surprises = surprises(network, set)?;
    let sum: f64 = surprises
        .numbers
        .iter()
        .map(|number| f64::from(*number))
        .sum();
    Ok(-sum / usize::max(surprises.len(), 1) as f64)
}
