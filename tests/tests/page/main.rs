//! The page, as a person meets it: a real browser, the built site, a real stream.

mod access;
mod catching_up;
mod chain;
mod endurance;
mod faults;
mod flows;
mod ghosts;
mod history;
mod moments;
mod nonsense;
mod offline;
mod opening;
mod panel;
mod pausing;
mod preferences;
mod proof;
mod publishing;
mod seating;
mod sleeping;
mod tabs;
mod visiting;
mod witness;
mod words;
