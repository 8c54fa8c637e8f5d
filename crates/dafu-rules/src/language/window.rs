//! Velocity calls as requests for windows: `count(tx, by=card, within=1h)`.

use super::ast::{Expr, ExprKind};
use super::diagnostic::{Code, Diagnostic, Span, nearest};
use super::parser::Argument;
use super::unit::{LiteralUnit, Measure};
use dafu_core::{Aggregate, EntityKind, TransactionStatus, WindowRequest};
use std::sync::Arc;
use std::time::Duration;

/// Functions over windows.
pub(crate) const AGGREGATES: [&str; 5] = ["count", "sum", "mean", "max", "distinct"];

/// Names of entities.
pub(crate) const ENTITIES: [(&str, EntityKind); 10] = [
    ("user", EntityKind::User),
    ("merchant", EntityKind::Merchant),
    ("card", EntityKind::Card),
    ("device", EntityKind::Device),
    ("ip", EntityKind::Ip),
    ("email", EntityKind::Email),
    ("category", EntityKind::Category),
    ("country", EntityKind::Country),
    ("account", EntityKind::Account),
    ("tenant", EntityKind::Tenant),
];

/// Ways a transaction can end.
pub(crate) const STATUSES: [TransactionStatus; 4] = [
    TransactionStatus::Approved,
    TransactionStatus::Declined,
    TransactionStatus::Reversed,
    TransactionStatus::ChargedBack,
];

/// Microseconds of the longest window: ten years.
const LONGEST: f64 = 10.0 * 366.0 * 86_400e6;

/// The window that a name stands for where nothing else has it: what rules of the fraud platforms of Python projects call
/// the transactions of a user in an hour.
pub(crate) fn alias(name: &str) -> Option<WindowRequest> {
    (name == "transactions_per_hour").then_some(WindowRequest {
        aggregate: Aggregate::Count,
        by: EntityKind::User,
        within: Duration::from_secs(3600),
        include_self: true,
        status: None,
    })
}

/// Names that call for a window even without named arguments; `max` of values does not.
pub(crate) fn is_aggregate(name: &str) -> bool {
    name != "max" && AGGREGATES.contains(&name)
}

/// The request of a call.
pub(crate) fn request(
    (name, at): (&Arc<str>, Span),
    arguments: &[Argument],
    call: Span,
) -> Result<WindowRequest, Diagnostic> {
    let usage = |message: String, span: Span| {
        let help = "write count(tx, by=card, within=1h), sum(amount, by=user, within=24h, where=declined), \
                    distinct(device, by=user, within=7d); mean and max are like sum";
        Diagnostic::new(Code::Arguments, span, message).help(help)
    };
    let (mut of, mut by, mut within) = (None, None, None);
    let (mut status, mut include_self) = (None, None);
    for argument in arguments {
        let value = &argument.value;
        let Some((key, key_at)) = &argument.name else {
            if of.replace(value).is_some() {
                return Err(usage("one value is aggregated".into(), value.span));
            }
            continue;
        };
        let again = match &**key {
            "by" => by.replace(entity(value)?).is_some(),
            "within" => within.replace(length(value)?).is_some(),
            "where" => status.replace(ending(value)?).is_some(),
            "include_self" => include_self.replace(flag(value)?).is_some(),
            _ => {
                let known = ["by", "within", "where", "include_self"];
                let message = format!("there is no argument `{key}`");
                let near = nearest(key, known).map(|near| format!("did you mean `{near}`?"));
                let mut diagnostic = usage(message, *key_at);
                diagnostic.help = near.or(diagnostic.help);
                return Err(diagnostic);
            }
        };
        if again {
            return Err(usage(format!("`{key}` is given twice"), *key_at));
        }
    }
    let missing = |what: &str| usage(format!("`{name}` over a window needs {what}"), call);
    let of = of.ok_or_else(|| missing("what is aggregated"))?;
    Ok(WindowRequest {
        aggregate: aggregate((name, at), of)?,
        by: by.ok_or_else(|| missing("`by=`"))?,
        within: within.ok_or_else(|| missing("`within=`"))?,
        include_self: include_self.unwrap_or(true),
        status,
    })
}

