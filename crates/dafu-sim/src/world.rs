//! Users and merchants, drawn once from the seed.

use crate::SimulatorParams;
use crate::place::{CATEGORIES, CITIES, City};
use crate::random::{Purpose, Stream};
use dafu_core::portable::exp;
use dafu_core::{EntityId, GeoPoint};

/// Merchants that a user goes back to.
pub(crate) const FAVOURITES: usize = 10;
/// Share of ordinary payments that go to a favourite.
pub(crate) const LOYALTY: f64 = 0.8;
/// Standard deviation of the logarithm of a user's payment rate.
const RATE_SPREAD: f64 = 0.8;
/// Largest payment rate of a user, as a multiple of the mean.
const RATE_LIMIT: f64 = 8.0;

#[derive(Debug)]
pub(crate) struct Merchant {
    pub(crate) id: EntityId,
    pub(crate) category: u8,
    pub(crate) city: u8,
    /// `None` for online merchants.
    pub(crate) place: Option<GeoPoint>,
    /// First and last hour of opening.
    pub(crate) open: (u8, u8),
    pub(crate) closed_sundays: bool,
    /// How much dearer than others, in logarithms.
    pub(crate) level: f64,
    /// Weight among the merchants of its category: Pareto.
    popularity: f64,
}

/// What a payment shows of its user; kept together, since it is read in the order of time.
#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) id: EntityId,
    pub(crate) card: EntityId,
    pub(crate) email: EntityId,
    pub(crate) home: GeoPoint,
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) household: u32,
    pub(crate) city: u8,
    /// Expected payments of a plain day.
    pub(crate) rate: f64,
    /// Factor of the rate on Saturdays and Sundays.
    pub(crate) weekend: f64,
    /// Hours by which the user's evening comes later than others'.
    pub(crate) shift: i8,
    /// How much more than others the user pays, in logarithms.
    pub(crate) level: f64,
    /// Day of the month on which the salary comes.
    pub(crate) salary_day: u8,
    /// Pays in shops by phone.
    pub(crate) wallet: bool,
    /// Often hides behind a shared address.
    pub(crate) hidden: bool,
    /// Days until the next phone, and where in them day 0 lies.
    pub(crate) phone_days: (u16, u16),
    /// Cumulative shares of the categories.
    pub(crate) preference: [f32; CATEGORIES.len()],
    pub(crate) favourites: [u32; FAVOURITES],
}

/// Merchants of one category and place with cumulative shares.
#[derive(Debug, Default)]
struct Choice {
    merchants: Vec<u32>,
    ends: Vec<f64>,
}

impl Choice {
    fn push(&mut self, merchant: u32, weight: f64) {
        let before = self.ends.last().copied().unwrap_or(0.0);
        self.merchants.push(merchant);
        self.ends.push(before + weight);
    }

    fn draw(&self, stream: &mut Stream) -> Option<u32> {
        let at = stream.unit() * self.ends.last()?;
        let index = self.ends.partition_point(|&end| end <= at);
        self.merchants.get(index).or(self.merchants.last()).copied()
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) users: Vec<User>,
    pub(crate) faces: Vec<Face>,
    pub(crate) merchants: Vec<Merchant>,
    /// Cities in use.
    pub(crate) cities: &'static [City],
    /// By category, then city; online categories use city 0 alone.
    near: Vec<Choice>,
    /// By category, anywhere.
    anywhere: Vec<Choice>,
    /// Sum of the users' rates.
    pub(crate) total_rate: f64,
    /// Shops with a middling number of payments.
    pub(crate) terminals: Vec<u32>,
    /// Mean share of all payments of one of the terminals.
    pub(crate) terminal_share: f64,
    /// Online merchants of the less visited half.
    pub(crate) quiet_online: Vec<u32>,
}

/// Cumulative weights of the favourites: 1, 1/2, 1/3, ... normalised.
pub(crate) fn favourite_ends() -> [f32; FAVOURITES] {
    cumulative([(); FAVOURITES].map({
        let mut rank = 0.0;
        move |()| {
            rank += 1.0;
            1.0 / rank
        }
    }))
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
fn cumulative<const N: usize>(weights: [f64; N]) -> [f32; N] {
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    weights.map(|weight| {
        sum += weight;
        (sum / total) as f32
    })
}

/// An id that is known to be one.
#[expect(
    clippy::expect_used,
    reason = "a short printable text that begins with a letter"
)]
pub(crate) fn id(text: &str) -> EntityId {
    EntityId::new(text).expect("short printable text")
}

