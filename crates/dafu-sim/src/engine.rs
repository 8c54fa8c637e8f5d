//! The payments of one day.

use crate::campaign::{LONG_DAYS, Ring, STOLEN_SHARE, Starts, clip, residential, second_of};
use crate::draft::{Draft, Where};
use crate::place::{CATEGORIES, DIGITAL_GOODS, TRAVELLING};
use crate::random::{Purpose, Stream, key, unit};
use crate::world::{FAVOURITES, LOYALTY, World, favourite_ends};
use crate::{Scenario, SimulatorParams};
use dafu_core::Timestamp;
use dafu_core::portable::exp;

/// Days after the salary with more payments, and the factor.
const SALARY_DAYS: i64 = 3;
const SALARY_FACTOR: f64 = 1.5;
/// Share of ordinary payments that are large purchases.
const LARGE_PURCHASES: f64 = 0.0015;
/// Share of the payments for digital goods that begin a run of small ones.
const GAMING: f64 = 0.04;
/// Further payments of such a run, fewest and most.
const GAMING_PAYMENTS: (u32, u32) = (3, 6);
/// Days in which a user travels at most once, and the share of them with a trip.
const TRIP_DAYS: i64 = 60;
const TRIP_SHARE: f64 = 0.35;
/// Share of ordinary payments that are declined.
const DECLINED: f64 = 0.012;

/// Everything that does not grow with the number of days.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) params: SimulatorParams,
    pub(crate) world: World,
    /// Expected ordinary payments of a day, over weekdays and the month.
    pub(crate) ordinary_payments: f64,
    pub(crate) starts: Starts,
    /// First honest day again, by merchant.
    pub(crate) terminal_until: Vec<i64>,
    /// First honest day again, by user.
    pub(crate) stolen_until: Vec<i64>,
    pub(crate) rings: Vec<Ring>,
    /// Cumulative shares of the hours, by category.
    pub(crate) hours: Vec<[f32; 24]>,
    favourite_ends: [f32; FAVOURITES],
    minor_per_major: f64,
}

/// What is the same for all payments of a user on a day.
struct UserDay {
    number: u32,
    /// City of a trip.
    away: Option<usize>,
    phone: u64,
    tablet: u64,
    home_address: u32,
    sunday: bool,
}

impl Engine {
    /// Draws the world, and what began before the first day and still goes on.
    pub(crate) fn new(params: SimulatorParams) -> Self {
        let world = World::new(&params);
        let gaming = GAMING * f64::from(GAMING_PAYMENTS.0 + GAMING_PAYMENTS.1) / 2.0;
        let salary = 1.0 + (SALARY_FACTOR - 1.0) * SALARY_DAYS as f64 * 12.0 / 365.2425;
        let ordinary_payments = world
            .users
            .iter()
            .map(|user| {
                let digital = user.preference[DIGITAL_GOODS] - user.preference[DIGITAL_GOODS - 1];
                user.rate * (5.0 + 2.0 * user.weekend) / 7.0
                    * salary
                    * (1.0 + gaming * f64::from(digital))
            })
            .sum();
        let hours = CATEGORIES
            .iter()
            .map(|category| hour_ends(&category.hours))
            .collect();
        let first = params.start.day();
        let mut engine = Self {
            terminal_until: vec![i64::MIN; world.merchants.len()],
            stolen_until: vec![i64::MIN; world.users.len()],
            rings: Vec::new(),
            starts: Starts::NONE,
            hours,
            favourite_ends: favourite_ends(),
            minor_per_major: params.currency.minor_per_major() as f64,
            ordinary_payments,
            params,
            world,
        };
        engine.starts = Starts::new(&engine);
        for day in first - LONG_DAYS..first {
            engine.start_campaigns(day, None);
        }
        engine
    }

    /// Replaces `drafts` by the payments of a day in the order in which they are drawn. Days must be asked for in order.
    pub(crate) fn draft_day(&mut self, day: i64, drafts: &mut Vec<Draft>) {
        drafts.clear();
        self.start_campaigns(day, Some(drafts));
        let weekday = (day + 3).rem_euclid(7);
        let month_day = i64::from(
            Timestamp::from_seconds(day * 86_400)
                .unwrap_or(Timestamp::EPOCH)
                .civil()
                .day,
        );
        for number in 0..self.params.users {
            self.ordinary(number, (day, weekday, month_day), drafts);
        }
        self.ring_payments(day, drafts);
    }

