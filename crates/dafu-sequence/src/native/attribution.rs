//! What moved an answer: integrated gradients.

use super::LANES;
use super::chunk::Chunk;
use super::dropout::Dropout;
use super::network::NativeNetwork;
use crate::SequenceError;
use crate::data::SequenceSet;
#[cfg(feature = "serde")]
use crate::network::NetworkConfig;
use crate::network::{Network, Objective, Task, check_events};

/// An ordinary event, which answers are explained against: the mean of what a network reads of some events.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Baseline(Vec<f32>);

/// What moved the answer about an event.
///
/// Shape: [`events`](Self::events) x inputs, where those of an event are its numeric inputs in their order, then its categorical
/// inputs in theirs (one number each, the sum over the numbers that stand for the category). All of them together are
/// `answer - baseline`, but for the error of the sum. In log odds.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// The answer for a sequence of ordinary events.
    pub baseline: f32,
    /// The answer for this sequence.
    pub answer: f32,
    /// First event of the sequence.
    pub first_event: usize,
    inputs: usize,
    contributions: Vec<f32>,
}

impl Baseline {
    /// Whether it is one of networks of this shape.
    #[cfg(feature = "serde")]
    pub(crate) fn fits(&self, config: &NetworkConfig) -> bool {
        self.0.len() == config.inputs() && self.0.iter().all(|number| number.is_finite())
    }
}

impl Attribution {
    /// How many events were read.
    pub fn events(&self) -> usize {
        self.contributions.len() / self.inputs.max(1)
    }

    /// What each input of an event of the sequence added to the answer, numeric inputs first; event 0 is the earliest.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn inputs(&self, event: usize) -> &[f32] {
        &self.contributions[event * self.inputs..(event + 1) * self.inputs]
    }

    /// What an event of the sequence added to the answer.
    ///
    /// # Panics
    ///
    /// When there is no such event.
    pub fn event(&self, event: usize) -> f32 {
        self.inputs(event).iter().sum()
    }
}

/// The answer about one event.
struct AnswerOf(usize);

impl Objective for AnswerOf {
    fn counts(&self, _set: SequenceSet<'_>, event: usize) -> bool {
        event == self.0
    }

    fn event_loss(
        &self,
        _set: SequenceSet<'_>,
        _event: usize,
        outputs: &[f32],
        gradient: &mut [f32],
    ) -> f32 {
        gradient[0] = 1.0;
        outputs[0]
    }
}

impl NativeNetwork {
    /// The mean of what the network reads of the events of some sequences.
    ///
    /// # Errors
    ///
    /// When events have other inputs than the network, or there is none.
    ///
    /// # Complexity
    ///
    /// O(events x inputs), where events count as often as sequences read them.
    pub fn baseline(&self, set: SequenceSet<'_>) -> Result<Baseline, SequenceError> {
        check_events(self.config(), set)?;
        let net = self.net();
        let config = net.config;
        let mut sums = vec![0.0_f64; config.inputs()];
        let mut count = 0_usize;
        for event in set.spans().iter().flat_map(|span| span.start..span.end) {
            let numbers = set.events().numbers(event);
            for (sum, number) in sums.iter_mut().zip(numbers.numeric) {
                *sum += f64::from(*number);
            }
            let mut from = config.numeric_inputs;
            let tables = net.layout.embeddings.iter().zip(&config.embeddings);
            for ((table, embedding), code) in tables.zip(numbers.codes) {
                let at = table.start + *code as usize * embedding.dimension;
                for number in &net.numbers[at..at + embedding.dimension] {
                    sums[from] += f64::from(*number);
                    from += 1;
                }
            }
            count += 1;
        }
        if count == 0 {
            return Err(SequenceError::Empty {
                what: "no sequence to take the mean of",
            });
        }
        #[expect(clippy::cast_possible_truncation, reason = "inputs have 32 bits")]
        let mean = |sum: f64| (sum / count as f64) as f32;
        Ok(Baseline(sums.into_iter().map(mean).collect()))
    }

    /// What each input of each event of a sequence added to the answer about its last scored event, on the way from a
    /// sequence of ordinary events to this one. Contributions add up to the difference of the answers, but for the
    /// error of a sum over 64 points of the way.
    ///
    /// Source: Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 3 (midpoints).
    ///
    /// # Errors
    ///
    /// When the network is no classifier, events have other inputs, or there is no such sequence or no scored event in it.
    ///
    /// # Complexity
    ///
    /// Forwards and backwards through the network for 64 sequences of this length, with room for all their steps, which is
    /// freed after those of more than 64 events.
    pub fn attribution(
        &self,
        set: SequenceSet<'_>,
        sequence: usize,
        baseline: &Baseline,
    ) -> Result<Attribution, SequenceError> {
        check_events(self.config(), set)?;
        let config = self.config();
        if !matches!(config.task, Task::Classify { .. }) || baseline.0.len() != config.inputs() {
            return Err(SequenceError::Parameter {
                name: "network",
                expected: "a classifier, with a baseline of its own".to_owned(),
                got: format!(
                    "{:?} and a baseline of {} inputs",
                    config.task,
                    baseline.0.len()
                ),
            });
        }
        let span = set.spans().get(sequence).copied();
        let scored = span.and_then(|span| {
            let mut scored = span.scored_from..span.end;
            scored
                .rfind(|event| set.events().scorable(*event))
                .map(|event| (span, event))
        });
        let (Some((mut span, event)), Ok(number)) = (scored, u32::try_from(sequence)) else {
            return Err(SequenceError::Empty {
                what: "no such sequence, or no scored event in it",
            });
        };
        // What comes after the event has no part in it.
        span.end = event + 1;
        let lanes = [number; LANES];
        let chunk = Chunk {
            set,
            sequences: &lanes,
            path: Some(&baseline.0),
        };
        let net = self.net();
        let mut workspace = self.take_workspace();
        let dropout = Dropout::new(0.0, 0, 0);
        workspace.gradient(&net, chunk, &AnswerOf(event), (1.0, dropout));
        let inputs = config.event_inputs();
        let mut contributions = Vec::with_capacity(span.len() * inputs);
        let mut slopes = vec![0.0; config.inputs()];
        for (step, event) in (span.start..span.end).enumerate() {
            workspace.input_slopes((step, LANES), &mut slopes);
            let numbers = set.events().numbers(event);
            let mut way = slopes.iter().zip(&baseline.0);
            let mut added = |number: f32| {
                let part = way.next().map(|(slope, start)| slope * (number - start));
                part.unwrap_or(0.0) / LANES as f32
            };
            contributions.extend(numbers.numeric.iter().map(|number| added(*number)));
            let tables = net.layout.embeddings.iter().zip(&config.embeddings);
            for ((table, embedding), code) in tables.zip(numbers.codes) {
                let at = table.start + *code as usize * embedding.dimension;
                let row = &net.numbers[at..at + embedding.dimension];
                contributions.push(row.iter().map(|number| added(*number)).sum());
            }
        }
        self.give_back(workspace);
        self.free_large();
        let step = self.step_network()?;
        let (mut state, mut scratch) = (vec![0.0; step.state_len()], step.scratch());
        for event in span.start..span.end {
            step.advance(set.events().numbers(event), &mut state, &mut scratch)?;
        }
        let answer = step.answer(&state, &mut scratch)[0];
        state.fill(0.0);
        for _ in span.start..span.end {
            step.advance_embedded(&baseline.0, &mut state, &mut scratch);
        }
        Ok(Attribution {
            baseline: step.answer(&state, &mut scratch)[0],
            answer,
            first_event: span.start,
            inputs,
            contributions,
        })
    }
}
