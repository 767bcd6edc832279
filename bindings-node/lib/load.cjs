'use strict'
// Options from a file or from the environment: what `fromFile` and `fromEnv` pass to a constructor.

function fromFile(file, { profile, ...overrides } = {}) {
  return [overrides, { file, search: file === undefined, profile, prefix: 'MAILBEARER_' }]
}

function fromEnv({ prefix = 'MAILBEARER_', ...overrides } = {}) {
  return [overrides, { file: process.env.MAILBEARER_CONFIG, prefix }]
}

module.exports = { fromEnv, fromFile }