    fn ordinary(
        &self,
        number: u32,
        (day, weekday, month_day): (i64, i64, i64),
        drafts: &mut Vec<Draft>,
    ) {
        let user = &self.world.users[number as usize];
        let mut stream = Stream::new(self.params.seed, Purpose::Payments, number.into(), day);
        let mut mean = user.rate;
        if weekday >= 5 {
            mean *= user.weekend;
        }
        if (0..SALARY_DAYS).contains(&(month_day - i64::from(user.salary_day))) {
            mean *= SALARY_FACTOR;
        }
        let count = stream.poisson(mean);
        if count == 0 {
            return;
        }
        let user_day = self.user_day(number, day, weekday == 6);
        for payment in 0..u64::from(count) {
            let mut draft = self.payment(&user_day, &mut stream);
            let gaming = usize::from(self.world.merchants[draft.merchant as usize].category)
                == DIGITAL_GOODS
                && stream.chance(GAMING);
            self.defraud(&mut draft, day, payment);
            drafts.push(draft);
            if gaming {
                let mut second = f64::from(draft.second);
                for _ in 0..stream.within(GAMING_PAYMENTS.0, GAMING_PAYMENTS.1) {
                    second += 10.0 + 60.0 * stream.exponential();
                    let minor = self.minor(stream.between(0.5, 5.0));
                    drafts.push(Draft {
                        second: clip(second),
                        minor,
                        scenario: None,
                        ..draft
                    });
                }
            }
        }
    }

    fn user_day(&self, number: u32, day: i64, sunday: bool) -> UserDay {
        let seed = self.params.seed;
        let user = &self.world.users[number as usize];
        let household = i64::from(user.household);
        let (days, part) = (i64::from(user.phone_days.0), i64::from(user.phone_days.1));
        let phone = (day + part).div_euclid(days);
        let tablet = (day + household * 37 % 900).div_euclid(900);
        let lease = (day + household * 7 % 30).div_euclid(30);
        UserDay {
            number,
            away: self.trip(number, day),
            phone: key(seed, Purpose::Phone, number.into(), phone) & !2 | 1,
            tablet: key(seed, Purpose::Tablet, user.household.into(), tablet) | 3,
            home_address: residential(key(
                seed,
                Purpose::HomeAddress,
                user.household.into(),
                lease,
            )),
            sunday,
        }
    }

    /// The city in which a user is on a trip.
    fn trip(&self, number: u32, day: i64) -> Option<usize> {
        let shifted = day + i64::from(number) * 17 % TRIP_DAYS;
        let mut stream = Stream::new(
            self.params.seed,
            Purpose::Trip,
            number.into(),
            shifted.div_euclid(TRIP_DAYS),
        );
        if !stream.chance(TRIP_SHARE) {
            return None;
        }
        let from = i64::from(stream.below(50));
        let days = i64::from(stream.within(2, 9));
        let city = stream.below(u32::try_from(self.world.cities.len()).unwrap_or(1)) as usize;
        let home = usize::from(self.world.users[number as usize].city);
        let in_trip = (from..from + days).contains(&shifted.rem_euclid(TRIP_DAYS));
        (in_trip && city != home).then_some(city)
    }

    fn payment(&self, user_day: &UserDay, stream: &mut Stream) -> Draft {
        let user = &self.world.users[user_day.number as usize];
        let merchant = match user_day.away {
            Some(city) => self.merchant_abroad(city, stream),
            None => self.merchant_at_home(user_day, stream),
        };
        let shop = &self.world.merchants[merchant as usize];
        let category = usize::from(shop.category);
        let kind = &CATEGORIES[category];
        let second = if kind.online {
            let late = u32::try_from(24 + i32::from(user.shift)).unwrap_or(24) * 3_600;
            (second_of(stream.pick(&self.hours[category]), stream) + late) % 86_400
        } else {
            let open = usize::from(shop.open.0)..usize::from(shop.open.1);
            let hour = (0..4)
                .map(|_| stream.pick(&self.hours[category]))
                .find(|hour| open.contains(hour))
                .unwrap_or_else(|| {
                    open.start + stream.below(u32::from(shop.open.1 - shop.open.0)) as usize
                });
            second_of(hour, stream)
        };
        let mut amount = exp(kind.level + user.level + shop.level + kind.spread * stream.normal());
        if stream.chance(LARGE_PURCHASES) {
            amount *= stream.between(3.0, 12.0);
        }
        let place = if kind.online {
            self.at_screen(user_day, stream)
        } else {
            let phone = user.wallet && stream.chance(0.7);
            Where::shop(
                if phone { user_day.phone } else { 0 },
                usize::from(shop.city),
            )
        };
        Draft {
            second,
            user: user_day.number,
            merchant,
            minor: self.minor(amount),
            place,
            declined: stream.chance(DECLINED),
            scenario: None,
        }
    }

