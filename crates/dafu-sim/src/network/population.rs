//! Who lives where, works where, and pays with what.

use super::RingWorldParams;
use crate::random::{Purpose, Stream};

/// Homes of one in so many dormitories.
const DORMITORY_CHANCE: f64 = 0.000_2;
/// Users for one shared address of a mobile network.
const USERS_PER_MOBILE_ADDRESS: u32 = 4_000;
/// Mean number of workers of an office.
const WORKERS: f64 = 35.0;

/// A moment from which on something is used: days since the first.
type Day = f64;

/// Devices, internet addresses, cards, e-mail addresses and postal addresses, each numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) devices: u32,
    pub(super) ips: u32,
    pub(super) cards: u32,
    pub(super) addresses: u32,
}

pub(super) const fn next(counter: &mut u32) -> u32 {
    *counter += 1;
    *counter - 1
}

#[derive(Debug)]
pub(super) struct Home {
    /// Users from here to below there.
    pub(super) people: (u32, u32),
    pub(super) dormitory: bool,
    pub(super) address: u32,
    pub(super) ip: u32,
    /// The internet address from a day on, when the line got a new one.
    pub(super) later_ip: Option<(Day, u32)>,
    /// Tablets and other devices that everybody uses.
    pub(super) devices: Vec<u32>,
    /// A card that the first two use.
    pub(super) card: Option<u32>,
    pub(super) shared_email: bool,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) home: u32,
    pub(super) office: Option<u32>,
    /// Whose home the person visits.
    pub(super) friend: Option<u32>,
    pub(super) devices: Vec<u32>,
    /// A device that somebody else had before.
    pub(super) later_device: Option<(Day, u32)>,
    pub(super) cards: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Office {
    pub(super) workers: Vec<u32>,
    pub(super) ip: u32,
    pub(super) address: u32,
    pub(super) takes_parcels: bool,
    /// A computer for all.
    pub(super) device: Option<u32>,
    /// A card of the company for the first four.
    pub(super) card: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Population {
    pub(super) homes: Vec<Home>,
    pub(super) people: Vec<Person>,
    pub(super) offices: Vec<Office>,
    pub(super) mobile: Vec<u32>,
    pub(super) public: Vec<u32>,
    pub(super) counters: Counters,
}

impl Population {
    pub(super) fn new(params: &RingWorldParams) -> Self {
        let mut counters = Counters::default();
        let mobile_networks = 4 + params.users / USERS_PER_MOBILE_ADDRESS;
        let mobile = (0..mobile_networks)
            .map(|_| next(&mut counters.ips))
            .collect();
        let public = (0..params.public_addresses)
            .map(|_| next(&mut counters.ips))
            .collect();
        let mut people = Self {
            homes: Vec::new(),
            people: Vec::new(),
            offices: Vec::new(),
            mobile,
            public,
            counters,
        };
        people.move_in(params);
        people.hire(params);
        people.pass_on(params);
        people
    }

    fn move_in(&mut self, params: &RingWorldParams) {
        let mut stream = Stream::new(params.seed, Purpose::Home, 0, 0);
        let counters = &mut self.counters;
        let mut first = 0;
        // Devices of one make that look the same.
        let alike: Vec<u32> = (0..=params.users / 750)
            .map(|_| next(&mut counters.devices))
            .collect();
        while first < params.users {
            let dormitory = stream.chance(DORMITORY_CHANCE);
            let size = if dormitory {
                stream.within(20, 80)
            } else if stream.chance(params.household_share) {
                stream.within(2, 4)
            } else {
                1
            };
            let last = params.users.min(first + size);
            let shared = if size == 1 || dormitory {
                0
            } else {
                match stream.unit() {
                    draw if draw < 0.15 => 2,
                    draw if draw < 0.5 => 1,
                    _ => 0,
                }
            };
            let home = u32::try_from(self.homes.len()).unwrap_or(u32::MAX);
            self.homes.push(Home {
                people: (first, last),
                dormitory,
                address: next(&mut counters.addresses),
                ip: next(&mut counters.ips),
                later_ip: None,
                devices: (0..shared).map(|_| next(&mut counters.devices)).collect(),
                card: (shared > 0 && stream.chance(0.5)).then(|| next(&mut counters.cards)),
                shared_email: size > 1 && !dormitory && stream.chance(0.05),
            });
            for _ in first..last {
                let device = if stream.chance(0.02) {
                    alike[stream.below(u32::try_from(alike.len()).unwrap_or(1)) as usize]
                } else {
                    next(&mut counters.devices)
                };
                let mut devices = vec![device];
                devices.extend(stream.chance(0.2).then(|| next(&mut counters.devices)));
                let mut cards = vec![next(&mut counters.cards)];
                cards.extend(stream.chance(0.15).then(|| next(&mut counters.cards)));
                self.people.push(Person {
                    home,
                    office: None,
                    friend: stream.chance(0.06).then(|| stream.below(params.users)),
                    devices,
                    later_device: None,
                    cards,
                });
            }
            first = last;
        }
    }

    fn hire(&mut self, params: &RingWorldParams) {
        let mut stream = Stream::new(params.seed, Purpose::Office, 0, 0);
        let workers = f64::from(params.users) * params.office_share;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most the number of users"
        )]
        let offices = (workers / WORKERS).ceil() as u32;
        let counters = &mut self.counters;
        self.offices = (0..offices)
            .map(|_| Office {
                workers: Vec::new(),
                ip: next(&mut counters.ips),
                address: next(&mut counters.addresses),
                takes_parcels: stream.chance(0.3),
                device: stream.chance(0.2).then(|| next(&mut counters.devices)),
                card: stream.chance(0.05).then(|| next(&mut counters.cards)),
            })
            .collect();
        for (user, person) in (0..).zip(&mut self.people) {
            if stream.chance(params.office_share) {
                // Few offices are large.
                let place = stream.unit() * stream.unit() * f64::from(offices);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "below the number of offices"
                )]
                let office = place as u32;
                person.office = Some(office);
                self.offices[office as usize].workers.push(user);
            }
        }
    }

    /// What strangers have one after the other: leases of lines, and devices that are sold.
    fn pass_on(&mut self, params: &RingWorldParams) {
        let mut stream = Stream::new(params.seed, Purpose::PassedOn, 0, 0);
        let days = f64::from(params.days);
        for home in 1..self.homes.len() {
            if stream.chance(0.05) {
                let day = stream.between(0.1, 0.9) * days;
                // The one before gets a new address, and this one its old address.
                let fresh = next(&mut self.counters.ips);
                let (before, this) = self.homes.split_at_mut(home);
                let (Some(before), Some(this)) = (before.last_mut(), this.first_mut()) else {
                    continue;
                };
                if before.later_ip.is_none() {
                    before.later_ip = Some((day, fresh));
                    this.later_ip = Some((day, before.ip));
                }
            }
        }
        let count = self.people.len();
        for user in 0..count {
            if stream.chance(0.01) {
                let buyer = stream.below(params.users) as usize;
                let day = stream.between(0.1, 0.9) * days;
                let sold = self.people[user].devices[0];
                let new = next(&mut self.counters.devices);
                if buyer != user
                    && self.people[user].later_device.is_none()
                    && self.people[buyer].later_device.is_none()
                {
                    self.people[user].later_device = Some((day, new));
                    self.people[buyer].later_device = Some((day, sold));
                }
            }
        }
    }
}
