//! Members and how they are combined: what is chosen, and how it is learned.

use super::combiner::{Combiner, MAX_MEMBERS, MemberScale};
use super::greedy::{GreedyParams, greedy_selection};
use super::model::Blend;
use super::noisy_or::{Max, NoisyOr};
use super::out_of_fold::MemberScores;
use super::stack::StackParams;
use super::vote::{Vote, VoteKind, weights_by_gain};
use crate::params::{count, number};
use crate::select::{Fold, Metric, TimeFolds, TrainingSpan};
use crate::{Classifier, EnsembleError, Learner, Samples, threads};

/// Longest name of a member in bytes.
const MAX_NAME: usize = 256;

/// Where the weights of a vote come from.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum VoteWeights {
    /// All members count the same.
    Equal,
    /// One a member.
    Given(Vec<f64>),
    /// [`weights_by_gain`] to this power.
    Gain(f64),
    /// [`greedy_selection`].
    Greedy(GreedyParams),
}

/// Frauds that a combiner is fitted to at least, for another part to be judged by it.
const LEAST_FRAUDS: usize = 10;

/// A way of combining members.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Combination {
    /// A weighted mean.
    Vote {
        /// What it is the mean of.
        kind: VoteKind,
        /// Where the weights come from.
        weights: VoteWeights,
    },
    /// Fraud if any of the members has cause for it; needs no labels.
    NoisyOr {
        /// Whether scores are replaced by their ranks first.
        ranks: bool,
        /// How much of each member's probability counts, from 0 to 1.
        strength: f64,
        /// Probability of fraud when no member has cause for it.
        leak: f64,
    },
    /// The highest; needs no labels.
    Max {
        /// Whether scores are replaced by their ranks first.
        ranks: bool,
    },
    /// A logistic regression.
    Stack(StackParams),
}

impl Default for Combination {
    /// The mean of log odds.
    fn default() -> Self {
        Self::Vote {
            kind: VoteKind::LogOdds,
            weights: VoteWeights::Equal,
        }
    }
}

impl Combination {
    /// Whether anything is fitted to scores.
    fn needs_scores(&self) -> bool {
        match self {
            Self::Vote { kind, weights } => {
                let plain = matches!(weights, VoteWeights::Equal | VoteWeights::Given(_));
                !plain || *kind == VoteKind::Rank
            }
            Self::NoisyOr { ranks, .. } | Self::Max { ranks } => *ranks,
            Self::Stack(_) => true,
        }
    }

    /// Fits weights and rank maps to scores of rows that the members have not seen. The metric is what weights by gain and
    /// greedy selection go by.
    ///
    /// # Errors
    ///
    /// As the parts: [`Vote::new`], [`weights_by_gain`], [`greedy_selection`], [`NoisyOr::new`], [`StackParams::fit`].
    pub fn fit(
        &self,
        scores: &MemberScores,
        metric: &Metric<'_>,
    ) -> Result<Combiner, EnsembleError> {
        self.fit_to(scores.members(), Some(scores), metric)
    }

    /// For each week, in order, the same fitted to the scores of all others.
    ///
    /// A combiner is too sure of rows that it was fitted to, and a calibration that learned from those would believe it: so
    /// let it learn from what these say of their weeks. Where the others have fewer than ten frauds or no honest row, the
    /// combiner is the one fitted to all.
    ///
    /// # Errors
    ///
    /// As [`Combination::fit`].
    pub fn fit_to_others(
        &self,
        scores: &MemberScores,
        metric: &Metric<'_>,
    ) -> Result<Vec<Combiner>, EnsembleError> {
        let all = self.fit(scores, metric)?;
        let without = |week: usize| {
            let mut others = scores.weeks().to_vec();
            others.remove(week);
            let labels = others.iter().flat_map(|week| &week.frauds);
            let (frauds, honest): (Vec<bool>, Vec<bool>) = labels.partition(|fraud| **fraud);
            if frauds.len() < LEAST_FRAUDS || honest.is_empty() {
                return Ok(all.clone());
            }
            self.fit(&MemberScores::new(others)?, metric)
        };
        (0..scores.weeks().len()).map(without).collect()
    }

