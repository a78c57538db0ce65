//! What values of the wire look like, for documents that describe them: told by the declarations that read them, so that
//! neither can say what the other does not. Knows no language of schemas.

use crate::{
    EntityId, Field, Files, FlowId, HttpsUrl, Ratio, SeedId, Text,
    limits::{FILES_MAX, ID_MAX_BYTES, TEXT_MAX_BYTES, URL_MAX_BYTES},
};

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Text for people, of at most so many bytes of UTF-8.
    Text {
        /// Most bytes.
        max_bytes: usize,
    },
    /// An id: not empty, without control characters, of at most so many bytes of UTF-8.
    Id {
        /// Most bytes.
        max_bytes: usize,
    },
    /// A plain `https:` address of at most so many bytes.
    Address {
        /// Most bytes.
        max_bytes: usize,
    },
    /// One of these words.
    Word(Vec<&'static str>),
    /// A number from 0 to 1.
    Share,
    /// A whole number from 0 to this.
    Count {
        /// The largest.
        max: u64,
    },
    /// `true` or `false`.
    Truth,
    /// At most so many of one shape.
    List {
        /// What it holds.
        of: Box<Shape>,
        /// How many at most.
        max: usize,
    },
    /// An object. What is in it beside these fields is passed over.
    Record(Vec<FieldShape>),
    /// A value, or `null`.
    OrNull(Box<Shape>),
}

/// What a field of an object looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldShape {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it must be there.
    pub needed: bool,
    /// What it holds.
    pub shape: Shape,
}

impl FieldShape {
    /// The field called `name`, of whatever `get` gives; only its type is looked at.
    pub fn of<S, T: Shaped>(name: &'static str, needed: bool, _get: fn(&S) -> &T) -> Self {
        Self { name, needed, shape: T::shape() }
    }
}

impl Shape {
    /// The same object, with `name` as `change` makes it.
    #[must_use]
    pub fn with(mut self, name: &str, change: impl Fn(&mut FieldShape)) -> Self {
        if let Self::Record(fields) = &mut self {
            fields.iter_mut().filter(|field| field.name == name).for_each(change);
        }
        self
    }

    /// The same object, or one that may be `null`, with the fields of `more` too.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        match (self, more) {
            (Self::OrNull(shape), more) => Self::OrNull(Box::new(shape.and(more))),
            (Self::Record(fields), Self::Record(more)) => Self::Record([fields, more].concat()),
            (shape, _) => shape,
        }
    }

    /// The same without `null`.
    #[must_use]
    pub fn certain(self) -> Self {
        match self {
            Self::OrNull(shape) => *shape,
            shape => shape,
        }
    }
}

/// What has a shape.
pub trait Shaped {
    /// What its values look like.
    fn shape() -> Shape;
}

macro_rules! shaped {
    ($($of:ty => $shape:expr),* $(,)?) => {
        $(impl Shaped for $of {
            fn shape() -> Shape {
                $shape
            }
        })*
    };
}

shaped! {
    EntityId => Shape::Id { max_bytes: ID_MAX_BYTES },
    FlowId => Shape::Id { max_bytes: ID_MAX_BYTES },
    SeedId => Shape::Id { max_bytes: ID_MAX_BYTES },
    Text => Shape::Text { max_bytes: TEXT_MAX_BYTES },
    HttpsUrl => Shape::Address { max_bytes: URL_MAX_BYTES },
    Ratio => Shape::Share,
    bool => Shape::Truth,
    u32 => Shape::Count { max: u32::MAX.into() },
    u64 => Shape::Count { max: u64::MAX },
    Files => Shape::List { of: Box::new(Text::shape()), max: FILES_MAX },
}

impl<T: Shaped> Shaped for Option<T> {
    fn shape() -> Shape {
        Shape::OrNull(Box::new(T::shape()))
    }
}

impl<T: Shaped> Shaped for Field<T> {
    fn shape() -> Shape {
        Shape::OrNull(Box::new(T::shape()))
    }
}

/// Makes a struct readable as [`record!`](crate::record!) does, and lets it tell its shape.
#[macro_export]
macro_rules! shaped_record {
    ($name:ident {
        $($need:ident $(as $need_name:literal)?),* ; $($may:ident $(as $may_name:literal)?),*
    }) => {
        $crate::record!($name { $($need $(as $need_name)?),* ; $($may $(as $may_name)?),* });

        impl $crate::shape::Shaped for $name {
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Record(vec![
                    $($crate::shape::FieldShape::of(
                        $crate::record!(@name $need $($need_name)?), true, |of: &Self| &of.$need),)*
                    $($crate::shape::FieldShape::of(
                        $crate::record!(@name $may $($may_name)?), false, |of: &Self| &of.$may),)*
                ])
            }
        }
    };
}
