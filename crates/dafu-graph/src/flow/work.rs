//! How much is looked at, and what was not.

use super::FlowPattern;
use dafu_core::EntityId;

/// Of the first half of the work, no part takes more than this share of what is left.
const SHARE: u64 = 8;
/// Accounts that are named.
const NAMED: usize = 10;
/// Work that a transfer in a result counts for: it is kept.
pub(super) const KEPT: u64 = 16;

/// What a search left out, since it would have taken more than [`FlowParams::work_limit`](crate::FlowParams::work_limit) or
/// found more than [`FlowParams::max_flows`](crate::FlowParams::max_flows).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CutOff {
    /// What was looked for.
    pub pattern: FlowPattern,
    /// Accounts at which the search began but ended early; for bipartite patterns and stacks, stretches of two windows' length, in
    /// which what is found in the whole stretch may be reported instead of what is found in its windows.
    pub cut: usize,
    /// Accounts, or stretches of time, at which it did not begin.
    pub unsearched: usize,
    /// The first ten accounts at which it ended early, or the first payers of such stretches.
    pub accounts: Vec<EntityId>,
    /// It ended since `max_flows` were found.
    pub full: bool,
}

/// Work of one search. It is spent part by part, one for each account: half of it by who needs it, the other half evenly.
#[derive(Debug)]
pub(super) struct Work {
    limit: u64,
    left: u64,
    /// What the part may use, and has left.
    share: u64,
    part: u64,
    short: bool,
    full: bool,
    cut: usize,
    unsearched: usize,
    named: Vec<u32>,
}

impl Work {
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            limit,
            left: limit,
            share: 0,
            part: 0,
            short: false,
            full: false,
            cut: 0,
            unsearched: 0,
            named: Vec::new(),
        }
    }

    /// Begins a part, where there is work left; with it, so many remain.
    pub(super) fn begin(&mut self, remaining: usize) -> bool {
        if self.left == 0 || self.full {
            self.unsearched += 1;
            return false;
        }
        let free = self.left.saturating_sub(self.limit / 2) / SHARE;
        let even = self.left / (remaining as u64).max(1);
        self.share = free.max(even).clamp(1, self.left);
        self.part = self.share;
        self.short = false;
        true
    }

    /// Uses work; whether there was enough. Once there was not, there is none for this part.
    pub(super) fn spend(&mut self, steps: u64) -> bool {
        if self.short || self.full || steps > self.part {
            self.short = true;
            return false;
        }
        self.part -= steps;
        true
    }

    /// Whether the part has not run out.
    pub(super) const fn good(&self) -> bool {
        !self.short
    }

    /// Ends the part that began at an account.
    pub(super) fn end(&mut self, account: u32) {
        let used = if self.short {
            self.share
        } else {
            self.share - self.part
        };
        self.left -= used;
        if self.short {
            self.cut += 1;
            if self.named.len() < NAMED {
                self.named.push(account);
            }
        }
    }

    /// As much was found as may be.
    pub(super) fn fill(&mut self) {
        self.full = true;
        self.short = true;
    }

    pub(super) const fn used(&self) -> u64 {
        self.limit - self.left
    }

    /// What was left out, where something was.
    pub(super) fn cut_off(
        &self,
        pattern: FlowPattern,
        name: impl Fn(u32) -> EntityId,
    ) -> Option<CutOff> {
        (self.full || self.cut + self.unsearched > 0).then(|| CutOff {
            pattern,
            cut: self.cut,
            unsearched: self.unsearched,
            accounts: self.named.iter().map(|account| name(*account)).collect(),
            full: self.full,
        })
    }
}
