//! Rings are found, and households, offices and strangers are not.
#![allow(
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::{
    Currency, EntityId, EntityKey, EntityKind, Money, Timestamp, Transaction, TransactionId, Value,
};
use dafu_graph::{EntityGraph, EntityGraphBuilder, RingParams, RingReport, detect_fraud_networks};
use dafu_sim::{GroupKind, RingWorld, RingWorldParams};
use std::collections::BTreeSet;

fn world(seed: u64, density: f64, households: f64) -> RingWorld {
    RingWorldParams::default()
        .seed(seed)
        .ring_density(density)
        .household_share(households)
        .simulate()
        .unwrap()
}

fn payments(world: &RingWorld) -> Vec<Transaction> {
    world
        .transactions()
        .map(|payment| payment.transaction)
        .collect()
}

fn in_rings(world: &RingWorld) -> BTreeSet<String> {
    let rings = world.groups().filter(|group| group.kind == GroupKind::Ring);
    rings
        .flat_map(|ring| ring.members)
        .map(|member| member.to_string())
        .collect()
}

fn found(report: &RingReport) -> BTreeSet<String> {
    let members = report.rings.iter().flat_map(|ring| &ring.members);
    members.map(|member| member.id.to_string()).collect()
}

/// Seeds, densities and household shares of the reference figures; nothing was chosen on them.
#[test]
fn most_members_of_rings_are_found_and_hardly_anybody_else() {
    let (mut right, mut all, mut wanted) = (0, 0, 0);
    for (seed, density, households) in [
        (12_345, 0.5, 0.12),
        (777, 0.5, 0.12),
        (999, 0.35, 0.12),
        (4_242, 0.5, 0.3),
        (31_337, 0.25, 0.2),
    ] {
        let world = world(seed, density, households);
        let report = detect_fraud_networks(&payments(&world), 0.8, 3).unwrap();
        let (found, truth) = (found(&report), in_rings(&world));
        right += found.intersection(&truth).count();
        all += found.len();
        wanted += truth.len();
    }
    let (precision, recall) = (right as f64 / all as f64, right as f64 / wanted as f64);
    assert!(precision >= 0.95 && recall >= 0.95, "{precision} {recall}");
}

#[test]
fn a_world_without_rings_has_hardly_any() {
    for seed in [1, 2] {
        let world = RingWorldParams::default()
            .seed(seed)
            .rings(0)
            .household_share(0.3)
            .simulate()
            .unwrap();
        let report = detect_fraud_networks(&payments(&world), 0.8, 3).unwrap();
        // Of more than a thousand groups that share something.
        assert!(
            report.rings.len() <= 3 && report.groups > 1_000,
            "{} of {}",
            report.rings.len(),
            report.groups
        );
    }
}

#[test]
fn rings_say_what_they_are() {
    let world = RingWorldParams::default()
        .users(3_000)
        .rings(3)
        .smallest_ring(10)
        .seed(5)
        .simulate()
        .unwrap();
    let payments = payments(&world);
    let graph = EntityGraph::from_transactions(&payments).unwrap();
    let report = RingParams::default().detect(&graph).unwrap();
    assert_eq!(report.rings.len(), 3);
    assert!(
        report
            .rings
            .is_sorted_by(|one, two| one.p_value <= two.p_value)
    );
    for ring in &report.rings {
        let members: BTreeSet<&EntityKey> = ring.members.iter().collect();
        assert!(ring.members.len() >= 10 && members.len() == ring.members.len());
        assert!(ring.p_value <= 0.003 && (0.5..=1.0).contains(&ring.score));
        assert!(ring.id.starts_with("ring-") && ring.id.len() == 21);
        assert!(ring.density > 0.3 && ring.density <= 1.0 && ring.links_per_member > 2.0);
        assert!(
            ring.central.len() == 3 && ring.central.iter().all(|member| members.contains(member))
        );
        assert!(
            ring.explanation
                .starts_with(&format!("{} users share ", ring.members.len()))
        );
        let days = ring.last_seen.since(ring.first_seen) as f64 / 86_400e6;
        assert!((3.0..=60.0).contains(&days), "{days}");
        for thing in &ring.shared {
            // Counted over all payments.
            let uses = |payment: &&Transaction| match thing.entity.kind {
                EntityKind::Card => payment.card.as_ref() == Some(&thing.entity.id),
                EntityKind::Device => payment.device.as_ref() == Some(&thing.entity.id),
                EntityKind::Ip => payment.ip.unwrap().to_string() == thing.entity.id.as_str(),
                EntityKind::Email => payment.email.as_ref() == Some(&thing.entity.id),
                _ => format!("{:?}", payment.extras.get("address"))
                    .contains(thing.entity.id.as_str()),
            };
            let all: Vec<&Transaction> = payments.iter().filter(uses).collect();
            let users: BTreeSet<_> = all.iter().map(|payment| &payment.user_id).collect();
            let inside = all.iter().filter(|payment| {
                ring.members
                    .iter()
                    .any(|member| member.id == payment.user_id)
            });
            let times: Vec<_> = inside.clone().map(|payment| payment.timestamp).collect();
            let sharing: BTreeSet<_> = inside.map(|payment| &payment.user_id).collect();
            assert!((thing.rarity - (2_999.0 / users.len() as f64).ln()).abs() < 1e-9);
            assert_eq!(
                (thing.users, thing.used_by.len()),
                (users.len(), sharing.len())
            );
            assert_eq!(Some(&thing.first_seen), times.iter().min());
            assert_eq!(Some(&thing.last_seen), times.iter().max());
        }
    }
}

