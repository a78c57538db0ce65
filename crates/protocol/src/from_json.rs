//! From a tree of JSON to the types of the wire: the page's counterpart of serde's `Deserialize`.
//!
//! Structs and words get it from the declaration that gives them serde's (`record!`, `words!`), so that both say the
//! same; the tests hold one against the other. What is wrong is told in constant words: nothing is formatted here.

use crate::json::Json;
use std::{borrow::Cow, collections::VecDeque, fmt};

/// Something that can be read out of a tree. What it reads may borrow from it.
///
/// What is wrong goes by the side: an error that each field handed on would make each struct's reader twice as large.
pub trait FromJson<'a>: Sized {
    /// Reads it. `None`, and why in `wrong`, when `json` is something else.
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self>;
}

/// Reads a whole tree.
///
/// # Errors
/// When it is something else.
pub fn read<'a, T: FromJson<'a>>(json: &'a Json<'a>) -> Result<T, Wrong> {
    let mut wrong = Wrong::default();
    T::from_json(json, &mut wrong).ok_or(wrong)
}

/// Why something could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrong {
    /// The innermost field that is wrong; empty when the whole is.
    pub field: &'static str,
    /// What is wrong with it, as the end of a sentence.
    pub why: &'static str,
}

impl Wrong {
    /// A field that is needed and absent.
    #[must_use]
    pub const fn missing(field: &'static str) -> Self {
        Self { field, why: "is missing" }
    }

    /// Says why something is refused.
    pub fn say<T>(&mut self, why: &'static str) -> Option<T> {
        self.why = why;
        None
    }

    /// Says in which field, unless one in it has been named.
    fn within(&mut self, field: &'static str) {
        if self.field.is_empty() {
            self.field = field;
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = if self.field.is_empty() { ("it", " ") } else { ("`", "` ") };
        for part in [before, self.field, after, self.why] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

impl std::error::Error for Wrong {}

impl<'a> Json<'a> {
    /// The text.
    pub fn text(&self, wrong: &mut Wrong) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { wrong.say("is no text") }
    }

    /// The whole number; one written with a point or an exponent is none.
    pub fn whole(&self, wrong: &mut Wrong) -> Option<u64> {
        if let Self::Whole(number) = self { Some(*number) } else { wrong.say("is no whole number from 0 on") }
    }

    /// The number, as near as a float comes.
    pub fn number(&self, wrong: &mut Wrong) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(*number as f64),
            Self::Negative(number) => Some(*number as f64),
            Self::Fraction(number) => Some(*number),
            _ => wrong.say("is no number"),
        }
    }

    /// The items of a list.
    pub fn items(&self, wrong: &mut Wrong) -> Option<&[Json<'a>]> {
        if let Self::List(items) = self { Some(items) } else { wrong.say("is no list") }
    }

    /// The members of an object.
    pub fn members(&self, wrong: &mut Wrong) -> Option<&[(Cow<'a, str>, Json<'a>)]> {
        if let Self::Object(members) = self { Some(members) } else { wrong.say("is no object") }
    }
}

/// A field that is looked for, and what was found.
pub struct Place<'a> {
    name: &'static str,
    json: Option<&'a Json<'a>>,
}

impl<'a> Place<'a> {
    /// Nothing found yet.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        Self { name, json: None }
    }

    /// Finds the fields of `json` that `places` look for. `None` when it is no object, or has one of them twice.
    pub fn find(json: &'a Json<'a>, places: &mut [Self], wrong: &mut Wrong) -> Option<()> {
        for (name, value) in json.members(wrong)? {
            if let Some(place) = places.iter_mut().find(|place| *place.name == **name)
                && place.json.replace(value).is_some()
            {
                wrong.within(place.name);
                return wrong.say("is there twice");
            }
        }
        Some(())
    }

    /// Reads a field that must be there.
    pub fn need<T: FromJson<'a>>(&self, wrong: &mut Wrong) -> Option<T> {
        let value = match self.json {
            Some(json) => T::from_json(json, wrong),
            None => wrong.say(Wrong::missing("").why),
        };
        if value.is_none() {
            wrong.within(self.name);
        }
        value
    }

    /// Reads a field that has a default.
    pub fn may<T: FromJson<'a> + Default>(&self, wrong: &mut Wrong) -> Option<T> {
        if self.json.is_none() { Some(T::default()) } else { self.need(wrong) }
    }
}

/// Where the value of a field goes until all of them are read.
pub trait Slot<'a> {
    /// Reads the value into the slot, which holds nothing yet. False, and why in `wrong`, when it is something else.
    fn fill(&mut self, json: &'a Json<'a>, wrong: &mut Wrong) -> bool;
}

impl<'a, T: FromJson<'a>> Slot<'a> for Option<T> {
    fn fill(&mut self, json: &'a Json<'a>, wrong: &mut Wrong) -> bool {
        // What would drop an earlier value would be written out for every type, and there is none.
        std::mem::forget(std::mem::replace(self, T::from_json(json, wrong)));
        self.is_some()
    }
}

/// The value of a field that may be left out: what it is then, until it is filled.
#[derive(Default)]
pub struct May<T>(pub T);

