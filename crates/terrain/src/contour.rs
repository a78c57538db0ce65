//! The ground: a contour map with one hill for each domain. Owns the shape of the hills and the lines at equal heights;
//! knows no names, no colours, no cards.
//!
//! Hills blend by a smooth maximum, which alone would lift a hill that stands on the flank of a greater one. So the
//! ground is bent back at every centre until it is exactly as high there as the domain has files: what the key says of a
//! line is true wherever a hill stands, and between hills the ground only joins them. Two centres nearer to each other
//! than two cells of the grid cannot both be true; there the ground lies between.

mod level;

use level::Level;

use crate::lattice::{Lattice, whole};
use crate::order::rising;
use crate::{Point, Rect};

/// A domain on the ground.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hill {
    /// Its highest place.
    pub centre: Point,
    /// How many files it has: its height.
    pub files: f32,
    /// How far out it is still half as high, about, in pixels.
    pub radius: f32,
    /// Whether somebody is awake there.
    pub awake: bool,
}

/// A line at one height.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contour {
    /// Its height, in files.
    pub level_files: f32,
    /// Its course. To be drawn as a curve from middle to middle of its legs.
    pub points: Vec<Point>,
    /// Whether its end joins its beginning. Lines that are not closed end at the field's edge.
    pub closed: bool,
    /// How bright it is: brighter near who is awake, and every fifth line.
    pub light: u8,
}

/// The map.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ground {
    /// What a line is worth, in files: for the key.
    pub interval_files: f32,
    /// The lines, from the lowest up.
    pub contours: Vec<Contour>,
}

/// One side of a cell, in pixels, and the most cells.
const CELL: f32 = 14.0;
const CELLS_MAX: f32 = 8_000.0;
/// The most hills; of more, the highest stand.
const HILLS_MAX: usize = 200;
/// The most points of all lines together; where there would be more, a line is worth more files.
const POINTS_MAX: usize = 20_000;
/// The most lines up the highest hill: eight files a line for up to 180 of them, as in `look/desktop-1280.png`.
const LINES_MAX: f32 = 22.5;
/// No domain has more files: so many a float still counts one by one.
const FILES_MAX: f32 = 16_000_000.0;
/// How far the foot of a hill is from its centre, in radii.
const FOOT: f32 = 3.6;
/// How round a hill's top is: the square of a share of its foot.
const ROUNDING: f32 = 0.003;

/// How far the ground is pushed aside at most, in pixels, and how far apart the pushes change, in cells.
const WARP: f32 = 38.0;
const WARP_CELLS: f32 = 9.0;

/// The contour map of `hills` over `field`. A line is worth 1, 2, 4, 8 … files, so that the highest hill has
/// eleven to 22 of them (fewer where it has fewer files). The same hills give the same map.
#[must_use]
pub fn contours(hills: &[Hill], field: Rect) -> Ground {
    let mut ground = Ground { interval_files: 1.0, contours: Vec::new() };
    // Corners of cells are what is measured: one more than cells each way.
    let Some(cells) = Lattice::over(field, CELL, CELLS_MAX) else { return ground };
    let hills = standing(hills, &field);
    let highest = hills.iter().fold(0.0_f32, |most, hill| most.max(hill.files));
    while highest / ground.interval_files > LINES_MAX {
        ground.interval_files *= 2.0;
    }
    let map = Map::of(&hills, cells, highest);
    loop {
        if map.draw(highest, &mut ground) {
            return ground;
        }
        ground.contours.clear();
        ground.interval_files *= 2.0;
    }
}

