// Development only: serves the built console (or only the API, behind `npm run
// dev`) with data made from the repository's own recordings, so that pages can
// be worked on without a center. Nothing of it is in the product.
//
//   node dev/server.mjs [--port 8090] [--fresh] [--live SECONDS]
//
// --fresh starts before the first account; set-up link token: "fixture".
// --live raises one more alert every so many seconds.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const repo = join(here, '..', '..')
const dist = join(here, '..', 'dist')
const arg = (name, fallback) => {
  const i = process.argv.indexOf('--' + name)
  return i < 0 ? fallback : (process.argv[i + 1] ?? true)
}
const has = (name) => process.argv.includes('--' + name)
const port = Number(arg('port', 8090))

// --- data -----------------------------------------------------------------

const verderer = (...args) =>
  execFileSync('go', ['run', './cmd/verderer', ...args], { cwd: repo, maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] })
    .toString().split('\n').filter(Boolean).map((l) => JSON.parse(l))

const detectDir = join(repo, 'center', 'detect')
const captures = []
for (const d of readdirSync(detectDir)) {
  const testdata = join(detectDir, d, 'testdata')
  if (!existsSync(testdata)) continue
  for (const s of readdirSync(testdata)) {
    const file = join(testdata, s, 'capture.pcap')
    if (existsSync(file)) captures.push(file)
  }
}
const minute = 60e3
const shift = (o, ms) => {
  if (Array.isArray(o)) return o.map((v) => shift(v, ms))
  if (o && typeof o === 'object') return Object.fromEntries(Object.entries(o).map(([k, v]) => [k, shift(v, ms)]))
  if (typeof o === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(o)) return new Date(Date.parse(o) + ms).toISOString()
  return o
}
const alerts = []
const activities = new Map()
const names = { '10.77.0.66': ['ws-reception.lab.example', 'DHCP lease', 'high'], '10.77.0.10': ['dc1.lab.example', 'DNS', 'high'] }
let age = 4 * minute
for (const file of captures) {
  const found = verderer('analyze', '--format', 'jsonl', file)
  if (!found.length) continue
  const acts = verderer('analyze', '--format', 'jsonl', '--activities', file)
  for (const a of found) {
    const ms = Date.now() - age - Date.parse(a.end)
    age = age * 1.6 + 7 * minute
    const moved = shift(a, ms)
    if (alerts.length % 3 !== 2) {
      for (const c of [...moved.sources, ...moved.targets]) {
        const n = names[c.address]
        if (n) [c.name, c.method, c.certainty] = n
      }
      for (const c of moved.sources) {
        if (c.name) moved.evidence.splice(-2, 0, { kind: 'resolution', text: `${c.address} is ${c.name}, by ${c.method} (certainty ${c.certainty}).` })
      }
    }
    alerts.push({ alert: moved, raised: moved.end, updated: moved.end, history: [{ time: moved.end, do: 'raised' }] })
    for (const act of acts) {
      delete act.origin
      activities.set(act.id, shift(act, ms))
    }
  }
}
for (const i of [5, 9]) {
  const a = alerts[i]
  if (!a) continue
  a.alert.status = 'closed'
  a.history.push({ time: new Date(Date.parse(a.alert.end) + 40 * minute).toISOString(), do: 'note', by: 'carla', comment: 'Asked the help desk: nobody was at that desk.' })
  a.history.push({ time: new Date(Date.parse(a.alert.end) + 65 * minute).toISOString(), do: 'close', by: 'carla', comment: 'Planned test of the red team, ticket 4711. Source is their laptop.' })
}
if (alerts[0] && alerts[5]) {
  alerts[0].alert.previous = alerts[5].alert.id
  alerts[5].next = alerts[0].alert.id
}

