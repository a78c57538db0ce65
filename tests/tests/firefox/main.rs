//! The page in another browser: a visit, and what that browser keeps in its own way.

mod keeping;
mod visiting;
mod witnessing;
