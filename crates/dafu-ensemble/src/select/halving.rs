//! Successive halving.

use super::search::{Budget, Build, Judge, MAX_CANDIDATES, Round, Share, draw};
use super::space::{Point, Space};
use super::table::{Experiment, ExperimentTable};
use crate::EnsembleError;
use crate::params::count;
use dafu_core::Progress;

/// Most rungs.
pub const MAX_RUNGS: usize = 20;

/// Successive halving: many random points with a small share of the budget, the best of them with more, and so on until
/// the last have all of it.
///
/// Rung i of r gives each candidate the share eta^(i + 1 - r) of the budget, counted from 0; of n candidates, n / eta
/// (rounded down, at least one) go on. Failures never do. With 27 candidates, eta of 3 and 3 rungs: 27 with a ninth of the
/// budget, 9 with a third, 3 with all.
///
/// Source: Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016), figure
/// 3; in the form of the inner loop of Li, Jamieson, `DeSalvo`, Rostamizadeh and Talwalkar, "Hyperband: A Novel Bandit-Based
/// Approach to Hyperparameter Optimization" (2018), algorithm 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct HalvingParams {
    /// Points of the first rung.
    pub candidates: usize,
    /// Of how many candidates one goes on.
    pub eta: usize,
    /// Rungs.
    pub rungs: usize,
    /// What there is less of on the lower rungs.
    pub budget: Budget,
    /// Seed of the points.
    pub seed: u64,
}

impl Default for HalvingParams {
    fn default() -> Self {
        Self {
            candidates: 27,
            eta: 3,
            rungs: 3,
            budget: Budget::Rows,
            seed: 0,
        }
    }
}

impl HalvingParams {
    dafu_core::setters! {
        candidates: usize,
        eta: usize,
        rungs: usize,
        budget: Budget,
        seed: u64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("candidates", self.candidates, 1, MAX_CANDIDATES)?;
        count("eta", self.eta, 2, 100)?;
        count("rungs", self.rungs, 1, MAX_RUNGS)
    }

    /// Share of the budget on each rung.
    fn shares(&self) -> Vec<f64> {
        let mut shares = vec![1.0; self.rungs];
        for rung in (1..self.rungs).rev() {
            shares[rung - 1] = shares[rung] / self.eta as f64;
        }
        shares
    }

    /// Draws points, makes their learners with `build`, and judges them rung by rung. The table has a line for each
    /// candidate on each rung. Points are those of a random search with the same seed. The result is the same for any
    /// number of threads.
    ///
    /// # Errors
    ///
    /// As [`HalvingParams::check`], and for a space that cannot be drawn from.
    ///
    /// # Complexity
    ///
    /// Each rung costs about candidates * eta^(1 - rungs) whole fits and answers for each fold.
    pub fn run(
        &self,
        space: &Space,
        judge: &Judge<'_>,
        progress: &dyn Progress,
        build: &Build<'_>,
    ) -> Result<ExperimentTable, EnsembleError> {
        self.check()?;
        let mut candidates = draw(space, self.candidates, self.seed)?;
        let sizes = std::iter::successors(Some(self.candidates), |n| Some((n / self.eta).max(1)));
        let total: u64 = sizes.take(self.rungs).map(|size| size as u64).sum();
        let mut all: Vec<Experiment> = Vec::new();
        for (rung, share) in self.shares().into_iter().enumerate() {
            let step = format!("rung {} of {}", rung + 1, self.rungs);
            let round = Round {
                part: Share {
                    share,
                    budget: self.budget,
                },
                progress,
                step: &step,
                done: all.len() as u64,
                total,
            };
            let wanted = candidates.len();
            let experiments = judge.round(&candidates, build, &round);
            let stopped = experiments.len() < wanted;
            candidates = best(judge, &experiments, (wanted / self.eta).max(1));
            all.extend(experiments);
            if stopped {
                return Ok(judge.table(all, true));
            }
        }
        Ok(judge.table(all, false))
    }
}

/// Those that go on, in the order drawn.
fn best(judge: &Judge<'_>, experiments: &[Experiment], count: usize) -> Vec<(usize, Point)> {
    let ranked = judge.table(experiments.to_vec(), false).experiments;
    let good = ranked.into_iter().filter(|one| one.summary(0).is_some());
    let mut best: Vec<_> = good
        .take(count)
        .map(|one| (one.candidate, one.point))
        .collect();
    best.sort_by_key(|(candidate, _)| *candidate);
    best
}
