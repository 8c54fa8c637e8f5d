//! Training: it learns, stops, is the same on any number of threads, and says what is wrong.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, EventsBuilder, SequenceSet};
use dafu_sequence::network::Cell;
use dafu_sequence::objective::ClassLoss;
use dafu_sequence::training::{EpochReport, Schedule, Training};
use dafu_sequence::{SequenceError, SequenceParams};
use std::cell::RefCell;

/// Fraud: a number that follows one of the other sign by two events.
fn events(entities: u64, seed: u64) -> Events {
    let mut stream = Stream::new(seed, 0, 0);
    let mut builder = Events::builder(1, &[]);
    for _ in 0..entities {
        let mut numbers = Vec::new();
        for event in 0..4 + stream.index_below(9) {
            numbers.push(stream.normal() as f32);
            let fraud = event >= 2 && numbers[event] > 0.5 && numbers[event - 2] < -0.5;
            let inputs = EventNumbers {
                numeric: &numbers[event..],
                codes: &[],
            };
            let time = Timestamp::from_seconds(event as i64).unwrap();
            builder.push(time, inputs, Some(fraud)).unwrap();
        }
        builder.end_entity();
    }
    builder.build()
}

fn params() -> SequenceParams {
    SequenceParams::default()
        .hidden_units(16)
        .batch_size(64)
        .learning_rate(0.01)
        .epochs(12)
}

#[test]
fn each_cell_schedule_and_loss_learns_what_two_events_tell_together() {
    let (train, test) = (events(300, 1), events(100, 2));
    let (spans, test_spans) = (train.segments(20, 0), test.segments(20, 0));
    let training = Training::new(SequenceSet::new(&train, &spans).unwrap());
    let held_out = SequenceSet::new(&test, &test_spans).unwrap();
    let focal = ClassLoss::Focal {
        gamma: 2.0,
        alpha: 0.5,
    };
    let plateau = Schedule::Plateau {
        factor: 0.5,
        patience: 2,
    };
    for params in [
        params(),
        params().cell(Cell::Gru),
        params().layers(2),
        params().attention(true),
        params().loss(focal),
        params().loss(ClassLoss::CrossEntropy { pos_weight: 4.0 }),
        params().schedule(Schedule::Constant),
        params().schedule(plateau),
    ] {
        let params = params.batch_size(8).epochs(20);
        let model = params.fit_classifier(&training).unwrap();
        let log_odds = model.log_odds(held_out).unwrap();
        let right = held_out.scored().zip(&log_odds);
        let right = right
            .filter(|(event, odds)| test.label(*event) == Some(**odds > 0.0))
            .count();
        // One of seventeen is fraud: saying never would be right for 94 %.
        assert!(
            right * 100 >= log_odds.len() * 97,
            "{right} of {}, {:?}",
            log_odds.len(),
            model.config()
        );
    }
}

#[cfg(feature = "parallel")]
#[test]
fn training_is_the_same_bits_on_any_number_of_threads() {
    let events = events(200, 3);
    let spans = events.windows(6);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let params = params().epochs(2).batch_size(256).dropout(0.3).layers(2);
            let model = params
                .fit_classifier(&Training::new(set).validation(set))
                .unwrap();
            let log_odds = model.log_odds(set).unwrap();
            (
                model.weights().numbers().to_vec(),
                model.report().clone(),
                log_odds,
            )
        })
    };
    let one = fit(1);
    assert_eq!(one, fit(2));
    assert_eq!(one, fit(5));
}

#[test]
fn another_seed_gives_another_model_and_the_same_seed_the_same() {
    let events = events(50, 3);
    let spans = events.windows(6);
    let training = Training::new(SequenceSet::new(&events, &spans).unwrap());
    let fit = |seed| {
        let model = params()
            .epochs(1)
            .seed(seed)
            .fit_classifier(&training)
            .unwrap();
        model.weights().numbers().to_vec()
    };
    assert_eq!(fit(1), fit(1));
    assert_ne!(fit(1), fit(2));
}

