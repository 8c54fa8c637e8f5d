//! The streams of transactions.

use crate::draft::Draft;
use crate::engine::Engine;
use crate::name::Names;
use crate::random::{Purpose, key, unit};
use crate::{BehaviorEvents, CheckedSimulatorParams, DailySummaries, Scenario, SimulatorParams};
use dafu_core::portable::ln;
use dafu_core::{Label, Money, Timestamp, Transaction, TransactionStatus};
use std::collections::BTreeMap;
use std::iter::FusedIterator;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A transaction and what is true about it.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedTransaction {
    /// The transaction with the label that it gets in the end: unknown for those that never get one.
    pub transaction: Transaction,
    /// Why it is fraud; `None` for honest ones. Known for unlabelled ones, too.
    pub scenario: Option<Scenario>,
    /// When its label becomes known; [`Timestamp::MAX`] when it never does.
    pub label_known_at: Timestamp,
}

impl SimulatedTransaction {
    /// Whether it is fraud.
    pub const fn is_fraud(&self) -> bool {
        self.scenario.is_some()
    }

    /// The transaction as it looks at an instant: without its label if that is not known by then.
    #[must_use]
    pub fn seen_at(mut self, now: Timestamp) -> Transaction {
        if self.label_known_at > now {
            self.transaction.is_fraud = Label::Unknown;
        }
        self.transaction
    }

    /// The transaction with its true label, also for those that never get one.
    #[must_use]
    pub fn with_true_label(mut self) -> Transaction {
        self.transaction.is_fraud = Label::from(self.scenario.is_some());
        self.transaction
    }
}

/// Labelled transactions in the order of their time, one day held at a time.
///
/// Ids are `t-DAY-N`, DAY counted from 1970-01-01 and N from 1 within the day.
///
/// ```
/// use dafu_sim::SimulatorParams;
/// # fn main() -> Result<(), dafu_sim::SimulatorError> {
/// let params = SimulatorParams::default().users(100).days(3).seed(1);
/// let transactions: Vec<_> = params.simulator()?.collect();
/// assert!(transactions.is_sorted_by_key(|transaction| transaction.timestamp));
/// assert!(params.simulator()?.eq(transactions));
/// # Ok(())
/// # }
/// ```
///
/// # Complexity
///
/// O(1) amortised for a transaction and O(users) for a day. Memory: O(users + merchants + payments of one day),
/// whatever the number of days.
///
/// # Determinism
///
/// The same parameters give the same bits on every platform and in every version of this crate that does not say
/// otherwise in its changelog. Every random number comes from a stream named by seed, purpose, entity and day, so:
/// a run with more days begins with the run with fewer; a run that starts later equals the end of the one that
/// starts earlier, ids included; the delay and share of labels change nothing but labels; and the rates change
/// no honest payment other than those that they turn into fraud.
#[derive(Debug)]
pub struct Simulator {
    inner: SimulatedTransactions,
}

impl Simulator {
    /// Starts a simulation.
    ///
    /// # Complexity
    ///
    /// O(users + merchants) time and memory.
    pub fn new(params: CheckedSimulatorParams) -> Self {
        let engine = Engine::new(params.into_params());
        let next_day = engine.params.start.day();
        Self {
            inner: SimulatedTransactions {
                names: Names::new(),
                end_day: next_day + i64::from(engine.params.days),
                day: next_day,
                next_day,
                drafts: Vec::new(),
                order: Vec::new(),
                position: 0,
                engine,
            },
        }
    }

    /// The parameters.
    pub const fn params(&self) -> &SimulatorParams {
        &self.inner.engine.params
    }

    /// The same transactions with what is true about them.
    pub fn with_truth(self) -> SimulatedTransactions {
        self.inner
    }

    /// One summary for each user and day instead of the transactions.
    pub fn daily_summaries(self) -> DailySummaries {
        DailySummaries::new(self.inner)
    }

    /// The actions of the same users (logins, purchases, changes of a password) instead of the transactions.
    pub fn behavior_events(self) -> BehaviorEvents {
        BehaviorEvents::new(self.inner)
    }
}

impl Iterator for Simulator {
    type Item = Transaction;

    fn next(&mut self) -> Option<Transaction> {
        self.inner.next().map(|simulated| simulated.transaction)
    }
}

impl FusedIterator for Simulator {}

