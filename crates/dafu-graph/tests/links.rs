//! Links against the formula, pair by pair.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp};
use dafu_graph::{EntityGraph, EntityGraphBuilder, LinkParams, NodeId};
use proptest::prelude::*;
use std::collections::BTreeSet;

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
                if shared > 0 && probability >= threshold {
                    expected.push((*one, *other, probability, shared));
                }
            }
        }
        // On the edge rounding decides.
        let clear = expected.iter().filter(|link| link.2 - threshold > 1e-4).count();
        prop_assert!(found.links.len() >= clear && found.links.len() <= expected.len() + 1);
        for link in &found.links {
            let same = expected.iter().find(|other| (other.0, other.1) == (link.one, link.other));
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
