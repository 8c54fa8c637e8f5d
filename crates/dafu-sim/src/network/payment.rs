//! Who pays when, from where, with what.

use super::population::{Counters, Population, next};
use super::{Active, RingWorldParams};
use crate::random::{Purpose, Stream};
use dafu_core::portable::{exp, ln};

/// No postal address, or no ring.
pub(super) const NONE: u32 = u32::MAX;
const DAY: f64 = 86_400.0;
const HOUR: f64 = 3_600.0;
/// Share of honest payments that are fraud of another kind.
const OTHER_FRAUD: f64 = 0.003;

/// One payment by numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payment {
    /// Since midnight of the first day.
    pub(super) micros: i64,
    pub(super) user: u32,
    pub(super) merchant: u32,
    pub(super) device: u32,
    pub(super) ip: u32,
    pub(super) card: u32,
    /// The user whose e-mail address it is.
    pub(super) email: u32,
    pub(super) address: u32,
    pub(super) minor: u32,
    pub(super) ring: u32,
    pub(super) fraud: bool,
}

/// What a ring shares.
#[derive(Debug, Default)]
struct Pool {
    devices: Vec<u32>,
    ips: Vec<u32>,
    cards: Vec<u32>,
    addresses: Vec<u32>,
    merchants: Vec<u32>,
}

/// Draws payments.
pub(super) struct Till<'a> {
    params: &'a RingWorldParams,
    population: &'a Population,
    /// Sums of the merchants' weights: the r-th has 1/r.
    popularity: Vec<f64>,
}

impl<'a> Till<'a> {
    pub(super) fn new(params: &'a RingWorldParams, population: &'a Population) -> Self {
        let mut sum = 0.0;
        let popularity = (1..=params.merchants)
            .map(|rank| {
                sum += 1.0 / f64::from(rank);
                sum
            })
            .collect();
        Self {
            params,
            population,
            popularity,
        }
    }

    fn merchant(&self, stream: &mut Stream) -> u32 {
        let all = self.popularity.last().copied().unwrap_or(1.0);
        let at = stream.unit() * all;
        let place = self.popularity.partition_point(|sum| *sum <= at);
        u32::try_from(place)
            .unwrap_or(0)
            .min(self.params.merchants - 1)
    }

