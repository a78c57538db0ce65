//! `cargo xtask test autobahn`: Autobahn's fuzzing client against an echo that is made of the stream's socket code.
//!
//! The suite runs under Python 2.7 alone, which no Debian of today has. So this stage is run when it is asked for, and no
//! other stage needs it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{self, ask, on_path};
use crate::run::executable;
use crate::workspace::{STREAM, Workspace};

/// The last release; its cases are these for good.
const SUITE: &str = "autobahntestsuite==0.8.2";
/// What the report calls us.
const AGENT: &str = "monkeytown-stream";
/// The echo, an example of the stream's package.
const ECHO: &str = "echo";
/// Names a Python 2.7 that is not on the `PATH`.
const VARIABLE: &str = "PYTHON2";
/// The groups that are run, with what they are about and how many cases the suite has of each. 8 and 11 are empty.
const GROUPS: [(u32, &str, usize); 11] = [
    (1, "framing", 16),
    (2, "pings and pongs", 11),
    (3, "reserved bits", 7),
    (4, "opcodes", 10),
    (5, "fragmentation", 20),
    (6, "UTF-8", 145),
    (7, "closing", 37),
    (9, "limits and performance", 54),
    (10, "auto-fragmentation", 1),
    (12, "compression", 90),
    (13, "compression as asked for", 126),
];
/// Cases that ask for a window of 512 bytes. Frames are packed once for all, so the stream declines that offer, as RFC
/// 7692 lets it, and the suite calls it unimplemented.
const DECLINED: [&str; 2] = ["13.3.", "13.5."];
const UNIMPLEMENTED: &str = "UNIMPLEMENTED";

/// Runs every case of the groups and prints how each group came out.
///
/// # Errors
/// When something is missing, a case fails, or one was not run.
pub(crate) fn autobahn(workspace: &Workspace) -> Result<()> {
    let python = python(workspace)?;
    let suite = install(workspace, &python)?;
    let folder = workspace.root.join("target/autobahn");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be emptied", folder.display()));
        }
        _ => std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?,
    }
    let echo = Echo::start(&build_echo(workspace)?)?;
    let specification = folder.join("spec.json");
    std::fs::write(&specification, specified(&folder, &echo.address)?).context("the suite's task cannot be written")?;
    let mut client = process::command(workspace, &python);
    client.env("PYTHONPATH", &suite).arg(suite.join("bin/wstest"));
    client.args(["-m", "fuzzingclient", "-s"]).arg(&specification);
    // It says a line for each case; the report says more.
    process::capture("running Autobahn's cases", &mut client)?;
    let report = std::fs::read_to_string(folder.join("index.json")).context("Autobahn left no report")?;
    let report = Report::read(&report)?;
    eprint!("{}", report.table());
    let failed = report.failed();
    if !failed.is_empty() {
        bail!("{}; what was said is in {}", failed.join("; "), folder.join("index.html").display());
    }
    Ok(())
}

