//! The simulated network of accounts: what is promised about it, and that it is the same for ever.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::{EntityId, Label, Transaction, Value};
use dafu_sim::{Group, GroupKind, RingTransaction, RingWorldParams};
use std::collections::{BTreeMap, BTreeSet};

fn params() -> RingWorldParams {
    RingWorldParams::default().users(6_000).rings(12).seed(3)
}

/// What somebody pays with, where, and to which address.
fn attributes(transaction: &Transaction) -> Vec<String> {
    let mut found = vec![
        format!("device {}", transaction.device.as_ref().unwrap()),
        format!("ip {}", transaction.ip.unwrap()),
        format!("card {}", transaction.card.as_ref().unwrap()),
        format!("email {}", transaction.email.as_ref().unwrap()),
    ];
    if let Some(Value::Text(address)) = transaction.extras.get("address") {
        found.push(format!("address {address}"));
    }
    found
}

/// Who uses each attribute.
fn users(payments: &[RingTransaction]) -> BTreeMap<String, BTreeSet<EntityId>> {
    let mut users: BTreeMap<String, BTreeSet<EntityId>> = BTreeMap::new();
    for payment in payments {
        for attribute in attributes(&payment.transaction) {
            let user = payment.transaction.user_id.clone();
            users.entry(attribute).or_default().insert(user);
        }
    }
    users
}

fn of_kind(groups: &[Group], kind: GroupKind) -> Vec<&Group> {
    groups.iter().filter(|group| group.kind == kind).collect()
}

/// What each user uses.
fn used(payments: &[RingTransaction]) -> BTreeMap<EntityId, BTreeSet<String>> {
    let mut used: BTreeMap<EntityId, BTreeSet<String>> = BTreeMap::new();
    for payment in payments {
        let transaction = &payment.transaction;
        let of_user = used.entry(transaction.user_id.clone()).or_default();
        of_user.extend(attributes(transaction));
    }
    used
}

/// Attributes that at least two members share.
fn shared(group: &Group, used: &BTreeMap<EntityId, BTreeSet<String>>) -> Vec<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for member in &group.members {
        for attribute in &used[member] {
            *counts.entry(attribute).or_default() += 1;
        }
    }
    let shared = counts.into_iter().filter(|(_, count)| *count > 1);
    shared.map(|(attribute, _)| attribute.clone()).collect()
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let world = || params().simulate().unwrap();
    let (one, two) = (world(), world());
    assert_eq!(one.len(), two.len());
    assert!(one.transactions().eq(two.transactions()));
    assert!(one.groups().eq(two.groups()));
    let other = params().seed(4).simulate().unwrap();
    assert!(!one.transactions().eq(other.transactions()));
}

/// A change of any number of the network is a breaking change.
#[test]
fn the_world_stays_as_it_is() {
    let world = params().simulate().unwrap();
    let hash = world.transactions().fold(0_u64, |sum, payment| {
        sum.rotate_left(1) ^ payment.transaction.content_hash()
    });
    assert_eq!((world.len(), hash), (18_860, 15_403_749_483_982_805_449));
}

#[test]
fn everybody_pays_in_the_order_of_time() {
    let world = params().simulate().unwrap();
    let payments: Vec<RingTransaction> = world.transactions().collect();
    assert!(payments.is_sorted_by_key(|payment| payment.transaction.timestamp));
    let payers: BTreeSet<&EntityId> = payments
        .iter()
        .map(|payment| &payment.transaction.user_id)
        .collect();
    assert_eq!(payers.len(), 6_000);
    let ids: BTreeSet<_> = payments
        .iter()
        .map(|payment| &payment.transaction.transaction_id)
        .collect();
    assert_eq!((ids.len(), world.is_empty()), (world.len(), false));
    // Three payments each, and ordinary ones of rings on top.
    assert!((17_000..20_000).contains(&world.len()), "{}", world.len());
    let first = params().start;
    let last = payments.last().unwrap().transaction.timestamp;
    assert!(payments[0].transaction.timestamp >= first && last.day() < first.day() + 60);
}

#[test]
fn members_of_rings_share_more_than_households_and_both_share() {
    let world = params().household_share(0.2).simulate().unwrap();
    let groups: Vec<Group> = world.groups().collect();
    let payments: Vec<RingTransaction> = world.transactions().collect();
    let used = used(&payments);

    let rings = of_kind(&groups, GroupKind::Ring);
    assert_eq!(rings.len(), 12);
    for ring in &rings {
        assert!((3..=30).contains(&ring.members.len()) && ring.members.is_sorted_by_key(number));
        let shared = shared(ring, &used);
        // Half of the pools, and one of each kind at least.
        assert!(shared.len() >= 2, "{shared:?}");
        let (begin, end) = ring.active.unwrap();
        let days = end.since(begin) as f64 / 86_400e6;
        assert!((5.0..=20.0).contains(&days));
    }
    let large = rings.iter().find(|ring| ring.members.len() > 15).unwrap();
    assert!(shared(large, &used).len() > 8);

    let households = of_kind(&groups, GroupKind::Household);
    let kinds = |group: &&&Group, kind: &str| {
        shared(group, &used)
            .iter()
            .any(|attribute| attribute.starts_with(kind))
    };
    let share = |kind: &str| {
        households.iter().filter(|group| kinds(group, kind)).count() as f64
            / households.len() as f64
    };
    assert!(
        households
            .iter()
            .all(|group| (2..=4).contains(&group.members.len()))
    );
    // Not all pay from home, or have something sent.
    assert!(
        share("ip") > 0.5 && share("address") > 0.3,
        "{} {}",
        share("ip"),
        share("address")
    );
    assert!((0.1..0.6).contains(&share("device")), "{}", share("device"));
    assert!((0.02..0.3).contains(&share("card")), "{}", share("card"));
}

