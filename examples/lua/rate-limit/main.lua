-- Bounds how often a client may publish. Counters live in kv, so that all workers count together.
local P = { name = "rate-limit", version = "1.0.0" }

local per_minute = broker.config.per_minute or 600

function P.on_publish(client, topic)
  if not client then
    return -- wills and messages of plugins
  end
  local window = broker.time.now_ms() // 60000
  local count = broker.kv.incr(`{client.id}:{window}`, 1, 120)
  if count > per_minute then
    return broker.reject(0x97, `more than {per_minute} messages a minute`)
  end
end

return P
