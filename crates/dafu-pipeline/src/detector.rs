//! The fitted detector: an immutable model and the memory of one writer.

use crate::evaluate::{EvaluateOptions, Sink};
use crate::memory::Memory;
use crate::model::{DetectorModel, with_roles};
use crate::reasons::assessment;
use crate::{DetectorBuilder, PipelineError, snapshot};
use dafu_core::{
    Assessment, EntityKey, Evaluation, FeatureRow, Feedback, Role, Score, SourceError, StageInput,
    StageState, Table, TableSource, Transaction, TransactionId,
};
use dafu_features::FeatureEngine;
use std::sync::Arc;

/// Scores transactions. Made by [`Trainer::fit`](crate::Trainer::fit), or from a saved one by [`Detector::load`].
///
/// The model is immutable and shared; the memory of past events belongs to this detector alone.
///
/// Determinism: the same events in the same order give the same bits, on every machine and any number of threads. No
/// clock is read.
#[derive(Debug)]
pub struct Detector {
    model: Arc<DetectorModel>,
    memory: Memory,
}

impl Detector {
    /// Starts a builder with defaults.
    pub fn builder() -> DetectorBuilder {
        DetectorBuilder::default()
    }

    /// A detector without memory of past events around a model.
    pub fn from_model(model: Arc<DetectorModel>) -> Self {
        let states = model.new_states();
        Self::with_memory(model, None, states)
    }

    /// A detector whose engine and stages have gone through a history.
    pub(crate) fn with_memory(
        model: Arc<DetectorModel>,
        engine: Option<FeatureEngine>,
        states: Vec<Box<dyn StageState>>,
    ) -> Self {
        let memory = Memory::new(&model, engine, states);
        Self { model, memory }
    }

    /// The model.
    pub fn model(&self) -> &Arc<DetectorModel> {
        &self.model
    }

    /// The engine behind the features of past events, where the detector has a set of them: counts of late events,
    /// duplicates and labels without a transaction, and the size of its memory.
    pub fn engine(&self) -> Option<&FeatureEngine> {
        self.memory.engine()
    }

    /// Scores a transaction and records it.
    ///
    /// The same transaction again (same id, same content) gets the first answer and is recorded once. Answers are
    /// remembered for the last [`DetectorBuilder::remembered`] transactions.
    ///
    /// With [`DetectorBuilder::features`], events may come late as the set's
    /// [`Lateness`](dafu_features::Lateness) says: within its bound they are inserted at their time; later ones are
    /// scored by what is still known of their time, and later features do not know them. The first event after fitting
    /// copies the memory of features, since [`Detector::evaluate`] goes on from where the history ends.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Conflict`] for an id that came before with other content; otherwise as the preprocessor, the
    /// set of features or a stage fails. Then no answer is remembered.
    ///
    /// A record that the preprocessor or the set refuses leaves no trace. Where a stage fails, the features have taken
    /// the event, which happened after all: the same transaction again has the same features and is counted once there,
    /// for as long as [`FeatureSet::duplicates_within`](dafu_features::FeatureSet::duplicates_within) says. Where a
    /// stage's memory failed, those of the stages before it have taken it, too.
    ///
    /// # Complexity
    ///
    /// O(features) plus what the stages cost.
    pub fn score(&mut self, transaction: &Transaction) -> Result<Assessment, PipelineError> {
        if let Some(answer) = self.answered(transaction)? {
            return Ok(answer);
        }
        let source = self.model.source_table(transaction)?;
        let of_set = self.memory.observe(transaction)?;
        let row = self.model.row(&source, of_set.as_deref())?;
        let answer = self.assess(transaction, &row)?;
        self.memory.record(&StageInput {
            row: FeatureRow::new(self.model.schema(), &row)?,
            transaction: Some(transaction),
            explain: false,
        })?;
        self.memory.answers.remember(transaction, &answer);
        Ok(answer)
    }

