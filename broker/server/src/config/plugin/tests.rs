use std::path::Path;

use toml::Table;

use super::super::tests::{Given, error_of, given};
use super::super::{ConfigError, PluginSource, ScriptKind, grants_line, plugin_entry};
use super::*;

const CELSIUS: &str = "[[plugin]]\nuse = \"celsius\"\n";

fn manifest(given: Given, text: &str) -> Given {
    given.file("celsius/plugin.toml", text).file("celsius/main.lua", "return {}")
}

fn plugin(given: &Given) -> PluginConfig {
    let config = given.config();
    config.plugins.into_iter().next().expect("a plugin")
}

#[test]
fn a_script_is_named_by_its_path_from_the_file_that_names_it() {
    let given = given("[[plugin]]\nuse = \"plugins/celsius.lua\"\n")
        .file("plugins/celsius.lua", "return {}")
        .file("plugins/celsius.cases.toml", "");
    let plugin = plugin(&given);
    assert_eq!(plugin.name, "celsius");
    let folder = given.folder.path().join("plugins");
    let PluginSource::Script(script) = &plugin.source else { panic!("{:?}", plugin.source) };
    assert_eq!(script.kind, ScriptKind::Lua);
    assert_eq!(script.main, folder.join("celsius.lua"));
    assert_eq!(script.cases, [folder.join("celsius.cases.toml")]);
    assert!(plugin.files.contains(&folder.join("celsius.lua")));
    assert!(plugin.files.contains(&folder.join("celsius.cases.toml")));
}

#[test]
fn a_component_has_the_limits_of_components() {
    let given = given("[[plugin]]\nuse = \"x.wasm\"\n").file("x.wasm", "");
    let plugin = plugin(&given);
    assert_eq!(plugin.limits, ScriptLimits::default());
}

#[test]
fn what_is_not_there_or_not_known_is_an_error() {
    assert_eq!(
        error_of("[[plugin]]\nname = \"c\"\nuse = \"celsius.lua\"\n").split(". ").next(),
        Some("pintle.toml:3: plugin.0.use: no such file or folder: \"celsius.lua\"")
    );
    let error = error_of("[[plugin]]\nuse = \"acl-file\"\n");
    assert!(error.ends_with("Did you mean `builtin:acl-file`?"), "{error}");
    let errors = given("[[plugin]]\nuse = \"x.py\"\n").file("x.py", "").errors();
    assert!(errors[0].contains("Plugins are files that end in .lua or .wasm"), "{errors:?}");
    let errors = given("[[plugin]]\nuse = \"x\"\n").file("x/main.lua", "").errors();
    assert!(errors[0].contains("x is a folder without a plugin.toml"), "{errors:?}");
}

#[test]
fn limits_and_grants_are_read() {
    let given = given(
        "[[plugin]]\nuse = \"c.lua\"\n\
         limits = { memory = \"32MiB\", publish = \"5ms\", threads = 2, log_line = \"1KiB\", \
         worker_share = \"50ms\" }\n\
         [plugin.grants]\npublish = [\"alerts/#\"]\nkv = { bytes = \"1MiB\", persist = true }\n\
         subscribe = true\nretained = [\"state/+\"]\nhttp = [\"https://a.example/v1\"]\n\
         credentials = true\n\
         secrets = { key = { file = \"key\" }, token = { env = \"TOKEN\" } }\n",
    )
    .file("c.lua", "return {}")
    .file("key", "hidden\n")
    .variable("TOKEN", "t");
    let plugin = plugin(&given);
    assert_eq!(plugin.limits.memory_bytes_max, 32 << 20);
    assert_eq!(plugin.limits.threads_max, 2);
    assert_eq!(plugin.limits.log_line_bytes_max, 1024);
    assert_eq!(plugin.limits.worker_share.as_millis(), 50);
    assert_eq!(plugin.budgets.publish.as_millis(), 5);
    let grants = &plugin.grants;
    assert_eq!(grants.publish, ["alerts/#"]);
    assert_eq!(grants.kv.map(|kv| (kv.bytes_max, kv.persist)), Some((1 << 20, true)));
    assert!(grants.subscribe && grants.credentials && !grants.disconnect);
    assert_eq!(grants.retained, ["state/+"]);
    assert_eq!(grants.http, ["https://a.example/v1"]);
    assert_eq!(grants.secrets.get("key").map(Vec::as_slice), Some(&b"hidden"[..]));
    assert_eq!(grants.secrets.get("token").map(Vec::as_slice), Some(&b"t"[..]));
    assert!(plugin.files.contains(&given.folder.path().join("key")));
    assert_eq!(given.shown("plugin.0.grants.secrets.key").0, "(secret)");
}

