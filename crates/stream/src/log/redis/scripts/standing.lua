-- What every script begins with: whether what lies here is what the asking node knows.
-- KEYS: log (hash), events (stream), identities (hash), state (hash).
local FORMAT = '1'

local function number(n)
  return string.format('%.0f', n)
end

local held_log = redis.call('HMGET', KEYS[1], 'format', 'epoch', 'first', 'next', 'bytes', 'recorded', 'stamp')
local log = {
  format = held_log[1], epoch = held_log[2], first = tonumber(held_log[3]), next = tonumber(held_log[4]),
  bytes = tonumber(held_log[5]), recorded = held_log[6], stamp = held_log[7],
}

local function field(entry, name)
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == name then
      return fields[at + 1]
    end
  end
  return nil
end

-- Why nothing may be done for a node whose next offset is `known`, after an event with `stamp`; nil when something may.
-- Without `known` it is only asked whether the keys fit together.
local function standing(epoch, known, stamp)
  if not log.format then
    if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) > 0 then
      return { 'damaged', 'there are keys of a log, and not the one that says which' }
    end
    return { 'empty' }
  end
  if log.format ~= FORMAT then
    return { 'newer', log.format }
  end
  if not (log.epoch and log.first and log.next and log.bytes and log.recorded and log.stamp) then
    return { 'damaged', 'the key of the log lacks a field' }
  end
  if epoch and log.epoch ~= epoch then
    return { 'epoch', log.epoch }
  end
  local held = log.next - log.first
  local events, identities = redis.call('XLEN', KEYS[2]), redis.call('HLEN', KEYS[3])
  if events ~= held or identities ~= held then
    return { 'damaged', 'there should be ' .. number(held) .. ' events, and there are ' .. events .. ' and '
      .. identities .. ' identities' }
  end
  if held > 0 then
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    if last[1] ~= number(log.next) .. '-0' or field(last, 's') ~= log.stamp then
      return { 'damaged', 'the newest entry of the stream is not the newest event' }
    end
  end
  if not known then
    return nil
  end
  if log.next < known then
    return { 'short', number(log.next), log.stamp }
  end
  if known == log.next then
    if log.stamp ~= stamp then
      return { 'diverged' }
    end
  elseif known > 0 or log.first > 0 then
    if known <= log.first then
      return { 'behind', number(log.first) }
    end
    local entry = redis.call('XRANGE', KEYS[2], number(known) .. '-0', number(known) .. '-0')[1]
    if not entry then
      return { 'damaged', 'event ' .. number(known - 1) .. ' is missing' }
    end
    if field(entry, 's') ~= stamp then
      return { 'diverged' }
    end
  end
  return nil
end

-- Adds one event behind the newest. Its bytes count as they do in a node's ring. The stream comes first: where it takes no
-- such id, nothing has changed.
local function add(identity, stamp, json, overhead)
  redis.call('XADD', KEYS[2], number(log.next + 1) .. '-0', 'i', identity, 's', stamp, 'j', json)
  redis.call('HSET', KEYS[3], identity, number(log.next))
  log.next = log.next + 1
  log.bytes = log.bytes + #json + overhead
  log.stamp = stamp
end

local function keep_log()
  redis.call('HSET', KEYS[1], 'first', number(log.first), 'next', number(log.next), 'bytes', number(log.bytes),
    'recorded', log.recorded, 'stamp', log.stamp)
end
