//! What states belong to.

use crate::SequenceError;
use crate::data::EventNumbers;
use crate::encode::Encoder;
use crate::native::StepNetwork;
use dafu_core::StableHasher;
use std::hash::Hasher;

/// Made-up events that a network is known by.
const EVENTS: u32 = 3;
/// How far the same network's numbers are apart on two machines, at most; those of networks that were trained apart differ
/// by more.
const TOLERANCE: f32 = 1e-3;

/// Tells by which network states were made, and what its inputs were made of: states of one network mean nothing to another.
///
/// It holds the state that a few made-up events lead to. That is no hash of the weights, since the last places of states
/// depend on the vector instructions of a machine, and a snapshot may be taken on one and restored on another.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Fingerprint {
    state: Vec<f32>,
    /// Hash of the names and categories of an encoder's inputs; 0 where there is none.
    inputs: u64,
}

impl Fingerprint {
    pub(super) fn of(network: &StepNetwork) -> Result<Self, SequenceError> {
        let config = network.config();
        let (mut state, mut scratch) = (vec![0.0; network.state_len()], network.scratch());
        for event in 0..EVENTS {
            let numeric: Vec<f32> = (0..config.numeric_inputs)
                .map(|input| ((event as f32 + 1.0) * (input as f32 + 1.0)).sin())
                .collect();
            let codes: Vec<u32> = config
                .embeddings
                .iter()
                .zip(event..)
                .map(|(input, number)| number.wrapping_mul(0x9e37_79b1) % input.categories)
                .collect();
            let inputs = EventNumbers {
                numeric: &numeric,
                codes: &codes,
            };
            network.advance(inputs, &mut state, &mut scratch)?;
        }
        // Of a network whose weights are too large nothing can be compared, and nothing is answered.
        for number in &mut state {
            if !number.is_finite() {
                *number = 0.0;
            }
        }
        Ok(Self { state, inputs: 0 })
    }

    #[cfg(test)]
    pub(super) fn of_numbers(numbers: impl Iterator<Item = f32>) -> Self {
        Self {
            state: numbers.collect(),
            inputs: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn numbers(&self) -> &[f32] {
        &self.state
    }

    pub(super) fn set_inputs(&mut self, encoder: &Encoder) {
        let mut hasher = StableHasher::default();
        for name in encoder.input_names() {
            hasher.text(name);
        }
        for categories in encoder.categories() {
            hasher.number(u64::from(*categories));
        }
        self.inputs = hasher.finish();
    }

    /// Whether both are of the same network and of the same inputs.
    pub(super) fn is_of_same(&self, other: &Self) -> bool {
        let mut states = self.state.iter().zip(&other.state);
        let close =
            |(one, other): (&f32, &f32)| (one - other).abs() <= TOLERANCE * one.abs().max(1.0);
        self.inputs == other.inputs && self.state.len() == other.state.len() && states.all(close)
    }
}
