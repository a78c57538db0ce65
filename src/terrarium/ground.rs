//! The ground: contours of the repository, drawn once per layout on a canvas of their own.
//!
//! One hill for each domain, as high as it has files (`look.md`, "Ground").

use super::{
    canvas::clean,
    seats::{self, Seat},
};
use crate::signals::AgentView;
use monkeytown_terrain::{Contour, Hill, Point, Rect, contours};
use web_sys::HtmlCanvasElement;

/// The hill on which somebody sits; `None` without a domain.
#[must_use]
pub fn hill(agent: &AgentView, seat: &Seat) -> Option<Hill> {
    #[expect(clippy::cast_precision_loss, reason = "a count of files")]
    let files = agent.entity.domain.as_ref()?.files as f32;
    let radius = (60.0 + files.sqrt() * 14.0).min(320.0);
    Some(Hill { centre: seat.rect.centre(), files, radius, awake: seats::is_awake(agent) })
}

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
        // Through the middles of the polyline's sides, its corners as handles: a coarse grid's line, drawn as one curve.
        let mut before: Option<Point> = None;
        for point in &contour.points {
            match before {
                None => context.move_to(point.x.into(), point.y.into()),
                Some(corner) => {
                    let (x, y) = ((corner.x + point.x) / 2.0, (corner.y + point.y) / 2.0);
                    context.quadratic_curve_to(corner.x.into(), corner.y.into(), x.into(), y.into());
                }
            }
            before = Some(*point);
        }
        match before {
            _ if contour.closed => context.close_path(),
            Some(last) => context.line_to(last.x.into(), last.y.into()),
            None => {}
        }
        context.stroke();
    }
    Some(ground.interval_files)
}

fn colour(contour: &Contour) -> &'static str {
    match contour.light {
        0..70 => "#1a2326",
        70..100 => "#1e2b2d",
        100..140 => "#263836",
        _ => "#30493f",
    }
}
