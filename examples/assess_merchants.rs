//! Which merchants to look at: chargebacks, patterns and places of each, with intervals and evidence, combined by rules.
//!
//! Run: `cargo run --release --example assess_merchants`
//!
//! Arguments: `--seed N` (default 42), `--users N` (default 2,000).
//!
//! Four months of payments at 500 merchants, read once and in bounded memory. Some terminals were compromised, stolen cards
//! were tried out at some shops, and rings of accounts used others; the labels of the last weeks are not known yet. A payment
//! known to be fraud is charged back. The simulator knows how many frauds each merchant had, known or not; the rules do not. Asked
//! twice: with what is known by then, and without any label or chargeback.
//!
//! Expected output: `examples/expected/assess_merchants.txt`.

use dafu::rules::{
    FactorKind, MerchantAssessment, MerchantBook, MerchantFactors, MerchantRiskProcessor, Rule,
};
use dafu::sim::{Scenario, ScenarioRates, SimulatorParams};
use dafu::{EntityId, Label, RiskBand, Timestamp, Transaction, TransactionStatus};
use dafu_examples::args::Args;
use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "assess_merchants [--seed N] [--users N]";
const DAYS: u32 = 120;
const DAY: i64 = 86_400_000_000;
/// Merchants in the table.
const SHOWN: usize = 12;
/// Frauds from which on a merchant counts as bad.
const BAD: u32 = 5;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Done<()> {
    let Some(args) = Args::read(USAGE, &["seed", "users"])? else {
        return Ok(());
    };
    let started = Instant::now();
    let rates = ScenarioRates::NONE
        .with(Scenario::CompromisedTerminal, 0.002)
        .with(Scenario::CardTesting, 0.001)
        .with(Scenario::Ring, 0.001);
    let params = SimulatorParams::default()
        .users(args.parsed("users", 2_000)?)
        .merchants(500)
        .days(DAYS)
        .rates(rates)
        .seed(args.parsed("seed", 42)?);
    let until = Timestamp::from_micros(params.start.as_micros() + i64::from(DAYS) * DAY)?;

    // One more rule than those that come along, in the same language.
    let rules = MerchantRiskProcessor::default_rules().rule(
        Rule::new("far_and_fresh", "age < 8w and far_share_low > 25%", 0.2)
            .reason("first seen {age} ago, a share of {far_share} from afar"),
    );
    let processor = MerchantRiskProcessor::new(&rules)?;
    let factors = MerchantFactors::default();
    let mut known = MerchantBook::new(until, &factors)?;
    let mut unlabelled = MerchantBook::new(until, &factors)?;
    let mut truth: BTreeMap<EntityId, Frauds> = BTreeMap::new();
    let mut payments = 0;
    for simulated in params.simulator()?.with_truth() {
        let kind = simulated.scenario;
        let mut payment = simulated.seen_at(until);
        if let Some(kind) = kind {
            let frauds = truth.entry(payment.merchant_id.clone()).or_default();
            *frauds.kinds.entry(kind).or_default() += 1;
            frauds.known += u32::from(payment.is_fraud == Label::Fraud);
        }
        charge_back(&mut payment);
        known.observe(&payment);
        forget(&mut payment);
        unlabelled.observe(&payment);
        payments += 1;
    }
    let answers = known.assess(&processor)?;
    println!(
        "{payments} payments at {} merchants up to {}",
        answers.len(),
        until.date()
    );
    let bands = RiskBand::ALL.iter().rev().map(|band| {
        let count = answers.iter().filter(|answer| answer.band == *band).count();
        format!("{count} {band}")
    });
    println!("by risk: {}\n", bands.collect::<Vec<_>>().join(", "));

    table(&answers, &truth);
    // The riskiest by each kind of fraud.
    for kind in [Scenario::CompromisedTerminal, Scenario::Ring] {
        let of_kind = |answer: &&MerchantAssessment| {
            let frauds = truth.get(&answer.merchant);
            frauds.is_some_and(|frauds| frauds.kinds.contains_key(&kind))
        };
        if let Some(answer) = answers.iter().find(of_kind) {
            reasons(answer);
        }
    }
    println!("\nof the merchants with {BAD} frauds or more, known or not:");
    found("with labels and chargebacks", &answers, &truth);
    let blind = unlabelled.assess(&processor)?;
    found("without any", &blind, &truth);
    println!("\nthe riskiest without any:");
    for answer in blind.iter().take(SHOWN) {
        let fired: Vec<&str> = answer.fired().map(|rule| rule.as_str()).collect();
        println!(
            "{:<8}  {:.2}  {:<34} {}",
            answer.merchant.as_str(),
            answer.risk_score.get(),
            fired.join(", "),
            frauds(truth.get(&answer.merchant))
        );
    }
    eprintln!("took {:.2} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What the simulator knows about a merchant.
#[derive(Default)]
struct Frauds {
    kinds: BTreeMap<Scenario, u32>,
    known: u32,
}

impl Frauds {
    fn all(&self) -> u32 {
        self.kinds.values().sum()
    }
}

/// The customer of a payment known to be fraud gets the money back.
fn charge_back(payment: &mut Transaction) {
    let declined = payment.status == Some(TransactionStatus::Declined);
    if payment.is_fraud == Label::Fraud && !declined {
        payment.status = Some(TransactionStatus::ChargedBack);
    }
}

/// The payment without what was known about it later.
fn forget(payment: &mut Transaction) {
    payment.is_fraud = Label::Unknown;
    if payment.status == Some(TransactionStatus::ChargedBack) {
        payment.status = Some(TransactionStatus::Approved);
    }
}

/// The riskiest merchants.
fn table(answers: &[MerchantAssessment], truth: &BTreeMap<EntityId, Frauds>) {
    println!(
        "merchant  risk  band      action        payments  charged back       shared  pace  frauds (known)"
    );
    for answer in answers.iter().take(SHOWN) {
        let value = |kind| answer.factor(kind).and_then(|factor| factor.value);
        let percent = |kind| match value(kind) {
            Some(share) => format!("{:.1}%", 100.0 * share),
            None => "-".into(),
        };
        let interval = answer
            .factor(FactorKind::ChargebackRate)
            .and_then(|factor| factor.interval);
        let interval = interval.map_or_else(String::new, |(low, high)| {
            format!("({:.1}-{:.1})", 100.0 * low, 100.0 * high)
        });
        println!(
            "{:<8}  {:.2}  {:<8}  {:<12}  {:>8}  {:>6} {:<11} {:>6}  {:>4.1}  {}",
            answer.merchant.as_str(),
            answer.risk_score.get(),
            answer.band,
            answer.action,
            value(FactorKind::Payments).unwrap_or(0.0),
            percent(FactorKind::ChargebackRate),
            interval,
            percent(FactorKind::SharedDeviceShare),
            value(FactorKind::VelocityChange).unwrap_or(f64::NAN),
            frauds(truth.get(&answer.merchant))
        );
    }
}

/// `31 (27) compromised_terminal`
fn frauds(frauds: Option<&Frauds>) -> String {
    let Some(frauds) = frauds else {
        return "0".into();
    };
    let kinds: Vec<&str> = frauds.kinds.keys().map(|kind| kind.name()).collect();
    format!("{} ({}) {}", frauds.all(), frauds.known, kinds.join(", "))
}

/// Why a merchant is risky: rules that fired with their parts of the risk, and the evidence of what they looked at.
fn reasons(answer: &MerchantAssessment) {
    println!("\n{}: {:.2}", answer.merchant, answer.risk_score.get());
    for (rule, reason) in answer.fired().zip(&answer.reasons) {
        println!("  {:.2} {:<21} {}", reason.contribution, rule, reason.text);
    }
    // The values of a reason are named as the factors, some with the end of an interval behind.
    let named = |name: &str| {
        let mut values = answer.reasons.iter().flat_map(|reason| &reason.values);
        values.any(|(value, _)| value == name || *value == format!("{name}_low"))
    };
    for factor in answer.factors.iter().filter(|factor| named(factor.name())) {
        if let Some(sentence) = factor.evidence.first() {
            let ids: Vec<&str> = factor.transactions.iter().map(|id| id.as_str()).collect();
            let such = match ids.first() {
                Some(first) => format!(" (the latest {first})"),
                None => String::new(),
            };
            println!("  - {sentence}{such}");
        }
    }
}

/// How many bad merchants have a risk, and how many others do.
fn found(what: &str, answers: &[MerchantAssessment], truth: &BTreeMap<EntityId, Frauds>) {
    let frauds = |answer: &MerchantAssessment| truth.get(&answer.merchant).map_or(0, Frauds::all);
    let raised = |answer: &&MerchantAssessment| answer.band > RiskBand::Low;
    let bad = || answers.iter().filter(|answer| frauds(answer) >= BAD);
    let clean = || answers.iter().filter(|answer| frauds(answer) == 0);
    println!(
        "  {what:<28} {} of {} raised, and {} of {} that had none",
        bad().filter(raised).count(),
        bad().count(),
        clean().filter(raised).count(),
        clean().count()
    );
}
