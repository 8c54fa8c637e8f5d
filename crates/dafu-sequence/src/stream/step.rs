//! One step of a user's state, with what is said about the event that makes it.

use crate::SequenceError;
use crate::data::EventNumbers;
use crate::native::{StepNetwork, StepScratch};
use crate::network::Task;
use crate::objective::input_surprise;

/// A network with room for one step.
#[derive(Debug, Clone)]
pub(crate) struct Stepper {
    network: StepNetwork,
    scratch: StepScratch,
    /// The state before the step, and after it.
    pub(crate) state: Vec<f32>,
    /// What was expected of the event.
    outputs: Vec<f32>,
    surprises: Vec<f32>,
}

impl Stepper {
    pub(crate) fn new(network: StepNetwork) -> Self {
        let inputs = network.config().event_inputs();
        Self {
            scratch: network.scratch(),
            state: vec![0.0; network.state_len()],
            outputs: vec![0.0; network.config().outputs()],
            surprises: vec![0.0; inputs],
            network,
        }
    }

    /// Advances the state by an event. Its log odds of fraud, or how surprising it is in a state that it did not change.
    pub(crate) fn judge(&mut self, inputs: EventNumbers<'_>) -> Result<f64, SequenceError> {
        let (network, scratch) = (&self.network, &mut self.scratch);
        let value = if network.config().task == Task::NextEvent {
            let outputs = network.answer(&self.state, scratch);
            self.outputs.copy_from_slice(outputs);
            input_surprise(network.config(), inputs, &self.outputs, &mut self.surprises)?;
            network.advance(inputs, &mut self.state, scratch)?;
            for surprise in &self.surprises {
                check_surprise(*surprise)?;
            }
            self.surprises.iter().map(|number| f64::from(*number)).sum()
        } else {
            network.advance(inputs, &mut self.state, scratch)?;
            let log_odds = network.answer(&self.state, scratch)[0];
            f64::from(check_answer("log odds", log_odds)?)
        };
        check_state(&self.state)?;
        Ok(value)
    }

    pub(crate) const fn network(&self) -> &StepNetwork {
        &self.network
    }

    pub(crate) fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    pub(crate) fn surprises(&self) -> &[f32] {
        &self.surprises
    }
}

/// An answer of a network, which is no number where finite weights are so large that they add up to none.
///
/// # Errors
///
/// [`SequenceError::NotANumber`] where it is NaN or infinite.
pub fn check_answer(what: &'static str, got: f32) -> Result<f32, SequenceError> {
    if got.is_finite() {
        return Ok(got);
    }
    Err(SequenceError::NotANumber { what, got })
}

/// As [`check_answer`], for how surprising something is: infinite is an answer, since no event is less likely.
pub(crate) fn check_surprise(got: f32) -> Result<f32, SequenceError> {
    if got.is_nan() {
        return check_answer("surprise", got);
    }
    Ok(got)
}

/// As [`check_answer`], for the state after an event: what is kept of a user stays good for the events to come.
///
/// # Errors
///
/// As [`check_answer`].
pub fn check_state(state: &[f32]) -> Result<(), SequenceError> {
    // Without a branch for each number.
    if state
        .iter()
        .fold(true, |good, number| good & number.is_finite())
    {
        return Ok(());
    }
    let bad = state.iter().find(|number| !number.is_finite());
    check_answer("state", bad.copied().unwrap_or(f32::NAN)).map(|_| ())
}
