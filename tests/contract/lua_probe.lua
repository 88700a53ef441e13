-- The probe in Lua. What its hooks do is said in probe.rs.

local name = broker.config.name
local deliveries = {}
local all = {}

local function first_level(topic)
  return (string.match(topic, "^[^/]*"))
end

local function below(prefix, topic)
  if string.sub(topic, 1, #prefix) == prefix then
    return string.sub(topic, #prefix + 1)
  end
end

local rules = {
  { effect = "deny", filter = "own/%u/closed/#" },
  { filter = "own/%u/#" },
  { action = "publish", filter = "lower", max_qos = 0, retain = false },
  { action = "subscribe", filter = "news/#" },
  { action = "receive", filter = "news/#" },
  { effect = "ask", filter = "asked/#" },
  { effect = "deny", filter = "#" },
}

local people = {
  ["in"] = function() return { user_properties = { { "welcome", name } } } end,
  slow = function() return true end,
  out = function() return broker.reject(0x86, "out means out") end,
  banned = function() return broker.reject(0x8A) end,
  alias = function() return { principal = "somebody" } end,
  ruled = function() return { rules = rules } end,
  limited = function()
    return {
      limits = {
        packet_bytes_max = 1000,
        receive_maximum = 7,
        max_qos = 1,
        subscriptions_max = 2,
        session_expiry_max = 60,
      },
    }
  end,
  crash = function() error("asked to") end,
}

function all.authenticate(client, username)
  assert(client.username == username)
  local answer = people[username or ""]
  return answer and answer()
end

function all.auth_begin(client, method)
  if method ~= "COUNT" then
    return nil
  end
  local expected = "1"
  return function(data)
    if expected == "1" and data == "in" then
      return true
    elseif expected == "1" and data == "1" then
      expected = "3"
      return broker.challenge("2")
    elseif expected == "3" and data == "3" then
      return { data = "4" }
    end
    return false
  end
end

function all.authorize(client, action, topic)
  local level = first_level(topic)
  local what = if action == "will" then "publish" else action
  if level == "deny" or level == "deny-" .. what then
    return false, { ttl = 0 }
  elseif level == "only" and client.principal ~= "somebody" then
    return false, { ttl = 0 }
  elseif level == "hang-up" then
    return broker.close(0x98)
  elseif level == "next" then
    return nil
  elseif level == "crash" then
    error("asked to")
  end
  return true, { ttl = 0 }
end

local origins = { client = "Client", will = "Will", plugin = "Plugin", admin = "Admin" }

local levels = {
  shout = function(_, _, payload) return string.upper(payload) end,
  move = function(_, topic) return broker.rewrite({ topic = below("move/", topic) }) end,
  dress = function()
    return broker.rewrite({
      expiry = 5000,
      content_type = "text/plain",
      response_topic = "answers",
      correlation_data = "\1\2\3",
      user_properties = { { "dressed", "yes" } },
    })
  end,
  keep = function() return broker.rewrite({ retain = true }) end,
  drop = function() return broker.drop() end,
  reject = function() return broker.reject(0x99, "not like this") end,
  emit = function()
    broker.emit({ topic = "emitted", payload = "one" })
    broker.emit({ topic = "emitted", payload = "two" })
  end,
  ["emit-sign"] = function() broker.emit({ topic = "sign", payload = "made" }) end,
  sign = function(_, _, payload) return `{payload} {name}` end,
  origin = function(client, _, _, message)
    return `{origins[message.origin]} {if client then client.id else "nobody"}`
  end,
  timer = function() broker.after(0.001, "probe timer") end,
  kick = function(_, _, payload) broker.disconnect({ client = payload }, 0x98) end,
  crash = function() error("asked to") end,
}

function all.on_publish(client, topic, payload, message)
  local answer = levels[first_level(topic)]
  if answer then
    return answer(client, topic, payload, message)
  end
end

function all.on_subscribe(_, subscription)
  local level = first_level(subscription.filter)
  if level == "move" then
    return below("move/", subscription.filter)
  elseif level == "lower" then
    return broker.rewrite({ qos = 0 })
  elseif level == "reject" then
    return broker.reject(0x83)
  elseif level == "crash" then
    error("asked to")
  end
end

function all.on_unsubscribe(_, filter)
  return below("move/", filter)
end

function all.cohort(client)
  return client.username
end

function all.on_deliver(cohort, _, payload)
  if cohort == "loud" then
    return string.upper(payload)
  elseif cohort == "none" then
    return broker.drop()
  elseif cohort == "plain" then
    return nil
  elseif cohort == "counted" then
    deliveries[cohort] = (deliveries[cohort] or 0) + 1
    return tostring(deliveries[cohort])
  elseif cohort == "crash" then
    error("asked to")
  end
  return `{payload} {cohort}`
end

function all.on_events(batch, lost)
  assert(lost == 0, "few events fit the queue")
  for _, event in batch do
    local kind = string.gsub("_" .. event.kind, "_(%l)", string.upper)
    local said = event.client_id or event.topic
    if event.code then
      said = string.format("%s 0x%02x", event.client_id, event.code)
    elseif event.client_id and (event.filter or event.topic) then
      said = `{event.client_id} {event.filter or event.topic}`
    end
    broker.publish({ topic = "event/" .. kind, payload = said })
  end
end

function all.on_timer(timer)
  broker.publish({ topic = "timer-rang", payload = timer })
end

local remembered = nil

function all.on_command(_, command, args)
  if command == "remember" then
    remembered = args
  elseif command ~= "recall" then
    return nil, "remember or recall"
  end
  return remembered or ""
end

function all.export_state()
  if remembered == "crash" then
    error("asked to")
  elseif remembered == "too much" then
    return string.rep("\0", 2 * 1024 * 1024)
  end
  return remembered
end

function all.import_state(state)
  assert(state ~= "poison", "this is poison")
  remembered = state
end

local P = { name = "probe", version = "1" }
for _, hook in broker.config.hooks do
  P[hook] = all[hook]
end
if P.auth_begin then
  P.auth_methods = { "COUNT" }
end
if P.on_events then
  P.events = {
    "connected",
    "auth_failed",
    "disconnected",
    "connection_lost",
    "session_created",
    "session_resumed",
    "session_taken_over",
    "session_expired",
    "subscribed",
    "unsubscribed",
    "retained_set",
    "retained_cleared",
    "will_sent",
  }
end
return P
