//! The page without a network, and a newer version of it while it is open.

use crate::witness::{click, until_seen, until_unseen};
use chromiumoxide::cdp::browser_protocol::page::{GetAppManifestParams, GetInstallabilityErrorsParams};
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy},
    site,
    stream::{Source, Stream},
    wait::soon,
};
use std::{collections::BTreeMap, fs, path::Path};

/// Waits until the browser keeps the page.
async fn kept(page: &Page) {
    soon("the page is kept", page.value::<bool>("navigator.serviceWorker.ready.then(() => true)")).await;
}

async fn notice(page: &Page) -> String {
    page.until("document.querySelector('#notice:not([hidden])')").await;
    page.value("document.querySelector('#notice').innerText").await
}

async fn version(page: &Page) -> String {
    page.value("document.documentElement.dataset.version").await
}

#[tokio::test]
async fn after_one_visit_the_page_opens_without_a_network_on_what_it_last_knew_and_recovers() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_card("ada", "draws a map").await;
    kept(&page).await;

    // Every connection is refused, then none is answered: the page does not wait for either.
    for fault in [Fault::Reset, Fault::Silence] {
        proxy.set_everything(fault);
        page.reload().await;
        page.until_card("ada", "draws a map").await;
        page.until("document.querySelector('#notice').innerText.includes('this is what this browser knew')").await;
        let said = notice(&page).await;
        assert!(said.contains("ago") || said.contains("now"), "{said}");
        assert_eq!(page.attribute("system-pulse", "data-health").await, "disconnected");
        assert_eq!(page.count("data-received").await, 0);
    }
    // Another tab, at an address that was never asked for.
    let other = browser.visit(&proxy.url("/?from=elsewhere#entity=ada")).await;
    other.until_card("ada", "draws a map").await;

    page.show().await;
    proxy.set_everything(Fault::None);
    stream.publish(&[works("2", "ada", "goes home")]).await;
    page.until_card("ada", "goes home").await;
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}

/// Writes the built page into `folder` as another version: one file has another name, and so have all that name it.
pub(crate) fn another_version(folder: &Path) -> String {
    let built = site::folder();
    fs::create_dir(folder.join("assets")).expect("a folder and its files");
    let page = fs::read_to_string(built.join("index.html")).expect("a folder and its files");
    let between = |before: &str, after: &str| -> String {
        let found = page.split_once(before).and_then(|(_, rest)| rest.split_once(after));
        found.unwrap_or_else(|| panic!("{before} is not in the page")).0.to_owned()
    };
    let (old, sheet) = (between("data-version=\"", "\""), between("/assets/main-", ".css"));
    let new = "monkeytown-00000000000000ff";
    for part in ["", "assets"] {
        for entry in fs::read_dir(built.join(part)).expect("a folder") {
            let entry = entry.expect("a folder and its files");
            let name = entry.file_name().into_string().expect("a name in ASCII");
            if entry.path().is_dir() || name.ends_with(".br") || name.ends_with(".gz") {
                continue;
            }
            let bytes = fs::read(entry.path()).expect("a folder and its files");
            let target = folder.join(part).join(name.replace(&sheet, "00000000000000ff"));
            match String::from_utf8(bytes) {
                Ok(text) => fs::write(target, text.replace(&old, new).replace(&sheet, "00000000000000ff")),
                Err(binary) => fs::write(target, binary.into_bytes()),
            }
            .expect("a folder and its files");
        }
    }
    new.to_owned()
}

#[tokio::test]
async fn a_new_version_is_offered_and_an_open_page_goes_on_with_the_files_of_the_old_one() {
    let old = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(old.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    kept(&page).await;
    page.reload().await;
    page.until_state("live").await;
    page.value::<bool>("window.sameVisit = true").await;
    let before = version(&page).await;

    let folder = tempfile::tempdir().expect("a folder and its files");
    let after = another_version(folder.path());
    let new = Stream::with_page(folder.path()).await;
    new.publish(&[works("1", "ada", "draws a map")]).await;
    proxy.lead_to(new.address);
    old.end().await;
    page.until_card("ada", "draws a map").await;

    // An hour later somebody looks at it again.
    let later = "(() => {
        const now = Date.now;
        Date.now = () => now() + 3_600_000;
        document.dispatchEvent(new Event('visibilitychange'));
        return true;
    })()";
    page.value::<bool>(later).await;
    until_seen(&page, "#renewal").await;
    let words: String = page.value("document.querySelector('#renewal').innerText").await;
    assert!(words.contains("a new version is there") && words.contains("reload"), "{words}");
    let broken = axe::violations(&page).await;
    assert!(broken.is_empty(), "{broken:#?}");

    // The host has the old style sheet no more; the page has.
    let sheet: String = page.value("new URL(document.querySelector('[rel=stylesheet]').href).pathname").await;
    let gone = reqwest::get(new.url(&sheet)).await.expect("a folder and its files");
    assert_eq!(gone.status(), 404);
    let held = format!("fetch('{sheet}', {{ cache: 'no-store' }}).then((answer) => answer.status)");
    assert_eq!(page.value::<u16>(&held).await, 200);
    assert!(page.value::<bool>("window.sameVisit").await, "the page was loaded again");
    assert_eq!(version(&page).await, before);

    click(&page, "#renewal button").await;
    page.until(&format!("document.documentElement.dataset.version === '{after}'")).await;
    page.until_card("ada", "draws a map").await;
    until_unseen(&page, "#renewal").await;
    // The old page is gone, and with the next visit what was kept for it.
    page.reload().await;
    let left = "(async () => {
        let names = await caches.keys();
        for (; names.length > 1; names = await caches.keys()) await new Promise((next) => setTimeout(next, 50));
        return names;
    })()";
    assert_eq!(soon("the old files go", page.value::<Vec<String>>(left)).await, [after]);
    page.until_state("live").await;
    until_unseen(&page, "#renewal").await;
    browser.close().await;
}

