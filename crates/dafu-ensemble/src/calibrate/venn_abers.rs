//! Inductive Venn-Abers predictors.

use super::isotonic::pool;
use super::order::Order;
use super::{Group, Rows, sound};
use crate::EnsembleError;

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct VennAbers {
    /// Distinct scores, rising.
    scores: Vec<f64>,
    /// The share of a row added as honest at each score, or between it and the next.
    honest: Vec<f64>,
    /// The share of a row added as a fraud at each score, or between it and the one before.
    fraud: Vec<f64>,
    /// Whether the rows alone are one block.
    level: bool,
    order: Order,
}

impl VennAbers {
    pub(super) fn fit(rows: &Rows) -> Result<Self, EnsembleError> {
        let groups = rows.groups();
        let scores: Vec<f64> = groups.iter().map(|group| group.score).collect();
        let (Some(low), Some(high)) = (scores.first(), scores.last()) else {
            return Err(EnsembleError::NoRows);
        };
        let order = Order::new(*low, *high);
        let fraud = shares_with_fraud(&groups);
        // Turned round and with the classes exchanged it is the same task.
        let mirrored: Vec<Group> = groups
            .iter()
            .rev()
            .map(|group| Group {
                fraud: group.weight - group.fraud,
                ..*group
            })
            .collect();
        let mut honest = shares_with_fraud(&mirrored);
        honest.reverse();
        for share in &mut honest {
            *share = 1.0 - *share;
        }
        Ok(Self {
            scores,
            honest,
            fraud,
            level: pool(&groups).len() == 1,
            order,
        })
    }

    pub(super) fn check(&self) -> Result<(), EnsembleError> {
        let scores = &self.scores;
        sound("there is no score", !scores.is_empty())?;
        let finite = scores.iter().all(|score| score.is_finite());
        sound(
            "scores are not rising",
            finite && scores.is_sorted_by(|one, other| one < other),
        )?;
        let same = self.honest.len() == scores.len() && self.fraud.len() == scores.len();
        sound("scores and shares differ in number", same)?;
        let honest = self.honest.iter().all(|share| (0.0..1.0).contains(share));
        let fraud = self.fraud.iter().all(|share| *share > 0.0 && *share <= 1.0);
        sound("shares are out of range", honest && fraud)?;
        sound(
            "shares fall",
            self.honest.is_sorted() && self.fraud.is_sorted(),
        )?;
        self.order.check()
    }

    pub(super) const fn is_constant(&self) -> bool {
        self.level
    }

    /// Shares of a row added as honest and as a fraud.
    pub(super) fn interval(&self, score: f64) -> (f64, f64) {
        let up_to = self.scores.partition_point(|known| *known <= score);
        let below = self.scores.partition_point(|known| *known < score);
        let honest = up_to
            .checked_sub(1)
            .and_then(|place| self.honest.get(place));
        (
            // Below all scores an honest row is a block of its own, and so is a fraud above.
            honest.copied().unwrap_or(0.0),
            self.fraud.get(below).copied().unwrap_or(1.0),
        )
    }

    /// Log odds of the share p1 / (1 - p0 + p1): the odds p1 / (1 - p0).
    pub(super) fn log_odds(&self, score: f64) -> f64 {
        let (honest, fraud) = self.interval(score);
        fraud.ln() - (-honest).ln_1p() + self.order.log_odds(score)
    }
}

/// The isotonic share at each group when one fraud of weight 1 is added to it.
///
/// The share is a slope of the greatest convex minorant of cumulative frauds over cumulative weights. The row added stands
/// before its group, so that sums before it are those without it: as points, less (1, 1). When it moves on by a group, one
/// point moves from the right, where sums count it, to the left. The slope changes only if that point lies below the minorant,
/// and is then its corner; nothing to the left of it is a corner again, since slopes rise.
///
/// O(k) for k groups: each point is a corner once.
fn shares_with_fraud(groups: &[Group]) -> Vec<f64> {
    let mut sums = vec![Point::default()];
    let mut sum = Point::default();
    for group in groups {
        sum.weight += group.weight;
        sum.fraud += group.fraud;
        sums.push(sum);
    }
    let without = |point: &Point| Point {
        weight: point.weight - 1.0,
        fraud: point.fraud - 1.0,
    };
    // From the right, so that the leftmost corner is the last.
    let mut corners: Vec<Point> = Vec::new();
    for point in sums.iter().skip(1).rev() {
        add_corner(&mut corners, *point);
    }
    let mut shares = Vec::with_capacity(groups.len());
    let mut share = 0.0_f64;
    for moved in sums.iter().take(groups.len()) {
        let point = without(moved);
        let above = match corners.as_slice() {
            [.., next, corner] if !shares.is_empty() => {
                // At or above the line from the corner on the left to the next.
                cross(*corner, *next, point) >= 0.0
            }
            _ => false,
        };
        if !above {
            if !shares.is_empty() {
                corners.pop();
            }
            while corners.pop_if(|next| next.weight <= moved.weight).is_some() {}
            add_corner(&mut corners, point);
            if let [.., next, corner] = corners.as_slice() {
                // Rounding of sums must not make it fall, or leave 0 to 1.
                share = share.max(slope(*corner, *next)).min(1.0);
            }
        }
        shares.push(share);
    }
    shares
}

#[derive(Debug, Clone, Copy, Default)]
struct Point {
    weight: f64,
    fraud: f64,
}

/// Adds a point to the left of all corners, and removes those that are no corners any more.
fn add_corner(corners: &mut Vec<Point>, point: Point) {
    while let [.., after, next] = corners.as_slice()
        && cross(point, *next, *after) <= 0.0
    {
        corners.pop();
    }
    corners.push(point);
}

/// Above 0 where `other` is to the left of the way from `from` to `to`.
fn cross(from: Point, to: Point, other: Point) -> f64 {
    (to.weight - from.weight) * (other.fraud - from.fraud)
        - (to.fraud - from.fraud) * (other.weight - from.weight)
}

fn slope(from: Point, to: Point) -> f64 {
    (to.fraud - from.fraud) / (to.weight - from.weight)
}

#[cfg(test)]
mod tests {
    use super::super::isotonic::pool;
    use super::{Group, shares_with_fraud};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_are_those_of_a_fit_with_the_row_added(
            rows in prop::collection::vec((1_u8..5, 0_u8..5), 1..40),
            unit in prop_oneof![Just(1.0), 0.01..3.0_f64],
        ) {
            let groups: Vec<Group> = rows.iter().zip(0..).map(|((weight, fraud), place)| Group {
                score: f64::from(place),
                weight: f64::from(*weight) * unit,
                fraud: f64::from(*fraud.min(weight)) * unit,
            }).collect();
            let shares = shares_with_fraud(&groups);
            prop_assert!(shares.is_sorted());
            for (place, share) in shares.iter().enumerate() {
                let mut added = groups.clone();
                added[place].weight += 1.0;
                added[place].fraud += 1.0;
                let score = added[place].score;
                let block = pool(&added).into_iter().find(|b| b.first <= score && score <= b.last);
                prop_assert!((share - block.unwrap().share()).abs() < 1e-12);
            }
        }
    }
}
