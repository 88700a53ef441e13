use std::path::Path;

use tempfile::TempDir;

use super::*;

/// Files in a folder of their own, and the variables and flags beside them.
pub(super) struct Given {
    pub(super) folder: TempDir,
    sources: Sources,
}

pub(super) fn given(text: &str) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pintle.toml");
    std::fs::write(&file, text).unwrap();
    let sources = Sources { file: Some(file), ..Sources::default() };
    Given { folder, sources }
}

impl Given {
    pub(super) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        let variable = (name.to_owned(), value.to_owned());
        self.sources.environment.push(variable);
        self
    }

    fn bind(mut self, bind: &str) -> Self {
        self.sources.flags.bind = Some(bind.to_owned());
        self
    }

    pub(super) fn config(&self) -> Config {
        Config::load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The messages, with the name of the folder left out.
    pub(super) fn errors(&self) -> Vec<String> {
        let error = Config::load(&self.sources).expect_err("a configuration with an error");
        let folder = format!("{}/", self.folder.path().display());
        error.problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }

    pub(super) fn shown(&self, key: &str) -> (String, String) {
        let config = self.config();
        let folder = format!("{}/", self.folder.path().display());
        let shown = config.shown.iter().find(|shown| shown.key == key);
        let shown = shown.unwrap_or_else(|| panic!("{key} is not shown"));
        let origin = shown.origin.to_string().replace(&folder, "");
        (shown.value.replace(&folder, ""), origin)
    }
}

pub(super) fn error_of(text: &str) -> String {
    let errors = given(text).errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.concat()
}

#[test]
fn without_a_word_there_are_two_loopback_listeners_and_the_counters() {
    let config = Config::load(&Sources::default()).unwrap();
    let binds: Vec<String> = config.listeners.iter().map(|l| l.bind.to_string()).collect();
    assert_eq!(binds, ["127.0.0.1:1883", "127.0.0.1:9001"]);
    assert!(config.listeners.iter().all(|l| l.is_default));
    let plugins: Vec<&str> = config.plugins.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(plugins, ["sys-stats"]);
    assert!(config.listeners[0].terms(false).anonymous);
    assert!(!config.listeners[0].terms(true).anonymous);
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    assert_eq!(
        error_of("[limits]\n\nqueue_mesages_max = 5\n"),
        "pintle.toml:3: limits.queue_mesages_max: unknown key. \
         Did you mean `queue_messages_max`?"
    );
}

#[test]
fn an_unknown_key_like_no_other_is_an_error_with_the_list() {
    let error = error_of("[log]\nxyz = 1\n");
    assert_eq!(
        error,
        "pintle.toml:2: log.xyz: unknown key. There are: level, filter, format, file."
    );
}

