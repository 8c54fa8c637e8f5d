//! Simulated transfers: the patterns are what they are called.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, Transfer};
use dafu_sim::{FlowKind, FlowWorldParams};
use std::collections::{BTreeMap, BTreeSet};

fn params() -> FlowWorldParams {
    FlowWorldParams::default()
        .accounts(800)
        .patterns_of_each(20)
        .seed(5)
}

/// Who pays how many, and who is paid by how many.
fn degrees(transfers: &[&Transfer]) -> BTreeMap<EntityId, (usize, usize)> {
    let mut degrees: BTreeMap<EntityId, (usize, usize)> = BTreeMap::new();
    let pairs: BTreeSet<(&EntityId, &EntityId)> =
        transfers.iter().map(|one| (&one.from, &one.to)).collect();
    for (from, to) in pairs {
        degrees.entry(from.clone()).or_default().0 += 1;
        degrees.entry(to.clone()).or_default().1 += 1;
    }
    degrees
}

#[test]
fn patterns_are_what_they_are_called() {
    let world = params().simulate().unwrap();
    let all: Vec<Transfer> = world.transfers().collect();
    let patterns = world.patterns();
    assert_eq!(patterns.len(), 8 * 20);
    for pattern in patterns {
        let transfers: Vec<&Transfer> =
            pattern.transfers.iter().map(|place| &all[*place]).collect();
        let degrees = degrees(&transfers);
        let with = |wanted: fn(usize, usize) -> bool| {
            degrees
                .values()
                .filter(|(out, into)| wanted(*out, *into))
                .count()
        };
        // Sources, sinks, and what both pays and is paid.
        let (sources, sinks) = (with(|_, into| into == 0), with(|out, _| out == 0));
        let between = with(|out, into| out > 0 && into > 0);
        let edges = transfers.len();
        let size = |of: usize| (4..=8).contains(&of);
        let good = match pattern.kind {
            FlowKind::FanOut => sources == 1 && size(sinks) && between == 0,
            FlowKind::FanIn => sinks == 1 && size(sources) && between == 0,
            FlowKind::GatherScatter => between == 1 && size(sources) && size(sinks),
            FlowKind::ScatterGather => sources == 1 && sinks == 1 && size(between),
            FlowKind::Cycle => between == edges && size(edges) && sources + sinks == 0,
            FlowKind::RandomWalk => {
                sources == 1 && sinks == 1 && between + 1 == edges && size(edges)
            }
            FlowKind::Bipartite => between == 0 && sources * sinks == edges && size(sources),
            FlowKind::Stack => sources * between + between * sinks == edges && size(between),
            _ => false,
        };
        assert!(good, "{} {degrees:?}", pattern.kind);
        let span = transfers
            .last()
            .unwrap()
            .timestamp
            .since(transfers[0].timestamp);
        assert!(span <= 5 * 86_400_000_000, "{span}");
        // Nobody pays on what has not come yet, or more than that.
        let closed = usize::from(pattern.kind == FlowKind::Cycle);
        for one in &transfers[closed..] {
            let earlier = transfers.iter().filter(|other| other.to == one.from);
            let (mut came, mut sum) = (0, 0.0);
            for other in earlier {
                assert!(other.timestamp < one.timestamp, "{}", pattern.kind);
                came += 1;
                sum += other.amount.major();
            }
            assert!(came == 0 || one.amount.major() <= sum, "{}", pattern.kind);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_transfers_for_ever() {
    let world = || params().simulate().unwrap();
    assert!(world().transfers().eq(world().transfers()));
    assert_eq!(world().patterns(), world().patterns());
    let hash = world().transfers().fold(0_u64, |sum, one| {
        let number =
            |id: &EntityId| -> u64 { id.as_str().strip_prefix("acc").unwrap().parse().unwrap() };
        let parts = [
            number(&one.from),
            number(&one.to),
            one.amount.minor().cast_unsigned(),
            one.timestamp.as_micros().cast_unsigned(),
        ];
        parts
            .iter()
            .fold(sum, |sum, part| sum.rotate_left(5).wrapping_mul(31) ^ part)
    });
    assert_eq!(
        (world().transfers().count(), hash),
        (7_787, 14_437_630_777_095_817_998)
    );
}

#[test]
fn honest_people_make_fans_too() {
    let world = params().patterns_of_each(0).simulate().unwrap();
    assert!(world.patterns().is_empty());
    let all: Vec<Transfer> = world.transfers().collect();
    assert!(all.is_sorted_by_key(|one| one.timestamp));
    assert!(
        all.iter()
            .all(|one| one.from != one.to && one.amount.minor() > 0)
    );
    let degrees = degrees(&all.iter().collect::<Vec<_>>());
    // Employers, shops.
    assert!(
        degrees.values().any(|(out, _)| *out > 20) && degrees.values().any(|(_, into)| *into > 50)
    );
}

#[test]
fn wrong_parameters_are_named() {
    let text = |params: FlowWorldParams| params.simulate().unwrap_err().to_string();
    assert_eq!(
        text(params().accounts(10)),
        "`accounts` must be between 200 and 10000000, got 10"
    );
    assert_eq!(
        text(params().largest(3)),
        "`largest` must be between 4 and 64, got 3"
    );
    assert_eq!(
        text(params().fee(0.6)),
        "`fee` must be a number from 0 to 0.5, got 0.6"
    );
}
