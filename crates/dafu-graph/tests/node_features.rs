//! Node features against networkx, and against graphs that end at the moment.
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp};
use dafu_graph::{
    AssociationParams, EntityGraph, EntityGraphBuilder, KnownAt, KnownFraud, NodeFeatureParams,
    NodeId, PropagationParams,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

const KINDS: [EntityKind; 2] = [EntityKind::Device, EntityKind::Ip];

/// Second, user, kind of the entity, entity.
type Event = (i64, usize, usize, usize);

fn key(kind: EntityKind, number: usize) -> EntityKey {
    let id = EntityId::new(format!("n{number}")).unwrap();
    EntityKey { kind, id }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_seconds(second).unwrap()
}

/// A graph with so many users, in their order, and the events.
fn graph<'a>(
    users: usize,
    events: impl IntoIterator<Item = &'a Event>,
) -> (EntityGraph, Vec<NodeId>) {
    let mut builder = EntityGraphBuilder::new();
    let places = (0..users)
        .map(|user| builder.entity(&key(EntityKind::User, user)).unwrap())
        .collect();
    for (at, user, kind, entity) in events {
        let (user, other) = (key(EntityKind::User, *user), key(KINDS[*kind], *entity));
        builder.pair(&user, &other, second(*at), 1.0).unwrap();
    }
    (builder.build(), places)
}

#[test]
fn structure_is_that_of_networkx() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/risk.json")).unwrap();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    for case in fixture["networks"].as_array().unwrap() {
        let pairs = case["pairs"].as_array().unwrap().iter();
        let events: Vec<Event> = pairs
            .map(|pair| (0, number(&pair[0]), number(&pair[1]) % 2, number(&pair[1])))
            .collect();
        let (graph, users) = graph(number(&case["users"]), &events);
        let known = KnownFraud::new();
        let params = NodeFeatureParams::default();
        let found = params.compute(&graph, &known, second(0), &users).unwrap();
        assert_eq!(found.truncated, 0);
        for name in [
            "core_number",
            "component_users",
            "two_hop_users",
            "strongest_tie",
            "butterflies",
        ] {
            let expected = case[name].as_array().unwrap().iter();
            let expected: Vec<f64> = expected.map(|value| value.as_f64().unwrap()).collect();
            assert_eq!(found.column(name).unwrap(), expected, "{name}");
        }
    }
}

/// The core number by definition: peel what has too few neighbours, for rising k.
fn core(pairs: &BTreeSet<(usize, (usize, usize))>, user: usize) -> usize {
    let mut left = pairs.clone();
    for k in 1.. {
        loop {
            let users = |pair: &(usize, (usize, usize))| {
                left.iter().filter(|other| other.0 == pair.0).count()
            };
            let having = |pair: &(usize, (usize, usize))| {
                left.iter().filter(|other| other.1 == pair.1).count()
            };
            let kept: BTreeSet<_> = left
                .iter()
                .filter(|pair| users(pair) >= k && having(pair) >= k)
                .copied()
                .collect();
            if kept.len() == left.len() {
                break;
            }
            left = kept;
        }
        if left.iter().all(|pair| pair.0 != user) {
            return k - 1;
        }
    }
    0
}

/// All features of a user, from pairs alone.
fn brute_force(events: &[Event], labels: &[Option<bool>], user: usize, cap: usize) -> Vec<f64> {
    let pairs: BTreeSet<(usize, (usize, usize))> = events
        .iter()
        .map(|event| (event.1, (event.2, event.3)))
        .collect();
    let users_of = |entity: (usize, usize)| {
        pairs
            .iter()
            .filter(move |pair| pair.1 == entity)
            .map(|pair| pair.0)
    };
    let mut row = Vec::new();
    for kind in 0..2 {
        let mine = pairs
            .iter()
            .filter(|pair| pair.0 == user && pair.1.0 == kind);
        row.push(mine.clone().count() as f64);
        let most = mine.map(|pair| users_of(pair.1).count() - 1).max();
        row.push(most.map_or(f64::NAN, |most| most as f64));
    }
    let pairs: BTreeSet<_> = pairs
        .iter()
        .filter(|pair| users_of(pair.1).count() <= cap)
        .copied()
        .collect();
    let shared = |other: usize| {
        pairs
            .iter()
            .filter(|pair| pair.0 == user && pairs.contains(&(other, pair.1)))
            .count()
    };
    let near: Vec<usize> = (0..labels.len())
        .filter(|other| *other != user && shared(*other) > 0)
        .collect();
    row.push(near.len() as f64);
    row.push(near.iter().map(|other| shared(*other)).max().unwrap_or(0) as f64);
    row.push(
        near.iter()
            .map(|other| shared(*other) * (shared(*other) - 1) / 2)
            .sum::<usize>() as f64,
    );
    row.push(core(&pairs, user) as f64);
    let mut part = BTreeSet::from([user]);
    for _ in 0..labels.len() {
        let more: Vec<usize> = pairs
            .iter()
            .filter(|pair| part.contains(&pair.0))
            .flat_map(|pair| {
                pairs
                    .iter()
                    .filter(move |other| other.1 == pair.1)
                    .map(|other| other.0)
            })
            .collect();
        part.extend(more);
    }
    row.push(part.len() as f64);
    let known = near
        .iter()
        .filter(|other| labels[**other].is_some())
        .count() as f64;
    let frauds = near
        .iter()
        .filter(|other| labels[**other] == Some(true))
        .count() as f64;
    row.extend([known, frauds, frauds / near.len() as f64, frauds / known]);
    row
}

