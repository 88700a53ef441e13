-- The broker's store, kept in the plugin's own kv: what is retained, sessions and what waits for them.
local P = { name = "kv-store", version = "1.0.0" }

-- Hexadecimal keeps the order of the bytes, which store_scan has to.
local function place(space: string, key: string): string
  return `{space}:{hex.encode(key)}`
end

function P.store_apply(ops)
  for _, op in ops do
    local at = place(op.space, op.key)
    if op.op == "delete" then
      broker.kv.delete(at)
    else
      local done, why = pcall(broker.kv.set, at, op.value)
      if not done then
        -- What came before it in the batch is set already; the whole batch comes again.
        return nil, if string.find(tostring(why), "grants.kv", 1, true) then "full" else tostring(why)
      end
    end
  end
end

function P.store_scan(space, prefix, after, limit)
  local page = {}
  local from = after and place(space, after)
  for _, at in broker.kv.list(place(space, prefix), limit, from) do
    local key = hex.decode(string.sub(at, #space + 2))
    table.insert(page, { key = key, value = broker.kv.get(at) })
  end
  return page
end

local SPACES = { "sessions", "subscriptions", "messages", "queue", "in-flight", "inbound", "retained" }

-- How many records there are: `pintle plugin command store count`.
function P.on_command(_, command)
  if command ~= "count" then
    return nil, `there is no command {command}`
  end
  local counts = {}
  for _, space in SPACES do
    local count, last = 0, nil
    repeat
      local page = broker.kv.list(place(space, ""), 1000, last)
      count += #page
      last = page[#page]
    until not last
    counts[space] = count
  end
  return counts
end

return P
