//! Rings as events arrive are those of a batch.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, EntityId, EntityKind, Money, Timestamp, Transaction, TransactionId};
use dafu_graph::{EntityGraph, FraudRing, RingChange, RingParams, RingStream, RingStreamParams};
use dafu_sim::RingWorldParams;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// What must be the same of a ring, whatever its id and the order of its members.
type Same = (Vec<String>, Vec<String>, u64, String);

fn same(rings: &[FraudRing]) -> BTreeSet<Same> {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let of = |ring: &FraudRing| {
        (
            sorted(
                ring.members
                    .iter()
                    .map(|member| member.id.to_string())
                    .collect(),
            ),
            sorted(
                ring.shared
                    .iter()
                    .map(|thing| {
                        let users = sorted(
                            thing
                                .used_by
                                .iter()
                                .map(|place| ring.members[*place].id.to_string())
                                .collect(),
                        );
                        format!(
                            "{:?} {users:?} {} {:?}",
                            thing.entity, thing.users, thing.first_seen
                        )
                    })
                    .collect(),
            ),
            ring.payments,
            // Sums in another order may differ in their last bits.
            format!(
                "{:.3} {:.9} {:.9} {:.9e}",
                ring.amount, ring.density, ring.links_per_member, ring.p_value
            ),
        )
    };
    rings.iter().map(of).collect()
}

fn batch(params: &RingParams, payments: &[Transaction]) -> BTreeSet<Same> {
    let graph = EntityGraph::from_transactions(payments).unwrap();
    same(&params.detect(&graph).unwrap().rings)
}

/// Ids of rings that changes leave.
fn follow(standing: &mut BTreeSet<String>, changes: &[RingChange]) {
    for change in changes {
        match change {
            RingChange::Formed { ring } => assert!(standing.insert(ring.clone()), "{ring}"),
            RingChange::Changed { ring } => assert!(standing.contains(ring)),
            RingChange::Merged { ring, into } => {
                assert!(standing.remove(ring) && ring != into);
            }
            RingChange::Dissolved { ring } => assert!(standing.remove(ring)),
            _ => {}
        }
    }
}

fn ids(stream: &RingStream) -> BTreeSet<String> {
    stream.rings().into_iter().map(|ring| ring.id).collect()
}

