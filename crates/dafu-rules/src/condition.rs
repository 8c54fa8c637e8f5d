//! One condition alone.

use crate::check::check;
use crate::language::{
    ConditionError, Diagnostic, Expr, ExprKind, NumberLiteral, Span, alias, literals, parse,
    with_literal,
};
use crate::program::{Logic, NoLists, Predicates, Row, Truth, Undecided, Ways};
use crate::{RuleError, RuleSchema};
use dafu_core::WindowRequest;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A condition that was read: its grammar is right, its names are not looked up yet.
///
/// Printed, it is a source that means the same, in one way of writing, and can always be read again.
///
/// ```
/// use dafu_rules::Condition;
///
/// let condition: Condition = "amount>1e4 && transactions_per_hour>10||distance>1000km".parse()?;
/// assert_eq!(
///     condition.to_string(),
///     "amount > 10000 and transactions_per_hour > 10 or distance > 1000km",
/// );
/// # Ok::<(), dafu_rules::ConditionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    source: Arc<str>,
    expr: Arc<Expr>,
}

impl Condition {
    /// Reads a condition. O(bytes).
    ///
    /// # Errors
    ///
    /// [`ConditionError`] that draws where it cannot be read: at most 16 KiB as it stands and as it is printed, 64 levels
    /// deep.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        match parse(source) {
            Ok(expr) => Ok(Self {
                source: source.into(),
                expr: Arc::new(expr),
            }),
            Err(diagnostic) => Err(ConditionError::new(source, vec![diagnostic])),
        }
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether two conditions say the same but for blanks, parentheses that change nothing, and the spelling of words.
    pub fn means_the_same_as(&self, other: &Self) -> bool {
        self.expr == other.expr
    }

    /// The names that stand in it: variables, and days of the week.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.expr.for_each(&mut |expr| {
            names.extend(expr.as_name().map(|name| &**name));
        });
        names
    }

    /// The windows that it asks for, each once. A name that stands for one asks for it, unless something else has the
    /// name: `is_variable` says so of a name.
    pub fn windows(&self, is_variable: impl Fn(&str) -> bool) -> Vec<WindowRequest> {
        let mut windows = Vec::new();
        self.expr.for_each(&mut |expr| {
            let request = match &expr.kind {
                ExprKind::Window(request) => Some((**request).clone()),
                ExprKind::Name(name) if !is_variable(name) => alias(name),
                _ => None,
            };
            if let Some(request) = request
                && !windows.contains(&request)
            {
                windows.push(request);
            }
        });
        windows
    }

    /// The window that it is alone.
    pub(crate) fn as_window(&self, schema: &RuleSchema) -> Option<WindowRequest> {
        match &self.expr.kind {
            ExprKind::Window(request) => Some((**request).clone()),
            ExprKind::Name(name) => schema.alias(name),
            _ => None,
        }
    }

    /// The numbers that stand in it, in order, each in its own unit. Lengths of windows are not among them.
    pub fn literals(&self) -> Vec<Literal> {
        let found = literals(&self.expr).into_iter();
        let literal = |(literal, span): (NumberLiteral, Span)| Literal {
            value: literal.value,
            written: literal.to_string(),
            span,
        };
        found.map(literal).collect()
    }

    /// The same condition with another number in place of one of its [`literals`](Self::literals), in the same unit.
    ///
    /// ```
    /// use dafu_rules::Condition;
    ///
    /// let condition: Condition = "amount > 100 and distance > 1000km".parse()?;
    /// let other = condition.with_literal(1, 250.5).map(|other| other.to_string());
    /// assert_eq!(other.as_deref(), Some("amount > 100 and distance > 250.5km"));
    /// # Ok::<(), dafu_rules::ConditionError>(())
    /// ```
    ///
    /// `None` where there is no such literal, and for a value that is no finite number.
    pub fn with_literal(&self, place: usize, value: f64) -> Option<Self> {
        Self::parse(&with_literal(&self.source, &self.expr, place, value)?).ok()
    }

    pub(crate) fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Looks names up in a schema, and checks types and units.
    ///
    /// # Errors
    ///
    /// [`ConditionError`] with everything that is wrong.
    pub fn compile(&self, schema: &RuleSchema) -> Result<CompiledCondition, ConditionError> {
        let mut predicates = Predicates::default();
        let checked = check(&self.expr, schema, &mut predicates)
            .map_err(|diagnostics| ConditionError::new(&self.source, diagnostics))?;
        let mut ways = Ways::default();
        ways.add(&checked.logic, predicates.all());
        Ok(CompiledCondition {
            slots: (
                schema.number_slots() + predicates.windows().len(),
                schema.text_slots(),
            ),
            logic: checked.logic,
            warnings: checked.warnings,
            predicates,
            ways,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(source: &str) -> Result<Self, ConditionError> {
        Self::parse(source)
    }
}

/// A number that stands in a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// The number, in its unit.
    pub value: f64,
    /// As it stands there, with its unit.
    pub written: String,
    /// Where it stands.
    pub span: Span,
}

/// A condition over the rows of a schema.
///
/// ```
/// use dafu_core::Unit;
/// use dafu_rules::{Condition, Row, RuleSchema, Truth, Variable};
///
/// let schema = RuleSchema::new([
///     Variable::number("amount", Unit::Money),
///     Variable::number("distance_from_home", Unit::Kilometre).nullable(),
/// ])?;
/// let condition = Condition::parse("amount > 100 and distance_from_home > 621mi")?.compile(&schema)?;
/// let row = |numbers| Row { numbers, texts: &[] };
/// assert_eq!(condition.truth(row(&[250.0, 1200.0]))?, Truth::True);
/// assert_eq!(condition.truth(row(&[250.0, 900.0]))?, Truth::False);
/// assert_eq!(condition.truth(row(&[250.0, f64::NAN]))?, Truth::Unknown);
/// // It does not matter where it is.
/// assert_eq!(condition.truth(row(&[50.0, f64::NAN]))?, Truth::False);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CompiledCondition {
    slots: (usize, usize),
    logic: Logic,
    warnings: Vec<Diagnostic>,
    predicates: Predicates,
    ways: Ways,
}

impl CompiledCondition {
    /// Whether it holds of an event. Nobody is in any list. O(tests), no allocation but for texts in lower case.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for a row of another size.
    #[inline]
    pub fn truth(&self, row: Row<'_>) -> Result<Truth, RuleError> {
        row.check(self.slots)?;
        match self.ways.quick(0, row) {
            Ok(holds) => Ok(holds.into()),
            Err(undecided) => Ok(self.slow_truth(undecided, row)),
        }
    }

    #[inline(never)]
    fn slow_truth(&self, undecided: Undecided, row: Row<'_>) -> Truth {
        let predicates = self.predicates.all();
        if let Some(holds) = self.ways.rest((0, undecided), row, predicates, &NoLists) {
            return holds.into();
        }
        let mut test = |place: usize| {
            let predicate = predicates.get(place);
            predicate.map_or(Truth::Unknown, |predicate| predicate.truth(row, &NoLists))
        };
        self.logic.truth(&mut test)
    }

    /// What hardly means what it says.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Windows whose values stand behind the numbers of the schema, in this order.
    pub fn windows(&self) -> &[WindowRequest] {
        self.predicates.windows()
    }
}
