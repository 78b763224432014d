//! A line chart as SVG.

use minijinja::value::Value;

use super::html::{STYLE, escape, number};

/// A chart over training steps.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// The vertical axis: quantity and unit.
    pub y_label: String,
    /// One or more lines.
    pub series: Vec<Series>,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// (step, value), steps ascending; every value finite.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Between the lines of a legend.
const LEGEND_ROW: f64 = 18.0;
/// Colours that `style.css` has.
const COLOURS: usize = 9;
/// Lines longer than this are drawn thin behind their moving mean.
const SMOOTH_FROM: usize = 24;
/// The most points of a line that answer the pointer.
const MOST_MARKS: usize = 400;

impl Chart {
    /// The chart with its heading and, for several lines, its legend.
    pub fn render(&self) -> String {
        let frame = Frame::around(&self.series);
        let lines: String =
            self.series.iter().enumerate().map(|(i, s)| line(s, i % COLOURS, &frame)).collect();
        format!(
            "<figure><figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{}\">\n{}{lines}</svg>\n{}</figure>\n",
            escape(&self.title),
            escape(&self.title),
            frame.axes(&self.y_label),
            self.legend(),
        )
    }

    /// [`Chart::render`] for a template, which writes it as it is.
    pub fn markup(&self) -> Value {
        Value::from_safe_string(self.render())
    }

    /// The chart as a file of its own, its legend within it: for a page that is not a report.
    pub fn file(&self) -> String {
        let frame = Frame::around(&self.series);
        let lines: String =
            self.series.iter().enumerate().map(|(i, s)| line(s, i % COLOURS, &frame)).collect();
        let row = |(i, s): (usize, &Series)| {
            let y = HEIGHT + LEGEND_ROW * i as f64;
            format!(
                "<g class=\"c{}\"><path class=\"curve\" d=\"M{LEFT} {y:.0}h24\"/></g>\
                 <text class=\"label\" x=\"{}\" y=\"{:.0}\">{}</text>\n",
                i % COLOURS,
                LEFT + 32.0,
                y + 4.0,
                escape(&s.name),
            )
        };
        let legend: String = self.series.iter().enumerate().map(row).collect();
        let height = HEIGHT + LEGEND_ROW * self.series.len() as f64;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"system-ui, sans-serif\">\n<title>{}</title>\n<style>{}</style>\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"var(--card)\"/>\n{}{lines}{legend}</svg>\n",
            escape(&self.title),
            STYLE,
            frame.axes(&self.y_label),
        )
    }

    fn legend(&self) -> String {
        if self.series.len() < 2 {
            return String::new();
        }
        let entry = |(i, s): (usize, &Series)| {
            format!("<li><i class=\"c{}\"></i>{}</li>", i % COLOURS, escape(&s.name))
        };
        let entries: String = self.series.iter().enumerate().map(entry).collect();
        format!("<ul class=\"legend\">{entries}</ul>\n")
    }
}

/// The plotted range, and where it lies on the picture.
struct Frame {
    x: Ticks,
    y: Ticks,
}

impl Frame {
    fn around(series: &[Series]) -> Self {
        let points = || series.iter().flat_map(|s| s.points.iter());
        Self { x: Ticks::over(points().map(|p| p.0), true), y: Ticks::over(points().map(|p| p.1), false) }
    }

    fn x(&self, step: f64) -> f64 {
        LEFT + self.x.share(step) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - TOP - BOTTOM)
    }

    /// Grid lines, tick labels and axis labels.
    fn axes(&self, y_label: &str) -> String {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut out = String::new();
        for value in self.y.values() {
            let y = self.y(value);
            out += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                LEFT - 8.0,
                y + 4.0,
                number(value),
            );
        }
        for value in self.x.values() {
            out += &format!(
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                self.x(value),
                bottom + 17.0,
                number(value),
            );
        }
        let middle = (TOP + bottom) / 2.0;
        out += &format!(
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>\n\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">step</text>\n\
             <text class=\"label\" transform=\"translate(14 {middle}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>\n",
            (LEFT + right) / 2.0,
            HEIGHT - 8.0,
            escape(y_label),
        );
        out
    }
}

/// An axis: its range and the round numbers on it.
struct Ticks {
    low: f64,
    high: f64,
    step: f64,
}

