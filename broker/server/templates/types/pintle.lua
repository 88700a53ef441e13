---@meta
-- What Pintle gives to its plugins, for the Lua language server. `pintle plugin types` writes it.

---A client. Read-only.
---@class Client
---@field id string Client Identifier
---@field username string?
---@field principal string? who authentication found it to be
---@field protocol "3.1"|"3.1.1"|"5.0"
---@field transport "tcp"|"tls"|"ws"|"wss"|"internal"
---@field listener string
---@field address string?
---@field session integer

---What a message has beside topic and payload.
---@class Message
---@field qos integer
---@field retain boolean
---@field size integer bytes of the payload
---@field origin ("client"|"will"|"plugin"|"admin")?
---@field expiry integer? seconds
---@field utf8 boolean
---@field content_type string?
---@field response_topic string?
---@field correlation_data string?
---@field user_properties string[][]

---A message to be made.
---@class NewMessage
---@field topic string
---@field payload string?
---@field qos integer?
---@field retain boolean?
---@field expiry integer?
---@field content_type string?
---@field response_topic string?
---@field correlation_data string?
---@field user_properties (string[][]|table<string, string>)?

---Changes to a message or subscription; `false` removes a field.
---@class Changes
---@field topic string?
---@field payload string?
---@field qos integer?
---@field retain boolean?
---@field expiry (integer|false)?
---@field content_type (string|false)?
---@field response_topic (string|false)?
---@field correlation_data (string|false)?
---@field user_properties (string[][]|table<string, string>)?
---@field filter string?
---@field share_name string?
---@field no_local boolean?
---@field retain_as_published boolean?
---@field retain_handling integer?

---@class Subscription
---@field filter string
---@field share_name string?
---@field qos integer
---@field no_local boolean
---@field retain_as_published boolean
---@field retain_handling integer

---@class Rule
---@field effect ("allow"|"deny"|"ask")?
---@field action ("publish"|"subscribe"|"receive"|"all")?
---@field filter string `%c` is the Client Identifier, `%u` the user name
---@field max_qos integer?
---@field retain boolean?

---@class Limits
---@field packet_bytes_max integer?
---@field receive_maximum integer?
---@field max_qos integer?
---@field subscriptions_max integer?
---@field queue_messages_max integer?
---@field session_expiry_max integer?

---@class Accepted
---@field principal string?
---@field rules Rule[]?
---@field limits Limits?
---@field user_properties string[][]?
---@field data string? of the last step of enhanced authentication

---How long and for whom a decision may be used again.
---@class CacheHint
---@field ttl number? seconds; 0 is not at all, math.huge until broker.invalidate()
---@field scope ("session"|"principal")?
---@field filter string? the answer holds for all its topics

---@class Event
---@field kind string
---@field at_ms number
---@field client_id string?
---@field principal string?
---@field session integer?
---@field address string?
---@field topic string?
---@field filter string?
---@field subscription Subscription?
---@field qos integer?
---@field size integer?
---@field code integer?
---@field reason string?

---@class Verdict

---@alias Space "messages"|"sessions"|"subscriptions"|"queue"|"in-flight"|"inbound"|"retained"

---@class StoreOp
---@field op "put"|"delete"
---@field space Space
---@field key string
---@field value string? what is put
---@field expires_at_ms number? milliseconds since 1970

---@class StoreEntry
---@field key string
---@field value string

---The table that a script returns.
---@class Plugin
---@field name string?
---@field version string?
---@field events string[]? kinds that on_events is told of
---@field auth_methods string[]? methods that auth_begin answers
---@field authenticate? fun(client: Client, username: string?, password: string?, will_topic: string?): boolean|Accepted|Verdict|nil
---@field auth_begin? fun(client: Client, method: string, reauth: boolean): (fun(data: string?): boolean|Accepted|Verdict)?
---@field authorize? fun(client: Client, action: "publish"|"subscribe"|"receive"|"will", topic: string, message: Message|Subscription): boolean|Verdict|nil, CacheHint?
---@field explain? fun(client: Client, action: string, topic: string): string?
---@field on_publish? fun(client: Client?, topic: string, payload: string, message: Message): string|Verdict|nil
---@field on_subscribe? fun(client: Client, subscription: Subscription): string|boolean|Verdict|nil
---@field on_unsubscribe? fun(client: Client, filter: string): string?
---@field cohort? fun(client: Client): string?
---@field on_deliver? fun(cohort: string, topic: string, payload: string, message: Message): string|Verdict|nil
---@field on_events? fun(events: Event[], lost: integer)
---@field on_timer? fun(name: string)
---@field on_command? fun(principal: string?, command: string, args: any): any, string?
---@field store_open? fun(): boolean?, string?
---@field store_apply? fun(ops: StoreOp[]): boolean?, string?
---@field store_scan? fun(space: Space, prefix: string, after: string?, limit: integer): StoreEntry[]?, string?
---@field store_flush? fun(): boolean?, string?
---@field store_close? fun(): boolean?, string?
---@field on_commit? fun(ops: StoreOp[], commit: integer, lost: integer)
---@field export_state? fun(): string?
---@field import_state? fun(state: string)

---The broker, as this plugin may use it.
broker = {}