fn aggregate((name, at): (&Arc<str>, Span), of: &Expr) -> Result<Aggregate, Diagnostic> {
    let expected = |what: &str| {
        let message = format!("`{name}` aggregates {what}");
        Err(Diagnostic::new(Code::Arguments, of.span, message))
    };
    let of_name = of.as_name().map(|of| &**of);
    let amounts = |aggregate| match of_name {
        Some("amount") => Ok(aggregate),
        _ => expected("`amount`"),
    };
    match &**name {
        "count" if of_name == Some("tx") => Ok(Aggregate::Count),
        "count" => expected("`tx`, the transactions"),
        "sum" => amounts(Aggregate::Sum),
        "mean" => amounts(Aggregate::Mean),
        "max" => amounts(Aggregate::Max),
        "distinct" => Ok(Aggregate::Distinct(entity(of)?)),
        _ => {
            let message = format!("nothing called `{name}` takes named arguments");
            let help = format!("over windows there are {}", AGGREGATES.join(", "));
            Err(Diagnostic::new(Code::UnknownName, at, message).help(help))
        }
    }
}

fn entity(value: &Expr) -> Result<EntityKind, Diagnostic> {
    let named = |name: &Arc<str>| ENTITIES.iter().find(|(entity, _)| *entity == &**name);
    if let Some((_, kind)) = value.as_name().and_then(named) {
        return Ok(*kind);
    }
    let known = ENTITIES.map(|(name, _)| name);
    unknown(value, "entity", &known)
}

fn ending(value: &Expr) -> Result<TransactionStatus, Diagnostic> {
    let named = |name: &Arc<str>| STATUSES.into_iter().find(|status| status.name() == &**name);
    if let Some(status) = value.as_name().and_then(named) {
        return Ok(status);
    }
    unknown(value, "status", &STATUSES.map(TransactionStatus::name))
}

fn unknown<T>(value: &Expr, what: &str, known: &[&str]) -> Result<T, Diagnostic> {
    let message = match value.as_name() {
        Some(name) => format!("there is no {what} `{name}`"),
        None => format!("the name of one {what} stands here"),
    };
    let near = value
        .as_name()
        .and_then(|name| nearest(name, known.iter().copied()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    Err(Diagnostic::new(Code::UnknownName, value.span, message).help(help))
}

fn flag(value: &Expr) -> Result<bool, Diagnostic> {
    match value.kind {
        ExprKind::Flag(flag) => Ok(flag),
        _ => Err(Diagnostic::new(
            Code::Type,
            value.span,
            "`include_self` is true or false",
        )),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: positive, and less than ten years of microseconds"
)]
fn length(value: &Expr) -> Result<Duration, Diagnostic> {
    let micros = match &value.kind {
        ExprKind::Number(number) => match number.unit {
            Some(LiteralUnit::Simple(symbol))
                if symbol.measure().dimension == Measure::SECOND.dimension =>
            {
                symbol.measure().convert(number.value, Measure::MICROSECOND)
            }
            _ => f64::NAN,
        },
        _ => f64::NAN,
    };
    if (1.0..=LONGEST).contains(&micros) {
        return Ok(Duration::from_micros(micros.round() as u64));
    }
    if let ExprKind::Number(number) = &value.kind
        && number.unit.is_none()
    {
        let message = "the length of a window needs a unit";
        let diagnostic = Diagnostic::new(Code::Arguments, value.span, message);
        return Err(diagnostic.help("write 60s, 30min, 24h or 7d"));
    }
    let message = "a window is from a microsecond to ten years long";
    let diagnostic = Diagnostic::new(Code::Arguments, value.span, message);
    Err(diagnostic.help("write 30min, 24h or 7d"))
}

/// A call whose request is this one.
pub(crate) fn source(request: &WindowRequest) -> String {
    let entity = |kind: EntityKind| {
        let found = ENTITIES.iter().find(|(_, entity)| *entity == kind);
        found.map_or("user", |(name, _)| name)
    };
    let (function, of) = match request.aggregate {
        Aggregate::Sum => ("sum", "amount"),
        Aggregate::Mean => ("mean", "amount"),
        Aggregate::Max => ("max", "amount"),
        Aggregate::Distinct(kind) => ("distinct", entity(kind)),
        // Counts; no call makes others.
        _ => ("count", "tx"),
    };
    let micros = request.within.as_micros();
    let units = [
        ("w", 604_800_000_000),
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("min", 60_000_000),
        ("s", 1_000_000),
    ];
    let unit = units
        .into_iter()
        .find(|(_, length)| micros.is_multiple_of(*length));
    let within = match unit {
        Some((unit, length)) => format!("{}{unit}", micros / length),
        None => format!("{}.{:03}ms", micros / 1000, micros % 1000),
    };
    let mut call = format!(
        "{function}({of}, by={}, within={within}",
        entity(request.by)
    );
    if let Some(status) = request.status {
        call.push_str(", where=");
        call.push_str(status.name());
    }
    if !request.include_self {
        call.push_str(", include_self=false");
    }
    call.push(')');
    call
}
