//! Money that comes back: cycles in the order of time.

use super::graph::{Hop, TransferIndex, after, until};
use super::work::{CutOff, KEPT, Work};
use super::{Scope, TransferGraph};

/// No account has a label yet.
const NONE: u32 = u32::MAX;

/// Cycles in the order of time: [`FlowParams::cycles`](crate::FlowParams::cycles).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycles {
    ends: Vec<usize>,
    transfers: Vec<TransferIndex>,
    /// What the limits left out; `None` where these are all cycles.
    pub cut: Option<CutOff>,
    /// Steps of the search.
    pub work: u64,
}

impl Cycles {
    /// Number of cycles.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The transfers of each cycle in the order of time.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[TransferIndex]> {
        self.ends.iter().enumerate().map(|(place, end)| {
            let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.transfers[start..*end]
        })
    }
}

/// What cycles must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) shortest: usize,
    pub(super) longest: usize,
    /// Whether each amount must be what is left of the one before.
    pub(super) amounts: bool,
}

/// All cycles, by their first accounts.
pub(super) fn cycles(scope: &Scope<'_>, shape: Shape, work: &mut Work) -> Cycles {
    let mut search = Search::new(scope, shape);
    for account in scope.accounts() {
        let graph = scope.graph;
        if graph.outs(account).is_empty() || graph.ins(account).is_empty() {
            continue;
        }
        if work.begin(scope.remaining(account)) {
            search.from(account, work);
            work.end(account);
        }
    }
    Cycles {
        ends: search.ends,
        transfers: search.transfers,
        cut: None,
        work: work.used(),
    }
}

/// A search that begins at one account after the other.
///
/// For each account, and for its transfers out of one window: labels say when another account is reached first by them within so
/// many transfers, and when money must leave there at the latest to be back within so many. Half of the length is labelled forwards; backwards only what is reached forwards. Then paths are followed that can still
/// be back in time.
struct Search<'a> {
    scope: &'a Scope<'a>,
    graph: &'a TransferGraph,
    shape: Shape,
    /// The place of labels of each account.
    slots: Vec<u32>,
    /// For each labelled account: earliest arrivals within 0 to `longest` transfers, then latest departures.
    labels: Vec<u32>,
    labelled: Vec<u32>,
    border: Vec<u32>,
    next: Vec<u32>,
    /// The account at which cycles begin, and the rank at which they must have ended.
    home: u32,
    last: u32,
    path: Vec<u32>,
    ends: Vec<usize>,
    transfers: Vec<TransferIndex>,
}

impl<'a> Search<'a> {
    fn new(scope: &'a Scope<'a>, shape: Shape) -> Self {
        Self {
            scope,
            graph: scope.graph,
            shape,
            slots: vec![NONE; scope.graph.account_count()],
            labels: Vec::new(),
            labelled: Vec::new(),
            border: Vec::new(),
            next: Vec::new(),
            home: 0,
            last: 0,
            path: Vec::new(),
            ends: Vec::new(),
            transfers: Vec::new(),
        }
    }

    fn from(&mut self, account: u32, work: &mut Work) {
        let (mut outs, ins) = (self.graph.outs(account), self.graph.ins(account));
        self.home = account;
        // Transfers out of one window have their labels in common, which are too wide for most of them: money may be back later, or
        // leave earlier, than it may be for one of them alone.
        while let Some(first) = outs.first() {
            let roots = until(outs, self.scope.ends[first.rank as usize]);
            outs = &outs[roots.len()..];
            let end = self.scope.ends[roots[roots.len() - 1].rank as usize];
            let back = after(until(ins, end), first.rank);
            if !work.spend(roots.len() as u64) {
                return;
            }
            let Some(last) = back.last() else {
                continue;
            };
            self.last = last.rank;
            let labelled = self.forwards(roots, work) && self.backwards(back, first.rank, work);
            if labelled {
                for root in roots {
                    self.last = last.rank.min(self.scope.ends[root.rank as usize]);
                    if self.latest(root.other, self.shape.longest - 1) > root.rank {
                        self.path.push(root.transfer);
                        self.follow(root, work);
                        self.path.pop();
                    }
                }
            }
            for account in self.labelled.drain(..) {
                self.slots[account as usize] = NONE;
            }
            self.labels.clear();
            if !labelled {
                return;
            }
        }
    }

    const fn stride(&self) -> usize {
        2 * (self.shape.longest + 1)
    }

    /// Where the labels of an account begin; new ones where it has none.
    fn label(&mut self, account: u32) -> usize {
        let stride = self.stride();
        let slot = &mut self.slots[account as usize];
        if *slot == NONE {
            *slot = super::graph::number(self.labelled.len());
            self.labelled.push(account);
            let half = self.labels.len() + stride / 2;
            self.labels.resize(half, u32::MAX);
            self.labels.resize(half + stride / 2, 0);
        }
        *slot as usize * stride
    }

    /// The first arrival within so many transfers, or never.
    fn earliest(&self, account: u32, transfers: usize) -> u32 {
        let slot = self.slots[account as usize];
        if slot == NONE {
            return u32::MAX;
        }
        self.labels[slot as usize * self.stride() + transfers]
    }

