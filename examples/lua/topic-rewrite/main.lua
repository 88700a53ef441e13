-- Old topics become new ones: what a device publishes to `legacy/<room>/<what>` goes to
-- `home/<room>/<what>`, and who subscribes to the old filter gets the new one.
local P = { name = "topic-rewrite", version = "1.0.0" }

local old = broker.config.old or "legacy/"
local new = broker.config.new or "home/"

local function renamed(topic)
  if string.sub(topic, 1, #old) == old then
    return new .. string.sub(topic, #old + 1)
  end
  return nil
end

function P.on_publish(client, topic)
  local to = renamed(topic)
  if to then
    return broker.rewrite({ topic = to })
  end
end

function P.on_subscribe(client, subscription)
  local to = renamed(subscription.filter)
  if to then
    return broker.rewrite({ filter = to })
  end
end

function P.on_unsubscribe(client, filter)
  return renamed(filter)
end

return P
