//! Accounts that share devices, addresses and cards: rings, and everybody else who does.

mod params;
mod payment;
mod population;

use crate::random::{Purpose, Stream, key, unit};
use crate::world::id;
use dafu_core::portable::ln;
use dafu_core::{EntityId, Label, Money, Timestamp, Transaction, TransactionId, Value};
pub use params::RingWorldParams;
use payment::{NONE, Payment, Till};
use population::Population;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What a group of accounts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GroupKind {
    /// Accounts in one hand: fraud.
    Ring,
    /// Two to four people who live together.
    Household,
    /// Many people who live in one house.
    Dormitory,
    /// Population who work in one place.
    Office,
}

/// Accounts that have something to do with each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they are.
    pub kind: GroupKind,
    /// The users, rising by number.
    pub members: Vec<EntityId>,
    /// When a ring was at work; `None` for others.
    pub active: Option<(Timestamp, Timestamp)>,
}

/// One payment of a simulated network.
#[derive(Debug, Clone, PartialEq)]
pub struct RingTransaction {
    /// What a detector sees, but for the label. The postal address is the further column `address`.
    pub transaction: Transaction,
    /// The ring that made it.
    pub ring: Option<usize>,
    /// When the label is known; `None` for those that never are.
    pub label_known_at: Option<Timestamp>,
}

impl RingTransaction {
    /// Whether it is fraud: of a ring, or of another kind.
    pub fn is_fraud(&self) -> bool {
        self.transaction.is_fraud == Label::Fraud
    }
}

/// When a ring is at work, in microseconds since the first day.
#[derive(Debug, Clone, Copy)]
struct Active {
    begin: i64,
    end: i64,
}

/// A simulated network of accounts: payments, and who belongs together.
#[derive(Debug)]
pub struct RingWorld {
    params: RingWorldParams,
    population: Population,
    payments: Vec<Payment>,
    rings: Vec<(Active, Vec<u32>)>,
}

impl RingWorld {
    fn new(params: &RingWorldParams) -> Self {
        let mut population = Population::new(params);
        let teams = teams(params, &population);
        let mut counters = std::mem::take(&mut population.counters);
        let till = Till::new(params, &population);
        let mut payments = Vec::new();
        let mut in_ring = vec![false; population.people.len()];
        let mut rings = Vec::new();
        for (ring, members) in (0..).zip(teams) {
            for member in &members {
                in_ring[*member as usize] = true;
            }
            let active = till.ring(ring, &members, &mut counters, &mut payments);
            rings.push((active, members));
        }
        for user in 0..params.users {
            if !in_ring[user as usize] {
                till.honest(user, &mut payments);
            }
        }
        payments.sort_by_key(|payment| (payment.micros, payment.user));
        Self {
            params: params.clone(),
            population,
            payments,
            rings,
        }
    }

    /// The parameters.
    pub const fn params(&self) -> &RingWorldParams {
        &self.params
    }

    /// Number of payments.
    pub const fn len(&self) -> usize {
        self.payments.len()
    }

    /// Whether there are no payments; there always are some.
    pub const fn is_empty(&self) -> bool {
        self.payments.is_empty()
    }

    /// The payments in the order of time.
    pub fn transactions(&self) -> impl Iterator<Item = RingTransaction> {
        (0..)
            .zip(&self.payments)
            .map(|(number, payment)| self.transaction(number, payment))
    }

    /// Rings, in the order of their numbers, then households, dormitories and offices of two members and more.
    pub fn groups(&self) -> impl Iterator<Item = Group> {
        let rings = self.rings.iter().map(|(active, members)| Group {
            kind: GroupKind::Ring,
            members: members.iter().map(|member| user_id(*member)).collect(),
            active: Some((self.moment(active.begin), self.moment(active.end))),
        });
        let homes = self.population.homes.iter().map(|home| Group {
            kind: if home.dormitory {
                GroupKind::Dormitory
            } else {
                GroupKind::Household
            },
            members: (home.people.0..home.people.1).map(user_id).collect(),
            active: None,
        });
        let offices = self.population.offices.iter().map(|office| Group {
            kind: GroupKind::Office,
            members: office
                .workers
                .iter()
                .map(|worker| user_id(*worker))
                .collect(),
            active: None,
        });
        let others = homes.chain(offices).filter(|group| group.members.len() > 1);
        rings.chain(others)
    }