/// The hills that can stand: in the field, with some files and some radius.
fn standing(hills: &[Hill], field: &Rect) -> Vec<Hill> {
    let mut keys: Vec<u64> = Vec::new();
    for (index, hill) in hills.iter().enumerate().take(0xffff) {
        if hill.files >= 1.0 && hill.radius >= 1.0 && hill.radius.is_finite() && field.contains(hill.centre) {
            keys.push((whole(FILES_MAX - hill.files.min(FILES_MAX)) as u64) << 16 | index as u64);
        }
    }
    let keys = rising(keys);
    let hill = |key: &u64| hills.get(usize::from((key & 0xffff) as u16)).copied();
    // Wider than the field is as wide as the field: all of it lies near the top.
    let widest = field.width + field.height;
    let bounded = |hill: Hill| Hill { files: hill.files.min(FILES_MAX), radius: hill.radius.min(widest), ..hill };
    keys.iter().take(HILLS_MAX).filter_map(hill).map(bounded).collect()
}

/// The ground's height at the corners of cells.
struct Map {
    /// Corners, not cells.
    corners: Lattice,
    height: Vec<f32>,
    /// How near somebody awake is, 0 to 1.
    awake: Vec<f32>,
}

impl Map {
    fn of(hills: &[Hill], cells: Lattice, highest: f32) -> Self {
        let corners = Lattice::new(cells.origin, cells.cell, cells.columns + 1, cells.rows + 1);
        let mut map = Self { corners, height: vec![0.0; corners.len()], awake: vec![0.0; corners.len()] };
        let places: Vec<Point> = (0..corners.len()).map(|corner| map.pushed(corner)).collect();
        for hill in hills {
            let foot = hill.radius * FOOT;
            let share = hill.files / highest;
            // The pushes move the ground, so a hill's foot may be that much farther out.
            map.each_within(hill.centre, foot + WARP, |map, corner| {
                let Some(at) = places.get(corner) else { return };
                let slope = slope(*at, hill.centre, foot);
                let part = share * slope;
                let part = part * part;
                if let Some(height) = map.height.get_mut(corner) {
                    // A smooth maximum: the fourth root of the sum of fourth powers.
                    *height += part * part;
                }
                if hill.awake
                    && let Some(awake) = map.awake.get_mut(corner)
                {
                    *awake = awake.max(slope);
                }
            });
        }
        for height in &mut map.height {
            *height = height.sqrt().sqrt() * highest;
        }
        map.make_true(hills);
        map
    }

    /// Bends the ground at every centre to its hill's height. Three rounds, for neighbours bend each other a little.
    fn make_true(&mut self, hills: &[Hill]) {
        let reaches: Vec<f32> = hills
            .iter()
            .enumerate()
            .map(|(index, hill)| {
                let others = hills.iter().enumerate().filter(|(other, _)| *other != index);
                let nearest = others
                    .fold(hill.radius * 2.0, |least, (_, other)| least.min(square(hill.centre, other.centre).sqrt()));
                nearest.max(self.corners.cell * 2.0)
            })
            .collect();
        for _ in 0..3 {
            for (hill, reach) in hills.iter().zip(&reaches) {
                let bend = hill.files - self.height_at(hill.centre);
                // What a bend of one adds at the centre itself, which lies between corners.
                let mut weights = 0.0;
                let spread = self.spread(hill.centre);
                for (corner, weight) in spread {
                    weights += weight * bump(self.corner(corner), hill.centre, *reach);
                }
                if weights <= 0.0 {
                    continue;
                }
                self.each_within(hill.centre, *reach, |map, corner| {
                    let bump = bump(map.corner(corner), hill.centre, *reach);
                    if let Some(height) = map.height.get_mut(corner) {
                        *height = (*height + bend / weights * bump).max(0.0);
                    }
                });
            }
        }
    }

    /// Where a corner is.
    fn corner(&self, corner: usize) -> Point {
        let Lattice { origin, cell, columns, .. } = self.corners;
        Point { x: origin.x + (corner % columns) as f32 * cell, y: origin.y + (corner / columns) as f32 * cell }
    }

