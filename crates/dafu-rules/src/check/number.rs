//! Numbers and their units.

use super::{Checker, Number, Typed};
use crate::Dimension;
use crate::language::{Code, Diagnostic, Expr, LiteralUnit, Measure, NumberLiteral, Span};
use crate::program::NumberExpr;

/// A part of a sum behind its first: whether it is taken away, where it stands, and what it is.
type Term = ((bool, Span), Typed);

impl Checker<'_> {
    /// A number as it stands in the rule.
    pub(super) fn literal(&mut self, literal: NumberLiteral, span: Span) -> Option<Number> {
        let NumberLiteral { value, unit } = literal;
        let known = |value, measure| {
            Some(Number {
                expr: NumberExpr::Constant(value),
                measure,
                bare: false,
            })
        };
        match unit {
            None => Some(Number {
                expr: NumberExpr::Constant(value),
                measure: Measure::ONE,
                bare: true,
            }),
            Some(LiteralUnit::Percent) => known(value / 100.0, Measure::ONE),
            Some(LiteralUnit::Simple(symbol)) => known(value, symbol.measure()),
            Some(LiteralUnit::Per(symbol)) => {
                known(value, Measure::ONE.times(symbol.measure(), -1)?)
            }
            Some(LiteralUnit::Quotient(over, under)) => {
                known(value, over.measure().times(under.measure(), -1)?)
            }
            Some(LiteralUnit::Money(currency)) => match self.schema.money(value, currency, span) {
                Ok(value) => known(value, dafu_core::Unit::Money.into()),
                Err(diagnostic) => self.report(diagnostic),
            },
        }
    }

    pub(super) fn number(&mut self, expr: &Expr) -> Option<Number> {
        match self.typed(expr)? {
            Typed::Number(number) => Some(number),
            other => {
                let message = format!("expected a number, found {}", other.name());
                self.report(Diagnostic::new(Code::Type, expr.span, message))
            }
        }
    }

    /// A number in a unit; `None` and a mistake where its dimension is another.
    pub(super) fn in_measure(
        &mut self,
        number: Number,
        measure: Measure,
        span: Span,
    ) -> Option<NumberExpr> {
        if number.bare {
            return Some(number.expr);
        }
        if number.measure.dimension == measure.dimension {
            return Some(number.expr.scaled(number.measure.factors_to(measure)));
        }
        let message = format!(
            "{} does not go with {}",
            measure.dimension, number.measure.dimension
        );
        let diagnostic = Diagnostic::new(Code::Unit, span, message);
        let diagnostic = diagnostic.label(format!("this is {}", number.measure.dimension));
        let help = if measure.dimension == Dimension::NONE {
            "a number with a unit is compared with one of the same kind; leave the unit out, or divide by one".into()
        } else {
            format!("write something that is {} here", measure.dimension)
        };
        self.report(diagnostic.help(help))
    }

    /// Numbers in one unit: that of the first which has one.
    pub(super) fn in_one_measure(
        &mut self,
        numbers: Vec<(Number, Span)>,
    ) -> Option<(Vec<NumberExpr>, Measure, bool)> {
        let with_unit = numbers.iter().filter(|(number, _)| !number.bare);
        // A constant takes the unit of what it is compared with: the event's numbers are then read as they are.
        let first = with_unit
            .clone()
            .find(|(number, _)| number.expr.constant().is_none());
        let chosen = first
            .or(with_unit.clone().next())
            .map(|(number, _)| number.measure);
        let measure = chosen.unwrap_or(Measure::ONE);
        // Nobody counts in the microseconds of differences of times; zero is zero in all units.
        let bare =
            |(number, _): &&(Number, Span)| number.bare && number.expr.constant() != Some(0.0);
        if measure == Measure::MICROSECOND
            && let Some((_, span)) = numbers.iter().find(bare)
        {
            let message = "a duration has a unit";
            let diagnostic = Diagnostic::new(Code::Unit, *span, message);
            return self.report(diagnostic.help("write 30min, 24h or 7d"));
        }
        let converted: Vec<Option<NumberExpr>> = numbers
            .into_iter()
            .map(|(number, span)| self.in_measure(number, measure, span))
            .collect();
        let converted: Option<Vec<NumberExpr>> = converted.into_iter().collect();
        Some((converted?, measure, chosen.is_none()))
    }

    /// A sum of numbers, or of a time and durations; a difference of times is a duration.
    pub(super) fn sum(&mut self, first: &Expr, rest: &[(bool, Expr)]) -> Option<Typed> {
        let first_typed = self.typed(first);
        let rest_typed: Vec<Option<Typed>> =
            rest.iter().map(|(_, part)| self.typed(part)).collect();
        let rest_typed: Option<Vec<Typed>> = rest_typed.into_iter().collect();
        let (first_typed, rest_typed) = (first_typed?, rest_typed?);
        if let Typed::Time(time) = first_typed {
            let rest = rest.iter().map(|(less, part)| (*less, part.span));
            return self.time_sum(time, rest.zip(rest_typed).collect());
        }
        // `24h + time` is `time + 24h`.
        let time = rest
            .iter()
            .zip(&rest_typed)
            .position(|((less, _), typed)| !less && matches!(typed, Typed::Time(_)));
        if let Some(time) = time {
            let spans = rest.iter().map(|(less, part)| (*less, part.span));
            let mut terms: Vec<Term> = spans.zip(rest_typed).collect();
            let (_, typed) = terms.remove(time);
            terms.insert(0, ((false, first.span), first_typed));
            if let Typed::Time(time) = typed {
                return self.time_sum(time, terms);
            }
            return None;
        }
        let mut numbers = Vec::with_capacity(rest.len() + 1);
        let parts = std::iter::once(first).chain(rest.iter().map(|(_, part)| part));
        for (typed, part) in std::iter::once(first_typed).chain(rest_typed).zip(parts) {
            let Typed::Number(number) = typed else {
                let message = format!("{} cannot be added", typed.name());
                return self.report(Diagnostic::new(Code::Type, part.span, message));
            };
            numbers.push((number, part.span));
        }
        let (exprs, measure, bare) = self.in_one_measure(numbers)?;
        let mut exprs = exprs.into_iter();
        let first = Box::new(exprs.next()?);
        let rest = rest.iter().map(|(less, _)| *less).zip(exprs).collect();
        let expr = NumberExpr::Sum(first, rest).folded();
        Some(Typed::Number(Number {
            expr,
            measure,
            bare,
        }))
    }

    fn time_sum(&mut self, first: NumberExpr, rest: Vec<Term>) -> Option<Typed> {
        let mut terms = Vec::new();
        let mut is_time = true;
        for ((less, span), typed) in rest {
            let term = match typed {
                Typed::Time(time) if is_time && less => {
                    is_time = false;
                    time
                }
                Typed::Number(number) if !number.bare => {
                    self.in_measure(number, Measure::MICROSECOND, span)?
                }
                other => {
                    let message = format!("{} does not go with a time here", other.name());
                    let diagnostic = Diagnostic::new(Code::Type, span, message);
                    return self.report(
                        diagnostic
                            .help("add or take away a duration such as 24h, or take away a time"),
                    );
                }
            };
            terms.push((less, term));
        }
        let expr = NumberExpr::Sum(Box::new(first), terms);
        Some(if is_time {
            Typed::Time(expr)
        } else {
            Typed::Number(Number {
                expr,
                measure: Measure::MICROSECOND,
                bare: false,
            })
        })
    }

    pub(super) fn product(
        &mut self,
        first: &Expr,
        rest: &[(bool, Expr)],
        span: Span,
    ) -> Option<Number> {
        let first = self.number(first);
        let factors: Vec<Option<Number>> = rest.iter().map(|(_, part)| self.number(part)).collect();
        let factors: Option<Vec<Number>> = factors.into_iter().collect();
        let (first, factors) = (first?, factors?);
        let (mut measure, mut bare) = (first.measure, first.bare);
        let mut exprs = Vec::with_capacity(factors.len());
        for ((divides, _), factor) in rest.iter().zip(factors) {
            bare &= factor.bare;
            if *divides && factor.expr.constant() == Some(0.0) {
                let diagnostic = Diagnostic::new(Code::Constant, span, "this has no value");
                return self.report(diagnostic.help("nothing is divided by zero"));
            }
            let sign = if *divides { -1 } else { 1 };
            let Some(next) = measure.times(factor.measure, sign) else {
                let message = "units are multiplied too often";
                return self.report(Diagnostic::new(Code::Unit, span, message));
            };
            measure = next;
            exprs.push((*divides, factor.expr));
        }
        let mut expr = NumberExpr::Product(Box::new(first.expr), exprs).folded();
        if measure.dimension == Dimension::NONE {
            expr = expr.scaled(measure.factors_to(Measure::ONE));
            measure = Measure::ONE;
        }
        Some(Number {
            expr,
            measure,
            bare,
        })
    }
}
