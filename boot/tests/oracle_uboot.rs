//! U-Boot's tools against this crate, in both directions: mkenvimage (u-boot-tools), fw_printenv and fw_setenv
//! (libubootenv-tool).

mod common;

use common::{Random, tool, try_tool};
use rootling_boot::uboot::{EnvConfig, Environment, Flags, Start, Vars, crc32};
use std::fs;
use std::path::{Path, PathBuf};

const SIZE: usize = 0x400;

struct Board {
    dir: tempfile::TempDir,
    two: bool,
}

impl Board {
    fn new(two: bool) -> Board {
        let board = Board { dir: tempfile::tempdir().unwrap(), two };
        let first = format!("{} 0 {SIZE:#x}\n", board.image().display());
        let second = format!("{} {SIZE:#x} {SIZE:#x}\n", board.image().display());
        fs::write(board.path("fw_env.config"), first + if two { &second } else { "" }).unwrap();
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.path("env.bin")
    }

    fn mkenvimage(&self, text: &str) -> Vec<u8> {
        let (source, out) = (self.path("text"), self.path("made"));
        fs::write(&source, text).unwrap();
        let (source, out) = (source.to_str().unwrap(), out.to_str().unwrap());
        let size = format!("{SIZE}");
        let redundant: &[&str] = if self.two { &["-r"] } else { &[] };
        tool("mkenvimage", "u-boot-tools", &[redundant, &["-s", &size, "-o", out, source]].concat());
        fs::read(out).unwrap()
    }

    fn read(&self) -> Environment {
        let config = EnvConfig::parse(&fs::read_to_string(self.path("fw_env.config")).unwrap()).unwrap();
        let bytes = fs::read(self.image()).unwrap();
        assert_eq!(config.second.is_some(), self.two);
        match self.two {
            true => Environment::decode_two(&bytes[..SIZE], &bytes[SIZE..], Flags::Increment).unwrap(),
            false => Environment::decode(&bytes).unwrap(),
        }
    }

    fn write(&self, env: &Environment, vars: &Vars) {
        let copy = env.encode(vars, Flags::Increment).unwrap();
        let mut bytes = fs::read(self.image()).unwrap();
        let at = if env.chosen == rootling_boot::uboot::Chosen::First { SIZE } else { 0 };
        bytes[at..at + SIZE].copy_from_slice(&copy);
        fs::write(self.image(), bytes).unwrap();
    }

    fn fw(&self, name: &str, args: &[&str]) -> (String, bool) {
        let config = self.path("fw_env.config");
        let args = [&["-c", config.to_str().unwrap()], args].concat();
        let (out, good) = try_tool(name, "libubootenv-tool", &args);
        (String::from_utf8(out).unwrap(), good)
    }

    fn printed(&self) -> Vec<String> {
        let (out, good) = self.fw("fw_printenv", &[]);
        assert!(good, "{out}");
        let mut lines: Vec<String> = out.lines().map(String::from).collect();
        lines.sort();
        lines
    }
}

fn lines(vars: &Vars) -> Vec<String> {
    let mut lines: Vec<String> =
        vars.names().map(|name| format!("{name}={}", vars.get(name).unwrap())).collect();
    lines.sort();
    lines
}

#[test]
fn reads_what_mkenvimage_makes_and_the_other_way_round() {
    for two in [false, true] {
        let board = Board::new(two);
        let made = board.mkenvimage("a=1\nbootcmd=run x; echo $y\n.flags=a:dw\nempty=\n");
        let bytes = if two { [made.clone(), vec![0xff; SIZE]].concat() } else { made.clone() };
        fs::write(board.image(), bytes).unwrap();
        let env = board.read();
        assert_eq!(lines(&env.vars), [".flags=a:dw", "a=1", "bootcmd=run x; echo $y", "empty="]);
        board.write(&env, &env.vars);
        // fw_printenv keeps .flags to itself
        let shown: Vec<String> = lines(&env.vars).into_iter().filter(|line| !line.starts_with('.')).collect();
        assert_eq!(board.printed(), shown);
    }
}

#[test]
fn edits_give_the_same_variables_whoever_makes_them() {
    let mut random = Random(5);
    for two in [false, true] {
        let board = Board::new(two);
        let made = board.mkenvimage("a=1\n");
        fs::write(board.image(), if two { [made.clone(), made].concat() } else { made }).unwrap();
        for _ in 0..40 {
            let name = ["a", "bootcount", "upgrade_available", "x.y", "long_name_0"][random.below(5)];
            let value = random.text("ab 1$;='\"", 30);
            let before = board.read();
            let mut vars = before.vars.clone();
            match value.is_empty() {
                true => vars.unset(name),
                false => vars.set(name, &value).unwrap(),
            }
            if random.below(2) == 0 {
                board.write(&before, &vars);
            } else {
                // fw_setenv with no value takes the variable out
                let args = if value.is_empty() { vec![name] } else { vec![name, &value] };
                let (out, good) = board.fw("fw_setenv", &args);
                assert!(good, "{out}");
            }
            assert_eq!(lines(&board.read().vars), lines(&vars), "{name}={value:?}");
            assert_eq!(board.printed(), lines(&vars), "{name}={value:?}");
        }
    }
}