#[test]
fn a_stream_finds_what_a_batch_finds() {
    for (seed, work) in [(1, 100), (2, 100_000)] {
        let world = RingWorldParams::default()
            .users(4_000)
            .rings(6)
            .seed(seed)
            .simulate()
            .unwrap();
        let payments: Vec<Transaction> = world
            .transactions()
            .map(|payment| payment.transaction)
            .collect();
        let params = RingStreamParams::new(4_000).work(work);
        let rings = params.rings.clone();
        let mut stream = params.start().unwrap();
        let mut standing = BTreeSet::new();
        for (at, payment) in payments.iter().enumerate() {
            follow(&mut standing, &stream.observe(payment).unwrap());
            if at % 3_000 == 2_999 {
                follow(&mut standing, &stream.settle());
                assert_eq!(stream.pending(), 0);
                assert_eq!(same(&stream.rings()), batch(&rings, &payments[..=at]));
            }
        }
        follow(&mut standing, &stream.settle());
        assert_eq!(same(&stream.rings()), batch(&rings, &payments));
        assert_eq!(standing, ids(&stream));
        assert!(standing.len() >= 4);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pay {
        user: u8,
        device: u8,
        card: u8,
        ip: u8,
        hours: i64,
    },
    Forget {
        kind: EntityKind,
        number: u8,
    },
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pay = (0..14_u8, 0..5_u8, 0..5_u8, 0..4_u8, -20..60_i64).prop_map(
        |(user, device, card, ip, hours)| Step::Pay {
            user,
            device,
            card,
            ip,
            hours,
        },
    );
    let kind = prop_oneof![
        Just(EntityKind::User),
        Just(EntityKind::Device),
        Just(EntityKind::Ip)
    ];
    let forget = (kind, 0..6_u8).prop_map(|(kind, number)| Step::Forget { kind, number });
    let step = prop_oneof![20 => pay, 1 => forget, 1 => Just(Step::Settle)];
    proptest::collection::vec(step, 1..120)
}

fn payment(
    number: usize,
    (user, device, card): (u8, u8, u8),
    ip: u8,
    at: Timestamp,
) -> Transaction {
    let id = |text: String| EntityId::new(text).unwrap();
    let amount = Money::from_minor(i64::from(user) * 100 + 50, Currency::NONE);
    let key = TransactionId::new(format!("t{number}")).unwrap();
    let mut payment = Transaction::new(key, id(format!("u{user}")), amount, id("m".into()), at);
    payment.device = Some(id(format!("d{device}")));
    payment.card = Some(id(format!("c{card}")));
    payment.ip = Some(std::net::IpAddr::from([10, 0, 0, ip]));
    payment
}

/// Rings of small groups, so that little data makes some.
fn loose(keep: u64, hub_cap: u32) -> RingStreamParams {
    let mut params = RingStreamParams::new(60)
        .keep(Duration::from_secs(keep * 86_400))
        .work(100);
    params.rings.max_p_value = 0.5;
    for kind in params.rings.links.kinds.values_mut() {
        kind.hub_cap = hub_cap;
    }
    // Communities depend on the order of nodes, which is another where places are used again.
    params.rings.split_modularity = 1.0;
    params
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_comes_goes_and_is_forgotten_a_stream_is_a_batch(
        steps in steps(), keep in prop_oneof![Just(5_u64), Just(20), Just(3_000)], cap in 3..12_u32
    ) {
        let params = loose(keep, cap);
        let rings = params.rings.clone();
        let mut stream = params.start().unwrap();
        let mut kept: Vec<Transaction> = Vec::new();
        let mut now = 1_000 * 24;
        let mut standing = BTreeSet::new();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Pay { user, device, card, ip, hours } => {
                    let at = now + hours;
                    now = now.max(at);
                    let at = Timestamp::from_seconds(at * 3_600).unwrap();
                    let payment = payment(number, (*user, *device, *card), *ip, at);
                    follow(&mut standing, &stream.observe(&payment).unwrap());
                    kept.push(payment);
                }
                Step::Forget { kind, number } => {
                    let name = match kind {
                        EntityKind::User => format!("u{number}"),
                        EntityKind::Device => format!("d{number}"),
                        _ => format!("10.0.0.{number}"),
                    };
                    let id = EntityId::new(&name).unwrap();
                    stream.forget(*kind, &id);
                    prop_assert!(!stream.forget(*kind, &id));
                    kept.retain(|payment| *kind != EntityKind::User || payment.user_id != id);
                    for payment in &mut kept {
                        if *kind == EntityKind::Device && payment.device.as_ref() == Some(&id) {
                            payment.device = None;
                        }
                        if *kind == EntityKind::Ip && payment.ip.is_some_and(|ip| ip.to_string() == name) {
                            payment.ip = None;
                        }
                    }
                }
                Step::Settle => {}
            }
            let oldest = (now - i64::try_from(keep).unwrap() * 24) * 3_600_000_000;
            kept.retain(|payment| payment.timestamp.as_micros() >= oldest);
            if matches!(step, Step::Settle) || number + 1 == steps.len() {
                follow(&mut standing, &stream.settle());
                prop_assert_eq!(same(&stream.rings()), batch(&rings, &kept));
                prop_assert_eq!(&standing, &ids(&stream));
                let graph = EntityGraph::from_transactions(&kept).unwrap();
                let links = rings.links.link(&graph, rings.similarity_threshold).unwrap();
                prop_assert_eq!(stream.links(), links.links.len());
                let merchants = usize::from(!kept.is_empty());
                prop_assert_eq!(stream.entities(), graph.node_count() - merchants);
            }
        }
    }
}

#[test]
fn what_is_too_much_for_one_event_waits_for_the_next() {
    let world = RingWorldParams::default()
        .users(3_000)
        .rings(3)
        .smallest_ring(20)
        .seed(3)
        .simulate()
        .unwrap();
    let mut stream = RingStreamParams::new(3_000).work(100).start().unwrap();
    let mut most = 0;
    for payment in world.transactions() {
        stream.observe(&payment.transaction).unwrap();
        most = most.max(stream.pending());
    }
    assert!(most > 0 && most < 200, "{most}");
    stream.settle();
    assert_eq!((stream.pending(), stream.rings().len()), (0, 3));
}

