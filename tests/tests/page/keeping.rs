//! What the browser keeps: when it has no room for the page's files the page goes on without, and what two tabs keep at
//! once is one of the two, whole.

use crate::{offline::another_version, witness::until_unseen};
use chromiumoxide::cdp::browser_protocol::storage::OverrideQuotaForOriginParams;
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy},
    stream::{Source, Stream},
    wait::soon,
};
use std::time::Duration;

/// Records that are to be read, each another than the one before.
const RECORDS: usize = 5;
/// Room for nothing that the page is made of, in bytes.
const NO_ROOM_BYTES: f64 = 1_000.0;

/// How the installation of the worker ended, in a word of the browser's (`activated`, `redundant`).
const ENDING: &str = "(async () => {
    const known = await navigator.serviceWorker.getRegistration();
    const worker = await window.worker ?? known?.installing ?? known?.waiting ?? known?.active;
    while (!['activated', 'redundant'].includes(worker.state)) {
        await new Promise((next) => worker.addEventListener('statechange', next, { once: true }));
    }
    return worker.state;
})()";

/// Remembers the worker that is first installed.
const WATCH: &str = "
    const register = ServiceWorkerContainer.prototype.register;
    window.worker = new Promise((found) => {
        ServiceWorkerContainer.prototype.register = async function (...given) {
            const registration = await register.apply(this, given);
            found(registration.installing ?? registration.waiting ?? registration.active);
            return registration;
        };
    });
";

async fn room(page: &Page, origin: &str, bytes: Option<f64>) {
    let mut quota = OverrideQuotaForOriginParams::new(origin);
    quota.quota_size = bytes;
    page.driver().execute(quota).await.expect("a quota");
}

#[tokio::test]
async fn where_there_is_no_room_for_its_files_the_page_goes_on_and_keeps_them_when_there_is() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    room(&page, &stream.url(""), Some(NO_ROOM_BYTES)).await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    let ended: String = soon("the end of an installation", page.value(ENDING)).await;
    assert_eq!(ended, "redundant", "it had no room");
    assert_eq!(page.value::<Vec<String>>("caches.keys()").await, [""; 0], "half of a page is no page");
    // All goes on, and nothing is said of it.
    stream.publish(&[works("2", "bob", "holds the ladder")]).await;
    page.until_card("bob", "holds the ladder").await;
    page.until_state("live").await;
    until_unseen(&page, "#notice").await;
    until_unseen(&page, "#renewal").await;
    page.complains_of_nothing().await;

    room(&page, &stream.url(""), None).await;
    page.reload().await;
    page.until_card("bob", "holds the ladder").await;
    assert_eq!(soon("an installation", page.value::<String>(ENDING)).await, "activated");
    assert_eq!(page.value::<Vec<String>>("caches.keys()").await.len(), 1);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn where_there_is_no_room_for_a_newer_version_the_one_that_is_kept_still_opens_without_a_network() {
    let old = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(old.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    soon("the page is kept", page.value::<bool>("navigator.serviceWorker.ready.then(() => true)")).await;
    page.reload().await;
    page.until_state("live").await;
    let version: String = page.value("document.documentElement.dataset.version").await;

    let folder = tempfile::tempdir().expect("a folder");
    another_version(folder.path());
    let new = Stream::with_page(folder.path()).await;
    new.publish(&[works("1", "ada", "draws a map")]).await;
    proxy.lead_to(new.address);
    old.end().await;
    page.until_card("ada", "draws a map").await;
    room(&page, &proxy.url(""), Some(NO_ROOM_BYTES)).await;
    let update = "navigator.serviceWorker.ready.then(async (registration) => {
        window.worker = (await registration.update()).installing;
        return true;
    })";
    assert!(soon("another worker", page.value::<bool>(update)).await);
    assert_eq!(soon("the end of an installation", page.value::<String>(ENDING)).await, "redundant");
    let names: Vec<String> = page.value("caches.keys()").await;
    assert_eq!(names, std::slice::from_ref(&version), "what was kept stays, and half of another is not");
    until_unseen(&page, "#renewal").await;
    page.until_state("live").await;

    proxy.set_everything(Fault::Reset);
    page.reload().await;
    page.until_card("ada", "draws a map").await;
    assert_eq!(page.value::<String>("document.documentElement.dataset.version").await, version);
    browser.close().await;
}