#[test]
fn both_choose_the_same_copy() {
    let board = Board::new(true);
    let copy = |value: &str, flags: u8| {
        let mut vars = Vars::default();
        vars.set("a", value).unwrap();
        let data = vars.encode(SIZE - 5).unwrap();
        [&crc32(&data).to_le_bytes()[..], &[flags], &data].concat()
    };
    for (first, second) in
        [(1, 2), (2, 1), (255, 0), (0, 255), (7, 7), (0, 1), (254, 255), (255, 254), (1, 0)]
    {
        fs::write(board.image(), [copy("first", first), copy("second", second)].concat()).unwrap();
        let ours = board.read().vars.get("a").unwrap().to_string();
        assert_eq!(board.printed(), [format!("a={ours}")], "flags {first} and {second}");
    }
    for damaged in [0, 1] {
        let mut copies = [copy("first", 1), copy("second", 1)];
        copies[damaged][100] ^= 1;
        fs::write(board.image(), copies.concat()).unwrap();
        assert!(board.read().other_damaged);
        assert_eq!(board.printed(), [["a=second"], ["a=first"]][damaged]);
    }
}

#[test]
fn a_damaged_environment_is_refused_by_both() {
    let board = Board::new(false);
    let mut made = board.mkenvimage("a=1\n");
    made[8] ^= 1;
    fs::write(board.image(), &made).unwrap();
    assert!(Environment::decode(&made).unwrap_err().to_string().contains("checksum"));
    let (out, good) = board.fw("fw_printenv", &[]);
    assert!(!good || !out.contains("a=1"), "fw_printenv took it: {out}");
}

#[test]
fn mutated_environments_and_configs_are_read_or_refused() {
    let board = Board::new(true);
    let seed = board.mkenvimage("a=1\nb=2\n.flags=a:dw\n");
    let config = fs::read(Path::new(&board.path("fw_env.config"))).unwrap();
    let mut random = Random(9);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..5000 {
        let (mut first, second) = (random.mutate(&seed), random.mutate(&seed));
        if random.below(2) == 0 {
            // a good checksum, so that what is behind it is read
            let crc = crc32(first.get(5..).unwrap_or_default()).to_le_bytes();
            first.iter_mut().zip(crc).for_each(|(byte, crc)| *byte = crc);
        }
        match Environment::decode_two(&first, &second, Flags::Increment) {
            Ok(env) => {
                let copy = env.encode(&env.vars, Flags::Increment).unwrap();
                assert_eq!(
                    Environment::decode_two(&copy, &vec![0; copy.len()], Flags::Increment).unwrap().vars,
                    env.vars
                );
                read += 1;
            }
            Err(_) => refused += 1,
        }
        let _ = Environment::decode(&first);
        if let Ok(text) = String::from_utf8(random.mutate(&config)) {
            let _ = EnvConfig::parse(&text);
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn of_a_name_that_is_there_twice_the_last_counts() {
    let board = Board::new(false);
    fs::write(board.image(), board.mkenvimage("a=1\nb=1\na=2\nc=1\na=3\n")).unwrap();
    assert_eq!(board.printed(), ["a=3", "b=1", "c=1"]);
    let env = board.read();
    assert_eq!(env.vars.get("a"), Some("3"));
    let mut vars = env.vars.clone();
    vars.set("a", "4").unwrap();
    board.write(&env, &vars);
    assert_eq!(board.printed(), ["a=4", "b=1", "c=1"]);
    assert_eq!(lines(&board.read().vars), ["a=4", "b=1", "c=1"], "one is left");
}

#[test]
fn lines_of_the_configuration_mean_what_the_tool_takes_them_for() {
    let board = Board::new(false);
    let copy = board.mkenvimage("a=1\n");
    for (line, at) in [
        ("0 400", 0),
        ("0x0 0x400", 0),
        ("00 0X0400", 0),
        ("1024 400", 1024),
        ("02000 400", 1024),
        ("0x400 400", 1024),
        ("010 400", 8),
        ("0 400 16384 1 0", 0),
        ("0 400 # the only one", 0),
        ("1024 400 1000 1 1 1 1", 1024),
        // read as 0x1024 bytes, whose checksum is another
        ("0 1024", usize::MAX),
    ] {
        let mut image = vec![0; 0x2000];
        image.iter_mut().skip(at).zip(&copy).for_each(|(byte, copy)| *byte = *copy);
        fs::write(board.image(), &image).unwrap();
        let text = format!("{} {line}\n", board.image().display());
        fs::write(board.path("fw_env.config"), &text).unwrap();
        let (printed, _) = board.fw("fw_printenv", &["a"]);
        let area = EnvConfig::parse(&text).unwrap().first;
        let Start::FromStart(start) = area.start else { panic!("{line}") };
        let start = usize::try_from(start).unwrap();
        let ours = Environment::decode(&image[start..start + area.size]);
        let ours = ours.map(|env| format!("a={}\n", env.vars.get("a").unwrap())).unwrap_or_default();
        assert_eq!(ours == "a=1\n", at != usize::MAX, "{line}: {ours}");
        assert_eq!(printed == "a=1\n", at != usize::MAX, "{line}: {printed}");
    }
}
