//! Estimators of smartcore.

use super::{Adapted, AdapterParams, Bridge, ClassAnswer, ClassTarget, Prepared};
use crate::learner::{Classifier, Learner};
use crate::{EnsembleError, Samples};
use smartcore::api::SupervisedEstimator;
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use std::fmt;

const LIBRARY: &str = "smartcore";

type Rows = DenseMatrix<f64>;
type FitPlain<M, P, T> = fn(&Rows, &Vec<T>, P) -> Result<M, Failed>;
type FitWeighted<M, P, T> = fn(&Rows, &Vec<T>, &[f64], P) -> Result<M, Failed>;
type Predict<M> = fn(&M, &Rows) -> Result<Vec<f64>, Failed>;

/// Any estimator `M` of smartcore over [`DenseMatrix`] with parameters `P` and labels `T`, as a [`Learner`].
///
/// Of its random forests take the regressor: it averages leaf means, so that its answers are probabilities; those of the
/// classifier are votes of trees grown to labels, and on card fraud they rank much worse. Models cannot be saved here.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::{Learner, Samples, SmartcoreLearner};
/// use ndarray::Array2;
/// use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
/// use smartcore::linalg::basic::matrix::DenseMatrix;
///
/// type Forest = RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;
///
/// let rows = Array2::from_shape_fn((200, 1), |(row, _)| (row * 7 % 100) as f64);
/// let frauds: Vec<bool> = rows.iter().map(|amount| *amount > 90.0).collect();
/// let params = RandomForestRegressorParameters::default().with_n_trees(20).with_seed(1);
/// let learner = SmartcoreLearner::<Forest, _, f64>::new(params).weighted(|rows, labels, weights, params| {
///     Forest::fit_with_weights(rows, labels, weights, params)
/// });
/// let model = learner.learn(&Samples::new(rows.view(), &frauds)?)?;
/// let mut log_odds = vec![0.0; 200];
/// model.log_odds_rows(rows.view(), &mut log_odds)?;
/// assert!(log_odds[14] > log_odds[0]); // amounts of 98 and 0
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
pub struct SmartcoreLearner<M, P, T> {
    params: P,
    adapter: AdapterParams,
    fit: FitPlain<M, P, T>,
    weighted: Option<FitWeighted<M, P, T>>,
    predict: Predict<M>,
}

impl<M, P: Clone, T: ClassAnswer> SmartcoreLearner<M, P, T>
where
    M: SupervisedEstimator<Rows, Vec<T>, P>,
{
    /// Parameters of an estimator.
    pub fn new(params: P) -> Self {
        Self::with_functions(params, M::fit, |model, rows| {
            let answers = model.predict(rows)?;
            Ok(answers.into_iter().map(ClassAnswer::number).collect())
        })
    }
}

impl<M, P, T> SmartcoreLearner<M, P, T> {
    /// Parameters of anything else that learns from a matrix and labels, such as estimators whose models borrow, or whose
    /// answers are not those of `predict`.
    pub fn with_functions(params: P, fit: FitPlain<M, P, T>, predict: Predict<M>) -> Self {
        Self {
            params,
            adapter: AdapterParams::default(),
            fit,
            weighted: None,
            predict,
        }
    }

    /// How to learn from weighted rows; without, unequal weights are [`EnsembleError::NoWeights`].
    #[must_use]
    pub fn weighted(mut self, fit: FitWeighted<M, P, T>) -> Self {
        self.weighted = Some(fit);
        self
    }

    /// Sets how rows go in and answers come out.
    #[must_use]
    pub fn adapter(mut self, adapter: AdapterParams) -> Self {
        self.adapter = adapter;
        self
    }
}

impl<M, P: fmt::Debug, T> fmt::Debug for SmartcoreLearner<M, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmartcoreLearner")
            .field("params", &self.params)
            .field("adapter", &self.adapter)
            .finish_non_exhaustive()
    }
}

impl<M, P, T> Learner for SmartcoreLearner<M, P, T>
where
    M: Send + Sync + 'static,
    P: fmt::Debug + Clone + Send + Sync,
    T: ClassTarget,
{
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let Prepared {
            bridge,
            values,
            frauds,
            weights,
        } = Bridge::prepare(LIBRARY, &self.adapter, samples)?;
        let rows = matrix(&bridge, values, frauds.len())?;
        let targets: Vec<T> = frauds.into_iter().map(T::of_class).collect();
        let params = self.params.clone();
        #[expect(clippy::float_cmp, reason = "the same number given for all rows")]
        let equal = weights.windows(2).all(|pair| pair[0] == pair[1]);
        let model = match self.weighted {
            _ if equal => (self.fit)(&rows, &targets, params),
            Some(fit) => fit(&rows, &targets, &weights, params),
            None => return Err(EnsembleError::NoWeights),
        };
        let model = model.map_err(|error| bridge.failed("learn", error.to_string()))?;
        let predict = self.predict;
        let ask = move |bridge: &Bridge, values, rows| {
            let rows = matrix(bridge, values, rows)?;
            predict(&model, &rows).map_err(|error| bridge.failed("answer", error.to_string()))
        };
        Ok(Box::new(Adapted {
            name: "SmartcoreModel",
            model: std::any::type_name::<M>(),
            bridge,
            ask: Box::new(ask),
        }))
    }
}

fn matrix(bridge: &Bridge, values: Vec<f64>, rows: usize) -> Result<Rows, EnsembleError> {
    DenseMatrix::new(rows, bridge.inputs.len(), values, false)
        .map_err(|error| bridge.failed("take the rows", error.to_string()))
}
