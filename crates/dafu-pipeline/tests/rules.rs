//! Rules in a detector: as a stage, and as a policy.
#![cfg(all(feature = "rules", feature = "iforest"))]
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_core::model::Limits;
use dafu_core::table::ColumnData;
use dafu_core::{
    Assessment, Column, Currency, Decision, EntityKey, EntityKind, Money, Role, RuleOutcome, Table,
    Transaction,
};
use dafu_features::{FeatureSet, RecordKind};
use dafu_pipeline::{Detector, DetectorBuilder, PipelineError, stage_registry};
use dafu_rules::{Action, Combination, Conflict, Rule, RuleSet};
use dafu_sim::SimulatorParams;

fn payments() -> Vec<Transaction> {
    let simulator = SimulatorParams::default()
        .users(60)
        .days(12)
        .seed(3)
        .simulator()
        .unwrap();
    simulator.collect()
}

fn stage_rules() -> RuleSet {
    RuleSet::new([
        Rule::new("large", "amount > 60", 0.6).reason("paid {amount}"),
        Rule::new("many", "count(tx, by=user, within=24h) >= 5", 0.5),
        Rule::new(
            "night",
            "hour(timestamp) < 6 and merchant_id != 'nobody'",
            0.2,
        ),
    ])
    .combination(Combination::NoisyOr)
}

fn policy_rules() -> RuleSet {
    RuleSet::new([
        Rule::new("stop", "risk_score > 0.01 and rules_score >= 0.6", 0.9).action(Action::Decline),
        Rule::new("look", "isolation_forest_score > 0 and amount > 1", 0.1)
            .action(Action::FlagForReview),
    ])
}

fn builder() -> DetectorBuilder {
    Detector::builder()
        .seed(1)
        .mode(dafu_pipeline::Mode::Unsupervised)
}

fn detector(payments: &[Transaction]) -> Detector {
    let builder = builder()
        .default_stages()
        .rules(stage_rules())
        .policy_rules(policy_rules());
    builder.build().unwrap().fit(payments).unwrap()
}

#[test]
fn a_stage_of_rules_says_what_fired_and_why() {
    let payments = payments();
    let (past, new) = payments.split_at(payments.len() - 60);
    let mut detector = detector(past);
    let mut all = past.to_vec();
    let (mut large, mut many) = (0, 0);
    for payment in new {
        let answer = detector.score(payment).unwrap();
        all.push(payment.clone());
        let fired = |name: &str| {
            let found = answer.rules.iter().find(|(rule, _)| rule.as_str() == name);
            found.map(|(_, outcome)| *outcome) == Some(RuleOutcome::Fired)
        };
        assert_eq!(fired("large"), payment.amount.major() > 60.0);
        let day = 86_400_000_000;
        let count = all.iter().filter(|other| {
            other.user_id == payment.user_id && payment.timestamp.since(other.timestamp) < day
        });
        assert_eq!(fired("many"), count.count() >= 5);
        assert_eq!(fired("night"), payment.timestamp.hour() < 6);
        let evidence = answer
            .evidence
            .iter()
            .find(|found| found.stage.as_str() == "rules")
            .unwrap();
        let scores = [("large", 0.6), ("many", 0.5), ("night", 0.2)];
        let none = scores
            .iter()
            .filter(|(name, _)| fired(name))
            .fold(1.0, |none, (_, score)| none * (1.0 - score));
        assert_eq!(evidence.score.get(), (1.0_f64 - none).clamp(0.0, 1.0));
        let reason = answer
            .reasons
            .iter()
            .find(|reason| reason.code.as_str() == "rules.large");
        assert_eq!(reason.is_some(), fired("large"));
        if let Some(reason) = reason {
            assert!(reason.text.starts_with("paid "), "{}", reason.text);
            large += 1;
        }
        many += usize::from(fired("many"));
    }
    assert!(large > 3 && many > 3, "{large} {many}");
}

