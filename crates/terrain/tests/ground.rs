//! What a person reads off the ground: counting the lines up a hill gives its files, and lines are whole.

use monkeytown_terrain::{Contour, Ground, Hill, Point, Rect, contours};
use proptest::prelude::*;

const FIELD: Rect = Rect { x: 0.0, y: 0.0, width: 1000.0, height: 652.0 };

/// Whether a place and the field's edge to its right lie on different sides of the lines at a height: they do where an
/// odd number of them is crossed on the way.
fn is_across(contours: &[Contour], level: f32, at: Point) -> bool {
    let mut crossed = 0;
    for contour in contours.iter().filter(|contour| (contour.level_files - level).abs() < 0.01) {
        let next = contour.points.iter().skip(1).chain(contour.points.first().filter(|_| contour.closed));
        for (a, b) in contour.points.iter().zip(next) {
            if (a.y > at.y) != (b.y > at.y) && a.x + (at.y - a.y) / (b.y - a.y) * (b.x - a.x) > at.x {
                crossed += 1;
            }
        }
    }
    crossed % 2 == 1
}

/// How many closed lines run round a place.
fn round(ground: &Ground, at: Point) -> usize {
    let is_round = |contour: &&Contour| is_across(core::slice::from_ref(contour), contour.level_files, at);
    ground.contours.iter().filter(|contour| contour.closed).filter(is_round).count()
}

/// Hills at least 120 pixels apart, away from the field's edge.
fn hills() -> impl Strategy<Value = Vec<Hill>> {
    let hill = (0.0_f32..40.0, 0.0_f32..40.0, 1_u16..900, 40.0_f32..200.0, any::<bool>());
    prop::collection::vec(prop::option::weighted(0.7, hill), 20).prop_map(|cells| {
        let mut hills = Vec::new();
        for (index, cell) in (0_u16..).zip(cells) {
            if let Some((x, y, files, radius, awake)) = cell {
                let (left, top) = (90.0 + 180.0 * f32::from(index % 5), 70.0 + 160.0 * f32::from(index / 5));
                hills.push(Hill { centre: Point { x: left + x, y: top + y }, files: f32::from(files), radius, awake });
            }
        }
        hills
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn counting_the_lines_up_every_hill_gives_its_files(hills in hills()) {
        let ground = contours(&hills, FIELD);
        // The lines crossed on the way from a hill to the edge say how much higher it is than the edge. How high that is
        // nobody says, but it is above all lines up to some height and below all others: anything else is a wrong count.
        for hill in &hills {
            let mut edge = None;
            let mut level = ground.interval_files;
            while level <= 1_000.0 {
                // "Within one": of the lines next to a hill's height it may have one more or less.
                let is_up = hill.files >= level + ground.interval_files;
                let is_down = hill.files <= level - ground.interval_files;
                let is_across = is_across(&ground.contours, level, hill.centre);
                let edge_up = if is_up { Some(!is_across) } else if is_down { Some(is_across) } else { None };
                if let Some(edge_up) = edge_up {
                    prop_assert!(!edge_up || edge != Some(false), "{:?} is not so high: line {}", hill, level);
                    edge = Some(edge_up);
                }
                level += ground.interval_files;
            }
        }
    }

    #[test]
    fn a_lone_hill_has_as_many_rings_as_its_files_make(files in 1_u16..5_000, x in 480.0_f32..520.0, y in 300.0_f32..340.0, radius in 30.0_f32..70.0) {
        let hill = Hill { centre: Point { x, y }, files: f32::from(files), radius, awake: false };
        let ground = contours(&[hill], FIELD);
        let lines = hill.files / ground.interval_files;
        let rings = round(&ground, hill.centre) as f32;
        prop_assert!((rings - lines.floor()).abs() <= 1.0, "{} rings for {} lines", rings, lines);
        prop_assert!(lines <= 22.5 && (files < 12 || lines > 11.0), "{} lines", lines);
    }

    #[test]
    fn lines_close_or_end_at_the_edge(hills in hills()) {
        for contour in contours(&hills, FIELD).contours {
            let [first, .., last] = contour.points.as_slice() else { panic!("a line of less than two points") };
            for leg in contour.points.windows(2) {
                prop_assert!((leg[0].x - leg[1].x).hypot(leg[0].y - leg[1].y) < 25.0, "a line jumps");
            }
            if contour.closed {
                prop_assert!((first.x - last.x).hypot(first.y - last.y) < 25.0, "a ring gapes");
            } else {
                for end in [first, last] {
                    let inside = end.x > 1.0 && end.x < 999.0 && end.y > 1.0 && end.y < 651.0;
                    prop_assert!(!inside, "a line ends within the field at {:?}", end);
                }
            }
        }
    }

    #[test]
    fn the_same_hills_give_the_same_ground(hills in hills()) {
        prop_assert_eq!(contours(&hills, FIELD), contours(&hills, FIELD));
    }

    #[test]
    fn absurd_hills_and_fields_have_bounded_ground(
        hills in prop::collection::vec((absurd(), absurd(), absurd(), absurd(), any::<bool>()), 0..300),
        (x, y, width, height) in prop_oneof![Just((0.0, 0.0, 1000.0, 652.0)), (absurd(), absurd(), absurd(), absurd())],
    ) {
        let hills: Vec<Hill> = hills
            .into_iter()
            .map(|(x, y, files, radius, awake)| Hill { centre: Point { x, y }, files, radius, awake })
            .collect();
        let ground = contours(&hills, Rect { x, y, width, height });
        prop_assert!(ground.interval_files.is_finite() && ground.interval_files >= 1.0);
        prop_assert!(ground.contours.iter().map(|contour| contour.points.len()).sum::<usize>() <= 20_000);
        for at in ground.contours.iter().flat_map(|contour| &contour.points) {
            prop_assert!(at.x.is_finite() && at.y.is_finite());
        }
    }
}

/// Any number at all, and such as no screen has.
fn absurd() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(0.0),
        Just(-1.0),
        Just(f32::MAX),
        any::<f32>(),
        0.0_f32..1_000.0,
        0.0_f32..1_000.0,
    ]
}

