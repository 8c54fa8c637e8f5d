//! Sequences side by side: the inputs of each step, and where answers stand.

use super::long;
use crate::data::{SequenceSet, Span};
use crate::network::{NetworkConfig, Task};
use tch::{Device, TchError, Tensor};

/// Sequences in lanes, step after step; shorter ones are filled up with zeros, which nothing before them reads.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) steps: i64,
    pub(super) width: i64,
    /// `steps x lanes x numeric inputs`.
    pub(super) numeric: Tensor,
    /// For each categorical input `steps * lanes` codes.
    pub(super) codes: Vec<Tensor>,
    /// For each lane the row of its last step among `steps * lanes`.
    pub(super) last: Tensor,
    /// For each answer its row among `steps * lanes`, in the order of sequences and events.
    pub(super) answers: Tensor,
    /// The events that are answered.
    pub(super) events: Vec<usize>,
}

impl Lanes {
    pub(super) fn new(
        config: &NetworkConfig,
        set: SequenceSet<'_>,
        sequences: &[u32],
        counts: &dyn Fn(usize) -> bool,
        device: Device,
    ) -> Result<Self, TchError> {
        let spans: Vec<_> = sequences
            .iter()
            .map(|at| set.spans()[*at as usize])
            .collect();
        let lanes = spans.len();
        let steps = spans.iter().map(Span::len).max().unwrap_or(0);
        let width = config.numeric_inputs;
        let mut numeric = vec![0.0_f32; steps * lanes * width];
        let mut codes = vec![vec![0_i64; steps * lanes]; config.embeddings.len()];
        let (mut last, mut answers, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (lane, span) in spans.iter().enumerate() {
            last.push(long((span.len() - 1) * lanes + lane));
            for (step, event) in (span.start..span.end).enumerate() {
                let row = step * lanes + lane;
                let inputs = set.events().numbers(event);
                numeric[row * width..(row + 1) * width].copy_from_slice(inputs.numeric);
                for (codes, code) in codes.iter_mut().zip(inputs.codes) {
                    codes[row] = i64::from(*code);
                }
                if event >= span.scored_from && counts(event) {
                    let step = match config.task {
                        // The last event is answered first.
                        Task::Reconstruct => span.len() - 1 - step,
                        Task::Classify { .. } | Task::NextEvent => step,
                    };
                    answers.push(long(step * lanes + lane));
                    events.push(event);
                }
            }
        }
        let shape = [long(steps), long(lanes), long(width)];
        let codes = codes
            .iter()
            .map(|codes| Tensor::f_from_slice(codes)?.f_to_device(device));
        Ok(Self {
            steps: long(steps),
            width: long(lanes),
            numeric: Tensor::f_from_slice(&numeric)?
                .f_view(shape)?
                .f_to_device(device)?,
            codes: codes.collect::<Result<_, _>>()?,
            last: Tensor::f_from_slice(&last)?.f_to_device(device)?,
            answers: Tensor::f_from_slice(&answers)?.f_to_device(device)?,
            events,
        })
    }
}
