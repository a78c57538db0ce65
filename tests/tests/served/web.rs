//! nginx as the web image starts it, by its own start script: without root, and where this machine allows it in a file
//! system that cannot be written. Knows nothing of what it serves.

use monkeytown_tests::{site, wait::PATIENCE};
use serde_json::Value;
use std::{
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering},
    },
    time::Instant,
};
use tempfile::TempDir;

/// Debian's `nobody`.
pub(crate) const NOBODY: u32 = 65_534;
/// Becomes nobody with no rights to win back, in a view of the file system of which only `$RUN` can be written.
const READ_ONLY: &str = r#"
    set -e
    mount --bind "$FOLDER" "$FOLDER"
    mount -o remount,bind,ro "$FOLDER"
    mount --bind "$RUN" "$RUN"
    mount -o remount,bind,rw "$RUN"
    mount -o remount,bind,ro /
    if touch "$FOLDER/site/written" /written 2>/dev/null; then echo "the file system can be written" >&2; exit 99; fi
    exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all "$@"
"#;

/// Whether this is root, who can become somebody else.
pub(crate) static ROOT: LazyLock<bool> = LazyLock::new(|| said(Command::new("id").arg("-u")).stdout == b"0\n");
/// Whether root may also change what a process sees of the file system: not in every container.
static VIEWS: LazyLock<bool> = LazyLock::new(|| {
    let mut command = Command::new("unshare");
    said(command.args(["--mount", "sh", "-c", "mount --bind /tmp /tmp && mount -o remount,bind,ro /"])).status.success()
});

fn said(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"))
}

/// The folder of what is deployed.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").canonicalize().expect("the repository")
}

/// A port that nobody has, given once: whoever is to listen there does so later, and in between no other test may be given it,
/// nor the system give it to a connection. Ports from 32768 on are the system's to give.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another run of these tests begins elsewhere.
    let first = 12_000 + u16::try_from(std::process::id() % 100).expect("it is small") * 200;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_768, "all ports are taken");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The folder of nginx in front of the other programs.
pub(crate) fn search_path() -> String {
    let named = std::env::var_os("NGINX").map(PathBuf::from);
    let folder = named.as_deref().and_then(Path::parent).unwrap_or(Path::new("/usr/sbin"));
    format!("{}:{}", folder.display(), std::env::var("PATH").expect("a PATH"))
}

/// A copy of a folder that anybody may read.
pub(crate) fn copy(source: &Path, target: &Path) {
    fs::create_dir_all(target).expect("a folder");
    fs::set_permissions(target, Permissions::from_mode(0o755)).expect("its rights");
    for entry in fs::read_dir(source).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = target.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &path);
        } else {
            fs::copy(entry.path(), &path).expect("it is copied");
            fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("its rights");
        }
    }
}

/// Where the image's files lie on this machine.
pub(crate) struct Folder {
    folder: TempDir,
    port: u16,
}

impl Folder {
    /// The built page, nginx' configuration, and a folder that its process may write.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("its rights");
        let made = Self { folder, port: free_port() };
        copy(&site::folder(), &made.path("site"));
        copy(&deploy().join("nginx"), &made.path("nginx"));
        fs::remove_dir_all(made.path("nginx/local")).ok();
        std::os::unix::fs::symlink(made.path("run/local"), made.path("nginx/local")).expect("a link");
        for name in ["run", "page"] {
            fs::create_dir(made.path(name)).expect("a folder");
        }
        fs::copy(deploy().join("docker/web/start.sh"), made.path("start.sh")).expect("the start script");
        fs::set_permissions(made.path("start.sh"), Permissions::from_mode(0o644)).expect("its rights");
        if *ROOT {
            chown(made.path("run"), Some(NOBODY), Some(NOBODY)).expect("nobody's folder");
        }
        made
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The start script, with nothing in its environment that is not said here.
    pub(crate) fn start(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = match (*ROOT, *VIEWS) {
            (true, true) => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", READ_ONLY, "view"]);
                command
            }
            (true, false) => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid=65534",
                    "--regid=65534",
                    "--clear-groups",
                    "--no-new-privs",
                    "--bounding-set=-all",
                ]);
                command
            }
            (false, _) => Command::new("env"),
        };
        command.arg("sh").arg(self.path("start.sh")).env_clear().env("PATH", search_path());
        command.env("FOLDER", self.folder.path()).env("RUN", self.path("run"));
        for (name, place) in [("SITE", "site"), ("PAGE", "page"), ("NGINX", "nginx"), ("RUN", "run")] {
            command.env(format!("MONKEYTOWN_{name}"), self.path(place));
        }
        command.env("MONKEYTOWN_LISTEN", format!("127.0.0.1:{}", self.port)).envs(variables.iter().copied());
        command
    }
}

