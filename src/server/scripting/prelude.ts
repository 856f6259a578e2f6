/**
 * What Lua 5.1 has and Lua 5.4 has not, or has otherwise, written in Lua, and the locks on what scripts share. It runs
 * once, with `native` (functions of ours, for here alone) and `libraries` (ours, for scripts) as arguments, and returns
 * the table of globals that scripts see, and the one behind it.
 *
 * Scripts see stand-ins of the shared tables: tables that stay empty, whose metatable looks into the real one and
 * refuses what is new.
 */
export const PRELUDE = `
local native, libraries = ...
local type, select, error, rawget, rawset, rawlen, pairs, next, tostring = type, select, error, rawget, rawset, rawlen, pairs, next, tostring
local rawsetmetatable, collect, debugger = setmetatable, collectgarbage, debug
local getmetatable, ipairs, unpack, sort, concat = getmetatable, ipairs, table.unpack, table.sort, table.concat
local READONLY = 'Attempt to modify a readonly table'

-- The real table behind each stand-in.
local behind = rawsetmetatable({}, { __mode = 'k' })

local function badArgument(number, name, expected, ...)
  native.fail('bad argument #' .. number .. " to '" .. name .. "' (" .. expected .. ' expected, got ' ..
    (select('#', ...) == 0 and 'no value' or type((...))) .. ')')
end

local function requireTable(name, ...)
  if type((...)) ~= 'table' then badArgument(1, name, 'table', ...) end
end

local function requireOwn(name, ...)
  requireTable(name, ...)
  if behind[(...)] then error(READONLY, 0) end
end

local function requireFunction(f, name)
  if type(f) ~= 'function' then badArgument(2, name, 'function', f) end
end

-- A whole number that may be left out: 5.1 cuts off what is behind the point.
local function wholeOr(value, argument, name)
  if value == nil then return nil end
  local number = native.tonumber(value)
  if not number then badArgument(argument, name, 'number', value) end
  return native.truncate(number)
end

local table = {}

-- Sorts t[from] to t[to] by way of other, where the same stands: both are tables without metatables.
local function mergeSort(t, other, from, to, before)
  if from >= to then return end
  local middle = from + native.floor((to - from) / 2)
  mergeSort(other, t, from, middle, before)
  mergeSort(other, t, middle + 1, to, before)
  local left, right = from, middle + 1
  for at = from, to do
    if right > to or (left <= middle and not before(other[right], other[left])) then
      t[at] = other[left]
      left = left + 1
    else
      t[at] = other[right]
      right = right + 1
    end
  end
end

local function isLess(a, b)
  return a < b
end

-- Lua's own sorting cannot be interrupted, and takes the square of the size at worst.
function table.sort(t, before)
  requireOwn('sort', t)
  if before ~= nil then requireFunction(before, 'sort') end
  local size = rawlen(t)
  if size <= 200 and not getmetatable(t) then return sort(t, before) end
  local values, other = {}, {}
  for i = 1, size do
    values[i] = rawget(t, i)
    other[i] = values[i]
  end
  mergeSort(values, other, 1, size, before or isLess)
  for i = 1, size do rawset(t, i, values[i]) end
end

function table.insert(t, ...)
  requireOwn('insert', t)
  local count, size = select('#', ...), rawlen(t)
  if count == 1 then
    rawset(t, size + 1, (...))
  elseif count == 2 then
    local at, value = ...
    local number = native.tonumber(at)
    if not number then badArgument(2, 'insert', 'number', at) end
    at = native.truncate(number)
    for i = size, at, -1 do rawset(t, i + 1, rawget(t, i)) end
    rawset(t, at, value)
  else
    native.fail("wrong number of arguments to 'insert'")
  end
end

function table.remove(t, at)
  requireOwn('remove', t)
  local size = rawlen(t)
  at = at == nil and size or native.truncate(native.tonumber(at) or badArgument(2, 'remove', 'number', at))
  if at < 1 or at > size then return end
  local removed = rawget(t, at)
  for i = at, size - 1 do rawset(t, i, rawget(t, i + 1)) end
  rawset(t, size, nil)
  return removed
end

function table.getn(t)
  requireTable('getn', t)
  return rawlen(behind[t] or t)
end

function table.setn()
  native.fail("'setn' is obsolete")
end

function table.maxn(t)
  local most = 0
  requireTable('maxn', t)
  for key in next, behind[t] or t do
    if type(key) == 'number' and key > most then most = key end
  end
  return most
end

function table.foreach(t, f)
  requireTable('foreach', t)
  requireFunction(f, 'foreach')
  for key, value in next, behind[t] or t do
    local result = f(key, value)
    if result ~= nil then return result end
  end
end

function table.foreachi(t, f)
  requireTable('foreachi', t)
  requireFunction(f, 'foreachi')
  for i = 1, rawlen(t) do
    local result = f(i, rawget(t, i))
    if result ~= nil then return result end
  end
end

local function load(f, name)
  if type(f) ~= 'function' then badArgument(1, 'load', 'function', f) end
  local pieces = {}
  while true do
    local piece = f()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    pieces[#pieces + 1] = piece
  end
  return native.loadstring(concat(pieces), name or '=(load)')
end

local function collectgarbage(option, argument)
  if option == nil or option == 'collect' then return collect('collect') end
  if option == 'count' then return collect('count') end
  if option == 'step' then return collect('step', 0) end
  if option == 'stop' or option == 'restart' or option == 'setpause' or option == 'setstepmul' then return 0 end
  native.fail("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')")
end

-- A finalizer would run when no limit watches it: none is ever registered.
local function setmetatable(...)
  requireTable('setmetatable', ...)
  local t, meta = ...
  if behind[t] then error(READONLY, 0) end
  local finalizer = type(meta) == 'table' and rawget(meta, '__gc')
  if finalizer == nil or finalizer == false then return rawsetmetatable(t, meta) end
  rawset(meta, '__gc', nil)
  rawsetmetatable(t, meta)
  rawset(meta, '__gc', finalizer)
  return t
end

local coroutine = {
  create = coroutine.create, resume = coroutine.resume, status = coroutine.status, wrap = coroutine.wrap,
  yield = coroutine.yield,
  running = function()
    local thread, isMain = native.running()
    if not isMain then return thread end
  end,
}
native.running = native.coroutine.running

local math = {
  abs = math.abs, acos = math.acos, asin = math.asin, atan = math.atan, cos = math.cos, deg = math.deg, exp = math.exp,
  log = math.log, modf = math.modf, rad = math.rad, sin = math.sin,
  sqrt = math.sqrt, tan = math.tan, huge = math.huge, pi = math.pi,
}

local string = {
  len = string.len,
}

-- What string.gmatch makes of a text and a pattern.
native.keepGmatch(function(text, pattern)
  local at = 0
  local function give(next, ...)
    at = next
    return ...
  end
  return function()
    if at then return give(native.gmatchStep(text, pattern, at)) end
  end
end)

local globals = {
  _VERSION = 'Lua 5.1', collectgarbage = collectgarbage,
  gcinfo = function() return native.floor(collect('count')) end,
  getmetatable = getmetatable, load = load, rawequal = rawequal,
  setmetatable = setmetatable, tostring = tostring, type = type, xpcall = xpcall,
  coroutine = coroutine, math = math, string = string, table = table,
}
function globals.rawset(t, key, value)
  requireOwn('rawset', t)
  return rawset(t, key, value)
end
function globals.rawget(t, key)
  requireTable('rawget', t)
  return rawget(behind[t] or t, key)
end
function globals.next(t, key)
  requireTable('next', t)
  return next(behind[t] or t, key)
end
function globals.pairs(...)
  requireTable('pairs', ...)
  local t = ...
  -- Nobody gets hold of the table behind.
  if behind[t] then return globals.next, t, nil end
  return next, t, nil
end
function globals.ipairs(...)
  requireTable('ipairs', ...)
  return ipairs((...))
end
function globals.unpack(...)
  requireTable('unpack', ...)
  local t, from, to = ...
  return unpack(t, wholeOr(from, 2, 'unpack'), wholeOr(to, 3, 'unpack'))
end
libraries.math.mod = libraries.math.fmod
libraries.string.gfind = libraries.string.gmatch
for name, value in next, libraries do
  if type(value) == 'table' and type(globals[name]) == 'table' then
    for key, field in next, value do globals[name][key] = field end
  else
    globals[name] = value
  end
end

local function protect(real)
  local standIn = {}
  behind[standIn] = real
  return rawsetmetatable(standIn, {
    __index = real, __newindex = native.refuse, __metatable = false,
  })
end

local real = {}
for name, value in next, globals do
  real[name] = type(value) == 'table' and protect(value) or value
end
local standIn = protect(real)
real._G = standIn
rawsetmetatable(real, { __index = native.missing })

local strings = getmetatable('')
strings.__index = string
-- Of two operands that are no numbers the first is to blame, unless it stands for one.
local function arithmetic(name, operation)
  strings[name] = function(a, b)
    local meta = type(b) ~= 'string' and debugger.getmetatable(b)
    if meta and rawget(meta, name) then return rawget(meta, name)(a, b) end
    local x, y = native.tonumber(a), native.tonumber(b)
    if x and y then return operation(x, y) end
    local blamed = a
    if x then blamed = b end
    native.fail('attempt to perform arithmetic on a ' .. type(blamed) .. ' value')
  end
end
arithmetic('__add', function(a, b) return a + b end)
arithmetic('__sub', function(a, b) return a - b end)
arithmetic('__mul', function(a, b) return a * b end)
arithmetic('__div', function(a, b) return a / b end)
arithmetic('__mod', function(a, b) return a % b end)
arithmetic('__pow', function(a, b) return a ^ b end)
arithmetic('__unm', function(a) return -a end)
strings.__idiv = nil
strings.__metatable = protect({ __index = real.string })

return standIn, real
`
