//! What a generation of a plugin tells the next.

use pintle_plugin_api::{Hooks, Settings};
use pintle_plugin_host::{ChainSpec, LoadError, PluginHost, PluginSpec};

use crate::{ContractHost, contract};

/// The probe, which is told something to remember, and then replaced.
struct Loaded<'a> {
    host: PluginHost,
    kind: &'a dyn ContractHost,
}

impl<'a> Loaded<'a> {
    fn new(kind: &'a dyn ContractHost) -> Self {
        let plugins = vec![spec(kind)];
        let host = PluginHost::load(ChainSpec { plugins, ..ChainSpec::default() }).unwrap();
        Self { host, kind }
    }

    fn remembers(&self, what: &str) {
        let args = format!("\"{what}\"");
        self.host.command("probe", None, "remember", &args).unwrap().unwrap();
    }

    fn recalls(&self) -> String {
        let answer = self.host.command("probe", None, "recall", "").unwrap().unwrap();
        answer.trim_matches('"').to_owned()
    }

    fn is_replaced(&self) -> Result<(), LoadError> {
        self.host.install(spec(self.kind)).map(drop)
    }
}

fn spec(kind: &dyn ContractHost) -> PluginSpec {
    kind.probe("probe", Hooks::COMMAND.and(Hooks::STATE))
}

contract! {
    fn what_a_plugin_knows_is_told_to_the_generation_after_it(kind) {
        let plugin = Loaded::new(kind);
        plugin.remembers("blue");
        plugin.is_replaced().unwrap();
        assert_eq!(plugin.recalls(), "blue");
        plugin.is_replaced().unwrap();
        assert_eq!(plugin.recalls(), "blue");
    }

    fn it_is_told_when_the_settings_change(kind) {
        let plugin = Loaded::new(kind);
        plugin.remembers("blue");
        let settings: Settings = plugin.host.spec("probe").unwrap().settings;
        plugin.host.reconfigure("probe", &settings).unwrap();
        assert_eq!(plugin.recalls(), "blue");
    }

    fn a_generation_that_does_not_take_it_is_not_loaded(kind) {
        let plugin = Loaded::new(kind);
        plugin.remembers("poison");
        let refused = plugin.is_replaced().unwrap_err().to_string();
        assert!(refused.contains("this is poison"), "{refused}");
        assert_eq!(plugin.recalls(), "poison");
    }

    fn a_generation_that_can_not_tell_is_replaced_all_the_same(kind) {
        for what in ["crash", "too much"] {
            let plugin = Loaded::new(kind);
            plugin.remembers(what);
            plugin.is_replaced().unwrap();
            assert_eq!(plugin.recalls(), "");
        }
    }

    fn a_plugin_without_the_hook_begins_anew(kind) {
        let spec = || kind.probe("probe", Hooks::COMMAND);
        let plugins = vec![spec()];
        let host = PluginHost::load(ChainSpec { plugins, ..ChainSpec::default() }).unwrap();
        let plugin = Loaded { host, kind };
        plugin.remembers("blue");
        plugin.host.install(spec()).unwrap();
        assert_eq!(plugin.recalls(), "");
    }
}
