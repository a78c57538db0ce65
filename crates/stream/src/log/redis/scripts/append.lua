-- Appends events behind all there are, unless their identities are held. ARGV: epoch, next offset of the node, stamp of its
-- newest, the moment as text, most events, most bytes, overhead of an event in bytes, events between two states; then for
-- each event its identity, its stamp and its JSON without its end. Answers with the next offset before, the moment taken,
-- whether more must go than went, whether the state is to be kept, and an offset for each event.
local refused = standing(ARGV[1], tonumber(ARGV[2]), ARGV[3])
if refused then
  return refused
end
local TRIMMED_AT_ONCE = 2000
local max_events, max_bytes, overhead = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local before = log.next
-- Text of one length, so that its order is that of the moments. No clock of any node takes it back.
local recorded = ARGV[4]
if recorded < log.recorded then
  recorded = log.recorded
end
local tail = ',"recordedtime":"' .. recorded .. '"}'
local answer = { 'ok', number(before), recorded, 0, 0 }
for at = 9, #ARGV, 3 do
  local identity = ARGV[at]
  local held = redis.call('HGET', KEYS[3], identity)
  answer[#answer + 1] = held or number(log.next)
  if not held then
    log.recorded = recorded
    add(identity, ARGV[at + 1], ARGV[at + 2] .. tail, overhead)
  end
end

-- The oldest go, but none that the state kept does not contain.
local kept = tonumber(redis.call('HGET', KEYS[4], 'next') or 0) or 0
local function over()
  return log.first < log.next and (log.next - log.first > max_events or log.bytes > max_bytes)
end
local first = log.first
while over() and log.first < kept and log.first - first < TRIMMED_AT_ONCE do
  local page = redis.call('XRANGE', KEYS[2], number(log.first + 1) .. '-0', '+', 'COUNT', 64)
  for _, entry in ipairs(page) do
    if not (over() and log.first < kept) then
      break
    end
    redis.call('HDEL', KEYS[3], field(entry, 'i'))
    log.bytes = log.bytes - #field(entry, 'j') - overhead
    log.first = log.first + 1
  end
end
if log.first > first then
  redis.call('XTRIM', KEYS[2], 'MINID', '=', number(log.first + 1) .. '-0')
end
-- Without events something is written all the same: whoever asks so tries whether that is possible.
if log.first > first or log.next > before or #ARGV == 8 then
  keep_log()
end
if over() then
  answer[4] = 1
end
if (over() and log.first >= kept) or log.next - kept >= tonumber(ARGV[8]) then
  answer[5] = 1
end
return answer
