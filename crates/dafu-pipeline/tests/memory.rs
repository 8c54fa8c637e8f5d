//! The memory of a detector: taken, put back, and rid of an entity.
#![cfg(feature = "iforest")]
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::model::{Limits, ModelError};
use dafu_core::{
    Assessment, EntityKey, EntityKind, Evidence, Feedback, History, Label, SchemaHash, Score,
    Stage, StageError, StageInput, StageSpec, StageState, Table, TableSource, Transaction,
};
use dafu_features::{
    EventFeature, FeatureSet, Field, Labels, Measure, Quantity, RecordKind, Span, Window,
};
use dafu_pipeline::{Detector, DetectorBuilder, EvaluateOptions, PipelineError, stage_registry};
use dafu_sim::SimulatorParams;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

static HISTORY: LazyLock<Vec<Transaction>> = LazyLock::new(|| {
    let params = SimulatorParams::default().users(100).days(40).seed(17);
    params.simulator().unwrap().collect()
});

fn past() -> &'static [Transaction] {
    &HISTORY[..HISTORY.len() / 2]
}

fn rest() -> &'static [Transaction] {
    &HISTORY[HISTORY.len() / 2..]
}

fn fitted(builder: DetectorBuilder) -> Detector {
    builder.seed(3).build().unwrap().fit(past()).unwrap()
}

fn with_features() -> DetectorBuilder {
    let set = FeatureSet::standard().labels(Labels::AfterDelay(Span::days(2)));
    Detector::builder().features(set)
}

/// Knows of the user alone what came before.
fn by_user() -> DetectorBuilder {
    let day = |measure| Window::new(Field::User, measure).within(Span::days(1));
    let set = FeatureSet::new(RecordKind::Transaction)
        .feature(EventFeature::Value(Quantity::Amount))
        .feature(day(Measure::Count))
        .feature(day(Measure::Mean))
        .feature(Window::new(Field::User, Measure::SinceFirst));
    Detector::builder().features(set)
}

fn loaded(detector: &Detector) -> Detector {
    let registry = stage_registry(Limits::default());
    Detector::load(&detector.to_bytes().unwrap(), &registry).unwrap()
}

fn scored(detector: &mut Detector, events: &[Transaction]) -> Vec<Assessment> {
    let answers = events.iter().map(|tx| detector.score(tx).unwrap());
    answers.collect()
}

fn judged(detector: &Detector, source: &dyn TableSource) -> Vec<u64> {
    let mut risks = Vec::new();
    let options = EvaluateOptions::default();
    let mut sink = |_: &Table, scores: &[Score]| {
        risks.extend(scores.iter().map(|risk| risk.get().to_bits()));
        Ok(())
    };
    detector.evaluate_with(source, &options, &mut sink).unwrap();
    risks
}

fn fraud(tx: &Transaction) -> Feedback {
    Feedback {
        transaction_id: tx.transaction_id.clone(),
        label: Label::Fraud,
        known_at: tx.timestamp,
    }
}

fn user(tx: &Transaction) -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: tx.user_id.clone(),
    }
}

#[test]
fn a_restored_detector_goes_on_with_the_same_bits() {
    let mut detector = fitted(with_features());
    let (before, after) = rest().split_at(400);
    for (n, tx) in before.iter().enumerate() {
        detector.score(tx).unwrap();
        if n % 5 == 0 {
            assert!(detector.feedback(&fraud(tx)).unwrap());
        }
    }
    let bytes = detector.snapshot().unwrap();
    let mut restored = loaded(&detector);
    let fresh = restored.snapshot().unwrap();
    restored.restore(&bytes).unwrap();
    assert!(restored.snapshot().unwrap() == bytes);
    // What was answered is answered again, and counted once.
    for tx in before {
        assert_eq!(restored.score(tx).unwrap(), detector.score(tx).unwrap());
    }
    let mut restated = before[0].clone();
    restated.user_id = "somebody-else".parse().unwrap();
    let error = restored.score(&restated).unwrap_err();
    assert!(matches!(error, PipelineError::Conflict { .. }), "{error}");
    assert!(restored.snapshot().unwrap() == bytes);
    // Labels find transactions from before and after.
    let mut different = BTreeSet::new();
    for (n, tx) in after.iter().enumerate() {
        let answer = detector.score(tx).unwrap();
        assert_eq!(restored.peek(tx).unwrap(), answer);
        assert_eq!(restored.score(tx).unwrap(), answer);
        different.insert(answer.risk_score.get().to_bits());
        if n % 5 == 0 {
            for label in [fraud(tx), fraud(&before[n % 400])] {
                assert!(detector.feedback(&label).unwrap());
                assert!(restored.feedback(&label).unwrap());
            }
        }
    }
    assert!(different.len() > 300, "{}", different.len());
    let (one, other) = (detector.engine().unwrap(), restored.engine().unwrap());
    assert_eq!(one.stats(), other.stats());
    // A memory may also be put back to what it was, or to nothing.
    restored.restore(&bytes).unwrap();
    assert!(restored.snapshot().unwrap() == bytes);
    restored.restore(&fresh).unwrap();
    assert!(restored.snapshot().unwrap() == fresh);
    assert_eq!(restored.engine().unwrap().newest(), None);
}

