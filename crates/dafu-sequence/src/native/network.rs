//! Networks of the native backend.

use super::LANES;
use super::adam::Adam;
use super::chunk::{Chunk, ChunkGradient, Net, Workspace};
use super::dropout::Dropout;
use super::packed::Packed;
use super::step::StepNetwork;
use crate::SequenceError;
use crate::data::SequenceSet;
use crate::network::{
    AdamStep, Backend, Batch, Network, NetworkConfig, Objective, Weights, check_events,
};
use crate::threads;
use pulp::Arch;
use std::sync::{Mutex, PoisonError};

/// Plain Rust: the widest vector instructions that the machine has, chosen when a network is made.
///
/// Results are the same bits for any number of threads; machines with and without fused multiply-add differ in the last
/// places.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeBackend;

impl Backend for NativeBackend {
    type Network = NativeNetwork;

    fn network(
        &self,
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<NativeNetwork, SequenceError> {
        NativeNetwork::new(Arch::new(), config, weights)
    }
}

/// A network in plain Rust.
///
/// Answers take room for 64 steps of 64 sequences a thread, however long these are. The way back of
/// [`gradient`](Network::gradient) needs every step of up to 64 sequences at a time, and that room is kept for the next batch
/// until answers are asked for.
#[derive(Debug)]
pub struct NativeNetwork {
    arch: Arch,
    config: NetworkConfig,
    weights: Weights,
    packed: Packed,
    gradient: Vec<f32>,
    adam: Adam,
    workspaces: Pool<Workspace>,
    gradients: Pool<ChunkGradient>,
}

/// What nobody uses now.
#[derive(Debug)]
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, free: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(free);
    }

    fn retain(&self, keep: impl Fn(&T) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(keep);
    }
}

impl NativeNetwork {
    /// A network on these instructions.
    pub(super) fn new(
        arch: Arch,
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<Self, SequenceError> {
        let weights = Weights::new(config, weights.numbers().to_vec())?;
        Ok(Self {
            arch,
            config: config.clone(),
            gradient: vec![0.0; weights.numbers().len()],
            packed: Packed::new(config, weights.layout(), weights.numbers()),
            weights,
            adam: Adam::default(),
            workspaces: Pool::new(),
            gradients: Pool::new(),
        })
    }

    pub(super) fn net(&self) -> Net<'_> {
        Net {
            arch: self.arch,
            config: &self.config,
            layout: self.weights.layout(),
            numbers: self.weights.numbers(),
            packed: &self.packed,
        }
    }

    /// Its weights, which are in this memory.
    pub(crate) const fn own_weights(&self) -> &Weights {
        &self.weights
    }

    /// The network laid out for one event after another.
    ///
    /// # Errors
    ///
    /// As [`StepNetwork::new`].
    pub fn step_network(&self) -> Result<StepNetwork, SequenceError> {
        StepNetwork::new(&self.config, &self.weights)
    }

    pub(super) fn take_workspace(&self) -> Workspace {
        self.workspaces.take().unwrap_or_default()
    }

    pub(super) fn give_back(&self, workspace: Workspace) {
        self.workspaces.give(workspace);
    }

    /// Frees what the way back of long histories left behind: one such history would hold it for as long as there is a
    /// network.
    pub(super) fn free_large(&self) {
        self.workspaces.retain(|workspace| !workspace.is_large());
    }
}

impl Network for NativeNetwork {
    fn config(&self) -> &NetworkConfig {
        &self.config
    }

    fn weights(&self) -> Result<Weights, SequenceError> {
        Ok(self.weights.clone())
    }

