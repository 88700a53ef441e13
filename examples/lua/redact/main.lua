-- Removes fields from what one group of subscribers gets. Everybody else gets the message untouched,
-- and the work is done once for the whole group.
local P = { name = "redact", version = "1.0.0" }

local fields = broker.config.fields or { "name", "address" }
local readers = broker.config.users or { "guest" }

function P.cohort(client)
  if table.find(readers, client.username or "") then
    return "redacted"
  end
end

function P.on_deliver(cohort, topic, payload)
  local record = json.decode(payload)
  if type(record) ~= "table" then
    return broker.drop() -- what can not be read can not be redacted
  end
  for _, field in fields do
    record[field] = nil
  end
  return json.encode(record)
end

return P
