// A person at a browser: does the steps that come as JSON in the first argument, and prints what was seen.
'use strict'
const { execFileSync } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { chromium } = require('playwright-core')

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-extensions']

async function main() {
  const steps = JSON.parse(process.argv[2])
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: FLAGS })
  const seen = []
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, acceptDownloads: true, viewport: { width: 1100, height: 900 } })
    context.setDefaultTimeout(15_000)
    const page = await context.newPage()
    const troubles = []
    page.on('pageerror', (error) => troubles.push(String(error)))
    page.on('dialog', (dialog) => { troubles.push(`dialog: ${dialog.message()}`); dialog.dismiss() })
    for (const [what, ...rest] of steps) {
      switch (what) {
        case 'go': await page.goto(rest[0]); break
        case 'fill': await page.getByLabel(rest[0], { exact: true }).fill(rest[1]); break
        case 'choose': await page.getByLabel(rest[0], { exact: true }).selectOption(rest[1]); break
        case 'press': await page.getByRole('button', { name: rest[0], exact: true }).click(); break
        case 'follow': await page.getByRole('link', { name: rest[0], exact: true }).first().click(); break
        case 'switch': await page.getByRole('switch', { name: rest[0], exact: true }).click(); break
        case 'wait': await page.getByText(rest[0]).first().waitFor(); break
        case 'gone': await page.getByText(rest[0]).first().waitFor({ state: 'detached' }); break
        case 'run': execFileSync(rest[0], rest.slice(1)); break
        case 'images': seen.push(await page.frameLocator('iframe').locator('img').evaluateAll((all) => Promise.all(all.map((one) => one.decode().then(() => one.naturalWidth, () => 0))))); break
        case 'text': seen.push(await page.locator('body').innerText()); break
        case 'title': seen.push(await page.title()); break
        case 'frame': seen.push(await page.frameLocator('iframe').locator('body').innerText()); break
        case 'shot': await page.screenshot({ path: rest[0], fullPage: true }); break
        case 'download': {
          const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: rest[0], exact: true }).click()])
          seen.push([download.suggestedFilename(), readFileSync(await download.path(), 'base64')])
          break
        }
        case 'troubles': seen.push(troubles); break
        default: throw new Error(`unknown step ${what}`)
      }
    }
  } finally {
    await browser.close()
  }
  console.log(JSON.stringify(seen))
}

main().catch((error) => { console.error(error); process.exitCode = 1 })