#[test]
fn the_order_of_payments_changes_no_ring() {
    let world = world(8, 0.5, 0.12);
    let mut payments = payments(&world);
    let before = detect_fraud_networks(&payments, 0.8, 3).unwrap();
    payments.reverse();
    let after = detect_fraud_networks(&payments, 0.8, 3).unwrap();
    assert_eq!(found(&before), found(&after));
    assert_eq!(before.links, after.links);
    assert!(before.rings.len() > 20);
}

#[test]
fn wrong_parameters_are_named() {
    let text = |threshold, size| {
        detect_fraud_networks(&[], threshold, size)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        text(1.5, 3),
        "`similarity_threshold` must be at least 0 and at most 1, got 1.5"
    );
    assert_eq!(
        text(f64::NAN, 3),
        "`similarity_threshold` must be at least 0 and at most 1, got NaN"
    );
    assert_eq!(text(0.8, 1), "`min_ring_size` must be at least 2, got 1");
    let none = detect_fraud_networks(&[], 0.8, 3).unwrap();
    assert!(none.rings.is_empty() && none.skipped.is_empty());
}

/// Users of a ring and what they use: two of each three things, in turn.
fn ring(first: usize, size: usize, uses: &mut Vec<(usize, EntityKind, usize)>) {
    for user in first..first + size {
        for kind in [EntityKind::Card, EntityKind::Device, EntityKind::Ip] {
            for turn in 0..2 {
                uses.push((user, kind, first + (user + turn) % 3));
            }
        }
    }
}

fn graph(uses: &[(usize, EntityKind, usize)]) -> EntityGraph {
    let mut builder = EntityGraphBuilder::new();
    let key = |kind, name: String| EntityKey {
        kind,
        id: EntityId::new(name).unwrap(),
    };
    // Strangers, so that sharing is no chance.
    for user in 10_000..10_500 {
        builder
            .entity(&key(EntityKind::User, format!("u{user}")))
            .unwrap();
    }
    for (hour, (user, kind, thing)) in (0..).zip(uses) {
        let user = key(EntityKind::User, format!("u{user}"));
        let thing = key(*kind, format!("{kind:?}-{thing}"));
        // Nobody acts together.
        let at = Timestamp::from_seconds(hour * 86_400 * 3).unwrap();
        builder.pair(&user, &thing, at, 1.0).unwrap();
    }
    builder.build()
}

fn members(report: &RingReport) -> Vec<Vec<String>> {
    let sorted = |ring: &dafu_graph::FraudRing| {
        let mut names: Vec<String> = ring
            .members
            .iter()
            .map(|member| member.id.to_string())
            .collect();
        names.sort();
        names
    };
    report.rings.iter().map(sorted).collect()
}

#[test]
fn who_knows_only_one_member_is_none() {
    let mut uses = Vec::new();
    ring(10, 10, &mut uses);
    let alone = members(&RingParams::default().detect(&graph(&uses)).unwrap());
    assert_eq!((alone.len(), alone[0].len()), (1, 10));
    // The wife of one, with the same home.
    for user in [10, 99] {
        uses.push((user, EntityKind::Ip, 500));
        uses.push((user, EntityKind::Address, 500));
    }
    let graph = graph(&uses);
    let links = dafu_graph::LinkParams::default().link(&graph, 0.8).unwrap();
    let wife = graph
        .node(EntityKind::User, &EntityId::new("u99").unwrap())
        .unwrap();
    assert!(
        links
            .links
            .iter()
            .any(|link| link.other == wife || link.one == wife)
    );
    assert_eq!(
        members(&RingParams::default().detect(&graph).unwrap()),
        alone
    );
}

#[test]
fn two_rings_with_one_link_are_two() {
    let mut uses = Vec::new();
    ring(10, 9, &mut uses);
    ring(30, 9, &mut uses);
    let apart = members(&RingParams::default().detect(&graph(&uses)).unwrap());
    for user in [10, 30] {
        uses.push((user, EntityKind::Ip, 500));
        uses.push((user, EntityKind::Address, 500));
    }
    let glued = graph(&uses);
    assert_eq!(
        members(&RingParams::default().detect(&glued).unwrap()),
        apart
    );
    assert_eq!(apart.len(), 2);
    let one = members(
        &RingParams::default()
            .split_modularity(1.0)
            .detect(&glued)
            .unwrap(),
    );
    assert_eq!((one.len(), one[0].len()), (1, 18));
}

