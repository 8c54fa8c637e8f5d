//! Scores of events as they come.

use super::params::StreamParams;
use super::step::Stepper;
use super::table::{StateTable, TableCounts};
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::native::StepNetwork;
use dafu_core::Timestamp;
use std::borrow::Borrow;
use std::hash::Hash;

/// What is said about one event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamAnswer {
    /// Log odds of fraud of a classifier, which are finite; otherwise how surprising the event is, minus the natural
    /// logarithm of its likelihood, which is infinite where that is 0 to the precision of 32 bits.
    pub value: f32,
    /// Whether the event was earlier than the newest one of its user.
    pub late: bool,
}

/// Scores events of users one by one: a state of a few hundred numbers each takes the place of the events before.
///
/// Memory for each user: that of a [`StateTable`], which holds the key twice.
///
/// # Examples
///
/// ```
/// use dafu_core::Timestamp;
/// use dafu_sequence::data::EventNumbers;
/// use dafu_sequence::native::StepNetwork;
/// use dafu_sequence::network::{Cell, NetworkConfig, Task, Weights};
/// use dafu_sequence::stream::{StreamParams, StreamScorer};
///
/// let config = NetworkConfig {
///     numeric_inputs: 2,
///     embeddings: Vec::new(),
///     cell: Cell::Gru,
///     layers: 1,
///     hidden_units: 16,
///     dropout: 0.0,
///     task: Task::Classify { attention: false },
/// };
/// // Weights of a model that was trained: `model.step_network()`.
/// let network = StepNetwork::new(&config, &Weights::first(&config, 1)?)?;
/// let mut scorer: StreamScorer<String> = StreamScorer::new(network, &StreamParams::default().capacity(10_000))?;
///
/// let inputs = EventNumbers { numeric: &[0.3, -1.0], codes: &[] };
/// let first = scorer.score("ann", Timestamp::from_seconds(60)?, inputs)?;
/// let second = scorer.score("ann", Timestamp::from_seconds(90)?, inputs)?;
/// // The second event is seen in the light of the first.
/// assert_ne!(first.value, second.value);
/// assert!(scorer.forget("ann"));
/// assert_eq!(scorer.score("ann", Timestamp::from_seconds(95)?, inputs)?.value, first.value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StreamScorer<K> {
    pub(super) table: StateTable<K, ()>,
    stepper: Stepper,
}

impl<K: Hash + Eq + Clone> StreamScorer<K> {
    /// A scorer that has seen nobody.
    ///
    /// # Errors
    ///
    /// When bounds are out of range.
    pub fn new(network: StepNetwork, params: &StreamParams) -> Result<Self, SequenceError> {
        Ok(Self {
            table: StateTable::new(params, &network)?,
            stepper: Stepper::new(network),
        })
    }

    /// Scores an event and remembers it.
    ///
    /// # Errors
    ///
    /// When inputs are not those of the network, a late event is not taken, or an event is too far ahead of the newest
    /// ([`StreamParams::max_jump`]); [`NotANumber`](SequenceError::NotANumber) where the network's weights are so large that
    /// there is no answer. Nothing is remembered then.
    ///
    /// # Complexity
    ///
    /// O(weights), whatever the length of the history; no allocation for a user that was seen before.
    pub fn score<Q>(
        &mut self,
        user: &Q,
        time: Timestamp,
        inputs: EventNumbers<'_>,
    ) -> Result<StreamAnswer, SequenceError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let answer = self.peek(user, time, inputs)?;
        self.table.keep(user, time, (&self.stepper.state, ()))?;
        Ok(answer)
    }

    /// Remembers an event that is context only, without an answer about it.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn observe<Q>(
        &mut self,
        user: &Q,
        time: Timestamp,
        inputs: EventNumbers<'_>,
    ) -> Result<(), SequenceError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.score(user, time, inputs).map(|_| ())
    }

    /// Scores an event without remembering it.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn peek<Q>(
        &mut self,
        user: &Q,
        time: Timestamp,
        inputs: EventNumbers<'_>,
    ) -> Result<StreamAnswer, SequenceError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let ((), late) = self.table.read(user, time, &mut self.stepper.state)?;
        let value = self.stepper.judge(inputs)?;
        #[expect(clippy::cast_possible_truncation, reason = "as precise as its parts")]
        let value = value as f32;
        Ok(StreamAnswer { value, late })
    }

    /// How surprising each input of the last event was, numeric inputs first; zeros for a classifier.
    pub fn last_surprises(&self) -> &[f32] {
        self.stepper.surprises()
    }

    /// Forgets a user; whether there was something of it.
    pub fn forget<Q>(&mut self, user: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
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

    /// The network.
    pub const fn network(&self) -> &StepNetwork {
        self.stepper.network()
    }
}
