-- Asks a web service who may connect, and remembers its answer for a short while.
-- POST {"client_id", "username", "password"}: 200 lets in, 403 refuses, anything else is a failure.
local P = { name = "http-auth", version = "1.0.0" }

local url = broker.config.url or error("config.url is missing: the address to ask")
local remember = broker.config.remember_seconds or 30

function P.authenticate(client, username, password)
  if not username then
    return nil
  end
  -- The password goes into the key as a hash only.
  local key = "seen:" .. hex.encode(crypto.sha256(`{client.id}\0{username}\0{password or ""}`))
  local seen = broker.kv.get(key)
  if seen then
    return seen == "yes"
  end
  local answer, why = broker.http({
    method = "POST",
    url = url,
    headers = { ["content-type"] = "application/json" },
    body = json.encode({ client_id = client.id, username = username, password = password }),
    timeout = 2,
  })
  if not answer then
    error(`{url}: {why}`) -- an error refuses the client, and is counted
  end
  if answer.status ~= 200 and answer.status ~= 403 then
    error(`{url} answered {answer.status}`)
  end
  broker.kv.set(key, answer.status == 200 and "yes" or "no", remember)
  return answer.status == 200
end

return P
