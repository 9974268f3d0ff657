//! The workspace as cargo sees it.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::{cargo, output};

/// A package of the workspace.
#[derive(Debug)]
pub struct Package {
    /// As in its Cargo.toml.
    pub name: String,
    /// Names of its features.
    pub features: Vec<String>,
    /// Packages of this workspace that it needs, but not only in tests.
    pub needs: Vec<String>,
}

/// All packages of the workspace at `root`.
pub fn packages(root: &Path) -> Result<Vec<Package>> {
    let text = output(cargo("metadata --no-deps --format-version 1").current_dir(root))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata: no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependencies = value["dependencies"].as_array().into_iter().flatten();
    let internal = dependencies.filter(|d| d["path"].is_string() && d["kind"] != "dev");
    Package {
        name: text(&value["name"]),
        features: value["features"].as_object().into_iter().flat_map(|map| map.keys().cloned()).collect(),
        needs: internal.map(|dependency| text(&dependency["name"])).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_dependencies_and_foreign_crates_are_no_edges() {
        let value = serde_json::json!({"name": "a", "features": {"f": []}, "dependencies": [
            {"name": "b", "path": "/b", "kind": null}, {"name": "c", "path": "/c", "kind": "dev"},
            {"name": "d", "kind": null}, {"name": "e", "path": "/e", "kind": "build"}]});
        let package = package(&value);
        assert_eq!((package.needs, package.features), (vec!["b".into(), "e".into()], vec!["f".to_owned()]));
    }
}
