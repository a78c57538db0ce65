//! `deploy/compose`, read by Compose itself: three environments as the matrix has them, each container confined, and each
//! setting one that the stream takes.

use crate::{
    readers::{compose, compose_folder, output, python_tool, yaml},
    tools::{deploy, text},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};

/// What differs between environments.
struct Environment {
    env_file: &'static str,
    name: &'static str,
    title: &'static str,
    debug: bool,
    replicas: u64,
    health_interval: &'static str,
    /// Whose certificates; nobody's without TLS.
    authority: Option<&'static str>,
    services: &'static [&'static str],
}

const DEVELOPMENT: Environment = Environment {
    env_file: ".env.example",
    name: "development",
    title: "Monkeytown Dev",
    debug: true,
    replicas: 1,
    health_interval: "10s",
    authority: None,
    services: &["event-stream", "web"],
};
const STAGING: Environment = Environment {
    env_file: ".env.staging",
    name: "staging",
    title: "Monkeytown Staging",
    debug: true,
    replicas: 1,
    health_interval: "30s",
    authority: Some("https://acme-staging-v02.api.letsencrypt.org/directory"),
    services: HOSTED,
};
const PRODUCTION: Environment = Environment {
    env_file: ".env.production",
    name: "production",
    title: "Monkeytown",
    debug: false,
    replicas: 2,
    health_interval: "30s",
    authority: Some("https://acme-v02.api.letsencrypt.org/directory"),
    services: HOSTED,
};
const ALL: [Environment; 3] = [DEVELOPMENT, STAGING, PRODUCTION];
const HOSTED: &[&str] = &[
    "alertmanager",
    "event-stream",
    "grafana",
    "hooks",
    "node-exporter",
    "prometheus",
    "redis",
    "redis-exporter",
    "tls",
    "web",
];

impl Environment {
    /// All of it as Compose has put it together, profiles included.
    fn read(&self) -> Value {
        let merged = output(compose(self.env_file, &["--profile", "monitoring", "--profile", "logs", "config"]));
        yaml(&merged).pop().expect("a document")
    }
}

/// Who runs the stream's image.
const STREAMS: [&str; 2] = ["event-stream", "hooks"];

fn services(read: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let services = read.get("services").and_then(Value::as_object).expect("services");
    services.iter().map(|(name, service)| (name.as_str(), service))
}

fn service<'a>(read: &'a Value, name: &str) -> &'a Value {
    services(read).find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no service {name}")).1
}

fn words(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)).collect()
}

/// A limit, however Compose writes it: as text or number, of memory with its unit or in bytes.
fn amount(service: &Value, pointer: &str) -> f64 {
    let value = service.pointer(pointer).unwrap_or_else(|| panic!("{pointer} of {service}"));
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (number, unit) = text.strip_suffix('M').map_or((text.as_str(), 1.0), |number| (number, f64::from(1 << 20)));
    number.parse::<f64>().unwrap_or_else(|why| panic!("{text}: {why}")) * unit
}

fn environment(service: &Value) -> Vec<(String, String)> {
    let variables = service.get("environment").and_then(Value::as_object).expect("an environment");
    let pair = |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap_or_default().to_owned());
    variables.iter().map(pair).collect()
}

#[test]
fn every_file_is_what_the_compose_specification_says() {
    let folder = fs::read_dir(compose_folder()).expect("the folder");
    let files: Vec<_> = folder.map(|file| file.expect("a file").path()).filter(|file| is_yaml(file)).collect();
    assert_eq!(files.len(), 5, "{files:?}");
    let mut schema = python_tool("check-jsonschema");
    schema.args(["--builtin-schema", "vendor.compose-spec"]).args(&files);
    assert!(output(schema).contains("ok"));
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "yml")
}

#[test]
fn an_environment_starts_its_own_services_and_no_others() {
    for environment in &ALL {
        let settings = text(&format!("deploy/compose/{}", environment.env_file));
        let profiles = settings.lines().find_map(|line| line.strip_prefix("COMPOSE_PROFILES=")).unwrap_or_default();
        let read = environment.read();
        let started = services(&read).filter(|(_, service)| {
            let own = words(service.get("profiles"));
            own.is_empty() || own.iter().any(|profile| profiles.split(',').any(|wanted| wanted == profile))
        });
        let mut names: Vec<_> = started.map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, environment.services, "{}", environment.name);
    }
}

