//! Baselines, windows and reports against scipy, brute force, and what holds for every data set.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "tests; the same bits are asked for, of small counts"
)]

use dafu_core::random::Stream;
use dafu_ensemble::EnsembleError;
use dafu_ensemble::drift::{
    BinRange, CalibrationMonitor, CalibrationReport, Comparison, DriftBaseline, DriftBin,
    DriftLevel, DriftParams, DriftReport, DriftRows, DriftWindow, KolmogorovSmirnovTest,
    benjamini_hochberg, chi_square_test, hour_of_week, jensen_shannon, population_stability_index,
};
use ndarray::{Array2, ArrayView2, Axis};
use proptest::prelude::*;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/drift.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn assert_near(got: f64, expected: f64) {
    let gap = (got - expected).abs();
    assert!(gap <= 1e-10 * expected.abs().max(1e-10), "{got} {expected}");
}

fn column(values: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap()
}

fn plain(params: &DriftParams, reference: ArrayView2<'_, f64>) -> DriftBaseline {
    params.fit(&DriftRows::new(reference)).unwrap()
}

fn report(reference: &[f64], window: &[f64]) -> DriftReport {
    let baseline = plain(&DriftParams::default(), column(reference).view());
    let window = column(window);
    baseline.report(&DriftRows::new(window.view())).unwrap()
}

/// Sum of three uniform numbers, with variance 1 / 4: near to a normal number.
fn bell(stream: &mut Stream) -> f64 {
    stream.unit() + stream.unit() + stream.unit() - 1.5
}

#[test]
fn distances_and_chi_square_equal_scipy() {
    for case in fixture()["counts"].as_array().unwrap() {
        let (reference, window) = (numbers(&case["reference"]), numbers(&case["window"]));
        let test = chi_square_test(&reference, &window).unwrap();
        assert_near(test.statistic, case["statistic"].as_f64().unwrap());
        assert_near(test.p_value, case["p_value"].as_f64().unwrap());
        assert_eq!(test.degrees, 6);
        let shares = |counts: &[f64]| -> Vec<f64> {
            let total: f64 = counts.iter().sum();
            counts.iter().map(|count| count / total).collect()
        };
        let (expected, observed) = (shares(&reference), shares(&window));
        let distance = jensen_shannon(&expected, &observed);
        assert_near(distance, case["jensen_shannon"].as_f64().unwrap());
        let psi = population_stability_index(&expected, &observed, window.iter().sum(), 0.5);
        assert_near(psi, case["psi"].as_f64().unwrap());
    }
}

#[test]
fn kolmogorov_smirnov_equals_scipy() {
    for case in fixture()["samples"].as_array().unwrap() {
        let found = report(&numbers(&case["reference"]), &numbers(&case["window"]));
        let test = found.columns[0].kolmogorov_smirnov.unwrap();
        assert_near(test.statistic, case["statistic"].as_f64().unwrap());
        assert_near(test.p_value, case["p_value"].as_f64().unwrap());
    }
}

#[test]
fn false_discovery_rate_equals_scipy_and_the_paper() {
    let fixture = fixture();
    let found = benjamini_hochberg(&numbers(&fixture["p_values"]));
    for (got, expected) in found.iter().zip(numbers(&fixture["q_values"])) {
        assert_near(*got, expected);
    }
    // Benjamini and Hochberg 1995, section 4: the first four of fifteen are rejected.
    let paper = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0,
    ];
    let rejected = benjamini_hochberg(&paper)
        .iter()
        .filter(|q| **q <= 0.05)
        .count();
    assert_eq!(rejected, 4);
    assert!(benjamini_hochberg(&[]).is_empty());
}

#[test]
fn bins_that_are_too_small_are_tested_together() {
    // One row outside of the reference among 100: without pooling this alone would be a statistic of 1,000.
    let reference = [50_000.0, 50_000.0, 0.0];
    assert!(
        chi_square_test(&reference, &[49.0, 50.0, 1.0])
            .unwrap()
            .p_value
            > 0.5
    );
    // Ten of them are expected to be five, pooled or not.
    let few = chi_square_test(&[40.0, 40.0, 3.0, 3.0], &[40.0, 40.0, 3.0, 4.0]).unwrap();
    assert_eq!(few.degrees, 2);
    assert!(chi_square_test(&[100.0, 0.0], &[2.0, 1.0]).is_none());
    assert!(chi_square_test(&[0.0, 0.0], &[20.0, 10.0]).is_none());
    assert!(chi_square_test(&[], &[]).is_none());
}

