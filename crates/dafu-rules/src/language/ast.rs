//! What a condition says, as a tree.

use super::diagnostic::{Code, Diagnostic, Span};
use super::token::NumberLiteral;
use dafu_core::WindowRequest;
use std::sync::Arc;

/// Nesting of parentheses, of unary operators, and of the tree itself. Everything that walks a tree may recurse.
pub(crate) const DEEPEST: usize = 64;

/// A node of the tree. Where it stands does not matter to equality.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Where it stands with its parentheses.
    pub(crate) outer: Span,
    /// Nodes on the longest way down, this one included.
    pub(super) height: usize,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Expr {
    /// A node, unless the tree becomes too high.
    pub(crate) fn new(kind: ExprKind, span: Span) -> Result<Self, Diagnostic> {
        let mut below = 0;
        kind.for_children(&mut |child| below = below.max(child.height));
        if below >= DEEPEST {
            return Err(too_deep(span));
        }
        let height = below + 1;
        Ok(Self {
            kind,
            span,
            outer: span,
            height,
        })
    }

    /// Visits all nodes, from the first to the last in the source but for what stands between them.
    pub(crate) fn for_each<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        self.kind.for_children(&mut |child| child.for_each(visit));
    }

    /// What anything is called that is a name alone.
    pub(crate) fn as_name(&self) -> Option<&Arc<str>> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }
}

pub(crate) fn too_deep(span: Span) -> Diagnostic {
    let message = format!("nested deeper than {DEEPEST} levels");
    let diagnostic = Diagnostic::new(Code::Limit, span, message);
    diagnostic.help("make two rules of it, or leave parentheses out")
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExprKind {
    Number(NumberLiteral),
    Text(Arc<str>),
    Flag(bool),
    /// Seconds since midnight.
    Clock(u32),
    Name(Arc<str>),
    Not(Box<Expr>),
    /// Two or more.
    And(Vec<Expr>),
    /// Two or more.
    Or(Vec<Expr>),
    /// `a < b <= c`.
    Compare {
        first: Box<Expr>,
        rest: Vec<(Comparison, Expr)>,
    },
    Between {
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    In {
        value: Box<Expr>,
        set: SetExpr,
    },
    Match {
        how: TextMatch,
        value: Box<Expr>,
        pattern: Box<Expr>,
    },
    Negate(Box<Expr>),
    /// The terms behind the first, and whether they are taken away.
    Sum {
        first: Box<Expr>,
        rest: Vec<(bool, Expr)>,
    },
    /// The factors behind the first, and whether they divide.
    Product {
        first: Box<Expr>,
        rest: Vec<(bool, Expr)>,
    },
    Call {
        function: Function,
        arguments: Vec<Expr>,
    },
    Window(Box<WindowRequest>),
}

/// What something may be in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SetExpr {
    Members(Vec<Expr>),
    /// `@name`.
    List(Arc<str>),
}

impl ExprKind {
    pub(crate) fn for_children<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Number(_)
            | Self::Text(_)
            | Self::Flag(_)
            | Self::Clock(_)
            | Self::Name(_)
            | Self::Window(_) => {}
            Self::Not(inner) | Self::Negate(inner) => visit(inner),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(visit),
            Self::Compare { first, rest } => {
                visit(first);
                for (_, part) in rest {
                    visit(part);
                }
            }
            Self::Between { value, low, high } => {
                for part in [value, low, high] {
                    visit(part);
                }
            }
            Self::In { value, set } => {
                visit(value);
                if let SetExpr::Members(members) = set {
                    members.iter().for_each(visit);
                }
            }
            Self::Match { value, pattern, .. } => {
                visit(value);
                visit(pattern);
            }
            Self::Sum { first, rest } | Self::Product { first, rest } => {
                visit(first);
                for (_, part) in rest {
                    visit(part);
                }
            }
            Self::Call { arguments, .. } => arguments.iter().for_each(visit),
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

impl Comparison {
    pub(crate) const ALL: [Self; 6] = [
        Self::Less,
        Self::AtMost,
        Self::Greater,
        Self::AtLeast,
        Self::Equal,
        Self::Unequal,
    ];

    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::Unequal => "!=",
        }
    }

    /// With both sides changed over.
    pub(crate) const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }

    /// What holds of known numbers where this does not.
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::Greater,
            Self::Greater => Self::AtMost,
            Self::AtLeast => Self::Less,
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
        }
    }

    /// Whether it holds between known numbers.
    #[inline]
    #[expect(
        clippy::float_cmp,
        reason = "rules compare with the numbers that stand in them"
    )]
    pub(crate) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }
}

/// What of a text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TextMatch {
    Contains,
    StartsWith,
    EndsWith,
    /// A regular expression, found anywhere.
    Matches,
}

impl TextMatch {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Matches => "matches",
        }
    }
}

/// Functions of values of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    Abs,
    Min,
    Max,
    Coalesce,
    IsMissing,
    Lower,
    Length,
    Weekday,
    TimeOfDay,
    Hour,
    CidrMatch,
}

impl Function {
    pub(crate) const ALL: [Self; 11] = [
        Self::Abs,
        Self::Min,
        Self::Max,
        Self::Coalesce,
        Self::IsMissing,
        Self::Lower,
        Self::Length,
        Self::Weekday,
        Self::TimeOfDay,
        Self::Hour,
        Self::CidrMatch,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Min => "min",
            Self::Max => "max",
            Self::Coalesce => "coalesce",
            Self::IsMissing => "is_missing",
            Self::Lower => "lower",
            Self::Length => "length",
            Self::Weekday => "weekday",
            Self::TimeOfDay => "time_of_day",
            Self::Hour => "hour",
            Self::CidrMatch => "cidr_match",
        }
    }

    /// Fewest and most arguments, and how it is called.
    pub(crate) const fn shape(self) -> (usize, usize, &'static str) {
        match self {
            Self::Abs => (1, 1, "abs(number)"),
            Self::Min => (2, usize::MAX, "min(number, number, ...)"),
            Self::Max => (2, usize::MAX, "max(number, number, ...)"),
            Self::Coalesce => (2, usize::MAX, "coalesce(value, otherwise, ...)"),
            Self::IsMissing => (1, 1, "is_missing(value)"),
            Self::Lower => (1, 1, "lower(text)"),
            Self::Length => (1, 1, "length(text)"),
            Self::Weekday => (1, 2, "weekday(time) or weekday(time, '+02:00')"),
            Self::TimeOfDay => (1, 2, "time_of_day(time) or time_of_day(time, '+02:00')"),
            Self::Hour => (1, 2, "hour(time) or hour(time, '+02:00')"),
            Self::CidrMatch => (2, usize::MAX, "cidr_match(address, '10.0.0.0/8', ...)"),
        }
    }
}
