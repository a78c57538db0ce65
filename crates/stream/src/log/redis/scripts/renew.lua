-- Another epoch for what is here, since ARGV[1] cannot be continued: ARGV[2], unless somebody was faster.
if log.epoch and log.epoch == ARGV[1] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
end
return { 'ok' }
