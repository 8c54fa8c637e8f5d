//! Rings and risk by association as a stage.

use crate::PipelineError;
use dafu_core::model::{Envelope, Limits, ModelError};
use dafu_core::{
    EntityId, EntityKey, EntityKind, Evidence, FeatureGroup, Feedback, History, Label, Reason,
    ReasonValue, SchemaHash, Score, Stage, StageError, StageInput, StageSpec, StageState,
    Timestamp, Transaction, TransactionId,
};
use dafu_graph::{Association, RingParams, RingStream, RingStreamParams, RingStreamSnapshot};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Name of the stage and of its evidence.
const NAME: &str = "graph";
const SCHEMA_VERSION: u16 = 1;
/// Kind of the envelope around a memory.
const MEMORY_KIND: &str = "dafu.graph_stage.memory";
/// Transactions whose user is remembered for a label that comes by their id.
const REMEMBERED: usize = 1_000_000;

/// Risk from which on it is a reason: a public network with one member of a ring says nothing.
const TELLING: f64 = 0.05;

type AnyError = Box<dyn Error + Send + Sync>;

/// A stage that knows who shares devices, cards and addresses with whom: its score is how close an event is to a ring
/// ([`RingStream::associate`]) or to users who are known to be fraud. It learns no weights, only how many users there are.
///
/// Frauds of the history count from `label_delay` after they happened, those of
/// [`Detector::feedback`](crate::Detector::feedback) from when they became known.
///
/// ```
/// use dafu_pipeline::{Detector, GraphSpec};
/// use dafu_sim::RingWorldParams;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let world = RingWorldParams::default().users(1_500).rings(3).smallest_ring(10).seed(3).simulate()?;
/// let payments: Vec<_> = world.transactions().map(|payment| payment.transaction).collect();
/// let mut detector = Detector::builder().default_stages().stage(GraphSpec::default()).build()?.fit(&payments)?;
/// let of_ring = world.transactions().find(|payment| payment.ring == Some(0)).unwrap().transaction;
/// let assessment = detector.peek(&of_ring)?;
/// assert!(assessment.reasons.iter().any(|reason| reason.code.as_str() == "graph.ring"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GraphSpec {
    rings: RingParams,
    keep: Duration,
    label_delay: Duration,
}

impl Default for GraphSpec {
    fn default() -> Self {
        Self::new(RingParams::default())
    }
}

impl GraphSpec {
    /// Rings with these parameters. The population of their links is the number of users of the history, where none is given. With
    /// `max_gap` or `half_life` among those of links fitting fails: links would fade without an event.
    pub const fn new(rings: RingParams) -> Self {
        Self {
            rings,
            keep: Duration::from_secs(90 * 86_400),
            label_delay: Duration::from_secs(7 * 86_400),
        }
    }

    /// Sets how long events are kept, in event time. Default 90 days.
    #[must_use]
    pub const fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Sets how long after a fraud of the history its user is known to be fraud. Default 7 days.
    #[must_use]
    pub const fn label_delay(mut self, label_delay: Duration) -> Self {
        self.label_delay = label_delay;
        self
    }
}

impl StageSpec for GraphSpec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs_records(&self) -> bool {
        true
    }

    fn fit_stage(&self, history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        let transactions = history.transactions.unwrap_or_default();
        let users: BTreeSet<&EntityId> = transactions.iter().map(|one| &one.user_id).collect();
        let mut params = RingStreamParams::new(users.len().max(2) as u64)
            .keep(self.keep)
            // Nothing waits: an answer depends on what was recorded, and not on when.
            .work(u64::MAX);
        let population = self
            .rings
            .links
            .population
            .or(params.rings.links.population);
        params.rings = self.rings.clone();
        params.rings.links.population = population;
        let saved = SavedGraph {
            params,
            label_delay: self.label_delay,
        };
        Ok(Box::new(GraphStage::new(
            saved,
            history.dataset.schema().hash(),
        )?))
    }
}

/// What a stage is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedGraph {
    params: RingStreamParams,
    label_delay: Duration,
}

/// Rings and risk by association.
#[derive(Debug, Clone)]
pub struct GraphStage {
    name: EntityId,
    ring_code: EntityId,
    fraud_code: EntityId,
    saved: Arc<SavedGraph>,
    hash: SchemaHash,
    empty: Arc<RingStream>,
}

