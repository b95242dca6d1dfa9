//! Bars in groups, on white, so that they can be read on a page of any colour.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The content of a drawing.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// The scale is logarithmic.
    pub(super) log: bool,
    /// The names of the bars of a group, each with its colour.
    pub(super) servers: Vec<String>,
    pub(super) groups: Vec<Group>,
}

/// Bars side by side.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) bars: Vec<Bar>,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) server: usize,
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) digits: usize,
}

/// Colours that colour-blind people can distinguish (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(160, 160, 160),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
];

const FONT: &str = "sans-serif";
const HEIGHT: u32 = 380;
const TOP: i32 = 70;
const BOTTOM: i32 = 40;
const SIDE: i32 = 20;
const BAR: i32 = 44;
const SPACE: i32 = 36;

impl Chart {
    pub(super) fn svg(&self) -> anyhow::Result<String> {
        let bars: usize = self.groups.iter().map(|group| group.bars.len()).sum();
        let needed = 2 * SIDE + BAR * i32::try_from(bars)? + SPACE * i32::try_from(self.groups.len())?;
        let width = u32::try_from(needed.max(480))?;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (width, HEIGHT)).into_drawing_area();
            area.fill(&WHITE).map_err(broken)?;
            self.draw(&area, i32::try_from(width)?)?;
            area.present().map_err(broken)?;
        }
        Ok(svg)
    }

    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, width: i32) -> anyhow::Result<()> {
        let text = |size: u32, at: HPos| {
            TextStyle::from((FONT, size).into_font()).color(&BLACK).pos(Pos::new(at, VPos::Center))
        };
        area.draw(&Text::new(self.title.clone(), (SIDE, 20), text(18, HPos::Left))).map_err(broken)?;
        let mut left = SIDE;
        for (server, name) in self.servers.iter().enumerate() {
            area.draw(&Rectangle::new([(left, 38), (left + 12, 50)], COLOURS[server % COLOURS.len()].filled()))
                .map_err(broken)?;
            area.draw(&Text::new(name.clone(), (left + 18, 45), text(13, HPos::Left))).map_err(broken)?;
            left += 40 + 7 * i32::try_from(name.len())?;
        }
        let floor = HEIGHT as i32 - BOTTOM;
        area.draw(&PathElement::new([(SIDE, floor), (width - SIDE, floor)], BLACK)).map_err(broken)?;

        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let most = bars.clone().map(|bar| bar.max).fold(0.0, f64::max);
        let least = bars.map(|bar| bar.min).filter(|&min| min > 0.0).fold(most, f64::min);
        let y = |value: f64| floor - (self.share(value, least, most) * f64::from(floor - TOP - 20)) as i32;
        let mut x = SIDE + SPACE / 2;
        for group in &self.groups {
            let begin = x;
            for bar in &group.bars {
                let colour = COLOURS[bar.server % COLOURS.len()];
                let (left, right, middle) = (x + 3, x + BAR - 3, x + BAR / 2);
                area.draw(&Rectangle::new([(left, y(bar.median)), (right, floor)], colour.filled())).map_err(broken)?;
                area.draw(&PathElement::new([(middle, y(bar.min)), (middle, y(bar.max))], BLACK)).map_err(broken)?;
                let value = label(bar.median, bar.digits);
                area.draw(&Text::new(value, (middle, y(bar.max) - 9), text(12, HPos::Center))).map_err(broken)?;
                x += BAR;
            }
            let middle = i32::midpoint(begin, x);
            area.draw(&Text::new(group.label.clone(), (middle, floor + 16), text(13, HPos::Center))).map_err(broken)?;
            x += SPACE;
        }
        Ok(())
    }

    /// The height of a value, from 0 to 1.
    fn share(&self, value: f64, least: f64, most: f64) -> f64 {
        if most <= 0.0 || value <= 0.0 {
            return 0.0;
        }
        if self.log {
            // The lowest bar is visible, too.
            let base = (least / 2.0).ln();
            return ((value.ln() - base) / (most.ln() - base)).max(0.0);
        }
        value / most
    }
}

/// A number, as short as it can be without losing precision.
fn label(value: f64, digits: usize) -> String {
    match value {
        1e6.. => format!("{:.2}M", value / 1e6),
        1e4.. => format!("{:.0}k", value / 1e3),
        1e3.. => format!("{:.1}k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.digits$}", digits = digits.min(1)),
    }
}

fn broken(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(log: bool) -> Chart {
        let bar = |server, median| Bar { server, median, min: median * 0.9, max: median * 1.1, digits: 2 };
        Chart {
            title: "server CPU".to_owned(),
            log,
            servers: vec!["push".to_owned(), "limit".to_owned()],
            groups: vec![
                Group { label: "sse 1,000".to_owned(), bars: vec![bar(0, 10.0), bar(1, 9.0)] },
                Group { label: "sse 10,000".to_owned(), bars: vec![bar(0, 1000.0), bar(1, 900.0)] },
            ],
        }
    }

    #[test]
    fn everything_that_was_measured_is_drawn() {
        for log in [false, true] {
            let svg = chart(log).svg().unwrap();
            for text in ["server CPU", "push", "limit", "sse 1,000", "sse 10,000", "10.0", "9.0", "1.0k", "900"] {
                assert!(svg.contains(text), "{text}: {svg}");
            }
            // The background, two in the legend, four bars.
            assert_eq!(svg.matches("<rect").count(), 1 + 2 + 4, "{svg}");
        }
    }

    #[test]
    fn heights_follow_the_scale() {
        let plain = chart(false);
        assert!((plain.share(50.0, 10.0, 100.0) - 0.5).abs() < 1e-9);
        let log = chart(true);
        assert!((log.share(100.0, 10.0, 100.0) - 1.0).abs() < 1e-9);
        assert!(log.share(10.0, 10.0, 100.0) > 0.1);
        assert!(plain.share(0.0, 10.0, 100.0).abs() < 1e-9);
    }
}
