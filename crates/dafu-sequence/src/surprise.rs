//! How surprising events are under a model of inputs.

use crate::SequenceError;
use crate::data::{SequenceSet, Span};
use crate::network::{Network, NetworkConfig};
use crate::objective::{input_surprise, most_likely};
use std::collections::{BTreeMap, BTreeSet};

/// Outputs that are there at a time where only surprises are asked for: enough sequences for many threads, and 64 MiB.
const BLOCK: usize = 1 << 24;

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
    let inputs = config.event_inputs();
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

/// Told an event and the outputs about it.
type EachOutputs<'a> = dyn FnMut(usize, &[f32]) -> Result<(), SequenceError> + 'a;

/// Tells `each` the outputs about the scored events of sequences, event after event. There are those of some sequences at a
/// time.
fn each_outputs<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
    each: &mut EachOutputs<'_>,
) -> Result<(), SequenceError> {
    let count = network.config().outputs();
    let scored_of = |at: usize| set.part(at..at + 1).scored().count();
    let (mut outputs, mut from) = (Vec::new(), 0);
    while from < set.spans().len() {
        let (mut to, mut length) = (from + 1, scored_of(from) * count);
        while to < set.spans().len() && length < BLOCK {
            length += scored_of(to) * count;
            to += 1;
        }
        let part = set.part(from..to);
        outputs.clear();
        outputs.resize(length, 0.0);
        network.outputs(part, &mut outputs)?;
        for (event, outputs) in part.scored().zip(outputs.chunks(count)) {
            each(event, outputs)?;
        }
        from = to;
    }
    Ok(())
}

/// Tells `each` how surprising the inputs of the scored events of sequences are, event after event.
fn each_surprise<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
    each: &mut dyn FnMut(&[f32]),
) -> Result<(), SequenceError> {
    let config = network.config();
    let mut surprises = vec![0.0; config.event_inputs()];
    each_outputs(network, set, &mut |event, outputs| {
        let inputs = set.events().numbers(event);
        input_surprise(config, inputs, outputs, &mut surprises)?;
        each(&surprises);
        Ok(())
    })
}

/// The most likely inputs of events: means of numbers, and most probable codes.
pub(crate) type LikelyInputs = BTreeMap<usize, (Vec<f32>, Vec<u32>)>;

/// The most likely inputs of some of the scored events of sequences, by event. Sequences without one of these are not read.
pub(crate) fn most_likely_of<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
    wanted: &BTreeSet<usize>,
) -> Result<LikelyInputs, SequenceError> {
    let spans = set.spans().iter().filter_map(|span| {
        let mut wanted = wanted.range(span.scored_from..span.end);
        let first = *wanted.next()?;
        Some(Span {
            scored_from: first,
            end: wanted.next_back().unwrap_or(&first) + 1,
            ..*span
        })
    });
    let spans: Vec<Span> = spans.collect();
    let mut found = BTreeMap::new();
    let set = SequenceSet::new(set.events(), &spans)?;
    each_outputs(network, set, &mut |event, outputs| {
        if wanted.contains(&event) {
            found.insert(event, most_likely(network.config(), outputs));
        }
        Ok(())
    })?;
    Ok(found)
}

/// How surprising the scored events of sequences are.
pub(crate) fn surprises<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
) -> Result<Surprises, SequenceError> {
    let config = network.config();
    let inputs = config.event_inputs();
    let mut numbers = Vec::with_capacity(set.scored().count() * inputs);
    let mut keep = |surprises: &[f32]| numbers.extend_from_slice(surprises);
    each_surprise(network, set, &mut keep)?;
    Ok(Surprises { inputs, numbers })
}

/// Mean log likelihood of the scored events.
pub(crate) fn log_likelihood<N: Network>(
    network: &N,
    set: SequenceSet<'_>,
) -> Result<f64, SequenceError> {
    let (mut sum, mut count) = (0.0, 0_usize);
    let mut add = |surprises: &[f32]| {
        count += 1;
        for number in surprises {
            sum += f64::from(*number);
        }
    };
    each_surprise(network, set, &mut add)?;
    Ok(-sum / usize::max(count, 1) as f64)
}
