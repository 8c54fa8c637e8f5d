//! What becomes of awkward columns, settings and tables.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{categories, labels, numbers, table, texts, times};
use dafu_core::table::Storage;
use dafu_core::{FeatureGroup, FeatureType, Label, Role, Table, Unit};
use dafu_features::{
    AmountFeatures, CheckedPreprocessorParams, ColumnParams, Constants, Encoding, FeatureError,
    FitReport, Fitter, Folds, Indicator, Infinite, NumberImpute, Preprocessor, PreprocessorParams,
    Scaling, TextImpute, TimeFeature,
};

fn params() -> PreprocessorParams {
    PreprocessorParams::default()
}

fn names(preprocessor: &Preprocessor) -> Vec<&str> {
    let features = preprocessor.schema().features().iter();
    features.map(|feature| &*feature.name).collect()
}

fn amounts(values: impl IntoIterator<Item = f64>) -> Table {
    table(vec![numbers("amount", Role::Amount, values)])
}

fn first_column(preprocessor: &Preprocessor, rows: &Table) -> Vec<f64> {
    let dataset = preprocessor.transform(rows).unwrap();
    dataset.values().column(0).to_vec()
}

#[test]
fn no_row_is_an_error() {
    assert!(matches!(
        params().fit(&amounts([])),
        Err(FeatureError::NoRows)
    ));
    let fitter = params().check().unwrap().fitter();
    assert!(matches!(fitter.finish(), Err(FeatureError::NoRows)));
}

#[test]
fn only_left_out_columns_are_an_error() {
    let rows = table(vec![
        labels([Some(true)]),
        texts("x", Role::Ignore, [Some("a")]),
    ]);
    assert!(matches!(
        params().fit(&rows),
        Err(FeatureError::NoFeatures { columns: 2 })
    ));
}

#[test]
fn constant_and_empty_columns_are_dropped_with_a_reason_or_kept() {
    let rows = table(vec![
        numbers("amount", Role::Amount, [3.0, 3.0]),
        numbers("same", Role::Numeric, [7.5, 7.5]),
        numbers("none", Role::Numeric, [f64::NAN, f64::NAN]),
        categories("word", &["a", "a"]),
        texts("nothing", Role::Category, [None, None]),
    ]);
    let dropped = params().fit(&rows).unwrap();
    assert_eq!(names(&dropped), ["amount", "log_amount"]);
    let note = |name: &str| dropped.report().column(name).unwrap().note.clone();
    assert_eq!(note("same"), "dropped: every value seen is 7.5");
    assert_eq!(note("none"), "dropped: no row has a value");
    assert_eq!(note("word"), "dropped: every row has \"a\"");
    assert_eq!(note("nothing"), "dropped: no row has a text");

    let kept = params()
        .constants(Constants::Keep)
        .scaling(Scaling::Standard);
    let kept = kept.fit(&rows).unwrap();
    let expected = [
        "amount",
        "log_amount",
        "same",
        "none",
        "word=a",
        "nothing=(missing)",
    ];
    assert_eq!(names(&kept), expected);
    let row = kept.transform(&rows).unwrap();
    assert_eq!(
        row.row(0).unwrap().as_slice().unwrap(),
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    );
}

#[test]
fn a_constant_column_with_gaps_leaves_its_flag() {
    let rows = table(vec![
        numbers("amount", Role::Amount, [1.0, 2.0]),
        numbers("same", Role::Numeric, [7.5, f64::NAN]),
    ]);
    let preprocessor = params().amount(AmountFeatures::Raw).fit(&rows).unwrap();
    assert_eq!(names(&preprocessor), ["amount", "same_missing"]);
}

#[test]
fn infinite_values_are_an_error_or_missing() {
    let training = amounts([1.0, f64::INFINITY, 5.0]);
    assert!(matches!(
        params().fit(&training),
        Err(FeatureError::Infinite { column, record: 2, .. }) if column == "amount"
    ));
    let strict = params().fit(&amounts([1.0, 5.0])).unwrap();
    assert!(matches!(
        strict.transform(&training),
        Err(FeatureError::Infinite { record: 2, .. })
    ));
    let mild = params().infinite(Infinite::Missing).fit(&training).unwrap();
    assert_eq!(first_column(&mild, &training), [1.0, 3.0, 5.0]);
    assert_eq!(mild.report().column("amount").unwrap().missing, 1);
}

