//! The boots of a timeline.

use crate::machine::{Moment, What};

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The guest's init ran: its commit, and whether it was on trial.
    Booted(String, bool),
    /// The kernel gave up.
    Panic,
    /// Nothing of it was seen.
    Silent,
}

/// One boot: from the start or restart of the machine to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// When it began, in seconds.
    pub start: f64,
    /// When init ran, or the kernel gave up.
    pub seen: Option<f64>,
    /// When the shell waited.
    pub ready: Option<f64>,
    /// When the next began, or the last thing happened.
    pub end: f64,
    /// How it ended.
    pub how: End,
    /// What was typed, and measured.
    pub commands: Vec<(f64, String)>,
}

/// Cuts a timeline into its boots.
pub fn spans(timeline: &[Moment]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for moment in timeline {
        if let Some(last) = spans.last_mut() {
            last.end = moment.at;
        }
        match (&moment.what, spans.last_mut()) {
            (What::Start, _) => spans.push(Span {
                start: moment.at,
                seen: None,
                ready: None,
                end: moment.at,
                how: End::Silent,
                commands: Vec::new(),
            }),
            (What::Booted(booted), Some(last)) => {
                last.seen = Some(moment.at);
                last.how = End::Booted(booted.commit.clone(), booted.on_trial);
            }
            (What::Panic, Some(last)) => {
                last.seen = Some(moment.at);
                last.how = End::Panic;
            }
            (What::Ready, Some(last)) => last.ready = Some(moment.at),
            (What::Command(text) | What::Measured(text), Some(last)) => {
                last.commands.push((moment.at, text.clone()))
            }
            (What::Cut, _) | (_, None) => {}
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_lasts_until_the_next() {
        let spans = spans(&crate::report::tests::examples()[0].timeline);
        assert_eq!(spans.len(), 2);
        assert_eq!((spans[0].seen, spans[0].ready, spans[0].end), (Some(8.0), Some(9.0), 12.0));
        assert_eq!(spans[0].how, End::Booted("ab".into(), false));
        assert_eq!((spans[1].start, spans[1].end, &spans[1].how), (12.0, 20.0, &End::Panic));
        assert!(super::spans(&[]).is_empty());
    }
}
