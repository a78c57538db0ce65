//! `deploy/kubernetes`, put together by kustomize itself and held against Kubernetes' own schemas: what is stated of
//! resources, roll-outs, scaling and who may speak to whom.

use crate::{
    readers::{output, python_tool, yaml},
    tools::{deploy, text},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, io::Write};

/// Overlay, namespace, title of the page, debugging, replicas at least and at most.
const OVERLAYS: [(&str, &str, &str, bool, u64, u64); 2] = [
    ("staging", "monkeytown-staging", "Monkeytown Staging", true, 1, 1),
    ("production", "monkeytown", "Monkeytown", false, 2, 10),
];
/// The oldest Kubernetes that is still looked after by some hosts, and the newest that the schemas know.
const VERSIONS: [&str; 2] = ["1.30.0", "1.37.0"];

fn built(overlay: &str) -> String {
    let mut kustomize = python_tool("kubectl");
    kustomize.args(["kustomize"]).arg(deploy().join("kubernetes/overlays").join(overlay));
    output(kustomize)
}

fn objects(overlay: &str) -> Vec<Value> {
    yaml(&built(overlay))
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).as_str().unwrap_or_else(|| panic!("{pointer} of {value} is no text"))
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| word(object, "/kind") == kind && word(object, "/metadata/name") == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Whatever runs containers.
fn workloads(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|object| object.pointer("/spec/template/spec/containers").is_some())
}

#[test]
fn every_overlay_is_what_kubernetes_takes() {
    for (overlay, ..) in OVERLAYS {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.yaml");
        fs::File::create(&file).and_then(|mut file| file.write_all(built(overlay).as_bytes())).expect("it is written");
        for version in VERSIONS {
            let mut validate = python_tool("kubernetes-validate");
            validate.args(["--strict", "--kubernetes-version", version]).arg(&file);
            let said = validate.output().expect("it starts");
            let said =
                (said.status.success(), String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned());
            assert!(said.0, "{overlay} {version}: {}", said.1);
            assert_eq!(said.1.matches("passed for resource").count(), objects(overlay).len(), "{}", said.1);
        }
    }
}

#[test]
fn overlays_differ_as_the_matrix_has_it() {
    for (overlay, namespace, title, debug, least, most) in OVERLAYS {
        let objects = objects(overlay);
        for object in objects.iter().filter(|object| word(object, "/kind") != "Namespace") {
            assert_eq!(word(object, "/metadata/namespace"), namespace);
        }
        let page: Value =
            serde_json::from_str(word(find(&objects, "ConfigMap", "page"), "/data/config.json")).expect("JSON");
        assert_eq!((word(&page, "/app_name"), word(&page, "/environment")), (title, overlay));
        assert_eq!((at(&page, "/enable_debug"), at(&page, "/enable_analytics")), (&json!(debug), &json!(false)));
        let shipped: Value = serde_json::from_str(&text("public/config.json")).expect("JSON");
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&page), keys(&shipped));
        for scaled in ["web", "event-stream"] {
            let scaler = find(&objects, "HorizontalPodAutoscaler", scaled);
            let bounds = (at(scaler, "/spec/minReplicas"), at(scaler, "/spec/maxReplicas"));
            assert_eq!(bounds, (&json!(least), &json!(most)), "{overlay} {scaled}");
            let target = at(scaler, "/spec/scaleTargetRef");
            find(&objects, word(target, "/kind"), word(target, "/name"));
            // Whoever is scaled says no number of its own, or each roll-out would set it back.
            assert_eq!(find(&objects, "Deployment", scaled).pointer("/spec/replicas"), None);
        }
        let upstream = word(find(&objects, "ConfigMap", "web"), "/data/MONKEYTOWN_UPSTREAM");
        assert_eq!(upstream, format!("stream.{namespace}.svc.cluster.local:8080"));
    }
}

#[test]
fn every_shard_of_the_list_is_served_here_and_may_be_used_by_the_page() {
    let objects = objects("production");
    let page: Value =
        serde_json::from_str(word(find(&objects, "ConfigMap", "page"), "/data/config.json")).expect("JSON");
    let shards: Vec<_> = list(&page, "/streams").map(|shard| shard.as_str().expect("text")).collect();
    assert_eq!(shards, ["wss://a.town.example.org"]);
    assert_eq!(at(&page, "/failover"), &json!(true));
    let ingress = find(&objects, "Ingress", "monkeytown");
    let hosts: Vec<_> = list(ingress, "/spec/rules").map(|rule| word(rule, "/host")).collect();
    assert_eq!(hosts, ["town.example.org", "a.town.example.org"]);
    assert_eq!(list(ingress, "/spec/tls/0/hosts").map(|host| host.as_str().expect("text")).collect::<Vec<_>>(), hosts);
    let origin = word(find(&objects, "ConfigMap", "event-stream"), "/data/MONKEYTOWN_ALLOW_ORIGIN");
    assert_eq!(origin, "https://town.example.org");
}

