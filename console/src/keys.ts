import { useEffect, useRef } from 'react'

/** useKeys binds single keys. They do nothing while text is typed, or in front
 * of a dialog. */
export function useKeys(keys: Record<string, () => void>) {
  const now = useRef(keys)
  useEffect(() => {
    now.current = keys
  })
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const at = e.target as HTMLElement
      const typing = at.matches('textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])')
      const f = now.current[e.key]
      if (f && !typing && !e.ctrlKey && !e.metaKey && !e.altKey && !document.querySelector('[role=dialog]')) {
        e.preventDefault()
        f()
      }
    }
    document.addEventListener('keydown', press)
    return () => document.removeEventListener('keydown', press)
  }, [])
}
