//! `pintle pub`: publishes messages.

use std::fs;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use pintle_mqtt::QoS;

use super::Exit;
use super::client_args::{ClientArgs, parse_qos};
use crate::client::{Connection, OutgoingMessage, OutgoingProperties};

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct PublishArgs {
    /// Topic Name
    #[arg(short = 't', long)]
    topic: String,
    #[command(flatten)]
    payload: PayloadArgs,
    /// QoS
    #[arg(short = 'q', long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Retain the message
    #[arg(short = 'r', long)]
    retain: bool,
    /// Seconds until the message expires, with MQTT 5
    #[arg(long, value_name = "SECONDS")]
    expiry: Option<u32>,
    /// Content Type, with MQTT 5
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Response Topic, with MQTT 5
    #[arg(long, value_name = "TOPIC")]
    response_topic: Option<String>,
    /// Correlation Data, with MQTT 5
    #[arg(long, value_name = "TEXT")]
    correlation_data: Option<String>,
    /// User Property, with MQTT 5; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    user_property: Vec<(String, String)>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct PayloadArgs {
    /// The payload
    #[arg(short = 'm', long, allow_hyphen_values = true)]
    message: Option<String>,
    /// Take the payload from a file
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take the payload from standard input, all of it
    #[arg(short = 's', long)]
    stdin: bool,
    /// Publish each line of standard input as it comes
    #[arg(short = 'l', long)]
    lines: bool,
    /// An empty payload; with -r it deletes a retained message
    #[arg(short = 'n', long)]
    null: bool,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is written as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl PublishArgs {
    fn properties(&self) -> Result<OutgoingProperties> {
        let properties = OutgoingProperties {
            expiry_secs: self.expiry,
            content_type: self.content_type.clone(),
            response_topic: self.response_topic.clone(),
            correlation_data: self.correlation_data.clone(),
            user_properties: self.user_property.clone(),
        };
        let has_some = properties.expiry_secs.is_some()
            || properties.content_type.is_some()
            || properties.response_topic.is_some()
            || properties.correlation_data.is_some()
            || !properties.user_properties.is_empty();
        if has_some && !self.client.is_v5() {
            bail!("properties of a message need MQTT 5 (-V 5)");
        }
        Ok(properties)
    }

    fn message(&self, payload: Vec<u8>) -> Result<OutgoingMessage> {
        Ok(OutgoingMessage {
            topic: self.topic.clone(),
            payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties()?,
        })
    }
}

pub(super) fn run(args: &PublishArgs) -> Result<Exit> {
    let options = args.client.options()?;
    let mut message = args.message(payload(&args.payload)?)?;
    let mut connection = Connection::open(&options)?;
    let published = if args.payload.lines {
        publish_lines(&mut connection, &mut message)
    } else {
        connection.publish(&message).map_err(Into::into)
    };
    // A broker that has refused is taken leave of too.
    let closed = connection.close();
    published?;
    closed?;
    Ok(Exit::Success)
}

/// The payload; empty for `-n`, and for `-l`, which has one for each line.
fn payload(args: &PayloadArgs) -> Result<Vec<u8>> {
    if let Some(text) = &args.message {
        return Ok(text.clone().into_bytes());
    }
    if let Some(path) = &args.file {
        return fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut payload = Vec::new();
    if args.stdin {
        io::stdin().lock().read_to_end(&mut payload).context("cannot read standard input")?;
    }
    Ok(payload)
}

fn publish_lines(connection: &mut Connection, message: &mut OutgoingMessage) -> Result<()> {
    let mut input = io::stdin().lock();
    loop {
        message.payload.clear();
        let read = input.read_until(b'\n', &mut message.payload);
        if read.context("cannot read standard input")? == 0 {
            return Ok(());
        }
        if message.payload.last() == Some(&b'\n') {
            message.payload.pop();
        }
        connection.publish(message)?;
    }
}