const goList = (src, field) => {
  const m = src.match(new RegExp(`\\b${field}:\\s*\\[\\]string\\{([\\s\\S]*?)\\n?\\t?\\},`))
  return m ? [...m[1].matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((x) => x[1]) : []
}
const goText = (src, field) => src.match(new RegExp(`\\b${field}:\\s*"((?:[^"\\\\]|\\\\.)*)"`))?.[1] ?? ''
const part = (md, title) => (md.split(new RegExp(`^## ${title}\\n`, 'm'))[1] ?? '').split(/^## /m)[0].trim()
const guidanceOf = (md) => ({
  whatHappened: part(md, 'What happened'), howToCheck: part(md, 'How to check'),
  falsePositives: part(md, 'False positives'), response: part(md, 'Response'),
})
const detections = []
for (const d of readdirSync(detectDir)) {
  if (d === 'template' || !existsSync(join(detectDir, d, 'README.md'))) continue
  const src = readdirSync(join(detectDir, d)).filter((f) => f.endsWith('.go') && !f.endsWith('_test.go'))
    .map((f) => readFileSync(join(detectDir, d, f), 'utf8')).join('\n')
  const md = readFileSync(join(detectDir, d, 'README.md'), 'utf8')
  const id = goText(src, 'ID')
  const tunables = [...src.matchAll(/\{Name: "([^"]+)", Unit: "([^"]+)", High: (\d+)[^}]*?Why: "((?:[^"\\]|\\.)*)"/g)]
    .map((m) => ({ name: m[1], unit: m[2], value: Number(m[3]), why: m[4] }))
  const all = alerts.filter((a) => a.alert.detection === id)
  detections.push({
    id, name: goText(src, 'Name'), description: goText(src, 'Description'), severity: src.match(/Severity:\s*detect\.(\w+)/)[1].toLowerCase(),
    tactic: goText(src, 'Tactic'), techniques: goList(src, 'Techniques'), mdiId: Number(src.match(/MDIID:\s*(\d+)/)?.[1] ?? 0), ataIds: [2003],
    level: 'high', state: id === 'brute-force-ldap' ? 'waiting' : 'working',
    stateText: id === 'brute-force-ldap' ? 'Waits for the first LDAP simple bind.' : `Looked at ${(1000 + id.length * 7919).toLocaleString('en')} activities in 24 hours.`,
    needs: goList(src, 'Needs'), blindSpots: goList(src, 'BlindSpots'), legitimate: goText(src, 'Legitimate'), tunables,
    guidance: guidanceOf(md), open: 0, alerts: all.length,
  })
}
const ago = (ms) => new Date(Date.now() - ms).toISOString()
const counters = [
  ['capture', 'packets', 1843221], ['capture', 'dropped-by-kernel', 0], ['decode/kerberos', 'messages', 40211], ['decode/kerberos', 'malformed', 2],
  ['decode/ldap', 'messages', 91120], ['decode/ldap', 'sealed', 3311], ['decode/dns', 'messages', 511200], ['reassemble', 'streams', 8123], ['reassemble', 'gaps', 14],
].map(([stage, name, count]) => ({ stage, name, count }))
const sensor = (o) => ({
  os: 'linux', version: '0.1.0', state: 'working', stateText: 'Reads and sends.', enrolled: ago(6 * 24 * 3600e3), lastSeen: ago(900), certificateExpires: new Date(Date.now() + 300 * 24 * 3600e3).toISOString(),
  sources: ['interface eth0'], lagSeconds: 0.4, skewSeconds: 0.012, packets: 1843221, events: 0, activities: 20311, dropped: 0, firstPacket: ago(6 * 24 * 3600e3), firstActivity: ago(6 * 24 * 3600e3),
  spoolBatches: 0, spoolBytes: 0, spoolLimit: 1 << 30, spoolLost: 0, memory: 61 << 20, counters, ...o,
})
let sensors = [
  sensor({ id: 's1', name: 'dc1', host: 'dc1.lab.example' }),
  sensor({ id: 's2', name: 'dc2', host: 'dc2.lab.example', state: 'behind', stateText: 'It works off a backlog of 4 minutes after an outage; its activities arrive late. Nothing to do.', lagSeconds: 241, spoolBatches: 812, spoolBytes: 49 << 20, packets: 901221, dropped: 312 }),
  sensor({ id: 's3', name: 'dc-branch-muenchen', host: 'dc-branch-muenchen.lab.example', state: 'silent', stateText: 'Nothing was heard of it for 3 hours. Check that verderer-sensor runs on it, and that it reaches this center on port 8443.', lastSeen: ago(3 * 3600e3), lagSeconds: 3 * 3600, packets: 22, activities: 4 }),
  sensor({ id: 's4', name: 'import', host: 'analysis-01', state: 'done', stateText: 'Has read its files.', sources: ['3 files'], packets: 6112, activities: 902 }),
]
let keys = [{ id: 'k7f3a', note: 'branch offices', by: 'carla', created: ago(3600e3), expires: new Date(Date.now() + 20 * 3600e3).toISOString(), uses: 5, used: 2 }]
const health = [
  { kind: 'sensor-silent', subject: 's3', severity: 'high', text: 'Sensor dc-branch-muenchen has been silent for 3 hours: what happens at that domain controller is not seen.', remedy: 'Check that verderer-sensor runs there, and that it reaches this center on port 8443.', since: ago(3 * 3600e3) },
  { kind: 'sensor-behind', subject: 's2', severity: 'low', text: 'Sensor dc2 works off a backlog of 4 minutes: its activities arrive late.', remedy: 'Nothing, if it shrinks. Otherwise look at the load of the host.', since: ago(8 * minute) },
]
let user = has('fresh') ? null : { name: 'carla', role: 'administrator' }
let account = !has('fresh')
let loggedIn = account
let secret
let hidden = has('fresh') ? alerts.splice(0) : alerts.splice(0, 2)
if (has('fresh')) sensors = []

// --- server ---------------------------------------------------------------

const streams = new Set()
const tell = (event, data) => streams.forEach((s) => s.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`))
const raise = () => {
  const a = hidden.pop()
  if (!a) return
  alerts.unshift(a)
  tell('alert', { id: a.alert.id, status: 'open', new: true })
}
if (has('live')) setInterval(() => loggedIn && raise(), Number(arg('live', 10)) * 1000)

const summaryOf = (a) => {
  const t = a.alert
  return {
    id: t.id, detection: t.detection, title: t.title, severity: t.severity, status: t.status, start: t.start, end: t.end, raised: a.raised, updated: a.updated, summary: t.summary,
    sources: t.sources.slice(0, 3), accounts: t.accounts.slice(0, 3), targets: t.targets.slice(0, 3), sourceCount: t.sources.length, accountCount: t.accounts.length, targetCount: t.targets.length,
    count: t.count, late: t.late, previous: t.previous,
  }
}
const checklist = () => {
  const steps = [
    { id: 'account', title: 'Create the first account', hint: '', done: true, at: ago(20 * minute) },
    { id: 'sensor', title: 'Connect a sensor', hint: 'Run the command below on a domain controller.', done: sensors.length > 0 },
    { id: 'packet', title: 'See the first packet', hint: 'The sensor must read the interface that carries the traffic of the domain controller.', done: sensors.some((s) => s.packets) },
    { id: 'activity', title: 'See the first activity', hint: 'Log on to a computer of the domain, or wait for somebody to.', done: sensors.some((s) => s.activities) },
  ]
  return { steps, done: steps.every((s) => s.done) }
}
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' }

const api = {
  'GET /session': () => ({ user: loggedIn ? user : undefined, setupNeeded: !account, version: '0.1.0-fixture' }),
  'POST /setup': (q, b) => {
    if (b.token !== 'fixture') throw [403, 'This set-up link was used, has expired, or was replaced by a newer one.']
    account = loggedIn = true
    secret = b.password
    user = { name: b.name, role: 'administrator' }
    setTimeout(() => { sensors = [sensor({ id: 's1', name: 'dc1', host: 'dc1.lab.example', packets: 0, activities: 0 })]; tell('sensor', { id: '' }); tell('checklist', { done: false }) }, 4000)
    setTimeout(() => { sensors[0].packets = 211; tell('sensor', { id: 's1' }); tell('checklist', { done: false }) }, 6000)
    setTimeout(() => { sensors[0].activities = 3; tell('sensor', { id: 's1' }); tell('checklist', { done: true }) }, 9000)
    return { user, setupNeeded: false, version: '0.1.0-fixture' }
  },
  'POST /session': (q, b) => {
    if (secret && b.password !== secret) throw [401, 'Name or password is wrong.']
    loggedIn = true
    user = { name: b.name, role: 'administrator' }
    return { user, setupNeeded: false, version: '0.1.0-fixture' }
  },
  'DELETE /session': () => void (loggedIn = false),
  'GET /alerts': (q) => {
    const status = q.getAll('status').flatMap((s) => s.split(',')).filter(Boolean)
    const severity = q.getAll('severity').flatMap((s) => s.split(',')).filter(Boolean)
    const text = (q.get('q') ?? '').toLowerCase()
    const list = alerts.filter(({ alert: a }) => (!status.length || status.includes(a.status)) && (!severity.length || severity.includes(a.severity)) &&
      (!q.get('detection') || a.detection === q.get('detection')) && (!text || JSON.stringify(a).toLowerCase().includes(text)))
      .sort((x, y) => Date.parse(y.alert.start) - Date.parse(x.alert.start))
    const from = Number(q.get('before') ?? 0)
    const limit = Math.min(Number(q.get('limit') ?? 50), 8)
    const open = { high: 0, medium: 0, low: 0 }
    for (const a of alerts) if (a.alert.status === 'open') open[a.alert.severity]++
    return { alerts: list.slice(from, from + limit).map(summaryOf), next: from + limit < list.length ? String(from + limit) : undefined, total: list.length, open }
  },
  'GET /alerts/:id': (q, b, id) => {
    const a = alerts.find((x) => x.alert.id === id)
    if (!a) throw [404, 'There is no such alert.']
    return { ...a, guidance: detections.find((d) => d.id === a.alert.detection).guidance }
  },
  'GET /alerts/:id/activities': (q, b, id) => {
    const ids = alerts.find((x) => x.alert.id === id).alert.evidence.find((e) => e.kind === 'activities').activities
    const list = ids.map((i) => activities.get(i)).filter(Boolean)
    return { activities: list, missing: ids.length - list.length }
  },
  'GET /detections': () => ({ detections: detections.map((d) => ({ ...d, open: alerts.filter((a) => a.alert.detection === d.id && a.alert.status === 'open').length })) }),
  'GET /sensors': () => ({ sensors }),
  'DELETE /sensors/:id': (q, b, id) => { sensors = sensors.filter((s) => s.id !== id); tell('sensor', { id: '' }) },
  'GET /access-keys': () => ({ accessKeys: keys }),
  'POST /access-keys': (q, b) => {
    const k = { id: randomBytes(3).toString('hex'), note: b.note ?? '', by: user.name, created: ago(0), expires: new Date(Date.now() + (b.hours ?? 24) * 3600e3).toISOString(), uses: b.uses ?? 1, used: 0 }
    keys.push(k)
    const key = `vk1-${k.id}-${randomBytes(16).toString('hex')}-${randomBytes(26).toString('hex')}`
    return { ...k, key, command: `verderer-sensor enroll --center https://center.lab.example:8443 --key ${key}` }
  },
  'DELETE /access-keys/:id': (q, b, id) => void (keys = keys.filter((k) => k.id !== id)),
  'GET /checklist': () => checklist(),
  'GET /health': () => ({ issues: has('fresh') ? [] : health }),
}
for (const act of ['close', 'reopen', 'note']) {
  api[`POST /alerts/:id/${act}`] = (q, b, id) => {
    const a = alerts.find((x) => x.alert.id === id)
    if (act !== 'note') a.alert.status = act === 'close' ? 'closed' : 'open'
    a.history.push({ time: ago(0), do: act, by: user.name, comment: b.comment })
    tell('alert', { id, status: a.alert.status, new: false })
    return api['GET /alerts/:id'](q, b, id)
  }
}

