//! From words to a tree. The grammar stands in `docs/language.md`.

use super::ast::{Comparison, DEEPEST, Expr, ExprKind, Function, SetExpr, TextMatch, too_deep};
use super::diagnostic::{Code, Diagnostic, Span};
use super::token::{Token, TokenKind, tokens};
use super::{hint, window};
use std::sync::Arc;
use winnow::combinator::{alt, opt, repeat, separated, terminated};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::stream::{Stateful, Stream, TokenSlice};
use winnow::token::any;

/// Bytes of the longest source.
pub(crate) const LONGEST: usize = 16 * 1024;

/// Words to read; the state counts what is open around them.
type Tokens<'a> = Stateful<TokenSlice<'a, Token>, State>;

#[derive(Debug, Clone, Copy)]
struct State {
    depth: usize,
    /// Bytes of the source.
    end: usize,
}

/// Something else may be meant, or nothing can be.
#[derive(Debug)]
struct Failure(Option<Box<Diagnostic>>);

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Some(Box::new(diagnostic)))
    }
}

impl ParserError<Tokens<'_>> for Failure {
    type Inner = Self;

    fn from_input(_: &Tokens<'_>) -> Self {
        Self(None)
    }

    fn is_backtrack(&self) -> bool {
        self.0.is_none()
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

type Parsed<T> = Result<T, Failure>;

/// The tree of a source, if it can be read again where it is printed.
pub(crate) fn parse(source: &str) -> Result<Expr, Diagnostic> {
    fits(read(source)?, source)
}

fn read(source: &str) -> Result<Expr, Diagnostic> {
    let whole = Span {
        start: 0,
        end: source.len(),
    };
    if source.len() > LONGEST {
        let message = format!(
            "a condition has at most {LONGEST} bytes, this one {}",
            source.len()
        );
        let help = "put long sets of values into a list and write `in @name`";
        return Err(Diagnostic::new(Code::Limit, whole, message).help(help));
    }
    let words = tokens(source)?;
    let mut input = Stateful {
        input: TokenSlice::new(&words),
        state: State {
            depth: 0,
            end: source.len(),
        },
    };
    let expr = either(&mut input);
    let mut diagnostic = match expr {
        Ok(expr) if input.input.is_empty() => return Ok(expr),
        Ok(_) => unexpected(&input, "an operator, or the end"),
        Err(Failure(Some(diagnostic))) => *diagnostic,
        Err(Failure(None)) => unexpected(&input, "a value"),
    };
    if diagnostic.code == Code::Syntax && diagnostic.help.is_none() {
        let at = words.iter().position(|word| word.span == diagnostic.span);
        let read = at.and_then(|at| words.get(..=at));
        diagnostic.help = read.and_then(|read| hint::unexpected(source, read));
    }
    Err(diagnostic)
}

/// The tree, if it can be read again where it is printed: that may be longer, and deeper, than what was written.
fn fits(expr: Expr, source: &str) -> Result<Expr, Diagnostic> {
    // No way of writing becomes this many times as long, or as deep.
    const MOST_GROWTH: usize = 8;
    let deep = expr.height > DEEPEST / MOST_GROWTH;
    if source.len() <= LONGEST / MOST_GROWTH && !deep {
        return Ok(expr);
    }
    let text = expr.to_string();
    let printed = text.len();
    if printed <= LONGEST {
        return match read(&text) {
            Err(_) if deep => Err(too_deep(expr.span)),
            _ => Ok(expr),
        };
    }
    let message =
        format!("written out, a condition has at most {LONGEST} bytes, this one {printed}");
    let help = "put long sets of values into a list and write `in @name`";
    Err(Diagnostic::new(Code::Limit, expr.span, message).help(help))
}

/// Where the next word stands, or the end.
fn here(input: &Tokens<'_>) -> Span {
    match input.input.first() {
        Some(token) => token.span,
        None => Span {
            start: input.state.end,
            end: input.state.end,
        },
    }
}

fn unexpected(input: &Tokens<'_>, wanted: &str) -> Diagnostic {
    let found = match input.input.first() {
        Some(token) => token.kind.to_string(),
        None => "the end".into(),
    };
    Diagnostic::new(
        Code::Syntax,
        here(input),
        format!("expected {wanted}, found {found}"),
    )
}

fn kind<'a>(wanted: &'static str) -> impl Parser<Tokens<'a>, &'a Token, Failure> {
    any.verify(move |token: &&Token| token.kind == TokenKind::Symbol(wanted))
}

