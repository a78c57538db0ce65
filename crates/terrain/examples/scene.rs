//! Times the router, and writes two scenes as SVG to look at: `cargo run --release --example scene -- DIRECTORY`.

use std::fmt::Write as _;
use std::time::Instant;

use monkeytown_terrain::{Hill, Node, Point, Rect, Route, Wire, contours, route};

/// A card on the field: left, top, width, height, the width of its path above, its beads below, its files, its state.
type Card = (f32, f32, f32, f32, f32, u8, f32, u8);

const AWAKE: u8 = 2;
const RESTS: u8 = 0;

/// The desktop picture, its field's corner at the origin.
const DESKTOP: [Card; 10] = [
    (76.0, 122.0, 244.0, 85.0, 184.0, 1, 86.0, AWAKE),
    (396.0, 66.0, 244.0, 85.0, 165.0, 0, 37.0, AWAKE),
    (722.0, 70.0, 244.0, 85.0, 165.0, 1, 112.0, AWAKE),
    (64.0, 346.0, 244.0, 106.0, 158.0, 1, 58.0, AWAKE),
    (414.0, 252.0, 244.0, 106.0, 80.0, 2, 168.0, AWAKE),
    (720.0, 226.0, 244.0, 85.0, 118.0, 1, 64.0, 1),
    (600.0, 440.0, 244.0, 106.0, 119.0, 0, 73.0, AWAKE),
    (126.0, 566.0, 124.0, 44.0, 0.0, 0, 12.0, RESTS),
    (338.0, 584.0, 194.0, 44.0, 0.0, 0, 29.0, RESTS),
    (852.0, 588.0, 124.0, 44.0, 0.0, 0, 20.0, RESTS),
];
const DESKTOP_WIRES: [(usize, usize, u8); 11] = [
    (0, 1, 0),
    (2, 1, 1),
    (0, 4, 2),
    (3, 0, 3),
    (3, 4, 0),
    (4, 6, 1),
    (2, 5, 0),
    (4, 5, 2),
    (3, 7, 0),
    (8, 4, 2),
    (6, 9, 3),
];

/// The picture of the storm.
const STORM: [Card; 10] = [
    (74.0, 118.0, 244.0, 85.0, 184.0, 0, 86.0, AWAKE),
    (402.0, 98.0, 244.0, 85.0, 165.0, 0, 37.0, AWAKE),
    (722.0, 128.0, 244.0, 85.0, 165.0, 0, 112.0, AWAKE),
    (68.0, 308.0, 244.0, 165.0, 158.0, 0, 58.0, AWAKE),
    (416.0, 272.0, 244.0, 106.0, 80.0, 0, 168.0, AWAKE),
    (734.0, 312.0, 244.0, 85.0, 118.0, 0, 64.0, AWAKE),
    (662.0, 470.0, 244.0, 106.0, 119.0, 0, 73.0, AWAKE),
    (72.0, 592.0, 124.0, 44.0, 0.0, 0, 12.0, RESTS),
    (330.0, 536.0, 244.0, 85.0, 165.0, 0, 29.0, AWAKE),
    (786.0, 602.0, 124.0, 44.0, 0.0, 0, 20.0, RESTS),
];
/// From, to, kind, strands.
const STORM_WIRES: [(usize, usize, u8, usize); 15] = [
    (0, 1, 0, 6),
    (1, 2, 1, 5),
    (2, 1, 1, 1),
    (0, 4, 2, 6),
    (3, 0, 3, 1),
    (3, 4, 0, 3),
    (1, 4, 3, 5),
    (2, 4, 3, 4),
    (4, 5, 2, 5),
    (2, 5, 0, 5),
    (4, 6, 1, 6),
    (5, 6, 0, 3),
    (8, 4, 2, 5),
    (8, 6, 1, 4),
    (3, 7, 0, 1),
];

const FIELD: Rect = Rect { x: 0.0, y: 0.0, width: 1000.0, height: 652.0 };
/// Where lines may run: off the edges, below the key.
const INNER: Rect = Rect { x: 12.0, y: 44.0, width: 976.0, height: 596.0 };
const WIDE: Rect = Rect { x: 0.0, y: 0.0, width: 1640.0, height: 800.0 };
const COLOURS: [&str; 4] = ["#b57bff", "#22d3ee", "#fbbf24", "#4ade80"];

