//! What the stage remembers: the state of each user.

use super::reader::Inputs;
use super::{AnyError, Fitted};
use crate::PipelineError;
use dafu_core::model::{Envelope, Limits};
use dafu_core::{
    EntityId, EntityKey, EntityKind, FeatureContribution, Feedback, StageError, StageInput,
    StageState, Timestamp, Transaction,
};
use dafu_sequence::SequenceError;
use dafu_sequence::encode::EncoderState;
use dafu_sequence::native::{Alternatives, StepScratch};
use dafu_sequence::stream::{
    Fingerprint, StateSnapshot, StateTable, StreamSnapshot, TableCounts, check_answer, check_state,
};
use serde::Deserialize;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Kind of the envelope around a memory. Its hash is that of the network.
const KIND: &str = "dafu.sequence_stage.memory";
const VERSION: u16 = 3;

pub(super) type Table = StateTable<EntityId, EncoderState>;
type Snapshot = StreamSnapshot<EntityId, EncoderState>;

/// What memories of version 2 hold: a snapshot of the first version, which they do not say.
#[derive(Deserialize)]
struct SnapshotOfTwo {
    state_len: usize,
    fingerprint: Fingerprint,
    now: Option<Timestamp>,
    counts: TableCounts,
    users: Vec<StateSnapshot<EntityId, EncoderState>>,
}

impl From<SnapshotOfTwo> for Snapshot {
    fn from(before: SnapshotOfTwo) -> Self {
        Self {
            version: 1,
            state_len: before.state_len,
            fingerprint: before.fingerprint,
            now: before.now,
            counts: before.counts,
            users: before.users,
        }
    }
}

/// The states of users, and room for one step.
pub(super) struct SequenceState {
    fitted: Arc<Fitted>,
    /// Shared with copies until an event comes.
    table: Arc<Table>,
    scratch: RefCell<Scratch>,
}

impl fmt::Debug for SequenceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SequenceState")
            .field("stage", &self.fitted.name)
            .field("users", &self.table.len())
            .finish_non_exhaustive()
    }
}

struct Scratch {
    network: StepScratch,
    /// The state before an event, and after it.
    before: Vec<f32>,
    after: Vec<f32>,
    /// The event with one column or another as usual: which columns those are, and log odds.
    alternatives: Alternatives,
    columns: Vec<usize>,
    others: Vec<f32>,
    context: EncoderState,
    inputs: Inputs,
    /// The event that led from `before` to `after`, as long as the table is as it was then.
    stepped: Option<Stepped>,
}

/// What the state after an event depends on beside the table, and what was found.
struct Stepped {
    user: EntityId,
    time: Timestamp,
    row: Vec<f64>,
    log_odds: f32,
}

impl Stepped {
    fn is_of(&self, transaction: &Transaction, row: &[f64]) -> bool {
        let mut pairs = self.row.iter().zip(row);
        self.time == transaction.timestamp
            && self.user == transaction.user_id
            && self.row.len() == row.len()
            && pairs.all(|(one, other)| one.to_bits() == other.to_bits())
    }
}

impl Scratch {
    fn new(fitted: &Fitted) -> Self {
        let length = fitted.network.state_len();
        Self {
            network: fitted.network.scratch(),
            before: vec![0.0; length],
            after: vec![0.0; length],
            alternatives: Alternatives::default(),
            columns: Vec::new(),
            others: Vec::new(),
            context: EncoderState::default(),
            inputs: Inputs::default(),
            stepped: None,
        }
    }

    /// Log odds of the event with each column as usual that is not.
    fn answer_others(&mut self, fitted: &Fitted) -> Result<(), SequenceError> {
        self.alternatives.clear();
        self.columns.clear();
        self.others.clear();
        let network = &fitted.network;
        for column in 0..fitted.reader.width() {
            let Some(observed) = fitted.reader.make_usual(column, &mut self.inputs) else {
                continue;
            };
            let inputs = self.inputs.numbers();
            let added = network.push_alternative(inputs, &mut self.network, &mut self.alternatives);
            self.inputs.put_back(observed);
            added?;
            self.columns.push(column);
        }
        network.answer_alternatives(
            &self.before,
            &mut self.alternatives,
            &mut self.network,
            &mut self.others,
        );
        Ok(())
    }
}

impl SequenceState {
    pub(super) fn new(fitted: Arc<Fitted>) -> Self {
        Self {
            scratch: RefCell::new(Scratch::new(&fitted)),
            table: Arc::clone(&fitted.empty),
            fitted,
        }
    }

    /// Whether it belongs to a stage.
    pub(super) fn is_of(&self, fitted: &Arc<Fitted>) -> bool {
        Arc::ptr_eq(&self.fitted, fitted)
    }

