//! From a tree of JSON to the types of the wire: the page's counterpart of serde's `Deserialize`.
//!
//! Structs and words get it from the declaration that gives them serde's (`record!`, `words!`), so that both say the
//! same; the tests hold one against the other. What is wrong is told in constant words: nothing is formatted here.

use crate::json::Json;
use std::{borrow::Cow, collections::VecDeque, fmt};

/// Something that can be read out of a tree. What it reads may borrow from it.
pub trait FromJson<'a>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When `json` is something else.
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong>;
}

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// The innermost field that is wrong; empty when the whole is.
    pub field: &'static str,
    /// What is wrong with it, as the end of a sentence.
    pub why: &'static str,
}

impl Wrong {
    /// Wrong as a whole.
    #[must_use]
    pub const fn whole(why: &'static str) -> Self {
        Self { field: "", why }
    }

    /// A field that is needed and absent.
    #[must_use]
    pub const fn missing(field: &'static str) -> Self {
        Self { field, why: "is missing" }
    }

    fn of(self, field: &'static str) -> Self {
        if self.field.is_empty() { Self { field, ..self } } else { self }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [if self.field.is_empty() { "it" } else { self.field }, " ", self.why] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl std::error::Error for Wrong {}

impl Json<'_> {
    /// The text.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self) -> Result<&str, Wrong> {
        if let Self::Text(text) = self { Ok(text) } else { Err(Wrong::whole("is no text")) }
    }

    /// The whole number.
    ///
    /// # Errors
    /// When it is something else, is written with a point or an exponent, or is negative.
    pub fn whole(&self) -> Result<u64, Wrong> {
        if let Self::Whole(number) = self { Ok(*number) } else { Err(Wrong::whole("is no whole number from 0 on")) }
    }

    /// The number, as near as a float comes.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self) -> Result<f64, Wrong> {
        match self {
            Self::Whole(number) => Ok(*number as f64),
            Self::Negative(number) => Ok(*number as f64),
            Self::Fraction(number) => Ok(*number),
            _ => Err(Wrong::whole("is no number")),
        }
    }
}

impl<'a> Json<'a> {
    /// The items.
    ///
    /// # Errors
    /// When it is no list.
    pub fn list(&self) -> Result<&[Json<'a>], Wrong> {
        if let Self::List(items) = self { Ok(items) } else { Err(Wrong::whole("is no list")) }
    }

    /// The members.
    ///
    /// # Errors
    /// When it is no object.
    pub fn members(&self) -> Result<&[(Cow<'a, str>, Json<'a>)], Wrong> {
        if let Self::Object(members) = self { Ok(members) } else { Err(Wrong::whole("is no object")) }
    }
}

/// The members called `names`, in that order.
///
/// # Errors
/// When `json` is no object, or has one of them twice.
#[inline]
pub fn fields<'a, const N: usize>(
    json: &'a Json<'a>,
    names: &'static [&'static str; N],
) -> Result<[Option<&'a Json<'a>>; N], Wrong> {
    let mut found = [None; N];
    gather(json, names, &mut found)?;
    Ok(found)
}

fn gather<'a>(
    json: &'a Json<'a>,
    names: &'static [&'static str],
    found: &mut [Option<&'a Json<'a>>],
) -> Result<(), Wrong> {
    for (name, value) in json.members()? {
        for (known, place) in names.iter().zip(found.iter_mut()) {
            if *name == **known {
                if place.replace(value).is_some() {
                    return Err(Wrong { field: known, why: "is there twice" });
                }
                break;
            }
        }
    }
    Ok(())
}

/// Reads a field that must be there.
///
/// # Errors
/// When it is absent or cannot be read.
pub fn need<'a, T: FromJson<'a>>(json: Option<&'a Json<'a>>, name: &'static str) -> Result<T, Wrong> {
    match json {
        Some(json) => T::from_json(json).map_err(|wrong| wrong.of(name)),
        None => Err(Wrong::missing(name)),
    }
}

/// Reads a field that has a default.
///
/// # Errors
/// When it cannot be read.
pub fn may<'a, T: FromJson<'a> + Default>(json: Option<&'a Json<'a>>, name: &'static str) -> Result<T, Wrong> {
    match json {
        Some(json) => T::from_json(json).map_err(|wrong| wrong.of(name)),
        None => Ok(T::default()),
    }
}

/// Which of `words` it is.
///
/// # Errors
/// When it is none of them.
pub fn word(json: &Json<'_>, words: &'static [&'static str]) -> Result<usize, Wrong> {
    let text = json.text()?;
    words.iter().position(|word| *word == text).ok_or(Wrong::whole("is a word that this page does not know"))
}

impl<'a> FromJson<'a> for &'a Json<'a> {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        Ok(json)
    }
}

impl<'a> FromJson<'a> for bool {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        if let Json::Bool(value) = json { Ok(*value) } else { Err(Wrong::whole("is neither true nor false")) }
    }
}

impl<'a> FromJson<'a> for u64 {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        json.whole()
    }
}

impl<'a> FromJson<'a> for u32 {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        Self::try_from(json.whole()?).map_err(|_| Wrong::whole("is too large a number"))
    }
}

impl<'a> FromJson<'a> for i64 {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        match json {
            Json::Negative(number) => Ok(*number),
            _ => Self::try_from(json.whole()?).map_err(|_| Wrong::whole("is too large a number")),
        }
    }
}

impl<'a> FromJson<'a> for f64 {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        json.number()
    }
}

impl<'a> FromJson<'a> for String {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        json.text().map(str::to_owned)
    }
}

impl<'a> FromJson<'a> for &'a str {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        json.text()
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Option<T> {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        if matches!(json, Json::Null) { Ok(None) } else { T::from_json(json).map(Some) }
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Vec<T> {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        let items = json.list()?;
        let mut all = Self::with_capacity(items.len());
        for item in items {
            all.push(T::from_json(item)?);
        }
        Ok(all)
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for VecDeque<T> {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        Vec::from_json(json).map(Self::from)
    }
}

/// Makes a struct readable from a tree alone, for who does not carry serde. The form is that of [`crate::record!`].
#[macro_export]
macro_rules! from_json {
    ($name:ident $(<$($of:ident),+>)? {
        $($need:ident $(as $need_name:literal)?),* ; $($may:ident $(as $may_name:literal)?),*
    }) => {
        impl<'json $($(, $of: $crate::from_json::FromJson<'json>)+)?> $crate::from_json::FromJson<'json>
            for $name $(<$($of),+>)?
        {
            fn from_json(json: &'json $crate::json::Json<'json>) -> Result<Self, $crate::from_json::Wrong> {
                let [$($need,)* $($may,)*] = $crate::from_json::fields(json, &[
                    $($crate::from_json!(@name $need $($need_name)?),)*
                    $($crate::from_json!(@name $may $($may_name)?),)*
                ])?;
                Ok($name {
                    $($need: $crate::from_json::need($need, $crate::from_json!(@name $need $($need_name)?))?,)*
                    $($may: $crate::from_json::may($may, $crate::from_json!(@name $may $($may_name)?))?,)*
                })
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}

/// Makes a type that is checked text readable from a tree, and says what it must be.
macro_rules! text_from_json {
    ($($name:ty: $read:expr, $why:literal;)+) => {
        $(impl<'a> $crate::from_json::FromJson<'a> for $name {
            fn from_json(json: &'a $crate::json::Json<'a>) -> Result<Self, $crate::from_json::Wrong> {
                let text = json.text()?;
                $read(text).map_err(|_| $crate::from_json::Wrong::whole($why))
            }
        })+
    };
}
pub(crate) use text_from_json;
