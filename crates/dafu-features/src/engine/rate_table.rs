//! Quantiles of fraud rates, each computed once.

use crate::measure::rate_quantile;
use std::sync::OnceLock;

/// Frauds and events up to which quantiles are kept.
const FRAUDS: usize = 8;
const EVENTS: usize = 512;

/// The quantile of a fraud rate under a prior, for few frauds among not too many events: most of what is ever asked.
#[derive(Debug)]
pub(crate) struct RateTable {
    prior: (f64, f64),
    quantile: f64,
    kept: OnceLock<Box<[OnceLock<f64>]>>,
}

impl RateTable {
    pub(crate) fn new(prior: (f64, f64), quantile: f64) -> Self {
        Self {
            prior,
            quantile,
            kept: OnceLock::new(),
        }
    }

    pub(crate) fn at(&self, frauds: u32, events: u32) -> f64 {
        let (prior_frauds, prior_events) = self.prior;
        let compute = || {
            rate_quantile(
                f64::from(frauds),
                f64::from(events),
                prior_frauds,
                prior_events,
                self.quantile,
            )
        };
        let place = frauds as usize * EVENTS + events as usize;
        if (frauds as usize) < FRAUDS && (events as usize) < EVENTS {
            let kept = self
                .kept
                .get_or_init(|| vec![OnceLock::new(); FRAUDS * EVENTS].into());
            *kept[place].get_or_init(compute)
        } else {
            compute()
        }
    }
}
