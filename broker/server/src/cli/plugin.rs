//! `pintle plugin`: which plugins a configuration has, and what they would decide.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use pintle_mqtt::{
    Properties, ProtocolVersion, Publish, PublishFlags, QoS, SubscriptionFilter, TopicName,
};
use pintle_plugin_host::Explanation;
use pintle_ports::{Action, Identity, SubscriptionRequest, Transport, Verdict};

use super::admin_client::BrokerArgs;
use super::client_args::parse_qos;
use super::{
    Exit, SourceArgs, check, plugin_admin, plugin_bench, plugin_check, plugin_new, plugin_test,
    plugin_types, print,
};
use crate::admin::Question;

#[derive(Subcommand, Debug)]
pub(super) enum PluginCommand {
    /// Print the plugins of the running broker; if none answers, those of the configuration
    List(ListArgs),
    /// Say whether a client may do something, and who decides it; exit code 0 for yes, 1 for no
    Explain(ExplainArgs),
    /// Make a folder with a plugin that works
    New(plugin_new::NewArgs),
    /// Say what a plugin is, needs, and would be allowed
    Check(plugin_check::CheckArgs),
    /// Run the cases of a plugin, without a broker
    Test(plugin_test::TestArgs),
    /// Time the hooks of a plugin over its cases
    Bench(plugin_bench::BenchArgs),
    /// Write types, so that an editor completes and checks scripts
    Types(plugin_types::TypesArgs),
    #[command(flatten)]
    Admin(plugin_admin::AdminCommand),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// The admin socket of the broker; else that of the configuration
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceArgs,
}

#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// Client Identifier
    #[arg(long, default_value = "", value_name = "ID")]
    client: String,
    /// User name; without it the client is anonymous
    #[arg(long)]
    user: Option<String>,
    /// Topic Name; for `subscribe` a Topic Filter
    #[arg(long)]
    topic: String,
    /// What it wants to do
    #[arg(long, value_enum)]
    action: ActionName,
    /// QoS
    #[arg(long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Of a message that is retained
    #[arg(long)]
    retain: bool,
    /// Name of the listener it comes by
    #[arg(long, default_value = "explain")]
    listener: String,
    /// Ask the plugins of the running broker, as they are now
    #[arg(long)]
    live: bool,
    /// The admin socket of that broker; else that of the configuration
    #[arg(long, value_name = "PATH", requires = "live")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ActionName {
    /// Publish to the topic
    Publish,
    /// Subscribe to the filter
    Subscribe,
    /// Be given a message of the topic
    Receive,
    /// Leave a will for the topic
    Will,
}

pub(super) fn run(command: &PluginCommand) -> Result<Exit> {
    match command {
        PluginCommand::List(sources) => list(sources),
        PluginCommand::Explain(args) => explain(args),
        PluginCommand::New(args) => plugin_new::run(args),
        PluginCommand::Check(args) => plugin_check::run(args),
        PluginCommand::Test(args) => plugin_test::run(args),
        PluginCommand::Bench(args) => plugin_bench::run(args),
        PluginCommand::Types(args) => plugin_types::run(args),
        PluginCommand::Admin(command) => plugin_admin::run(command),
    }
}

/// The broker that commands go to.
fn broker(socket: Option<&PathBuf>, sources: &SourceArgs) -> BrokerArgs {
    BrokerArgs {
        socket: socket.cloned(),
        config: sources.config.clone(),
        data_dir: sources.data_dir.clone(),
    }
}

fn list(args: &ListArgs) -> Result<Exit> {
    if let Some(text) = plugin_admin::list(&broker(args.socket.as_ref(), &args.sources))? {
        print(&text)?;
        return Ok(Exit::Success);
    }
    let (config, host) = check::load(&args.sources)?;
    let mut text = "Of the configuration (no broker answers):\n".to_owned();
    for plugin in host.list() {
        let hooks: Vec<String> = plugin.hooks.iter().map(ToString::to_string).collect();
        let topics = if plugin.topics.is_empty() {
            "all topics".to_owned()
        } else {
            plugin.topics.join(", ")
        };
        let origin = config.plugins.iter().find(|other| other.name == plugin.name);
        let origin = origin.map(|other| other.origin.to_string()).unwrap_or_default();
        writeln!(
            text,
            "{}  {} {} ({}, {origin})\n    hooks: {}\n    topics: {topics}",
            plugin.name,
            plugin.plugin,
            plugin.version,
            plugin.kind,
            hooks.join(", ")
        )?;
    }
    print(&text)?;
    Ok(Exit::Success)
}

fn explain_live(args: &ExplainArgs) -> Result<Exit> {
    let question = Question {
        client: args.client.clone(),
        user: args.user.clone(),
        topic: args.topic.clone(),
        action: match args.action {
            ActionName::Publish => crate::admin::ActionName::Publish,
            ActionName::Subscribe => crate::admin::ActionName::Subscribe,
            ActionName::Receive => crate::admin::ActionName::Receive,
            ActionName::Will => crate::admin::ActionName::Will,
        },
        qos: match args.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce => 1,
            QoS::ExactlyOnce => 2,
        },
        retain: args.retain,
        listener: args.listener.clone(),
    };
    let broker = broker(args.socket.as_ref(), &args.sources);
    let (text, is_yes) = plugin_admin::explain(&broker, &serde_json::to_value(question)?)?;
    print(&text)?;
    Ok(if is_yes { Exit::Success } else { Exit::No })
}

fn explain(args: &ExplainArgs) -> Result<Exit> {
    if args.live {
        return explain_live(args);
    }
    let (_, host) = check::load(&args.sources)?;
    let who = identity(args);
    let explanation = match args.action {
        ActionName::Subscribe => {
            let request = subscription(args)?;
            host.explain(&who, Action::Subscribe(&request))
        }
        ActionName::Publish => host.explain(&who, Action::Publish(&message(args)?)),
        ActionName::Receive => host.explain(&who, Action::Receive(&message(args)?)),
        ActionName::Will => host.explain(&who, Action::Will(&message(args)?)),
    };
    print(&told(&explanation))?;
    Ok(match explanation.verdict {
        Verdict::Allow => Exit::Success,
        Verdict::Deny(_) | Verdict::Disconnect(_) => Exit::No,
    })
}

fn told(explanation: &Explanation) -> String {
    if explanation.voters.is_empty() {
        return format!("{explanation} (no plugin decides what clients may do)\n");
    }
    format!("{explanation}\n")
}

fn identity(args: &ExplainArgs) -> Identity {
    Identity {
        session_key: 1,
        client_id: args.client.as_str().into(),
        username: args.user.as_deref().map(Box::from),
        granted: None,
        protocol: ProtocolVersion::V5_0,
        transport: Transport::Tcp,
        listener: Arc::from(args.listener.as_str()),
        remote_addr: None,
    }
}

fn message(args: &ExplainArgs) -> Result<Publish<'_>> {
    let topic = TopicName::new(&args.topic)
        .with_context(|| format!("{:?} is no Topic Name", args.topic))?;
    Ok(Publish {
        flags: PublishFlags { dup: false, qos: args.qos, retain: args.retain },
        topic: Some(topic),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"",
    })
}

fn subscription(args: &ExplainArgs) -> Result<SubscriptionRequest> {
    let filter = SubscriptionFilter::new(&args.topic)
        .with_context(|| format!("{:?} is no Topic Filter", args.topic))?;
    Ok(SubscriptionRequest {
        filter: filter.filter.as_str().to_owned(),
        share_name: filter.share.map(|name| name.as_str().to_owned()),
        qos: args.qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
    })
}
