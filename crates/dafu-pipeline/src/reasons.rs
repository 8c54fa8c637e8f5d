//! From evidence to an assessment that an analyst understands.

use crate::PipelineError;
use crate::model::DetectorModel;
use dafu_core::{
    Assessment, Decision, EntityId, Evidence, FeatureGroup, FeatureSpec, FeatureType, Probability,
    Reason, ReasonValue, RiskBand, Score, TransactionId,
};
#[cfg(feature = "ensemble")]
use dafu_ensemble::CostPolicy;
use std::collections::BTreeMap;

/// Days as the feature `weekday` counts them.
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Reasons worded for one assessment.
const REASONS: usize = 3;
/// Groups that every assessment explains, also with 0.
const ALWAYS: [FeatureGroup; 3] = [
    FeatureGroup::Amount,
    FeatureGroup::UserBehavior,
    FeatureGroup::Merchant,
];

/// The answer for one row.
pub(crate) fn assessment(
    model: &DetectorModel,
    transaction_id: TransactionId,
    row: &[f64],
    amount: Option<f64>,
    (evidence, risk): (Vec<Evidence>, Score),
) -> Result<Assessment, PipelineError> {
    let is_fraud = risk >= model.threshold();
    let alert = cheaper_alert(model, risk, amount).unwrap_or(is_fraud);
    let band = model.bands().band(risk);
    let shares = feature_shares(model, &evidence);
    let mut explanations: BTreeMap<String, f64> =
        ALWAYS.map(|group| (group.risk_name(), 0.0)).into();
    let mut by_group: BTreeMap<FeatureGroup, f64> = BTreeMap::new();
    for (feature, share) in model.schema().features().iter().zip(&shares) {
        if *share > 0.0 {
            *by_group.entry(feature.group).or_default() += share * risk.get();
        }
    }
    explanations.extend(
        by_group
            .iter()
            .map(|(group, sum)| (group.risk_name(), *sum)),
    );
    let mut reasons: Vec<Reason> = evidence.iter().flat_map(|e| e.reasons.clone()).collect();
    let mut strongest: Vec<usize> = (0..shares.len()).filter(|&at| shares[at] > 0.0).collect();
    strongest.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
    for &column in strongest.iter().take(REASONS) {
        reasons.push(reason(
            model,
            column,
            row[column],
            shares[column] * risk.get(),
        )?);
    }
    reasons.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    let stages: Vec<&str> = evidence.iter().map(|found| found.stage.as_str()).collect();
    Ok(Assessment {
        transaction_id,
        risk_score: risk,
        is_fraud,
        model_used: stages.join("+"),
        processing_time_ms: None,
        confidence: confidence(model, risk, is_fraud)?,
        explanations,
        decision: decision(alert, band),
        band,
        reasons,
        rules: Vec::new(),
        missing: Vec::new(),
        evidence,
        model_hash: model.hash(),
        rule_set_hash: None,
        schema_hash: model.schema_hash(),
    })
}

/// How probable it is that `is_fraud` is right, where the risk was calibrated.
fn confidence(
    model: &DetectorModel,
    risk: Score,
    is_fraud: bool,
) -> Result<Option<Probability>, PipelineError> {
    let fraud = model.combination.probability(risk);
    let right = fraud.map(|fraud| {
        Probability::new(if is_fraud {
            fraud.get()
        } else {
            1.0 - fraud.get()
        })
    });
    Ok(right.transpose()?)
}

/// Whether an alert costs less than none by the probability of fraud; `None` without a policy, and where its costs go by an
/// amount that is not known.
#[cfg(feature = "ensemble")]
fn cheaper_alert(model: &DetectorModel, risk: Score, amount: Option<f64>) -> Option<bool> {
    let costs = model.policy?;
    let fraud = model.combination.probability(risk)?;
    let amount = amount.filter(|amount| amount.is_finite());
    let amount = amount.or((costs.missed_amount.abs() <= 0.0).then_some(0.0))?;
    Some(CostPolicy::new(costs).ok()?.alerts(fraud, amount))
}

/// Nothing is calibrated.
#[cfg(not(feature = "ensemble"))]
const fn cheaper_alert(_: &DetectorModel, _: Score, _: Option<f64>) -> Option<bool> {
    None
}

/// What a score may ask for: a look, at most a further proof. It never declines by itself.
fn decision(alert: bool, band: RiskBand) -> Decision {
    match (alert, band) {
        (false, _) => Decision::Approve,
        (true, RiskBand::Critical) => Decision::Challenge,
        (true, _) => Decision::Review,
    }
}

