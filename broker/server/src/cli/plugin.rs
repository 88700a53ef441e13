//! `pintle plugin`: which plugins a configuration has, and what they would decide.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use pintle_mqtt::{
    Properties, ProtocolVersion, Publish, PublishFlags, QoS, SubscriptionFilter, TopicName,
};
use pintle_plugin_host::Explanation;
use pintle_ports::{Action, Identity, SubscriptionRequest, Transport, Verdict};

use super::client_args::parse_qos;
use super::{Exit, SourceArgs, check, plugin_bench, plugin_check, plugin_test, print};

#[derive(Subcommand, Debug)]
pub(super) enum PluginCommand {
    /// Print the plugins, in the order in which they appear
    List(SourceArgs),
    /// Say whether a client may do something, and who decides it; exit code 0 for yes, 1 for no
    Explain(ExplainArgs),
    /// Say what a plugin is, needs, and would be allowed
    Check(plugin_check::CheckArgs),
    /// Run the cases of a plugin, without a broker
    Test(plugin_test::TestArgs),
    /// Time the hooks of a plugin over its cases
    Bench(plugin_bench::BenchArgs),
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
        PluginCommand::Check(args) => plugin_check::run(args),
        PluginCommand::Test(args) => plugin_test::run(args),
        PluginCommand::Bench(args) => plugin_bench::run(args),
    }
}

fn list(sources: &SourceArgs) -> Result<Exit> {
    let (config, host) = check::load(sources)?;
    let mut text = String::new();
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

fn explain(args: &ExplainArgs) -> Result<Exit> {
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
