//! The units that ship with the program, read by systemd itself.

use std::fs;
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 4] = [
    "rootling-confirm.service",
    "rootling-deadline.service",
    "rootling-deadline.timer",
    "rootling-finalize.service",
];

#[test]
fn systemd_understands_the_units() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("units");
    let dir = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_rootling");
    for unit in UNITS {
        // the program is not installed where the test runs
        let text = fs::read_to_string(folder.join(unit)).unwrap();
        fs::write(dir.path().join(unit), text.replace("/usr/bin/rootling", program)).unwrap();
    }
    let mut command = Command::new("systemd-analyze");
    command.arg("verify").args(["--recursive-errors=no", "--man=no"]);
    let output = command.args(UNITS.map(|unit| dir.path().join(unit))).output();
    let output = output.unwrap_or_else(|error| panic!("systemd-analyze: {error}; apt-get install systemd"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("rootling-"), "{said}");
}

#[test]
fn the_units_call_what_the_program_knows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("units");
    let mut calls = 0;
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|file| file.is_file()) {
        let text = fs::read_to_string(file).unwrap();
        for call in text.split("/usr/bin/rootling ").skip(1) {
            let words: Vec<&str> = call.lines().next().unwrap().split_whitespace().collect();
            let words =
                words.into_iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            let mut command = Command::new(env!("CARGO_BIN_EXE_rootling"));
            let output = command.args(words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{call}: {}", String::from_utf8_lossy(&output.stderr));
            calls += 1;
        }
    }
    assert!(calls >= 3, "{calls} calls");
}

#[test]
fn the_deadline_is_for_trials_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("units");
    let timer = fs::read_to_string(folder.join("rootling-deadline.timer")).unwrap();
    let init = fs::read_to_string(folder.join("rootling.init")).unwrap();
    let argument = rootling_boot::loader::TRIAL_ARG;
    let counted =
        format!("/sys/firmware/efi/efivars/LoaderBootCountPath-{}", rootling_boot::sdboot::variable::GUID);
    let conditions: Vec<&str> = timer.lines().filter(|line| line.starts_with("Condition")).collect();
    let want = [format!("ConditionKernelCommandLine=|{argument}"), format!("ConditionPathExists=|{counted}")];
    assert_eq!(conditions, want);

    let (start, end) = (init.find("grep -qwF").unwrap(), init.rfind(" || return 0\n").unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (cmdline, variable) = (dir.path().join("cmdline"), dir.path().join("variable"));
    let check = init[start..end].replace("/proc/cmdline", cmdline.to_str().unwrap());
    let check = check.replace("$counted", variable.to_str().unwrap());
    let waits = || Command::new("sh").args(["-c", &check]).status().unwrap().success();
    for (args, want) in [
        (format!("quiet {argument} panic=5"), true),
        ("quiet panic=10".into(), false),
        ("panic=100 rootling.watchdog=60".into(), false),
    ] {
        fs::write(&cmdline, format!("{args}\n")).unwrap();
        assert_eq!(waits(), want, "{args}");
    }
    let counted = counted.replace("/sys/firmware/efi/efivars", "$vars");
    assert!(init.contains(&format!("counted={counted}\n")));
    fs::write(&variable, "").unwrap();
    assert!(waits());
}

/// The script for systems without systemd, with stubs for what it calls: what it waited for, and what came of it.
#[test]
fn the_scripts_deadline_is_a_setting() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("units/rootling.init");
    let script = fs::read_to_string(script).unwrap();
    for (setting, action, confirms, want) in [
        (None, "start", false, "rootling boot confirm --reboot\nsleep 900\nreboot -f\n"),
        (Some("DEADLINE=20\n"), "start", false, "rootling boot confirm --reboot\nsleep 20\nreboot -f\n"),
        (Some("DEADLINE=20\n"), "start", true, "rootling boot confirm --reboot\nsleep 20\n"),
        (Some("OTHER=1\n"), "start", true, "rootling boot confirm --reboot\nsleep 900\n"),
        // what rootling-deadline.init began is not begun twice
        (None, "deadline", false, "rootling boot confirm --reboot\nsleep 900\nreboot -f\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (log, confirmed) = (at("log"), at("run/confirmed"));
        let confirm = if confirms { format!("; touch {confirmed}") } else { String::new() };
        // the deadline comes after the confirm, as its time does
        let stubs = format!(
            "told() {{ echo \"$@\" >>{log}; }}; rootling() {{ told rootling \"$@\"{confirm}; touch {0}; }}\n\
             sleep() {{ while [ ! -e {0} ]; do :; done; told sleep \"$@\"; }}; reboot() {{ told reboot \"$@\"; }}\n\
             mount() {{ :; }}\n",
            at("asked")
        );
        let mut own = script.clone();
        for (path, stub) in [
            ("/usr/bin/rootling", "rootling"),
            ("/etc/default/rootling", &at("default")),
            ("/proc/cmdline", &at("cmdline")),
            ("/run/rootling", &at("run")),
        ] {
            assert!(own.contains(path), "{path}");
            own = own.replace(path, stub);
        }
        fs::write(at("cmdline"), format!("quiet {}\n", rootling_boot::loader::TRIAL_ARG)).unwrap();
        if let Some(setting) = setting {
            fs::write(at("default"), setting).unwrap();
        }
        let start = format!("set start\n{own}").repeat(usize::from(action == "deadline"));
        let script = format!("{stubs}{own}\n{start}\nwait\n");
        let status = Command::new("sh").args(["-c", &script, "sh", action]).status();
        assert!(status.unwrap().success());
        assert_eq!(fs::read_to_string(log).unwrap(), want, "{setting:?}, confirmed: {confirms}");
    }
}

