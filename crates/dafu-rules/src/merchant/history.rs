//! The records of a merchant up to a moment.

use dafu_core::{Timestamp, Transaction};

/// Transactions up to a moment: nothing later is looked at.
///
/// Records of other merchants may be among them; [`MerchantRiskProcessor::assess`](crate::MerchantRiskProcessor::assess)
/// leaves them out. Their order does not matter. Labels and statuses count as they are given: whoever asks about the past has
/// to give what was known by then.
///
/// Each record counts, also one that stands twice: to tell would take a memory of all ids, which a
/// [`MerchantBook`](crate::MerchantBook) does not have either. Whoever reads from sources that repeat themselves has to leave
/// repeated ids out first.
#[derive(Debug, Clone)]
pub struct MerchantHistory<'a> {
    until: Timestamp,
    transactions: Vec<&'a Transaction>,
}

impl<'a> MerchantHistory<'a> {
    /// Those of these transactions that are not later than a moment. O(transactions).
    pub fn new(until: Timestamp, transactions: impl IntoIterator<Item = &'a Transaction>) -> Self {
        let all = transactions.into_iter();
        Self {
            until,
            transactions: all
                .filter(|transaction| transaction.timestamp <= until)
                .collect(),
        }
    }

    /// The moment.
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// The transactions, as they were given.
    pub fn transactions(&self) -> &[&'a Transaction] {
        &self.transactions
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }
}
