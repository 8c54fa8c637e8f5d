//! The answers given lately, so that a repeated transaction gets the same one.

use dafu_core::{Assessment, TransactionId};
use std::collections::{HashMap, VecDeque};

/// A bounded memory of answers by transaction id; the oldest go first.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_id: HashMap<TransactionId, (u64, Assessment)>,
    order: VecDeque<TransactionId>,
    capacity: usize,
}

impl Answers {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Content hash and answer of a transaction.
    pub(crate) fn find(&self, id: &TransactionId) -> Option<&(u64, Assessment)> {
        self.by_id.get(id)
    }

    pub(crate) fn remember(&mut self, content_hash: u64, answer: &Assessment) {
        if self.capacity == 0 {
            return;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        self.order.push_back(answer.transaction_id.clone());
        self.by_id.insert(
            answer.transaction_id.clone(),
            (content_hash, answer.clone()),
        );
    }
}
