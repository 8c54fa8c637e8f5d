//! What is searched for the best parameters.

use crate::EnsembleError;
use crate::params::count;
use std::fmt;

/// Most parameters of a space.
pub const MAX_DIMENSIONS: usize = 1_000;

/// Value of one parameter.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// One of several names.
    Name(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Integer(number) => fmt::Display::fmt(number, f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// Values that one parameter may take; both ends are included.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Dimension {
    /// Any of these, each as likely.
    Choice(Vec<Value>),
    /// Any number between, each as likely.
    Uniform {
        /// Lowest.
        low: f64,
        /// Highest.
        high: f64,
    },
    /// Any number between, each order of magnitude as likely.
    LogUniform {
        /// Lowest, above 0.
        low: f64,
        /// Highest.
        high: f64,
    },
    /// Any whole number between, each as likely.
    Integers {
        /// Lowest.
        low: i64,
        /// Highest.
        high: i64,
    },
    /// Any whole number between, each order of magnitude as likely.
    LogIntegers {
        /// Lowest, at least 1.
        low: i64,
        /// Highest.
        high: i64,
    },
}

/// Parameters and the values that each may take.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::select::Space;
///
/// let space = Space::default()
///     .log_uniform("learning_rate", 0.01, 0.3)
///     .log_integers("max_leaves", 4, 64)
///     .choice("growth", ["leaf_wise", "depth_wise"]);
/// let point = space.draw(7, 0)?;
/// assert!((4..=64).contains(&point.count("max_leaves")?));
/// assert_eq!(point, space.draw(7, 0)?);
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Space {
    pub(super) dimensions: Vec<(String, Dimension)>,
}

impl Space {
    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, dimension: Dimension) -> Self {
        self.dimensions.push((name.to_owned(), dimension));
        self
    }

    /// Adds a parameter that is one of several values.
    #[must_use]
    pub fn choice<V: Into<Value>>(self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.with(name, Dimension::Choice(values))
    }

    /// Adds a parameter that is any number between two.
    #[must_use]
    pub fn uniform(self, name: &str, low: f64, high: f64) -> Self {
        self.with(name, Dimension::Uniform { low, high })
    }

    /// Adds a parameter that is any number between two, each order of magnitude as likely.
    #[must_use]
    pub fn log_uniform(self, name: &str, low: f64, high: f64) -> Self {
        self.with(name, Dimension::LogUniform { low, high })
    }

    /// Adds a parameter that is any whole number between two.
    #[must_use]
    pub fn integers(self, name: &str, low: i64, high: i64) -> Self {
        self.with(name, Dimension::Integers { low, high })
    }

    /// Adds a parameter that is any whole number between two, each order of magnitude as likely.
    #[must_use]
    pub fn log_integers(self, name: &str, low: i64, high: i64) -> Self {
        self.with(name, Dimension::LogIntegers { low, high })
    }

    /// The parameters.
    pub fn dimensions(&self) -> &[(String, Dimension)] {
        &self.dimensions
    }

    /// Whether the space can be drawn from.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Space`] for a name that stands twice, no values, or ends in the wrong order or out of range.
    pub fn check(&self) -> Result<(), EnsembleError> {
        count("dimensions", self.dimensions.len(), 1, MAX_DIMENSIONS)?;
        for (place, (name, dimension)) in self.dimensions.iter().enumerate() {
            let earlier = self.dimensions.iter().take(place);
            let twice = earlier.into_iter().any(|(other, _)| other == name);
            let wrong = if twice {
                Some("stands twice: give each its own name")
            } else {
                dimension.wrong()
            };
            if let Some(what) = wrong {
                return Err(EnsembleError::Space {
                    name: name.clone(),
                    what,
                });
            }
        }
        Ok(())
    }
}

impl Dimension {
    fn wrong(&self) -> Option<&'static str> {
        match self {
            Self::Choice(values) if values.is_empty() => Some("has no values: give at least one"),
            Self::Uniform { low, high } if !(low <= high && (high - low).is_finite()) => {
                Some("must have finite ends, the lower one first")
            }
            Self::LogUniform { low, high } if !(*low > 0.0 && low <= high && high.is_finite()) => {
                Some("must have finite ends above 0, the lower one first")
            }
            Self::Integers { low, high } if low > high => Some("must have the lower end first"),
            Self::LogIntegers { low, high } if *low < 1 || low > high => {
                Some("must have ends of at least 1, the lower one first")
            }
            _ => None,
        }
    }
}

/// One value of each parameter.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Point(Vec<(String, Value)>);

impl FromIterator<(String, Value)> for Point {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Point {
    /// Names and values.
    pub fn values(&self) -> &[(String, Value)] {
        &self.0
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut values = self.0.iter();
        values.find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The number of this name; whole numbers are numbers too.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn number(&self, name: &str) -> Result<f64, EnsembleError> {
        match self.get(name) {
            Some(Value::Number(number)) => Ok(*number),
            Some(Value::Integer(number)) => Ok(*number as f64),
            _ => Err(missing("number", name)),
        }
    }

    /// The whole number of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn integer(&self, name: &str) -> Result<i64, EnsembleError> {
        match self.get(name) {
            Some(Value::Integer(number)) => Ok(*number),
            _ => Err(missing("whole number", name)),
        }
    }

    /// The whole number of at least 0 of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn count(&self, name: &str) -> Result<usize, EnsembleError> {
        usize::try_from(self.integer(name)?).map_err(|_| missing("count", name))
    }

    /// The text of this name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn name(&self, name: &str) -> Result<&str, EnsembleError> {
        match self.get(name) {
            Some(Value::Name(value)) => Ok(value),
            _ => Err(missing("text", name)),
        }
    }
}

fn missing(kind: &'static str, name: &str) -> EnsembleError {
    EnsembleError::NoParameter {
        name: name.to_owned(),
        kind,
    }
}
