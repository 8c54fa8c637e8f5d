//! Explanations of any model against scikit-learn, brute force, and what holds for every model.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

use dafu_core::Explain;
use dafu_core::random::Stream;
use dafu_ensemble::explain::{
    ColumnGroup, DependenceScale, PartialDependenceParams, PermutationParams, average_precision,
    group_reasons, roc_auc,
};
use dafu_ensemble::{
    Average, BalancedBaggingParams, BoostedTreesParams, Classifier, EnsembleError, Learner,
    LogisticRegressionParams, RandomForestParams, Samples,
};
use ndarray::{Array2, ArrayView1, ArrayView2};
use proptest::prelude::*;
use serde_json::Value;

/// A model that is one function of a row.
struct Formula {
    width: usize,
    of: fn(&[f64], &[f64]) -> f64,
    coefficients: Vec<f64>,
}

impl std::fmt::Debug for Formula {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Formula")
    }
}

impl Formula {
    fn answer(&self, row: ArrayView1<'_, f64>) -> f64 {
        (self.of)(&row.to_vec(), &self.coefficients)
    }

    fn linear(coefficients: &[f64]) -> Self {
        let of = |row: &[f64], coefficients: &[f64]| {
            let products = row.iter().zip(coefficients).map(|(value, by)| value * by);
            coefficients[row.len()] + products.sum::<f64>()
        };
        Self {
            width: coefficients.len() - 1,
            of,
            coefficients: coefficients.to_vec(),
        }
    }
}

impl Classifier for Formula {
    fn width(&self) -> usize {
        self.width
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        assert_eq!((rows.ncols(), rows.nrows()), (self.width, out.len()));
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = self.answer(row);
        }
        Ok(())
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn assert_all_near(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-12, "{got} {expected}");
    }
}

#[test]
fn partial_dependence_equals_scikit_learn() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/drift.json")).unwrap();
    let case = &fixture["dependence"];
    let rows: Vec<f64> = case["rows"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(numbers)
        .collect();
    let mut rows = Array2::from_shape_vec((40, 3), rows).unwrap();
    let mut coefficients = numbers(&case["coefficients"]);
    coefficients.push(case["intercept"].as_f64().unwrap());
    let model = Formula::linear(&coefficients);
    let probability = PartialDependenceParams::default().scale(DependenceScale::Probability);

    // What is asked about does not depend on the values that the grid is taken from, so these may be those of scikit-learn.
    let with_grid = |rows: &mut Array2<f64>, column: usize, grid: &Value| {
        for (row, value) in numbers(grid).iter().cycle().take(40).enumerate() {
            rows[[row, column]] = *value;
        }
    };
    with_grid(&mut rows, 0, &case["grids"][0]);
    let found = probability
        .clone()
        .individual(true)
        .of(&model, rows.view(), &[0])
        .unwrap();
    assert_eq!(found.grids[0], numbers(&case["grids"][0]));
    assert_all_near(&found.mean, &numbers(&case["one"]));
    let individual = found.individual.unwrap();
    assert_eq!(individual.len(), 40);
    for (got, expected) in individual
        .iter()
        .zip(case["individual"].as_array().unwrap())
    {
        assert_all_near(got, &numbers(expected));
    }
    let log_odds = PartialDependenceParams::default()
        .of(&model, rows.view(), &[0])
        .unwrap();
    assert_all_near(&log_odds.mean, &numbers(&case["log_odds"]));
    with_grid(&mut rows, 2, &case["grids"][1]);
    let both = probability.of(&model, rows.view(), &[0, 2]).unwrap();
    assert_all_near(&both.mean, &numbers(&case["both"]));
    assert_eq!(both.individual, None);
}

