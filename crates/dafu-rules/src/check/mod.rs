//! From a tree to tests over slots, with everything that is wrong on the way.

mod call;
mod compare;
mod constant;
mod domain;
mod number;

use crate::RuleSchema;
use crate::VariableType;
use crate::language::{
    Code, Comparison, Diagnostic, Expr, ExprKind, Measure, SetExpr, Severity, Span, is_null,
    nearest,
};
use crate::program::{Logic, NumberExpr, Predicate, Predicates, TextExpr};
use crate::schema::Slot;
use dafu_core::{Unit, WindowRequest};
use std::sync::Arc;

/// A value with its type.
#[derive(Debug, Clone)]
enum Typed {
    Logic(Logic),
    Number(Number),
    Text(TextExpr),
    /// Microseconds since 1970.
    Time(NumberExpr),
    /// Seconds since midnight.
    Clock(NumberExpr),
    /// From 0, Monday.
    Weekday(NumberExpr),
    Ip(TextExpr),
}

/// A number in a unit. One that stands in the rule without a unit takes that of what it meets.
#[derive(Debug, Clone)]
struct Number {
    expr: NumberExpr,
    measure: Measure,
    bare: bool,
}

impl Typed {
    /// What it is, in words.
    fn name(&self) -> String {
        match self {
            Self::Logic(_) => "a condition".into(),
            Self::Number(number) if number.bare => "a number".into(),
            Self::Number(number) => match number.measure.dimension {
                crate::Dimension::NONE => "a pure number".into(),
                dimension => format!("a number ({dimension})"),
            },
            Self::Text(_) => "a text".into(),
            Self::Time(_) => "a time".into(),
            Self::Clock(_) => "a time of day".into(),
            Self::Weekday(_) => "a day of the week".into(),
            Self::Ip(_) => "an internet address".into(),
        }
    }
}

/// Tests, and what joins them, of one condition.
const MOST_TESTS: usize = 4096;

/// Days of the week, from 0.
pub(crate) const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What a condition means, and what hardly means what it says.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) logic: Logic,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Checks a condition against a schema; its tests join those of other rules.
pub(crate) fn check(
    expr: &Expr,
    schema: &RuleSchema,
    predicates: &mut Predicates,
) -> Result<Checked, Vec<Diagnostic>> {
    let mut checker = Checker {
        schema,
        predicates,
        whole: expr.span,
        diagnostics: Vec::new(),
    };
    let logic = checker.logic(expr);
    let logic = logic.and_then(|logic| checker.small(logic));
    let logic = logic.map(|logic| checker.simplified(logic));
    let diagnostics = checker.diagnostics;
    let wrong = |diagnostic: &Diagnostic| diagnostic.code.severity() == Severity::Error;
    match logic {
        Some(logic) if !diagnostics.iter().any(wrong) => Ok(Checked {
            logic,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics),
    }
}

struct Checker<'a> {
    schema: &'a RuleSchema,
    predicates: &'a mut Predicates,
    /// The part of the source that is the whole condition.
    whole: Span,
    diagnostics: Vec<Diagnostic>,
}

