//! From a source to words.

use super::diagnostic::{Code, Diagnostic, Span, nearest};
use super::hint;
use super::unit::{LiteralUnit, Symbol};
use dafu_core::Currency;
use std::fmt;
use std::sync::Arc;
use winnow::ascii::multispace0;
use winnow::combinator::{alt, opt, peek, preceded, repeat, terminated};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, one_of, take_till, take_while};

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NumberLiteral {
    /// The number, in its unit.
    pub(crate) value: f64,
    /// Its unit, where it has one.
    pub(crate) unit: Option<LiteralUnit>,
}

/// A word of a source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    Number(NumberLiteral),
    Text(Arc<str>),
    /// Seconds since midnight.
    Clock(u32),
    /// A name that means what the schema says.
    Name(Arc<str>),
    /// `@name`.
    List(Arc<str>),
    /// A sign, or a word that means something to the grammar.
    Symbol(&'static str),
}

/// A word and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(_) => f.write_str("a number"),
            Self::Text(_) => f.write_str("a text"),
            Self::Clock(_) => f.write_str("a time of day"),
            Self::Name(name) => write!(f, "`{name}`"),
            Self::List(name) => write!(f, "`@{name}`"),
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
        }
    }
}

/// Names that mean something to the grammar; in a source they stand in any case.
pub(crate) const KEYWORDS: [&str; 12] = [
    "and",
    "or",
    "not",
    "between",
    "in",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "is",
    "true",
    "false",
];

/// Signs, with the word or sign that they mean; longer ones first.
const SIGNS: [(&str, &str); 21] = [
    ("&&", "and"),
    ("||", "or"),
    ("!=", "!="),
    ("<>", "!="),
    ("==", "=="),
    ("<=", "<="),
    (">=", ">="),
    // Of cells of tables: `[10..20)`.
    ("..", ".."),
    ("=", "=="),
    ("<", "<"),
    (">", ">"),
    ("!", "!"),
    ("(", "("),
    (")", ")"),
    ("[", "["),
    ("]", "]"),
    (",", ","),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
];

type Input<'a> = LocatingSlice<&'a str>;

/// Why a word cannot be read: another kind of word may be meant, or none.
#[derive(Debug)]
struct Failure(Option<Box<Diagnostic>>);

impl Failure {
    fn new(diagnostic: Diagnostic) -> Self {
        Self(Some(Box::new(diagnostic)))
    }
}

impl ParserError<Input<'_>> for Failure {
    type Inner = Self;

    fn from_input(_: &Input<'_>) -> Self {
        Self(None)
    }

    fn is_backtrack(&self) -> bool {
        self.0.is_none()
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

type Lexed<T> = Result<T, Failure>;

/// The words of a source.
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Diagnostic> {
    let mut input = LocatingSlice::new(source);
    let words = repeat(0.., preceded(multispace0, token));
    let words: Lexed<Vec<Token>> = terminated(words, multispace0).parse_next(&mut input);
    let at = input.current_token_start();
    let failure = match words {
        Ok(words) if input.is_empty() => return Ok(words),
        Ok(_) => None,
        Err(failure) => failure.0,
    };
    Err(failure.map_or_else(|| unexpected(source, at), |diagnostic| *diagnostic))
}

fn unexpected(source: &str, at: usize) -> Diagnostic {
    let rest = source.get(at..).unwrap_or_default();
    let character = rest.chars().next().unwrap_or(' ');
    let span = Span {
        start: at,
        end: at + character.len_utf8(),
    };
    let shown = hint::shown(character);
    let message = format!("the character {shown} means nothing here");
    Diagnostic::new(Code::Token, span, message).help(hint::character(character))
}

fn token(input: &mut Input<'_>) -> Lexed<Token> {
    let kind = alt((number_or_clock, text, word, quoted_name, list, sign));
    let (kind, range) = kind.with_span().parse_next(input)?;
    let span = Span {
        start: range.start,
        end: range.end,
    };
    Ok(Token { kind, span })
}

fn sign(input: &mut Input<'_>) -> Lexed<TokenKind> {
    let found = SIGNS.iter().find(|(sign, _)| input.starts_with(sign));
    let Some((sign, meant)) = found else {
        return Err(Failure(None));
    };
    (*sign).value(TokenKind::Symbol(meant)).parse_next(input)
}

const fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn letters<'a>(input: &mut Input<'a>) -> Lexed<&'a str> {
    let first = one_of(|character: char| character.is_ascii_alphabetic() || character == '_');
    (first, take_while(0.., is_name)).take().parse_next(input)
}