#[test]
fn a_share_of_a_second_is_neither_nothing_nor_more_than_a_second() {
    for share in ["0ms", "1001ms"] {
        let limits = format!("limits = {{ worker_share = \"{share}\" }}\n");
        let text = format!("[[plugin]]\nuse = \"c.lua\"\n{limits}");
        let errors = given(&text).file("c.lua", "return {}").errors().concat();
        assert!(errors.contains("limits.worker_share: a share of a worker's second"), "{errors}");
    }
}

#[test]
fn grants_that_make_no_sense_are_errors_with_a_way_out() {
    let of = |grants: &str| {
        let text = format!("[[plugin]]\nuse = \"c.lua\"\ngrants = {{ {grants} }}\n");
        let errors = given(&text).file("c.lua", "return {}").errors();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        errors.concat()
    };
    assert_eq!(
        of("kv = \"much\""),
        "pintle.toml:3: plugin.0.grants.kv: expected a size such as \"1MiB\", or a table such as \
         { bytes = \"1MiB\", persist = true }, found \"much\""
    );
    let no_bytes = of("kv = { persist = true }");
    assert!(no_bytes.contains("kv.bytes: missing: say how much"), "{no_bytes}");
    let no_host = of("http = [\"https://a.example\"]");
    assert!(no_host.ends_with("write \"https://a.example/\""), "{no_host}");
    let no_scheme = of("http = [\"a.example/\"]");
    assert!(no_scheme.contains("begins with http:// or https://"), "{no_scheme}");
    let literal = of("secrets = { key = \"hidden\" }");
    assert!(literal.contains("key = { env = \"NAME\" } or key = { file = \"path\" }"), "{literal}");
    assert!(!literal.contains("hidden"), "{literal}");
    let no_secret = of("secrets = { key = { env = \"NO_SUCH\" } }");
    assert!(no_secret.contains("no variable NO_SUCH"), "{no_secret}");
    let unknown = of("publsh = [\"a\"]");
    assert!(unknown.ends_with("Did you mean `publish`?"), "{unknown}");
}

#[test]
fn a_plugin_that_is_linked_in_has_no_limits_of_scripts() {
    let error =
        error_of("[[plugin]]\nuse = \"builtin:sys-stats\"\nlimits = { memory = \"1MiB\" }\n");
    assert!(error.contains("limits.memory: unknown key"), "{error}");
}

