//! The fitted detector: an immutable model and the memory of one writer.

use crate::answers::Answers;
use crate::evaluate::{EvaluateOptions, Sink};
use crate::model::{DetectorModel, with_roles};
use crate::reasons::assessment;
use crate::{DetectorBuilder, PipelineError};
use dafu_core::{
    Assessment, Evaluation, FeatureRow, Role, Score, SourceError, StageInput, StageState, Table,
    TableSource, Transaction, TransactionId,
};
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
    states: Vec<Box<dyn StageState>>,
    answers: Answers,
}

impl Detector {
    /// Starts a builder with defaults.
    pub fn builder() -> DetectorBuilder {
        DetectorBuilder::default()
    }

    /// A detector without memory of past events around a model.
    pub fn from_model(model: Arc<DetectorModel>) -> Self {
        let states = model.new_states();
        let remembered = usize::try_from(model.facts.remembered).unwrap_or(usize::MAX);
        Self {
            model,
            states,
            answers: Answers::new(remembered),
        }
    }

    /// The model.
    pub fn model(&self) -> &Arc<DetectorModel> {
        &self.model
    }

    /// Scores a transaction and records it.
    ///
    /// The same transaction again (same id, same content) gets the first answer and is recorded once. Answers are
    /// remembered for the last [`DetectorBuilder::remembered`] transactions.
    ///
    /// # Errors
    ///
    /// [`PipelineError::Conflict`] for an id that came before with other content; otherwise as a stage or the
    /// preprocessor fails. Then no answer is remembered; where a stage's memory failed, those of the stages before it
    /// have taken the event.
    ///
    /// # Complexity
    ///
    /// O(features) plus what the stages cost.
    pub fn score(&mut self, transaction: &Transaction) -> Result<Assessment, PipelineError> {
        if let Some(answer) = self.answered(transaction)? {
            return Ok(answer);
        }
        let row = self.features_of(transaction)?;
        let answer = self.assess(transaction, &row)?;
        let input = StageInput {
            row: FeatureRow::new(self.model.schema(), &row)?,
            transaction: Some(transaction),
            explain: false,
        };
        for state in &mut self.states {
            state.record(&input)?;
        }
        self.answers.remember(transaction.content_hash(), &answer);
        Ok(answer)
    }

    /// Scores a transaction without recording it.
    ///
    /// # Errors
    ///
    /// As [`Detector::score`].
    pub fn peek(&self, transaction: &Transaction) -> Result<Assessment, PipelineError> {
        if let Some(answer) = self.answered(transaction)? {
            return Ok(answer);
        }
        self.assess(transaction, &self.features_of(transaction)?)
    }

    fn answered(&self, transaction: &Transaction) -> Result<Option<Assessment>, PipelineError> {
        let Some((first, answer)) = self.answers.find(&transaction.transaction_id) else {
            return Ok(None);
        };
        let second = transaction.content_hash();
        if *first == second {
            return Ok(Some(answer.clone()));
        }
        let id = transaction.transaction_id.to_string();
        Err(PipelineError::Conflict {
            id,
            first: *first,
            second,
        })
    }

    fn features_of(&self, transaction: &Transaction) -> Result<Vec<f64>, PipelineError> {
        let inputs = self.model.inputs.iter().map(|(name, role)| (name, *role));
        let table = Table::from_transactions_like(inputs, std::slice::from_ref(transaction));
        let mut row = vec![0.0; self.model.schema().width()];
        self.model.preprocessor.transform_row(&table, 0, &mut row)?;
        Ok(row)
    }

    fn assess(&self, transaction: &Transaction, row: &[f64]) -> Result<Assessment, PipelineError> {
        let (evidence, risk) = self.model.evaluate(row, Some(transaction), &self.states)?;
        assessment(
            &self.model,
            transaction.transaction_id.clone(),
            row,
            (evidence, risk),
        )
    }

    /// The risk of every row of a table, in order. The memory of this detector is neither read nor changed.
    ///
    /// # Errors
    ///
    /// As [`DetectorModel::score_table`].
    pub fn score_table(&self, table: &Table) -> Result<Vec<Score>, PipelineError> {
        self.model.score_table(table)
    }

    /// Full assessments, with reasons, of some rows of a table, each as if nothing had come before. A row without a
    /// transaction id, or with one that is not allowed, gets the id `row-` and its record number.
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
        let table = table.select(rows);
        let tagged = with_roles(&table, &self.model.roles)?;
        let features = self.model.preprocessor.transform(&tagged)?;
        let records = self.model.records(&tagged)?;
        let ids = table
            .by_role(Role::TransactionId)
            .and_then(|column| column.texts());
        let states = self.model.new_states();
        (0..rows.len())
            .map(|row| {
                let given = ids
                    .and_then(|ids| ids.at(row))
                    .and_then(|id| TransactionId::new(id).ok());
                let id = match given {
                    Some(id) => id,
                    None => TransactionId::new(format!("row-{}", table.row_numbers()[row]))?,
                };
                let values = features.row(row)?.values().to_vec();
                let found = self.model.evaluate(
                    &values,
                    records.as_ref().map(|records| &records[row]),
                    &states,
                )?;
                assessment(&self.model, id, &values, found)
            })
            .collect()
    }

    /// Judges a source with labels, or shows what would be flagged without. Nothing is recorded.
    ///
    /// Whether the figures are in-sample is found out from event times: they are when a judged row is no later than
    /// the end of training, or when there are no times to tell.
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
    /// [`PipelineError`] when the source cannot be read, a column is missing, or `sink` fails.
    ///
    /// # Complexity
    ///
    /// One pass over the source; memory as [`dafu_core::evaluation::EvaluationBuilder`], whatever the number of
    /// rows.
    pub fn evaluate_with<S: TableSource + ?Sized>(
        &self,
        source: &S,
        options: &EvaluateOptions<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Evaluation, PipelineError> {
        crate::evaluate::evaluate(&self.model, &source, options, sink)
    }
}

/// For sinks: any error, as the error of a source.
impl From<PipelineError> for SourceError {
    fn from(error: PipelineError) -> Self {
        Self::new(error)
    }
}
