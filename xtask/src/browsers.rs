//! The browsers for the tests: each the one that its variable names, one that is installed, or one that is installed now.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{is_executable, on_path};
use crate::tools::install_debian;
use crate::workspace::Workspace;

/// A browser, by what it is called in each place.
pub(crate) struct Browser {
    name: &'static str,
    /// The environment variable that names another one; the tests find it there.
    pub(crate) variable: &'static str,
    programs: &'static [&'static str],
    mac: &'static [&'static str],
    debian: &'static str,
}

/// What nearly every test drives.
pub(crate) const CHROMIUM: Browser = Browser {
    name: "Chromium",
    variable: "CHROME",
    programs: &["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
    mac: &[
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ],
    debian: "chromium",
};

/// The second opinion.
pub(crate) const FIREFOX: Browser = Browser {
    name: "Firefox",
    variable: "FIREFOX",
    programs: &["firefox-esr", "firefox"],
    mac: &["/Applications/Firefox.app/Contents/MacOS/firefox"],
    debian: "firefox-esr",
};

impl Browser {
    /// Where it is, installed when there is none.
    ///
    /// # Errors
    /// When there is none and none can be installed: names the command that would.
    pub(crate) fn ensure(&self, workspace: &Workspace) -> Result<PathBuf> {
        let variable = self.variable;
        if let Some(named) = std::env::var_os(variable).map(PathBuf::from) {
            if !is_executable(&named) {
                bail!("{variable} names {}, which is not a program", named.display());
            }
            return Ok(named);
        }
        if let Some(found) = self.find() {
            return Ok(found);
        }
        install_debian(workspace, self.name, &[self.debian], "a minute")?;
        match self.find() {
            Some(found) => Ok(found),
            None => bail!("{} was installed, but is not on the PATH; name it with {variable}=", self.debian),
        }
    }

    fn find(&self) -> Option<PathBuf> {
        let mac = || self.mac.iter().map(PathBuf::from).find(|path| is_executable(path));
        self.programs.iter().find_map(|name| on_path(name)).or_else(mac)
    }
}
