//! Few frauds among many honest rows: weights, and ensembles of balanced bags.
//!
//! Nothing is synthesised: SMOTE (Chawla et al. 2002) and its kin mix rows of different times and customers into rows that
//! nobody ever saw, so they are left out on purpose. Bags only leave honest rows out, and keep the order of the others.

mod draw;
#[cfg(feature = "serde")]
mod saved;

use crate::explain::Explainer;
use crate::learner::{Classifier, Learner, check_shapes, classifier};
use crate::logistic::chance;
use crate::params::{count, number};
use crate::select::Part;
use crate::{BoostedTreesParams, EnsembleError, Samples, threads};
use ndarray::ArrayView2;
use std::sync::Arc;

/// Most bags of an ensemble.
pub const MAX_BAGS: usize = 10_000;
/// Probabilities of frauds are kept this far from 0 and 1.
const EDGE: f64 = 1e-15;

/// How much more a fraud counts than an honest row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ClassWeight {
    /// As much.
    #[default]
    None,
    /// So much that both classes have half of the weight: factors n / (2 x n of the class), as `balanced` in scikit-learn.
    Balanced,
    /// This many times as much.
    Ratio(f64),
}

impl ClassWeight {
    /// Weights of rows: those of the samples times the factor of the class.
    ///
    /// A model that learns with them sees more frauds than there are: its log odds are too high by the logarithm of the
    /// ratio of both factors, while their order is what was wanted. Calibrate before reading them as probabilities.
    ///
    /// # Errors
    ///
    /// When the ratio is not finite or not above 0, or the samples have no rows of one class.
    ///
    /// ```
    /// use dafu_ensemble::{ClassWeight, Samples};
    /// use ndarray::array;
    ///
    /// let rows = array![[1.0], [2.0], [3.0], [4.0]];
    /// let samples = Samples::new(rows.view(), &[true, false, false, false])?;
    /// let weights = ClassWeight::Balanced.weights(&samples)?;
    /// assert_eq!(weights[0], weights[1] + weights[2] + weights[3]);
    /// # Ok::<(), dafu_ensemble::EnsembleError>(())
    /// ```
    pub fn weights(self, samples: &Samples<'_>) -> Result<Vec<f64>, EnsembleError> {
        let [honest, fraud] = samples.class_weights(1.0)?;
        let (of_fraud, of_honest) = match self {
            Self::None => (1.0, 1.0),
            Self::Balanced => {
                let half = f64::midpoint(fraud, honest);
                (half / fraud, half / honest)
            }
            Self::Ratio(ratio) => {
                let good = ratio.is_finite() && ratio > 0.0;
                number("ratio", ratio, "finite and above 0", good)?;
                (ratio, 1.0)
            }
        };
        let frauds = samples.frauds().iter().enumerate();
        let weights = frauds
            .map(|(row, fraud)| samples.weight(row) * if *fraud { of_fraud } else { of_honest });
        Ok(weights.collect())
    }
}

/// Any learner with class weights.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ClassWeighted<L> {
    /// What learns.
    pub learner: L,
    /// The weights.
    pub class_weight: ClassWeight,
}

impl<L: Learner> Learner for ClassWeighted<L> {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let weights = self.class_weight.weights(samples)?;
        self.learner.learn(&samples.reweighted(&weights)?)
    }
}

/// The log odds in all rows, of a model that learned from all frauds and a share of the honest rows.
///
/// Source: Dal Pozzolo, Caelen, Johnson and Bontempi, "Calibrating Probability with Undersampling for Unbalanced
/// Classification" (2015), equation 4, as log odds.
///
/// ```
/// use dafu_ensemble::undo_undersampling;
///
/// // Odds of 1 to 1 where one honest row of 100 was kept are odds of 1 to 100.
/// assert!((undo_undersampling(0.0, 0.01) - (1.0_f64 / 100.0).ln()).abs() < 1e-12);
/// ```
pub fn undo_undersampling(log_odds: f64, honest_share: f64) -> f64 {
    log_odds + honest_share.ln()
}

/// What is averaged over bags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Average {
    /// Log odds: one bag that is very sure moves the mean.
    #[default]
    LogOdds,
    /// Probabilities, turned into log odds afterwards.
    Probability,
}

/// Parameters of [`BalancedBagging`]: each bag has all frauds and as many honest rows, drawn anew.
///
/// [`BalancedBaggingParams::easy_ensemble`] has boosted trees in each bag.
///
/// Source: Liu, Wu and Zhou, "Exploratory Undersampling for Class-Imbalance Learning" (2009), section III.A.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::{BalancedBaggingParams, LogisticRegressionParams, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((2000, 1), |(row, _)| (row * 7 % 1000) as f64);
/// let frauds: Vec<bool> = rows.iter().map(|amount| *amount > 980.0).collect();
/// let samples = Samples::new(rows.view(), &frauds)?;
///
/// // With the day of each row, each day keeps its share of the honest rows.
/// let days: Vec<u32> = (0..2000).map(|row| row / 200).collect();
/// let samples = samples.with_blocks(&days)?;
/// let params = BalancedBaggingParams::new(LogisticRegressionParams::default()).bags(5);
/// let model = params.fit(&samples)?;
/// assert_eq!(model.len(), 5);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct BalancedBaggingParams<L> {
    /// What learns from each bag.
    pub learner: L,
    /// Bags.
    pub bags: usize,
    /// Honest rows for each fraud; all of them where there are not as many.
    pub ratio: f64,
    /// What is averaged.
    pub average: Average,
    /// Whether answers are those of the given rows, and not of bags, where frauds are much more frequent.
    pub correct_prior: bool,
    /// Seed of the bags.
    pub seed: u64,
}

