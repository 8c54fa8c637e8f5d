//! The language of conditions: words, grammar, units, printer, mistakes.

mod ast;
mod diagnostic;
mod hint;
mod literal;
mod parser;
mod print;
mod token;
mod unit;
mod window;

pub(crate) use ast::{Comparison, Expr, ExprKind, Function, SetExpr, TextMatch};
pub use diagnostic::{Code, ConditionError, Diagnostic, Severity, Span};
pub(crate) use diagnostic::{drawings, nearest};
pub(crate) use hint::is_null;
pub(crate) use literal::{literals, with_literal};
pub(crate) use parser::parse;
pub(crate) use print::{named, quoted};
pub(crate) use token::{NumberLiteral, Token, TokenKind, tokens};
pub use unit::Dimension;
pub(crate) use unit::{LiteralUnit, Measure};
pub(crate) use window::{STATUSES, alias, source as window_source};
