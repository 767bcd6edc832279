//! What the processes of a fleet agree on, as scripts: they run one at a time, on the Redis server's clock.
//!
//! Times stand in milliseconds, but for turns, which have microseconds: Lua writes numbers over 1e14 short of
//! digits, so that those are formatted by hand. Each script reads the clock once.

use std::sync::LazyLock;

use redis::Script;

/// Renews what a process holds, takes what it wants if there is room, and registers it as waiting if not.
///
/// KEYS: slots, waiting, processes, quiet. ARGV: process, cap (0: none), lease, patience of a waiter, number wanted,
/// since when it waits (0: not yet), number held, the ids held, as many new ids as are wanted.
/// Returns how many were taken, how many others wait, how many processes there are, since when this one
/// waits (0: it does not), and the ids that are lost.
pub(super) static BEAT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cap, lease, patience = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local wanted, since, held = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local out_of_time = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
-- Slots that nobody gave back: their holders may have been cut off from here, and come first when they are back.
if out_of_time > 0 then redis.call('SET', KEYS[4], '1', 'PX', 2000) end
redis.call('ZADD', KEYS[3], now + lease, ARGV[1])
redis.call('PEXPIRE', KEYS[3], lease + 1000)

local open, lost = redis.call('ZCARD', KEYS[1]), {}
for at = 8, 7 + held do
  local known = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if known or cap == 0 or open < cap then
    redis.call('ZADD', KEYS[1], now + lease, ARGV[at])
    if not known then open = open + 1 end
  else
    lost[#lost + 1] = ARGV[at]
  end
end

local first = since == 0 and now or since
local mine = string.format('%.0f:%s', first, ARGV[1])
local others, ahead = 0, 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if member ~= mine then
    others = others + 1
    local theirs = tonumber(string.match(member, '^%d+')) or 0
    if theirs < first or (theirs == first and member < mine) then ahead = ahead + 1 end
  end
end
redis.call('ZREM', KEYS[2], mine)

local taken = 0
if wanted > 0 then
  local room = wanted
  if cap > 0 then room = math.max(0, cap - open - ahead) end
  -- A server that has just started may have forgotten who holds what: those come first.
  local known, info = pcall(redis.call, 'INFO', 'server')
  local uptime = known and type(info) == 'string' and tonumber(string.match(info, 'uptime_in_seconds:(%d+)'))
  local quiet = redis.call('EXISTS', KEYS[4]) == 1 or (uptime and uptime < 5)
  if cap > 0 and quiet then room = 0 end
  taken = math.min(wanted, room)
  for at = 8 + held, 7 + held + taken do redis.call('ZADD', KEYS[1], now + lease, ARGV[at]) end
  if taken < wanted then
    -- Who got something goes behind those who got nothing.
    if taken > 0 then first = now end
    redis.call('ZADD', KEYS[2], now + patience, string.format('%.0f:%s', first, ARGV[1]))
    redis.call('PEXPIRE', KEYS[2], patience + 1000)
  else
    first = 0
  end
else
  first = 0
end
-- Kept far longer than its slots are good, so that those which ran out are seen.
if open + taken > 0 then redis.call('PEXPIRE', KEYS[1], lease + 3600000) end
local out = {taken, others, redis.call('ZCARD', KEYS[3]), first}
for _, id in ipairs(lost) do out[#out + 1] = id end
return out
",
    )
});

/// Gives slots back. KEYS: slots. ARGV: their ids.
pub(super) static GIVE_BACK: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('ZREM', KEYS[1], unpack(ARGV))"));

/// The next turn of a mailbox, so that no minute has more than it may.
///
/// One list of the latest turns, and not one number as with a leaky bucket: that lets twice the limit through
/// in a minute, or holds up a burst which the provider takes.
///
/// KEYS: turns, processes. ARGV: turns a minute, the longest wait, process, lease. Returns whether there is
/// one, the wait, its mark, and how many processes there are.
pub(super) static TURN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local many, longest, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local milliseconds = math.floor(now / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', milliseconds)
redis.call('ZADD', KEYS[2], milliseconds + lease, ARGV[3])
redis.call('PEXPIRE', KEYS[2], lease + 1000)
local processes = redis.call('ZCARD', KEYS[2])
local last = tonumber(redis.call('LINDEX', KEYS[1], -1) or 0)
-- A clock that was set back.
if last > now + 3600000000 then
  redis.call('DEL', KEYS[1])
  last = 0
end
-- By age and not by number: a turn that is given back must not make room for one more.
for _ = 1, redis.call('LLEN', KEYS[1]) do
  if tonumber(redis.call('LINDEX', KEYS[1], 0)) + 60000000 > now then break end
  redis.call('LPOP', KEYS[1])
end
local at = math.max(now, last)
if redis.call('LLEN', KEYS[1]) >= many then
  at = math.max(at, tonumber(redis.call('LINDEX', KEYS[1], -many)) + 60000000)
end
local wait = math.ceil((at - now) / 1000)
if wait > longest then return {0, wait, '', processes} end
local mark = string.format('%.0f', at)
redis.call('RPUSH', KEYS[1], mark)
redis.call('PEXPIRE', KEYS[1], wait + 61000)
return {1, wait, mark, processes}
",
    )
});

/// Gives a turn back. KEYS: turns. ARGV: its mark.
pub(super) static SKIP_TURN: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('LREM', KEYS[1], -1, ARGV[1])"));