#[test]
fn an_entry_is_read_over_the_manifest_of_its_folder() {
    let text = "name = \"c\"\nversion = \"1.0.0\"\ndescription = \"d\"\nmain = \"main.lua\"\n\
                topics = [\"a/#\"]\nfiles = [\"table\"]\n[on_error]\npublish = \"pass\"\n\
                deliver = \"drop\"\n[limits]\nmemory = \"2MiB\"\npublish = \"3ms\"\n\
                [config]\nunit = \"K\"\ntable = \"units\"\n";
    let entry = "[[plugin]]\nuse = \"celsius\"\non_error = { publish = \"reject\" }\n\
                 limits = { publish = \"4ms\" }\nconfig = { unit = \"C\" }\n";
    let given = manifest(given(entry), text).file("celsius/units", "");
    let plugin = plugin(&given);
    assert_eq!(plugin.name, "c");
    assert_eq!(plugin.topics, ["a/#"]);
    assert_eq!(plugin.on_error.publish, Some(PublishErrorPolicy::Reject));
    assert_eq!(plugin.on_error.deliver, Some(DeliverErrorPolicy::Drop));
    assert_eq!(plugin.limits.memory_bytes_max, 2 << 20);
    assert_eq!(plugin.budgets.publish.as_millis(), 4);
    assert_eq!(plugin.config["unit"], "C");
    let units = given.folder.path().join("celsius/units");
    assert_eq!(plugin.config["table"], units.display().to_string());
    assert_eq!(plugin.file_keys, ["table"]);
    for file in ["units", "plugin.toml", "main.lua", "cases"] {
        let path = given.folder.path().join("celsius").join(file);
        assert!(plugin.files.contains(&path), "{file}");
    }
    let memory = given.shown("plugin.0.limits.memory");
    assert_eq!(memory, ("\"2MiB\"".to_owned(), "celsius/plugin.toml:11".to_owned()));
    let publish = given.shown("plugin.0.limits.publish");
    assert_eq!(publish, ("\"4ms\"".to_owned(), "pintle.toml:4".to_owned()));
}

#[test]
fn errors_of_a_manifest_name_its_lines() {
    let of = |text: &str| manifest(given(CELSIUS), text).errors().concat();
    assert_eq!(
        of("main = \"main.lua\"\ntopcs = []\n"),
        "celsius/plugin.toml:2: topcs: unknown key. Did you mean `topics`?"
    );
    assert_eq!(
        of("name = \"c\"\n"),
        "celsius/plugin.toml:1: main: missing: name the script or component, as in main = \
         \"celsius.lua\""
    );
    let gone = of("main = \"gone.lua\"\n");
    assert!(gone.starts_with("celsius/plugin.toml:1: main: there is no file"), "{gone}");
    let unbuilt = of("main = \"c.wasm\"\nbuild = \"make c\"\n");
    assert!(unbuilt.starts_with("celsius/plugin.toml:1: main: there is no file"), "{unbuilt}");
    assert!(unbuilt.contains("c.wasm yet. Build it in the folder "), "{unbuilt}");
    assert!(unbuilt.ends_with("celsius: make c"), "{unbuilt}");
    let kind = of("main = \"main.py\"\n");
    assert!(kind.contains("expected a file that ends in .lua or .wasm"), "{kind}");
    let policy = of("main = \"main.lua\"\n[on_error]\npublish = \"ignore\"\n");
    assert!(policy.starts_with("celsius/plugin.toml:3: on_error.publish: expected"), "{policy}");
    let syntax = of("main = \n");
    assert!(syntax.starts_with("celsius/plugin.toml:1: "), "{syntax}");
    let grants = of("main = \"main.lua\"\n[grants]\nsecret = [\"a\"]\n");
    assert!(grants.ends_with("grants.secret: unknown key. Did you mean `secrets`?"), "{grants}");
}

const NEEDS: &str = "main = \"main.lua\"\n[grants]\npublish = [\"alerts/+\"]\nkv = \"1MiB\"\n\
                     disconnect = true\nsecrets = [\"api-key\"]\n";

#[test]
fn what_a_plugin_needs_is_not_granted_by_itself() {
    let errors = manifest(given(CELSIUS), NEEDS).errors();
    assert_eq!(
        errors,
        ["pintle.toml:1: plugin.0.grants: the plugin needs publish = [\"alerts/+\"] and \
          disconnect = true and kv = \"1MiB\" and secrets = { api-key = { env = \"API_KEY\" } } \
          (celsius/plugin.toml:2), which its entry does not grant. If you trust it with that, \
          write grants = { publish = [\"alerts/+\"], disconnect = true, kv = \"1MiB\", secrets = \
          { api-key = { env = \"API_KEY\" } } }"]
    );
}

