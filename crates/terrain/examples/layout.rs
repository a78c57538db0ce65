//! How long an arrangement takes, and what it looks like: `cargo run --release -p monkeytown-terrain --example layout --
//! DIRECTORY` prints times and movements, and writes an SVG of each scene into the directory.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scenes of a size known here"
)]

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use std::fmt::Write as _;
use std::time::Instant;

use monkeytown_terrain::{Arrangement, Body, Link, Posture, Rect, Technique, arrange};
use scenes::{Scene, mixed, move_posture};

fn main() -> std::io::Result<()> {
    for count in [50, 200, 1_000] {
        for field in [scenes::field(952.0, 604.0), scenes::field(2_900.0, 1_800.0)] {
            let scene = mixed(count, 7, field);
            let mut micros: Vec<u128> = (0..20)
                .map(|_| {
                    let start = Instant::now();
                    std::hint::black_box(run(&scene));
                    start.elapsed().as_micros()
                })
                .collect();
            micros.sort_unstable();
            let found = run(&scene);
            println!(
                "{count} entities in {}×{}: {} µs, {:?}/{:?} by {:?}, {} without room",
                field.width,
                field.height,
                micros[10],
                found.detail_awake,
                found.detail_rest,
                found.technique,
                found.places.iter().filter(|place| place.is_none()).count()
            );
        }
    }
    movements();
    if let Some(directory) = std::env::args().nth(1) {
        for (name, scene) in scenes::named() {
            std::fs::write(format!("{directory}/{name}.svg"), picture(&scene, &run(&scene)))?;
        }
    }
    Ok(())
}

fn run(scene: &Scene) -> Arrangement {
    arrange(&scene.bodies, &scene.links, scene.field, &mut || false)
}

/// How far the others move when one body changes, over 200 civilizations of each size.
fn movements() {
    for count in [6, 10, 30, 100, 300] {
        for change in ["posture", "link", "arrival"] {
            let (mut medians, mut worsts, mut levels, mut grids) = (Vec::new(), Vec::new(), 0, 0);
            for seed in 0..200 {
                let before = mixed(count, seed, scenes::field(952.0, 604.0));
                let mut after = before.clone();
                match change {
                    "posture" => move_posture(&mut after.bodies[0]),
                    "link" => after.links.push(Link { a: 0, b: 1, weight: 1.0 }),
                    _ => {
                        let more = mixed(count + 1, seed, before.field);
                        after.bodies.push(more.bodies[count]);
                    }
                }
                let (first, second) = (run(&before), run(&after));
                grids += u32::from(first.technique == Technique::Grid);
                if (first.detail_awake, first.detail_rest) != (second.detail_awake, second.detail_rest) {
                    levels += 1;
                    continue;
                }
                let mut moved = scenes::movement(&first, &second, 1);
                moved.sort_unstable_by(f32::total_cmp);
                if let Some(&last) = moved.last() {
                    medians.push(moved[moved.len() / 2]);
                    worsts.push(last);
                }
            }
            medians.sort_unstable_by(f32::total_cmp);
            worsts.sort_unstable_by(f32::total_cmp);
            let at = |list: &[f32], share: f32| list[((list.len() - 1) as f32 * share) as usize];
            println!(
                "{count} entities, {change}: others' median {:.0} (p90 {:.0}, max {:.0}) px, others' worst {:.0} (p90 {:.0}, max {:.0}) px; {levels} of 200 change detail, {grids} grids",
                at(&medians, 0.5),
                at(&medians, 0.9),
                at(&medians, 1.0),
                at(&worsts, 0.5),
                at(&worsts, 0.9),
                at(&worsts, 1.0)
            );
        }
    }
}

fn picture(scene: &Scene, found: &Arrangement) -> String {
    let Rect { x, y, width, height } = scene.field;
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}'><rect width='{0}' height='{1}' fill='#0f1419'/><rect x='{x}' y='{y}' width='{width}' height='{height}' fill='none' stroke='#ffffff22'/>",
        width + 2.0 * x,
        height + 2.0 * y
    );
    for link in &scene.links {
        if let (Some(a), Some(b)) = (found.places[link.a], found.places[link.b]) {
            let (a, b) = (a.centre(), b.centre());
            let _ = write!(
                svg,
                "<line x1='{}' y1='{}' x2='{}' y2='{}' stroke='#b57bff' stroke-width='1.5' opacity='0.6'/>",
                a.x, a.y, b.x, b.y
            );
        }
    }
    for (index, (body, place)) in scene.bodies.iter().zip(&found.places).enumerate() {
        if let Some(place) = place {
            let parent = body.parent.map_or(String::new(), |parent| format!(" of {parent}"));
            let _ = write!(
                svg,
                "<rect x='{}' y='{}' width='{}' height='{}' rx='8' fill='#152826' stroke='{}'/><text x='{}' y='{}' fill='#d3dade' font-family='monospace' font-size='12'>{index}{parent}</text>",
                place.x,
                place.y,
                place.width,
                place.height,
                colour(body),
                place.x + 6.0,
                place.y + 16.0
            );
        }
    }
    let none = found.places.iter().filter(|place| place.is_none()).count();
    let _ = write!(
        svg,
        "<text x='{}' y='{}' fill='#fff' font-family='monospace' font-size='12'>{:?}/{:?} {:?} {none} without room</text></svg>",
        x,
        y - 6.0,
        found.detail_awake,
        found.detail_rest,
        found.technique
    );
    svg
}

fn colour(body: &Body) -> &'static str {
    match body.posture {
        Posture::Awake => "#4ade80",
        Posture::Completing => "#22d3ee",
        Posture::Broken => "#ef4444",
        Posture::Waiting => "#fbbf24",
        Posture::Rest => "#5a656b",
    }
}
