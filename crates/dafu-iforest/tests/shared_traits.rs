//! The forest behind the traits of `dafu-core` answers as it does by itself.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; equal bits are meant"
)]

use dafu_core::traits::{Explain, Fit, ScoreRow, ScoreRows};
use dafu_iforest::{IsolationForest, IsolationForestError, IsolationForestParams};
use ndarray::{Array2, ArrayView2};

fn rows() -> Array2<f64> {
    Array2::from_shape_fn((200, 3), |(i, j)| ((i * (7 + 2 * j)) % 31) as f64)
}

fn fit<P, D: ?Sized>(params: &P, data: &D) -> Result<IsolationForest, IsolationForestError>
where
    P: Fit<D, Model = IsolationForest, Error = IsolationForestError>,
{
    params.fit(data)
}

fn score<M: ScoreRow>(model: &M, row: &[f64]) -> f64 {
    model.score_row(row).unwrap().get()
}

fn score_all<M: ScoreRows>(model: &M, rows: ArrayView2<'_, f64>) -> Vec<f64> {
    let mut scores = vec![0.0; rows.nrows()];
    model.score_rows(rows, &mut scores).unwrap();
    scores
}

fn explain<M: Explain>(model: &M, row: &[f64]) -> (f64, Vec<f64>) {
    let mut parts = vec![0.0; row.len()];
    let base = model.explain_row(row, &mut parts).unwrap();
    (base, parts)
}

#[test]
fn the_traits_give_what_the_methods_give() {
    let rows = rows();
    let params = IsolationForestParams::default().trees(20).seed(3);
    let direct = params.fit(rows.view()).unwrap();
    let by_trait = fit(&params, &rows).unwrap();
    let checked = fit(&params.check().unwrap(), &rows).unwrap();
    let mut scores = vec![0.0; rows.nrows()];
    direct.score_rows(rows.view(), &mut scores).unwrap();
    for forest in [&by_trait, &checked] {
        assert_eq!(score_all(forest, rows.view()), scores);
        assert_eq!(
            score(forest, &[1.0, 2.0, 3.0]),
            direct.score_row(&[1.0, 2.0, 3.0]).unwrap().get()
        );
        let mut parts = vec![0.0; 3];
        let base = direct.explain_row(&[90.0, 2.0, 3.0], &mut parts).unwrap();
        assert_eq!(explain(forest, &[90.0, 2.0, 3.0]), (base, parts));
    }
    let wrong: Result<_, IsolationForestError> = ScoreRow::score_row(&by_trait, &[1.0]);
    assert!(wrong.is_err());
    assert!(fit(&params, &Array2::<f64>::zeros((0, 3))).is_err());
}
