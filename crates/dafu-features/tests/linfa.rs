//! linfa-preprocessing as oracle of the scalers, and as a step.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{numbers, table};
use dafu_core::{Role, Table};
use dafu_features::{NumberImpute, PreprocessorParams, Scaling};
use linfa::DatasetBase;
use linfa::traits::{Fit, Transformer};
use linfa_preprocessing::linear_scaling::LinearScaler;
use ndarray::Array2;

fn matrix() -> Array2<f64> {
    Array2::from_shape_fn((200, 3), |(row, column)| {
        ((row * (37 + 12 * column) + column) % 101) as f64 / 4.0 - 7.0 * column as f64
    })
}

fn as_table(matrix: &Array2<f64>) -> Table {
    let columns = ["a", "b", "c"].into_iter().zip(matrix.columns());
    let columns = columns.map(|(name, values)| numbers(name, Role::Numeric, values.to_vec()));
    table(columns.collect())
}

#[test]
fn standard_and_min_max_scaling_equal_linfas() {
    let later = matrix().mapv(|value| 3.0 * value + 1.0);
    for (scaling, params) in [
        (Scaling::Standard, LinearScaler::standard()),
        (Scaling::MinMax, LinearScaler::min_max()),
    ] {
        let theirs = params
            .fit(&DatasetBase::from(matrix()))
            .unwrap()
            .transform(later.clone());
        let ours = PreprocessorParams::default()
            .number_impute(NumberImpute::Keep)
            .scaling(scaling);
        let ours = ours.fit(&as_table(&matrix())).unwrap();
        let ours = ours.transform(&as_table(&later)).unwrap();
        for (a, b) in ours.values().iter().zip(&theirs) {
            // linfa multiplies by the inverse of the spread.
            assert!((a - b).abs() < 1e-12 * b.abs().max(1.0), "{a} and {b}");
        }
    }
}

#[cfg(feature = "linfa")]
mod step {
    use super::{as_table, matrix};
    use dafu_core::{Dataset, Label, Timestamp};
    use dafu_features::{FeatureError, LinfaStep, NumberImpute, PreprocessorParams};
    use linfa_preprocessing::linear_scaling::LinearScaler;
    use linfa_preprocessing::whitening::Whitener;
    use ndarray::{Axis, array};

    fn dataset() -> Dataset {
        let preprocessor = PreprocessorParams::default()
            .fit(&as_table(&matrix()))
            .unwrap();
        preprocessor.transform(&as_table(&matrix())).unwrap()
    }

    #[test]
    fn whitened_features_are_uncorrelated_with_variance_1() {
        let data = dataset();
        for whitener in [Whitener::pca(), Whitener::zca(), Whitener::cholesky()] {
            let white = LinfaStep::whitener(&whitener, &data)
                .unwrap()
                .transform(&data)
                .unwrap();
            let values = white.values();
            let centred = &values - &values.mean_axis(Axis(0)).unwrap();
            let covariance = centred.t().dot(&centred) / (white.rows() - 1) as f64;
            let expected = array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
            assert!(
                (covariance - expected)
                    .iter()
                    .all(|difference| difference.abs() < 1e-9)
            );
            assert_eq!(&*white.schema().features()[2].name, "white_2");
        }
    }

    #[test]
    fn a_scaler_keeps_names_labels_weights_times_and_groups() {
        let rows = dataset().rows();
        let data = dataset()
            .with_labels(vec![Label::Fraud; rows])
            .and_then(|data| data.with_weights(vec![0.5; rows]))
            .and_then(|data| data.with_times(vec![Timestamp::EPOCH; rows]))
            .and_then(|data| data.with_groups(vec![3; rows]))
            .unwrap();
        let step = LinfaStep::scaler(&LinearScaler::min_max_range(-1.0, 1.0), &data).unwrap();
        let scaled = step.transform(&data).unwrap();
        assert_eq!(&*scaled.schema().features()[1].name, "b");
        assert_eq!(scaled.labels(), data.labels());
        assert_eq!(scaled.weights(), data.weights());
        assert_eq!(scaled.times(), data.times());
        assert_eq!(scaled.groups(), data.groups());
        assert!(
            scaled
                .values()
                .iter()
                .all(|value| value.abs() <= 1.0 + 1e-12)
        );
    }

    #[test]
    fn other_widths_missing_values_and_no_rows_are_errors() {
        let data = dataset();
        let step = LinfaStep::scaler(&LinearScaler::standard(), &data).unwrap();
        let mut gaps = matrix();
        gaps[[3, 1]] = f64::NAN;
        let keep = PreprocessorParams::default().number_impute(NumberImpute::Keep);
        let with_gaps = keep
            .fit(&as_table(&gaps))
            .unwrap()
            .transform(&as_table(&gaps))
            .unwrap();
        assert!(matches!(
            step.transform(&with_gaps),
            Err(FeatureError::Dataset(_))
        ));
        assert!(LinfaStep::whitener(&Whitener::pca(), &with_gaps).is_err());
        let filled = PreprocessorParams::default().fit(&as_table(&gaps)).unwrap();
        let wider = filled.transform(&as_table(&gaps)).unwrap();
        assert!(matches!(
            step.transform(&wider),
            Err(FeatureError::Width {
                expected: 3,
                got: 4
            })
        ));
        let none = filled
            .transform(&as_table(&ndarray::Array2::zeros((0, 3))))
            .unwrap();
        let fit = LinfaStep::scaler(&LinearScaler::standard(), &none);
        assert!(matches!(fit, Err(FeatureError::NoRows)));
    }

    #[test]
    fn a_covariance_without_inverse_is_an_error_or_finite() {
        let constant = PreprocessorParams::default().constants(dafu_features::Constants::Keep);
        let ones = as_table(&ndarray::Array2::ones((9, 3)));
        let data = constant.fit(&ones).unwrap().transform(&ones).unwrap();
        for whitener in [Whitener::pca(), Whitener::zca(), Whitener::cholesky()] {
            if let Ok(step) = LinfaStep::whitener(&whitener, &data)
                && let Ok(white) = step.transform(&data)
            {
                assert!(white.values().iter().all(|value| value.is_finite()));
            }
        }
    }
}
