//! Summary and metrics as JSON.

use crate::error::ReportError;
use crate::meta::ReportMeta;
use dafu_core::evaluation::{
    BandReport, Evaluation, LearningMode, RankingReport, Scope, ThresholdKind, TopK,
};
use dafu_core::metrics::Confusion;
use dafu_core::{RiskBand, Timestamp};
use serde::Serialize;

/// A file name with a time in it that sorts by time and is valid on every system: `summary_20260203T101500Z.json`.
///
/// ```
/// let at = "2026-02-03T10:15:00.5Z".parse()?;
/// assert_eq!(dafu_report::stamped_name("summary", at, "json"), "summary_20260203T101500Z.json");
/// # Ok::<(), dafu_core::CoreError>(())
/// ```
pub fn stamped_name(stem: &str, at: Timestamp, extension: &str) -> String {
    let c = at.civil();
    format!(
        "{stem}_{:04}{:02}{:02}T{:02}{:02}{:02}Z.{extension}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

#[derive(Serialize)]
struct Full<'a> {
    meta: &'a ReportMeta,
    evaluation: &'a Evaluation,
}

#[derive(Serialize)]
struct Summary<'a> {
    meta: &'a ReportMeta,
    mode: LearningMode,
    scope: SummaryScope,
    rows: u64,
    labelled: u64,
    frauds: u64,
    amount: Option<f64>,
    currency: Option<&'a str>,
    chosen: Option<&'a str>,
    thresholds: Vec<SummaryThreshold<'a>>,
    ranking: Option<SummaryRanking<'a>>,
    bands: Vec<SummaryBand>,
}

#[derive(Serialize)]
struct SummaryScope {
    in_sample: bool,
    judged_from: Option<String>,
    judged_until: Option<String>,
    trained_from: Option<String>,
    trained_until: Option<String>,
    training_population: u64,
    training_rows: u64,
}

#[derive(Serialize)]
struct SummaryThreshold<'a> {
    name: &'a str,
    kind: ThresholdKind,
    risk: f64,
    alerts: u64,
    alert_share: f64,
    expected_alert_share: Option<f64>,
    amount_alerted: Option<f64>,
    fraud_amount_caught: Option<f64>,
    confusion: Option<Confusion>,
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
    mcc: Option<f64>,
    accuracy: Option<f64>,
    false_positive_rate: Option<f64>,
}

#[derive(Serialize)]
struct SummaryRanking<'a> {
    roc_auc: f64,
    average_precision: f64,
    prevalence: f64,
    kolmogorov_smirnov: f64,
    top: &'a [TopK],
    card_precision_at_100: Option<f64>,
    bins: Option<u64>,
}

#[derive(Serialize)]
struct SummaryBand {
    band: RiskBand,
    lower: f64,
    rows: u64,
    amount: Option<f64>,
    frauds: Option<u64>,
}

impl From<&Scope> for SummaryScope {
    fn from(scope: &Scope) -> Self {
        let text = |time: Timestamp| time.to_string();
        Self {
            in_sample: scope.in_sample,
            judged_from: scope.judged.map(|period| text(period.from)),
            judged_until: scope.judged.map(|period| text(period.until)),
            trained_from: scope.trained.map(|period| text(period.from)),
            trained_until: scope.trained.map(|period| text(period.until)),
            training_population: scope.training_population,
            training_rows: scope.training_rows,
        }
    }
}

impl<'a> From<&'a RankingReport> for SummaryRanking<'a> {
    fn from(ranking: &'a RankingReport) -> Self {
        Self {
            roc_auc: ranking.roc_auc,
            average_precision: ranking.average_precision,
            prevalence: ranking.prevalence,
            kolmogorov_smirnov: ranking.kolmogorov_smirnov,
            top: &ranking.top,
            card_precision_at_100: ranking.card_precision_at_100,
            bins: ranking.bins,
        }
    }
}

impl From<&BandReport> for SummaryBand {
    fn from(band: &BandReport) -> Self {
        Self {
            band: band.band,
            lower: band.lower,
            rows: band.rows,
            amount: band.amount,
            frauds: band.frauds,
        }
    }
}

fn thresholds(evaluation: &Evaluation) -> Vec<SummaryThreshold<'_>> {
    let summary = |report: &'_ dafu_core::evaluation::ThresholdReport| {
        let confusion = report.confusion;
        let metric = |of: fn(&Confusion) -> f64| confusion.as_ref().map(of);
        (
            metric(Confusion::precision),
            metric(Confusion::recall),
            metric(Confusion::f1),
            metric(Confusion::mcc),
            metric(Confusion::accuracy),
            metric(Confusion::false_positive_rate),
        )
    };
    evaluation
        .thresholds
        .iter()
        .map(|report| {
            let (precision, recall, f1, mcc, accuracy, false_positive_rate) = summary(report);
            SummaryThreshold {
                name: &report.name,
                kind: report.kind,
                risk: report.risk,
                alerts: report.alerts,
                alert_share: report.alert_share,
                expected_alert_share: report.expected_alert_share,
                amount_alerted: report.amount_alerted,
                fraud_amount_caught: report.fraud_amount_caught,
                confusion: report.confusion,
                precision,
                recall,
                f1,
                mcc,
                accuracy,
                false_positive_rate,
            }
        })
        .collect()
}

fn json(value: &impl Serialize, what: &'static str) -> Result<String, ReportError> {
    // serde_json writes numbers that JSON cannot hold (NaN, infinity) as null.
    let text = serde_json::to_string_pretty(value);
    let mut text = text.map_err(|source| ReportError::Json { what, source })?;
    text.push('\n');
    Ok(text)
}

/// What a person reads first, as JSON: scope, thresholds with their metrics, quality of the ranking, bands and the
/// metadata. Times are RFC 3339 text. Numbers that JSON cannot hold become `null`.
///
/// # Errors
///
/// [`ReportError::Json`].
pub fn summary_json(evaluation: &Evaluation, meta: &ReportMeta) -> Result<String, ReportError> {
    let summary = Summary {
        meta,
        mode: evaluation.mode,
        scope: SummaryScope::from(&evaluation.scope),
        rows: evaluation.rows,
        labelled: evaluation.labelled,
        frauds: evaluation.frauds,
        amount: evaluation.amount,
        currency: evaluation.currency.as_deref(),
        chosen: evaluation
            .chosen_threshold()
            .map(|threshold| threshold.name.as_str()),
        thresholds: thresholds(evaluation),
        ranking: evaluation.ranking.as_ref().map(SummaryRanking::from),
        bands: evaluation.bands.iter().map(SummaryBand::from).collect(),
    };
    json(&summary, "the summary")
}

/// Everything, as JSON: `{"meta": ..., "evaluation": ...}`, the evaluation in the layout of
/// [`Evaluation`]'s serde (times in microseconds since 1970), from which a program reads it back.
///
/// # Errors
///
/// [`ReportError::Json`].
pub fn metrics_json(evaluation: &Evaluation, meta: &ReportMeta) -> Result<String, ReportError> {
    json(&Full { meta, evaluation }, "the metrics")
}
