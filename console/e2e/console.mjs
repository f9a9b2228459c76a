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
//
// With --asks somebody stands by who changes the installation: a line "@word" on
// standard output asks for it, a line on standard input says that it was done.
// @enroll a sensor, @replay recordings of attacks through it, @kill and @start
// the center, make an account for a @viewer (vera, with the same password), let
// every session @expire. Nothing may be arriving before @replay. What needs it
// is left out without.
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'

const { values: arg } = parseArgs({
  options: {
    url: { type: 'string' },
    setup: { type: 'string' },
    out: { type: 'string', default: 'screenshots' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    patience: { type: 'string', default: '120' },
    asks: { type: 'boolean', default: false },
  },
})
if (!arg.url || !arg.setup) {
  console.error('usage: node e2e/console.mjs --url URL --setup LINK [--out DIR] [--chromium PATH] [--patience SECONDS] [--asks]')
  process.exit(2)
}
const base = arg.url.replace(/\/$/, '')
const patience = Number(arg.patience) * 1000
const desk = { width: 1280, height: 800 }
const phone = { width: 390, height: 844 }
const name = 'carla'
const password = 'a long enough passphrase'
mkdirSync(arg.out, { recursive: true })

const { source: axeSource } = createRequire(import.meta.url)('axe-core')
const browser = await chromium.launch({ executablePath: arg.chromium, args: ['--no-sandbox'] })
const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: desk, colorScheme: 'light', reducedMotion: 'reduce' })
const page = await context.newPage()
page.setDefaultTimeout(15_000)

const problems = []
let expected = [] // refusals that a step is about to provoke
let where = 'start'
function listen(page) {
  page.on('pageerror', (e) => problems.push(`${where}: ${e.message}`))
  page.on('console', (m) => {
    if (m.type() === 'error' && !expected.some((x) => m.text().includes(x))) problems.push(`${where}: console: ${m.text()}`)
  })
  page.on('request', (r) => {
    if (!r.url().startsWith(base) && !r.url().startsWith('data:')) problems.push(`${where}: request to another host: ${r.url()}`)
  })
}
listen(page)

const answers = arg.asks ? createInterface({ input: process.stdin })[Symbol.asyncIterator]() : undefined
/** ask has something done to the installation, and waits until it is. */
async function ask(what) {
  console.log('@' + what)
  must(!(await answers.next()).done, `nobody answered @${what}`)
}

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
const picture = (file, fullPage = false) => page.screenshot({ path: join(arg.out, file + '.png'), fullPage })
/** still waits until no colour is on its way to another, and no drawer moves. */
const still = () =>
  page.evaluate(async () => {
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))
    await Promise.allSettled(document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished))
  })
/** both does something in each theme, while the console follows the system's. */
async function both(f) {
  for (const scheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.waitForFunction((s) => document.documentElement.dataset.mantineColorScheme === s, scheme)
    await still()
    await f(scheme)
  }
}
/** shot takes a picture in each theme. */
const shot = (file, fullPage) => both((scheme) => picture(`${file}-${scheme}`, fullPage))
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

async function logIn(secret, who = name, on = page) {
  await on.getByLabel('Name', { exact: true }).fill(who)
  await on.getByLabel('Password', { exact: true }).fill(secret)
  await on.getByRole('button', { name: 'Log in' }).click()
}

/** closedElsewhere closes an open alert of the timeline behind the back of the
 * page, which only the stream can tell of it. */