#[test]
fn an_evaluation_begins_with_what_was_restored() {
    let fitted_one = fitted(with_features());
    let (first, second) = rest().split_at(400);
    let whole = judged(&fitted_one, &rest());
    // At the end of the history: as the detector that was fitted.
    let mut restored = loaded(&fitted_one);
    assert!(judged(&restored, &rest()) != whole);
    restored.restore(&fitted_one.snapshot().unwrap()).unwrap();
    assert!(judged(&restored, &rest()) == whole);
    // Later on: with what was scored until then, and not with what is scored from then on.
    let mut detector = fitted_one;
    scored(&mut detector, first);
    restored.restore(&detector.snapshot().unwrap()).unwrap();
    assert!(judged(&restored, &second) == whole[400..]);
    scored(&mut restored, second);
    assert!(judged(&restored, &second) == whole[400..]);
    assert!(judged(&detector, &rest()) == whole);
}

#[test]
fn the_memory_of_another_model_is_refused_and_the_own_stays() {
    let mut detector = fitted(with_features());
    scored(&mut detector, &rest()[..50]);
    let own = detector.snapshot().unwrap();
    for mut other in [
        fitted(Detector::builder()),
        fitted(by_user()),
        fitted(with_features().contamination([0.02])),
    ] {
        scored(&mut other, &rest()[..3]);
        let before = other.snapshot().unwrap();
        for (to, snapshot, stays) in [(&mut other, &own, &before), (&mut detector, &before, &own)] {
            let model = to.model().hash();
            let error = to.restore(snapshot).unwrap_err();
            assert!(error.to_string().contains("load the saved model"));
            let PipelineError::OtherModel { expected, got } = error else {
                unreachable!("{error}")
            };
            assert_eq!(expected, model);
            assert_ne!(got, model);
            assert!(to.snapshot().unwrap() == *stays);
        }
    }
    // A saved model is no memory, and a memory no model.
    let model = detector.to_bytes().unwrap();
    let error = detector.restore(&model).unwrap_err();
    let wrong =
        |error: &PipelineError| matches!(error, PipelineError::Model(ModelError::WrongKind { .. }));
    assert!(wrong(&error), "{error}");
    let registry = stage_registry(Limits::default());
    let error = Detector::load(&own, &registry).unwrap_err();
    assert!(wrong(&error), "{error}");
    assert!(detector.snapshot().unwrap() == own);
}

#[test]
fn a_forgotten_user_is_new() {
    let mut detector = Detector::from_model(Arc::clone(fitted(by_user()).model()));
    let mut without = Detector::from_model(Arc::clone(detector.model()));
    let (before, after) = rest().split_at(600);
    let next = after
        .iter()
        .find(|tx| {
            let own = before.iter().filter(|other| other.user_id == tx.user_id);
            own.count() > 5
        })
        .unwrap();
    for tx in before {
        detector.score(tx).unwrap();
        if tx.user_id != next.user_id {
            without.score(tx).unwrap();
        }
    }
    let known = detector.peek(next).unwrap();
    assert!(detector.forget(&user(next)));
    assert!(!detector.forget(&user(next)));
    let new = detector.peek(next).unwrap();
    assert_ne!(new, known);
    assert_eq!(new, without.peek(next).unwrap());
    // Nobody else is.
    for tx in after.iter().filter(|tx| tx.user_id != next.user_id) {
        assert_eq!(detector.score(tx).unwrap(), without.score(tx).unwrap());
    }
    // What is saved knows nothing, either: neither of the entity, nor of the answers to it.
    let own = before.iter().find(|tx| tx.user_id == next.user_id).unwrap();
    let id = own.transaction_id.as_str().as_bytes();
    let saved = detector.snapshot().unwrap();
    assert!(!saved.windows(id.len()).any(|part| part == id));
    let mut restored = loaded(&detector);
    restored.restore(&saved).unwrap();
    assert!(!restored.forget(&user(next)));
    assert_eq!(restored.score(next).unwrap(), new);
}

