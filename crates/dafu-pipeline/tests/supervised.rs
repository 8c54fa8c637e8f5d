//! Detectors that learn from labels: blends, calibration, thresholds.
#![cfg(all(feature = "iforest", feature = "ensemble"))]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::evaluation::{LearningMode, ThresholdKind};
use dafu_core::metrics::{Costs, ThresholdGoal, log_loss};
use dafu_core::model::Limits;
use dafu_core::table::ColumnData;
use dafu_core::{Decision, FeatureType, Label, Role, Table, TableSource, Timestamp, Transaction};
use dafu_ensemble::combine::{
    BlendFolds, BlendParams, Combination, GreedyParams, StackParams, VoteKind, VoteWeights,
};
use dafu_ensemble::{
    BalancedBaggingParams, BoostedTreesParams, CalibrationMethod, Classifier, EnsembleError,
    Learner, LogisticRegressionParams, NeuralNetParams, RandomForestParams, Samples,
};
use dafu_features::{ColumnParams, Encoding, FeatureSet, Labels, PreprocessorParams, Span};
use dafu_pipeline::{
    Detector, DetectorBuilder, ForestSpec, LearnerSpec, Mode, ModelsFile, PipelineError, TimeSlice,
    stage_registry,
};
use dafu_sim::SimulatorParams;
use ndarray::ArrayView2;
use std::sync::{Arc, LazyLock, Mutex};

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(600).days(60).seed(21);
    params.simulator().unwrap().collect()
});

fn cut() -> Timestamp {
    let (first, last) = (HISTORY[0].timestamp, HISTORY[HISTORY.len() - 1].timestamp);
    Timestamp::from_micros(first.as_micros() + last.since(first) / 5 * 4).unwrap()
}

/// Small trees, so that tests are quick.
fn quick() -> DetectorBuilder {
    let trees = BoostedTreesParams::default()
        .n_estimators(30)
        .learning_rate(0.2)
        .max_leaves(8);
    Detector::builder()
        .stage(LearnerSpec::boosted_trees(trees))
        .stage(LearnerSpec::logistic_regression(
            LogisticRegressionParams::default(),
        ))
        .seed(4)
}

fn fit(builder: DetectorBuilder) -> Detector {
    let trainer = builder.build().unwrap();
    trainer.fit(&TimeSlice::until(&*HISTORY, cut())).unwrap()
}

/// Sums over later rows: of the risks, of their variances, and the frauds.
fn later_rows(detector: &Detector) -> (f64, f64, f64) {
    let later = TimeSlice::after(&*HISTORY, cut());
    let (mut expected, mut spread, mut frauds) = (0.0, 0.0, 0.0);
    for table in later.chunks().unwrap() {
        let table = table.unwrap();
        let labels = table.by_role(Role::Label).unwrap().labels().unwrap();
        for (risk, label) in detector.score_table(&table).unwrap().iter().zip(labels) {
            expected += risk.get();
            spread += risk.get() * (1.0 - risk.get());
            frauds += f64::from(u8::from(*label == Label::Fraud));
        }
    }
    (expected, spread, frauds)
}

#[test]
fn the_risk_is_a_probability_that_holds_on_later_rows() {
    let detector = fit(quick());
    assert_eq!(detector.model().mode(), LearningMode::Supervised);
    let (expected, spread, frauds) = later_rows(&detector);
    // Frauds of a calibrated detector are a sum of independent draws; those of the simulator come in episodes.
    assert!(
        (frauds - expected).abs() < 6.0 * spread.sqrt(),
        "{frauds} {expected}"
    );
    assert!(frauds > 50.0);
    let evaluation = detector
        .evaluate(&TimeSlice::after(&*HISTORY, cut()))
        .unwrap();
    let unsupervised = fit(Detector::builder().seed(4).mode(Mode::Unsupervised));
    let without = unsupervised
        .evaluate(&TimeSlice::after(&*HISTORY, cut()))
        .unwrap();
    let precision =
        |evaluation: &dafu_core::Evaluation| evaluation.ranking.as_ref().unwrap().average_precision;
    assert!(precision(&evaluation) > precision(&without));
}