/// The web container, without a container. Ends when dropped.
pub(crate) struct Web {
    child: Child,
    pub(crate) folder: Folder,
}

impl Web {
    /// In front of the stream at `upstream`, HOST:PORT.
    pub(crate) async fn before(upstream: &str) -> Self {
        Self::with(Folder::new(), &[("MONKEYTOWN_UPSTREAM", upstream)]).await
    }

    /// In `folder`, told `variables`.
    pub(crate) async fn with(folder: Folder, variables: &[(&str, &str)]) -> Self {
        let open = |name: &str| {
            let file = File::create(folder.path(name)).expect("a file");
            if *ROOT {
                chown(folder.path(name), Some(NOBODY), Some(NOBODY)).expect("nobody's file");
            }
            Stdio::from(file)
        };
        let mut command = folder.start(variables);
        let child = command.stdout(open("run/stdout")).stderr(open("run/stderr")).spawn();
        let child = child.unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let mut web = Self { child, folder };
        let begun = Instant::now();
        while reqwest::get(web.url("/health")).await.is_err() {
            let ended = web.child.try_wait().expect("its state");
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}: {}", web.complaints());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        web
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.folder.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// What is on its stderr.
    pub(crate) fn complaints(&self) -> String {
        fs::read_to_string(self.folder.path("run/stderr")).expect("its stderr")
    }

    /// The lines of its log.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path("run/stdout")).expect("its log");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"))).collect()
    }

    /// The line of the log about `path`, once it is there: it is written after the answer.
    pub(crate) async fn line(&self, path: &str) -> Value {
        let begun = Instant::now();
        loop {
            let line = self.log().into_iter().find(|line| line.pointer("/context/path").is_some_and(|at| at == path));
            if let Some(line) = line {
                return line;
            }
            assert!(begun.elapsed() < PATIENCE, "no line about {path}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The user of its processes, and whether it sees a file system that it cannot write.
    pub(crate) fn status(&self) -> (String, bool) {
        let told = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("its state");
        let user = told("status").lines().find_map(|line| line.strip_prefix("Uid:").map(|ids| ids.trim().to_owned()));
        let root = told("mountinfo").lines().any(|line| {
            let mut words = line.split(' ').skip(4);
            words.next() == Some("/") && words.next().is_some_and(|options| options.split(',').any(|word| word == "ro"))
        });
        (user.expect("its user"), root)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // Its workers would outlive a master that is killed.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Whether this machine's nginx can send what brotli has packed.
pub(crate) fn speaks_brotli() -> bool {
    Path::new("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so").exists()
}

#[tokio::test]
async fn it_runs_without_root_and_writes_nothing_but_its_own_folder() {
    let web = Web::before("127.0.0.1:1").await;
    let (user, read_only) = web.status();
    assert!(!user.split_whitespace().any(|id| id == "0"), "{user}");
    assert_eq!(read_only, *ROOT && *VIEWS, "this machine allows it, or does not");
    assert_eq!(web.complaints(), "");
}
