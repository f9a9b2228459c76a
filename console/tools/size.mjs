// Prints what a browser loads first, and fails when it has grown past the
// budget: a console that opens slowly over a VPN is not opened.
import { readFileSync, readdirSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const budget = 300 // kB of JavaScript, gzip, before the first page shows
const dist = new URL('../dist/', import.meta.url)
const kB = (n) => n / 1000
const gzip = (file) => kB(gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length)

const html = readFileSync(new URL('index.html', dist), 'utf8')
const initial = [...html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map((m) => m[1])
const js = initial.reduce((sum, f) => sum + gzip(f), 0)
const css = [...html.matchAll(/href="\/([^"]+\.css)"/g)].reduce((sum, m) => sum + gzip(m[1]), 0)
console.log(`initial: ${js.toFixed(1)} kB JavaScript, ${css.toFixed(1)} kB CSS (gzip)`)
for (const f of readdirSync(new URL('assets/', dist)).sort()) {
  if (f.endsWith('.js') && !initial.includes('assets/' + f)) console.log(`  on demand: ${gzip('assets/' + f).toFixed(1)} kB ${f}`)
}
if (js > budget) {
  console.error(`initial JavaScript is above the budget of ${budget} kB`)
  process.exit(1)
}
