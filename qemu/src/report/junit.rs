//! JUnit's XML, which most CI servers read: a suite for each path, a case for each scenario.

use crate::scenario::Outcome;

/// The file.
pub fn text(outcomes: &[Outcome]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for suite in outcomes.chunk_by(|a, b| a.path == b.path) {
        let failed = suite.iter().filter(|outcome| outcome.fault.is_some()).count();
        let wall: f64 = suite.iter().map(|outcome| outcome.wall_s).sum();
        let name = suite.first().map(|outcome| outcome.path.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" time=\"{wall:.1}\">\n",
            suite.len()
        ));
        for outcome in suite {
            let (scenario, wall) = (outcome.scenario.name(), outcome.wall_s);
            text.push_str(&format!(
                "    <testcase classname=\"{name}\" name=\"{scenario}\" time=\"{wall:.1}\""
            ));
            match &outcome.fault {
                None => text.push_str("/>\n"),
                Some(fault) => text
                    .push_str(&format!(">\n      <failure>{}</failure>\n    </testcase>\n", escape(fault))),
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Text of an element or of an attribute; characters that XML 1.0 has no way to write are left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            other if other < ' ' || other == '\u{7f}' || matches!(other, '\u{fffe}' | '\u{ffff}') => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn failures_are_text_that_xml_can_hold() {
        let text = super::text(&crate::report::tests::examples());
        assert!(
            text.contains("<testsuite name=\"x86_64/grub\" tests=\"2\" failures=\"1\" time=\"42.0\">"),
            "{text}"
        );
        assert!(text.contains("name=\"upgrade\" time=\"21.0\"/>"), "{text}");
        assert!(
            text.contains("<failure>expected &lt;a&gt;\n[2Jlast line &amp; &quot;quoted&quot;</failure>"),
            "{text}"
        );
    }
}