/// Largest distance of the two empirical distribution functions, by its definition.
fn distance(one: &[f64], two: &[f64]) -> f64 {
    let share = |values: &[f64], at: f64| {
        let below = values.iter().filter(|value| **value <= at).count();
        below as f64 / values.len() as f64
    };
    let gap = |at: &f64| (share(one, *at) - share(two, *at)).abs();
    one.iter().chain(two).map(gap).fold(0.0, f64::max)
}

#[derive(Debug, Clone)]
struct Data {
    reference: Array2<f64>,
    reference_scores: Vec<f64>,
    reference_seasons: Vec<usize>,
    window: Array2<f64>,
    scores: Vec<f64>,
    seasons: Vec<usize>,
}

const SEASONS: usize = 3;

fn data() -> impl Strategy<Value = Data> {
    let value = prop_oneof![
        12 => (-8..8_i32).prop_map(|value| f64::from(value) * 0.25),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)],
    ];
    let rows = |value: BoxedStrategy<f64>, most: usize| {
        (1..most).prop_flat_map(move |rows: usize| {
            (
                prop::collection::vec(value.clone(), 2 * rows),
                prop::collection::vec(value.clone(), rows),
                prop::collection::vec(0..SEASONS, rows),
            )
        })
    };
    let value = value.boxed();
    (rows(value.clone(), 60), rows(value, 40)).prop_map(|(reference, window)| {
        let matrix =
            |values: Vec<f64>| Array2::from_shape_vec((values.len() / 2, 2), values).unwrap();
        Data {
            reference: matrix(reference.0),
            reference_scores: reference.1,
            reference_seasons: reference.2,
            window: matrix(window.0),
            scores: window.1,
            seasons: window.2,
        }
    })
}

impl Data {
    fn baseline(&self, params: &DriftParams) -> DriftBaseline {
        let rows = DriftRows::new(self.reference.view());
        let rows = rows.with_scores(&self.reference_scores).unwrap();
        params
            .fit(&rows.with_seasons(&self.reference_seasons).unwrap())
            .unwrap()
    }

    fn rows(&self) -> DriftRows<'_> {
        let rows = DriftRows::new(self.window.view());
        rows.with_scores(&self.scores)
            .unwrap()
            .with_seasons(&self.seasons)
            .unwrap()
    }
}

fn params() -> DriftParams {
    let params = DriftParams::default().bins(4).knots(6).seasons(SEASONS);
    params
        .min_season_rows(5)
        .categorical(vec![1])
        .rare_share(0.05)
}

