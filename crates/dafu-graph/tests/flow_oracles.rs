//! Patterns of money flow against their definitions, written down naively.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, EntityId, Money, Timestamp, TransactionId, Transfer};
use dafu_graph::{FlowParams, FlowPattern, TransferGraph};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// Payer, payee, second, cents.
type Move = (u32, u32, i64, i64);
type Found = BTreeSet<usize>;

fn transfers(moves: &[Move]) -> Vec<Transfer> {
    let moves = moves.iter().enumerate();
    let transfer = |(place, (from, to, second, minor)): (usize, &Move)| Transfer {
        transfer_id: TransactionId::new(format!("t{place:05}")).unwrap(),
        from: EntityId::new(format!("a{from}")).unwrap(),
        to: EntityId::new(format!("a{to}")).unwrap(),
        amount: Money::from_minor(*minor, Currency::new("EUR").unwrap()),
        timestamp: Timestamp::from_seconds(*second).unwrap(),
    };
    moves.map(transfer).collect()
}

fn place(id: &TransactionId) -> usize {
    id.as_str().strip_prefix('t').unwrap().parse().unwrap()
}

/// The definitions, for one set of transfers without those of an account to itself.
struct Naive<'a> {
    moves: &'a [Move],
    params: &'a FlowParams,
}

