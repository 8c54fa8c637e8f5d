//! Files of the first version of each format must load for ever, and answer as they did.
#![cfg(all(feature = "linfa", feature = "serde"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::{Header, Limits};
use dafu_core::random::Stream;
use dafu_ensemble::combine::{
    Blend, BlendFolds, BlendParams, ClassifierRegistry, Combination, StackParams,
};
use dafu_ensemble::{
    BalancedBaggingParams, BoostedTreesParams, Classifier, DecisionTreeParams, Learner,
    LogisticRegressionParams, NeuralNetParams, RandomForestParams, Samples,
};
use ndarray::Array2;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    root.join(name)
}

fn rows() -> (Array2<f64>, Vec<bool>) {
    let mut stream = Stream::new(1, 99, 0);
    let rows = Array2::from_shape_simple_fn((60, 2), || {
        let value = (stream.unit() * 64.0).floor() / 4.0;
        if value > 15.0 { f64::NAN } else { value }
    });
    let frauds = rows.rows().into_iter().map(|row| row[0] + row[1] > 20.0);
    let frauds = frauds.collect();
    (rows, frauds)
}

/// As [`rows`], with a column of categories behind.
fn rows_with_categories() -> (Array2<f64>, Vec<bool>) {
    let (rows, _) = rows();
    let table = Array2::from_shape_fn((60, 3), |(row, column)| match column {
        2 => (rows[(row, 1)] / 2.0).floor(),
        _ => rows[(row, column)],
    });
    let frauds = table.rows().into_iter();
    let frauds = frauds.map(|row| [1.0, 4.0, 6.0].contains(&row[2]) || row[0] > 12.0);
    let frauds = frauds.collect();
    (table, frauds)
}

struct Golden {
    name: &'static str,
    learner: Box<dyn Learner>,
    categories: bool,
}

impl Golden {
    fn new(name: &'static str, learner: impl Learner + 'static) -> Self {
        let learner = Box::new(learner);
        let categories = false;
        Self {
            name,
            learner,
            categories,
        }
    }

    fn with_categories(self) -> Self {
        Self {
            categories: true,
            ..self
        }
    }

    fn rows(&self) -> (Array2<f64>, Vec<bool>) {
        if self.categories {
            rows_with_categories()
        } else {
            rows()
        }
    }

    fn log_odds(&self, model: &dyn Classifier) -> String {
        let (rows, _) = self.rows();
        let mut out = vec![0.0; rows.nrows()];
        model.log_odds_rows(rows.view(), &mut out).unwrap();
        let lines = out.iter().map(|odds| format!("{odds:?}\n"));
        lines.collect()
    }
}

fn all() -> Vec<Golden> {
    let line = LogisticRegressionParams::default;
    let trees = || {
        BoostedTreesParams::default()
            .n_estimators(4)
            .max_leaves(5)
            .min_leaf_rows(3)
            .category_l2(0.0)
            .category_smooth(0.0)
            .categorical([2])
    };
    let forest = RandomForestParams::default()
        .n_estimators(4)
        .max_depth(3)
        .categorical([2]);
    let blend = |combination| {
        let folds = BlendFolds::InOrder {
            folds: 2,
            test: 0.3,
            gap: 0.0,
        };
        BlendParams::new(combination, folds)
            .member("line", Box::new(line()))
            .member("trees", Box::new(trees().n_estimators(2)))
    };
    let ranks = Combination::Stack(StackParams::default().ranks(true));
    let bags = BalancedBaggingParams::new(trees().n_estimators(2)).bags(2);
    vec![
        Golden::new("logistic_regression-v1", line()),
        Golden::new(
            "neural_net-v1",
            NeuralNetParams::default().hidden_layers(vec![4, 3]),
        ),
        Golden::new("decision_tree-v1", DecisionTreeParams::default()),
        Golden::new(
            "balanced_bagging-v1",
            BalancedBaggingParams::new(line()).bags(2),
        ),
        Golden::new("boosted_trees-v1", trees()).with_categories(),
        Golden::new("random_forest-v1", forest).with_categories(),
        Golden::new("bags_of_trees-v1", bags).with_categories(),
        Golden::new("stacked_models-v1", blend(ranks)).with_categories(),
    ]
}

#[test]
fn golden_files_load_and_answer_as_before() {
    let registry = ClassifierRegistry::standard(Limits::default());
    for kept in all() {
        let name = kept.name;
        let bytes = std::fs::read(golden(&format!("{name}.dafu"))).unwrap();
        let expected = std::fs::read_to_string(golden(&format!("{name}.odds"))).unwrap();
        let model = registry.load(&bytes).unwrap();
        for (got, expected) in kept.log_odds(&*model).lines().zip(expected.lines()) {
            let (got, expected): (f64, f64) = (got.parse().unwrap(), expected.parse().unwrap());
            // Logarithms are those of the machine.
            assert!(
                (got - expected).abs() < 1e-12,
                "{name}: {got} instead of {expected}"
            );
        }
        assert_eq!(expected.lines().count(), 60);
        // The same layout is written today.
        assert_eq!(model.to_bytes().unwrap(), bytes, "{name}");
    }
}

/// A kind of model that is added gets a file, too.
#[test]
fn every_kind_has_a_golden_file() {
    let registry = ClassifierRegistry::standard(Limits::default());
    let files = std::fs::read_dir(golden("")).unwrap();
    let files: Vec<Vec<u8>> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    for kind in registry.kinds().chain([Blend::KIND]) {
        let of_kind = |file: &Vec<u8>| {
            Header::read(file, &Limits::default()).is_ok_and(|header| header.kind() == kind)
        };
        assert!(files.iter().any(of_kind), "{kind}");
    }
}

#[test]
#[ignore = "writes the golden files that are not there; only for a new kind or version of a format"]
fn write_golden_files() {
    for kept in all() {
        let name = kept.name;
        let file = golden(&format!("{name}.dafu"));
        if file.exists() {
            continue;
        }
        let (rows, frauds) = kept.rows();
        let samples = Samples::new(rows.view(), &frauds).unwrap();
        let model = kept.learner.learn(&samples).unwrap();
        std::fs::write(file, model.to_bytes().unwrap()).unwrap();
        let odds = kept.log_odds(&*model);
        std::fs::write(golden(&format!("{name}.odds")), odds).unwrap();
    }
}
