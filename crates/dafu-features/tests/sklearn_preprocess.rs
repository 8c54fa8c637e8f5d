//! Against scikit-learn: `fixtures/make_sklearn_preprocess.py` made the expected numbers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{categories, labels, numbers, table};
use dafu_core::{Column, Role, Table};
use dafu_features::{
    ColumnParams, Constants, Encoding, Indicator, NumberImpute, Preprocessor, PreprocessorParams,
    Scaling,
};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/sklearn_preprocess.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values
        .map(|value| value.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

/// Training rows and all rows of a column.
fn split(fixture: &Value, column: impl Fn(&[usize]) -> Vec<Column>) -> (Table, Table) {
    let train = usize::try_from(fixture["train"].as_u64().unwrap()).unwrap();
    let all = fixture["text"].as_array().unwrap().len();
    let rows = |end: usize| (0..end).collect::<Vec<_>>();
    (table(column(&rows(train))), table(column(&rows(all))))
}

fn number_column(fixture: &Value, name: &str) -> (Table, Table) {
    let values = floats(&fixture[name]);
    split(fixture, |rows| {
        vec![numbers(
            "x",
            Role::Numeric,
            rows.iter().map(|&row| values[row]),
        )]
    })
}

fn text_column(fixture: &Value) -> (Table, Table) {
    let text = strings(&fixture["text"]);
    let label: Vec<_> = fixture["label"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::as_u64)
        .collect();
    let ids: Vec<_> = (0..text.len()).map(|row| format!("t-{row}")).collect();
    split(fixture, |rows| {
        let ids = rows.iter().map(|&row| Some(ids[row].as_str()));
        let text: Vec<_> = rows.iter().map(|&row| text[row]).collect();
        vec![
            common::texts("id", Role::TransactionId, ids),
            categories("x", &text),
            labels(rows.iter().map(|&row| label[row].map(|label| label == 1))),
        ]
    })
}

fn assert_near(what: &str, got: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let got: Vec<_> = got.into_iter().collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        // Relative to the size of the number: both sides round sums of 150 numbers in their own order.
        let allowed = 1e-12 * expected.abs().max(1.0);
        assert!(
            (got - expected).abs() <= allowed,
            "{what}, row {row}: {got} and {expected}"
        );
    }
}

fn first_column(preprocessor: &Preprocessor, rows: &Table) -> Vec<f64> {
    preprocessor
        .transform(rows)
        .unwrap()
        .values()
        .column(0)
        .to_vec()
}

#[test]
fn imputed_numbers_equal_those_of_simple_imputer() {
    let fixture = fixture();
    for (name, column, impute) in [
        ("mean", "number", NumberImpute::Mean),
        ("median", "number", NumberImpute::Median),
        ("most_frequent", "repeated", NumberImpute::MostFrequent),
        ("constant", "number", NumberImpute::Constant(-1.5)),
    ] {
        let (training, all) = number_column(&fixture, column);
        let preprocessor = PreprocessorParams::default()
            .number_impute(impute)
            .fit(&training);
        let got = first_column(&preprocessor.unwrap(), &all);
        assert_near(name, got, &floats(&fixture["expected"][name]));
    }
}

#[test]
fn the_missing_flag_equals_the_missing_indicator() {
    let fixture = fixture();
    let (training, all) = number_column(&fixture, "number");
    let params = PreprocessorParams::default().indicator(Indicator::Always);
    let dataset = params.fit(&training).unwrap().transform(&all).unwrap();
    let got = dataset.values().column(1).to_vec();
    assert_near("indicator", got, &floats(&fixture["expected"]["indicator"]));
}

#[test]
fn scaled_numbers_equal_those_of_the_scalers() {
    let fixture = fixture();
    for (name, impute, scaling) in [
        ("standard", NumberImpute::Mean, Scaling::Standard),
        ("min_max", NumberImpute::Median, Scaling::MinMax),
        ("robust", NumberImpute::Median, Scaling::Robust),
    ] {
        let (training, all) = number_column(&fixture, "number");
        let params = PreprocessorParams::default()
            .number_impute(impute)
            .scaling(scaling);
        let got = first_column(&params.fit(&training).unwrap(), &all);
        assert_near(name, got, &floats(&fixture["expected"][name]));
    }
}

