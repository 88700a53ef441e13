#[cfg(feature = "wasm")]
use std::io::Write;
use std::path::{Path, PathBuf};
#[cfg(feature = "wasm")]
use std::process::{Command, Output};

use crate::harness::Place;

// What a new plugin in Rust says is code of this crate as well, so that it is known to compile.
#[path = "../../templates/rust/acl/lib.rs"]
mod acl_template;
#[path = "../../templates/rust/auth/lib.rs"]
mod auth_template;
#[path = "../../templates/rust/events/lib.rs"]
mod events_template;
#[path = "../../templates/rust/transform/lib.rs"]
mod transform_template;

#[test]
fn a_new_plugin_in_rust_has_all_that_a_crate_needs() {
    for kind in ["acl", "auth", "transform", "events"] {
        let place = Place::new();
        let args = ["plugin", "new", "my-plugin", "--lang", "rust", "--hooks", kind];
        let said = place.pintle(&args).succeeds();
        assert!(said.contains("cargo build --release --target wasm32-unknown-unknown"), "{said}");
        assert!(place.read("my-plugin/Cargo.toml").contains("\nname = \"my-plugin\"\n"));
        assert!(place.read("my-plugin/src/lib.rs").contains("pintle_plugin_api::export!("));
        assert!(place.read("my-plugin/.gitignore").contains("/target"));
        assert!(place.read("my-plugin/.cargo/config.toml").contains("wasm-component-ld"));
        let manifest = place.read("my-plugin/plugin.toml");
        let main = "main = \"target/wasm32-unknown-unknown/release/my_plugin.wasm\"\n";
        assert!(manifest.contains(main), "{manifest}");
        let readme = place.read("my-plugin/README.md");
        assert!(!readme.contains("{{") && readme.contains("pintle plugin test my-plugin"));
    }
}

#[test]
fn a_new_plugin_in_rust_finds_the_broker_s_sources_around_it() {
    let place = Place::new();
    let args = ["plugin", "new", "mine", "--lang", "rust"];
    let said = place.pintle(&args).succeeds();
    assert!(said.contains("Say in mine/Cargo.toml where the folder `plugin-api`"), "{said}");

    let place = Place::new();
    place.write("plugin-api/Cargo.toml", "[package]\nname = \"pintle-plugin-api\"\n");
    let said = place.pintle(&args).succeeds();
    assert!(!said.contains("plugin-api"), "{said}");
    let found = "pintle-plugin-api = { path = \"../plugin-api\" }\n";
    assert!(place.read("mine/Cargo.toml").contains(found));
    assert!(place.read("mine/README.md").contains("`../plugin-api`"));
}

#[test]
fn a_new_plugin_in_c_has_all_that_the_compiler_needs() {
    let place = Place::new();
    let args = ["plugin", "new", "units", "--lang", "c"];
    let said = place.pintle(&args).succeeds();
    let step = "\nTry it: (cd units && bash build.sh) && pintle plugin test units\n";
    assert!(said.ends_with(step), "{said}");
    for file in ["json.c", "json.h", "libc/libc.c", "binding/transform_plugin.h", "build.sh"] {
        assert!(!place.read(&format!("units/{file}")).is_empty(), "{file}");
    }
    assert!(place.path("units/binding/transform_plugin_component_type.o").is_file());
    assert!(place.read("units/plugin.c").contains("about->name = text(\"units\");"));
    assert!(place.read("units/plugin.toml").contains("\nmain = \"units.wasm\"\n"));
}

#[test]
fn in_c_there_is_no_template_for_what_its_bindings_do_not_have() {
    let place = Place::new();
    let args = ["plugin", "new", "units", "--lang", "c", "--hooks", "acl"];
    let said = place.pintle(&args).fails_with(2);
    assert!(said.contains("`--hooks transform` only"), "{said}");
    assert!(!place.path("units").exists());
}

#[test]
fn who_has_not_built_a_component_is_told_how() {
    let place = Place::new();
    place.pintle(&["plugin", "new", "units", "--lang", "c"]).succeeds();
    place.pintle(&["plugin", "new", "mine", "--lang", "rust"]).succeeds();
    for command in ["check", "test", "bench"] {
        assert_eq!(
            place.pintle(&["plugin", command, "units"]).fails_with(1),
            "units/plugin.toml:4: main: there is no file units/units.wasm yet. Build it in the \
             folder units: bash build.sh\n"
        );
        assert_eq!(
            place.pintle(&["plugin", command, "mine"]).fails_with(1),
            "mine/plugin.toml:4: main: there is no file \
             mine/target/wasm32-unknown-unknown/release/mine.wasm yet. Build it in the folder \
             mine: cargo build --release --target wasm32-unknown-unknown\n"
        );
    }
}

