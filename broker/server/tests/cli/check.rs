use crate::harness::{LOOPBACK, Place};

#[test]
fn a_good_configuration_is_fine_and_says_who_may_connect() {
    let place = Place::new();
    place.write("pintle.toml", LOOPBACK);
    let said = place.pintle(&["check", "-c", "pintle.toml"]).succeeds();
    assert_eq!(
        said,
        "listener 127.0.0.1:0: anybody may connect\nplugins: sys-stats\n\
         The configuration is fine.\n"
    );
}

#[test]
fn every_fault_is_told_with_its_line_and_the_exit_code_is_1() {
    let place = Place::new();
    place.write("pintle.toml", "wrokers = 1\n[log]\nlevel = \"loud\"\n");
    let error = place.pintle(&["check", "-c", "pintle.toml"]).fails_with(1);
    assert!(error.contains("pintle.toml:1: wrokers: unknown key. Did you mean `workers`?"));
    assert!(error.contains("pintle.toml:3: log.level: expected \"off\" or \"error\""), "{error}");
    assert!(error.ends_with("2 errors\n"), "{error}");
}

#[test]
fn the_file_of_a_plugin_is_checked_to_its_lines() {
    let place = Place::new();
    place.write("acl", "user alice\ntopic sometimes a b\n").write(
        "pintle.toml",
        "[[plugin]]\nname = \"topics\"\nuse = \"builtin:acl-file\"\nconfig = { path = \"acl\" }\n",
    );
    let error = place.pintle(&["check", "-c", "pintle.toml"]).fails_with(1);
    assert!(error.starts_with("pintle.toml:1: plugin `topics`: acl:2: "), "{error}");
}

#[test]
fn a_file_of_a_plugin_that_is_missing_is_named() {
    let place = Place::new();
    place.write(
        "pintle.toml",
        "[[plugin]]\nuse = \"builtin:password-file\"\nconfig = { path = \"users\" }\n",
    );
    let error = place.pintle(&["check", "-c", "pintle.toml"]).fails_with(1);
    let expected = "pintle.toml:1: plugin `password-file`: cannot read users: No such file";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_listener_beyond_loopback_needs_a_word_on_who_may_connect() {
    let place = Place::new();
    place.write("pintle.toml", "[[listener]]\nbind = \"0.0.0.0:1883\"\n");
    let error = place.pintle(&["check", "-c", "pintle.toml"]).fails_with(1);
    assert!(error.contains("use = \"builtin:password-file\""), "{error}");
    assert!(error.contains("anonymous = true"), "{error}");
}

#[test]
fn passwords_in_the_open_are_warned_of() {
    let place = Place::new();
    place.write("users", "").write(
        "pintle.toml",
        "[[listener]]\nbind = \"0.0.0.0:1883\"\n\
         [[plugin]]\nuse = \"builtin:password-file\"\nconfig = { path = \"users\" }\n",
    );
    let said = place.pintle(&["check", "-c", "pintle.toml"]).succeeds();
    assert!(said.starts_with("warning: 0.0.0.0:1883 takes passwords without TLS"), "{said}");
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let place = Place::new();
    place.write("other.toml", "workers = 0\n");
    let error = place.pintle_with_env(&["check"], "PINTLE_CONFIG", "other.toml").fails_with(1);
    assert!(error.starts_with("other.toml:1: workers: "), "{error}");
}
