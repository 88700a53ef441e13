//! `pintle plugin types`: what editors need to complete and check scripts.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::{Exit, print};

#[derive(Args, Debug)]
pub(super) struct TypesArgs {
    /// Folder to write to: the one that is opened in the editor
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
}

/// A file for an editor, and whether it may be somebody's own by now.
struct File {
    path: &'static str,
    text: &'static str,
    is_settings: bool,
    what: &'static str,
}

const FILES: [File; 4] = [
    File {
        path: "pintle.d.luau",
        text: include_str!("../../../../plugin-api/lua/pintle.d.luau"),
        is_settings: false,
        what: "types for luau-lsp; name it in its definition files",
    },
    File {
        path: ".luaurc",
        text: include_str!("../../templates/types/luaurc.json"),
        is_settings: true,
        what: "settings of Luau",
    },
    File {
        path: "pintle-types/pintle.lua",
        text: include_str!("../../templates/types/pintle.lua"),
        is_settings: false,
        what: "types for the Lua language server",
    },
    File {
        path: ".luarc.json",
        text: include_str!("../../templates/types/luarc.json"),
        is_settings: true,
        what: "its settings, which name them",
    },
];

pub(super) fn run(args: &TypesArgs) -> Result<Exit> {
    let mut text = String::new();
    for file in FILES {
        let path = args.out.join(file.path);
        if file.is_settings && path.exists() {
            writeln!(text, "{}: is there already and stays as it is", path.display())?;
            continue;
        }
        let folder = path.parent().unwrap_or(&args.out);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, file.text))
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(text, "{}: {}", path.display(), file.what)?;
    }
    print(&text)?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(path: &str) -> &'static str {
        FILES.iter().find(|file| file.path == path).unwrap().text
    }

    /// Names of fields, functions and hooks.
    fn names(luau: &str) -> Vec<&str> {
        let named = luau.lines().filter_map(|line| line.trim_start().split_once(": "));
        let is_word =
            |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        named.map(|(name, _)| name).filter(is_word).collect()
    }

    #[test]
    fn both_editors_are_told_of_the_same_names() {
        let meta = text_of("pintle-types/pintle.lua");
        let names = names(text_of("pintle.d.luau"));
        assert!(names.contains(&"topic_matches"), "{names:?}");
        let words: Vec<&str> =
            meta.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let missing: Vec<&&str> = names.iter().filter(|name| !words.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
