-- Each client publishes below its own name, and reads what is public.
local P = { name = "{{name}}", version = "0.1.0" }

-- true: yes, unless another plugin says no. false: no, that is final. nil: no opinion; what nobody
-- allows is denied. `action` is publish, subscribe, receive or will.
function P.authorize(client, action, topic)
  if client.username == "admin" then
    return true
  end
  if action == "publish" or action == "will" then
    local own = "devices/" .. client.id .. "/"
    return string.sub(topic, 1, #own) == own
  end
  return topic == "public/#" or string.sub(topic, 1, 7) == "public/"
end

return P
