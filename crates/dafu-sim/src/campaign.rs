//! Fraud that goes on for longer than one payment: when it starts, on whom, and for how long.

use crate::Scenario;
use crate::draft::{Draft, Where};
use crate::engine::Engine;
use crate::place::{CASHABLE, CATEGORIES, TESTABLE, squared_degrees};
use crate::random::{Purpose, Stream};
use dafu_core::portable::exp;

/// Days of a compromised terminal and of stolen credentials.
pub(crate) const LONG_DAYS: i64 = 14;
/// Days of a ring.
const RING_DAYS: i64 = 12;
/// Share of the days on which a member of a ring pays.
const RING_ACTIVITY: f64 = 0.5;
/// Accounts of a ring, fewest and most.
const RING_ACCOUNTS: (u32, u32) = (4, 8);
/// Share of a user's payments made with stolen credentials, as in the Handbook.
pub(crate) const STOLEN_SHARE: f64 = 1.0 / 3.0;
/// Payments of an account taker, fewest and most.
const TAKEOVER_PAYMENTS: (u32, u32) = (3, 8);
/// Cards tried out together, fewest and most.
const TESTED_CARDS: (u32, u32) = (2, 4);
/// Tiny payments with a card, fewest and most; a large one follows.
const TINY_PAYMENTS: (u32, u32) = (4, 12);

fn middle((low, high): (u32, u32)) -> f64 {
    f64::from(low + high) / 2.0
}

/// Expected number of campaigns that start on a day, by scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Starts {
    terminal: f64,
    stolen: f64,
    takeover: f64,
    testing: f64,
    ring: f64,
}

impl Starts {
    /// No campaigns.
    pub(crate) const NONE: Self = Self {
        terminal: 0.0,
        stolen: 0.0,
        takeover: 0.0,
        testing: 0.0,
        ring: 0.0,
    };

    /// From the rates: expected payments of the scenario a day over expected payments of a campaign.
    pub(crate) fn new(engine: &Engine) -> Self {
        let rates = &engine.params.rates;
        let payments = engine.ordinary_payments;
        let users = engine.world.users.len() as f64;
        let long = LONG_DAYS as f64;
        let ring = middle(RING_ACCOUNTS) * RING_DAYS as f64 * RING_ACTIVITY;
        Self {
            terminal: rates.compromised_terminal / (long * engine.world.terminal_share).max(1e-9),
            stolen: rates.stolen_credentials * users / (long * STOLEN_SHARE),
            takeover: rates.account_takeover * payments / middle(TAKEOVER_PAYMENTS),
            testing: rates.card_testing * payments
                / (middle(TESTED_CARDS) * (middle(TINY_PAYMENTS) + 1.0)),
            ring: rates.ring * payments / ring,
        }
    }
}

/// Accounts that share devices, addresses and merchants.
#[derive(Debug)]
pub(crate) struct Ring {
    key: u64,
    accounts: Vec<u32>,
    devices: [u64; 2],
    addresses: [u32; 2],
    merchants: [u32; 2],
    /// City where the devices are.
    city: usize,
    /// First day without it.
    until: i64,
}

/// Whether the payments of campaigns of one day are wanted, or only what lasts.
pub(crate) type Burst<'a> = Option<&'a mut Vec<Draft>>;

