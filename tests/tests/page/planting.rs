//! Seeds: planted by keyboard, refused in plain words, kept, taken back, and followed from where they were planted to what
//! came of them.

use crate::{
    keyboard::{has_focus, tab_to},
    witness::{
        click, focus, paste, quoted, stream_of, text, texts, turns, until_said, until_seen, until_unseen, visit, write,
    },
};
use monkeytown_tests::{
    browser::{Browser, Page},
    proxy::Proxy,
    repository::Repository,
    stream::{Source, Stream},
};
use serde_json::{Value, json};

pub(crate) const SPROUT: &str = "#seeds [data-testid=seed-item]";
pub(crate) const ROW: &str = "#garden > li";
const PLANT: &str = "#seed-form [type=submit]";

/// What GitHub tells of an issue that was opened, as it delivers it.
const ISSUE_OPENED: &str = include_str!("../../../crates/stream/tests/hooks/payloads/issues.opened.json");
const ISSUE: &str = "https://github.com/Codertocat/Hello-World/issues/1";

/// Opens the side of the sheet on which seeds are planted.
pub(crate) async fn open_seeds(page: &Page) {
    // Before the page has begun nobody hears a click.
    page.until_state("live").await;
    click(page, "#plant-seed").await;
    until_seen(page, "#seed-form").await;
}

/// Chooses a type.
pub(crate) async fn choose(page: &Page, seed_type: &str) {
    click(page, &format!("#seed-form label:has([name=type][value={seed_type}])")).await;
    page.until_attribute("seed-form", "data-seed-type", seed_type).await;
}

/// Writes a query into the form and plants it; its id.
pub(crate) async fn plant(page: &Page, words: &str) -> String {
    focus(page, "#seed-first").await;
    paste(page, words).await;
    let before = count(page, ROW).await;
    click(page, PLANT).await;
    until_count(page, ROW, before + 1).await;
    page.value(&format!("document.querySelector('{ROW}').dataset.seedId")).await
}

pub(crate) async fn count(page: &Page, selector: &str) -> usize {
    page.value(&format!("document.querySelectorAll({}).length", quoted(selector))).await
}

pub(crate) async fn until_count(page: &Page, selector: &str, count: usize) {
    page.until(&format!("document.querySelectorAll({}).length === {count}", quoted(selector))).await;
}

/// Waits until a seed stands in a stage, both along the terrarium and in the list.
async fn until_stage(page: &Page, id: &str, stage: &str) {
    for of in [SPROUT, ROW] {
        let seed = quoted(&format!("{of}[data-seed-id=\"{id}\"]"));
        page.until(&format!("document.querySelector({seed})?.dataset.seedStage === {}", quoted(stage))).await;
    }
}

/// Where the link to what came of a seed leads.
async fn result(page: &Page, id: &str) -> Value {
    let row = quoted(&format!("{ROW}[data-seed-id=\"{id}\"]"));
    page.value(&format!(
        "(() => {{
            const link = document.querySelector({row}).querySelector('[data-p=result]');
            return [link.textContent, link.getAttribute('href'), link.rel, link.target];
        }})()"
    ))
    .await
}

fn leads_to(address: &str) -> Value {
    json!(["see what came of it", address, "noopener noreferrer", "_blank"])
}

async fn preview(page: &Page) -> String {
    text(page, "#seed-form [data-p=preview]").await
}

