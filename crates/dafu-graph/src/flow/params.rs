//! What counts as a pattern of money flow: parameters.

use super::FlowPattern;
use crate::GraphError;
use crate::error::parameter;
use std::collections::BTreeSet;
use std::time::Duration;

/// Parameters of the search for money flow: [`FlowParams::detect`] and [`FlowParams::cycles`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct FlowParams {
    /// The patterns to look for. Default all.
    pub patterns: BTreeSet<FlowPattern>,
    /// Time from the first to the last transfer of a pattern, at most. Default seven days.
    pub window: Duration,
    /// Share of an amount that an account may keep when it passes it on, in cycles, chains and between scatter and gather, 0 to
    /// 1. Default 0.1.
    pub amount_tolerance: f64,
    /// Share by which what a gather-scatter account pays may differ from what it gathered, of the larger of both, 0 to 1: other
    /// payments of the account are in both sums. Default 0.5.
    pub sum_tolerance: f64,
    /// Fewest accounts that pay one or are paid by one, in fans and all patterns made of them; at least 2. Default 4.
    pub min_fan: usize,
    /// Fewest transfers of a cycle or a chain, at least 2. Default 3.
    pub min_length: usize,
    /// Most transfers of a cycle or a chain, `min_length` to 32. Default 8.
    pub max_length: usize,
    /// Transfers of less, in major units, are left out; finite, at least 0. Default 0.
    pub min_amount: f64,
    /// Steps that the search for each pattern may take, at least 1; about 5 to 50 nanoseconds each. Default 200 million: allow 200
    /// for each transfer within two windows, where there are more than a million of these.
    pub work_limit: u64,
    /// Flows of each pattern that are reported, at most. Default 10,000.
    pub max_flows: usize,
}

impl Default for FlowParams {
    fn default() -> Self {
        Self {
            patterns: FlowPattern::ALL.into_iter().collect(),
            window: Duration::from_secs(7 * 86_400),
            amount_tolerance: 0.1,
            sum_tolerance: 0.5,
            min_fan: 4,
            min_length: 3,
            max_length: 8,
            min_amount: 0.0,
            work_limit: 200_000_000,
            max_flows: 10_000,
        }
    }
}

impl FlowParams {
    /// Sets `patterns`.
    #[must_use]
    pub fn patterns(mut self, patterns: impl IntoIterator<Item = FlowPattern>) -> Self {
        self.patterns = patterns.into_iter().collect();
        self
    }

    /// Sets `window`; [`Duration::MAX`] for no limit.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    dafu_core::setters! {
        amount_tolerance: f64,
        sum_tolerance: f64,
        min_fan: usize,
        min_length: usize,
        max_length: usize,
        min_amount: f64,
        work_limit: u64,
        max_flows: usize,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// ```
    /// use dafu_graph::FlowParams;
    ///
    /// let wrong = FlowParams::default().min_length(9).check().unwrap_err();
    /// assert_eq!(wrong.to_string(), "`max_length` must be at least `min_length` and at most 32, got 8");
    /// ```
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        for (name, got) in [
            ("amount_tolerance", self.amount_tolerance),
            ("sum_tolerance", self.sum_tolerance),
        ] {
            let good = (0.0..=1.0).contains(&got);
            parameter(name, got, "at least 0 and at most 1", good)?;
        }
        for (name, got) in [("min_fan", self.min_fan), ("min_length", self.min_length)] {
            parameter(name, got, "at least 2", got >= 2)?;
        }
        let got = self.max_length;
        let must = "at least `min_length` and at most 32";
        let good = (self.min_length..=32).contains(&got);
        parameter("max_length", got, must, good)?;
        let got = self.min_amount;
        let good = got.is_finite() && got >= 0.0;
        parameter("min_amount", got, "finite and at least 0", good)?;
        let got = self.work_limit;
        parameter("work_limit", got, "at least 1", got >= 1)
    }

    /// The window in microseconds.
    pub(super) fn micros(&self) -> i64 {
        i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX)
    }
}
