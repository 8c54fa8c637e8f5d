//! Small sources that would become large: limits, not hangs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use dafu_rules::{Code, Condition, Rule, RuleError, RuleSet};
use support::schema;

#[test]
fn compared_conditions_do_not_double_without_end() {
    let nested = |levels: usize| {
        let open = "(".repeat(levels);
        let close = " == declined)".repeat(levels);
        format!("{open}declined{close}")
    };
    for levels in [1, 4] {
        let condition = Condition::parse(&nested(levels)).unwrap();
        let compiled = condition.compile(&schema());
        assert!(!compiled.is_err_and(|error| error.diagnostics[0].code == Code::Limit));
    }
    for levels in [12, 20, 63] {
        let condition = Condition::parse(&nested(levels)).unwrap();
        let error = condition.compile(&schema()).unwrap_err();
        assert_eq!(error.diagnostics[0].code, Code::Limit, "{levels}");
    }
    // Side by side.
    let some = "((amount > 1) == (gap > 1h)) == ((share > 0.1) == (count_1h > 2))";
    let many = vec![some; 180].join(" or ");
    let error = Condition::parse(&many)
        .unwrap()
        .compile(&schema())
        .unwrap_err();
    assert_eq!(error.diagnostics[0].code, Code::Limit);
}

#[test]
fn patterns_of_all_rules_have_a_limit_together() {
    let rule = |number: usize| {
        let pattern = format!(r"merchant matches r'\w{{5}}{number}'");
        Rule::new(format!("r{number}"), pattern, 0.5)
    };
    let set = RuleSet::new((0..900).map(rule));
    let Err(RuleError::Conditions(errors)) = set.compile(&schema()) else {
        panic!("that much is compiled");
    };
    assert_eq!(errors[0].diagnostics[0].code, Code::Limit);
    assert!(errors[0].to_string().contains("the patterns of all rules"));
    // The same one costs nothing again.
    let same =
        (0..900).map(|number| Rule::new(format!("r{number}"), r"merchant matches r'\w{5}'", 0.5));
    assert!(RuleSet::new(same).compile(&schema()).is_ok());
}

#[test]
fn what_is_printed_deeper_is_read_again_or_refused() {
    for levels in 1..32 {
        let source = format!("amount > {}1", "-".repeat(levels));
        let flags = format!("{}declined", "!".repeat(levels));
        for source in [source, flags] {
            if let Ok(condition) = Condition::parse(&source) {
                let printed = condition.to_string();
                assert_eq!(
                    Condition::parse(&printed).unwrap().to_string(),
                    printed,
                    "{source}"
                );
            }
        }
        let source = format!("{}declined", "-!".repeat(levels));
        if let Ok(condition) = Condition::parse(&source) {
            let printed = condition.to_string();
            assert!(Condition::parse(&printed).is_ok(), "{levels}: {printed}");
        }
    }
    assert!(Condition::parse(&format!("{}declined", "-!".repeat(25))).is_err());
}