createServer(async (req, res) => {
  const url = new URL(req.url, 'http://x')
  if (url.pathname.startsWith('/api/v1/')) {
    const path = url.pathname.slice(7)
    if (path === '/events') {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      res.write(': hello\n\n')
      streams.add(res)
      req.on('close', () => streams.delete(res))
      return
    }
    let body = ''
    for await (const c of req) body += c
    try {
      for (const [route, f] of Object.entries(api)) {
        const [method, pattern] = route.split(' ')
        const m = method === req.method && path.match(new RegExp('^' + pattern.replace(':id', '([^/]+)') + '$'))
        if (!m) continue
        if (!loggedIn && !/^\/(session|setup)$/.test(path)) throw [401, 'Log in first.']
        const out = f(url.searchParams, body ? JSON.parse(body) : {}, m[1])
        res.writeHead(out === undefined ? 204 : 200, { 'content-type': 'application/json' })
        return res.end(out === undefined ? undefined : JSON.stringify(out))
      }
      throw [404, 'No such route.']
    } catch (e) {
      const [status, detail] = Array.isArray(e) ? e : [500, String(e)]
      res.writeHead(status, { 'content-type': 'application/problem+json' })
      return res.end(JSON.stringify({ status, title: 'Error', detail }))
    }
  }
  const nonce = randomBytes(16).toString('base64')
  res.setHeader('content-security-policy', `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`)
  let file = join(dist, url.pathname)
  if (!existsSync(file) || !extname(file)) file = join(dist, 'index.html')
  let bytes = readFileSync(file)
  if (file.endsWith('index.html')) bytes = bytes.toString().replaceAll('__CSP_NONCE__', nonce)
  res.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
  res.end(bytes)
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/${has('fresh') ? 'setup#fixture' : ''}  alerts: ${alerts.length}, held back: ${hidden.length}`))