proptest! {
    #[test]
    fn streaming_and_merging_equal_batch(data in data(), part in 0.0..1.0_f64) {
        let baseline = data.baseline(&params());
        let mut windows = [DriftWindow::new(&baseline), DriftWindow::new(&baseline)];
        for (row, values) in data.window.rows().into_iter().enumerate() {
            let late = row as f64 >= part * data.window.nrows() as f64;
            let (score, season) = (Some(data.scores[row]), data.seasons[row]);
            windows[usize::from(late)].observe(&baseline, &values.to_vec(), score, season).unwrap();
        }
        let [mut early, late] = windows;
        early.merge(&late).unwrap();
        prop_assert_eq!(early.rows() as usize, data.window.nrows());
        let batch = baseline.report(&data.rows()).unwrap();
        prop_assert_eq!(early.report(&baseline).unwrap(), batch);
    }

    #[test]
    fn reports_are_finite_and_shares_sum_to_one(data in data()) {
        let report = data.baseline(&params()).report(&data.rows()).unwrap();
        for column in report.columns.iter().chain(&report.score) {
            prop_assert!(column.psi.is_finite() && column.psi >= -1e-12);
            prop_assert!((0.0..=1.0).contains(&column.jensen_shannon));
            prop_assert!((0.0..=1.0).contains(&column.p_value));
            prop_assert!(column.q_value >= column.p_value - 1e-15 && column.q_value <= 1.0);
            for side in [|bin: &(f64, f64)| bin.0, |bin: &(f64, f64)| bin.1] {
                let shares = column.bins.iter().map(|bin| (bin.expected, bin.observed));
                let sum: f64 = shares.map(|bin| side(&bin)).sum();
                prop_assert!((sum - 1.0).abs() < 1e-12, "{}", sum);
            }
        }
    }

    #[test]
    fn the_reference_itself_does_not_drift(data in data()) {
        let rows = DriftRows::new(data.reference.view()).with_scores(&data.reference_scores).unwrap();
        let report = data.baseline(&params()).report(&rows.with_seasons(&data.reference_seasons).unwrap());
        for column in report.unwrap().columns {
            // In the season of the reference or in all together: only thin seasons may differ.
            prop_assert!(!column.alarm);
        }
        let plain = plain(&DriftParams::default(), data.reference.view());
        for column in plain.report(&DriftRows::new(data.reference.view())).unwrap().columns {
            prop_assert!(column.psi.abs() < 1e-12 && column.jensen_shannon < 1e-12);
            prop_assert!(column.p_value > 0.999);
        }
    }

    #[test]
    fn kolmogorov_smirnov_is_that_of_all_values_up_to_the_knots(
        one in prop::collection::vec(-50..50_i32, 1..80),
        two in prop::collection::vec(-60..70_i32, 1..80),
        (missing, knots) in (0..30_usize, 4..40_usize),
    ) {
        let one: Vec<f64> = one.into_iter().map(f64::from).collect();
        let two: Vec<f64> = two.into_iter().map(f64::from).collect();
        let exact = distance(&one, &two);
        // What is missing is no part of it.
        let reference = [&one[..], &vec![f64::NAN; missing]].concat();
        let window = column(&two);
        let of = |knots: usize| {
            let baseline = plain(&DriftParams::default().bins(2).knots(knots), column(&reference).view());
            let report = baseline.report(&DriftRows::new(window.view())).unwrap();
            report.columns[0].kolmogorov_smirnov.unwrap().statistic
        };
        prop_assert!((of(200) - exact).abs() < 1e-12);
        // Between two knots that are neighbours lies less than the share of one step of the ranks, and one row.
        let coarse = of(knots);
        let step = 1.0 / (knots - 1) as f64 + 1.0 / one.len() as f64;
        prop_assert!(coarse <= exact + 1e-12 && coarse >= exact - step - 1e-12, "{} {}", coarse, exact);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn saved_baselines_and_windows_come_back(data in data()) {
        let baseline = data.baseline(&params());
        let mut window = DriftWindow::new(&baseline);
        window.extend(&baseline, &data.rows()).unwrap();
        let text = serde_json::to_string(&baseline).unwrap();
        let back: DriftBaseline = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&back, &baseline);
        let text = serde_json::to_string(&window).unwrap();
        let window: DriftWindow = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(window.report(&back).unwrap(), baseline.report(&data.rows()).unwrap());
    }
}

#[test]
fn drift_of_each_kind_raises_an_alarm() {
    let mut stream = Stream::new(1, 0, 0);
    let mut rows = |shift: f64, missing: f64, constant: f64, kinds: u64| {
        Array2::from_shape_fn((2000, 4), |(_, column)| match column {
            0 => bell(&mut stream) + shift,
            1 if stream.unit() < missing => f64::NAN,
            1 => bell(&mut stream),
            2 => constant,
            _ => stream.below(kinds) as f64,
        })
    };
    let params = DriftParams::default().categorical(vec![3]);
    let baseline = plain(&params, rows(0.0, 0.1, 7.0, 5).view());
    let of = |rows: Array2<f64>| {
        baseline
            .report(&DriftRows::new(rows.view()))
            .unwrap()
            .alarms()
    };
    let none: [usize; 0] = [];
    assert_eq!(of(rows(0.0, 0.1, 7.0, 5)), none);
    assert_eq!(of(rows(0.5, 0.1, 7.0, 5)), [0]);
    assert_eq!(of(rows(0.0, 0.4, 7.0, 5)), [1]);
    assert_eq!(of(rows(0.0, 0.1, 8.0, 5)), [2]);
    assert_eq!(of(rows(0.0, 0.1, 6.0, 5)), [2]);
    assert_eq!(of(rows(0.0, 0.1, 7.0, 7)), [3]);
    // The constant moved all of its rows, so it comes first.
    assert_eq!(of(rows(0.5, 0.1, 8.0, 5)), [2, 0]);
}

