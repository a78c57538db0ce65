//! Nothing of what a witness does leaves the browser, and nothing of it is ever run.

use crate::{
    keepsakes::{open_kept, open_panel},
    parcels::{WATCH, choose_file, holding, take_along, town, use_all},
    planting::{ROW, SPROUT, choose, open_seeds, plant, until_count},
    witness::{click, focus, quoted, stream_of, texts, until_said, until_seen, until_unseen, write},
};
use chromiumoxide::cdp::browser_protocol::network::{
    EventRequestWillBeSent, EventRequestWillBeSentExtraInfo, EventWebSocketFrameSent,
};
use futures_util::{FutureExt, StreamExt};
use monkeytown_tests::{browser::Browser, events::works};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Every byte that a browser sends to a stream, whoever in the browser sends it.
struct Tap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl Tap {
    async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&sent);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let stream = TcpStream::connect(upstream).await.expect("the stream");
                    let ((mut from, mut back), (mut answers, mut to)) = (client.into_split(), stream.into_split());
                    let back = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
                    let mut piece = vec![0; 1 << 14];
                    while let Ok(read @ 1..) = from.read(&mut piece).await {
                        let piece = piece.get(..read).expect("it was read");
                        log.lock().expect("nobody panics").extend_from_slice(piece);
                        if to.write_all(piece).await.is_err() {
                            break;
                        }
                    }
                    drop(to);
                    // It ends with the stream's side.
                    drop(back.await);
                });
            }
        });
        Self { address, sent, accepting }
    }

    fn sent(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock().expect("nobody panics")).into_owned()
    }
}

#[tokio::test]
async fn of_a_whole_session_of_use_not_one_byte_of_the_witness_leaves_the_browser() {
    let stream = stream_of(&town()).await;
    let tap = Tap::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    let driver = page.driver();
    let mut requests = driver.event_listener::<EventRequestWillBeSent>().await.expect("requests");
    let mut heads = driver.event_listener::<EventRequestWillBeSentExtraInfo>().await.expect("heads");
    let mut frames = driver.event_listener::<EventWebSocketFrameSent>().await.expect("frames");
    page.go(&format!("http://{}/", tap.address)).await;
    page.until_state("live").await;
    use_all(&page).await;
    let ids: Vec<String> =
        page.value(&format!("[...document.querySelectorAll('{SPROUT}')].map((one) => one.dataset.seedId)")).await;
    let file = take_along(&page).await;
    let _file = choose_file(&page, file.as_bytes()).await;
    click(&page, "#sheet-kept [data-p=merge]").await;
    until_said(&page, "#sheet [data-p=answer]", "the file is brought back").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    // Searching is the witness's as well.
    focus(&page, "#search").await;
    write(&page, "quartzite").await;
    until_said(&page, "#kept", "match").await;
    page.reload().await;
    page.until_state("live").await;
    // Browsers keep what stands in fields for the next time the page is shown: of the witness's file nothing does.
    assert_eq!(page.value::<String>("document.querySelector('#hands').value").await, "");
    stream.publish(&[works("after", "bob", "goes on")]).await;
    page.until_card("bob", "goes on").await;
    page.heard().await;

    let mut log = Vec::new();
    while let Some(Some(sent)) = requests.next().now_or_never() {
        // What stands behind the "#" is told here, and no browser sends it (RFC 9110, section 7.1): the tap shows that.
        let mut request = sent.request.clone();
        request.url_fragment = None;
        log.push(format!("{request:?}"));
    }
    while let Some(Some(sent)) = heads.next().now_or_never() {
        log.push(format!("{:?}", sent.headers));
    }
    while let Some(Some(sent)) = frames.next().now_or_never() {
        log.push(sent.response.payload_data.clone());
    }
    assert!(log.len() > 10, "{log:#?}");
    let sent = tap.sent();
    assert!(sent.contains("GET /ws"), "the tap lies before the stream: {sent}");
    for word in ids.iter().map(String::as_str).chain(["quartzite", "two lines", "cXVhcnR6aXRl"]) {
        assert!(!sent.contains(word), "{word} was sent: {sent}");
        let told: Vec<&String> = log.iter().filter(|one| one.contains(word)).collect();
        assert!(told.is_empty(), "{word} was sent: {told:#?}");
    }
    assert!(!sent.to_lowercase().contains("\r\ncookie:"), "{sent}");
    let own = format!("//{}", tap.address);
    let elsewhere: Vec<String> = page
        .heard()
        .await
        .requests
        .into_iter()
        .filter(|url| !url.contains(&own) && !url.starts_with("blob:"))
        .collect();
    assert_eq!(elsewhere, [""; 0]);
    assert_eq!(browser.cookies().await, [""; 0]);
    tap.accepting.abort();
    browser.close().await;
}

