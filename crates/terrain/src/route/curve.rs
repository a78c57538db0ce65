//! Lines and their shapes: cubics between two ports, curves through waypoints, even spacing, strands side by side.
//! Knows nothing of what the lines run past.

use crate::Point;
use crate::lattice::whole;

/// The most points of a route, and about how far apart they lie, in pixels.
pub(super) const POINTS_MAX: usize = 40;
const SPACING: f32 = 12.0;

pub(super) fn plus(a: Point, b: Point, times: f32) -> Point {
    Point { x: a.x + b.x * times, y: a.y + b.y * times }
}

pub(super) fn dot(a: Point, b: Point) -> f32 {
    a.x * b.x + a.y * b.y
}

pub(super) fn distance(a: Point, b: Point) -> f32 {
    let way = plus(b, a, -1.0);
    dot(way, way).sqrt()
}

/// The place a share of the way from `a` to `b`.
pub(super) fn along(a: Point, b: Point, share: f32) -> Point {
    Point { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share }
}

/// The direction from `a` to `b`, one pixel long; none where they are the same place.
pub(super) fn direction(a: Point, b: Point) -> Point {
    let length = distance(a, b);
    if length > 0.0 { Point { x: (b.x - a.x) / length, y: (b.y - a.y) / length } } else { Point::default() }
}

/// Appends a cubic's points without its first.
pub(super) fn cubic(line: &mut Vec<Point>, a: Point, b: Point, c: Point, d: Point) {
    let length = distance(a, b) + distance(b, c) + distance(c, d);
    let steps = (length / 16.0).ceil().clamp(4.0, 48.0);
    let mut done = 1.0;
    while done <= steps {
        let t = done / steps;
        let s = 1.0 - t;
        let (first, second, third, fourth) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
        line.push(Point {
            x: a.x * first + b.x * second + c.x * third + d.x * fourth,
            y: a.y * first + b.y * second + c.y * third + d.y * fourth,
        });
        done += 1.0;
    }
}

/// A smooth line through `stops` that leaves along `out` and arrives along `into`. The handles at every stop are
/// `reach` of the shorter leg beside it: small ones bend sharply and stay close to the straight legs.
pub(super) fn through(line: &mut Vec<Point>, stops: &[Point], out: Point, into: Point, reach: f32) {
    line.clear();
    line.extend(stops.first());
    let mut leaving = out;
    for (index, (from, to)) in stops.iter().zip(stops.iter().skip(1)).enumerate() {
        // At a stop the line runs along the way between its neighbours.
        let arriving = stops.get(index + 2).map_or(into, |after| direction(*from, *after));
        let handle = distance(*from, *to) * reach;
        cubic(line, *from, plus(*from, leaving, handle), plus(*to, arriving, -handle), *to);
        leaving = arriving;
    }
}

/// How long a line is, in pixels.
pub(super) fn length(line: &[Point]) -> f32 {
    line.iter().zip(line.iter().skip(1)).map(|(a, b)| distance(*a, *b)).sum()
}

/// The same line in even steps, its ends kept.
pub(super) fn even(line: &[Point]) -> Vec<Point> {
    let total = length(line);
    let count = whole((total / SPACING).ceil()).clamp(2, POINTS_MAX - 1);
    let step = total / count as f32;
    let mut points = Vec::with_capacity(count + 1);
    points.extend(line.first());
    let (mut gone, mut next) = (0.0, step);
    for (from, to) in line.iter().zip(line.iter().skip(1)) {
        let leg = distance(*from, *to);
        while leg > 0.0 && next <= gone + leg && points.len() < count {
            points.push(along(*from, *to, (next - gone) / leg));
            next += step;
        }
        gone += leg;
    }
    points.extend(line.last());
    points
}

/// The line `aside` pixels to the right of its course, as seen on a screen. `out` and `into` are its directions at the
/// ends, so that a strand ends as far from its card's edge as the middle does.
pub(super) fn beside(line: &[Point], aside: f32, out: Point, into: Point) -> Vec<Point> {
    let last = line.len().saturating_sub(1);
    line.iter()
        .enumerate()
        .map(|(index, at)| {
            let way = match (line.get(index.wrapping_sub(1)), line.get(index + 1)) {
                (Some(before), Some(after)) => direction(*before, *after),
                _ if index == last => into,
                _ => out,
            };
            plus(*at, Point { x: -way.y, y: way.x }, aside)
        })
        .collect()
}
