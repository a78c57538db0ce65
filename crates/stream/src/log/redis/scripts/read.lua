-- Events after those that a node knows, up to the offset ARGV[4] or to the end. ARGV: epoch, next offset of the node, stamp
-- of its newest, offset before which to stop (or ''), most events, bytes that are enough.
local known, most, enough = tonumber(ARGV[2]), tonumber(ARGV[5]), tonumber(ARGV[6])
local refused
if ARGV[3] == '*' then
  refused = standing(ARGV[1], nil, nil)
else
  refused = standing(ARGV[1], known, ARGV[3])
end
if refused then
  return refused
end
local to = '+'
if ARGV[4] ~= '' then
  to = ARGV[4] .. '-0'
end
local entries, bytes, from = {}, 0, number(known + 1) .. '-0'
while #entries < most and bytes < enough do
  local page = redis.call('XRANGE', KEYS[2], from, to, 'COUNT', math.min(32, most - #entries))
  for _, entry in ipairs(page) do
    entries[#entries + 1] = entry
    for _, value in ipairs(entry[2]) do
      bytes = bytes + #value
    end
  end
  if #page == 0 then
    break
  end
  from = '(' .. page[#page][1]
end
return { 'ok', number(log.next), entries }
