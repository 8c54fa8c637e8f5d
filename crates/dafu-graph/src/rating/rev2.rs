//! Fairness of users, goodness of items, reliability of ratings.

use super::{Rating, RatingNetwork};
use crate::GraphError;
use crate::error::parameter;
use dafu_core::EntityId;

/// What is thought of somebody of whom nothing was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Rev2Prior {
    /// This.
    Fixed(f64),
    /// The mean of all, as of the last iteration.
    Mean,
}

/// How much the ratings of a user say about the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RatingEvidence {
    /// Each the same.
    Each,
    /// Those of one UTC day together as much as one: a burst is one act.
    #[default]
    Days,
}

/// Whether a rating is compared with a goodness that it has part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OwnRating {
    /// It is: who rates what nobody else rates always agrees.
    Included,
    /// It is compared with what all others say.
    #[default]
    LeftOut,
}

/// Parameters of REV2: [`Rev2Params::run`].
///
/// The defaults are those of somebody who knows nothing: every fairness and every goodness is as likely as any other before ratings
/// are seen (two ratings in the middle: Laplace's rule of succession), ratings of one day are one piece of evidence, and
/// nobody confirms himself. [`Rev2Params::published`] is the paper.
///
/// ```
/// use dafu_core::{EntityId, Timestamp};
/// use dafu_graph::{RatingNetwork, Rev2Params};
///
/// let mut network = RatingNetwork::new(-1.0, 1.0)?;
/// for (day, item) in (0..).zip(["lamp", "mug", "pen"]) {
///     let (item, at) = (EntityId::new(item)?, Timestamp::from_seconds(day * 86_400)?);
///     for user in ["ada", "bob", "cleo"] {
///         network.rate(&EntityId::new(user)?, &item, 0.6, at)?;
///     }
///     network.rate(&EntityId::new("troll")?, &item, -1.0, at)?;
/// }
/// let found = Rev2Params::default().run(&network)?;
/// let fairness = |user: &str| Ok::<_, Box<dyn std::error::Error>>(found.fairness_of(&network, &EntityId::new(user)?));
/// assert!(fairness("ada")? > 0.6 && fairness("troll")? < 0.5);
/// assert_eq!(fairness("nobody")?, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Rev2Params {
    /// Fairness of a user without ratings, 0 to 1. Default 0.5.
    pub fairness_prior: Rev2Prior,
    /// How many ratings it counts for, at least 0 (alpha 1 of the paper). Default 2.
    pub fairness_weight: f64,
    /// Goodness of an item without ratings, -1 to 1. Default 0.
    pub goodness_prior: Rev2Prior,
    /// How many ratings it counts for, at least 0 (beta 1 of the paper). Default 2.
    pub goodness_weight: f64,
    /// How many ratings the behaviour of a user counts for, at least 0 (alpha 2 of the paper). Default 2; used by
    /// [`Rev2Params::run_with`] alone.
    pub behavior_weight: f64,
    /// How much the fairness of its user counts in the reliability of a rating, 0 to below 1; the rest is whether it agrees with
    /// the goodness of the item (gamma 1 / (gamma 1 + gamma 2) of the paper). Default 0.5.
    pub user_share: f64,
    /// What counts as evidence about a user.
    pub evidence: RatingEvidence,
    /// Whom a rating is compared with.
    pub own: OwnRating,
    /// Iterations end when nothing changes by more, above 0. Default 1e-9.
    pub tolerance: f64,
    /// They end after so many, too, at least 1. Default 1000.
    pub max_iterations: u32,
}

impl Default for Rev2Params {
    fn default() -> Self {
        Self {
            fairness_prior: Rev2Prior::Fixed(0.5),
            fairness_weight: 2.0,
            goodness_prior: Rev2Prior::Fixed(0.0),
            goodness_weight: 2.0,
            behavior_weight: 2.0,
            user_share: 0.5,
            evidence: RatingEvidence::default(),
            own: OwnRating::default(),
            tolerance: 1e-9,
            max_iterations: 1000,
        }
    }
}

