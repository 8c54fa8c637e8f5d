//! Rules over the features of a detector, and over what it found out.

mod policy;
mod stage;
mod windows;

pub(crate) use policy::PolicyRules;
pub use stage::{RuleSpec, RuleStage};
pub(crate) use windows::{RuleWindows, windows_of};

use dafu_core::{Schema, Timestamp, Transaction, Unit, WindowRequest};
use dafu_rules::{
    Condition, Moment, Row, RuleEngine, RuleError, RuleReport, RuleSchema, RuleSet, Slot,
    TransactionRow, Variable,
};

/// A window that rules ask for, and the feature that holds it.
pub(crate) type NamedWindow = (WindowRequest, String);

fn conditions(set: &RuleSet) -> impl Iterator<Item = Condition> {
    let sources = set
        .rules
        .iter()
        .map(|rule| Condition::parse(&rule.condition));
    sources.filter_map(Result::ok)
}

/// Whether the rules of a set, or the texts of their reasons, name something that only a record says. The amount is among
/// the features of most detectors, so it alone asks for no records; but only they say its currency. For whom rules are
/// silenced they say, too, and when an event happens.
pub(crate) fn names_records(set: &RuleSet) -> bool {
    let record = RuleSchema::transaction();
    let is_feature = |name: &str| name == AMOUNT && set.currency.is_none();
    let only_there = |name: &str| !is_feature(name) && record.find(name).is_some();
    let in_text = |text: &Option<String>| {
        let braces = text.iter().flat_map(|text| text.split('{').skip(1));
        braces
            .filter_map(|rest| rest.split_once('}'))
            .any(|(name, _)| only_there(name))
    };
    !set.suppressions.is_empty()
        || set.is_dated()
        || conditions(set).any(|condition| condition.names().into_iter().any(only_there))
        || set.rules.iter().any(|rule| in_text(&rule.reason))
}

const AMOUNT: &str = "amount";

/// The features as variables. One called like a score gives its name up to it, and keeps its place in the row.
fn beside_scores(features: &Schema, scores: &[String]) -> Result<RuleSchema, RuleError> {
    let schema = RuleSchema::from_features(features)?;
    let variables = schema.variables().iter().map(|variable| {
        let mut variable = variable.clone();
        if scores.iter().any(|score| **score == *variable.name) {
            variable.name = format!("{} (column)", variable.name).into();
        }
        variable
    });
    RuleSchema::new(variables)
}

/// A set of rules over rows of features, further numbers, and records.
#[derive(Debug, Clone)]
pub(crate) struct RuleRows {
    engine: RuleEngine,
    records: bool,
    /// Places of the numbers and texts of a record that no feature is called like.
    numbers: Vec<usize>,
    texts: Vec<usize>,
    /// Places of the features that hold windows.
    windows: Vec<usize>,
    /// The place of the feature that holds amounts, where rules compare them in a currency.
    amount: Option<usize>,
}

impl RuleRows {
    /// Compiles a set over the features of a schema, behind which `further` scores stand.
    pub(crate) fn new(
        set: &RuleSet,
        features: &Schema,
        further: &[String],
        named: &[NamedWindow],
    ) -> Result<Self, RuleError> {
        let records = names_records(set);
        let mut schema = beside_scores(features, further)?;
        for name in further {
            schema = schema.variable(Variable::number(name.as_str(), Unit::Share))?;
        }
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        if records {
            let record = RuleSchema::transaction();
            for variable in record.variables() {
                let slot = record.find(&variable.name).map(|(_, slot)| slot);
                if schema.find(&variable.name).is_some() {
                    continue;
                }
                // A table may lack what a record always has.
                schema = schema.variable(variable.clone().nullable())?;
                match slot {
                    Some(Slot::Number(slot)) => numbers.push(slot),
                    Some(Slot::Text(slot)) => texts.push(slot),
                    None => {}
                }
            }
        }
        let engine = set.compile(&schema)?;
        let amount = set.currency.and_then(|_| match features.position(AMOUNT) {
            Some(place) if features.features()[place.get()].unit == Unit::Money => {
                Some(place.get())
            }
            _ => None,
        });
        let place = |request: &WindowRequest| {
            let name = named
                .iter()
                .find(|(other, _)| other == request)
                .map(|(_, name)| name);
            let place = name.and_then(|name| features.position(name));
            place.map(dafu_core::FeatureIndex::get)
        };
        let windows: Option<Vec<usize>> = engine.windows().iter().map(place).collect();
        let windows = windows.ok_or_else(|| RuleError::Variable {
            name: "a window".into(),
            why: "no feature holds it: add the rules with `DetectorBuilder::rules`, and keep all features",
        })?;
        Ok(Self {
            engine,
            records,
            numbers,
            texts,
            windows,
            amount,
        })
    }

    pub(crate) const fn needs_records(&self) -> bool {
        self.records
    }

    /// What the rules say of an event, and what is made of that.
    pub(crate) fn evaluate<T>(
        &self,
        (features, further): (&[f64], &[f64]),
        transaction: Option<&Transaction>,
        then: impl FnOnce(&RuleEngine, Row<'_>, RuleReport) -> T,
    ) -> Result<T, RuleError> {
        let mut buffer = String::new();
        let schema = self.engine.schema();
        let record =
            transaction.map(|transaction| TransactionRow::new(transaction, schema, &mut buffer));
        let of_record = |slot: &usize| {
            record
                .as_ref()
                .map_or(f64::NAN, |record| record.numbers[*slot])
        };
        let mut numbers = Vec::with_capacity(self.engine.slots().0);
        numbers.extend_from_slice(features);
        // Features are in the currency of the transaction, whatever that is.
        if let (Some(place), Some(transaction)) = (self.amount, transaction) {
            numbers[place] = schema.amount(transaction.amount);
        }
        numbers.extend_from_slice(further);
        numbers.extend(self.numbers.iter().map(of_record));
        numbers.extend(
            self.windows
                .iter()
                .map(|place| features.get(*place).copied().unwrap_or(f64::NAN)),
        );
        let text = |slot: &usize| record.as_ref().and_then(|record| record.texts[*slot]);
        let texts: Vec<Option<&str>> = self.texts.iter().map(text).collect();
        let row = Row {
            numbers: &numbers,
            texts: &texts,
        };
        let at = transaction.map_or(Timestamp::EPOCH, |transaction| transaction.timestamp);
        let silenced = transaction.filter(|_| !self.engine.rule_set().suppressions.is_empty());
        let entities = silenced.map(TransactionRow::entities).unwrap_or_default();
        let moment = Moment::at(at).entities(&entities);
        let report = self.engine.evaluate(row, &moment)?;
        Ok(then(&self.engine, row, report))
    }
}