#[test]
fn a_policy_reads_scores_and_decides() {
    let payments = payments();
    let (past, new) = payments.split_at(payments.len() - 60);
    let mut detector = detector(past);
    let mut stopped = 0;
    for payment in new {
        let answer = detector.score(payment).unwrap();
        let fired = |name: &str| answer.rules.iter().any(|(rule, _)| rule.as_str() == name);
        let score = |stage: &str| {
            let found = answer
                .evidence
                .iter()
                .find(|found| found.stage.as_str() == stage);
            found.unwrap().score.get()
        };
        let stop = answer.risk_score.get() > 0.01 && score("rules") >= 0.6;
        assert_eq!(fired("stop"), stop);
        assert_eq!(fired("look"), payment.amount.major() > 1.0);
        if stop {
            assert_eq!(answer.decision, Decision::Decline);
            stopped += 1;
        } else if fired("look") {
            assert!(answer.decision >= Decision::Review);
        }
    }
    assert!(stopped > 3, "{stopped}");
}

#[test]
fn a_policy_may_only_be_milder_where_it_says_so() {
    let payments = payments();
    let decisions = |conflict| {
        let approve = RuleSet::new([Rule::new("all", "amount >= 0", 0.0).action(Action::Approve)])
            .conflict(conflict);
        let builder = builder().policy_rules(approve).contamination([0.5]);
        let mut detector = builder.build().unwrap().fit(&payments[..200]).unwrap();
        let answers = payments[200..260]
            .iter()
            .map(|payment| detector.score(payment).unwrap().decision);
        answers.collect::<Vec<_>>()
    };
    assert!(decisions(Conflict::Strictest).contains(&Decision::Review));
    assert!(
        decisions(Conflict::First)
            .iter()
            .all(|decision| *decision == Decision::Approve)
    );
    assert!(
        decisions(Conflict::ApproveOverrides)
            .iter()
            .all(|decision| *decision == Decision::Approve)
    );
}

#[test]
fn saved_detectors_keep_their_rules() {
    let payments = payments();
    let (past, new) = payments.split_at(payments.len() - 20);
    let mut detector = detector(past);
    let bytes = detector.to_bytes().unwrap();
    let mut again = Detector::load(&bytes, &stage_registry(Limits::default())).unwrap();
    again.restore(&detector.snapshot().unwrap()).unwrap();
    for payment in new {
        assert_eq!(
            again.score(payment).unwrap(),
            detector.score(payment).unwrap()
        );
    }
}

#[test]
fn tables_say_the_same_as_single_payments() {
    let payments = payments();
    let (past, new) = payments.split_at(payments.len() - 30);
    let mut detector = detector(past);
    let table = Table::from_transactions(new);
    let rows: Vec<usize> = (0..new.len()).collect();
    let together = detector.assess_table(&table, &rows).unwrap();
    for (payment, together) in new.iter().zip(together) {
        let alone = detector.score(payment).unwrap();
        assert_eq!(
            (alone.decision, &alone.rules),
            (together.decision, &together.rules)
        );
    }
}

#[test]
fn mistakes_in_rules_are_drawn() {
    let payments = payments();
    let fit = |builder: DetectorBuilder| {
        builder
            .build()
            .and_then(|trainer| trainer.fit(&payments[..]))
    };
    let wrong = RuleSet::new([Rule::new("slip", "amout > 3", 0.5)]);
    let stage = fit(builder().default_stages().rules(wrong.clone()))
        .map(|_| ())
        .unwrap_err();
    let text = std::error::Error::source(&stage)
        .map_or_else(|| stage.to_string(), |source| format!("{stage} {source}"));
    assert!(text.contains("did you mean `amount`?"), "{text}");
    let policy = fit(builder().policy_rules(wrong)).map(|_| ()).unwrap_err();
    assert!(
        matches!(policy, PipelineError::Rules(_)) && policy.to_string().contains("slip:1:1"),
        "{policy}"
    );
    // Windows have to be asked for before the history is gone through.
    let window = RuleSet::new([Rule::new("many", "count(tx, by=user, within=1h) > 2", 0.5)]);
    let alone = fit(builder()
        .default_stages()
        .stage(dafu_pipeline::RuleSpec::new(window.clone())));
    assert!(format!("{:?}", alone.map(|_| ()).unwrap_err()).contains("DetectorBuilder::rules"));
    // They join what is there.
    let set = FeatureSet::new(RecordKind::Transaction).feature(
        dafu_features::Window::new(dafu_features::Field::User, dafu_features::Measure::Count)
            .within(dafu_features::Span::hours(1)),
    );
    let detector = fit(builder().default_stages().features(set).rules(window)).unwrap();
    assert_eq!(detector.model().features().unwrap().features.len(), 1);
}

