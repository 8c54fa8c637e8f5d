//! What a detector remembers of past events.

use crate::PipelineError;
use crate::answers::Answers;
use crate::features::{first_time, goes_on, lateness};
use crate::model::DetectorModel;
use dafu_core::{EntityKey, Feedback, Stage, StageInput, StageState, Table, Transaction};
use dafu_features::FeatureEngine;
use std::sync::Arc;

/// The memory of one writer.
///
/// This is what a snapshot holds: `engine` and the states of the stages in order (which an evaluation begins with after a
/// restore, too), each through [`StageState::snapshot`], and the answers. It goes beside the saved model, not into it.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) states: Vec<Box<dyn StageState>>,
    pub(crate) answers: Answers,
    engine: Option<Arc<FeatureEngine>>,
    /// The engine at the end of the history, or as it was restored: evaluations begin with it. Shared with `engine`
    /// until an event comes.
    trained: Option<Arc<FeatureEngine>>,
    /// The states then, of those stages whose states can be copied.
    trained_states: Vec<Option<Box<dyn StageState>>>,
}

/// What is remembered of past events, for the rows of tables to go on from.
#[derive(Debug, Default)]
pub(crate) struct Past<'m> {
    engine: Option<&'m FeatureEngine>,
    /// Of the stages in order; `None` of one whose states cannot be copied.
    states: Vec<Option<&'m dyn StageState>>,
}

/// A memory that goes through the rows of a source.
pub(crate) type Running = (Option<FeatureEngine>, Vec<Box<dyn StageState>>);

impl Past<'_> {
    /// A copy for the rows of a source, whose first table is given. Without a memory begins what knows later events
    /// already, and what cannot be copied.
    pub(crate) fn begin(&self, model: &DetectorModel, first: &Table) -> Running {
        let features = model.features.as_ref();
        let late = features.map_or(0, |features| lateness(features.set()));
        let time = first_time(first);
        let stages = model.stages().enumerate();
        let state = |(at, stage): (usize, &dyn Stage)| {
            let held = self.states.get(at).copied().flatten();
            let held = held.filter(|state| goes_on(state.newest(), time, late));
            let forked = held.and_then(StageState::fork);
            forked.unwrap_or_else(|| stage.new_state())
        };
        let states = stages.map(state).collect();
        let engine = features.map(|features| match self.engine {
            Some(engine) if goes_on(engine.newest(), time, late) => engine.clone(),
            _ => features.fresh(),
        });
        (engine, states)
    }
}

impl Memory {
    /// The memory at the end of a history, through which the engine and the states of the stages have gone; without an
    /// engine, one that knows nothing.
    pub(crate) fn new(
        model: &DetectorModel,
        engine: Option<FeatureEngine>,
        states: Vec<Box<dyn StageState>>,
    ) -> Self {
        let remembered = usize::try_from(model.facts.remembered).unwrap_or(usize::MAX);
        let fresh = || {
            model
                .features
                .as_ref()
                .map(crate::features::Features::fresh)
        };
        let engine = engine.or_else(fresh).map(Arc::new);
        Self {
            trained_states: states.iter().map(|state| state.fork()).collect(),
            states,
            answers: Answers::new(remembered),
            trained: engine.clone(),
            engine,
        }
    }

    pub(crate) fn engine(&self) -> Option<&FeatureEngine> {
        self.engine.as_deref()
    }

    /// As it is now.
    pub(crate) fn now(&self) -> Past<'_> {
        let states = self.states.iter();
        Past {
            engine: self.engine.as_deref(),
            states: states.map(|state| Some(&**state)).collect(),
        }
    }

    /// As it was at the end of the history, or when it was restored.
    pub(crate) fn trained(&self) -> Past<'_> {
        let states = self.trained_states.iter();
        Past {
            engine: self.trained.as_deref(),
            states: states.map(Option::as_deref).collect(),
        }
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
        let trained = self.trained_states.iter_mut().flatten();
        for state in self.states.iter_mut().chain(trained) {
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