#[test]
fn bins_hold_what_they_say() {
    let reference: Vec<f64> = (0..100).map(f64::from).collect();
    let baseline = plain(&DriftParams::default().bins(4), column(&reference).view());
    let window = column(&[f64::NAN, -1.0, 0.0, 24.0, 25.0, 99.0, 99.5, f64::INFINITY]);
    let found = baseline.report(&DriftRows::new(window.view())).unwrap();
    let bins = &found.columns[0].bins;
    let ranges: Vec<BinRange> = bins.iter().map(|bin| bin.range).collect();
    assert_eq!(
        ranges,
        [
            BinRange::Missing,
            BinRange::Low,
            BinRange::UpTo(24.0),
            BinRange::UpTo(49.0),
            BinRange::UpTo(74.0),
            BinRange::UpTo(99.0),
            BinRange::High,
        ]
    );
    let observed: Vec<f64> = bins.iter().map(|bin| bin.observed * 8.0).collect();
    assert_eq!(observed, [1.0, 1.0, 2.0, 1.0, 0.0, 1.0, 2.0]);
    for (bin, expected) in bins.iter().zip([0.0, 0.0, 0.25, 0.25, 0.25, 0.25, 0.0]) {
        assert!((bin.expected - expected).abs() < 1e-12, "{bin:?}");
    }
}

#[test]
fn rare_and_new_categories_are_counted_together() {
    let reference: Vec<f64> = (0..200).map(|row| f64::from(row % 200).min(2.0)).collect();
    let params = DriftParams::default().categorical(vec![0]).rare_share(0.01);
    let baseline = plain(&params, column(&reference).view());
    let window = column(&[2.0, 2.0, 0.0, 1.0, 9.0]);
    let found = baseline.report(&DriftRows::new(window.view())).unwrap();
    let bins = &found.columns[0].bins;
    assert_eq!(bins.len(), 3);
    assert_eq!(
        (bins[1].range, bins[1].observed),
        (BinRange::Value(2.0), 0.4)
    );
    assert_eq!((bins[2].range, bins[2].observed), (BinRange::Other, 0.6));
    assert_eq!(bins[2].expected, 0.01);
    assert!(found.columns[0].kolmogorov_smirnov.is_none());
    let most = params.rare_share(0.0).max_categories(2);
    let baseline = plain(&most, column(&[5.0, 4.0, 4.0, 3.0]).view());
    let found = baseline.report(&DriftRows::new(window.view())).unwrap();
    let ranges = found.columns[0].bins.iter().map(|bin| bin.range);
    let kept: Vec<BinRange> = ranges.collect();
    assert_eq!(kept[1..3], [BinRange::Value(3.0), BinRange::Value(4.0)]);
}

/// Rows of so many days by the hour: twice as large at weekends, a score that is higher at night, a column without pattern.
fn week(
    days: i64,
    first_hour: i64,
    shift: f64,
    stream: &mut Stream,
) -> (Array2<f64>, Vec<f64>, Vec<usize>) {
    let hours: Vec<i64> = (0..days * 24)
        .flat_map(|hour| [first_hour + hour; 12])
        .collect();
    let seasons: Vec<usize> = hours.iter().map(|hour| hour_of_week(hour * 3600)).collect();
    let weekend = |row: usize| if seasons[row] >= 5 * 24 { 2.0 } else { 1.0 };
    let rows = Array2::from_shape_fn((hours.len(), 2), |(row, column)| match column {
        0 => (2.0 + bell(stream)) * weekend(row) + shift,
        _ => bell(stream),
    });
    let night = |hour: usize| f64::from(u8::from(hour % 24 < 6));
    let scores = seasons
        .iter()
        .map(|hour| night(*hour) + bell(stream))
        .collect();
    (rows, scores, seasons)
}