/// A name, whose parts may be joined by points.
fn word(input: &mut Input<'_>) -> Lexed<TokenKind> {
    let more = repeat::<_, _, (), _, _>(0.., ('.', letters));
    let name = (letters, more).take().parse_next(input)?;
    let keyword = KEYWORDS
        .iter()
        .find(|keyword| keyword.eq_ignore_ascii_case(name));
    Ok(match keyword {
        Some(keyword) => TokenKind::Symbol(keyword),
        None => TokenKind::Name(name.into()),
    })
}

fn quoted_name(input: &mut Input<'_>) -> Lexed<TokenKind> {
    let start = input.current_token_start();
    '`'.parse_next(input)?;
    let name: Lexed<&str> = take_till(1.., ['`', '\n']).parse_next(input);
    let end: Lexed<char> = '`'.parse_next(input);
    match (name, end) {
        (Ok(name), Ok(_)) => Ok(TokenKind::Name(name.into())),
        _ => Err(without_end(start, "name", '`')),
    }
}

fn without_end(start: usize, what: &str, quote: char) -> Failure {
    let span = Span {
        start,
        end: start + 1,
    };
    let message = format!("the {what} that begins here has no end");
    let diagnostic = Diagnostic::new(Code::Token, span, message);
    Failure::new(diagnostic.help(format!("close it with {quote}")))
}

fn list(input: &mut Input<'_>) -> Lexed<TokenKind> {
    preceded('@', letters)
        .map(|name: &str| TokenKind::List(name.into()))
        .parse_next(input)
}

/// A text in single or double quotes; behind an `r` it is taken as it stands.
fn text(input: &mut Input<'_>) -> Lexed<TokenKind> {
    let start = input.current_token_start();
    let (raw, mut quote) = (opt('r'), one_of(['\'', '"'])).parse_next(input)?;
    if raw.is_some() {
        let text: &str = take_till(0.., quote).parse_next(input)?;
        let end: Lexed<char> = quote.parse_next(input);
        return match end {
            Ok(_) => Ok(TokenKind::Text(text.into())),
            Err(_) => Err(without_end(start, "text", quote)),
        };
    }
    let mut text = String::new();
    loop {
        let plain: &str = take_till(0.., [quote, '\\']).parse_next(input)?;
        text.push_str(plain);
        let at = input.current_token_start();
        match any::<_, Failure>.parse_next(input) {
            Ok('\\') => text.push(escaped(input, at)?),
            Ok(_) => return Ok(TokenKind::Text(text.into())),
            Err(_) => return Err(without_end(start, "text", quote)),
        }
    }
}

/// The character that stands for what is behind a backslash at `start`.
fn escaped(input: &mut Input<'_>, start: usize) -> Lexed<char> {
    let code = |input: &mut Input<'_>| -> Lexed<char> {
        '{'.parse_next(input)?;
        let digits: &str =
            take_while(1..=6, |digit: char| digit.is_ascii_hexdigit()).parse_next(input)?;
        '}'.parse_next(input)?;
        let code = u32::from_str_radix(digits, 16).ok();
        code.and_then(char::from_u32).ok_or(Failure(None))
    };
    let character = match any::<_, Failure>.parse_next(input) {
        Ok('n') => Ok('\n'),
        Ok('t') => Ok('\t'),
        Ok(quoted @ ('\\' | '\'' | '"')) => Ok(quoted),
        Ok('u') => code(input),
        _ => Err(Failure(None)),
    };
    character.map_err(|_| {
        let span = Span {
            start,
            end: input.current_token_start(),
        };
        let message = "nothing is written like this";
        let diagnostic = Diagnostic::new(Code::Token, span, message);
        let help = r#"write \\ for a backslash, or r'...' for a text without escapes; others are \' \" \n \t \u{...}"#;
        Failure::new(diagnostic.help(help))
    })
}