/// What is kept of the stream: its address, the offsets that the frames bring one after the other, and the agents named
/// in it. Throws where it is not whole.
const RECORD: &str = "(() => {
    const [stream, savedAt, clock, hello, ...frames] = localStorage.getItem('monkeytown.last-known.v3').split('\\u001e');
    const moments = [savedAt, clock].map((moment) => Date.parse(moment));
    if (moments.some(Number.isNaN)) throw new Error(`${savedAt} ${clock}`);
    const { snapshot } = JSON.parse(hello);
    let upto = snapshot.offset;
    for (const frame of frames.map((text) => JSON.parse(text))) {
        if (frame.kind !== 'events' || frame.epoch !== snapshot.epoch || frame.first > upto + 1) throw new Error(JSON.stringify(frame));
        upto = frame.last;
    }
    return [stream, upto];
})()";

#[tokio::test]
async fn what_two_tabs_keep_at_once_is_one_of_both_whole_and_readable() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let mut pages = Vec::new();
    for _ in 0..2 {
        let page = browser.visit(&proxy.url("/")).await;
        page.until_state("live").await;
        page.until_card("ada", "draws a map").await;
        pages.push(page);
    }
    // Both write what they know whenever something has come, as they do when they are left.
    let keep = "(() => {
        window.keeping = setInterval(() => document.dispatchEvent(new Event('visibilitychange')), 1);
        const hidden = Object.getOwnPropertyDescriptor(Document.prototype, 'hidden');
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
        window.stop = () => {
            clearInterval(window.keeping);
            Object.defineProperty(document, 'hidden', hidden);
            return true;
        };
        return true;
    })()";
    for page in &pages {
        page.value::<bool>(keep).await;
    }
    let reader = browser.visit(&proxy.url("/404.html")).await;
    // Read while it is written, again and again: it is always that of the one or that of the other.
    let mut seen: Vec<i64> = Vec::new();
    let mut round = 0_u64;
    soon("records that go on", async {
        while seen.len() < RECORDS {
            let number = format!("stone {round}");
            stream.publish(&[works(&number, "bob", &format!("lays {number}"))]).await;
            // So slowly that each of the two keeps all of it: what is kept is written no faster than a disk keeps up.
            tokio::time::sleep(Duration::from_millis(250)).await;
            round += 1;
            let (of, upto): (String, i64) = reader.value(RECORD).await;
            assert_eq!(of, proxy.url(""));
            seen.push(upto);
            seen.dedup();
        }
    })
    .await;
    let last = i64::try_from(stream.accepted()).expect("small") - 1;
    for page in &pages {
        soon("all of it", async { while page.count("data-offset").await < last {} }).await;
        page.value::<bool>("window.stop()").await;
    }
    let whole = format!("{RECORD}[1] === {last}");
    reader.until_script(&whole).await;

    // The next visit, without a stream, reads it.
    proxy.lose_the_stream();
    for page in pages {
        page.driver().clone().close().await.expect("it closes");
    }
    let later = browser.visit(&proxy.url("/")).await;
    later.until_state("snapshot").await;
    later.until_card("bob", &format!("lays stone {}", round - 1)).await;
    later.until_card("ada", "draws a map").await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_asked_of_the_stream_does_not_pass_the_worker_which_may_die() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    soon("the page is kept", page.value::<bool>("navigator.serviceWorker.ready.then(() => true)")).await;
    page.reload().await;
    page.until_state("live").await;
    // Where the browser itself says the answer comes from, past the worker; nothing where the worker was asked.
    let from = |path: &str| {
        format!(
            "fetch('{path}').then(async (answer) => {{
                await answer.text();
                return performance.getEntriesByName(answer.url).at(-1).workerFinalSourceType;
            }})"
        )
    };
    assert_eq!(page.value::<String>(&from("/config.json")).await, "");
    assert_eq!(page.value::<String>(&from("/api/v1/snapshot")).await, "network");
    browser.close().await;
}
