//! The page of the language says what the code does.
#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_rules::Code;

#[test]
fn every_code_stands_in_the_reference() {
    let page = include_str!("../docs/language.md");
    let codes = [
        Code::Token,
        Code::Syntax,
        Code::UnknownName,
        Code::Type,
        Code::Unit,
        Code::Rate,
        Code::Arguments,
        Code::Pattern,
        Code::Limit,
        Code::Constant,
        Code::ConstantPart,
        Code::Level,
    ];
    for code in codes {
        assert!(page.contains(&format!("| `{code}` |")), "{code}");
    }
}
