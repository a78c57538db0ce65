-- Puts events back that Redis has lost, with the offsets and stamps that they had. ARGV: epoch, offset of the first of them,
-- stamp of the event before it, the moment of the last as text, overhead of an event in bytes; then identity, stamp and whole
-- JSON of each. Does so only where nothing else is.
local at_offset = tonumber(ARGV[2])
local refused = standing(ARGV[1], at_offset, ARGV[3])
if refused then
  return refused
end
if log.next == at_offset then
  for at = 6, #ARGV, 3 do
    add(ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[5]))
  end
  if log.recorded < ARGV[4] then
    log.recorded = ARGV[4]
  end
  keep_log()
end
return { 'ok', number(log.next) }
