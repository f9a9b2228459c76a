// Drives the console of a running center as an analyst would, from the set-up
// link to a closed alert, and looks at every page in both themes.
//
//   node e2e/console.mjs --url https://localhost:8443 --setup https://localhost:8443/setup#TOKEN --out DIR
//
// Alerts must be arriving, or arrive within --patience seconds (120). Exits
// with 1 and the reason when something is not as it should be: a step that does
// not work, a serious or critical finding of axe, an error in the browser's
// console (refusals by the content security policy among them), or a request to
// another host. Screenshots of every page are left in DIR. --chromium names the
// browser, otherwise /usr/bin/chromium. The center's own certificate is
// accepted.
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'

const { values: arg } = parseArgs({
  options: {
    url: { type: 'string' },
    setup: { type: 'string' },
    out: { type: 'string', default: 'screenshots' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    patience: { type: 'string', default: '120' },
  },
})
if (!arg.url || !arg.setup) {
  console.error('usage: node e2e/console.mjs --url URL --setup LINK [--out DIR] [--chromium PATH] [--patience SECONDS]')
  process.exit(2)
}
const base = arg.url.replace(/\/$/, '')
const patience = Number(arg.patience) * 1000
const name = 'carla'
const password = 'a long enough passphrase'
mkdirSync(arg.out, { recursive: true })

const { source: axeSource } = createRequire(import.meta.url)('axe-core')
const browser = await chromium.launch({ executablePath: arg.chromium, args: ['--no-sandbox'] })
const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, colorScheme: 'light', reducedMotion: 'reduce' })
const page = await context.newPage()
page.setDefaultTimeout(15_000)

const problems = []
let expected = [] // refusals that a step is about to provoke
let where = 'start'
page.on('pageerror', (e) => problems.push(`${where}: ${e.message}`))
page.on('console', (m) => {
  if (m.type() === 'error' && !expected.some((x) => m.text().includes(x))) problems.push(`${where}: console: ${m.text()}`)
})
page.on('request', (r) => {
  if (!r.url().startsWith(base) && !r.url().startsWith('data:')) problems.push(`${where}: request to another host: ${r.url()}`)
})

class Unmet extends Error {}
const must = (ok, text) => {
  if (!ok) throw new Unmet(text)
}
const step = async (text, f) => {
  where = text
  const start = Date.now()
  await f()
  console.log(`ok  ${text} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
}
/** settled waits until nothing is loading; a stream stays open, so the network is never idle. */
const settled = () => page.waitForFunction(() => !document.querySelector('[aria-busy=true]') && document.querySelector('h1'), undefined, { timeout: 15_000 })
const shot = (file, fullPage = false) => page.screenshot({ path: join(arg.out, file + '.png'), fullPage })
async function axe(what) {
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  for (const v of violations) {
    const line = `${what}: axe: ${v.impact}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} (${n.any[0]?.message ?? ''})`).join('; ')}`
    if (v.impact === 'serious' || v.impact === 'critical') problems.push(line)
    else console.log('    ' + line)
  }
}
/** apart checks that no two cards lie over each other, and that nothing sticks out of the window. */
async function apart(what) {
  const bad = await page.evaluate(() => {
    const boxes = [...document.querySelectorAll('main .card')].map((e) => [e.innerText.slice(0, 20), e.getBoundingClientRect()])
    for (const [a, x] of boxes) {
      for (const [b, y] of boxes) {
        if (a !== b && x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 1 && y.top < x.bottom - 1) return `"${a}" lies over "${b}"`
      }
    }
    const wide = document.documentElement.scrollWidth - window.innerWidth
    return wide > 0 ? `the page is ${wide} pixels wider than the window` : ''
  })
  must(!bad, `${what}: ${bad}`)
}
const rows = () => page.getByTestId('alert')
/** marked tells whether the page is still the one that was marked: not loaded anew. */
const mark = () => page.evaluate(() => void (window.marked = true))
const marked = () => page.evaluate(() => window.marked === true)

async function logIn(secret) {
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Password', { exact: true }).fill(secret)
  await page.getByRole('button', { name: 'Log in' }).click()
}