#[test]
fn an_unknown_key_of_a_listener_is_named_with_its_place_in_the_list() {
    let error = error_of(
        "[[listener]]\nbind = \"127.0.0.1:1\"\n[[listener]]\nbind = \"127.0.0.1:2\"\nmax_quos = 1\n",
    );
    assert_eq!(error, "pintle.toml:5: listener.1.max_quos: unknown key. Did you mean `max_qos`?");
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_that_says_what_is_expected() {
    assert_eq!(
        error_of("workers = \"many\""),
        "pintle.toml:1: workers: expected \"auto\" or a number from 1 to 1024, found \"many\""
    );
    assert_eq!(
        error_of("[limits]\noutbox_bytes_max = \"much\""),
        "pintle.toml:2: limits.outbox_bytes_max: expected a size such as 65536, \"64KiB\" or \
         \"16MiB\", found \"much\""
    );
    assert_eq!(
        error_of("[limits]\ninflight_max = 70000"),
        "pintle.toml:2: limits.inflight_max: expected a number from 1 to 65535, found 70000"
    );
    assert_eq!(
        error_of("[log]\nformat = \"xml\""),
        "pintle.toml:2: log.format: expected \"pretty\" or \"json\", found \"xml\""
    );
    assert_eq!(error_of("limits = 3"), "pintle.toml:1: limits: expected a table, found 3");
}

#[test]
fn broken_toml_is_an_error_with_its_line() {
    let error = error_of("data_dir = \"x\"\nworkers = = 2\n");
    assert!(error.starts_with("pintle.toml:2: "), "{error}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let sources =
        Sources { file: Some(Path::new("/nowhere/pintle.toml").to_owned()), ..Sources::default() };
    let error = Config::load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nowhere/pintle.toml: No such file"), "{error}");
}

#[test]
fn all_errors_are_told_at_once() {
    let errors = given("workers = 0\n[log]\nlevel = \"loud\"\n").errors();
    assert_eq!(errors.len(), 2, "{errors:#?}");
}

#[test]
fn persistence_on_disk_is_refused_with_the_reason() {
    let error = error_of("persistence = \"disk\"");
    assert!(error.contains("the store on disk is not there yet"), "{error}");
}

#[test]
fn a_misspelt_built_in_plugin_is_refused_with_a_suggestion() {
    let error = error_of("[[plugin]]\nuse = \"builtin:passwords-file\"\n");
    assert!(error.ends_with("Did you mean `builtin:password-file`?"), "{error}");
}

#[test]
fn two_plugins_of_one_name_are_an_error() {
    let error = error_of(
        "[[plugin]]\nuse = \"builtin:acl-file\"\nconfig = { path = \"a\" }\n\
         [[plugin]]\nuse = \"builtin:acl-file\"\nconfig = { path = \"b\" }\n",
    );
    assert_eq!(
        error,
        "pintle.toml:4: plugin.1.name: \"acl-file\" is taken by the plugin at pintle.toml:1"
    );
}

#[test]
fn the_counters_are_switched_off_by_an_entry_of_their_own() {
    let given = given("[[plugin]]\nuse = \"builtin:sys-stats\"\nenabled = false\n");
    assert!(given.config().plugins.is_empty());
}

#[test]
fn a_listener_without_bind_is_an_error() {
    assert_eq!(
        error_of("[[listener]]\nname = \"a\"\n"),
        "pintle.toml:1: listener.0.bind: missing: say where to listen, as in \
         bind = \"127.0.0.1:1883\""
    );
}

#[test]
fn an_address_without_a_port_is_an_error() {
    let error = error_of("[[listener]]\nbind = \"1883\"\n");
    assert_eq!(
        error,
        "pintle.toml:2: listener.0.bind: expected an address and a port, such as \
         \"127.0.0.1:1883\" or \"[::]:1883\", found \"1883\""
    );
}

#[test]
fn two_listeners_at_one_address_are_an_error() {
    let error = error_of(
        "[[listener]]\nbind = \"127.0.0.1:1883\"\n[[listener]]\nbind = \"127.0.0.1:1883\"\n",
    );
    assert!(error.contains("127.0.0.1:1883) is there already, at pintle.toml:1"), "{error}");
}

#[test]
fn a_listener_beyond_loopback_must_say_who_may_connect() {
    let given = given("[[listener]]\nbind = \"0.0.0.0:1883\"\n");
    let error = given.config().check_anonymity(false).unwrap_err().to_string();
    assert!(error.contains("0.0.0.0:1883 is reachable beyond this machine"), "{error}");
    assert!(error.contains("use = \"builtin:password-file\""), "{error}");
    assert!(error.contains("anonymous = true"), "{error}");
    assert_eq!(given.config().check_anonymity(true), Ok(()));
}

#[test]
fn a_listener_beyond_loopback_may_say_that_everybody_may_connect() {
    let given = given("[[listener]]\nbind = \"0.0.0.0:1883\"\nanonymous = true\n");
    let config = given.config();
    assert_eq!(config.check_anonymity(false), Ok(()));
    assert!(config.listeners[0].terms(true).anonymous);
}

#[test]
fn what_a_listener_switches_off_is_in_its_terms() {
    let given = given(
        "[[listener]]\nbind = \"127.0.0.1:1\"\nmax_qos = 1\nretain_available = false\n\
         packet_bytes_max = \"64KiB\"\n",
    );
    let terms = given.config().listeners[0].terms(false);
    assert_eq!(terms.max_qos, pintle_mqtt::QoS::AtLeastOnce);
    assert!(!terms.retain_available);
    assert_eq!(terms.packet_bytes_max, 65_536);
}

#[test]
fn a_listener_takes_the_limits_that_it_does_not_set() {
    let given = given("[limits]\npacket_bytes_max = 2000\n[[listener]]\nbind = \"127.0.0.1:1\"\n");
    assert_eq!(given.config().listeners[0].terms(false).packet_bytes_max, 2000);
}

#[test]
fn tls_files_that_are_missing_are_named() {
    let error = error_of(
        "[[listener]]\nbind = \"127.0.0.1:1\"\ntls = { cert = \"c.pem\", key = \"k.pem\" }\n",
    );
    assert!(
        error.starts_with("pintle.toml:3: listener.0.tls: cannot read c.pem: No such"),
        "{error}"
    );
}

#[test]
fn tls_needs_both_files() {
    let error = error_of("[[listener]]\nbind = \"127.0.0.1:1\"\ntls = { cert = \"c.pem\" }\n");
    assert!(error.contains("listener.0.tls: needs both files"), "{error}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let given = given("[limits]\nqueue_messages_max = 5\n")
        .variable("PINTLE_LIMITS__QUEUE_MESSAGES_MAX", "7");
    assert_eq!(given.config().limits.engine.queue_messages_max, 7);
    let shown = given.shown("limits.queue_messages_max");
    assert_eq!(shown, ("7".into(), "env PINTLE_LIMITS__QUEUE_MESSAGES_MAX".into()));
}

#[test]
fn the_environment_takes_sizes_and_words_without_quotes() {
    let given = given("")
        .variable("PINTLE_LIMITS__QUEUE_BYTES_MAX", "4MiB")
        .variable("PINTLE_DATA_DIR", "/var/lib/pintle");
    assert_eq!(given.config().limits.engine.queue_bytes_max, 4 << 20);
    assert_eq!(given.config().data_dir, Path::new("/var/lib/pintle"));
}

#[test]
fn the_environment_reaches_a_listener_by_its_place() {
    let given = given("[[listener]]\nbind = \"127.0.0.1:1\"\n")
        .variable("PINTLE_LISTENER__0__BIND", "127.0.0.1:2");
    assert_eq!(given.config().listeners[0].bind.port(), 2);
}

#[test]
fn the_environment_may_bring_whole_listeners() {
    let given = given("").variable("PINTLE_LISTENER", "[{ bind = \"127.0.0.1:5\" }]");
    assert_eq!(given.config().listeners[0].bind.port(), 5);
}

#[test]
fn an_unknown_variable_is_an_error_with_a_suggestion() {
    let errors = given("").variable("PINTLE_WORKER", "2").errors();
    assert_eq!(errors, ["env PINTLE_WORKER: worker: unknown key. Did you mean `workers`?"]);
}

#[test]
fn variables_that_kubernetes_sets_are_passed_over() {
    let given = given("")
        .variable("PINTLE_SERVICE_HOST", "10.0.0.1")
        .variable("PINTLE_PORT_1883_TCP", "tcp://10.0.0.1:1883");
    assert_eq!(given.config().listeners.len(), 2);
}

#[test]
fn drop_ins_come_after_the_file_in_the_order_of_their_names() {
    let given = given("workers = 1\n[[listener]]\nbind = \"127.0.0.1:1\"\n")
        .file("conf.d/20-b.toml", "workers = 3\n")
        .file("conf.d/10-a.toml", "workers = 2\n[[listener]]\nbind = \"127.0.0.1:2\"\n")
        .file("conf.d/readme.txt", "not read");
    let config = given.config();
    let ports: Vec<u16> = config.listeners.iter().map(|l| l.bind.port()).collect();
    assert_eq!((config.workers, ports), (3, vec![1, 2]));
    assert_eq!(given.shown("workers").1, "conf.d/20-b.toml:1");
}

#[test]
fn what_a_drop_in_appends_is_told_with_its_place_there() {
    let listener = |port| format!("[[listener]]\nbind = \"127.0.0.1:{port}\"\n");
    let given = given(&format!("workers = 1\n{}", listener(1)))
        .file("conf.d/10-a.toml", &listener(2))
        .file("conf.d/20-b.toml", &format!("\n\n{}", listener(3)))
        .variable("PINTLE_LISTENER__1__MAX_QOS", "1");
    assert_eq!(given.shown("listener.0.bind").1, "pintle.toml:3");
    assert_eq!(given.shown("listener.1.bind").1, "conf.d/10-a.toml:2");
    assert_eq!(given.shown("listener.1.max_qos").1, "env PINTLE_LISTENER__1__MAX_QOS");
    assert_eq!(given.shown("listener.2.bind").1, "conf.d/20-b.toml:4");
}

#[test]
fn a_list_of_words_in_a_drop_in_stands_in_for_that_of_the_file() {
    let given = given(
        "[[plugin]]\nname = \"a\"\nuse = \"builtin:acl-file\"\nconfig = { path = \"a\" }\n\
         [hooks]\nauthorize = [\"a\", \"a\"]\n",
    )
    .file("conf.d/a.toml", "[hooks]\nauthorize = [\"a\"]\n");
    assert_eq!(given.shown("hooks.authorize"), ("[\"a\"]".into(), "conf.d/a.toml:2".into()));
}

#[test]
fn a_variable_that_leads_nowhere_is_an_error() {
    let errors = given("workers = 1\n[[listener]]\nbind = \"127.0.0.1:1\"\n")
        .variable("PINTLE_LISTENER__1__BIND", "127.0.0.1:2")
        .variable("PINTLE_WORKERS__MAX", "2")
        .errors();
    assert_eq!(
        errors,
        [
            "env PINTLE_LISTENER__1__BIND: listener.1.bind: `listener` has no entry 1; \
             the first is 0",
            "env PINTLE_WORKERS__MAX: workers.max: `workers` is a single value and has no keys \
             of its own",
        ]
    );
}

#[test]
fn a_flag_wins_over_everything() {
    let mut given = given("data_dir = \"a\"\n").variable("PINTLE_DATA_DIR", "b");
    given.sources.flags.data_dir = Some("c".into());
    assert_eq!(given.config().data_dir, Path::new("c"));
    assert_eq!(given.shown("data_dir").1, "flag --data-dir");
}

#[test]
fn bind_moves_the_default_listener() {
    let given = given("").bind("127.0.0.1:1884");
    let ports: Vec<u16> = given.config().listeners.iter().map(|l| l.bind.port()).collect();
    assert_eq!(ports, [1884, 9001]);
}

#[test]
fn bind_does_not_move_a_listener_of_the_file() {
    let errors = given("[[listener]]\nbind = \"127.0.0.1:1\"\n").bind("127.0.0.1:2").errors();
    let error = errors.concat();
    assert!(error.starts_with("flag --bind: moves the default listener"), "{error}");
    assert!(error.contains("at pintle.toml:1"), "{error}");
}

#[test]
fn paths_begin_at_the_folder_of_the_file_that_names_them() {
    let given = given(
        "data_dir = \"data\"\n[[plugin]]\nuse = \"builtin:acl-file\"\nconfig = { path = \"acl\" }\n",
    );
    let config = given.config();
    assert_eq!(config.data_dir, given.folder.path().join("data"));
    assert_eq!(config.plugins[0].files, [given.folder.path().join("acl")]);
    let path = config.plugins[0].config["path"].as_str().unwrap();
    assert_eq!(Path::new(path), given.folder.path().join("acl"));
}

#[test]
fn secrets_come_from_files_and_variables_and_are_not_shown() {
    let given = given(
        "[[plugin]]\nuse = \"builtin:acl-file\"\n\
         config = { a = { file = \"secret\" }, b = { env = \"SECRET\" } }\n",
    )
    .file("secret", "from the file\n")
    .variable("SECRET", "from the environment");
    let config = given.config();
    assert_eq!(config.plugins[0].config["a"], "from the file");
    assert_eq!(config.plugins[0].config["b"], "from the environment");
    assert!(config.shown.iter().all(|shown| !shown.value.contains("from the")));
    assert_eq!(given.shown("plugin.0.config.b").0, "{ env = \"SECRET\" }");
}

#[test]
fn a_secret_that_is_not_there_is_an_error() {
    let error = error_of(
        "[[plugin]]\nuse = \"builtin:acl-file\"\nconfig = { a = { env = \"NO_SUCH\" } }\n",
    );
    assert_eq!(
        error,
        "pintle.toml:3: plugin.0.config: the environment has no variable NO_SUCH for the secret"
    );
}

#[test]
fn a_bad_topic_filter_of_a_plugin_is_an_error() {
    let error = error_of("[[plugin]]\nuse = \"builtin:sys-stats\"\ntopics = [\"a/#/b\"]\n");
    assert!(
        error.starts_with("pintle.toml:3: plugin.0.topics: \"a/#/b\" is no Topic Filter"),
        "{error}"
    );
}

#[test]
fn built_in_plugins_are_granted_what_they_need() {
    let given = given("[[plugin]]\nuse = \"builtin:password-file\"\nconfig = { path = \"p\" }\n");
    let config = given.config();
    assert!(config.plugins[0].grants.disconnect);
    assert_eq!(config.plugins[1].grants.publish, ["$SYS/#"]);
    assert!(config.has_authenticator());
}

#[test]
fn a_list_of_hooks_names_plugins_that_exist() {
    let error = error_of(
        "[[plugin]]\nname = \"acl\"\nuse = \"builtin:acl-file\"\nconfig = { path = \"a\" }\n\
         [hooks]\nauthorize = [\"acl\", \"alc\"]\n",
    );
    assert_eq!(
        error,
        "pintle.toml:6: hooks.authorize: there is no plugin \"alc\". Did you mean `acl`?"
    );
}

#[test]
fn a_list_of_hooks_leaves_no_plugin_out() {
    let plugin = |name| {
        format!(
            "[[plugin]]\nname = \"{name}\"\nuse = \"builtin:acl-file\"\nconfig = {{ path = \"a\" }}\n"
        )
    };
    let text = format!("{}{}[hooks]\nauthorize = [\"b\"]\n", plugin("a"), plugin("b"));
    assert_eq!(
        error_of(&text),
        "pintle.toml:10: hooks.authorize: \"a\" has this hook too; say where in the list it comes"
    );
}

#[test]
fn a_filter_of_the_log_is_checked() {
    let error = error_of("[log]\nfilter = \"pintle=loud\"\n");
    assert!(error.starts_with("pintle.toml:2: log.filter: "), "{error}");
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let given = given("[[listener]]\nbind = \"127.0.0.1:1883\"\nmax_qos = 1\n");
    assert_eq!(given.shown("listener.0.max_qos"), ("1".into(), "pintle.toml:3".into()));
    assert_eq!(given.shown("listener.0.retain_available"), ("true".into(), "default".into()));
    assert_eq!(given.shown("limits.queue_bytes_max"), ("\"16MiB\"".into(), "default".into()));
}

#[test]
fn who_may_connect_without_a_word_is_shown_as_it_comes_out() {
    let listener = "[[listener]]\nbind = \"127.0.0.1:1883\"\n";
    let plugin = "[[plugin]]\nuse = \"builtin:password-file\"\nconfig = { path = \"p\" }\n";
    let with_plugin = format!("{listener}{plugin}");
    assert_eq!(given(listener).shown("listener.0.anonymous").0, "true");
    assert_eq!(given(&with_plugin).shown("listener.0.anonymous").0, "false");
}

#[test]
fn the_default_listeners_and_plugin_are_shown_like_any_other() {
    let given = given("").bind("127.0.0.1:1884");
    let bind = given.shown("listener.0.bind");
    assert_eq!(bind, ("\"127.0.0.1:1884\"".into(), "flag --bind".into()));
    assert_eq!(given.shown("plugin.0.use").0, "\"builtin:sys-stats\"");
}

#[test]
fn values_of_every_kind_are_shown_as_they_were_written() {
    let given = given(
        "[[plugin]]\nuse = \"builtin:acl-file\"\n\
         config = { a = 1.5, b = [true, -2], c = { d = \"x\\ny\" } }\n",
    );
    assert_eq!(given.shown("plugin.0.config.a").0, "1.5");
    assert_eq!(given.shown("plugin.0.config.b").0, "[true, -2]");
    assert_eq!(given.shown("plugin.0.config.c").0, r#"{ d = "x\ny" }"#);
}

#[test]
fn a_flag_that_is_no_address_is_an_error() {
    let errors = given("").bind("1884").errors();
    assert_eq!(
        errors,
        ["flag --bind: listener.0.bind: expected an address and a port, such as \
          \"127.0.0.1:1883\" or \"[::]:1883\", found \"1884\""]
    );
}
