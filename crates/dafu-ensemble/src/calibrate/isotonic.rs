//! Isotonic regression by pool adjacent violators.

use super::order::Order;
use super::{Group, Rows, log_odds, sound};
use crate::EnsembleError;

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Isotonic {
    /// First and last score of each block, rising.
    scores: Vec<f64>,
    /// Their probabilities, inside of 0 and 1, never falling.
    shares: Vec<f64>,
    order: Order,
}

/// Neighbouring scores of one probability.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) weight: f64,
    pub(super) fraud: f64,
}

impl Block {
    pub(super) fn share(&self) -> f64 {
        self.fraud / self.weight
    }
}

/// Blocks of rising shares: the weighted least squares fit that never falls.
pub(super) fn pool(groups: &[Group]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for group in groups {
        let mut block = Block {
            first: group.score,
            last: group.score,
            weight: group.weight,
            fraud: group.fraud,
        };
        while let Some(before) = blocks.pop_if(|before| before.share() >= block.share()) {
            block.first = before.first;
            block.weight += before.weight;
            block.fraud += before.fraud;
        }
        blocks.push(block);
    }
    blocks
}

impl Isotonic {
    pub(super) fn fit(rows: &Rows) -> Result<Self, EnsembleError> {
        let blocks = pool(&rows.groups());
        let mut inside: Vec<f64> = blocks.iter().map(Block::share).collect();
        // Only the first share can be 0 and only the last 1, and not of one block, since there are both classes.
        let next = inside.get(1).copied().unwrap_or(1.0);
        if let (Some(share), Some(block)) = (inside.first_mut(), blocks.first())
            && *share <= 0.0
        {
            *share = (0.5 / (block.weight + 1.0)).min(next / 2.0);
        }
        let before = blocks
            .len()
            .checked_sub(2)
            .and_then(|place| inside.get(place).copied());
        if let (Some(share), Some(block)) = (inside.last_mut(), blocks.last())
            && *share >= 1.0
        {
            let before = before.unwrap_or(0.0);
            *share = (1.0 - 0.5 / (block.weight + 1.0)).max(f64::midpoint(before, 1.0));
        }
        let (mut scores, mut shares) = (Vec::new(), Vec::new());
        for (block, share) in blocks.iter().zip(inside) {
            scores.push(block.first);
            shares.push(share);
            if block.last > block.first {
                scores.push(block.last);
                shares.push(share);
            }
        }
        let (Some(low), Some(high)) = (scores.first(), scores.last()) else {
            return Err(EnsembleError::NoRows);
        };
        let order = Order::new(*low, *high);
        Ok(Self {
            scores,
            shares,
            order,
        })
    }

    pub(super) fn check(&self) -> Result<(), EnsembleError> {
        let (scores, shares) = (&self.scores, &self.shares);
        sound("there is no block", !scores.is_empty())?;
        sound(
            "scores and shares differ in number",
            scores.len() == shares.len(),
        )?;
        let finite = scores.iter().all(|score| score.is_finite());
        sound(
            "scores are not rising",
            finite && scores.is_sorted_by(|one, other| one < other),
        )?;
        let inside = shares.iter().all(|share| *share > 0.0 && *share < 1.0);
        sound("shares are not inside of 0 and 1", inside)?;
        sound("shares fall", shares.is_sorted())?;
        self.order.check()
    }

    pub(super) fn is_constant(&self) -> bool {
        self.shares.first() >= self.shares.last()
    }

    pub(super) fn log_odds(&self, score: f64) -> f64 {
        log_odds(self.share(score)) + self.order.log_odds(score)
    }

    /// Linear between two scores, level outside of all.
    fn share(&self, score: f64) -> f64 {
        let at = self.scores.partition_point(|known| *known <= score);
        let known = |place: Option<usize>| {
            let place = place?;
            Some((*self.scores.get(place)?, *self.shares.get(place)?))
        };
        match (known(at.checked_sub(1)), known(Some(at))) {
            (Some((left, low)), Some((right, high))) => {
                // Halves, since the distance of two finite numbers may be infinite.
                let along = (score / 2.0 - left / 2.0) / (right / 2.0 - left / 2.0);
                // A distance below the smallest number is none.
                let along = if along.is_finite() { along } else { 0.0 };
                (low + (high - low) * along).min(high)
            }
            (Some((_, share)), None) | (None, Some((_, share))) => share,
            // There is always a block.
            (None, None) => 0.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, pool};
    use proptest::prelude::*;

    proptest! {
        /// The formula of Robertson, Wright and Dykstra 1988, theorem 1.4.4.
        #[test]
        fn blocks_are_those_of_the_max_min_formula(rows in prop::collection::vec((1_u8..5, 0_u8..5), 1..30)) {
            let groups: Vec<Group> = rows.iter().zip(0..).map(|((weight, fraud), place)| Group {
                score: f64::from(place),
                weight: f64::from(*weight),
                fraud: f64::from(*fraud.min(weight)),
            }).collect();
            let blocks = pool(&groups);
            for (place, group) in groups.iter().enumerate() {
                let mean = |from: usize, to: usize| {
                    let part = &groups[from..=to];
                    part.iter().map(|g| g.fraud).sum::<f64>() / part.iter().map(|g| g.weight).sum::<f64>()
                };
                let expected = (0..=place).map(|from| {
                    (place..groups.len()).map(|to| mean(from, to)).fold(f64::INFINITY, f64::min)
                }).fold(0.0, f64::max);
                let block = blocks.iter().find(|b| b.first <= group.score && group.score <= b.last).unwrap();
                prop_assert!((block.share() - expected).abs() < 1e-12);
            }
            prop_assert!(blocks.is_sorted_by(|one, other| one.share() < other.share()));
        }
    }
}