/// Transactions with what is true about them, in the order of their time; made by [`Simulator::with_truth`].
#[derive(Debug)]
pub struct SimulatedTransactions {
    pub(crate) engine: Engine,
    pub(crate) names: Names,
    /// The day of `drafts`.
    day: i64,
    next_day: i64,
    end_day: i64,
    drafts: Vec<Draft>,
    /// Positions in `drafts` by time: the second in the upper half, the position in the lower.
    order: Vec<u64>,
    position: usize,
}

impl Iterator for SimulatedTransactions {
    type Item = SimulatedTransaction;

    fn next(&mut self) -> Option<SimulatedTransaction> {
        while self.position == self.order.len() {
            self.load_day()?;
        }
        let draft = self.draft(self.order[self.position]);
        self.position += 1;
        Some(self.finish(&draft))
    }
}

impl FusedIterator for SimulatedTransactions {}

impl SimulatedTransactions {
    /// Draws the next day; `None` after the last.
    pub(crate) fn load_day(&mut self) -> Option<i64> {
        if self.next_day >= self.end_day {
            return None;
        }
        self.day = self.next_day;
        self.next_day += 1;
        self.position = 0;
        self.engine.draft_day(self.day, &mut self.drafts);
        // Payments of one second keep the order in which they were drawn.
        let keys = (0_u64..).zip(&self.drafts);
        self.order.clear();
        self.order
            .extend(keys.map(|(at, draft)| u64::from(draft.second) << 32 | at));
        self.order.sort_unstable();
        Some(self.day)
    }

    /// The payments of the day in the order of their time.
    pub(crate) fn day_drafts(&self) -> impl Iterator<Item = Draft> {
        self.order.iter().map(|&order| self.draft(order))
    }

    fn draft(&self, order: u64) -> Draft {
        self.drafts[usize::try_from(order & u64::from(u32::MAX)).unwrap_or(0)]
    }

    fn finish(&self, draft: &Draft) -> SimulatedTransaction {
        let world = &self.engine.world;
        let face = &world.faces[draft.user as usize];
        let merchant = &world.merchants[draft.merchant as usize];
        let timestamp = instant(self.day, draft.second);
        let (is_fraud, label_known_at) = self.label(draft, timestamp);
        let place = draft.place;
        let device = (place.device != 0).then_some(place.device);
        let address = (place.address != 0).then_some(place.address);
        SimulatedTransaction {
            transaction: Transaction {
                transaction_id: Names::transaction(self.day, self.position),
                user_id: face.id.clone(),
                amount: Money::from_minor(draft.minor, self.engine.params.currency),
                merchant_id: merchant.id.clone(),
                timestamp,
                category: Some(self.names.category(merchant.category.into())),
                is_fraud,
                card: Some(face.card.clone()),
                device: device.map(Names::device),
                ip: address.map(|address| IpAddr::V4(Ipv4Addr::from(address))),
                user_agent: device
                    .zip(address)
                    .map(|(device, _)| self.names.agent(device)),
                country: Some(self.names.country(place.city())),
                email: Some(face.email.clone()),
                user_location: Some(face.home),
                merchant_location: merchant.place,
                status: Some(if draft.declined {
                    TransactionStatus::Declined
                } else {
                    TransactionStatus::Approved
                }),
                tenant: None,
                extras: BTreeMap::new(),
            },
            scenario: draft.scenario,
            label_known_at,
        }
    }

    fn label(&self, draft: &Draft, timestamp: Timestamp) -> (Label, Timestamp) {
        let params = &self.engine.params;
        let draw = |purpose| unit(key(params.seed, purpose, self.position as u64, self.day));
        if params.unlabelled_share > 0.0 && draw(Purpose::Labelled) < params.unlabelled_share {
            return (Label::Unknown, Timestamp::MAX);
        }
        let delay = params.label_delay;
        let further = -ln(1.0 - draw(Purpose::LabelDelay)) * delay.mean_further_days;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 400 years"
        )]
        let seconds = ((delay.minimum_days + further) * 86_400.0) as u64;
        let known_at = timestamp
            .checked_add(Duration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX);
        (Label::from(draft.scenario.is_some()), known_at)
    }
}

/// The instant of a second of a day.
pub(crate) fn instant(day: i64, second: u32) -> Timestamp {
    Timestamp::from_seconds(day * 86_400 + i64::from(second)).unwrap_or(Timestamp::MAX)
}
