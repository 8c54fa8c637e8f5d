//! Events of users as they come.

use super::analyzer::{UserBehaviorAnalyzer, surprising_input};
use super::anomaly::SurprisingInput;
use super::calibration::ByPlace;
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::encode::{Encoder, EncoderState, Record};
use crate::objective::most_likely;
use crate::stream::{StateTable, Stepper, StreamParams, StreamSnapshot, TableCounts};

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
/// Made by [`UserBehaviorAnalyzer::stream`]. Memory for each user: that of a [`StateTable`], which holds the name twice, with
/// 80 bytes of what the encoder has to know.
#[derive(Debug, Clone)]
pub struct BehaviorStream {
    encoder: Encoder,
    conformal: ByPlace,
    table: StateTable<String, EncoderState>,
    stepper: Stepper,
    numeric: Vec<f32>,
    codes: Vec<u32>,
}

impl BehaviorStream {
    pub(super) fn new(
        analyzer: &UserBehaviorAnalyzer,
        params: &StreamParams,
    ) -> Result<Self, SequenceError> {
        let network = analyzer.model.step_network()?;
        let encoder = analyzer.encoder.clone();
        Ok(Self {
            conformal: analyzer.calibration.events()?,
            table: StateTable::new(params, &network)?.with_inputs(&encoder),
            stepper: Stepper::new(network),
            numeric: Vec::new(),
            codes: Vec::new(),
            encoder,
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
        let (mut context, late) = self.table.read(user, time, &mut self.stepper.state)?;
        let first = context.previous().is_none();
        let (numeric, codes) = (&mut self.numeric, &mut self.codes);
        self.encoder
            .encode_late(&mut context, record, numeric, codes)?;
        let surprise = self.stepper.judge(EventNumbers { numeric, codes })?;
        self.table
            .keep(user, time, (&self.stepper.state, context))?;
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
        let (numeric, codes) = most_likely(self.stepper.network().config(), self.stepper.outputs());
        let observed = EventNumbers {
            numeric: &self.numeric,
            codes: &self.codes,
        };
        let expected = EventNumbers {
            numeric: &numeric,
            codes: &codes,
        };
        surprising_input(
            &self.encoder,
            (observed, expected),
            self.stepper.surprises(),
        )
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
    /// As [`StateTable::restore`] and [`StreamSnapshot::check_contexts`].
    pub fn restore(
        &mut self,
        snapshot: &StreamSnapshot<String, EncoderState>,
    ) -> Result<(), SequenceError> {
        snapshot.check_contexts()?;
        self.table.restore(snapshot)
    }
}