#[test]
fn two_thousand_hills_have_bounded_ground() {
    let hill = |index: u16| Hill {
        centre: Point { x: f32::from(index % 50 * 20), y: f32::from(index / 50 * 16) },
        files: f32::from(index % 300),
        radius: 15.0,
        awake: false,
    };
    let hills: Vec<Hill> = (0..2_000).map(hill).collect();
    let points = contours(&hills, FIELD).contours.iter().map(|contour| contour.points.len()).sum::<usize>();
    assert!((1..=20_000).contains(&points), "{points} points");
}

#[test]
fn lines_are_brighter_near_who_is_awake_and_every_fifth_is() {
    let hill = |x, awake| Hill { centre: Point { x, y: 320.0 }, files: 80.0, radius: 60.0, awake };
    let ground = contours(&[hill(250.0, true), hill(750.0, false)], FIELD);
    let light = |x: f32, level: f32| {
        let ring = |contour: &&Contour| {
            (contour.level_files - level).abs() < 0.01
                && is_across(core::slice::from_ref(contour), level, Point { x, y: 320.0 })
        };
        ground.contours.iter().find(ring).expect("each hill has a ring at this height").light
    };
    assert!((ground.interval_files - 4.0).abs() < 0.01);
    assert!(light(250.0, 48.0) > light(750.0, 48.0));
    assert!(light(750.0, 40.0) > light(750.0, 48.0));
    assert!(light(750.0, 40.0) > light(750.0, 32.0));
}

#[test]
fn a_small_domain_on_the_flank_of_a_great_one_is_not_lifted_by_it() {
    let great = Hill { centre: Point { x: 400.0, y: 320.0 }, files: 160.0, radius: 160.0, awake: false };
    let small = Hill { centre: Point { x: 540.0, y: 320.0 }, files: 20.0, radius: 60.0, awake: false };
    let ground = contours(&[great, small], FIELD);
    // On the way from the small one right to the edge only the lines up to its own height are crossed an odd number of times.
    let up: Vec<f32> = (1_u8..=20)
        .map(|line| f32::from(line) * ground.interval_files)
        .filter(|level| is_across(&ground.contours, *level, small.centre))
        .collect();
    assert_eq!(up, [8.0, 16.0]);
}
