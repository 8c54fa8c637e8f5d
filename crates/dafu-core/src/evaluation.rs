//! What came out of judging scored rows: everything that a report draws, as plain data.

mod builder;

pub use builder::{EvaluationBuilder, EvaluationSpec, Observation, ThresholdSpec};

use crate::metrics::Confusion;
use crate::{Label, RiskBand, Timestamp};

/// How a run learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LearningMode {
    /// Labels chose the threshold.
    Supervised,
    /// No label was read while learning; where there are labels, they only judge.
    Unsupervised,
}

/// A span of event time, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Period {
    /// First event.
    pub from: Timestamp,
    /// Last event.
    pub until: Timestamp,
}

/// What was judged, and how it relates to training.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Scope {
    /// Whether the judged rows were also trained on. Then every figure is optimistic, and a report says so.
    pub in_sample: bool,
    /// Time span of the judged rows, where they have times.
    pub judged: Option<Period>,
    /// Time span of the training rows, where they have times.
    pub trained: Option<Period>,
    /// Rows that training read.
    pub training_population: u64,
    /// Rows that the model was fitted on: fewer than the population where a sample was drawn.
    pub training_rows: u64,
}

/// Where a threshold comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ThresholdKind {
    /// The share of training rows that it flags.
    Contamination(f64),
    /// A risk score given by the user.
    Risk(f64),
    /// Chosen on labelled training rows for the best F-beta.
    BestFBeta(f64),
    /// Chosen on labelled training rows for the lowest cost.
    LowestCost,
    /// As many training rows a day reach it.
    AlertsPerDay(f64),
    /// Chosen on labelled training rows for the highest recall at this precision.
    PrecisionFloor(f64),
    /// Chosen on labelled training rows for the highest precision at this recall.
    RecallFloor(f64),
    /// Chosen on labelled training rows for the highest recall at this number of alerts among them.
    AlertBudget(u64),
}

/// What happens at one threshold.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ThresholdReport {
    /// Name for people: `contamination 1 %`, `risk 0.70`.
    pub name: String,
    /// Where it comes from.
    pub kind: ThresholdKind,
    /// The risk from which on a row is an alert (at or above).
    pub risk: f64,
    /// Rows at or above it.
    pub alerts: u64,
    /// Share of all judged rows at or above it.
    pub alert_share: f64,
    /// Share that training promised, where it did.
    pub expected_alert_share: Option<f64>,
    /// Counts against the labels, over labelled rows; `None` without labels.
    pub confusion: Option<Confusion>,
    /// Sum of amounts at or above it, in major units; `None` without amounts.
    pub amount_alerted: Option<f64>,
    /// Sum of fraud amounts at or above it; `None` without amounts or labels.
    pub fraud_amount_caught: Option<f64>,
}

/// Counts of scores in bins of equal width over 0 to 1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScoreHistogram {
    /// Rows labelled legitimate by bin.
    pub legitimate: Vec<u64>,
    /// Rows labelled fraud by bin.
    pub fraud: Vec<u64>,
    /// Rows without label by bin.
    pub unlabelled: Vec<u64>,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CurvePoint {
    /// Horizontal.
    pub x: f64,
    /// Vertical.
    pub y: f64,
}

/// Precision and recall among the highest scores.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TopK {
    /// Rows looked at.
    pub k: u64,
    /// Share of fraud among them.
    pub precision: f64,
    /// Share of all fraud that is among them.
    pub recall: f64,
    /// Precision over prevalence.
    pub lift: f64,
}

/// How well scores order fraud before the rest. Needs labels of both classes.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RankingReport {
    /// Area under the ROC curve.
    pub roc_auc: f64,
    /// Average precision.
    pub average_precision: f64,
    /// Share of fraud: the average precision of random scores.
    pub prevalence: f64,
    /// Largest distance between the score distributions of the classes.
    pub kolmogorov_smirnov: f64,
    /// ROC curve: false positive rate, true positive rate; thinned for drawing.
    pub roc: Vec<CurvePoint>,
    /// Precision-recall curve: recall, precision; thinned for drawing.
    pub precision_recall: Vec<CurvePoint>,
    /// Precision, recall and lift among the highest scores.
    pub top: Vec<TopK>,
    /// Card precision: per day the share of the 100 users with the highest score that have a fraud that day, mean
    /// over days; `None` without users or times.
    pub card_precision_at_100: Option<f64>,
    /// Score bins used, where there were too many rows to keep every score; `None` when exact.
    pub bins: Option<u64>,
}

/// One band of risk.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BandReport {
    /// The band.
    pub band: RiskBand,
    /// Lower limit of its risk.
    pub lower: f64,
    /// Rows in it.
    pub rows: u64,
    /// Sum of their amounts in major units; `None` without amounts.
    pub amount: Option<f64>,
    /// Fraud in it; `None` without labels.
    pub frauds: Option<u64>,
}

/// One day of the judged rows, at the chosen threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DayReport {
    /// Start of the day (UTC).
    pub day: Timestamp,
    /// Rows.
    pub rows: u64,
    /// Alerts.
    pub alerts: u64,
    /// Fraud.
    pub frauds: u64,
    /// Fraud among the alerts.
    pub caught: u64,
}

/// An axis of the scatter panel.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Axis {
    /// Name of the feature.
    pub name: String,
    /// Unit for people, empty for none.
    pub unit: String,
    /// How telling it is on training rows: share of all contributions to alerts, 0 to 1.
    pub importance: f64,
    /// Whether a logarithmic scale shows it better.
    pub logarithmic: bool,
}

/// A row in the scatter panel.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScatterPoint {
    /// Value on the horizontal axis.
    pub x: f64,
    /// Value on the vertical axis.
    pub y: f64,
    /// Risk of the row.
    pub risk: f64,
    /// Label of the row.
    pub label: Label,
    /// Whether it is an alert at the chosen threshold.
    pub alert: bool,
}

/// Rows over the two most telling features, which training chose.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Scatter {
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// A bounded sample: alerts and fraud are kept before ordinary rows.
    pub points: Vec<ScatterPoint>,
}

/// What came out of judging scored rows.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Evaluation {
    /// How the run learned.
    pub mode: LearningMode,
    /// What was judged.
    pub scope: Scope,
    /// Rows judged.
    pub rows: u64,
    /// Rows with a label.
    pub labelled: u64,
    /// Rows labelled fraud.
    pub frauds: u64,
    /// Sum of all amounts in major units; `None` without amounts.
    pub amount: Option<f64>,
    /// Currency of all amounts, where they have one and the same.
    pub currency: Option<String>,
    /// The thresholds, in the order in which they were asked for; never empty.
    pub thresholds: Vec<ThresholdReport>,
    /// Index of the threshold that decides.
    pub chosen: usize,
    /// Distribution of the risk score.
    pub histogram: ScoreHistogram,
    /// Quality of the order; `None` without labels of both classes.
    pub ranking: Option<RankingReport>,
    /// Rows by band.
    pub bands: Vec<BandReport>,
    /// Rows by day; empty without times.
    pub days: Vec<DayReport>,
    /// Rows over the two most telling features; `None` with fewer than two features.
    pub scatter: Option<Scatter>,
}

impl Evaluation {
    /// The threshold that decides.
    pub fn chosen_threshold(&self) -> Option<&ThresholdReport> {
        self.thresholds.get(self.chosen)
    }
}
