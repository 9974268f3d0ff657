//! One page: a table, and for each scenario its boots as bars along the seconds.

use super::boots::{End, Span, spans};
use super::junit::escape;
use crate::scenario::Outcome;

const WIDTH: f64 = 900.0;
const ROW: f64 = 22.0;
const STYLE: &str = "body{font:14px sans-serif;margin:2em}td,th{padding:2px 12px;text-align:left}\
    td.n{text-align:right}.bad{color:#b00020;font-weight:bold}pre{background:#f4f4f4;padding:8px;white-space:pre-wrap}\
    svg{background:#fafafa;border:1px solid #ddd}";

/// The file.
pub fn text(outcomes: &[Outcome]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Boots</title>\
         <style>{STYLE}</style></head><body>\n<h1>Boots</h1>\n<table>\n\
         <tr><th>path<th>scenario<th>result<th>boots<th>seconds<th>CPU seconds</tr>\n"
    );
    for (index, outcome) in outcomes.iter().enumerate() {
        let (class, result) = if outcome.fault.is_none() { ("", "ok") } else { ("bad", "failed") };
        page.push_str(&format!(
            "<tr><td>{}<td><a href=\"#s{index}\">{}</a><td class=\"{class}\">{result}\
             <td class=\"n\">{}<td class=\"n\">{:.1}<td class=\"n\">{:.1}</tr>\n",
            outcome.path,
            outcome.scenario.name(),
            spans(&outcome.timeline).len(),
            outcome.wall_s,
            outcome.cpu_s
        ));
    }
    page.push_str("</table>\n<p>grey: loader and kernel; green: confirmed, blue: on trial, from init to the shell (dark) \
         and on; red: the kernel panics. A tick is a command or a measurement.</p>\n");
    for (index, outcome) in outcomes.iter().enumerate() {
        page.push_str(&format!("<h2 id=\"s{index}\">{} {}</h2>\n", outcome.path, outcome.scenario.name()));
        page.push_str(&picture(&spans(&outcome.timeline)));
        if let Some(fault) = &outcome.fault {
            page.push_str(&format!("<pre>{}</pre>\n", escape(fault)));
        }
    }
    page.push_str("</body></html>\n");
    page
}

fn picture(spans: &[Span]) -> String {
    let total = spans.last().map_or(1.0, |span| span.end).max(1.0);
    let x = |at: f64| at / total * WIDTH;
    let height = ROW * spans.len() as f64 + ROW;
    let mut svg = format!("<svg width=\"{}\" height=\"{height}\" role=\"img\">\n", WIDTH + 220.0);
    let mut bar = |row: usize, from: f64, to: f64, colour: &str, title: &str| {
        svg.push_str(&format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"><title>{}</title></rect>\n",
            x(from),
            ROW * row as f64 + 4.0,
            (x(to) - x(from)).max(1.0),
            escape(title)
        ));
    };
    for (row, span) in spans.iter().enumerate() {
        let (dark, light, _) = look(&span.how);
        let seen = span.seen.unwrap_or(span.end);
        bar(row, span.start, seen, "#b0b0b0", &format!("loader and kernel: {:.1} s", seen - span.start));
        if span.seen.is_some() {
            let ready = span.ready.unwrap_or(span.end);
            bar(row, seen, ready, dark, &format!("init: {:.1} s", ready - seen));
            bar(row, ready, span.end, light, &format!("up: {:.1} s", span.end - ready));
        }
        for (at, command) in &span.commands {
            bar(row, *at, *at, "#000", &format!("{at:.1} s: {command}"));
        }
    }
    for (row, span) in spans.iter().enumerate() {
        let (.., name) = look(&span.how);
        svg.push_str(&format!(
            "<text x=\"{}\" y=\"{:.1}\" font-size=\"12\">{}</text>\n",
            WIDTH + 8.0,
            ROW * row as f64 + 15.0,
            escape(&name)
        ));
    }
    svg.push_str(&format!(
        "<text x=\"0\" y=\"{:.1}\" font-size=\"11\">0 s</text><text x=\"{WIDTH}\" y=\"{:.1}\" font-size=\"11\" \
         text-anchor=\"end\">{total:.1} s</text>\n</svg>\n",
        height - 6.0,
        height - 6.0
    ));
    svg
}

/// Colour until the shell, colour after it, and a name.
fn look(how: &End) -> (&'static str, &'static str, String) {
    let short = |commit: &str| commit.chars().take(8).collect::<String>();
    match how {
        End::Booted(commit, true) => ("#1a4fa0", "#8fb3e8", format!("{} on trial", short(commit))),
        End::Booted(commit, false) => ("#1b7a3a", "#9ad4ae", format!("{} confirmed", short(commit))),
        End::Panic => ("#b00020", "#e8a0a8", "panic".into()),
        End::Silent => ("#b0b0b0", "#b0b0b0", "nothing seen".into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_boot_is_a_row_of_bars() {
        let page = super::text(&crate::report::tests::examples());
        assert_eq!(page.matches("<svg ").count(), 2);
        assert!(page.contains("loader and kernel: 8.0 s") && page.contains("init: 1.0 s"), "{page}");
        assert!(page.contains("10.0 s: rootling upgrade &lt;a&amp;b&gt;"), "{page}");
        assert!(page.contains(">panic</text>") && page.contains("expected &lt;a&gt;"), "{page}");
    }
}
