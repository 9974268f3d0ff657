//! The ratios as bars, on a logarithmic scale, in SVG.

use std::fmt::Write as _;

use super::report::Result;

const LEFT: f64 = 190.0;
const WIDTH: f64 = 560.0;
const BAR: f64 = 13.0;
/// The ends of the scale.
const SCALE: (f64, f64) = (0.01, 30.0);

/// All methods of all corpora.
pub fn plot(results: &[Result]) -> String {
    let (mut body, mut y) = (String::new(), 34.0);
    for result in results {
        let _ = writeln!(body, "<text x='8' y='{y}' font-weight='bold'>{}</text>", result.corpus.title);
        y += 6.0;
        for row in &result.rows {
            let ratio = result.ratio(row);
            let colour = if row.method.starts_with("rootling") { "#2a7" } else { "#89a" };
            let (end, text) = (place(ratio) - LEFT, y + BAR - 3.0);
            let _ = writeln!(
                body,
                "<text x='{}' y='{text}' text-anchor='end'>{}</text>\
                 <rect x='{LEFT}' y='{y}' width='{end:.1}' height='{}' fill='{colour}'/>\
                 <text x='{:.1}' y='{text}'>{ratio:.3}</text>",
                LEFT - 6.0,
                row.method,
                BAR - 2.0,
                LEFT + end + 5.0
            );
            y += BAR;
        }
        if let Some(must) = result.corpus.must {
            let (x, top) = (place(must), y - BAR * result.rows.len() as f64);
            let _ = writeln!(body, "<path d='M{x:.1} {top}V{y}' stroke='#c33' stroke-dasharray='3'/>");
        }
        y += 24.0;
    }
    let one = place(1.0);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {:.0} {y:.0}' font-family='sans-serif' font-size='11'>\n\
         <rect width='100%' height='100%' fill='white'/>\n\
         <text x='8' y='14'>bytes a client fetches, as a ratio to ostree static-delta generate; logarithmic; red: the bound</text>\n\
         <path d='M{one:.1} 22V{:.0}' stroke='#ccc'/>\n{body}</svg>\n",
        LEFT + WIDTH + 60.0,
        y - 10.0
    )
}

/// Where a ratio lies.
fn place(ratio: f64) -> f64 {
    let (low, high) = (SCALE.0.ln(), SCALE.1.ln());
    LEFT + WIDTH * ((ratio.clamp(SCALE.0, SCALE.1).ln() - low) / (high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_logarithmic_and_has_ends() {
        let step = place(0.1) - place(0.01);
        assert!((place(1.0) - place(0.1) - step).abs() < 1e-6);
        assert_eq!((place(0.0), place(99.0)), (LEFT, LEFT + WIDTH));
    }
}
