//! Rules: a file, its mistakes, decisions, and why a rule fired or did not.
//!
//! Run: `cargo run --release --example write_rules`
//!
//! Arguments: `--rules FILE` (JSON or TOML; default: rules of this example), `--seed N` (default 42).
//!
//! Expected output: `examples/expected/write_rules.txt`.

use dafu::rules::{Moment, RuleEngine, RuleError, RuleSchema, RuleSet, TransactionRow, Truth};
use dafu::sim::SimulatorParams;
use dafu::{FeatureEngine, FeatureSet, RuleOutcome, Transaction, WindowProvider};
use dafu_examples::args::Args;
use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "write_rules [--rules FILE] [--seed N]";

/// As somebody wrote them the first time.
const FIRST_TRY: &str = r#"
[[rules]]
id = "large_at_night"
condition = "amout > 200 and time_of_day(timestamp) between 22:00 and 06:00"
risk_score = 0.4

[[rules]]
id = "far_away"
condition = "distance_from_home > 30min"
risk_score = 0.5
"#;

const RULES: &str = r#"
version = 1
combination = "noisy_or"

[[rules]]
id = "large_at_night"
condition = "amount > 200 and time_of_day(timestamp) between 22:00 and 06:00"
risk_score = 0.4
action = "flag_for_review"
reason = "paid {amount} at night"

[[rules]]
id = "far_away"
condition = "distance_from_home > 1000km and amount > 50"
risk_score = 0.5
action = "location_verification"
reason = "paid {distance_from_home} from home"

[[rules]]
id = "many_in_an_hour"
condition = "count(tx, by=user, within=1h) >= 5 or count(tx, by=user, within=10min) >= 3"
risk_score = 0.6
action = "challenge"

[[rules]]
id = "watched"
condition = "merchant_id in @watched"
risk_score = 0.3
action = "flag_for_review"
state = "shadow"

[[lists]]
name = "watched"
kind = "watch"
entries = [{ value = "m-7", until = "2024-01-20" }, { value = "m-21" }]
"#;

fn main() -> ExitCode {
    dafu_examples::exit(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let Some(args) = Args::read(USAGE, &["rules", "seed"])? else {
        return Ok(());
    };
    let schema = RuleSchema::transaction();

    // 1. Names, types and units are checked before the first payment comes.
    println!("the first try:\n");
    if let Err(mistakes) = RuleSet::from_toml(FIRST_TRY)?.compile(&schema) {
        println!("{mistakes}");
    }

    // 2. Rules that can be used. Windows in them are asked of an engine of features.
    let rules = read_rules(args.value("rules"))?;
    let engine = rules.compile(&schema)?;
    let mut windows = Windows::new(&engine)?;
    println!(
        "\n{} rules, {} windows, hash {:016x}",
        rules.rules.len(),
        engine.windows().len(),
        engine.hash()
    );

    // 3. Payments, one after the other.
    let simulator = SimulatorParams::default()
        .users(200)
        .days(30)
        .seed(args.parsed("seed", 42)?)
        .simulator()?;
    let payments: Vec<Transaction> = simulator.collect();
    let mut outcomes: BTreeMap<(String, &str), usize> = BTreeMap::new();
    let mut riskiest: Option<(f64, usize, Vec<f64>)> = None;
    for (place, payment) in payments.iter().enumerate() {
        let numbers = windows.numbers(payment, engine.schema())?;
        let mut buffer = String::new();
        let texts = TransactionRow::new(payment, engine.schema(), &mut buffer).texts;
        let row = dafu::rules::Row {
            numbers: &numbers,
            texts: &texts,
        };
        let report = engine.evaluate(row, &Moment::at(payment.timestamp))?;
        for (rule, outcome) in engine.named_outcomes(&report) {
            *outcomes
                .entry((rule.to_string(), word(outcome)))
                .or_default() += 1;
        }
        let risk = report.risk_score.get();
        if riskiest.as_ref().is_none_or(|(most, ..)| risk > *most) {
            riskiest = Some((risk, place, numbers));
        }
    }
    println!("\nof {} payments:", payments.len());
    for ((rule, outcome), count) in &outcomes {
        println!("  {rule:<16} {outcome:<14} {count}");
    }

    // 4. The riskiest one: reasons of what fired, and what kept the others from firing.
    let Some((_, place, numbers)) = riskiest else {
        return Ok(());
    };
    let payment = &payments[place];
    let mut buffer = String::new();
    let texts = TransactionRow::new(payment, engine.schema(), &mut buffer).texts;
    let row = dafu::rules::Row {
        numbers: &numbers,
        texts: &texts,
    };
    let report = engine.evaluate(row, &Moment::at(payment.timestamp))?;
    println!(
        "\n{}: risk {:.2}, {}, {}",
        payment.transaction_id,
        report.risk_score.get(),
        report.band,
        report.action
    );
    for reason in engine.reasons(row, &report) {
        println!(
            "  {:.2}  {}: {}",
            reason.contribution, reason.code, reason.text
        );
    }
    for rule in &rules.rules {
        let explanation = engine.explain(&rule.id, row, payment.timestamp)?;
        if explanation.truth != Truth::True {
            println!("\n{explanation}");
        }
    }
    Ok(())
}

fn read_rules(file: Option<&str>) -> Result<RuleSet, Box<dyn Error>> {
    let Some(file) = file else {
        return Ok(RuleSet::from_toml(RULES)?);
    };
    let text = std::fs::read_to_string(file)?;
    let read: fn(&str) -> Result<RuleSet, RuleError> = if file.ends_with(".json") {
        RuleSet::from_json
    } else {
        RuleSet::from_toml
    };
    Ok(read(&text)?)
}

fn word(outcome: RuleOutcome) -> &'static str {
    match outcome {
        RuleOutcome::Fired => "fired",
        RuleOutcome::Shadow => "shadow",
        RuleOutcome::NotEvaluated => "not evaluated",
        RuleOutcome::Suppressed => "suppressed",
        _ => "other",
    }
}

/// The numbers of payments, with the windows that rules ask for.
struct Windows {
    /// None where no rule asks for a window.
    features: Option<FeatureEngine>,
    slots: Vec<usize>,
}

impl Windows {
    fn new(engine: &RuleEngine) -> Result<Self, Box<dyn Error>> {
        // One window has to be there to begin with; others are added to it.
        let [first, ..] = engine.windows() else {
            return Ok(Self {
                features: None,
                slots: Vec::new(),
            });
        };
        let set = FeatureSet::new(dafu::features::RecordKind::Transaction);
        let set = set.feature(dafu::features::Window::try_from(first)?);
        let mut features = FeatureEngine::new(&set)?;
        let slots = engine
            .windows()
            .iter()
            .map(|request| features.prepare(request));
        let slots = slots.collect::<Result<_, _>>()?;
        Ok(Self {
            features: Some(features),
            slots,
        })
    }

    fn numbers(
        &mut self,
        payment: &Transaction,
        schema: &RuleSchema,
    ) -> Result<Vec<f64>, Box<dyn Error>> {
        let mut buffer = String::new();
        let row = TransactionRow::new(payment, schema, &mut buffer);
        let mut numbers = row.numbers.to_vec();
        if let Some(features) = &mut self.features {
            let observed = features.observe(payment)?;
            let values = observed.row.to_slice();
            numbers.extend(self.slots.iter().map(|slot| values[*slot]));
        }
        Ok(numbers)
    }
}
