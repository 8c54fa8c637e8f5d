//! Several events, each as the next one in the same state.

use super::buffer::{Buffer, padded};
use super::gru::GruForward;
use super::lstm::LstmForward;
use super::step::{StepNetwork, StepScratch};
use crate::SequenceError;
use crate::data::EventNumbers;
use crate::network::Cell;

/// Events of which each might be the next one in a state, with room to answer them side by side: weights are read once for
/// many, which takes a fraction of as many steps.
#[derive(Debug, Clone, Default)]
pub struct Alternatives {
    /// What the first layer reads of each event, row after row.
    read: Vec<f32>,
    count: usize,
    rows: Buffer,
    after: Buffer,
    cell: Buffer,
    pool: Vec<f32>,
}

impl Alternatives {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.read.clear();
        self.count = 0;
    }
}

impl StepNetwork {
    /// Adds an event.
    ///
    /// # Errors
    ///
    /// When inputs are not those of the network, or not finite; nothing is added then.
    pub fn push_alternative(
        &self,
        inputs: EventNumbers<'_>,
        scratch: &mut StepScratch,
        alternatives: &mut Alternatives,
    ) -> Result<(), SequenceError> {
        let read = self.read(inputs, scratch)?;
        alternatives.read.extend_from_slice(read);
        alternatives.count += 1;
        Ok(())
    }

    /// Appends the outputs of the network after each of the events, as [`advance`](Self::advance) and
    /// [`answer`](Self::answer) give them up to rounding; the state is left as it is.
    ///
    /// # Panics
    ///
    /// When `state` has another length than [`state_len`](Self::state_len), or the events were added by another network.
    ///
    /// # Complexity
    ///
    /// O(events x weights); no allocation once there is room.
    pub fn answer_alternatives(
        &self,
        state: &[f32],
        alternatives: &mut Alternatives,
        scratch: &mut StepScratch,
        outputs: &mut Vec<f32>,
    ) {
        let Alternatives {
            read,
            count,
            rows,
            after,
            cell,
            pool,
        } = alternatives;
        let units = padded(self.config().hidden_units);
        let states = self.config().cell.states() * units;
        // Where what a layer reads stands, and how far apart.
        let mut stride = self.config().inputs();
        let recurrent = self.layers.len() * states;
        for (at, (layer, state)) in self.layers.iter().zip(state.chunks(states)).enumerate() {
            let (hidden, of_cell) = state.split_at(units);
            let (width, inputs) = (layer.shape.width(), layer.shape.inputs);
            rows.reserve(*count * width);
            for (lane, row) in rows.chunks_mut(width).take(*count).enumerate() {
                row[..units].copy_from_slice(hidden);
                let below: &[f32] = if at == 0 { read } else { after };
                row[units..units + inputs].copy_from_slice(&below[lane * stride..][..inputs]);
            }
            after.reserve(*count * width);
            if self.config().cell == Cell::Lstm {
                cell.reserve(*count * units);
                for cell in cell.chunks_mut(units).take(*count) {
                    cell.copy_from_slice(of_cell);
                }
                self.arch.dispatch(LstmForward {
                    weights: layer,
                    lanes: *count,
                    before: rows,
                    first: false,
                    from_end: false,
                    after,
                    cells: (0, 0),
                    cell,
                    tape: None,
                });
            } else {
                self.arch.dispatch(GruForward {
                    weights: layer,
                    lanes: *count,
                    before: rows,
                    first: false,
                    from_end: false,
                    after,
                    tape: None,
                });
            }
            stride = width;
        }
        for lane in 0..*count {
            let hidden = &after[lane * stride..][..units];
            let pooled = self.attention.as_ref().map(|attention| {
                pool.clear();
                pool.extend_from_slice(&state[recurrent..]);
                scratch.hidden.copy_from_slice(hidden);
                self.advance_pool(attention, pool, scratch);
                &pool[padded(1)..]
            });
            outputs.extend_from_slice(self.answer_by(hidden, pooled, scratch));
        }
    }
}
