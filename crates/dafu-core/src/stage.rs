//! The edge of the pipeline: object-safe stages.

use crate::{
    Dataset, EntityKey, Evidence, FeatureRow, Label, Progress, RuleRecord, Timestamp, Transaction,
    TransactionId,
};
use std::any::Any;
use std::error::Error;
use std::fmt;

/// What a stage learns from: rows of features in time order, with what is known about them.
#[derive(Clone, Copy)]
pub struct History<'a> {
    /// Feature rows with labels, weights and times where known. Labels are only those known at the end of the
    /// history.
    pub dataset: &'a Dataset,
    /// The records behind the rows, one a row, where the source has records.
    pub transactions: Option<&'a [Transaction]>,
    /// Rows that the dataset was drawn from: more than its own rows where it is a sample.
    pub population: u64,
    /// Seed for everything random.
    pub seed: u64,
    /// Told how far fitting has come.
    pub progress: &'a dyn Progress,
}

impl fmt::Debug for History<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("rows", &self.dataset.rows())
            .field("population", &self.population)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// One event as a stage sees it.
#[derive(Debug, Clone, Copy)]
pub struct StageInput<'a> {
    /// The features of the event.
    pub row: FeatureRow<'a>,
    /// The record, where there is one.
    pub transaction: Option<&'a Transaction>,
    /// Whether contributions and reasons are wanted.
    pub explain: bool,
}

/// A label or an outcome that became known later.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The label.
    pub label: Label,
    /// When it became known, in event time.
    pub known_at: Timestamp,
}

/// The typed error of a stage, behind the object-safe edge. `source()` gives the stage's own error back.
#[derive(Debug, thiserror::Error)]
#[error("stage {stage:?}: {source}")]
pub struct StageError {
    /// Name of the stage.
    pub stage: String,
    /// The stage's own error.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl StageError {
    /// Wraps the error of a stage.
    pub fn new(stage: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            stage: stage.into(),
            source: source.into(),
        }
    }
}

/// A stage before fitting: parameters and a name. Object-safe.
pub trait StageSpec: Send + Sync + fmt::Debug {
    /// Name of the stage, unique in its pipeline.
    fn name(&self) -> &str;

    /// Whether the stage needs the records behind the rows: [`History::transactions`] while fitting. A history that
    /// does not hold transactions is then an error. Default: no, features are enough.
    fn needs_records(&self) -> bool {
        false
    }

    /// Whether the stage learns from labels: [`Dataset::labels`](crate::Dataset::labels) of the history. It is left out
    /// where there are none to learn from. Default: no.
    fn needs_labels(&self) -> bool {
        false
    }

    /// Whether the stage learns from how the rows of a user follow one another. Of a history with more rows than are
    /// learned from, all rows of some users are taken then. Default: no, and rows are taken one by one.
    fn needs_sequences(&self) -> bool {
        false
    }

    /// Learns the stage; called once for every time fold.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError>;
}

/// A fitted, immutable stage. Object-safe.
pub trait Stage: Send + Sync + fmt::Debug {
    /// Name of the stage.
    fn name(&self) -> &str;

    /// Kind of the saved model, the key of the [`StageRegistry`](crate::StageRegistry).
    fn kind(&self) -> &'static str;

    /// Whether the stage needs the record behind every row, [`StageInput::transaction`], also when a table is scored.
    /// Default: no, features are enough.
    fn needs_records(&self) -> bool {
        false
    }

    /// What the stage says about one event, given its state. Cost: no step over past events.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn evaluate(
        &self,
        input: &StageInput<'_>,
        state: &dyn StageState,
    ) -> Result<Evidence, StageError>;

    /// What its rules said, for a stage that has some. Default: nothing.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn rule_record(&self, input: &StageInput<'_>) -> Result<RuleRecord, StageError> {
        let _ = input;
        Ok(RuleRecord::default())
    }

    /// Scores the rows of a dataset into the caller's slice, for stages whose answer depends on the row alone.
    /// The same bits as [`Stage::evaluate`] row by row; `None` when the stage needs its state, and the caller has to
    /// go event by event.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn score_dataset(&self, dataset: &Dataset, out: &mut [f64]) -> Option<Result<(), StageError>> {
        let _ = (dataset, out);
        None
    }

    /// An empty state for this stage. After fitting it is led through the events of the history, in order of time.
    fn new_state(&self) -> Box<dyn StageState> {
        Box::new(NoState)
    }

    /// The saved model: an envelope that the registry's decoder for [`Stage::kind`] reads back.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn save(&self) -> Result<Vec<u8>, StageError>;
}

/// What a stage remembers of past events. Single writer. Object-safe.
pub trait StageState: Send + fmt::Debug {
    /// Takes an event into the memory, after it was evaluated.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn record(&mut self, input: &StageInput<'_>) -> Result<(), StageError>;

    /// Takes a label that became known.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn feedback(&mut self, feedback: &Feedback) -> Result<(), StageError>;

    /// Forgets an entity; returns whether anything was held of it.
    fn forget(&mut self, entity: &EntityKey) -> bool;

    /// The memory as bytes, so that [`StageState::restore`] continues with equal answers.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped.
    fn snapshot(&self) -> Result<Vec<u8>, StageError>;

    /// Replaces the memory by a snapshot.
    ///
    /// # Errors
    ///
    /// The stage's own error, wrapped; the memory is then as before.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError>;

    /// A copy that goes on by itself: for the rows of a table that are scored as if they came next. Default: `None`, and
    /// such rows begin without a memory.
    fn fork(&self) -> Option<Box<dyn StageState>> {
        None
    }

    /// Time of the newest event in the memory: rows of a table that begins before it are scored without, since what was
    /// known then is gone. Default: `None`, as for a memory without events.
    fn newest(&self) -> Option<Timestamp> {
        None
    }

    /// For the stage to find its own type again.
    fn as_any(&self) -> &dyn Any;
}

/// The state of a stage that remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoState;

impl StageState for NoState {
    fn record(&mut self, _input: &StageInput<'_>) -> Result<(), StageError> {
        Ok(())
    }

    fn feedback(&mut self, _feedback: &Feedback) -> Result<(), StageError> {
        Ok(())
    }

    fn forget(&mut self, _entity: &EntityKey) -> bool {
        false
    }

    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        Ok(Vec::new())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        if snapshot.is_empty() {
            Ok(())
        } else {
            let source = format!(
                "a stage without memory got a snapshot of {} bytes",
                snapshot.len()
            );
            Err(StageError::new("no state", source))
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
