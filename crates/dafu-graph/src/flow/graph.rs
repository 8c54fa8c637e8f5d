//! Transfers in the order of time, by account.

use crate::GraphError;
use dafu_core::{Currency, EntityId, Money, Timestamp, TransactionId, Transfer};
use std::collections::HashMap;

/// The place of a transfer in its graph: from 0 in the order of time, transfers of one moment by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TransferIndex(pub(crate) u32);

impl TransferIndex {
    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A transfer seen from one of its accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hop {
    /// The account at the other end.
    pub(super) other: u32,
    /// The moment: transfers of one moment have one rank, later ones a larger one. From 1.
    pub(super) rank: u32,
    /// The transfer.
    pub(super) transfer: u32,
}

/// A directed graph of transfers between accounts, each account with what it pays and what it is paid in the order of time.
///
/// Parallel transfers stay apart. Left out and counted are transfers from an account to itself, and those of nothing or less:
/// reversals move no money on. The order in which transfers are given changes nothing.
///
/// ```
/// use dafu_core::{Currency, EntityId, Money, Timestamp, TransactionId, Transfer};
/// use dafu_graph::TransferGraph;
///
/// let transfer = |id: &str, from: &str, to: &str, second| -> Result<_, dafu_core::CoreError> {
///     Ok(Transfer {
///         transfer_id: TransactionId::new(id)?,
///         from: EntityId::new(from)?,
///         to: EntityId::new(to)?,
///         amount: Money::from_minor(25_000, Currency::new("EUR")?),
///         timestamp: Timestamp::from_seconds(second)?,
///     })
/// };
/// let graph = TransferGraph::from_transfers(&[
///     transfer("t2", "bob", "ada", 60)?,
///     transfer("t1", "ada", "bob", 0)?,
///     transfer("t3", "ada", "ada", 90)?,
/// ])?;
/// assert_eq!((graph.transfer_count(), graph.account_count(), graph.self_transfers()), (2, 2, 1));
/// let first = graph.indices().next().unwrap();
/// assert_eq!((graph.id(first).as_str(), graph.from(first).as_str()), ("t1", "ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransferGraph {
    accounts: Vec<EntityId>,
    ids: Vec<TransactionId>,
    pub(super) payers: Vec<u32>,
    pub(super) payees: Vec<u32>,
    pub(super) ranks: Vec<u32>,
    pub(super) minors: Vec<i64>,
    currency: Currency,
    /// Microseconds of each rank, from rank 1.
    moments: Vec<i64>,
    out_starts: Vec<u32>,
    outs: Vec<Hop>,
    in_starts: Vec<u32>,
    ins: Vec<Hop>,
    self_transfers: u64,
    not_positive: u64,
}

