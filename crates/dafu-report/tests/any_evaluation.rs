//! Whatever numbers an evaluation holds, NaN and infinity included, it is drawn.

use dafu_core::evaluation::{
    Axis, BandReport, CurvePoint, DayReport, Evaluation, LearningMode, Period, RankingReport,
    Scatter, ScatterPoint, Scope, ScoreHistogram, ThresholdKind, ThresholdReport, TopK,
};
use dafu_core::metrics::Confusion;
use dafu_core::{Label, RiskBand, Timestamp};
use dafu_report::{Figure, Panel, ReportMeta, metrics_json, render_html, render_svg, summary_json};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Small and ordinary first, then every number there is.
fn number() -> BoxedStrategy<f64> {
    prop_oneof![
        4 => 0.0..=1.0,
        2 => Just(0.0),
        1 => -1e6..1e6,
        2 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ]
    .boxed()
}

fn count() -> BoxedStrategy<u64> {
    prop_oneof![4 => 0..1_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)].boxed()
}

/// Names with signs that XML minds, letters beyond ASCII and control characters; without the letters of `NaN` and
/// `inf`, which the test looks for.
fn name() -> BoxedStrategy<String> {
    "[b-eo-z<>&\"' \u{e9}\u{4e2d}\u{1}\u{ffff}]{0,60}".boxed()
}

fn time() -> BoxedStrategy<Timestamp> {
    let all = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    prop_oneof![0..1_000_000_000_000_i64, all]
        .prop_map(|micros| Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH))
        .boxed()
}

fn period() -> BoxedStrategy<Period> {
    (time(), time())
        .prop_map(|(from, until)| Period { from, until })
        .boxed()
}

fn label() -> BoxedStrategy<Label> {
    prop_oneof![
        Just(Label::Unknown),
        Just(Label::Legitimate),
        Just(Label::Fraud)
    ]
    .boxed()
}

fn confusion() -> BoxedStrategy<Confusion> {
    (number(), number(), number(), number())
        .prop_map(|(tp, fp, tn, fneg)| Confusion {
            true_positives: tp,
            false_positives: fp,
            true_negatives: tn,
            false_negatives: fneg,
        })
        .boxed()
}

fn threshold() -> BoxedStrategy<ThresholdReport> {
    let kind = prop_oneof![
        number().prop_map(ThresholdKind::Contamination),
        number().prop_map(ThresholdKind::Risk),
        number().prop_map(ThresholdKind::BestFBeta),
        Just(ThresholdKind::LowestCost),
    ];
    (
        (name(), kind, number(), count(), number()),
        (
            option::of(number()),
            option::of(confusion()),
            option::of(number()),
        ),
        option::of(number()),
    )
        .prop_map(|(first, second, caught)| ThresholdReport {
            name: first.0,
            kind: first.1,
            risk: first.2,
            alerts: first.3,
            alert_share: first.4,
            expected_alert_share: second.0,
            confusion: second.1,
            amount_alerted: second.2,
            fraud_amount_caught: caught,
        })
        .boxed()
}

fn ranking() -> BoxedStrategy<RankingReport> {
    let points = || {
        vec(
            (number(), number()).prop_map(|(x, y)| CurvePoint { x, y }),
            0..20,
        )
    };
    let top =
        (count(), number(), number(), number()).prop_map(|(k, precision, recall, lift)| TopK {
            k,
            precision,
            recall,
            lift,
        });
    (
        (number(), number(), number(), number()),
        (points(), points(), vec(top, 0..8)),
        (option::of(number()), option::of(count())),
    )
        .prop_map(|(areas, lists, rest)| RankingReport {
            roc_auc: areas.0,
            average_precision: areas.1,
            prevalence: areas.2,
            kolmogorov_smirnov: areas.3,
            roc: lists.0,
            precision_recall: lists.1,
            top: lists.2,
            card_precision_at_100: rest.0,
            bins: rest.1,
        })
        .boxed()
}