/// Each feature's share of the positive contributions, every stage that explains itself counting as in the combination; sums
/// to 1, or to 0 where no stage does.
fn feature_shares(model: &DetectorModel, evidence: &[Evidence]) -> Vec<f64> {
    let mut shares = vec![0.0; model.schema().width()];
    for (stage, found) in evidence.iter().enumerate() {
        let weight = model.combination.weight(stage);
        let positive = found.contributions.iter();
        let positive = positive.map(|c| weight * c.contribution.max(0.0));
        let total = positive.clone().sum::<f64>() / weight.max(f64::MIN_POSITIVE);
        if total > 0.0 {
            for (contribution, value) in found.contributions.iter().zip(positive) {
                if let Some(share) = shares.get_mut(contribution.feature.get()) {
                    *share += value / total;
                }
            }
        }
    }
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        for share in &mut shares {
            *share /= total;
        }
    }
    shares
}

fn reason(
    model: &DetectorModel,
    column: usize,
    value: f64,
    contribution: f64,
) -> Result<Reason, PipelineError> {
    let feature = &model.schema().features()[column];
    let median = model.facts.medians.get(column).copied().unwrap_or(f64::NAN);
    // A column name may be no id: too long, or with control characters in it.
    let code = EntityId::new(format!("unusual.{}", feature.name))
        .or_else(|_| EntityId::new(format!("unusual.feature_{column}")))?;
    let mut values = vec![("value".to_owned(), ReasonValue::Number(value))];
    if !median.is_nan() {
        values.push(("training_median".to_owned(), ReasonValue::Number(median)));
    }
    Ok(Reason {
        code,
        text: sentence(feature, value, median),
        values,
        group: feature.group,
        contribution,
    })
}

fn sentence(feature: &FeatureSpec, value: f64, median: f64) -> String {
    let name = feature.name.replace('_', " ");
    if value.is_nan() {
        return format!("{name} is missing");
    }
    if feature.feature_type == FeatureType::Flag {
        let yes = value > 0.5;
        return match name.split_once('=') {
            Some((column, level)) if yes => format!("{column} is {level}"),
            Some((column, level)) => format!("{column} is not {level}"),
            None => format!("{name}: {}", if yes { "yes" } else { "no" }),
        };
    }
    if let Some(column) = name.strip_suffix(" log frequency") {
        let percent = |ln: f64| short((ln.exp() * 1e4).round() / 100.0);
        return format!(
            "{column} has a value of {} % of the training rows (usual: of {} %)",
            percent(value),
            percent(median)
        );
    }
    if name == "weekday"
        && let Some(day) = WEEKDAYS
            .iter()
            .zip(0_u8..)
            .find(|(_, n)| (f64::from(*n) - value).abs() < 0.5)
    {
        return format!("the day is a {}", day.0);
    }
    let unit = feature.unit.symbol();
    let space = if unit.is_empty() { "" } else { " " };
    let shown = short(value);
    let usual = short(median);
    format!("{name} is {shown}{space}{unit} (training median {usual}{space}{unit})")
}

/// A number with four digits that matter.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e7 || (magnitude > 0.0 && magnitude < 1e-4) {
        return format!("{value:.3e}");
    }
    let decimals = if magnitude >= 1000.0 {
        0
    } else if magnitude >= 10.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{sentence, short};
    use dafu_core::{FeatureSpec, FeatureType, Unit};

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1.5, "1.5"),
            (842.1049, "842.1"),
            (123_456.7, "123457"),
            (1e9, "1.000e9"),
            (0.000_012, "1.200e-5"),
            (-3.25, "-3.25"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn sentences_say_what_is_unusual() {
        let km = FeatureSpec::real("home_merchant_distance").with_unit(Unit::Kilometre);
        assert_eq!(
            sentence(&km, 812.0, 5.25),
            "home merchant distance is 812 km (training median 5.25 km)"
        );
        let flag = FeatureSpec::real("category=travel").with_type(FeatureType::Flag);
        assert_eq!(sentence(&flag, 1.0, 0.0), "category is travel");
        assert_eq!(sentence(&flag, 0.0, 1.0), "category is not travel");
        let rare = FeatureSpec::real("category_log_frequency");
        assert_eq!(
            sentence(&rare, 0.0021_f64.ln(), 0.15_f64.ln()),
            "category has a value of 0.21 % of the training rows (usual: of 15 %)"
        );
        let weekday = FeatureSpec::real("weekday");
        assert_eq!(sentence(&weekday, 6.0, 2.0), "the day is a Sunday");
        let night = FeatureSpec::real("night").with_type(FeatureType::Flag);
        assert_eq!(sentence(&night, 1.0, 0.0), "night: yes");
        assert_eq!(
            sentence(&km, f64::NAN, 1.0),
            "home merchant distance is missing"
        );
    }
}