#[test]
fn every_calibration_holds_and_is_saved() {
    for method in [
        CalibrationMethod::Isotonic,
        CalibrationMethod::Beta,
        CalibrationMethod::VennAbers,
    ] {
        let detector = fit(quick().calibration(method));
        let (expected, spread, frauds) = later_rows(&detector);
        assert!(
            (frauds - expected).abs() < 6.0 * spread.sqrt(),
            "{method:?} {frauds} {expected}"
        );
        let bytes = detector.to_bytes().unwrap();
        let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
        for payment in HISTORY.iter().rev().take(20) {
            assert_eq!(
                loaded.peek(payment).unwrap(),
                detector.peek(payment).unwrap()
            );
        }
    }
}

/// Log odds of another learner to the third power, and no saved form.
#[derive(Debug)]
struct Distorted(Box<dyn Classifier>);

#[derive(Debug)]
struct DistortedLearner;

impl Learner for DistortedLearner {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        let model = LogisticRegressionParams::default().learn(samples)?;
        Ok(Box::new(Distorted(model)))
    }
}

impl Classifier for Distorted {
    fn width(&self) -> usize {
        self.0.width()
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        self.0.log_odds_rows(rows, out)?;
        for odds in out {
            *odds = (*odds + 5.0).powi(3);
        }
        Ok(())
    }
}

#[test]
fn a_learner_of_another_library_is_a_stage_that_is_calibrated() {
    let loss = |method| {
        let spec = LearnerSpec::new("distorted", DistortedLearner);
        let detector = fit(Detector::builder().stage(spec).calibration(method));
        let error = detector.to_bytes().unwrap_err();
        assert!(error.to_string().contains("distorted"), "{error}");
        let (mut frauds, mut risks) = (Vec::new(), Vec::new());
        for table in TimeSlice::after(&*HISTORY, cut()).chunks().unwrap() {
            let table = table.unwrap();
            let labels = table.by_role(Role::Label).unwrap().labels().unwrap();
            frauds.extend(labels.iter().map(|label| *label == Label::Fraud));
            risks.extend(
                detector
                    .score_table(&table)
                    .unwrap()
                    .iter()
                    .map(|risk| risk.get()),
            );
        }
        log_loss(&frauds, &risks, None).unwrap()
    };
    // A line cannot undo a third power, isotonic steps can.
    let (line, steps) = (
        loss(CalibrationMethod::Platt),
        loss(CalibrationMethod::VennAbers),
    );
    assert!(steps < 0.98 * line, "{steps} {line}");
}

