'use strict'
// A program that has come to its end waits for what its posted refresh tokens bring: it must be kept.

const { settled } = require('../native.cjs')

// Comes again when that has arrived.
process.on('beforeExit', () => settled())
