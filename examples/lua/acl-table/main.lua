-- Who may do what, as a table. The first line that fits decides; what no line covers is left to other
-- plugins, and denied if nobody allows it.
local P = { name = "acl-table", version = "1.0.0" }

local rules = {
  { user = "admin", may = "publish receive subscribe", filter = "#" },
  { user = "*", may = "publish", filter = "devices/%c/#" },
  { user = "*", may = "subscribe receive", filter = "public/#" },
  { user = "guest", may = "publish", filter = "public/guestbook" },
}

local function fits(rule, client, action, topic)
  if rule.user ~= "*" and rule.user ~= client.username then
    return false
  end
  if not string.find(rule.may, action, 1, true) then
    return false
  end
  -- A client's own name never widens a filter: it is compared as a whole level.
  local filter = string.gsub(rule.filter, "%%c", (string.gsub(client.id, "[+#/%%]", "_")))
  return filter == topic or broker.topic_matches(filter, topic)
end

function P.authorize(client, action, topic)
  if action == "will" then
    action = "publish"
  end
  for _, rule in rules do
    if fits(rule, client, action, topic) then
      return true
    end
  end
end

return P