    /// Scores a transaction without recording it.
    ///
    /// # Errors
    ///
    /// As [`Detector::score`].
    ///
    /// # Complexity
    ///
    /// As [`Detector::score`], and linear in the events that the set of features remembers of the entities of the
    /// transaction.
    pub fn peek(&self, transaction: &Transaction) -> Result<Assessment, PipelineError> {
        if let Some(answer) = self.answered(transaction)? {
            return Ok(answer);
        }
        let source = self.model.source_table(transaction)?;
        let of_set = self.memory.peek(transaction)?;
        let row = self.model.row(&source, of_set.as_deref())?;
        self.assess(transaction, &row)
    }

    /// Takes a label that became known: the memories of the stages, and features of transactions from
    /// [`Feedback::known_at`] on. Answers that were given stay as they are.
    ///
    /// Returns whether the features know the transaction, which is to be among the last
    /// [`StateLimits::remembered_transactions`](dafu_features::StateLimits::remembered_transactions), scored or of the
    /// history; false for a detector without a set of features. Where it does not, the label is counted in
    /// [`EngineStats::unmatched`](dafu_features::EngineStats::unmatched).
    ///
    /// # Errors
    ///
    /// As a stage fails; then the stages before it have taken the label.
    pub fn feedback(&mut self, feedback: &Feedback) -> Result<bool, PipelineError> {
        self.memory.feedback(feedback)
    }

    /// Forgets an entity. Returns whether anything was held of it.
    ///
    /// - Features, also those that [`Detector::evaluate`] begins with, forget as
    ///   [`FeatureEngine::forget`]: everything under the entity's key and under every pair that it is part of. To them
    ///   its next transaction is its first. Its events stay in the windows of others, such as those of its merchants.
    /// - Answers to transactions that name it are no longer remembered.
    /// - Stages forget what their [`StageState::forget`](dafu_core::StageState::forget) forgets.
    ///
    /// What fitting learned stays, and so do snapshots that were taken before: take a new one.
    ///
    /// # Complexity
    ///
    /// Linear in the entities and answers that are remembered.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use dafu_core::{EntityKey, EntityKind};
    /// use dafu_features::FeatureSet;
    /// use dafu_pipeline::Detector;
    ///
    /// # let simulator = dafu_sim::SimulatorParams::default().days(20).users(50).seed(7).simulator()?;
    /// # let history: Vec<_> = simulator.collect();
    /// # #[cfg(feature = "iforest")] {
    /// let trainer = Detector::builder().features(FeatureSet::standard()).seed(1).build()?;
    /// let mut detector = trainer.fit(&history)?;
    /// let user = EntityKey { kind: EntityKind::User, id: history[0].user_id.clone() };
    /// assert!(detector.forget(&user));
    /// assert!(!detector.forget(&user), "nothing is left");
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn forget(&mut self, entity: &EntityKey) -> bool {
        self.memory.forget(entity)
    }

