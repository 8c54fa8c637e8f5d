//! A uniform sample of a stream of rows, of bounded size.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

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

#[cfg(test)]
mod tests {
    use super::Reservoir;

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