/// Before the services efivarfs may not be mounted, and what systemd-boot says of a try not to be seen: until it can be mounted.
#[test]
fn a_try_that_is_seen_late_has_its_deadline_too() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("units/rootling.init");
    for (mount, want) in [("return 1", "sleep 2\n"), (": >\"$4/$variable\"", "sleep 1\n")] {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("cmdline"), "quiet panic=10\n").unwrap();
        fs::create_dir(at("efivars")).unwrap();
        let script =
            [("/usr/bin/rootling", "true"), ("/proc/cmdline", &at("cmdline")), ("/run/rootling", &at("run"))]
                .into_iter()
                .chain([("/sys/firmware/efi/efivars", at("efivars").as_str()), ("/etc/default/", &at(""))])
                .fold(fs::read_to_string(&script).unwrap(), |script, (path, stub)| {
                    script.replace(path, stub)
                });
        let variable = format!("LoaderBootCountPath-{}", rootling_boot::sdboot::variable::GUID);
        let stubs = format!(
            "variable={variable}; call=1; mount() {{ {mount}; }}; reboot() {{ :; }}\n\
             sleep() {{ echo sleep $call >>{}; }}",
            at("log")
        );
        let calls = format!(
            "{stubs}\nset deadline\n{script}\nwait\ncall=2; : >'{}'\nset start\n{script}\nwait\n",
            at(&format!("efivars/{variable}"))
        );
        assert!(Command::new("sh").args(["-c", &calls]).status().unwrap().success());
        assert_eq!(fs::read_to_string(at("log")).unwrap(), want, "mount: {mount}");
    }
}

/// It comes before the services, and has the other script begin the deadline; at the end it does nothing.
#[test]
fn the_deadline_begins_before_the_services() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("units");
    let early = fs::read_to_string(folder.join("rootling-deadline.init")).unwrap();
    assert!(
        early.contains("\n# Required-Start:    $local_fs\n") && early.contains("\n# Default-Start:     S\n")
    );
    assert!(early.contains("/etc/init.d/rootling "), "{early}");
    let stubbed = early.replace("/etc/init.d/rootling", "echo");
    for (action, want) in [("start", "deadline\n"), ("stop", "")] {
        let output = Command::new("sh").args(["-c", &stubbed, "sh", action]).output().unwrap();
        assert!(output.status.success(), "{action}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), want, "{action}");
    }
}

#[test]
fn a_confirm_that_failed_is_tried_again() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("units/rootling-confirm.service");
    let text = fs::read_to_string(unit).unwrap();
    let has = |line: &str| text.lines().any(|l| l == line);
    assert!(has("Restart=on-failure") && has("RestartSec=30"), "{text}");
    assert!(!has("Type=oneshot"), "refused by systemd before 244: {text}");
}

/// The drop-in is read by systemd with the unit it is for, and its condition is what keeps that from a deployment.
#[test]
fn systemds_bless_step_stays_away_from_deployments() {
    const BLESS: &str = "systemd-bless-boot.service";
    let dir = tempfile::tempdir().unwrap();
    let unit = "[Unit]\nDescription=Mark the Current Boot Loader Entry as Good\n[Service]\nType=oneshot\nExecStart=/bin/true\n";
    let folder = format!("{BLESS}.d");
    fs::write(dir.path().join(BLESS), unit).unwrap();
    fs::create_dir(dir.path().join(&folder)).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("units").join(&folder).join("50-rootling.conf");
    fs::copy(&shipped, dir.path().join(&folder).join("50-rootling.conf")).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.arg("verify").args(["--recursive-errors=no", "--man=no"]).arg(dir.path().join(BLESS));
    let output = command.output().expect("systemd-analyze: apt-get install systemd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("rootling"), "{said}");

    let text = fs::read_to_string(shipped).unwrap();
    let condition = text.lines().find(|line| line.starts_with("Condition")).unwrap();
    let booted = dir.path().join("ostree-booted");
    let condition = condition.replace("/run/ostree-booted", booted.to_str().unwrap());
    let runs = || {
        let status = Command::new("systemd-analyze").args(["condition", &condition]).output().unwrap().status;
        status.success()
    };
    assert!(runs(), "where no deployment runs");
    fs::write(&booted, "").unwrap();
    assert!(!runs(), "{condition}");
}
