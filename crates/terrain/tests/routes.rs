//! What a person sees of routes: they join the cards' edges, keep out of cards where there is a way, stay in the field.

use monkeytown_terrain::{Node, Point, Rect, Route, Wire, gutter, route};
use proptest::prelude::*;

const FIELD: Rect = Rect { x: 0.0, y: 0.0, width: 1000.0, height: 652.0 };
/// The arrowhead's room between a route's end and its card's edge, in pixels.
const GAP: f32 = 4.0;

/// How far a point is from a box: nothing within it.
fn off(rect: &Rect, at: Point) -> f32 {
    let x = (rect.x - at.x).max(at.x - rect.right()).max(0.0);
    let y = (rect.y - at.y).max(at.y - rect.bottom()).max(0.0);
    x.max(y)
}

/// A line in steps of at most two pixels.
fn dense(points: &[Point]) -> Vec<Point> {
    let mut dense = Vec::new();
    for (from, to) in points.iter().zip(points.iter().skip(1)) {
        let steps = ((to.x - from.x).abs().max((to.y - from.y).abs()) / 2.0).ceil().max(1.0);
        let mut step = 0.0;
        while step <= steps {
            let share = step / steps;
            dense.push(Point { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share });
            step += 1.0;
        }
    }
    dense
}

/// Cards in rows and columns between which at least 48 pixels are free everywhere, each jostled within its cell.
fn town() -> impl Strategy<Value = (Rect, Vec<Node>)> {
    (2_u16..5, 2_u16..5, prop::collection::vec((0.0_f32..1.0, 0.0_f32..1.0, 0.3_f32..1.0), 25)).prop_map(
        |(columns, rows, jostle)| {
            let (width, height) = (330.0, 200.0);
            let field = Rect {
                x: 0.0,
                y: 0.0,
                width: f32::from(columns) * width + 48.0,
                height: f32::from(rows) * height + 48.0,
            };
            let nodes = (0..columns * rows)
                .zip(jostle)
                .map(|(index, (x, y, size))| {
                    let (card_width, card_height) = (264.0 * size, 130.0 * size);
                    Node {
                        rect: Rect {
                            x: 48.0 + f32::from(index % columns) * width + x * (width - 48.0 - card_width),
                            y: 48.0 + f32::from(index / columns) * height + y * (height - 48.0 - card_height),
                            width: card_width,
                            height: card_height,
                        },
                    }
                })
                .collect();
            (field, nodes)
        },
    )
}

fn wires(most: usize) -> impl Strategy<Value = Vec<Wire>> {
    prop::collection::vec((0_usize..16, 0_usize..16).prop_map(|(from, to)| Wire { from, to }), 1..most)
}

/// Any number at all, and such as no screen has.
fn absurd() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(0.0),
        Just(-1.0),
        Just(f32::MAX),
        Just(f32::MIN_POSITIVE),
        any::<f32>(),
        -2_000.0_f32..2_000.0,
    ]
}

fn absurd_rect() -> impl Strategy<Value = Rect> {
    (absurd(), absurd(), absurd(), absurd()).prop_map(|(x, y, width, height)| Rect { x, y, width, height })
}