fn encoded(fixture: &Value, encoding: Encoding) -> (Preprocessor, Table, Table) {
    let (training, all) = text_column(fixture);
    let params =
        PreprocessorParams::default().column("x", ColumnParams::default().encoding(encoding));
    (params.fit(&training).unwrap(), training, all)
}

#[test]
fn one_hot_flags_equal_those_of_one_hot_encoder() {
    let fixture = fixture();
    let (preprocessor, _, all) = encoded(&fixture, Encoding::OneHot { max_levels: 100 });
    let names = preprocessor
        .schema()
        .features()
        .iter()
        .map(|f| f.name.to_string());
    let expected = strings(&fixture["expected"]["one_hot_names"]);
    assert!(names.eq(expected.iter().map(|level| format!("x={level}"))));
    let dataset = preprocessor.transform(&all).unwrap();
    let rows = fixture["expected"]["one_hot"].as_array().unwrap();
    for (got, expected) in dataset.values().rows().into_iter().zip(rows) {
        assert_eq!(got.to_vec(), floats(expected));
    }
}

#[test]
fn codes_equal_those_of_ordinal_encoder() {
    let fixture = fixture();
    let (preprocessor, _, all) = encoded(&fixture, Encoding::Ordinal);
    let got = first_column(&preprocessor, &all);
    assert_eq!(got, floats(&fixture["expected"]["ordinal"]));
}

#[test]
fn frequencies_equal_shares_of_training_rows() {
    let fixture = fixture();
    let expected = floats(&fixture["expected"]["frequency"]);
    let (preprocessor, _, all) = encoded(&fixture, Encoding::Frequency);
    assert_near("frequency", first_column(&preprocessor, &all), &expected);

    let rows = fixture["train"].as_f64().unwrap();
    let log = |share: &f64| (share * rows).round().ln_1p() - rows.ln_1p();
    let expected: Vec<_> = expected.iter().map(log).collect();
    let (preprocessor, _, all) = encoded(&fixture, Encoding::LogFrequency);
    assert_near(
        "log frequency",
        first_column(&preprocessor, &all),
        &expected,
    );
}

#[test]
fn fraud_rates_equal_those_of_target_encoder() {
    let fixture = fixture();
    let smoothing = fixture["smoothing"].as_f64().unwrap();
    let (preprocessor, training, all) = encoded(&fixture, Encoding::Target { smoothing });
    let expected = &fixture["expected"];
    assert_near(
        "target",
        first_column(&preprocessor, &all),
        &floats(&expected["target"]),
    );

    let folds = preprocessor.training_folds(&all);
    assert!(
        folds
            .iter()
            .map(|&fold| f64::from(fold))
            .eq(floats(&fixture["fold"]))
    );
    let out_of_fold = preprocessor.transform_training(&training).unwrap();
    let got = out_of_fold.values().column(0).to_vec();
    assert_near("out of fold", got, &floats(&expected["target_training"]));
}

#[test]
fn buckets_and_signs_equal_those_of_feature_hasher() {
    let fixture = fixture();
    let (preprocessor, _, all) = encoded(&fixture, Encoding::Hash { buckets: 7 });
    let dataset = preprocessor.transform(&all).unwrap();
    let rows = fixture["expected"]["hash"].as_array().unwrap();
    for (got, expected) in dataset.values().rows().into_iter().zip(rows) {
        assert_eq!(got.to_vec(), floats(expected));
    }
}

#[test]
fn distances_equal_haversine_distances() {
    let fixture = fixture();
    let places: Vec<_> = fixture["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(floats)
        .collect();
    let roles = [
        Role::UserLatitude,
        Role::UserLongitude,
        Role::MerchantLatitude,
        Role::MerchantLongitude,
    ];
    let columns = roles.iter().enumerate();
    let columns =
        columns.map(|(at, &role)| numbers(role.name(), role, places.iter().map(|place| place[at])));
    let all = table(columns.collect());
    let params = PreprocessorParams::default().constants(Constants::Keep);
    let dataset = params.fit(&all).unwrap().transform(&all).unwrap();
    let distance = dataset.schema().position("home_merchant_distance").unwrap();
    let got = dataset.values().column(distance.get()).to_vec();
    let expected = floats(&fixture["expected"]["distance"]);
    // Kilometres: near antipodes the arc sine loses half of the digits, on both sides.
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() < 1e-6, "{got} and {expected}");
    }
}
