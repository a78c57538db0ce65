//! The ground: contours of the repository, drawn once per layout on a canvas of their own.
//!
//! One hill for each domain, as high as it has files (`look.md`, "Ground").

use super::canvas::clean;
use monkeytown_terrain::{Contour, Hill, Rect, contours};
use web_sys::HtmlCanvasElement;

/// Draws the hills. Returns what a line is worth, in files; `None` where there is no hill.
pub fn paint(canvas: &HtmlCanvasElement, hills: &[Hill], width: f32, height: f32) -> Option<f32> {
    let context = clean(canvas, width, height)?;
    if hills.is_empty() {
        return None;
    }
    let ground = contours(hills, Rect { x: 0.0, y: 0.0, width, height });
    context.set_line_width(1.0);
    for contour in &ground.contours {
        context.set_stroke_style_str(colour(contour));
        context.begin_path();
        for point in &contour.points {
            context.line_to(point.x.into(), point.y.into());
        }
        if contour.closed {
            context.close_path();
        }
        context.stroke();
    }
    Some(ground.interval_files)
}

fn colour(contour: &Contour) -> &'static str {
    match contour.light {
        0 => "#1a2226",
        1 => "#212c30",
        2 => "#2a3a3b",
        _ => "#34504a",
    }
}
