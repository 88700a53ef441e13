use std::fs;

use crate::architecture::{self, CrateRow, crate_table};
use crate::sources::{root, rust_files};

/// A crate of the workspace and what its Cargo.toml says it uses.
struct Member {
    folder: String,
    manifest: toml::Table,
}

impl Member {
    /// Names of its normal dependencies, as they are written.
    fn dependencies(&self) -> Vec<&str> {
        let table = self.manifest.get("dependencies").and_then(toml::Value::as_table);
        table.map(|table| table.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn row<'a>(&self, table: &'a [CrateRow]) -> &'a CrateRow {
        table
            .iter()
            .find(|row| row.covers(&self.folder))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md's table has no row for {}", self.folder))
    }
}

fn members() -> Vec<Member> {
    let manifest = manifest_in("");
    let folders = manifest["workspace"]["members"].as_array().expect("a list of members");
    folders
        .iter()
        .map(|folder| folder.as_str().expect("a folder").to_owned())
        .map(|folder| Member { manifest: manifest_in(&folder), folder })
        .collect()
}

fn manifest_in(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().expect("Cargo.toml is TOML")
}

/// What must not stand in the source of a crate, for a word of the table's last column.
fn forbidden_texts(word: &str) -> Vec<String> {
    let texts: &[&str] = match word {
        "async" => &["async fn", "tokio"],
        "clock" => &["Instant::now", "SystemTime", "std::time::Instant"],
        "IO" => &["std::fs", "std::io", "TcpStream", "TcpListener", "UdpSocket", "tokio"],
        "sockets" => &["TcpStream", "TcpListener", "UdpSocket", "socket2"],
        "std::net" => &["TcpStream", "TcpListener", "UdpSocket"],
        "files" | "std::fs" => &["std::fs"],
        "threads" => &["std::thread", "thread::spawn"],
        "config" => &["figment", "toml::"],
        "hooks" => &["pintle_plugin_host"],
        "tokio" => &["tokio"],
        "wasmtime" => &["wasmtime"],
        "mlua" => &["mlua"],
        "std::time::Instant" => &["std::time::Instant", "Instant::now"],
        "SystemTime" => &["SystemTime"],
        "broker/*" | "broker/" => &[
            "pintle_mqtt",
            "pintle_session",
            "pintle_router",
            "pintle_ports",
            "pintle_engine",
            "pintle_store",
            "pintle_plugin_host",
            "pintle_server",
        ],
        "mqtt" | "session" | "router" | "ports" | "engine" | "store" | "plugin-host" | "server"
        | "plugin-api" => return vec![format!("pintle_{}", word.replace('-', "_"))],
        // Words of sentences such as “anything of `broker/`”; arrows say the same.
        "anything" | "of" | "everything" | "else" | "and" | "or" => &[],
        other => panic!("ARCHITECTURE.md: no test knows what `{other}` in the last column means"),
    };
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_crate_uses_only_what_the_table_of_architecture_md_allows() {
    let table = crate_table();
    let mut broken = Vec::new();
    for member in members() {
        let row = member.row(&table);
        for dependency in member.dependencies() {
            let Some(short_name) = dependency.strip_prefix("pintle-") else { continue };
            if !row.allows(short_name) {
                broken.push(format!("{} uses {short_name}", member.folder));
            }
        }
    }
    assert!(broken.is_empty(), "arrows that the table does not have: {broken:#?}");
}

#[test]
fn a_crate_does_not_name_what_it_must_never_see() {
    let table = crate_table();
    let files = rust_files();
    let mut broken = Vec::new();
    for member in members() {
        let source_folder = format!("{}/src/", member.folder);
        let forbidden: Vec<String> =
            member.row(&table).must_never_see.iter().flat_map(|w| forbidden_texts(w)).collect();
        for file in files.iter().filter(|file| file.path.starts_with(&source_folder)) {
            for (number, line) in file.production().lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for text in forbidden.iter().filter(|text| code.contains(text.as_str())) {
                    broken.push(format!("{}:{}: {text}", file.path, number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "named where it must not be: {broken:#?}");
}

#[test]
fn every_crate_is_named_in_architecture_md() {
    let text = architecture::text();
    let table = crate_table();
    for member in members() {
        let by_row = table.iter().any(|row| row.covers(&member.folder));
        let by_name = text.contains(&format!("`{}`", member.folder));
        assert!(by_row || by_name, "ARCHITECTURE.md does not name {}", member.folder);
    }
}

#[test]
fn every_crate_says_what_it_is_in_its_first_line() {
    for member in members() {
        let source = root().join(&member.folder).join("src");
        let first_file = ["lib.rs", "main.rs"]
            .iter()
            .map(|name| source.join(name))
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("{} has neither lib.rs nor main.rs", member.folder));
        let text = fs::read_to_string(&first_file).expect("a source file");
        assert!(text.starts_with("//! "), "{} has no crate doc", first_file.display());
    }
}

#[test]
fn every_package_has_its_prefix_and_the_lints_of_the_workspace() {
    for member in members() {
        let name = member.manifest["package"]["name"].as_str().expect("a name");
        assert!(name == "pintle" || name.starts_with("pintle-"), "{name} lacks the prefix");
        // The package of tests lists its own lints, and why.
        if member.folder != "tests" {
            let inherits = member.manifest.get("lints").and_then(|l| l.get("workspace"));
            assert!(inherits.is_some(), "{name} does not take the workspace's lints");
        }
    }
}