#[test]
fn roll_outs_take_nobody_away_before_another_is_ready() {
    let objects = objects("production");
    for name in ["web", "event-stream"] {
        let deployment = find(&objects, "Deployment", name);
        let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
        assert_eq!(at(deployment, "/spec/strategy"), &rolling);
        assert_eq!(at(find(&objects, "PodDisruptionBudget", name), "/spec/maxUnavailable"), &json!(1));
        let pod = at(deployment, "/spec/template/spec");
        let grace = at(pod, "/terminationGracePeriodSeconds").as_u64().expect("seconds");
        let wait = word(pod, "/containers/0/lifecycle/preStop/exec/command/1").parse::<u64>().expect("seconds");
        // The stream drains for ten seconds.
        assert!(grace >= wait + 10 + 10, "{name}: {grace}");
        // A stream that is full is not ready for more subscribers, and must not go from those whom it has.
        for probe in ["livenessProbe", "readinessProbe"] {
            assert_eq!(word(pod, &format!("/containers/0/{probe}/httpGet/path")), "/health");
        }
        assert_eq!(at(pod, "/containers/0/livenessProbe/periodSeconds"), &json!(30));
        assert!(pod.pointer("/containers/0/startupProbe").is_some());
    }
}

#[test]
fn resources_are_those_that_are_stated() {
    let objects = objects("production");
    let resources = |name| at(find(&objects, "Deployment", name), "/spec/template/spec/containers/0/resources").clone();
    let stated = json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}});
    assert_eq!(resources("web"), stated);
    let stated = json!({"requests": {"cpu": "200m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}});
    assert_eq!(resources("event-stream"), stated);
}

#[test]
fn every_container_is_confined_and_bounded_and_knows_nothing_of_the_cluster() {
    for (overlay, ..) in OVERLAYS {
        let objects = objects(overlay);
        let level = "/metadata/labels/pod-security.kubernetes.io~1enforce";
        let namespace = objects.iter().find(|object| word(object, "/kind") == "Namespace").expect("a namespace");
        assert_eq!(word(namespace, level), "restricted");
        assert_eq!(workloads(&objects).count(), 5);
        for workload in workloads(&objects) {
            let pod = at(workload, "/spec/template/spec");
            assert_eq!(at(pod, "/automountServiceAccountToken"), &json!(false));
            assert_eq!(at(pod, "/securityContext/runAsNonRoot"), &json!(true));
            assert_eq!(word(pod, "/securityContext/seccompProfile/type"), "RuntimeDefault");
            for forbidden in ["/hostNetwork", "/hostPID", "/hostIPC"] {
                assert_eq!(pod.pointer(forbidden), None);
            }
            for container in list(pod, "/containers") {
                let confined = json!({
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                });
                assert_eq!(at(container, "/securityContext"), &confined);
                for bound in ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"] {
                    assert!(container.pointer(bound).is_some(), "{bound} of {container}");
                }
                let (_, tag) = word(container, "/image").rsplit_once(':').expect("a tag");
                assert!(!tag.is_empty() && tag != "latest", "{container}");
            }
        }
    }
}

#[test]
fn what_a_container_mounts_or_reads_is_there_or_a_secret_that_the_document_makes() {
    let objects = objects("production");
    let mut secrets = BTreeSet::new();
    for workload in workloads(&objects) {
        let pod = at(workload, "/spec/template/spec");
        let volumes: BTreeSet<_> = list(pod, "/volumes").map(|volume| word(volume, "/name")).collect();
        let claims = list(workload, "/spec/volumeClaimTemplates").map(|claim| word(claim, "/metadata/name"));
        let volumes: BTreeSet<_> = volumes.into_iter().chain(claims).collect();
        for container in list(pod, "/containers") {
            let mounted: BTreeSet<_> = list(container, "/volumeMounts").map(|mount| word(mount, "/name")).collect();
            assert_eq!(mounted, volumes, "{}", word(container, "/name"));
            for from in list(container, "/envFrom") {
                find(&objects, "ConfigMap", word(from, "/configMapRef/name"));
            }
        }
        for volume in list(pod, "/volumes") {
            if let Some(name) = volume.pointer("/configMap/name") {
                find(&objects, "ConfigMap", name.as_str().expect("text"));
            }
            if let Some(name) = volume.pointer("/secret/secretName") {
                secrets.insert(name.as_str().expect("text").to_owned());
            }
        }
    }
    let made = made_as_documented();
    let names: BTreeSet<_> = made.iter().map(|secret| word(secret, "/metadata/name").to_owned()).collect();
    assert_eq!(secrets, names);
    // Each path under which a program looks for a secret is a key of one that its pod mounts.
    let keys = |name: &str| -> BTreeSet<String> {
        let secret = find(&made, "Secret", name);
        at(secret, "/data").as_object().expect("keys").keys().map(|key| format!("/run/secrets/{key}")).collect()
    };
    for (pod, maps) in [("event-stream", ["streams", "event-stream"]), ("hooks", ["streams", "hooks"])] {
        let settings = maps.map(|map| at(find(&objects, "ConfigMap", map), "/data").as_object().expect("settings"));
        let files = settings.into_iter().flatten().filter(|(name, _)| name.ends_with("_FILE"));
        let files: BTreeSet<_> = files.map(|(_, path)| path.as_str().expect("text").to_owned()).collect();
        assert_eq!((files.len(), files.clone()), (2, keys(pod)), "{pod}");
    }
    assert_eq!(keys("redis-exporter"), BTreeSet::from(["/run/secrets/redis_watcher".to_owned()]));
    let config = text("deploy/compose/redis.conf");
    assert!(keys("redis").iter().all(|path| config.contains(&format!("aclfile {path}\n"))));
    assert_eq!(word(find(&objects, "ConfigMap", "redis"), "/data/redis.conf"), text("deploy/compose/redis.conf"));
}

/// The secrets that the commands of `docs/deployment.md` make, which are run as they stand there but for the cluster.
fn made_as_documented() -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("deploy/compose/secrets");
    fs::create_dir_all(secrets.parent().expect("it has one")).expect("a folder");
    crate::secrets::make(&secrets);
    let document = text("docs/deployment.md");
    let commands = document.lines().filter(|line| line.contains(" create secret generic "));
    let made = commands.map(|line| {
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("kubectl"));
        let mut kubectl = python_tool("kubectl");
        kubectl.args(words).args(["--dry-run=client", "--output", "json"]).current_dir(folder.path());
        serde_json::from_str(&output(kubectl)).expect("JSON")
    });
    made.collect()
}