async function run() {
  await step('the set-up link makes the first administrator', async () => {
    await page.goto(arg.setup)
    await page.getByRole('heading', { name: 'Create the first administrator' }).waitFor()
    await axe('set-up')
    await page.getByLabel('Name', { exact: true }).fill(name)
    await page.getByLabel('Password', { exact: true }).fill('short')
    must(await page.getByRole('button', { name: 'Create the account' }).isDisabled(), 'a password that breaks the rules can be sent')
    await page.getByLabel('Password', { exact: true }).fill(password)
    await page.getByLabel('Password again').fill(password)
    await shot('setup-light')
    await page.getByRole('button', { name: 'Create the account' }).click()
    await page.getByRole('heading', { name: 'Alerts', exact: true }).waitFor()
  })
  await step('live updates are connected', async () => {
    await page.getByTestId('live').getByText('Live', { exact: true }).waitFor()
    await settled()
    await shot('first-run-light')
    await axe('first run')
  })
  await step('logging out, a wrong password, logging in', async () => {
    await page.getByRole('button', { name: `Account ${name}` }).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await axe('login')
    expected = ['401']
    await logIn('not the passphrase')
    await page.getByRole('alert').waitFor()
    await shot('login-refused-light')
    await page.goto(base + '/sensors')
    await page.waitForURL(/\/login\?next=/)
    await logIn(password)
    await page.waitForURL(base + '/sensors')
    expected = []
    await page.getByRole('link', { name: 'Alerts' }).first().click()
  })
  await step('alerts arrive without the page being loaded anew', async () => {
    await settled()
    await mark()
    await rows().first().waitFor({ timeout: patience })
    must(await marked(), 'the page was loaded anew')
    await page.getByTestId('open-count').waitFor()
    await page.getByTestId('checklist').waitFor({ state: 'detached', timeout: patience }) // hidden once all is done
    await shot('alerts-arriving-light')
  })
  let id = ''
  await step('an alert is opened, understood, noted and closed with a comment', async () => {
    const first = rows().last().getByRole('link')
    const title = await first.innerText()
    await first.click()
    await page.getByTestId('summary').waitFor()
    await settled()
    id = new URL(page.url()).pathname.split('/').pop()
    must((await page.getByTestId('summary').innerText()).length > 20, `alert ${title} has no summary`)
    await page.getByRole('heading', { name: 'Evidence' }).waitFor()
    await page.getByRole('tab', { name: 'How to check' }).waitFor()
    const detail = page.getByRole('button', { name: /^Detail of the activity/ })
    must((await detail.count()) > 0, 'there is no activity behind the alert')
    await detail.first().click()
    await page.locator('pre.json').first().waitFor()
    await detail.first().click()
    await page.getByLabel('Note').fill('Asked the owner of the computer.')
    await page.getByRole('button', { name: 'Add the note' }).click()
    await page.getByText('Asked the owner of the computer.').first().waitFor()
    await page.getByRole('button', { name: 'Close', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Comment').fill('A test of ours, agreed with operations.')
    await axe('close dialog')
    await shot('alert-close-dialog-light')
    await dialog.getByRole('button', { name: 'Close the alert' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Reopen' }).waitFor()
    await page.getByText('A test of ours, agreed with operations.').waitFor()
  })
  await step('it is gone from Open, and stands in Closed', async () => {
    await page.getByRole('link', { name: 'Alerts' }).first().click()
    await settled()
    const link = page.locator(`a[href="/alerts/${id}"]`)
    await link.waitFor({ state: 'detached' })
    await page.getByRole('radiogroup', { name: 'Status' }).getByText('Closed', { exact: true }).click()
    await link.waitFor()
    must(page.url().includes('status=closed'), 'the filter does not stand in the address')
    await page.getByRole('radiogroup', { name: 'Status' }).getByText('Open', { exact: true }).click()
    must(await marked(), 'the page was loaded anew')
  })
  await step('the keyboard is enough to find and open an alert', async () => {
    await page.getByTestId('total').waitFor()
    await page.keyboard.press('/')
    must(await page.getByLabel('Search in alerts').evaluate((e) => e === document.activeElement), '/ does not lead to the search')
    await page.keyboard.type('no such thing anywhere')
    await page.getByText('No alert matches').waitFor()
    await shot('alerts-no-match-light')
    await page.getByRole('link', { name: 'Clear the filter' }).click()
    await rows().first().waitFor()
    await page.locator('body').press('j')
    await page.keyboard.press('Enter')
    await page.getByTestId('summary').waitFor()
  })
  await step('a key for a sensor is shown once', async () => {
    await page.goto(base + '/sensors')
    await settled()
    await page.getByRole('button', { name: 'Add a sensor' }).click()
    await page.getByRole('button', { name: 'Create the access key' }).click()
    await page.getByText(/verderer-sensor enroll --center \S+ --key vk1-/).waitFor()
    await page.getByRole('button', { name: 'Copy the command' }).waitFor()
    await axe('add a sensor')
    await shot('add-sensor-light')
    await page.getByRole('button', { name: /^Delete the access key/ }).last().click()
    await page.getByRole('button', { name: 'Done' }).click()
  })

  const open = async (path) => {
    await page.goto(base + path)
    await settled()
  }
  const pages = [
    ['alerts', () => open('/alerts')],
    ['alerts-all', () => open('/alerts?status=all')],
    ['alerts-suppressed', () => open('/alerts?status=suppressed')],
    ['alert', async () => {
      await open('/alerts')
      await rows().first().getByRole('link').click()
      await page.getByTestId('summary').waitFor()
      await settled()
    }, true],
    ['alert-closed', () => open('/alerts/' + id), true],
    ['alert-not-found', async () => {
      expected = ['404']
      await open('/alerts/00000000000000000000000000000000')
      await page.getByText('There is no such alert').waitFor()
      expected = []
    }],
    ['detections', () => open('/detections')],
    ['detection', async () => {
      await open('/detections')
      await page.locator('tr.opens a').first().click()
      await page.getByRole('dialog').getByRole('tab').first().waitFor()
    }],
    ['sensors', () => open('/sensors')],
    ['sensor', async () => {
      await open('/sensors')
      const row = page.locator('tr.opens a').first()
      if (await row.count()) {
        await row.click()
        await page.getByRole('dialog').getByText('Counters').waitFor()
      }
    }],
    ['health', async () => {
      await open('/alerts')
      await page.getByRole('button', { name: /health/i }).click()
      await page.getByRole('dialog').waitFor()
    }],
  ]
  for (const scheme of ['light', 'dark']) {
    await step(`the theme is changed to ${scheme}`, async () => {
      await open('/alerts')
      await page.getByRole('button', { name: 'Theme' }).click()
      await page.getByRole('menuitem', { name: scheme === 'light' ? 'Light' : 'Dark' }).click()
      await page.waitForFunction((s) => document.documentElement.dataset.mantineColorScheme === s, scheme)
    })
    for (const [file, visit, long] of pages) {
      await step(`${file}, ${scheme}`, async () => {
        await visit()
        await page.waitForTimeout(250) // drawers slide in
        await shot(`${file}-${scheme}`, long)
        await apart(file)
        await axe(`${file}, ${scheme}`)
      })
    }
    await step(`1024 pixels wide, ${scheme}`, async () => {
      await page.setViewportSize({ width: 1024, height: 768 })
      for (const [file, visit] of pages.filter(([f]) => ['alerts', 'alert', 'detections', 'sensors'].includes(f))) {
        await visit()
        await apart(file)
        await shot(`${file}-1024-${scheme}`)
      }
      await page.setViewportSize({ width: 1280, height: 800 })
    })
    if (scheme === 'dark') {
      await step('set-up and login in the dark', async () => {
        await page.getByRole('button', { name: `Account ${name}` }).click()
        await page.getByRole('menuitem', { name: 'Log out' }).click()
        await page.getByRole('heading', { name: 'Log in' }).waitFor()
        await shot('login-dark')
        await axe('login, dark')
      })
    }
  }
}

let failed
try {
  await run()
} catch (e) {
  failed = e
  await shot('failed').catch(() => {})
}
await browser.close()
for (const p of problems) console.error('problem: ' + p)
if (failed) console.error(`failed at "${where}": ${failed instanceof Unmet ? failed.message : (failed.stack ?? failed)}`)
if (failed || problems.length > 0) process.exit(1)
console.log(`all steps passed; screenshots in ${arg.out}`)
