//! Links against the formula, pair by pair.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use dafu_graph::{EntityGraph, EntityGraphBuilder, LinkParams, MinHashParams, NodeId, RingParams};
use dafu_sim::RingWorldParams;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

const KINDS: [EntityKind; 3] = [EntityKind::Device, EntityKind::Card, EntityKind::Ip];

fn key(kind: EntityKind, number: usize) -> EntityKey {
    let id = EntityId::new(format!("{kind:?}{number}")).unwrap();
    EntityKey { kind, id }
}

/// Users and what they use: user, kind, number.
fn graph(uses: &[(usize, usize, usize)]) -> EntityGraph {
    let mut builder = EntityGraphBuilder::new();
    for (at, (user, kind, thing)) in (0..).zip(uses) {
        let user = key(EntityKind::User, *user);
        let thing = key(KINDS[*kind], *thing);
        builder
            .pair(&user, &thing, Timestamp::from_seconds(at).unwrap(), 1.0)
            .unwrap();
    }
    builder.build()
}

fn users(graph: &EntityGraph, thing: NodeId) -> Vec<NodeId> {
    graph.neighbours(thing).map(|(user, _)| user).collect()
}

proptest! {
    #[test]
    fn links_are_what_the_formula_says(
        uses in proptest::collection::vec((0..12_usize, 0..3_usize, 0..6_usize), 1..60),
        threshold in 0.05..0.95_f64,
    ) {
        let graph = graph(&uses);
        let params = LinkParams::default().kind(EntityKind::Ip, 0.3, 4);
        let found = params.link(&graph, threshold).unwrap();
        let all: Vec<NodeId> = graph.nodes_of(EntityKind::User).collect();
        let mut expected = Vec::new();
        for (place, one) in all.iter().enumerate() {
            for other in &all[place + 1..] {
                let things = |user: NodeId| -> BTreeSet<NodeId> {
                    graph.neighbours(user).map(|(thing, _)| thing).collect()
                };
                let (one_uses, other_uses) = (things(*one), things(*other));
                let both = one_uses.intersection(&other_uses).filter(|thing| {
                    graph.kind(**thing) != EntityKind::Ip || users(&graph, **thing).len() <= 4
                });
                let (mut odds, mut shared) = (1.0 / (all.len() as f64 - 1.0), 0);
                for thing in both {
                    let kind = graph.kind(*thing);
                    let reliability = if kind == EntityKind::Ip { 0.3 } else { 0.5 };
                    odds *= reliability * (all.len() as f64 - 1.0) / (users(&graph, *thing).len() as f64 - 1.0);
                    shared += 1;
                }
                let probability = odds / (1.0 + odds);
                if shared > 0 && probability >= threshold - 1e-4 {
                    expected.push((*one, *other, probability, shared));
                }
            }
        }
        // On the edge rounding decides.
        let clear = expected.iter().filter(|link| link.2 - threshold > 1e-4).count();
        prop_assert!(found.links.len() >= clear && found.links.len() <= expected.len());
        for link in &found.links {
            let same = expected.iter().find(|other| (other.0, other.1) == (link.one, link.other));
            prop_assert!(same.is_some());
            if let Some((_, _, probability, shared)) = same {
                prop_assert!((link.probability - probability).abs() < 1e-5);
                prop_assert_eq!(link.shared, *shared);
            }
        }
    }
}

#[test]
fn hubs_link_nobody_and_are_named() {
    let mut uses: Vec<(usize, usize, usize)> = (0..60).map(|user| (user, 2, 0)).collect();
    uses.extend([(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)]);
    let graph = graph(&uses);
    let found = LinkParams::default().link(&graph, 0.5).unwrap();
    assert_eq!(found.links.len(), 1);
    let [hub] = &found.skipped[..] else {
        unreachable!("{:?}", found.skipped)
    };
    assert_eq!(
        (graph.kind(hub.node), hub.users, hub.over_budget),
        (EntityKind::Ip, 60, false)
    );
    // Without a cap everybody has something in common.
    let all = LinkParams::default()
        .kind(EntityKind::Ip, 0.3, 100)
        .link(&graph, 0.0)
        .unwrap();
    assert_eq!((all.links.len(), all.pairs), (60 * 59 / 2, 60 * 59 / 2 + 2));
}

