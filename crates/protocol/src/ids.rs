//! Identities as types of their own, so that a flow's id is never taken for an entity's.
//!
//! Cloning one is cheap (a shared string). Knows nothing of what an id points at.

use crate::{from_json::text_from_json, limits::ID_MAX_BYTES};
use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdError {
    /// Ids name something; the empty string names nothing.
    Empty,
    /// Longer than [`ID_MAX_BYTES`].
    TooLong,
    /// Holds a control character, which no id needs and which confuses logs and pages.
    Control,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an id must not be empty"),
            Self::TooLong => write!(f, "an id holds at most {ID_MAX_BYTES} bytes"),
            Self::Control => f.write_str("an id must not hold control characters"),
        }
    }
}

impl std::error::Error for IdError {}

fn checked(value: &str) -> Result<Arc<str>, IdError> {
    if value.is_empty() {
        Err(IdError::Empty)
    } else if value.len() > ID_MAX_BYTES {
        Err(IdError::TooLong)
    } else if value.chars().any(char::is_control) {
        Err(IdError::Control)
    } else {
        Ok(Arc::from(value))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and shares `value`.
            ///
            /// # Errors
            /// When it is empty, too long or holds control characters.
            pub fn new(value: &str) -> Result<Self, IdError> {
                checked(value).map(Self)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_from_json!($name: $name::new, "must be 1 to 256 bytes of text without control characters";);

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(value: String) -> Result<Self, IdError> {
                Self::new(&value)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

id!(
    /// An agent, contract or transaction.
    EntityId
);
id!(
    /// A movement between two entities.
    FlowId
);
id!(
    /// A witness's intervention.
    SeedId
);
id!(
    /// An event within its source; together with [`SourceUri`] its identity (`CloudEvents` 1.0, `id`).
    EventId
);
id!(
    /// URI reference of the emitter (`CloudEvents` 1.0, `source`).
    SourceUri
);