/// What REV2 finds: [`Rev2Params::run`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rev2 {
    /// Of each user: how far his ratings are to be relied on, 0 to 1.
    pub fairness: Vec<f64>,
    /// Of each item: what reliable ratings say, -1 to 1.
    pub goodness: Vec<f64>,
    /// Of each rating, in the order in which they came, 0 to 1.
    pub reliability: Vec<f64>,
    /// Fairness of somebody who gave no rating.
    pub unknown_fairness: f64,
    /// Iterations.
    pub iterations: u32,
    /// Whether the last iteration changed nothing by more than the tolerance.
    pub converged: bool,
}

impl Rev2 {
    /// The fairness of anybody, that of strangers for who gave no rating.
    ///
    /// One minus it is a score of fraud.
    pub fn fairness_of(&self, network: &RatingNetwork, user: &EntityId) -> f64 {
        let fairness = network
            .user(user)
            .and_then(|place| self.fairness.get(place));
        fairness.copied().unwrap_or(self.unknown_fairness)
    }
}

impl Rev2Params {
    /// The smoothing of the paper: `alpha` times the mean fairness and `beta` times the mean goodness; each rating counts the same
    /// and is compared with what it has part in. Alpha and beta are 0, 1 or 2 there.
    #[must_use]
    pub fn published(alpha: f64, beta: f64) -> Self {
        Self {
            fairness_prior: Rev2Prior::Mean,
            fairness_weight: alpha,
            goodness_prior: Rev2Prior::Mean,
            goodness_weight: beta,
            evidence: RatingEvidence::Each,
            own: OwnRating::Included,
            ..Self::default()
        }
    }

    /// Sets `fairness_prior` and `fairness_weight`.
    #[must_use]
    pub const fn fairness(mut self, prior: Rev2Prior, weight: f64) -> Self {
        self.fairness_prior = prior;
        self.fairness_weight = weight;
        self
    }

    /// Sets `goodness_prior` and `goodness_weight`.
    #[must_use]
    pub const fn goodness(mut self, prior: Rev2Prior, weight: f64) -> Self {
        self.goodness_prior = prior;
        self.goodness_weight = weight;
        self
    }

    dafu_core::setters! {
        behavior_weight: f64,
        user_share: f64,
        evidence: RatingEvidence,
        own: OwnRating,
        tolerance: f64,
        max_iterations: u32,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`] for the first that is not.
    pub fn check(&self) -> Result<(), GraphError> {
        if let Rev2Prior::Fixed(got) = self.fairness_prior {
            let good = (0.0..=1.0).contains(&got);
            parameter("fairness_prior", got, "at least 0 and at most 1", good)?;
        }
        if let Rev2Prior::Fixed(got) = self.goodness_prior {
            let good = (-1.0..=1.0).contains(&got);
            parameter("goodness_prior", got, "at least -1 and at most 1", good)?;
        }
        for (name, got) in [
            ("fairness_weight", self.fairness_weight),
            ("goodness_weight", self.goodness_weight),
            ("behavior_weight", self.behavior_weight),
        ] {
            let good = (0.0..=1e6).contains(&got);
            parameter(name, got, "at least 0 and at most 1000000", good)?;
        }
        let got = self.user_share;
        let good = (0.0..1.0).contains(&got);
        parameter("user_share", got, "at least 0 and below 1", good)?;
        let got = self.tolerance;
        parameter("tolerance", got, "above 0", got > 0.0)?;
        let got = self.max_iterations;
        parameter("max_iterations", got, "at least 1", got >= 1)
    }

    /// Fairness, goodness and reliability of a network.
    ///
    /// They are the fixed point of three equations, those of the paper with its terms for cold starts. For user u, item p, rating
    /// r of reliability R, goodness G, fairness F, and the share g of [`Rev2Params::user_share`]:
    ///
    /// - R(u, p) = g F(u) + (1 - g) (1 - |r - G(p)| / 2)
    /// - G(p) = (b mu + sum of R r over its ratings) / (b + their number), b ratings of the prior mu
    /// - F(u) = (a mu + sum of R over ratings given) / (a + their number), a ratings of the prior mu
    ///
    /// beginning with 1 everywhere. What differs from the paper by default is told at [`Rev2Params`].
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`].
    ///
    /// # Complexity
    ///
    /// O(n log n) for n ratings to sort them, O(n) an iteration; the error shrinks by a factor of at most (1 + g) / 2 each with
    /// fixed priors: 3 / 4 at the defaults.
    ///
    /// Source: Kumar, Hooi, Makhija, Kumar, Faloutsos and Subrahmanian, "REV2: fraudulent user prediction in rating platforms"
    /// (2018). The code of its authors takes medians for means.
    pub fn run(&self, network: &RatingNetwork) -> Result<Rev2, GraphError> {
        self.run_with(network, &[])
    }