fn node(card: &Card) -> Node {
    let is_at_rest = card.3 < 50.0;
    let width = if is_at_rest { 44.0 } else { card.2 + 20.0 };
    Node { rect: Rect { x: card.0 - 20.0, y: card.1, width, height: card.3 } }
}

fn labels(cards: &[Card]) -> Vec<Rect> {
    let mut labels = Vec::new();
    for (x, y, _, height, path, beads, _, _) in cards {
        if *path > 0.0 {
            labels.push(Rect { x: x + 39.0, y: y - 18.0, width: *path, height: 14.0 });
        }
        if height < &50.0 {
            labels.push(Rect { x: x + 24.0, y: *y, width: 124.0, height: *height });
        }
        if *beads > 0 {
            let beads = f32::from(*beads) * 18.0;
            labels.push(Rect { x: x + 38.0, y: y + height + 7.0, width: 190.0, height: beads });
        }
    }
    labels
}

fn hills(cards: &[Card]) -> Vec<Hill> {
    let hill =
        |card: &Card| Hill { centre: node(card).rect.centre(), files: card.6, radius: 130.0, awake: card.7 == AWAKE };
    cards.iter().map(hill).collect()
}

/// A spline through the points, as the canvas draws it: quadratics from middle to middle.
fn path(points: &[Point], closed: bool) -> String {
    let mut path = String::new();
    for (index, at) in points.iter().enumerate() {
        match (index, points.get(index + 1)) {
            (0, _) => write!(path, "M{:.1} {:.1}", at.x, at.y),
            (_, Some(next)) => {
                write!(path, "Q{:.1} {:.1} {:.1} {:.1}", at.x, at.y, (at.x + next.x) / 2.0, (at.y + next.y) / 2.0)
            }
            (_, None) => write!(path, "L{:.1} {:.1}", at.x, at.y),
        }
        .expect("a string takes all");
    }
    if closed {
        path.push('Z');
    }
    path
}