    /// The last departure that is back within so many transfers, or 0.
    fn latest(&self, account: u32, transfers: usize) -> u32 {
        let slot = self.slots[account as usize];
        if slot == NONE {
            return 0;
        }
        self.labels[slot as usize * self.stride() + self.stride() / 2 + transfers]
    }

    const fn half(&self) -> usize {
        self.shape.longest / 2
    }

    fn forwards(&mut self, roots: &[Hop], work: &mut Work) -> bool {
        self.border.clear();
        for root in roots {
            self.arrive(root, 1);
        }
        std::mem::swap(&mut self.border, &mut self.next);
        for transfers in 2..=self.half() {
            let border = std::mem::take(&mut self.border);
            for account in &border {
                let arrival = self.earliest(*account, transfers - 1);
                // One must remain that leads home.
                let hops = until(after(self.graph.outs(*account), arrival), self.last - 1);
                if !work.spend(1 + hops.len() as u64) {
                    return false;
                }
                for hop in hops {
                    self.arrive(hop, transfers);
                }
            }
            self.border = border;
            self.border.clear();
            std::mem::swap(&mut self.border, &mut self.next);
        }
        self.next.clear();
        true
    }

    fn arrive(&mut self, hop: &Hop, transfers: usize) {
        if hop.other == self.home || hop.rank >= self.earliest(hop.other, transfers) {
            return;
        }
        let start = self.label(hop.other);
        // Each account once for each number of transfers, though the label may fall again.
        let fresh = self.labels[start + transfers] == self.labels[start + transfers - 1];
        for within in transfers..=self.half() {
            let label = &mut self.labels[start + within];
            *label = (*label).min(hop.rank);
        }
        if fresh {
            self.next.push(hop.other);
        }
    }

    fn backwards(&mut self, back: &[Hop], first: u32, work: &mut Work) -> bool {
        self.border.clear();
        self.next.clear();
        if !work.spend(back.len() as u64) {
            return false;
        }
        for hop in back {
            self.depart(hop, 1);
        }
        std::mem::swap(&mut self.border, &mut self.next);
        for transfers in 2..self.shape.longest {
            let border = std::mem::take(&mut self.border);
            for account in &border {
                let departure = self.latest(*account, transfers - 1);
                let hops = after(until(self.graph.ins(*account), departure - 1), first);
                if !work.spend(1 + hops.len() as u64) {
                    return false;
                }
                for hop in hops {
                    self.depart(hop, transfers);
                }
            }
            self.border = border;
            self.border.clear();
            std::mem::swap(&mut self.border, &mut self.next);
        }
        self.next.clear();
        true
    }

    fn depart(&mut self, hop: &Hop, transfers: usize) {
        if hop.other == self.home || hop.rank <= self.latest(hop.other, transfers) {
            return;
        }
        let before = self.shape.longest - transfers;
        if before <= self.half() && self.earliest(hop.other, before) >= hop.rank {
            return;
        }
        let start = self.label(hop.other) + self.stride() / 2;
        let fresh = self.labels[start + transfers] == self.labels[start + transfers - 1];
        for within in transfers..self.shape.longest {
            let label = &mut self.labels[start + within];
            *label = (*label).max(hop.rank);
        }
        if fresh {
            self.next.push(hop.other);
        }
    }

    /// Follows money from where a hop leads, which is the last of the path.
    fn follow(&mut self, from: &Hop, work: &mut Work) {
        let depth = self.path.len();
        let hops = until(after(self.graph.outs(from.other), from.rank), self.last);
        if !work.spend(1 + hops.len() as u64) {
            return;
        }
        for hop in hops {
            let fits = || {
                let minor = |transfer: u32| self.graph.minors[transfer as usize];
                !self.shape.amounts || self.scope.passes(minor(from.transfer), minor(hop.transfer))
            };
            if hop.other == self.home {
                if depth + 1 >= self.shape.shortest && fits() {
                    if !work.spend(KEPT * (depth as u64 + 1)) {
                        return;
                    }
                    self.path.push(hop.transfer);
                    self.found(work);
                    self.path.pop();
                }
            } else if depth + 1 < self.shape.longest
                && self.latest(hop.other, self.shape.longest - depth - 1) > hop.rank
                && !self.visited(hop.other)
                && fits()
            {
                self.path.push(hop.transfer);
                self.follow(hop, work);
                self.path.pop();
                if !work.good() {
                    return;
                }
            }
        }
    }

    fn visited(&self, account: u32) -> bool {
        let mut path = self.path.iter();
        path.any(|transfer| self.graph.payees[*transfer as usize] == account)
    }

    fn found(&mut self, work: &mut Work) {
        if self.shape.amounts && self.ends.len() >= self.scope.params.max_flows {
            work.fill();
            return;
        }
        let transfers = self.path.iter().map(|transfer| TransferIndex(*transfer));
        self.transfers.extend(transfers);
        self.ends.push(self.transfers.len());
    }
}
