-- Refuses payloads that are not what a topic promises, with Reason Code 0x99 (Payload format invalid).
local P = { name = "schema-guard", version = "1.0.0" }

-- Each field: its type, and for numbers the bounds.
local schema = broker.config.fields or { temperature = { type = "number", min = -60, max = 80 } }

local function fault(reading)
  if type(reading) ~= "table" then
    return "the payload is no JSON object"
  end
  for field, rule in schema do
    local value = reading[field]
    if type(value) ~= rule.type then
      return `{field} should be a {rule.type}`
    end
    if rule.min and value < rule.min or rule.max and value > rule.max then
      return `{field} should be between {rule.min} and {rule.max}`
    end
  end
  return nil
end

function P.on_publish(client, topic, payload)
  local what = fault(json.decode(payload))
  if what then
    return broker.reject(0x99, what)
  end
end

return P