async function closedElsewhere(href) {
  const link = page.locator(`a[href="${href}"]`)
  await link.waitFor()
  const status = await page.evaluate(async (href) => {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ comment: 'Closed by a script.' }) }
    return (await fetch(`/api/v1${href}/close`, init)).status
  }, href)
  must(status === 200, `closing ${href}: ${status}`)
  await link.waitFor({ state: 'detached', timeout: patience })
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
    await shot('setup')
    await page.getByRole('button', { name: 'Create the account' }).click()
    await page.getByRole('heading', { name: 'Alerts', exact: true }).waitFor()
  })
  await step('live updates are connected', async () => {
    await page.getByTestId('live').getByText('Live', { exact: true }).waitFor()
    await settled()
    await page.getByTestId('live').hover()
    await both((scheme) => axe(`first run, ${scheme}`))
    await page.mouse.move(0, 400)
    await shot('first-run')
    await page.setViewportSize(phone)
    await apart('first run on a phone')
    await shot('first-run-phone')
    await page.setViewportSize(desk)
  })
  await step('logging out, a wrong password, logging in', async () => {
    await page.getByRole('button', { name: `Account ${name}` }).click()
    await page.getByRole('menuitem', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await both((scheme) => axe(`login, ${scheme}`))
    await shot('login')
    expected = ['401']
    await logIn('not the passphrase')
    await page.getByRole('alert').getByText('name or password', { exact: false }).waitFor()
    must((await page.getByLabel('Password', { exact: true }).inputValue()) === '', 'the refused password is still there')
    await shot('login-refused')
    await page.goto(base + '/sensors')
    await page.waitForURL(/\/login\?next=/)
    await logIn(password)
    await page.waitForURL(base + '/sensors')
    expected = []
  })
  await step('a key for a sensor is shown once, with all that is to be run', async () => {
    await settled()
    if (arg.asks) await shot('no-sensor')
    await page.getByRole('button', { name: 'Add a sensor' }).first().click()
    await page.getByRole('button', { name: 'Create the access key' }).click()
    const commands = page.getByRole('dialog').locator('code').filter({ hasText: 'enroll' })
    const runs = async (...lines) => {
      const text = await commands.innerText()
      for (const l of lines) must(l.test(text), `the commands lack ${l}: ${text}`)
    }
    await commands.waitFor()
    await runs(/verderer-sensor enroll --center \S+ --key vk1-/, /systemctl enable --now verderer-sensor/)
    await page.getByRole('button', { name: 'Copy the commands' }).waitFor()
    await both((scheme) => axe(`add a sensor, ${scheme}`))
    await shot('add-sensor')
    await page.getByText('By hand').click()
    await runs(/verderer-sensor enroll --center \S+ --key vk1-/, /verderer-sensor run .*--interface eth0/)
    await shot('add-sensor-by-hand')
    await page.getByRole('button', { name: /^Delete the access key/ }).last().click()
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('link', { name: 'Alerts' }).first().click()
  })
  await step('alerts arrive without the page being loaded anew', async () => {
    await settled()
    await mark()
    const done = (id) => page.locator(`[data-testid=step-${id}][data-done=true]`).waitFor({ timeout: patience })
    if (arg.asks) {
      await done('account')
      must((await page.locator('[data-testid^=step-][data-done=true]').count()) === 1, 'a step is done before there is a sensor')
      await ask('enroll')
      await page.getByTestId('step-sensor').getByText('has not connected yet').waitFor({ timeout: patience })
      await shot('first-run-enrolled')
      await ask('replay')
      for (const id of ['sensor', 'packet', 'activity']) await done(id)
    }
    await rows().first().waitFor({ timeout: patience })
    await page.getByTestId('open-count').waitFor()
    await shot('alerts-arriving')
    if (arg.asks) {
      await both((scheme) => axe(`first run done, ${scheme}`))
      await page.getByTestId('checklist').getByRole('button', { name: 'Dismiss' }).click()
    }
    await page.getByTestId('checklist').waitFor({ state: 'detached', timeout: patience })
    must(await marked(), 'the page was loaded anew')
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
    await both((scheme) => axe(`close dialog, ${scheme}`))
    await shot('alert-close-dialog')
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
    await rows().first().waitFor()
    await page.getByRole('radiogroup', { name: 'Status' }).getByText('Closed', { exact: true }).click()
    await link.waitFor()
    must(page.url().includes('status=closed'), 'the filter does not stand in the address')
    await shot('alerts-closed')
  })
  await step('it is reopened, and stands in Open again', async () => {
    const link = page.locator(`a[href="/alerts/${id}"]`)
    await link.click()
    await page.getByRole('button', { name: 'Reopen' }).click()
    await page.getByRole('button', { name: 'Close', exact: true }).waitFor()
    await page.getByRole('link', { name: 'Alerts' }).first().click()
    await link.waitFor()
    must(!page.url().includes('status='), 'these are not the open ones')
    await closedElsewhere(`/alerts/${id}`)
    must(await marked(), 'the page was loaded anew')
  })
  await step('the keyboard is enough to find and open an alert', async () => {
    await page.getByTestId('total').waitFor()
    await page.keyboard.press('/')
    must(await page.getByLabel('Search in alerts').evaluate((e) => e === document.activeElement), '/ does not lead to the search')
    await page.keyboard.type('no such thing anywhere')
    await page.getByText('No alert matches').waitFor()
    await shot('alerts-no-match')
    await page.getByRole('link', { name: 'Clear the filter' }).click()
    await rows().first().waitFor()
    await page.locator('body').press('j')
    await page.keyboard.press('Enter')
    await page.getByTestId('summary').waitFor()
  })
  await step('an error is told and tried again, and what loads has its place', async () => {
    expected = ['net::ERR_FAILED']
    const list = '**/api/v1/alerts?*limit=50*'
    let hold
    await page.route(list, () => new Promise((go) => (hold = go)))
    await page.goto(base + '/alerts?status=all')
    await page.locator('[aria-busy=true]').first().waitFor()
    await shot('alerts-loading')
    hold()
    await page.unroute(list)
    await page.route(list, (r) => r.abort())
    await page.goto(base + '/alerts?status=all')
    await page.getByText('This could not be loaded').waitFor()
    await shot('alerts-failed')
    await page.unroute(list)
    await page.getByRole('button', { name: 'Try again' }).click()
    await rows().first().waitFor()
    expected = []
  })
  const open = async (path) => {
    await page.goto(base + path)
    await settled()
  }
  // [name, how to get there, whether the picture is of the whole page]
  const pages = [
    ['alerts', () => open('/alerts')],
    ['alerts-all', () => open('/alerts?status=all')],
    ['alerts-suppressed', () => open('/alerts?status=suppressed')],
    ['alert', async () => {
      await open('/alerts')
      const rich = rows().filter({ hasText: 'brute force attack (Kerberos)' }) // has all that an alert can have
      await ((await rich.count()) ? rich : rows()).first().getByRole('link').click()
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
    ['page-not-found', async () => {
      await page.goto(base + '/nonsense')
      await page.getByText('There is no such page').waitFor()
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
  const sizes = [['', desk], ['-1024', { width: 1024, height: 768 }], ['-phone', phone]]
  for (const [file, visit, long] of pages) {
    await step(file, async () => {
      await visit()
      for (const [suffix, size] of sizes) {
        if (suffix === '-1024' && !['alerts', 'alert', 'detections', 'sensors'].includes(file)) continue
        await page.setViewportSize(size)
        await apart(file + suffix)
        await both(async (scheme) => {
          await picture(`${file}${suffix}-${scheme}`, long)
          if (size === desk || (size === phone && scheme === 'light')) await axe(`${file}${suffix}, ${scheme}`)
        })
      }
      await page.setViewportSize(desk)
    })
  }
  await step('the theme is chosen, whatever the system says, and stays', async () => {
    for (const scheme of ['dark', 'light']) {
      await open('/alerts')
      await page.getByRole('button', { name: 'Theme' }).click()
      await page.getByRole('menuitem', { name: scheme === 'light' ? 'Light' : 'Dark' }).click()
      const chosen = () => page.waitForFunction((s) => document.documentElement.dataset.mantineColorScheme === s, scheme)
      await chosen()
      await page.reload()
      await chosen()
    }
    await page.getByRole('button', { name: 'Theme' }).click()
    await page.getByRole('menuitem', { name: 'As the system' }).click()
  })
  if (arg.asks) {
    await step('the center goes away and comes back, and the page with it', async () => {
      await page.goto(base + '/alerts')
      const other = await rows().first().getByRole('link').getAttribute('href')
      await rows().first().getByRole('link').click()
      await page.getByRole('button', { name: 'Close', exact: true }).waitFor()
      await settled()
      await mark()
      expected = ['ERR_']
      await ask('kill')
      await page.getByText('The center does not answer').waitFor()
      await page.getByTestId('live').getByText('Reconnecting', { exact: true }).waitFor()
      await page.getByRole('button', { name: 'Close', exact: true }).click()
      await page.getByRole('button', { name: 'Close the alert' }).click()
      await page.getByRole('dialog').getByRole('alert').getByText('The center does not answer').waitFor()
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('link', { name: 'Alerts' }).first().click()
      await rows().first().waitFor() // as they were
      await both((scheme) => axe(`center away, ${scheme}`))
      await shot('center-away')
      await ask('start')
      await page.getByTestId('live').getByText('Live', { exact: true }).waitFor({ timeout: patience })
      await page.getByText('The center does not answer').waitFor({ state: 'detached' })
      expected = []
      await closedElsewhere(other)
      must(await marked(), 'the page was loaded anew')
    })
    await step('a viewer sees everything and changes nothing', async () => {
      await ask('viewer')
      const other = await browser.newContext({ ignoreHTTPSErrors: true, viewport: desk, reducedMotion: 'reduce' })
      const page = await other.newPage()
      page.setDefaultTimeout(15_000)
      listen(page)
      await page.goto(`${base}/alerts/${id}`)
      await logIn(password, 'vera', page)
      await page.getByTestId('summary').waitFor()
      await page.getByRole('heading', { name: 'History' }).waitFor()
      for (const name of ['Close', 'Reopen', 'Add the note']) must((await page.getByRole('button', { name, exact: true }).count()) === 0, `a viewer is offered "${name}"`)
      await page.screenshot({ path: join(arg.out, 'alert-viewer-light.png') })
      await page.getByRole('link', { name: 'Detections' }).click()
      await page.waitForURL(base + '/detections')
      await page.goBack()
      await page.getByRole('link', { name: 'Sensors' }).click()
      await page.waitForURL(base + '/sensors')
      await page.locator('tr.opens').first().waitFor()
      must((await page.getByRole('button', { name: 'Add a sensor' }).count()) === 0, 'a viewer is offered to add a sensor')
      await page.locator('tr.opens a').first().click()
      await page.getByText('Counters').waitFor()
      must((await page.getByRole('button', { name: 'Remove' }).count()) === 0, 'a viewer is offered to remove a sensor')
      await other.close()
    })
    await step('a session that has ended leads to the login, and back', async () => {
      await open('/alerts?severity=high')
      await mark()
      expected = ['401', 'ERR_']
      await ask('expire')
      // Nobody touches the page: the stream tells it, at its next heartbeat.
      await page.waitForURL(/\/login\?next=/, { timeout: 40_000 })
      must(await marked(), 'the page was loaded anew')
      await logIn(password)
      await page.waitForURL(base + '/alerts?severity=high')
      expected = []
      await rows().first().or(page.getByText('No alert matches')).first().waitFor()
    })
  }
}

let failed
try {
  await run()
} catch (e) {
  failed = e
  await picture('failed').catch(() => {})
}
await browser.close()
for (const p of problems) console.error('problem: ' + p)
if (failed) console.error(`failed at "${where}": ${failed instanceof Unmet ? failed.message : (failed.stack ?? failed)}`)
if (failed || problems.length > 0) process.exit(1)
console.log(`all steps passed; screenshots in ${arg.out}`)
process.exit(0) // whoever answers may still hold standard input open
