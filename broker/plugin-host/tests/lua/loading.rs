use pintle_plugin_api::Settings;
use pintle_plugin_host::{LoadError, PluginSpec};

use crate::support::{load, named, refusal, rewritten, script, try_load};

#[test]
fn a_syntax_error_names_file_and_line() {
    let what = refusal("local P = {}\nfunction P.on_publish(\nreturn P");
    assert!(what.starts_with("plugin `script`: script.lua:3: "), "{what}");
}

#[test]
fn an_error_while_the_script_runs_names_file_and_line() {
    let what = refusal("local P = {}\nerror('no good')\nreturn P");
    assert_eq!(what, "plugin `script`: script.lua:2: no good");
}

#[test]
fn a_script_without_a_table_is_told_what_to_return() {
    let what = refusal("local P = {}");
    assert!(what.contains("it should end with `return P`"), "{what}");
}

#[test]
fn a_script_without_hooks_is_refused() {
    assert!(refusal("return {}").contains("the table has no hooks"));
}

#[test]
fn a_misspelt_hook_is_refused_since_it_would_never_be_called() {
    let what = refusal("return { on_publsh = function() end, authorize = function() end }");
    assert!(what.contains("P.on_publsh is no hook: there are authenticate, "), "{what}");
}

#[test]
fn an_unknown_event_is_refused() {
    let what = refusal("return { events = { 'conected' }, on_events = function() end }");
    assert!(what.contains("events: `conected` is none of connected, "), "{what}");
}

#[test]
fn hooks_that_belong_together_are_asked_for_together() {
    assert!(refusal("return { on_events = function() end }").contains("needs P.events"));
    assert!(refusal("return { cohort = function() end }").contains("belong together"));
    assert!(refusal("return { auth_begin = function() end }").contains("belong together"));
}

#[test]
fn bytecode_is_refused() {
    let bytecode = "\u{6}\u{3}\u{0}return 1";
    assert!(try_load([script(bytecode)]).is_err());
}

#[test]
fn a_script_over_the_bound_on_code_is_refused() {
    let mut spec = script("return { authorize = function() end }");
    spec.limits.code_bytes_max = 10;
    let what = try_load([spec]).map(|_| ()).unwrap_err().to_string();
    assert!(what.contains("limits.code allows 10"), "{what}");
}

#[test]
fn settings_are_there_while_the_script_runs_and_new_ones_take_their_place() {
    let source = "local word = broker.config.word or 'none'
        return { on_publish = function(client, topic) return word end }";
    let with = |word: &str| Settings {
        config: serde_json::json!({ "word": word }),
        ..Settings::default()
    };
    let table = load([PluginSpec { settings: with("one"), ..script(source) }]);
    assert_eq!(rewritten(&table.publish("t", b"")).1, "one");
    table.host.reconfigure("script", &with("two")).unwrap();
    assert_eq!(rewritten(&table.publish("t", b"")).1, "two");
}

#[test]
fn settings_that_a_script_does_not_take_leave_the_old_ones_in_force() {
    let source = "assert(broker.config.word ~= 'bad', 'not this word')
        return { on_publish = function() return broker.config.word or 'none' end }";
    let table = load([script(source)]);
    let bad = Settings { config: serde_json::json!({ "word": "bad" }), ..Settings::default() };
    let refused = table.host.reconfigure("script", &bad).unwrap_err();
    assert!(refused.to_string().contains("not this word"), "{refused}");
    assert_eq!(rewritten(&table.publish("t", b"")).1, "none");
}

#[test]
fn a_new_generation_takes_the_place_of_the_old_and_can_be_taken_back() {
    let saying = |word: &str| {
        named("p", &format!("return {{ on_publish = function() return '{word}' end }}"))
    };
    let table = load([saying("one")]);
    let said = || {
        let hooks = table.host.hooks();
        let table = crate::support::Table::new(crate::support::try_load([]).unwrap(), hooks);
        rewritten(&table.publish("t", b"")).1
    };
    assert!(table.host.install(saying("two")).unwrap().replaced);
    assert_eq!(said(), "two");
    let broken = table.host.install(named("p", "return {")).unwrap_err();
    assert!(matches!(broken, LoadError::Code { .. }), "{broken}");
    assert_eq!(said(), "two");
    table.host.roll_back("p").unwrap();
    assert_eq!(said(), "one");
}