    /// The same, where something else is known of how users behave: a normality from 0 to 1 for each user, NaN where it is not
    /// known. It counts for `behavior_weight` ratings (the term of alpha 2 of the paper, which takes it from a model of times
    /// and ratings). No normalities at all are none known.
    ///
    /// # Errors
    ///
    /// [`GraphError::Parameter`], also for normalities of another number than users.
    pub fn run_with(&self, network: &RatingNetwork, behavior: &[f64]) -> Result<Rev2, GraphError> {
        self.check()?;
        let good = behavior.is_empty() || behavior.len() == network.users().len();
        parameter("behavior", behavior.len(), "one for each user", good)?;
        for got in behavior {
            let good = got.is_nan() || (0.0..=1.0).contains(got);
            parameter("behavior", got, "at least 0 and at most 1", good)?;
        }
        let mut state = State::new(self, network, behavior);
        let mut iterations = 0;
        let mut change = f64::INFINITY;
        while iterations < self.max_iterations && change > self.tolerance {
            change = state.improve(self);
            iterations += 1;
        }
        Ok(state.finish(self, iterations, change <= self.tolerance))
    }
}

/// Ratings by user and item, and what is thought of all.
struct State {
    order: Vec<u32>,
    ratings: Vec<Rating>,
    /// What each rating says about its user.
    evidence: Vec<f64>,
    /// Of each user, without the prior: what other evidence adds to the sum, and all evidence.
    behavior: Vec<(f64, f64)>,
    /// Ratings of each item.
    received: Vec<f64>,
    fairness: Vec<f64>,
    goodness: Vec<f64>,
    reliability: Vec<f64>,
    /// Sums of reliability times rating.
    praise: Vec<f64>,
}

impl State {
    fn new(params: &Rev2Params, network: &RatingNetwork, behavior: &[f64]) -> Self {
        let order = network.by_pair();
        let ratings: Vec<Rating> = order
            .iter()
            .map(|place| network.ratings[*place as usize])
            .collect();
        let evidence = evidence(params.evidence, &ratings);
        let mut sums = vec![(0.0, 0.0); network.users().len()];
        for (sums, normal) in sums.iter_mut().zip(behavior) {
            if !normal.is_nan() {
                *sums = (params.behavior_weight * normal, params.behavior_weight);
            }
        }
        let mut received = vec![0.0; network.items().len()];
        for (rating, evidence) in ratings.iter().zip(&evidence) {
            sums[rating.user as usize].1 += evidence;
            received[rating.item as usize] += 1.0;
        }
        Self {
            order,
            evidence,
            behavior: sums,
            fairness: vec![1.0; network.users().len()],
            goodness: vec![1.0; received.len()],
            reliability: vec![1.0; ratings.len()],
            praise: vec![0.0; received.len()],
            received,
            ratings,
        }
    }