/// A Python 2.7: the one that is named, one on the `PATH`, or one of pyenv's.
fn python(workspace: &Workspace) -> Result<PathBuf> {
    let is_27 = |program: &Path| {
        ask(program, &["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).as_deref() == Some("2.7")
    };
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let found = named.into_iter().chain(["python2.7", "python2"].iter().filter_map(|name| on_path(name)));
    if let Some(found) = found.into_iter().find(|program| is_27(program)) {
        return Ok(found);
    }
    let pyenv = ask("pyenv", &["versions", "--bare"]).unwrap_or_default();
    let newest = pyenv.lines().map(str::trim).rfind(|version| version.starts_with("2.7"));
    if let Some(version) = newest {
        let mut which = process::command(workspace, "pyenv");
        let which = which.args(["which", "python2.7"]).env("PYENV_VERSION", version);
        let path = PathBuf::from(process::capture("asking pyenv for Python 2.7", which)?.trim());
        if is_27(&path) {
            return Ok(path);
        }
    }
    bail!(
        "Autobahn's suite runs under Python 2.7 alone, and none is here: `pyenv install 2.7.18` makes one, and \
         {VARIABLE}=PATH names one that is elsewhere"
    )
}

/// The folder in which the suite lies.
fn install(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let folder = workspace.tools().join("autobahn");
    let done = folder.join("installed");
    if std::fs::read_to_string(&done).is_ok_and(|suite| suite == SUITE) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut pip = process::command(workspace, python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
    process::run("installing Autobahn's suite: a minute", pip.arg(&folder).arg(SUITE))?;
    // One of the packages that share this name leaves it without the file that makes it one.
    std::fs::write(folder.join("zope/__init__.py"), "").context("Autobahn's suite came without zope.interface")?;
    std::fs::write(&done, SUITE).with_context(|| format!("{} cannot be written", done.display()))?;
    Ok(folder)
}

fn build_echo(workspace: &Workspace) -> Result<PathBuf> {
    // Compressing without optimisation takes longer than the suite waits for.
    let mut command = process::cargo(workspace, ["build", "--release", "--package", STREAM, "--example", ECHO]);
    command.arg("--message-format=json-render-diagnostics");
    let messages = process::capture("building the echo", &mut command)?;
    executable(&messages, ECHO).context("Cargo did not say where it put the echo")
}

/// The echo while it runs.
struct Echo {
    process: Child,
    address: String,
}

impl Echo {
    fn start(program: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let said = process.stdout.take().context("the echo has a stdout")?;
        let mut echo = Self { process, address: String::new() };
        BufReader::new(said).read_line(&mut echo.address).context("the echo does not say where it is")?;
        echo.address = echo.address.trim().to_owned();
        if echo.address.is_empty() {
            bail!("the echo ended before it said where it is");
        }
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended on its own; either way it is waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the client is told to do.
fn specified(folder: &Path, address: &str) -> Result<String> {
    let cases: Vec<String> = GROUPS.iter().map(|(group, ..)| format!("{group}.*")).collect();
    let task = serde_json::json!({
        "outdir": folder,
        "servers": [{"agent": AGENT, "url": format!("ws://{address}/")}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    serde_json::to_string(&task).context("the suite's task is JSON")
}

/// How one case came out: what was said, and how the connection ended.
#[derive(Debug, Deserialize)]
struct Case {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    close: String,
}

impl Case {
    /// Whether it is as it must or may be. Informational are those for which the suite itself knows no right or wrong.
    fn holds(&self, name: &str) -> bool {
        let sound = |word: &str| matches!(word, "OK" | "NON-STRICT" | "INFORMATIONAL");
        let declined = DECLINED.iter().any(|group| name.starts_with(group));
        sound(&self.close) && if declined { self.behavior == UNIMPLEMENTED } else { sound(&self.behavior) }
    }
}

/// How all of them came out, by name.
struct Report(BTreeMap<String, Case>);

impl Report {
    fn read(json: &str) -> Result<Self> {
        let mut agents: BTreeMap<String, BTreeMap<String, Case>> =
            serde_json::from_str(json).context("Autobahn's report cannot be read")?;
        agents.remove(AGENT).map(Self).with_context(|| format!("Autobahn's report does not name {AGENT}"))
    }

    fn of(&self, group: u32) -> impl Iterator<Item = (&String, &Case)> {
        self.0.iter().filter(move |(name, _)| name.split('.').next() == Some(&group.to_string()))
    }

    /// One line a group.
    fn table(&self) -> String {
        let mut table = format!(
            "{:<30}{:>7}{:>6}{:>12}{:>15}{:>10}{:>8}\n",
            "", "cases", "OK", "NON-STRICT", "INFORMATIONAL", "DECLINED", "FAILED"
        );
        for (group, name, _) in GROUPS {
            let count =
                |wanted: &dyn Fn(&str, &Case) -> bool| self.of(group).filter(|(name, case)| wanted(name, case)).count();
            let of = |word: &'static str| count(&move |name, case| case.holds(name) && case.behavior == word);
            let (all, failed) = (count(&|_, _| true), count(&|name, case| !case.holds(name)));
            let [ok, lax, told, declined] = ["OK", "NON-STRICT", "INFORMATIONAL", UNIMPLEMENTED].map(of);
            let title = format!("{group} {name}");
            // A String takes everything.
            let _ = writeln!(table, "{title:<30}{all:>7}{ok:>6}{lax:>12}{told:>15}{declined:>10}{failed:>8}");
        }
        table
    }

    /// What is wrong, in words; nothing when all is well.
    fn failed(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self
            .0
            .iter()
            .filter(|(name, case)| !case.holds(name))
            .map(|(name, Case { behavior, close })| format!("case {name}: {behavior}, closing {close}"))
            .collect();
        for (group, _, cases) in GROUPS {
            let run = self.of(group).count();
            if run != cases {
                wrong.push(format!("group {group}: {run} of {cases} cases were run"));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report in which all is well.
    fn whole() -> serde_json::Value {
        let case = serde_json::json!({"behavior": "OK", "behaviorClose": "OK", "duration": 1});
        let names =
            GROUPS.iter().flat_map(|(group, _, cases)| (0..*cases).map(move |case| format!("{group}.1.{case}")));
        let cases: serde_json::Map<String, serde_json::Value> = names.map(|name| (name, case.clone())).collect();
        serde_json::json!({AGENT: cases})
    }

    fn failed(report: &serde_json::Value) -> Vec<String> {
        Report::read(&report.to_string()).unwrap().failed()
    }

    #[test]
    fn a_report_in_which_all_is_well_fails_nothing() {
        let mut report = whole();
        report[AGENT]["6.1.1"]["behavior"] = "NON-STRICT".into();
        report[AGENT]["7.1.1"]["behaviorClose"] = "INFORMATIONAL".into();
        report[AGENT].as_object_mut().unwrap().remove("13.1.2");
        report[AGENT]["13.3.1"] = serde_json::json!({"behavior": UNIMPLEMENTED, "behaviorClose": "OK"});
        assert_eq!(failed(&report), Vec::<String>::new());
    }

    #[test]
    fn a_case_that_failed_is_named_and_so_is_one_that_closed_wrongly() {
        let mut report = whole();
        report[AGENT]["6.1.1"]["behavior"] = "FAILED".into();
        report[AGENT]["7.1.1"]["behaviorClose"] = "WRONG CODE".into();
        // What is declined on purpose is so; elsewhere it is a fault.
        report[AGENT]["13.1.1"]["behavior"] = UNIMPLEMENTED.into();
        assert_eq!(
            failed(&report),
            [
                "case 13.1.1: UNIMPLEMENTED, closing OK",
                "case 6.1.1: FAILED, closing OK",
                "case 7.1.1: OK, closing WRONG CODE"
            ]
        );
    }

    #[test]
    fn a_case_that_was_not_run_is_missed() {
        let mut report = whole();
        report[AGENT].as_object_mut().unwrap().remove("10.1.0");
        assert_eq!(failed(&report), ["group 10: 0 of 1 cases were run"]);
        // Group 1 is not group 10.
        assert_eq!(Report::read(&whole().to_string()).unwrap().of(1).count(), 16);
    }
}
