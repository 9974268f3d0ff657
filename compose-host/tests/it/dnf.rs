//! `dnf` as the oracle: the same repositories and names, its answer.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::repos::TestRepo;

/// Answers through dnf's Python interface; nothing is downloaded or installed. All queries go to one process, since
/// starting dnf takes longer than solving.
const SCRIPT: &str = r#"
import sys, json, dnf
def answer(cfg):
    base = dnf.Base()
    c = base.conf
    c.installroot = cfg["root"]; c.cachedir = cfg["root"] + "/cache"; c.persistdir = cfg["root"] + "/persist"
    c.logdir = cfg["root"]; c.reposdir = []; c.pluginpath = []; c.module_platform_id = "platform:x1"
    for k in ("releasever", "arch", "basearch"): c.substitutions[k] = cfg[k]
    c.install_weak_deps = cfg["weak"]; c.best = True; c.strict = True; c.excludepkgs = cfg["exclude"]
    for r in cfg["repos"]:
        repo = base.repos.add_new_repo(r["id"], c, baseurl=["file://" + r["path"]])
        repo.gpgcheck = False
        if r["priority"] is not None: repo.priority = r["priority"]
    base.fill_sack(load_system_repo=False)
    try:
        for p in cfg["packages"]: base.install(p)
        base.resolve()
    except dnf.exceptions.Error as e:
        return {"error": str(e)}
    return {"set": ["%s-%s%s-%s.%s" % (p.name, "" if p.epoch == 0 else "%d:" % p.epoch, p.version, p.release, p.arch)
        for p in base.transaction.install_set]}
print(json.dumps([answer(cfg) for cfg in json.load(sys.stdin)]))
"#;

/// One question.
pub struct Query<'a> {
    pub repos: &'a [TestRepo],
    pub packages: &'a [&'a str],
    pub exclude: &'a [&'a str],
    pub weak: bool,
}

/// For each query the sorted NEVRAs dnf would install, or what it says against it.
pub fn install(queries: &[Query]) -> Vec<Result<Vec<String>, String>> {
    let scratch = tempfile::tempdir().unwrap();
    let configs: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(number, query)| {
            let root = scratch.path().join(number.to_string());
            std::fs::create_dir(&root).unwrap();
            let repos = query.repos.iter();
            json!({
                "root": root,
                "weak": query.weak,
                "exclude": query.exclude,
                "packages": query.packages,
                "releasever": "1",
                "arch": "x86_64",
                "basearch": "x86_64",
                "repos": repos
                    .map(|repo| json!({"id": repo.id, "path": repo.dir, "priority": repo.priority}))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3 is not here, install dnf");
    child.stdin.take().unwrap().write_all(Value::from(configs).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "dnf failed, is it installed?");
    // modules may print before the answer
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    answers.iter().map(read).collect()
}

fn read(answer: &Value) -> Result<Vec<String>, String> {
    if let Some(error) = answer.get("error") {
        return Err(error.as_str().unwrap().to_string());
    }
    let mut set: Vec<String> =
        answer["set"].as_array().unwrap().iter().map(|nevra| nevra.as_str().unwrap().to_string()).collect();
    set.sort();
    Ok(set)
}
