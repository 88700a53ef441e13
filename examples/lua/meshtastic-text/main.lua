-- Picks the text messages out of Meshtastic's JSON (`msh/…/2/json/<channel>/!<gateway>`) and publishes
-- them for Home Assistant: mesh/text/<channel> {"from": "!11223344", "text": "Hello"}.
-- One radio message heard by several gateways is published once.
local P = { name = "meshtastic-text", version = "1.0.0" }

function P.on_publish(client, topic, payload)
  -- The root may have any number of levels: the topic is read from its right end.
  local channel = string.match(topic, "/2/json/([^/]+)/![%x]+$")
  if not channel then
    return
  end
  local packet = json.decode(payload)
  if type(packet) ~= "table" or packet.type ~= "text" then
    return
  end
  local text = type(packet.payload) == "table" and packet.payload.text
  if type(text) ~= "string" or type(packet.from) ~= "number" or type(packet.id) ~= "number" then
    return
  end
  if broker.kv.incr(`{packet.from}:{packet.id}`, 1, 600) > 1 then
    return -- heard in the last ten minutes, by another gateway
  end
  broker.emit({
    topic = "mesh/text/" .. channel,
    payload = json.encode({
      from = string.format("!%08x", packet.from),
      text = text,
      at = packet.timestamp,
    }),
  })
end

return P
