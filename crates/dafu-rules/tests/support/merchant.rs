//! Small histories of a merchant, and what is said of them.

use dafu_core::{Currency, EntityId, Money, Timestamp, Transaction, TransactionStatus};
use dafu_rules::{
    Factor, FactorKind, MerchantAssessment, MerchantFactors, MerchantHistory, MerchantRiskProcessor,
};

pub(crate) const DAY: i64 = 86_400;
/// The moment that tests ask about.
pub(crate) const NOW: i64 = 400 * DAY;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

/// Days before the moment asked about.
pub(crate) fn ago(days: f64) -> Timestamp {
    at(NOW - (days * 86_400.0) as i64)
}

pub(crate) fn id(text: &str) -> EntityId {
    text.parse().unwrap()
}

/// A payment of 25.00 by a user of its own.
pub(crate) fn pay(number: usize, when: Timestamp) -> Transaction {
    let eur = Currency::new("EUR").unwrap();
    let mut payment = Transaction::new(
        format!("t-{number}").parse().unwrap(),
        id(&format!("u-{number}")),
        Money::from_minor(2_500, eur),
        id("shop"),
        when,
    );
    payment.status = Some(TransactionStatus::Approved);
    payment
}

pub(crate) fn minor(mut payment: Transaction, minor: i64) -> Transaction {
    payment.amount = Money::from_minor(minor, payment.amount.currency());
    payment
}

pub(crate) fn processor() -> MerchantRiskProcessor {
    MerchantRiskProcessor::new(&MerchantRiskProcessor::default_rules()).unwrap()
}

pub(crate) fn assess_with(
    payments: &[Transaction],
    factors: &MerchantFactors,
) -> MerchantAssessment {
    let history = MerchantHistory::new(at(NOW), payments);
    processor().assess(&id("shop"), &history, factors).unwrap()
}

pub(crate) fn assess(payments: &[Transaction]) -> MerchantAssessment {
    assess_with(payments, &MerchantFactors::default())
}

pub(crate) fn factor(answer: &MerchantAssessment, kind: FactorKind) -> &Factor {
    answer.factor(kind).unwrap()
}

pub(crate) fn value(answer: &MerchantAssessment, kind: FactorKind) -> f64 {
    factor(answer, kind).value.unwrap()
}

pub(crate) fn near(got: f64, expected: f64) {
    assert!(
        (got - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{got} instead of {expected}"
    );
}

/// The interval of Wilson as its textbooks have it.
pub(crate) fn wilson(hits: f64, of: f64) -> (f64, f64) {
    let z = 1.959_963_984_540_054_f64;
    let share = hits / of;
    let centre = (share + z * z / (2.0 * of)) / (1.0 + z * z / of);
    let half =
        z / (1.0 + z * z / of) * (share * (1.0 - share) / of + z * z / (4.0 * of * of)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

pub(crate) fn is_share(answer: &MerchantAssessment, kind: FactorKind, hits: u32, of: u32) {
    let factor = factor(answer, kind);
    assert_eq!(factor.events, u64::from(of), "{kind}");
    let (hits, of) = (f64::from(hits), f64::from(of));
    near(factor.value.unwrap(), hits / of);
    let (low, high) = factor.interval.unwrap();
    let (least, most) = wilson(hits, of);
    near(low, least);
    near(high, most);
}
