//! What rules may ask about an event: names, types, units.

use crate::RuleError;
use crate::language::{Code, Diagnostic, Span, alias};
use dafu_core::{Currency, FeatureType, Money, Schema, Unit, WindowRequest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the values of a variable are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VariableType {
    /// A number in this unit.
    Number(Unit),
    /// Yes or no; as a number 1 or 0.
    Flag,
    /// A text.
    Text,
    /// One of these texts; as a number its place among them.
    Category {
        /// The texts.
        levels: Vec<Arc<str>>,
    },
    /// A point in time; as a number microseconds since 1970 in UTC.
    Time,
    /// An internet address, as a text.
    Ip,
}

/// One thing that rules may ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: Arc<str>,
    /// What its values are.
    pub variable_type: VariableType,
    /// Whether it may be missing.
    pub nullable: bool,
}

impl Variable {
    /// A variable that is never missing.
    pub fn new(name: impl Into<Arc<str>>, variable_type: VariableType) -> Self {
        Self {
            name: name.into(),
            variable_type,
            nullable: false,
        }
    }

    /// A number in this unit.
    pub fn number(name: impl Into<Arc<str>>, unit: Unit) -> Self {
        Self::new(name, VariableType::Number(unit))
    }

    /// Yes or no.
    pub fn flag(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, VariableType::Flag)
    }

    /// A text.
    pub fn text(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, VariableType::Text)
    }

    /// A point in time.
    pub fn time(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, VariableType::Time)
    }

    /// An internet address.
    pub fn ip(name: impl Into<Arc<str>>) -> Self {
        Self::new(name, VariableType::Ip)
    }

    /// The same variable, which may be missing.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
}

/// Where the value of a variable stands in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Among the numbers.
    Number(usize),
    /// Among the texts.
    Text(usize),
}

/// The variables that rules may name, the currency of amounts, rates and lists.
///
/// Numbers, flags, categories and times stand in a row as numbers, in the order in which they were declared; texts and
/// addresses as texts. So a schema made [from features](Self::from_features) reads rows of features as they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSchema {
    variables: Vec<Variable>,
    slots: Vec<Slot>,
    by_name: BTreeMap<Arc<str>, usize>,
    numbers: usize,
    texts: usize,
    currency: Option<Currency>,
    rates: BTreeMap<Currency, f64>,
    lists: Vec<Arc<str>>,
}

impl RuleSchema {
    /// A schema of these variables.
    ///
    /// # Errors
    ///
    /// [`RuleError::Variable`] for a name that stands twice, is empty, or holds a backquote or a line break.
    pub fn new(variables: impl IntoIterator<Item = Variable>) -> Result<Self, RuleError> {
        let mut schema = Self::default();
        for variable in variables {
            schema = schema.variable(variable)?;
        }
        Ok(schema)
    }

    /// The features of a model as variables, in their order.
    ///
    /// # Errors
    ///
    /// As [`RuleSchema::new`].
    pub fn from_features(schema: &Schema) -> Result<Self, RuleError> {
        let variables = schema.features().iter().map(|feature| {
            let variable_type = match &feature.feature_type {
                FeatureType::Flag => VariableType::Flag,
                FeatureType::Category { levels } => VariableType::Category {
                    levels: levels.clone(),
                },
                _ => VariableType::Number(feature.unit),
            };
            Variable {
                name: Arc::clone(&feature.name),
                variable_type,
                nullable: feature.nullable,
            }
        });
        Self::new(variables)
    }

    /// The schema with one variable more.
    ///
    /// # Errors
    ///
    /// As [`RuleSchema::new`].
    pub fn variable(mut self, variable: Variable) -> Result<Self, RuleError> {
        let wrong = |why| RuleError::Variable {
            name: variable.name.to_string(),
            why,
        };
        if variable.name.is_empty() || variable.name.contains(['`', '\n']) {
            return Err(wrong(
                "names are not empty, and hold no backquote and no line break",
            ));
        }
        let place = self.variables.len();
        if self
            .by_name
            .insert(Arc::clone(&variable.name), place)
            .is_some()
        {
            return Err(wrong("the name stands twice"));
        }
        let count = match variable.variable_type {
            VariableType::Text | VariableType::Ip => {
                self.slots.push(Slot::Text(self.texts));
                &mut self.texts
            }
            _ => {
                self.slots.push(Slot::Number(self.numbers));
                &mut self.numbers
            }
        };
        *count += 1;
        self.variables.push(variable);
        Ok(self)
    }