fn failed(error: impl Into<AnyError>) -> StageError {
    StageError::new(NAME, error)
}

impl GraphStage {
    /// Kind of the saved stage.
    pub const KIND: &'static str = "dafu.graph";

    fn new(saved: SavedGraph, hash: SchemaHash) -> Result<Self, StageError> {
        let empty = saved.params.clone().start().map_err(failed)?;
        let id = |text| EntityId::new(text).map_err(failed);
        Ok(Self {
            name: id(NAME)?,
            ring_code: id("graph.ring")?,
            fraud_code: id("graph.known_fraud")?,
            saved: Arc::new(saved),
            hash,
            empty: Arc::new(empty),
        })
    }

    /// Reads a saved stage: the decoder for a [`StageRegistry`](dafu_core::StageRegistry).
    ///
    /// # Errors
    ///
    /// Every way in which the bytes are no sound stage within the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Box<dyn Stage>, StageError> {
        let read = || -> Result<(SavedGraph, SchemaHash), ModelError> {
            let envelope = Envelope::expect(bytes, Self::KIND, SCHEMA_VERSION, limits)?;
            Ok((envelope.decode()?, envelope.header().schema_hash()))
        };
        let (saved, hash) = read().map_err(failed)?;
        Ok(Box::new(Self::new(saved, hash)?))
    }

    fn reasons(&self, found: &Association) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some(tie) = &found.ring
            && found.ring_risk >= TELLING
        {
            let text = if tie.is_member {
                format!(
                    "one of {} accounts that share more than a home or an office explains ({})",
                    tie.members, tie.ring
                )
            } else {
                format!(
                    "{} in common with {} accounts that share more than a home or an office explains ({})",
                    if tie.in_common == 1 {
                        "one thing".to_owned()
                    } else {
                        format!("{} things", tie.in_common)
                    },
                    tie.members,
                    tie.ring
                )
            };
            reasons.push(Reason {
                code: self.ring_code.clone(),
                text,
                values: vec![
                    ("ring".to_owned(), ReasonValue::Text(tie.ring.clone())),
                    (
                        "members".to_owned(),
                        ReasonValue::Number(tie.members as f64),
                    ),
                    (
                        "in_common".to_owned(),
                        ReasonValue::Number(tie.in_common as f64),
                    ),
                ],
                group: FeatureGroup::Network,
                contribution: found.ring_risk,
            });
        }
        if found.neighbour_risk >= TELLING {
            let (frauds, others) = (found.known_fraud, found.neighbours);
            reasons.push(Reason {
                code: self.fraud_code.clone(),
                text: format!("{frauds} of {others} users of the same devices, cards or addresses known to be fraud"),
                values: vec![
                    ("known_fraud".to_owned(), ReasonValue::Number(frauds as f64)),
                    ("neighbours".to_owned(), ReasonValue::Number(others as f64)),
                ],
                group: FeatureGroup::Network,
                contribution: found.neighbour_risk,
            });
        }
        reasons
    }
}

impl Stage for GraphStage {
    fn name(&self) -> &'static str {
        NAME
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
        let transaction = transaction(input)?;
        let stream = match state.as_any().downcast_ref::<GraphState>() {
            Some(state) => &state.memory.stream,
            None => &*self.empty,
        };
        let found = stream.associate(transaction);
        let score = Score::new(found.score.clamp(0.0, 1.0)).map_err(failed)?;
        let mut evidence = Evidence::from_score(self.name.clone(), score);
        if input.explain {
            evidence.reasons = self.reasons(&found);
        }
        Ok(evidence)
    }

    fn new_state(&self) -> Box<dyn StageState> {
        Box::new(GraphState {
            saved: Arc::clone(&self.saved),
            hash: self.hash,
            memory: Arc::new(Memory {
                stream: (*self.empty).clone(),
                users: HashMap::new(),
                order: VecDeque::new(),
            }),
        })
    }

    fn save(&self) -> Result<Vec<u8>, StageError> {
        Envelope::encode(Self::KIND, SCHEMA_VERSION, self.hash, &*self.saved).map_err(failed)
    }
}

fn transaction<'i>(input: &StageInput<'i>) -> Result<&'i Transaction, StageError> {
    input
        .transaction
        .ok_or_else(|| failed(PipelineError::RecordNeeded))
}

