'use strict'
// The async context of the program's functions (AsyncLocalStorage). They are called from threads that have none, so they
// keep the one in which they were given.

const { AsyncResource } = require('node:async_hooks')

const bound = (f) => AsyncResource.bind(f, 'mailbearer')

module.exports = { bound }
