//! Counts by name in bounded memory.

use dafu_core::{EntityId, StableHasher, Timestamp, TransactionId};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::hash::Hasher;

/// Values by name: of all names up to a bound, beyond it of a sample of names, with all that happened to each of these.
///
/// A name belongs to the sample of level n if its hash ends in n zeros; the level rises when there are too many. So which
/// names are held does not depend on the order in which they came, each stands for 2^n, and what is known of one is exact.
///
/// Source: Flajolet, "On Adaptive Sampling" (1990).
#[derive(Debug, Clone)]
pub(super) struct Sampled<V> {
    values: BTreeMap<EntityId, V>,
    level: u32,
    most: usize,
}

impl<V: Default> Sampled<V> {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            values: BTreeMap::new(),
            level: 0,
            most,
        }
    }

    /// The value of a name, where that belongs to the sample.
    pub(super) fn with(&mut self, name: &EntityId, change: impl FnOnce(&mut V)) {
        if let Some(value) = self.values.get_mut(name) {
            change(value);
            return;
        }
        if zeros(name) < self.level {
            return;
        }
        let mut value = V::default();
        change(&mut value);
        self.values.insert(name.clone(), value);
        while self.values.len() > self.most && self.level < 64 {
            self.level += 1;
            let level = self.level;
            self.values.retain(|name, _| zeros(name) >= level);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&EntityId, &V)> {
        self.values.iter()
    }

    pub(super) const fn is_sample(&self) -> bool {
        self.level > 0
    }

    /// How many names each of those held stands for.
    pub(super) fn each(&self) -> f64 {
        2.0_f64.powi(self.level.cast_signed())
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// Zeros at the end of the hash of a name. The bits of FNV are mixed: the last ones of its own know only those of the bytes.
fn zeros(name: &EntityId) -> u32 {
    let mut hasher = StableHasher::default();
    hasher.text(name.as_str());
    let mut hash = hasher.finish();
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (hash ^ (hash >> 33)).trailing_zeros()
}

/// The latest transactions, by time and id.
#[derive(Debug, Clone, Default)]
pub(super) struct Latest(BTreeSet<(Timestamp, TransactionId)>);

/// Transactions that a factor names.
const SHOWN: usize = 10;

impl Latest {
    pub(super) fn add(&mut self, at: Timestamp, id: &TransactionId) {
        let full = self.0.len() >= SHOWN;
        let earlier = |(first, other): &(Timestamp, TransactionId)| (at, id) < (*first, other);
        if full && self.0.first().is_some_and(earlier) {
            return;
        }
        self.0.insert((at, id.clone()));
        if self.0.len() > SHOWN {
            self.0.pop_first();
        }
    }

    /// The latest first.
    pub(super) fn ids(&self) -> Vec<TransactionId> {
        self.0.iter().rev().map(|(_, id)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Latest, Sampled};
    use dafu_core::{EntityId, Timestamp, TransactionId};

    #[test]
    fn samples_do_not_depend_on_order_and_estimate_how_many_there_are() {
        let names: Vec<EntityId> = (0..20_000)
            .map(|number| format!("u-{number}").parse().unwrap())
            .collect();
        let held = |names: &mut dyn Iterator<Item = &EntityId>| {
            let mut sampled: Sampled<u32> = Sampled::new(1_000);
            for name in names {
                sampled.with(name, |count| *count += 1);
                assert!(sampled.len() <= 1_000);
            }
            sampled
        };
        let forward = held(&mut names.iter().chain(&names));
        let backward = held(&mut names.iter().rev().chain(&names));
        assert_eq!(forward.values, backward.values);
        assert!(forward.iter().all(|(_, count)| *count == 2));
        // The standard error is about 1.2 / sqrt(1000) of the number.
        let estimate = forward.len() as f64 * forward.each();
        assert!((estimate / 20_000.0 - 1.0).abs() < 0.12, "{estimate}");
    }

    #[test]
    fn the_latest_ten_are_kept() {
        let mut latest = Latest::default();
        for number in [3, 1, 12, 7, 5, 2, 11, 4, 10, 6, 9, 8] {
            let id: TransactionId = format!("t-{number}").parse().unwrap();
            latest.add(Timestamp::from_seconds(number).unwrap(), &id);
        }
        let ids: Vec<String> = latest.ids().iter().map(ToString::to_string).collect();
        assert_eq!(ids.first().map(String::as_str), Some("t-12"));
        assert_eq!(ids.last().map(String::as_str), Some("t-3"));
    }
}
