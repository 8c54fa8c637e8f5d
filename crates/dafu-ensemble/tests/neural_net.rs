//! Neural nets: what they learn, when they stop, what they refuse.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal means the same bits"
)]

use dafu_core::metrics::roc_auc;
use dafu_core::random::Stream;
use dafu_ensemble::{
    Classifier, EnsembleError, Learner, LogisticRegressionParams, NeuralNet, NeuralNetParams,
    Samples, StoppingMetric,
};
use ndarray::{Array2, Axis, array};

/// Frauds have one of two values large and not both: no line separates them.
fn crossed(rows: usize, seed: u64) -> (Array2<f64>, Vec<bool>) {
    let mut stream = Stream::new(seed, 70, 0);
    let rows = Array2::from_shape_simple_fn((rows, 2), || stream.unit() * 100.0);
    let frauds = rows.rows().into_iter();
    let frauds = frauds
        .map(|row| (row[0] > 60.0) != (row[1] > 60.0))
        .collect();
    (rows, frauds)
}

fn auc(net: &dyn Classifier, rows: &Array2<f64>, frauds: &[bool]) -> f64 {
    let mut out = vec![0.0; frauds.len()];
    net.log_odds_rows(rows.view(), &mut out).unwrap();
    roc_auc(frauds, &out, None).unwrap()
}