fn same(one: &[f64], other: &[f64]) -> bool {
    let bits = |row: &[f64]| {
        row.iter()
            .map(|value| {
                if value.is_nan() {
                    None
                } else {
                    Some(value.to_bits())
                }
            })
            .collect::<Vec<_>>()
    };
    bits(one) == bits(other)
}

fn params() -> NodeFeatureParams {
    let mut params = NodeFeatureParams::default();
    params.hub_caps.clear();
    params.kind(KINDS[0], 3).kind(KINDS[1], 3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn features_know_nothing_of_what_comes_later(
        events in proptest::collection::vec((0..20_i64, 0..6_usize, 0..2_usize, 0..5_usize), 0..30),
        labels in proptest::collection::vec((0..6_usize, 0..20_i64, any::<bool>()), 0..8),
        moment in -1..21_i64,
    ) {
        let (whole, users) = graph(6, &events);
        let known = |until: i64| {
            let mut known = KnownFraud::new();
            for (user, at, fraud) in labels.iter().filter(|label| label.1 <= until) {
                known.insert(users[*user], Label::from(*fraud), second(*at));
            }
            known
        };
        let params = params();
        let found = params.compute(&whole, &known(99), second(moment), &users).unwrap();
        // Rebuilt from what had happened.
        let before: Vec<Event> = events.iter().filter(|event| event.0 <= moment).copied().collect();
        let (part, places) = graph(6, &before);
        prop_assert_eq!(&places, &users);
        let rebuilt = params.compute(&part, &known(moment), second(1000), &places).unwrap();
        let at = known(99).at(second(moment));
        // So does what risk spreads along.
        let params = AssociationParams::default().kind(KINDS[0], 0.5, 3).kind(KINDS[1], 0.3, 3);
        let spread = |graph: &EntityGraph, at, known: &KnownAt| {
            let graph = params.graph(graph, second(at)).unwrap();
            PropagationParams::default().tolerance(1e-12).spread(&graph, &known.risks()).unwrap().risk
        };
        let risks = spread(&whole, moment, &at);
        let expected = spread(&part, 1000, &known(moment).at(second(1000)));
        for user in &users {
            prop_assert!((risks[user.index()] - expected[user.index()]).abs() < 1e-10);
        }
        let labels: Vec<Option<bool>> = users.iter().map(|user| at.label(*user).known()).collect();
        for (user, (one, other)) in found.rows().zip(rebuilt.rows()).enumerate() {
            prop_assert!(same(one, other), "{one:?} {other:?}");
            let expected = brute_force(&before, &labels, user, 3);
            prop_assert!(same(one, &expected), "{one:?} {expected:?}");
        }
    }
}

#[test]
fn names_are_those_of_the_columns() {
    let names = params().feature_names();
    assert_eq!(
        names[..5],
        [
            "degree_device",
            "max_shared_device",
            "degree_ip",
            "max_shared_ip",
            "two_hop_users"
        ]
    );
    let (graph, users) = graph(2, &[(0, 0, 0, 0), (0, 1, 0, 0)]);
    let found = params()
        .compute(&graph, &KnownFraud::new(), second(0), &users)
        .unwrap();
    assert_eq!(found.feature_names(), names);
    assert!(found.rows().all(|row| row.len() == names.len()));
    assert_eq!(
        (found.get(2, "core_number"), found.get(0, "height")),
        (None, None)
    );
}

#[test]
fn hubs_count_and_are_not_followed() {
    // A million users of one device; one of them shares a second with another.
    let mut builder = EntityGraphBuilder::new();
    let hub = key(EntityKind::Device, 0);
    for user in 0..1_000_000 {
        builder
            .pair(&key(EntityKind::User, user), &hub, second(0), 1.0)
            .unwrap();
    }
    for user in [0, 1] {
        builder
            .pair(
                &key(EntityKind::User, user),
                &key(EntityKind::Device, 1),
                second(0),
                1.0,
            )
            .unwrap();
    }
    let graph = builder.build();
    let users: Vec<_> = graph.nodes_of(EntityKind::User).take(3).collect();
    let known = KnownFraud::new();
    let found = params().compute(&graph, &known, second(0), &users).unwrap();
    let of = |row, name| found.get(row, name).unwrap();
    assert_eq!(
        (of(0, "max_shared_device"), of(0, "two_hop_users")),
        (999_999.0, 1.0)
    );
    assert_eq!(
        (of(2, "two_hop_users"), of(2, "component_users")),
        (0.0, 1.0)
    );
    // No cap for hubs, but one for pairs: what few share comes first.
    let wide = params().kind(EntityKind::Device, u32::MAX).pair_cap(1000);
    let found = wide.compute(&graph, &known, second(0), &users).unwrap();
    assert_eq!(
        (found.get(0, "two_hop_users"), found.truncated),
        (Some(1.0), 3)
    );
    assert_eq!(found.get(2, "component_users"), Some(1_000_000.0));
}

#[test]
fn wrong_input_is_named() {
    let (graph, mut users) = graph(1, &[(0, 0, 0, 0)]);
    let known = KnownFraud::new();
    users.extend(graph.nodes_of(EntityKind::Device));
    let wrong = params()
        .compute(&graph, &known, second(0), &users)
        .unwrap_err();
    assert_eq!(wrong.to_string(), "`users` must be places of users, got 1");
    assert!(params().pair_cap(0).check().is_err());
    assert!(params().kind(EntityKind::User, 9).check().is_err());
    assert!(params().kind(EntityKind::Ip, 1).check().is_err());
    let empty = EntityGraphBuilder::new().build();
    let none = params()
        .without(EntityKind::Ip)
        .compute(&empty, &known, second(0), &[])
        .unwrap();
    assert_eq!(none.rows().len(), 0);
}
