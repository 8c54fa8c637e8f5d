//! How the size of the steps changes.

use crate::SequenceError;
use crate::check::within;
use crate::network::AdamStep;
use crate::params::CheckedSequenceParams;

/// How the size of the steps changes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(rename_all = "snake_case", deny_unknown_fields)
)]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// It falls to nothing along half a cosine.
    ///
    /// Source: Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5,
    /// without restarts.
    #[default]
    Cosine,
    /// It is multiplied by `factor` after `patience` epochs without a better value on the validation sequences (without
    /// these: a smaller loss).
    Plateau {
        /// Above 0 and below 1.
        factor: f64,
        /// Epochs without a better value.
        patience: usize,
    },
}

impl Schedule {
    pub(crate) fn check(self) -> Result<(), SequenceError> {
        let Self::Plateau { factor, patience } = self else {
            return Ok(());
        };
        within("patience of the plateau", patience, 1, 100_000)?;
        if factor > 0.0 && factor < 1.0 {
            return Ok(());
        }
        Err(SequenceError::Parameter {
            name: "factor of the plateau",
            expected: "above 0 and below 1".to_owned(),
            got: factor.to_string(),
        })
    }
}

/// Steps of a training, one after the other.
#[derive(Debug)]
pub(crate) struct Pace<'a> {
    params: &'a CheckedSequenceParams,
    steps: f64,
    warm_up: f64,
    /// Batches so far.
    step: u64,
    /// Those of them that the weights were changed by.
    updates: u64,
    /// What plateaus have left of the size.
    factor: f64,
    best: f64,
    epochs_without_better: usize,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(params: &'a CheckedSequenceParams, batches: usize) -> Self {
        let steps = (batches * params.epochs) as f64;
        Self {
            params,
            steps,
            warm_up: (steps * params.warm_up).floor(),
            step: 0,
            updates: 0,
            factor: 1.0,
            best: f64::NEG_INFINITY,
            epochs_without_better: 0,
        }
    }

    /// The next step.
    pub(crate) fn next(&mut self) -> AdamStep {
        self.step += 1;
        self.updates += 1;
        AdamStep {
            step: self.updates,
            learning_rate: self.learning_rate(),
            weight_decay: self.params.weight_decay,
            clip_norm: self.params.clip_norm,
        }
    }

    /// The last step was not made: running means start with the steps that are.
    pub(crate) const fn skip(&mut self) {
        self.updates -= 1;
    }

    /// Size of the current step.
    pub(crate) fn learning_rate(&self) -> f64 {
        let step = self.step as f64;
        let warm = (step / (self.warm_up + 1.0)).min(1.0);
        let factor = match self.params.schedule {
            Schedule::Constant => 1.0,
            Schedule::Plateau { .. } => self.factor,
            Schedule::Cosine if step <= self.warm_up => 1.0,
            Schedule::Cosine => {
                let done = (step - self.warm_up - 1.0) / (self.steps - self.warm_up).max(1.0);
                0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
            }
        };
        self.params.learning_rate * warm * factor
    }

    /// Ends an epoch with a value of which higher is better.
    pub(crate) fn end_epoch(&mut self, value: f64) {
        if value > self.best {
            self.best = value;
            self.epochs_without_better = 0;
            return;
        }
        self.epochs_without_better += 1;
        if let Schedule::Plateau { factor, patience } = self.params.schedule
            && self.epochs_without_better >= patience
        {
            self.factor *= factor;
            self.epochs_without_better = 0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Pace, Schedule};
    use crate::SequenceParams;

    fn params(schedule: Schedule) -> SequenceParams {
        let params = SequenceParams::default().schedule(schedule);
        params.learning_rate(0.8).warm_up(0.0).epochs(8)
    }

    fn assert_rates(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn a_plateau_lowers_the_rate_after_epochs_without_a_better_value() {
        let (factor, patience) = (0.25, 2);
        let params = params(Schedule::Plateau { factor, patience });
        let params = params.check().unwrap();
        let mut pace = Pace::new(&params, 3);
        // Better, better, as good, worse (lowered), better, worse, worse (lowered).
        let values = [0.1, 0.3, 0.3, 0.2, 0.4, 0.35, 0.39];
        let rates = values.map(|value| {
            let rate = pace.next().learning_rate;
            pace.next();
            pace.end_epoch(value);
            rate
        });
        assert_rates(&rates, &[0.8, 0.8, 0.8, 0.8, 0.2, 0.2, 0.2]);
        assert_rates(&[pace.next().learning_rate], &[0.05]);
        // Values count for plateaus only.
        for (schedule, expected) in [(Schedule::Constant, 0.8), (Schedule::Cosine, 0.4)] {
            let params = self::params(schedule).check().unwrap();
            let mut pace = Pace::new(&params, 1);
            for _ in 0..4 {
                pace.next();
                pace.end_epoch(0.1);
            }
            assert_rates(&[pace.next().learning_rate], &[expected]);
        }
    }

    #[test]
    fn a_step_that_is_skipped_is_a_batch_but_no_update() {
        let params = params(Schedule::Cosine).warm_up(0.25);
        let params = params.check().unwrap();
        let (mut all, mut some) = (Pace::new(&params, 1), Pace::new(&params, 1));
        let rates: Vec<f64> = (0..8).map(|_| all.next().learning_rate).collect();
        let mut updates = Vec::new();
        for (batch, rate) in rates.iter().enumerate() {
            let step = some.next();
            assert_rates(&[step.learning_rate], &[*rate]);
            updates.push(step.step);
            if batch % 3 == 1 {
                some.skip();
            }
        }
        assert_eq!(updates, [1, 2, 2, 3, 4, 4, 5, 6]);
        // Two batches to warm up, then half a cosine over six.
        let cosine = |done: f64| 0.4 * (1.0 + (std::f64::consts::PI * done / 6.0).cos());
        let expected = [0.8 / 3.0, 1.6 / 3.0, cosine(0.0), cosine(1.0), cosine(2.0)];
        assert_rates(&rates[..5], &expected);
    }
}