    fn amount(stream: &mut Stream) -> u32 {
        let amount = exp(ln(3_500.0) + 0.9 * stream.normal());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between the limits"
        )]
        let minor = amount.clamp(100.0, 500_000.0) as u32;
        minor
    }

    /// A moment of a day: mostly between eight and midnight.
    fn moment(&self, stream: &mut Stream) -> f64 {
        let day = f64::from(stream.below(self.params.days));
        let hour = if stream.chance(0.93) {
            stream.between(8.0, 24.0)
        } else {
            stream.between(0.0, 8.0)
        };
        day * DAY + hour * HOUR
    }

    /// The payments of somebody who is in no ring.
    pub(super) fn honest(&self, user: u32, payments: &mut Vec<Payment>) {
        let mut stream = Stream::new(self.params.seed, Purpose::NetworkUser, user.into(), 0);
        let count = 1 + stream.poisson(self.params.payments_per_user - 1.0);
        for _ in 0..count {
            let at = self.moment(&mut stream);
            let payment = self.ordinary(user, at, &mut stream);
            let fraud = stream.chance(OTHER_FRAUD);
            payments.push(Payment { fraud, ..payment });
        }
    }

    /// One ordinary payment.
    fn ordinary(&self, user: u32, at: f64, stream: &mut Stream) -> Payment {
        let person = &self.population.people[user as usize];
        let home = &self.population.homes[person.home as usize];
        let office = person
            .office
            .map(|office| &self.population.offices[office as usize]);
        let day = at / DAY;
        let hour = (at % DAY) / HOUR;
        // Days of the week as they come: two in seven are free.
        let works = office.is_some() && (9.0..18.0).contains(&hour) && (day % 7.0) < 5.0;

        let home_ip = |home: &super::population::Home| match home.later_ip {
            Some((from, ip)) if day >= from => ip,
            _ => home.ip,
        };
        let at_work = office.filter(|_| works && stream.chance(0.6));
        let ip = if let Some(office) = at_work {
            office.ip
        } else {
            match stream.unit() {
                draw if draw < 0.22 => pick(&self.population.mobile, stream),
                draw if draw < 0.28 => {
                    // Some places have many guests.
                    let public = &self.population.public;
                    let place = stream.unit() * stream.unit() * public.len() as f64;
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "below the number of addresses"
                    )]
                    let place = place as usize;
                    public[place]
                }
                draw if draw < 0.5 && person.friend.is_some() => {
                    let friend = &self.population.people[person.friend.unwrap_or(user) as usize];
                    home_ip(&self.population.homes[friend.home as usize])
                }
                _ => home_ip(home),
            }
        };
        let own = pick(&person.devices, stream);
        let own = match person.later_device {
            Some((from, device)) if day >= from && own == person.devices[0] => device,
            _ => own,
        };
        let kiosk = at_work.and_then(|office| office.device);
        let device = match kiosk {
            Some(kiosk) if stream.chance(0.3) => kiosk,
            _ if !home.devices.is_empty() && at_work.is_none() && stream.chance(0.35) => {
                pick(&home.devices, stream)
            }
            _ => own,
        };
        let company = at_work
            .filter(|office| office.workers.iter().take(4).any(|worker| *worker == user))
            .and_then(|office| office.card);
        let card = match (company, home.card) {
            (Some(company), _) if stream.chance(0.6) => company,
            (_, Some(card)) if user < home.people.0 + 2 && stream.chance(0.4) => card,
            _ => pick(&person.cards, stream),
        };
        let address = if stream.chance(0.4) {
            match office {
                Some(office) if office.takes_parcels && stream.chance(0.4) => office.address,
                _ => home.address,
            }
        } else {
            NONE
        };
        Payment {
            micros: micros(at),
            user,
            merchant: self.merchant(stream),
            device,
            ip,
            card,
            email: if home.shared_email {
                home.people.0
            } else {
                user
            },
            address,
            minor: Self::amount(stream),
            ring: NONE,
            fraud: false,
        }
    }

    /// All payments of the members of a ring: those of the ring, and ordinary ones that hide them.
    pub(super) fn ring(
        &self,
        ring: u32,
        members: &[u32],
        counters: &mut Counters,
        payments: &mut Vec<Payment>,
    ) -> Active {
        let mut stream = Stream::new(self.params.seed, Purpose::NetworkRing, ring.into(), 0);
        let size = u32::try_from(members.len()).unwrap_or(1);
        let mut some = |counter: fn(&mut Counters) -> &mut u32, fewest: u32, part: u32| {
            let count = fewest.max(size / part);
            (0..count).map(|_| next(counter(counters))).collect()
        };
        let pool = Pool {
            devices: some(|counters| &mut counters.devices, 2, 4),
            ips: some(|counters| &mut counters.ips, 2, 4),
            cards: some(|counters| &mut counters.cards, 2, 5),
            addresses: some(|counters| &mut counters.addresses, 1, 8),
            merchants: (0..2).map(|_| self.merchant(&mut stream)).collect(),
        };
        let days = f64::from(self.params.days);
        let length = stream.between(5.0, 20.0);
        let begin = stream.between(0.0, days - length) * DAY;
        let sessions: Vec<f64> = (0..3.max(size / 2))
            .map(|_| begin + stream.unit() * (length * DAY - 2.0 * HOUR))
            .collect();
        for member in members {
            let chosen = Pool {
                devices: self.chosen(&pool.devices, &mut stream),
                ips: self.chosen(&pool.ips, &mut stream),
                cards: self.chosen(&pool.cards, &mut stream),
                addresses: self.chosen(&pool.addresses, &mut stream),
                merchants: pool.merchants.clone(),
            };
            let most = chosen
                .devices
                .len()
                .max(chosen.ips.len())
                .max(chosen.cards.len())
                .max(chosen.addresses.len());
            let count = most + stream.poisson(1.0) as usize;
            for turn in 0..count {
                let at = if stream.chance(self.params.lockstep) {
                    pick(&sessions, &mut stream) + stream.unit() * 2.0 * HOUR
                } else {
                    begin + stream.unit() * length * DAY
                };
                let merchant = if stream.chance(0.5) {
                    pick(&chosen.merchants, &mut stream)
                } else {
                    self.merchant(&mut stream)
                };
                let in_turn = |of: &[u32]| of[turn % of.len()];
                payments.push(Payment {
                    micros: micros(at),
                    user: *member,
                    merchant,
                    device: in_turn(&chosen.devices),
                    ip: in_turn(&chosen.ips),
                    card: in_turn(&chosen.cards),
                    email: *member,
                    address: if turn < chosen.addresses.len() || stream.chance(0.4) {
                        in_turn(&chosen.addresses)
                    } else {
                        NONE
                    },
                    minor: Self::amount(&mut stream),
                    ring,
                    fraud: true,
                });
            }
            let ordinary = count as f64 * self.params.camouflage;
            let ordinary = ordinary.floor() + f64::from(stream.chance(ordinary.fract()));
            for _ in 0..counted(ordinary) {
                let at = self.moment(&mut stream);
                payments.push(self.ordinary(*member, at, &mut stream));
            }
        }
        Active {
            begin: micros(begin),
            end: micros(begin + length * DAY),
        }
    }

    /// What one member uses of some of the pool: a share, but one at least.
    fn chosen(&self, of: &[u32], stream: &mut Stream) -> Vec<u32> {
        let wanted = counted((of.len() as f64 * self.params.ring_density).round()).max(1);
        let mut left = of.to_vec();
        (0..wanted.min(of.len()))
            .map(|_| {
                let place = stream.below(u32::try_from(left.len()).unwrap_or(1));
                left.swap_remove(place as usize)
            })
            .collect()
    }
}

fn pick<T: Copy>(of: &[T], stream: &mut Stream) -> T {
    of[stream.below(u32::try_from(of.len()).unwrap_or(1)) as usize]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers"
)]
const fn counted(number: f64) -> usize {
    number as usize
}

#[expect(clippy::cast_possible_truncation, reason = "seconds within ten years")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}