#[test]
fn an_answer_says_how_sure_it_is_and_gives_reasons_of_the_learners() {
    let mut detector = fit(quick());
    let later = HISTORY.iter().filter(|payment| payment.timestamp > cut());
    let mut seen = [false; 2];
    for payment in later.take(2000) {
        let answer = detector.score(payment).unwrap();
        let confidence = answer.confidence.unwrap().get();
        let risk = answer.risk_score.get();
        let expected = if answer.is_fraud { risk } else { 1.0 - risk };
        assert!((confidence - expected).abs() < 1e-12);
        assert_eq!(answer.model_used, "boosted_trees+logistic_regression");
        seen[usize::from(answer.is_fraud)] = true;
        if answer.is_fraud {
            assert!(!answer.reasons.is_empty());
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_saved_blend_answers_the_same() {
    let detector = fit(quick());
    let bytes = detector.to_bytes().unwrap();
    let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    assert_eq!(loaded.model().hash(), detector.model().hash());
    for payment in HISTORY.iter().rev().take(50) {
        assert_eq!(
            loaded.peek(payment).unwrap(),
            detector.peek(payment).unwrap()
        );
    }
    for end in (0..bytes.len()).step_by(997) {
        assert!(Detector::load(&bytes[..end], &stage_registry(Limits::default())).is_err());
    }
}

#[test]
fn thresholds_follow_goals_and_budgets() {
    let costs = Costs::default()
        .true_positive(5.0)
        .false_positive(5.0)
        .false_negative(0.0)
        .missed_amount(1.0);
    let detector = fit(quick().goal(ThresholdGoal::MinCost(costs)));
    let later = TimeSlice::after(&*HISTORY, cut());
    let evaluation = detector.evaluate(&later).unwrap();
    let chosen = evaluation.chosen_threshold().unwrap();
    assert_eq!(
        (chosen.kind, chosen.name.as_str()),
        (ThresholdKind::LowestCost, "lowest cost, held out")
    );
    assert!(chosen.alerts > 0 && chosen.alert_share < 0.2, "{chosen:?}");

    let goal = ThresholdGoal::RecallFloor { floor: 0.4 };
    let evaluation = fit(quick().goal(goal)).evaluate(&later).unwrap();
    let confusion = evaluation.chosen_threshold().unwrap().confusion.unwrap();
    assert!(confusion.recall() > 0.2, "{}", confusion.recall());

    let detector = fit(quick().alerts_per_day(8.0));
    let evaluation = detector.evaluate(&later).unwrap();
    let chosen = evaluation.chosen_threshold().unwrap();
    assert_eq!(chosen.kind, ThresholdKind::AlertsPerDay(8.0));
    let a_day = chosen.alerts as f64 / 12.0;
    assert!((4.0..=14.0).contains(&a_day), "{a_day}");
}

#[test]
fn a_budget_of_alerts_needs_no_labels() {
    let detector = fit(Detector::builder()
        .mode(Mode::Unsupervised)
        .alerts_per_day(6.0));
    let evaluation = detector
        .evaluate(&TimeSlice::until(&*HISTORY, cut()))
        .unwrap();
    let a_day = evaluation.chosen_threshold().unwrap().alerts as f64 / 48.0;
    assert!((5.5..=6.1).contains(&a_day), "{a_day}");
}

#[test]
fn learners_are_left_out_where_there_is_nothing_to_learn_from() {
    let unlabelled: Vec<Transaction> = HISTORY
        .iter()
        .take(5000)
        .map(|payment| payment.clone().with_label(Label::Unknown))
        .collect();
    let detector = Detector::builder()
        .build()
        .unwrap()
        .fit(&unlabelled)
        .unwrap();
    let stages: Vec<&str> = detector
        .model()
        .stages()
        .map(dafu_core::Stage::name)
        .collect();
    assert_eq!(stages, ["isolation_forest"]);
    assert!(detector.peek(&unlabelled[0]).unwrap().confidence.is_none());

    let error = quick().build().unwrap().fit(&unlabelled).unwrap_err();
    assert!(matches!(error, PipelineError::LabelsNeeded), "{error}");
    let goal = Detector::builder().goal(ThresholdGoal::MaxFBeta { beta: 2.0 });
    let error = goal.build().unwrap().fit(&unlabelled).unwrap_err();
    assert!(matches!(error, PipelineError::LabelsNeeded), "{error}");
    let error = Detector::builder().alerts_per_day(0.0).build().unwrap_err();
    assert!(
        matches!(error, PipelineError::AlertsPerDay { .. }),
        "{error}"
    );
}

#[test]
fn a_detector_that_names_no_stage_learns_forest_trees_and_regression() {
    let detector = Detector::builder()
        .seed(1)
        .build()
        .unwrap()
        .fit(&*HISTORY)
        .unwrap();
    let stages: Vec<&str> = detector
        .model()
        .stages()
        .map(dafu_core::Stage::name)
        .collect();
    assert_eq!(
        stages,
        ["isolation_forest", "boosted_trees", "logistic_regression"]
    );
}

#[test]
fn models_json_builds_its_boosted_trees() {
    let file = ModelsFile::parse(
        r#"{"xgboost": {"n_estimators": 20, "max_depth": 3, "learning_rate": 0.1, "subsample": 0.8}}"#,
    );
    let detector = fit(Detector::builder().models(file.unwrap()).seed(2));
    let stages: Vec<&str> = detector
        .model()
        .stages()
        .map(dafu_core::Stage::name)
        .collect();
    assert_eq!(stages, ["boosted_trees"]);
    let wrong = ModelsFile::parse(r#"{"xgboost": {"learning_rate": 7.0}}"#).unwrap();
    assert!(Detector::builder().models(wrong).build().is_err());
}

#[test]
fn labels_that_are_not_yet_known_are_not_learned_from() {
    // Rows that the learner is given, fold after fold and at last all of them.
    #[derive(Debug, Default)]
    struct Counting(Arc<Mutex<Vec<usize>>>);
    impl Learner for Counting {
        fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
            self.0.lock().unwrap().push(samples.rows().nrows());
            LogisticRegressionParams::default().learn(samples)
        }
    }
    let given = |builder: DetectorBuilder| {
        let counts: Arc<Mutex<Vec<usize>>> = Arc::default();
        let learner = Counting(Arc::clone(&counts));
        fit(builder.stage(LearnerSpec::new("counting", learner)));
        std::mem::take(&mut *counts.lock().unwrap())
    };
    let at_once = given(Detector::builder());
    let rows = at_once[0];
    assert_eq!(at_once, [rows, rows * 2 / 5, rows * 3 / 5, rows * 4 / 5]);
    // 48 days in all: a week is between a ninth and a fifth of the rows.
    let late = given(Detector::builder().label_delay(Span::days(7)));
    for (late, at_once) in late[1..].iter().zip(&at_once[1..]) {
        let missing = at_once - late;
        assert!(
            (rows / 9..rows / 5).contains(&missing),
            "{missing} of {rows}"
        );
    }
    let set = FeatureSet::handbook().labels(Labels::AfterDelay(Span::days(7)));
    let by_set = given(Detector::builder().features(set).warm_up(0.0));
    assert_eq!(by_set, late);
}

#[test]
fn rows_without_a_label_at_the_end_are_no_hindrance() {
    let mut history = HISTORY.clone();
    let known = history.len() * 3 / 4;
    for payment in &mut history[known..] {
        payment.is_fraud = Label::Unknown;
    }
    let detector = quick().build().unwrap().fit(&history).unwrap();
    assert!(detector.peek(&history[0]).unwrap().confidence.is_some());
    // All frauds at the end: nothing can be held out.
    let mut history = HISTORY.clone();
    let early = history.len() * 5 / 6;
    for payment in &mut history[..early] {
        payment.is_fraud = Label::Legitimate;
    }
    let detector = quick()
        .mode(Mode::Supervised)
        .build()
        .unwrap()
        .fit(&history)
        .unwrap();
    assert!(
        detector
            .model()
            .thresholds()
            .last()
            .unwrap()
            .name
            .contains("in-sample")
    );
}

#[test]
fn a_budget_holds_with_features_that_are_warmed_up() {
    for warm_up in [0.0, 0.5] {
        let builder = Detector::builder()
            .mode(Mode::Unsupervised)
            .alerts_per_day(6.0);
        let detector = fit(builder.features(FeatureSet::handbook()).warm_up(warm_up));
        let expected = detector
            .model()
            .thresholds()
            .last()
            .unwrap()
            .expected_alert_share
            .unwrap();
        let (rows, _) = detector.model().training_rows();
        let days = 48.0 * (1.0 - warm_up);
        let a_day = expected * rows as f64 / days;
        assert!((5.0..=6.2).contains(&a_day), "{warm_up}: {a_day}");
    }
}

#[test]
fn a_policy_decides_by_what_mistakes_about_a_payment_cost() {
    let costs = Costs::default()
        .true_positive(5.0)
        .false_positive(5.0)
        .false_negative(0.0)
        .missed_amount(1.0);
    let detector = fit(quick().policy(costs));
    assert_eq!(detector.model().policy(), Some(&costs));
    let bytes = detector.to_bytes().unwrap();
    let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    let (mut alerts, mut apart) = (0, 0);
    let rest = HISTORY.iter().filter(|payment| payment.timestamp > cut());
    let rest = rest.take(2_000);
    for payment in rest {
        let answer = detector.peek(payment).unwrap();
        // Elkan's equation 2 by hand: looking costs 5, not looking what is lost on average.
        let loss = answer.risk_score.get() * payment.amount.major();
        if (loss - 5.0).abs() > 1e-9 {
            assert_eq!(answer.decision != Decision::Approve, loss > 5.0);
        }
        alerts += usize::from(loss > 5.0);
        apart += usize::from(answer.is_fraud != (loss > 5.0));
        assert_eq!(loaded.peek(payment).unwrap(), answer);
    }
    assert!(alerts > 20 && apart > 20, "{alerts}, {apart}");

    let trainer = quick().policy(costs).mode(Mode::Unsupervised);
    let trainer = trainer.stage(ForestSpec::default()).build().unwrap();
    let error = trainer.fit(&HISTORY[..500]).unwrap_err();
    assert!(matches!(error, PipelineError::NotCalibrated), "{error}");
    let error = quick().policy(costs.true_positive(f64::NAN)).build();
    assert!(matches!(error.unwrap_err(), PipelineError::Metrics(_)));
}

#[test]
fn a_policy_by_amounts_leaves_rows_without_one_to_the_threshold() {
    // By costs every row with an amount is worth a look.
    let costs = Costs::default().false_positive(0.0).missed_amount(1.0);
    let detector = fit(quick().policy(costs));
    let table = Table::from_transactions(&HISTORY[..200]);
    let mut columns = table.columns().to_vec();
    for column in &mut columns {
        if column.role == Role::Amount
            && let ColumnData::Number(amounts) = &mut column.data
        {
            amounts[..100].fill(f64::NAN);
        }
    }
    let table = Table::new(columns, table.row_numbers().to_vec()).unwrap();
    let rows: Vec<usize> = (0..200).collect();
    let answers = detector.assess_table(&table, &rows).unwrap();
    for (row, answer) in answers.iter().enumerate() {
        let look = answer.decision != Decision::Approve;
        assert_eq!(look, answer.is_fraud || row >= 100, "{row}");
    }
    assert!(answers[..100].iter().any(|answer| !answer.is_fraud));
}

#[test]
fn every_kind_of_learner_that_adds_up_gives_reasons() {
    let bags = BalancedBaggingParams::new(LogisticRegressionParams::default()).bags(3);
    let regression = LogisticRegressionParams::default();
    let forest = RandomForestParams::default().n_estimators(10).max_depth(6);
    for spec in [
        LearnerSpec::logistic_regression(regression),
        LearnerSpec::new("bags", bags),
        LearnerSpec::random_forest(forest),
    ] {
        let detector = fit(Detector::builder().stage(spec));
        let fraud = HISTORY
            .iter()
            .find(|payment| payment.is_fraud == Label::Fraud);
        let answer = detector.peek(fraud.unwrap()).unwrap();
        let reason = &answer.reasons[0];
        assert!(reason.contribution > 0.0, "{reason:?}");
        let shares: f64 = answer.explanations.values().sum();
        assert!(
            (shares - answer.risk_score.get()).abs() < 1e-9,
            "{answer:?}"
        );
    }
}

#[test]
fn networks_and_blends_are_stages_without_reasons() {
    let network = NeuralNetParams::default().hidden_layers(vec![4]).epochs(2);
    let folds = BlendFolds::InOrder {
        folds: 2,
        test: 0.2,
        gap: 0.0,
    };
    let blend = BlendParams::new(Combination::Stack(StackParams::default()), folds)
        .member("regression", Box::new(LogisticRegressionParams::default()));
    for spec in [
        LearnerSpec::new("network", network),
        LearnerSpec::new("blend", blend),
    ] {
        let detector = fit(Detector::builder().stage(spec));
        let bytes = detector.to_bytes().unwrap();
        let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
        for payment in HISTORY.iter().rev().take(20) {
            let answer = detector.peek(payment).unwrap();
            assert!(answer.confidence.is_some());
            assert_eq!(loaded.peek(payment).unwrap(), answer);
        }
    }
}

#[test]
fn trees_split_by_the_categories_of_the_schema_and_keep_constraints_by_name() {
    // What a learner is given: the schema tells columns by name, and which hold codes.
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let names = Arc::clone(&seen);
    let spec = LearnerSpec::by_schema("by schema", move |schema| {
        let features = schema.features().iter();
        let codes =
            features.filter(|feature| matches!(feature.feature_type, FeatureType::Category { .. }));
        let codes = codes.map(|feature| feature.name.to_string());
        names.lock().unwrap().extend(codes);
        schema.position("amount").ok_or("no amount")?;
        Ok(Box::new(LogisticRegressionParams::default()))
    });
    let ordinal = PreprocessorParams::default().column(
        "category",
        ColumnParams::default().encoding(Encoding::Ordinal),
    );
    fit(Detector::builder()
        .preprocessor(ordinal.clone())
        .stage(spec));
    assert!(
        seen.lock().unwrap().contains(&"category".to_owned()),
        "{seen:?}"
    );

    let trees = BoostedTreesParams::default().n_estimators(10).max_leaves(8);
    let answers = |spec: LearnerSpec| {
        let detector = fit(Detector::builder()
            .preprocessor(ordinal.clone())
            .stage(spec));
        let risk = |payment| detector.peek(payment).unwrap().risk_score.get();
        HISTORY
            .iter()
            .rev()
            .take(200)
            .map(risk)
            .collect::<Vec<f64>>()
    };
    let by_categories = answers(LearnerSpec::boosted_trees(trees.clone()));
    assert_ne!(
        by_categories,
        answers(LearnerSpec::new("boosted_trees", trees))
    );
    let missing = LearnerSpec::by_schema("missing", |schema| {
        schema
            .position("no such feature")
            .ok_or("no such feature")?;
        Ok(Box::new(LogisticRegressionParams::default()))
    });
    let trainer = Detector::builder().stage(missing).build().unwrap();
    let error = trainer.fit(&*HISTORY).unwrap_err();
    assert!(error.to_string().contains("no such feature"), "{error}");
}

#[test]
fn stages_are_blended_as_asked() {
    let vote = |kind, weights| Combination::Vote { kind, weights };
    let given = |first, second| vote(VoteKind::LogOdds, VoteWeights::Given(vec![first, second]));
    let risks = |builder: DetectorBuilder| {
        let detector = fit(builder);
        let bytes = detector.to_bytes().unwrap();
        let loaded = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
        let risk = |payment| loaded.peek(payment).unwrap().risk_score.get();
        HISTORY
            .iter()
            .rev()
            .take(100)
            .map(risk)
            .collect::<Vec<f64>>()
    };
    // All weight on the second stage: the blend is that stage alone, calibrated.
    let regression = LearnerSpec::logistic_regression(LogisticRegressionParams::default());
    let alone = risks(
        Detector::builder()
            .stage(regression)
            .combination(vote(VoteKind::LogOdds, VoteWeights::Equal)),
    );
    let second = risks(quick().combination(given(0.0, 1.0)));
    for (one, two) in alone.iter().zip(&second) {
        assert!((one - two).abs() < 1e-9, "{one} {two}");
    }
    let both = risks(quick().combination(given(1.0, 1.0)));
    assert_ne!(both, second);
    assert_eq!(
        both,
        risks(quick().combination(vote(VoteKind::LogOdds, VoteWeights::Equal)))
    );
    for way in [
        VoteWeights::Gain(1.0),
        VoteWeights::Greedy(GreedyParams::default()),
    ] {
        let (expected, spread, frauds) =
            later_rows(&fit(quick().combination(vote(VoteKind::LogOdds, way))));
        assert!(
            (frauds - expected).abs() < 6.0 * spread.sqrt(),
            "{frauds} {expected}"
        );
    }
    for way in [
        vote(VoteKind::Rank, VoteWeights::Equal),
        Combination::Max { ranks: false },
        Combination::Stack(StackParams::default().ranks(true)),
    ] {
        let error = quick().combination(way).build().unwrap_err();
        assert!(matches!(error, PipelineError::Combination), "{error}");
    }
}
