//! What a detector remembers of past events.

use crate::PipelineError;
use crate::answers::Answers;
use crate::model::DetectorModel;
use dafu_core::{EntityKey, Feedback, StageInput, StageState, Transaction};
use dafu_features::FeatureEngine;
use std::sync::Arc;

/// The memory of one writer.
///
/// This is what a snapshot holds: `engine` (which an evaluation begins with after a restore, too), the states of the
/// stages in order, each through [`StageState::snapshot`], and the answers. It goes beside the saved model, not into
/// it.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) states: Vec<Box<dyn StageState>>,
    pub(crate) answers: Answers,
    engine: Option<Arc<FeatureEngine>>,
    /// The engine at the end of the history, or as it was restored: evaluations begin with it. Shared with `engine`
    /// until an event comes.
    trained: Option<Arc<FeatureEngine>>,
}

impl Memory {
    /// The memory at the end of a history, through which the engine has gone; one without an engine knows nothing.
    pub(crate) fn new(model: &DetectorModel, engine: Option<FeatureEngine>) -> Self {
        let remembered = usize::try_from(model.facts.remembered).unwrap_or(usize::MAX);
        let fresh = || {
            model
                .features
                .as_ref()
                .map(crate::features::Features::fresh)
        };
        let engine = engine.or_else(fresh).map(Arc::new);
        Self {
            states: model.new_states(),
            answers: Answers::new(remembered),
            trained: engine.clone(),
            engine,
        }
    }

    pub(crate) fn engine(&self) -> Option<&FeatureEngine> {
        self.engine.as_deref()
    }

    pub(crate) fn trained(&self) -> Option<&FeatureEngine> {
        self.trained.as_deref()
    }

    /// The features of an event, of which the engine takes note.
    pub(crate) fn observe(
        &mut self,
        transaction: &Transaction,
    ) -> Result<Option<Vec<f64>>, PipelineError> {
        let Some(engine) = &mut self.engine else {
            return Ok(None);
        };
        let observed = Arc::make_mut(engine).observe(transaction)?;
        Ok(Some(observed.row.values().to_vec()))
    }

    /// The features that an event would have.
    pub(crate) fn peek(
        &self,
        transaction: &Transaction,
    ) -> Result<Option<Vec<f64>>, PipelineError> {
        let Some(engine) = &self.engine else {
            return Ok(None);
        };
        let mut row = vec![f64::NAN; engine.schema().width()];
        engine.peek(transaction, &mut row)?;
        Ok(Some(row))
    }

    /// The states of the stages take an event.
    pub(crate) fn record(&mut self, input: &StageInput<'_>) -> Result<(), PipelineError> {
        for state in &mut self.states {
            state.record(input)?;
        }
        Ok(())
    }

    /// Stages and engine take a label. Returns whether the engine knows the transaction.
    pub(crate) fn feedback(&mut self, feedback: &Feedback) -> Result<bool, PipelineError> {
        for state in &mut self.states {
            state.feedback(feedback)?;
        }
        Ok(self.engine.as_mut().is_some_and(|engine| {
            let engine = Arc::make_mut(engine);
            engine.label_by_id(&feedback.transaction_id, feedback.label, feedback.known_at)
        }))
    }

    /// Stages, engines and answers forget an entity. Returns whether anything was held of it.
    pub(crate) fn forget(&mut self, entity: &EntityKey) -> bool {
        let mut held = self.answers.forget(entity);
        for state in &mut self.states {
            held |= state.forget(entity);
        }
        // One engine stays one, and is not copied.
        let trained = self.trained.take();
        let shared = match (&self.engine, &trained) {
            (Some(engine), Some(trained)) => Arc::ptr_eq(engine, trained),
            _ => false,
        };
        let other = trained.filter(|_| !shared);
        let mut forget = |mut engine: Arc<FeatureEngine>| {
            held |= Arc::make_mut(&mut engine).forget(entity);
            engine
        };
        self.engine = self.engine.take().map(&mut forget);
        self.trained = if shared {
            self.engine.clone()
        } else {
            other.map(forget)
        };
        held
    }
}
