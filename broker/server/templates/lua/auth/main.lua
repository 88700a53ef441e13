-- Lets in whoever knows the token, and confines each user to the topics below its name.
local P = { name = "{{name}}", version = "0.1.0" }

-- nil: no opinion, the next plugin is asked. false, or broker.reject(code, reason): refused.
-- true, or a table with principal, rules and limits: let in.
function P.authenticate(client, username, password)
  if not username then
    return nil
  end
  if not crypto.equal(password or "", broker.secret("token")) then
    return broker.reject(0x86, "wrong token")
  end
  return {
    principal = username,
    rules = { { effect = "allow", action = "all", filter = "users/%u/#" } },
  }
end

return P