impl Engine {
    /// Starts the campaigns of a day; bursts of the day itself go to `drafts`.
    pub(crate) fn start_campaigns(&mut self, day: i64, mut drafts: Burst<'_>) {
        let starts = self.starts;
        for (scenario, mean) in [
            (Scenario::CompromisedTerminal, starts.terminal),
            (Scenario::StolenCredentials, starts.stolen),
            (Scenario::AccountTakeover, starts.takeover),
            (Scenario::CardTesting, starts.testing),
            (Scenario::Ring, starts.ring),
        ] {
            if mean <= 0.0 {
                continue;
            }
            let kind = (scenario as u64) << 32;
            let seed = self.params.seed;
            let count = Stream::new(seed, Purpose::Starts, kind, day).poisson(mean);
            for number in 0..u64::from(count) {
                let mut stream = Stream::new(seed, Purpose::Campaign, kind | number, day);
                match (scenario, &mut drafts) {
                    (Scenario::CompromisedTerminal, _) => self.compromise(day, &mut stream),
                    (Scenario::StolenCredentials, _) => {
                        let user = self.any_user(&mut stream);
                        self.stolen_until[user as usize] = day + LONG_DAYS;
                    }
                    (Scenario::Ring, _) => self.found_ring(day, &mut stream),
                    (Scenario::AccountTakeover, Some(drafts)) => {
                        self.take_over(&mut stream, drafts);
                    }
                    (Scenario::CardTesting, Some(drafts)) => self.test_cards(&mut stream, drafts),
                    _ => {}
                }
            }
        }
        self.rings.retain(|ring| ring.until > day);
    }

    fn any_user(&self, stream: &mut Stream) -> u32 {
        stream.below(self.params.users)
    }

    fn compromise(&mut self, day: i64, stream: &mut Stream) {
        let count = u32::try_from(self.world.terminals.len()).unwrap_or(u32::MAX);
        let terminal = self.world.terminals[stream.below(count) as usize];
        self.terminal_until[terminal as usize] = day + LONG_DAYS;
    }

    fn found_ring(&mut self, day: i64, stream: &mut Stream) {
        let (low, high) = RING_ACCOUNTS;
        let size = stream.within(low, high) as usize;
        let mut accounts = Vec::with_capacity(size);
        while accounts.len() < size {
            let user = self.any_user(stream);
            if !accounts.contains(&user) {
                accounts.push(user);
            }
        }
        let quiet = &self.world.quiet_online;
        let count = u32::try_from(quiet.len()).unwrap_or(u32::MAX);
        let city = usize::from(self.world.users[accounts[0] as usize].city);
        self.rings.push(Ring {
            key: stream.bits(),
            accounts,
            devices: [stream.bits() | 1, stream.bits() | 1],
            addresses: [residential(stream.bits()), residential(stream.bits())],
            merchants: [(); 2].map(|()| quiet[stream.below(count) as usize]),
            city,
            until: day + RING_DAYS,
        });
    }

    /// The payments of all rings on a day.
    pub(crate) fn ring_payments(&self, day: i64, drafts: &mut Vec<Draft>) {
        for ring in &self.rings {
            let mut stream = Stream::new(self.params.seed, Purpose::Ring, ring.key, day);
            for &user in &ring.accounts {
                if !stream.chance(RING_ACTIVITY) {
                    continue;
                }
                let merchant = ring.merchants[stream.below(2) as usize];
                let category = usize::from(self.world.merchants[merchant as usize].category);
                let hour = stream.pick(&self.hours[category]);
                let device = stream.below(2) as usize;
                drafts.push(Draft {
                    second: second_of(hour, &mut stream),
                    user,
                    merchant,
                    minor: self.minor(exp(3.9 + 0.5 * stream.normal())),
                    place: Where::online(ring.devices[device], ring.addresses[device], ring.city),
                    declined: stream.chance(0.012),
                    scenario: Some(Scenario::Ring),
                });
            }
        }
    }

