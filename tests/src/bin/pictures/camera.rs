//! Takes the pictures: a stream for each, a page in a real Chromium, what the scene asks for, a PNG.

use crate::scene::{Act, Eyes, Scene, Size, Told};
use anyhow::{Context, Result};
use chromiumoxide::{
    cdp::browser_protocol::{
        emulation::{
            MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams, SetTouchEmulationEnabledParams,
        },
        page::{CaptureScreenshotFormat, FontSizes, SetFontSizesParams},
    },
    page::ScreenshotParams,
};
use monkeytown_protocol::{SourceKind, Timestamp};
use monkeytown_stream::{
    Log, now,
    sources::{
        Sink,
        simulator::{Simulator, SimulatorConfig},
    },
};
use monkeytown_tests::{
    browser::{Browser, Page},
    proxy::Proxy,
    stream::{Source, Stream},
};
use std::{path::Path, time::Duration};
use tokio::{task::JoinHandle, time::interval};

/// Events of one request.
const BATCH: usize = 500;
const HOUR_MILLIS: i64 = 3_600_000;
/// The browser's own size of text, and of text of equal width, in pixels; twice that is 200 %.
const TEXT_PIXELS: (i64, i64) = (16, 13);

/// What was asked for beside a scene's own.
#[derive(Default)]
pub(crate) struct Wishes {
    /// A script to run before the picture.
    pub(crate) script: Option<String>,
    /// Instead of the scene's own wait.
    pub(crate) settle_millis: Option<u64>,
}

/// Takes the picture of `scene` at `size` into `file`; says how the page stood.
pub(crate) async fn shoot(
    browser: &Browser,
    scene: &Scene,
    size: Size,
    wishes: &Wishes,
    file: &Path,
) -> Result<String> {
    let kind = if matches!(scene.told, Told::Story { .. }) { SourceKind::Simulated } else { SourceKind::Live };
    let stream = Stream::start(Source::Claimed(kind)).await;
    let network = Proxy::before(stream.address).await;
    let page = browser.tab().await;
    prepare(&page, scene.eyes, size).await?;
    page.go(&network.url("/")).await;
    page.until_state("live").await;
    // After the page is there, so that it sees every event of the hour and not only where they led.
    let telling = tell(&stream, &scene.told).await?;
    let told = i64::try_from(stream.accepted()).context("so many events fit in no picture")? - 1;
    page.until(&format!("Number(document.querySelector('[data-testid=connection]').dataset.offset) >= {told}")).await;
    let mut remarks = Vec::new();
    match scene.act {
        Act::None => {}
        Act::LoseTheStream => {
            network.lose_the_stream();
            page.until_state("reconnecting").await;
        }
        Act::Script(script) => {
            if !page.value::<bool>(script).await {
                remarks.push("its script found nothing".to_owned());
            }
        }
    }
    // A picture of motion: there is no condition that says when it looks its best.
    tokio::time::sleep(Duration::from_millis(wishes.settle_millis.unwrap_or(scene.settle_millis))).await;
    if let Some(script) = &wishes.script {
        let answer: serde_json::Value = page.value(script).await;
        remarks.push(format!("the script says {answer}"));
    }
    let parameters = ScreenshotParams::builder().format(CaptureScreenshotFormat::Png).build();
    page.driver().save_screenshot(parameters, file).await.context("the picture")?;
    remarks.push(standing(&page).await);
    // A stream that is cut off is complained of by the browser, whatever the page does.
    if !matches!(scene.act, Act::LoseTheStream) {
        remarks.extend(page.heard().await.complaints);
    }
    telling.iter().for_each(JoinHandle::abort);
    page.driver().clone().close().await.context("closing a tab")?;
    Ok(remarks.join("; "))
}

async fn prepare(page: &Page, eyes: Eyes, size: Size) -> Result<()> {
    let tab = page.driver();
    let (zoom, scale) = if eyes == Eyes::Zoomed { (2, 2.0) } else { (1, 1.0) };
    let (width, height) = (i64::from(size.width) / zoom, i64::from(size.height) / zoom);
    let metrics = SetDeviceMetricsOverrideParams::new(width, height, scale, size.is_hand_held());
    tab.execute(metrics).await.context("a viewport")?;
    if size.is_hand_held() {
        tab.execute(SetTouchEmulationEnabledParams::new(true)).await.context("fingers")?;
    }
    let feature = match eyes {
        Eyes::Plain | Eyes::Zoomed => return Ok(()),
        Eyes::LargeText => {
            let (standard, fixed) = TEXT_PIXELS;
            let sizes = FontSizes::builder().standard(standard * 2).fixed(fixed * 2).build();
            tab.execute(SetFontSizesParams::new(sizes)).await.context("sizes of text")?;
            return Ok(());
        }
        Eyes::Still => MediaFeature::new("prefers-reduced-motion", "reduce"),
        Eyes::ForcedColours => MediaFeature::new("forced-colors", "active"),
    };
    tab.execute(SetEmulatedMediaParams::builder().feature(feature).build()).await.context("a preference")?;
    Ok(())
}

/// Tells the stream what the scene is about. A story goes on until its task ends.
async fn tell(stream: &Stream, told: &Told) -> Result<Option<JoinHandle<()>>> {
    match told {
        Told::Town(town) => {
            for events in town().events(now()).chunks(BATCH) {
                stream.publish(events).await;
            }
            Ok(None)
        }
        Told::Story { events, rate } => {
            let mut simulator = Simulator::new(SimulatorConfig { rate: *rate, seed: 7 })?;
            let begun = now().plus_millis(-HOUR_MILLIS);
            let step = HOUR_MILLIS / i64::from(*events).max(1);
            for number in 0..*events {
                say(&mut simulator, &stream.log, begun.plus_millis(i64::from(number) * step)).await;
            }
            Ok(Some(tokio::spawn(go_on(simulator, stream.log.clone(), Duration::from_secs_f64(1.0 / rate)))))
        }
    }
}

async fn go_on(mut simulator: Simulator, log: Log, pause: Duration) {
    let mut pace = interval(pause);
    loop {
        pace.tick().await;
        say(&mut simulator, &log, now()).await;
    }
}

async fn say(simulator: &mut Simulator, log: &Log, time: Timestamp) {
    let mut event = simulator.next_event();
    event.time = time;
    log.append(vec![event]).await;
}

/// How the page stands, in a few words.
async fn standing(page: &Page) -> String {
    let script = "(() => {
        const of = (id) => document.querySelector(`[data-testid=${id}]`)?.dataset ?? {};
        const { state, offset, holes } = of('connection');
        const { entities, flowsDrawn, flowsHidden } = of('terrarium');
        const wide = document.documentElement.scrollWidth > innerWidth
            ? `, ${document.documentElement.scrollWidth - innerWidth} px wider than the window` : '';
        return `${state} at ${offset}, ${holes} holes, ${entities} entities, `
            + `${flowsDrawn} flows drawn, ${flowsHidden} hidden${wide}`;
    })()";
    page.value(script).await
}
