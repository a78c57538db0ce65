//! The pulse: a heart at the health's pace, four numbers, the hour's line, a word and a trend.

use crate::{
    dom::{Piece, follow},
    signals::{HourView, Signals},
    voice,
};
use monkeytown_civilization::Trend;
use monkeytown_protocol::Health;

/// Fills it. Figures keep their width, so that ticking shifts nothing.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let piece = Piece::section("pulse");
    let page = Piece::section("page");
    follow(move || {
        let figures = *signals.figures.read();
        let times = *signals.times.read();
        // The past is whole whether the stream is heard or not.
        let live = signals.connection.read().is_live() || times.next.is_some();
        let hour = signals.hour.read();
        let health = match figures.pulse {
            Some(pulse) if live => pulse.health.as_str(),
            _ => "disconnected",
        };
        piece.set("", "data-health", health);
        page.set("", "data-health", health);
        if let Some(pulse) = figures.pulse {
            piece.say("active", &voice::grouped(pulse.active_agents.into()));
            piece.say("pending", &voice::grouped(pulse.pending_flows.into()));
            piece.say("settled", &voice::grouped(pulse.contracts_settled));
            piece.say("load", &voice::percent(pulse.load.get()));
        }
        let word = match figures.pulse {
            None => "waiting",
            Some(_) if !live => "last known",
            Some(pulse) => match pulse.health {
                Health::Healthy => "steady",
                Health::Stressed => "strained",
                Health::Critical => "overrun",
            },
        };
        piece.say("word", word);
        let quiet_millis = figures.last_time.map(|last| times.now.since_millis(last));
        let (trend, course) = match hour.trend {
            Trend::Rising => ("rising", "rising"),
            Trend::Steady => ("steady", "level"),
            Trend::Easing => ("easing", "easing"),
        };
        let (trend, words) = match quiet_millis {
            None => ("", "nothing yet".to_owned()),
            Some(millis) if !live => ("", voice::ago(millis)),
            Some(millis) if millis >= 60_000 => ("", format!("quiet {}", voice::span(millis))),
            Some(_) => (trend, course.to_owned()),
        };
        piece.mark("", "data-trend", trend);
        piece.say("trend", &words);
        let (line, area, tip) = paths(&hour);
        piece.set("line", "d", &line);
        piece.set("area", "d", &area);
        piece.set("tip", "d", &tip);
    });
}

/// The hour as a line, the area under it, and the dot at its end, in a box of 120 × 24.
fn paths(hour: &HourView) -> (String, String, String) {
    // A mean of three bins: the line tells how the hour went, the axis below the page tells each half minute.
    let mean = |at: usize| {
        let from = at.saturating_sub(2);
        let near = hour.bins.iter().skip(from).take(at - from + 1);
        near.clone().sum::<u32>() / u32::try_from(near.len().max(1)).unwrap_or(1)
    };
    let means: Vec<u32> = (0..hour.bins.len()).map(mean).collect();
    let most = means.iter().copied().max().unwrap_or(0).max(1);
    let mut line = String::from("M");
    let mut y = 23;
    for (at, mean) in means.iter().enumerate() {
        y = 22 - u64::from(*mean) * 20 / u64::from(most);
        line.push_str(&format!("{at} {y}L"));
    }
    line.push_str(&format!("120 {y}"));
    let area = format!("{line}V24H0Z");
    (line, area, format!("M120 {y}h0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hours_line_is_highest_where_most_happened() {
        let mut bins = vec![0; 120];
        bins[60..63].fill(300);
        let (line, area, _) = paths(&HourView { bins, ..HourView::default() });
        assert!(line.starts_with("M0 22L") && line.contains("L62 2L") && line.ends_with("L120 22"), "{line}");
        assert!(area.ends_with("V24H0Z"));
    }

    #[test]
    fn an_hour_of_nothing_is_a_flat_line() {
        let (line, ..) = paths(&HourView::default());
        assert_eq!(line, "M120 23");
    }
}
