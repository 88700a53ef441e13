-- Adds the unit to readings: {"value": 21} becomes {"value": 21, "unit": "C"}.
local P = { name = "{{name}}", version = "0.1.0" }

local unit = broker.config.unit or "C"

-- Nothing returned: the message passes. A string: the new payload. More: broker.rewrite { topic = … },
-- broker.drop(), broker.reject(code, reason), and broker.emit { topic = …, payload = … } beside it.
function P.on_publish(client, topic, payload)
  local reading = json.decode(payload)
  if type(reading) ~= "table" or type(reading.value) ~= "number" then
    return
  end
  reading.unit = unit
  return json.encode(reading)
end

return P
