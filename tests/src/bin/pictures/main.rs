//! Pictures of the built page in every state: `pictures --out DIR [--scene NAME]… [--width N]… [--list]`.
//!
//! Also: `--script JS` runs a script before each picture and prints its value; `--settle MILLIS` waits that long
//! instead of the scene's own while. The page is the one that `MONKEYTOWN_SITE` names, or `dist`.

mod camera;
mod scene;
mod town;

use anyhow::{Context, Result, bail, ensure};
use camera::Wishes;
use monkeytown_tests::{
    browser::Browser,
    words::{self, Words},
};
use scene::{SCENES, Scene, Size};
use std::{path::PathBuf, process::ExitCode};

#[derive(Default)]
struct Arguments {
    out: Option<PathBuf>,
    scenes: Vec<String>,
    widths: Vec<u32>,
    list: bool,
    wishes: Wishes,
}

#[tokio::main]
async fn main() -> ExitCode {
    words::end("pictures", run().await)
}

fn read() -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = Words::given();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" => arguments.out = Some(words.value(&word)?.into()),
            "--scene" => arguments.scenes.push(words.value(&word)?),
            "--width" => arguments.widths.push(words.number(&word)?),
            "--script" => arguments.wishes.script = Some(words.value(&word)?),
            "--settle" => arguments.wishes.settle_millis = Some(words.number(&word)?),
            "--list" => arguments.list = true,
            other => bail!("{other:?} is not known; there are --out, --scene, --width, --script, --settle, --list"),
        }
    }
    Ok(arguments)
}

async fn run() -> Result<()> {
    let arguments = read()?;
    let names: Vec<&str> = SCENES.iter().map(|scene| scene.name).collect();
    if arguments.list {
        println!("{}", names.join("\n"));
        return Ok(());
    }
    let out = arguments.out.context("--out names the folder for the pictures")?;
    for wanted in &arguments.scenes {
        ensure!(names.contains(&wanted.as_str()), "no scene is named {wanted:?}; there are {}", names.join(", "));
    }
    std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let browser = Browser::start().await;
    let chosen = |scene: &&Scene| arguments.scenes.is_empty() || arguments.scenes.iter().any(|name| name == scene.name);
    for scene in SCENES.iter().filter(chosen) {
        let sizes = match arguments.widths.as_slice() {
            [] => scene.sizes.to_vec(),
            widths => widths.iter().copied().map(Size::wide).collect(),
        };
        for size in sizes {
            let file = out.join(format!("{}-{}.png", scene.name, size.width));
            let remarks = camera::shoot(&browser, scene, size, &arguments.wishes, &file).await?;
            println!("{}: {remarks}", file.display());
        }
    }
    browser.close().await;
    Ok(())
}
