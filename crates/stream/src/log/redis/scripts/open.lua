-- Begins a log of the epoch ARGV[1] where there is none. Says which epoch it has, and what is held.
local refused = standing(nil, nil, nil)
if refused and refused[1] ~= 'empty' then
  return refused
end
if refused then
  log = { format = FORMAT, epoch = ARGV[1], first = 0, next = 0, bytes = 0, recorded = '', stamp = '' }
  redis.call('HSET', KEYS[1], 'format', log.format, 'epoch', log.epoch)
  keep_log()
end
return { 'ok', log.epoch, number(log.first), number(log.next), log.stamp }