#[test]
fn numbers_too_large_to_scale_are_an_error_that_says_so() {
    let rows = amounts([f64::MAX, f64::MIN, 1.0]);
    for scaling in [Scaling::Standard, Scaling::MinMax] {
        let fit = params().scaling(scaling).fit(&rows);
        assert!(matches!(fit, Err(FeatureError::TooLarge { column }) if column == "amount"));
    }
    assert!(params().fit(&rows).is_ok());
    // Later rows are cut off instead of becoming infinite.
    let narrow = params()
        .scaling(Scaling::MinMax)
        .fit(&amounts([1.0, 1.5]))
        .unwrap();
    assert_eq!(first_column(&narrow, &amounts([f64::MAX])), [f64::MAX]);
}

#[test]
fn a_missing_or_turned_column_is_an_error_that_names_it() {
    let training = table(vec![
        numbers("amount", Role::Amount, [1.0, 2.0]),
        categories("word", &["a", "b"]),
    ]);
    let preprocessor = params().fit(&training).unwrap();
    let without = preprocessor.transform(&amounts([1.0]));
    assert!(matches!(
        without,
        Err(FeatureError::MissingColumn { name, role: Role::Category }) if name == "word"
    ));
    let turned = table(vec![
        numbers("amount", Role::Amount, [1.0]),
        numbers("word", Role::Numeric, [1.0]),
    ]);
    assert!(matches!(
        preprocessor.transform(&turned),
        Err(FeatureError::WrongStorage {
            expected: Storage::Text,
            got: Storage::Number,
            ..
        })
    ));
}

#[test]
fn columns_are_found_in_any_order_and_by_role_under_another_name() {
    let training = table(vec![
        numbers("TX_AMOUNT", Role::Amount, [1.0, 2.0]),
        categories("word", &["a", "b"]),
    ]);
    let preprocessor = params().fit(&training).unwrap();
    let later = table(vec![
        categories("further", &["z"]),
        categories("word", &["b"]),
        numbers("amount", Role::Amount, [9.0]),
    ]);
    let row = preprocessor.transform(&later).unwrap();
    let log = 10_f64.ln();
    assert_eq!(
        row.row(0).unwrap().as_slice().unwrap(),
        [9.0, log, 0.0, 1.0]
    );
}

#[test]
fn settings_that_fit_no_column_are_errors() {
    let rows = amounts([1.0, 2.0]);
    let unknown = params().column("amuont", ColumnParams::default());
    assert!(matches!(
        unknown.fit(&rows),
        Err(FeatureError::UnknownColumn { name, known }) if name == "amuont" && known == ["amount"]
    ));
    let encoded = ColumnParams::default().encoding(Encoding::Ordinal);
    assert!(matches!(
        params().column("amount", encoded).fit(&rows),
        Err(FeatureError::NotApplicable { column, .. }) if column == "amount"
    ));
}

#[test]
fn parameters_outside_their_interval_are_errors_that_name_them() {
    let out_of_range = |params: PreprocessorParams| match params.check() {
        Err(
            FeatureError::OutOfRange { parameter, .. } | FeatureError::NotUsable { parameter, .. },
        ) => parameter,
        other => panic!("{other:?}"),
    };
    let with = |encoding| params().role(Role::Category, ColumnParams::default().encoding(encoding));
    for (params, name) in [
        (params().utc_offset_minutes(1081), "utc_offset_minutes"),
        (params().night(24, 6), "night_from"),
        (params().night(0, 24), "night_until"),
        (params().max_levels(1), "max_levels"),
        (params().exact_values(15), "exact_values"),
        (params().folds(Folds::Row { folds: 1 }), "folds"),
        (params().folds(Folds::Time { folds: 2, days: 0 }), "days"),
        (
            params().number_impute(NumberImpute::Constant(f64::NAN)),
            "number_impute",
        ),
        (with(Encoding::Hash { buckets: 0 }), "buckets"),
        (with(Encoding::OneHot { max_levels: 0 }), "max_levels"),
        (with(Encoding::Target { smoothing: -1.0 }), "smoothing"),
    ] {
        assert_eq!(out_of_range(params), name);
    }
    let message = params().max_levels(1).check().unwrap_err().to_string();
    assert_eq!(
        message,
        "`max_levels` must be between 2 and 16777216, got 1"
    );
}

#[test]
fn fraud_rates_need_a_known_label() {
    let target = ColumnParams::default().encoding(Encoding::Target { smoothing: 1.0 });
    let params = params().role(Role::Category, target);
    let without = table(vec![categories("word", &["a", "b"])]);
    assert!(matches!(
        params.fit(&without),
        Err(FeatureError::NoLabels { .. })
    ));
    let unknown = table(vec![categories("word", &["a", "b"]), labels([None, None])]);
    assert!(matches!(
        params.fit(&unknown),
        Err(FeatureError::NoLabels { .. })
    ));
}