#[test]
fn a_sum_has_no_heterogeneity_and_a_product_has() {
    let rows = Array2::from_shape_fn((50, 2), |(row, column)| {
        ((row * 7 + column * 3) % 10) as f64
    });
    let params = PartialDependenceParams::default().grid(4);
    let sum = Formula::linear(&[0.5, -2.0, 1.0]);
    let found = params.of(&sum, rows.view(), &[0]).unwrap();
    assert!(found.heterogeneity.iter().all(|gap| *gap < 1e-12));
    let slope = (found.mean[3] - found.mean[0]) / (found.grids[0][3] - found.grids[0][0]);
    assert!((slope - 0.5).abs() < 1e-12);
    let product = Formula {
        width: 2,
        of: |row, _| (row[0] - 4.5) * (row[1] - 4.5),
        coefficients: Vec::new(),
    };
    let found = params.of(&product, rows.view(), &[0]).unwrap();
    // The mean says nothing; (v - 4.5) (x - 4.5) with a mean grid of 4.5 spreads by the deviation of x.
    for (at, (mean, gap)) in found.grids[0]
        .iter()
        .zip(found.mean.iter().zip(&found.heterogeneity))
    {
        assert!(mean.abs() < 1e-12);
        let middle = found.grids[0].iter().sum::<f64>() / 4.0;
        assert!((gap - (at - middle).abs() * 8.25_f64.sqrt()).abs() < 1e-12);
    }
}

#[test]
fn grids_are_values_of_the_column_and_what_is_missing() {
    let model = Formula {
        width: 2,
        of: |row, _| if row[0].is_nan() { 9.0 } else { row[0] },
        coefficients: Vec::new(),
    };
    let rows = Array2::from_shape_fn((101, 2), |(row, column)| match (row, column) {
        (7, 0) => f64::NAN,
        (8, 0) => f64::INFINITY,
        (_, 0) => row as f64,
        (_, _) => (row % 3) as f64,
    });
    let params = PartialDependenceParams::default().grid(5);
    let found = params.of(&model, rows.view(), &[1]).unwrap();
    assert_eq!(found.grids[0], [0.0, 1.0, 2.0]);
    let found = params.of(&model, rows.view(), &[1, 0]).unwrap();
    assert_eq!(found.grids[1].len(), 6);
    assert_eq!(found.grids[1][0], 0.0);
    assert_eq!(found.grids[1][4], f64::INFINITY);
    assert!(found.grids[1][5].is_nan());
    assert_eq!(
        (found.mean.len(), found.mean[5], found.mean[11]),
        (18, 9.0, 9.0)
    );
    let common = Array2::from_shape_fn((100, 2), |(row, _)| row.saturating_sub(90) as f64);
    let found = params.of(&model, common.view(), &[0]).unwrap();
    assert_eq!(found.grids[0], [0.0, 9.0]);
    let missing = Array2::from_elem((3, 2), f64::NAN);
    assert!(params.of(&model, missing.view(), &[0]).unwrap().grids[0][0].is_nan());
    let few = params.max_rows(10).of(&model, rows.view(), &[0]).unwrap();
    assert_eq!(few.rows, [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]);
}

fn numbered(rows: usize, width: usize, seed: u64) -> Array2<f64> {
    let mut stream = Stream::new(seed, 0, 0);
    Array2::from_shape_fn((rows, width), |_| stream.unit())
}

#[test]
fn importance_is_the_mean_over_all_permutations() {
    let rows = numbered(6, 2, 1);
    let model = Formula::linear(&[1.0, 0.7, 0.0]);
    let frauds = [true, false, true, false, false, true];
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let area = |order: &[usize]| {
        let of = |row: usize| rows[[order[row], 0]] + 0.7 * rows[[row, 1]];
        let scores: Vec<f64> = (0..6).map(of).collect();
        dafu_core::metrics::roc_auc(&frauds, &scores, None).unwrap()
    };
    let mut all = vec![Vec::new()];
    for _ in 0..6 {
        let longer = |order: &Vec<usize>| -> Vec<Vec<usize>> {
            let left = (0..6).filter(|row| !order.contains(row));
            left.map(|row| [&order[..], &[row]].concat()).collect()
        };
        all = all.iter().flat_map(longer).collect();
    }
    assert_eq!(all.len(), 720);
    let mean = all.iter().map(|order| area(order)).sum::<f64>() / 720.0;
    let whole = area(&[0, 1, 2, 3, 4, 5]);
    let params = PermutationParams::new(ColumnGroup::singles(["a", "b"])).repeats(4000);
    let found = params.importance(&model, &samples, None, &roc_auc).unwrap();
    assert_eq!(found.metric, whole);
    let first = &found.groups[0];
    let gap = first.mean - (whole - mean);
    assert!(
        gap.abs() < 4.0 * first.standard_error,
        "{gap} {}",
        first.standard_error
    );
    assert!(first.standard_error < 0.01 && first.losses.len() == 4000);
}