/// Answers to the last payments of a detector with these rules.
fn answers(
    with: impl FnOnce(DetectorBuilder) -> DetectorBuilder,
    payments: &[Transaction],
) -> Vec<Assessment> {
    let (past, new) = payments.split_at(payments.len() - 60);
    let trainer = with(builder().default_stages()).build().unwrap();
    let mut detector = trainer.fit(past).unwrap();
    let answers = new.iter().map(|payment| detector.score(payment).unwrap());
    answers.collect()
}

fn outcome(answer: &Assessment, name: &str) -> Option<RuleOutcome> {
    let mut rules = answer.rules.iter();
    let found = rules.find(|(rule, _)| rule.as_str() == name);
    found.map(|(_, outcome)| *outcome)
}

#[test]
fn a_custom_action_does_not_make_a_decision_milder() {
    let payments = payments();
    let rule = |id: &str, action| Rule::new(id, "amount > 0", 0.5).action(action);
    let notify = || rule("notify", Action::Custom("notify".into()));
    let decline = || rule("stop", Action::Decline);
    let decisions = |rules: Vec<Rule>| {
        let answers = answers(
            |builder| builder.policy_rules(RuleSet::new(rules)),
            &payments,
        );
        let decisions = answers.iter().map(|answer| answer.decision);
        decisions.collect::<Vec<_>>()
    };
    let all = decisions(vec![decline(), notify()]);
    assert!(all.iter().all(|decision| *decision == Decision::Decline));
    let alone = decisions(vec![notify()]);
    assert!(alone.iter().all(|decision| *decision >= Decision::Review));
    let challenge = decisions(vec![
        rule("prove", Action::AdditionalVerification),
        rule("look", Action::Review),
    ]);
    assert!(
        challenge
            .iter()
            .all(|decision| *decision >= Decision::Challenge)
    );
}