#[test]
fn stops_early_and_keeps_the_weights_of_the_best_epoch() {
    let (train, test) = (events(15, 5), events(60, 6));
    let (spans, test_spans) = (train.segments(20, 0), test.segments(20, 0));
    let validation = SequenceSet::new(&test, &test_spans).unwrap();
    let seen: RefCell<Vec<EpochReport>> = RefCell::default();
    let monitor = |report: &EpochReport| seen.borrow_mut().push(*report);
    let training = Training::new(SequenceSet::new(&train, &spans).unwrap())
        .validation(validation)
        .monitor(&monitor);
    let params = params().epochs(200).patience(3).learning_rate(0.05);
    let model = params.fit_classifier(&training).unwrap();
    let report = model.report();
    assert_eq!(*seen.borrow(), report.epochs);
    assert_eq!(report.epochs.len(), report.best_epoch + 3);
    let values: Vec<f64> = report
        .epochs
        .iter()
        .map(|epoch| epoch.validation.unwrap())
        .collect();
    let best = values.iter().copied().fold(0.0, f64::max);
    assert_eq!(
        values.iter().position(|value| *value >= best),
        Some(report.best_epoch - 1)
    );
    // The weights kept are those that reached it.
    let log_odds = model.log_odds(validation).unwrap();
    let scores: Vec<f64> = log_odds.into_iter().map(f64::from).collect();
    let frauds: Vec<bool> = validation
        .scored()
        .map(|event| test.label(event).unwrap())
        .collect();
    let precision = dafu_core::metrics::average_precision(&frauds, &scores, None).unwrap();
    assert!((precision - best).abs() < 1e-12);
}

#[test]
fn the_step_grows_first_and_falls_to_nothing() {
    let events = events(64, 7);
    let spans = events.segments(20, 0);
    let training = Training::new(SequenceSet::new(&events, &spans).unwrap());
    let params = params()
        .epochs(10)
        .batch_size(8)
        .warm_up(0.3)
        .learning_rate(0.02);
    let model = params.fit_classifier(&training).unwrap();
    let rates: Vec<f64> = model
        .report()
        .epochs
        .iter()
        .map(|epoch| epoch.learning_rate)
        .collect();
    assert!(rates[0] < rates[1] && rates[1] < rates[2]);
    assert!(rates[3..].windows(2).all(|pair| pair[0] > pair[1]));
    assert!(rates.iter().all(|rate| *rate <= 0.02) && rates[2] > 0.019 && rates[9] < 0.001);
}

#[test]
fn an_exploding_rate_is_an_error() {
    let events = events(50, 3);
    let spans = events.windows(6);
    let training = Training::new(SequenceSet::new(&events, &spans).unwrap());
    let params = params()
        .learning_rate(10.0)
        .clip_norm(f64::INFINITY)
        .weight_decay(10.0)
        .epochs(200);
    let result = params.fit_classifier(&training);
    assert!(
        matches!(result, Err(SequenceError::Diverged { .. })),
        "{result:?}"
    );
}

#[test]
fn a_validation_value_that_is_no_number_is_an_error() {
    let events = events(20, 3);
    let spans = events.windows(6);
    // A distance whose square is beyond 32 bits.
    let mut builder = Events::builder(1, &[]);
    let inputs = EventNumbers {
        numeric: &[1e30],
        codes: &[],
    };
    let time = Timestamp::from_seconds(0).unwrap();
    builder.push(time, inputs, None).unwrap();
    let far = builder.build();
    let far_spans = far.windows(6);
    let training = Training::new(SequenceSet::new(&events, &spans).unwrap())
        .validation(SequenceSet::new(&far, &far_spans).unwrap());
    let result = params().epochs(3).fit_next_event(&training);
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "training diverged in epoch 1: the value on the validation sequences is -inf; a smaller `learning_rate` or `clip_norm` \
         helps"
    );
}

#[test]
fn a_gradient_that_is_no_number_is_named_and_not_the_loss() {
    // Squares of distances that 32 bits hold, but not their sum.
    let mut builder = Events::builder(1, &[]);
    for second in 0..40 {
        let inputs = EventNumbers {
            numeric: &[1e19],
            codes: &[],
        };
        let time = Timestamp::from_seconds(second).unwrap();
        builder.push(time, inputs, None).unwrap();
    }
    let events = builder.build();
    let spans = events.segments(40, 0);
    let training = Training::new(SequenceSet::new(&events, &spans).unwrap());
    let error = params().fit_next_event(&training).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("training diverged in epoch 1: the length of the gradient is "),
        "{text}"
    );
}

#[test]
fn a_batch_without_a_label_changes_nothing() {
    let push = |builder: &mut EventsBuilder, label: Option<bool>| {
        for second in 0..4 {
            let inputs = EventNumbers {
                numeric: &[second as f32],
                codes: &[],
            };
            let time = Timestamp::from_seconds(second).unwrap();
            let label = label.map(|fraud| fraud == (second == 2));
            builder.push(time, inputs, label).unwrap();
        }
        builder.end_entity();
    };
    let fit = |unlabelled: usize| {
        let mut builder = Events::builder(1, &[]);
        push(&mut builder, Some(true));
        for _ in 0..unlabelled {
            push(&mut builder, None);
        }
        let events = builder.build();
        let spans = events.segments(4, 0);
        let params = params()
            .batch_size(1)
            .epochs(2)
            .dropout(0.0)
            .schedule(Schedule::Constant)
            .warm_up(0.0);
        let training = Training::new(SequenceSet::new(&events, &spans).unwrap());
        let model = params.fit_classifier(&training).unwrap();
        model.weights().numbers().to_vec()
    };
    assert_eq!(fit(0), fit(9));
}

