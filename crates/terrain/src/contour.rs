//! stub
use crate::{Point, Rect};
pub struct Hill {
    pub centre: Point,
    pub files: f32,
    pub radius: f32,
    pub awake: bool,
}
pub struct Contour {
    pub level_files: f32,
    pub points: Vec<Point>,
    pub closed: bool,
    pub light: u8,
}
pub struct Ground {
    pub interval_files: f32,
    pub contours: Vec<Contour>,
}
pub fn contours(_hills: &[Hill], _field: Rect) -> Ground {
    Ground { interval_files: 8.0, contours: Vec::new() }
}
