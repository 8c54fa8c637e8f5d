//! Events of users as they come.

use super::analyzer::{UserBehaviorAnalyzer, surprising_input};
use super::anomaly::SurprisingInput;
use super::calibration::ByPlace;
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::encode::{Encoder, EncoderState, Record};
use crate::native::{StepNetwork, StepScratch};
use crate::objective::{input_surprise, most_likely};
use crate::stream::{StateTable, StreamParams, StreamSnapshot, TableCounts};

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
/// Made by [`UserBehaviorAnalyzer::stream`]. Memory for each user: the network's state, and 80 bytes of what the encoder
/// has to know.
#[derive(Debug, Clone)]
pub struct BehaviorStream {
    encoder: Encoder,
    network: StepNetwork,
    conformal: ByPlace,
    table: StateTable<String, EncoderState>,
    scratch: StepScratch,
    state: Vec<f32>,
    numeric: Vec<f32>,
    codes: Vec<u32>,
    outputs: Vec<f32>,
    surprises: Vec<f32>,
}

impl BehaviorStream {
    pub(super) fn new(
        analyzer: &UserBehaviorAnalyzer,
        params: &StreamParams,
    ) -> Result<Self, SequenceError> {
        let network = analyzer.model.step_network()?;
        let inputs = network.config().numeric_inputs + network.config().embeddings.len();
        Ok(Self {
            encoder: analyzer.encoder.clone(),
            conformal: analyzer.calibration.events()?,
            table: StateTable::new(params, &network)?,
            scratch: network.scratch(),
            state: vec![0.0; network.state_len()],
            numeric: Vec::new(),
            codes: Vec::new(),
            outputs: vec![0.0; network.config().outputs()],
            surprises: vec![0.0; inputs],
            network,
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
        let (user, time) = (record.entity(), record.time());
        let (mut context, late) = self.table.read(user, time, &mut self.state)?;
        let first = context.previous().is_none();
        let (numeric, codes) = (&mut self.numeric, &mut self.codes);
        self.encoder
            .encode_late(&mut context, record, numeric, codes)?;
        let inputs = EventNumbers { numeric, codes };
        let outputs = self.network.answer(&self.state, &mut self.scratch);
        self.outputs.copy_from_slice(outputs);
        input_surprise(
            self.network.config(),
            inputs,
            &self.outputs,
            &mut self.surprises,
        )?;
        self.network
            .advance(inputs, &mut self.state, &mut self.scratch)?;
        self.table.keep(user, time, (&self.state, context))?;
        let surprise: f64 = self.surprises.iter().map(|number| f64::from(*number)).sum();
        let conformal = self.conformal.of(first);
        Ok(BehaviorAnswer {
            score: conformal.score(surprise),
            p_value: conformal.p_value(surprise),
            surprise,
            late,
        })
    }

    /// The input of the last event that surprised most, in words. Allocates: for events that are worth a look.
    pub fn last_input(&self) -> SurprisingInput {
        let (numeric, codes) = most_likely(self.network.config(), &self.outputs);
        let observed = EventNumbers {
            numeric: &self.numeric,
            codes: &self.codes,
        };
        let expected = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        surprising_input(&self.encoder, (observed, expected), &self.surprises)
    }

    /// Forgets a user; whether there was something of it.
    pub fn forget(&mut self, user: &str) -> bool {
        self.table.forget(user)
    }

    /// Users that are remembered.
    pub fn users(&self) -> usize {
        self.table.len()
    }

    /// States that were given up so far.
    pub const fn counts(&self) -> TableCounts {
        self.table.counts()
    }

    /// What it remembers.
    pub fn snapshot(&self) -> StreamSnapshot<String, EncoderState> {
        self.table.snapshot()
    }

    /// Replaces what it remembers: answers go on as those of the stream that the snapshot was taken of.
    ///
    /// # Errors
    ///
    /// As [`StateTable::restore`].
    pub fn restore(
        &mut self,
        snapshot: &StreamSnapshot<String, EncoderState>,
    ) -> Result<(), SequenceError> {
        self.table.restore(snapshot)
    }
}
