//! Scores to ranks, one row at a time.

use crate::EnsembleError;
use crate::params::number;
use crate::samples::{check_length, check_weight};

/// Most knots of a map.
pub const MAX_KNOTS: usize = 1_024;
/// Of these, those at even distances of rank; the rest stand at even ratios towards both ends, where frauds are.
const EVEN: usize = 512;

/// The distribution of a score: maps a score to its rank in (0, 1), so that scores of different nature compare.
///
/// The rank of a score among those fitted is the share of lower ones and half the share of equal ones: (r - 1/2) / n for
/// the average rank r of n rows. Between fitted scores it is interpolated, beyond them it goes on towards 0 and 1. It
/// increases strictly, up to rounding. Up to 1,024 distinct scores are kept as they are; of more, at most as many, half at even
/// distances of rank and half at even ratios towards both ends.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::combine::RankMap;
///
/// let map = RankMap::fit(&[3.0, 1.0, 3.0, 10.0], None)?;
/// assert_eq!(map.rank(1.0), 0.125);
/// assert_eq!(map.rank(3.0), 0.5);
/// assert!(map.rank(20.0) > map.rank(10.0));
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RankMap {
    /// Strictly increasing.
    scores: Vec<f64>,
    /// Rank of each score, strictly increasing, in (0, 1).
    ranks: Vec<f64>,
}

impl RankMap {
    /// Fits a map to scores; rows of weight 0 do not count.
    ///
    /// # Errors
    ///
    /// For no row that counts, a score that is not finite, and weights that are not as many, negative or not finite.
    ///
    /// # Complexity
    ///
    /// O(n log n).
    pub fn fit(scores: &[f64], weights: Option<&[f64]>) -> Result<Self, EnsembleError> {
        let rows = weighted(scores, weights)?;
        let (mut distinct, mut below): (Vec<f64>, Vec<f64>) = (Vec::new(), vec![0.0]);
        let mut sum = 0.0;
        for run in rows.chunk_by(|one, two| one.0.total_cmp(&two.0).is_eq()) {
            sum += run.iter().map(|(_, weight)| weight).sum::<f64>();
            distinct.extend(run.first().map(|(score, _)| *score));
            below.push(sum);
        }
        if distinct.is_empty() {
            return Err(EnsembleError::NoRows);
        }
        number("sum of weights", sum, "finite", sum.is_finite())?;
        let middle = below
            .windows(2)
            .map(|pair| f64::midpoint(pair[0], pair[1]) / sum);
        let ranks: Vec<f64> = middle.collect();
        let mut map = Self {
            scores: Vec::new(),
            ranks: Vec::new(),
        };
        for place in knots(&ranks) {
            // Weights far apart can round to the same rank, or to one of the ends.
            let rank = ranks[place];
            if rank > map.ranks.last().copied().unwrap_or(0.0) && rank < 1.0 {
                map.scores.push(distinct[place]);
                map.ranks.push(rank);
            }
        }
        Ok(map)
    }

    /// Rebuilds a map from its knots.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Knots`] unless there are 1 to [`MAX_KNOTS`], as many ranks as scores, and both increase strictly,
    /// scores finite and ranks in (0, 1).
    pub fn from_knots(scores: Vec<f64>, ranks: Vec<f64>) -> Result<Self, EnsembleError> {
        let increase = |values: &[f64]| values.windows(2).all(|pair| pair[0] < pair[1]);
        let counts = (1..=MAX_KNOTS).contains(&scores.len()) && scores.len() == ranks.len();
        let finite = scores.iter().all(|score| score.is_finite());
        let within = ranks.iter().all(|rank| *rank > 0.0 && *rank < 1.0);
        if counts && finite && within && increase(&scores) && increase(&ranks) {
            return Ok(Self { scores, ranks });
        }
        Err(EnsembleError::Knots {
            got: scores.len().max(ranks.len()),
        })
    }

    /// The scores that are kept, increasing.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The rank of each score that is kept.
    pub fn ranks(&self) -> &[f64] {
        &self.ranks
    }

    /// Rank of a score, in (0, 1); NaN ranks below all.
    ///
    /// # Complexity
    ///
    /// O(log k) for k knots, no allocation.
    pub fn rank(&self, score: f64) -> f64 {
        let (rank, _) = self.rank_and_rest(score);
        rank.min(1.0 - f64::EPSILON / 2.0)
    }