#[tokio::test]
async fn all_four_types_are_planted_by_keyboard_alone() {
    let (_stream, browser, page) = visit(&[turns("1", "ada", "active", "draws a map")]).await;
    page.until_state("live").await;
    tab_to(&page, "#plant-seed").await;
    page.press("Enter").await;
    until_seen(&page, "#seed-form").await;

    tab_to(&page, "#seed-form [name=type]").await;
    tab_to(&page, "#seed-first").await;
    write(&page, "map").await;
    until_said(&page, "#seed-form [data-p=found]", "ada").await;
    until_said(&page, "#seed-form [data-p=preview]", "query: map").await;
    tab_to(&page, PLANT).await;
    page.press("Enter").await;
    until_count(&page, ROW, 1).await;

    for (seed_type, steps, first, second, said) in [
        ("contract", 1, "ada, bob", "deadline: friday", "contract: ada, bob\ndeadline: friday"),
        ("constraint", 1, "the page stays small", "", "scope constraint: the page stays small"),
        ("resource", 1, "https://example.org/stones", "", "code resource: https://example.org/stones"),
    ] {
        let before = count(&page, ROW).await;
        // Round by the head of the sheet, as far as the chosen type; arrows choose among those beside it.
        tab_to(&page, "#seed-form [name=type]:checked").await;
        for _ in 0..steps {
            page.press("ArrowRight").await;
        }
        page.until_attribute("seed-form", "data-seed-type", seed_type).await;
        tab_to(&page, "#seed-first").await;
        write(&page, first).await;
        page.press("Tab").await;
        if second.is_empty() {
            // The second of the kinds.
            assert!(
                page.value::<bool>("document.activeElement.matches('[name$=kind]:checked')").await,
                "a kind is chosen"
            );
            page.press("ArrowRight").await;
        } else {
            has_focus(&page, "#seed-second").await;
            write(&page, second).await;
        }
        page.until(&format!("document.querySelector('#seed-form [data-p=preview]').textContent === {}", quoted(said)))
            .await;
        tab_to(&page, PLANT).await;
        page.press("Enter").await;
        until_count(&page, ROW, before + 1).await;
        until_said(&page, "#sheet [data-p=answer]", &format!("planted: {seed_type}-")).await;
    }
    until_count(&page, SPROUT, 4).await;
    assert_eq!(text(&page, "#seed-count [data-p=seeds]").await, "4 of 5");
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    has_focus(&page, "#plant-seed").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_wrong_in_a_field_is_said_in_plain_words_at_once_and_nothing_is_planted() {
    let (_stream, browser, page) = visit(&[]).await;
    open_seeds(&page).await;
    until_unseen(&page, "#first-fault").await;
    click(&page, PLANT).await;
    until_said(&page, "#first-fault", "say what you look for").await;
    until_said(&page, "#sheet [data-p=answer]", "look at what is said beside the fields").await;

    for (seed_type, field, words, said) in [
        ("query", "first", "<b>", "plain words only, no tags"),
        ("query", "first", "turn \u{202e} around", "there are letters in it that nobody can see"),
        ("query", "first", "a\u{0}b", "there are letters in it that nobody can see"),
        ("query", "first", &"x".repeat(201), "that is more than 200 letters"),
        ("contract", "first", " , ,", "name who takes part, with commas between them"),
        ("contract", "second", "friday", "each line is a name, a colon and what holds"),
        ("contract", "second", "deadline: <img src=x>", "plain words only, no tags"),
        ("constraint", "first", "<script>", "plain words only, no tags"),
        ("resource", "first", "http://example.org", "an address has to begin with https://"),
        ("resource", "first", "file:///etc/passwd", "an address has to begin with https://"),
        ("resource", "first", &"x".repeat(8_001), "that is more than 8,000 letters"),
    ] {
        choose(&page, seed_type).await;
        let entered = format!(
            "(() => {{
                for (const id of ['seed-first', 'seed-second']) {{
                    const field = document.getElementById(id);
                    field.value = id === 'seed-{field}' ? {} : 'ada: bob';
                    field.dispatchEvent(new Event('input', {{ bubbles: true }}));
                }}
                return true;
            }})()",
            quoted(words)
        );
        page.value::<bool>(&entered).await;
        if seed_type != "contract" {
            // The fields of contracts alone are two texts; what another kind is, is chosen.
            page.value::<bool>(
                "(() => {
                    const kind = [...document.querySelectorAll('#seed-form [type=radio][name$=kind]')]
                        .find((one) => one.checkVisibility());
                    kind?.click();
                    return true;
                })()",
            )
            .await;
        }
        until_said(&page, &format!("#{field}-fault"), said).await;
        let invalid: String =
            page.value(&format!("document.getElementById('seed-{field}').getAttribute('aria-invalid') ?? ''")).await;
        assert_eq!(invalid, "true", "{seed_type} {words}");
        until_unseen(&page, "#seed-form [data-p=preview]").await;
        click(&page, PLANT).await;
        until_said(&page, "#sheet [data-p=answer]", "look at what is said beside the fields").await;
    }
    assert_eq!(count(&page, ROW).await, 0);
    assert_eq!(
        page.value::<Vec<String>>("Object.keys(localStorage).filter((key) => key.includes('seed'))").await,
        [""; 0]
    );
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_the_form_shows_is_what_is_planted_after_another_type_and_after_planting() {
    let (_stream, browser, page) = visit(&[]).await;
    open_seeds(&page).await;
    choose(&page, "contract").await;
    focus(&page, "#seed-first").await;
    write(&page, "ada").await;
    focus(&page, "#seed-second").await;
    write(&page, "deadline: friday").await;
    choose(&page, "query").await;
    choose(&page, "contract").await;
    let shown: String = page.value("document.querySelector('#seed-second').value").await;
    assert_eq!(preview(&page).await.trim_end(), format!("contract: ada\n{shown}").trim_end());

    choose(&page, "constraint").await;
    let chosen = "[...document.querySelectorAll('#seed-form [name$=kind]:checked')]
        .filter((one) => one.checkVisibility()).map((one) => one.value)";
    assert_eq!(page.value::<Vec<String>>(chosen).await, ["performance"]);
    click(&page, "#seed-form label:has([value=scope])").await;
    until_said(&page, "#seed-form [data-p=preview]", "scope constraint: ada").await;
    click(&page, PLANT).await;
    until_count(&page, ROW, 1).await;
    focus(&page, "#seed-first").await;
    write(&page, "bob").await;
    until_said(&page, "#seed-form [data-p=preview]", "constraint: bob").await;
    let [kind] = page.value::<[String; 1]>(chosen).await;
    assert_eq!(preview(&page).await, format!("{kind} constraint: bob"));
    choose(&page, "resource").await;
    assert_eq!(page.value::<Vec<String>>(chosen).await, ["data"]);
    until_said(&page, "#seed-form [data-p=preview]", "data resource: bob").await;
    browser.close().await;
}

