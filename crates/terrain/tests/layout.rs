//! What a witness may rely on about places: nobody covers anybody, nobody leaves the field, what is held stays, and a
//! change moves the others little.
#![expect(clippy::indexing_slicing, reason = "a test may fail by a panic")]

mod scenes;

use monkeytown_terrain::{Arrangement, Body, Detail, Link, Point, Posture, Rect, Size, Technique, arrange};
use proptest::prelude::*;
use scenes::{Scene, alive, field, mixed, move_posture, movement};

fn run(scene: &Scene) -> Arrangement {
    arrange(&scene.bodies, &scene.links, scene.field, &mut || false)
}

fn assert_sound(scene: &Scene, found: &Arrangement) {
    let places: Vec<(usize, Rect)> =
        found.places.iter().enumerate().filter_map(|(index, place)| place.map(|place| (index, place))).collect();
    for (at, (a, one)) in places.iter().enumerate() {
        assert!(
            one.x >= scene.field.x
                && one.y >= scene.field.y
                && one.right() <= scene.field.right()
                && one.bottom() <= scene.field.bottom(),
            "{a} at {one:?} leaves {:?}",
            scene.field
        );
        for (b, other) in &places[at + 1..] {
            assert!(!one.overlaps(other), "{a} at {one:?} covers {b} at {other:?}");
        }
    }
}

/// The smallest distance between two boxes, in pixels along the wider axis.
fn narrowest(found: &Arrangement) -> f32 {
    let places: Vec<Rect> = found.places.iter().flatten().copied().collect();
    let mut least = f32::MAX;
    for (at, one) in places.iter().enumerate() {
        for other in &places[at + 1..] {
            let across = (other.x - one.right()).max(one.x - other.right());
            let down = (other.y - one.bottom()).max(one.y - other.bottom());
            least = least.min(across.max(down));
        }
    }
    least
}

fn posture() -> impl Strategy<Value = Posture> {
    prop_oneof![
        Just(Posture::Awake),
        Just(Posture::Completing),
        Just(Posture::Broken),
        Just(Posture::Waiting),
        Just(Posture::Rest)
    ]
}

prop_compose! {
    /// Any civilization of up to `most` in any field a page can have; some are held, some have parents.
    fn scene(most: usize)(
        width in 300.0_f32..3_000.0,
        height in 200.0_f32..2_000.0,
        bodies in prop::collection::vec(
            (any::<u64>(), posture(), 0.0_f32..80.0, prop::option::weighted(0.1, (-50.0_f32..1_500.0, -50.0_f32..1_000.0)),
             prop::option::weighted(0.2, any::<prop::sample::Index>())),
            1..most,
        ),
        links in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0.0_f32..1.5), 0..60),
    ) -> Scene {
        let count = bodies.len();
        let mut scene = Scene { bodies: Vec::new(), links: Vec::new(), field: field(width, height) };
        for (key, posture, extra, held, parent) in bodies {
            let mut body = scenes::body(key, posture, extra);
            body.held = held.map(|(x, y)| Point { x, y });
            body.parent = parent.map(|parent| parent.index(count));
            scene.bodies.push(body);
        }
        scene.links = links.iter().map(|(a, b, weight)| Link { a: a.index(count), b: b.index(count), weight: *weight }).collect();
        scene
    }
}

