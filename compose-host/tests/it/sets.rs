//! Package sets: ours against dnf's on the same metadata.

use rootling_compose::fetch::Cache;
use rootling_compose::repo::{self, RepoVars};
use rootling_compose::solve::{Request, solve};

use crate::dnf;
use crate::repos::{self, TestRepo};

/// Our answer, sorted, or our explanation.
pub fn ours(
    repos: &[TestRepo],
    packages: &[&str],
    exclude: &[&str],
    weak: bool,
) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for repo in repos {
        text += &format!("[{}]\nbaseurl=file://{}\ngpgcheck=0\n", repo.id, repo.dir.display());
        if let Some(priority) = repo.priority {
            text += &format!("priority={priority}\n");
        }
    }
    std::fs::write(dir.path().join("t.repo"), text).unwrap();
    let configs = repo::read_dir(dir.path(), &RepoVars::default()).unwrap();
    let cache = Cache::new(&dir.path().join("cache")).unwrap();
    let mut loaded = repo::load(configs, &["x86_64", "noarch"], &cache).map_err(|e| format!("{e:#}"))?;
    let strings = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let (packages, exclude) = (strings(packages), strings(exclude));
    let request = Request { packages: &packages, exclude: &exclude, recommends: weak };
    let ids = solve(&mut loaded, &request, &cache).map_err(|e| format!("{e:#}"))?;
    let mut set: Vec<String> = ids.into_iter().map(|id| loaded.pool.nevra(id)).collect();
    set.sort();
    Ok(set)
}

struct Case {
    name: &'static str,
    repos: &'static [(&'static str, Option<i32>, &'static str)],
    packages: &'static [&'static str],
    exclude: &'static [&'static str],
    /// Parts of our explanation where there is no solution.
    error: &'static [&'static str],
}

const fn case(
    name: &'static str,
    repo: &'static [(&str, Option<i32>, &str)],
    packages: &'static [&str],
) -> Case {
    Case { name, repos: repo, packages, exclude: &[], error: &[] }
}

const fn broken(mut case: Case, error: &'static [&'static str]) -> Case {
    case.error = error;
    case
}

const fn without(mut case: Case, exclude: &'static [&'static str]) -> Case {
    case.exclude = exclude;
    case
}

