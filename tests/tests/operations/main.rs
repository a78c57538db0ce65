//! What operators deploy beside the stream, read by the programs that it is written for: Prometheus and Alertmanager
//! themselves, promtool and amtool. Each test starts its own, on free ports.

mod dashboards;
mod faults;
mod files;
mod measured;
mod pager;
mod queries;
mod tools;
mod town;