/// Address, length and a checksum of all that is kept.
const KEPT: &str = "(async () => {
    const found = {};
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            const bytes = new Uint8Array(await (await cache.match(request)).arrayBuffer());
            const sum = bytes.reduce((sum, byte) => (sum * 31 + byte) % 4294967296, 7);
            found[`${request.method} ${request.url.replace(location.origin, '')}`] = [bytes.length, sum];
        }
    }
    return found;
})()";

/// The same of the files that were built.
fn built() -> BTreeMap<String, (usize, u32)> {
    let mut found = BTreeMap::new();
    for part in ["", "assets"] {
        for entry in fs::read_dir(site::folder().join(part)).expect("a folder") {
            let entry = entry.expect("a folder and its files");
            let name = entry.file_name().into_string().expect("a name in ASCII");
            let copy = name.ends_with(".br") || name.ends_with(".gz");
            if entry.path().is_dir() || copy || ["404.html", "robots.txt", "worker.js"].contains(&name.as_str()) {
                continue;
            }
            let bytes = fs::read(entry.path()).expect("a folder and its files");
            let sum = bytes.iter().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
            let path = if part.is_empty() { name } else { format!("{part}/{name}") };
            found.insert(format!("GET /{}", path.replace("index.html", "")), (bytes.len(), sum));
        }
    }
    found
}

#[tokio::test]
async fn what_is_kept_are_the_files_of_the_build_and_nothing_of_the_witness_or_the_stream() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    kept(&page).await;
    page.go(&proxy.url(&format!("/?stream={}&secret=mine#entity=ada", proxy.url("")))).await;
    page.until_card("ada", "draws a map").await;
    let asked = "Promise.all(['/api/v1/snapshot', '/health', '/version', '/metrics', '/404.html', '/robots.txt']
        .map((path) => fetch(path).then((answer) => answer.status)))";
    assert_eq!(page.value::<Vec<u16>>(asked).await, [200; 6]);
    let missing = "Promise.all(['/assets/gone.css', '/gone.js'].map((path) => fetch(path).then((a) => a.status)))";
    assert_eq!(page.value::<Vec<u16>>(missing).await, [404; 2]);
    assert_eq!(page.value::<BTreeMap<String, (usize, u32)>>(KEPT).await, built());

    // Without a network nothing but the page has an answer.
    proxy.set_everything(Fault::Reset);
    let asked = "Promise.all(['/', '/config.json', '/favicon.svg', '/api/v1/snapshot', '/health', '/404.html']
        .map((path) => fetch(path).then((answer) => answer.ok, () => false)))";
    assert_eq!(page.value::<Vec<bool>>(asked).await, [true, true, true, false, false, false]);
    let posted = "fetch('/', { method: 'POST' }).then(() => true, () => false)";
    assert!(!page.value::<bool>(posted).await);
    browser.close().await;
}

#[tokio::test]
async fn where_service_workers_are_absent_or_refused_the_page_works_and_nothing_is_said() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let browser = Browser::start().await;
    for without in [
        "window.refused = true; Object.defineProperty(Navigator.prototype, 'serviceWorker', { value: undefined })",
        "window.refused = true; Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })",
        "ServiceWorkerContainer.prototype.register = () => {
            window.refused = true;
            return Promise.reject(new DOMException('switched off', 'SecurityError'));
        }",
    ] {
        let page = browser.tab().await;
        page.before_everything(without).await;
        page.go(&stream.url("/")).await;
        page.until_card("ada", "draws a map").await;
        page.until_script("window.refused").await;
        page.value::<bool>("new Promise((idle) => requestIdleCallback(() => idle(true)))").await;
        page.complains_of_nothing().await;
        let registered = "Promise.resolve(navigator.serviceWorker?.getRegistrations()).then((all) => all?.length ?? 0)";
        assert_eq!(page.value::<u32>(registered).await, 0);
    }
    browser.close().await;
}

#[tokio::test]
async fn the_page_can_be_installed_and_its_visits_raise_no_complaint() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    kept(&page).await;
    page.reload().await;
    page.until_state("live").await;
    let manifest = page.driver().execute(GetAppManifestParams::default()).await.expect("the manifest");
    assert_eq!(manifest.result.url, stream.url("/manifest.webmanifest"));
    assert!(manifest.result.errors.is_empty(), "{:?}", manifest.result.errors);
    let against = page.driver().execute(GetInstallabilityErrorsParams::default()).await.expect("whether it can be");
    let against = &against.result.installability_errors;
    assert!(against.is_empty(), "{against:?}");
    page.complains_of_nothing().await;
    browser.close().await;
}
