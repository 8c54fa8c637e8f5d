//! libtorch and plain Rust on the same weights: answers, gradients, steps and whole trainings.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::range_plus_one,
    clippy::unwrap_used,
    reason = "tests: small numbers"
)]
#![cfg(feature = "tch")]

mod networks;

use dafu_core::Timestamp;
use dafu_core::random::Stream;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::network::{
    AdamStep, Backend, Batch, Cell, Network, NetworkConfig, Objective, Task, Weights,
};
use dafu_sequence::objective::{ClassLoss, ClassObjective, InputLikelihood};
use dafu_sequence::torch::TorchBackend;
use dafu_sequence::training::Training;
use dafu_sequence::{SequenceError, SequenceParams};
use networks::{config, events, spans};

const TASKS: [Task; 4] = [
    Task::Classify { attention: false },
    Task::Classify { attention: true },
    Task::NextEvent,
    Task::Reconstruct,
];

fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().zip(right);
    pairs.fold(0.0, |most, (left, right)| most.max((left - right).abs()))
}

/// Where the machine has a GPU, also there.
fn backends() -> Vec<TorchBackend> {
    let gpu = TorchBackend::cuda(0).ok();
    std::iter::once(TorchBackend::cpu()).chain(gpu).collect()
}

/// Whether a network on a backend answers, learns and steps as the native one does. Errors may be so many times as large as
/// they usually are.
fn assert_same(
    backend: &TorchBackend,
    (config, weights): (&NetworkConfig, &Weights),
    batch: Batch<'_>,
    errors: f32,
) {
    let set = batch.set;
    let mut native = NativeBackend.network(config, weights).unwrap();
    let mut torch = backend.network(config, weights).unwrap();
    let count = set.scored().count() * config.outputs();
    let outputs = |network: &dyn Fn(&mut [f32])| {
        let mut out = vec![0.0; count];
        network(&mut out);
        out
    };
    let expected = outputs(&|out| native.outputs(set, out).unwrap());
    let got = outputs(&|out| torch.outputs(set, out).unwrap());
    let off = largest_difference(&got, &expected);
    assert!(off < 1e-5 * errors, "{off}, {config:?}");

    let class = ClassObjective {
        loss: ClassLoss::CrossEntropy { pos_weight: 2.0 },
    };
    let inputs = InputLikelihood::new(config);
    let objective: &dyn Objective = match config.task {
        Task::Classify { .. } => &class,
        _ => &inputs,
    };
    let wide = f64::from(errors);
    for step in 1..4 {
        let expected = native.gradient(batch, objective).unwrap();
        let got = torch.gradient(batch, objective).unwrap();
        assert_eq!(got.1, expected.1);
        let off = (got.0 - expected.0).abs() / expected.0.abs();
        assert!(off < 1e-5 * wide, "{off}, {config:?}");
        let got = torch.kept_gradient().unwrap();
        let expected = native.kept_gradient().unwrap();
        let largest = expected
            .iter()
            .fold(0.0_f32, |most, slope| most.max(slope.abs()));
        let off = largest_difference(&got, &expected) / largest;
        assert!(off < 1e-4 * errors, "{off}, {config:?}");
        let adam = AdamStep {
            step,
            learning_rate: 1e-2,
            weight_decay: 1e-2,
            clip_norm: 0.1,
        };
        let (got, expected) = (torch.update(adam).unwrap(), native.update(adam).unwrap());
        assert!((got - expected).abs() < 1e-4 * wide * expected);
        if errors > 1.0 {
            // Steps of `AdamW` are as long for small gradients as for large ones: errors of these would be all there is.
            return;
        }
    }
    let (got, expected) = (torch.weights().unwrap(), native.weights().unwrap());
    assert!(
        largest_difference(got.numbers(), expected.numbers()) < 1e-4,
        "{config:?}"
    );
}

#[test]
fn answers_gradients_and_steps_are_those_of_plain_rust() {
    let events = events(30);
    let spans = spans(&events);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let mut order: Vec<u32> = (0..spans.len() as u32).collect();
    order.sort_by_key(|at| std::cmp::Reverse(spans[*at as usize].len()));
    let batch = Batch {
        set,
        sequences: &order,
        noise: (0, 0),
    };
    for backend in backends() {
        for cell in [Cell::Lstm, Cell::Gru] {
            for (layers, task) in [1, 2]
                .into_iter()
                .flat_map(|layers| TASKS.map(|task| (layers, task)))
            {
                let config = config(cell, layers, 11, task);
                let weights = Weights::first(&config, 5).unwrap();
                assert_same(&backend, (&config, &weights), batch, 1.0);
            }
            // Exponents of attention that are held at either bound, and some that are free: those of the test of slopes.
            let config = config(cell, 1, 4, TASKS[1]);
            let weights = Weights::first(&config, 5).unwrap();
            let mut numbers = weights.numbers().to_vec();
            for parameter in weights.layout().parameters() {
                let factor = match parameter.name.as_str() {
                    "attention.query.weight" => 400.0,
                    "attention.projection.weight" => 4.0,
                    "attention.projection.bias" => 0.0,
                    _ => continue,
                };
                for number in &mut numbers[parameter.range.clone()] {
                    *number *= factor;
                }
            }
            let weights = Weights::new(&config, numbers).unwrap();
            assert_same(&backend, (&config, &weights), batch, 100.0);
        }
    }
}

