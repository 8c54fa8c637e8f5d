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
use dafu_sequence::native::StepScratch;
use dafu_sequence::stream::{StateTable, StreamSnapshot};
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Kind of the envelope around a memory. Its hash is that of the network.
const KIND: &str = "dafu.sequence_stage.memory";
const VERSION: u16 = 1;

type Table = StateTable<EntityId, EncoderState>;

/// The states of users, and room for one step.
pub(super) struct SequenceState {
    fitted: Arc<Fitted>,
    /// Shared with copies until an event comes; `None` while nobody is remembered.
    table: Option<Arc<Table>>,
    scratch: RefCell<Scratch>,
}

impl fmt::Debug for SequenceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.table.as_ref().map_or(0, |table| table.len());
        f.debug_struct("SequenceState")
            .field("stage", &self.fitted.name)
            .field("users", &users)
            .finish_non_exhaustive()
    }
}

struct Scratch {
    network: StepScratch,
    /// The state before an event, and after it.
    before: Vec<f32>,
    after: Vec<f32>,
    context: EncoderState,
    inputs: Inputs,
    others: Inputs,
}

impl Scratch {
    fn new(fitted: &Fitted) -> Self {
        let length = fitted.network.state_len();
        Self {
            network: fitted.network.scratch(),
            before: vec![0.0; length],
            after: vec![0.0; length],
            context: EncoderState::default(),
            inputs: Inputs::default(),
            others: Inputs::default(),
        }
    }

    /// Advances the state before the event by its inputs, or by the others.
    fn advance(&mut self, fitted: &Fitted, others: bool) -> Result<(), SequenceError> {
        let inputs = if others { &self.others } else { &self.inputs };
        self.after.copy_from_slice(&self.before);
        let network = &fitted.network;
        network.advance(inputs.numbers(), &mut self.after, &mut self.network)
    }

    fn log_odds(&mut self, fitted: &Fitted) -> f32 {
        fitted.network.answer(&self.after, &mut self.network)[0]
    }
}

impl SequenceState {
    pub(super) fn new(fitted: Arc<Fitted>) -> Self {
        Self {
            scratch: RefCell::new(Scratch::new(&fitted)),
            table: None,
            fitted,
        }
    }

    /// Whether it belongs to a stage.
    pub(super) fn is_of(&self, fitted: &Arc<Fitted>) -> bool {
        Arc::ptr_eq(&self.fitted, fitted)
    }

    /// An empty table.
    fn empty(&self) -> Result<Table, SequenceError> {
        StateTable::new(&self.fitted.memory, &self.fitted.network)
    }

    /// Advances the user's state by an event in the scratch.
    fn step(&self, input: &StageInput<'_>, scratch: &mut Scratch) -> Result<(), AnyError> {
        let transaction = transaction(input)?;
        let time = transaction.timestamp;
        match &self.table {
            Some(table) => {
                let user = &transaction.user_id;
                (scratch.context, _) = table.read(user, time, &mut scratch.before)?;
            }
            None => {
                scratch.before.fill(0.0);
                scratch.context = EncoderState::default();
            }
        }
        let row = input.row.to_slice();
        let (context, inputs) = (&mut scratch.context, &mut scratch.inputs);
        self.fitted.reader.read((&row, time), context, inputs)?;
        scratch.advance(&self.fitted, false)?;
        Ok(())
    }

    /// Log odds of an event, and what its features add to them where that is asked for.
    pub(super) fn judge(
        &self,
        input: &StageInput<'_>,
    ) -> Result<(f32, Vec<FeatureContribution>), AnyError> {
        let fitted = &*self.fitted;
        let scratch = &mut *self.scratch.borrow_mut();
        self.step(input, scratch)?;
        let log_odds = scratch.log_odds(fitted);
        if !input.explain {
            return Ok((log_odds, Vec::new()));
        }
        let mut contributions = vec![0.0; fitted.reader.width()];
        for (column, contribution) in contributions.iter_mut().enumerate() {
            let (inputs, others) = (&scratch.inputs, &mut scratch.others);
            if fitted.reader.as_usual(column, inputs, others) {
                scratch.advance(fitted, true)?;
                *contribution = f64::from(log_odds - scratch.log_odds(fitted));
            }
        }
        Ok((log_odds, FeatureContribution::of_row(&contributions)?))
    }

    fn take(&mut self, input: &StageInput<'_>) -> Result<(), AnyError> {
        self.step(input, &mut self.scratch.borrow_mut())?;
        let transaction = transaction(input)?;
        let mut table = match self.table.take() {
            Some(table) => table,
            None => Arc::new(self.empty()?),
        };
        let scratch = self.scratch.get_mut();
        Arc::make_mut(&mut table).keep(
            &transaction.user_id,
            transaction.timestamp,
            (&scratch.after, scratch.context),
        )?;
        self.table = Some(table);
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
        let snapshot: StreamSnapshot<EntityId, EncoderState> = envelope.decode()?;
        let mut table = self.empty()?;
        table.restore(&snapshot)?;
        Ok(table)
    }

    fn saved(&self) -> Result<Vec<u8>, AnyError> {
        let snapshot = match &self.table {
            Some(table) => table.snapshot(),
            None => self.empty()?.snapshot(),
        };
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
        let Some(table) = &mut self.table else {
            return false;
        };
        // A table that is shared is not copied for a user that it does not know.
        let known = table.contains(&entity.id);
        known && entity.kind == EntityKind::User && Arc::make_mut(table).forget(&entity.id)
    }

    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        self.saved().map_err(|error| self.fitted.failed(error))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        let table = self.restored(snapshot);
        let table = table.map_err(|error| self.fitted.failed(error))?;
        self.table = Some(Arc::new(table));
        Ok(())
    }

    fn fork(&self) -> Option<Box<dyn StageState>> {
        Some(Box::new(Self {
            fitted: Arc::clone(&self.fitted),
            table: self.table.clone(),
            scratch: RefCell::new(Scratch::new(&self.fitted)),
        }))
    }

    fn newest(&self) -> Option<Timestamp> {
        self.table.as_ref()?.now()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