    /// One iteration; the largest change.
    fn improve(&mut self, params: &Rev2Params) -> f64 {
        let mut change = 0.0_f64;
        let prior = value(params.goodness_prior, &self.goodness, 0.0);
        self.praise.fill(0.0);
        for (rating, reliability) in self.ratings.iter().zip(&self.reliability) {
            self.praise[rating.item as usize] += reliability * rating.value;
        }
        let weight = params.goodness_weight;
        for (item, goodness) in self.goodness.iter_mut().enumerate() {
            let new = smoothed(self.praise[item], self.received[item], (prior, weight));
            change = change.max((new - *goodness).abs());
            *goodness = new;
        }
        change = change.max(self.rely(params, prior));
        let prior = value(params.fairness_prior, &self.fairness, 0.5);
        let mut sums: Vec<f64> = self.behavior.iter().map(|(sum, _)| *sum).collect();
        for (place, rating) in self.ratings.iter().enumerate() {
            sums[rating.user as usize] += self.evidence[place] * self.reliability[place];
        }
        let weight = params.fairness_weight;
        for (user, fairness) in self.fairness.iter_mut().enumerate() {
            let new = smoothed(sums[user], self.behavior[user].1, (prior, weight));
            change = change.max((new - *fairness).abs());
            *fairness = new;
        }
        change
    }

    /// Reliabilities from goodness and fairness; the largest change.
    fn rely(&mut self, params: &Rev2Params, prior: f64) -> f64 {
        let mut change = 0.0_f64;
        let mut start = 0;
        for pair in self
            .ratings
            .chunk_by(|one, other| (one.user, one.item) == (other.user, other.item))
        {
            let item = pair[0].item as usize;
            let places = start..start + pair.len();
            start = places.end;
            let goodness = match params.own {
                OwnRating::Included => self.goodness[item],
                OwnRating::LeftOut => {
                    let own: f64 = pair
                        .iter()
                        .zip(&self.reliability[places.clone()])
                        .map(|(rating, reliability)| reliability * rating.value)
                        .sum();
                    let others = self.received[item] - pair.len() as f64;
                    let weight = params.goodness_weight;
                    smoothed(self.praise[item] - own, others, (prior, weight))
                }
            };
            let fairness = self.fairness[pair[0].user as usize];
            for (rating, reliability) in pair.iter().zip(&mut self.reliability[places]) {
                let agreement = 1.0 - (rating.value - goodness).abs() / 2.0;
                let new = params.user_share * fairness + (1.0 - params.user_share) * agreement;
                change = change.max((new - *reliability).abs());
                *reliability = new;
            }
        }
        change
    }

    fn finish(self, params: &Rev2Params, iterations: u32, converged: bool) -> Rev2 {
        let mut reliability = vec![0.0; self.order.len()];
        for (place, found) in self.order.iter().zip(&self.reliability) {
            reliability[*place as usize] = *found;
        }
        Rev2 {
            unknown_fairness: value(params.fairness_prior, &self.fairness, 0.5),
            fairness: self.fairness,
            goodness: self.goodness,
            reliability,
            iterations,
            converged,
        }
    }
}

/// A mean with so many values of a prior; the prior where there is nothing.
fn smoothed(sum: f64, count: f64, (prior, weight): (f64, f64)) -> f64 {
    let count = count + weight;
    if count > 0.0 {
        (sum + prior * weight) / count
    } else {
        prior
    }
}

/// The prior as a number, `middle` for the mean of nobody.
fn value(prior: Rev2Prior, of: &[f64], middle: f64) -> f64 {
    match prior {
        Rev2Prior::Fixed(value) => value,
        Rev2Prior::Mean if of.is_empty() => middle,
        Rev2Prior::Mean => of.iter().sum::<f64>() / of.len() as f64,
    }
}

/// What each rating says about its user; ratings come by user.
fn evidence(evidence: RatingEvidence, ratings: &[Rating]) -> Vec<f64> {
    let mut weights = vec![1.0; ratings.len()];
    if evidence == RatingEvidence::Days {
        let mut days: Vec<(u32, i64, usize)> = ratings
            .iter()
            .enumerate()
            .map(|(place, rating)| (rating.user, rating.day, place))
            .collect();
        days.sort_unstable();
        for day in days.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            for (_, _, place) in day {
                weights[*place] = 1.0 / day.len() as f64;
            }
        }
    }
    weights
}