    /// Every corner in the square about a place.
    fn each_within(&mut self, centre: Point, reach: f32, mut visit: impl FnMut(&mut Self, usize)) {
        let Lattice { origin, cell, columns, rows, .. } = self.corners;
        let range = |at: f32, count: usize| (whole((at - reach) / cell), (whole((at + reach) / cell) + 1).min(count));
        let (left, right) = range(centre.x - origin.x, columns);
        let (top, bottom) = range(centre.y - origin.y, rows);
        for row in top..bottom {
            for column in left..right {
                visit(self, row * columns + column);
            }
        }
    }

    /// The four corners about a place, each with its share in the height there.
    fn spread(&self, at: Point) -> [(usize, f32); 4] {
        let Lattice { origin, cell, columns, rows, .. } = self.corners;
        let (x, y) = ((at.x - origin.x) / cell, (at.y - origin.y) / cell);
        let (column, row) = (whole(x).min(columns.saturating_sub(2)), whole(y).min(rows.saturating_sub(2)));
        let (x, y) = (x - column as f32, y - row as f32);
        let corner = row * columns + column;
        [
            (corner, (1.0 - x) * (1.0 - y)),
            (corner + 1, x * (1.0 - y)),
            (corner + columns, (1.0 - x) * y),
            (corner + columns + 1, x * y),
        ]
    }

    fn height_at(&self, at: Point) -> f32 {
        self.spread(at).iter().map(|(corner, share)| share * self.height.get(*corner).copied().unwrap_or(0.0)).sum()
    }

    /// Where the ground at a corner comes from: a push by smooth noise, so that no hill is round.
    fn pushed(&self, corner: usize) -> Point {
        let at = self.corner(corner);
        let (column, row) = ((corner % self.corners.columns) as f32, (corner / self.corners.columns) as f32);
        let push = |salt: u32| {
            noise(column / WARP_CELLS, row / WARP_CELLS, salt)
                + 0.5 * noise(column / WARP_CELLS * 2.3, row / WARP_CELLS * 2.3, salt + 7)
        };
        Point { x: at.x + WARP * push(1), y: at.y + WARP * push(2) }
    }

    /// Draws all lines. False where they have too many points.
    fn draw(&self, highest: f32, ground: &mut Ground) -> bool {
        let mut points = 0;
        let mut line = 1_u16;
        while f32::from(line) * ground.interval_files <= highest {
            let files = f32::from(line) * ground.interval_files;
            let level = Level { map: self, files, is_fifth: line.is_multiple_of(5) };
            points += level.trace(&mut ground.contours);
            if points > POINTS_MAX {
                return false;
            }
            line += 1;
        }
        true
    }
}

/// The square of the distance.
fn square(a: Point, b: Point) -> f32 {
    (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)
}

/// A hill's height as a share of its peak: steep half way up, flatter towards its foot, its top rounded.
fn slope(at: Point, centre: Point, foot: f32) -> f32 {
    let way = (square(at, centre) / (foot * foot) + ROUNDING).sqrt();
    let share = (1.0 - way).max(0.0);
    share * share
}

/// One at the centre, nothing from `reach` on, flat at both.
fn bump(at: Point, centre: Point, reach: f32) -> f32 {
    let share = (1.0 - square(at, centre) / (reach * reach)).max(0.0);
    share * share
}

/// Smooth noise between minus one and one, by the whole numbers about a place.
fn noise(x: f32, y: f32, salt: u32) -> f32 {
    let (column, row) = (whole(x), whole(y));
    let (x, y) = (x - column as f32, y - row as f32);
    let (x, y) = (x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y));
    let at = |column: usize, row: usize| {
        let mut hash = (column as u64 * 0x9e37_79b1) ^ (row as u64 * 0x85eb_ca77) ^ (u64::from(salt) * 0xc2b2_ae3d);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d_297a_2d39);
        f32::from((hash >> 40 & 0xffff) as u16) / 32_768.0 - 1.0
    };
    let upper = at(column, row) * (1.0 - x) + at(column + 1, row) * x;
    let lower = at(column, row + 1) * (1.0 - x) + at(column + 1, row + 1) * x;
    upper * (1.0 - y) + lower * y
}
