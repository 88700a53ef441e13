use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use pintle_mqtt::{Properties, ProtocolVersion, QoS, Timestamp};
use pintle_plugin_acl_file::AclFile;
use pintle_plugin_api::{
    About, Accepted, Action as ApiAction, Answer, AuthVerdict, CacheHint, Client, Credentials,
    Decision, DeliverVerdict, FileContent, Hooks as HookSet, Message, MessagePatch, Origin, Plugin,
    PublishOutcome, PublishVerdict, Rule, RuleAction, RuleEffect, Settings,
};
use pintle_plugin_host::{
    ChainSpec, DeliverErrorPolicy, ErrorPolicy, PluginHost, PluginSpec, PublishErrorPolicy,
};
use pintle_ports::{
    Action, AuthOutcome, ConnectAttempt, Granted, HookPath, Hooks, Identity, Step, Transport, Voter,
};

use super::{message, three_properties};
use crate::workload::{Case, Workload, repeated};

const BATCH: u32 = 50;
const NOW: Timestamp = Timestamp::from_millis(1000);

pub(crate) const CASES: &[Case] = &[
    case("authorize-no-plugin", || authorize(chain([])?)),
    case("authorize-native", || authorize(chain([Benign::new(HookSet::AUTHORIZE)])?)),
    case("authorize-kept-decision", authorize_kept),
    case("authorize-rules-50", authorize_rules),
    case("authorize-acl-file-one-rule", || authorize(acl_file("user alice\ntopic plant/#\n")?)),
    case("authorize-acl-file-rules-50", authorize_acl_file_rules),
    case("on-publish-pass-native", || on_publish(Benign::new(HookSet::PUBLISH), false)),
    case("on-publish-pass-native-properties", || on_publish(Benign::new(HookSet::PUBLISH), true)),
    case("on-publish-rewrite-native", on_publish_rewrite),
    case("on-deliver-pass-native", on_deliver),
];

const fn case(name: &'static str, prepare: fn() -> Result<Box<dyn Workload>>) -> Case {
    Case { name, operations: BATCH, prepare }
}

/// Says yes to everything, and leaves or changes messages as it is told.
struct Benign {
    hooks: HookSet,
    patch: Option<MessagePatch>,
    hint: CacheHint,
    rules: Vec<Rule>,
}

impl Benign {
    fn new(hooks: HookSet) -> Self {
        let hint = CacheHint::until_invalidated();
        Self { hooks, patch: None, hint, rules: Vec::new() }
    }
}

impl Plugin for Benign {
    fn about(&self) -> About {
        About::new("benign", "1.0.0", self.hooks)
    }

    fn authenticate(&self, _: &dyn Client, _: &Credentials) -> Answer<AuthVerdict> {
        let rules = self.rules.clone();
        Answer::Now(AuthVerdict::Accept(Accepted { rules, ..Accepted::default() }))
    }

    fn authorize(&self, client: &dyn Client, action: &ApiAction<'_>) -> Decision {
        black_box((client.client_id(), action));
        Decision::Allow(self.hint.clone())
    }

    fn on_publish(
        &self,
        _: Origin,
        _: Option<&dyn Client>,
        message: &Message<'_>,
    ) -> PublishVerdict {
        black_box(message);
        match &self.patch {
            None => PublishOutcome::Pass.into(),
            Some(patch) => PublishOutcome::Rewrite(patch.clone()).into(),
        }
    }

    fn cohort(&self, _: &dyn Client) -> Option<String> {
        Some("all".to_owned())
    }

    fn on_deliver(&self, cohort: &str, message: &Message<'_>) -> DeliverVerdict {
        black_box((cohort, message));
        DeliverVerdict::Pass
    }
}

fn chain(plugins: impl IntoIterator<Item = Benign>) -> Result<Arc<dyn Hooks>> {
    let on_error = ErrorPolicy {
        publish: Some(PublishErrorPolicy::Reject),
        deliver: Some(DeliverErrorPolicy::Drop),
        ..ErrorPolicy::default()
    };
    let specs = plugins
        .into_iter()
        .map(|plugin| PluginSpec { on_error, ..PluginSpec::new("benign", Arc::new(plugin)) });
    load(specs.collect())
}

/// The hooks of an ACL file that holds `text`.
pub(crate) fn acl_file(text: &str) -> Result<Arc<dyn Hooks>> {
    let file = FileContent { path: PathBuf::from("acl"), bytes: text.into() };
    let settings = Settings {
        config: serde_json::json!({ "path": "acl" }),
        files: [("path".to_owned(), file)].into(),
    };
    load(vec![PluginSpec { settings, ..PluginSpec::new("topics", Arc::new(AclFile::new())) }])
}

fn load(plugins: Vec<PluginSpec>) -> Result<Arc<dyn Hooks>> {
    Ok(PluginHost::load(ChainSpec { plugins, ..ChainSpec::default() })?.hooks())
}