#[test]
fn a_budget_leaves_out_the_most_common_things_and_says_so() {
    let mut uses = Vec::new();
    for thing in 0..5 {
        // 10, 11, ... users.
        uses.extend((0..10 + thing).map(|user| (user, 0, thing)));
    }
    let graph = graph(&uses);
    let pairs = |users: u64| users * (users - 1) / 2;
    let budget = pairs(10) + pairs(11) + pairs(12);
    let found = LinkParams::default()
        .pair_budget(budget)
        .link(&graph, 0.0)
        .unwrap();
    assert_eq!(found.pairs, budget);
    let left: Vec<usize> = found.skipped.iter().map(|thing| thing.users).collect();
    assert_eq!(left, [14, 13]);
    assert!(found.skipped.iter().all(|thing| thing.over_budget));
}

#[test]
fn who_shares_at_other_times_or_long_ago_shares_less() {
    let build = |hours: &[(usize, usize, i64)]| {
        let mut builder = EntityGraphBuilder::new();
        for number in 100..400 {
            builder.entity(&key(EntityKind::User, number)).unwrap();
        }
        for (user, thing, hour) in hours {
            let at = Timestamp::from_seconds(hour * 3_600).unwrap();
            for kind in KINDS {
                builder
                    .pair(&key(EntityKind::User, *user), &key(kind, *thing), at, 1.0)
                    .unwrap();
            }
        }
        builder.build()
    };
    // 1 has what 0 had 30 hours before; 3 what 2 had 5 hours before.
    let graph = build(&[
        (0, 0, 0),
        (0, 0, 10),
        (1, 0, 40),
        (1, 0, 50),
        (2, 1, 40),
        (3, 1, 45),
        (3, 1, 50),
    ]);
    let links = |params: LinkParams| params.link(&graph, 0.0).unwrap().links;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let params = LinkParams::default;
    assert_eq!(links(params()).len(), 2);
    assert_eq!(links(params().max_gap(hours(30))).len(), 2);
    let near = links(params().max_gap(hours(29)));
    assert_eq!((near.len(), near[0].shared), (1, 3));
    assert!((near[0].probability - links(params())[1].probability).abs() < 1e-9);

    // Of 0 the last is 40 hours old, of 2 it is 10.
    let log_odds = |link: &dafu_graph::Link| (link.probability / (1.0 - link.probability)).ln();
    let (plain, faded) = (links(params()), links(params().half_life(hours(20))));
    let prior = (1.0 / 303.0_f64).ln();
    for (place, age) in [(0, 40.0), (1, 10.0)] {
        let expected = (log_odds(&plain[place]) - prior) * 0.5_f64.powf(age / 20.0) + prior;
        assert!(
            (log_odds(&faded[place]) - expected).abs() < 1e-4,
            "{expected}"
        );
    }
    // 0 and 1 had it in turns, and never within an hour.
    let days = build(&[(0, 0, 0), (0, 0, 24_000), (1, 0, 12_000)]);
    let found = params().max_gap(hours(1)).link(&days, 0.0).unwrap();
    assert!(found.links.is_empty());
    let wrong = params()
        .half_life(Duration::ZERO)
        .link(&graph, 0.5)
        .unwrap_err()
        .to_string();
    assert_eq!(wrong, "`half_life` must be above 0, got 0ns");
}

proptest! {
    #[test]
    fn a_gap_is_between_the_nearest_moments(
        one in proptest::collection::vec(0..400_i64, 1..12),
        other in proptest::collection::vec(0..400_i64, 1..12),
        gap in 0..60_i64,
    ) {
        let mut builder = EntityGraphBuilder::new();
        for (user, seconds) in [(0, &one), (1, &other)] {
            for second in seconds {
                let at = Timestamp::from_seconds(*second).unwrap();
                let (user, thing) = (key(EntityKind::User, user), key(EntityKind::Device, 0));
                builder.pair(&user, &thing, at, 1.0).unwrap();
            }
        }
        let graph = builder.build();
        let nearest = one.iter().flat_map(|one| other.iter().map(move |other| (one - other).abs()));
        let expected = usize::from(nearest.min().unwrap() <= gap);
        let params = LinkParams::default().max_gap(Duration::from_secs(gap.unsigned_abs()));
        prop_assert_eq!(params.link(&graph, 0.0).unwrap().links.len(), expected);
        let half_life = params.half_life(Duration::from_secs(1_000_000_000));
        prop_assert_eq!(half_life.link(&graph, 0.0).unwrap().links.len(), expected);
    }
}

