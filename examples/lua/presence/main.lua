-- Keeps a retained message for each client that says whether it is there:
-- presence/<client> {"online": true, "since": 1790000000000}
local P = { name = "presence", version = "1.0.0" }

P.events = { "connected", "disconnected", "connection_lost" }

local function segment(id)
  return (string.gsub(id, "[+#/]", "_")) -- a Client Identifier must not widen the topic
end

function P.on_events(batch, lost)
  for _, event in batch do
    local online = event.kind == "connected"
    broker.publish({
      topic = "presence/" .. segment(event.client_id),
      payload = json.encode({ online = online, since = event.at_ms }),
      retain = true,
      qos = 1,
    })
  end
  if lost > 0 then
    broker.log.warn(`{lost} events were lost: presence may be out of date`)
  end
end

return P
