//! Three-valued logic.

use crate::language::Span;

/// Whether something holds.
///
/// | and | true | false | unknown |   | or | true | false | unknown |   | not | |
/// |---|---|---|---|---|---|---|---|---|---|---|---|
/// | **true** | true | false | unknown | | **true** | true | true | true | | **true** | false |
/// | **false** | false | false | false | | **false** | true | false | unknown | | **false** | true |
/// | **unknown** | unknown | false | unknown | | **unknown** | true | unknown | unknown | | **unknown** | unknown |
///
/// Source: Kleene, "Introduction to Metamathematics" (1952), section 64, the strong connectives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Truth {
    /// It does not.
    False,
    /// It does.
    True,
    /// A value that it needs is missing.
    Unknown,
}

impl Truth {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::False, Self::True, Self::Unknown];

    /// Both hold.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    /// One of them holds.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Tests, how they are joined, and the parts of the source that they stand for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Logic {
    Constant(bool),
    /// A test by its number.
    Test(usize, Span),
    Not(Box<Self>, Span),
    And(Vec<Self>, Span),
    Or(Vec<Self>, Span),
}

impl Logic {
    /// Whether it holds, given whether the tests do.
    pub(crate) fn truth(&self, test: &mut dyn FnMut(usize) -> Truth) -> Truth {
        match self {
            Self::Constant(holds) => (*holds).into(),
            Self::Test(number, _) => test(*number),
            Self::Not(inner, _) => !inner.truth(test),
            Self::And(parts, _) => {
                let mut truth = Truth::True;
                for part in parts {
                    truth = truth.and(part.truth(test));
                    if truth == Truth::False {
                        break;
                    }
                }
                truth
            }
            Self::Or(parts, _) => {
                let mut truth = Truth::False;
                for part in parts {
                    truth = truth.or(part.truth(test));
                    if truth == Truth::True {
                        break;
                    }
                }
                truth
            }
        }
    }

    /// Tests, and what joins them. O(size).
    pub(crate) fn size(&self) -> usize {
        1 + match self {
            Self::Constant(_) | Self::Test(..) => 0,
            Self::Not(inner, _) => inner.size(),
            Self::And(parts, _) | Self::Or(parts, _) => parts.iter().map(Self::size).sum(),
        }
    }

    /// The part of the source that it stands for.
    pub(crate) const fn span(&self) -> Option<Span> {
        match self {
            Self::Constant(_) => None,
            Self::Test(_, span) | Self::Not(_, span) | Self::And(_, span) | Self::Or(_, span) => {
                Some(*span)
            }
        }
    }

    /// Tells of every test, and of the part of the source that it stands for.
    pub(crate) fn for_tests(&self, visit: &mut dyn FnMut(usize, Span)) {
        match self {
            Self::Constant(_) => {}
            Self::Test(number, span) => visit(*number, *span),
            Self::Not(inner, _) => inner.for_tests(visit),
            Self::And(parts, _) | Self::Or(parts, _) => {
                for part in parts {
                    part.for_tests(visit);
                }
            }
        }
    }
}