#[tokio::test]
async fn hostile_words_in_seeds_and_notes_are_shown_as_text_and_never_run() {
    let hostile = [
        "<script>window.run = 1</script>",
        "<img src=x onerror=\"window.run = 1\"><svg onload=\"window.run = 1\">",
        "javascript:window.run=1",
        "\"><iframe srcdoc=\"<script>parent.run = 1</script>\"></iframe>",
    ];
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    for words in hostile {
        // What is given may be code; other fields take no tags.
        choose(&page, "resource").await;
        plant(&page, words).await;
    }
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    let unseen = "turned \u{202e}around\u{2066} and \u{0}nothing";
    let note = format!("{}\n{unseen}", hostile.join("\n"));
    let enter = format!(
        "(() => {{
            const field = document.querySelector('#note');
            field.value = {};
            field.dispatchEvent(new Event('input', {{ bubbles: true }}));
            return true;
        }})()",
        quoted(&note)
    );
    open_panel(&page, "ada").await;
    page.value::<bool>(&enter).await;
    until_said(&page, "#note-told", "the note is kept").await;
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    page.reload().await;
    page.until_state("live").await;

    // Brought back, with names that are markup and a link that is a script.
    let seed = json!({
        "type": "resource", "planted": 1, "first": hostile[0], "second": "code", "status": "complete", "percent": 100,
        "result": "javascript:window.run=1",
    });
    let files = [
        holding("seed", "<b/onclick=\"window.run=1\">", &seed),
        holding("note", hostile[1], &json!({"words": hostile[0]})),
    ];
    for file in files {
        open_kept(&page).await;
        let _file = choose_file(&page, file.as_bytes()).await;
        click(&page, "#sheet-kept [data-p=merge]").await;
        until_said(&page, "#sheet [data-p=answer]", "the file is brought back").await;
        page.press("Escape").await;
        until_unseen(&page, "#sheet").await;
    }
    open_kept(&page).await;
    until_count(&page, "#keepsakes > li", 2).await;
    assert_eq!(texts(&page, "#keepsakes [data-p=words]").await, [hostile[0].to_owned(), note.clone()]);
    click(&page, "#sheet [data-p=to-seeds]").await;
    until_count(&page, ROW, 5).await;
    until_seen(&page, &format!("{ROW} [data-p=title]")).await;
    let mut titles = texts(&page, &format!("{ROW} [data-p=title]")).await;
    titles.sort_unstable();
    let mut expected: Vec<&str> = hostile.into_iter().chain([hostile[0]]).collect();
    expected.sort_unstable();
    assert_eq!(titles, expected);
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    open_panel(&page, "ada").await;
    assert_eq!(page.value::<String>("document.querySelector('#note').value").await, note);
    let ran: Value = page
        .value(
            "[window.run ?? null, document.querySelectorAll('iframe, [onclick], [onerror], [onload], img').length,
                [...document.querySelectorAll('[href^=\"javascript\" i]')].length]",
        )
        .await;
    assert_eq!(ran, json!([null, 0, 0]));
    page.complains_of_nothing().await;
    browser.close().await;
}