    /// Log odds of the rank; exact where the rank is close to 1.
    pub fn log_odds(&self, score: f64) -> f64 {
        let (rank, rest) = self.rank_and_rest(score);
        rank.max(f64::MIN_POSITIVE).ln() - rest.max(f64::MIN_POSITIVE).ln()
    }

    /// The rank and 1 minus the rank.
    fn rank_and_rest(&self, score: f64) -> (f64, f64) {
        let (Some(&first), Some(&last)) = (self.scores.first(), self.scores.last()) else {
            return (0.5, 0.5);
        };
        // The tails fall to half over as wide a span as that of the knots, and never to 0.
        let span = if last > first { last - first } else { 1.0 };
        let tail = |beyond: f64| 1.0 / (1.0 + (beyond / span).min(1e290));
        let at = self.scores.partition_point(|knot| *knot < score);
        match (at.checked_sub(1), self.scores.get(at)) {
            (_, Some(&knot)) if knot <= score => (self.ranks[at], 1.0 - self.ranks[at]),
            (None, _) => {
                let rank = self.ranks[0] * tail(first - score);
                (rank, 1.0 - rank)
            }
            (Some(before), Some(&knot)) => {
                let (low, start) = (self.ranks[before], self.scores[before]);
                let whole = knot - start;
                let share = if whole.is_finite() {
                    (score - start) / whole
                } else {
                    // Halves of the largest numbers have a finite distance.
                    (score / 2.0 - start / 2.0) / (knot / 2.0 - start / 2.0)
                };
                let rank = low + share.clamp(0.0, 1.0) * (self.ranks[at] - low);
                (rank, 1.0 - rank)
            }
            (Some(before), None) => {
                let rest = (1.0 - self.ranks[before]) * tail(score - last);
                (1.0 - rest, rest)
            }
        }
    }
}

/// Scores that count with their weights, in order of score.
fn weighted(scores: &[f64], weights: Option<&[f64]>) -> Result<Vec<(f64, f64)>, EnsembleError> {
    if let Some(weights) = weights {
        check_length("weights", scores.len(), weights.len())?;
    }
    let mut rows = Vec::with_capacity(scores.len());
    for (row, &score) in scores.iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| weights[row]);
        check_weight(row, weight)?;
        if !score.is_finite() {
            let member = 0;
            return Err(EnsembleError::MemberScore {
                row,
                member,
                got: score,
            });
        }
        if weight > 0.0 {
            // Adding 0 turns -0 into 0: they are equal.
            rows.push((score + 0.0, weight));
        }
    }
    rows.sort_by(|one, two| one.0.total_cmp(&two.0));
    Ok(rows)
}

/// Places of the ranks to keep, increasing, the first and the last among them.
fn knots(ranks: &[f64]) -> Vec<usize> {
    if ranks.len() <= MAX_KNOTS {
        return (0..ranks.len()).collect();
    }
    let (Some(first), Some(last)) = (ranks.first(), ranks.last()) else {
        return Vec::new();
    };
    let tail = (MAX_KNOTS - EVEN) / 2;
    let mut wanted: Vec<f64> = (0..EVEN)
        .map(|step| (step as f64 + 0.5) / EVEN as f64)
        .collect();
    let ends = [*first, 1.0 - *last].map(f64::ln);
    let steps = (0..tail).map(|step| 1.0 - step as f64 / tail as f64);
    for step in steps {
        // From the end (step 1) half way to the other one.
        let [low, high] = ends.map(|end| (end * step + 0.5_f64.ln() * (1.0 - step)).exp());
        wanted.extend([low, 1.0 - high]);
    }
    let mut places: Vec<usize> = wanted
        .into_iter()
        .map(|rank| {
            ranks
                .partition_point(|own| *own < rank)
                .min(ranks.len() - 1)
        })
        .collect();
    places.extend([0, ranks.len() - 1]);
    places.sort_unstable();
    places.dedup();
    // The two ends may come on top of all that were wanted.
    if places.len() > MAX_KNOTS {
        places.drain(1..=places.len() - MAX_KNOTS);
    }
    places
}
