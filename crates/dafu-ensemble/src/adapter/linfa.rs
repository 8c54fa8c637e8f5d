//! Models of linfa.

use super::{Adapted, AdapterParams, Bridge, ClassAnswer, ClassTarget, Prepared};
use crate::learner::{Classifier, Learner};
use crate::{EnsembleError, Samples};
use linfa::DatasetBase;
use linfa::dataset::Pr;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2};
use std::fmt;
use std::marker::PhantomData;

const LIBRARY: &str = "linfa";

impl ClassAnswer for Pr {
    fn number(self) -> f64 {
        f64::from(*self)
    }
}

/// Any parameters of linfa whose `fit` takes a matrix and labels `T`, as a [`Learner`].
///
/// Weights go into the data set; linfa holds them in 32 bits, and models that do not know them ignore them. Answers that are
/// only labels make only two scores; give a function with [`LinfaLearner::with_answers`] where a model knows more. Models of
/// linfa panic on some inputs; what comes from here is finite, not empty, of both classes and of the width of the training
/// rows. They cannot be saved here.
///
/// # Examples
///
/// A logistic regression of linfa, by its probabilities, which are of the class with more rows and not of frauds:
///
/// ```
/// use dafu_ensemble::{Learner, LinfaLearner, Samples};
/// use linfa_logistic::LogisticRegression;
/// use ndarray::Array2;
///
/// let rows = Array2::from_shape_fn((100, 1), |(row, _)| row as f64);
/// let frauds: Vec<bool> = (0..100).map(|row| row % 10 == 3 || row > 80).collect();
/// let learner = LinfaLearner::<_, bool, _>::with_answers(LogisticRegression::default(), |model, rows| {
///     let chances = model.predict_probabilities(rows);
///     if model.labels().pos.class { chances } else { 1.0 - chances }
/// });
/// let model = learner.learn(&Samples::new(rows.view(), &frauds)?)?;
/// let mut log_odds = vec![0.0; 100];
/// model.log_odds_rows(rows.view(), &mut log_odds)?;
/// assert!(log_odds[99] > log_odds[0]);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
///
/// A decision tree of linfa, by its labels:
///
/// ```
/// use dafu_ensemble::{AdapterParams, LinfaLearner};
/// use linfa_trees::DecisionTree;
///
/// let params = DecisionTree::<f64, bool>::params().max_depth(Some(3));
/// let learner = LinfaLearner::new::<bool>(params).adapter(AdapterParams::default().edge(0.01));
/// ```
pub struct LinfaLearner<P, T, E>
where
    P: Fit<Array2<f64>, Array1<T>, E>,
    E: std::error::Error + From<linfa::Error>,
{
    params: P,
    adapter: AdapterParams,
    answers: fn(&P::Object, &Array2<f64>) -> Array1<f64>,
    kinds: PhantomData<fn() -> (T, E)>,
}

impl<P, T, E> LinfaLearner<P, T, E>
where
    P: Fit<Array2<f64>, Array1<T>, E>,
    E: std::error::Error + From<linfa::Error>,
{
    /// Parameters of models that predict labels, probabilities or numbers `A`.
    pub fn new<A>(params: P) -> Self
    where
        A: ClassAnswer,
        P::Object: PredictInplace<Array2<f64>, Array1<A>>,
    {
        Self::with_answers(params, |model, rows| {
            let mut answers = model.default_target(rows);
            model.predict_inplace(rows, &mut answers);
            answers.mapv(ClassAnswer::number)
        })
    }

    /// Parameters of models that are asked by a function: one answer a row, higher for frauds.
    pub fn with_answers(params: P, answers: fn(&P::Object, &Array2<f64>) -> Array1<f64>) -> Self {
        Self {
            params,
            adapter: AdapterParams::default(),
            answers,
            kinds: PhantomData,
        }
    }

    /// Sets how rows go in and answers come out.
    #[must_use]
    pub fn adapter(mut self, adapter: AdapterParams) -> Self {
        self.adapter = adapter;
        self
    }
}

impl<P, T, E> fmt::Debug for LinfaLearner<P, T, E>
where
    P: Fit<Array2<f64>, Array1<T>, E> + fmt::Debug,
    E: std::error::Error + From<linfa::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinfaLearner")
            .field("params", &self.params)
            .field("adapter", &self.adapter)
            .finish_non_exhaustive()
    }
}

impl<P, T, E> Learner for LinfaLearner<P, T, E>
where
    P: Fit<Array2<f64>, Array1<T>, E> + fmt::Debug + Send + Sync,
    P::Object: Send + Sync + 'static,
    T: ClassTarget,
    E: std::error::Error + From<linfa::Error>,
{
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let Prepared {
            bridge,
            values,
            frauds,
            weights,
        } = Bridge::prepare(LIBRARY, &self.adapter, samples)?;
        let rows = matrix(&bridge, values, frauds.len())?;
        let targets: Array1<T> = frauds.into_iter().map(T::of_class).collect();
        let mut data = DatasetBase::new(rows, targets);
        if samples.weights().is_some() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "linfa's weights have 32 bits"
            )]
            let weights = weights.into_iter().map(|weight| weight as f32);
            data = data.with_weights(weights.collect());
        }
        let model = self
            .params
            .fit(&data)
            .map_err(|error| bridge.failed("learn", error.to_string()))?;
        let answers = self.answers;
        let ask = move |bridge: &Bridge, values, rows| {
            let rows = matrix(bridge, values, rows)?;
            Ok(answers(&model, &rows).to_vec())
        };
        Ok(Box::new(Adapted {
            name: "LinfaModel",
            model: std::any::type_name::<P::Object>(),
            bridge,
            ask: Box::new(ask),
        }))
    }
}

fn matrix(bridge: &Bridge, values: Vec<f64>, rows: usize) -> Result<Array2<f64>, EnsembleError> {
    Array2::from_shape_vec((rows, bridge.inputs.len()), values)
        .map_err(|error| bridge.failed("take the rows", error.to_string()))
}
