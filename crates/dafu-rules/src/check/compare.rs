//! Comparisons, ranges, sets and patterns.

use super::{Checker, Typed};
use crate::language::{Code, Comparison, Diagnostic, Expr, ExprKind, Span, TextMatch, nearest};
use crate::program::{
    ALL_PATTERNS, LARGEST_PATTERN, Logic, Network, NumberExpr, Pattern, PatternError, Predicate,
    TextExpr,
};
use std::sync::Arc;

/// Tests, and what joins them, of two conditions that are compared: both stand twice in what becomes of it, so that nested
/// comparisons would double again and again.
const MOST_COMPARED: usize = 256;

/// Two values that can be compared: both of one type.
enum Pair {
    Numbers(NumberExpr, NumberExpr),
    Texts(TextExpr, TextExpr),
    Addresses(TextExpr, TextExpr),
    /// An address, and one or a block of them that stands in the rule.
    Network(TextExpr, Network),
    Logic(Logic, Logic),
}

impl Checker<'_> {
    /// `a < b <= c` as `a < b and b <= c`.
    pub(super) fn chain(
        &mut self,
        first: &Expr,
        rest: &[(Comparison, Expr)],
        whole: Span,
    ) -> Option<Logic> {
        let mut left = (first, self.typed(first));
        let mut tests = Vec::with_capacity(rest.len());
        for (sign, part) in rest {
            let right = self.typed(part);
            let span = left.0.outer.to(part.outer);
            let test = match (left.1, right.clone()) {
                (Some(left_typed), Some(right)) => {
                    let sides = [(left_typed, left.0.span), (right, part.span)];
                    self.comparison(sides, *sign, span)
                }
                _ => None,
            };
            tests.push(test);
            left = (part, right);
        }
        let tests: Option<Vec<Logic>> = tests.into_iter().collect();
        let mut tests = tests?;
        if tests.len() == 1 {
            return tests.pop();
        }
        Some(Logic::And(tests, whole))
    }

    fn comparison(
        &mut self,
        sides: [(Typed, Span); 2],
        sign: Comparison,
        span: Span,
    ) -> Option<Logic> {
        let equality = matches!(sign, Comparison::Equal | Comparison::Unequal);
        let ordered = |checker: &mut Self, what: &str| {
            let message = format!("{what} have no order");
            let diagnostic = Diagnostic::new(Code::Type, span, message);
            checker.report::<Logic>(diagnostic.help("compare them with == or !="))
        };
        let equal = match self.pair(sides, span)? {
            Pair::Numbers(left, right) => return Some(self.numbers(left, sign, right, span)),
            Pair::Texts(..) if !equality => return ordered(self, "texts"),
            Pair::Addresses(..) | Pair::Network(..) if !equality => {
                return ordered(self, "internet addresses");
            }
            Pair::Logic(..) if !equality => return ordered(self, "conditions"),
            Pair::Texts(left, right) => self.texts(left, right, span),
            Pair::Addresses(left, right) => self.test(Predicate::Addresses { left, right }, span),
            Pair::Network(address, network) => {
                let networks = vec![network];
                self.test(Predicate::InNetwork { address, networks }, span)
            }
            Pair::Logic(left, right) => {
                let size = left.size() + right.size();
                if size > MOST_COMPARED {
                    let message = format!(
                        "compared conditions have at most {MOST_COMPARED} tests and joins, these have {size}"
                    );
                    let diagnostic = Diagnostic::new(Code::Limit, span, message);
                    return self
                        .report(diagnostic.help("write out with and, or, not when they agree"));
                }
                let not = |side: Logic| Logic::Not(Box::new(side), span);
                match (left, right) {
                    (Logic::Constant(holds), side) | (side, Logic::Constant(holds)) => {
                        if holds {
                            side
                        } else {
                            not(side)
                        }
                    }
                    (left, right) => {
                        let neither = vec![not(left.clone()), not(right.clone())];
                        Logic::Or(
                            vec![
                                Logic::And(vec![left, right], span),
                                Logic::And(neither, span),
                            ],
                            span,
                        )
                    }
                }
            }
        };
        Some(match sign {
            Comparison::Unequal => Logic::Not(Box::new(equal), span),
            _ => equal,
        })
    }

    /// Both sides as one type: constants take that of the other side where they can.
    fn pair(&mut self, sides: [(Typed, Span); 2], span: Span) -> Option<Pair> {
        let [(left, left_span), (right, right_span)] = sides;
        Some(match (left, right) {
            (Typed::Number(left), Typed::Number(right)) => {
                let both = vec![(left, left_span), (right, right_span)];
                let (exprs, ..) = self.in_one_measure(both)?;
                let mut exprs = exprs.into_iter();
                Pair::Numbers(exprs.next()?, exprs.next()?)
            }
            (Typed::Time(left), Typed::Text(text)) => {
                Pair::Numbers(left, self.time(&text, right_span)?)
            }
            (Typed::Text(text), Typed::Time(right)) => {
                Pair::Numbers(self.time(&text, left_span)?, right)
            }
            (Typed::Time(left), Typed::Time(right))
            | (Typed::Clock(left), Typed::Clock(right))
            | (Typed::Weekday(left), Typed::Weekday(right)) => Pair::Numbers(left, right),
            (Typed::Text(left), Typed::Text(right)) => Pair::Texts(left, right),
            (Typed::Ip(address), Typed::Text(text)) => {
                Pair::Network(address, self.network(&text, right_span)?)
            }
            (Typed::Text(text), Typed::Ip(address)) => {
                Pair::Network(address, self.network(&text, left_span)?)
            }
            (Typed::Ip(left), Typed::Ip(right)) => Pair::Addresses(left, right),
            (Typed::Logic(left), Typed::Logic(right)) => Pair::Logic(left, right),
            (left, right) => return self.mismatch(&left, &right, span),
        })
    }

    fn mismatch<T>(&mut self, left: &Typed, right: &Typed, span: Span) -> Option<T> {
        let message = format!("{} cannot be compared with {}", left.name(), right.name());
        let help = match (left, right) {
            (Typed::Number(_), Typed::Text(_)) | (Typed::Text(_), Typed::Number(_)) => {
                Some("numbers stand without quotes, texts in quotes")
            }
            (Typed::Time(_), Typed::Clock(_)) | (Typed::Clock(_), Typed::Time(_)) => {
                Some("write time_of_day(...) around the time")
            }
            (Typed::Time(_), Typed::Weekday(_)) | (Typed::Weekday(_), Typed::Time(_)) => {
                Some("write weekday(...) around the time")
            }
            (Typed::Time(_), Typed::Number(_)) | (Typed::Number(_), Typed::Time(_)) => {
                Some("a time is written as a text: '2026-03-01' or '2026-03-01T12:00:00Z'")
            }
            _ => None,
        };
        let mut diagnostic = Diagnostic::new(Code::Type, span, message);
        diagnostic.help = help.map(Into::into);
        self.report(diagnostic)
    }

    /// A text of the rule as a time.
    fn time(&mut self, text: &TextExpr, span: Span) -> Option<NumberExpr> {
        let time = text.constant().and_then(|text| crate::date::parse(text));
        if let Some(time) = time {
            return Some(NumberExpr::Constant(time.as_micros() as f64));
        }
        let diagnostic = Diagnostic::new(Code::Type, span, "this is no time");
        self.report(diagnostic.help("write '2026-03-01' or '2026-03-01T12:00:00Z'"))
    }

    /// A text of the rule as an address or a block of them.
    pub(super) fn network(&mut self, text: &TextExpr, span: Span) -> Option<Network> {
        let network = text.constant().and_then(|text| Network::parse(text));
        if network.is_some() {
            return network;
        }
        let diagnostic = Diagnostic::new(
            Code::Type,
            span,
            "this is no internet address and no block of them",
        );
        self.report(diagnostic.help("write '10.1.2.3', '10.0.0.0/8' or '2001:db8::/32'"))
    }

    /// A comparison of numbers in one unit.
    pub(super) fn numbers(
        &mut self,
        left: NumberExpr,
        comparison: Comparison,
        right: NumberExpr,
        span: Span,
    ) -> Logic {
        let predicate = match (left, right) {
            (NumberExpr::Constant(left), NumberExpr::Constant(right)) => {
                return Logic::Constant(comparison.holds(left, right));
            }
            (NumberExpr::Slot(slot), NumberExpr::Constant(number)) => Predicate::Slot {
                slot,
                comparison,
                number,
            },
            (NumberExpr::Constant(number), NumberExpr::Slot(slot)) => Predicate::Slot {
                slot,
                comparison: comparison.flipped(),
                number,
            },
            (left @ NumberExpr::Constant(_), right) => Predicate::Numbers {
                left: right,
                comparison: comparison.flipped(),
                right: left,
            },
            (left, right) => Predicate::Numbers {
                left,
                comparison,
                right,
            },
        };
        self.test(predicate, span)
    }

    fn texts(&mut self, left: TextExpr, right: TextExpr, span: Span) -> Logic {
        let (left, right) = match (left, right) {
            (TextExpr::Constant(left), TextExpr::Constant(right)) => {
                return Logic::Constant(left == right);
            }
            (left @ TextExpr::Constant(_), right) => (right, left),
            both => both,
        };
        if let Some(text) = right.constant() {
            self.level(&left, text, span);
        }
        self.test(Predicate::Texts { left, right }, span)
    }

    /// Warns of a text that a variable of levels never is.
    fn level(&mut self, text: &TextExpr, wanted: &Arc<str>, span: Span) {
        let TextExpr::Level(_, levels) = text else {
            return;
        };
        if levels.contains(wanted) {
            return;
        }
        let message = format!("it is never {wanted:?}");
        let near = nearest(wanted, levels.iter().map(|level| &**level));
        let mut diagnostic = Diagnostic::new(Code::Level, span, message);
        diagnostic.help = near.map(|near| format!("did you mean {near:?}?"));
        self.diagnostics.push(diagnostic);
    }

    /// `value between low and high`. Times of day and hours may go past midnight, days past the end of the week.
    pub(super) fn between(&mut self, parts: [&Expr; 3], span: Span) -> Option<Logic> {
        let [value, low, high] = parts.map(|part| (self.typed(part), part.span));
        let (value, low, high) = ((value.0?, value.1), (low.0?, low.1), (high.0?, high.1));
        let falling = |low: &NumberExpr, high: &NumberExpr| {
            let ends = low.constant().zip(high.constant());
            ends.is_some_and(|(low, high)| low > high)
        };
        let past_the_end = match (&value.0, &low.0, &high.0) {
            (_, Typed::Clock(low), Typed::Clock(high))
            | (_, Typed::Weekday(low), Typed::Weekday(high)) => falling(low, high),
            // Of hours that no clock has, nothing is meant.
            (Typed::Number(value), Typed::Number(low), Typed::Number(high)) => {
                let hour =
                    |end: &NumberExpr| end.constant().is_some_and(|end| (0.0..24.0).contains(&end));
                let hours = value.expr.is_hour() && hour(&low.expr) && hour(&high.expr);
                hours && falling(&low.expr, &high.expr)
            }
            _ => false,
        };
        let from = self.comparison([value.clone(), low], Comparison::AtLeast, span);
        let to = self.comparison([value, high], Comparison::AtMost, span);
        let both = vec![from?, to?];
        Some(if past_the_end {
            Logic::Or(both, span)
        } else {
            Logic::And(both, span)
        })
    }

    /// `value in [a, b]`.
    pub(super) fn member(&mut self, value: &Expr, members: &[Expr], span: Span) -> Option<Logic> {
        let typed = self.typed(value);
        let all = self.all(members, Self::typed);
        let (typed, all) = (typed?, all?);
        let spans = members.iter().map(|member| member.span);
        let mut numbers: Option<(NumberExpr, Vec<f64>)> = None;
        let mut texts: Vec<Arc<str>> = Vec::new();
        let mut networks = Vec::new();
        let mut others = Vec::new();
        for (member, member_span) in all.into_iter().zip(spans) {
            let sides = [(typed.clone(), value.span), (member, member_span)];
            match self.pair(sides, span)? {
                Pair::Numbers(number, NumberExpr::Constant(member)) => {
                    let (_, members) = numbers.get_or_insert_with(|| (number, Vec::new()));
                    members.push(member);
                }
                Pair::Texts(text, TextExpr::Constant(member)) => {
                    self.level(&text, &member, member_span);
                    texts.push(member);
                }
                Pair::Numbers(left, right) => {
                    others.push(self.numbers(left, Comparison::Equal, right, span));
                }
                Pair::Texts(left, right) => others.push(self.texts(left, right, span)),
                Pair::Network(_, network) => networks.push(network),
                Pair::Addresses(left, right) => {
                    others.push(self.test(Predicate::Addresses { left, right }, span));
                }
                Pair::Logic(..) => {
                    let diagnostic =
                        Diagnostic::new(Code::Type, span, "a condition is not looked for in a set");
                    return self.report(diagnostic.help("join conditions with `or`"));
                }
            }
        }
        if let Some((number, mut members)) = numbers {
            members.sort_by(f64::total_cmp);
            others.push(match number.constant() {
                Some(number) => Logic::Constant(
                    members
                        .iter()
                        .any(|member| Comparison::Equal.holds(*member, number)),
                ),
                None => self.test(Predicate::NumberIn { number, members }, span),
            });
        }
        match typed {
            Typed::Text(TextExpr::Constant(text)) if !texts.is_empty() => {
                others.push(Logic::Constant(texts.contains(&text)));
            }
            Typed::Text(text) if !texts.is_empty() => {
                let members = texts.into_iter().collect();
                others.push(self.test(Predicate::TextIn { text, members }, span));
            }
            Typed::Ip(address) if !networks.is_empty() => {
                others.push(self.test(Predicate::InNetwork { address, networks }, span));
            }
            _ => {}
        }
        if others.len() == 1 {
            return others.pop();
        }
        Some(Logic::Or(others, span))
    }

    /// `value in @name`.
    pub(super) fn listed(&mut self, value: &Expr, name: &Arc<str>, span: Span) -> Option<Logic> {
        let typed = self.typed(value);
        let list = self.schema.lists().iter().position(|list| list == name);
        let Some(list) = list else {
            let message = format!("there is no list `@{name}`");
            let near = nearest(name, self.schema.lists().iter().map(|list| &**list));
            let mut diagnostic = Diagnostic::new(Code::UnknownName, span, message);
            diagnostic.help = Some(match near {
                Some(near) => format!("did you mean `@{near}`?"),
                None => "declare it beside the rules".into(),
            });
            return self.report(diagnostic);
        };
        match typed? {
            Typed::Text(text) => Some(self.test(Predicate::Listed { text, list }, span)),
            Typed::Ip(address) => Some(self.test(Predicate::AddressListed { address, list }, span)),
            other => {
                let message = format!("lists hold texts, this is {}", other.name());
                self.report(Diagnostic::new(Code::Type, value.span, message))
            }
        }
    }

    /// `text contains pattern` and its like.
    pub(super) fn found(&mut self, how: TextMatch, parts: [&Expr; 2], span: Span) -> Option<Logic> {
        let [text, pattern] = parts.map(|part| self.text(part));
        let (text, pattern) = (text?, pattern?);
        let pattern_span = parts[1].span;
        let pattern = match how {
            TextMatch::Matches => Pattern::Regex(self.regex(&pattern, pattern_span)?),
            how => Pattern::Text(how, pattern),
        };
        if let Some(text) = text.constant() {
            let row = crate::Row::default();
            if let Some(found) = pattern.found(text, row) {
                return Some(Logic::Constant(found));
            }
        }
        Some(self.test(Predicate::Found { text, pattern }, span))
    }

    pub(super) fn text(&mut self, expr: &Expr) -> Option<TextExpr> {
        match self.typed(expr)? {
            Typed::Text(text) => Some(text),
            other => {
                let message = format!("expected a text, found {}", other.name());
                let mut diagnostic = Diagnostic::new(Code::Type, expr.span, message);
                if matches!(other, Typed::Ip(_)) && !matches!(expr.kind, ExprKind::Call { .. }) {
                    diagnostic = diagnostic.help("write cidr_match(address, '10.0.0.0/8')");
                }
                self.report(diagnostic)
            }
        }
    }

    fn regex(&mut self, pattern: &TextExpr, span: Span) -> Option<regex::Regex> {
        let Some(pattern) = pattern.constant() else {
            let message = "a regular expression stands in the rule itself";
            let diagnostic = Diagnostic::new(Code::Pattern, span, message);
            return self.report(diagnostic.help("write it as a text, or use `contains`"));
        };
        match self.predicates.pattern(pattern) {
            Ok(regex) => Some(regex),
            Err(PatternError::TooLarge) => {
                let message = format!("this pattern takes more than {LARGEST_PATTERN} bytes");
                let diagnostic = Diagnostic::new(Code::Limit, span, message);
                self.report(diagnostic.help("repeat less"))
            }
            Err(PatternError::TooMany) => {
                let message = format!(
                    "the patterns of all rules take more than {ALL_PATTERNS} bytes with this one"
                );
                let diagnostic = Diagnostic::new(Code::Limit, span, message);
                self.report(diagnostic.help("repeat less, or use `contains`"))
            }
            Err(PatternError::Wrong(error)) => {
                // The last line of the error says what; the lines before draw it.
                let text = error.to_string();
                let why = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                let message = format!("this is no regular expression: {why}");
                let help = r"in r'...' backslashes stand for themselves: r'^\d{4}$'";
                self.report(Diagnostic::new(Code::Pattern, span, message).help(help))
            }
        }
    }
}
