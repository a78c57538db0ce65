-- Keeps the state, unless a newer one is kept. ARGV: epoch, the offset that follows it, stamp of the event before that, the
-- newest moment in it as text, the state as JSON.
local at_offset = tonumber(ARGV[2])
local refused = standing(ARGV[1], at_offset, ARGV[3])
if refused then
  return refused
end
local kept = tonumber(redis.call('HGET', KEYS[4], 'next') or 0) or 0
if at_offset > kept then
  redis.call('HSET', KEYS[4], 'next', ARGV[2], 'recorded', ARGV[4], 'json', ARGV[5])
end
return { 'ok' }
