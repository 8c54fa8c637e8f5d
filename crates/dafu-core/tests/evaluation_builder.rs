//! The evaluation against counts made by hand and against its exact twin.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; counts are whole numbers"
)]

use dafu_core::evaluation::{
    Axis, EvaluationBuilder, EvaluationSpec, LearningMode, Observation, Scope, ThresholdKind,
    ThresholdSpec,
};
use dafu_core::{Bands, Evaluation, Label, Score, Timestamp};

fn spec(exact_rows: usize) -> EvaluationSpec {
    let threshold = |name: &str, risk| ThresholdSpec {
        name: name.to_owned(),
        kind: ThresholdKind::Risk(risk),
        risk: Score::new(risk).unwrap(),
        expected_alert_share: None,
    };
    let axis = |name: &str| Axis {
        name: name.to_owned(),
        unit: String::new(),
        importance: 0.5,
        logarithmic: false,
    };
    EvaluationSpec {
        mode: LearningMode::Unsupervised,
        scope: Scope {
            in_sample: false,
            judged: None,
            trained: None,
            training_population: 10,
            training_rows: 10,
        },
        thresholds: vec![threshold("half", 0.5), threshold("high", 0.9)],
        chosen: 0,
        bands: Bands::default(),
        axes: Some((axis("a"), axis("b"))),
        currency: None,
        exact_rows,
    }
}

fn observation(risk: f64, label: Label, day: i64) -> Observation {
    Observation {
        risk: Score::new(risk).unwrap(),
        label,
        amount: Some(10.0),
        time: Timestamp::from_seconds(day * 86_400 + 5).ok(),
        user: Some(risk.to_bits() % 50),
        axes: Some((risk, 1.0)),
    }
}

fn gather(exact_rows: usize, rows: &[Observation]) -> Evaluation {
    let mut builder = EvaluationBuilder::new(spec(exact_rows));
    for row in rows {
        builder.push(row).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn counts_what_a_hand_would_count() {
    let rows = [
        observation(0.95, Label::Fraud, 0),
        observation(0.55, Label::Legitimate, 0),
        observation(0.5, Label::Fraud, 1),
        observation(0.2, Label::Fraud, 1),
        observation(0.1, Label::Legitimate, 1),
        observation(0.7, Label::Unknown, 2),
    ];
    let evaluation = gather(100, &rows);
    assert_eq!(
        (evaluation.rows, evaluation.labelled, evaluation.frauds),
        (6, 5, 3)
    );
    let half = &evaluation.thresholds[0];
    let confusion = half.confusion.unwrap();
    assert_eq!(half.alerts, 4);
    assert_eq!(
        [
            confusion.true_positives,
            confusion.false_positives,
            confusion.false_negatives,
            confusion.true_negatives
        ],
        [2.0, 1.0, 1.0, 1.0]
    );
    assert_eq!(half.amount_alerted, Some(40.0));
    assert_eq!(half.fraud_amount_caught, Some(20.0));
    assert_eq!(evaluation.thresholds[1].alerts, 1);
    let days: Vec<_> = evaluation
        .days
        .iter()
        .map(|d| (d.rows, d.alerts, d.frauds, d.caught))
        .collect();
    assert_eq!(days, [(2, 2, 1, 1), (3, 1, 2, 1), (1, 1, 0, 0)]);
    let bands: Vec<_> = evaluation
        .bands
        .iter()
        .map(|b| (b.rows, b.frauds.unwrap()))
        .collect();
    assert_eq!(bands, [(2, 1), (2, 1), (1, 0), (1, 1)]);
    // Pairs in order: 0.95 beats both, 0.5 beats 0.1, 0.2 beats 0.1: 4 of 6.
    let ranking = evaluation.ranking.unwrap();
    assert!((ranking.roc_auc - 4.0 / 6.0).abs() < 1e-15);
    assert_eq!(evaluation.scatter.unwrap().points.len(), 6);
    assert_eq!(evaluation.histogram.fraud.iter().sum::<u64>(), 3);
    assert_eq!(
        evaluation.scope.judged.unwrap().from,
        Timestamp::from_seconds(5).unwrap()
    );
}

#[test]
fn bins_agree_with_exact_scores_and_bound_the_sample() {
    let rows: Vec<Observation> = (0..30_000_i64)
        .map(|i| {
            let risk = ((i * 7_919) % 30_011) as f64 / 30_011.0;
            let fraud = (i * 31) % 97 == 0 && risk > 0.3;
            observation(risk, fraud.into(), i / 1000)
        })
        .collect();
    let exact = gather(100_000, &rows);
    let binned = gather(1000, &rows);
    let (a, b) = (exact.ranking.unwrap(), binned.ranking.unwrap());
    assert!((a.roc_auc - b.roc_auc).abs() < 1e-6);
    assert!((a.average_precision - b.average_precision).abs() < 1e-4);
    assert!(a.card_precision_at_100.is_some() && b.card_precision_at_100.is_none());
    assert_eq!((a.bins, b.bins), (None, Some(1 << 20)));
    assert_eq!(exact.thresholds, binned.thresholds);
    assert!(a.roc.len() < 500 && a.precision_recall.len() < 900);
    let points = exact.scatter.unwrap().points;
    assert!(points.len() <= 2400);
    assert!(points.iter().any(|p| p.label == Label::Fraud) && points.iter().any(|p| !p.alert));
}

#[test]
fn without_labels_or_with_one_class_there_is_no_ranking() {
    let unlabelled = gather(10, &[observation(0.5, Label::Unknown, 0)]);
    assert!(unlabelled.ranking.is_none() && unlabelled.thresholds[0].confusion.is_none());
    let one_class = gather(10, &[observation(0.5, Label::Legitimate, 0)]);
    assert!(one_class.ranking.is_none() && one_class.thresholds[0].confusion.is_some());
    let empty = gather(10, &[]);
    assert_eq!(empty.rows, 0);
    assert!(empty.thresholds[0].alert_share.abs() < 1e-15);
}
