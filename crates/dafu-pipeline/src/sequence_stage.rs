//! The sequence model as a stage.

mod learn;
mod reader;
mod state;

use crate::PipelineError;
use crate::combination::probability;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{
    Dataset, EntityId, Evidence, History, SchemaHash, Score, StableHasher, Stage, StageError,
    StageInput, StageSpec, StageState,
};
use dafu_sequence::SequenceParams;
use dafu_sequence::encode::Encoder;
use dafu_sequence::native::StepNetwork;
use dafu_sequence::objective::ClassLoss;
use dafu_sequence::saved::SavedNetwork;
use dafu_sequence::stream::StreamParams;
use reader::Reader;
use serde::{Deserialize, Serialize};
use state::{SequenceState, Table};
use std::error::Error;
use std::sync::Arc;

/// Name of the stage and of its evidence, where no other is given.
const NAME: &str = "sequence";
const SCHEMA_VERSION: u16 = 1;

/// A recurrent network to be fitted as a stage: it judges each event by its features and by those of the events of the same
/// user before it. It learns from rows whose label is known; the others move its state.
///
/// - **Inputs**: the columns of the feature row. Numbers are scaled over the rows learned from, their signed logarithm where
///   one of them is beyond 100; what is missing is the mean, with a flag. Columns that the schema says are categories
///   ([`Encoding::Ordinal`](dafu_features::Encoding::Ordinal)), up to 1,000 levels, are looked up. Beside them: the logarithm of
///   the time since the user's event before.
/// - **Sequences**: the events of each user in pieces of [`sequence_length`](SequenceParams::sequence_length), each read from as
///   many events earlier on. In use a state goes on without end.
/// - **When to stop**: the last part of the rows in time ([`validation`](Self::validation)) is held out where it has at
///   least 10 frauds, and a row of the other class, and so has the rest; the weights of the best epoch are kept then, and all
///   that is learned of inputs comes from the rows before. Otherwise all epochs are made on all rows.
///
/// Each user's state is held in the memory of the detector, bounded as [`StreamParams`] say: the network's numbers and some
/// 200 bytes. [`Trainer::fit`](crate::Trainer::fit) leads it through the whole history, so that the next event of a user is
/// judged by all before. Where the history has more rows than
/// [`sample_rows`](crate::DetectorBuilder::sample_rows), whole users are learned from instead of single rows.
///
/// With [`DetectorBuilder::features`](crate::DetectorBuilder::features) it also reads what merchants, devices and networks
/// did before, which no sequence of one user tells.
///
/// A detector leaves the stage out where the history has no labels, or where it was told to read none.
///
/// ```
/// use dafu_pipeline::{Detector, SequenceSpec};
/// use dafu_sim::SimulatorParams;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let history: Vec<_> = SimulatorParams::default().days(30).users(150).seed(11).simulator()?.collect();
/// let (past, today) = history.split_at(history.len() - 1);
/// # let quick = SequenceSpec::default().params().clone().hidden_units(8).epochs(2);
/// let spec = SequenceSpec::default();
/// # let spec = SequenceSpec::new(quick);
/// let mut detector = Detector::builder().mode(dafu_pipeline::Mode::Supervised).stage(spec).build()?.fit(past)?;
/// assert_eq!(detector.score(&today[0])?.model_used, "sequence");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SequenceSpec {
    name: String,
    params: SequenceParams,
    memory: StreamParams,
    validation: f64,
}

impl Default for SequenceSpec {
    /// An LSTM of 32 units, trained for at most 12 epochs on pieces of 32 events. A fraud weighs as much as 20 other
    /// events, so that few of them are learned from as well; where stages are blended, the calibration takes that back.
    fn default() -> Self {
        Self::new(
            SequenceParams::default()
                .hidden_units(32)
                .dropout(0.1)
                .sequence_length(32)
                .batch_size(64)
                .epochs(12)
                .learning_rate(5e-3)
                .patience(4)
                .loss(ClassLoss::CrossEntropy { pos_weight: 20.0 }),
        )
    }
}