    /// The memory of past events as bytes: of the features, of the stages, and the remembered answers. It belongs to
    /// the saved model ([`Detector::to_bytes`]) and is kept beside it. The same memory gives the same bytes, where that
    /// holds of the stages.
    ///
    /// Handle it as the data that it comes from: as they are it holds the ids of transactions that were answered, the
    /// values in their reasons, amounts, and places and internet addresses that the features remember. Entities are
    /// hashes in it, but for what stages keep.
    ///
    /// # Errors
    ///
    /// When the memory of the features or of a stage cannot be encoded.
    ///
    /// # Complexity
    ///
    /// Linear in what is remembered. An answer takes about 2 kB with the standard set and one forest, which is most of a
    /// snapshot: [`DetectorBuilder::remembered`] says how many there are.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use dafu_core::model::Limits;
    /// use dafu_features::FeatureSet;
    /// use dafu_pipeline::{Detector, stage_registry};
    ///
    /// # let simulator = dafu_sim::SimulatorParams::default().days(20).users(50).seed(7).simulator()?;
    /// # let history: Vec<_> = simulator.collect();
    /// # #[cfg(feature = "iforest")] {
    /// let (past, today) = history.split_at(history.len() - 2);
    /// let trainer = Detector::builder().features(FeatureSet::standard()).seed(1).build()?;
    /// let mut detector = trainer.fit(past)?;
    /// detector.score(&today[0])?;
    /// let (model, memory) = (detector.to_bytes()?, detector.snapshot()?);
    ///
    /// // After a restart.
    /// let mut restarted = Detector::load(&model, &stage_registry(Limits::default()))?;
    /// restarted.restore(&memory)?;
    /// assert_eq!(restarted.score(&today[1])?, detector.score(&today[1])?);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&self) -> Result<Vec<u8>, PipelineError> {
        snapshot::encode(&self.model, &self.memory)
    }

    /// Puts a snapshot in the place of the memory, trusting nothing in its bytes. What is scored then comes out the
    /// same bits as if the detector that gave it had gone on, but for what [`FeatureEngine::restore`] says of the
    /// budget. [`Detector::evaluate`] begins with what was restored. After an error the memory is as before.
    ///
    /// # Errors
    ///
    /// [`PipelineError::OtherModel`] for the memory of a detector with another model; [`PipelineError::Model`],
    /// [`PipelineError::Features`] and [`PipelineError::Stage`] for bytes that are no intact memory.
    ///
    /// # Complexity
    ///
    /// Linear in the bytes. The memory before is held until the new one is whole.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use dafu_pipeline::{Detector, PipelineError};
    ///
    /// # let simulator = dafu_sim::SimulatorParams::default().days(20).users(50).seed(7).simulator()?;
    /// # let history: Vec<_> = simulator.collect();
    /// # #[cfg(feature = "iforest")] {
    /// let mut detector = Detector::builder().seed(1).build()?.fit(&history)?;
    /// let memory = detector.snapshot()?;
    /// let answer = detector.score(&history[0])?;
    /// detector.restore(&memory)?;
    /// assert_eq!(detector.score(&history[0])?, answer);
    ///
    /// let mut other = Detector::builder().seed(2).build()?.fit(&history)?;
    /// assert!(matches!(other.restore(&memory), Err(PipelineError::OtherModel { .. })));
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        self.memory = snapshot::decode(&self.model, bytes)?;
        Ok(())
    }

    fn answered(&self, transaction: &Transaction) -> Result<Option<Assessment>, PipelineError> {
        let Some(answer) = self.memory.answers.find(&transaction.transaction_id) else {
            return Ok(None);
        };
        let (first, second) = (answer.content_hash, transaction.content_hash());
        if first == second {
            return Ok(Some(answer.assessment.clone()));
        }
        let id = transaction.transaction_id.to_string();
        Err(PipelineError::Conflict { id, first, second })
    }

    fn assess(&self, transaction: &Transaction, row: &[f64]) -> Result<Assessment, PipelineError> {
        let (evidence, risk) = self
            .model
            .evaluate(row, Some(transaction), &self.memory.states)?;
        let mut assessment = assessment(
            &self.model,
            transaction.transaction_id.clone(),
            row,
            Some(transaction.amount.major()),
            (evidence, risk),
        )?;
        self.model
            .apply_rules(&mut assessment, row, Some(transaction))?;
        Ok(assessment)
    }

    /// The risk of every row of a table, in order. The memory of this detector is not changed.
    ///
    /// Features of past events, and stages whose states can be copied
    /// ([`StageState::fork`](dafu_core::StageState::fork)), go on from a copy of this detector's memory, as if the rows
    /// came now, in order of time; a table that begins before the newest event that the memory knows (by more than the
    /// set's bound for late events) begins without one, since the memory as it was at that time is gone. Other stages
    /// with a memory begin without one.
    ///
    /// # Errors
    ///
    /// As [`DetectorModel::score_table`].
    pub fn score_table(&self, table: &Table) -> Result<Vec<Score>, PipelineError> {
        self.model.score_table_from(table, &self.memory.now())
    }

    /// Full assessments, with reasons, of some rows of a table. A row without a transaction id, or with one that is not
    /// allowed, gets the id `row-` and its record number.
    ///
    /// Features of past events and what stages remember are those of [`Detector::score_table`]: the whole table is gone
    /// through where there are any, and the risks are the same.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Row`] past the end of the table; otherwise as [`DetectorModel::score_table`].
    pub fn assess_table(
        &self,
        table: &Table,
        rows: &[usize],
    ) -> Result<Vec<Assessment>, PipelineError> {
        if let Some(&row) = rows.iter().find(|&&row| row >= table.rows()) {
            return Err(PipelineError::Row {
                row,
                rows: table.rows(),
            });
        }
        let tagged = with_roles(table, &self.model.roles)?;
        let (mut engine, mut states) = self.memory.now().begin(&self.model, &tagged);
        let whole = engine.is_some() || self.model.remembers();
        let picked;
        let (tagged, places): (&Table, Vec<usize>) = if whole {
            (&tagged, rows.to_vec())
        } else {
            picked = tagged.select(rows);
            (&picked, (0..rows.len()).collect())
        };
        let features = self.model.rows(tagged, engine.as_mut())?;
        let records = self.model.records(tagged)?;
        let found =
            self.model
                .evaluate_rows(&features, records.as_deref(), &mut states, &places)?;
        let ids = tagged
            .by_role(Role::TransactionId)
            .and_then(|column| column.texts());
        let amounts = tagged
            .by_role(Role::Amount)
            .and_then(|column| column.numbers());
        let found = places.into_iter().zip(found);
        found
            .map(|(row, found)| {
                let given = ids
                    .and_then(|ids| ids.at(row))
                    .and_then(|id| TransactionId::new(id).ok());
                let id = match given {
                    Some(id) => id,
                    None => TransactionId::new(format!("row-{}", tagged.row_numbers()[row]))?,
                };
                let values = features.row(row)?.values().to_vec();
                let amount = amounts.and_then(|amounts| amounts.get(row).copied());
                let mut assessment = assessment(&self.model, id, &values, amount, found)?;
                let record = records.as_ref().and_then(|records| records.get(row));
                self.model.apply_rules(&mut assessment, &values, record)?;
                Ok(assessment)
            })
            .collect()
    }

    /// Judges a source with labels, or shows what would be flagged without. Nothing is recorded.
    ///
    /// Whether the figures are in-sample is found out from event times: they are when a judged row is no later than
    /// the end of training, or when there are no times to tell.
    ///
    /// With [`DetectorBuilder::features`], every row has the features as of its own time. They go on from the memory at
    /// the end of the history that was learned from, or after [`Detector::restore`] from the memory that was restored,
    /// whatever was scored since and without what [`Detector::forget`] forgot; a source that begins before that end
    /// (by more than the set's bound for late events) is gone through without any memory of what came before it, as
    /// when learning. The rows are taken, and handed on, in order of time.
    ///
    /// # Errors
    ///
    /// As [`Detector::evaluate_with`].
    pub fn evaluate<S: TableSource + ?Sized>(
        &self,
        source: &S,
    ) -> Result<Evaluation, PipelineError> {
        self.evaluate_with(source, &EvaluateOptions::default(), &mut |_, _| Ok(()))
    }

    /// As [`Detector::evaluate`], handing every scored chunk on, for exports.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] when the source cannot be read, a column is missing, or `sink` fails; with a set of features
    /// also for rows without a time, and [`PipelineError::MissingRole`].
    ///
    /// # Complexity
    ///
    /// One pass over the source; memory as [`dafu_core::evaluation::EvaluationBuilder`], whatever the number of
    /// rows. With a set of features a further pass to see whether rows are in order of time, what
    /// [`TimeSorted`](dafu_features::TimeSorted) takes where they are not, and a copy of the features' memory.
    pub fn evaluate_with<S: TableSource + ?Sized>(
        &self,
        source: &S,
        options: &EvaluateOptions<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Evaluation, PipelineError> {
        crate::evaluate::evaluate(&self.model, &self.memory.trained(), &source, options, sink)
    }
}

/// For sinks: any error, as the error of a source.
impl From<PipelineError> for SourceError {
    fn from(error: PipelineError) -> Self {
        Self::new(error)
    }
}
