//! Beta calibration: Platt's method with a slope for either end.

use super::platt::regress;
use super::{Rows, sound};
use crate::EnsembleError;
use dafu_core::regression::softplus;

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(super) struct Beta {
    /// Factor of ln(p), at least 0.
    a: f64,
    /// Factor of -ln(1 - p), at least 0.
    b: f64,
    c: f64,
}

impl Beta {
    pub(super) fn fit(rows: &Rows) -> Result<Self, EnsembleError> {
        // Sum and difference of the ends, halved: they stay apart near log odds of 0, where the ends are one line.
        let both: Vec<[f64; 3]> = (rows.sorted.iter())
            .map(|row| {
                let (low, high) = ends(row.0);
                [row.0 / 2.0, (high - low) / 2.0, 1.0]
            })
            .collect();
        let ([sum, difference, c], _) = regress(rows, &both)?;
        let (a, b) = (
            f64::midpoint(sum, -difference),
            f64::midpoint(sum, difference),
        );
        if a >= 0.0 && b >= 0.0 {
            return Ok(Self { a, b, c });
        }
        // The loss is convex, so the best allowed is best of its edge.
        let edge = |end: fn((f64, f64)) -> f64| -> Vec<[f64; 2]> {
            let rows = rows.sorted.iter();
            rows.map(|row| [end(ends(row.0)), 1.0]).collect()
        };
        let ([a, of_a], loss_a) = regress(rows, &edge(|ends| ends.0))?;
        let ([b, of_b], loss_b) = regress(rows, &edge(|ends| ends.1))?;
        let ([level], loss) = regress(rows, &vec![[1.0]; both.len()])?;
        let mut best = (
            loss,
            Self {
                a: 0.0,
                b: 0.0,
                c: level,
            },
        );
        for (allowed, loss, map) in [
            (a > 0.0, loss_a, Self { a, b: 0.0, c: of_a }),
            (b > 0.0, loss_b, Self { a: 0.0, b, c: of_b }),
        ] {
            if allowed && loss < best.0 {
                best = (loss, map);
            }
        }
        Ok(best.1)
    }

    pub(super) fn check(&self) -> Result<(), EnsembleError> {
        let good = [self.a, self.b]
            .iter()
            .all(|factor| *factor >= 0.0 && factor.is_finite());
        sound(
            "factors must be finite and at least 0",
            good && self.c.is_finite(),
        )
    }

    pub(super) const fn is_constant(&self) -> bool {
        self.a <= 0.0 && self.b <= 0.0
    }

    pub(super) fn log_odds(&self, score: f64) -> f64 {
        let (low, high) = ends(score);
        self.a * low + self.b * high + self.c
    }
}

/// ln(p) and -ln(1 - p) of log odds; both rise.
fn ends(score: f64) -> (f64, f64) {
    (-softplus(-score), softplus(score))
}