#[test]
fn who_is_known_to_be_fraud_stays_so() {
    let day = |day: i64| Timestamp::from_seconds(day * 86_400).unwrap();
    let user = EntityId::new("u1").unwrap();
    let mut stream = RingStreamParams::new(100)
        .keep(Duration::from_secs(5 * 86_400))
        .start()
        .unwrap();
    // Known before anything is seen, and then nothing is kept of both for a while.
    assert!(!stream.mark_fraud(&user, day(2)));
    let company = |stream: &RingStream, at| {
        let found = stream.associate(&payment(9, (2, 1, 2), 3, at));
        found.known_fraud
    };
    for (start, known) in [(0, 0), (20, 1)] {
        stream
            .observe(&payment(1, (1, 1, 1), 1, day(start)))
            .unwrap();
        assert_eq!(company(&stream, day(start + 1)), known);
        assert_eq!(company(&stream, day(start + 2)), 1);
        stream
            .observe(&payment(2, (3, 9, 9), 9, day(start + 10)))
            .unwrap();
        stream.settle();
        assert_eq!(company(&stream, day(start + 10)), 0);
    }
    assert!(stream.forget(EntityKind::User, &user));
    stream.observe(&payment(3, (1, 1, 1), 1, day(40))).unwrap();
    assert_eq!(company(&stream, day(41)), 0);
}

#[test]
fn who_shares_nothing_any_more_is_not_linked_whatever_the_threshold() {
    let mut params = RingStreamParams::new(100).work(u64::MAX);
    params.rings.similarity_threshold = 0.0;
    let mut stream = params.start().unwrap();
    for user in 0..2 {
        stream
            .observe(&payment(1, (user, 1, user), user, Timestamp::EPOCH))
            .unwrap();
    }
    assert_eq!(stream.links(), 1);
    stream.forget(EntityKind::Device, &EntityId::new("d1").unwrap());
    assert_eq!(stream.links(), 0);
}

/// Twelve users with three devices and cards, two of each, hour after hour.
fn ring_of_12(stream: &mut RingStream, start: i64) {
    for user in 0..12_u8 {
        for turn in 0..2 {
            let thing = (user + turn) % 3;
            let at = Timestamp::from_seconds((start + i64::from(user)) * 3_600).unwrap();
            let number = usize::from(user * 2 + turn);
            let mut payment = payment(number, (user, thing, thing), 0, at);
            payment.ip = None;
            stream.observe(&payment).unwrap();
        }
    }
}

#[test]
fn what_expires_at_a_hub_does_not_stop_everything_else() {
    let mut stream = RingStreamParams::new(50_000)
        .keep(Duration::from_secs(86_400))
        .start()
        .unwrap();
    for number in 0..12_000_i64 {
        let mut payment = payment(
            0,
            (0, 0, 0),
            1,
            Timestamp::from_seconds(number * 30).unwrap(),
        );
        payment.user_id = EntityId::new(format!("passer{number}")).unwrap();
        payment.device = None;
        payment.card = None;
        stream.observe(&payment).unwrap();
        if number == 9_000 {
            ring_of_12(&mut stream, 9_000 * 30 / 3_600 - 12);
        }
        if number == 9_001 {
            assert_eq!(stream.rings().len(), 1);
        }
    }
    // A day of them, and the network.
    assert!(stream.entities() < 2_900, "{}", stream.entities());
    assert!(stream.pending() <= 1, "{}", stream.pending());
}

#[test]
fn what_is_left_of_a_ring_is_right_at_once() {
    let mut params = RingStreamParams::new(1_000);
    params.rings.lockstep_window = Duration::ZERO;
    let mut stream = params.start().unwrap();
    ring_of_12(&mut stream, 0);
    assert_eq!(stream.rings()[0].members.len(), 12);
    for user in 0..12_u8 {
        assert!(stream.forget(
            EntityKind::User,
            &EntityId::new(format!("u{user}")).unwrap()
        ));
        for ring in stream.rings() {
            assert!(ring.members.len() >= 3 && ring.density <= 1.0, "{ring:?}");
        }
        let last = payment(99, (11, 0, 0), 0, Timestamp::EPOCH);
        let tie = stream.associate(&last).ring;
        assert!(tie.is_none_or(|tie| tie.members >= 3));
    }
    assert_eq!((stream.entities(), stream.links()), (0, 0));
}

#[test]
fn events_that_come_too_late_are_counted() {
    let mut stream = RingStreamParams::new(100)
        .keep(Duration::from_secs(86_400))
        .start()
        .unwrap();
    for day in [0, 9, 3, 9] {
        let at = Timestamp::from_seconds(day * 86_400).unwrap();
        stream.observe(&payment(1, (1, 1, 1), 1, at)).unwrap();
    }
    assert_eq!(stream.ignored(), 1);
}

