//! Answers without a way back: block after block of steps, so that room is that of a block however long a sequence is.

use super::BLOCK;
use super::buffer::padded;
use super::chunk::{Chunk, Net, Workspace, answers};
use super::recurrent::{Active, Tape};

impl Workspace {
    /// Writes the outputs of a chunk's scored events, sequence after sequence in the order of the chunk.
    pub(crate) fn outputs(&mut self, net: &Net<'_>, chunk: Chunk<'_>, out: &mut Vec<f32>) {
        let lanes = chunk.active();
        let active = Active::new(&lanes);
        self.reserve(net, active.steps().min(BLOCK), Tape::Dropped);
        let answers = answers(net.config.task, chunk);
        let count = net.config.outputs();
        let width = padded(count);
        // By slot they are computed, by sequence they are wanted.
        let mut order: Vec<usize> = (0..answers.len()).collect();
        order.sort_by_key(|at| answers[*at]);
        out.clear();
        out.resize(answers.len() * count, 0.0);
        let decodes = !net.packed.decoder.is_empty();
        if decodes {
            // A first answer takes the whole sequence.
            for block in active.blocks() {
                self.encode(net, chunk, (block, Tape::Dropped, None));
            }
        }
        let groups = order.chunk_by(|left, right| answers[*left].slot == answers[*right].slot);
        let mut groups = groups.peekable();
        for block in active.blocks() {
            let passing = (block, Tape::Dropped, None);
            if decodes {
                self.decode(net, passing);
            } else {
                self.encode(net, chunk, passing);
            }
            let last = block.before() + block.steps();
            while let Some(group) = groups.next_if(|group| answers[group[0]].slot <= last) {
                let slot = answers[group[0]].slot - block.before();
                self.head_forward(net, slot, block.lanes_after(slot), None);
                for at in group {
                    let outputs = &self.outputs[answers[*at].lane * width..][..count];
                    out[at * count..(at + 1) * count].copy_from_slice(outputs);
                }
            }
        }
    }
}