/// A point some way from a city centre: normal in both directions.
#[expect(
    clippy::expect_used,
    reason = "every city lies more than two degrees from all limits"
)]
fn around(city: &City, degrees: f64, stream: &mut Stream) -> GeoPoint {
    let mut offset = || (stream.normal() * degrees).clamp(-1.0, 1.0);
    let (north, east) = (offset(), offset() * 1.5);
    // Five decimals: about a metre, and short in a file.
    let round = |x: f64| (x * 1e5).round() / 1e5;
    GeoPoint::new(round(city.latitude + north), round(city.longitude + east)).expect("on the earth")
}

fn pick_weighted(weights: impl Iterator<Item = f64> + Clone, at: f64) -> usize {
    let mut left = at * weights.clone().sum::<f64>();
    let count = weights.clone().count();
    weights
        .take_while(|&weight| {
            left -= weight;
            left >= 0.0
        })
        .count()
        .min(count.saturating_sub(1))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "20 cities and 14 categories"
)]
const fn small(index: usize) -> u8 {
    index as u8
}

fn merchant(seed: u64, number: u32, cities: &'static [City]) -> Merchant {
    let mut stream = Stream::new(seed, Purpose::Merchant, number.into(), 0);
    // The first merchants are one for each category, so that none is empty.
    let drawn = pick_weighted(CATEGORIES.iter().map(|c| c.merchants), stream.unit());
    let first = usize::try_from(number).unwrap_or(usize::MAX);
    let category = if first < CATEGORIES.len() {
        first
    } else {
        drawn
    };
    let kind = &CATEGORIES[category];
    let city = pick_weighted(cities.iter().map(|c| c.weight), stream.unit());
    let place = around(&cities[city], 0.05, &mut stream);
    let early = u8::try_from(stream.below(2)).unwrap_or(0);
    let late = u8::try_from(stream.below(2)).unwrap_or(0);
    let (open, close) = kind.open;
    let narrow = u8::from(close - open < 24);
    Merchant {
        id: id(&format!("m-{number}")),
        category: small(category),
        city: small(city),
        place: (!kind.online).then_some(place),
        open: (open + early * narrow, close - late * narrow),
        closed_sundays: stream.chance(kind.closed_sundays),
        level: 0.25 * stream.normal(),
        // Pareto with exponent 1.3, cut at 300 times the least: u^(-1/1.3).
        popularity: exp(stream.exponential() / 1.3).min(300.0),
    }
}

impl World {
    pub(crate) fn new(params: &SimulatorParams) -> Self {
        let used = usize::try_from(params.merchants / 40).unwrap_or(usize::MAX);
        let cities = &CITIES[..used.clamp(1, CITIES.len())];
        let merchants: Vec<Merchant> = (0..params.merchants)
            .map(|number| merchant(params.seed, number, cities))
            .collect();
        let mut near: Vec<Choice> = Vec::new();
        near.resize_with(CATEGORIES.len() * cities.len(), Choice::default);
        let mut anywhere: Vec<Choice> = Vec::new();
        anywhere.resize_with(CATEGORIES.len(), Choice::default);
        for (number, merchant) in (0_u32..).zip(&merchants) {
            let category = usize::from(merchant.category);
            let city = usize::from(merchant.city);
            near[category * cities.len() + city].push(number, merchant.popularity);
            anywhere[category].push(number, merchant.popularity);
        }
        let mut world = Self {
            users: Vec::new(),
            faces: Vec::new(),
            merchants,
            cities,
            near,
            anywhere,
            total_rate: 0.0,
            terminals: Vec::new(),
            terminal_share: 0.0,
            quiet_online: Vec::new(),
        };
        let mut household = 0;
        for number in 0..params.users {
            let mut stream = Stream::new(params.seed, Purpose::User, number.into(), 0);
            // Each user moves in with the one before with this probability; households hold 1.5 on average.
            if !stream.chance(0.35) {
                household = number;
            }
            let (face, user) = world.user(params, (number, household), &mut stream);
            world.total_rate += user.rate;
            world.users.push(user);
            world.faces.push(face);
        }
        world.rank_merchants();
        world
    }