#[test]
fn wider_grants_cover_what_a_plugin_needs() {
    let entry = format!(
        "{CELSIUS}grants = {{ publish = [\"alerts/#\"], kv = \"2MiB\", disconnect = true, \
         secrets = {{ api-key = {{ env = \"K\" }} }} }}\n"
    );
    let given = manifest(given(&entry), NEEDS).variable("K", "k");
    assert_eq!(plugin(&given).grants.publish, ["alerts/#"]);
}

#[test]
fn a_narrower_grant_names_what_is_missing_and_keeps_what_is_there() {
    let entry = format!(
        "{CELSIUS}grants = {{ publish = [\"alerts/a\"], kv = \"1KiB\", disconnect = true, \
         secrets = {{ api-key = {{ env = \"K\" }} }} }}\n"
    );
    let errors = manifest(given(&entry), NEEDS).variable("K", "k").errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("needs publish = [\"alerts/+\"] and kv = \"1MiB\" ("), "{errors:?}");
    assert!(errors[0].contains("publish = [\"alerts/a\", \"alerts/+\"]"), "{errors:?}");
}

fn of_words(grants: &[&str], set: &[&str]) -> Result<PluginConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.lua");
    std::fs::write(&path, "return {}").unwrap();
    let entry = entry_of(&path, grants, set)?;
    let environment = [("TOKEN".to_owned(), "t".to_owned())];
    PluginConfig::of_entry(&entry, Granting::AsWritten, &environment)
}

fn entry_of(path: &Path, grants: &[&str], set: &[&str]) -> Result<Table, ConfigError> {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    Ok(plugin_entry(path, Some("mine"), &owned(grants), &owned(set))?)
}

#[test]
fn a_plugin_is_made_of_the_words_of_a_command_line() {
    let plugin = of_words(
        &["publish=a/#", "publish=b", "kv=1MiB,persist", "disconnect", "secrets.t=env:TOKEN"],
        &["on_error.publish=pass", "limits.memory=32MiB", "config.unit=K", "topics=[\"a/#\"]"],
    )
    .unwrap();
    assert_eq!(plugin.name, "mine");
    assert_eq!(plugin.on_error.publish, Some(PublishErrorPolicy::Pass));
    assert_eq!(plugin.limits.memory_bytes_max, 32 << 20);
    assert_eq!(plugin.config["unit"], "K");
    assert_eq!(plugin.topics, ["a/#"]);
    assert_eq!(
        grants_line(&plugin.grants),
        "grants = { publish = [\"a/#\", \"b\"], disconnect = true, kv = { bytes = \"1MiB\", \
         persist = true }, secrets = { t = { env = \"T\" } } }"
    );
}

#[test]
fn words_that_make_no_sense_name_their_flag() {
    let of = |grants: &[&str], set: &[&str]| of_words(grants, set).unwrap_err().to_string();
    assert_eq!(
        of(&[], &["unit"]),
        "flag --set: \"unit\": expected KEY=VALUE, as on_error.publish=pass"
    );
    assert_eq!(
        of(&["secrets=x"], &[]),
        "flag --grant: \"secrets=x\": expected secrets.NAME=env:VARIABLE or \
         secrets.NAME=file:PATH"
    );
    let unknown = of(&["disconect"], &[]);
    assert_eq!(unknown, "grants.disconect: unknown key. Did you mean `disconnect`?");
    let missing = plugin_entry(Path::new("/nonexistent.lua"), None, &[], &[]).unwrap();
    let missing = PluginConfig::of_entry(&missing, Granting::AsNeeded, &[]).unwrap_err();
    assert!(missing.to_string().starts_with("use: no such file or folder"), "{missing}");
}

#[test]
fn an_order_of_hooks_may_name_scripts_of_which_only_loading_tells() {
    let given = given("[hooks]\npublish = [\"c\"]\n[[plugin]]\nuse = \"c.lua\"\n")
        .file("c.lua", "return {}");
    assert_eq!(given.config().hooks.publish.as_deref(), Some(&["c".to_owned()][..]));
    assert_eq!(given.shown("listener.0.anonymous").0, "true unless a script authenticates");
}
