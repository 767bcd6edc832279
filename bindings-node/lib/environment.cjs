'use strict'
// The environment as this thread and this realm have it: a worker thread, Jest and bun give a program a `process.env` that
// the process does not know.

// All variables as they are now, and a function that looks one up later.
function environment() {
  const all = Object.fromEntries(Object.entries(process.env).filter(([, value]) => typeof value === 'string'))
  return [all, (name) => process.env[name] ?? null]
}

module.exports = { environment }