fn band() -> BoxedStrategy<BandReport> {
    let band = proptest::sample::select(RiskBand::ALL.to_vec());
    (
        band,
        number(),
        count(),
        option::of(number()),
        option::of(count()),
    )
        .prop_map(|(band, lower, rows, amount, frauds)| BandReport {
            band,
            lower,
            rows,
            amount,
            frauds,
        })
        .boxed()
}

fn day() -> BoxedStrategy<DayReport> {
    (time(), count(), count(), count(), count())
        .prop_map(|(day, rows, alerts, frauds, caught)| DayReport {
            day,
            rows,
            alerts,
            frauds,
            caught,
        })
        .boxed()
}

fn scatter() -> BoxedStrategy<Scatter> {
    let axis = || {
        (name(), name(), number(), any::<bool>()).prop_map(
            |(name, unit, importance, logarithmic)| Axis {
                name,
                unit,
                importance,
                logarithmic,
            },
        )
    };
    let point = (number(), number(), number(), label(), any::<bool>()).prop_map(
        |(x, y, risk, label, alert)| ScatterPoint {
            x,
            y,
            risk,
            label,
            alert,
        },
    );
    (axis(), axis(), vec(point, 0..40))
        .prop_map(|(x, y, points)| Scatter { x, y, points })
        .boxed()
}

fn evaluation() -> BoxedStrategy<Evaluation> {
    let mode = prop_oneof![
        Just(LearningMode::Supervised),
        Just(LearningMode::Unsupervised)
    ];
    let scope = (
        any::<bool>(),
        option::of(period()),
        option::of(period()),
        count(),
        count(),
    )
        .prop_map(
            |(in_sample, judged, trained, training_population, training_rows)| Scope {
                in_sample,
                judged,
                trained,
                training_population,
                training_rows,
            },
        );
    let counts = || vec(count(), 0..300);
    let histogram =
        (counts(), counts(), counts()).prop_map(|(legitimate, fraud, unlabelled)| ScoreHistogram {
            legitimate,
            fraud,
            unlabelled,
        });
    (
        (mode, scope, count(), count(), count()),
        (
            option::of(number()),
            option::of(name()),
            vec(threshold(), 0..10),
            0..12_usize,
            histogram,
        ),
        (
            option::of(ranking()),
            vec(band(), 0..6),
            vec(day(), 0..10),
            option::of(scatter()),
        ),
    )
        .prop_map(|(first, second, third)| Evaluation {
            mode: first.0,
            scope: first.1,
            rows: first.2,
            labelled: first.3,
            frauds: first.4,
            amount: second.0,
            currency: second.1,
            thresholds: second.2,
            chosen: second.3,
            histogram: second.4,
            ranking: third.0,
            bands: third.1,
            days: third.2,
            scatter: third.3,
        })
        .boxed()
}

fn check(what: &str, xml: &str) -> Result<(), TestCaseError> {
    if let Err(error) = roxmltree::Document::parse(xml) {
        return Err(TestCaseError::fail(format!("{what}: {error}")));
    }
    // `infinity` as a number, not the letters inside a word.
    for odd in ["NaN", ">inf", "\"inf", " inf", "-inf"] {
        prop_assert!(!xml.contains(odd), "{} has {}", what, odd);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_evaluation_is_drawn(evaluation in evaluation()) {
        check("figure", &render_svg(&evaluation))?;
        for panel in Panel::ALL {
            check(panel.name(), &Figure::of_panel(&evaluation, panel).to_svg())?;
        }
        let html = render_html(&evaluation, &ReportMeta::new("any"));
        check("report", html.strip_prefix("<!DOCTYPE html>\n").unwrap_or_default())?;
        for json in [
            summary_json(&evaluation, &ReportMeta::default()),
            metrics_json(&evaluation, &ReportMeta::default()),
        ] {
            let json = json.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        }
    }
}

#[cfg(feature = "png")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_evaluation_becomes_pixels(evaluation in evaluation()) {
        prop_assert!(dafu_report::render_png(&evaluation, 0.5).is_ok());
    }
}
