//! Layers of accounts, of which each pays many of the next.

use super::graph::number;
use super::merge::{Different, Merger};
use super::work::Work;
use super::{Scope, Sets};
use petgraph::unionfind::UnionFind;
use std::collections::BTreeMap;

/// Unions of windows in which accounts of `layers` layers, two or three, pay the next layer.
///
/// Stretches of two windows' length are searched, which overlap by half: every window lies in one. Where there is too much in one
/// for a look at each of its windows, what is found in it as a whole stands for them.
pub(super) fn layers(scope: &Scope<'_>, layers: usize, work: &mut Work) -> Sets {
    let graph = scope.graph;
    let mut core = Core::new(scope, layers);
    let mut merger = Merger::new();
    let place = |rank: u32| graph.ranks.partition_point(|other| *other <= rank);
    let mut stretches: Vec<(usize, u32)> = Vec::new();
    let mut next = 0;
    while let Some(first) = graph.ranks.get(next) {
        let last_start = scope.ends[*first as usize];
        stretches.push((next, last_start));
        next = place(last_start);
    }
    for (turn, (first, last_start)) in stretches.iter().enumerate() {
        if work.begin(stretches.len() - turn) {
            let end = place(scope.ends[*last_start as usize]);
            let stretch = number(*first)..number(end);
            core.search((stretch, *last_start), &mut merger, work);
            work.end(graph.payers[*first]);
        }
    }
    let mut flows = merger.flows();
    if flows.len() > scope.params.max_flows {
        flows.truncate(scope.params.max_flows);
        work.fill();
    }
    flows
}

/// A transfer as part of the pattern.
#[derive(Debug, Clone, Copy)]
struct Part {
    transfer: u32,
    rank: u32,
    from: u32,
    to: u32,
    /// Whether it may go from the first to the second layer, and from the second to the third.
    alive: [bool; 2],
}

impl Part {
    const fn lives(&self) -> bool {
        self.alive[0] || self.alive[1]
    }

    /// Takes it from a layer; whether it was there.
    const fn leave(&mut self, layer: usize) -> bool {
        std::mem::replace(&mut self.alive[layer], false)
    }
}

/// Finds the largest part of a window in which everybody has enough others.
struct Core<'a> {
    scope: &'a Scope<'a>,
    three: bool,
    different: Different,
    /// Of accounts of the second layer: before which moment money must have come, and after which it may go.
    late: Vec<u32>,
    early: Vec<u32>,
}

impl<'a> Core<'a> {
    fn new(scope: &'a Scope<'a>, layers: usize) -> Self {
        let accounts = scope.graph.account_count();
        Self {
            scope,
            three: layers > 2,
            different: Different::new(accounts),
            late: vec![0; accounts],
            early: vec![u32::MAX; accounts],
        }
    }

    /// Searches all windows that begin in a stretch, up to a rank.
    fn search(
        &mut self,
        (stretch, last_start): (std::ops::Range<u32>, u32),
        merger: &mut Merger,
        work: &mut Work,
    ) {
        let graph = self.scope.graph;
        let parts = stretch.map(|transfer| {
            let place = transfer as usize;
            Part {
                transfer,
                rank: graph.ranks[place],
                from: graph.payers[place],
                to: graph.payees[place],
                alive: [true, self.three],
            }
        });
        let mut parts: Vec<Part> = parts.collect();
        if !self.peel(&mut parts, work) {
            return;
        }
        // What is no part of the stretch is no part of its windows.
        if !self.windows(&parts, last_start, merger, work) {
            // All that may be part.
            for component in components(&parts) {
                merger.add(component);
            }
        }
    }

    /// Searches the windows among parts; `false` where the work does not suffice.
    fn windows(
        &mut self,
        parts: &[Part],
        last_start: u32,
        merger: &mut Merger,
        work: &mut Work,
    ) -> bool {
        let mut searched = 0;
        for start in 0..parts.len() {
            let rank = parts[start].rank;
            if rank > last_start {
                break;
            }
            if start > 0 && parts[start - 1].rank == rank {
                continue;
            }
            let last = self.scope.ends[rank as usize];
            let end = parts.partition_point(|part| part.rank <= last);
            // A window that ends as one before holds nothing else.
            if end == searched {
                continue;
            }
            searched = end;
            let mut window = parts[start..end].to_vec();
            if !self.peel(&mut window, work) {
                return false;
            }
            for component in components(&window) {
                merger.add(component);
            }
        }
        true
    }