fn alice(rules: Option<Arc<dyn Voter>>) -> Identity {
    Identity {
        session_key: 1,
        client_id: "c1".into(),
        username: Some("alice".into()),
        granted: Granted::new(None, rules),
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: "default".into(),
        remote_addr: None,
    }
}

/// Alice asks `hooks` whether she may publish.
fn authorize(hooks: Arc<dyn Hooks>) -> Result<Box<dyn Workload>> {
    authorize_as(alice(None), hooks)
}

fn authorize_as(who: Identity, hooks: Arc<dyn Hooks>) -> Result<Box<dyn Workload>> {
    let publish = message(QoS::AtMostOnce, Properties::EMPTY);
    Ok(repeated(hooks, move |hooks| {
        for _ in 0..BATCH {
            black_box(hooks.authorize(&who, Action::Publish(black_box(&publish)), NOW));
        }
    }))
}

fn authorize_kept() -> Result<Box<dyn Workload>> {
    let mut plugin = Benign::new(HookSet::AUTHORIZE);
    plugin.hint.filter = Some("plant/#".to_owned());
    authorize(chain([plugin])?)
}

/// Fifty filters of which only the last matches.
fn fifty_filters() -> impl Iterator<Item = String> {
    (0..50).map(|number| match number {
        49 => "plant/+/line/+/temperature".to_owned(),
        number if number % 2 == 0 => format!("plant/room{number}/#"),
        number => format!("+/room{number}/+"),
    })
}

fn authorize_rules() -> Result<Box<dyn Workload>> {
    let rules = fifty_filters().map(|filter| Rule {
        effect: RuleEffect::Allow,
        action: RuleAction::Publish,
        filter,
        max_qos: None,
        allow_retain: None,
    });
    let plugin = Benign { rules: rules.collect(), ..Benign::new(HookSet::AUTHENTICATE) };
    let hooks = chain([plugin])?;
    let attempt = ConnectAttempt { who: Arc::new(alice(None)), password: None, will_topic: None };
    let Step::Done(AuthOutcome::Accept(admission)) = hooks.authenticate(attempt) else {
        bail!("the plugin did not accept");
    };
    authorize_as(alice(admission.rules), hooks)
}

fn authorize_acl_file_rules() -> Result<Box<dyn Workload>> {
    let lines = fifty_filters().map(|filter| format!("topic {filter}\n"));
    authorize(acl_file(&format!("user alice\n{}", lines.collect::<String>()))?)
}

fn on_publish(plugin: Benign, with_properties: bool) -> Result<Box<dyn Workload>> {
    let hooks = chain([plugin])?;
    let who = alice(None);
    let properties = three_properties();
    Ok(repeated(hooks, move |hooks| {
        let properties =
            if with_properties { properties.as_properties() } else { Properties::EMPTY };
        let publish = message(QoS::AtMostOnce, properties);
        for _ in 0..BATCH {
            let publish = black_box(&publish);
            black_box(hooks.on_publish(HookPath::Client, Some(&who), publish, NOW));
        }
    }))
}

fn on_publish_rewrite() -> Result<Box<dyn Workload>> {
    let patch = MessagePatch { payload: Some(vec![b'y'; 64]), ..MessagePatch::default() };
    on_publish(Benign { patch: Some(patch), ..Benign::new(HookSet::PUBLISH) }, false)
}

fn on_deliver() -> Result<Box<dyn Workload>> {
    let hooks = chain([Benign::new(HookSet::DELIVER)])?;
    let cohort = hooks.cohort(&alice(None));
    let publish = message(QoS::AtMostOnce, Properties::EMPTY);
    Ok(repeated(hooks, move |hooks| {
        for _ in 0..BATCH {
            black_box(hooks.on_deliver(cohort, black_box(&publish), NOW));
        }
    }))
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::{Properties, QoS};
    use pintle_plugin_api::Hooks as HookSet;
    use pintle_ports::{Action, HookPath, PublishVerdict, Verdict};

    use super::{Benign, NOW, acl_file, alice, chain};
    use crate::cases::message;

    #[test]
    fn alice_may_what_the_acl_file_lets_her() {
        let publish = message(QoS::AtMostOnce, Properties::EMPTY);
        let ask =
            |acl| acl_file(acl).unwrap().authorize(&alice(None), Action::Publish(&publish), NOW);
        assert!(matches!(ask("user alice\ntopic plant/#\n").verdict, Verdict::Allow));
        assert!(matches!(ask("user bob\ntopic plant/#\n").verdict, Verdict::Deny(_)));
    }

    #[test]
    fn the_benign_plugin_lets_messages_pass() {
        let hooks = chain([Benign::new(HookSet::PUBLISH)]).unwrap();
        let publish = message(QoS::AtMostOnce, Properties::EMPTY);
        let ruling = hooks.on_publish(HookPath::Client, Some(&alice(None)), &publish, NOW);
        assert!(matches!(ruling.verdict, PublishVerdict::Pass));
    }
}
