'use strict'
// JavaScript's values as what can cross the border: JSON.

const { invalid } = require('./errors.cjs')
const { isBuffer, isDate, isMap, isPairs, isSet, isUrl } = require('./values.cjs')

// `path` names what cannot cross.
function data(value, path, code, depth = 0) {
  const wrong = (what) => invalid(code, path || null, `${path ? `\`${path}\`` : 'this'} is ${what}`)
  if (depth > 64) throw wrong('nested too deeply, or within itself')
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    throw wrong('no finite number')
  }
  if (typeof value !== 'object') throw wrong(`a ${typeof value}, which is no value here`)
  if (isDate(value)) {
    if (Number.isNaN(value.getTime())) throw wrong('an invalid Date')
    return value.toISOString()
  }
  if (ArrayBuffer.isView(value) || isBuffer(value)) throw wrong('binary, which is no value here')
  if (isUrl(value)) return value.href
  const list = Array.isArray(value) ? value : isSet(value) ? [...value] : undefined
  if (list) return list.map((item, at) => data(item ?? null, `${path}[${at}]`, code, depth + 1))
  const entries = isMap(value) || isPairs(value) ? [...value.entries()] : Object.entries(value)
  const out = {}
  for (const [key, item] of entries) {
    if (typeof key !== 'string') throw wrong(`a Map with a ${typeof key} for a key`)
    if (item === undefined) continue
    const plain = data(item, path ? `${path}.${key}` : key, code, depth + 1)
    // Defined, not assigned: a key may be `__proto__`.
    Object.defineProperty(out, key, { value: plain, enumerable: true, configurable: true, writable: true })
  }
  return out
}

module.exports = { data }
