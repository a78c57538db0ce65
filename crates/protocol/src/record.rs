//! How structs and words of the wire are read: one declaration for serde, as the stream reads, and for a tree of
//! JSON, as the page does ([`crate::from_json`]).
//!
//! Both read the same: a field may not come twice, fields that nobody knows are passed over, and unlike with serde's
//! derive a struct is an object, never an array of its fields in order.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// A key or a word, borrowed from the input where that can be.
pub struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    /// Whether it is `name`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        *self.0 == *name
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl<'de> Visitor<'de> for Word {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(word.to_owned())))
            }

            fn visit_borrowed_str<E: Error>(self, word: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(word)))
            }
        }

        deserializer.deserialize_str(Word)
    }
}

/// Reads the value of `name` into `slot`.
///
/// # Errors
/// When the object has it twice, or it cannot be read.
pub fn field<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(map.next_value()?);
    Ok(())
}

/// Which of `words` is read.
///
/// # Errors
/// When it is none of them.
pub fn word<'de, D: Deserializer<'de>>(deserializer: D, words: &'static [&'static str]) -> Result<usize, D::Error> {
    let key = Key::deserialize(deserializer)?;
    words.iter().position(|word| key.is(word)).ok_or_else(|| D::Error::unknown_variant(&key.0, words))
}

/// Makes a struct readable: the fields before `;` are needed, those after it have a default. `as` gives the name on
/// the wire where it is another.
#[macro_export]
macro_rules! record {
    ($name:ident $(<$($of:ident),+>)? {
        $($need:ident $(as $need_name:literal)?),* ; $($may:ident $(as $may_name:literal)?),*
    }) => {
        $crate::from_json!($name $(<$($of),+>)? {
            $($need $(as $need_name)?),* ; $($may $(as $may_name)?),*
        });

        impl<'de $($(, $of: serde::Deserialize<'de>)+)?> serde::Deserialize<'de> for $name $(<$($of),+>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields $(<$($of),+>)? ($(std::marker::PhantomData<($($of,)+)>)?);

                impl<'de $($(, $of: serde::Deserialize<'de>)+)?> serde::de::Visitor<'de> for Fields $(<$($of),+>)? {
                    type Value = $name $(<$($of),+>)?;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        $(let mut $need = None;)*
                        $(let mut $may = None;)*
                        while let Some(key) = map.next_key::<$crate::record::Key<'de>>()? {
                            $(if key.is($crate::record!(@name $need $($need_name)?)) {
                                $crate::record::field(
                                    &mut $need, $crate::record!(@name $need $($need_name)?), &mut map)?;
                            } else)*
                            $(if key.is($crate::record!(@name $may $($may_name)?)) {
                                $crate::record::field(
                                    &mut $may, $crate::record!(@name $may $($may_name)?), &mut map)?;
                            } else)*
                            {
                                map.next_value::<serde::de::IgnoredAny>()?;
                            }
                        }
                        Ok($name {
                            $($need: $need.ok_or_else(|| {
                                <A::Error as serde::de::Error>::missing_field(
                                    $crate::record!(@name $need $($need_name)?))
                            })?,)*
                            $($may: $may.unwrap_or_default(),)*
                        })
                    }
                }

                deserializer.deserialize_map(Fields($($crate::record!(@phantom $($of)+))?))
            }
        }
    };
    (@phantom $($of:ident)+) => { std::marker::PhantomData };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}

/// Makes an enum of plain variants readable and writable as words.
#[macro_export]
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),*];
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl $crate::shape::Shaped for $name {
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Word(Self::WORDS.to_vec())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let at = $crate::record::word(deserializer, Self::WORDS)?;
                Ok(Self::ALL.get(at).copied().expect("words and variants are one list"))
            }
        }

        impl<'json> $crate::from_json::FromJson<'json> for $name {
            fn from_json(
                json: &'json $crate::json::Json<'json>,
                wrong: &mut $crate::from_json::Wrong,
            ) -> Option<Self> {
                Self::ALL.get($crate::from_json::word(json, Self::WORDS, wrong)?).copied()
            }
        }
    };
}
