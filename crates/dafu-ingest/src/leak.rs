//! Whether one column gives the label away.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Fewer frauds say nothing.
const MIN_FRAUDS: u64 = 20;
/// Different values that are followed.
const MAX_VALUES: usize = 1024;
/// Numbers that are kept of each class.
const RESERVOIR: usize = 8192;
/// ROC AUC of a single number from which on it is suspected.
const AUC: f64 = 0.9995;

/// Follows one column and the label beside it, in bounded memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeakProbe {
    /// Rows with a value, by class: legitimate, fraud.
    present: [u64; 2],
    missing: [u64; 2],
    /// Counts by class of each value; `None` once there were too many.
    values: Option<HashMap<u64, [u64; 2]>>,
    numbers: [Reservoir; 2],
}

/// A uniform sample of a stream. Source: Vitter (1985), "Random Sampling with a Reservoir", algorithm R, with
/// `SplitMix64` from a fixed seed, so that the same stream gives the same sample.
#[derive(Debug, Clone, Default)]
struct Reservoir {
    kept: Vec<f64>,
    seen: u64,
    state: u64,
}

impl Reservoir {
    fn push(&mut self, number: f64) {
        self.seen += 1;
        if self.kept.len() < RESERVOIR {
            self.kept.push(number);
            return;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let place = usize::try_from(z % self.seen).unwrap_or(usize::MAX);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = number;
        }
    }
}

/// A value as a probe sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'a> {
    Missing,
    Text(&'a str),
    Number(f64),
}

impl LeakProbe {
    pub(crate) fn new() -> Self {
        Self {
            values: Some(HashMap::new()),
            ..Self::default()
        }
    }

    pub(crate) fn observe(&mut self, value: Seen<'_>, fraud: bool) {
        let class = usize::from(fraud);
        let mut hasher = DefaultHasher::new();
        match value {
            Seen::Missing => {
                self.missing[class] += 1;
                return;
            }
            Seen::Text(text) => text.hash(&mut hasher),
            Seen::Number(number) => {
                hasher.write_u64(number.to_bits());
                self.numbers[class].push(number);
            }
        }
        self.present[class] += 1;
        if let Some(values) = &mut self.values {
            let key = hasher.finish();
            if values.len() < MAX_VALUES || values.contains_key(&key) {
                values.entry(key).or_default()[class] += 1;
            } else {
                self.values = None;
            }
        }
    }

    /// Why the column is suspected, as a sentence.
    pub(crate) fn verdict(&self) -> Option<String> {
        let [legitimate, frauds] = [0, 1].map(|class| self.present[class] + self.missing[class]);
        if frauds < MIN_FRAUDS || legitimate < MIN_FRAUDS {
            return None;
        }
        if self.present[0] == 0 && self.present[1] >= MIN_FRAUDS {
            return Some(format!(
                "it has a value only in frauds ({} of {frauds})",
                self.present[1]
            ));
        }
        if self.present[1] == 0 && self.missing[0] * 20 < legitimate {
            return Some("it has no value in frauds, and one in nearly all other rows".to_owned());
        }
        if self.missing == [0, 0] || self.missing[1] * 2 < frauds {
            self.by_value(frauds).or_else(|| self.by_order())
        } else {
            None
        }
    }

    /// Few values, each of which occurs in one class only.
    fn by_value(&self, frauds: u64) -> Option<String> {
        let values = self.values.as_ref()?;
        let mut mixed = 0;
        let mut fraud_values = 0_u64;
        #[expect(
            clippy::iter_over_hash_type,
            reason = "sums do not depend on the order"
        )]
        for [legitimate, fraud] in values.values() {
            mixed += legitimate.min(fraud);
            fraud_values += u64::from(*fraud > 0);
        }
        (mixed * 1000 <= frauds && fraud_values * 10 <= frauds && values.len() > 1).then(|| {
            format!(
                "each of its {} values occurs in frauds only or in legitimate rows only",
                values.len()
            )
        })
    }

    fn by_order(&self) -> Option<String> {
        let auc = auc(&self.numbers[0].kept, &self.numbers[1].kept)?;
        let auc = auc.max(1.0 - auc);
        (auc >= AUC)
            .then(|| format!("alone it separates frauds nearly perfectly (ROC AUC {auc:.4})"))
    }
}

/// ROC AUC of a number, ties counted half. Source: Mann and Whitney (1947).
fn auc(legitimate: &[f64], frauds: &[f64]) -> Option<f64> {
    if legitimate.len() < 20 || frauds.len() < 20 {
        return None;
    }
    let mut all: Vec<(f64, bool)> = legitimate
        .iter()
        .map(|&number| (number, false))
        .chain(frauds.iter().map(|&number| (number, true)))
        .collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut wins = 0.0;
    let mut below = 0.0;
    for tie in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let fraud = tie.iter().filter(|(_, fraud)| *fraud).count() as f64;
        let other = tie.len() as f64 - fraud;
        wins += fraud * (below + other / 2.0);
        below += other;
    }
    Some(wins / (legitimate.len() as f64 * frauds.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::{LeakProbe, Seen, auc};

    #[test]
    fn auc_counts_ties_half() {
        let low: Vec<f64> = (0..20).map(f64::from).collect();
        let high: Vec<f64> = (20..40).map(f64::from).collect();
        assert_eq!(auc(&low, &high), Some(1.0));
        assert_eq!(auc(&high, &low), Some(0.0));
        assert_eq!(auc(&low, &low), Some(0.5));
        assert_eq!(auc(&low[..5], &high), None);
    }

    fn verdict(
        value: impl Fn(u32) -> Option<String>,
        fraud: impl Fn(u32) -> bool,
    ) -> Option<String> {
        let mut probe = LeakProbe::new();
        for row in 0..10_000 {
            match value(row) {
                Some(text) => probe.observe(Seen::Text(&text), fraud(row)),
                None => probe.observe(Seen::Missing, fraud(row)),
            }
        }
        probe.verdict()
    }

    #[test]
    fn suspects_what_gives_the_label_away_and_nothing_else() {
        let fraud = |row: u32| row % 100 == 7;
        let text = |text: &str| Some(text.to_owned());
        assert!(verdict(|row| text(if fraud(row) { "stolen" } else { "" }), fraud).is_some());
        assert!(verdict(|row| fraud(row).then(|| row.to_string()), fraud).is_some());
        assert!(verdict(|row| (!fraud(row)).then(|| row.to_string()), fraud).is_some());
        // Frauds only in one value, but not all rows of this value are frauds.
        assert!(
            verdict(
                |row| text(if row % 50 == 7 { "web" } else { "shop" }),
                fraud
            )
            .is_none()
        );
        // A key: each value occurs once.
        assert!(verdict(|row| Some(row.to_string()), fraud).is_none());
        assert!(verdict(|_| text("same"), fraud).is_none());
        // Too few frauds to say.
        assert!(verdict(|row| text(if row == 7 { "x" } else { "y" }), |row| row == 7).is_none());
    }
}