    fn gradient(
        &mut self,
        batch: Batch<'_>,
        objective: &dyn Objective,
    ) -> Result<(f64, usize), SequenceError> {
        let set = batch.set;
        check_events(&self.config, set)?;
        batch.check()?;
        let spans = batch.sequences.iter().map(|at| set.spans()[*at as usize]);
        let counts = |event: &usize| set.events().scorable(*event) && objective.counts(set, *event);
        let counted = spans
            .map(|span| (span.scored_from..span.end).filter(counts).count())
            .sum();
        let scale = 1.0 / usize::max(counted, 1) as f32;
        let chunks: Vec<&[u32]> = batch.sequences.chunks(LANES).collect();
        let (seed, step) = batch.noise;
        let part = |at: usize| {
            let chunk = Chunk {
                set: batch.set,
                sequences: chunks[at],
                path: None,
            };
            let number = (step << 16) | at as u64;
            let dropout = Dropout::new(self.config.dropout, seed, number);
            let mut workspace = self.take_workspace();
            workspace.give_gradient(self.gradients.take());
            let loss = workspace.gradient(&self.net(), chunk, objective, (scale, dropout));
            let gradient = workspace.take_gradient();
            // The next chunk of this thread finds it in the cache.
            self.give_back(workspace);
            (loss, gradient)
        };
        let join = |(loss, sum): (f64, Option<ChunkGradient>),
                    (part, gradient): (f64, Option<ChunkGradient>)| {
            let sum = match (sum, gradient) {
                (Some(mut sum), Some(gradient)) => {
                    sum.add(&gradient, self.weights.layout());
                    self.gradients.give(gradient);
                    Some(sum)
                }
                (sum, gradient) => sum.or(gradient),
            };
            (loss + part, sum)
        };
        let (loss, sum) = threads::reduce(0..chunks.len(), &part, &join).unwrap_or_default();
        if let Some(mut sum) = sum {
            let gradient = sum.finish(&self.net());
            self.gradient.copy_from_slice(gradient);
            self.gradients.give(sum);
        } else {
            self.gradient.fill(0.0);
        }
        Ok((loss, counted))
    }

    fn kept_gradient(&self) -> Result<Vec<f32>, SequenceError> {
        Ok(self.gradient.clone())
    }

    fn update(&mut self, step: AdamStep) -> Result<f64, SequenceError> {
        let weights = self.weights.numbers_mut();
        let length = self.adam.update(self.arch, weights, &self.gradient, step);
        self.packed
            .write(self.weights.layout(), self.weights.numbers());
        Ok(length)
    }

    fn outputs(&self, set: SequenceSet<'_>, out: &mut [f32]) -> Result<(), SequenceError> {
        let count = self.config.outputs();
        let events = set.events();
        check_events(&self.config, set)?;
        // Where the outputs of each sequence begin.
        let mut starts = Vec::with_capacity(set.spans().len() + 1);
        let mut total = 0;
        for span in set.spans() {
            starts.push(total);
            let scored = (span.scored_from..span.end).filter(|event| events.scorable(*event));
            total += scored.count() * count;
        }
        starts.push(total);
        self.free_large();
        if total != out.len() {
            return Err(SequenceError::OutputLength {
                expected: total,
                got: out.len(),
            });
        }
        let order = by_falling_length(set);
        let chunks: Vec<&[u32]> = order.chunks(LANES).collect();
        let parts = threads::map(chunks.len(), |at| {
            let mut part = Vec::new();
            let mut workspace = self.take_workspace();
            let chunk = Chunk {
                set,
                sequences: chunks[at],
                path: None,
            };
            workspace.outputs(&self.net(), chunk, &mut part);
            self.give_back(workspace);
            part
        });
        for (chunk, part) in chunks.into_iter().zip(parts) {
            let mut from = 0;
            for sequence in chunk {
                let place = starts[*sequence as usize]..starts[*sequence as usize + 1];
                let length = place.len();
                out[place].copy_from_slice(&part[from..from + length]);
                from += length;
            }
        }
        Ok(())
    }
}

/// The sequences of a set, longest first.
fn by_falling_length(set: SequenceSet<'_>) -> Vec<u32> {
    let count = u32::try_from(set.spans().len()).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_by_key(|at| std::cmp::Reverse(set.spans()[*at as usize].len()));
    order
}