#[test]
fn a_sunday_is_compared_with_sundays() {
    let mut stream = Stream::new(5, 0, 0);
    let (reference, scores, seasons) = week(8 * 7, 4 * 24, 0.0, &mut stream);
    let rows = DriftRows::new(reference.view())
        .with_scores(&scores)
        .unwrap();
    let plain = DriftParams::default().fit(&rows).unwrap();
    let params = DriftParams::default().seasons(168).min_season_rows(50);
    let seasonal = params.fit(&rows.with_seasons(&seasons).unwrap()).unwrap();

    // 1 January 1970 was a Thursday: four weeks and three days later it is Sunday.
    let sunday = |shift: f64, stream: &mut Stream| week(1, (28 + 3) * 24, shift, stream);
    let (window, scores, seasons) = sunday(0.0, &mut stream);
    assert!(seasons.iter().all(|season| *season >= 6 * 24));
    let rows = DriftRows::new(window.view()).with_scores(&scores).unwrap();
    let with_seasons = rows.with_seasons(&seasons).unwrap();
    let found = seasonal.report(&with_seasons).unwrap();
    assert!(found.alarms().is_empty(), "{:?}", found.columns[0].psi);
    assert!(!found.score.unwrap().alarm);
    let found = plain.report(&rows).unwrap();
    assert_eq!(found.alarms(), [0]);
    assert_eq!(found.columns[0].level, DriftLevel::Major);

    let (window, scores, seasons) = sunday(2.0, &mut stream);
    let rows = DriftRows::new(window.view()).with_scores(&scores).unwrap();
    assert_eq!(plain.report(&rows).unwrap().alarms(), [0]);
    let rows = rows.with_seasons(&seasons).unwrap();
    assert_eq!(seasonal.report(&rows).unwrap().alarms(), [0]);

    // A night alone has other scores than days, but not other scores than nights.
    let (window, scores, seasons) = week(14, 4 * 24, 0.0, &mut stream);
    let night: Vec<usize> = (0..seasons.len())
        .filter(|row| seasons[*row] % 24 < 6)
        .collect();
    let window = window.select(Axis(0), &night);
    let scores: Vec<f64> = night.iter().map(|row| scores[*row]).collect();
    let seasons: Vec<usize> = night.iter().map(|row| seasons[*row]).collect();
    let rows = DriftRows::new(window.view()).with_scores(&scores).unwrap();
    assert!(plain.report(&rows).unwrap().score.unwrap().alarm);
    let rows = rows.with_seasons(&seasons).unwrap();
    assert!(!seasonal.report(&rows).unwrap().score.unwrap().alarm);
}

#[test]
fn a_season_that_the_reference_hardly_has_is_compared_with_all() {
    let reference = column(&[1.0, 1.0, 2.0, 2.0, 3.0]);
    let seasons = [0, 0, 0, 0, 1];
    let rows = DriftRows::new(reference.view())
        .with_seasons(&seasons)
        .unwrap();
    let params = DriftParams::default().seasons(3).min_season_rows(2);
    let baseline = params.fit(&rows).unwrap();
    let expected = |seasons: &[usize]| -> Vec<f64> {
        let window = column(&vec![1.0; seasons.len()]);
        let rows = DriftRows::new(window.view()).with_seasons(seasons).unwrap();
        let found = baseline.report(&rows).unwrap();
        let bins = found.columns[0].bins.iter();
        bins.map(|bin| bin.expected).collect()
    };
    for (got, shares) in [
        (expected(&[0]), [0.5, 0.5, 0.0]),
        (expected(&[1]), [0.4, 0.4, 0.2]),
        (expected(&[2]), [0.4, 0.4, 0.2]),
        (expected(&[0, 2]), [0.45, 0.45, 0.1]),
    ] {
        for (got, expected) in got[2..5].iter().zip(shares) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }
}