fn digits<'a>(input: &mut Input<'a>) -> Lexed<&'a str> {
    take_while(1.., |digit: char| digit.is_ascii_digit() || digit == '_')
        .verify(|digits: &str| digits.starts_with(|digit: char| digit.is_ascii_digit()))
        .parse_next(input)
}

fn number_or_clock(input: &mut Input<'_>) -> Lexed<TokenKind> {
    if let Some(clock) = opt(clock).parse_next(input)? {
        return Ok(TokenKind::Clock(clock));
    }
    let start = input.current_token_start();
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digits);
    let mut number = (digits, opt(('.', digits)), opt(exponent)).take();
    let written: &str = number.parse_next(input)?;
    let value: f64 = written.replace('_', "").parse().unwrap_or(f64::NAN);
    if !value.is_finite() {
        let end = input.current_token_start();
        let diagnostic =
            Diagnostic::new(Code::Token, Span { start, end }, "this number is too large");
        return Err(Failure::new(diagnostic.help("numbers are at most 1.8e308")));
    }
    let unit = unit(input)?;
    Ok(TokenKind::Number(NumberLiteral { value, unit }))
}

/// `22:00` or `22:00:30`, in seconds since midnight.
fn clock(input: &mut Input<'_>) -> Lexed<u32> {
    let start = input.current_token_start();
    let part = |most: usize| {
        take_while(most - 1..=most, |digit: char| digit.is_ascii_digit()).parse_to::<u32>()
    };
    let two = || take_while(2, |digit: char| digit.is_ascii_digit()).parse_to::<u32>();
    let hours = part(2).parse_next(input)?;
    let (minutes, seconds) = (preceded(':', two()), opt(preceded(':', two()))).parse_next(input)?;
    let seconds = seconds.unwrap_or(0);
    if hours < 24 && minutes < 60 && seconds < 60 {
        return Ok(hours * 3600 + minutes * 60 + seconds);
    }
    let end = input.current_token_start();
    let diagnostic = Diagnostic::new(
        Code::Token,
        Span { start, end },
        "there is no such time of day",
    );
    Err(Failure::new(
        diagnostic.help("times are from 00:00 to 23:59:59"),
    ))
}

/// What stands behind a number: `km`, `km/h`, `/h`, `%`, `USD`, ` USD`.
fn unit(input: &mut Input<'_>) -> Lexed<Option<LiteralUnit>> {
    let percent = '%'.value(LiteralUnit::Percent);
    let per = preceded('/', symbol).map(LiteralUnit::Per);
    let quotient = (symbol, '/', symbol).map(|(over, _, under)| LiteralUnit::Quotient(over, under));
    let simple = symbol.map(LiteralUnit::Simple);
    let money = preceded(opt(' '), currency).map(LiteralUnit::Money);
    let unit = opt(alt((percent, per, quotient, simple, money))).parse_next(input)?;
    if unit.is_none() {
        let start = input.current_token_start();
        let unknown: Lexed<&str> = peek(letters).parse_next(input);
        if let Ok(unknown) = unknown {
            let end = start + unknown.len();
            let message = format!("there is no unit `{unknown}`");
            let known = Symbol::ALL.map(Symbol::name);
            let word = hint::unit_word(unknown).map(Symbol::name);
            let help = match word.or_else(|| nearest(unknown, known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "units are {}, %, and codes of currencies such as USD",
                    known.join(", ")
                ),
            };
            let diagnostic = Diagnostic::new(Code::Unit, Span { start, end }, message);
            return Err(Failure::new(diagnostic.help(help)));
        }
    }
    Ok(unit)
}

fn symbol(input: &mut Input<'_>) -> Lexed<Symbol> {
    letters.verify_map(Symbol::from_name).parse_next(input)
}

/// Three capitals that mean nothing else.
fn currency(input: &mut Input<'_>) -> Lexed<Currency> {
    let code = |name: &str| {
        let keyword = KEYWORDS
            .iter()
            .any(|keyword| keyword.eq_ignore_ascii_case(name));
        if keyword {
            None
        } else {
            Currency::new(name).ok()
        }
    };
    letters.verify_map(code).parse_next(input)
}