---@type table<string, any> the table `config` of its entry; read-only
broker.config = {}
---@type table<string, string> contents of the files that `config` names
broker.files = {}

---Acknowledged to the sender, routed to nobody.
---@return Verdict
function broker.drop() end
---@param code integer? Reason Code, 0x80 or above
---@param reason string?
---@return Verdict
function broker.reject(code, reason) end
---Refuses and ends the connection.
---@param code integer?
---@param reason string?
---@return Verdict
function broker.close(code, reason) end
---@param changes Changes
---@return Verdict
function broker.rewrite(changes) end
---@param data string
---@return Verdict
function broker.challenge(data) end

---One more message beside the one in hand. In on_publish only; needs the grant `publish`.
---@param message NewMessage
function broker.emit(message) end
---Needs the grant `publish`.
---@param message NewMessage
function broker.publish(message) end
---Needs the grant `publish`.
---@param client_id string
---@param message NewMessage
function broker.publish_to(client_id, message) end
---Payload of a retained message. Needs the grant `retained`.
---@param topic string
---@return string?
function broker.retained(topic) end
---@param filter string
---@param topic string
---@return boolean
function broker.topic_matches(filter, topic) end
---Needs the grant `disconnect`.
---@param whom { client: string?, principal: string? }
---@param code integer?
function broker.disconnect(whom, code) end
---Needs the grant `subscribe`.
---@param client_id string
---@param subscription { filter: string, qos: integer? }
function broker.subscribe_for(client_id, subscription) end
---Needs the grant `subscribe`.
---@param client_id string
---@param filter string
function broker.unsubscribe_for(client_id, filter) end
---Forgets every decision that is cached.
function broker.invalidate() end
---Needs the grant `secrets`.
---@param name string
---@return string
function broker.secret(name) end
---Needs the grant `stats`.
---@return table<string, number>
function broker.stats() end
---@param length integer
---@return string
function broker.random(length) end
---Calls on_timer(name) once.
---@param seconds number
---@param name string
function broker.after(seconds, name) end
---Calls on_timer(name) again and again.
---@param seconds number
---@param name string
function broker.every(seconds, name) end
---@param name string
---@return boolean
function broker.cancel(name) end
---In hooks that may wait only. Needs the grant `http`.
---@param request { url: string, method: string?, headers: table<string, string>?, body: string?, timeout: number? }
---@return { status: integer, headers: table<string, string>, body: string }?
---@return string? why there is no answer
function broker.http(request) end

broker.log = {}
---@param text string
function broker.log.trace(text) end
---@param text string
function broker.log.debug(text) end
---@param text string
function broker.log.info(text) end
---@param text string
function broker.log.warn(text) end
---@param text string
function broker.log.error(text) end

---Values that all instances of this plugin share. Needs the grant `kv`.
broker.kv = {}
---@param key string
---@return string?
function broker.kv.get(key) end
---@param key string
---@param value string
---@param ttl number? seconds
function broker.kv.set(key, value, ttl) end
---@param key string
---@return boolean
function broker.kv.delete(key) end
---@param key string
---@param by integer?
---@param ttl number? seconds, from when it was made
---@return integer
function broker.kv.incr(key, by, ttl) end
---Sets `value` (nil deletes) if the value is `expected` (nil: not there).
---@param key string
---@param expected string?
---@param value string?
---@return boolean
function broker.kv.cas(key, expected, value) end
---@param prefix string
---@param limit integer?
---@param after string?
---@return string[]
function broker.kv.list(prefix, limit, after) end

---What this plugin keeps with a session, 4 KiB at most.
broker.attr = {}
---@param client Client
---@param name string
---@return string?
function broker.attr.get(client, name) end
---@param client Client
---@param name string
---@param value string?
function broker.attr.set(client, name, value) end

---Figures, shown with those of the broker.
broker.metric = {}
---@param name string
---@param by integer?
---@param labels table<string, string>?
function broker.metric.count(name, by, labels) end
---@param name string
---@param value number
---@param labels table<string, string>?
function broker.metric.gauge(name, value, labels) end
---@param name string
---@param value number
---@param labels table<string, string>?
function broker.metric.observe(name, value, labels) end

broker.time = {}
---Milliseconds since 1970.
---@return number
function broker.time.now_ms() end
---@return number
function broker.time.monotonic_ns() end

json = {}
---@param text string?
---@return any value, or nil
---@return string? why it is no JSON
function json.decode(text) end
---@param value any
---@return string
function json.encode(value) end

base64 = {}
---@param bytes string
---@param url boolean?
---@return string
function base64.encode(bytes, url) end
---@param text string
---@return string?
---@return string?
function base64.decode(text) end

hex = {}
---@param bytes string
---@return string
function hex.encode(bytes) end
---@param text string
---@return string?
---@return string?
function hex.decode(text) end

crypto = {}
---@param bytes string
---@return string
function crypto.sha256(bytes) end
---@param key string
---@param bytes string
---@return string
function crypto.hmac_sha256(key, bytes) end
---Compares in constant time.
---@param one string
---@param other string
---@return boolean
function crypto.equal(one, other) end
---@param token string
---@param options { algorithms: string[], secret: string?, public_key: string?, audience: string?, issuer: string?, leeway: integer? }
---@return table? claims
---@return string? why it does not hold
function crypto.jwt_verify(token, options) end