/// A sign that has to be there.
fn expect<'a>(wanted: &'static str) -> impl Parser<Tokens<'a>, &'a Token, Failure> {
    move |input: &mut Tokens<'a>| {
        let found = opt(kind(wanted)).parse_next(input)?;
        found.ok_or_else(|| unexpected(input, &format!("`{wanted}`")).into())
    }
}

/// A name that means something here alone, such as `missing`.
fn phrase<'a>(wanted: &'static str) -> impl Parser<Tokens<'a>, &'a Token, Failure> {
    any.verify(move |token: &&Token| {
        matches!(&token.kind, TokenKind::Name(name) if name.eq_ignore_ascii_case(wanted))
    })
}

/// Reads with one more level open.
fn deeper<T>(
    input: &mut Tokens<'_>,
    at: Span,
    read: impl FnOnce(&mut Tokens<'_>) -> Parsed<T>,
) -> Parsed<T> {
    if input.state.depth >= DEEPEST {
        return Err(too_deep(at).into());
    }
    input.state.depth += 1;
    let inner = read(input);
    input.state.depth -= 1;
    inner
}

/// `a or b`.
fn either(input: &mut Tokens<'_>) -> Parsed<Expr> {
    joined(input, "or", both, ExprKind::Or)
}

/// `a and b`.
fn both(input: &mut Tokens<'_>) -> Parsed<Expr> {
    joined(input, "and", negation, ExprKind::And)
}

fn joined(
    input: &mut Tokens<'_>,
    sign: &'static str,
    part: fn(&mut Tokens<'_>) -> Parsed<Expr>,
    kind_of: fn(Vec<Expr>) -> ExprKind,
) -> Parsed<Expr> {
    let mut parts: Vec<Expr> = separated(1.., part, kind(sign)).parse_next(input)?;
    match (parts.pop(), parts.first()) {
        (Some(last), Some(first)) => {
            let span = first.outer.to(last.outer);
            parts.push(last);
            Ok(Expr::new(kind_of(parts), span)?)
        }
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure(None)),
    }
}

/// `not a`: of a whole comparison.
fn negation(input: &mut Tokens<'_>) -> Parsed<Expr> {
    let Some(not) = opt(kind("not")).parse_next(input)? else {
        return comparison(input);
    };
    let inner = deeper(input, not.span, negation)?;
    let span = not.span.to(inner.outer);
    Ok(Expr::new(ExprKind::Not(Box::new(inner)), span)?)
}

fn comparison(input: &mut Tokens<'_>) -> Parsed<Expr> {
    let first = sum(input)?;
    let signs: Vec<_> = repeat(0.., (comparing, sum)).parse_next(input)?;
    if !signs.is_empty() {
        return chain(first, signs);
    }
    if opt(kind("is")).parse_next(input)?.is_some() {
        return missing(input, first);
    }
    let not = opt(kind("not")).parse_next(input)?;
    let test = opt(alt((range, membership, text_match))).parse_next(input)?;
    match (test, not) {
        (None, None) => Ok(first),
        (None, Some(_)) => {
            let wanted = "`between`, `in`, `contains`, `starts_with`, `ends_with` or `matches`";
            Err(unexpected(input, wanted).into())
        }
        (Some(test), not) => {
            let span = first.outer.to(test.end);
            let test = Expr::new((test.make)(Box::new(first)), span)?;
            if not.is_none() {
                return Ok(test);
            }
            Ok(Expr::new(ExprKind::Not(Box::new(test)), span)?)
        }
    }
}

fn comparing(input: &mut Tokens<'_>) -> Parsed<(Comparison, Span)> {
    let sign = |token: &Token| {
        let TokenKind::Symbol(sign) = token.kind else {
            return None;
        };
        let found = Comparison::ALL
            .into_iter()
            .find(|comparison| comparison.sign() == sign);
        Some((found?, token.span))
    };
    any.verify_map(sign).parse_next(input)
}

/// `a < b <= c`: all signs in one direction.
fn chain(first: Expr, signs: Vec<((Comparison, Span), Expr)>) -> Parsed<Expr> {
    let is = |wanted: &[Comparison]| signs.iter().all(|((sign, _), _)| wanted.contains(sign));
    let rising = is(&[Comparison::Less, Comparison::AtMost, Comparison::Equal]);
    let falling = is(&[Comparison::Greater, Comparison::AtLeast, Comparison::Equal]);
    if signs.len() > 1
        && !(rising || falling)
        && let Some(((_, span), _)) = signs.get(1)
    {
        let message = "the signs of a chain have to point in one direction";
        let diagnostic = Diagnostic::new(Code::Syntax, *span, message);
        return Err(diagnostic
            .help("write two comparisons with `and` between them")
            .into());
    }
    let span = signs
        .last()
        .map_or(first.outer, |(_, last)| first.outer.to(last.outer));
    let rest = signs
        .into_iter()
        .map(|((sign, _), part)| (sign, part))
        .collect();
    let first = Box::new(first);
    Ok(Expr::new(ExprKind::Compare { first, rest }, span)?)
}

/// `is missing`, `is not missing`.
fn missing(input: &mut Tokens<'_>, value: Expr) -> Parsed<Expr> {
    let not = opt(kind("not")).parse_next(input)?;
    let Some(word) = opt(phrase("missing")).parse_next(input)? else {
        return Err(unexpected(input, "`missing`").into());
    };
    let span = value.outer.to(word.span);
    let function = Function::IsMissing;
    let call = ExprKind::Call {
        function,
        arguments: vec![value],
    };
    let call = Expr::new(call, span)?;
    match not {
        None => Ok(call),
        Some(_) => Ok(Expr::new(ExprKind::Not(Box::new(call)), span)?),
    }
}

/// What is asked about a value that stands before it.
struct Test {
    make: Box<dyn FnOnce(Box<Expr>) -> ExprKind>,
    end: Span,
}

/// `between a and b`, both included.
fn range(input: &mut Tokens<'_>) -> Parsed<Test> {
    kind("between").parse_next(input)?;
    let (low, _, high) = (sum, expect("and"), sum).parse_next(input)?;
    let end = high.outer;
    let (low, high) = (Box::new(low), Box::new(high));
    let make = Box::new(|value| ExprKind::Between { value, low, high });
    Ok(Test { make, end })
}

/// `in [a, b]`, `in (a, b)`, `in @list`.
fn membership(input: &mut Tokens<'_>) -> Parsed<Test> {
    kind("in").parse_next(input)?;
    let (set, end) = alt((list, members)).parse_next(input)?;
    let make = Box::new(|value| ExprKind::In { value, set });
    Ok(Test { make, end })
}

fn list(input: &mut Tokens<'_>) -> Parsed<(SetExpr, Span)> {
    let name = |token: &Token| match &token.kind {
        TokenKind::List(name) => Some((SetExpr::List(Arc::clone(name)), token.span)),
        _ => None,
    };
    any.verify_map(name).parse_next(input)
}

fn members(input: &mut Tokens<'_>) -> Parsed<(SetExpr, Span)> {
    let open = opt(alt((kind("["), kind("(")))).parse_next(input)?;
    let Some(open) = open else {
        return Err(unexpected(input, "`[` or `@list`").into());
    };
    let close = if open.kind == TokenKind::Symbol("[") {
        "]"
    } else {
        ")"
    };
    let members = deeper(input, open.span, |input| {
        separated(1.., sum, kind(",")).parse_next(input)
    })?;
    let end = expect(close).parse_next(input)?;
    Ok((SetExpr::Members(members), end.span))
}

/// `contains a` and its like.
fn text_match(input: &mut Tokens<'_>) -> Parsed<Test> {
    let how = alt((
        alt((kind("contains").value(()), phrase("includes").value(()))).value(TextMatch::Contains),
        kind("starts_with").value(TextMatch::StartsWith),
        kind("ends_with").value(TextMatch::EndsWith),
        (phrase("starts"), phrase("with")).value(TextMatch::StartsWith),
        (phrase("ends"), phrase("with")).value(TextMatch::EndsWith),
        kind("matches").value(TextMatch::Matches),
    ))
    .parse_next(input)?;
    let pattern = sum(input)?;
    let end = pattern.outer;
    let pattern = Box::new(pattern);
    let make = Box::new(move |value| ExprKind::Match {
        how,
        value,
        pattern,
    });
    Ok(Test { make, end })
}

fn sum(input: &mut Tokens<'_>) -> Parsed<Expr> {
    let first = product(input)?;
    let sign = alt((kind("+").value(false), kind("-").value(true)));
    let rest: Vec<(bool, Expr)> = repeat(0.., (sign, product)).parse_next(input)?;
    let kind_of = |first, rest| ExprKind::Sum { first, rest };
    with_rest(first, rest, kind_of)
}

fn product(input: &mut Tokens<'_>) -> Parsed<Expr> {
    let first = unary(input)?;
    let sign = alt((kind("*").value(false), kind("/").value(true)));
    let rest: Vec<(bool, Expr)> = repeat(0.., (sign, unary)).parse_next(input)?;
    let kind_of = |first, rest| ExprKind::Product { first, rest };
    with_rest(first, rest, kind_of)
}

fn with_rest(
    first: Expr,
    rest: Vec<(bool, Expr)>,
    kind_of: fn(Box<Expr>, Vec<(bool, Expr)>) -> ExprKind,
) -> Parsed<Expr> {
    let Some((_, last)) = rest.last() else {
        return Ok(first);
    };
    let span = first.outer.to(last.outer);
    Ok(Expr::new(kind_of(Box::new(first), rest), span)?)
}

/// `-a`, `!a`.
fn unary(input: &mut Tokens<'_>) -> Parsed<Expr> {
    let Some(sign) = opt(alt((kind("-"), kind("!")))).parse_next(input)? else {
        return primary(input);
    };
    let inner = deeper(input, sign.span, unary)?;
    let span = sign.span.to(inner.outer);
    let inner = Box::new(inner);
    let kind = if sign.kind == TokenKind::Symbol("-") {
        ExprKind::Negate(inner)
    } else {
        ExprKind::Not(inner)
    };
    Ok(Expr::new(kind, span)?)
}

fn primary(input: &mut Tokens<'_>) -> Parsed<Expr> {
    let start = input.checkpoint();
    let token: Option<&Token> = opt(any::<_, Failure>).parse_next(input)?;
    let Some(token) = token else {
        return Err(unexpected(input, "a value").into());
    };
    let kind = match &token.kind {
        TokenKind::Number(number) => ExprKind::Number(*number),
        TokenKind::Text(text) => ExprKind::Text(Arc::clone(text)),
        TokenKind::Clock(seconds) => ExprKind::Clock(*seconds),
        TokenKind::Symbol("true") => ExprKind::Flag(true),
        TokenKind::Symbol("false") => ExprKind::Flag(false),
        TokenKind::Symbol("(") => {
            let mut inner = deeper(input, token.span, either)?;
            let close = expect(")").parse_next(input)?;
            inner.outer = token.span.to(close.span);
            return Ok(inner);
        }
        TokenKind::Name(name) if opt(kind("(")).parse_next(input)?.is_some() => {
            return call(input, name, token.span);
        }
        TokenKind::Name(name) => ExprKind::Name(Arc::clone(name)),
        TokenKind::List(_) => {
            input.reset(&start);
            let diagnostic = unexpected(input, "a value");
            return Err(diagnostic.help("write `value in @name`").into());
        }
        TokenKind::Symbol(_) => {
            input.reset(&start);
            return Err(unexpected(input, "a value").into());
        }
    };
    Ok(Expr::new(kind, token.span)?)
}

/// An argument, with its name where it has one.
pub(crate) struct Argument {
    pub(crate) name: Option<(Arc<str>, Span)>,
    pub(crate) value: Expr,
}

/// A call, from behind its parenthesis.
fn call(input: &mut Tokens<'_>, name: &Arc<str>, at: Span) -> Parsed<Expr> {
    let arguments: Vec<Argument> = deeper(input, at, |input| {
        separated(0.., argument, kind(",")).parse_next(input)
    })?;
    let end = expect(")").parse_next(input)?;
    let span = at.to(end.span);
    let named = arguments.iter().any(|argument| argument.name.is_some());
    if named || window::is_aggregate(name) {
        let request = window::request((name, at), &arguments, span)?;
        return Ok(Expr::new(ExprKind::Window(Box::new(request)), span)?);
    }
    let function = Function::ALL
        .into_iter()
        .find(|function| function.name() == &**name);
    let Some(function) = function else {
        let message = format!("there is no function `{name}`");
        let known = Function::ALL.map(Function::name);
        let known = known.into_iter().chain(window::AGGREGATES);
        let help = match super::diagnostic::nearest(name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("functions are {}", known.collect::<Vec<_>>().join(", ")),
        };
        return Err(Diagnostic::new(Code::UnknownName, at, message)
            .help(help)
            .into());
    };
    let (fewest, most, shape) = function.shape();
    if !(fewest..=most).contains(&arguments.len()) {
        let message = format!("`{name}` does not take {} values", arguments.len());
        let diagnostic = Diagnostic::new(Code::Arguments, span, message);
        return Err(diagnostic.help(format!("write {shape}")).into());
    }
    let arguments = arguments
        .into_iter()
        .map(|argument| argument.value)
        .collect();
    let kind = ExprKind::Call {
        function,
        arguments,
    };
    Ok(Expr::new(kind, span)?)
}

fn argument(input: &mut Tokens<'_>) -> Parsed<Argument> {
    let name = |token: &Token| match &token.kind {
        TokenKind::Name(name) => Some((Arc::clone(name), token.span)),
        _ => None,
    };
    let name = opt(terminated(any.verify_map(name), kind("=="))).parse_next(input)?;
    let value = sum(input)?;
    Ok(Argument { name, value })
}