impl Checker<'_> {
    /// The logic, unless it became too much.
    fn small(&mut self, logic: Logic) -> Option<Logic> {
        let size = logic.size();
        if size <= MOST_TESTS {
            return Some(logic);
        }
        let message =
            format!("a condition has at most {MOST_TESTS} tests and joins, this one {size}");
        let diagnostic = Diagnostic::new(Code::Limit, self.whole, message);
        self.report(diagnostic.help("put parts of it into rules of their own"))
    }

    fn report<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.diagnostics.push(diagnostic);
        None
    }

    fn test(&mut self, predicate: Predicate, span: Span) -> Logic {
        Logic::Test(self.predicates.place(predicate), span)
    }

    /// Something that holds or not.
    fn logic(&mut self, expr: &Expr) -> Option<Logic> {
        match self.typed(expr)? {
            Typed::Logic(logic) => Some(logic),
            other => {
                let message = format!("expected a condition, found {}", other.name());
                let help = match &expr.kind {
                    ExprKind::Not(_) => None,
                    _ => Some(format!("compare it with something: `{expr} > ...`")),
                };
                let mut diagnostic = Diagnostic::new(Code::Type, expr.span, message);
                diagnostic.help = help;
                self.report(diagnostic)
            }
        }
    }

    /// All parts, or none: but what is wrong is told of each.
    fn all<T>(
        &mut self,
        parts: &[Expr],
        each: fn(&mut Self, &Expr) -> Option<T>,
    ) -> Option<Vec<T>> {
        let checked: Vec<Option<T>> = parts.iter().map(|part| each(self, part)).collect();
        checked.into_iter().collect()
    }

    /// A value with its type. What the rule itself computes has to be a number: comparisons with others mean nothing.
    fn typed(&mut self, expr: &Expr) -> Option<Typed> {
        let typed = self.any(expr)?;
        if let Typed::Number(number) = &typed
            && number
                .expr
                .constant()
                .is_some_and(|number| !number.is_finite())
        {
            let diagnostic = Diagnostic::new(Code::Constant, expr.span, "this has no value");
            return self.report(diagnostic.help("numbers are at most 1.8e308"));
        }
        Some(typed)
    }

    fn any(&mut self, expr: &Expr) -> Option<Typed> {
        let span = expr.span;
        Some(match &expr.kind {
            ExprKind::Number(literal) => Typed::Number(self.literal(*literal, span)?),
            ExprKind::Text(text) => Typed::Text(TextExpr::Constant(Arc::clone(text))),
            ExprKind::Flag(flag) => Typed::Logic(Logic::Constant(*flag)),
            ExprKind::Clock(seconds) => Typed::Clock(NumberExpr::Constant(f64::from(*seconds))),
            ExprKind::Name(name) => self.name(name, span)?,
            ExprKind::Not(inner) => {
                let inner = Box::new(self.logic(inner)?);
                Typed::Logic(Logic::Not(inner, span))
            }
            ExprKind::And(parts) => {
                let parts = self.all(parts, Self::logic)?;
                Typed::Logic(Logic::And(parts, span))
            }
            ExprKind::Or(parts) => {
                let parts = self.all(parts, Self::logic)?;
                Typed::Logic(Logic::Or(parts, span))
            }
            ExprKind::Compare { first, rest } => Typed::Logic(self.chain(first, rest, span)?),
            ExprKind::Between { value, low, high } => {
                Typed::Logic(self.between([value, low, high], span)?)
            }
            ExprKind::In { value, set } => Typed::Logic(match set {
                SetExpr::Members(members) => self.member(value, members, span)?,
                SetExpr::List(name) => self.listed(value, name, span)?,
            }),
            ExprKind::Match {
                how,
                value,
                pattern,
            } => Typed::Logic(self.found(*how, [value, pattern], span)?),
            ExprKind::Negate(inner) => {
                let number = self.number(inner)?;
                Typed::Number(Number {
                    expr: NumberExpr::Negate(Box::new(number.expr)).folded(),
                    ..number
                })
            }
            ExprKind::Sum { first, rest } => self.sum(first, rest)?,
            ExprKind::Product { first, rest } => Typed::Number(self.product(first, rest, span)?),
            ExprKind::Call {
                function,
                arguments,
            } => self.call(*function, arguments, span)?,
            ExprKind::Window(request) => self.window(request, request.unit()),
        })
    }

    fn name(&mut self, name: &Arc<str>, span: Span) -> Option<Typed> {
        let Some((variable, slot)) = self.schema.find(name) else {
            return self.unknown_name(name, span);
        };
        let typed = match (slot, &variable.variable_type) {
            (Slot::Text(slot), VariableType::Ip) => Typed::Ip(TextExpr::Slot(slot)),
            (Slot::Text(slot), _) => Typed::Text(TextExpr::Slot(slot)),
            (Slot::Number(slot), VariableType::Category { levels }) => {
                Typed::Text(TextExpr::Level(slot, levels.as_slice().into()))
            }
            (Slot::Number(slot), VariableType::Flag) => {
                let flag = Predicate::Slot {
                    slot,
                    comparison: Comparison::Unequal,
                    number: 0.0,
                };
                Typed::Logic(self.test(flag, span))
            }
            (Slot::Number(slot), VariableType::Time) => Typed::Time(NumberExpr::Slot(slot)),
            (Slot::Number(slot), VariableType::Number(unit)) => Typed::Number(Number {
                expr: NumberExpr::Slot(slot),
                measure: (*unit).into(),
                bare: false,
            }),
            (Slot::Number(slot), _) => Typed::Number(Number {
                expr: NumberExpr::Slot(slot),
                measure: Measure::ONE,
                bare: false,
            }),
        };
        Some(typed)
    }

    /// A window as a number in a unit.
    fn window(&mut self, request: &WindowRequest, unit: Unit) -> Typed {
        let slot = self.schema.number_slots() + self.predicates.window(request);
        Typed::Number(Number {
            expr: NumberExpr::Slot(slot),
            measure: unit.into(),
            bare: false,
        })
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> Option<Typed> {
        if let Some(request) = self.schema.alias(name) {
            return Some(self.window(&request, Unit::PerHour));
        }
        let weekday = WEEKDAYS.iter().position(|weekday| *weekday == name);
        if let Some(weekday) = weekday {
            return Some(Typed::Weekday(NumberExpr::Constant(weekday as f64)));
        }
        let message = format!("nothing is called `{name}`");
        let diagnostic = Diagnostic::new(Code::UnknownName, span, message).label("unknown");
        let other = name.to_ascii_lowercase();
        let help = match nearest(name, self.schema.names()) {
            _ if WEEKDAYS.contains(&&*other) => format!("days of the week are small: `{other}`"),
            _ if is_null(name) => "write `x is missing`, or `x is not missing`".into(),
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a variable of the schema, or put a text into quotes".into(),
        };
        self.report(diagnostic.help(help))
    }
}