const CASES: &[Case] = &[
    case("newest version", &[("r", None, "a-1-1\na-2-1\nR b\nb-1-1\nb-1-2\nb-1-10")], &["a"]),
    case("versioned requirement takes an older one", &[("r", None, "a-1-1\nR b < 2\nb-1-1\nb-2-1")], &["a"]),
    case("epoch wins", &[("r", None, "a-1:1-1\na-9-1")], &["a"]),
    case(
        "virtual provide, first in the alphabet",
        &[("r", None, "a-1-1\nR v\nz-1-1\nP v\nb-1-1\nP v")],
        &["a"],
    ),
    case(
        "name seen in a requirement first",
        &[("r", None, "a-1-1\nR v\nR (z if nope)\nb-1-1\nP v\nz-1-1\nP v")],
        &["a"],
    ),
    case("file in primary", &[("r", None, "a-1-1\nR /usr/bin/x\nb-1-1\nF /usr/bin/x")], &["a"]),
    case("file only in filelists", &[("r", None, "a-1-1\nR /usr/share/x\nb-1-1\nL /usr/share/x")], &["a"]),
    case(
        "path asked for by the manifest",
        &[("r", None, "b-1-1\nL /usr/share/x\nc-1-1\nF /usr/bin/y")],
        &["/usr/share/x", "/usr/bin/y"],
    ),
    case("capability asked for", &[("r", None, "a-1-1\nP font(x)\nb-1-1")], &["font(x)"]),
    case(
        "nevra asked for",
        &[("r", None, "a-1-1\na-2-1\nb-1-1.x86_64\nc-1-1.x86_64")],
        &["a-1-1", "b.x86_64", "c-1"],
    ),
    case("pattern asked for", &[("r", None, "liba-1-1\nliba-2-1\nlibb-1-1\nc-1-1")], &["lib*"]),
    case("rich or", &[("r", None, "a-1-1\nR (x or y)\ny-1-1\nx-1-1")], &["a"]),
    case("rich or, one cannot be", &[("r", None, "a-1-1\nR (x or y)\nx-1-1\nR gone\ny-1-1")], &["a"]),
    case("rich and", &[("r", None, "a-1-1\nR (x and y)\nx-1-1\ny-1-1")], &["a"]),
    case("rich if, true", &[("r", None, "a-1-1\nR (x if y)\nx-1-1\ny-1-1")], &["a", "y"]),
    case("rich if, false", &[("r", None, "a-1-1\nR (x if y)\nx-1-1\ny-1-1")], &["a"]),
    case(
        "rich if, true only later",
        &[("r", None, "a-1-1\nR (x if y)\nR c\nc-1-1\nR (d or e)\nd-1-1\nR y\nx-1-1\ny-1-1")],
        &["a"],
    ),
    case("rich if, true by a weak one", &[("r", None, "a-1-1\nR (x if y)\nM y\nx-1-1\ny-1-1")], &["a"]),
    case(
        "rich if, true by a weak one's own",
        &[("r", None, "a-1-1\nR (x if z)\nM y\nx-1-1\ny-1-1\nR z\nz-1-1")],
        &["a"],
    ),
    case(
        "recommended provider of a later package",
        &[("r", None, "a-1-1\nR v\nR c\nb-1-1\nP v\nz-1-1\nP v\nc-1-1\nM z")],
        &["a"],
    ),
    case(
        "rich conflict",
        &[("r", None, "a-1-1\nR v\nC (b and c)\nR c\nb-1-1\nP v\nc-1-1\nd-1-1\nP v")],
        &["a"],
    ),
    case("rich if else", &[("r", None, "a-1-1\nR (x if y else z)\nx-1-1\ny-1-1\nz-1-1")], &["a"]),
    case("rich with", &[("r", None, "a-1-1\nR (v >= 1 with v < 3)\nb-1-1\nP v = 4\nc-1-1\nP v = 2")], &["a"]),
    case("rich without", &[("r", None, "a-1-1\nR (v without w)\nb-1-1\nP v\nP w\nc-1-1\nP v")], &["a"]),
    case("rich nested", &[("r", None, "a-1-1\nR ((x and y) or z)\nx-1-1\nz-1-1")], &["a"]),
    case("obsoleted by another", &[("r", None, "old-1-1\nnew-2-1\nO old < 2\nP old = 2")], &["old"]),
    case("obsoleted provider", &[("r", None, "a-1-1\nR v\nold-1-1\nP v\nnew-1-1\nO old\nP v")], &["a"]),
    case(
        "conflict avoided by choice",
        &[("r", None, "a-1-1\nR v\nb-1-1\nP v\nC c\nd-1-1\nP v\nc-1-1")],
        &["a", "c"],
    ),
    case("own conflict through a virtual provide", &[("r", None, "a-1-1\nP mta\nC mta\nb-1-1")], &["a", "b"]),
    case("same name in two repositories", &[("r", None, "a-1-1"), ("s", None, "a-2-1\nR b\nb-1-1")], &["a"]),
    case(
        "priority before version",
        &[("r", Some(10), "a-1-1\nR b\nb-1-1"), ("s", Some(20), "a-2-1\nb-2-1")],
        &["a"],
    ),
    case(
        "priority among providers",
        &[("r", Some(20), "a-1-1\nR v\nb-1-1\nP v"), ("s", Some(10), "z-1-1\nP v")],
        &["a"],
    ),
    case("other architectures do not count", &[("r", None, "a-1-1.x86_64\na-2-1.i686\nR b")], &["a"]),
    case("recommends", &[("r", None, "a-1-1\nM b\nM gone\nb-1-1\nR c\nc-1-1\nM d\nd-1-1")], &["a"]),
    case("recommends that cannot be", &[("r", None, "a-1-1\nM b\nb-1-1\nR gone")], &["a"]),
    case("recommends that conflicts", &[("r", None, "a-1-1\nM b\nb-1-1\nC c\nc-1-1")], &["a", "c"]),
    case("recommends a virtual provide", &[("r", None, "a-1-1\nM v\nz-1-1\nP v\nb-1-1\nP v")], &["a"]),
    case("rich recommends", &[("r", None, "a-1-1\nM (b if c)\nb-1-1\nc-1-1")], &["a", "c"]),
    case("supplements", &[("r", None, "a-1-1\nb-1-1\nS a\nc-1-1\nS nope")], &["a"]),
    case(
        "rich supplements",
        &[("r", None, "a-1-1\nb-1-1\nc-1-1\nS (a and b)\nd-1-1\nS (a and nope)")],
        &["a", "b"],
    ),
    case("supplements of a recommended one", &[("r", None, "a-1-1\nM b\nb-1-1\nc-1-1\nS b")], &["a"]),
    case(
        "recommended provider is preferred",
        &[("r", None, "a-1-1\nR v\nM z\nb-1-1\nP v\nz-1-1\nP v")],
        &["a"],
    ),
    case(
        "two kernels",
        &[("r", None, "k-1-1\nP installonlypkg(kernel)\nk-2-1\nP installonlypkg(kernel)")],
        &["k"],
    ),
    case(
        "two kernels, each asked for",
        &[("r", None, "k-1-1\nP installonlypkg(kernel)\nk-2-1\nP installonlypkg(kernel)\na-1-1\nR k = 1")],
        &["k", "a"],
    ),
    without(
        case("exclude makes another choice", &[("r", None, "a-1-1\nR v\nb-1-1\nP v\nc-1-1\nP v")], &["a"]),
        &["b"],
    ),
    without(case("exclude a version", &[("r", None, "a-1-1\na-2-1")], &["a"]), &["a-2*"]),
    without(case("exclude takes a recommended one", &[("r", None, "a-1-1\nM b\nb-1-1")], &["a"]), &["b"]),
    broken(
        without(case("exclude takes a required one", &[("r", None, "a-1-1\nR b\nb-1-1")], &["a"]), &["b"]),
        &["nothing provides b needed by a-1-1.noarch, except b-1-1.noarch (excluded by exclude-packages)"],
    ),
    broken(
        without(case("exclude takes the wanted one", &[("r", None, "a-1-1")], &["a"]), &["a"]),
        &["\"a\" matches only excluded packages: a-1-1.noarch (excluded by exclude-packages)"],
    ),
    broken(
        case("missing name", &[("r", None, "a-1-1")], &["a", "nope", "nor"]),
        &["no package, capability or path \"nope\" in repositories r", "\"nor\""],
    ),
    broken(
        case("missing dependency", &[("r", None, "a-1-1\nR b\nb-1-1\nR gone >= 2")], &["a"]),
        &[
            "the manifest asks for a",
            "a-1-1.noarch requires b, provided by b-1-1.noarch",
            "nothing provides gone >= 2 needed by b-1-1.noarch",
        ],
    ),
    broken(
        case("conflict", &[("r", None, "a-1-1\nP daemon\nC daemon\nb-1-1\nP daemon")], &["a", "b"]),
        &["a-1-1.noarch conflicts with daemon, which b-1-1.noarch is"],
    ),
    broken(
        case("best version cannot be", &[("r", None, "a-1-1\na-2-1\nR gone")], &["a"]),
        &["nothing provides gone needed by a-2-1.noarch"],
    ),
    broken(
        case(
            "two versions of one name",
            &[("r", None, "a-1-1\nR c = 1\nb-1-1\nR c = 2\nc-1-1\nc-2-1")],
            &["a", "b"],
        ),
        &["c = 1", "c = 2"],
    ),
];