    fn user(
        &self,
        params: &SimulatorParams,
        (number, household): (u32, u32),
        stream: &mut Stream,
    ) -> (Face, User) {
        let mut home = Stream::new(params.seed, Purpose::Household, household.into(), 0);
        let city = pick_weighted(self.cities.iter().map(|c| c.weight), home.unit());
        let place = around(&self.cities[city], 0.08, &mut home);
        let factor = exp(RATE_SPREAD * stream.normal() - RATE_SPREAD * RATE_SPREAD / 2.0);
        let weights = CATEGORIES
            .each_ref()
            .map(|c| c.payments * exp(0.7 * stream.normal()));
        let preference = cumulative(weights);
        let mut favourites = [0; FAVOURITES];
        for favourite in &mut favourites {
            *favourite = self.draw(stream.pick(&preference), city, stream);
        }
        let face = Face {
            id: id(&format!("u-{number}")),
            card: id(&format!("c-{:016x}", stream.bits())),
            email: id(&format!("e-{:016x}", stream.bits())),
            home: place,
        };
        let user = User {
            household,
            city: small(city),
            rate: params.payments_per_user_day * factor.min(RATE_LIMIT),
            weekend: stream.between(0.7, 1.7),
            shift: i8::try_from(stream.within(0, 5)).unwrap_or(0) - 2,
            level: 0.35 * stream.normal(),
            salary_day: [1, 15, 25, 26, 27, 28][usize::try_from(stream.below(6)).unwrap_or(0)],
            wallet: stream.chance(0.35),
            hidden: stream.chance(0.06),
            phone_days: {
                let days = stream.within(200, 1_200);
                let part = stream.below(days);
                (
                    u16::try_from(days).unwrap_or(365),
                    u16::try_from(part).unwrap_or(0),
                )
            },
            preference,
            favourites,
        };
        (face, user)
    }

    /// A merchant of a category by popularity: in the city for shops that are there, else anywhere.
    pub(crate) fn draw(&self, category: usize, city: usize, stream: &mut Stream) -> u32 {
        let near = &self.near[category * self.cities.len() + city];
        let choice = if CATEGORIES[category].online || near.merchants.is_empty() {
            &self.anywhere[category]
        } else {
            near
        };
        choice.draw(stream).unwrap_or(0)
    }

    /// A merchant of a category in a city, or `None` where there is none.
    pub(crate) fn draw_in(&self, category: usize, city: usize, stream: &mut Stream) -> Option<u32> {
        self.near[category * self.cities.len() + city].draw(stream)
    }

    /// Expected share of the ordinary payments for each merchant, without travel and closed days.
    fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.merchants.len()];
        let mut explored = vec![0.0; self.near.len()];
        let ends = favourite_ends();
        for user in &self.users {
            let weight = user.rate / self.total_rate;
            let mut before = 0.0;
            for (&favourite, &end) in user.favourites.iter().zip(&ends) {
                shares[favourite as usize] += weight * LOYALTY * (f64::from(end) - before);
                before = f64::from(end);
            }
            let mut before = 0.0;
            for (category, &end) in user.preference.iter().enumerate() {
                explored[category * self.cities.len() + usize::from(user.city)] +=
                    weight * (1.0 - LOYALTY) * (f64::from(end) - before);
                before = f64::from(end);
            }
        }
        for (place, mass) in explored.into_iter().enumerate() {
            let category = place / self.cities.len();
            let near = &self.near[place];
            let choice = if CATEGORIES[category].online || near.merchants.is_empty() {
                &self.anywhere[category]
            } else {
                near
            };
            let total = choice.ends.last().copied().unwrap_or(1.0);
            for &merchant in &choice.merchants {
                let weight = self.merchants[merchant as usize].popularity / total;
                shares[merchant as usize] += mass * weight;
            }
        }
        shares
    }

    /// Finds the merchants that fraud scenarios use: shops between the 30th and the 80th percentile of payments,
    /// so that a compromised one has some payments but not a tenth of all; and online merchants of the lower half.
    fn rank_merchants(&mut self) {
        let shares = self.shares();
        let mut shops: Vec<u32> = Vec::new();
        let mut online: Vec<u32> = Vec::new();
        for (number, merchant) in (0_u32..).zip(&self.merchants) {
            let list = if merchant.place.is_some() {
                &mut shops
            } else {
                &mut online
            };
            list.push(number);
        }
        let by_share = |a: &u32, b: &u32| {
            shares[*a as usize]
                .total_cmp(&shares[*b as usize])
                .then(a.cmp(b))
        };
        shops.sort_unstable_by(by_share);
        online.sort_unstable_by(by_share);
        let middle = shops.len() * 3 / 10..(shops.len() * 8).div_ceil(10);
        self.terminals = shops[middle].to_vec();
        let sum: f64 = self
            .terminals
            .iter()
            .map(|&shop| shares[shop as usize])
            .sum();
        self.terminal_share = sum / self.terminals.len().max(1) as f64;
        online.truncate(online.len().div_ceil(2));
        self.quiet_online = online;
    }
}