/// Builds what `new` made by the command that its manifest names.
#[cfg(feature = "wasm")]
fn builds_and_passes_its_cases(place: &Place, name: &str) {
    let manifest: toml::Table = place.read(&format!("{name}/plugin.toml")).parse().unwrap();
    let mut build = Command::new("sh");
    build.args(["-c", manifest["build"].as_str().unwrap()]).current_dir(place.path(name));
    // It is a newcomer's folder: nothing of what runs this test holds there.
    build
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = build.output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let said = place.pintle(&["plugin", "test", name]).succeeds();
    assert!(said.ends_with("cases passed.\n"), "{name}: {said}");
    let said = place.pintle(&["plugin", "check", name]).succeeds();
    assert!(said.contains("(wasm)\n"), "{name}: {said}");
}

/// Says aloud what is skipped and why, past the test harness.
#[cfg(feature = "wasm")]
fn skipped(what: &str) {
    let line = format!("SKIPPED: {what}\n");
    // A closed standard error leaves nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[cfg(feature = "wasm")]
#[test]
fn new_plugins_in_rust_are_built_and_pass_their_cases() {
    let target = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc).args(target).output();
    let libraries = asked.map(|output| String::from_utf8(output.stdout).unwrap());
    if !libraries.is_ok_and(|folder| Path::new(folder.trim()).is_dir()) {
        return skipped(
            "new plugins in Rust are not built: `rustup target add wasm32-unknown-unknown`",
        );
    }
    let place = Place::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-api");
    let sources = std::fs::canonicalize(sources).unwrap();
    for kind in ["acl", "auth", "transform", "events"] {
        place.pintle(&["plugin", "new", kind, "--lang", "rust", "--hooks", kind]).succeeds();
        let manifest = place.read(&format!("{kind}/Cargo.toml"));
        let manifest = manifest.replace("../plugin-api", sources.to_str().unwrap());
        place.write(&format!("{kind}/Cargo.toml"), &manifest);
        // What they have in common is built once.
        std::fs::create_dir_all(place.path("target")).unwrap();
        std::os::unix::fs::symlink("../target", place.path(kind).join("target")).unwrap();
        builds_and_passes_its_cases(&place, kind);
    }
}

#[cfg(feature = "wasm")]
#[test]
fn a_new_plugin_in_c_is_built_and_passes_its_cases() {
    let targets = Command::new("clang").arg("--print-targets").output();
    let has_wasm = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("wasm32");
    if !targets.as_ref().is_ok_and(has_wasm) {
        return skipped("a new plugin in C is not built: there is no clang for wasm32");
    }
    let place = Place::new();
    place.pintle(&["plugin", "new", "units", "--lang", "c"]).succeeds();
    builds_and_passes_its_cases(&place, "units");
}

/// The components that come with the broker, by their folders.
fn components() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let examples = std::fs::read_dir(root.join("examples/wasm")).unwrap();
    let mut folders: Vec<PathBuf> = examples.map(|entry| entry.unwrap().path()).collect();
    folders.push(root.join("plugins/acl-file/component"));
    folders.retain(|folder| folder.join("plugin.toml").is_file());
    folders
}

#[cfg(feature = "wasm")]
#[test]
fn every_component_passes_its_own_cases() {
    let folders = components();
    assert!(folders.len() >= 6, "{folders:?}");
    for folder in folders {
        let path = folder.to_str().unwrap();
        let said = Place::new().pintle(&["plugin", "test", path]).succeeds();
        assert!(said.ends_with("cases passed.\n"), "{path}: {said}");
        let said = Place::new().pintle(&["plugin", "check", path]).succeeds();
        assert!(said.contains("(wasm)\n"), "{path}: {said}");
    }
}

#[test]
fn every_component_has_its_manifest_cases_and_readme() {
    for folder in components() {
        for file in ["README.md", "cases"] {
            assert!(folder.join(file).exists(), "{}: {file}", folder.display());
        }
    }
}