impl SequenceSpec {
    /// A network with these parameters, named `sequence`. Their seed is used as it is.
    pub fn new(params: SequenceParams) -> Self {
        Self {
            name: NAME.to_owned(),
            params,
            memory: StreamParams::default(),
            validation: 0.15,
        }
    }

    /// Sets the name, which no other stage of the detector has.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many users are remembered, for how long, what becomes of an event that is earlier than the newest one of its
    /// user, and how far ahead of the newest one may be. Default: a million users, 180 days; a late event moves the state as
    /// if it came now, and one 366 days ahead is an error.
    #[must_use]
    pub const fn memory(mut self, memory: StreamParams) -> Self {
        self.memory = memory;
        self
    }

    /// Sets the share of the rows, the last ones in time, that tell when to stop, 0 to 0.9. Default 0.15. With 0 all rows
    /// are learned from, in all epochs.
    #[must_use]
    pub const fn validation(mut self, share: f64) -> Self {
        self.validation = share;
        self
    }

    /// The parameters of the network.
    pub const fn params(&self) -> &SequenceParams {
        &self.params
    }
}

impl StageSpec for SequenceSpec {
    fn name(&self) -> &str {
        &self.name
    }

    fn needs_records(&self) -> bool {
        true
    }

    fn needs_labels(&self) -> bool {
        true
    }

    fn needs_sequences(&self) -> bool {
        true
    }

    /// # Errors
    ///
    /// [`SequenceError`](dafu_sequence::SequenceError) for parameters out of range, and where no label is known or all are the
    /// same; [`PipelineError::RecordNeeded`] without records.
    ///
    /// # Complexity
    ///
    /// O(epochs x rows x weights).
    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let stage = self.learn(history);
        let stage = stage.map_err(|error| StageError::new(self.name.clone(), error))?;
        Ok(Box::new(stage))
    }
}

/// What fitting learned, shared by a stage and its states.
#[derive(Debug)]
struct Fitted {
    name: String,
    reader: Reader,
    saved: SavedNetwork,
    network: StepNetwork,
    memory: StreamParams,
    /// What a state begins with.
    empty: Arc<Table>,
    /// Of the network: states go with it.
    hash: SchemaHash,
}

/// A fitted sequence model. Its score is the logistic function of its log odds; the detector calibrates it.
///
/// Contributions: how much higher the log odds are than they would be if this input of the event were as usual, the state
/// being what the events before made it. As usual is the mean of a number over the rows learned from, and the most
/// frequent category. Contributions do not add up to the log odds, and what the events before, and the time since the last of
/// them, add is not among them, since neither is a feature of the row.
///
/// Complexity of an answer: one step of the network, O(weights), whatever the number of events before; with contributions
/// one more for each feature that is not as usual. An event that is recorded right after it was judged takes no further
/// step.
#[derive(Debug, Clone)]
pub struct SequenceStage {
    fitted: Arc<Fitted>,
}

/// What is saved of a stage. The encoder and the bounds of the memory as JSON: its text form has defaults and refuses
/// unknown keys, which postcard cannot.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    name: String,
    /// Columns of a feature row.
    width: u32,
    /// Those that hold codes of categories, rising.
    categories: Vec<u32>,
    encoder: String,
    memory: String,
    /// Safetensors.
    network: Vec<u8>,
}

/// What a stage can fail with.
type AnyError = Box<dyn Error + Send + Sync>;

impl SequenceStage {
    /// Kind of the saved stage in its envelope.
    pub const KIND: &'static str = "dafu.sequence_stage";

    fn new(
        name: String,
        reader: Reader,
        saved: SavedNetwork,
        memory: StreamParams,
    ) -> Result<Self, AnyError> {
        EntityId::new(name.as_str())?;
        saved.config.check_classifier()?;
        reader.encoder().check_network(&saved.config)?;
        let network = StepNetwork::new(&saved.config, &saved.weights)?;
        let empty = Table::new(&memory, &network)?.with_inputs(reader.encoder());
        let hash = SchemaHash(StableHasher::hash_bytes(&saved.to_safetensors()?));
        Ok(Self {
            fitted: Arc::new(Fitted {
                name,
                reader,
                saved,
                network,
                memory,
                empty: Arc::new(empty),
                hash,
            }),
        })
    }