impl Naive<'_> {
    fn places(&self) -> impl Iterator<Item = usize> + Clone {
        0..self.moves.len()
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.params.window.as_secs()).unwrap()
    }

    /// Whether a transfer lies in the window that begins at a second.
    fn within(&self, start: i64, place: usize) -> bool {
        (start..=start + self.seconds()).contains(&self.moves[place].2)
    }

    fn different(&self, of: impl Iterator<Item = usize>, end: fn(&Move) -> u32) -> bool {
        let accounts: BTreeSet<u32> = of.map(|place| end(&self.moves[place])).collect();
        accounts.len() >= self.params.min_fan
    }

    fn passes(&self, one: usize, next: usize) -> bool {
        let (one, next) = (self.moves[one], self.moves[next]);
        let least = one.3 as f64 * (1.0 - self.params.amount_tolerance);
        one.1 == next.0 && one.2 < next.2 && next.3 <= one.3 && next.3 as f64 >= least
    }

    fn fans(&self, centre: fn(&Move) -> u32, other: fn(&Move) -> u32) -> Vec<Found> {
        let mut found = Vec::new();
        for start in self.places() {
            let same = |place: &usize| {
                centre(&self.moves[*place]) == centre(&self.moves[start])
                    && self.within(self.moves[start].2, *place)
            };
            let window: Found = self.places().filter(same).collect();
            if self.different(window.iter().copied(), other) {
                found.push(window);
            }
        }
        merged(found)
    }

    fn gather_scatters(&self) -> Vec<Found> {
        let accounts: BTreeSet<u32> = self.moves.iter().map(|one| one.1).collect();
        let mut all = Vec::new();
        for centre in accounts {
            let mut found = Vec::new();
            for start in self.places().filter(|place| self.moves[*place].1 == centre) {
                let begin = self.moves[start].2;
                let last = begin + self.seconds();
                for (split, end) in
                    (begin..=last).flat_map(|split| (split..=last).map(move |end| (split, end)))
                {
                    let ins = |place: &usize| {
                        let one = self.moves[*place];
                        one.1 == centre && (begin..=split).contains(&one.2)
                    };
                    let outs = |place: &usize| {
                        let one = self.moves[*place];
                        one.0 == centre && (split + 1..=end).contains(&one.2)
                    };
                    let ins: Vec<usize> = self.places().filter(ins).collect();
                    let outs: Vec<usize> = self.places().filter(outs).collect();
                    let sum =
                        |of: &[usize]| of.iter().map(|place| self.moves[*place].3).sum::<i64>();
                    let (less, more) = (sum(&ins).min(sum(&outs)), sum(&ins).max(sum(&outs)));
                    let good = less as f64 >= more as f64 * (1.0 - self.params.sum_tolerance);
                    if good
                        && self.different(ins.iter().copied(), |one| one.0)
                        && self.different(outs.iter().copied(), |one| one.1)
                    {
                        found.push(ins.into_iter().chain(outs).collect());
                    }
                }
            }
            all.extend(merged(found));
        }
        all
    }

    fn scatter_gathers(&self) -> Vec<Found> {
        let accounts: BTreeSet<u32> = self.moves.iter().flat_map(|one| [one.0, one.1]).collect();
        let mut all = Vec::new();
        for source in &accounts {
            for sink in accounts.iter().filter(|sink| *sink != source) {
                let mut passes = Vec::new();
                for there in self
                    .places()
                    .filter(|place| self.moves[*place].0 == *source)
                {
                    let ons = self.places().filter(|place| self.moves[*place].1 == *sink);
                    passes.extend(
                        ons.filter(|on| self.passes(there, *on))
                            .map(|on| (there, on)),
                    );
                }
                let mut found = Vec::new();
                for (start, _) in &passes {
                    let begin = self.moves[*start].2;
                    let inside = passes.iter().filter(|(there, on)| {
                        self.within(begin, *there) && self.within(begin, *on)
                    });
                    if self.different(inside.clone().map(|(there, _)| *there), |one| one.1) {
                        found.push(inside.flat_map(|(there, on)| [*there, *on]).collect());
                    }
                }
                all.extend(merged(found));
            }
        }
        all
    }

    /// All sequences of transfers through different accounts, the last of which may be the first, in a window.
    fn paths(&self, amounts: bool, longest: usize) -> BTreeSet<Vec<usize>> {
        let mut paths: BTreeSet<Vec<usize>> = self.places().map(|place| vec![place]).collect();
        let mut border: Vec<Vec<usize>> = paths.iter().cloned().collect();
        while let Some(path) = border.pop() {
            let (first, last) = (self.moves[path[0]], self.moves[path[path.len() - 1]]);
            if path.len() == longest || first.0 == last.1 {
                continue;
            }
            for next in self.places() {
                let one = self.moves[next];
                let follows = one.0 == last.1 && one.2 > last.2 && self.within(first.2, next);
                let fresh = path.iter().all(|place| self.moves[*place].1 != one.1);
                if follows && fresh && (!amounts || self.passes(path[path.len() - 1], next)) {
                    let longer: Vec<usize> = path.iter().copied().chain([next]).collect();
                    paths.insert(longer.clone());
                    border.push(longer);
                }
            }
        }
        paths
    }

    fn closed(&self, path: &[usize]) -> bool {
        self.moves[path[0]].0 == self.moves[path[path.len() - 1]].1
    }

    fn cycles(&self, amounts: bool, shortest: usize) -> Vec<Found> {
        let paths = self.paths(amounts, self.params.max_length);
        let cycles = paths
            .iter()
            .filter(|path| path.len() >= shortest && self.closed(path));
        cycles.map(|path| path.iter().copied().collect()).collect()
    }

    fn chains(&self) -> Vec<Found> {
        let paths = self.paths(true, self.params.max_length);
        let chains = paths.iter().filter(|path| {
            let longer = self.places().any(|other| {
                let before = [&[other][..], path].concat();
                let behind = [path, &[other][..]].concat();
                paths.contains(&before) || paths.contains(&behind)
            });
            path.len() >= self.params.min_length && !self.closed(path) && !longer
        });
        chains.map(|path| path.iter().copied().collect()).collect()
    }

    /// Transfers by layers: what is left when nothing must be left out.
    fn layers(&self, three: bool) -> Vec<Found> {
        let mut found = Vec::new();
        for start in self.places() {
            let begin = self.moves[start].2;
            let mut parts: BTreeSet<(usize, usize)> = BTreeSet::new();
            for place in self.places().filter(|place| self.within(begin, *place)) {
                parts.insert((0, place));
                if three {
                    parts.insert((1, place));
                }
            }
            loop {
                let wrong = parts.iter().find(|part| !self.good(&parts, **part, three));
                let Some(wrong) = wrong.copied() else {
                    break;
                };
                parts.remove(&wrong);
            }
            // Accounts of one layer connect.
            let nodes = |(layer, place): (usize, usize)| {
                [
                    (layer, self.moves[place].0),
                    (layer + 1, self.moves[place].1),
                ]
            };
            while let Some(first) = parts.first().copied() {
                let mut component = BTreeSet::from([first]);
                loop {
                    let known: BTreeSet<(usize, u32)> =
                        component.iter().flat_map(|part| nodes(*part)).collect();
                    let next = parts
                        .iter()
                        .filter(|part| nodes(**part).iter().any(|node| known.contains(node)));
                    let next: BTreeSet<(usize, usize)> = next.copied().collect();
                    if next == component {
                        break;
                    }
                    component = next;
                }
                parts.retain(|part| !component.contains(part));
                found.push(component.into_iter().map(|(_, place)| place).collect());
            }
        }
        merged(found)
    }

    fn good(
        &self,
        parts: &BTreeSet<(usize, usize)>,
        (layer, place): (usize, usize),
        three: bool,
    ) -> bool {
        let one = self.moves[place];
        let of = |wanted: usize| {
            parts
                .iter()
                .filter(move |part| part.0 == wanted)
                .map(|part| part.1)
        };
        let payees = of(layer).filter(|other| self.moves[*other].0 == one.0);
        let payers = of(layer).filter(|other| self.moves[*other].1 == one.1);
        let enough_payees = self.different(payees, |one| one.1);
        let enough_payers = self.different(payers, |one| one.0);
        let later =
            of(1).filter(|other| self.moves[*other].0 == one.1 && self.moves[*other].2 > one.2);
        let earlier =
            of(0).filter(|other| self.moves[*other].1 == one.0 && self.moves[*other].2 < one.2);
        match (three, layer) {
            (false, _) => enough_payees && enough_payers,
            (true, 0) => enough_payees && self.different(later, |one| one.1),
            (true, _) => enough_payers && self.different(earlier, |one| one.0),
        }
    }

    fn found(&self, pattern: FlowPattern) -> Vec<Found> {
        let mut found = match pattern {
            FlowPattern::FanOut => self.fans(|one| one.0, |one| one.1),
            FlowPattern::FanIn => self.fans(|one| one.1, |one| one.0),
            FlowPattern::GatherScatter => self.gather_scatters(),
            FlowPattern::ScatterGather => self.scatter_gathers(),
            FlowPattern::Cycle => self.cycles(true, self.params.min_length),
            FlowPattern::Chain => self.chains(),
            FlowPattern::Bipartite => self.layers(false),
            FlowPattern::Stack => self.layers(true),
        };
        found.sort();
        found
    }
}

