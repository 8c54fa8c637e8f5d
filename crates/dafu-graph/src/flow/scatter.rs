//! One pays many, each of which then pays the same last one.

use super::graph::{after, until};
use super::merge::{Different, Merger};
use super::work::Work;
use super::{Scope, Sets};

/// Money passed on by one account between.
#[derive(Debug, Clone, Copy)]
struct Pass {
    last: u32,
    /// Ranks and transfers: to the account between, and from there.
    start: u32,
    end: u32,
    there: u32,
    on: u32,
    between: u32,
}

/// Unions of windows in which money goes from one account to another by way of enough others.
pub(super) fn scatter_gathers(scope: &Scope<'_>, work: &mut Work) -> Sets {
    let mut found = Sets::new();
    let mut different = Different::new(scope.graph.account_count());
    for account in scope.accounts() {
        if scope.graph.outs(account).len() < scope.params.min_fan
            || !work.begin(scope.remaining(account))
        {
            continue;
        }
        // Two accounts may have many transfers with each other.
        let paid = scope.graph.outs(account);
        if !work.spend(paid.len() as u64)
            || different.count(paid.iter().map(|hop| hop.other)) < scope.params.min_fan
        {
            work.end(account);
            continue;
        }
        let mut passes = passes(scope, account, work);
        passes.sort_unstable_by_key(|pass| (pass.last, pass.start, pass.end, pass.there, pass.on));
        for same in passes.chunk_by(|one, other| one.last == other.last) {
            for flow in windows(scope, same, &mut different, work) {
                if found.len() >= scope.params.max_flows {
                    work.fill();
                    break;
                }
                found.push(flow);
            }
        }
        work.end(account);
    }
    found
}

/// What is passed on of all that an account pays.
fn passes(scope: &Scope<'_>, account: u32, work: &mut Work) -> Vec<Pass> {
    let graph = scope.graph;
    let mut passes = Vec::new();
    for there in graph.outs(account) {
        let end = scope.ends[there.rank as usize];
        let onward = until(after(graph.outs(there.other), there.rank), end);
        if !work.spend(1 + onward.len() as u64) {
            break;
        }
        for on in onward {
            let minor = |transfer: u32| graph.minors[transfer as usize];
            if on.other != account
                && scope.passes(minor(there.transfer), minor(on.transfer))
                && work.spend(4)
            {
                passes.push(Pass {
                    last: on.other,
                    start: there.rank,
                    end: on.rank,
                    there: there.transfer,
                    on: on.transfer,
                    between: there.other,
                });
            }
        }
    }
    passes
}

fn windows(scope: &Scope<'_>, passes: &[Pass], different: &mut Different, work: &mut Work) -> Sets {
    let least = scope.params.min_fan;
    let mut merger = Merger::new();
    if !work.spend(passes.len() as u64)
        || different.count(passes.iter().map(|pass| pass.between)) < least
    {
        return Sets::new();
    }
    for (place, pass) in passes.iter().enumerate() {
        if place > 0 && passes[place - 1].start == pass.start {
            continue;
        }
        let end = scope.ends[pass.start as usize];
        let inside = || {
            let begun = passes[place..]
                .iter()
                .take_while(|other| other.start <= end);
            begun.filter(|other| other.end <= end)
        };
        let begun = passes[place..].partition_point(|other| other.start <= end);
        if !work.spend(2 * begun as u64) {
            break;
        }
        if different.count(inside().map(|other| other.between)) >= least {
            merger.add(inside().flat_map(|other| [other.there, other.on]));
        }
    }
    merger.flows()
}