#[test]
fn rules_compare_amounts_in_the_currency_of_their_set() {
    let currencies = ["EUR", "JPY", "USD"].map(|code| Currency::new(code).unwrap());
    let mut payments = payments();
    for (place, payment) in payments.iter_mut().enumerate() {
        let amount = payment.amount.major();
        payment.amount = match place % 3 {
            0 => Money::from_major(amount, currencies[0]).unwrap(),
            // 100 yen are worth 0.5 euros.
            1 => Money::from_major((amount * 200.0).round(), currencies[1]).unwrap(),
            _ => Money::from_major(amount, currencies[2]).unwrap(),
        };
    }
    let set = || {
        RuleSet::new([Rule::new("large", "amount > 20 EUR", 0.5)])
            .currency(currencies[0])
            .rate(currencies[1], 0.005)
    };
    let stage = answers(|builder| builder.rules(set()), &payments);
    let policy = answers(|builder| builder.policy_rules(set()), &payments);
    let new = &payments[payments.len() - 60..];
    let mut seen = std::collections::BTreeSet::new();
    for (payment, answers) in new.iter().zip(stage.iter().zip(&policy)) {
        let amount = payment.amount.major();
        let euros = match payment.amount.currency().code() {
            "EUR" => Some(amount),
            "JPY" => Some(amount * 0.005),
            _ => None,
        };
        let expected = match euros {
            None => Some(RuleOutcome::NotEvaluated),
            Some(euros) => (euros > 20.0).then_some(RuleOutcome::Fired),
        };
        for answer in [answers.0, answers.1] {
            assert_eq!(outcome(answer, "large"), expected, "{}", payment.amount);
            // The record says which value was missing.
            let missing = euros.is_none().then(|| "amount is missing".to_owned());
            let told = answer.missing.iter().map(|(_, why)| why.clone());
            assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(missing));
        }
        seen.insert(format!("{expected:?}"));
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn the_record_has_the_hash_of_all_rules() {
    let payments = payments();
    let hash = |with: fn(DetectorBuilder) -> DetectorBuilder| {
        let answers = answers(with, &payments);
        answers[0].rule_set_hash
    };
    let none = hash(|builder| builder);
    let stage = hash(|builder| builder.rules(stage_rules()));
    let policy = hash(|builder| builder.policy_rules(policy_without_stage()));
    let both = hash(|builder| {
        builder
            .rules(stage_rules())
            .policy_rules(policy_without_stage())
    });
    assert_eq!(none, None);
    assert_eq!(stage, Some(stage_rules().hash()));
    assert_eq!(policy, Some(policy_without_stage().hash()));
    assert!(both.is_some() && both != stage && both != policy);
}

fn policy_without_stage() -> RuleSet {
    RuleSet::new([Rule::new("look", "risk_score > 0.5", 0.1)])
}

#[test]
fn sets_silence_rules_for_users_of_a_detector() {
    let payments = payments();
    let new = &payments[payments.len() - 60..];
    let user = EntityKey {
        kind: EntityKind::User,
        id: new[0].user_id.clone(),
    };
    let until = new[40].timestamp;
    let set = RuleSet::new([Rule::new("any", "amount > 0", 0.5)]).suppress("any", user, until);
    for answers in [
        answers(|builder| builder.rules(set.clone()), &payments),
        answers(|builder| builder.policy_rules(set.clone()), &payments),
    ] {
        for (payment, answer) in new.iter().zip(&answers) {
            let silent = payment.user_id == new[0].user_id && payment.timestamp < until;
            let expected = if silent {
                RuleOutcome::Suppressed
            } else {
                RuleOutcome::Fired
            };
            assert_eq!(outcome(answer, "any"), Some(expected));
        }
    }
}

#[test]
fn rules_of_the_platform_work_in_a_detector() {
    let payments = payments();
    let file = include_str!("../../dafu-rules/tests/data/rules.json").replace("> 10\"", "> 1\"");
    let set = RuleSet::from_json(&file).unwrap();
    let answers = answers(|builder| builder.rules(set), &payments);
    let new = &payments[payments.len() - 60..];
    let mut fired = 0;
    for (payment, answer) in new.iter().zip(&answers) {
        let hour = payments.iter().filter(|other| {
            let before = payment.timestamp.since(other.timestamp);
            other.user_id == payment.user_id && (0..3_600_000_000).contains(&before)
        });
        let often = hour.count() > 1;
        assert_eq!(
            outcome(answer, "velocity_rule") == Some(RuleOutcome::Fired),
            often
        );
        fired += usize::from(often);
    }
    assert!(fired > 0);
}

/// A table as platforms export it, without times and ids: one row in ten is far and often.
fn exported(third: &str) -> Table {
    let column = |name: &str, role, value: fn(usize) -> f64| Column {
        name: name.into(),
        role,
        data: ColumnData::Number((0..200).map(value).collect()),
    };
    let columns = vec![
        column("amount", Role::Amount, |row| 5.0 + (row % 17) as f64),
        column("transactions_per_hour", Role::Numeric, |row| {
            if row % 10 == 0 { 12.0 } else { 1.0 }
        }),
        column(third, Role::Numeric, |row| (row % 7) as f64 * 0.1),
    ];
    Table::new(columns, (1..=200).collect()).unwrap()
}

#[test]
fn a_column_called_like_a_window_is_meant_by_the_name() {
    let table = exported("distance_from_home");
    let often = || RuleSet::new([Rule::new("often", "transactions_per_hour > 10", 0.9)]);
    let both = builder().default_stages().rules(often());
    for builder in [
        builder().default_stages().rules(often()),
        builder().default_stages().policy_rules(often()),
        both.policy_rules(often()),
    ] {
        let detector = builder.build().unwrap().fit(&table).unwrap();
        assert!(detector.model().features().is_none());
        let bytes = detector.to_bytes().unwrap();
        let registry = stage_registry(Limits::default());
        for detector in [detector, Detector::load(&bytes, &registry).unwrap()] {
            let rows: Vec<usize> = (0..20).collect();
            let answers = detector.assess_table(&table, &rows).unwrap();
            for (row, answer) in answers.iter().enumerate() {
                let fired = outcome(answer, "often") == Some(RuleOutcome::Fired);
                assert_eq!(fired, row % 10 == 0);
            }
        }
    }
}

#[test]
fn windows_join_beside_a_column_called_like_another() {
    let payments = payments();
    let table = Table::from_transactions(&payments);
    let mut columns = table.columns().to_vec();
    columns.push(Column {
        name: "transactions_per_hour".into(),
        role: Role::Numeric,
        data: ColumnData::Number((0..table.rows()).map(|row| (row % 3) as f64).collect()),
    });
    let table = Table::new(columns, table.row_numbers().to_vec()).unwrap();
    let set = RuleSet::new([
        Rule::new("often", "transactions_per_hour > 1", 0.5),
        Rule::new("many", "count(tx, by=card, within=24h) >= 1", 0.5),
    ]);
    let with = |builder: DetectorBuilder| {
        let trainer = builder.rules(set.clone()).build().unwrap();
        trainer.fit(&table).unwrap()
    };
    let width = |detector: &Detector| detector.model().features().unwrap().features.len();
    let detector = with(builder().default_stages());
    assert_eq!(width(&detector), 1);
    let rows: Vec<usize> = (table.rows() - 6..table.rows()).collect();
    let answers = detector.assess_table(&table, &rows).unwrap();
    for (row, answer) in rows.iter().zip(&answers) {
        let fired = outcome(answer, "often") == Some(RuleOutcome::Fired);
        assert_eq!(fired, row % 3 == 2);
    }
    // A column that is left out means nothing.
    let left_out = builder()
        .default_stages()
        .role("transactions_per_hour", Role::Ignore);
    assert_eq!(width(&with(left_out)), 2);
}

#[test]
fn a_score_is_meant_before_a_column_of_its_name() {
    let table = exported("risk_score");
    let policy = RuleSet::new([
        Rule::new("any", "risk_score >= 0", 0.1),
        Rule::new("risky", "risk_score > 0.5", 0.5),
        Rule::new("told", "`risk_score (column)` > 0.35", 0.5),
    ]);
    let builder = builder().default_stages().contamination([0.3]);
    let trainer = builder.policy_rules(policy).build().unwrap();
    let detector = trainer.fit(&table).unwrap();
    let bytes = detector.to_bytes().unwrap();
    let registry = stage_registry(Limits::default());
    let rows: Vec<usize> = (0..table.rows()).collect();
    for detector in [detector, Detector::load(&bytes, &registry).unwrap()] {
        let answers = detector.assess_table(&table, &rows).unwrap();
        let mut risky = 0;
        for (row, answer) in answers.iter().enumerate() {
            let fired = |name: &str| outcome(answer, name) == Some(RuleOutcome::Fired);
            assert!(fired("any"));
            assert_eq!(fired("risky"), answer.risk_score.get() > 0.5);
            assert_eq!(fired("told"), row % 7 > 3);
            risky += usize::from(fired("risky") && !fired("told"));
        }
        assert!(risky > 3, "{risky}");
    }
}