/// Sets that have something in common are one.
fn merged(mut sets: Vec<Found>) -> Vec<Found> {
    let mut merged: Vec<Found> = Vec::new();
    while let Some(mut set) = sets.pop() {
        while let Some(place) = merged.iter().position(|other| !other.is_disjoint(&set)) {
            set.extend(merged.swap_remove(place));
        }
        merged.push(set);
    }
    merged
}

/// How many flows of each pattern there are, all as defined.
fn compare(moves: &[Move], params: &FlowParams) -> [usize; 8] {
    let moves: Vec<Move> = moves.iter().copied().filter(|one| one.0 != one.1).collect();
    let graph = TransferGraph::from_transfers(&transfers(&moves)).unwrap();
    let naive = Naive {
        moves: &moves,
        params,
    };
    let report = params.detect(&graph).unwrap();
    assert!(report.cut.is_empty());
    let counts = FlowPattern::ALL.map(|pattern| {
        let flows = report.of(pattern);
        let mut found: Vec<Found> = flows
            .map(|flow| flow.transfers.iter().map(place).collect())
            .collect();
        found.sort();
        assert_eq!(found, naive.found(pattern), "{pattern} in {moves:?}");
        found.len()
    });
    let cycles = params.cycles(&graph).unwrap();
    assert!(cycles.cut.is_none());
    let places = |cycle: &[dafu_graph::TransferIndex]| -> Found {
        assert!(cycle.is_sorted());
        cycle.iter().map(|one| place(graph.id(*one))).collect()
    };
    let mut found: Vec<Found> = cycles.iter().map(places).collect();
    found.sort();
    let mut expected = naive.cycles(false, 2);
    expected.sort();
    assert_eq!(found, expected, "cycles in {moves:?}");
    counts
}