#[test]
fn levels_beyond_the_flags_share_one_and_missing_has_its_own() {
    let words = ["a", "a", "a", "b", "b", "c", "d"].map(Some);
    let rows = table(vec![texts(
        "x",
        Role::Category,
        words.into_iter().chain([None]),
    )]);
    let one_hot = ColumnParams::default().encoding(Encoding::OneHot { max_levels: 2 });
    let preprocessor = params().column("x", one_hot.clone()).fit(&rows).unwrap();
    assert_eq!(
        names(&preprocessor),
        ["x=a", "x=b", "x=(other)", "x=(missing)"]
    );
    let later = table(vec![texts(
        "x",
        Role::Category,
        [Some("b"), Some("new"), None],
    )]);
    let flags = preprocessor.transform(&later).unwrap();
    let row = |row: usize| flags.row(row).unwrap().as_slice().unwrap().to_vec();
    assert_eq!(row(0), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(row(1), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(row(2), [0.0, 0.0, 0.0, 1.0]);

    let filled = one_hot
        .text_impute(TextImpute::MostFrequent)
        .indicator(Indicator::Never);
    let preprocessor = params().column("x", filled).fit(&rows).unwrap();
    let flags = preprocessor.transform(&later).unwrap();
    assert_eq!(flags.row(2).unwrap().as_slice().unwrap(), [1.0, 0.0, 0.0]);
}

#[test]
fn many_levels_are_encoded_by_frequency_and_few_by_flags() {
    let words: Vec<String> = (0..60).map(|n| format!("w-{}", n % 13)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rows = table(vec![categories("x", &words)]);
    let preprocessor = params().fit(&rows).unwrap();
    assert_eq!(names(&preprocessor), ["x_log_frequency"]);
    let flags = params().one_hot_levels(13).fit(&rows).unwrap();
    assert_eq!(flags.schema().width(), 13);
}

#[test]
fn rare_levels_are_forgotten_and_the_error_is_reported() {
    // 40 % one word, then 600 words once each, with room for 50.
    let words: Vec<String> = (0..1000)
        .map(|n| {
            if n % 5 < 2 {
                "often".to_owned()
            } else {
                format!("rare-{n}")
            }
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rows = table(vec![categories("x", &words)]);
    let preprocessor = params().max_levels(50).fit(&rows).unwrap();
    let column = preprocessor.report().column("x").unwrap();
    assert!(column.levels.unwrap() <= 50 && column.level_error > 0);
    let later = table(vec![categories("x", &["often", "never"])]);
    let values = first_column(&preprocessor, &later);
    let count = values[0].exp() * 1001.0 - 1.0;
    // Never too high, and too low by no more than the report says.
    let error = column.level_error as f64;
    assert!(
        count <= 400.0 + 1e-9 && count >= 400.0 - error - 1e-9,
        "{count}, {error}"
    );
    assert!((values[1].exp() * 1001.0 - 1.0).abs() < 1e-9);
}

#[test]
fn the_median_is_close_when_more_numbers_come_than_are_kept() {
    let rows = amounts(
        (0..50_000)
            .map(|n| f64::from((n * 7919) % 50_000))
            .chain([f64::NAN]),
    );
    let sampled = params().exact_values(4096).fit(&rows).unwrap();
    let note = &sampled.report().column("amount").unwrap().note;
    assert!(note.contains("uniform sample of 4096 values"), "{note}");
    let median = first_column(&sampled, &amounts([f64::NAN]))[0];
    // Four standard errors of a sample median's rank: 4 * 0.5 / sqrt(4096) = 3.1 % of the range.
    assert!((median - 24_999.5).abs() < 0.032 * 50_000.0, "{median}");
    let exact = params().fit(&rows).unwrap();
    assert!((first_column(&exact, &amounts([f64::NAN]))[0] - 24_999.5).abs() < 1e-9);
}

#[test]
fn long_texts_are_told_apart() {
    let (a, b) = (
        format!("{}a", "x".repeat(5000)),
        format!("{}b", "x".repeat(5000)),
    );
    let wide = "\u{20ac}".repeat(200);
    let rows = table(vec![categories("x", &[&a, &a, &b, &wide])]);
    let frequency = ColumnParams::default().encoding(Encoding::Frequency);
    let preprocessor = params().column("x", frequency).fit(&rows).unwrap();
    assert_eq!(first_column(&preprocessor, &rows), [0.5, 0.5, 0.25, 0.25]);
}

#[test]
fn calendar_features_follow_the_declared_offset() {
    // A Friday, 21:30 UTC.
    let rows = table(vec![times([Some("2026-03-06T21:30:00Z"), None])]);
    let fit = |minutes| {
        let params = params()
            .utc_offset_minutes(minutes)
            .time_features(TimeFeature::ALL);
        params.indicator(Indicator::Never).fit(&rows).unwrap()
    };
    let row = |preprocessor: &Preprocessor, row: usize| {
        let dataset = preprocessor.transform(&rows).unwrap();
        dataset.row(row).unwrap().as_slice().unwrap().to_vec()
    };
    let utc = fit(0);
    let expected = [
        "hour",
        "weekday",
        "weekend",
        "night",
        "hour_sin",
        "hour_cos",
        "weekday_sin",
        "weekday_cos",
    ];
    assert_eq!(names(&utc), expected);
    let turn = |part: f64| (std::f64::consts::TAU * part).sin_cos();
    let near = |got: &[f64], expected: [f64; 8]| {
        let close = got
            .iter()
            .zip(expected)
            .all(|(got, expected)| (got - expected).abs() < 1e-12);
        assert!(close, "{got:?}");
    };
    let ((hs, hc), (ws, wc)) = (turn(21.5 / 24.0), turn(4.0 / 7.0));
    near(&row(&utc, 0), [21.0, 4.0, 0.0, 0.0, hs, hc, ws, wc]);
    // A missing time counts as the most frequent hour of the week.
    let (hs, hc) = turn(21.0 / 24.0);
    near(&row(&utc, 1), [21.0, 4.0, 0.0, 0.0, hs, hc, ws, wc]);
    let ((hs, hc), (ws, wc)) = (turn(3.0 / 24.0), turn(5.0 / 7.0));
    near(&row(&fit(330), 0), [3.0, 5.0, 1.0, 1.0, hs, hc, ws, wc]);
    let ((hs, hc), (ws, wc)) = (turn(16.0 / 24.0), turn(4.0 / 7.0));
    near(&row(&fit(-330), 0), [16.0, 4.0, 0.0, 0.0, hs, hc, ws, wc]);
    let west = fit(-330);
    let description = &west.schema().features()[0].description;
    assert_eq!(description, "hour of `timestamp`, 0 to 23, in UTC-5:30");
}

#[test]
fn the_first_and_the_last_instant_have_calendar_features() {
    let rows = table(vec![times([
        Some("0001-01-01T00:00:00Z"),
        Some("9999-12-31T23:59:59.999999Z"),
    ])]);
    let preprocessor = params().utc_offset_minutes(-1080).fit(&rows).unwrap();
    // Monday 00:00 and Friday 23:59, each 18 hours earlier.
    let dataset = preprocessor.transform(&rows).unwrap();
    assert_eq!(
        dataset.row(0).unwrap().as_slice().unwrap(),
        [6.0, 6.0, 1.0, 0.0]
    );
    assert_eq!(
        dataset.row(1).unwrap().as_slice().unwrap(),
        [5.0, 4.0, 0.0, 1.0]
    );
}

#[test]
fn features_have_types_units_groups_and_descriptions() {
    let rows = table(vec![
        numbers("amount", Role::Amount, [1.0, f64::NAN]),
        numbers("lat", Role::UserLatitude, [1.0, 2.0]),
        numbers("lon", Role::UserLongitude, [1.0, 2.0]),
        numbers("mlat", Role::MerchantLatitude, [1.0, 3.0]),
        numbers("mlon", Role::MerchantLongitude, [1.0, 3.0]),
        texts("user_id", Role::User, [Some("u"), Some("v")]),
        times([Some("2026-03-06T21:30:00Z"), Some("2026-03-07T21:30:00Z")]),
        categories("kind", &["a", "b"]),
    ]);
    let ordinal = ColumnParams::default()
        .encoding(Encoding::Ordinal)
        .group(FeatureGroup::Merchant);
    let preprocessor = params().column("kind", ordinal).fit(&rows).unwrap();
    let schema = preprocessor.schema();
    let feature = |name: &str| schema.feature(schema.position(name).unwrap()).unwrap();
    assert_eq!(feature("amount").unit, Unit::Money);
    assert_eq!(feature("amount").group, FeatureGroup::Amount);
    assert_eq!(feature("amount_missing").feature_type, FeatureType::Flag);
    assert_eq!(feature("lat").unit, Unit::Degree);
    assert_eq!(feature("home_merchant_distance").unit, Unit::Kilometre);
    assert_eq!(
        feature("home_merchant_distance").group,
        FeatureGroup::Location
    );
    assert_eq!(feature("hour").group, FeatureGroup::Temporal);
    assert_eq!(feature("kind").group, FeatureGroup::Merchant);
    let FeatureType::Category { levels } = &feature("kind").feature_type else {
        panic!()
    };
    assert_eq!(
        levels.iter().map(|l| &**l).collect::<Vec<_>>(),
        ["a", "b", "(missing)", "(unseen)"]
    );
    assert!(
        schema
            .features()
            .iter()
            .all(|f| !f.description.is_empty() && !f.nullable)
    );
    let kept = params()
        .number_impute(NumberImpute::Keep)
        .fit(&rows)
        .unwrap();
    assert!(kept.schema().features()[0].nullable);
    assert!(kept.transform(&rows).unwrap().values()[[1, 0]].is_nan());
}

#[test]
fn equal_feature_names_get_numbers() {
    let rows = table(vec![
        numbers("amount", Role::Amount, [1.0, 2.0]),
        numbers("log_amount", Role::Numeric, [1.0, 2.0]),
        categories("x", &["(missing)", "b"]),
        texts("x=b", Role::Ignore, [None, None]),
        numbers("log_amount_2", Role::Numeric, [1.0, 2.0]),
    ]);
    let preprocessor = params().fit(&rows).unwrap();
    let expected = [
        "amount",
        "log_amount",
        "log_amount_2",
        "x=(missing)",
        "x=b",
        "log_amount_2_2",
    ];
    assert_eq!(names(&preprocessor), expected);
}

#[test]
fn labels_times_and_groups_are_carried_over() {
    let rows = table(vec![
        numbers("amount", Role::Amount, [1.0, 2.0, 3.0]),
        texts("user_id", Role::User, [Some("u"), Some("v"), Some("u")]),
        labels([Some(true), None, Some(false)]),
        times(["2026-03-06T21:30:00Z"; 3].map(Some)),
    ]);
    let dataset = params().fit(&rows).unwrap().transform(&rows).unwrap();
    let labels = [Label::Fraud, Label::Unknown, Label::Legitimate];
    assert_eq!(dataset.labels(), Some(labels.as_slice()));
    let groups = dataset.groups().unwrap();
    assert!(groups[0] == groups[2] && groups[0] != groups[1]);
    assert_eq!(dataset.times().unwrap().len(), 3);
}

#[test]
fn rows_and_slices_of_the_wrong_size_are_errors() {
    let rows = amounts([1.0, 2.0]);
    let preprocessor = params().fit(&rows).unwrap();
    let mut cells = [0.0; 3];
    assert!(matches!(
        preprocessor.transform_row(&rows, 0, &mut cells),
        Err(FeatureError::Output {
            expected: 2,
            got: 3
        })
    ));
    assert!(matches!(
        preprocessor.transform_row(&rows, 2, &mut cells[..2]),
        Err(FeatureError::Row { row: 2, rows: 2 })
    ));
    let mut matrix = ndarray::Array2::zeros((1, 4));
    assert!(matches!(
        preprocessor.transform_into(&rows, matrix.view_mut()),
        Err(FeatureError::Output {
            expected: 4,
            got: 4
        })
    ));
}

#[test]
fn the_report_reads_as_sentences() {
    let rows = table(vec![
        numbers("amount", Role::Amount, [1.0, f64::NAN, 4.0, 5.0]),
        categories("category", &["a", "b", "a", "b"]),
        labels([Some(true), None, None, None]),
    ]);
    let report = params()
        .amount(AmountFeatures::Raw)
        .fit(&rows)
        .unwrap()
        .report()
        .to_string();
    let expected = "4 features from 4 training rows\n\
         amount (amount, 25.00 % missing): taken as it is, missing filled with the median 4; \
         a flag tells where it is missing\n\
         category (category, 2 levels): a flag for each level, because it has few levels\n\
         is_fraud (label): the label is never a feature\n";
    assert_eq!(report, expected);
}

#[test]
fn all_types_can_go_to_other_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<PreprocessorParams>();
    check::<CheckedPreprocessorParams>();
    check::<Fitter>();
    check::<Preprocessor>();
    check::<FitReport>();
    check::<FeatureError>();
}