#[test]
fn sets_equal_dnfs() {
    let dir = tempfile::tempdir().unwrap();
    let repos: Vec<Vec<TestRepo>> = CASES
        .iter()
        .enumerate()
        .map(|(number, case)| {
            let dir = dir.path().join(number.to_string());
            case.repos.iter().map(|(id, priority, text)| repos::write(&dir, id, *priority, text)).collect()
        })
        .collect();
    let mut queries = Vec::new();
    for (case, repos) in CASES.iter().zip(&repos) {
        for weak in [false, true] {
            queries.push((case, dnf::Query { repos, packages: case.packages, exclude: case.exclude, weak }));
        }
    }
    let (cases, queries): (Vec<&Case>, Vec<dnf::Query>) = queries.into_iter().unzip();
    let mut wrong = Vec::new();
    for ((case, query), dnfs) in cases.iter().zip(&queries).zip(dnf::install(&queries)) {
        let ours = ours(query.repos, query.packages, query.exclude, query.weak);
        let same = match (&ours, &dnfs) {
            (Ok(ours), Ok(dnfs)) => ours == dnfs && case.error.is_empty(),
            (Err(ours), Err(_)) => {
                !case.error.is_empty() && case.error.iter().all(|part| ours.contains(part))
            }
            _ => false,
        };
        if !same {
            wrong.push(format!("{} (weak: {}):\n  ours: {ours:?}\n  dnf:  {dnfs:?}", case.name, query.weak));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), queries.len(), wrong.join("\n"));
}
