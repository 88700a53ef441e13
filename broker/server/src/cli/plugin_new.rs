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
    /// A script
    Lua,
    /// A WebAssembly component; needs a Rust toolchain
    Rust,
    /// A WebAssembly component; needs clang and the linker of a Rust toolchain
    C,
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
struct File(&'static str, &'static [u8]);

/// What depends on what a plugin does.
struct Texts {
    manifest: &'static str,
    cases: &'static str,
    lua: &'static str,
    rust: &'static str,
}

macro_rules! template {
    ($($path:literal),+) => {
        include_str!(concat!("../../templates/", $($path),+))
    };
}

/// Of the example in C, what a plugin in C needs as it is.
macro_rules! c {
    ($path:literal) => {
        File($path, include_bytes!(concat!("../../../../examples/wasm/celsius-c/", $path)))
    };
}

macro_rules! texts {
    ($start:literal) => {
        Texts {
            manifest: template!("lua/", $start, "/plugin.toml"),
            cases: template!("lua/", $start, "/first.toml"),
            lua: template!("lua/", $start, "/main.lua"),
            rust: template!("rust/", $start, "/lib.rs"),
        }
    };
}

impl Start {
    fn texts(self) -> Texts {
        match self {
            Self::Acl => texts!("acl"),
            Self::Auth => texts!("auth"),
            Self::Transform => texts!("transform"),
            Self::Events => texts!("events"),
        }
    }

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

impl Language {
    /// What the manifest calls the plugin itself.
    fn main(self, name: &str) -> String {
        match self {
            Self::Lua => "main.lua".to_owned(),
            Self::Rust => {
                let file = name.replace('-', "_");
                format!("target/wasm32-unknown-unknown/release/{file}.wasm")
            }
            Self::C => format!("{name}.wasm"),
        }
    }

    /// Nothing where there is no template: the world of the bindings in C has `on_publish` alone.
    fn files(self, hooks: Start) -> Option<Vec<File>> {
        let texts = hooks.texts();
        let mut files = match self {
            Self::Lua => vec![
                File("main.lua", texts.lua.as_bytes()),
                File("README.md", template!("lua/README.md").as_bytes()),
            ],
            Self::Rust => vec![
                File("src/lib.rs", texts.rust.as_bytes()),
                File("Cargo.toml", template!("rust/Cargo.toml").as_bytes()),
                File(".cargo/config.toml", template!("rust/config.toml").as_bytes()),
                File(".gitignore", b"/target\n"),
                File("README.md", template!("rust/README.md").as_bytes()),
            ],
            Self::C if hooks == Start::Transform => vec![
                File("plugin.c", template!("c/plugin.c").as_bytes()),
                File("build.sh", template!("c/build.sh").as_bytes()),
                File("README.md", template!("c/README.md").as_bytes()),
                c!("json.c"),
                c!("json.h"),
                c!("libc/libc.c"),
                c!("libc/stdlib.h"),
                c!("libc/string.h"),
                c!("binding/transform_plugin.c"),
                c!("binding/transform_plugin.h"),
                c!("binding/transform_plugin_component_type.o"),
            ],
            Self::C => return None,
        };
        files.push(File("plugin.toml", texts.manifest.as_bytes()));
        files.push(File("cases/first.toml", texts.cases.as_bytes()));
        Some(files)
    }

    /// What makes the plugin of its sources, in its folder.
    const fn build(self) -> Option<&'static str> {
        match self {
            Self::Lua => None,
            Self::Rust => Some("cargo build --release --target wasm32-unknown-unknown"),
            Self::C => Some("bash build.sh"),
        }
    }

    fn first_step(self, name: &str) -> String {
        let test = format!("pintle plugin test {name}");
        match self.build() {
            Some(build) => format!("(cd {name} && {build}) && {test}"),
            None => test,
        }
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
    let Some(files) = args.lang.files(args.hooks) else {
        eprintln!(
            "In C there is a template of `--hooks transform` only. Rust and Lua have them all."
        );
        return Ok(Exit::Usage);
    };
    let folder = Path::new(&args.name);
    if folder.exists() {
        eprintln!("{} is there already, and nothing is overwritten. Take another name.", args.name);
        return Ok(Exit::No);
    }
    let api = api_from_here();
    let mut text = String::new();
    for File(path, content) in files {
        let path = folder.join(path);
        write(&path, &filled(content, args, api.as_deref()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(text, "{}", path.display())?;
    }
    if args.lang == Language::Rust && api.is_none() {
        let file = folder.join("Cargo.toml");
        let file = file.display();
        writeln!(
            text,
            "\nSay in {file} where the folder `plugin-api` of the broker's sources is."
        )?;
    }
    writeln!(text, "\nTry it: {}", args.lang.first_step(&args.name))?;
    print(&text)?;
    Ok(Exit::Success)
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

/// Where the broker's sources have `plugin-api`, as a new folder here sees it; looked for in this
/// folder and in those above.
fn api_from_here() -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let is_api = |folder: &Path| {
        fs::read_to_string(folder.join("plugin-api/Cargo.toml"))
            .is_ok_and(|text| text.contains("\nname = \"pintle-plugin-api\"\n"))
    };
    let up = here.ancestors().position(is_api)?;
    Some("../".repeat(up + 1) + "plugin-api")
}

/// What is no text is as it is in every plugin.
fn filled(content: &[u8], args: &NewArgs, api: Option<&str>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(content) else { return content.to_vec() };
    let build = args.lang.build().map(|build| format!("\nbuild = \"{build}\""));
    let text = text
        .replace("{{build}}", &build.unwrap_or_default())
        .replace("{{api}}", api.unwrap_or("../plugin-api"))
        .replace("{{name}}", &args.name)
        .replace("{{main}}", &args.lang.main(&args.name))
        .replace("{{what}}", args.hooks.what())
        .replace("{{entry}}", args.hooks.entry());
    text.into_bytes()
}

/// A name is a folder's, a crate's and a word in topics.
fn is_name(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(is_fine)
}
