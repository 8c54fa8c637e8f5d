//! A uniform sample of a stream of rows, or of its users, of bounded size.

use dafu_core::StableHasher;
use dafu_core::random::Stream;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// Purpose of the streams that choose users.
const USERS: u64 = 0x9a3_0001;

/// Chooses slots for the rows of a stream so that at any time every row seen is kept with the same chance.
///
/// Source: Vitter, "Random Sampling with a Reservoir" (ACM TOMS 11, 1985), algorithm R.
#[derive(Debug)]
pub(crate) struct Reservoir {
    capacity: usize,
    seen: u64,
    random: Xoshiro256PlusPlus,
}

impl Reservoir {
    pub(crate) fn new(capacity: usize, seed: u64) -> Self {
        Self {
            capacity,
            seen: 0,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }

    /// Rows seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The slot that the next row takes, replacing what is there; `None` when it is not kept. The first rows take the
    /// slots in order.
    pub(crate) fn offer(&mut self) -> Option<usize> {
        self.seen += 1;
        let slot = if self.seen <= self.capacity as u64 {
            self.seen - 1
        } else {
            // The high half of a 128-bit product is uniform below `seen`, up to a bias of seen / 2^64.
            let product = u128::from(self.random.next_u64()) * u128::from(self.seen);
            u64::try_from(product >> 64).unwrap_or(u64::MAX)
        };
        usize::try_from(slot)
            .ok()
            .filter(|&slot| slot < self.capacity)
    }
}

/// Chooses users, so that all rows of a user are kept or none: those whose hashes are lowest, as many as there is room for.
#[derive(Debug)]
pub(crate) struct UserSample {
    capacity: usize,
    seed: u64,
    /// The highest hash that is kept.
    highest: u64,
    /// Of the user of each row kept.
    hashes: Vec<u64>,
}

impl UserSample {
    pub(crate) fn new(capacity: usize, seed: u64) -> Self {
        Self {
            capacity,
            seed,
            highest: u64::MAX,
            hashes: Vec::new(),
        }
    }

    /// Whether a row of a user is kept; it comes behind the rows that are.
    pub(crate) fn offer(&mut self, user: Option<&str>) -> bool {
        let hash = StableHasher::hash_bytes(user.unwrap_or_default().as_bytes());
        // Hashes of like texts have like high bits.
        let hash = Stream::new(self.seed, USERS, hash).below(u64::MAX);
        let kept = hash <= self.highest;
        if kept {
            self.hashes.push(hash);
        }
        kept
    }

    /// Which of the rows kept so far stay; `None` where all do. There may be some more than there is room for, so that not
    /// each row gives rise to work, until the `last` call. One user is always kept.
    pub(crate) fn shrink(&mut self, last: bool) -> Option<Vec<bool>> {
        let most = self.capacity;
        let room = if last { most } else { most + most / 4 };
        if self.hashes.len() <= room {
            return None;
        }
        let mut sorted = self.hashes.clone();
        sorted.sort_unstable();
        // The user of the first row too many goes, with all those above.
        let lowest = sorted[most];
        let below = sorted.partition_point(|hash| *hash < lowest);
        self.highest = below.checked_sub(1).map_or(lowest, |at| sorted[at]);
        let stays: Vec<bool> = (self.hashes.iter())
            .map(|hash| *hash <= self.highest)
            .collect();
        self.hashes.retain(|hash| *hash <= self.highest);
        Some(stays)
    }
}

#[cfg(test)]
mod tests {
    use super::{Reservoir, UserSample};

    #[test]
    fn keeps_all_rows_of_some_users() {
        let mut sample = UserSample::new(100, 1);
        let mut rows = Vec::new();
        for row in 0..3_000_u64 {
            let user = row * row % 211;
            if sample.offer(Some(&user.to_string())) {
                rows.push(row);
            }
            if let Some(stays) = sample.shrink(row == 2_999) {
                let mut stays = stays.into_iter();
                rows.retain(|_| stays.next().unwrap());
            }
            assert!(rows.len() <= 125);
        }
        let users: std::collections::BTreeSet<u64> =
            rows.iter().map(|row| row * row % 211).collect();
        let all: Vec<u64> = (0..3_000)
            .filter(|row| users.contains(&(row * row % 211)))
            .collect();
        assert_eq!(rows, all);
        assert!((50..=100).contains(&rows.len()), "{}", rows.len());
    }

    #[test]
    fn keeps_one_user_in_any_case() {
        let mut sample = UserSample::new(3, 0);
        let kept = (0..20).filter(|_| sample.offer(Some("ada"))).count();
        assert_eq!(kept, 20);
        assert_eq!(sample.shrink(true), Some(vec![true; 20]));
    }

    #[test]
    fn keeps_every_row_with_the_same_chance() {
        let (rows, capacity, runs) = (40_usize, 10, 4_000_u64);
        let mut kept = vec![0_u32; rows];
        for seed in 0..runs {
            let mut reservoir = Reservoir::new(capacity, seed);
            let mut slots = vec![usize::MAX; capacity];
            for row in 0..rows {
                if let Some(slot) = reservoir.offer() {
                    slots[slot] = row;
                }
            }
            for &row in &slots {
                kept[row] += 1;
            }
        }
        // Each count is binomial(4000, 1/4): mean 1000, standard deviation 27; six of them either way.
        assert!(
            kept.iter().all(|count| (836..=1164).contains(count)),
            "{kept:?}"
        );
    }

    #[test]
    fn keeps_all_rows_while_there_is_room() {
        let mut reservoir = Reservoir::new(5, 1);
        let slots: Vec<_> = (0..5).map(|_| reservoir.offer().unwrap()).collect();
        assert_eq!(slots, [0, 1, 2, 3, 4]);
        assert_eq!(reservoir.seen(), 5);
    }
}