#[test]
fn answers_about_histories_of_all_lengths_stand_where_they_belong() {
    let mut builder = Events::builder(3, &[4, 3]);
    let mut stream = Stream::new(7, 0, 0);
    for entity in 0..1_500 {
        let length = if entity == 700 {
            2_000
        } else {
            1 + entity % 13
        };
        for second in 0..length {
            let inputs = EventNumbers {
                numeric: &[(); 3].map(|()| stream.normal() as f32),
                codes: &[stream.below(4) as u32, stream.below(3) as u32],
            };
            let time = Timestamp::from_seconds(second).unwrap();
            builder.push(time, inputs, None).unwrap();
        }
        builder.end_entity();
    }
    let events = builder.build();
    let spans = events.segments(usize::MAX, 0);
    let set = SequenceSet::new(&events, &spans).unwrap();
    for task in [TASKS[0], TASKS[3]] {
        let config = config(Cell::Gru, 1, 11, task);
        let weights = Weights::first(&config, 5).unwrap();
        let outputs = |network: &dyn Network| {
            let mut out = vec![0.0; set.scored().count() * config.outputs()];
            network.outputs(set, &mut out).unwrap();
            out
        };
        let expected = outputs(&NativeBackend.network(&config, &weights).unwrap());
        for backend in backends() {
            let got = outputs(&backend.network(&config, &weights).unwrap());
            assert!(largest_difference(&got, &expected) < 1e-4, "{task:?}");
        }
    }
}

#[test]
fn a_model_trained_on_libtorch_is_one_like_any_other() {
    // Threads of small products wait for each other more than they work.
    tch::set_num_threads(1);
    let events = events(250);
    let spans = events.windows(6);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let training = Training::new(set).validation(set);
    for backend in backends() {
        for dropout in [0.0, 0.2] {
            let params = SequenceParams::default()
                .hidden_units(16)
                .batch_size(64)
                .epochs(12);
            let params = params.learning_rate(0.02).dropout(dropout).check().unwrap();
            let torch = params.fit_classifier(&backend, &training).unwrap();
            let native = params.fit_classifier(&NativeBackend, &training).unwrap();
            let precision = |model: &dafu_sequence::SequenceClassifier| {
                let report = model.report();
                report.epochs[report.best_epoch - 1].validation.unwrap()
            };
            let (torch, native) = (precision(&torch), precision(&native));
            assert!(
                torch > 0.9 && (torch - native).abs() < 0.05,
                "{torch} {native}"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_model_on_a_cpu() {
    let events = events(60);
    let spans = events.windows(6);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let params = SequenceParams::default()
        .hidden_units(8)
        .epochs(3)
        .seed(3)
        .check()
        .unwrap();
    let fit = || {
        let model = params
            .fit_classifier(&TorchBackend::cpu(), &Training::new(set))
            .unwrap();
        model.weights().numbers().to_vec()
    };
    assert_eq!(fit(), fit());
}

#[test]
fn trainings_side_by_side_draw_what_each_draws_alone() {
    let events = events(60);
    let spans = events.windows(6);
    let set = SequenceSet::new(&events, &spans).unwrap();
    let fit = |seed| {
        let params = SequenceParams::default().hidden_units(8).epochs(5);
        let params = params
            .dropout(0.5)
            .batch_size(32)
            .seed(seed)
            .check()
            .unwrap();
        let training = Training::new(set);
        let model = params
            .fit_classifier(&TorchBackend::cpu(), &training)
            .unwrap();
        model.weights().numbers().to_vec()
    };
    let fit = &fit;
    let alone: Vec<_> = (0..4).map(fit).collect();
    let beside: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || fit(seed))).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        results.collect()
    });
    for (alone, beside) in alone.iter().zip(&beside) {
        // But for the order of sums on other numbers of threads.
        assert!(largest_difference(alone, beside) < 1e-4);
    }
}

#[test]
fn a_gpu_that_is_not_there_is_an_error() {
    let error = TorchBackend::cuda(1000).unwrap_err();
    assert!(matches!(error, SequenceError::Backend { .. }));
    assert!(error.to_string().contains("GPU 1000 is not there"));
}
