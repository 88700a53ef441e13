use std::net::SocketAddr;

use pintle_server::{Broker, PluginSpec, Running};
use pintle_tests::wire::Connect;
use pintle_tests::{Client, V5, Version, over_tcp};

/// A broker inside this process.
pub(crate) struct Embedded {
    address: SocketAddr,
    _running: Running,
}

impl Embedded {
    /// Starts one with these plugins, asked in this order.
    pub(crate) fn start<const N: usize>(plugins: [PluginSpec; N]) -> Self {
        let builder = Broker::builder().listen("127.0.0.1:0");
        let builder = plugins.into_iter().fold(builder, |b, plugin| b.plugin_with(plugin));
        let running = builder.start().expect("the broker starts");
        let address = running.addresses()[0];
        Self { address, _running: running }
    }

    /// A connection that has not said anything yet.
    pub(crate) fn open(&self, version: Version) -> Client {
        let stream = over_tcp(self.address).expect("the broker takes a connection");
        Client::over(stream, version)
    }

    /// A client that has been let in.
    #[track_caller]
    pub(crate) fn connect(&self, version: Version, connect: &Connect) -> Client {
        let mut client = self.open(version);
        client.connects(connect);
        client
    }

    /// A client of 5.0, let in.
    #[track_caller]
    pub(crate) fn v5(&self, client_id: &str) -> Client {
        self.connect(V5, &Connect::new(client_id))
    }

    /// A client of 5.0 with this user name, let in.
    #[track_caller]
    pub(crate) fn user(&self, name: &str) -> Client {
        self.connect(V5, &Connect::new(format!("of {name}")).username(name))
    }

    /// The code that this CONNECT is refused with.
    #[track_caller]
    pub(crate) fn refuses(&self, version: Version, connect: &Connect) -> u8 {
        let mut client = self.open(version);
        client.send(connect);
        let code = client.expect_connack().code;
        client.is_closed();
        code
    }
}