impl<'a, T: FromJson<'a>> Slot<'a> for May<T> {
    fn fill(&mut self, json: &'a Json<'a>, wrong: &mut Wrong) -> bool {
        let Some(value) = T::from_json(json, wrong) else { return false };
        // As above: a value that is nothing yet has nothing to drop.
        std::mem::forget(std::mem::replace(&mut self.0, value));
        true
    }
}

/// Reads the fields of an object called `names`: `read` is told which of them, and takes its value. The first `needed`
/// must be there. One for every struct.
pub fn fill<'a>(
    json: &'a Json<'a>,
    names: &'static [&'static str],
    needed: usize,
    read: &mut dyn FnMut(usize, &'a Json<'a>, &mut Wrong) -> bool,
    wrong: &mut Wrong,
) -> Option<()> {
    let members = json.members(wrong)?;
    for (at, name) in names.iter().enumerate() {
        let mut values = members.iter().filter(|(held, _)| **held == **name);
        let filled = match (values.next(), values.next()) {
            (None, _) if at >= needed => true,
            (None, _) => wrong.say::<()>(Wrong::missing("").why).is_some(),
            (Some((_, value)), None) => read(at, value, wrong),
            (Some(_), Some(_)) => wrong.say::<()>("is there twice").is_some(),
        };
        if !filled {
            wrong.within(name);
            return None;
        }
    }
    Some(())
}

/// Which of `words` it is.
pub fn word(json: &Json<'_>, words: &'static [&'static str], wrong: &mut Wrong) -> Option<usize> {
    let text = json.text(wrong)?;
    words.iter().position(|word| *word == text).or_else(|| wrong.say("is a word that this page does not know"))
}

impl<'a> FromJson<'a> for &'a Json<'a> {
    fn from_json(json: &'a Json<'a>, _: &mut Wrong) -> Option<Self> {
        Some(json)
    }
}

impl<'a> FromJson<'a> for bool {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        if let Json::Bool(value) = json { Some(*value) } else { wrong.say("is neither true nor false") }
    }
}

impl<'a> FromJson<'a> for u64 {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        json.whole(wrong)
    }
}

impl<'a> FromJson<'a> for u32 {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Self::try_from(json.whole(wrong)?).ok().or_else(|| wrong.say("is too large a number"))
    }
}

impl<'a> FromJson<'a> for usize {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Self::try_from(json.whole(wrong)?).ok().or_else(|| wrong.say("is too large a number"))
    }
}

impl<'a> FromJson<'a> for i64 {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        match json {
            Json::Negative(number) => Some(*number),
            _ => Self::try_from(json.whole(wrong)?).ok().or_else(|| wrong.say("is too large a number")),
        }
    }
}

impl<'a> FromJson<'a> for f64 {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        json.number(wrong)
    }
}

impl<'a> FromJson<'a> for String {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        json.text(wrong).map(str::to_owned)
    }
}

impl<'a> FromJson<'a> for &'a str {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        json.text(wrong)
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Option<T> {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        if matches!(json, Json::Null) { Some(None) } else { T::from_json(json, wrong).map(Some) }
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Vec<T> {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        let items = json.items(wrong)?;
        let mut all = Self::with_capacity(items.len());
        for item in items {
            all.push(T::from_json(item, wrong)?);
        }
        Some(all)
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for VecDeque<T> {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Vec::from_json(json, wrong).map(Self::from)
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
            fn from_json(
                json: &'json $crate::json::Json<'json>,
                wrong: &mut $crate::from_json::Wrong,
            ) -> Option<Self> {
                // Each field's type has the field's name: which it is, the struct says.
                #[allow(non_camel_case_types)]
                struct Draft<$($need,)* $($may,)*> {
                    $($need: Option<$need>,)*
                    $($may: $crate::from_json::May<$may>,)*
                }

                let mut draft = Draft { $($need: None,)* $($may: $crate::from_json::May::default(),)* };
                let slots = &mut draft;
                $crate::from_json::fill(
                    json,
                    const { &[
                        $($crate::from_json!(@name $need $($need_name)?),)*
                        $($crate::from_json!(@name $may $($may_name)?),)*
                    ] },
                    const { <[&str]>::len(&[$(stringify!($need)),*]) },
                    #[allow(unused_assignments)]
                    &mut move |mut at, json, wrong| {
                        $(if at == 0 {
                            return $crate::from_json::Slot::fill(&mut slots.$need, json, wrong);
                        }
                        at -= 1;)*
                        $(if at == 0 {
                            return $crate::from_json::Slot::fill(&mut slots.$may, json, wrong);
                        }
                        at -= 1;)*
                        false
                    },
                    wrong,
                )?;
                Some($name {
                    $($need: draft.$need.expect("a field that is needed is filled, or nothing is"),)*
                    $($may: draft.$may.0,)*
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
            fn from_json(json: &'a $crate::json::Json<'a>, wrong: &mut $crate::from_json::Wrong) -> Option<Self> {
                $read(json.text(wrong)?).ok().or_else(|| wrong.say($why))
            }
        })+
    };
}
pub(crate) use text_from_json;