fn number(id: &EntityId) -> u32 {
    id.as_str().strip_prefix('u').unwrap().parse().unwrap()
}

#[test]
fn honest_people_share_with_strangers() {
    let world = params().rings(0).users(20_000).simulate().unwrap();
    let groups: Vec<Group> = world.groups().collect();
    assert!(of_kind(&groups, GroupKind::Ring).is_empty());
    let offices = of_kind(&groups, GroupKind::Office);
    let largest = offices
        .iter()
        .map(|office| office.members.len())
        .max()
        .unwrap();
    assert!(
        offices.len() > 50 && largest > 100,
        "{} {largest}",
        offices.len()
    );
    assert!(!of_kind(&groups, GroupKind::Dormitory).is_empty());
    assert!(world.transactions().all(|payment| payment.ring.is_none()));

    let payments: Vec<RingTransaction> = world.transactions().collect();
    let users = users(&payments);
    let count = |kind: &str, wanted: std::ops::Range<usize>| {
        let of_kind = users
            .iter()
            .filter(|(attribute, _)| attribute.starts_with(kind));
        of_kind
            .filter(|(_, users)| wanted.contains(&users.len()))
            .count()
    };
    // Mobile networks, public addresses, offices; devices that look alike, and some that were sold; cards of companies.
    let (hubs, busy) = (count("ip", 500..20_000), count("ip", 20..500));
    assert!(hubs > 4 && busy > 50, "{hubs} {busy}");
    assert!(count("device", 5..100) > 10 && count("device", 2..5) > 500);
    assert!(count("card", 3..5) > 0);
    let distinct_edges: usize = users.values().map(BTreeSet::len).sum();
    assert!(distinct_edges > 100_000, "{distinct_edges}");
}

#[test]
fn labels_come_late_or_never() {
    let world = params().labelled_share(0.5).simulate().unwrap();
    let (mut ring, mut other, mut labelled) = (0, 0, 0);
    for payment in world.transactions() {
        if let Some(at) = payment.label_known_at {
            assert!(payment.is_fraud());
            assert!(at.since(payment.transaction.timestamp) >= 7 * 86_400_000_000);
            labelled += 1;
        }
        match (payment.ring, payment.is_fraud()) {
            (Some(_), fraud) => {
                assert!(fraud);
                ring += 1;
            }
            (None, true) => other += 1,
            (None, false) => assert_eq!(payment.transaction.is_fraud, Label::Legitimate),
        }
    }
    assert!((20..120).contains(&other), "{other}");
    let share = f64::from(labelled) / f64::from(ring + other);
    assert!((0.4..0.6).contains(&share), "{share}");
}

#[test]
fn members_of_rings_pay_as_others_do_as_often_as_asked() {
    for camouflage in [0.0, 1.0, 2.5] {
        let world = params().camouflage(camouflage).simulate().unwrap();
        let groups: Vec<Group> = world.groups().collect();
        let members: BTreeSet<EntityId> = of_kind(&groups, GroupKind::Ring)
            .iter()
            .flat_map(|ring| ring.members.clone())
            .collect();
        let (mut ring, mut ordinary) = (0_u32, 0_u32);
        for payment in world.transactions() {
            match payment.ring {
                Some(_) => ring += 1,
                None if members.contains(&payment.transaction.user_id) => ordinary += 1,
                None => {}
            }
        }
        let share = f64::from(ordinary) / f64::from(ring);
        assert!((share - camouflage).abs() < 0.1, "{share} {camouflage}");
    }
}

#[test]
fn wrong_parameters_are_named() {
    let text = |params: RingWorldParams| params.simulate().unwrap_err().to_string();
    assert_eq!(
        text(params().users(50)),
        "`users` must be between 100 and 10000000, got 50"
    );
    assert_eq!(
        text(params().largest_ring(2)),
        "`largest_ring` must be between 3 and 1000, got 2"
    );
    assert_eq!(
        text(params().rings(200)),
        "`rings` must be between 0 and 125, got 200"
    );
    assert_eq!(
        text(params().ring_density(0.0)),
        "`ring_density` must be a number from 0.000001 to 1, got 0"
    );
    assert_eq!(
        text(params().lockstep(f64::NAN)),
        "`lockstep` must be a number from 0 to 1, got NaN"
    );
    let noon = dafu_core::Timestamp::from_seconds(43_200).unwrap();
    assert!(text(params().start(noon)).starts_with("`start` must be midnight"));
}

/// Worlds of the largest and smallest parameters come to an end, with everybody in them.
#[test]
fn odd_worlds_are_worlds() {
    for params in [
        RingWorldParams::default()
            .users(100)
            .rings(2)
            .days(20)
            .merchants(10)
            .public_addresses(1),
        params()
            .household_share(1.0)
            .office_share(1.0)
            .ring_density(1.0)
            .lockstep(1.0),
        params()
            .household_share(0.0)
            .office_share(0.0)
            .camouflage(0.0)
            .labelled_share(0.0),
        params()
            .smallest_ring(2)
            .largest_ring(2)
            .rings(100)
            .payments_per_user(1.0),
    ] {
        let world = params.simulate().unwrap();
        let rings = world
            .groups()
            .filter(|group| group.kind == GroupKind::Ring)
            .count();
        assert_eq!(rings, params.rings as usize);
        let payers: BTreeSet<EntityId> = world
            .transactions()
            .map(|payment| payment.transaction.user_id)
            .collect();
        // Members of a ring without camouflage pay for the ring.
        assert_eq!(payers.len(), params.users as usize);
    }
}
