//! Functions.

use super::{Checker, Number, Typed};
use crate::VariableType;
use crate::language::{Code, Comparison, Diagnostic, Expr, ExprKind, Function, Measure, Span};
use crate::program::{Logic, NumberExpr, Predicate, TextExpr};
use crate::schema::Slot;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        function: Function,
        arguments: &[Expr],
        span: Span,
    ) -> Option<Typed> {
        let [first, rest @ ..] = arguments else {
            return None;
        };
        match function {
            Function::Abs => {
                let number = self.number(first)?;
                Some(Typed::Number(Number {
                    expr: NumberExpr::Absolute(Box::new(number.expr)).folded(),
                    ..number
                }))
            }
            Function::Min => self.extreme(arguments, NumberExpr::Least),
            Function::Max => self.extreme(arguments, NumberExpr::Greatest),
            Function::Coalesce => self.coalesce(arguments, span),
            Function::IsMissing => Some(Typed::Logic(self.missing(first, span)?)),
            Function::Lower => {
                let text = self.text(first)?;
                Some(Typed::Text(match text.constant() {
                    Some(text) => TextExpr::Constant(text.to_lowercase().into()),
                    None => TextExpr::Lower(Box::new(text)),
                }))
            }
            Function::Length => {
                let text = self.text(first)?;
                Some(Typed::Number(Number {
                    expr: NumberExpr::Length(text),
                    measure: Measure::ONE,
                    bare: false,
                }))
            }
            Function::Weekday => {
                let (time, east) = self.local(first, rest)?;
                Some(Typed::Weekday(NumberExpr::Weekday(Box::new(time), east)))
            }
            Function::TimeOfDay => {
                let (time, east) = self.local(first, rest)?;
                Some(Typed::Clock(NumberExpr::Clock(Box::new(time), east)))
            }
            Function::Hour => {
                let (time, east) = self.local(first, rest)?;
                let seconds = NumberExpr::Clock(Box::new(time), east);
                Some(Typed::Number(Number {
                    expr: NumberExpr::WholeHours(Box::new(seconds)),
                    measure: Measure::ONE,
                    bare: false,
                }))
            }
            Function::CidrMatch => {
                let address = match self.typed(first)? {
                    Typed::Ip(address) | Typed::Text(address) => address,
                    other => {
                        let message =
                            format!("expected an internet address, found {}", other.name());
                        return self.report(Diagnostic::new(Code::Type, first.span, message));
                    }
                };
                let networks = self.all(rest, |checker, part| {
                    let text = checker.text(part)?;
                    checker.network(&text, part.span)
                })?;
                Some(Typed::Logic(
                    self.test(Predicate::InNetwork { address, networks }, span),
                ))
            }
        }
    }

    fn extreme(
        &mut self,
        arguments: &[Expr],
        of: fn(Vec<NumberExpr>) -> NumberExpr,
    ) -> Option<Typed> {
        let numbers = self.all(arguments, Self::number)?;
        let spans = arguments.iter().map(|argument| argument.span);
        let (exprs, measure, bare) =
            self.in_one_measure(numbers.into_iter().zip(spans).collect())?;
        Some(Typed::Number(Number {
            expr: of(exprs).folded(),
            measure,
            bare,
        }))
    }

    /// The first value that is known.
    fn coalesce(&mut self, arguments: &[Expr], span: Span) -> Option<Typed> {
        let values = self.all(arguments, Self::typed)?;
        let spans = arguments.iter().map(|argument| argument.span);
        let (mut numbers, mut texts, mut flags) = (Vec::new(), Vec::new(), Vec::new());
        let (mut times, mut addresses) = (Vec::new(), Vec::new());
        let count = values.len();
        let names: Vec<String> = values.iter().map(Typed::name).collect();
        for ((value, at), argument) in values.into_iter().zip(spans).zip(arguments) {
            match value {
                Typed::Number(number) => numbers.push((number, at)),
                Typed::Text(text) => texts.push(text),
                Typed::Time(time) => times.push(time),
                Typed::Ip(address) => addresses.push(address),
                Typed::Logic(logic) => flags.push(self.as_number(&logic, argument)?),
                other => {
                    let message = format!("{} is never missing", other.name());
                    return self.report(Diagnostic::new(Code::Type, at, message));
                }
            }
        }
        if numbers.len() == count {
            let (exprs, measure, bare) = self.in_one_measure(numbers)?;
            return Some(Typed::Number(Number {
                expr: NumberExpr::FirstKnown(exprs).folded(),
                measure,
                bare,
            }));
        }
        if texts.len() == count {
            return Some(Typed::Text(TextExpr::FirstKnown(texts)));
        }
        if times.len() == count {
            return Some(Typed::Time(NumberExpr::FirstKnown(times)));
        }
        if addresses.len() == count {
            return Some(Typed::Ip(TextExpr::FirstKnown(addresses)));
        }
        if flags.len() == count {
            let flag = NumberExpr::FirstKnown(flags);
            let logic = self.numbers(flag, Comparison::Unequal, NumberExpr::Constant(0.0), span);
            return Some(Typed::Logic(logic));
        }
        let message = format!("the values have different types: {}", names.join(", "));
        self.report(Diagnostic::new(Code::Type, span, message))
    }

    /// A flag of the event, or a constant, as 1 or 0.
    fn as_number(&mut self, logic: &Logic, expr: &Expr) -> Option<NumberExpr> {
        if let Logic::Constant(holds) = logic {
            return Some(NumberExpr::Constant(f64::from(u8::from(*holds))));
        }
        if let Some(slot) = self.flag_slot(expr) {
            return Some(NumberExpr::Slot(slot));
        }
        let message = "a condition is not given as a value";
        let diagnostic = Diagnostic::new(Code::Type, expr.span, message);
        self.report(diagnostic.help("name a variable of yes and no, or true, or false"))
    }

    fn flag_slot(&self, expr: &Expr) -> Option<usize> {
        let (variable, slot) = self.schema.find(expr.as_name()?)?;
        match (slot, &variable.variable_type) {
            (Slot::Number(slot), VariableType::Flag) => Some(slot),
            _ => None,
        }
    }

    fn missing(&mut self, value: &Expr, span: Span) -> Option<Logic> {
        if let ExprKind::Name(name) = &value.kind
            && let Some((variable, _)) = self.schema.find(name)
            && !variable.nullable
        {
            let message = format!("`{name}` is never missing");
            let diagnostic = Diagnostic::new(Code::ConstantPart, span, message);
            self.diagnostics
                .push(diagnostic.help("declare it as nullable where it may be"));
        }
        if let Some(slot) = self.flag_slot(value) {
            return Some(self.test(Predicate::NumberMissing(NumberExpr::Slot(slot)), span));
        }
        match self.typed(value)? {
            Typed::Number(Number { expr, .. })
            | Typed::Time(expr)
            | Typed::Clock(expr)
            | Typed::Weekday(expr) => Some(match expr.constant() {
                Some(number) => Logic::Constant(number.is_nan()),
                None => self.test(Predicate::NumberMissing(expr), span),
            }),
            Typed::Text(text) | Typed::Ip(text) => Some(match text.constant() {
                Some(_) => Logic::Constant(false),
                None => self.test(Predicate::TextMissing(text), span),
            }),
            Typed::Logic(_) => {
                let message = "a condition is not a value that may be missing";
                let diagnostic = Diagnostic::new(Code::Type, value.span, message);
                self.report(diagnostic.help("ask for one of its variables"))
            }
        }
    }

    /// A time, and by how many microseconds clocks are ahead of UTC.
    fn local(&mut self, time: &Expr, zone: &[Expr]) -> Option<(NumberExpr, f64)> {
        let typed = self.typed(time)?;
        let Typed::Time(expr) = typed else {
            let message = format!("expected a time, found {}", typed.name());
            return self.report(Diagnostic::new(Code::Type, time.span, message));
        };
        let Some(zone) = zone.first() else {
            return Some((expr, 0.0));
        };
        let text = self.text(zone)?;
        let east = text.constant().and_then(|text| offset(text));
        let Some(east) = east else {
            let diagnostic =
                Diagnostic::new(Code::Arguments, zone.span, "this is no distance from UTC");
            return self.report(diagnostic.help("write '+02:00', '-05:30' or 'Z'"));
        };
        Some((expr, east))
    }
}

/// Microseconds of `+02:00`.
fn offset(text: &str) -> Option<f64> {
    if text == "Z" {
        return Some(0.0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1.0, text.get(1..)?),
        b'-' => (-1.0, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let part = |digits: &str, most: u32| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .parse::<u32>()
            .ok()
            .filter(|number| two && *number <= most)
    };
    let minutes = part(hours, 14)? * 60 + part(minutes, 59)?;
    Some(sign * f64::from(minutes) * 60e6)
}