impl TransferGraph {
    /// The graph of transfers of one currency.
    ///
    /// # Errors
    ///
    /// [`GraphError::TooMany`] for 2^31 transfers or more, [`GraphError::Currencies`] where not all amounts are of one currency:
    /// convert them first, or make one graph a currency.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n transfers; about 70 bytes a transfer, and the ids.
    pub fn from_transfers<'a>(
        transfers: impl IntoIterator<Item = &'a Transfer>,
    ) -> Result<Self, GraphError> {
        let (mut self_transfers, mut not_positive) = (0, 0);
        let mut kept: Vec<&Transfer> = Vec::new();
        let mut currency = None;
        for transfer in transfers {
            let got = transfer.amount.currency();
            let expected = *currency.get_or_insert(got);
            if expected != got {
                return Err(GraphError::Currencies { expected, got });
            }
            if transfer.from == transfer.to {
                self_transfers += 1;
            } else if transfer.amount.minor() <= 0 {
                not_positive += 1;
            } else {
                let max = u32::MAX / 2;
                if kept.len() >= max as usize {
                    let what = "transfers";
                    return Err(GraphError::TooMany { what, max });
                }
                kept.push(transfer);
            }
        }
        kept.sort_by(|one, two| {
            let key = |one: &Transfer| (one.timestamp, one.amount.minor());
            one.timestamp
                .cmp(&two.timestamp)
                .then_with(|| one.transfer_id.cmp(&two.transfer_id))
                .then_with(|| (&one.from, &one.to).cmp(&(&two.from, &two.to)))
                .then_with(|| key(one).cmp(&key(two)))
        });
        let mut graph = Self {
            accounts: Vec::new(),
            ids: kept.iter().map(|one| one.transfer_id.clone()).collect(),
            payers: Vec::with_capacity(kept.len()),
            payees: Vec::with_capacity(kept.len()),
            ranks: Vec::with_capacity(kept.len()),
            minors: kept.iter().map(|one| one.amount.minor()).collect(),
            currency: currency.unwrap_or(Currency::NONE),
            moments: Vec::new(),
            out_starts: Vec::new(),
            outs: Vec::new(),
            in_starts: Vec::new(),
            ins: Vec::new(),
            self_transfers,
            not_positive,
        };
        let mut places: HashMap<&EntityId, u32> = HashMap::new();
        for transfer in kept {
            let mut place = |id: &'a EntityId| {
                *places.entry(id).or_insert_with(|| {
                    graph.accounts.push(id.clone());
                    number(graph.accounts.len() - 1)
                })
            };
            let ends = (place(&transfer.from), place(&transfer.to));
            graph.payers.push(ends.0);
            graph.payees.push(ends.1);
            let moment = transfer.timestamp.as_micros();
            if graph.moments.last() != Some(&moment) {
                graph.moments.push(moment);
            }
            graph.ranks.push(number(graph.moments.len()));
        }
        graph.index();
        Ok(graph)
    }

    /// The same without transfers of less than an amount in minor units; accounts keep their numbers.
    pub(super) fn at_least(&self, minor: i64) -> Self {
        let kept: Vec<usize> = (0..self.minors.len())
            .filter(|place| self.minors[*place] >= minor)
            .collect();
        let pick = |of: &[u32]| kept.iter().map(|place| of[*place]).collect();
        let mut graph = Self {
            accounts: self.accounts.clone(),
            ids: kept.iter().map(|place| self.ids[*place].clone()).collect(),
            payers: pick(&self.payers),
            payees: pick(&self.payees),
            ranks: pick(&self.ranks),
            minors: kept.iter().map(|place| self.minors[*place]).collect(),
            currency: self.currency,
            moments: self.moments.clone(),
            out_starts: Vec::new(),
            outs: Vec::new(),
            in_starts: Vec::new(),
            ins: Vec::new(),
            self_transfers: self.self_transfers,
            not_positive: self.not_positive,
        };
        graph.index();
        graph
    }

    fn index(&mut self) {
        let accounts = self.accounts.len();
        (self.out_starts, self.outs) =
            adjacency(accounts, (&self.payers, &self.payees), &self.ranks);
        (self.in_starts, self.ins) = adjacency(accounts, (&self.payees, &self.payers), &self.ranks);
    }

    /// Number of transfers.
    pub const fn transfer_count(&self) -> usize {
        self.ids.len()
    }

    /// Number of accounts that pay or are paid.
    pub const fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// Transfers from an account to itself: they are left out.
    pub const fn self_transfers(&self) -> u64 {
        self.self_transfers
    }

    /// Transfers of nothing or less: they are left out.
    pub const fn not_positive(&self) -> u64 {
        self.not_positive
    }

    /// All transfers in the order of time.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = TransferIndex> + use<> {
        (0..number(self.ids.len())).map(TransferIndex)
    }

    /// The id of a transfer.
    ///
    /// # Panics
    ///
    /// For a transfer of a larger graph.
    pub fn id(&self, transfer: TransferIndex) -> &TransactionId {
        &self.ids[transfer.index()]
    }

    /// Who pays.
    ///
    /// # Panics
    ///
    /// For a transfer of a larger graph.
    pub fn from(&self, transfer: TransferIndex) -> &EntityId {
        self.account(self.payers[transfer.index()])
    }

    /// Who is paid.
    ///
    /// # Panics
    ///
    /// For a transfer of a larger graph.
    pub fn to(&self, transfer: TransferIndex) -> &EntityId {
        self.account(self.payees[transfer.index()])
    }

    /// How much.
    ///
    /// # Panics
    ///
    /// For a transfer of a larger graph.
    pub fn amount(&self, transfer: TransferIndex) -> Money {
        Money::from_minor(self.minors[transfer.index()], self.currency)
    }

    /// When.
    ///
    /// # Panics
    ///
    /// For a transfer of a larger graph.
    pub fn timestamp(&self, transfer: TransferIndex) -> Timestamp {
        let moment = self.moments[self.ranks[transfer.index()] as usize - 1];
        // Every moment of a transfer was one.
        Timestamp::from_micros(moment).unwrap_or(Timestamp::EPOCH)
    }

    pub(super) const fn currency(&self) -> Currency {
        self.currency
    }

    pub(super) fn account(&self, account: u32) -> &EntityId {
        &self.accounts[account as usize]
    }

    /// What an account pays, in the order of time.
    pub(super) fn outs(&self, account: u32) -> &[Hop] {
        range(&self.out_starts, &self.outs, account)
    }

    /// What an account is paid, in the order of time.
    pub(super) fn ins(&self, account: u32) -> &[Hop] {
        range(&self.in_starts, &self.ins, account)
    }

    /// The last rank within a window that begins at each rank; place 0 stands for none.
    pub(super) fn window_ends(&self, micros: i64) -> Vec<u32> {
        let mut ends = Vec::with_capacity(self.moments.len() + 1);
        ends.push(0);
        let mut end = 0;
        for moment in &self.moments {
            while self
                .moments
                .get(end)
                .is_some_and(|last| last.saturating_sub(*moment) <= micros)
            {
                end += 1;
            }
            ends.push(number(end));
        }
        ends
    }
}

/// Those later than a rank.
pub(super) fn after(hops: &[Hop], rank: u32) -> &[Hop] {
    &hops[hops.partition_point(|hop| hop.rank <= rank)..]
}

/// Those up to a rank.
pub(super) fn until(hops: &[Hop], rank: u32) -> &[Hop] {
    &hops[..hops.partition_point(|hop| hop.rank <= rank)]
}

/// Counts are below 2^31 for transfers, and so below 2^32 for their accounts.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn range<'a>(starts: &[u32], hops: &'a [Hop], account: u32) -> &'a [Hop] {
    let account = account as usize;
    &hops[starts[account] as usize..starts[account + 1] as usize]
}

fn adjacency(
    accounts: usize,
    (ones, others): (&[u32], &[u32]),
    ranks: &[u32],
) -> (Vec<u32>, Vec<Hop>) {
    let mut starts = vec![0_u32; accounts + 1];
    for one in ones {
        starts[*one as usize + 1] += 1;
    }
    for account in 0..accounts {
        starts[account + 1] += starts[account];
    }
    let mut next = starts.clone();
    let none = Hop {
        other: 0,
        rank: 0,
        transfer: 0,
    };
    let mut hops = vec![none; ones.len()];
    // In the order of time, and so within each account.
    for (transfer, one) in (0..).zip(ones) {
        let place = transfer as usize;
        hops[next[*one as usize] as usize] = Hop {
            other: others[place],
            rank: ranks[place],
            transfer,
        };
        next[*one as usize] += 1;
    }
    (starts, hops)
}
