//! Accounts that pay many, and accounts that many pay.

use super::graph::Hop;
use super::work::Work;
use super::{Scope, Sets};

/// Which way money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the account.
    Out,
    /// To the account.
    In,
}

/// Runs of windows in which one account pays, or is paid by, enough others.
pub(super) fn fans(scope: &Scope<'_>, way: Way, work: &mut Work) -> Sets {
    let mut found = Sets::new();
    let mut counts = vec![0_u32; scope.graph.account_count()];
    for account in scope.accounts() {
        let hops = match way {
            Way::Out => scope.graph.outs(account),
            Way::In => scope.graph.ins(account),
        };
        if hops.len() < scope.params.min_fan || !work.begin(scope.remaining(account)) {
            continue;
        }
        if work.spend(2 * hops.len() as u64) {
            for run in runs(scope, hops, &mut counts) {
                if found.len() >= scope.params.max_flows {
                    work.fill();
                    break;
                }
                found.push(hops[run].iter().map(|hop| hop.transfer).collect());
            }
        }
        work.end(account);
    }
    found
}

/// Stretches of transfers, each in a window that holds enough others.
fn runs(scope: &Scope<'_>, hops: &[Hop], counts: &mut [u32]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let (mut end, mut different) = (0, 0);
    for (start, hop) in hops.iter().enumerate() {
        let last = scope.ends[hop.rank as usize];
        while let Some(next) = hops.get(end).filter(|next| next.rank <= last) {
            let count = &mut counts[next.other as usize];
            different += usize::from(*count == 0);
            *count += 1;
            end += 1;
        }
        if different >= scope.params.min_fan {
            match runs.last_mut() {
                Some(run) if run.end > start => run.end = end,
                _ => runs.push(start..end),
            }
        }
        let count = &mut counts[hop.other as usize];
        *count -= 1;
        different -= usize::from(*count == 0);
    }
    runs
}
