//! Flows as analysts see them.

use super::work::CutOff;
use super::{FlowPattern, TransferGraph, TransferIndex};
use dafu_core::{EntityId, Money, Timestamp, TransactionId};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// Accounts that a sentence names.
const NAMED: usize = 8;

/// Transfers that form a pattern.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Flow {
    /// The pattern.
    pub pattern: FlowPattern,
    /// The transfers in the order of time.
    pub transfers: Vec<TransactionId>,
    /// The accounts in the order in which they appear, payers first.
    pub accounts: Vec<EntityId>,
    /// Where money comes from: the first transfer of cycles and chains, what gather-scatter accounts are paid and what
    /// scatter-gather pays out first, all transfers of other patterns.
    pub amount: Money,
    /// Where it goes: the last transfer of cycles and chains, what gather-scatter accounts pay and what scatter-gather brings
    /// together, all transfers of other patterns.
    pub arrived: Money,
    /// The time of the first transfer.
    pub first: Timestamp,
    /// The time of the last transfer.
    pub last: Timestamp,
    /// Share of pairs of payer and payee in it that have transfers outside of it, too: near 1 for wages, rents and other regular
    /// business.
    pub regular: f64,
    /// The same in a sentence.
    pub explanation: String,
}

/// What [`FlowParams::detect`](crate::FlowParams::detect) found.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FlowReport {
    /// Flows by pattern; within one, those of mostly regular pairs last, and else those of most money first.
    pub flows: Vec<Flow>,
    /// What the limits left out: one entry for each pattern whose search ended early; empty where everything was searched.
    pub cut: Vec<CutOff>,
    /// Steps of all searches.
    pub work: u64,
}

impl FlowReport {
    /// The flows of a pattern.
    pub fn of(&self, pattern: FlowPattern) -> impl Iterator<Item = &Flow> {
        self.flows
            .iter()
            .filter(move |flow| flow.pattern == pattern)
    }
}

/// How often each payer paid each payee.
#[derive(Debug)]
pub(super) struct Pairs(HashMap<(u32, u32), u32>);

impl Pairs {
    pub(super) fn new(graph: &TransferGraph) -> Self {
        Self(counted(
            graph,
            0..super::graph::number(graph.transfer_count()),
        ))
    }

    /// Share of pairs that have transfers elsewhere.
    fn regular(&self, graph: &TransferGraph, transfers: &[u32]) -> f64 {
        let inside = counted(graph, transfers.iter().copied());
        let elsewhere = |pair: &(u32, u32)| self.0.get(pair) > inside.get(pair);
        let regular = inside.keys().filter(|pair| elsewhere(pair)).count();
        regular as f64 / inside.len() as f64
    }
}

fn counted(
    graph: &TransferGraph,
    transfers: impl IntoIterator<Item = u32>,
) -> HashMap<(u32, u32), u32> {
    let mut pairs = HashMap::new();
    for transfer in transfers {
        let place = transfer as usize;
        let pair = (graph.payers[place], graph.payees[place]);
        *pairs.entry(pair).or_default() += 1;
    }
    pairs
}

