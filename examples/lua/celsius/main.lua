-- Fahrenheit becomes Celsius in JSON payloads: {"temp_f": 70} is delivered as {"temp_c": 21.1}.
local P = { name = "celsius", version = "1.0.0" }

local from = broker.config.from or "temp_f"
local to = broker.config.to or "temp_c"

function P.on_publish(client, topic, payload)
  local reading = json.decode(payload)
  if type(reading) ~= "table" or type(reading[from]) ~= "number" then
    return -- not a reading of ours: it passes as it is
  end
  local celsius = (reading[from] - 32) * 5 / 9
  reading[from] = nil
  reading[to] = math.floor(celsius * 10 + 0.5) / 10
  return json.encode(reading)
end

return P