/// The graph so far, and whose transactions were the last.
#[derive(Debug, Clone)]
struct Memory {
    stream: RingStream,
    users: HashMap<TransactionId, EntityId>,
    order: VecDeque<TransactionId>,
}

impl Memory {
    fn remember(&mut self, transaction: TransactionId, user: EntityId) {
        if self.users.insert(transaction.clone(), user).is_none() {
            self.order.push_back(transaction);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.users.remove(&oldest);
        }
    }
}

/// What a memory is when it is saved.
#[derive(Serialize, Deserialize)]
struct SavedMemory {
    stream: RingStreamSnapshot,
    users: Vec<(TransactionId, EntityId)>,
}

#[derive(Debug)]
struct GraphState {
    saved: Arc<SavedGraph>,
    hash: SchemaHash,
    /// Shared with copies until an event comes.
    memory: Arc<Memory>,
}

impl GraphState {
    fn restored(&self, bytes: &[u8]) -> Result<Memory, AnyError> {
        // As large as the memory that gave it.
        let limits = Limits {
            max_bytes: u64::MAX,
            ..Limits::default()
        };
        let envelope = Envelope::expect(bytes, MEMORY_KIND, SCHEMA_VERSION, &limits)?;
        if envelope.header().schema_hash() != self.hash {
            return Err(Box::new(PipelineError::OtherState));
        }
        let saved: SavedMemory = envelope.decode()?;
        let mut memory = Memory {
            stream: self.saved.params.clone().resume(&saved.stream)?,
            users: HashMap::new(),
            order: VecDeque::new(),
        };
        for (transaction, user) in saved.users {
            memory.remember(transaction, user);
        }
        Ok(memory)
    }
}

impl StageState for GraphState {
    fn record(&mut self, input: &StageInput<'_>) -> Result<(), StageError> {
        let transaction = transaction(input)?;
        let memory = Arc::make_mut(&mut self.memory);
        memory.stream.observe(transaction).map_err(failed)?;
        if transaction.is_fraud == Label::Fraud
            && let Ok(known_at) = transaction.timestamp.checked_add(self.saved.label_delay)
        {
            memory.stream.mark_fraud(&transaction.user_id, known_at);
        }
        memory.remember(
            transaction.transaction_id.clone(),
            transaction.user_id.clone(),
        );
        Ok(())
    }

    fn feedback(&mut self, feedback: &Feedback) -> Result<(), StageError> {
        if feedback.label == Label::Fraud
            && self.memory.users.contains_key(&feedback.transaction_id)
        {
            let memory = Arc::make_mut(&mut self.memory);
            if let Some(user) = memory.users.get(&feedback.transaction_id) {
                memory.stream.mark_fraud(user, feedback.known_at);
            }
        }
        Ok(())
    }

    fn forget(&mut self, entity: &EntityKey) -> bool {
        // The graph need not know who paid: what they used expired, or there was nothing but a merchant.
        let paid = entity.kind == EntityKind::User
            && self.memory.users.values().any(|user| *user == entity.id);
        let shares = self.memory.stream.contains(entity);
        if !paid && !shares {
            return false;
        }
        let memory = Arc::make_mut(&mut self.memory);
        if paid {
            memory.users.retain(|_, user| *user != entity.id);
            let users = &memory.users;
            memory
                .order
                .retain(|transaction| users.contains_key(transaction));
        }
        let shared = shares && memory.stream.forget(entity.kind, &entity.id);
        paid || shared
    }

    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        let users = self.memory.order.iter().filter_map(|transaction| {
            let user = self.memory.users.get(transaction)?;
            Some((transaction.clone(), user.clone()))
        });
        let saved = SavedMemory {
            stream: self.memory.stream.snapshot(),
            users: users.collect(),
        };
        Envelope::encode(MEMORY_KIND, SCHEMA_VERSION, self.hash, &saved).map_err(failed)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        self.memory = Arc::new(self.restored(snapshot).map_err(failed)?);
        Ok(())
    }

    fn fork(&self) -> Option<Box<dyn StageState>> {
        Some(Box::new(Self {
            saved: Arc::clone(&self.saved),
            hash: self.hash,
            memory: Arc::clone(&self.memory),
        }))
    }

    fn newest(&self) -> Option<Timestamp> {
        self.memory.stream.newest()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