fn is_drawable(nodes: &[Node], wire: &Wire) -> bool {
    wire.from != wire.to && wire.from < nodes.len() && wire.to < nodes.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_route_joins_the_edges_of_its_two_cards((field, nodes) in town(), wires in wires(40)) {
        for (route, wire) in route(&nodes, &[], &wires, field).iter().zip(&wires) {
            prop_assert_eq!(route.points.is_empty(), !is_drawable(&nodes, wire));
            if let [first, .., last] = route.points.as_slice() {
                for (end, node) in [(first, wire.from), (last, wire.to)] {
                    let away = off(&nodes[node].rect, *end);
                    prop_assert!((away - GAP).abs() < 0.1, "{} pixels from the edge", away);
                }
            }
        }
    }

    #[test]
    fn a_route_keeps_out_of_every_card_where_there_is_a_way((field, nodes) in town(), wires in wires(30)) {
        for (route, wire) in route(&nodes, &[], &wires, field).iter().zip(&wires) {
            for at in dense(&route.points) {
                for (index, node) in nodes.iter().enumerate() {
                    prop_assert!(off(&node.rect, at) > 0.0, "{:?} runs through card {} at {:?}", wire, index, at);
                }
            }
        }
    }

    #[test]
    fn a_route_is_short_even_and_within_the_field((field, nodes) in town(), wires in wires(40)) {
        for route in route(&nodes, &[], &wires, field) {
            prop_assert!(route.points.len() <= 40);
            for at in &route.points {
                prop_assert!(off(&field, *at) <= GAP + 0.1, "{:?} is outside", at);
            }
            let mut legs = route.points.windows(2).map(|leg| (leg[1].x - leg[0].x).hypot(leg[1].y - leg[0].y));
            let longest = legs.clone().fold(0.0, f32::max);
            let shortest = legs.by_ref().fold(f32::INFINITY, f32::min);
            prop_assert!(route.points.is_empty() || longest < 60.0 && longest <= shortest * 8.0, "{}–{}", shortest, longest);
        }
    }

    #[test]
    fn the_same_civilization_gives_the_same_routes((field, nodes) in town(), wires in wires(40)) {
        prop_assert_eq!(route(&nodes, &[], &wires, field), route(&nodes, &[], &wires, field));
    }

    #[test]
    fn ends_on_one_card_are_never_shared((field, nodes) in town(), wires in wires(16)) {
        let routes = route(&nodes, &[], &wires, field);
        let ends: Vec<Point> = routes.iter().flat_map(|route| [route.points.first(), route.points.last()]).flatten().copied().collect();
        for (index, a) in ends.iter().enumerate() {
            for b in &ends[index + 1..] {
                prop_assert!((a.x - b.x).hypot(a.y - b.y) > 0.5, "{:?} and {:?}", a, b);
            }
        }
    }

    #[test]
    fn absurd_cards_and_fields_have_bounded_routes(
        rects in prop::collection::vec(absurd_rect(), 0..60),
        labels in prop::collection::vec(absurd_rect(), 0..20),
        wires in prop::collection::vec((0_usize..70, 0_usize..70).prop_map(|(from, to)| Wire { from, to }), 0..40),
        field in prop_oneof![Just(FIELD), absurd_rect()],
    ) {
        let nodes: Vec<Node> = rects.iter().map(|rect| Node { rect: *rect }).collect();
        let routes = route(&nodes, &labels, &wires, field);
        prop_assert_eq!(routes.len(), wires.len());
        for at in routes.iter().flat_map(|route| &route.points) {
            prop_assert!(at.x.is_finite() && at.y.is_finite());
        }
    }

    #[test]
    fn absurd_rows_have_bounded_arcs(
        rows in prop::collection::vec(absurd_rect(), 0..40),
        wires in wires(40),
        width in absurd(),
    ) {
        let arcs = gutter(&rows, &wires, width);
        prop_assert_eq!(arcs.len(), wires.len());
        for at in arcs.iter().flat_map(|arc| &arc.points) {
            prop_assert!(at.x.is_finite() && at.y.is_finite());
        }
    }

    #[test]
    fn arcs_stay_in_the_gutter_and_end_at_their_rows(count in 2_u16..30, wires in wires(60)) {
        let rows: Vec<Rect> = (0..count).map(|row| Rect { x: 58.0, y: 150.0 + 56.0 * f32::from(row), width: 320.0, height: 56.0 }).collect();
        for (arc, wire) in gutter(&rows, &wires, 50.0).iter().zip(&wires) {
            prop_assert_eq!(arc.points.is_empty(), wire.from == wire.to || wire.from.max(wire.to) >= rows.len());
            for at in &arc.points {
                prop_assert!(at.x >= 58.0 - 50.0 - 0.1 && at.x <= 58.0, "{:?}", at);
            }
            if let [first, .., last] = arc.points.as_slice() {
                for (end, row) in [(first, wire.from), (last, wire.to)] {
                    prop_assert!(end.y > rows[row].y && end.y < rows[row].bottom());
                }
            }
        }
    }
}

