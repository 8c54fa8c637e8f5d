//! What people write who know other languages, and how it is written here.

use super::token::{Token, TokenKind};
use super::unit::Symbol;
use dafu_core::Currency;

/// Words of units, and the units.
const UNIT_WORDS: [(&str, Symbol); 33] = [
    ("meter", Symbol::Metre),
    ("meters", Symbol::Metre),
    ("metre", Symbol::Metre),
    ("metres", Symbol::Metre),
    ("kilometer", Symbol::Kilometre),
    ("kilometers", Symbol::Kilometre),
    ("kilometre", Symbol::Kilometre),
    ("kilometres", Symbol::Kilometre),
    ("kms", Symbol::Kilometre),
    ("mile", Symbol::Mile),
    ("miles", Symbol::Mile),
    ("foot", Symbol::Foot),
    ("feet", Symbol::Foot),
    ("millisecond", Symbol::Millisecond),
    ("milliseconds", Symbol::Millisecond),
    ("sec", Symbol::Second),
    ("secs", Symbol::Second),
    ("second", Symbol::Second),
    ("seconds", Symbol::Second),
    ("mins", Symbol::Minute),
    ("minute", Symbol::Minute),
    ("minutes", Symbol::Minute),
    ("hr", Symbol::Hour),
    ("hrs", Symbol::Hour),
    ("hour", Symbol::Hour),
    ("hours", Symbol::Hour),
    ("day", Symbol::Day),
    ("days", Symbol::Day),
    ("week", Symbol::Week),
    ("weeks", Symbol::Week),
    ("degree", Symbol::Degree),
    ("degrees", Symbol::Degree),
    ("degs", Symbol::Degree),
];

/// The unit that a word stands for.
pub(super) fn unit_word(word: &str) -> Option<Symbol> {
    let word = word.to_ascii_lowercase();
    let found = UNIT_WORDS.iter().find(|(other, _)| *other == word);
    found.map(|(_, symbol)| *symbol)
}

/// What to write for a character that means nothing.
pub(super) fn character(character: char) -> String {
    let plain = |sign: &str| format!("write `{sign}`");
    match character {
        '&' | '|' => format!("write `{character}{character}`"),
        '%' => "write `10%` without a blank".into(),
        '.' => "write `0.5`, with a digit before the point".into(),
        '@' => "a list is written `@name`".into(),
        '$' => currency("USD"),
        '\u{20ac}' => currency("EUR"),
        '\u{a3}' => currency("GBP"),
        '\u{a5}' => currency("JPY"),
        '\u{2264}' | '\u{2a7d}' => plain("<="),
        '\u{2265}' | '\u{2a7e}' => plain(">="),
        '\u{2260}' => plain("!="),
        '\u{d7}' => plain("*"),
        '\u{f7}' => plain("/"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => plain("-"),
        '\u{2227}' => plain("and"),
        '\u{2228}' => plain("or"),
        '\u{ac}' => plain("not"),
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{b4}' => {
            "texts stand in straight quotes: 'DE'".into()
        }
        blank if blank.is_whitespace() => "write a plain blank".into(),
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => {
            "nobody sees this character: take it out".into()
        }
        _ => "texts stand in quotes, odd names in backquotes".into(),
    }
}

fn currency(code: &str) -> String {
    format!("the code of a currency stands behind the number: `500 {code}`")
}

/// The character as everybody can read it.
pub(super) fn shown(character: char) -> String {
    match character {
        ' '..='~' => format!("{character:?}"),
        other => format!("U+{:04X}", u32::from(other)),
    }
}

/// What to do about a word that is not expected where it stands, the last of these.
pub(super) fn unexpected(source: &str, words: &[Token]) -> Option<String> {
    let [before @ .., word] = words else {
        return None;
    };
    let [.., previous] = before else {
        return None;
    };
    let text = |token: &Token| source.get(token.span.start..token.span.end);
    let adjacent = previous.span.end == word.span.start;
    match (&previous.kind, &word.kind) {
        (TokenKind::Number(number), TokenKind::Name(name)) if number.unit.is_none() => {
            unit_apart(text(previous)?, name)
        }
        (TokenKind::Number(_), TokenKind::Symbol(",")) => {
            Some("no comma stands within a number: write `1_000` or `1000`, and `0.5`".into())
        }
        (TokenKind::Symbol("=="), TokenKind::Symbol(sign @ ("<" | ">")))
            if adjacent && text(previous) == Some("=") =>
        {
            Some(format!("write `{sign}=`"))
        }
        (TokenKind::Symbol("<" | ">"), TokenKind::Symbol("==")) if !adjacent => {
            Some(format!("write `{}=` without a blank", text(previous)?))
        }
        (TokenKind::Symbol("in"), TokenKind::Name(name)) => Some(format!(
            "a list is written `@{name}`, one text `in ['{name}']`"
        )),
        (TokenKind::Symbol("is" | "not"), TokenKind::Name(name)) if is_null(name) => {
            Some("write `is missing`, or `is not missing`".into())
        }
        _ => None,
    }
}

/// Whether it is what other languages call missing.
pub(crate) fn is_null(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["null", "none", "nil", "nan", "empty", "unknown"].contains(&&*name)
}

/// About a unit that stands apart from its number, or a currency in small letters.
fn unit_apart(number: &str, name: &str) -> Option<String> {
    let capitals = name.to_ascii_uppercase();
    if let Some(symbol) = Symbol::from_name(name).or_else(|| unit_word(name)) {
        Some(format!("write `{number}{}` without a blank", symbol.name()))
    } else if Currency::new(&capitals).is_ok() {
        Some(format!(
            "currencies are written in capitals: `{number} {capitals}`"
        ))
    } else {
        None
    }
}