/// `EasyEnsemble`: balanced bags of boosted trees.
pub type EasyEnsembleParams = BalancedBaggingParams<BoostedTreesParams>;

impl BalancedBaggingParams<BoostedTreesParams> {
    /// Ten bags of small boosted trees: `EasyEnsemble`, with gradient boosting in the place of `AdaBoost`.
    ///
    /// Each bag has ten honest rows for each fraud where the paper has one: trees then still see what is usual. On the
    /// Handbook's card payments this was best on rows held out of training, and far better than one.
    pub fn easy_ensemble() -> Self {
        let trees = BoostedTreesParams::default().max_leaves(8);
        let trees = trees.n_estimators(50).learning_rate(0.1).min_leaf_rows(5);
        Self::new(trees).ratio(10.0)
    }
}

impl<L> BalancedBaggingParams<L> {
    /// Ten bags with as many honest rows as frauds.
    pub const fn new(learner: L) -> Self {
        Self {
            learner,
            bags: 10,
            ratio: 1.0,
            average: Average::LogOdds,
            correct_prior: true,
            seed: 0,
        }
    }

    /// Sets `bags`.
    #[must_use]
    pub fn bags(mut self, bags: usize) -> Self {
        self.bags = bags;
        self
    }

    /// Sets `ratio`.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Sets `average`.
    #[must_use]
    pub fn average(mut self, average: Average) -> Self {
        self.average = average;
        self
    }

    /// Sets `correct_prior`.
    #[must_use]
    pub fn correct_prior(mut self, correct_prior: bool) -> Self {
        self.correct_prior = correct_prior;
        self
    }

    /// Sets `seed`.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether all parameters are within their intervals; those of the learner are checked when it learns.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("bags", self.bags, 1, MAX_BAGS)?;
        let good = self.ratio.is_finite() && self.ratio > 0.0;
        number("ratio", self.ratio, "finite and above 0", good)
    }
}

impl<L: Learner> BalancedBaggingParams<L> {
    /// Learns from rows. Where those are of blocks of time ([`Samples::with_blocks`]), each block has the same share of the
    /// honest rows of a bag as of all honest rows, so that no bag stands for another time than the rows do.
    ///
    /// # Errors
    ///
    /// When a parameter is out of range, or the learner cannot learn from a bag.
    ///
    /// # Complexity
    ///
    /// That of the learner on the rows of a bag, times the bags; bags are copied.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<BalancedBagging, EnsembleError> {
        self.check()?;
        let rows = samples.rows();
        let [honest, _] = samples.class_weights(1.0)?;
        let pool = draw::Pool::new(samples, self.ratio);
        let members = threads::map(self.bags, |bag| {
            let chosen = pool.bag(self.seed, bag as u64);
            let bag = Part::new(samples, &chosen);
            let honest_rows = chosen.iter().filter(|row| !samples.frauds()[**row]);
            let kept: f64 = honest_rows.map(|row| samples.weight(*row)).sum();
            let shift = if self.correct_prior {
                undo_undersampling(0.0, kept / honest)
            } else {
                0.0
            };
            Ok(Member {
                model: Arc::from(self.learner.learn(&bag.samples()?)?),
                shift,
            })
        });
        Ok(BalancedBagging {
            width: rows.ncols(),
            average: self.average,
            members: members.into_iter().collect::<Result<_, EnsembleError>>()?,
        })
    }
}

/// The model of a bag.
#[derive(Debug, Clone)]
struct Member {
    model: Arc<dyn Classifier>,
    /// Added to its log odds.
    shift: f64,
}

/// The average of models of balanced bags.
#[derive(Debug, Clone)]
pub struct BalancedBagging {
    width: usize,
    average: Average,
    members: Vec<Member>,
}

impl BalancedBagging {
    /// Columns of the training rows.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Bags.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no bag, which no fit gives.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Writes the log odds of fraud of each row.
    ///
    /// # Errors
    ///
    /// When rows have another width than the training rows, or `out` another length than there are rows.
    pub fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        check_shapes(self.width, rows, out)?;
        let mut odds = vec![0.0; out.len()];
        let share = 1.0 / self.members.len().max(1) as f64;
        out.fill(0.0);
        for member in &self.members {
            member.model.log_odds_rows(rows, &mut odds)?;
            for (out, odds) in out.iter_mut().zip(&odds) {
                let odds = odds + member.shift;
                *out += share
                    * match self.average {
                        Average::LogOdds => odds,
                        Average::Probability => chance(odds),
                    };
            }
        }
        if self.average == Average::Probability {
            for out in out {
                let share = out.clamp(EDGE, 1.0 - EDGE);
                *out = (share / (1.0 - share)).ln();
            }
        }
        Ok(())
    }
}

impl<L: Learner> Learner for BalancedBaggingParams<L> {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        Ok(Box::new(self.fit(samples)?))
    }
}

classifier!(BalancedBagging {
    /// Where log odds are averaged, and explained by all members.
    fn explainer(&self) -> Option<Explainer> {
        if self.average != Average::LogOdds {
            return None;
        }
        let explainer = |member: &Member| match member.model.explainer()? {
            Explainer::Shares(_) => None,
            explainer => Some((member.shift, explainer)),
        };
        let members: Option<_> = self.members.iter().map(explainer).collect();
        Some(Explainer::Mean(members?))
    }
});
