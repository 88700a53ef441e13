use crate::harness::Place;

/// A script that is broken in its third line.
#[cfg(feature = "lua")]
const BROKEN: &str = "local P = {}\n\nfunction P.on_publish(\n\nreturn P\n";

#[cfg(feature = "lua")]
fn lua_place(kind: &str) -> Place {
    let place = Place::new();
    place.pintle(&["plugin", "new", "mine", "--lang", "lua", "--hooks", kind]).succeeds();
    place
}

#[test]
fn new_refuses_a_name_that_is_taken_and_overwrites_nothing() {
    let place = Place::new();
    place.write("mine/main.lua", "return {}");
    let args = ["plugin", "new", "mine", "--lang", "lua"];
    let finished = place.pintle(&args);
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stderr,
        "mine is there already, and nothing is overwritten. Take another name.\n"
    );
    assert_eq!(place.read("mine/main.lua"), "return {}");
}

#[test]
fn new_refuses_a_name_that_is_none() {
    for name in ["../x", "Mine", "a b", "1st", ""] {
        let finished = Place::new().pintle(&["plugin", "new", name, "--lang", "lua"]);
        assert_eq!(finished.code, Some(2), "{name}");
        assert!(finished.stderr.contains("the name of a plugin is made of"), "{name}");
    }
}

