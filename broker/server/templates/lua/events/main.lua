-- Keeps a retained message for each client that says whether it is connected.
local P = { name = "{{name}}", version = "0.1.0" }

-- It is told of these only.
P.events = { "connected", "disconnected", "connection_lost" }

-- Events come in batches, after the fact; `lost` did not fit into the queue.
function P.on_events(batch, lost)
  for _, event in batch do
    -- A Client Identifier must not widen the topic.
    local name = string.gsub(event.client_id, "[+#/]", "_")
    broker.publish({
      topic = "presence/" .. name,
      payload = if event.kind == "connected" then "online" else "offline",
      retain = true,
      qos = 1,
    })
  end
  if lost > 0 then
    broker.log.warn(`{lost} events were lost`)
  end
end

return P