#[test]
fn learns_what_no_line_separates() {
    let (rows, frauds) = crossed(2000, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = NeuralNetParams::default()
        .hidden_layers(vec![16, 8])
        .dropout(0.0)
        .learning_rate(0.01)
        .batch_size(64);
    let (other, labels) = crossed(500, 2);
    let net = params.learn(&samples).unwrap();
    assert!(auc(net.as_ref(), &other, &labels) > 0.98);
    let line = LogisticRegressionParams::default().learn(&samples).unwrap();
    assert!(auc(line.as_ref(), &other, &labels) < 0.8);
}

#[test]
fn without_hidden_layers_it_is_a_logistic_regression() {
    let mut stream = Stream::new(3, 71, 0);
    let rows = Array2::from_shape_simple_fn((400, 2), || stream.unit());
    let frauds = rows.rows().into_iter();
    let frauds: Vec<bool> = frauds.map(|row| row[0] + stream.unit() > 1.2).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let net = NeuralNetParams::default()
        .hidden_layers(vec![])
        .learning_rate(0.05)
        .batch_size(400)
        .epochs(600)
        .fit(&samples)
        .unwrap();
    let line = LogisticRegressionParams::default()
        .l2(0.0)
        .fit(&samples)
        .unwrap();
    for row in rows.rows() {
        let row = row.to_vec();
        let gap = net.log_odds_row(&row).unwrap() - line.log_odds_row(&row).unwrap();
        assert!(gap.abs() < 1e-3, "{gap}");
    }
}

#[test]
fn stops_after_the_best_epoch() {
    let (rows, mut frauds) = crossed(300, 1);
    // Labels that cannot be learned: every epoch more is only memory.
    let mut stream = Stream::new(9, 72, 0);
    for fraud in &mut frauds {
        *fraud ^= stream.unit() < 0.3;
    }
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let (other, labels) = crossed(300, 5);
    let validation = Samples::new(other.view(), &labels).unwrap();
    for metric in [StoppingMetric::AveragePrecision, StoppingMetric::LogLoss] {
        let params = NeuralNetParams::default()
            .hidden_layers(vec![64])
            .dropout(0.0)
            .learning_rate(0.05)
            .batch_size(32)
            .epochs(200)
            .stopping_metric(metric);
        let patient = params.clone().patience(7);
        let net = patient.fit_validated(&samples, &validation).unwrap();
        assert!(net.epochs() < 190, "{}", net.epochs());
        // The same net as after so many epochs, and not that of the last one.
        let short = params.clone().epochs(net.epochs()).fit(&samples).unwrap();
        assert_eq!(short, net);
    }
}

#[test]
fn threads_and_order_of_asking_do_not_change_the_bits() {
    let (rows, frauds) = crossed(500, 1);
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = NeuralNetParams::default().epochs(2).seed(3);
    let fit = || params.fit(&samples).unwrap();
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let net = pool(1).install(fit);
    assert_eq!(pool(3).install(fit), net);
    assert_ne!(params.clone().seed(4).fit(&samples).unwrap(), net);
    let mut out = vec![0.0; 500];
    net.log_odds_rows(rows.view(), &mut out).unwrap();
    let mut turned = vec![0.0; 500];
    let mut backwards = rows.clone();
    backwards.invert_axis(Axis(0));
    net.log_odds_rows(backwards.view(), &mut turned).unwrap();
    turned.reverse();
    assert_eq!(out, turned);
    for (row, out) in rows.rows().into_iter().zip(out) {
        assert_eq!(net.log_odds_row(&row.to_vec()).unwrap(), out);
    }
}

#[test]
fn rows_of_weight_zero_do_not_count() {
    let (rows, frauds) = crossed(200, 1);
    let weights: Vec<f64> = (0..200)
        .map(|row| if row < 150 { 2.0 } else { 0.0 })
        .collect();
    let all = Samples::new(rows.view(), &frauds)
        .unwrap()
        .with_weights(&weights)
        .unwrap();
    let (part, _) = rows.view().split_at(Axis(0), 150);
    let part = Samples::new(part, &frauds[..150]).unwrap();
    let params = NeuralNetParams::default().epochs(3);
    let (all, part) = (params.fit(&all).unwrap(), params.fit(&part).unwrap());
    for row in rows.rows() {
        let row = row.to_vec();
        let gap = all.log_odds_row(&row).unwrap() - part.log_odds_row(&row).unwrap();
        assert!(gap.abs() < 1e-5);
    }
}

#[test]
fn missing_values_say_something_by_themselves() {
    let (mut rows, _) = crossed(600, 1);
    for row in 0..600 {
        if row % 3 == 0 {
            rows[(row, 0)] = f64::NAN;
        }
    }
    let frauds: Vec<bool> = (0..600).map(|row| row % 3 == 0).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = NeuralNetParams::default().learning_rate(0.01);
    let net = params.learn(&samples).unwrap();
    assert!(auc(net.as_ref(), &rows, &frauds) > 0.999);
    let blind = params
        .missing_indicators(false)
        .epochs(1)
        .fit(&samples)
        .unwrap();
    let mut known: Vec<f64> = rows
        .column(0)
        .iter()
        .copied()
        .filter(|x| !x.is_nan())
        .collect();
    known.sort_by(f64::total_cmp);
    let median = f64::midpoint(known[199], known[200]);
    let answer = |value| blind.log_odds_row(&[value, 30.0]).unwrap();
    assert_eq!(answer(f64::NAN), answer(median));
    assert_ne!(answer(f64::NAN), answer(90.0));
}

#[test]
fn what_cannot_be_learned_is_an_error() {
    let params = NeuralNetParams::default();
    let rows = array![[1.0], [2.0]];
    let one = Samples::new(rows.view(), &[false, false]).unwrap();
    assert_eq!(
        params.fit(&one).unwrap_err(),
        EnsembleError::SingleClass { class: "honest" }
    );
    let two = Samples::new(rows.view(), &[true, false]).unwrap();
    for bad in [
        params.clone().dropout(1.0),
        params.clone().dropout(f64::NAN),
        params.clone().learning_rate(0.0),
        params.clone().weight_decay(-0.1),
        params.clone().scale_pos_weight(f64::INFINITY),
        params.clone().batch_size(0),
        params.clone().epochs(0),
        params.clone().patience(0),
        params.clone().hidden_layers(vec![3, 0]),
        params.clone().hidden_layers(vec![3; 17]),
        params.clone().hidden_layers(vec![60_000, 60_000]),
    ] {
        assert!(bad.fit(&two).is_err(), "{bad:?}");
    }
    let wide = array![[1.0, 2.0]];
    let wide = Samples::new(wide.view(), &[true]).unwrap();
    let error = params.fit_validated(&two, &wide).unwrap_err();
    assert_eq!(
        error,
        EnsembleError::WrongWidth {
            expected: 1,
            got: 2
        }
    );
    let error = params.fit_validated(&two, &one).unwrap_err();
    assert!(matches!(error, EnsembleError::Validation(_)));
    let net = params.fit(&two).unwrap();
    assert!(net.log_odds_row(&[1.0, 2.0]).is_err());
    assert!(net.log_odds_rows(rows.view(), &mut []).is_err());
}

#[test]
fn extreme_values_and_steps_give_finite_answers_or_an_error() {
    let rows = array![
        [1e300, 1.0],
        [-1e300, f64::INFINITY],
        [3.0, f64::NEG_INFINITY],
        [f64::NAN, 2e-300]
    ];
    let frauds = [true, false, false, true];
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    for rate in [1e-3, 1.0] {
        let params = NeuralNetParams::default().learning_rate(rate).epochs(200);
        match params.fit(&samples) {
            Ok(net) => {
                for value in [f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, 0.0, 5e-324] {
                    assert!(net.log_odds_row(&[value, value]).unwrap().is_finite());
                }
            }
            Err(error) => assert!(matches!(error, EnsembleError::Diverged { .. })),
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn saved_nets_come_back_and_damaged_ones_are_errors_or_sound() {
    let (mut rows, frauds) = crossed(50, 4);
    rows[(7, 0)] = f64::NAN;
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = NeuralNetParams::default()
        .hidden_layers(vec![3, 2])
        .epochs(2);
    let net = params.fit(&samples).unwrap();
    let bytes = net.to_bytes().unwrap();
    assert_eq!(NeuralNet::from_bytes(&bytes).unwrap(), net);
    assert_eq!(Classifier::to_bytes(&net).unwrap(), bytes);
    for damaged in dafu_testkit::damage::all(&bytes) {
        assert!(
            NeuralNet::from_bytes(&damaged.bytes).is_err(),
            "{}",
            damaged.damage
        );
    }
    for damaged in dafu_testkit::damage::payload_damage(&bytes) {
        if let Ok(net) = NeuralNet::from_bytes(&damaged.bytes) {
            let row = vec![1e300; net.width()];
            assert!(
                net.log_odds_row(&row).unwrap().is_finite(),
                "{}",
                damaged.damage
            );
        }
    }
}

fn sound<T: Send + Sync + std::fmt::Debug + Clone>() {}

#[test]
fn net_can_be_shared_between_threads() {
    sound::<NeuralNet>();
    sound::<NeuralNetParams>();
}