impl Ticks {
    /// An axis for these values. For whole numbers the range is theirs; else it ends on round numbers.
    fn over(values: impl Iterator<Item = f64>, whole: bool) -> Self {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low > high || (!whole && low == 0.0 && high == 0.0) {
            (0.0, 1.0)
        } else if low < high {
            (low, high)
        } else {
            let margin = if whole { 1.0 } else { 0.1 * low.abs() };
            (low - margin, high + margin)
        };
        let step = round_step((high - low) / if whole { 6.0 } else { 5.0 });
        if whole {
            return Self { low, high, step: step.max(1.0) };
        }
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let first = (self.low / self.step).ceil();
        let count = ((self.high / self.step).floor() - first).clamp(0.0, 20.0) as usize;
        let step = self.step;
        // Multiples of the step, with what is left of 0 by rounding taken off.
        (0..=count)
            .map(move |i| (first + i as f64) * step)
            .map(move |v| if v.abs() < step * 1e-9 { 0.0 } else { v })
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `rough`.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

fn line(series: &Series, colour: usize, frame: &Frame) -> String {
    let raw = polyline(&series.points, frame);
    let mut out = format!("<g class=\"c{colour}\">\n");
    if series.points.len() < SMOOTH_FROM {
        out += &format!("<polyline class=\"curve\" points=\"{raw}\"/>\n");
    } else {
        let smooth = polyline(&moving_mean(&series.points), frame);
        out += &format!("<polyline class=\"raw\" points=\"{raw}\"/>\n");
        out += &format!("<polyline class=\"curve\" points=\"{smooth}\"/>\n");
    }
    let stride = series.points.len().div_ceil(MOST_MARKS).max(1);
    for &(step, value) in series.points.iter().step_by(stride) {
        out += &format!(
            "<g class=\"mark\" transform=\"translate({:.1} {:.1})\"><circle class=\"hit\" r=\"7\"/>\
             <circle class=\"dot\" r=\"3\"/><title>{}step {step}: {}</title></g>\n",
            frame.x(step),
            frame.y(value),
            if series.name.is_empty() { String::new() } else { escape(&series.name) + ", " },
            number(value),
        );
    }
    out + "</g>\n"
}

fn polyline(points: &[(f64, f64)], frame: &Frame) -> String {
    let place = |&(step, value): &(f64, f64)| format!("{:.1},{:.1}", frame.x(step), frame.y(value));
    points.iter().map(place).collect::<Vec<_>>().join(" ")
}

/// Each point's mean with its neighbours, as many on either side, a tenth of the line altogether.
fn moving_mean(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = points.len().div_ceil(20);
    let mean_at = |(i, &(step, _)): (usize, &(f64, f64))| {
        let reach = reach.min(i).min(points.len() - 1 - i);
        let near = &points[i - reach..=i + reach];
        (step, near.iter().map(|p| p.1).sum::<f64>() / near.len() as f64)
    };
    points.iter().enumerate().map(mean_at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let cases: [(&[f64], bool, &[f64]); 6] = [
            (&[-2.7, 3.9], false, &[-4.0, -2.0, 0.0, 2.0, 4.0]),
            (&[0.81, 0.99], false, &[0.8, 0.85, 0.9, 0.95, 1.0]),
            (&[1.0, 3.0], true, &[1.0, 2.0, 3.0]),
            (&[5.0], true, &[4.0, 5.0, 6.0]),
            (&[0.0], false, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (&[], false, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ];
        for (values, whole, expected) in cases {
            let ticks = Ticks::over(values.iter().copied(), whole);
            let found: Vec<_> = ticks.values().collect();
            assert_eq!(found.len(), expected.len(), "{values:?}: {found:?}");
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-9, "{values:?}: {found:?}");
            }
            assert!(values.iter().all(|&v| (0.0..=1.0).contains(&ticks.share(v))));
        }
    }

    #[test]
    fn a_file_is_whole_and_escaped() {
        let series = |name: &str| Series { name: name.to_owned(), points: vec![(1.0, 0.5), (2.0, 1.5)] };
        let chart =
            Chart { title: "<t>".into(), y_label: "r".into(), series: vec![series("a&b"), series("c")] };
        let file = chart.file();
        assert!(file.starts_with("<svg xmlns=") && file.ends_with("</svg>\n"));
        assert!(file.contains("a&amp;b") && !file.contains("<t>") && file.matches("<polyline").count() == 2);
    }

    #[test]
    fn moving_mean_keeps_ends_and_straight_lines() {
        let line: Vec<_> = (0..60).map(|i| (f64::from(i), f64::from(2 * i))).collect();
        for (found, expected) in moving_mean(&line).iter().zip(&line) {
            assert!((found.1 - expected.1).abs() < 1e-9);
        }
        let spike: Vec<_> = (0..60).map(|i| (f64::from(i), f64::from(u8::from(i == 30)))).collect();
        assert!((moving_mean(&spike)[30].1 - 1.0 / 7.0).abs() < 1e-12);
    }
}