    /// Reads a saved stage: the decoder for a [`StageRegistry`](dafu_core::StageRegistry).
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound stage within the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Stage>, StageError> {
        let decoded = Self::from_bytes(bytes, limits);
        let stage = decoded.map_err(|error| StageError::new(Self::KIND, error))?;
        Ok(Box::new(stage))
    }

    fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self, AnyError> {
        let saved: Saved = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)?.decode()?;
        let width = saved.width as usize;
        if saved.width == 0 || u64::from(saved.width) > limits.max_features {
            return Err(Box::new(ModelError::Payload {
                kind: Self::KIND.to_owned(),
                what: format!("{width} features, {} are allowed", limits.max_features),
            }));
        }
        let categories = saved.categories.into_iter().map(|column| column as usize);
        let encoder: Encoder = serde_json::from_str(&saved.encoder)?;
        let reader = Reader::new(encoder, categories.collect(), width)?;
        let network = SavedNetwork::from_safetensors(&saved.network, limits)?;
        Self::new(
            saved.name,
            reader,
            network,
            serde_json::from_str(&saved.memory)?,
        )
    }

    fn to_bytes(&self) -> Result<Vec<u8>, AnyError> {
        let fitted = &*self.fitted;
        let narrow = |column: usize| u32::try_from(column);
        let categories = fitted.reader.categories().iter();
        let saved = Saved {
            name: fitted.name.clone(),
            width: narrow(fitted.reader.width())?,
            categories: categories
                .map(|column| narrow(*column))
                .collect::<Result<_, _>>()?,
            encoder: serde_json::to_string(fitted.reader.encoder())?,
            memory: serde_json::to_string(&fitted.memory)?,
            network: fitted.saved.to_safetensors()?,
        };
        Ok(Envelope::encode(
            Self::KIND,
            SCHEMA_VERSION,
            SchemaHash(0),
            &saved,
        )?)
    }

    /// The network: its shape and its weights.
    pub fn network(&self) -> &SavedNetwork {
        &self.fitted.saved
    }

    /// How the columns of a feature row become inputs of the network. Inputs are named by number and name of their column,
    /// as in `3:amount`.
    pub fn encoder(&self) -> &Encoder {
        self.fitted.reader.encoder()
    }

    fn judged(&self, input: &StageInput<'_>, state: &dyn StageState) -> Result<Evidence, AnyError> {
        let state = state.as_any().downcast_ref::<SequenceState>();
        let own = |state: &&SequenceState| state.is_of(&self.fitted);
        let state = state.filter(own).ok_or(PipelineError::OtherState)?;
        let (log_odds, contributions) = state.judge(input)?;
        let score = Score::new(probability(f64::from(log_odds)))?;
        let name = EntityId::new(self.fitted.name.as_str())?;
        let mut evidence = Evidence::from_score(name, score);
        evidence.contributions = contributions;
        Ok(evidence)
    }
}

impl Fitted {
    fn failed(&self, error: impl Into<AnyError>) -> StageError {
        StageError::new(self.name.clone(), error)
    }
}

impl Stage for SequenceStage {
    fn name(&self) -> &str {
        &self.fitted.name
    }

    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn needs_records(&self) -> bool {
        true
    }

    fn evaluate(
        &self,
        input: &StageInput<'_>,
        state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        self.judged(input, state)
            .map_err(|error| self.fitted.failed(error))
    }

    /// An error where the rows have other features; otherwise `None`, since each answer depends on the ones before.
    fn score_dataset(&self, dataset: &Dataset, _out: &mut [f64]) -> Option<Result<(), StageError>> {
        let width = self.fitted.reader.check_width(dataset.schema().width());
        width.err().map(|error| Err(self.fitted.failed(error)))
    }

    fn new_state(&self) -> Box<dyn StageState> {
        Box::new(SequenceState::new(Arc::clone(&self.fitted)))
    }

    fn save(&self) -> Result<Vec<u8>, StageError> {
        self.to_bytes().map_err(|error| self.fitted.failed(error))
    }
}
