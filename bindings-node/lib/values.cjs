'use strict'
// What a value is, whichever realm made it: Jest and Vitest run tests in a realm of their own, where `instanceof`
// does not know the values of Node's.

const { types } = require('node:util')

const tag = (value) => Object.prototype.toString.call(value).slice(8, -1)

const isError = (value) => types.isNativeError(value) || value instanceof Error
const isDate = types.isDate
const isMap = types.isMap
const isSet = types.isSet
const isBuffer = types.isAnyArrayBuffer
const isUrl = (value) => tag(value) === 'URL' && typeof value.href === 'string'
// Pairs of names and values: a query, or a form.
const isPairs = (value) => ['URLSearchParams', 'FormData', 'Headers'].includes(tag(value)) && typeof value.entries === 'function'
const isBlob = (value) => ['Blob', 'File'].includes(tag(value)) && typeof value.stream === 'function'

// Octets as a Buffer over the same memory, or undefined.
function buffer(value) {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (isBuffer(value)) return Buffer.from(value)
  return undefined
}

module.exports = { buffer, isBlob, isBuffer, isDate, isError, isMap, isPairs, isSet, isUrl }