#[test]
fn columns_that_are_not_used_have_no_importance() {
    let rows = numbered(300, 3, 2);
    let frauds: Vec<bool> = rows.column(0).iter().map(|value| *value > 0.8).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = Formula::linear(&[5.0, 0.0, 0.1, 0.0]);
    let params = PermutationParams::new(ColumnGroup::singles(["used", "unused", "noise"]));
    let found = params
        .importance(&model, &samples, None, &average_precision)
        .unwrap();
    assert!(found.groups[0].mean > 0.5);
    assert_eq!(
        (found.groups[1].mean, found.groups[1].standard_error),
        (0.0, 0.0)
    );
    assert!(found.groups[2].mean.abs() < 0.05);
    let names: Vec<&str> = found
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(names, ["used", "unused", "noise"]);
}

#[test]
fn drift_does_not_pass_for_importance_within_blocks() {
    // Column 0 knows only the day, and later days have more frauds; column 1 knows the fraud.
    let mut stream = Stream::new(3, 0, 0);
    let days: Vec<i64> = (0..4000).map(|row| row / 200).collect();
    let frauds: Vec<bool> = days
        .iter()
        .map(|day| stream.unit() < 0.02 * *day as f64)
        .collect();
    let rows = Array2::from_shape_fn((4000, 2), |(row, column)| match column {
        0 => days[row] as f64 + stream.unit(),
        _ => f64::from(u8::from(frauds[row])) + 2.0 * stream.unit(),
    });
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = Formula::linear(&[0.2, 1.0, 0.0]);
    let params = PermutationParams::new(ColumnGroup::singles(["day", "known"])).repeats(4);
    let of = |blocks: Option<&[i64]>| {
        let found = params
            .importance(&model, &samples, blocks, &roc_auc)
            .unwrap();
        [found.groups[0].mean, found.groups[1].mean]
    };
    let [day, known] = of(None);
    assert!(day > 0.05 && known > 0.05, "{day} {known}");
    let [day, known] = of(Some(&days));
    assert!(day.abs() < 0.005 && known > 0.05, "{day} {known}");
    // A block a row leaves nothing to permute.
    let rows: Vec<i64> = (0..4000).collect();
    assert_eq!(of(Some(&rows)), [0.0, 0.0]);
}

#[test]
fn columns_that_say_the_same_are_found_as_a_group() {
    let one = numbered(500, 1, 4);
    let rows = Array2::from_shape_fn((500, 2), |(row, _)| one[[row, 0]]);
    let frauds: Vec<bool> = one.column(0).iter().map(|value| *value > 0.9).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    // Either of them is enough.
    let model = Formula {
        width: 2,
        of: |row, _| row[0].max(row[1]),
        coefficients: Vec::new(),
    };
    let mut groups = ColumnGroup::singles(["one", "two"]);
    groups.push(ColumnGroup::new("both", [0, 1]));
    let params = PermutationParams::new(groups);
    let found = params.importance(&model, &samples, None, &roc_auc).unwrap();
    assert!(found.groups[2].mean > 0.4);
    assert!(found.groups[0].mean < 0.1 && found.groups[1].mean < 0.1);
}

#[test]
fn threads_do_not_matter_and_many_rows_are_answered_in_parts() {
    let rows = numbered(9000, 2, 5);
    let frauds: Vec<bool> = rows.column(1).iter().map(|value| *value > 0.9).collect();
    let weights: Vec<f64> = rows.column(0).to_vec();
    let samples = Samples::new(rows.view(), &frauds)
        .unwrap()
        .with_weights(&weights)
        .unwrap();
    let model = Formula::linear(&[0.5, 1.0, 0.0]);
    let of = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let params = PermutationParams::new(ColumnGroup::singles(["a", "b"]))
            .repeats(3)
            .seed(seed);
        let dependence = PartialDependenceParams::default()
            .max_rows(6000)
            .individual(true);
        pool.install(|| {
            (
                params.importance(&model, &samples, None, &roc_auc).unwrap(),
                dependence.of(&model, rows.view(), &[1]).unwrap(),
            )
        })
    };
    let (importances, dependence) = of(1, 1);
    assert_eq!((importances.clone(), dependence.clone()), of(4, 1));
    assert_ne!(importances, of(1, 2).0);
    let scores: Vec<f64> = rows
        .rows()
        .into_iter()
        .map(|row| model.answer(row))
        .collect();
    let whole = dafu_core::metrics::roc_auc(&frauds, &scores, Some(&weights)).unwrap();
    assert_eq!(importances.metric, whole);
    assert_eq!(dependence.individual.unwrap().len(), 4500);
}

