//! Ensemble selection.

use super::combiner::MemberScale;
use super::out_of_fold::MemberScores;
use super::vote::{VoteKind, mean};
use crate::logistic::chance;
use crate::params::{count, number};
use crate::select::Metric;
use crate::{EnsembleError, threads};
use dafu_core::random::Stream;

/// Most members that are added one after the other.
pub const MAX_ROUNDS: usize = 10_000;
/// Most bags.
pub const MAX_BAGS: usize = 10_000;
/// What the random stream is for.
const BAGS: u64 = 102;

/// Parameters of [`greedy_selection`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct GreedyParams {
    /// Members that are added one after the other in each bag, the same one as often as it helps. The best ensemble on the
    /// way is taken.
    pub rounds: usize,
    /// Best single members to begin with, at most; as many of them as do best together. 0 begins with none.
    pub sorted_start: usize,
    /// Bags, whose weights are averaged.
    pub bags: usize,
    /// Share of the members that each bag may choose from, in (0, 1]; at least one. The paper draws 20 bags of half of some
    /// 2,000 models; with a few members, one bag of all of them is better.
    pub bag_share: f64,
    /// Seed of the bags.
    pub seed: u64,
}

impl Default for GreedyParams {
    fn default() -> Self {
        Self {
            rounds: 20,
            sorted_start: 5,
            bags: 1,
            bag_share: 1.0,
            seed: 0,
        }
    }
}

impl GreedyParams {
    dafu_core::setters! {
        rounds: usize,
        sorted_start: usize,
        bags: usize,
        bag_share: f64,
        seed: u64,
    }

    /// Whether all parameters are within their intervals.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::CountOutOfRange`] or [`EnsembleError::NumberOutOfRange`] for the first that is not.
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("rounds", self.rounds, 1, MAX_ROUNDS)?;
        count("sorted_start", self.sorted_start, 0, MAX_ROUNDS)?;
        count("bags", self.bags, 1, MAX_BAGS)?;
        let good = self.bag_share > 0.0 && self.bag_share <= 1.0;
        number("bag_share", self.bag_share, "above 0 and at most 1", good)
    }
}

/// Weights that a selection found.
#[derive(Debug, Clone, PartialEq)]
pub struct GreedySelection {
    /// Weight of each member; they add up to 1.
    pub weights: Vec<f64>,
    /// The metric at these weights, mean over the weeks, on the rows they were chosen on: not an estimate for others.
    pub value: f64,
}

/// Chooses members with replacement, each time the one that improves the metric of the vote most, and weighs members by how
/// often they were chosen.
///
/// The metric is the mean over the weeks, so that no single one decides. Of members that do equally well, the first is
/// taken.
///
/// Source: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble Selection from Libraries of Models" (2004), section 2, with
/// selection with replacement (2.1), sorted ensemble initialization (2.2) and bagged ensemble selection (2.3). There the
/// number of rounds is chosen elsewhere; here the best ensemble on the way is taken.
///
/// # Errors
///
/// For parameters out of range, [`VoteKind::Rank`] without maps, a scale of other members, rows that cannot be judged, and
/// [`EnsembleError::NoFold`] where the metric is undefined in all weeks.
///
/// # Complexity
///
/// bags x rounds x members x share metrics of all weeks; bags and members at the same time with the feature `parallel`. Two
/// numbers for each score beside the scores.
pub fn greedy_selection(
    scores: &MemberScores,
    (kind, scale): (VoteKind, &MemberScale),
    metric: &Metric<'_>,
    params: &GreedyParams,
) -> Result<GreedySelection, EnsembleError> {
    params.check()?;
    if kind == VoteKind::Rank && matches!(scale, MemberScale::LogOdds(_)) {
        return Err(EnsembleError::NoRankMaps);
    }
    let members = scores.members();
    if scale.members() != members {
        return Err(EnsembleError::MemberCount {
            what: "members of the scale",
            expected: members,
            got: scale.members(),
        });
    }
    let library = Library::new(scores, (kind, scale), metric);
    let alone = threads::map(members, |member| {
        library.merit_with(&library.nothing(), 0, member)
    });
    let alone: Vec<f64> = alone.into_iter().collect::<Result<_, _>>()?;
    let bags = threads::map(params.bags, |bag| {
        let mut stream = Stream::new(params.seed, BAGS, bag as u64);
        let members = stream.share_of(members, params.bag_share);
        library.hill_climb(&members, &alone, params)
    });
    let mut weights = vec![0.0; members];
    for bag in bags {
        let chosen = bag?;
        let share = 1.0 / (chosen.len() * params.bags) as f64;
        for member in chosen {
            weights[member] += share;
        }
    }
    let odds = |week: usize, row: usize| {
        let of = |member: usize| scale.log_odds(member, scores.score(week, row, member));
        mean(
            kind,
            weights
                .iter()
                .enumerate()
                .map(|(member, weight)| (*weight, of(member))),
        )
    };
    let value = metric.merit(scores.merit(metric, odds)?);
    Ok(GreedySelection { weights, value })
}