#[tokio::test]
async fn a_sixth_seed_is_refused_and_its_words_stay_until_another_is_cancelled() {
    let (_stream, browser, page) = visit(&[]).await;
    open_seeds(&page).await;
    for number in 1..=5 {
        plant(&page, &format!("stone {number}")).await;
    }
    focus(&page, "#seed-first").await;
    write(&page, "stone 6").await;
    click(&page, PLANT).await;
    until_said(&page, "#sheet [data-p=answer]", "five seeds are under way, as many as may be").await;
    assert_eq!(count(&page, ROW).await, 5);
    assert_eq!(page.value::<String>("document.querySelector('#seed-first').value").await, "stone 6");
    assert_eq!(text(&page, "#seed-count [data-p=seeds]").await, "5 of 5");

    click(&page, &format!("{ROW} [data-p=forget]")).await;
    until_count(&page, ROW, 4).await;
    click(&page, PLANT).await;
    until_count(&page, ROW, 5).await;
    browser.close().await;
}

#[tokio::test]
async fn a_seed_is_there_after_a_reload_and_one_that_is_cancelled_is_not_unless_that_is_taken_back() {
    let (_stream, browser, page) = visit(&[turns("1", "ada", "active", "draws a map")]).await;
    open_seeds(&page).await;
    let id = plant(&page, "stones").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    page.reload().await;
    page.until_state("live").await;
    until_stage(&page, &id, "germinating").await;
    until_said(&page, SPROUT, "stones").await;

    // From the sprout to the list.
    click(&page, &format!("{SPROUT} button")).await;
    until_seen(&page, "#seed-form").await;
    assert_eq!(text(&page, &format!("{ROW} [data-p=forget]")).await, "cancel");
    click(&page, &format!("{ROW} [data-p=forget]")).await;
    until_count(&page, ROW, 0).await;
    until_unseen(&page, "#seeds").await;
    page.press("Escape").await;
    until_said(&page, "#undo-bar", "seed taken away").await;
    click(&page, "#undo-bar [data-p=undo]").await;
    until_stage(&page, &id, "germinating").await;
    until_unseen(&page, "#undo-bar [data-p=undo]").await;
    page.reload().await;
    page.until_state("live").await;
    until_stage(&page, &id, "germinating").await;

    click(&page, &format!("{SPROUT} button")).await;
    click(&page, &format!("{ROW} [data-p=forget]")).await;
    until_count(&page, ROW, 0).await;
    page.reload().await;
    page.until_card("ada", "draws a map").await;
    assert_eq!(count(&page, SPROUT).await, 0);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_commit_that_names_a_seed_brings_it_to_its_outcome_with_a_link() {
    let town = Repository::new();
    town.git(0, &["remote", "add", "origin", "https://github.com/example/town.git"]);
    town.commit(0, "begin", &[("README.md", "a town")]);
    let stream = Stream::start(Source::Git(town.path())).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    let id = plant(&page, "a bridge").await;
    let other = plant(&page, "another bridge").await;
    until_stage(&page, &id, "germinating").await;
    let commit = town.commit(9, &format!("build a bridge\n\nSeed: {id}"), &[("bridge/arch", "1")]);
    until_stage(&page, &id, "outcome").await;
    until_said(&page, &format!("{ROW}[data-seed-id=\"{id}\"]"), "something has come of it").await;
    let address = format!("https://github.com/example/town/commit/{commit}");
    assert_eq!(result(&page, &id).await, leads_to(&address));
    until_stage(&page, &other, "germinating").await;
    // What came of it outlives the visit.
    page.reload().await;
    until_stage(&page, &id, "outcome").await;
    assert_eq!(result(&page, &id).await, leads_to(&address));
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn an_issue_that_names_a_seed_finds_it_and_brings_it_to_its_outcome_when_it_is_closed() {
    let stream = Stream::with_webhooks().await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    let id = plant(&page, "a bridge").await;
    let mut payload: Value = serde_json::from_str(ISSUE_OPENED).expect("a payload");
    payload["issue"]["body"] = json!(format!("Please do.\r\n\r\nSeed: {id}\r\n"));
    stream.deliver("issues", "72d3162e-cc78-11e3-81ab-000000000001", &payload).await;
    until_stage(&page, &id, "sprouting").await;
    let row = format!("{ROW}[data-seed-id=\"{id}\"]");
    // What has been found is not cancelled any more.
    until_unseen(&page, &format!("{row} [data-p=forget]")).await;
    payload["action"] = json!("closed");
    payload["issue"]["state"] = json!("closed");
    payload["issue"]["state_reason"] = json!("completed");
    stream.deliver("issues", "72d3162e-cc78-11e3-81ab-000000000002", &payload).await;
    until_stage(&page, &id, "outcome").await;
    assert_eq!(result(&page, &id).await, leads_to(ISSUE));
    until_said(&page, &row, "something has come of it").await;
    assert_eq!(text(&page, &format!("{row} [data-p=forget]")).await, "take away");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn an_event_that_a_seed_caused_makes_it_sprout_and_what_settles_by_it_is_its_outcome() {
    let (stream, browser, page) = visit(&[]).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    let id = plant(&page, "a bridge").await;
    let mut event = turns("1", "ada", "active", "thinks of a bridge");
    event["causationid"] = json!(id);
    stream.publish(&[event]).await;
    until_stage(&page, &id, "sprouting").await;
    let data = json!({
        "id": "pull:7", "kind": "contract", "label": "a bridge", "status": "complete", "parent": "ada",
        "url": "https://example.org/bridge",
    });
    let mut event = crate::witness::told("pull:7/settled", "monkeytown.entity.created", &data);
    event["causationid"] = json!(id);
    stream.publish(&[event]).await;
    until_stage(&page, &id, "outcome").await;
    assert_eq!(result(&page, &id).await, leads_to("https://example.org/bridge"));
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_seed_is_opened_as_an_issue_of_the_repository_that_the_configuration_names() {
    let stream = stream_of(&[]).await;
    let proxy = Proxy::before(stream.address).await;
    let config = json!({"repository": "https://github.com/example/town"}).to_string();
    proxy.answer("/config.json", "application/json", &config);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    let words = "caf\u{e9} & stones #1? 100% + more";
    let id = plant(&page, words).await;
    let issue = format!("{ROW} [data-p=issue]");
    until_seen(&page, &issue).await;
    until_unseen(&page, &format!("{ROW} [data-p=copy]")).await;
    let read: Value = page
        .value(&format!(
            "(() => {{
                const link = document.querySelector({});
                const url = new URL(link.href);
                const asked = Object.fromEntries(url.searchParams);
                return [url.origin + url.pathname, url.hash, asked, link.target, link.rel];
            }})()",
            quoted(&issue)
        ))
        .await;
    let asked = json!({"title": words, "body": format!("query: {words}\n\nSeed: {id}\n")});
    let expected = json!(["https://github.com/example/town/issues/new", "", asked, "_blank", "noopener noreferrer"]);
    assert_eq!(read, expected);

    // Longer than an address may be: its words are to be copied.
    choose(&page, "resource").await;
    plant(&page, &"stone \u{1fab5} ".repeat(600)).await;
    until_seen(&page, &format!("{ROW}:first-child [data-p=copy]")).await;
    until_unseen(&page, &format!("{ROW}:first-child [data-p=issue]")).await;
    assert!(page.heard().await.requests.iter().all(|address| !address.contains("github.com")));
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn where_no_repository_is_named_the_words_of_a_seed_are_copied() {
    let stream = stream_of(&[]).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(
        "Object.defineProperty(navigator, 'clipboard', {
            value: { writeText: async (words) => { window.copied = words; } },
        });",
    )
    .await;
    page.go(&stream.url("/")).await;
    open_seeds(&page).await;
    let id = plant(&page, "stones").await;
    until_unseen(&page, &format!("{ROW} [data-p=issue]")).await;
    click(&page, &format!("{ROW} [data-p=copy]")).await;
    until_said(&page, "#sheet [data-p=answer]", "copied").await;
    assert_eq!(page.value::<String>("window.copied").await, format!("query: stones\n\nSeed: {id}\n"));
    assert_eq!(texts(&page, &format!("{ROW} [data-p=id]")).await, [id]);
    browser.close().await;
}

#[tokio::test]
async fn a_pressed_sprout_shows_its_seed_on_the_sheet() {
    let (_stream, browser, page) = visit(&[turns("1", "ada", "active", "draws a map")]).await;
    open_seeds(&page).await;
    let oldest = plant(&page, "first stone").await;
    for words in ["second stone", "third stone", "fourth stone"] {
        plant(&page, words).await;
    }
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    click(&page, &format!("{SPROUT}[data-seed-id=\"{oldest}\"] button")).await;
    let row = quoted(&format!("{ROW}[data-seed-id=\"{oldest}\"]"));
    page.until(&format!("document.querySelector({row}).contains(document.activeElement)")).await;
    page.until(&format!(
        "(({{top, bottom}}) => top >= 0 && bottom <= innerHeight)(document.querySelector({row}).getBoundingClientRect())"
    ))
    .await;
    browser.close().await;
}
