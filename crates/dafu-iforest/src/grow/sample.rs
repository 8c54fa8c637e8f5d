//! Drawing rows by weight.

use crate::IsolationForestError;
use dafu_core::random::Stream;

/// Weights of the rows, summed up.
#[derive(Debug, Clone)]
pub(crate) struct RowWeights {
    weights: Vec<f64>,
    /// Sum of the weights up to each row, that row included.
    sums: Vec<f64>,
    positive: usize,
}

/// A row that was drawn before is drawn again at most so many times, then it is taken out.
const REDRAWS: usize = 32;

impl RowWeights {
    /// O(rows).
    pub(crate) fn new(weights: &[f64], rows: usize) -> Result<Self, IsolationForestError> {
        if weights.len() != rows {
            return Err(IsolationForestError::WeightCount {
                what: "row",
                expected: rows,
                got: weights.len(),
            });
        }
        // Scaled, so that the sum is finite.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let mut sum = 0.0;
        let mut sums = Vec::with_capacity(rows);
        let mut scaled = Vec::with_capacity(rows);
        for (index, &got) in weights.iter().enumerate() {
            if !(got >= 0.0 && got.is_finite()) {
                return Err(IsolationForestError::Weight {
                    what: "row",
                    index,
                    got,
                });
            }
            let weight = if largest > 0.0 { got / largest } else { 0.0 };
            sum += weight;
            scaled.push(weight);
            sums.push(sum);
        }
        let positive = scaled.iter().filter(|&&weight| weight > 0.0).count();
        if positive == 0 {
            return Err(IsolationForestError::NoWeight { what: "row" });
        }
        Ok(Self {
            weights: scaled,
            sums,
            positive,
        })
    }

    /// Rows that can be drawn at all.
    pub(crate) fn positive(&self) -> usize {
        self.positive
    }

    /// The rows that can be drawn at all.
    pub(crate) fn weighty(&self) -> Vec<usize> {
        let rows = self.weights.iter().enumerate();
        rows.filter(|(_, weight)| **weight > 0.0)
            .map(|(row, _)| row)
            .collect()
    }

    /// The weight of each row, in relation to the largest.
    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Draws rows one after the other, each with a chance in proportion to its weight; without replacement among
    /// those that are left.
    ///
    /// O(count log rows); O(rows) more each time that most of the weight has been drawn.
    pub(crate) fn draw(
        &self,
        count: usize,
        with_replacement: bool,
        stream: &mut Stream,
        out: &mut Vec<usize>,
    ) {
        out.clear();
        if with_replacement {
            out.extend((0..count).filter_map(|_| pick(&self.sums, &self.weights, stream)));
            return;
        }
        let mut drawn = std::collections::BTreeSet::new();
        // Sums and weights without the rows drawn so far, once those are most of the weight.
        let mut rest: Option<(Vec<f64>, Vec<f64>)> = None;
        while drawn.len() < count.min(self.positive) {
            let mut found = None;
            for _ in 0..REDRAWS {
                let row = match &rest {
                    Some((sums, weights)) => pick(sums, weights, stream),
                    None => pick(&self.sums, &self.weights, stream),
                };
                found = row.filter(|row| !drawn.contains(row));
                if found.is_some() {
                    break;
                }
            }
            if let Some(row) = found {
                drawn.insert(row);
                out.push(row);
                continue;
            }
            // To be drawn again does not change the chances of the others; nor does to be taken out.
            let mut sum = 0.0;
            let weights = self.weights.iter().enumerate();
            let weights: Vec<f64> = weights
                .map(|(row, &weight)| if drawn.contains(&row) { 0.0 } else { weight })
                .collect();
            let sums = weights.iter().map(|weight| {
                sum += weight;
                sum
            });
            rest = Some((sums.collect(), weights));
        }
    }
}

/// A row by its weight.
fn pick(sums: &[f64], weights: &[f64], stream: &mut Stream) -> Option<usize> {
    let target = stream.unit() * sums.last()?;
    let row = sums.partition_point(|&sum| sum <= target);
    // Rounding may lead to the end, or to a row without weight there.
    let row = row.min(sums.len() - 1);
    if weights[row] > 0.0 {
        return Some(row);
    }
    weights[..row].iter().rposition(|&weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::RowWeights;
    use dafu_core::random::Stream;

    #[test]
    fn draws_pairs_with_the_chances_of_successive_draws() {
        let weights = [0.5, 0.0, 2.0, 1.5];
        let rows = RowWeights::new(&weights, 4).unwrap();
        assert_eq!(rows.positive(), 3);
        let mut stream = Stream::new(3, 1, 0);
        let (mut out, mut counts) = (Vec::new(), [[0_u32; 4]; 4]);
        let draws = 40_000;
        for _ in 0..draws {
            rows.draw(2, false, &mut stream, &mut out);
            counts[out[0]][out[1]] += 1;
        }
        let total: f64 = weights.iter().sum();
        for (first, counts) in counts.iter().enumerate() {
            for (second, &count) in counts.iter().enumerate() {
                let chance = if first == second {
                    0.0
                } else {
                    weights[first] / total * weights[second] / (total - weights[first])
                };
                let expected = chance * f64::from(draws);
                // Five standard deviations.
                let allowed = 5.0 * expected.max(1e-9).sqrt() + 1e-9;
                let off = (f64::from(count) - expected).abs();
                assert!(off <= allowed, "{first}, {second}: {count} for {expected}");
            }
        }
    }

    #[test]
    fn draws_all_rows_even_when_one_has_nearly_all_the_weight() {
        let mut weights = vec![1e-12; 50];
        weights[7] = 1e300;
        weights[8] = 0.0;
        let rows = RowWeights::new(&weights, 50).unwrap();
        let mut out = Vec::new();
        rows.draw(60, false, &mut Stream::new(1, 1, 1), &mut out);
        out.sort_unstable();
        let all: Vec<usize> = (0..50).filter(|&row| row != 8).collect();
        assert_eq!(out, all);
        rows.draw(60, true, &mut Stream::new(1, 1, 1), &mut out);
        assert_eq!(out, [7; 60]);
    }

    #[test]
    fn refuses_weights_that_are_none() {
        for wrong in [f64::NAN, -1.0, f64::INFINITY] {
            let error = RowWeights::new(&[1.0, wrong], 2).unwrap_err();
            assert!(error.to_string().contains("weight of row 1"), "{error}");
        }
        let error = RowWeights::new(&[0.0, 0.0], 2).unwrap_err();
        assert!(error.to_string().starts_with("all row weights are 0"));
        assert!(RowWeights::new(&[1.0], 2).is_err());
    }
}
