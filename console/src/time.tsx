import { useSyncExternalStore } from 'react'

// One ticker for every relative age on the page.
let now = Date.now()
const listeners = new Set<() => void>()
let ticker: number | undefined
const tick = 10_000 // ms: ages are shown in minutes, but a fresh one must not lag

function subscribe(f: () => void) {
  listeners.add(f)
  ticker ??= window.setInterval(() => {
    now = Date.now()
    listeners.forEach((l) => l())
  }, tick)
  return () => {
    listeners.delete(f)
    if (listeners.size === 0) {
      window.clearInterval(ticker)
      ticker = undefined
    }
  }
}
const useNow = () => Math.max(useSyncExternalStore(subscribe, () => now), 0)

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const dateFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })
const dayFormat = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' })
const dayYearFormat = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })

export const clock = (iso: string) => clockFormat.format(new Date(iso))
export const date = (iso: string) => dateFormat.format(new Date(iso))
export const full = (iso: string) => `${date(iso)}, ${clock(iso)}`

/** utc is how a time stands in logs, for the hover. */
export const utc = (iso: string) => new Date(iso).toISOString().replace('T', ' ').replace('Z', ' UTC')

/** dayKey tells local days apart. */
export const dayKey = (iso: string) => new Date(iso).toDateString()

/** dayName is the heading of a day. */
export function dayName(iso: string): { name: string; date: string } {
  const d = new Date(iso)
  const today = new Date()
  const format = d.getFullYear() === today.getFullYear() ? dayFormat : dayYearFormat
  const yesterday = new Date(today)
  yesterday.setDate(today.getDate() - 1)
  const written = format.format(d)
  switch (d.toDateString()) {
    case today.toDateString():
      return { name: 'Today', date: written }
    case yesterday.toDateString():
      return { name: 'Yesterday', date: written }
  }
  const comma = written.indexOf(' ')
  return { name: written.slice(0, comma).replace(',', ''), date: written.slice(comma + 1) }
}

/** duration in the largest unit that says enough. */
export function duration(seconds: number): string {
  const s = Math.abs(seconds)
  if (s < 1) return 'less than a second'
  if (s < 90) return plural(Math.round(s), 'second')
  if (s < 90 * 60) return plural(Math.round(s / 60), 'minute')
  if (s < 36 * 3600) return plural(Math.round(s / 3600), 'hour')
  return plural(Math.round(s / 86400), 'day')
}

/** plural writes a number with its noun. */
export const plural = (n: number, noun: string, many = noun + 's') => `${number(n)} ${n === 1 ? noun : many}`

/** number with thousands set apart. */
export const number = (n: number) => n.toLocaleString('en-GB')

export function ageOf(iso: string, from: number): string {
  const s = (from - Date.parse(iso)) / 1000
  if (s < -5) return `in ${duration(s)}`
  if (s < 60) return 'just now'
  return `${duration(Math.max(s, 90)).replace(/minutes?/, 'min')} ago`
}

type TimeProps = { at: string | undefined; as?: 'full' | 'clock' | 'age' | 'date' }

/** Time shows a local time, and UTC on hover. */
export function Time({ at, as = 'full' }: TimeProps) {
  const present = useNow()
  if (!at) {
    return <span>never</span>
  }
  const text = { full, clock, date, age: (iso: string) => ageOf(iso, Math.max(present, Date.now())) }[as](at)
  const title = as === 'age' || as === 'date' ? `${full(at)} local\n${utc(at)}` : utc(at)
  return (
    <time dateTime={at} title={title}>
      {text}
    </time>
  )
}

/** Span shows when something began and ended. */
export function Span({ start, end, dates = false }: { start: string; end: string; dates?: boolean }) {
  const sameDay = dayKey(start) === dayKey(end)
  const from = dates ? full(start) : clock(start)
  const to = sameDay ? clock(end) : full(end)
  return (
    <span className="num" title={`${utc(start)}\n${utc(end)}`}>
      <time dateTime={start}>{from}</time>
      {!(sameDay && clock(start) === to) && (
        <>
          {' – '}
          <time dateTime={end}>{to}</time>
        </>
      )}
    </span>
  )
}
