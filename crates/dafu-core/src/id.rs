//! Ids of transactions and of the entities that take part in them.

use crate::{CoreError, is_card_number};
use smol_str::SmolStr;
use std::fmt;
use std::str::FromStr;

/// Largest id in bytes.
const MAX_BYTES: usize = 256;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 256 bytes without control characters, never a payment card number. Up to 23 bytes are stored in
        /// place; a clone never copies a long text.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(try_from = "SmolStr", into = "SmolStr"))]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks and wraps a text.
            ///
            /// # Errors
            ///
            /// [`CoreError::Id`] for an empty, overlong or unprintable text, [`CoreError::CardNumber`] for a
            /// payment card number.
            pub fn new(text: impl AsRef<str>) -> Result<Self, CoreError> {
                let text = text.as_ref();
                check(text)?;
                Ok(Self(SmolStr::new(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = CoreError;
            fn from_str(text: &str) -> Result<Self, CoreError> {
                Self::new(text)
            }
        }

        impl TryFrom<SmolStr> for $name {
            type Error = CoreError;
            fn try_from(text: SmolStr) -> Result<Self, CoreError> {
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for SmolStr {
            fn from(id: $name) -> SmolStr {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}

id!(
    /// Id of one transaction: the key under which an answer can be asked for again.
    TransactionId
);
id!(
    /// Id of a user, merchant, card, device, category or other entity.
    EntityId
);

fn check(text: &str) -> Result<(), CoreError> {
    let control = text.chars().any(char::is_control);
    if text.is_empty() || text.len() > MAX_BYTES || control {
        return Err(CoreError::Id {
            len: text.len(),
            max: MAX_BYTES,
            control,
        });
    }
    if is_card_number(text) {
        return Err(CoreError::CardNumber {
            digits: text.bytes().filter(u8::is_ascii_digit).count(),
        });
    }
    Ok(())
}

/// What kind of thing an [`EntityId`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EntityKind {
    /// The paying customer.
    User,
    /// The merchant or terminal.
    Merchant,
    /// A card, as a token.
    Card,
    /// A device or its fingerprint.
    Device,
    /// An internet address.
    Ip,
    /// An e-mail address, as a token.
    Email,
    /// A category of merchants or goods.
    Category,
    /// A country.
    Country,
    /// A bank account.
    Account,
    /// A tenant of a shared installation.
    Tenant,
    /// A postal address, as a token.
    Address,
}

/// An entity with its kind: the key of windows, states and `forget`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntityKey {
    /// The kind.
    pub kind: EntityKind,
    /// The id within the kind.
    pub id: EntityId,
}