fn params(window: u64, tolerance: f64, longest: usize) -> FlowParams {
    FlowParams::default()
        .window(Duration::from_secs(window))
        .amount_tolerance(tolerance)
        .sum_tolerance(tolerance)
        .min_fan(2)
        .min_length(2)
        .max_length(longest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn patterns_are_what_their_definitions_say(
        moves in (3..7_u32).prop_flat_map(|accounts| {
            proptest::collection::vec((0..accounts, 0..accounts, 0..16_i64, 80..=100_i64), 0..26)
        }),
        (window, longest) in (0..18_u64, 2..9_usize),
        tolerance in prop_oneof![Just(0.0), Just(0.1), Just(0.5), Just(1.0)],
    ) {
        compare(&moves, &params(window, tolerance, longest));
    }
}

/// A small multiplicative generator.
fn below(state: &mut u64, limit: u32) -> u32 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    u32::try_from((*state >> 33) % u64::from(limit)).unwrap()
}

fn random(state: &mut u64, accounts: u32, count: usize, seconds: u32) -> Vec<Move> {
    (0..count)
        .map(|_| {
            let ends = (below(state, accounts), below(state, accounts));
            let second = below(state, seconds).into();
            (ends.0, ends.1, second, 80 + i64::from(below(state, 21)))
        })
        .collect()
}

#[test]
fn every_pattern_occurs_among_random_transfers() {
    let mut state = 7;
    let mut totals = [0; 8];
    for turn in 0..60 {
        let moves = random(&mut state, 4 + turn % 4, 44, 40);
        let counts = compare(&moves, &params(18, 0.2, 6));
        for (total, count) in totals.iter_mut().zip(counts) {
            *total += count;
        }
    }
    assert!(totals.iter().all(|total| *total >= 10), "{totals:?}");
}

#[test]
fn cycles_of_larger_graphs_are_those_of_a_plain_search() {
    let mut state = 11;
    let (mut cycles, mut longest) = (0, 0);
    for (accounts, count, window) in [(40, 240, 1_000), (25, 150, 600), (150, 900, 500)] {
        let mut moves = random(&mut state, accounts, count, 1_000);
        moves.retain(|one| one.0 != one.1);
        let params = params(window, 0.1, 8);
        let graph = TransferGraph::from_transfers(&transfers(&moves)).unwrap();
        let naive = Naive {
            moves: &moves,
            params: &params,
        };
        let found = params.cycles(&graph).unwrap();
        let mut lists: Vec<Found> = found
            .iter()
            .map(|cycle| cycle.iter().map(|one| place(graph.id(*one))).collect())
            .collect();
        lists.sort();
        let mut expected = naive.cycles(false, 2);
        expected.sort();
        assert!(lists == expected, "{} {}", lists.len(), expected.len());
        longest += lists.iter().filter(|cycle| cycle.len() == 8).count();
        cycles += lists.len();
    }
    assert!(cycles > 300 && longest > 10, "{cycles} {longest}");
}
