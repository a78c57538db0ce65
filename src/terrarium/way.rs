//! A flow's way as it is drawn and walked: a polyline with its lengths. Knows nothing of what moves on it.

use monkeytown_terrain::Point;
use std::cell::OnceCell;
use web_sys::Path2d;

/// Points so near to one another show no corner, in CSS pixels.
const FINE: f32 = 14.0;
/// Parts that a way is drawn in, so that it can grow in width and light towards its target.
pub const PARTS: usize = 4;

/// A polyline from a card's edge to another's.
#[derive(Debug, Default)]
pub struct Way {
    points: Vec<Point>,
    /// How far each point is from the first, in CSS pixels.
    lengths: Vec<f32>,
    paths: OnceCell<Vec<Path2d>>,
}

impl Way {
    /// The way through `points`, its corners cut (Chaikin's algorithm) where they lie far apart.
    #[must_use]
    pub fn new(mut points: Vec<Point>) -> Self {
        for _ in 0..2 {
            if points.windows(2).all(|leg| matches!(leg, [a, b] if distance(*a, *b) <= FINE)) {
                break;
            }
            points = smoothed(&points);
        }
        let mut length = 0.0;
        let mut before: Option<Point> = None;
        let mut lengths = Vec::with_capacity(points.len());
        for point in &points {
            if let Some(before) = before {
                length += distance(before, *point);
            }
            lengths.push(length);
            before = Some(*point);
        }
        Self { points, lengths, paths: OnceCell::new() }
    }

    /// The places that it runs by.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.len() < 2
    }

    /// Its length, in CSS pixels.
    #[must_use]
    pub fn length(&self) -> f32 {
        self.lengths.last().copied().unwrap_or(0.0)
    }

    /// The place after `share` of the way, and the direction there as a vector of length 1. Vectors rather than
    /// angles: sine and its kin cost the page 7 KB.
    #[must_use]
    pub fn at(&self, share: f32) -> (Point, Point) {
        let sought = share.clamp(0.0, 1.0) * self.length();
        let after = self.lengths.partition_point(|length| *length < sought).clamp(1, self.points.len().max(2) - 1);
        let (Some(a), Some(b)) = (self.points.get(after - 1), self.points.get(after)) else {
            return Default::default();
        };
        let from = self.lengths.get(after - 1).copied().unwrap_or(0.0);
        let span = distance(*a, *b).max(0.001);
        let along = ((sought - from) / span).clamp(0.0, 1.0);
        let direction = Point { x: (b.x - a.x) / span, y: (b.y - a.y) / span };
        (between(*a, *b, along), direction)
    }

    /// The way in [`PARTS`] parts of equal length, and then as a whole, as the canvas takes them; made once.
    fn paths(&self) -> &[Path2d] {
        self.paths.get_or_init(|| {
            let part = |at: usize| {
                #[expect(clippy::cast_precision_loss, reason = "four parts")]
                let (from, to) = (at as f32 / PARTS as f32, (at + 1) as f32 / PARTS as f32);
                self.path(from, to)
            };
            (0..PARTS).filter_map(part).chain(self.path(0.0, 1.0)).collect()
        })
    }

    /// Its parts, in order.
    pub fn parts(&self) -> &[Path2d] {
        self.paths().get(..PARTS).unwrap_or_default()
    }

    /// All of it.
    pub fn whole(&self) -> Option<&Path2d> {
        self.paths().get(PARTS)
    }

    /// The part of the way between two shares of it. `None` only where the browser has no such paths.
    #[must_use]
    pub fn path(&self, from: f32, to: f32) -> Option<Path2d> {
        let path = Path2d::new().ok()?;
        let (start, _) = self.at(from);
        path.move_to(start.x.into(), start.y.into());
        let (from, until) = (from * self.length(), to * self.length());
        for (point, length) in self.points.iter().zip(&self.lengths) {
            if *length > from && *length < until {
                path.line_to(point.x.into(), point.y.into());
            }
        }
        let (end, _) = self.at(to);
        path.line_to(end.x.into(), end.y.into());
        Some(path)
    }
}

/// The place a share of the way from `a` to `b`.
fn between(a: Point, b: Point, share: f32) -> Point {
    Point { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share }
}

/// The same line with every corner cut off at a quarter of its legs; its ends stay.
fn smoothed(points: &[Point]) -> Vec<Point> {
    let mut line = Vec::with_capacity(points.len() * 2);
    line.extend(points.first());
    for leg in points.windows(2) {
        if let [a, b] = *leg {
            line.push(between(a, b, 0.25));
            line.push(between(a, b, 0.75));
        }
    }
    line.extend(points.last());
    line
}

fn distance(a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    (dx * dx + dy * dy).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner() -> Way {
        Way::new(vec![Point { x: 0.0, y: 0.0 }, Point { x: 100.0, y: 0.0 }, Point { x: 100.0, y: 300.0 }])
    }

    #[test]
    fn a_share_is_of_the_length_and_not_of_the_points() {
        let way = Way::new([0.0, 6.0, 12.0, 16.0].map(|x| Point { x, y: 0.0 }).to_vec());
        assert!((way.length() - 16.0).abs() < 0.01);
        assert_eq!(way.at(0.5), (Point { x: 8.0, y: 0.0 }, Point { x: 1.0, y: 0.0 }));
    }

    #[test]
    fn a_corner_is_rounded_and_the_ends_stay() {
        let way = corner();
        assert_eq!(way.at(0.0).0, Point { x: 0.0, y: 0.0 });
        assert_eq!(way.at(1.0).0, Point { x: 100.0, y: 300.0 });
        assert!(way.points.len() > 8);
        let turns = way.points.windows(3).map(|three| match three {
            [a, b, c] => {
                let (first, second) = (distance(*a, *b), distance(*b, *c));
                ((b.x - a.x) * (c.x - b.x) + (b.y - a.y) * (c.y - b.y)) / (first * second)
            }
            _ => 1.0,
        });
        // No turn is sharper than 45 degrees where one was of 90.
        assert!(turns.fold(1.0, f32::min) > 0.7);
    }

    #[test]
    fn a_way_of_nothing_has_no_length_and_no_place() {
        for way in [Way::new(Vec::new()), Way::new(vec![Point { x: 3.0, y: 4.0 }])] {
            assert!(way.is_empty());
            assert_eq!(way.length(), 0.0);
            let _ = way.at(0.5);
        }
    }
}