#[test]
fn one_class_and_nothing_at_all_are_errors() {
    let mut builder = Events::builder(1, &[]);
    for second in 0..5 {
        let inputs = EventNumbers {
            numeric: &[1.0],
            codes: &[],
        };
        builder
            .push(
                Timestamp::from_seconds(second).unwrap(),
                inputs,
                Some(false),
            )
            .unwrap();
    }
    let events = builder.build();
    let spans = events.windows(3);
    let fit = |spans| {
        let training = Training::new(SequenceSet::new(&events, spans).unwrap());
        (
            params().fit_classifier(&training).err(),
            params().fit_next_event(&training).err(),
        )
    };
    let (class, next) = fit(&spans);
    assert!(matches!(
        class,
        Some(SequenceError::OneClass {
            purpose: "learn from",
            events: 5,
            fraud: false
        })
    ));
    assert_eq!(next, None);
    let (class, next) = fit(&[]);
    assert!(matches!(class, Some(SequenceError::Empty { .. })));
    assert!(matches!(next, Some(SequenceError::Empty { .. })));
}

#[test]
fn one_unit_and_sequences_of_one_event_work() {
    let events = events(30, 8);
    let spans = events.windows(1);
    let training = Training::new(SequenceSet::new(&events, &spans).unwrap());
    let params = params().hidden_units(1).epochs(2);
    for cell in [Cell::Lstm, Cell::Gru] {
        let params = params.clone().cell(cell);
        assert_eq!(
            params
                .fit_classifier(&training)
                .unwrap()
                .log_odds(training.train)
                .unwrap()
                .len(),
            events.len()
        );
        assert_eq!(
            params
                .fit_next_event(&training)
                .unwrap()
                .surprises(training.train)
                .unwrap()
                .len(),
            events.len()
        );
        assert_eq!(
            params
                .fit_autoencoder(&training)
                .unwrap()
                .surprises(training.train)
                .unwrap()
                .len(),
            events.len()
        );
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let wrong = [
        (params().hidden_units(0), "hidden_units"),
        (params().layers(17), "layers"),
        (params().dropout(1.0), "dropout"),
        (params().dropout(f64::NAN), "dropout"),
        (params().sequence_length(0), "sequence_length"),
        (params().embedding(Some(0)), "embedding"),
        (params().embedding(Some(4097)), "embedding"),
        (params().epochs(0), "epochs"),
        (params().batch_size(0), "batch_size"),
        (params().learning_rate(0.0), "learning_rate"),
        (params().learning_rate(f64::NAN), "learning_rate"),
        (params().clip_norm(0.0), "clip_norm"),
        (params().weight_decay(-1.0), "weight_decay"),
        (params().warm_up(1.0), "warm_up"),
        (params().patience(0), "patience"),
        (
            params().loss(ClassLoss::CrossEntropy { pos_weight: 0.0 }),
            "pos_weight",
        ),
        (
            params().loss(ClassLoss::Focal {
                gamma: -1.0,
                alpha: 0.5,
            }),
            "gamma",
        ),
        (
            params().loss(ClassLoss::Focal {
                gamma: 1.0,
                alpha: 1.0,
            }),
            "alpha",
        ),
        (
            params().schedule(Schedule::Plateau {
                factor: 1.0,
                patience: 1,
            }),
            "factor of the plateau",
        ),
        (
            params().schedule(Schedule::Plateau {
                factor: 0.5,
                patience: 0,
            }),
            "patience of the plateau",
        ),
    ];
    for (params, expected) in wrong {
        match params.check() {
            Err(SequenceError::Parameter { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_misspelt_parameter_is_an_error_wherever_it_stands() {
    let read = |text: &str| serde_json::from_str::<SequenceParams>(text);
    let good = r#"{"schedule": {"plateau": {"factor": 0.5, "patience": 2}}, "loss": {"focal": {"gamma": 2, "alpha": 0.5}}}"#;
    assert!(read(good).is_ok());
    for (field, wrong) in [
        ("\"patience\": 2", "\"patience\": 2, \"cooldown\": 1"),
        ("\"alpha\": 0.5", "\"alpha\": 0.5, \"beta\": 1"),
    ] {
        let text = good.replace(field, wrong);
        assert_ne!(text, good);
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
    let task = r#"{"classify": {"attention": true, "heads": 4}}"#;
    let task = serde_json::from_str::<dafu_sequence::network::Task>(task);
    assert!(task.unwrap_err().to_string().contains("unknown field"));
}
