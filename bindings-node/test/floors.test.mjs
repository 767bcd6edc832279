// No circle of files: a file may use those below it, and none that uses it back.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'

const read = (folder, end, pattern) => {
  const home = new URL(`../${folder}/`, import.meta.url)
  const files = readdirSync(home).filter((name) => name.endsWith(end))
  return new Map(files.map((name) => [basename(name, end),
    [...readFileSync(new URL(name, home), 'utf8').matchAll(pattern)].map(([, used]) => used)]))
}

// The way around, or undefined.
function circle(uses, name, path = []) {
  if (path.includes(name)) return [...path.slice(path.indexOf(name)), name]
  for (const used of uses.get(name) ?? []) {
    const found = circle(uses, used, [...path, name])
    if (found) return found
  }
  return undefined
}

for (const [folder, end, pattern] of [['src', '.rs', /\bcrate::(\w+)/g], ['lib', '.cjs', /require\('\.\/(\w+)\.cjs'\)/g]]) {
  test(`${folder} has no circle of files`, () => {
    const uses = read(folder, end, pattern)
    assert.ok([...uses.values()].flat().length > 10, 'the pattern finds what is used')
    for (const name of uses.keys()) assert.equal(circle(uses, name)?.join(' → '), undefined)
  })
}

test('a circle is found', () => {
  assert.deepEqual(circle(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]]), 'a'), ['b', 'c', 'b'])
})