    fn fit_to(
        &self,
        members: usize,
        scores: Option<&MemberScores>,
        metric: &Metric<'_>,
    ) -> Result<Combiner, EnsembleError> {
        let known = || scores.ok_or(EnsembleError::NoRows);
        let scale = |ranks: bool| {
            if !ranks {
                return Ok(MemberScale::LogOdds(members));
            }
            let (pooled, _, weights) = known()?.pooled();
            MemberScale::ranks(pooled.view(), weights.as_deref())
        };
        match self {
            Self::Vote { kind, weights } => {
                let scale = scale(*kind == VoteKind::Rank)?;
                let weights = match weights {
                    VoteWeights::Equal => vec![1.0; members],
                    VoteWeights::Given(weights) => weights.clone(),
                    VoteWeights::Gain(power) => weights_by_gain(known()?, metric, *power)?,
                    VoteWeights::Greedy(params) => {
                        greedy_selection(known()?, (*kind, &scale), metric, params)?.weights
                    }
                };
                Ok(Combiner::Vote(Vote::new(*kind, scale, &weights)?))
            }
            Self::NoisyOr {
                ranks,
                strength,
                leak,
            } => {
                let strengths = vec![*strength; members];
                NoisyOr::new(scale(*ranks)?, &strengths, *leak).map(Combiner::NoisyOr)
            }
            Self::Max { ranks } => Max::new(scale(*ranks)?).map(Combiner::Max),
            Self::Stack(params) => params.fit(known()?).map(Combiner::Stack),
        }
    }
}

/// The folds that weights are chosen on.
#[derive(Debug, Clone, PartialEq)]
pub enum BlendFolds {
    /// These, made for the rows that are learned from.
    Given(Vec<Fold>),
    /// Folds of rows that are in order of time, whatever they are: each is learned from all rows up to a gap before its
    /// test rows. This is what allows a blend as a [`Learner`] in a validation or a search.
    InOrder {
        /// Folds.
        folds: usize,
        /// Share of the rows that each fold is judged with.
        test: f64,
        /// Share of the rows between training and test, whose labels would not be known.
        gap: f64,
    },
}

impl BlendFolds {
    fn of(&self, rows: usize) -> Result<Vec<Fold>, EnsembleError> {
        let (folds, test, gap) = match self {
            Self::Given(folds) => return Ok(folds.clone()),
            Self::InOrder { folds, test, gap } => (*folds, *test, *gap),
        };
        number(
            "test",
            test,
            "above 0 and below 1",
            test > 0.0 && test < 1.0,
        )?;
        number(
            "gap",
            gap,
            "at least 0 and below 1",
            (0.0..1.0).contains(&gap),
        )?;
        let test = share(rows, test).max(1);
        let times: Vec<i64> = (0_i64..).take(rows).collect();
        let folds = TimeFolds::default()
            .folds(folds)
            .test(test)
            .step(test)
            .delay(share(rows, gap))
            .span(TrainingSpan::AllEarlier);
        folds.split(&times)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a share of rows, rounded down"
)]
fn share(rows: usize, share: f64) -> i64 {
    (rows as f64 * share) as i64
}