#[test]
fn a_name_is_free_when_its_ring_is_gone() {
    let mut params = RingStreamParams::new(1_000).keep(Duration::from_secs(86_400));
    params.rings.lockstep_window = Duration::ZERO;
    let mut stream = params.start().unwrap();
    let mut names = BTreeSet::new();
    for turn in 0..3 {
        ring_of_12(&mut stream, turn * 1_000);
        names.insert(stream.rings()[0].id.clone());
    }
    assert_eq!(names.len(), 1);
}

#[test]
fn wrong_parameters_are_named() {
    let text = |params: RingStreamParams| params.start().unwrap_err().to_string();
    assert_eq!(
        text(RingStreamParams::new(1)),
        "`population` must be at least 2, got 1"
    );
    assert_eq!(
        text(RingStreamParams::new(9).work(5)),
        "`work` must be at least 100, got 5"
    );
    let mut params = RingStreamParams::new(9);
    let cards = params
        .rings
        .links
        .clone()
        .kind(EntityKind::Card, 0.5, 20_000);
    params.rings.links = cards;
    assert_eq!(
        text(params),
        "`hub_cap` must be at most 10000 in a stream, got 20000 for Card"
    );
    let mut params = RingStreamParams::new(9);
    params.rings.links.half_life = Some(Duration::from_secs(9));
    assert_eq!(
        text(params),
        "`max_gap and half_life` must be none in a stream, got some"
    );
    let params = RingStreamParams::new(9).rings(RingParams::default());
    assert_eq!(text(params), "`population` must be given, got none");
}

#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use dafu_graph::RingStreamSnapshot;

    #[test]
    fn a_stream_goes_on_from_what_was_saved() {
        let world = RingWorldParams::default()
            .users(3_000)
            .rings(5)
            .seed(4)
            .simulate()
            .unwrap();
        let payments: Vec<Transaction> = world
            .transactions()
            .map(|payment| payment.transaction)
            .collect();
        let params = || {
            RingStreamParams::new(3_000)
                .keep(Duration::from_secs(20 * 86_400))
                .work(u64::MAX)
        };
        let mut stream = params().start().unwrap();
        let (before, after) = payments.split_at(payments.len() * 2 / 3);
        for payment in before {
            stream.observe(payment).unwrap();
        }
        stream.forget(EntityKind::User, &before[7].user_id);
        for ring in stream.rings() {
            assert!(stream.mark_fraud(&ring.members[1].id, before[0].timestamp));
        }
        let json = serde_json::to_string(&stream.snapshot()).unwrap();
        let snapshot: RingStreamSnapshot = serde_json::from_str(&json).unwrap();
        let mut resumed = params().resume(&snapshot).unwrap();
        assert_eq!(
            (resumed.rings(), resumed.newest()),
            (stream.rings(), stream.newest())
        );
        assert!(
            resumed
                .rings()
                .iter()
                .any(|ring| ring.known_fraud.len() == 1)
        );
        for payment in after {
            assert_eq!(resumed.associate(payment), stream.associate(payment));
            resumed.observe(payment).unwrap();
            stream.observe(payment).unwrap();
        }
        assert_eq!(resumed.rings(), stream.rings());
        assert!(!stream.rings().is_empty());
    }

    #[test]
    fn damaged_snapshots_are_refused() {
        let mut stream = RingStreamParams::new(50).start().unwrap();
        for number in 0..6_u8 {
            let payment = payment(number.into(), (number, 1, 2), 3, Timestamp::EPOCH);
            stream.observe(&payment).unwrap();
        }
        let json = serde_json::to_value(stream.snapshot()).unwrap();
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut json = json.clone();
            change(&mut json);
            let snapshot: RingStreamSnapshot = serde_json::from_value(json).unwrap();
            RingStreamParams::new(50)
                .resume(&snapshot)
                .unwrap_err()
                .to_string()
        };
        let nodes = "the snapshot holds a list of nodes that no stream with these parameters has: it is damaged, or of another one";
        assert_eq!(
            refused(&|json| json["free"] = serde_json::json!([0])),
            nodes
        );
        assert_eq!(
            refused(&|json| json["nodes"][1] = json["nodes"][0].clone()),
            nodes
        );
        for (field, value) in [
            ("user", serde_json::json!(99)),
            ("thing", serde_json::json!(0)),
            ("moments", serde_json::json!([])),
            ("moments", serde_json::json!([5, 4])),
            ("amounts", serde_json::json!([])),
        ] {
            let text = refused(&|json| json["uses"][0][field] = value.clone());
            assert!(text.contains("a use of a thing"), "{field}: {text}");
        }
        let text = refused(&|json| json["uses"][1] = json["uses"][0].clone());
        assert!(text.contains("comes twice"), "{text}");
        let text = refused(&|json| json["known"] = serde_json::json!([["u1", 5], ["u1", 6]]));
        assert!(text.contains("known to be fraud twice"), "{text}");
        for now in [i64::MAX, -1] {
            let text = refused(&|json| json["now"] = serde_json::json!(now));
            assert!(text.contains("a time"), "{text}");
        }
        for rings in [
            serde_json::json!([["a", [0]], ["a", [0]]]),
            serde_json::json!([["a", [99]]]),
            serde_json::json!([["a", [1]]]),
        ] {
            let text = refused(&|json| json["rings"] = rings.clone());
            assert!(text.contains("a ring"), "{text}");
        }
        let text = refused(&|json| json["uses"] = serde_json::json!([]));
        assert!(text.contains("uses nothing"), "{text}");
    }

    #[test]
    fn names_stay_where_something_waited() {
        let mut params = RingStreamParams::new(1_000).work(100);
        params.rings.lockstep_window = Duration::ZERO;
        let mut stream = params.clone().start().unwrap();
        ring_of_12(&mut stream, 0);
        stream.settle();
        stream.forget(EntityKind::User, &EntityId::new("u0").unwrap());
        let name = stream.rings()[0].id.clone();
        // Somebody joins, and waits.
        let joins = |user: u8, device: u8| {
            let mut payment = payment(user.into(), (user, device, device), 0, Timestamp::EPOCH);
            payment.ip = None;
            payment
        };
        for device in 0..2 {
            stream.observe(&joins(20, device)).unwrap();
        }
        let resumed = params.resume(&stream.snapshot()).unwrap();
        stream.settle();
        assert_eq!(stream.rings()[0].members.len(), 12);
        assert_eq!(
            (&stream.rings()[0].id, &resumed.rings()[0].id),
            (&name, &name)
        );
    }
}