#[test]
fn what_a_home_or_an_office_explains_is_no_ring() {
    // Four people with one of each and a second device; twelve with a computer, a network and an address.
    let home = |kind, thing| (0..4).map(move |user| (user, kind, thing));
    let office = |kind, thing| (50..62).map(move |user| (user, kind, thing));
    let mut uses: Vec<(usize, EntityKind, usize)> = Vec::new();
    uses.extend(home(EntityKind::Ip, 1).chain(home(EntityKind::Address, 1)));
    uses.extend(home(EntityKind::Device, 1).chain(home(EntityKind::Device, 2)));
    uses.extend(
        office(EntityKind::Ip, 9)
            .chain(office(EntityKind::Address, 9))
            .chain(office(EntityKind::Device, 9)),
    );
    let report = RingParams::default().detect(&graph(&uses)).unwrap();
    assert_eq!((report.rings.len(), report.groups), (0, 2));
}

#[test]
fn known_fraud_is_noted_and_has_no_say() {
    let world = RingWorldParams::default()
        .users(3_000)
        .rings(3)
        .smallest_ring(10)
        .seed(5)
        .simulate()
        .unwrap();
    let truth = payments(&world);
    let unknown: Vec<Transaction> = truth
        .iter()
        .cloned()
        .map(|payment| payment.with_label(dafu_core::Label::Unknown))
        .collect();
    let (with, without) = (
        detect_fraud_networks(&truth, 0.8, 3).unwrap(),
        detect_fraud_networks(&unknown, 0.8, 3).unwrap(),
    );
    assert_eq!(found(&with), found(&without));
    for (ring, other) in with.rings.iter().zip(&without.rings) {
        assert!(
            ring.known_fraud_share() > 0.9 && ring.explanation.ends_with(" of them known as fraud")
        );
        assert!(other.known_fraud.is_empty() && !other.explanation.contains("known"));
        assert!((ring.p_value - other.p_value).abs() < 1e-300);
    }
}

/// Payments of people who share devices and internet addresses, all of them within a few hours of a day, week after week.
fn regulars(people: u32, (devices, lines): (u32, u32), weeks: i64) -> Vec<Transaction> {
    let id = |text: String| EntityId::new(text).unwrap();
    let mut payments = Vec::new();
    for week in 0..weeks {
        for person in 0..people {
            let at = week * 7 * 86_400 + i64::from(person) * 600;
            let mut payment = Transaction::new(
                TransactionId::new(format!("{week}-{person}")).unwrap(),
                id(format!("u{person}")),
                Money::from_minor(2_500, Currency::NONE),
                id("shop".into()),
                Timestamp::from_seconds(at).unwrap(),
            );
            let turn = u32::try_from(week).unwrap() + person;
            payment.device = Some(id(format!("d{}", turn % devices)));
            payment.ip = Some(std::net::IpAddr::from([
                10,
                0,
                0,
                u8::try_from(turn % lines).unwrap(),
            ]));
            let address = Value::Text(id("address".into()));
            payment.extras.insert("address".into(), address);
            payments.push(payment);
        }
    }
    payments
}

#[test]
fn habits_of_families_and_colleagues_make_no_ring() {
    for (people, things) in [
        (3, (1, 1)),
        (5, (1, 1)),
        (4, (2, 1)),
        (12, (1, 1)),
        (12, (2, 1)),
        (20, (2, 1)),
        (30, (2, 2)),
        (45, (3, 1)),
    ] {
        let others = (0..200).map(|user| {
            let mut payment = regulars(1, (1, 1), 1).remove(0);
            payment.user_id = EntityId::new(format!("other{user}")).unwrap();
            payment.device = Some(EntityId::new(format!("other{user}")).unwrap());
            payment.ip = None;
            payment.extras.clear();
            payment
        });
        let mut payments = regulars(people, things, 10);
        payments.extend(others);
        let report = detect_fraud_networks(&payments, 0.8, 3).unwrap();
        let told: Vec<&str> = report.rings.iter().map(|ring| &*ring.explanation).collect();
        assert!(told.is_empty(), "{people} {things:?}: {told:?}");
    }
}

#[test]
fn hubs_are_named_in_the_report() {
    let mut payments = Vec::new();
    for user in 0..60 {
        let mut payment = regulars(1, (1, 1), 1).remove(0);
        payment.user_id = EntityId::new(format!("u{user}")).unwrap();
        payments.push(payment);
    }
    let report = detect_fraud_networks(&payments, 0.8, 3).unwrap();
    let names: Vec<(&str, usize)> = report
        .skipped
        .iter()
        .map(|hub| (hub.entity.id.as_str(), hub.users))
        .collect();
    assert_eq!(names.len(), 3);
    assert!(
        names.contains(&("d0", 60)) && !report.approximate,
        "{names:?}"
    );
}
