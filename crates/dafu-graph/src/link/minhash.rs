//! Pairs with much in common, without looking at all pairs.

use super::sharing::{Sharing, pairs_of};
use crate::GraphError;
use crate::error::parameter;

/// Users of one bucket that are all paired with each other, at most. Of more, each is paired with half as many, which is as much
/// work for a user.
const MOST_IN_BUCKET: usize = 200;

/// Pairs to look at.
pub(super) struct Candidates {
    /// Each once and in order, the smaller number first.
    pub(super) pairs: Vec<(u32, u32)>,
    /// Pairs that collide and are not among them, in the band with most of those.
    pub(super) left_out: u64,
}

/// `MinHash` with bands, for when there are more pairs than the budget.
///
/// Two users whose things have the Jaccard index j become a pair with a probability of 1 - (1 - j^r)^b, for b bands of r rows:
/// with the defaults 0.66 for two things of 12, 0.94 for three of 11, and all but certainly for five of ten.
///
/// Of more than 200 users who collide, each is paired with a hundred, and what the budget has no room for is not paired:
/// [`Links::left_out`](crate::Links::left_out) counts both.
///
/// Source: Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman and Ullman, "Mining of Massive
/// Datasets" (2014), section 3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct MinHashParams {
    /// Bands, 1 to 1,000. Default 38.
    pub bands: u32,
    /// Rows of a band, 1 to 16. Default 2.
    pub rows: u32,
    /// Seed of the hashes. Default 0.
    pub seed: u64,
}

impl Default for MinHashParams {
    fn default() -> Self {
        Self {
            bands: 38,
            rows: 2,
            seed: 0,
        }
    }
}

impl MinHashParams {
    pub(super) fn check(self) -> Result<(), GraphError> {
        let good = (1..=1_000).contains(&self.bands);
        parameter("bands", self.bands, "at least 1 and at most 1000", good)?;
        let good = (1..=16).contains(&self.rows);
        parameter("rows", self.rows, "at least 1 and at most 16", good)
    }

    /// Pairs that collide in a band, no more than the budget.
    pub(super) fn candidates(self, sharing: &Sharing, budget: u64) -> Candidates {
        let uses = sharing.uses();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut left_out = 0;
        let most = usize::try_from(budget).unwrap_or(usize::MAX);
        for band in 0..self.bands {
            let mut buckets: Vec<(u64, u32)> = Vec::new();
            for user in 0..sharing.users.len() {
                let entities = uses.of(user);
                // Who has one thing shares at most one.
                if entities.len() < 2 {
                    continue;
                }
                let mut bucket = self.seed;
                for row in 0..self.rows {
                    let salt = u64::from(band * self.rows + row);
                    let hashes = entities
                        .iter()
                        .map(|(entity, _)| mix(u64::from(*entity) ^ mix(salt ^ self.seed)));
                    bucket = mix(bucket ^ hashes.min().unwrap_or(0));
                }
                buckets.push((bucket, u32::try_from(user).unwrap_or(u32::MAX)));
            }
            buckets.sort_unstable();
            let mut fresh: Vec<(u32, u32)> = Vec::new();
            let (mut left, mut passed) = (most, 0);
            for bucket in buckets.chunk_by(|one, two| one.0 == two.0) {
                let mut seen = 0;
                for (one, other) in within(bucket.len()).take(left) {
                    seen += 1;
                    let pair = (bucket[one].1, bucket[other].1);
                    // Bands find many pairs again.
                    if pairs.binary_search(&pair).is_ok() {
                        continue;
                    }
                    // What was found before stays: every band has its part, and not the users with the smallest numbers all.
                    if pairs.len() + fresh.len() < most {
                        fresh.push(pair);
                    } else {
                        passed += 1;
                    }
                }
                left -= seen;
                passed += pairs_of(bucket.len()) - seen as u64;
            }
            pairs.append(&mut fresh);
            pairs.sort_unstable();
            left_out = left_out.max(passed);
        }
        Candidates { pairs, left_out }
    }
}

/// Pairs of the places in a bucket. Where there are too many, all have the first ones in common, and a chain goes through the
/// others: a group stays one, also where the budget ends after the first.
fn within(count: usize) -> impl Iterator<Item = (usize, usize)> {
    let centres = if count > MOST_IN_BUCKET {
        MOST_IN_BUCKET / 2
    } else {
        count
    };
    let stars = (0..centres).flat_map(move |one| (one + 1..count).map(move |other| (one, other)));
    stars.chain((centres..count).zip(centres + 1..count))
}

/// The finaliser of `SplitMix64`.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, figure 16.
const fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
