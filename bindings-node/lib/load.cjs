'use strict'
// Options from a file or from the environment: what `fromFile` and `fromEnv` pass to a constructor.

const { fileURLToPath } = require('node:url')
const { text } = require('./call.cjs')

function fromFile(file, { profile, ...options } = {}) {
  return [options, { file: text('file', file?.href ? fileURLToPath(file) : file), profile: text('profile', profile) }]
}

function fromEnv({ prefix, ...options } = {}) {
  return [options, { env: true, prefix: text('prefix', prefix) }]
}

module.exports = { fromEnv, fromFile }
