//! The phone's arc diagram: flows as arcs in the gutter left of a column of rows. Knows no cards beside rows.

use super::curve::{cubic, even};
use super::ports::GAP;
use super::{Route, WIRES_MAX, Wire, part};
use crate::lattice::sound;
use crate::order::rising;
use crate::{Point, Rect};

/// Ends of arcs on one row lie at most this far apart, in pixels.
const APART: f32 = 7.0;
/// How far the shortest arc reaches out, in pixels.
const LEAST: f32 = 12.0;
/// The share of a row's height on which arcs end.
const SHARE: f32 = 0.7;

/// The arcs of `wires` at the left of `rows`, in the order of `wires`: nested, the longer the farther out, none farther
/// than `gutter_width` from the column. Ends on a row are spread so that arcs do not cross at it.
#[must_use]
pub fn gutter(rows: &[Rect], wires: &[Wire], gutter_width: f32) -> Vec<Route> {
    let mut routes: Vec<Route> = wires.iter().map(|_| Route::default()).collect();
    if !(gutter_width >= 1.0 && gutter_width.is_finite()) {
        return routes;
    }
    let row = |index: usize| rows.get(index).filter(|row| sound(row));
    let column = rows.iter().filter(|row| sound(row)).fold(f32::INFINITY, |least, row| least.min(row.x));
    // By length: rows apart, upper row, lower row, wire.
    let mut arcs: Vec<u64> = Vec::with_capacity(wires.len().min(WIRES_MAX));
    for (index, wire) in wires.iter().enumerate().take(WIRES_MAX) {
        let (upper, lower) = (wire.from.min(wire.to), wire.from.max(wire.to));
        if upper < lower && lower <= 0xffff && row(upper).is_some() && row(lower).is_some() {
            arcs.push((((lower - upper) << 16 | upper) as u64) << 32 | (lower << 16 | index) as u64);
        }
    }
    let arcs = rising(arcs);
    // How far out the arcs reach that lie over each row, and over the gap below it, in steps.
    let mut reached = vec![0_u16; rows.len()];
    let mut counts = vec![0_u16; rows.len()];
    let mut steps = Vec::with_capacity(arcs.len());
    let mut most = 1;
    for arc in &arcs {
        let (upper, lower) = (part(*arc, 2), part(*arc, 1));
        // The rows it ends on count once: arcs that only touch at a row may lie equally far out.
        let over = reached.get_mut(upper..lower).unwrap_or_default();
        let step = over.iter().copied().max().unwrap_or(0) + 1;
        over.fill(step);
        steps.push(step);
        most = most.max(step);
        for end in [upper, lower] {
            if let Some(count) = counts.get_mut(end) {
                *count += 1;
            }
        }
    }
    // On each row from its top: ends of arcs from above, short before long, then of those to below, long before short.
    let mut above = vec![0_u16; rows.len()];
    let mut below = vec![0_u16; rows.len()];
    for (arc, step) in arcs.iter().zip(steps) {
        let (upper, lower) = (part(*arc, 2), part(*arc, 1));
        let mut ends = [Point::default(); 2];
        for ((index, end), taken) in [upper, lower].into_iter().zip(&mut ends).zip([&mut below, &mut above]) {
            let (Some(rect), Some(count), Some(taken)) = (row(index), counts.get(index).copied(), taken.get_mut(index))
            else {
                continue;
            };
            let count = f32::from(count);
            let rank = if index == lower { f32::from(*taken) } else { count - 1.0 - f32::from(*taken) };
            *taken += 1;
            let apart = (rect.height * SHARE / count).min(APART);
            *end = Point { x: rect.x - GAP, y: rect.centre().y + (rank - (count - 1.0) / 2.0) * apart };
        }
        let [top, bottom] = ends;
        // A cubic reaches three quarters as far as its handles.
        let deepest = (gutter_width - GAP).max(1.0);
        let least = LEAST.min(deepest);
        let out = column
            - GAP
            - (least + (deepest - least) * f32::from(step - 1) / f32::from(most.max(2) - 1))
                .min(deepest - GAP)
                .max(0.0);
        let handle = |end: Point| Point { x: end.x - (end.x - out) / 0.75, y: end.y };
        let mut line = vec![top];
        cubic(&mut line, top, handle(top), handle(bottom), bottom);
        let wire = part(*arc, 0);
        if let Some(route) = routes.get_mut(wire) {
            route.points = even(&line);
            if wires.get(wire).is_some_and(|wire| wire.from > wire.to) {
                route.points.reverse();
            }
        }
    }
    routes
}
