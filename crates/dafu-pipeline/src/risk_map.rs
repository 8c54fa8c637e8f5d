//! From a stage's score to a risk that means the same for every stage: a monotone map fixed on training data.

use dafu_core::Score;
use serde::{Deserialize, Serialize};

/// Knots besides the contamination levels.
const KNOTS: usize = 256;
/// Share of training rows from whose scores the tail beyond the training maximum is extended.
const TAIL_SHARE: f64 = 0.02;

/// A monotone map from scores to risk.
///
/// Let `e(s)` be the share of training rows with a score of at least `s`, and `c` that share at the main
/// contamination level. Then
///
/// ```text
/// risk(s) = 1 / (1 + e(s) / c)
/// ```
///
/// so the main contamination quantile maps to 0.5, a score that one training row in a thousand reaches maps to
/// `1 / (1 + 0.001 / c)`, and the expected share of alerts at a risk `t` is `c (1 - t) / t`. Between a few hundred
/// quantiles `ln e` is interpolated; above the training maximum it goes on falling exponentially with the mean
/// excess of the top 2 % (peaks over threshold), so that scores never seen in training still keep their order.
///
/// Source of the tail: Siffer, Fouque, Termier, Largouet, "Anomaly Detection in Streams with Extreme Value Theory"
/// (KDD 2017), section 3, with the exponential case of the generalised Pareto distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskMap {
    /// Scores, strictly rising, with `ln e`, strictly falling.
    knots: Vec<(f64, f64)>,
    /// `ln e` of each contamination level, in the order given.
    levels: Vec<f64>,
    /// Index of the main level.
    main: usize,
    /// Score difference over which `ln e` falls by one beyond the knots.
    tail_scale: f64,
}

impl RiskMap {
    /// The map of training scores.
    ///
    /// `scores` are finite and not empty, `levels` lie above 0 and at most at 0.5, `main` is an index into them.
    /// Where ties make a level unreachable, the reachable share nearest to it (in ratio) is taken; where all scores
    /// are equal, the level lies above them and flags nothing.
    ///
    /// # Complexity
    ///
    /// O(n log n).
    pub(crate) fn fit(mut scores: Vec<f64>, levels: &[f64], main: usize) -> Self {
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let count = scores.len();
        let share_at =
            |score: f64| scores.partition_point(|other| *other >= score) as f64 / count as f64;
        let levels: Vec<f64> = levels
            .iter()
            .map(|&level| nearest_share(&scores, level))
            .collect();
        let spacing = (count as f64).ln() / (KNOTS - 1) as f64;
        let grid = (0..KNOTS).map(|knot| (-spacing * knot as f64).exp());
        let mut knots: Vec<(f64, f64)> = grid
            .chain(levels.iter().copied())
            .map(|share| scores[rank_of(share, count)])
            .map(|score| (score, share_at(score).ln()))
            .collect();
        knots.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        knots.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
        let levels = levels.into_iter().map(f64::ln).collect();
        Self {
            knots,
            levels,
            main,
            tail_scale: mean_excess(&scores),
        }
    }

    /// Logarithm of the share of training rows that reach a score; above 0 below the training minimum.
    pub fn ln_share(&self, score: f64) -> f64 {
        let after = self.knots.partition_point(|knot| knot.0 <= score);
        let Some(&(below, ln_below)) = after.checked_sub(1).and_then(|at| self.knots.get(at))
        else {
            let (lowest, ln_lowest) = self.knots.first().copied().unwrap_or_default();
            return ln_lowest + (lowest - score) / self.tail_scale;
        };
        match self.knots.get(after) {
            Some(&(above, ln_above)) => {
                ln_below + (score - below) / (above - below) * (ln_above - ln_below)
            }
            None => ln_below - (score - below) / self.tail_scale,
        }
    }

    /// Risk of a score, 0 to 1; rises with the score.
    pub fn risk(&self, score: f64) -> Score {
        self.risk_of(self.ln_share(score))
    }

    fn risk_of(&self, ln_share: f64) -> Score {
        let main = self.levels.get(self.main).copied().unwrap_or_default();
        Score::new(1.0 / (1.0 + (ln_share - main).exp())).unwrap_or(Score::ZERO)
    }

    /// Risk at each contamination level: training rows at or above it are the level's share.
    pub fn level_risks(&self) -> Vec<Score> {
        self.levels
            .iter()
            .map(|&level| self.risk_of(level))
            .collect()
    }

    /// Share of rows like the training rows that reach a risk above 0.
    pub fn expected_share(&self, risk: f64) -> f64 {
        let main = self
            .levels
            .get(self.main)
            .copied()
            .unwrap_or_default()
            .exp();
        (main * (1.0 - risk) / risk).clamp(0.0, 1.0)
    }

    /// Whether a decoded map keeps the rules of a fitted one.
    pub(crate) fn is_sound(&self) -> bool {
        let finite = |pair: &(f64, f64)| pair.0.is_finite() && pair.1.is_finite();
        !self.knots.is_empty()
            && self.knots.iter().all(finite)
            && self.knots.is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1)
            && self.main < self.levels.len()
            && self
                .levels
                .iter()
                .all(|level| level.is_finite() && *level <= 0.0)
            && self.tail_scale.is_finite()
            && self.tail_scale > 0.0
    }

    /// Number of contamination levels.
    pub(crate) fn level_count(&self) -> usize {
        self.levels.len()
    }
}

