//! Transfers between accounts, with patterns of laundering in them.

mod params;
mod pattern;

use crate::random::{Purpose, Stream};
use crate::world::id;
use dafu_core::portable::{exp, ln};
use dafu_core::{EntityId, Money, Timestamp, TransactionId, Transfer};
pub use params::FlowWorldParams;
use pattern::Planter;
use std::fmt;

/// The eight patterns of `AMLworld`.
///
/// Source: Altman, Blanusa, von Niederhausern, Egressy, Anghel and Atasu, "Realistic Synthetic Financial Transactions for
/// Anti-Money Laundering Models" (`NeurIPS` 2023), section 3 and figure 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FlowKind {
    /// One account pays many.
    FanOut,
    /// Many accounts pay one.
    FanIn,
    /// Many pay one, which then pays many.
    GatherScatter,
    /// One pays many, each of which then pays the same last one.
    ScatterGather,
    /// Money that comes back to where it began.
    Cycle,
    /// A chain that leads anywhere.
    RandomWalk,
    /// Each of some accounts pays each of some others.
    Bipartite,
    /// A bipartite pattern whose receivers pay a third layer in the same way.
    Stack,
}

impl FlowKind {
    /// All patterns.
    pub const ALL: [Self; 8] = [
        Self::FanOut,
        Self::FanIn,
        Self::GatherScatter,
        Self::ScatterGather,
        Self::Cycle,
        Self::RandomWalk,
        Self::Bipartite,
        Self::Stack,
    ];

    /// The name: `fan_out`, `fan_in`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::FanOut => "fan_out",
            Self::FanIn => "fan_in",
            Self::GatherScatter => "gather_scatter",
            Self::ScatterGather => "scatter_gather",
            Self::Cycle => "cycle",
            Self::RandomWalk => "random_walk",
            Self::Bipartite => "bipartite",
            Self::Stack => "stack",
        }
    }
}

impl fmt::Display for FlowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A pattern that was planted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedFlow {
    /// What it is.
    pub kind: FlowKind,
    /// Places of its transfers among [`FlowWorld::transfers`], in the order of time.
    pub transfers: Vec<usize>,
}

/// One transfer by numbers.
#[derive(Debug, Clone, Copy)]
struct Move {
    micros: i64,
    from: u32,
    to: u32,
    minor: i64,
    pattern: u32,
}

/// No pattern.
const NONE: u32 = u32::MAX;
const DAY: f64 = 86_400.0;

/// Simulated transfers, and the patterns in them.
#[derive(Debug)]
pub struct FlowWorld {
    params: FlowWorldParams,
    moves: Vec<Move>,
    kinds: Vec<FlowKind>,
}

impl FlowWorld {
    fn new(params: &FlowWorldParams) -> Self {
        let mut moves = Vec::new();
        honest(params, &mut moves);
        let mut kinds = Vec::new();
        for kind in FlowKind::ALL {
            for turn in 0..params.patterns_of_each {
                let number = u32::try_from(kinds.len()).unwrap_or(NONE);
                Planter::new(params, (kind, turn), number).plant(&mut moves);
                kinds.push(kind);
            }
        }
        moves.sort_by_key(|one| (one.micros, one.from, one.to));
        Self {
            params: params.clone(),
            moves,
            kinds,
        }
    }

    /// The parameters.
    pub const fn params(&self) -> &FlowWorldParams {
        &self.params
    }

    /// The transfers in the order of time.
    pub fn transfers(&self) -> impl Iterator<Item = Transfer> {
        self.moves.iter().enumerate().map(|(number, one)| Transfer {
            transfer_id: transfer_id(number),
            from: account(one.from),
            to: account(one.to),
            amount: Money::from_minor(one.minor, self.params.currency),
            timestamp: self.moment(one.micros),
        })
    }

    /// The patterns that were planted, the kinds one after the other.
    pub fn patterns(&self) -> Vec<PlantedFlow> {
        let mut patterns: Vec<PlantedFlow> = self
            .kinds
            .iter()
            .map(|kind| PlantedFlow {
                kind: *kind,
                transfers: Vec::new(),
            })
            .collect();
        for (place, one) in self.moves.iter().enumerate() {
            if let Some(pattern) = patterns.get_mut(one.pattern as usize) {
                pattern.transfers.push(place);
            }
        }
        patterns
    }

    fn moment(&self, micros: i64) -> Timestamp {
        let at = self.params.start.as_micros().saturating_add(micros);
        Timestamp::from_micros(at).unwrap_or(self.params.start)
    }
}

/// What people, shops and employers pay: wages once a month to many, purchases to shops that many pay, and what is left.
fn honest(params: &FlowWorldParams, moves: &mut Vec<Move>) {
    let mut stream = Stream::new(params.seed, Purpose::FlowHonest, 0, 0);
    let accounts = params.accounts;
    // The first accounts belong to employers, the next ones to shops.
    let employers = (accounts / 50).max(1);
    let shops = (accounts / 20).max(1);
    let mut add = |from: u32, to: u32, (at, amount): (f64, f64)| {
        if from != to {
            moves.push(Move {
                micros: micros(at),
                from,
                to,
                minor: minor(amount),
                pattern: NONE,
            });
        }
    };
    let log_normal =
        |mean: f64, spread: f64, stream: &mut Stream| exp(ln(mean) + spread * stream.normal());
    for person in employers + shops..accounts {
        let employer = stream.below(employers);
        let wage = log_normal(2_500.0, 0.4, &mut stream);
        let mut payday = f64::from(stream.below(3)) + 27.0;
        while payday < f64::from(params.days) {
            add(
                employer,
                person,
                (payday * DAY + stream.unit() * 8.0 * 3_600.0, wage),
            );
            payday += 30.0;
        }
        for _ in 0..stream.poisson(params.transfers_per_account) {
            let at = stream.unit() * f64::from(params.days) * DAY;
            let to = if stream.chance(0.7) {
                // Few shops are large.
                let place = stream.unit() * stream.unit() * f64::from(shops);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "below the number of shops"
                )]
                let place = place as u32;
                employers + place
            } else {
                stream.below(accounts)
            };
            add(person, to, (at, log_normal(60.0, 1.0, &mut stream)));
        }
    }
}

fn account(number: u32) -> EntityId {
    id(&format!("acc{number}"))
}

#[expect(
    clippy::expect_used,
    reason = "a short printable text that begins with a letter"
)]
fn transfer_id(number: usize) -> TransactionId {
    TransactionId::new(format!("f{number}")).expect("short printable text")
}

#[expect(clippy::cast_possible_truncation, reason = "cents of at most millions")]
fn minor(amount: f64) -> i64 {
    (amount * 100.0).clamp(1.0, 1e9) as i64
}

#[expect(clippy::cast_possible_truncation, reason = "seconds within ten years")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}