/// The flow of transfers in the order of time.
pub(super) fn flow(
    graph: &TransferGraph,
    pairs: &Pairs,
    pattern: FlowPattern,
    transfers: &[u32],
) -> Flow {
    let ends = |transfer: u32| {
        let place = transfer as usize;
        (graph.payers[place], graph.payees[place])
    };
    let mut seen = BTreeSet::new();
    let mut accounts: Vec<u32> = Vec::new();
    for transfer in transfers {
        let (from, to) = ends(*transfer);
        accounts.extend([from, to].into_iter().filter(|one| seen.insert(*one)));
    }
    let (first, last) = (transfers[0], transfers[transfers.len() - 1]);
    let sum = |wanted: &dyn Fn(u32) -> bool| {
        let wanted = transfers.iter().filter(|transfer| wanted(**transfer));
        let minors = wanted.map(|transfer| i128::from(graph.minors[*transfer as usize]));
        let sum = i64::try_from(minors.sum::<i128>()).unwrap_or(i64::MAX);
        Money::from_minor(sum, graph.currency())
    };
    let (amount, arrived) = match pattern {
        FlowPattern::Cycle | FlowPattern::Chain => {
            (sum(&|one| one == first), sum(&|one| one == last))
        }
        FlowPattern::GatherScatter => {
            let centre = ends(first).1;
            (
                sum(&|one| ends(one).1 == centre),
                sum(&|one| ends(one).0 == centre),
            )
        }
        FlowPattern::ScatterGather => {
            let (source, sink) = (ends(first).0, ends(last).1);
            (
                sum(&|one| ends(one).0 == source),
                sum(&|one| ends(one).1 == sink),
            )
        }
        _ => (sum(&|_| true), sum(&|_| true)),
    };
    let (first, last) = (TransferIndex(first), TransferIndex(last));
    let of = |transfer: &u32| graph.id(TransferIndex(*transfer)).clone();
    let mut flow = Flow {
        pattern,
        transfers: transfers.iter().map(of).collect(),
        accounts: accounts
            .iter()
            .map(|account| graph.account(*account).clone())
            .collect(),
        amount,
        arrived,
        first: graph.timestamp(first),
        last: graph.timestamp(last),
        regular: pairs.regular(graph, transfers),
        explanation: String::new(),
    };
    let payers: BTreeSet<u32> = transfers.iter().map(|one| ends(*one).0).collect();
    let payees: BTreeSet<u32> = transfers.iter().map(|one| ends(*one).1).collect();
    let sides = (graph.from(first), graph.to(first), graph.to(last));
    flow.explanation = explanation(&flow, sides, (&payers, &payees));
    flow
}

/// The payer and the payee of the first transfer, and the payee of the last.
type Sides<'a> = (&'a EntityId, &'a EntityId, &'a EntityId);

fn explanation(
    flow: &Flow,
    (from, to, end): Sides<'_>,
    (payers, payees): (&BTreeSet<u32>, &BTreeSet<u32>),
) -> String {
    let (amount, arrived) = (money(flow.amount), money(flow.arrived));
    let transfers = flow.transfers.len();
    let mut text = match flow.pattern {
        FlowPattern::FanOut => {
            let paid = payees.len();
            format!("{from} paid {amount} to {paid} accounts in {transfers} transfers")
        }
        FlowPattern::FanIn => {
            let paying = payers.len();
            format!("{paying} accounts paid {amount} to {to} in {transfers} transfers")
        }
        FlowPattern::GatherScatter => {
            // The account is one of both.
            let (paying, paid) = (payers.len() - 1, payees.len() - 1);
            format!("{to} was paid {amount} by {paying} accounts, then paid {arrived} to {paid}")
        }
        FlowPattern::ScatterGather => {
            let between = payers.len() - 1;
            format!(
                "{from} paid {amount} to {between} accounts, which passed {arrived} on to {end}"
            )
        }
        FlowPattern::Cycle => {
            let by = names(&flow.accounts[1..]);
            format!("{amount} went from {from} by {by} and came back as {arrived}")
        }
        FlowPattern::Chain => {
            let by = names(&flow.accounts[1..flow.accounts.len() - 1]);
            format!("{amount} went from {from} by {by} and reached {end} as {arrived}")
        }
        FlowPattern::Bipartite => {
            let (paying, paid) = (payers.len(), payees.len());
            format!("{paying} accounts paid {amount} to {paid} others in {transfers} transfers")
        }
        FlowPattern::Stack => {
            let between = payers.intersection(payees).count();
            let (first, third) = (payers.len() - between, payees.len() - between);
            format!(
                "{first} accounts paid {between} others, and these {third} more: {amount} in {transfers} transfers"
            )
        }
    };
    // Writing to a string does not fail.
    let _ = match (flow.first.date(), flow.last.date()) {
        (first, last) if first == last => write!(text, " on {first}"),
        (first, last) => write!(text, " from {first} to {last}"),
    };
    text
}

/// Like `1234.50 EUR`.
fn money(money: Money) -> String {
    format!("{:.2} {}", money.major(), money.currency())
}

/// Like `a, b and c`, not too many.
fn names(accounts: &[EntityId]) -> String {
    let mut text = String::new();
    let shown = accounts.len().min(NAMED);
    for (place, account) in accounts[..shown].iter().enumerate() {
        let and = match place {
            0 => "",
            _ if place + 1 == accounts.len() => " and ",
            _ => ", ",
        };
        text.push_str(and);
        text.push_str(account.as_str());
    }
    if accounts.len() > shown {
        // Writing to a string does not fail.
        let _ = write!(text, " and {} more", accounts.len() - shown);
    }
    text
}
