use std::net::SocketAddr;

use foldhash::{HashMap, HashMapExt};
use mlua::{Error, Lua, Result, Table};
use pintle_plugin_api::{Client, Protocol, Transport};

/// Clients as the script sees them, made once for each connection rather than for each call.
pub(super) struct ClientTables {
    list: Vec<Known>,
    /// Places in the list.
    by_session: HashMap<u64, usize>,
    /// Session and place of the client that was asked about last.
    last: Option<(u64, usize)>,
}

struct Known {
    client_id: Box<str>,
    username: Option<Box<str>>,
    principal: Option<Box<str>>,
    address: Option<SocketAddr>,
    transport: Transport,
    table: Table,
}

/// Clients remembered; when there are more, all are forgotten.
const CLIENTS_MAX: usize = 1024;

impl ClientTables {
    pub(super) fn new() -> Self {
        Self { list: Vec::new(), by_session: HashMap::new(), last: None }
    }

    /// The table that stands for `client`. Read-only, since it is shared by calls.
    pub(super) fn table_of(&mut self, lua: &Lua, client: &dyn Client) -> Result<&Table> {
        let key = client.session_key();
        let place = match self.last {
            Some((last, place)) if last == key => place,
            _ => self.place_of(lua, client, key)?,
        };
        self.last = Some((key, place));
        let Some(known) = self.list.get_mut(place) else {
            return Err(Error::runtime("a client without a place"));
        };
        if !known.is(client) {
            *known = Known::new(lua, client)?;
        }
        Ok(&known.table)
    }

    fn place_of(&mut self, lua: &Lua, client: &dyn Client, key: u64) -> Result<usize> {
        if let Some(place) = self.by_session.get(&key) {
            return Ok(*place);
        }
        let known = Known::new(lua, client)?;
        if self.list.len() >= CLIENTS_MAX {
            self.list.clear();
            self.by_session.clear();
        }
        let place = self.list.len();
        self.list.push(known);
        self.by_session.insert(key, place);
        Ok(place)
    }
}

impl Known {
    fn new(lua: &Lua, client: &dyn Client) -> Result<Self> {
        Ok(Self {
            client_id: client.client_id().into(),
            username: client.username().map(Box::from),
            principal: client.principal().map(Box::from),
            address: client.remote_addr(),
            transport: client.transport(),
            table: new_table(lua, client)?,
        })
    }

    /// A session may come back by another connection, with another user.
    fn is(&self, client: &dyn Client) -> bool {
        self.address == client.remote_addr()
            && self.transport == client.transport()
            && *self.client_id == *client.client_id()
            && self.username.as_deref() == client.username()
            && self.principal.as_deref() == client.principal()
    }
}

fn new_table(lua: &Lua, client: &dyn Client) -> Result<Table> {
    let table = lua.create_table_with_capacity(0, 8)?;
    table.raw_set("id", client.client_id())?;
    table.raw_set("username", client.username())?;
    table.raw_set("principal", client.principal())?;
    table.raw_set("protocol", protocol_name(client.protocol()))?;
    table.raw_set("transport", transport_name(client.transport()))?;
    table.raw_set("listener", client.listener())?;
    table.raw_set("address", client.remote_addr().map(|address| address.to_string()))?;
    table.raw_set("session", client.session_key())?;
    table.set_readonly(true);
    Ok(table)
}

const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Mqtt31 => "3.1",
        Protocol::Mqtt311 => "3.1.1",
        Protocol::Mqtt5 => "5.0",
    }
}

const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::WebSocket => "ws",
        Transport::WebSocketTls => "wss",
        Transport::Internal => "internal",
    }
}