#[test]
fn company_says_something_about_an_event_before_it_is_observed() {
    let mut params = RingStreamParams::new(1_000).work(u64::MAX);
    params.rings.lockstep_window = Duration::ZERO;
    let mut stream = params.start().unwrap();
    let at = |hour: i64| Timestamp::from_seconds(hour * 3_600).unwrap();
    // Twelve users with three devices, cards and addresses, two of each.
    for user in 0..12_u8 {
        for turn in 0..2 {
            let thing = (user + turn) % 3;
            let payment = payment(
                usize::from(user * 2 + turn),
                (user, thing, thing),
                thing,
                at(i64::from(user)),
            );
            stream.observe(&payment).unwrap();
        }
    }
    let rings = stream.rings();
    assert_eq!((rings.len(), rings[0].members.len()), (1, 12));
    let member = stream.associate(&payment(90, (3, 0, 0), 0, at(50)));
    let tie = member.ring.clone().unwrap();
    assert!(
        tie.is_member && tie.ring == rings[0].id && tie.members == 12 && member.neighbours == 11
    );
    assert!((member.score - rings[0].score).abs() < 1e-12 && member.known_fraud == 0);
    // A stranger with one of their devices and one of their cards, and one with nothing.
    let near = stream.associate(&payment(91, (50, 0, 1), 99, at(50)));
    let tie = near.ring.clone().unwrap();
    assert!(!tie.is_member && tie.in_common == 2);
    // All 8 users of either are members.
    let share = 1.0 - (1.0 - 8.0 / 9.0_f64).powi(2);
    assert!((near.ring_risk - rings[0].score * share).abs() < 1e-12);
    let far = stream.associate(&payment(92, (51, 77, 77), 77, at(50)));
    assert_eq!((far.ring.clone(), far.neighbours), (None, 0));
    assert!(far.score.abs() < 1e-12);

    // Known from hour 60 on: 8 of 12 users have each thing.
    let user = |number: u8| EntityId::new(format!("u{number}")).unwrap();
    assert!(stream.mark_fraud(&user(0), at(60)) && !stream.mark_fraud(&user(200), at(60)));
    let before = stream.associate(&payment(93, (50, 0, 77), 77, at(59)));
    let after = stream.associate(&payment(93, (50, 0, 77), 77, at(60)));
    assert_eq!((before.known_fraud, after.known_fraud), (0, 1));
    assert!(before.neighbour_risk.abs() < 1e-12);
    assert!(
        (after.neighbour_risk - 0.5 / 9.0).abs() < 1e-12,
        "{}",
        after.neighbour_risk
    );
}