/// What streams are given.
fn settings(objects: &[Value]) -> Vec<(String, String)> {
    let maps = ["streams", "event-stream", "hooks"].map(|map| at(find(objects, "ConfigMap", map), "/data"));
    let pairs = maps.into_iter().flat_map(|map| map.as_object().expect("settings"));
    pairs.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect()
}

#[test]
fn what_github_delivers_goes_to_one_stream_that_is_as_the_others() {
    let objects = objects("production");
    let hooks = find(&objects, "Deployment", "hooks");
    assert_eq!(at(hooks, "/spec/replicas"), &json!(1));
    let pod = |deployment: &Value| {
        let mut pod = at(deployment, "/spec/template/spec").clone();
        let map = pod.as_object_mut().expect("a pod");
        map.remove("topologySpreadConstraints");
        let text = pod.to_string().replace("\"hooks\"", "\"event-stream\"");
        serde_json::from_str::<Value>(&text).expect("JSON as before")
    };
    assert_eq!(pod(hooks), pod(find(&objects, "Deployment", "event-stream")));
    for (overlay, ..) in OVERLAYS {
        let objects = self::objects(overlay);
        for rule in list(find(&objects, "Ingress", "monkeytown"), "/spec/rules") {
            let ways: Vec<_> = list(rule, "/http/paths")
                .map(|path| (word(path, "/path"), word(path, "/pathType"), word(path, "/backend/service/name")))
                .collect();
            assert_eq!(ways, [("/hooks/github", "Exact", "hooks"), ("/", "Prefix", "web")]);
        }
    }
}

#[test]
fn every_setting_is_one_that_the_stream_or_its_image_reads() {
    let mut program = monkeytown_tests::program::stream();
    program.arg("--help");
    let help = output(program);
    let objects = objects("production");
    for (name, _) in settings(&objects) {
        let by_image =
            ["MONKEYTOWN_PUBLISH_TOKENS_FILE", "MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE", "MONKEYTOWN_REDIS_FILE"];
        assert!(help.contains(&format!("[env: {name}=")) || by_image.contains(&name.as_str()), "{name}");
    }
}