#[test]
fn what_does_not_fit_is_named() {
    let rows = numbered(4, 2, 6);
    let frauds = [true, false, true, false];
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let model = Formula::linear(&[1.0, 1.0, 0.0]);
    let of = |groups: Vec<ColumnGroup>, repeats: usize, blocks: Option<&[i64]>| {
        let params = PermutationParams::new(groups).repeats(repeats);
        params.importance(&model, &samples, blocks, &roc_auc)
    };
    let missing = Err(EnsembleError::NoSuchColumn {
        name: "groups",
        column: 2,
        width: 2,
    });
    assert_eq!(of(vec![ColumnGroup::new("c", [0, 2])], 1, None), missing);
    assert!(of(vec![ColumnGroup::new("empty", [])], 1, None).is_err());
    assert!(of(ColumnGroup::singles(["a"]), 0, None).is_err());
    assert!(of(ColumnGroup::singles(["a"]), 1, Some(&[1])).is_err());
    assert!(of(Vec::new(), 1, None).unwrap().groups.is_empty());
    let once = of(ColumnGroup::singles(["a"]), 1, None).unwrap();
    assert_eq!(once.groups[0].standard_error, f64::INFINITY);
    let narrow = Formula::linear(&[1.0, 0.0]);
    let params = PermutationParams::new(ColumnGroup::singles(["a"]));
    assert_eq!(
        params.importance(&narrow, &samples, None, &roc_auc),
        Err(EnsembleError::WrongWidth {
            expected: 1,
            got: 2
        })
    );
    let honest = Samples::new(rows.view(), &[false; 4]).unwrap();
    assert!(matches!(
        params.importance(&model, &honest, None, &roc_auc),
        Err(EnsembleError::Metrics(_))
    ));
    let empty = Array2::<f64>::zeros((0, 2));
    let none = Samples::new(empty.view(), &[]).unwrap();
    assert_eq!(
        params.importance(&model, &none, None, &roc_auc),
        Err(EnsembleError::NoRows)
    );

    let params = PartialDependenceParams::default();
    let of = |params: &PartialDependenceParams, columns: &[usize]| {
        params.of(&model, rows.view(), columns).unwrap_err()
    };
    assert_eq!(
        of(&params, &[5]),
        EnsembleError::NoSuchColumn {
            name: "columns",
            column: 5,
            width: 2
        }
    );
    for columns in [&[][..], &[0, 0], &[0, 1, 0]] {
        assert!(matches!(
            of(&params, columns),
            EnsembleError::CountOutOfRange { .. }
        ));
    }
    assert!(params.grid(1).of(&model, rows.view(), &[0]).is_err());
    let params = PartialDependenceParams::default();
    assert_eq!(
        params.of(&model, empty.view(), &[0]),
        Err(EnsembleError::NoRows)
    );
    assert!(params.of(&narrow, rows.view(), &[0]).is_err());
    let many = numbered(10_000, 2, 7);
    let params = params.grid(10_000).max_rows(10_000);
    let error = params.of(&model, many.view(), &[0, 1]);
    assert!(matches!(error, Err(EnsembleError::TooMany { .. })));
}

proptest! {
    #[test]
    fn reasons_share_what_speaks_for_fraud(
        columns in prop::collection::vec((-3..4_i32, 0..4_usize, 0..9_i32), 0..12),
    ) {
        let contributions: Vec<f64> = columns.iter().map(|row| f64::from(row.0)).collect();
        let groups: Vec<usize> = columns.iter().map(|row| row.1).collect();
        let values: Vec<f64> = columns.iter().map(|row| f64::from(row.2)).collect();
        let reasons = group_reasons(&contributions, &groups, &values).unwrap();
        let total: i32 = columns.iter().map(|row| row.0.max(0)).sum();
        let of = |group: usize| columns.iter().filter(move |row| row.1 == group);
        let supported = (0..4).filter(|group| of(*group).any(|row| row.0 > 0)).count();
        prop_assert_eq!(reasons.len(), supported);
        for reason in &reasons {
            let support: i32 = of(reason.group).map(|row| row.0.max(0)).sum();
            prop_assert!((reason.share - f64::from(support) / f64::from(total)).abs() < 1e-12);
            let sum: i32 = of(reason.group).map(|row| row.0).sum();
            prop_assert_eq!(reason.contribution, f64::from(sum));
            let most = of(reason.group).map(|row| row.0).max().unwrap();
            prop_assert_eq!(columns[reason.column].1, reason.group);
            prop_assert_eq!(columns[reason.column].0, most);
            prop_assert!(!columns[..reason.column].iter().any(|row| row.0 == most && row.1 == reason.group));
            prop_assert_eq!(reason.value, values[reason.column]);
        }
        prop_assert!(reasons.windows(2).all(|pair| pair[0].share >= pair[1].share));
    }
}

