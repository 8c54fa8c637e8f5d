//! Things with fewer users than before.

use crate::NodeId;
use std::collections::VecDeque;

/// Things that wait, each once. One that is dropped stays in the queue, and is passed over.
#[derive(Debug, Clone, Default)]
pub(super) struct Thinned {
    queue: VecDeque<NodeId>,
    waits: Vec<bool>,
}

impl Thinned {
    pub(super) fn push(&mut self, thing: NodeId) {
        if self.waits.len() <= thing.index() {
            self.waits.resize(thing.index() + 1, false);
        }
        if !std::mem::replace(&mut self.waits[thing.index()], true) {
            self.queue.push_back(thing);
        }
    }

    pub(super) fn drop_node(&mut self, node: NodeId) {
        if let Some(waits) = self.waits.get_mut(node.index()) {
            *waits = false;
        }
    }

    pub(super) fn pop(&mut self) -> Option<NodeId> {
        while let Some(thing) = self.queue.pop_front() {
            if std::mem::take(&mut self.waits[thing.index()]) {
                return Some(thing);
            }
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}