    /// The currency in which all variables of [`Unit::Money`] are.
    #[must_use]
    pub const fn currency(mut self, currency: Currency) -> Self {
        self.currency = Some(currency);
        self
    }

    /// What one unit of another currency is worth in the currency of the schema.
    ///
    /// # Errors
    ///
    /// [`RuleError::Rate`] for a rate that is not a positive number.
    pub fn rate(mut self, currency: Currency, worth: f64) -> Result<Self, RuleError> {
        self.set_rate(currency, worth).map(|()| self)
    }

    /// As [`rate`](Self::rate). A rate that is wrong is known, too, so that amounts of the currency are not told of as well.
    pub(crate) fn set_rate(&mut self, currency: Currency, worth: f64) -> Result<(), RuleError> {
        self.rates.insert(currency, worth);
        if worth.is_finite() && worth > 0.0 {
            return Ok(());
        }
        Err(RuleError::Rate {
            currency,
            got: worth,
        })
    }

    /// A list that conditions may name: `merchant_id in @name`.
    #[must_use]
    pub fn list(mut self, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        if !self.lists.contains(&name) {
            self.lists.push(name);
        }
        self
    }

    pub(crate) const fn own_currency(&self) -> Option<Currency> {
        self.currency
    }

    /// An amount as rules compare it: in the currency of the schema by its rates, NaN where there is no rate. As it is
    /// where the schema has no currency, or where the amount has none ([`Currency::NONE`]).
    pub fn amount(&self, amount: Money) -> f64 {
        let (major, currency) = (amount.major(), amount.currency());
        match self.currency {
            Some(own) if own != currency && currency != Currency::NONE => self
                .rates
                .get(&currency)
                .map_or(f64::NAN, |worth| major * worth),
            _ => major,
        }
    }

    /// The schema without lists: a set brings its own.
    pub(crate) fn without_lists(mut self) -> Self {
        self.lists.clear();
        self
    }

    /// The variables, in order.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Names of lists, in order.
    pub fn lists(&self) -> &[Arc<str>] {
        &self.lists
    }

    /// Numbers in a row.
    pub const fn number_slots(&self) -> usize {
        self.numbers
    }

    /// Texts in a row.
    pub const fn text_slots(&self) -> usize {
        self.texts
    }

    /// A variable and where it stands. O(log variables).
    pub fn find(&self, name: &str) -> Option<(&Variable, Slot)> {
        let place = *self.by_name.get(name)?;
        Some((self.variables.get(place)?, *self.slots.get(place)?))
    }

    /// Whether a slot of numbers holds a flag. O(variables).
    pub(crate) fn is_flag(&self, slot: usize) -> bool {
        let flag = |variable: &Variable| variable.variable_type == VariableType::Flag;
        self.slots()
            .any(|(variable, at)| at == Slot::Number(slot) && flag(variable))
    }

    /// The unit of a slot of numbers; `None` for what is no number. O(variables).
    pub(crate) fn unit(&self, slot: usize) -> Option<Unit> {
        let (variable, _) = self.slots().find(|(_, at)| *at == Slot::Number(slot))?;
        match variable.variable_type {
            VariableType::Number(unit) => Some(unit),
            _ => None,
        }
    }

    /// The window that a name stands for, where no variable has it.
    pub(crate) fn alias(&self, name: &str) -> Option<WindowRequest> {
        match self.find(name) {
            Some(_) => None,
            None => alias(name),
        }
    }

    /// Variables and where they stand, in order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (&Variable, Slot)> {
        self.variables.iter().zip(self.slots.iter().copied())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| &*variable.name)
    }

    /// An amount of a currency in that of the schema.
    pub(crate) fn money(
        &self,
        amount: f64,
        currency: Currency,
        span: Span,
    ) -> Result<f64, Diagnostic> {
        if self.currency == Some(currency) {
            return Ok(amount);
        }
        if let (Some(_), Some(worth)) = (self.currency, self.rates.get(&currency)) {
            return Ok(amount * worth);
        }
        let (message, help) = match self.currency {
            Some(own) => (
                format!("there is no rate from {currency} to {own}"),
                "give the schema a rate, or write the amount in its currency",
            ),
            None => (
                format!(
                    "nobody said in which currency amounts are, so {currency} cannot be compared"
                ),
                "give the schema a currency, or write the number alone",
            ),
        };
        Err(Diagnostic::new(Code::Rate, span, message).help(help))
    }
}