/// The scores that shares of rows nearest to the levels reach.
#[cfg(feature = "ensemble")]
pub(crate) fn scores_at(scores: &[f64], levels: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let score = |level: &f64| {
        let share = nearest_share(&sorted, *level);
        sorted
            .get(rank_of(share, sorted.len()))
            .copied()
            .unwrap_or(f64::INFINITY)
    };
    levels.iter().map(score).collect()
}

/// Position, from the highest score, of the last of the top `share`.
fn rank_of(share: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share from 0 to 1 of a number of rows"
    )]
    // The small step down keeps a share that was computed as rank / count on its own rank.
    let rank = (share * count as f64 - 1e-9).ceil() as usize;
    rank.clamp(1, count) - 1
}

/// The share of scores at or above some threshold that comes nearest to a level.
fn nearest_share(descending: &[f64], level: f64) -> f64 {
    let count = descending.len() as f64;
    let tie = descending[rank_of(level, descending.len())];
    let with_tie = descending.partition_point(|score| *score >= tie) as f64 / count;
    let without_tie = descending.partition_point(|score| *score > tie) as f64 / count;
    if without_tie <= 0.0 {
        // Nothing lies above the tie: flag it only if that comes close to what was asked for.
        return if with_tie <= 2.0 * level.max(1.0 / count) {
            with_tie
        } else {
            level
        };
    }
    if with_tie / level <= level / without_tie {
        with_tie
    } else {
        without_tie
    }
}

/// Mean distance of the top scores from where the top begins.
fn mean_excess(descending: &[f64]) -> f64 {
    let top = &descending[..=rank_of(TAIL_SHARE, descending.len())];
    let start = top[top.len() - 1];
    let excess = top.iter().map(|score| score - start).sum::<f64>() / top.len() as f64;
    let spread = descending[0] - descending[descending.len() - 1];
    let scale = if excess > 0.0 { excess } else { spread / 10.0 };
    if scale > 0.0 && scale.is_finite() {
        scale
    } else {
        0.01
    }
}

#[cfg(test)]
mod tests {
    use super::RiskMap;
    use proptest::prelude::*;

    fn uniform(count: u32) -> Vec<f64> {
        (1..=count)
            .map(|i| f64::from(i) / f64::from(count))
            .collect()
    }

    #[test]
    fn the_main_level_maps_to_one_half_and_shares_follow_the_formula() {
        let map = RiskMap::fit(uniform(10_000), &[0.01, 0.05, 0.1], 0);
        let risks: Vec<f64> = map.level_risks().iter().map(|risk| risk.get()).collect();
        // c / (c + e) for e = 0.01, 0.05, 0.1 and c = 0.01.
        for (risk, expected) in risks.iter().zip([0.5, 1.0 / 6.0, 1.0 / 11.0]) {
            assert!((risk - expected).abs() < 1e-12, "{risk} {expected}");
        }
        assert!((map.expected_share(0.5) - 0.01).abs() < 1e-12);
        assert!((map.risk(0.9901).get() - 0.5).abs() < 1e-12);
        assert!((map.ln_share(0.5).exp() - 0.5001).abs() < 1e-3);
    }

    #[test]
    fn constant_scores_flag_nothing() {
        let map = RiskMap::fit(vec![0.5; 1000], &[0.01], 0);
        assert!(map.risk(0.5) < map.level_risks()[0]);
        assert!(map.risk(0.9) > map.risk(0.5));
    }

    #[test]
    fn ties_take_the_nearest_reachable_share() {
        let mut scores = vec![0.1; 985];
        scores.extend([0.9; 15]);
        let map = RiskMap::fit(scores.clone(), &[0.01], 0);
        let level = map.level_risks()[0];
        assert_eq!(
            scores
                .iter()
                .filter(|&&score| map.risk(score) >= level)
                .count(),
            15
        );
    }

    proptest! {
        #[test]
        fn levels_flag_their_share_and_the_map_rises(
            scores in prop::collection::vec(-5.0..5.0_f64, 200..400),
            probes in prop::collection::vec(-8.0..8.0_f64, 2..50),
        ) {
            let map = RiskMap::fit(scores.clone(), &[0.02, 0.1], 1);
            prop_assert!(map.is_sound());
            for (risk, level) in map.level_risks().iter().zip([0.02, 0.1]) {
                let flagged = scores.iter().filter(|&&score| map.risk(score) >= *risk).count();
                let expected = (level * scores.len() as f64).ceil();
                prop_assert!((flagged as f64 - expected).abs() <= 1.0, "{flagged} {expected}");
            }
            let mut probes = probes;
            probes.sort_by(f64::total_cmp);
            for pair in probes.windows(2) {
                prop_assert!(map.risk(pair[0]) <= map.risk(pair[1]));
            }
        }
    }
}