#[test]
fn environments_differ_as_the_matrix_has_it() {
    for environment in &ALL {
        let read = environment.read();
        let name = environment.name;
        let page = text(&format!("deploy/compose/page/{name}/config.json"));
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let shipped: Value = serde_json::from_str(&text("public/config.json")).expect("JSON");
        for (key, value) in page.as_object().expect("an object") {
            let expected = match key.as_str() {
                "app_name" => &json!(environment.title),
                "environment" => &json!(name),
                "enable_debug" => &json!(environment.debug),
                "enable_analytics" => &json!(false),
                _ => shipped.get(key).unwrap_or_else(|| panic!("{key} is no key of config.json")),
            };
            assert_eq!(value, expected, "{name}: {key}");
        }
        let mounted = service(&read, "web").get("volumes").expect("volumes").to_string();
        assert!(mounted.contains(&format!("deploy/compose/page/{name}")), "{mounted}");

        let stream = service(&read, "event-stream");
        let replicas = stream.pointer("/deploy/replicas").and_then(Value::as_u64).unwrap_or(1);
        assert_eq!(replicas, environment.replicas, "{name}");
        for probed in ["event-stream", "web"] {
            let interval = service(&read, probed).pointer("/healthcheck/interval").and_then(Value::as_str);
            assert_eq!(interval, Some(environment.health_interval), "{name}: {probed}");
        }
        let tls = services(&read).find(|(service, _)| *service == "tls").map(|(_, tls)| tls);
        let authority = tls.and_then(|tls| tls.pointer("/environment/MONKEYTOWN_ACME_CA")).and_then(Value::as_str);
        assert_eq!(authority, environment.authority, "{name}");
    }
}

#[test]
fn every_container_is_confined_and_bounded() {
    for environment in &ALL {
        for (name, service) in services(&environment.read()) {
            let options = words(service.get("security_opt"));
            assert!(options.iter().any(|option| option.starts_with("no-new-privileges")), "{name}: {options:?}");
            assert!(!options.iter().any(|option| option.contains("unconfined")), "{name}: {options:?}");
            assert_eq!(options.iter().any(|option| option.contains("stream.seccomp.json")), STREAMS.contains(&name));
            assert_eq!(words(service.get("cap_drop")), ["ALL"], "{name}");
            assert_eq!(!words(service.get("cap_add")).is_empty(), name == "tls", "{name}");
            assert_eq!(service.get("read_only"), Some(&json!(true)), "{name}");
            // Docker's own files are root's, and so is the folder of certificates.
            let root = service.get("user").and_then(Value::as_str).is_none_or(|user| user.starts_with('0'));
            assert_eq!(root, ["fluent-bit", "tls"].contains(&name), "{name}");
            assert_eq!(service.get("privileged"), None, "{name}");
            assert_eq!(service.get("restart"), Some(&json!("unless-stopped")), "{name}");
            assert!(service.pointer("/logging/options/max-size").is_some(), "{name}: its log is not bounded");
            assert!(amount(service, "/deploy/resources/limits/memory") >= 64.0 * 1_048_576.0, "{name}");
            assert!(amount(service, "/deploy/resources/limits/cpus") <= 1.0, "{name}");
            let image = service.get("image").and_then(Value::as_str).expect("an image");
            let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
            assert!(tag != "latest" && !tag.is_empty(), "{image}");
        }
    }
}

#[test]
fn the_page_has_the_resources_that_are_stated() {
    const MIB: f64 = 1_048_576.0;
    let read = PRODUCTION.read();
    let at = |name: &str, pointer: &str| amount(service(&read, name), &format!("/deploy/resources/{pointer}"));
    let all =
        |name| ["reservations/cpus", "reservations/memory", "limits/cpus", "limits/memory"].map(|part| at(name, part));
    assert_eq!(all("web"), [0.1, 64.0 * MIB, 0.2, 128.0 * MIB]);
    assert_eq!(all("event-stream"), [0.2, 256.0 * MIB, 1.0, 512.0 * MIB]);
}