/// A number nobody should send, now and then.
fn absurd() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => 0.0_f32..400.0,
        1 => prop::sample::select(vec![
            f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, -1.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e9, -1e9
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nobody_covers_anybody_or_leaves_the_field(scene in scene(120)) {
        assert_sound(&scene, &run(&scene));
    }

    #[test]
    fn a_held_body_stays_where_it_is_held(mut scene in scene(60), at in any::<prop::sample::Index>()) {
        for body in &mut scene.bodies {
            body.held = None;
        }
        let free = run(&scene);
        let held = at.index(scene.bodies.len());
        let Some(place) = free.places[held] else { return Ok(()) };
        // The pointer rests on it while a stranger wakes beside it.
        scene.bodies[held].held = Some(Point { x: place.x, y: place.y });
        scene.bodies.push(scenes::body(77, Posture::Awake, 0.0));
        let found = run(&scene);
        let kept = found.places[held].expect("a held body always has a place when its mask fits the field");
        prop_assert!(
            (kept.x - place.x).abs() < 1.0 && (kept.y - place.y).abs() < 1.0
                || kept.right() > scene.field.right() - 1.0
                || kept.bottom() > scene.field.bottom() - 1.0
        );
    }

    #[test]
    fn the_order_of_the_slices_does_not_matter(scene in scene(60), turn in any::<prop::sample::Index>()) {
        let count = scene.bodies.len();
        let by = turn.index(count);
        let mut turned = scene.clone();
        turned.bodies.rotate_left(by);
        let moved = |index: usize| (index + count - by) % count;
        for body in &mut turned.bodies {
            body.parent = body.parent.map(moved);
        }
        for link in &mut turned.links {
            (link.a, link.b) = (moved(link.b), moved(link.a));
        }
        turned.links.reverse();
        let mut found = run(&turned);
        found.places.rotate_right(by);
        prop_assert_eq!(found, run(&scene));
    }

    #[test]
    fn absurd_input_never_panics_and_never_overlaps(
        edges in prop::array::uniform4(absurd()),
        bodies in prop::collection::vec((any::<u64>(), posture(), prop::array::uniform6(absurd()), absurd(), absurd(), any::<bool>(), any::<usize>()), 0..40),
        links in prop::collection::vec((0_usize..50, any::<usize>(), absurd()), 0..20),
        is_page in any::<bool>(),
    ) {
        let [x, y, width, height] = edges;
        let mut scene = Scene { bodies: Vec::new(), links: Vec::new(), field: Rect { x, y, width, height } };
        if is_page {
            scene.field = field(952.0, 604.0);
        }
        for (at, (key, posture, [a, b, c, d, e, f], x, y, is_held, parent)) in bodies.into_iter().enumerate() {
            scene.bodies.push(Body {
                key,
                posture,
                sizes: [(a, b), (c, d), (e, f), (f, a)].map(|(width, height)| Size { width, height }),
                parent: Some(parent % (at + 3)),
                held: is_held.then_some(Point { x, y }),
            });
        }
        for (a, b, weight) in links {
            scene.links.push(Link { a, b: b % 50, weight });
        }
        let found = run(&scene);
        prop_assert_eq!(found.places.len(), scene.bodies.len());
        assert_sound(&scene, &found);
    }

    #[test]
    fn out_of_time_the_grid_still_keeps_everyone_apart(scene in scene(200), rounds in 0_u32..120) {
        let mut asked = 0;
        let found = arrange(&scene.bodies, &scene.links, scene.field, &mut || {
            asked += 1;
            asked > rounds
        });
        assert_sound(&scene, &found);
        prop_assert!(rounds > 0 || found.technique == Technique::Grid);
    }
}

#[test]
fn thousands_have_a_bounded_answer() {
    for count in [500, 2_000, 9_000] {
        let scene = mixed(count, 3, field(1_592.0, 700.0));
        let found = run(&scene);
        assert_sound(&scene, &found);
        assert!(found.places.iter().flatten().count() > 100);
    }
}

#[test]
fn of_two_held_on_each_other_one_stays() {
    let mut scene = alive(4, 0, 1);
    for body in &mut scene.bodies[..2] {
        body.held = Some(Point { x: 300.0, y: 200.0 });
    }
    let found = run(&scene);
    assert_sound(&scene, &found);
    let staying = found.places[..2].iter().flatten().filter(|place| place.x == 300.0 && place.y == 200.0).count();
    assert_eq!(staying, 1);
}

#[test]
fn the_awake_sit_above_the_resting_and_completing_to_the_right() {
    for seed in 0..40 {
        let scene = alive(7, 3, seed);
        let found = run(&scene);
        let middle = |index: usize| found.places[index].expect("ten have room").centre();
        let awake = (0..6).map(|index| middle(index).y).sum::<f32>() / 6.0;
        for index in 7..10 {
            assert!(middle(index).y > awake + 80.0, "seed {seed}: resting {index} among the awake");
        }
        assert!(middle(6).x > scene.field.x + scene.field.width * 0.5, "seed {seed}: completing on the left");
    }
}

#[test]
fn few_awake_gather_around_the_centre() {
    for seed in 0..40 {
        let scene = alive(2, 6, seed);
        let found = run(&scene);
        for place in found.places[..2].iter().flatten() {
            let off = (place.centre().x - scene.field.centre().x).abs();
            assert!(off < scene.field.width * 0.3, "seed {seed}: awake {off} pixels off the centre");
        }
    }
}

#[test]
fn in_silence_the_upper_third_is_free_and_the_rest_is_used() {
    for seed in 0..40 {
        let scene = alive(0, 10, seed);
        let found = run(&scene);
        let tops: Vec<f32> = found.places.iter().flatten().map(|place| place.y).collect();
        assert_eq!(tops.len(), 10);
        let third = scene.field.y + scene.field.height / 3.0;
        assert!(tops.iter().all(|top| *top >= third - 1.0), "seed {seed}: in the words' way");
        let highest = tops.iter().copied().fold(f32::MAX, f32::min);
        let lowest = tops.iter().copied().fold(0.0, f32::max);
        assert!(lowest - highest > scene.field.height * 0.3, "seed {seed}: all in one band");
    }
}

#[test]
fn cards_keep_ground_between_them_for_flows() {
    for seed in 0..40 {
        let found = run(&alive(7, 3, seed));
        assert_eq!(found.technique, Technique::Forces, "seed {seed}");
        assert!(narrowest(&found) >= 15.0, "seed {seed}: {} pixels", narrowest(&found));
    }
}

#[test]
fn the_resting_give_up_detail_before_the_awake() {
    let wide = run(&mixed(10, 1, field(1_592.0, 700.0)));
    assert_eq!((wide.detail_awake, wide.detail_rest), (Detail::Full, Detail::Full));
    let full = run(&mixed(300, 1, field(952.0, 604.0)));
    assert_eq!((full.detail_awake, full.detail_rest), (Detail::Mask, Detail::Mask));
    let between = run(&mixed(30, 1, field(952.0, 604.0)));
    assert_eq!((between.detail_awake, between.detail_rest), (Detail::Compact, Detail::Compact));
}

#[test]
fn the_resting_go_without_a_place_before_the_awake() {
    let scene = mixed(300, 1, field(952.0, 604.0));
    let found = run(&scene);
    let is_left_out = |posture: Posture| {
        scene.bodies.iter().zip(&found.places).any(|(body, place)| {
            // A child sits with its parent, but is as important as it is itself.
            body.posture == posture && place.is_none()
        })
    };
    let is_shown = |posture: Posture| {
        scene.bodies.iter().zip(&found.places).any(|(body, place)| body.posture == posture && place.is_some())
    };
    assert!(is_left_out(Posture::Rest) && !is_left_out(Posture::Broken) && is_shown(Posture::Awake));
    assert!(!is_left_out(Posture::Awake) || !is_shown(Posture::Rest));
}

#[test]
fn a_child_sits_beside_its_parent() {
    for seed in 0..40 {
        let mut scene = alive(2, 4, seed);
        for child in [3, 4] {
            scene.bodies[child].parent = Some(0);
        }
        let found = run(&scene);
        let parent = found.places[0].expect("six have room");
        for child in [3, 4] {
            let near = parent.grown(100.0);
            let place = found.places[child].expect("six have room");
            assert!(near.overlaps(&place), "seed {seed}: child at {place:?}, parent at {parent:?}");
        }
    }
}

#[test]
fn those_who_work_together_sit_nearer() {
    let (mut before, mut after) = (0.0, 0.0);
    for seed in 0..40 {
        let mut scene = alive(4, 4, seed);
        scene.links.clear();
        let apart = run(&scene);
        scene.links.push(Link { a: 0, b: 1, weight: 1.0 });
        let together = run(&scene);
        let ground = |found: &Arrangement| {
            let (a, b) = (found.places[0].expect("eight have room"), found.places[1].expect("eight have room"));
            (b.x - a.right()).max(a.x - b.right()).max(0.0) + (b.y - a.bottom()).max(a.y - b.bottom()).max(0.0)
        };
        before += ground(&apart) / 40.0;
        after += ground(&together) / 40.0;
    }
    assert!(after < before * 0.75, "{after} pixels between two who work together, {before} when they do not");
}

/// The change of one, and how far it may move the others.
struct Change {
    name: &'static str,
    apply: fn(&mut Scene, u64),
    /// Pixels that half of the others stay within, typically.
    typical: f32,
    /// Pixels that half of the others stay within, always.
    most: f32,
}

#[test]
fn one_change_moves_most_others_little() {
    let changes = [
        Change { name: "posture", apply: |scene, _| move_posture(&mut scene.bodies[0]), typical: 20.0, most: 200.0 },
        Change {
            name: "link",
            apply: |scene, _| scene.links.push(Link { a: 0, b: 1, weight: 1.0 }),
            typical: 6.0,
            most: 150.0,
        },
        Change {
            name: "arrival",
            apply: |scene, seed| {
                let more = mixed(scene.bodies.len() + 1, seed, scene.field);
                scene.bodies.extend(more.bodies.last().copied());
            },
            typical: 6.0,
            most: 200.0,
        },
    ];
    for change in changes {
        for count in [10, 30, 100] {
            let mut medians = Vec::new();
            for seed in 0..60 {
                let before = mixed(count, seed, field(952.0, 604.0));
                let mut after = before.clone();
                (change.apply)(&mut after, seed);
                let (first, second) = (run(&before), run(&after));
                if (first.detail_awake, first.detail_rest) != (second.detail_awake, second.detail_rest) {
                    continue;
                }
                let mut moved = movement(&first, &second, 1);
                moved.sort_unstable_by(f32::total_cmp);
                medians.push(moved[moved.len() / 2]);
            }
            medians.sort_unstable_by(f32::total_cmp);
            let (typical, most) = (medians[medians.len() / 2], medians[medians.len() - 1]);
            assert!(typical <= change.typical, "{} among {count}: half move {typical} pixels", change.name);
            assert!(most <= change.most, "{} among {count}: once, half move {most} pixels", change.name);
        }
    }
}

#[test]
fn the_quiet_stay_below_the_awake_however_much_they_work_together() {
    for (seed, awake, field) in (0..40).flat_map(|seed| {
        let fields = [field(952.0, 596.0), field(1_592.0, 700.0)];
        fields
            .into_iter()
            .flat_map(move |field| [(seed, 3, field), (seed, 5, field), (seed, 6, field), (seed, 7, field)])
    }) {
        let scene = scenes::linked(awake, 10 - awake, seed, field);
        let found = run(&scene);
        assert_sound(&scene, &found);
        let awake_count = usize::try_from(awake).expect("a few");
        let (upper, lower) = found.places.split_at(awake_count);
        for quiet in lower.iter().flatten() {
            let is_low = quiet.centre().y > field.y + field.height * 2.0 / 3.0;
            let is_below = |other: &Rect| {
                other.x >= quiet.right() || other.right() <= quiet.x || other.centre().y < quiet.centre().y
            };
            assert!(
                is_low || upper.iter().flatten().all(is_below),
                "seed {seed}, {awake} awake: {quiet:?} is too high"
            );
        }
    }
}

#[test]
fn where_there_is_room_columns_of_cards_keep_a_corridor_between_them() {
    let (mut corridors, mut narrow) = (0, 0);
    for seed in 0..40 {
        let found = run(&scenes::linked(6, 4, seed, field(952.0, 596.0)));
        let awake: Vec<Rect> = found.places[..6].iter().flatten().copied().collect();
        for (at, one) in awake.iter().enumerate() {
            for other in &awake[at + 1..] {
                let across = (other.x - one.right()).max(one.x - other.right());
                let down = (other.y - one.bottom()).max(one.y - other.bottom());
                // Neighbours in a row.
                if down < 0.0 && across < 200.0 {
                    corridors += 1;
                    narrow += u32::from(across < 60.0);
                }
            }
        }
    }
    assert!(corridors > 100 && narrow * 10 < corridors, "{narrow} of {corridors} are narrow");
}