#[test]
fn what_is_not_there_can_not_be_tested() {
    for command in ["test", "check", "bench"] {
        let finished = Place::new().pintle(&["plugin", command, "nowhere.lua"]);
        assert_eq!(finished.code, Some(1), "{command}");
        assert!(
            finished.stderr.starts_with("use: no such file or folder: \"nowhere.lua\""),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_plugin_without_cases_is_told_how_to_write_one() {
    let place = Place::new();
    place.write("x.lua", "return {}");
    let finished = place.pintle(&["plugin", "test", "x.lua"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("x.lua has no cases."), "{}", finished.stderr);
    assert!(finished.stderr.contains("[[case]]"), "{}", finished.stderr);
}

#[test]
fn a_manifest_with_an_error_names_its_line() {
    let place = Place::new();
    place
        .write("x/main.lua", "return {}")
        .write("x/plugin.toml", "main = \"main.lua\"\ntopcs = 1\n");
    let finished = place.pintle(&["plugin", "check", "x"]);
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stderr, "x/plugin.toml:2: topcs: unknown key. Did you mean `topics`?\n");
}

#[test]
fn types_are_written_and_settings_of_the_editor_left_alone() {
    let place = Place::new();
    place.write("mine/.luaurc", "{}");
    let said = place.pintle(&["plugin", "types", "--out", "mine"]).succeeds();
    assert!(said.contains("mine/.luaurc: is there already and stays as it is"), "{said}");
    assert_eq!(place.read("mine/.luaurc"), "{}");
    let luau = place.read("mine/pintle.d.luau");
    let meta = place.read("mine/pintle-types/pintle.lua");
    for name in ["topic_matches", "publish_to", "kv", "jwt_verify", "now_ms", "session_expiry_max"]
    {
        assert!(luau.contains(name), "{name}");
        assert!(meta.contains(name), "{name}");
    }
    assert!(place.read("mine/.luarc.json").contains("pintle-types"));
}

/// Every setting of a script stands in the example, commented out, with its default.
#[test]
fn the_settings_of_a_script_in_the_example_are_its_defaults() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/configs/all-settings.toml");
    let text = std::fs::read_to_string(example).unwrap();
    let lines = text.lines().skip_while(|line| *line != "# [[plugin]]");
    let lines = lines.take_while(|line| !line.is_empty());
    let entry: Vec<&str> = lines.map(|line| line.trim_start_matches("# ")).collect();
    let place = Place::new();
    place.write("plugins/celsius.lua", "return {}");
    place.write("written.toml", &entry.join("\n"));
    place.write("short.toml", "[[plugin]]\nuse = \"plugins/celsius.lua\"\n");
    let shown = |file: &str| {
        let args = ["config", "show", "-c", file];
        let said = place.pintle_with_env(&args, "API_KEY", "k").succeeds();
        let limits = said.lines().filter(|line| line.starts_with("plugin.0.limits."));
        let values = limits.map(|line| line.split("  # ").next().unwrap().trim().to_owned());
        values.collect::<Vec<String>>()
    };
    assert_eq!(shown("written.toml"), shown("short.toml"));
    for line in shown("short.toml") {
        let (key, _) = line.trim_start_matches("plugin.0.limits.").split_once(" = ").unwrap();
        let is_there =
            text.contains(&format!("\n# {key} = ")) || text.contains(&format!("{key} = "));
        let is_hook = [
            "auth_step",
            "publish",
            "subscribe",
            "deliver",
            "events",
            "command",
            "store",
            "commit",
        ];
        assert!(is_there || is_hook.contains(&key), "{key} is missing");
    }
}

#[cfg(feature = "lua")]
mod lua {
    use super::*;

    #[test]
    fn a_new_plugin_of_every_kind_passes_its_own_cases() {
        for kind in ["acl", "auth", "transform", "events"] {
            let place = lua_place(kind);
            let said = place.pintle(&["plugin", "test", "mine"]).succeeds();
            assert!(said.starts_with("ok    "), "{kind}: {said}");
            assert!(said.ends_with("cases passed.\n"), "{kind}: {said}");
            let said = place.pintle(&["plugin", "check", "mine"]).succeeds();
            assert!(said.starts_with("plugin    mine 0.1.0 (lua)\n"), "{kind}: {said}");
        }
    }

    #[test]
    fn every_example_passes_its_own_cases() {
        let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/lua");
        let entries = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
        let folders: Vec<_> = entries.filter(|path| path.join("plugin.toml").is_file()).collect();
        assert!(folders.len() >= 10, "{folders:?}");
        for folder in folders {
            let path = folder.to_str().unwrap();
            let said = Place::new().pintle(&["plugin", "test", path]).succeeds();
            assert!(said.ends_with("cases passed.\n"), "{path}: {said}");
            Place::new().pintle(&["plugin", "check", path]).succeeds();
        }
    }

    #[test]
    fn a_new_plugin_is_used_as_its_readme_says() {
        for kind in ["acl", "auth", "transform", "events"] {
            let place = lua_place(kind);
            let readme = place.read("mine/README.md");
            let entry = readme.split("```toml\n").nth(1).unwrap();
            place.write("token", "sesame");
            let entry = entry.split("```").next().unwrap();
            let entry = entry.replace("{ env = \"TOKEN\" }", "{ file = \"token\" }");
            place.write("pintle.toml", &entry);
            let said = place.pintle(&["check", "-c", "pintle.toml"]).succeeds();
            assert!(said.contains("plugins: mine"), "{kind}: {said}");
        }
    }

    #[test]
    fn check_says_what_a_plugin_needs_and_the_line_to_write() {
        let place = lua_place("events");
        let said = place.pintle(&["plugin", "check", "mine"]).succeeds();
        assert!(said.contains("hooks     on_events"), "{said}");
        assert!(said.contains("grants    { publish = [\"presence/+\"] }"), "{said}");
        assert!(said.contains("cases     mine/cases/first.toml"), "{said}");
        assert!(said.ends_with("entry:\n  grants = { publish = [\"presence/+\"] }\n"), "{said}");
        let args = ["plugin", "check", "mine", "--grant", "publish=presence/#"];
        assert!(place.pintle(&args).succeeds().ends_with("\nIt loads.\n"));
    }

    #[test]
    fn a_configuration_that_does_not_grant_what_is_needed_is_refused() {
        let place = lua_place("events");
        place.write("pintle.toml", "[[plugin]]\nuse = \"mine\"\n");
        let finished = place.pintle(&["check", "-c", "pintle.toml"]);
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.stderr.contains("write grants = { publish = [\"presence/+\"] }"),
            "{}",
            finished.stderr
        );
    }

    #[test]
    fn a_failing_case_tells_what_came_and_ends_with_1() {
        let place = lua_place("transform");
        place.write(
            "mine/cases/second.toml",
            "[[case]]\nname = \"wrong\"\npublish = { topic = \"sensors/a\", json = { value = 1 } }\n\
             expect = { verdict = \"drop\", payload_json_has = { unit = \"K\" } }\n",
        );
        let finished = place.pintle(&["plugin", "test", "mine"]);
        assert_eq!(finished.code, Some(1));
        let said = &finished.stdout;
        assert!(said.contains("FAIL  wrong  (mine/cases/second.toml:1)"), "{said}");
        assert!(said.contains("verdict: expected drop, got rewrite"), "{said}");
        assert!(said.contains("payload_json_has: expected {\"unit\":\"K\"}, got "), "{said}");
        assert!(said.ends_with("\n1 of 4 cases failed.\n"), "{said}");

        let said = place.pintle(&["plugin", "test", "mine", "--case", "its unit"]).succeeds();
        assert!(said.ends_with("\n1 case passed.\n"), "{said}");
        let finished = place.pintle(&["plugin", "test", "mine", "--case", "nothing like it"]);
        assert_eq!(finished.code, Some(2));
        assert!(finished.stderr.contains("There are: a reading gets its unit"));
    }

    #[test]
    fn a_script_with_a_syntax_error_names_file_and_line() {
        let place = Place::new();
        place.write("x.lua", BROKEN);
        let finished = place.pintle(&["plugin", "check", "x.lua"]);
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("x.lua:"), "{}", finished.stderr);
    }

    #[test]
    fn a_hook_whose_failure_means_nothing_yet_is_refused_with_the_words_to_write() {
        let place = Place::new();
        place.write("x.lua", "return { on_publish = function() end }");
        let finished = place.pintle(&["plugin", "check", "x.lua"]);
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.stderr.contains("on_error = { publish = \"pass\" }"),
            "{}",
            finished.stderr
        );
        let args = ["plugin", "check", "x.lua", "--set", "on_error.publish=pass"];
        let said = place.pintle(&args).succeeds();
        assert!(said.contains("on_error  publish = \"pass\""), "{said}");
    }

    #[test]
    fn a_script_that_never_ends_fails_its_case_and_not_the_command() {
        let place = Place::new();
        place.write("x.lua", "return { on_publish = function() while true do end end }");
        place.write("x.cases.toml", "[[case]]\nname = \"it\"\npublish = { topic = \"a\" }\n");
        let args = ["plugin", "test", "x.lua", "--set", "on_error.publish=pass"];
        let finished = place.pintle(&args);
        assert_eq!(finished.code, Some(1));
        let said = finished.stdout;
        assert!(said.contains("verdict: expected no error, got an error: "), "{said}");
        assert!(said.contains("(late)"), "{said}");

        place.write("y.lua", "while true do end");
        let finished = place.pintle(&["plugin", "check", "y.lua", "--set", "limits.load=50ms"]);
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("it did not answer in time"), "{}", finished.stderr);
    }

    #[test]
    fn an_error_in_a_script_names_its_line() {
        let place = Place::new();
        let script = "local P = {}\nfunction P.on_publish(client, topic)\n  \
                      return nothing.at_all\nend\nreturn P\n";
        place.write("x.lua", script);
        place.write("x.cases.toml", "[[case]]\npublish = { topic = \"a\" }\n");
        let args = ["plugin", "test", "x.lua", "--set", "on_error.publish=pass"];
        let finished = place.pintle(&args);
        assert_eq!(finished.code, Some(1));
        assert!(finished.stdout.contains("x.lua:3"), "{}", finished.stdout);
    }

    #[test]
    fn bench_has_a_line_for_each_hook_of_the_cases() {
        let said = lua_place("acl").pintle(&["plugin", "bench", "mine"]).succeeds();
        let line = said.lines().nth(1).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..2], ["authorize", "4"], "{said}");
    }

    #[test]
    fn scripts_of_a_configuration_are_listed_and_explained() {
        let place = lua_place("acl");
        place.write("pintle.toml", "[[plugin]]\nuse = \"mine\"\n");
        let said = place.pintle(&["plugin", "list", "-c", "pintle.toml"]).succeeds();
        assert!(said.contains("mine  mine 0.1.0 (lua, "), "{said}");
        assert!(said.contains("hooks: authorize"), "{said}");
        let explain = ["plugin", "explain", "-c", "pintle.toml", "--client", "lamp"];
        let publish = |topic| {
            let more = ["--user", "lamp", "--action", "publish", "--topic", topic];
            place.pintle(&[&explain[..], &more].concat())
        };
        let finished = publish("devices/lamp/state");
        assert_eq!(finished.code, Some(0), "{}", finished.stdout);
        assert!(finished.stdout.contains("mine: allow"), "{}", finished.stdout);
        let finished = publish("devices/door/state");
        assert_eq!(finished.code, Some(1), "{}", finished.stdout);
        assert!(finished.stdout.contains("mine: deny 0x87"), "{}", finished.stdout);
    }
}
