//! What operators deploy beside the stream, read by the programs that it is written for: Prometheus and Alertmanager
//! themselves, promtool and amtool; Compose, and the schemas of Compose and Kubernetes. Each test starts its own, on free
//! ports.

mod compose;
#[cfg(target_os = "linux")]
mod confined;
mod dashboards;
mod documents;
mod faults;
mod files;
mod kubernetes;
mod measured;
mod pager;
mod process;
mod queries;
mod readers;
mod recovery;
mod redis;
mod secrets;
mod tools;
mod town;