/// Parameters of a [`Blend`]: members, how they are combined, and on which folds the weights are chosen.
///
/// Weights, rank maps and stacks are fitted to members' scores of test rows: on each fold, members learn from the training
/// rows alone. Afterwards the members that count learn again, from all rows. Ways that fit nothing (equal or given weights
/// without ranks, noisy-or and the maximum without ranks) need no folds and skip the first part.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::combine::{BlendFolds, BlendParams, Combination, StackParams};
/// use dafu_ensemble::{BoostedTreesParams, Samples};
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((3000, 2), |(row, column)| [row * 37 % 500, row * 11 % 70][column] as f64);
/// let frauds: Vec<bool> = rows.rows().into_iter().map(|row| row[0] > 450.0 && row[1] > 30.0).collect();
///
/// let trees = BoostedTreesParams::default().n_estimators(5).learning_rate(0.5);
/// let folds = BlendFolds::InOrder { folds: 2, test: 0.2, gap: 0.1 };
/// let blend = BlendParams::new(Combination::Stack(StackParams::default()), folds)
///     .member("deep", Box::new(trees.clone()))
///     .member("stumps", Box::new(trees.max_leaves(2)))
///     .fit(&Samples::new(rows.view(), &frauds)?)?;
///
/// let parts = blend.parts(&[480.0, 50.0])?;
/// assert_eq!(parts[0].name, "deep");
/// assert!(blend.log_odds_row(&[480.0, 50.0])? > blend.log_odds_row(&[100.0, 50.0])?);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug)]
pub struct BlendParams<'a> {
    members: Vec<(String, Box<dyn Learner>)>,
    combination: Combination,
    folds: BlendFolds,
    metric: Metric<'a>,
}

impl<'a> BlendParams<'a> {
    /// No members yet; the metric is average precision.
    pub fn new(combination: Combination, folds: BlendFolds) -> Self {
        Self {
            members: Vec::new(),
            combination,
            folds,
            metric: Metric::average_precision(),
        }
    }

    /// Adds a member.
    #[must_use]
    pub fn member(mut self, name: &str, learner: Box<dyn Learner>) -> Self {
        self.members.push((name.to_owned(), learner));
        self
    }

    /// Sets what weights by gain and greedy selection go by. One that looks rows up by their number must be made for the
    /// rows that are learned from.
    #[must_use]
    pub fn metric(mut self, metric: Metric<'a>) -> Self {
        self.metric = metric;
        self
    }

    /// Whether there are members, with names that differ.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`], [`EnsembleError::MemberName`].
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("members", self.members.len(), 1, MAX_MEMBERS)?;
        let names: Vec<&str> = self.members.iter().map(|(name, _)| name.as_str()).collect();
        check_names(&names)
    }

    /// Chooses weights on the folds, then learns the members that count from all rows.
    ///
    /// # Errors
    ///
    /// As [`BlendParams::check`]; for folds that do not fit the rows; [`EnsembleError::Member`] for a member that cannot
    /// learn; as [`Combination::fit`].
    ///
    /// # Complexity
    ///
    /// A fit of each member for each fold and one more, members and folds at the same time with the feature `parallel`.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<Blend, EnsembleError> {
        self.check()?;
        let scores = if self.combination.needs_scores() {
            let folds = self.folds.of(samples.rows().nrows())?;
            let members = self.members.iter();
            let members: Vec<(&str, &dyn Learner)> = members
                .map(|(name, learner)| (name.as_str(), &**learner))
                .collect();
            Some(MemberScores::learn(&members, samples, &folds)?)
        } else {
            None
        };
        let members = self.members.len();
        let combiner = self
            .combination
            .fit_to(members, scores.as_ref(), &self.metric)?;
        let (combiner, kept) = combiner.without_idle();
        let learned = threads::map(kept.len(), |place| {
            let (name, learner) = &self.members[kept[place]];
            let model = learner
                .learn(samples)
                .map_err(|source| EnsembleError::Member {
                    name: name.clone(),
                    source: Box::new(source),
                });
            model.map(|model| (name.clone(), model))
        });
        let learned: Vec<(String, Box<dyn Classifier>)> =
            learned.into_iter().collect::<Result<_, _>>()?;
        let idle = (0..members).filter(|member| !kept.contains(member));
        let idle = idle.map(|member| self.members[member].0.clone()).collect();
        Blend::new(learned, combiner, idle)
    }
}

impl Learner for BlendParams<'_> {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        Ok(Box::new(self.fit(samples)?))
    }
}

pub(super) fn check_names(names: &[&str]) -> Result<(), EnsembleError> {
    for (place, name) in names.iter().enumerate() {
        let twice = names.iter().take(place).any(|other| other == name);
        if twice || name.is_empty() || name.len() > MAX_NAME {
            return Err(EnsembleError::MemberName {
                name: (*name).to_owned(),
            });
        }
    }
    Ok(())
}
