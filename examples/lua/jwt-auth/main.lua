-- Lets in whoever brings a JSON Web Token as password, and confines it to the topics in the token:
-- {"sub": "truck-7", "publish": ["trucks/7/#"], "subscribe": ["orders/7/+"], "exp": …}
local P = { name = "jwt-auth", version = "1.0.0" }

local secret = broker.secret("jwt")

function P.authenticate(client, username, password)
  if not password then
    return nil -- somebody else may know this client
  end
  local claims, why = crypto.jwt_verify(password, { secret = secret, algorithms = { "HS256" } })
  if not claims then
    broker.log.info(`token refused: {why}`)
    return false
  end
  local rules = {}
  for _, filter in claims.publish or {} do
    table.insert(rules, { effect = "allow", action = "publish", filter = filter })
  end
  for _, filter in claims.subscribe or {} do
    table.insert(rules, { effect = "allow", action = "subscribe", filter = filter })
    table.insert(rules, { effect = "allow", action = "receive", filter = filter })
  end
  -- What the token does not name is denied.
  table.insert(rules, { effect = "deny", action = "all", filter = "#" })
  return { principal = claims.sub, rules = rules }
end

return P