#[test]
fn only_tls_is_open_to_the_world_and_only_the_page_reaches_what_trusts_it() {
    for environment in &ALL {
        let read = environment.read();
        let networks = |service: &Value| -> BTreeSet<String> {
            service.get("networks").and_then(Value::as_object).expect("networks").keys().cloned().collect()
        };
        let members = |network: &str| -> Vec<String> {
            services(&read)
                .filter(|(_, service)| networks(service).contains(network))
                .map(|(name, _)| name.into())
                .collect()
        };
        assert_eq!(members("front"), ["event-stream", "web"]);
        if environment.authority.is_some() {
            assert_eq!(members("edge"), ["hooks", "tls", "web"]);
            assert_eq!(members("store"), ["event-stream", "hooks", "redis", "redis-exporter"]);
            assert_eq!(read.pointer("/networks/store/internal"), Some(&json!(true)));
        }
        for (name, service) in services(&read) {
            for port in service.get("ports").and_then(Value::as_array).into_iter().flatten() {
                let port = port.to_string();
                assert!(name == "tls" || port.contains("127.0.0.1"), "{name} publishes {port}");
            }
        }
        for (stream, network) in STREAMS.into_iter().zip(["front", "edge"]) {
            let Some((_, stream)) = services(&read).find(|(name, _)| *name == stream) else { continue };
            let subnet = read.pointer(&format!("/networks/{network}/ipam/config/0/subnet")).and_then(Value::as_str);
            assert!(subnet.is_some());
            assert_eq!(stream.pointer("/environment/MONKEYTOWN_TRUST_PROXY").and_then(Value::as_str), subnet);
        }
    }
}

#[test]
fn what_is_mounted_is_there_and_every_secret_is_one_that_the_script_writes() {
    let secrets = tempfile::tempdir().expect("a folder");
    crate::secrets::make(secrets.path());
    let here = deploy().canonicalize().expect("deploy");
    for environment in &ALL {
        let read = environment.read();
        let mut mounted = 0;
        for (name, service) in services(&read) {
            for volume in service.get("volumes").and_then(Value::as_array).into_iter().flatten() {
                let source = volume.get("source").or(Some(volume)).and_then(Value::as_str).expect("a volume");
                let source = source.split(':').next().expect("a word");
                if source.starts_with(here.to_str().expect("a path that is text")) {
                    assert!(Path::new(source).exists(), "{name} mounts {source}");
                    mounted += 1;
                }
            }
            let known = read.get("secrets").and_then(Value::as_object).expect("secrets");
            for secret in service.get("secrets").and_then(Value::as_array).into_iter().flatten() {
                let named = secret.get("source").or(Some(secret)).and_then(Value::as_str).expect("a secret");
                let file =
                    known.get(named).and_then(|secret| secret.get("file")).and_then(Value::as_str).expect("a file");
                let file = Path::new(file).file_name().expect("a name");
                assert!(secrets.path().join(file).exists(), "{name}: nobody writes {}", file.display());
            }
        }
        assert!(mounted >= 7, "{mounted}");
        for (name, build) in services(&read).filter_map(|(name, service)| Some((name, service.get("build")?))) {
            let path = |part| Path::new(build.get(part).and_then(Value::as_str).expect("a path"));
            let file = path("context").join(path("dockerfile"));
            assert!(file.is_file(), "{name} is built from {}", file.display());
        }
    }
}

#[test]
fn whoever_leaves_out_what_is_theirs_to_fill_in_is_told_its_name() {
    for variable in ["MONKEYTOWN_DOMAIN", "MONKEYTOWN_GIT", "MONKEYTOWN_ACME_EMAIL"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("env");
        let full = text("deploy/compose/.env.production");
        let less: Vec<_> = full.lines().filter(|line| !line.starts_with(&format!("{variable}="))).collect();
        assert_eq!(less.len() + 1, full.lines().count());
        fs::write(&file, less.join("\n")).expect("it is written");
        let said = compose(file.to_str().expect("text"), &["config", "--quiet"]).output().expect("Compose starts");
        assert!(!said.status.success(), "{variable}");
        assert!(String::from_utf8_lossy(&said.stderr).contains(variable), "{said:?}");
    }
}

#[test]
fn every_variable_that_a_stream_is_given_is_one_that_it_or_its_image_reads() {
    let mut program = monkeytown_tests::program::stream();
    program.arg("--help");
    let help = output(program);
    let known = |name: &str| {
        let secrets =
            ["MONKEYTOWN_PUBLISH_TOKENS_FILE", "MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE", "MONKEYTOWN_REDIS_FILE"];
        help.contains(&format!("[env: {name}=")) || secrets.contains(&name)
    };
    for one in &ALL {
        let read = one.read();
        for (stream, service) in services(&read).filter(|(name, _)| STREAMS.contains(name)) {
            let variables = environment(service);
            assert!(variables.len() > 4);
            for (name, value) in variables {
                assert!(known(&name) && !value.is_empty(), "{} {stream}: {name}={value}", one.name);
            }
        }
    }
}

/// What development gives its stream, for a test that starts one.
pub(crate) fn variables_of_development() -> Vec<(String, String)> {
    environment(service(&DEVELOPMENT.read(), "event-stream"))
}

/// What production gives one of its streams.
pub(crate) fn variables_of_production(stream: &str) -> Vec<(String, String)> {
    environment(service(&PRODUCTION.read(), stream))
}