#[test]
fn evaluations_do_not_know_a_forgotten_entity() {
    let tx = &rest()[0];
    // At once, when what an evaluation begins with is the memory itself, and when it is another.
    let (mut at_once, mut later) = (fitted(by_user()), fitted(by_user()));
    let source = rest();
    let known = judged(&later, &source);
    scored(&mut later, &rest()[..20]);
    assert!(at_once.forget(&user(tx)));
    assert!(later.forget(&user(tx)));
    let new = judged(&at_once, &source);
    assert!(new != known);
    assert!(judged(&later, &source) == new);
    // Still one memory, and as good as any.
    assert_eq!(scored(&mut at_once, &rest()[..20]).len(), 20);
    assert!(judged(&at_once, &source) == new);
}

#[test]
fn answers_are_forgotten_by_whatever_their_transactions_name() {
    let mut tx = rest()[0].clone();
    tx.device = Some("phone".parse().unwrap());
    tx.email = Some("anna@example.org".parse().unwrap());
    tx.ip = Some("::ffff:10.0.0.7".parse().unwrap());
    tx.category = Some("food".parse().unwrap());
    tx.card = Some("token".parse().unwrap());
    tx.country = Some("FR".parse().unwrap());
    tx.tenant = Some("bank".parse().unwrap());
    let mut changed = tx.clone();
    changed.user_agent = Some("other".into());
    // Without features, answers are all there is.
    let mut detector = fitted(Detector::builder().remembered(2));
    let (user, shop) = (tx.user_id.to_string(), tx.merchant_id.to_string());
    for (kind, id) in [
        (EntityKind::User, user.as_str()),
        (EntityKind::Merchant, shop.as_str()),
        (EntityKind::Device, "phone"),
        (EntityKind::Email, "anna@example.org"),
        (EntityKind::Ip, "10.0.0.7"),
        (EntityKind::Ip, "::ffff:a00:7"),
        (EntityKind::Category, "food"),
        (EntityKind::Card, "token"),
        (EntityKind::Country, "FR"),
        (EntityKind::Tenant, "bank"),
    ] {
        detector.score(&tx).unwrap();
        detector.restore(&detector.snapshot().unwrap()).unwrap();
        assert!(detector.score(&changed).is_err());
        let id = id.parse().unwrap();
        let account = EntityKind::Account;
        let other = if kind == EntityKind::User {
            EntityKind::Merchant
        } else {
            EntityKind::User
        };
        for kind in [account, other] {
            let id = Clone::clone(&id);
            assert!(!detector.forget(&EntityKey { kind, id }));
        }
        assert!(detector.score(&changed).is_err());
        assert!(detector.forget(&EntityKey { kind, id }), "{kind:?}");
        // No conflict any more.
        detector.peek(&changed).unwrap();
    }
    // The places of those forgotten are free again, and the oldest still go first.
    scored(&mut detector, &rest()[1..3]);
    let gone = EntityKey {
        kind: EntityKind::User,
        id: rest()[2].user_id.clone(),
    };
    assert_ne!(rest()[1].user_id, gone.id);
    assert!(detector.forget(&gone));
    let remembers = |detector: &Detector, tx: &Transaction| {
        let mut changed = tx.clone();
        changed.user_agent = Some("other".into());
        detector.peek(&changed).is_err()
    };
    let known = |detector: &Detector| [1, 2, 3, 4].map(|at| remembers(detector, &rest()[at]));
    detector.score(&rest()[3]).unwrap();
    assert_eq!(known(&detector), [true, false, true, false]);
    detector.restore(&detector.snapshot().unwrap()).unwrap();
    detector.score(&rest()[4]).unwrap();
    assert_eq!(known(&detector), [false, false, true, true]);
}

/// Scores by how many events of the user it saw; its snapshots begin with its name.
#[derive(Debug, Clone)]
struct Counting(&'static str);
#[derive(Debug, Default)]
struct Counts {
    name: &'static str,
    users: Vec<String>,
}

impl StageSpec for Counting {
    fn name(&self) -> &str {
        self.0
    }
    fn needs_records(&self) -> bool {
        true
    }
    fn fit_stage(&self, _history: &History<'_>) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(self.clone()))
    }
}

impl Stage for Counting {
    fn name(&self) -> &str {
        self.0
    }
    fn kind(&self) -> &'static str {
        "test.counting"
    }
    fn needs_records(&self) -> bool {
        true
    }
    fn evaluate(
        &self,
        input: &StageInput<'_>,
        state: &dyn StageState,
    ) -> Result<Evidence, StageError> {
        let counts = state.as_any().downcast_ref::<Counts>().unwrap();
        let user = input.transaction.unwrap().user_id.as_str();
        let seen = counts.users.iter().filter(|other| *other == user).count();
        let score = Score::new(1.0 / (1.0 + seen as f64)).unwrap();
        Ok(Evidence::from_score(self.0.parse().unwrap(), score))
    }
    fn new_state(&self) -> Box<dyn StageState> {
        let (name, users) = (self.0, Vec::new());
        Box::new(Counts { name, users })
    }
    fn save(&self) -> Result<Vec<u8>, StageError> {
        dafu_core::model::Envelope::write(self.kind(), 1, SchemaHash(0), self.0.as_bytes())
            .map_err(|error| StageError::new(self.0, error))
    }
}

