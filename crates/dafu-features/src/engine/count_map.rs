//! How often each of some numbers occurs: a small hash table.

use std::sync::OnceLock;

/// Counts by key. Open addressing with linear probing; an empty slot has count 0.
///
/// What it answers does not depend on the order in which keys came.
#[derive(Debug, Clone, Default)]
pub(crate) struct CountMap {
    slots: Vec<(u32, u32)>,
    used: u32,
    total: u32,
    /// Largest count, while it is known.
    largest: u32,
    largest_known: bool,
    /// Sum of c ln c over all counts, in fixed point.
    entropy: i64,
}

/// Fixed point of `entropy`: 2^24.
const SCALE: f64 = 16_777_216.0;

/// Counts whose weights are kept.
const KEPT: usize = 1024;

/// c log2 c in fixed point.
fn weight(count: u32) -> i64 {
    static WEIGHTS: OnceLock<Box<[i64]>> = OnceLock::new();
    let weights = WEIGHTS.get_or_init(|| {
        let counts = (0_u32..).take(KEPT);
        counts.map(weigh).collect()
    });
    let kept = weights.get(count as usize).copied();
    kept.unwrap_or_else(|| weigh(count))
}

fn weigh(count: u32) -> i64 {
    if count < 2 {
        return 0;
    }
    let count = f64::from(count);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 2^32 * 32 * 2^24 = 2^61"
    )]
    let weight = (count * count.log2() * SCALE).round() as i64;
    weight
}

impl CountMap {
    /// Different keys.
    pub(crate) const fn distinct(&self) -> u32 {
        self.used
    }

    /// Sum of all counts.
    pub(crate) const fn total(&self) -> u32 {
        self.total
    }

    /// Reads a word of the table, so that it is on its way from memory before it is needed.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.slots.first().map_or(0, |slot| u64::from(slot.0))
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.slots.capacity() * 8
    }

    #[inline]
    fn home(key: u32, mask: usize) -> usize {
        (key.wrapping_mul(0x9e37_79b1) >> 7) as usize & mask
    }

    /// Slot of a key, or the empty slot where it would be.
    fn find(&self, key: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = Self::home(key, mask);
        while self.slots[at].1 != 0 && self.slots[at].0 != key {
            at = (at + 1) & mask;
        }
        at
    }

    pub(crate) fn count(&self, key: u32) -> u32 {
        if self.slots.is_empty() {
            0
        } else {
            self.slots[self.find(key)].1
        }
    }

    pub(crate) fn add(&mut self, key: u32) {
        if (self.used as usize + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let at = self.find(key);
        let before = self.slots[at].1;
        self.slots[at] = (key, before + 1);
        self.used += u32::from(before == 0);
        self.total += 1;
        self.largest = self.largest.max(before + 1);
        self.entropy += weight(before + 1) - weight(before);
    }

    fn grow(&mut self) {
        let room = (self.slots.len() * 2).max(4);
        let old = std::mem::replace(&mut self.slots, vec![(0, 0); room]);
        for slot in old.into_iter().filter(|slot| slot.1 != 0) {
            let at = self.find(slot.0);
            self.slots[at] = slot;
        }
    }

    pub(crate) fn remove(&mut self, key: u32) {
        if self.slots.is_empty() {
            return;
        }
        let mut at = self.find(key);
        let before = self.slots[at].1;
        if before == 0 {
            return;
        }
        self.total -= 1;
        self.entropy += weight(before - 1) - weight(before);
        if before == self.largest {
            self.largest_known = false;
        }
        self.slots[at].1 = before - 1;
        if before > 1 {
            return;
        }
        self.used -= 1;
        // Close the gap: move back whatever would not be found past an empty slot.
        let mask = self.slots.len() - 1;
        let mut next = (at + 1) & mask;
        while self.slots[next].1 != 0 {
            let home = Self::home(self.slots[next].0, mask);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(at) & mask) {
                self.slots[at] = self.slots[next];
                self.slots[next] = (0, 0);
                at = next;
            }
            next = (next + 1) & mask;
        }
    }

    /// Keys with their counts, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.slots.iter().copied().filter(|slot| slot.1 != 0)
    }

    /// Share of the most frequent key; NaN without any.
    pub(crate) fn mode_share(&mut self) -> f64 {
        if !self.largest_known {
            self.largest = self.iter().map(|slot| slot.1).max().unwrap_or_default();
            self.largest_known = true;
        }
        ratio(u64::from(self.largest), self.total)
    }

    /// Share of the `k` most frequent keys; NaN without any.
    pub(crate) fn top_share(&self, k: usize, scratch: &mut Vec<u32>) -> f64 {
        scratch.clear();
        scratch.extend(self.iter().map(|slot| slot.1));
        if scratch.len() > k {
            scratch.select_nth_unstable_by(k, |a, b| b.cmp(a));
            scratch.truncate(k);
        }
        ratio(
            scratch.iter().map(|&count| u64::from(count)).sum(),
            self.total,
        )
    }

    /// Entropy in bits; 0 without any key.
    pub(crate) fn entropy(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let total = f64::from(self.total);
        (total.log2() - self.entropy as f64 / SCALE / total).max(0.0)
    }
}

fn ratio(count: u64, total: u32) -> f64 {
    if total == 0 {
        f64::NAN
    } else {
        count as f64 / f64::from(total)
    }
}

#[cfg(test)]
mod tests {
    use super::CountMap;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn counts_as_a_map_does(
            steps in vec((prop_oneof![3 => 0_u32..12, 1 => any::<u32>()], any::<bool>()), 0..300),
        ) {
            let (mut ours, mut map) = (CountMap::default(), BTreeMap::<u32, u32>::new());
            for (key, add) in steps {
                if add {
                    ours.add(key);
                    *map.entry(key).or_default() += 1;
                } else {
                    ours.remove(key);
                    if let Some(count) = map.get_mut(&key) {
                        *count -= 1;
                    }
                    map.retain(|_, count| *count > 0);
                }
                let mut held: Vec<_> = ours.iter().collect();
                held.sort_unstable();
                prop_assert_eq!(held, map.iter().map(|(k, c)| (*k, *c)).collect::<Vec<_>>());
                let total: u32 = map.values().sum();
                prop_assert_eq!((ours.distinct() as usize, ours.total()), (map.len(), total));
                if total > 0 {
                    let share = |count: &u32| f64::from(*count) / f64::from(total);
                    let mode = map.values().map(share).fold(0.0, f64::max);
                    prop_assert!((ours.mode_share() - mode).abs() < 1e-15);
                    let entropy: f64 = map.values().map(|c| -share(c) * share(c).log2()).sum();
                    prop_assert!((ours.entropy() - entropy).abs() < 1e-6);
                    let mut counts: Vec<u32> = map.values().copied().collect();
                    counts.sort_unstable_by(|a, b| b.cmp(a));
                    let top: u32 = counts.iter().take(2).sum();
                    let ours = ours.top_share(2, &mut Vec::new());
                    prop_assert!((ours - f64::from(top) / f64::from(total)).abs() < 1e-15);
                }
            }
        }
    }
}
