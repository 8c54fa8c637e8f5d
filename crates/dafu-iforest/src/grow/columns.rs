//! Which columns a split takes.

use super::Sample;
use crate::{ColumnWeights, SplitRule};
use dafu_core::random::Stream;

/// The features of a tree in an order of its own.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Those constant at the current node first, then those taken for the current split.
    order: Vec<usize>,
    /// The chance of each feature, in any unit; empty where all have the same.
    weights: Vec<f64>,
}

impl Columns {
    /// Begins a tree.
    pub(super) fn start(&mut self, rule: &SplitRule, sample: &Sample) {
        let features = sample.columns.len();
        self.order.clear();
        self.order.extend(0..features);
        self.weights.clear();
        match &rule.column_weights {
            ColumnWeights::Uniform => {}
            ColumnWeights::Kurtosis => {
                let kurtosis = (0..features).map(|at| {
                    if sample.categorical[at] {
                        // Codes of categories have no order and no distance.
                        NORMAL_KURTOSIS
                    } else {
                        kurtosis_of(sample.column(at))
                    }
                });
                self.weights.extend(kurtosis);
            }
            ColumnWeights::Given(weights) => {
                // Scaled, so that sums are finite.
                let largest = weights.iter().copied().fold(0.0, f64::max);
                let columns = sample.columns.iter();
                self.weights
                    .extend(columns.map(|&column| weights[column] / largest));
            }
        }
    }

    /// A feature that varies, and its range; none when all are constant.
    ///
    /// Features found to be constant move to the front, which stays true for all nodes below.
    pub(super) fn draw_uniform(
        &mut self,
        constant: &mut usize,
        stream: &mut Stream,
        range: impl Fn(usize) -> [f64; 2],
    ) -> Option<(usize, [f64; 2])> {
        while *constant < self.order.len() {
            let place = *constant + stream.index_below(self.order.len() - *constant);
            let feature = self.order[place];
            let [min, max] = range(feature);
            if min < max {
                return Some((feature, [min, max]));
            }
            self.order.swap(place, *constant);
            *constant += 1;
        }
        None
    }

    /// One more feature that varies, and its range, beside the `taken` features that were drawn for the same split
    /// before; none when no other varies or has a chance.
    pub(super) fn draw_another(
        &mut self,
        (constant, taken): (&mut usize, usize),
        stream: &mut Stream,
        range: impl Fn(usize) -> [f64; 2],
    ) -> Option<(usize, [f64; 2])> {
        loop {
            let first = *constant + taken;
            let place = first + self.place(first, stream)?;
            let feature = self.order[place];
            let [min, max] = range(feature);
            // Beside those taken before, which lie behind the constant ones.
            self.order.swap(place, first);
            if min < max {
                return Some((feature, [min, max]));
            }
            self.order.swap(first, *constant);
            *constant += 1;
        }
    }

    /// A place among the features from `first` on, counted from there.
    fn place(&self, first: usize, stream: &mut Stream) -> Option<usize> {
        let rest = self.order.get(first..).filter(|rest| !rest.is_empty())?;
        if self.weights.is_empty() {
            return Some(stream.index_below(rest.len()));
        }
        let total: f64 = rest.iter().map(|&feature| self.weights[feature]).sum();
        if total <= 0.0 {
            return None;
        }
        let mut left = stream.unit() * total;
        let mut last = None;
        for (place, &feature) in rest.iter().enumerate() {
            let weight = self.weights[feature];
            if weight > 0.0 {
                last = Some(place);
                if left < weight {
                    break;
                }
                left -= weight;
            }
        }
        last
    }
}

/// Kurtosis of the normal distribution.
const NORMAL_KURTOSIS: f64 = 3.0;

/// Fourth central moment over the square of the second, of the values that are not missing; 1 for a constant column
/// (the smallest that any column has).
fn kurtosis_of(values: &[f64]) -> f64 {
    let present = || values.iter().copied().filter(|value| !value.is_nan());
    let low = present().fold(f64::INFINITY, f64::min);
    let high = present().fold(f64::NEG_INFINITY, f64::max);
    let half = high / 2.0 - low / 2.0;
    // All values missing gives NaN.
    if half.is_nan() || half <= 0.0 {
        return 1.0;
    }
    // To [0, 1] first, so that no power overflows.
    let scaled = || present().map(|value| (value / 2.0 - low / 2.0) / half);
    let count = scaled().count() as f64;
    let mean = scaled().sum::<f64>() / count;
    let (mut second, mut fourth) = (0.0, 0.0);
    for value in scaled() {
        let square = (value - mean) * (value - mean);
        second += square;
        fourth += square * square;
    }
    fourth * count / (second * second)
}

#[cfg(test)]
mod tests {
    use super::kurtosis_of;

    #[test]
    fn kurtosis_equals_values_worked_out_by_hand() {
        // Two points: 1, the smallest there is.
        assert!((kurtosis_of(&[0.0, 1.0, 1.0, 0.0]) - 1.0).abs() < 1e-12);
        // 1, 2, 3: moments 2/3 and 2/3.
        assert!((kurtosis_of(&[1.0, 2.0, f64::NAN, 3.0]) - 1.5).abs() < 1e-12);
        assert!((kurtosis_of(&[-1e308, 1e308, 0.0]) - 1.5).abs() < 1e-12);
        assert!((kurtosis_of(&[4.0, 4.0]) - 1.0).abs() < 1e-12);
        assert!((kurtosis_of(&[f64::NAN]) - 1.0).abs() < 1e-12);
    }
}