    /// Leaves out what has too few others, until all have enough; `false` where the work does not suffice.
    fn peel(&mut self, parts: &mut Vec<Part>, work: &mut Work) -> bool {
        let count = number(parts.len());
        if !work.spend(8 * u64::from(count)) {
            return false;
        }
        // Each account's transfers remain in the order of time.
        let mut by_payer: Vec<u32> = (0..count).collect();
        let mut by_payee = by_payer.clone();
        by_payer.sort_by_key(|place| parts[*place as usize].from);
        by_payee.sort_by_key(|place| parts[*place as usize].to);
        loop {
            if !work.spend(1 + 2 * by_payer.len() as u64) {
                return false;
            }
            let mut changed = self.payers(parts, &by_payer);
            changed |= self.payees(parts, &by_payee);
            if self.three {
                changed |= self.between(parts, &by_payer);
            }
            if !changed {
                break;
            }
            let alive = |place: &u32| parts[*place as usize].lives();
            by_payer.retain(alive);
            by_payee.retain(alive);
        }
        parts.retain(Part::lives);
        true
    }

    /// The first layer pays enough of the second; notes until when money may come to accounts of the second.
    fn payers(&mut self, parts: &mut [Part], by_payer: &[u32]) -> bool {
        let least = self.scope.params.min_fan;
        let mut changed = false;
        let payer = |place: &u32| parts[*place as usize].from;
        let mut few: Vec<&[u32]> = Vec::new();
        for same in by_payer.chunk_by(|one, other| payer(one) == payer(other)) {
            let of_layer = |place: &&u32, layer: usize| parts[**place as usize].alive[layer];
            let first = same.iter().filter(|place| of_layer(place, 0));
            let paid = first.map(|place| parts[*place as usize].to);
            if self.different.count(paid) < least {
                few.push(same);
            }
            if self.three {
                let third = same.iter().rev().filter(|place| of_layer(place, 1));
                let paid = third.map(|place| &parts[*place as usize]);
                let moment = enough(&mut self.different, least, paid.map(|part| (part.to, part)));
                self.late[payer(&same[0]) as usize] = moment.unwrap_or(0);
            }
        }
        for place in few.into_iter().flatten() {
            changed |= parts[*place as usize].leave(0);
        }
        changed
    }

    /// The last layer is paid by enough of the one before; notes from when on accounts of the second may pay.
    fn payees(&mut self, parts: &mut [Part], by_payee: &[u32]) -> bool {
        let least = self.scope.params.min_fan;
        let last = usize::from(self.three);
        let mut changed = false;
        let payee = |place: &u32| parts[*place as usize].to;
        let mut few: Vec<&[u32]> = Vec::new();
        for same in by_payee.chunk_by(|one, other| payee(one) == payee(other)) {
            let of_layer = |place: &&u32, layer: usize| parts[**place as usize].alive[layer];
            let paying = same.iter().filter(|place| of_layer(place, last));
            let payers = paying.map(|place| parts[*place as usize].from);
            if self.different.count(payers) < least {
                few.push(same);
            }
            if self.three {
                let first = same.iter().filter(|place| of_layer(place, 0));
                let paid = first.map(|place| &parts[*place as usize]);
                let moment = enough(
                    &mut self.different,
                    least,
                    paid.map(|part| (part.from, part)),
                );
                self.early[payee(&same[0]) as usize] = moment.unwrap_or(u32::MAX);
            }
        }
        for place in few.into_iter().flatten() {
            changed |= parts[*place as usize].leave(last);
        }
        changed
    }

    /// Money comes to the second layer before enough payments of it, and goes on after enough have come.
    fn between(&mut self, parts: &mut [Part], places: &[u32]) -> bool {
        let mut changed = false;
        for place in places {
            let part = &mut parts[*place as usize];
            if part.rank >= self.late[part.to as usize] {
                changed |= part.leave(0);
            }
            if part.rank <= self.early[part.from as usize] {
                changed |= part.leave(1);
            }
        }
        for place in places {
            let part = &parts[*place as usize];
            self.late[part.from as usize] = 0;
            self.early[part.to as usize] = u32::MAX;
        }
        changed
    }
}

/// The moment at which enough different accounts were met.
fn enough<'a>(
    different: &mut Different,
    least: usize,
    parts: impl Iterator<Item = (u32, &'a Part)>,
) -> Option<u32> {
    different.clear();
    let mut count = 0;
    for (account, part) in parts {
        count += usize::from(different.add(account));
        if count >= least {
            return Some(part.rank);
        }
    }
    None
}

/// Transfers that hang together by accounts of one layer.
fn components(parts: &[Part]) -> Vec<Vec<u32>> {
    let mut nodes: BTreeMap<(usize, u32), u32> = BTreeMap::new();
    let mut sets: UnionFind<u32> = UnionFind::new_empty();
    let mut of_part = Vec::new();
    for part in parts {
        for layer in [0, 1] {
            if !part.alive[layer] {
                continue;
            }
            let mut node = |layer, account| {
                *nodes
                    .entry((layer, account))
                    .or_insert_with(|| sets.new_set())
            };
            let (from, to) = (node(layer, part.from), node(layer + 1, part.to));
            sets.union(from, to);
            of_part.push((part.transfer, from));
        }
    }
    let labels = sets.into_labeling();
    let mut components: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (transfer, node) in of_part {
        let component = components.entry(labels[node as usize]).or_default();
        if component.last() != Some(&transfer) {
            component.push(transfer);
        }
    }
    components.into_values().collect()
}
