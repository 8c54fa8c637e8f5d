//! Windows that share transfers are parts of one flow.

use super::Sets;
use petgraph::unionfind::UnionFind;
use std::collections::{BTreeMap, HashMap};

/// Gathers what was found in windows.
#[derive(Debug)]
pub(super) struct Merger {
    /// The window that each transfer was first found in.
    owners: HashMap<u32, u32>,
    windows: UnionFind<u32>,
}

impl Merger {
    pub(super) fn new() -> Self {
        Self {
            owners: HashMap::new(),
            windows: UnionFind::new_empty(),
        }
    }

    /// Adds the transfers that were found in one window.
    pub(super) fn add(&mut self, transfers: impl IntoIterator<Item = u32>) {
        let window = self.windows.new_set();
        for transfer in transfers {
            let owner = *self.owners.entry(transfer).or_insert(window);
            self.windows.union(owner, window);
        }
    }

    /// The transfers of all flows, each in the order of time, the flow with the first transfer first.
    pub(super) fn flows(self) -> Sets {
        let labels = self.windows.into_labeling();
        let mut transfers: Vec<(u32, u32)> = self.owners.into_iter().collect();
        transfers.sort_unstable();
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        let mut flows = Sets::new();
        for (transfer, owner) in transfers {
            let place = *places.entry(labels[owner as usize]).or_insert_with(|| {
                flows.push(Vec::new());
                flows.len() - 1
            });
            flows[place].push(transfer);
        }
        flows
    }
}

/// Counts different accounts.
#[derive(Debug)]
pub(super) struct Different {
    seen: Vec<u32>,
    turn: u32,
}

impl Different {
    pub(super) fn new(accounts: usize) -> Self {
        Self {
            seen: vec![0; accounts],
            turn: 0,
        }
    }

    /// Begins to count anew.
    pub(super) fn clear(&mut self) {
        if self.turn == u32::MAX {
            self.seen.fill(0);
            self.turn = 0;
        }
        self.turn += 1;
    }

    /// Whether the account was not counted yet.
    pub(super) fn add(&mut self, account: u32) -> bool {
        let seen = &mut self.seen[account as usize];
        let fresh = *seen != self.turn;
        *seen = self.turn;
        fresh
    }

    pub(super) fn count(&mut self, accounts: impl IntoIterator<Item = u32>) -> usize {
        self.clear();
        accounts
            .into_iter()
            .filter(|account| self.add(*account))
            .count()
    }
}
