//! Many pay one, which then pays many.

use super::graph::{Hop, after, until};
use super::merge::{Different, Merger};
use super::work::Work;
use super::{Scope, Sets};
use std::ops::Range;

/// Unions of windows in which an account gathers money and then scatters it.
pub(super) fn gather_scatters(scope: &Scope<'_>, work: &mut Work) -> Sets {
    let mut found = Sets::new();
    let mut window = Window {
        scope,
        payers: Different::new(scope.graph.account_count()),
        payees: vec![0; scope.graph.account_count()],
    };
    let least = scope.params.min_fan;
    for account in scope.accounts() {
        let (ins, outs) = (scope.graph.ins(account), scope.graph.outs(account));
        if ins.len() < least || outs.len() < least || !work.begin(scope.remaining(account)) {
            continue;
        }
        let mut merger = Merger::new();
        // Two accounts may have many transfers with each other.
        let enough = work.spend((ins.len() + outs.len()) as u64)
            && [ins, outs].into_iter().all(|hops| {
                let others = hops.iter().map(|hop| hop.other);
                window.payers.count(others) >= least
            });
        if !enough {
            work.end(account);
            continue;
        }
        for (place, hop) in ins.iter().enumerate() {
            if place > 0 && ins[place - 1].rank == hop.rank {
                continue;
            }
            let end = scope.ends[hop.rank as usize];
            let (ins, outs) = (until(&ins[place..], end), until(after(outs, hop.rank), end));
            if !work.spend(1 + 2 * (ins.len() + outs.len()) as u64) {
                break;
            }
            if ins.len() < least || outs.len() < least {
                continue;
            }
            let (gathered, scattered) = window.flows(ins, outs);
            if gathered > 0 {
                let scattered = scattered.into_iter().flat_map(|range| &outs[range]);
                let both = ins[..gathered].iter().chain(scattered);
                merger.add(both.map(|hop| hop.transfer));
            }
        }
        for flow in merger.flows() {
            if found.len() >= scope.params.max_flows {
                work.fill();
                break;
            }
            found.push(flow);
        }
        work.end(account);
    }
    found
}

/// What one account is paid and pays within a window.
struct Window<'a> {
    scope: &'a Scope<'a>,
    payers: Different,
    /// How often each account is paid among the transfers looked at.
    payees: Vec<u32>,
}

impl Window<'_> {
    /// How many of the transfers in, which begin the window, are gathered, and which of those out are scattered, over all moments
    /// that may part one from the other, and all ends.
    ///
    /// For each moment, the sums grow with the end: the latest at which not too much is paid is good, or none is. With the moment,
    /// more is gathered, so that this latest end moves on, too.
    fn flows(&mut self, ins: &[Hop], outs: &[Hop]) -> (usize, Vec<Range<usize>>) {
        let minor = |hop: &Hop| i128::from(self.scope.graph.minors[hop.transfer as usize]);
        let least = self.scope.params.min_fan;
        let rank = |hops: &[Hop], place: usize| hops.get(place).map_or(u32::MAX, |hop| hop.rank);
        let mut found: (usize, Vec<Range<usize>>) = (0, Vec::new());
        self.payers.clear();
        let (mut before, mut payers, mut gathered) = (0, 0, 0);
        let (mut start, mut end, mut payees, mut scattered) = (0, 0, 0_usize, 0);
        // Each moment of a transfer may be the last of gathering.
        while before < ins.len() || start < outs.len() {
            let moment = rank(ins, before).min(rank(outs, start));
            while rank(ins, before) == moment {
                payers += usize::from(self.payers.add(ins[before].other));
                gathered += minor(&ins[before]);
                before += 1;
            }
            while rank(outs, start) == moment {
                if start < end {
                    let count = &mut self.payees[outs[start].other as usize];
                    *count -= 1;
                    payees -= usize::from(*count == 0);
                    scattered -= minor(&outs[start]);
                }
                start += 1;
            }
            end = end.max(start);
            while end < outs.len() {
                // Transfers of one moment go together.
                let same = until(&outs[end..], outs[end].rank);
                let sum = scattered + same.iter().map(minor).sum::<i128>();
                if sum > gathered && !self.scope.balances(gathered, sum) {
                    break;
                }
                for hop in same {
                    let count = &mut self.payees[hop.other as usize];
                    payees += usize::from(*count == 0);
                    *count += 1;
                }
                scattered = sum;
                end += same.len();
            }
            if payers >= least && payees >= least && self.scope.balances(gathered, scattered) {
                found.0 = before;
                match found.1.last_mut() {
                    Some(last) if start <= last.end => last.end = end,
                    _ => found.1.push(start..end),
                }
            }
        }
        found
    }
}