/// Each way that is open, as `from > to: port`.
fn ways(objects: &[Value]) -> BTreeSet<String> {
    let mut ways = BTreeSet::new();
    let selected = |labels: &Value| -> String {
        let names = ["/app.kubernetes.io~1name", "/app.kubernetes.io~1component", "/kubernetes.io~1metadata.name"];
        let name = names.iter().find_map(|name| labels.pointer(name));
        name.map_or_else(|| labels.to_string(), |name| name.as_str().expect("text").to_owned())
    };
    let peer =
        |peer: &Value| match (peer.pointer("/podSelector/matchLabels"), peer.pointer("/namespaceSelector/matchLabels"))
        {
            (Some(pod), None) => selected(pod),
            (None, Some(namespace)) => format!("all of {}", selected(namespace)),
            (Some(_), Some(namespace)) => format!("some of {}", selected(namespace)),
            (None, None) => word(peer, "/ipBlock/cidr").to_owned(),
        };
    for policy in objects.iter().filter(|object| word(object, "/kind") == "NetworkPolicy") {
        let own = policy.pointer("/spec/podSelector/matchLabels").map_or_else(|| "everybody".to_owned(), selected);
        for (direction, side) in [("ingress", "from"), ("egress", "to")] {
            for rule in list(policy, &format!("/spec/{direction}")) {
                for other in list(rule, &format!("/{side}")).map(peer) {
                    for port in list(rule, "/ports").map(|port| at(port, "/port").to_string()) {
                        let (from, to) = if side == "from" { (&other, &own) } else { (&own, &other) };
                        ways.insert(format!("{direction} {from} > {to}: {port}"));
                    }
                }
            }
        }
    }
    ways
}

#[test]
fn nobody_speaks_to_anybody_but_as_stated() {
    let objects = objects("production");
    let nobody = find(&objects, "NetworkPolicy", "nobody");
    assert_eq!(at(nobody, "/spec"), &json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    let stated: BTreeSet<String> = [
        "egress everybody > 169.254.20.10/32: 53",
        "egress everybody > some of kube-system: 53",
        "ingress all of ingress-nginx > web: 8080",
        "egress web > event-stream: 8080",
        "ingress web > event-stream: 8080",
        "ingress all of ingress-nginx > hooks: 8080",
        "ingress all of monitoring > stream: 8080",
        "egress stream > redis: 6379",
        "egress stream > 0.0.0.0/0: 443",
        "ingress stream > redis: 6379",
        "ingress redis-exporter > redis: 6379",
        "egress redis-exporter > redis: 6379",
        "ingress all of monitoring > redis-exporter: 9121",
        "ingress all of ingress-nginx > {\"acme.cert-manager.io/http01-solver\":\"true\"}: 8089",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(ways(&objects), stated);
    let outside = find(&objects, "NetworkPolicy", "streams");
    let not: Vec<_> =
        list(outside, "/spec/egress/1/to/0/ipBlock/except").map(|net| net.as_str().expect("text")).collect();
    assert_eq!(not, ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]);
}

#[test]
fn names_ports_and_labels_lead_to_each_other() {
    let objects = objects("production");
    let labels = |workload: &Value| word(workload, "/spec/template/metadata/labels/app.kubernetes.io~1name").to_owned();
    for service in objects.iter().filter(|object| word(object, "/kind") == "Service") {
        let wanted = at(service, "/spec/selector").as_object().expect("labels");
        let behind = workloads(&objects).find(|workload| {
            let own = at(workload, "/spec/template/metadata/labels");
            wanted.iter().all(|(name, value)| own.get(name) == Some(value))
        });
        let behind = behind.unwrap_or_else(|| panic!("{} leads nowhere", word(service, "/metadata/name")));
        for port in list(service, "/spec/ports") {
            let named = list(behind, "/spec/template/spec/containers/0/ports")
                .find(|own| own.get("name") == port.get("targetPort"));
            assert_eq!(at(named.expect("a port of that name"), "/containerPort"), at(port, "/port"));
        }
    }
    for workload in workloads(&objects) {
        assert_eq!(word(workload, "/spec/selector/matchLabels/app.kubernetes.io~1name"), labels(workload));
    }
    for rule in list(find(&objects, "Ingress", "monkeytown"), "/spec/rules") {
        for backend in list(rule, "/http/paths").map(|path| at(path, "/backend/service")) {
            let service = find(&objects, "Service", word(backend, "/name"));
            assert!(list(service, "/spec/ports").any(|port| port.get("name") == backend.pointer("/port/name")));
        }
    }
    // A WebSocket is kept for longer than the heartbeat's 25 seconds.
    for pause in ["read", "send"] {
        let annotation = format!("/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-{pause}-timeout");
        let seconds: u64 = word(find(&objects, "Ingress", "monkeytown"), &annotation).parse().expect("seconds");
        assert!(seconds >= 4 * 25, "{seconds}");
    }
}
