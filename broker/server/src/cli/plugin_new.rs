//! `pintle plugin new`: a folder with a plugin that works.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::{Exit, print};

#[derive(Args, Debug)]
pub(super) struct NewArgs {
    /// Name of the plugin, and of the folder that is made here
    name: String,
    /// Language
    #[arg(long, value_enum)]
    lang: Language,
    /// What it does at first
    #[arg(long, value_enum, default_value_t = Start::Transform)]
    hooks: Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// A script, run in a sandbox
    Lua,
}

/// What a new plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Start {
    /// Say who may publish, subscribe and receive
    Acl,
    /// Say who may connect
    Auth,
    /// Change messages
    Transform,
    /// Be told what happens
    Events,
}

/// A file of a new plugin: where it stands in its folder, and what is in it.
struct File(&'static str, &'static str);

macro_rules! lua {
    ($start:literal) => {
        vec![
            File("main.lua", include_str!(concat!("../../templates/lua/", $start, "/main.lua"))),
            File(
                "plugin.toml",
                include_str!(concat!("../../templates/lua/", $start, "/plugin.toml")),
            ),
            File(
                "cases/first.toml",
                include_str!(concat!("../../templates/lua/", $start, "/first.toml")),
            ),
            File("README.md", include_str!("../../templates/lua/README.md")),
        ]
    };
}

impl Start {
    /// One sentence for its README.
    const fn what(self) -> &'static str {
        match self {
            Self::Acl => "Says who may publish, subscribe and receive.",
            Self::Auth => "Says who may connect.",
            Self::Transform => "Changes messages on their way in.",
            Self::Events => "Tells which clients are connected.",
        }
    }

    /// What its entry grants, in a line of its own.
    const fn entry(self) -> &'static str {
        match self {
            Self::Acl | Self::Transform => "",
            Self::Auth => {
                "\ngrants = { credentials = true, secrets = { token = { env = \"TOKEN\" } } }"
            }
            Self::Events => "\ngrants = { publish = [\"presence/+\"] }",
        }
    }
}

fn files(args: &NewArgs) -> Vec<File> {
    match (args.lang, args.hooks) {
        (Language::Lua, Start::Acl) => lua!("acl"),
        (Language::Lua, Start::Auth) => lua!("auth"),
        (Language::Lua, Start::Transform) => lua!("transform"),
        (Language::Lua, Start::Events) => lua!("events"),
    }
}

pub(super) fn run(args: &NewArgs) -> Result<Exit> {
    if !is_name(&args.name) {
        eprintln!(
            "{:?}: the name of a plugin is made of lower-case letters, digits, `-` and `_`, and \
             begins with a letter",
            args.name
        );
        return Ok(Exit::Usage);
    }
    let folder = Path::new(&args.name);
    if folder.exists() {
        eprintln!("{} is there already, and nothing is overwritten. Take another name.", args.name);
        return Ok(Exit::No);
    }
    let mut text = String::new();
    for File(path, content) in files(args) {
        let path = folder.join(path);
        write(&path, &filled(content, args))
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(text, "{}", path.display())?;
    }
    writeln!(text, "\nTry it: {}", args.lang.first_step(&args.name))?;
    print(&text)?;
    Ok(Exit::Success)
}

impl Language {
    fn first_step(self, name: &str) -> String {
        match self {
            Self::Lua => format!("pintle plugin test {name}"),
        }
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

fn filled(content: &str, args: &NewArgs) -> String {
    content
        .replace("{{name}}", &args.name)
        .replace("{{what}}", args.hooks.what())
        .replace("{{entry}}", args.hooks.entry())
}

/// A name is a folder's, a crate's and a word in topics.
fn is_name(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(is_fine)
}
