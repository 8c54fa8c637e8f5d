//! Money that moves on from account to account.

use super::graph::{Hop, after, until};
use super::work::{KEPT, Work};
use super::{Scope, Sets};

/// Chains that no transfer makes longer, by their first transfers.
pub(super) fn chains(scope: &Scope<'_>, work: &mut Work) -> Sets {
    let mut search = Search {
        scope,
        path: Vec::new(),
        accounts: Vec::new(),
        end: 0,
        found: Vec::new(),
    };
    for account in scope.accounts() {
        if scope.graph.outs(account).is_empty() {
            continue;
        }
        if !work.begin(scope.remaining(account)) {
            continue;
        }
        for hop in scope.graph.outs(account) {
            search.end = scope.ends[hop.rank as usize];
            search.path.push(*hop);
            search.accounts.extend([account, hop.other]);
            search.follow(work);
            search.path.clear();
            search.accounts.clear();
            if !work.good() {
                break;
            }
        }
        work.end(account);
    }
    search.found
}

struct Search<'a> {
    scope: &'a Scope<'a>,
    path: Vec<Hop>,
    /// Of the path: one more than transfers.
    accounts: Vec<u32>,
    /// The last rank of the window.
    end: u32,
    found: Sets,
}

impl Search<'_> {
    fn follow(&mut self, work: &mut Work) {
        let last = self.path[self.path.len() - 1];
        let longest = self.scope.params.max_length;
        let mut longer = false;
        if self.path.len() < longest {
            let hops = until(
                after(self.scope.graph.outs(last.other), last.rank),
                self.end,
            );
            if !work.spend(1 + hops.len() as u64) {
                return;
            }
            for hop in hops {
                if !self.passes(&last, hop) {
                    continue;
                }
                if self.accounts.contains(&hop.other) {
                    // A transfer to the first account makes a cycle of the chain.
                    longer |= hop.other == self.accounts[0];
                    continue;
                }
                longer = true;
                self.path.push(*hop);
                self.accounts.push(hop.other);
                self.follow(work);
                self.path.pop();
                self.accounts.pop();
                if !work.good() {
                    return;
                }
            }
        }
        let long_enough = self.path.len() >= self.scope.params.min_length;
        if long_enough && !longer && !self.begins_earlier(work) && work.good() {
            if self.found.len() >= self.scope.params.max_flows {
                work.fill();
            } else if work.spend(KEPT * self.path.len() as u64) {
                self.found
                    .push(self.path.iter().map(|hop| hop.transfer).collect());
            }
        }
    }

    /// Whether a transfer leads to the first account that makes the chain longer.
    fn begins_earlier(&self, work: &mut Work) -> bool {
        if self.path.len() >= self.scope.params.max_length {
            return false;
        }
        let (first, last) = (self.path[0], self.path[self.path.len() - 1]);
        let hops = until(self.scope.graph.ins(self.accounts[0]), first.rank - 1);
        // The latest first: those within the window.
        for hop in hops.iter().rev() {
            if !work.spend(1) || self.scope.ends[hop.rank as usize] < last.rank {
                return false;
            }
            let free = hop.other == last.other || !self.accounts.contains(&hop.other);
            if free && self.passes(hop, &first) {
                return true;
            }
        }
        false
    }

    fn passes(&self, one: &Hop, next: &Hop) -> bool {
        let minor = |hop: &Hop| self.scope.graph.minors[hop.transfer as usize];
        self.scope.passes(minor(one), minor(next))
    }
}