#[test]
fn a_mix_of_seasons_is_worth_fewer_rows_than_the_reference_has() {
    let values: Vec<f64> = (0..1100).map(|row| f64::from(row % 10)).collect();
    let reference = column(&values);
    let seasons: Vec<usize> = (0..1100).map(|row| usize::from(row >= 1000)).collect();
    let rows = DriftRows::new(reference.view())
        .with_seasons(&seasons)
        .unwrap();
    let baseline = DriftParams::default().seasons(2).fit(&rows).unwrap();
    let values: Vec<f64> = (0..200)
        .map(|row| f64::from(row % 10).sqrt().floor())
        .collect();
    let window = column(&values);
    let seasons: Vec<usize> = (0..200).map(|row| row % 2).collect();
    let rows = DriftRows::new(window.view())
        .with_seasons(&seasons)
        .unwrap();
    let found = &baseline.report(&rows).unwrap().columns[0];
    // Half of the weight on 1000 rows and half on 100.
    let worth = 1.0 / (0.25 / 1000.0 + 0.25 / 100.0);
    let test = found.kolmogorov_smirnov.unwrap();
    let expected = KolmogorovSmirnovTest::new(test.statistic, worth, 200.0);
    assert_near(test.p_value, expected.p_value);
    let counts = |share: &dyn Fn(&DriftBin) -> f64, rows: f64| -> Vec<f64> {
        found.bins.iter().map(|bin| share(bin) * rows).collect()
    };
    let expected = counts(&|bin| bin.expected, worth);
    let expected = chi_square_test(&expected, &counts(&|bin| bin.observed, 200.0)).unwrap();
    assert_near(found.chi_square.unwrap().statistic, expected.statistic);
}

#[test]
fn p_values_are_not_too_small_without_drift() {
    let mut stream = Stream::new(9, 0, 0);
    let mut rows = |rows: usize| Array2::from_shape_fn((rows, 400), |_| bell(&mut stream));
    let baseline = plain(&DriftParams::default(), rows(3000).view());
    let window = rows(500);
    let found = baseline.report(&DriftRows::new(window.view())).unwrap();
    let share = |p_value: &dyn Fn(usize) -> f64| {
        let small = (0..400).filter(|column| p_value(*column) < 0.1).count();
        small as f64 / 400.0
    };
    // 0.1 expected, with a standard deviation of 0.015; that of KS is below, as only knots are compared.
    let chi_square = share(&|column| found.columns[column].chi_square.unwrap().p_value);
    assert!((0.05..0.15).contains(&chi_square), "{chi_square}");
    let smirnov = share(&|column| found.columns[column].kolmogorov_smirnov.unwrap().p_value);
    assert!((0.04..0.15).contains(&smirnov), "{smirnov}");
    assert!(found.alarms().is_empty());
}

#[test]
fn threads_and_memory_layout_do_not_matter() {
    let mut stream = Stream::new(2, 0, 0);
    let rows = Array2::from_shape_fn((500, 9), |_| bell(&mut stream));
    let later = Array2::from_shape_fn((300, 9), |_| bell(&mut stream) * 1.2);
    let of = |threads: usize, rows: ArrayView2<'_, f64>| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let params = DriftParams::default().knots(40);
        pool.install(|| {
            plain(&params, rows)
                .report(&DriftRows::new(later.view()))
                .unwrap()
        })
    };
    let one = of(1, rows.view());
    assert_eq!(one, of(4, rows.view()));
    let columns = rows.t().as_standard_layout().into_owned();
    assert_eq!(one, of(3, columns.t()));
    let mut backwards = rows.view();
    backwards.invert_axis(Axis(0));
    assert_eq!(one, of(2, backwards));
}