impl StageState for Counts {
    fn record(&mut self, input: &StageInput<'_>) -> Result<(), StageError> {
        let user = input.transaction.unwrap().user_id.to_string();
        self.users.push(user);
        Ok(())
    }
    fn feedback(&mut self, feedback: &Feedback) -> Result<(), StageError> {
        self.users.push(feedback.transaction_id.to_string());
        Ok(())
    }
    fn forget(&mut self, entity: &EntityKey) -> bool {
        let before = self.users.len();
        self.users.retain(|user| user != entity.id.as_str());
        self.users.len() < before
    }
    fn snapshot(&self) -> Result<Vec<u8>, StageError> {
        let lines = std::iter::once(self.name).chain(self.users.iter().map(String::as_str));
        Ok(lines.collect::<Vec<_>>().join("\n").into_bytes())
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), StageError> {
        let text = std::str::from_utf8(snapshot).unwrap();
        let mut lines = text.lines();
        if lines.next() != Some(self.name) {
            return Err(StageError::new(self.name, "the state of another stage"));
        }
        self.users = lines.map(str::to_owned).collect();
        Ok(())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn two_stages() -> Detector {
    let stages = [Counting("first"), Counting("second")];
    let [first, second] = stages;
    fitted(Detector::builder().stage(first).stage(second))
}

#[test]
fn stages_get_their_own_memory_back_and_forget() {
    let mut detector = two_stages();
    let model = Arc::clone(detector.model());
    scored(&mut detector, &rest()[..100]);
    detector.feedback(&fraud(&rest()[0])).unwrap();
    let bytes = detector.snapshot().unwrap();
    let mut restored = Detector::from_model(Arc::clone(&model));
    restored.restore(&bytes).unwrap();
    assert!(restored.snapshot().unwrap() == bytes);
    let after = &rest()[100..200];
    assert_eq!(scored(&mut restored, after), scored(&mut detector, after));
    let known = restored.peek(&rest()[200]).unwrap();
    let user = user(&rest()[200]);
    assert!(restored.forget(&user));
    assert!(!restored.forget(&user));
    let new = restored.peek(&rest()[200]).unwrap();
    assert!(
        new.evidence
            .iter()
            .all(|evidence| evidence.score == Score::ONE)
    );
    assert_ne!(new, known);
}

#[test]
fn a_stage_that_cannot_read_its_memory_leaves_all_as_it_was() {
    use dafu_core::model::Envelope;
    let mut detector = two_stages();
    scored(&mut detector, &rest()[..10]);
    let bytes = detector.snapshot().unwrap();
    let mut other = Detector::from_model(Arc::clone(detector.model()));
    scored(&mut other, &rest()[10..15]);
    let before = other.snapshot().unwrap();
    // The last stage fails when the first has its memory already.
    let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
    let header = envelope.header();
    let mut payload = envelope.payload().to_vec();
    let name = b"second\n";
    let at = payload.windows(name.len()).position(|part| part == name);
    payload[at.unwrap()] = b'S';
    let damaged = Envelope::write(
        header.kind(),
        header.schema_version(),
        header.schema_hash(),
        &payload,
    )
    .unwrap();
    let error = other.restore(&damaged).unwrap_err();
    assert!(matches!(error, PipelineError::Stage(_)), "{error}");
    assert!(other.snapshot().unwrap() == before);
    // States, answers and engine that do not fit the model.
    let one = |engine: Option<&[u8]>, states: &[&[u8]]| {
        let saved = (engine, states, [(); 0].as_slice());
        Envelope::encode(header.kind(), 1, header.schema_hash(), &saved).unwrap()
    };
    let (first, second) = (b"first".as_slice(), b"second".as_slice());
    other.restore(&one(None, &[first, second])).unwrap();
    let empty = Detector::from_model(Arc::clone(detector.model()));
    let empty = empty.snapshot().unwrap();
    assert!(other.snapshot().unwrap() == empty);
    for damaged in [
        one(None, &[first]),
        one(None, &[first, second, second]),
        one(None, &[second, first]),
        one(Some(first), &[first, second]),
    ] {
        other.restore(&damaged).unwrap_err();
        assert!(other.snapshot().unwrap() == empty);
    }
}
