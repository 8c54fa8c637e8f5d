//! What a rule wants done.

use crate::RuleError;
use crate::language::nearest;
use dafu_core::Decision;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What to do with an event, from mild to strict: the order of the variants, and of names among custom ones.
///
/// Where it is read from text, also in files, other usual names mean the same, in any case and with `-` or a blank for `_`; it is
/// always written by its own name:
///
/// | read | means |
/// |---|---|
/// | `allow`, `accept`, also `allowed`, ... | `approve` |
/// | `flag` | `flag_for_review` |
/// | `step_up` | `additional_verification` |
/// | `manual_review` | `review` |
/// | `block`, `deny`, `reject`, also `blocked`, ... | `decline` |
///
/// ```
/// use dafu_rules::Action;
///
/// assert_eq!("block".parse::<Action>()?, Action::Decline);
/// assert_eq!(Action::Decline.to_string(), "decline");
/// # Ok::<(), dafu_rules::RuleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
#[non_exhaustive]
pub enum Action {
    /// Let it pass.
    Approve,
    /// Let it pass, and have somebody look at it.
    FlagForReview,
    /// Ask the customer for a further proof.
    AdditionalVerification,
    /// Ask the customer where they are.
    LocationVerification,
    /// Hold it until somebody has looked at it.
    Review,
    /// Let the customer prove who they are.
    Challenge,
    /// Refuse it.
    Decline,
    /// Anything else, by its name.
    Custom(Arc<str>),
}

/// Other names that are read.
const ALIASES: [(&str, Action); 14] = [
    ("allow", Action::Approve),
    ("allowed", Action::Approve),
    ("accept", Action::Approve),
    ("accepted", Action::Approve),
    ("approved", Action::Approve),
    ("flag", Action::FlagForReview),
    ("step_up", Action::AdditionalVerification),
    ("manual_review", Action::Review),
    ("block", Action::Decline),
    ("deny", Action::Decline),
    ("reject", Action::Decline),
    ("blocked", Action::Decline),
    ("denied", Action::Decline),
    ("rejected", Action::Decline),
];

impl Action {
    /// Those that have a name of their own, from mild to strict.
    pub const ALL: [Self; 7] = [
        Self::Approve,
        Self::FlagForReview,
        Self::AdditionalVerification,
        Self::LocationVerification,
        Self::Review,
        Self::Challenge,
        Self::Decline,
    ];

    /// The name: `approve`, `flag_for_review`, ...
    pub fn name(&self) -> &str {
        match self {
            Self::Approve => "approve",
            Self::FlagForReview => "flag_for_review",
            Self::AdditionalVerification => "additional_verification",
            Self::LocationVerification => "location_verification",
            Self::Review => "review",
            Self::Challenge => "challenge",
            Self::Decline => "decline",
            Self::Custom(name) => name,
        }
    }

    /// The decision that comes nearest: verifications are challenges, what nobody knows is a review. Several actions are
    /// not compared by theirs: [`RuleEngine::decision`](crate::RuleEngine::decision) is the strictest of all decisions.
    pub const fn decision(&self) -> Decision {
        match self {
            Self::Approve => Decision::Approve,
            Self::FlagForReview | Self::Review | Self::Custom(_) => Decision::Review,
            Self::AdditionalVerification | Self::LocationVerification | Self::Challenge => {
                Decision::Challenge
            }
            Self::Decline => Decision::Decline,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Action {
    type Err = RuleError;

    /// # Errors
    ///
    /// [`RuleError::Action`] for an empty name, and for one that is nearly that of an action: custom ones have names of
    /// their own.
    fn from_str(name: &str) -> Result<Self, RuleError> {
        let plain = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        if let Some(action) = Self::ALL.into_iter().find(|action| action.name() == plain) {
            return Ok(action);
        }
        if let Some((_, action)) = ALIASES.into_iter().find(|(alias, _)| *alias == plain) {
            return Ok(action);
        }
        let known = Self::ALL;
        let names = known.iter().map(Self::name);
        // Of short names, and of other beginnings, too many words are near.
        let alike = |alias: &&str| alias.len() > 4 && alias.chars().next() == plain.chars().next();
        let aliases = ALIASES.iter().map(|(alias, _)| *alias).filter(alike);
        let near = nearest(&plain, names.chain(aliases));
        if name.is_empty() || near.is_some() {
            return Err(RuleError::Action {
                got: name.into(),
                near: near.unwrap_or("approve").into(),
            });
        }
        Ok(Self::Custom(name.into()))
    }
}

impl TryFrom<String> for Action {
    type Error = RuleError;

    fn try_from(name: String) -> Result<Self, RuleError> {
        name.parse()
    }
}

impl From<Action> for String {
    fn from(action: Action) -> Self {
        action.name().into()
    }
}
