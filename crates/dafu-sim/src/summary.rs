//! Daily summaries of the users.

use crate::SimulatedTransactions;
use crate::simulator::instant;
use dafu_core::{DailySummary, Money, Timestamp};
use std::collections::BTreeMap;
use std::iter::FusedIterator;

/// One summary for each user and day, also for days without a payment; by day, then by user in the order of their
/// numbers. Declined payments are left out. Made by [`Simulator::daily_summaries`](crate::Simulator::daily_summaries).
#[derive(Debug)]
pub struct DailySummaries {
    transactions: SimulatedTransactions,
    /// Payments and minor units of each user.
    day: Vec<(u32, i64)>,
    start: Timestamp,
    position: usize,
}

impl DailySummaries {
    pub(crate) fn new(transactions: SimulatedTransactions) -> Self {
        Self {
            transactions,
            day: Vec::new(),
            start: Timestamp::EPOCH,
            position: 0,
        }
    }
}

impl Iterator for DailySummaries {
    type Item = DailySummary;

    fn next(&mut self) -> Option<DailySummary> {
        if self.position == self.day.len() {
            let users = self.transactions.engine.world.users.len();
            let day = self.transactions.load_day()?;
            self.day.clear();
            self.day.resize(users, (0, 0));
            let drafts = self.transactions.day_drafts();
            for draft in drafts.filter(|draft| !draft.declined) {
                let (count, sum) = &mut self.day[draft.user as usize];
                *count += 1;
                *sum += draft.minor;
            }
            self.start = instant(day, 0);
            self.position = 0;
        }
        let user = self.position;
        let (transaction_count, minor) = self.day[user];
        self.position += 1;
        let engine = &self.transactions.engine;
        Some(DailySummary {
            timestamp: self.start,
            user_id: engine.world.faces[user].id.clone(),
            transaction_count,
            daily_amount: Money::from_minor(minor, engine.params.currency),
            risk_score: None,
            extras: BTreeMap::new(),
        })
    }
}

impl FusedIterator for DailySummaries {}