#[test]
fn reasons_need_slices_that_fit() {
    assert!(group_reasons(&[1.0], &["a", "b"], &[1.0]).is_err());
    assert!(group_reasons(&[1.0], &["a"], &[]).is_err());
    assert!(group_reasons(&[f64::NAN], &["a"], &[1.0]).is_err());
    assert!(
        group_reasons(&[-1.0, 0.0], &["a", "b"], &[1.0, 2.0])
            .unwrap()
            .is_empty()
    );
    let missing = group_reasons(&[1.0], &["a"], &[f64::NAN]).unwrap();
    assert!(missing[0].value.is_nan() && missing[0].share == 1.0);
}

/// For a sum over columns the Shapley value of a column is what it adds beside its mean.
#[test]
fn of_a_regression_and_of_bags_of_them_contributions_add_up_to_the_log_odds() {
    let rows = Array2::from_shape_fn((400, 3), |(row, column)| {
        let value = (row * (7 + 4 * column) % 101) as f64;
        if column == 2 && row % 5 == 0 {
            f64::NAN
        } else {
            value
        }
    });
    let frauds: Vec<bool> = (0..400)
        .map(|row| row % 101 > 80 || row % 35 == 0)
        .collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let params = LogisticRegressionParams::default();
    let regression = params.fit(&samples).unwrap();
    let mut out = [0.0; 3];
    let row = [90.0, 3.0, 50.0];
    let baseline = regression.explain_row(&row, &mut out).unwrap();
    for (column, coefficient) in regression.coefficients().iter().take(2).enumerate() {
        let mean = rows.column(column).mean().unwrap();
        let expected = coefficient * (row[column] - mean);
        assert!((out[column] - expected).abs() < 1e-9, "{column}");
    }
    let answer = regression.log_odds_row(&row).unwrap();
    assert!((baseline + out.iter().sum::<f64>() - answer).abs() < 1e-12);
    // That a value is missing counts for its column.
    let missing = [90.0, 3.0, f64::NAN];
    let mut of_missing = [0.0; 3];
    regression.explain_row(&missing, &mut of_missing).unwrap();
    assert_eq!(of_missing[..2], out[..2]);
    let answer = regression.log_odds_row(&missing).unwrap();
    assert!((baseline + of_missing.iter().sum::<f64>() - answer).abs() < 1e-12);
    assert!(regression.explain_row(&row[..2], &mut out).is_err());
    assert!(regression.explain_row(&row, &mut out[..2]).is_err());

    let bags = BalancedBaggingParams::new(params).bags(4);
    let bags: Box<dyn Classifier> = bags.learn(&samples).unwrap();
    let explainer = bags.explainer().unwrap();
    let baseline = explainer.explain_row(&missing, &mut out).unwrap();
    let mut answer = [0.0];
    let row = ArrayView2::from_shape((1, 3), &missing).unwrap();
    bags.log_odds_rows(row, &mut answer).unwrap();
    assert!((baseline + out.iter().sum::<f64>() - answer[0]).abs() < 1e-12);
}

#[test]
fn what_does_not_add_up_has_no_explainer() {
    let rows = Array2::from_shape_fn((200, 1), |(row, _)| row as f64);
    let frauds: Vec<bool> = (0..200).map(|row| row > 180).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let forest = RandomForestParams::default().n_estimators(5);
    let of_forests = BalancedBaggingParams::new(forest).bags(2).learn(&samples);
    assert!(of_forests.unwrap().explainer().is_none());
    let trees = BoostedTreesParams::default().n_estimators(5);
    let mut of_chances = BalancedBaggingParams::new(trees).bags(2);
    of_chances.average = Average::Probability;
    assert!(of_chances.learn(&samples).unwrap().explainer().is_none());
}
