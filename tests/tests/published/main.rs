//! What GitHub runs: the publish action, as a shell starts it, against real streams and against what is none; and the
//! workflows, read by the programs that know their schema.

mod answering;
mod budgets;
mod hostile;
mod peer;
mod readers;
mod releases;
mod runner;
mod telling;
mod workflows;