    fn merchant_at_home(&self, user_day: &UserDay, stream: &mut Stream) -> u32 {
        let user = &self.world.users[user_day.number as usize];
        let mut merchant = 0;
        for _ in 0..3 {
            merchant = if stream.chance(LOYALTY) {
                user.favourites[stream.pick(&self.favourite_ends)]
            } else {
                self.world.draw(
                    stream.pick(&user.preference),
                    usize::from(user.city),
                    stream,
                )
            };
            if !(user_day.sunday && self.world.merchants[merchant as usize].closed_sundays) {
                break;
            }
        }
        merchant
    }

    fn merchant_abroad(&self, city: usize, stream: &mut Stream) -> u32 {
        let there = if stream.chance(0.75) {
            let category = TRAVELLING[stream.below(6) as usize];
            self.world.draw_in(category, city, stream)
        } else {
            None
        };
        there.unwrap_or_else(|| self.world.draw(9 + stream.below(5) as usize, city, stream))
    }

    /// Device, address and city of an online payment.
    fn at_screen(&self, user_day: &UserDay, stream: &mut Stream) -> Where {
        let user = &self.world.users[user_day.number as usize];
        let home = usize::from(user.city);
        let on_phone = stream.chance(0.6);
        let mobile = stream.chance(0.5);
        let pick = stream.below(256);
        let hidden = user.hidden && stream.chance(0.6);
        let city = user_day.away.unwrap_or(home);
        let place = u32::try_from(city).unwrap_or(0);
        if hidden {
            let exit = stream.below(u32::try_from(self.world.cities.len()).unwrap_or(1)) as usize;
            let device = if on_phone {
                user_day.phone
            } else {
                user_day.tablet
            };
            return Where::online(device, Self::shared_address(stream), exit);
        }
        // 256 shared addresses of the mobile network of a city.
        let cellular = 100 << 24 | 64 << 16 | place << 12 | pick;
        let away = user_day.away.is_some();
        let device = if away || on_phone {
            user_day.phone
        } else {
            user_day.tablet
        };
        let address = if mobile && (away || on_phone) {
            cellular
        } else if away {
            let hotel = u64::from(place) << 16 | u64::from(pick % 40);
            residential(key(self.params.seed, Purpose::Hotel, hotel, 0))
        } else {
            user_day.home_address
        };
        Where::online(device, address, city)
    }

    /// One of the 400 addresses of services that hide the sender: 198.18.x.y.
    pub(crate) fn shared_address(stream: &mut Stream) -> u32 {
        198 << 24 | 18 << 16 | stream.below(400)
    }

    /// Turns an ordinary payment into fraud, from streams of its own: ordinary payments stay the same whatever
    /// the rates are.
    fn defraud(&self, draft: &mut Draft, day: i64, payment: u64) {
        let rates = &self.params.rates;
        let entity = u64::from(draft.user) << 24 | payment;
        let draw = |purpose| Stream::new(self.params.seed, purpose, entity, day);
        if self.stolen_until[draft.user as usize] > day
            && draw(Purpose::Stolen).chance(STOLEN_SHARE)
        {
            draft.minor = draft.minor.saturating_mul(5);
            draft.scenario = Some(Scenario::StolenCredentials);
        } else if rates.amount_outlier > 0.0
            && unit(key(self.params.seed, Purpose::Outlier, entity, day)) < rates.amount_outlier
        {
            let factor = draw(Purpose::Outlier).within(8, 30);
            draft.minor = draft.minor.saturating_mul(factor.into());
            draft.scenario = Some(Scenario::AmountOutlier);
        } else if self.terminal_until[draft.merchant as usize] > day {
            draft.scenario = Some(Scenario::CompromisedTerminal);
        }
    }

    /// Minor units of an amount: at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding down is meant, at most a billion"
    )]
    pub(crate) fn minor(&self, amount: f64) -> i64 {
        (amount * self.minor_per_major + 0.5).clamp(1.0, 1e9) as i64
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
fn hour_ends(weights: &[u8; 24]) -> [f32; 24] {
    let total: u32 = weights.iter().copied().map(u32::from).sum();
    let mut sum = 0;
    weights.map(|weight| {
        sum += u32::from(weight);
        (f64::from(sum) / f64::from(total)) as f32
    })
}
