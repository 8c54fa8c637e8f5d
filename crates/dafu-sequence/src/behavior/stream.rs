//! Events of users as they come.

use super::analyzer::{UserBehaviorAnalyzer, surprising_input};
use super::anomaly::SurprisingInput;
use super::calibration::ByPlace;
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::encode::{EncoderState, Record};
use crate::objective::most_likely;
use crate::stream::{RecordStepper, StreamParams, StreamSnapshot, TableCounts, record_stream};

/// What is said about one event.
#[derive(Debug, Clone, PartialEq)]
pub struct BehaviorAnswer {
    /// From 0 to 1, see [`Conformal`](crate::Conformal): here of single events, so that 0.8 is reached by 1 of 125 normal
    /// events. First events of users are compared with first events, all others with others.
    pub score: f64,
    /// The share of normal events that are as surprising.
    pub p_value: f64,
    /// How surprising it is: minus the natural logarithm of its likelihood.
    pub surprise: f64,
    /// Whether it was earlier than the newest event of its user.
    pub late: bool,
}

/// Scores the events of users one by one.
///
/// Made by [`UserBehaviorAnalyzer::stream`]. Memory for each user: that of a [`StateTable`](crate::stream::StateTable), which holds the name twice, with
/// 80 bytes of what the encoder has to know.
#[derive(Debug, Clone)]
pub struct BehaviorStream {
    steps: RecordStepper,
    conformal: ByPlace,
}

record_stream!(BehaviorStream);

impl BehaviorStream {
    pub(super) fn new(
        analyzer: &UserBehaviorAnalyzer,
        params: &StreamParams,
    ) -> Result<Self, SequenceError> {
        let network = analyzer.model.step_network()?;
        Ok(Self {
            steps: RecordStepper::new(&analyzer.encoder, network, params)?,
            conformal: analyzer.calibration.events()?,
        })
    }

    /// Scores an event and remembers it.
    ///
    /// # Errors
    ///
    /// When a record cannot be read, comes late and late ones are refused, or is too far ahead of the newest
    /// ([`StreamParams::max_jump`]); nothing is remembered then.
    ///
    /// # Complexity
    ///
    /// O(weights), whatever the length of the history.
    pub fn score<R: Record + ?Sized>(
        &mut self,
        record: &R,
    ) -> Result<BehaviorAnswer, SequenceError> {
        let step = self.steps.judge(record)?;
        let conformal = self.conformal.of(step.first);
        Ok(BehaviorAnswer {
            score: conformal.score(step.value),
            p_value: conformal.p_value(step.value),
            surprise: step.value,
            late: step.late,
        })
    }

    /// The input of the last event that surprised most, in words. Allocates: for events that are worth a look.
    pub fn last_input(&self) -> SurprisingInput {
        let stepper = self.steps.stepper();
        let (numeric, codes) = most_likely(stepper.network().config(), stepper.outputs());
        let expected = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        let (observed, encoder) = (self.steps.inputs(), self.steps.encoder());
        surprising_input(encoder, (observed, expected), stepper.surprises())
    }
}
