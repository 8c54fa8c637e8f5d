//! Numbers that stand in conditions.

use super::ast::{Expr, ExprKind};
use super::diagnostic::Span;
use super::token::NumberLiteral;

/// The numbers of a condition, in order.
pub(crate) fn literals(expr: &Expr) -> Vec<(NumberLiteral, Span)> {
    let mut found = Vec::new();
    expr.for_each(&mut |expr| {
        if let ExprKind::Number(number) = &expr.kind {
            found.push((*number, expr.span));
        }
    });
    found.sort_by_key(|(_, span)| *span);
    found
}

/// The source with another number in place of one of them.
pub(crate) fn with_literal(source: &str, expr: &Expr, place: usize, value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let (literal, span) = *literals(expr).get(place)?;
    let unit = literal.unit;
    let (before, after) = (source.get(..span.start)?, source.get(span.end..)?);
    Some(format!("{before}{}{after}", NumberLiteral { value, unit }))
}