    /// Advances the user's state by an event in the scratch, unless that was done last. Log odds of the event.
    fn step(&self, input: &StageInput<'_>, scratch: &mut Scratch) -> Result<f32, AnyError> {
        let transaction = transaction(input)?;
        let row = input.row.to_slice();
        let stepped = scratch.stepped.take();
        if let Some(stepped) = stepped.filter(|stepped| stepped.is_of(transaction, &row)) {
            let log_odds = stepped.log_odds;
            scratch.stepped = Some(stepped);
            return Ok(log_odds);
        }
        let (user, time) = (&transaction.user_id, transaction.timestamp);
        let (context, _) = self.table.read(user, time, &mut scratch.before)?;
        scratch.context = context;
        let (context, inputs) = (&mut scratch.context, &mut scratch.inputs);
        self.fitted.reader.read((&row, time), context, inputs)?;
        let network = &self.fitted.network;
        scratch.after.copy_from_slice(&scratch.before);
        let inputs = scratch.inputs.numbers();
        network.advance(inputs, &mut scratch.after, &mut scratch.network)?;
        check_state(&scratch.after)?;
        let log_odds = network.answer(&scratch.after, &mut scratch.network)[0];
        check_answer("log odds", log_odds)?;
        scratch.stepped = Some(Stepped {
            user: user.clone(),
            time,
            row: row.into_owned(),
            log_odds,
        });
        Ok(log_odds)
    }

    /// Log odds of an event, and what its features add to them where that is asked for.
    pub(super) fn judge(
        &self,
        input: &StageInput<'_>,
    ) -> Result<(f32, Vec<FeatureContribution>), AnyError> {
        let fitted = &*self.fitted;
        let scratch = &mut *self.scratch.borrow_mut();
        let log_odds = self.step(input, scratch)?;
        if !input.explain {
            return Ok((log_odds, Vec::new()));
        }
        let mut contributions = vec![0.0; fitted.reader.width()];
        scratch.answer_others(fitted)?;
        for (column, other) in scratch.columns.iter().zip(&scratch.others) {
            let other = check_answer("log odds", *other)?;
            contributions[*column] = f64::from(log_odds - other);
        }
        Ok((log_odds, FeatureContribution::of_row(&contributions)?))
    }

    fn take(&mut self, input: &StageInput<'_>) -> Result<(), AnyError> {
        self.step(input, &mut self.scratch.borrow_mut())?;
        let transaction = transaction(input)?;
        let scratch = self.scratch.get_mut();
        scratch.stepped = None;
        Arc::make_mut(&mut self.table).keep(
            &transaction.user_id,
            transaction.timestamp,
            (&scratch.after, scratch.context),
        )?;
        Ok(())
    }

    fn restored(&self, bytes: &[u8]) -> Result<Table, AnyError> {
        // As large as the memory that gave it.
        let limits = Limits {
            max_bytes: u64::MAX,
            ..Limits::default()
        };
        let envelope = Envelope::expect(bytes, KIND, VERSION, &limits)?;
        if envelope.header().schema_hash() != self.fitted.hash {
            return Err(Box::new(PipelineError::OtherState));
        }
        let snapshot: Snapshot = if envelope.header().schema_version() < VERSION {
            envelope.decode::<SnapshotOfTwo>()?.into()
        } else {
            envelope.decode()?
        };
        snapshot.check_contexts()?;
        let mut table = (*self.fitted.empty).clone();
        table.restore(&snapshot)?;
        Ok(table)
    }

    fn saved(&self) -> Result<Vec<u8>, AnyError> {
        let snapshot = self.table.snapshot();
        Ok(Envelope::encode(
            KIND,
            VERSION,
            self.fitted.hash,
            &snapshot,
        )?)
    }
}

fn transaction<'i>(input: &StageInput<'i>) -> Result<&'i Transaction, PipelineError> {
    input.transaction.ok_or(PipelineError::RecordNeeded)
}

impl StageState for SequenceState {
    fn record(&mut self, input: &StageInput<'_>) -> Result<(), StageError> {
        self.take(input).map_err(|error| self.fitted.failed(error))
    }

    /// Labels change no state.
    fn feedback(&mut self, _feedback: &Feedback) -> Result<(), StageError> {
        Ok(())
    }

    fn forget(&mut self, entity: &EntityKey) -> bool {
        // A table that is shared is not copied for a user that it does not know.
        if entity.kind != EntityKind::User || !self.table.contains(&entity.id) {
            return false;
        }
        self.scratch.get_mut().stepped = None;
        Arc::make_mut(&mut self.table).forget(&entity.id)
    }

    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        self.saved().map_err(|error| self.fitted.failed(error))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        let table = self.restored(snapshot);
        let table = table.map_err(|error| self.fitted.failed(error))?;
        self.scratch.get_mut().stepped = None;
        self.table = Arc::new(table);
        Ok(())
    }

    fn fork(&self) -> Option<Box<dyn StageState>> {
        Some(Box::new(Self {
            fitted: Arc::clone(&self.fitted),
            table: Arc::clone(&self.table),
            scratch: RefCell::new(Scratch::new(&self.fitted)),
        }))
    }

    fn newest(&self) -> Option<Timestamp> {
        self.table.now()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
