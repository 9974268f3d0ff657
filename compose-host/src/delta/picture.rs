//! The report as a picture: a bar for each of the costliest files, and the whole against loose objects.

use std::fmt::Write;

use super::report::{Report, STREAMS};

const COLOURS: [&str; 4] = ["#4878a8", "#e0a030", "#c05050", "#60a060"];
const HEADER: &str = "#808080";
const LOOSE: &str = "#d0d0d0";
const FILES: usize = 30;
const WIDTH: u64 = 960;
const LABEL: u64 = 380;
const ROW: u64 = 20;

/// All reports below each other, in SVG.
pub fn svg(reports: &[Report]) -> String {
    let mut body = String::new();
    let mut y = 10;
    for report in reports {
        let from = report.from.map_or("nothing".to_owned(), |from| from.to_string()[..12].to_owned());
        let to = &report.to.to_string()[..12];
        let title = format!("{from} to {to}: {} bytes, loose objects {}", report.total, report.loose);
        text(&mut body, 10, y + 14, &title);
        y += 2 * ROW;
        let most = report.total.max(report.loose).max(1);
        bar(&mut body, &mut y, "loose objects", most, &[(report.loose, LOOSE)]);
        let mut whole = vec![(report.head, HEADER)];
        whole.extend(report.streams().into_iter().zip(COLOURS));
        bar(&mut body, &mut y, "delta", most, &whole);
        y += ROW / 2;
        let most = report.files.first().map_or(1, |file| file.bytes().max(1));
        for file in report.files.iter().take(FILES) {
            let parts: Vec<_> = file.streams.into_iter().zip(COLOURS).collect();
            bar(&mut body, &mut y, &file.path, most, &parts);
        }
        y += ROW;
    }
    let legend = STREAMS.iter().zip(COLOURS).chain([(&"header", HEADER)]);
    for (at, (name, colour)) in legend.enumerate() {
        let x = 10 + at as u64 * 110;
        let _ = write!(body, "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        text(&mut body, x + 16, y + 11, name);
    }
    let height = y + 2 * ROW;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn bar(out: &mut String, y: &mut u64, label: &str, most: u64, parts: &[(u64, &str)]) {
    let start = label.char_indices().rev().nth(51).map_or(0, |(at, _)| at);
    text(out, 10, *y + 13, &label[start..]);
    let room = WIDTH - LABEL - 90;
    let (mut sum, mut x) = (0, LABEL);
    for (bytes, colour) in parts {
        sum += bytes;
        let end = LABEL + (u128::from(sum) * u128::from(room) / u128::from(most)) as u64;
        let (width, top) = (end - x, *y + 2);
        let _ =
            writeln!(out, "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"15\" fill=\"{colour}\"/>");
        x = end;
    }
    text(out, x + 6, *y + 14, &sum.to_string());
    *y += ROW;
}

fn text(out: &mut String, x: u64, y: u64, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\">{text}</text>");
}
