-- The stamps of events that a node knows, from the offset ARGV[4] on or from the oldest held: where they begin, and up to 256
-- of them in a row. ARGV: epoch, next offset of the node, stamp of its newest, that offset.
local known = tonumber(ARGV[2])
local refused = standing(ARGV[1], known, ARGV[3])
if refused then
  return refused
end
local from = math.max(tonumber(ARGV[4]), log.first)
local stamps = {}
local entries = redis.call('XRANGE', KEYS[2], number(from + 1) .. '-0', number(known) .. '-0', 'COUNT', 256)
for at, entry in ipairs(entries) do
  stamps[at] = field(entry, 's') or ''
end
return { 'ok', number(from), table.concat(stamps) }