#[test]
fn what_does_not_fit_is_named() {
    let rows = column(&[1.0, 2.0, 3.0]);
    let fit = |params: DriftParams| params.fit(&DriftRows::new(rows.view()));
    let empty = Array2::<f64>::zeros((0, 1));
    assert_eq!(
        DriftParams::default()
            .fit(&DriftRows::new(empty.view()))
            .unwrap_err(),
        EnsembleError::NoRows
    );
    let empty = Array2::<f64>::zeros((3, 0));
    assert_eq!(
        DriftParams::default()
            .fit(&DriftRows::new(empty.view()))
            .unwrap_err(),
        EnsembleError::NoColumns
    );
    let missing = EnsembleError::NoSuchColumn {
        name: "categorical",
        column: 4,
        width: 1,
    };
    assert_eq!(
        fit(DriftParams::default().categorical(vec![0, 4])).unwrap_err(),
        missing
    );
    assert!(matches!(
        fit(DriftParams::default().seasons(2)).unwrap_err(),
        EnsembleError::Length {
            what: "seasons",
            expected: 3,
            got: 0
        }
    ));
    assert!(matches!(
        fit(DriftParams::default().seasons(8784).knots(1 << 16)).unwrap_err(),
        EnsembleError::TooMany { .. }
    ));
    for bad in [
        DriftParams::default().bins(1),
        DriftParams::default().knots(9),
        DriftParams::default().smoothing(0.0),
        DriftParams::default().rare_share(f64::NAN),
        DriftParams::default().major_psi(0.01),
        DriftParams::default().false_discovery_rate(1.0),
    ] {
        assert!(fit(bad).is_err());
    }
    let seasons = [0, 1, 5];
    let with_seasons = DriftRows::new(rows.view()).with_seasons(&seasons).unwrap();
    let params = DriftParams::default().seasons(5);
    let error = params.fit(&with_seasons).unwrap_err().to_string();
    assert_eq!(error, "row 2: the season must be below 5, got 5");
    assert!(DriftRows::new(rows.view()).with_scores(&[0.1]).is_err());

    let baseline = fit(DriftParams::default()).unwrap();
    let mut window = DriftWindow::new(&baseline);
    assert!(matches!(
        window.report(&baseline),
        Err(EnsembleError::Nothing { .. })
    ));
    assert!(matches!(
        window.observe(&baseline, &[1.0, 2.0], None, 0),
        Err(EnsembleError::WrongWidth {
            expected: 1,
            got: 2
        })
    ));
    assert_eq!(
        window.observe(&baseline, &[1.0], Some(0.5), 0),
        Err(EnsembleError::ScoresMissing)
    );
    assert!(window.observe(&baseline, &[1.0], None, 1).is_err());
    assert_eq!(window.rows(), 0);
    let other = plain(&DriftParams::default(), column(&[1.0, 2.0, 4.0]).view());
    assert_eq!(
        window.observe(&other, &[1.0], None, 0),
        Err(EnsembleError::OtherBaseline)
    );
    assert_eq!(
        window.merge(&DriftWindow::new(&other)),
        Err(EnsembleError::OtherBaseline)
    );
}

#[test]
fn all_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<(DriftBaseline, DriftWindow, DriftReport, DriftParams)>();
    shared::<(CalibrationMonitor, CalibrationReport, Comparison)>();
}

#[cfg(feature = "serde")]
#[test]
fn damaged_baselines_are_refused() {
    let rows = ndarray::concatenate![Axis(1), column(&[1.0, 2.0, 3.0]), column(&[1.0, 1.0, 0.0])];
    let baseline = plain(&DriftParams::default().categorical(vec![1]), rows.view());
    let good = serde_json::to_value(&baseline).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        assert_ne!(value, good);
        serde_json::from_value::<DriftBaseline>(value).is_err()
    };
    assert!(serde_json::from_value::<DriftBaseline>(good.clone()).is_ok());
    assert!(refused(&|v| v["params"]["bins"] = 0.into()));
    assert!(refused(&|v| v["params"]["seasons"] = 2.into()));
    assert!(refused(&|v| v["season_rows"][0] = 4.into()));
    assert!(refused(&|v| v["columns"] = Value::Array(Vec::new())));
    assert!(refused(&|v| v["columns"][0]["counts"][1] = 1.into()));
    assert!(refused(
        &|v| v["columns"][0]["counts"] = Value::Array(Vec::new())
    ));
    assert!(refused(
        &|v| v["columns"][0]["cells"]["Numbers"]["knots"][0] = 9.0.into()
    ));
    assert!(refused(
        &|v| v["columns"][0]["cells"]["Numbers"]["ends"][0] = 9.into()
    ));
    assert!(refused(
        &|v| v["columns"][1]["cells"]["Categories"]["values"][0] = 9.0.into()
    ));
    // A window that claims to be of this baseline.
    let mut window = serde_json::to_value(DriftWindow::new(&baseline)).unwrap();
    window["columns"][0] = vec![1_u64; 2].into();
    let window: DriftWindow = serde_json::from_value(window).unwrap();
    assert_eq!(window.report(&baseline), Err(EnsembleError::OtherBaseline));
}