    fn moment(&self, micros: i64) -> Timestamp {
        // The last day is checked to lie before the year 9000.
        let at = self.params.start.as_micros().saturating_add(micros);
        Timestamp::from_micros(at).unwrap_or(self.params.start)
    }

    fn transaction(&self, number: u32, payment: &Payment) -> RingTransaction {
        let seed = self.params.seed;
        let timestamp = self.moment(payment.micros);
        let named = |kind: &str, number: u32| {
            let kind_number = kind
                .bytes()
                .fold(0, |sum, byte| sum * 256 + u64::from(byte));
            let text = key(
                seed,
                Purpose::NetworkName,
                number.into(),
                kind_number.cast_signed(),
            );
            id(&format!("{kind}-{text:016x}"))
        };
        let mut transaction = Transaction::new(
            transaction_id(number),
            user_id(payment.user),
            Money::from_minor(payment.minor.into(), self.params.currency),
            id(&format!("m{}", payment.merchant)),
            timestamp,
        )
        .with_label(payment.fraud)
        .with_device(named("d", payment.device));
        transaction.card = Some(named("c", payment.card));
        transaction.email = Some(named("e", payment.email));
        transaction.ip = Some(address(payment.ip));
        if payment.address != NONE {
            let address = Value::Text(named("a", payment.address));
            transaction.extras.insert(Arc::from("address"), address);
        }
        let mut stream = Stream::new(seed, Purpose::NetworkLabel, number.into(), 0);
        let labelled = stream.chance(self.params.labelled_share);
        let delay = self.params.label_delay;
        let days = delay.minimum_days - delay.mean_further_days * ln(1.0 - unit(stream.bits()));
        let known = || {
            let delay = std::time::Duration::try_from_secs_f64(days * 86_400.0).ok()?;
            timestamp.checked_add(delay).ok()
        };
        RingTransaction {
            transaction,
            ring: (payment.ring != NONE).then_some(payment.ring as usize),
            label_known_at: if labelled && payment.fraud {
                known()
            } else {
                None
            },
        }
    }
}

/// Who is in which ring: people who live alone and work in no office first.
fn teams(params: &RingWorldParams, population: &Population) -> Vec<Vec<u32>> {
    let mut stream = Stream::new(params.seed, Purpose::NetworkRing, 0, 1);
    let alone = |user: &u32| {
        let person = &population.people[*user as usize];
        let (first, last) = population.homes[person.home as usize].people;
        person.office.is_none() && last - first == 1
    };
    let (mut alone, mut others): (Vec<u32>, Vec<u32>) = (0..params.users).partition(alone);
    let mut teams = Vec::new();
    for _ in 0..params.rings {
        let size = stream.within(params.smallest_ring, params.largest_ring);
        let mut members: Vec<u32> = (0..size)
            .filter_map(|_| {
                let from = if alone.is_empty() {
                    &mut others
                } else {
                    &mut alone
                };
                let place = stream.below(u32::try_from(from.len()).unwrap_or(1)) as usize;
                (place < from.len()).then(|| from.swap_remove(place))
            })
            .collect();
        members.sort_unstable();
        teams.push(members);
    }
    teams
}

fn user_id(number: u32) -> EntityId {
    id(&format!("u{number}"))
}

#[expect(
    clippy::expect_used,
    reason = "a short printable text that begins with a letter"
)]
fn transaction_id(number: u32) -> TransactionId {
    TransactionId::new(format!("t{number}")).expect("short printable text")
}

/// An address of 10/8; the numbers are spread, so that neighbours have nothing in common.
fn address(number: u32) -> IpAddr {
    let spread = number.wrapping_mul(0x009e_3779) & 0x00ff_ffff;
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | spread))
}
