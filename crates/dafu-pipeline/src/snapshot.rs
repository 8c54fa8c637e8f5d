//! The memory of a detector as bytes.

use crate::PipelineError;
use crate::answers::Answer;
use crate::memory::Memory;
use crate::model::DetectorModel;
use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Limits, ModelError};
use serde::{Deserialize, Serialize};

/// Kind of the envelope around a memory. Its hash is that of the model.
const KIND: &str = "dafu.detector.memory";
const VERSION: u16 = 1;

/// `A`: an [`Answer`], or one borrowed.
#[derive(Serialize, Deserialize)]
struct Saved<A> {
    /// The features' own snapshot.
    engine: Option<Vec<u8>>,
    /// One a stage.
    states: Vec<Vec<u8>>,
    /// The oldest first.
    answers: Vec<A>,
}

pub(crate) fn encode(model: &DetectorModel, memory: &Memory) -> Result<Vec<u8>, PipelineError> {
    let engine = memory.engine().map(dafu_features::FeatureEngine::snapshot);
    let states = memory.states.iter().map(|state| state.snapshot());
    let saved = Saved {
        engine: engine.transpose()?,
        states: states.collect::<Result<_, _>>()?,
        answers: memory.answers.in_order().collect(),
    };
    let hash = SchemaHash(model.hash());
    Ok(Envelope::encode(KIND, VERSION, hash, &saved)?)
}

/// A memory from bytes of any origin.
pub(crate) fn decode(model: &DetectorModel, bytes: &[u8]) -> Result<Memory, PipelineError> {
    let limits = Limits {
        max_bytes: u64::MAX,
        ..Limits::default()
    };
    let envelope = Envelope::expect(bytes, KIND, VERSION, &limits)?;
    let (expected, got) = (model.hash(), envelope.header().schema_hash().0);
    if expected != got {
        return Err(PipelineError::OtherModel { expected, got });
    }
    let saved: Saved<Answer> = envelope.decode()?;
    let mut engine = model
        .features
        .as_ref()
        .map(crate::features::Features::fresh);
    match (&mut engine, &saved.engine) {
        (Some(engine), Some(bytes)) => engine.restore(bytes)?,
        (None, None) => {}
        _ => {
            return Err(broken(
                "it and the model differ in having a set of features",
            ));
        }
    }
    let mut states = model.new_states();
    if states.len() != saved.states.len() {
        return Err(broken("it is of another number of stages"));
    }
    for (state, bytes) in states.iter_mut().zip(&saved.states) {
        state.restore(bytes)?;
    }
    let mut memory = Memory::new(model, engine, states);
    let sound = memory.answers.fill(saved.answers);
    sound
        .then_some(memory)
        .ok_or_else(|| broken("an answer stands twice, or there are more than are remembered"))
}

fn broken(what: &str) -> PipelineError {
    let (kind, what) = (KIND.to_owned(), what.to_owned());
    ModelError::Payload { kind, what }.into()
}
