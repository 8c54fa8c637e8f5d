//! Metrics of an alert budget: precision, recall and lift of the highest scores.

use super::input::ratio;
use super::{Confusion, MetricsError, Ranking};

impl Ranking {
    /// Confusion counts when the `k` rows with the highest scores are alerted.
    ///
    /// Where the budget ends inside a group of equal scores, the counts are the expectation over
    /// a random order of that group: each cell takes the same fraction of it. So the result
    /// depends neither on the order of the rows nor on luck. When there are fewer than `k` rows,
    /// all are alerted and the rest of the budget stays unused.
    ///
    /// `k` counts rows, whatever their weight; rows of weight zero do not count. For a budget by
    /// weight see [`Ranking::top_share`].
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `k` is 0.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn top_k(&self, k: u64) -> Result<Confusion, MetricsError> {
        if k == 0 {
            return Err(MetricsError::InvalidParameter {
                name: "k",
                requirement: "at least 1",
                got: 0.0,
            });
        }
        let cut = self.rows.partition_point(|&rows| rows < k);
        if cut == self.len() {
            return Ok(self.confusion_of_cut(cut));
        }
        let before = self.rows_alerted(cut);
        let group = self.rows[cut] - before;
        Ok(self.confusion_within(cut, (k - before) as f64 / group as f64))
    }

    /// Confusion counts when the highest scoring rows that hold `share` of all weight are
    /// alerted. A group of equal scores on the border is divided as in [`Ranking::top_k`].
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `share` is not above 0 and at most 1.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn top_share(&self, share: f64) -> Result<Confusion, MetricsError> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(MetricsError::InvalidParameter {
                name: "share",
                requirement: "above 0 and at most 1",
                got: share,
            });
        }
        let target = share * (self.positives() + self.negatives());
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.weight_alerted(middle + 1) < target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == self.len() {
            return Ok(self.confusion_of_cut(low));
        }
        let before = self.weight_alerted(low);
        let group = self.weight_alerted(low + 1) - before;
        Ok(self.confusion_within(low, ratio(target - before, group)))
    }

    /// Share of frauds among the `k` highest scores: how much of the analysts' work is well
    /// spent. Ties and `k` as in [`Ranking::top_k`].
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `k` is 0.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn precision_at_k(&self, k: u64) -> Result<f64, MetricsError> {
        Ok(self.top_k(k)?.precision())
    }

    /// Share of the frauds that are among the `k` highest scores. Ties and `k` as in
    /// [`Ranking::top_k`].
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `k` is 0; [`MetricsError::SingleClass`] without
    /// frauds.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn recall_at_k(&self, k: u64) -> Result<f64, MetricsError> {
        self.check_positives("recall at k")?;
        Ok(self.top_k(k)?.recall())
    }

    /// How many times as many frauds the highest scoring `share` of the rows holds as a random
    /// choice of that size would. 1 at `share` 1.
    ///
    /// # Errors
    ///
    /// [`MetricsError::InvalidParameter`] when `share` is not above 0 and at most 1;
    /// [`MetricsError::SingleClass`] without frauds.
    ///
    /// # Complexity
    ///
    /// O(log m) for m distinct scores.
    pub fn lift(&self, share: f64) -> Result<f64, MetricsError> {
        self.check_positives("lift")?;
        let confusion = self.top_share(share)?;
        Ok(confusion.precision() / confusion.prevalence())
    }

    /// Weight of the rows among the first `cut` distinct scores.
    fn weight_alerted(&self, cut: usize) -> f64 {
        let (fraud, honest) = self.alerted(cut);
        fraud + honest
    }

    /// Counts when the first `cut` distinct scores and a fraction of the next are alerted.
    fn confusion_within(&self, cut: usize, fraction: f64) -> Confusion {
        let (fraud_before, honest_before) = self.alerted(cut);
        let fraud_here = fraction * (self.fraud[cut] - fraud_before);
        let honest_here = fraction * (self.honest[cut] - honest_before);
        let true_positives = (fraud_before + fraud_here).min(self.fraud[cut]);
        let false_positives = (honest_before + honest_here).min(self.honest[cut]);
        Confusion {
            true_positives,
            false_positives,
            true_negatives: self.negatives() - false_positives,
            false_negatives: self.positives() - true_positives,
        }
    }
}
