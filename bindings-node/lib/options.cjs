'use strict'
// A mailer's options: data that crosses as JSON, and functions that cross beside it.

const { data } = require('./data.cjs')
const { invalid } = require('./errors.cjs')
const { assertionFunction, storeFunction, tokenFunction } = require('./host.cjs')

function split(options) {
  const { auth, store, logger, ...rest } = options ?? {}
  const isTable = auth !== null && typeof auth === 'object' && !Array.isArray(auth)
  const { callback, ...plain } = isTable ? auth : {}
  const host = {}
  if (typeof plain.clientAssertion === 'function') {
    if (callback !== undefined) throw invalid('config_invalid', 'auth.callback', '`auth.callback` and a function as `auth.clientAssertion` exclude each other')
    host.token = assertionFunction(plain.clientAssertion)
    plain.clientAssertion = { callback: true }
  }
  if (auth !== undefined) rest.auth = isTable ? plain : auth
  if (callback !== undefined) {
    if (typeof callback !== 'function') throw invalid('config_invalid', 'auth.callback', '`auth.callback` must be a function')
    host.token = tokenFunction(callback)
  }
  if (store !== null && typeof store === 'object' && typeof store.load === 'function') {
    if (typeof store.save !== 'function') throw invalid('config_invalid', 'store.save', '`store` has a function `load` and none that is called `save`')
    host.store = storeFunction(store)
  } else if (store !== undefined) {
    rest.store = store
  }
  return { plain: data(rest, '', 'config_invalid'), host, logger: loggerOf(logger) }
}

function loggerOf(logger) {
  if (logger === undefined || logger === null || logger === false) return undefined
  const words = ['debug', 'info', 'warn'].filter((word) => typeof logger[word] === 'function')
  if (words.length > 0) return logger
  throw invalid('config_invalid', 'logger', '`logger` has none of the functions `debug`, `info` and `warn`', 'Pass an object such as `console`, or `false`.')
}

module.exports = { split }