fn svg(cards: &[Card], wires: &[(usize, usize, u8, usize)]) -> String {
    let nodes: Vec<Node> = cards.iter().map(node).collect();
    let labels = labels(cards);
    let mut all = Vec::new();
    let mut kinds = Vec::new();
    for (from, to, kind, strands) in wires {
        for _ in 0..*strands {
            all.push(Wire { from: *from, to: *to });
            kinds.push(*COLOURS.get(usize::from(*kind)).expect("there are four kinds"));
        }
    }
    let mut svg = String::from(
        "<svg xmlns='http://www.w3.org/2000/svg' width='1000' height='652'><rect width='1000' height='652' fill='#0f1419'/>",
    );
    for contour in contours(&hills(cards), FIELD).contours {
        let line = path(&contour.points, contour.closed);
        let light = f32::from(contour.light) / 255.0 * 0.55;
        write!(svg, "<path d='{line}' fill='none' stroke='#6f9c8c' stroke-opacity='{light}' stroke-width='1'/>")
            .expect("a string takes all");
    }
    for (x, y, width, height, _, _, _, state) in cards {
        let (fill, line) = if *state == RESTS { ("#10151a", "#1b2227") } else { ("#152826", "#3a4d49") };
        write!(svg, "<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='8' fill='{fill}' stroke='{line}'/>")
            .expect("a string takes all");
        let middle = y + height / 2.0;
        write!(svg, "<circle cx='{x}' cy='{middle}' r='20' fill='#6b5a45'/>").expect("a string takes all");
    }
    for label in &labels {
        let Rect { x, y, width, height } = label;
        write!(svg, "<rect x='{x}' y='{y}' width='{width}' height='{height}' fill='#ffffff' opacity='0.12'/>")
            .expect("a string takes all");
    }
    for (route, colour) in route(&nodes, &labels, &all, INNER).iter().zip(kinds) {
        let line = path(&route.points, false);
        write!(svg, "<path d='{line}' fill='none' stroke='{colour}' stroke-width='1.6'/>").expect("a string takes all");
        if let [.., before, end] = route.points.as_slice() {
            let angle = (end.y - before.y).atan2(end.x - before.x).to_degrees();
            write!(
                svg,
                "<path d='M2 0L-7 -4L-5 0L-7 4Z' fill='{colour}' transform='translate({} {}) rotate({angle})'/>",
                end.x, end.y
            )
            .expect("a string takes all");
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The median and the least of twenty, in microseconds. On a busy machine the least is nearer the truth.
fn median(mut work: impl FnMut() -> usize) -> String {
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        assert!(work() > 0, "nothing was made");
        times.push(start.elapsed().as_micros());
    }
    times.sort_unstable();
    let taken = |place: usize| *times.get(place).expect("twenty were taken");
    format!("{} us (least {})", taken(10), taken(0))
}

/// `count` cards in even rows, jostled, all of which keep apart.
fn crowd(count: usize, field: Rect) -> Vec<Node> {
    let columns = (count * 7 / 5).isqrt() + 1;
    let rows = count.div_ceil(columns);
    let (width, height) = (field.width / columns as f32, field.height / rows as f32);
    (0..count)
        .map(|index| {
            let (column, row) = (index % columns, index / columns);
            let jostle = |salt: usize| ((index * 7919 + salt * 104_729) % 97) as f32 / 97.0;
            Node {
                rect: Rect {
                    x: field.x + width * (column as f32 + 0.05 + 0.25 * jostle(1)),
                    y: field.y + height * (row as f32 + 0.05 + 0.25 * jostle(2)),
                    width: width * 0.65,
                    height: height * 0.55,
                },
            }
        })
        .collect()
}

fn main() {
    let directory = std::env::args().nth(1);
    for (name, field) in [("1000x652", FIELD), ("1640x800", WIDE)] {
        for nodes in [10, 60, 200] {
            let cards = crowd(nodes, field);
            for count in [11, 60] {
                let wires: Vec<Wire> = (0..count)
                    .map(|index| Wire { from: index * 31 % nodes, to: (index * 17 + index / nodes * 3 + 1) % nodes })
                    .collect();
                let time = median(|| route(&cards, &[], &wires, field).len());
                let empty = route(&cards, &[], &wires, field).iter().filter(|r: &&Route| r.points.is_empty()).count();
                println!("{name}: {count} wires among {nodes} cards: {time}, {empty} to themselves");
            }
        }
        for count in [10_u16, 200] {
            let spread = if count > 10 { 60.0 } else { 150.0 };
            let hills: Vec<Hill> = crowd(usize::from(count), field)
                .iter()
                .zip(1_u16..)
                .map(|(card, at)| Hill {
                    centre: card.rect.centre(),
                    files: f32::from(at * 37 % 170),
                    radius: spread,
                    awake: at.is_multiple_of(3),
                })
                .collect();
            let time = median(|| contours(&hills, field).contours.len());
            let ground = contours(&hills, field);
            let points: usize = ground.contours.iter().map(|contour| contour.points.len()).sum();
            println!(
                "{name}: contours of {count} hills: {time}, {} lines, {points} points, a line {} files",
                ground.contours.len(),
                ground.interval_files
            );
        }
        let desktop: Vec<Node> = DESKTOP.iter().map(node).collect();
        let wires: Vec<Wire> = DESKTOP_WIRES.iter().map(|(from, to, _)| Wire { from: *from, to: *to }).collect();
        println!("{name}: the desktop picture: {}", median(|| route(&desktop, &[], &wires, field).len()));
    }
    if let Some(directory) = directory {
        let desktop: Vec<_> = DESKTOP_WIRES.iter().map(|(from, to, kind)| (*from, *to, *kind, 1)).collect();
        for (name, text) in [("desktop", svg(&DESKTOP, &desktop)), ("storm", svg(&STORM, &STORM_WIRES))] {
            std::fs::write(format!("{directory}/{name}.svg"), text).expect("the directory can be written to");
        }
    }
}
