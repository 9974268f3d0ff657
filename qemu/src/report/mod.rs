//! What a run has shown: text, JUnit XML for other programs, and a page with the timeline of each boot.

pub mod boots;
mod html;
mod junit;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::What;
use crate::scenario::Outcome;

/// Writes `report.txt`, `junit.xml` and `index.html`.
pub fn write(folder: &Path, outcomes: &[Outcome]) -> Result<()> {
    for (name, text) in [
        ("report.txt", text(outcomes)),
        ("junit.xml", junit::text(outcomes)),
        ("index.html", html::text(outcomes)),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// One line for each scenario, then the sum.
pub fn text(outcomes: &[Outcome]) -> String {
    let mut text: String = outcomes.iter().map(|outcome| line(outcome) + "\n").collect();
    let failed = outcomes.iter().filter(|outcome| outcome.fault.is_some()).count();
    let sum = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>();
    text.push_str(&format!(
        "{} scenarios, {failed} failed, {} boots, {:.0} s, {:.0} CPU seconds\n",
        outcomes.len(),
        outcomes.iter().map(|outcome| boots::spans(&outcome.timeline).len()).sum::<usize>(),
        sum(|outcome| outcome.wall_s),
        sum(|outcome| outcome.cpu_s)
    ));
    text
}

/// One scenario.
pub fn line(outcome: &Outcome) -> String {
    let head = format!(
        "{} {:<22} {:<13} {:>2} boots {:>7.1} s {:>7.1} CPU s",
        if outcome.fault.is_none() { "ok    " } else { "FAILED" },
        outcome.path.to_string(),
        outcome.scenario.name(),
        boots::spans(&outcome.timeline).len(),
        outcome.wall_s,
        outcome.cpu_s
    );
    let measured = outcome.timeline.iter().filter_map(|moment| match &moment.what {
        What::Measured(what) => Some(format!("\n    {what}")),
        _ => None,
    });
    let head = head + &measured.collect::<String>();
    match &outcome.fault {
        None => head,
        Some(fault) => format!(
            "{head}\n    {}\n    serial port: {}",
            fault.replace('\n', "\n    "),
            outcome.log.display()
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::machine::Moment;
    use crate::machine::marker::Booted;
    use crate::scenario::Scenario;

    /// One that passed and one that did not.
    pub(crate) fn examples() -> Vec<Outcome> {
        let booted =
            |on_trial| What::Booted(Booted { commit: "ab".into(), deployment: "ab.0".into(), on_trial });
        let timeline = [
            (0.0, What::Start),
            (8.0, booted(false)),
            (9.0, What::Ready),
            (10.0, What::Command("rootling upgrade <a&b>".into())),
            (11.0, What::Measured("7 <KiB>".into())),
            (12.0, What::Start),
            (20.0, What::Panic),
        ];
        let timeline: Vec<Moment> = timeline.map(|(at, what)| Moment { at, what }).into();
        let one = Outcome {
            path: "x86_64/grub".parse().unwrap(),
            scenario: Scenario::Upgrade,
            fault: None,
            wall_s: 21.0,
            cpu_s: 19.5,
            timeline,
            log: "/logs/serial.log".into(),
        };
        let bad = Outcome {
            scenario: Scenario::Panic,
            fault: Some("expected <a>\n\u{1b}[2Jlast line & \"quoted\"".into()),
            ..one.clone()
        };
        vec![one, bad]
    }

    #[test]
    fn a_failure_names_its_reason_and_its_log() {
        let text = text(&examples());
        assert!(
            text.starts_with(
                "ok     x86_64/grub            upgrade        2 boots    21.0 s    19.5 CPU s\n    7 <KiB>\n"
            ),
            "{text}"
        );
        assert!(text.contains("FAILED x86_64/grub") && text.contains("    expected <a>\n"), "{text}");
        assert!(text.contains("serial port: /logs/serial.log\n"), "{text}");
        assert!(text.ends_with("2 scenarios, 1 failed, 4 boots, 42 s, 39 CPU seconds\n"), "{text}");
    }
}