/// Where two lines cross, ends included.
fn crossings(a: &Route, b: &Route) -> usize {
    let side = |p: Point, q: Point, r: Point| (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
    let legs =
        |route: &Route| route.points.iter().copied().zip(route.points.iter().copied().skip(1)).collect::<Vec<_>>();
    let mut count = 0;
    for (p, q) in legs(a) {
        for (r, s) in legs(b) {
            if side(p, q, r) * side(p, q, s) < 0.0 && side(r, s, p) * side(r, s, q) < 0.0 {
                count += 1;
            }
        }
    }
    count
}

#[test]
fn flows_between_the_same_two_cards_run_side_by_side_the_first_in_the_middle() {
    let nodes = [(60.0, 100.0), (620.0, 420.0)].map(|(x, y)| Node { rect: Rect { x, y, width: 264.0, height: 106.0 } });
    let wires = [(0, 1), (1, 0), (0, 1), (0, 1), (1, 0)].map(|(from, to)| Wire { from, to });
    let routes = route(&nodes, &[], &wires, FIELD);
    for (index, a) in routes.iter().enumerate() {
        for b in &routes[index + 1..] {
            assert_eq!(crossings(a, b), 0, "strands cross");
        }
    }
    // All leave on one side, so the ends at the first card differ in one coordinate only, and the first is the median.
    let mut ends: Vec<Point> = routes
        .iter()
        .zip(&wires)
        .map(|(route, wire)| route.points[if wire.from == 0 { 0 } else { route.points.len() - 1 }])
        .collect();
    let middle = ends[0];
    ends.sort_by(|a, b| (a.x + a.y).total_cmp(&(b.x + b.y)));
    assert_eq!(ends[2], middle);
    let gap = (ends[1].x - ends[0].x).hypot(ends[1].y - ends[0].y);
    assert!((4.0..8.0).contains(&gap), "strands are {gap} pixels apart");
}

#[test]
fn arcs_that_nest_do_not_cross() {
    let rows: Vec<Rect> =
        (0..8).map(|row| Rect { x: 58.0, y: 60.0 * row as f32, width: 320.0, height: 56.0 }).collect();
    let wires = [(0, 7), (6, 1), (2, 5), (3, 4), (0, 6), (2, 3), (7, 1)].map(|(from, to)| Wire { from, to });
    let arcs = gutter(&rows, &wires, 50.0);
    let crosses = |a: usize, b: usize| crossings(&arcs[a], &arcs[b]);
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (0, 4), (2, 5), (0, 6), (1, 4), (1, 6), (3, 5)] {
        assert_eq!(crosses(a, b), 0, "arcs {a} and {b} cross");
    }
    let out = |arc: usize| arcs[arc].points.iter().fold(f32::INFINITY, |out, at| out.min(at.x));
    assert!(out(0) < out(1) && out(1) < out(2) && out(2) < out(3), "the longer arc is not the outer one");
}

#[test]
fn a_label_is_avoided_where_that_costs_little() {
    let nodes = [(100.0, 80.0), (100.0, 400.0)].map(|(x, y)| Node { rect: Rect { x, y, width: 264.0, height: 106.0 } });
    let label = Rect { x: 190.0, y: 380.0, width: 100.0, height: 14.0 };
    let wires = [Wire { from: 0, to: 1 }];
    let plain = route(&nodes, &[], &wires, FIELD);
    let kept = route(&nodes, &[label], &wires, FIELD);
    assert!(dense(&plain[0].points).iter().any(|at| label.contains(*at)), "the scene has no label in the way");
    assert!(dense(&kept[0].points).iter().all(|at| !label.contains(*at)));
}

#[test]
fn a_mask_is_reached_on_a_side_where_its_name_does_not_stand() {
    let card = Rect { x: 640.0, y: 470.0, width: 264.0, height: 106.0 };
    for (x, y) in [(200.0, 500.0), (300.0, 320.0), (380.0, 580.0)] {
        let mask = Rect { x, y, width: 44.0, height: 44.0 };
        let name = Rect { x: mask.right(), width: 150.0, ..mask };
        let nodes = [mask, card].map(|rect| Node { rect });
        for wires in [[Wire { from: 0, to: 1 }], [Wire { from: 1, to: 0 }]] {
            let plain = route(&nodes, &[], &wires, FIELD);
            let kept = route(&nodes, &[name], &wires, FIELD);
            assert!(dense(&plain[0].points).iter().any(|at| name.contains(*at)), "the name is not in the way");
            assert!(dense(&kept[0].points).iter().all(|at| !name.contains(*at)), "through the name at {x}, {y}");
        }
    }
}

#[test]
fn words_that_only_a_long_way_avoids_are_crossed() {
    let nodes = [(100.0, 80.0), (100.0, 300.0)].map(|(x, y)| Node { rect: Rect { x, y, width: 264.0, height: 106.0 } });
    // From one edge of the field to the other.
    let words = Rect { x: 0.0, y: 230.0, width: 1_000.0, height: 16.0 };
    let beside = Rect { width: 960.0, ..words };
    let wires = [Wire { from: 0, to: 1 }];
    for words in [words, beside] {
        let points = &route(&nodes, &[words], &wires, FIELD)[0].points;
        assert!(points.iter().all(|at| at.x < 600.0), "a way round that is far too long");
    }
}

#[test]
fn two_thousand_cards_in_a_heap_have_an_answer() {
    let nodes: Vec<Node> = (0..2_000)
        .map(|index| Node {
            rect: Rect { x: (index * 37 % 900) as f32, y: (index * 53 % 560) as f32, width: 244.0, height: 85.0 },
        })
        .collect();
    let wires: Vec<Wire> = (0..5_000).map(|index| Wire { from: index % 2_000, to: index * 7 % 2_000 }).collect();
    let routes = route(&nodes, &[], &wires, FIELD);
    assert_eq!(routes.len(), wires.len());
    assert!(routes.iter().filter(|route| !route.points.is_empty()).count() >= 200);
}