/// What the docs of the parameters say of pairs that share two of twelve, and more; measured on simulated users.
#[test]
fn most_links_are_found_without_looking_at_all_pairs() {
    let world = RingWorldParams::default().seed(9).simulate().unwrap();
    let payments: Vec<_> = world
        .transactions()
        .map(|payment| payment.transaction)
        .collect();
    let graph = EntityGraph::from_transactions(&payments).unwrap();
    let exact = LinkParams::default().link(&graph, 0.8).unwrap();
    let params = LinkParams::default()
        .pair_budget(40_000)
        .min_hash(MinHashParams::default());
    let found = params.link(&graph, 0.8).unwrap();
    assert!(!exact.approximate && found.approximate && exact.pairs > 50_000);
    let pair = |link: &dafu_graph::Link| (link.one, link.other);
    let all: BTreeSet<_> = exact.links.iter().map(pair).collect();
    // What is found is right.
    assert!(found.links.iter().all(|link| all.contains(&pair(link))));
    assert!(found.links.is_sorted_by_key(pair));
    let recall = found.links.len() as f64 / all.len() as f64;
    assert!(recall > 0.95, "{recall}");
    assert!(
        found.pairs < exact.pairs / 2,
        "{} of {}",
        found.pairs,
        exact.pairs
    );
    let wrong = LinkParams::default().min_hash(MinHashParams {
        rows: 0,
        ..MinHashParams::default()
    });
    assert_eq!(
        wrong.check().unwrap_err().to_string(),
        "`rows` must be at least 1 and at most 16, got 0"
    );
}

#[test]
fn a_ring_of_more_users_than_a_bucket_pairs_stays_one() {
    let things = (0..5).flat_map(|thing| (0..201).map(move |user| (user, 0, thing)));
    let graph = graph(&things.collect::<Vec<_>>());
    let params = LinkParams::default()
        .kind(EntityKind::Device, 0.5, 1_000)
        .population(1_000_000);
    let exact = params.link(&graph, 0.8).unwrap();
    assert_eq!((exact.links.len(), exact.left_out), (20_100, 0));
    // Room for all that is looked at, for some of it, and just for what holds them together.
    for (budget, pairs) in [(50_000, 15_150), (1_000, 1_000), (200, 200)] {
        let params = params.clone().pair_budget(budget);
        let params = params.min_hash(MinHashParams::default());
        let found = params.link(&graph, 0.8).unwrap();
        assert_eq!((found.pairs, found.links.len() as u64), (pairs, pairs));
        assert!(found.approximate && found.skipped.is_empty());
        assert_eq!(found.left_out, 20_100 - pairs);
        let mut group = BTreeSet::from([found.links[0].one]);
        for _ in 0..2 {
            for link in &found.links {
                if group.contains(&link.one) || group.contains(&link.other) {
                    group.extend([link.one, link.other]);
                }
            }
        }
        assert_eq!(group.len(), 201);
    }
    let rings = RingParams {
        links: params
            .pair_budget(50_000)
            .min_hash(MinHashParams::default()),
        ..RingParams::default()
    };
    let report = rings.detect(&graph).unwrap();
    assert_eq!((report.groups, report.left_out), (1, 4_950));
}

#[test]
fn a_hub_of_many_is_no_work() {
    let uses: Vec<(usize, usize, usize)> = (0..200_000).map(|user| (user, 2, 0)).collect();
    let graph = graph(&uses);
    let found = LinkParams::default().link(&graph, 0.5).unwrap();
    assert_eq!(
        (found.links.len(), found.pairs, found.skipped[0].users),
        (0, 0, 200_000)
    );
}

#[test]
fn wrong_parameters_are_named() {
    let graph = graph(&[(0, 0, 0)]);
    let text = |params: LinkParams| params.link(&graph, 0.5).unwrap_err().to_string();
    let params = LinkParams::default;
    assert_eq!(
        text(params().kind(EntityKind::Card, 0.0, 5)),
        "`reliability` must be above 0 and at most 1, got 0 for Card"
    );
    assert_eq!(
        text(params().kind(EntityKind::Card, 0.5, 1)),
        "`hub_cap` must be at least 2, got 1 for Card"
    );
    assert_eq!(
        text(params().kind(EntityKind::User, 0.5, 9)),
        "`kinds` must be other kinds than User, got User"
    );
    assert_eq!(
        text(params().prior_links(0.0)),
        "`prior_links` must be above 0 and at most 1000, got 0"
    );
    let threshold = params().link(&graph, 2.0).unwrap_err().to_string();
    assert_eq!(
        threshold,
        "`threshold` must be at least 0 and at most 1, got 2"
    );
}