/// What is added up in a vote: log odds, or probabilities of fraud and of none.
#[derive(Debug, Clone, Copy, Default)]
struct Ballot(f64, f64);

impl Ballot {
    fn new(kind: VoteKind, odds: f64) -> Self {
        match kind {
            VoteKind::LogOdds => Self(odds, 0.0),
            VoteKind::Probability | VoteKind::Rank => Self(chance(odds), chance(-odds)),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1)
    }

    /// Log odds of the mean of so many.
    fn result(self, kind: VoteKind, count: usize) -> f64 {
        match kind {
            VoteKind::LogOdds => self.0 / count as f64,
            VoteKind::Probability | VoteKind::Rank => {
                self.0.max(f64::MIN_POSITIVE).ln() - self.1.max(f64::MIN_POSITIVE).ln()
            }
        }
    }
}

/// By week and row.
type Ballots = Vec<Vec<Ballot>>;

/// All members' ballots.
struct Library<'a> {
    scores: &'a MemberScores,
    metric: &'a Metric<'a>,
    kind: VoteKind,
    members: Vec<Ballots>,
}

impl<'a> Library<'a> {
    fn new(
        scores: &'a MemberScores,
        (kind, scale): (VoteKind, &MemberScale),
        metric: &'a Metric<'a>,
    ) -> Self {
        let members = threads::map(scores.members(), |member| {
            let weeks = scores.weeks().iter();
            let weeks = weeks.map(|week| {
                let column = week.scores.column(member);
                let odds = column.iter().map(|score| scale.log_odds(member, *score));
                odds.map(|odds| Ballot::new(kind, odds)).collect()
            });
            weeks.collect()
        });
        Self {
            scores,
            metric,
            kind,
            members,
        }
    }

    /// The ballots of nobody.
    fn nothing(&self) -> Ballots {
        let weeks = self.scores.weeks().iter();
        weeks
            .map(|week| vec![Ballot::default(); week.rows.len()])
            .collect()
    }

    /// How good the ballots of `count` members are together with one more.
    fn merit_with(
        &self,
        sums: &Ballots,
        count: usize,
        member: usize,
    ) -> Result<f64, EnsembleError> {
        let own = &self.members[member];
        self.scores.merit(self.metric, |week, row| {
            let sum = sums[week][row].plus(own[week][row]);
            sum.result(self.kind, count + 1)
        })
    }

    fn add(&self, sums: &mut Ballots, member: usize) {
        let rows = sums.iter_mut().flatten();
        for (sum, own) in rows.zip(self.members[member].iter().flatten()) {
            *sum = sum.plus(*own);
        }
    }

    /// The members chosen in one bag, as often as they were.
    fn hill_climb(
        &self,
        bag: &[usize],
        alone: &[f64],
        params: &GreedyParams,
    ) -> Result<Vec<usize>, EnsembleError> {
        let (mut chosen, mut sums) = (Vec::new(), self.nothing());
        let (mut best, mut best_count) = (f64::NEG_INFINITY, 0);
        let mut sorted = bag.to_vec();
        sorted.sort_by(|one, two| alone[*two].total_cmp(&alone[*one]));
        for member in sorted.into_iter().take(params.sorted_start) {
            let merit = self.merit_with(&sums, chosen.len(), member)?;
            self.add(&mut sums, member);
            chosen.push(member);
            if merit > best {
                (best, best_count) = (merit, chosen.len());
            }
        }
        if best_count < chosen.len() {
            chosen.truncate(best_count);
            sums = self.nothing();
            for member in &chosen {
                self.add(&mut sums, *member);
            }
        }
        for _ in 0..params.rounds {
            let merits = threads::map(bag.len(), |place| {
                self.merit_with(&sums, chosen.len(), bag[place])
            });
            let mut next: Option<(usize, f64)> = None;
            for (member, merit) in bag.iter().zip(merits) {
                let merit = merit?;
                if next.is_none_or(|(_, best)| merit > best) {
                    next = Some((*member, merit));
                }
            }
            let Some((member, merit)) = next else {
                break;
            };
            self.add(&mut sums, member);
            chosen.push(member);
            if merit > best {
                (best, best_count) = (merit, chosen.len());
            }
        }
        chosen.truncate(best_count);
        Ok(chosen)
    }
}
