//! Evaluations as runs make them, for the tests of this crate.
#![allow(
    dead_code,
    clippy::assigning_clones,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "helpers of several test files"
)]

use dafu_core::evaluation::{
    Axis, Evaluation, EvaluationBuilder, EvaluationSpec, LearningMode, Observation, Period, Scope,
    ThresholdKind, ThresholdSpec,
};
use dafu_core::{Bands, Label, Score, Timestamp};

/// Numbers from 0 to 1, the same on every machine (splitmix64).
#[derive(Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

pub(crate) fn axis(name: &str, unit: &str, importance: f64, logarithmic: bool) -> Axis {
    Axis {
        name: name.to_owned(),
        unit: unit.to_owned(),
        importance,
        logarithmic,
    }
}

pub(crate) fn contamination(share: f64, risk: f64) -> ThresholdSpec {
    ThresholdSpec {
        name: format!("contamination {} %", share * 100.0),
        kind: ThresholdKind::Contamination(share),
        risk: Score::new(risk).unwrap(),
        expected_alert_share: Some(share),
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn spec(mode: LearningMode, in_sample: bool) -> EvaluationSpec {
    EvaluationSpec {
        mode,
        scope: Scope {
            in_sample,
            judged: None,
            trained: Some(Period {
                from: time("2018-04-01T00:00:31Z"),
                until: time("2018-07-17T23:59:59Z"),
            }),
            training_population: 1_032_114,
            training_rows: 500_000,
        },
        thresholds: vec![
            contamination(0.01, 0.56),
            contamination(0.05, 0.5),
            contamination(0.1, 0.44),
        ],
        chosen: 0,
        bands: Bands::default(),
        axes: Some((
            axis("amount", "EUR", 0.31, true),
            axis("seconds_since_last_transaction", "s", 0.17, true),
        )),
        currency: Some("EUR".to_owned()),
        exact_rows: 1_000_000,
    }
}

/// A run over `rows` rows of which about `fraud` are fraud; `labelled` says whether labels are there.
pub(crate) fn run(spec: EvaluationSpec, rows: u32, fraud: f64, labelled: bool) -> Evaluation {
    let mut numbers = Numbers(7);
    let mut builder = EvaluationBuilder::new(spec);
    let start = time("2018-07-18T00:00:00Z");
    for row in 0..rows {
        let is_fraud = numbers.next() < fraud;
        let centre = if is_fraud { 0.56 } else { 0.33 };
        let risk =
            centre + 0.075 * numbers.normal() + if is_fraud { 0.1 * numbers.next() } else { 0.0 };
        let amount = (3.2 + 1.1 * numbers.normal() + if is_fraud { 1.6 } else { 0.0 }).exp();
        let gap = (8.0 + 1.8 * numbers.normal() - if is_fraud { 2.0 } else { 0.0 })
            .exp()
            .floor();
        let seconds = u64::from(row) * 28 * 86_400 / u64::from(rows.max(1));
        let label = match (labelled, is_fraud) {
            (false, _) => Label::Unknown,
            (true, is_fraud) => Label::from(is_fraud),
        };
        builder
            .push(&Observation {
                risk: Score::new(risk.clamp(0.0, 1.0)).unwrap(),
                label,
                amount: Some((amount * 100.0).round() / 100.0),
                time: Some(
                    start
                        .checked_add(std::time::Duration::from_secs(seconds))
                        .unwrap(),
                ),
                user: Some(u64::from(row) % 5_000),
                axes: Some((amount, gap)),
            })
            .unwrap();
    }
    builder.finish().unwrap()
}

pub(crate) fn supervised() -> Evaluation {
    let mut spec = spec(LearningMode::Supervised, false);
    spec.thresholds.push(ThresholdSpec {
        name: "best F1".to_owned(),
        kind: ThresholdKind::BestFBeta(1.0),
        risk: Score::new(0.585).unwrap(),
        expected_alert_share: None,
    });
    spec.chosen = 3;
    run(spec, 100_000, 0.008, true)
}

pub(crate) fn unsupervised() -> Evaluation {
    run(spec(LearningMode::Unsupervised, false), 60_000, 0.01, false)
}

/// Every odd case by name.
pub(crate) fn all() -> Vec<(&'static str, Evaluation)> {
    let mut cases = vec![
        ("supervised", supervised()),
        ("unsupervised", unsupervised()),
    ];
    cases.push((
        "in_sample",
        run(spec(LearningMode::Unsupervised, true), 20_000, 0.02, true),
    ));
    cases.push((
        "tiny",
        run(spec(LearningMode::Unsupervised, false), 5, 0.4, true),
    ));
    cases.push((
        "empty",
        run(spec(LearningMode::Unsupervised, false), 0, 0.4, true),
    ));

    let mut builder = EvaluationBuilder::new(spec(LearningMode::Unsupervised, false));
    for row in 0..1_000_u32 {
        let observation = Observation {
            risk: Score::new(0.5).unwrap(),
            label: Label::from(row % 50 == 0),
            amount: None,
            time: None,
            user: None,
            axes: Some((7.0, 7.0)),
        };
        builder.push(&observation).unwrap();
    }
    cases.push(("equal", builder.finish().unwrap()));

    let mut quiet = spec(LearningMode::Unsupervised, false);
    quiet.thresholds = vec![contamination(0.000_1, 1.0)];
    quiet.axes = None;
    cases.push(("no_alerts", run(quiet, 3_000, 0.01, true)));

    let mut huge = supervised();
    let factor = 1_000_000;
    huge.rows *= factor;
    huge.labelled *= factor;
    huge.frauds *= factor;
    for counts in [&mut huge.histogram.legitimate, &mut huge.histogram.fraud] {
        for count in counts.iter_mut() {
            *count *= factor;
        }
    }
    for threshold in &mut huge.thresholds {
        threshold.alerts *= factor;
        threshold.amount_alerted = Some(9.87e14);
        threshold.fraud_amount_caught = Some(1.5e14);
        if let Some(confusion) = &mut threshold.confusion {
            confusion.true_positives *= 1e6;
            confusion.false_positives *= 1e6;
            confusion.true_negatives *= 1e6;
            confusion.false_negatives *= 1e6;
        }
    }
    for band in &mut huge.bands {
        band.rows *= factor;
        band.amount = Some(1e15);
    }
    if let Some(scatter) = &mut huge.scatter {
        scatter.x.name = "share_of_declined_transactions_of_the_same_merchant_in_the_last_30_days_weighted_by_amount_and_recency".to_owned();
        scatter.y.name = scatter.x.name.clone();
        scatter.y.unit = "<script>alert(1)</script> & \"units\"".to_owned();
    }
    huge.thresholds[0].name =
        "<b>a very long name of a threshold & that nobody reads to the end</b>".to_owned();
    huge.chosen = 0;
    cases.push(("huge", huge));

    for (name, logarithmic) in [("extreme_log", true), ("extreme_linear", false)] {
        let mut extreme = run(spec(LearningMode::Unsupervised, false), 2_000, 0.05, true);
        if let Some(scatter) = &mut extreme.scatter {
            scatter.x.logarithmic = logarithmic;
            scatter.y.logarithmic = logarithmic;
            for (index, point) in scatter.points.iter_mut().enumerate() {
                let index = i32::try_from(index).unwrap();
                point.x = 10_f64.powi(index % 601 - 300);
                point.y = if index % 2 == 0 { 1e300 } else { -1e-300 };
            }
        }
        cases.push((name, extreme));
    }
    let mut days = unsupervised();
    days.scatter = None;
    cases.push(("days", days));
    let mut days = supervised();
    days.scatter = None;
    cases.push(("labelled_days", days));
    let mut low = unsupervised();
    for (threshold, risk) in low.thresholds.iter_mut().zip([0.05, 0.04, 0.02]) {
        threshold.risk = risk;
    }
    cases.push(("low_thresholds", low));
    cases
}
