import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'
import type { AlertEvent } from './api'

/** Link says how the stream of live updates is. */
export type Link = 'connecting' | 'live' | 'reconnecting'

// What the stream tells is kept outside React: several components read it, and
// it outlives pages.
let link: Link = 'connecting'
const raised = new Set<string>() // alerts raised while the console watched
const listeners = new Set<() => void>()
const changed = () => listeners.forEach((f) => f())
const subscribe = (f: () => void) => {
  listeners.add(f)
  return () => void listeners.delete(f)
}

export const useLink = () => useSyncExternalStore(subscribe, () => link)

/** useRaised tells whether an alert came in just now, to be highlighted. */
export const useRaised = (id: string) => useSyncExternalStore(subscribe, () => raised.has(id))

const highlight = 8_000 // ms: long enough to be found by somebody who looks up
const settle = 200 // ms: a burst of events is one question to the center
const pace = 1_000 // ms between two questions of a kind, while a flood of events lasts
const silence = 50_000 // ms without a heartbeat, which comes every 15 s
const retryAfter = 3_000 // ms, when the browser has given up by itself

function setLink(to: Link) {
  if (link !== to) {
    link = to
    changed()
  }
}

/** useLive keeps the stream open while the component is there. */
export function useLive() {
  const qc = useQueryClient()
  useEffect(() => connect(qc), [qc])
}

function connect(qc: QueryClient): () => void {
  let source: EventSource | undefined
  let retry: number | undefined
  let watchdog: number | undefined
  const pending = new Map<string, number>()
  const asked = new Map<string, number>()

  const invalidate = (...queryKey: string[]) => {
    const k = queryKey.join('/')
    if (!pending.has(k)) {
      pending.set(
        k,
        window.setTimeout(() => {
          pending.delete(k)
          asked.set(k, Date.now())
          void qc.invalidateQueries({ queryKey })
        }, Math.max(settle, (asked.get(k) ?? 0) + pace - Date.now())),
      )
    }
  }
  const heard = () => {
    window.clearTimeout(watchdog)
    watchdog = window.setTimeout(open, silence)
  }

  function open() {
    source?.close()
    if (link !== 'connecting') {
      setLink('reconnecting')
    }
    const s = (source = new EventSource('/api/v1/events'))
    heard()
    s.onopen = () => {
      heard()
      if (link === 'reconnecting') {
        void qc.invalidateQueries() // whatever happened meanwhile
      }
      setLink('live')
    }
    s.onerror = () => {
      setLink('reconnecting')
      if (s.readyState === EventSource.CLOSED) {
        window.clearTimeout(retry)
        retry = window.setTimeout(open, retryAfter)
        invalidate('health') // finds out when the session has ended
      }
    }
    const on = (name: string, f: (e: MessageEvent<string>) => void) =>
      s.addEventListener(name, (e) => {
        heard()
        f(e as MessageEvent<string>)
      })
    on('heartbeat', () => setLink('live'))
    on('alert', (e) => {
      const event = JSON.parse(e.data) as AlertEvent
      if (event.new) {
        raised.add(event.id)
        window.setTimeout(() => {
          raised.delete(event.id)
          changed()
        }, highlight)
        changed()
      }
      invalidate('alerts')
      invalidate('alert', event.id)
      invalidate('detections')
    })
    on('sensor', () => {
      invalidate('sensors')
      invalidate('access-keys')
    })
    on('health', () => invalidate('health'))
    on('checklist', () => invalidate('checklist'))
  }

  open()
  return () => {
    source?.close()
    window.clearTimeout(retry)
    window.clearTimeout(watchdog)
    pending.forEach((t) => window.clearTimeout(t))
    link = 'connecting'
  }
}
