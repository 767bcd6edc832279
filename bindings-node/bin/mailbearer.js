#!/usr/bin/env node
'use strict'
process.exitCode = require('../native.cjs').runCli(process.argv.slice(2))
