//! Civilizations as the pages show them, for the layout's tests and its example.
#![allow(dead_code, reason = "the tests and the example each use their part")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "scenes of a size known here")]

use monkeytown_terrain::{Arrangement, Body, Link, Posture, Rect, Size};

/// Who is there, who works with whom, and where they may sit.
#[derive(Debug, Clone)]
pub struct Scene {
    pub bodies: Vec<Body>,
    pub links: Vec<Link>,
    pub field: Rect,
}

/// A field with the page's margin before it.
pub fn field(width: f32, height: f32) -> Rect {
    Rect { x: 24.0, y: 24.0, width, height }
}

/// A well spread number for each `seed` and `index`.
pub fn draw(seed: u64, index: u64) -> u64 {
    let start = (seed << 32 | index).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let once = (start ^ (start >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

/// A body with the sizes of the pictures' cards: `extra` pixels higher for beads, ruler or reason.
pub fn body(key: u64, posture: Posture, extra: f32) -> Body {
    let size = |width, height| Size { width, height };
    let sizes = match posture {
        Posture::Waiting | Posture::Rest => [size(144.0, 44.0), size(144.0, 44.0), size(120.0, 40.0), size(40.0, 40.0)],
        Posture::Broken => [size(270.0, 188.0), size(270.0, 188.0), size(196.0, 64.0), size(56.0, 56.0)],
        _ => [size(270.0, 106.0 + extra), size(270.0, 106.0), size(196.0, 64.0), size(56.0, 56.0)],
    };
    Body { key, posture, sizes, parent: None, held: None }
}

/// The next posture, with the size that comes with it.
pub fn move_posture(body_: &mut Body) {
    let next = match body_.posture {
        Posture::Rest => Posture::Awake,
        Posture::Awake => Posture::Completing,
        Posture::Completing => Posture::Rest,
        Posture::Broken => Posture::Awake,
        Posture::Waiting => Posture::Awake,
    };
    *body_ = Body { parent: body_.parent, held: body_.held, ..body(body_.key, next, 20.0) };
}

/// `count` bodies of which about a third are awake.
pub fn mixed(count: usize, seed: u64, field: Rect) -> Scene {
    let mut scene = Scene { bodies: Vec::new(), links: Vec::new(), field };
    for index in 0..count {
        let key = draw(seed, index as u64);
        let posture = match key % 16 {
            0..=3 => Posture::Awake,
            4 => Posture::Completing,
            5 if index.is_multiple_of(3) => Posture::Broken,
            6 | 7 => Posture::Waiting,
            _ => Posture::Rest,
        };
        let mut one = body(key, posture, ((key >> 8) % 3) as f32 * 20.0);
        if index > 4 && key.is_multiple_of(11) {
            one.parent = Some((key >> 16) as usize % index);
        }
        scene.bodies.push(one);
        if index > 0 && key.is_multiple_of(3) {
            scene.links.push(Link { a: index, b: (key >> 24) as usize % index, weight: 0.5 });
        }
    }
    scene
}

/// The scenes worth looking at.
pub fn named() -> Vec<(&'static str, Scene)> {
    let mut all = Vec::new();
    for (name, seed) in [("alive-a", 1), ("alive-b", 2), ("alive-c", 3), ("alive-d", 4)] {
        all.push((name, alive(7, 3, seed)));
    }
    all.push(("few", alive(2, 8, 5)));
    all.push(("storm", {
        let mut scene = alive(7, 2, 6);
        scene.bodies[0] = body(scene.bodies[0].key, Posture::Broken, 0.0);
        scene
    }));
    all.push(("silent-a", alive(0, 10, 1)));
    all.push(("silent-b", alive(0, 10, 2)));
    all.push(("mixed-30", mixed(30, 1, field(952.0, 604.0))));
    all.push(("mixed-30-wide", mixed(30, 1, field(1_592.0, 700.0))));
    all.push(("mixed-300", mixed(300, 1, field(952.0, 604.0))));
    all.push(("mixed-300-wide", mixed(300, 1, field(1_592.0, 700.0))));
    all.push(("phone", alive(3, 3, 1)));
    if let Some((_, last)) = all.last_mut() {
        last.field = field(342.0, 500.0);
    }
    for (name, awake, seed) in [("linked-a", 6, 1), ("linked-b", 6, 2), ("linked-c", 7, 3), ("linked-d", 5, 4)] {
        all.push((name, linked(awake, 10 - awake, seed, field(952.0, 596.0))));
    }
    for (name, awake, seed) in [("tablet-a", 6, 1), ("tablet-b", 6, 2), ("tablet-c", 7, 3), ("tablet-d", 5, 4)] {
        let mut scene = linked(awake, 10 - awake, seed, field(520.0, 776.0));
        for body in &mut scene.bodies {
            for size in &mut body.sizes {
                size.width = size.width.min(232.0);
            }
        }
        all.push((name, scene));
    }
    for (name, awake, seed) in [("linked-wide-a", 6, 1), ("linked-wide-b", 7, 2)] {
        all.push((name, linked(awake, 10 - awake, seed, field(1_592.0, 700.0))));
    }
    all
}

/// As the pages show them: sizes with the words they hold, and flows from the awake to the quiet as well as among the
/// awake.
pub fn linked(awake: u64, quiet: u64, seed: u64, field: Rect) -> Scene {
    let mut scene = alive(awake, quiet, seed);
    scene.field = field;
    for (index, body) in scene.bodies.iter_mut().enumerate() {
        let is_waiting = index.is_multiple_of(2);
        if index as u64 >= awake {
            body.posture = if is_waiting { Posture::Waiting } else { Posture::Rest };
            let width = if is_waiting { 214.0 } else { 164.0 };
            body.sizes[..2].fill(Size { width, height: 44.0 });
            body.sizes[2] = Size { width: 150.0, height: 44.0 };
        } else if seed.is_multiple_of(2) {
            body.sizes[0] = body.sizes[1];
        }
    }
    for index in awake..awake + quiet {
        for partner in [draw(seed + 7, index) % awake, awake + (index + 1) % quiet] {
            scene.links.push(Link { a: index as usize, b: partner as usize, weight: 1.0 });
        }
    }
    for index in 0..4 {
        let (a, b) = (draw(seed + 8, index) % awake, draw(seed + 9, index) % awake);
        scene.links.push(Link { a: a as usize, b: b as usize, weight: 1.0 });
    }
    scene
}

/// `awake` at work (one of them completing when there are many) and `rest` resting.
pub fn alive(awake: u64, rest: u64, seed: u64) -> Scene {
    let mut scene = Scene { bodies: Vec::new(), links: Vec::new(), field: field(952.0, 604.0) };
    for index in 0..awake + rest {
        let posture = match index {
            _ if index >= awake => Posture::Rest,
            6 => Posture::Completing,
            _ => Posture::Awake,
        };
        let key = draw(seed, index);
        scene.bodies.push(body(key, posture, (key % 3) as f32 * 20.0));
    }
    for index in 1..awake {
        let to = draw(seed + 99, index) % index;
        scene.links.push(Link { a: index as usize, b: to as usize, weight: 0.5 });
    }
    scene
}

/// How far each body of index `from` and more moved, of those that have a place in both, in pixels.
pub fn movement(before: &Arrangement, after: &Arrangement, from: usize) -> Vec<f32> {
    before
        .places
        .iter()
        .zip(&after.places)
        .skip(from)
        .filter_map(|pair| match pair {
            (Some(a), Some(b)) => Some((a.centre().x - b.centre().x).hypot(a.centre().y - b.centre().y)),
            _ => None,
        })
        .collect()
}
