//! Gathering scored rows into an [`Evaluation`], row by row, in bounded memory.

use super::{
    Axis, BandReport, CurvePoint, DayReport, Evaluation, LearningMode, Period, RankingReport,
    Scatter, ScatterPoint, Scope, ScoreHistogram, ThresholdKind, ThresholdReport, TopK,
};
use crate::metrics::{
    BinnedRanking, CardPrecisionParams, Confusion, CurvePoints, MetricsError, Ranking,
    card_precision_at_k,
};
use crate::{Bands, Label, RiskBand, Score, StableHasher, Timestamp};
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::Hasher;

/// Bins of the score histogram.
const HISTOGRAM_BINS: usize = 50;
/// Bins that replace single scores once there are too many of them.
const RANKING_BINS: usize = 1 << 20;
/// Points of a drawn curve.
const CURVE_POINTS: usize = 400;
/// Points of the scatter panel of each kind: ordinary rows, alerts, fraud.
const SCATTER_POINTS: usize = 800;
/// Days kept apart; 55 years.
const MAX_DAYS: usize = 20_000;

/// A threshold to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdSpec {
    /// Name for people.
    pub name: String,
    /// Where it comes from.
    pub kind: ThresholdKind,
    /// The risk from which on a row is an alert.
    pub risk: Score,
    /// Share of rows that training promised at or above it.
    pub expected_alert_share: Option<f64>,
}

/// What to gather.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationSpec {
    /// How the run learned.
    pub mode: LearningMode,
    /// Whether the judged rows were trained on, and what was trained on; `judged` is filled in here.
    pub scope: Scope,
    /// The thresholds; at least one.
    pub thresholds: Vec<ThresholdSpec>,
    /// Index of the threshold that decides; one past the end counts as the last.
    pub chosen: usize,
    /// Where the bands begin.
    pub bands: Bands,
    /// The two axes of the scatter panel.
    pub axes: Option<(Axis, Axis)>,
    /// Currency of all amounts.
    pub currency: Option<String>,
    /// Labelled rows whose scores are kept one by one. Above it, curves are computed from a million bins, and card
    /// precision is left out.
    pub exact_rows: usize,
}

/// One scored row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The risk score.
    pub risk: Score,
    /// What is known about the row.
    pub label: Label,
    /// The amount in major units.
    pub amount: Option<f64>,
    /// When.
    pub time: Option<Timestamp>,
    /// A number for the user: an index or a hash.
    pub user: Option<u64>,
    /// The values on the two axes.
    pub axes: Option<(f64, f64)>,
}

/// Scores and labels, kept exactly while they are few.
#[derive(Debug)]
enum Scores {
    Exact { labels: Vec<bool>, scores: Vec<f64> },
    Binned(BinnedRanking),
}

#[derive(Debug, Default, Clone)]
struct Tally {
    rows: u64,
    confusion: Confusion,
    amount: f64,
    fraud_amount: f64,
}

/// Gathers scored rows; see [`EvaluationBuilder::finish`].
///
/// # Complexity
///
/// O(1) a row. Memory: 9 bytes a labelled row (29 with times and users) up to [`EvaluationSpec::exact_rows`], and a
/// fixed 50 MB above it.
#[derive(Debug)]
pub struct EvaluationBuilder {
    spec: EvaluationSpec,
    rows: u64,
    labelled: u64,
    frauds: u64,
    amount: f64,
    amounts: u64,
    thresholds: Vec<Tally>,
    histogram: ScoreHistogram,
    scores: Scores,
    cards: Option<(Vec<i64>, Vec<u64>)>,
    bands: BTreeMap<RiskBand, Tally>,
    days: BTreeMap<i64, DayReport>,
    judged: Option<Period>,
    samples: [Sample; 3],
}

/// The points with the smallest hashes of their row number: a uniform sample that no order of rows can bend.
#[derive(Debug, Default)]
struct Sample(BinaryHeap<Drawn>);

#[derive(Debug)]
struct Drawn {
    key: u64,
    row: u64,
    point: ScatterPoint,
}

impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        (self.key, self.row) == (other.key, other.row)
    }
}
impl Eq for Drawn {}
impl PartialOrd for Drawn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Drawn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.key, self.row).cmp(&(other.key, other.row))
    }
}

impl Sample {
    fn offer(&mut self, row: u64, point: ScatterPoint) {
        let mut hasher = StableHasher::default();
        hasher.number(row);
        // FNV alone leaves the high bits of close numbers close; the multiplication spreads them.
        let key = (hasher.finish() ^ (hasher.finish() >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if self.0.len() < SCATTER_POINTS || self.0.peek().is_some_and(|top| key < top.key) {
            self.0.push(Drawn { key, row, point });
            if self.0.len() > SCATTER_POINTS {
                self.0.pop();
            }
        }
    }
}

impl EvaluationBuilder {
    /// An empty gathering.
    pub fn new(spec: EvaluationSpec) -> Self {
        let bins = || vec![0; HISTOGRAM_BINS];
        Self {
            rows: 0,
            labelled: 0,
            frauds: 0,
            amount: 0.0,
            amounts: 0,
            thresholds: vec![Tally::default(); spec.thresholds.len()],
            histogram: ScoreHistogram {
                legitimate: bins(),
                fraud: bins(),
                unlabelled: bins(),
            },
            scores: Scores::Exact {
                labels: Vec::new(),
                scores: Vec::new(),
            },
            cards: Some((Vec::new(), Vec::new())),
            bands: RiskBand::ALL.map(|band| (band, Tally::default())).into(),
            days: BTreeMap::new(),
            judged: None,
            samples: Default::default(),
            spec,
        }
    }

    /// The risk from which on a row is an alert.
    fn chosen_risk(&self) -> f64 {
        let last = self.spec.thresholds.len().saturating_sub(1);
        self.spec
            .thresholds
            .get(self.spec.chosen.min(last))
            .map_or(f64::INFINITY, |t| t.risk.get())
    }

    /// Adds one row.
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when sums leave the range of `f64`.
    pub fn push(&mut self, row: &Observation) -> Result<(), MetricsError> {
        let risk = row.risk.get();
        let fraud = row.label == Label::Fraud;
        let alert = risk >= self.chosen_risk();
        self.rows += 1;
        let amount = row.amount.filter(|amount| amount.is_finite());
        self.amounts += u64::from(amount.is_some());
        self.amount += amount.unwrap_or_default();
        let counts = match row.label {
            Label::Unknown => &mut self.histogram.unlabelled,
            Label::Legitimate => &mut self.histogram.legitimate,
            Label::Fraud => &mut self.histogram.fraud,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a score from 0 to 1 times the number of bins"
        )]
        let bin = ((risk * HISTOGRAM_BINS as f64) as usize).min(HISTOGRAM_BINS - 1);
        counts[bin] += 1;
        for (tally, spec) in self.thresholds.iter_mut().zip(&self.spec.thresholds) {
            tally.add(risk >= spec.risk.get(), row.label, amount);
        }
        if let Some(tally) = self.bands.get_mut(&self.spec.bands.band(row.risk)) {
            tally.add(true, row.label, amount);
        }
        if let Some(time) = row.time {
            self.count_day(time, alert, fraud);
        }
        if let Some(label) = row.label.known() {
            self.labelled += 1;
            self.frauds += u64::from(label);
            self.keep_score(row, label)?;
        }
        if let Some((x, y)) = row.axes.filter(|(x, y)| x.is_finite() && y.is_finite()) {
            let point = ScatterPoint {
                x,
                y,
                risk,
                label: row.label,
                alert,
            };
            let kind = if fraud { 2 } else { usize::from(alert) };
            self.samples[kind].offer(self.rows, point);
        }
        Ok(())
    }

    fn count_day(&mut self, time: Timestamp, alert: bool, fraud: bool) {
        let judged = self.judged.get_or_insert(Period {
            from: time,
            until: time,
        });
        judged.from = judged.from.min(time);
        judged.until = judged.until.max(time);
        let number = time.day();
        let full = self.days.len() >= MAX_DAYS && !self.days.contains_key(&number);
        let Ok(start) = Timestamp::from_seconds(number * 86_400) else {
            return;
        };
        if full {
            return;
        }
        let empty = DayReport {
            day: start,
            rows: 0,
            alerts: 0,
            frauds: 0,
            caught: 0,
        };
        let day = self.days.entry(number).or_insert(empty);
        day.rows += 1;
        day.alerts += u64::from(alert);
        day.frauds += u64::from(fraud);
        day.caught += u64::from(alert && fraud);
    }

    fn keep_score(&mut self, row: &Observation, label: bool) -> Result<(), MetricsError> {
        match (&mut self.cards, row.time, row.user) {
            (Some((days, users)), Some(time), Some(user)) => {
                days.push(time.day());
                users.push(user);
            }
            (cards, _, _) => *cards = None,
        }
        match &mut self.scores {
            Scores::Exact { labels, scores } => {
                labels.push(label);
                scores.push(row.risk.get());
                if scores.len() > self.spec.exact_rows {
                    let mut binned = BinnedRanking::new(RANKING_BINS)?;
                    binned.extend(labels, scores, None, None)?;
                    self.scores = Scores::Binned(binned);
                    self.cards = None;
                }
                Ok(())
            }
            Scores::Binned(binned) => binned.extend(&[label], &[row.risk.get()], None, None),
        }
    }

    /// The evaluation of all rows added.
    ///
    /// # Errors
    ///
    /// [`MetricsError`] when sums leave the range of `f64`. Labels of one class only are no error: then there is no
    /// ranking.
    ///
    /// # Complexity
    ///
    /// O(n log n) for n labelled rows while exact.
    pub fn finish(self) -> Result<Evaluation, MetricsError> {
        let ranking = self.ranking()?;
        let with_amounts = self.amounts > 0;
        let with_labels = self.labelled > 0;
        let share = |part: u64| {
            if self.rows == 0 {
                0.0
            } else {
                part as f64 / self.rows as f64
            }
        };
        let thresholds = self
            .thresholds
            .iter()
            .zip(&self.spec.thresholds)
            .map(|(tally, spec)| ThresholdReport {
                name: spec.name.clone(),
                kind: spec.kind,
                risk: spec.risk.get(),
                alerts: tally.rows,
                alert_share: share(tally.rows),
                expected_alert_share: spec.expected_alert_share,
                confusion: with_labels.then_some(tally.confusion),
                amount_alerted: with_amounts.then_some(tally.amount),
                fraud_amount_caught: (with_amounts && with_labels).then_some(tally.fraud_amount),
            })
            .collect::<Vec<_>>();
        let bands = self
            .bands
            .iter()
            .map(|(&band, tally)| BandReport {
                band,
                lower: self.spec.bands.lower(band),
                rows: tally.rows,
                amount: with_amounts.then_some(tally.amount),
                frauds: with_labels.then_some(self.frauds_in(tally)),
            })
            .collect();
        let points = self
            .samples
            .into_iter()
            .flat_map(|sample| sample.0.into_sorted_vec())
            .map(|drawn| drawn.point)
            .collect();
        Ok(Evaluation {
            mode: self.spec.mode,
            scope: Scope {
                judged: self.judged,
                ..self.spec.scope
            },
            rows: self.rows,
            labelled: self.labelled,
            frauds: self.frauds,
            amount: with_amounts.then_some(self.amount),
            currency: self.spec.currency,
            chosen: self.spec.chosen.min(thresholds.len().saturating_sub(1)),
            thresholds,
            histogram: self.histogram,
            ranking,
            bands,
            days: self.days.into_values().collect(),
            scatter: self.spec.axes.map(|(x, y)| Scatter { x, y, points }),
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unused_self,
        reason = "a whole number of rows, counted as f64 in the confusion"
    )]
    fn frauds_in(&self, tally: &Tally) -> u64 {
        tally.confusion.true_positives as u64
    }

    fn ranking(&self) -> Result<Option<RankingReport>, MetricsError> {
        if self.frauds == 0 || self.frauds == self.labelled {
            return Ok(None);
        }
        let (ranking, bins, card_precision_at_100) = match &self.scores {
            Scores::Exact { labels, scores } => {
                let cards = match &self.cards {
                    Some((days, users)) => Some(card_precision(days, users, labels, scores)?),
                    None => None,
                };
                (Ranking::new(labels, scores, None)?, None, cards)
            }
            Scores::Binned(binned) => (binned.to_ranking()?, Some(binned.bins() as u64), None),
        };
        let roc = ranking.roc_curve(CurvePoints::Corners)?;
        let precision_recall = ranking.precision_recall_curve(CurvePoints::Corners)?;
        let top = [10_u64, 100, 1_000, 10_000, 100_000]
            .into_iter()
            .filter(|&k| k <= self.labelled)
            .map(|k| {
                let confusion = ranking.top_k(k)?;
                let (precision, recall) = (confusion.precision(), confusion.recall());
                Ok(TopK {
                    k,
                    precision,
                    recall,
                    lift: precision / self.prevalence(),
                })
            })
            .collect::<Result<_, MetricsError>>()?;
        Ok(Some(RankingReport {
            roc_auc: ranking.roc_auc()?,
            average_precision: ranking.average_precision()?,
            prevalence: self.prevalence(),
            kolmogorov_smirnov: ranking.kolmogorov_smirnov()?.statistic,
            roc: thin(&roc.false_positive_rate, &roc.true_positive_rate),
            precision_recall: thin(&precision_recall.recall, &precision_recall.precision),
            top,
            card_precision_at_100,
            bins,
        }))
    }

    fn prevalence(&self) -> f64 {
        self.frauds as f64 / self.labelled as f64
    }
}

impl Tally {
    fn add(&mut self, alert: bool, label: Label, amount: Option<f64>) {
        let cell = match (label.known(), alert) {
            (None, _) => None,
            (Some(true), true) => Some(&mut self.confusion.true_positives),
            (Some(true), false) => Some(&mut self.confusion.false_negatives),
            (Some(false), true) => Some(&mut self.confusion.false_positives),
            (Some(false), false) => Some(&mut self.confusion.true_negatives),
        };
        if let Some(cell) = cell {
            *cell += 1.0;
        }
        if alert {
            self.rows += 1;
            self.amount += amount.unwrap_or_default();
            if label == Label::Fraud {
                self.fraud_amount += amount.unwrap_or_default();
            }
        }
    }
}

fn card_precision(
    days: &[i64],
    users: &[u64],
    labels: &[bool],
    scores: &[f64],
) -> Result<f64, MetricsError> {
    let mut numbers = BTreeMap::new();
    for &user in users {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        numbers.entry(user).or_insert(next);
    }
    let customers: Vec<u32> = users.iter().map(|user| numbers[user]).collect();
    let params = CardPrecisionParams::default();
    Ok(card_precision_at_k(days, &customers, labels, scores, &params)?.mean)
}

/// At most [`CURVE_POINTS`] points, spread evenly along the curve's length so that steep parts keep theirs.
fn thin(x: &[f64], y: &[f64]) -> Vec<CurvePoint> {
    let mut points: Vec<CurvePoint> = x
        .iter()
        .zip(y)
        .map(|(&x, &y)| CurvePoint { x, y })
        .collect();
    if points.len() <= CURVE_POINTS {
        return points;
    }
    let step = |a: &CurvePoint, b: &CurvePoint| (b.x - a.x).abs() + (b.y - a.y).abs();
    let length: f64 = points.windows(2).map(|pair| step(&pair[0], &pair[1])).sum();
    let spacing = length / (CURVE_POINTS - 2) as f64;
    let (last, mut walked) = (points.len() - 1, spacing);
    let mut before = points[0];
    let mut index = 0;
    points.retain(|point| {
        walked += step(&before, point);
        before = *point;
        let keep = walked >= spacing || index == last;
        index += 1;
        if keep {
            walked = 0.0;
        }
        keep
    });
    points
}