    /// A burst of payments by somebody else in a user's name.
    fn take_over(&self, stream: &mut Stream, drafts: &mut Vec<Draft>) {
        let victim = self.any_user(stream);
        let user = &self.world.users[victim as usize];
        let (low, high) = TAKEOVER_PAYMENTS;
        let payments = stream.within(low, high);
        let cities = u32::try_from(self.world.cities.len()).unwrap_or(1);
        let home = &self.world.cities[usize::from(user.city)];
        // One in four is careful: it comes from the victim's own city, by day.
        let careful = stream.chance(0.25);
        let far = (0..4)
            .map(|_| stream.below(cities) as usize)
            .max_by(|&a, &b| {
                let distance = |city: usize| squared_degrees(home, &self.world.cities[city]);
                distance(a).total_cmp(&distance(b))
            })
            .unwrap_or(0);
        let city = if careful { usize::from(user.city) } else { far };
        let mut second = if careful {
            stream.between(28_800.0, 75_600.0)
        } else {
            stream.between(1_800.0, 18_000.0)
        };
        let device = stream.bits() | 1;
        let address = if stream.chance(0.5) {
            Self::shared_address(stream)
        } else {
            residential(stream.bits())
        };
        let wanted = [(); 2].map(|()| CASHABLE[stream.below(5) as usize]);
        for _ in 0..payments {
            let category = wanted[stream.below(2) as usize];
            let online = CATEGORIES[category].online;
            let shop = if online {
                None
            } else {
                self.world.draw_in(category, city, stream)
            };
            let merchant = shop.unwrap_or_else(|| {
                self.world
                    .draw(if online { category } else { CASHABLE[1] }, city, stream)
            });
            let kind = &CATEGORIES[usize::from(self.world.merchants[merchant as usize].category)];
            let amount = kind.level + 0.8 + user.level + 0.6 * stream.normal();
            drafts.push(Draft {
                second: clip(second),
                user: victim,
                merchant,
                minor: self.minor(exp(amount)),
                place: match shop {
                    Some(_) => Where::shop(0, city),
                    None => Where::online(device, address, city),
                },
                declined: stream.chance(0.1),
                scenario: Some(Scenario::AccountTakeover),
            });
            second += 20.0 + 240.0 * stream.exponential();
        }
    }

    /// Several cards tried out from one device: tiny payments in minutes, then a large one.
    fn test_cards(&self, stream: &mut Stream, drafts: &mut Vec<Draft>) {
        let (low, high) = TESTED_CARDS;
        let cards = stream.within(low, high);
        let device = stream.bits() | 1;
        let address = Self::shared_address(stream);
        let cities = u32::try_from(self.world.cities.len()).unwrap_or(1);
        let city = stream.below(cities) as usize;
        let merchants = [(); 2].map(|()| {
            self.world
                .draw(TESTABLE[stream.below(3) as usize], city, stream)
        });
        let mut second = stream.between(0.0, 79_000.0);
        for _ in 0..cards {
            let victim = self.any_user(stream);
            let (low, high) = TINY_PAYMENTS;
            let mut payment = |second: f64, merchant, amount: f64, declined| {
                drafts.push(Draft {
                    second: clip(second),
                    user: victim,
                    merchant,
                    minor: self.minor(amount),
                    place: Where::online(device, address, city),
                    declined,
                    scenario: Some(Scenario::CardTesting),
                });
            };
            for _ in 0..stream.within(low, high) {
                let merchant = merchants[stream.below(2) as usize];
                payment(
                    second,
                    merchant,
                    stream.between(0.5, 3.0),
                    stream.chance(0.3),
                );
                second += 3.0 + 25.0 * stream.exponential();
            }
            second += 60.0 + 300.0 * stream.exponential();
            let merchant = self
                .world
                .draw(CASHABLE[2 + stream.below(3) as usize], city, stream);
            payment(
                second,
                merchant,
                exp(5.6 + 0.6 * stream.normal()),
                stream.chance(0.1),
            );
        }
    }
}

/// An address of a household, as 10.x.y.z.
pub(crate) fn residential(bits: u64) -> u32 {
    10 << 24 | u32::try_from(bits >> 40).unwrap_or(0)
}

/// A second in an hour of the day.
pub(crate) fn second_of(hour: usize, stream: &mut Stream) -> u32 {
    u32::try_from(hour).unwrap_or(0) * 3_600 + stream.below(3_600)
}

/// A whole second of the day.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut to one day"
)]
pub(crate) fn clip(second: f64) -> u32 {
    second.clamp(0.0, 86_399.0) as u32
}
